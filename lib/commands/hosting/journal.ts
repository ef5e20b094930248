/** Where the log lines of a process go: the output, a file, and whoever watches. */
import { LogTail } from "../../home/log_tail.ts";
import { configureLog } from "../../observe/log.ts";
import type { FileTalk } from "./file_talk.ts";
import { openLog } from "./files.ts";
import type { HostingValues } from "./options.ts";

/** The log of a process of services. */
export interface Journal extends AsyncDisposable {
  /** The last lines, and the next ones. */
  readonly tail: LogTail;
  /** Lines are printed from now on, or not: a live view shows them itself. */
  print(isPrinted: boolean): void;
}

/**
 * Begins to log, and to print.
 *
 * @param namesServices Whether lines say which service they are of.
 * @param talk Told when the log file cannot be written.
 * @throws {CommandFailure} The log file cannot be had.
 */
export async function openJournal(
  { logLevel, logFile, json }: HostingValues,
  namesServices: boolean,
  talk: FileTalk,
): Promise<Journal> {
  const tail = new LogTail();
  const file = await openLog(logFile, talk);
  const print = (output: boolean): void =>
    configureLog(logLevel, json, {
      ...{ output, namesServices },
      file: file && ((text): boolean => file.write(text)),
      tail: (line) => tail.add(line),
    });
  print(true);
  return { tail, print, [Symbol.asyncDispose]: async () => await file?.close() };
}
