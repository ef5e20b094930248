/** The files of a process of services: its log, and who is not let in. */
import { BanFile } from "../../home/ban_file.ts";
import { replacedPaths } from "../../home/replace_file.ts";
import type { FileWriter } from "../../observe/file_writer.ts";
import { logFilePaths, openLogFile } from "../../observe/log_file.ts";
import type { FileNeed } from "../../home/permission.ts";
import { orFail } from "../files.ts";
import { recordingNeed } from "../network.ts";
import type { FileTalk } from "./file_talk.ts";
import type { Plan } from "./house.ts";
import type { HostingValues } from "./options.ts";

/** All files that a process of services is to use. */
export function fileNeedsOf(
  plans: readonly Plan[],
  { logFile, bans }: HostingValues,
): FileNeed[] {
  const needs: FileNeed[] = [];
  if (logFile !== undefined) {
    const paths = logFilePaths(logFile) as [string, ...string[]];
    needs.push({ option: "--log-file", use: "rotate", paths });
  }
  if (bans !== undefined) {
    needs.push({ option: "--bans", use: "replace", paths: replacedPaths(bans) });
  }
  for (const { values: { resume, record } } of plans) {
    if (typeof resume === "string") {
      needs.push({ option: "--resume", use: "replace", paths: replacedPaths(resume) });
    }
    if (typeof record === "string") {
      needs.push(recordingNeed(record));
    }
  }
  return needs;
}

/**
 * Opens the log file, if there is to be one.
 *
 * @param talk Told when it cannot be written.
 * @throws {CommandFailure} It cannot be had.
 */
export async function openLog(
  path: string | undefined,
  { onProblem, onMended }: FileTalk,
): Promise<FileWriter | undefined> {
  if (path === undefined) return undefined;
  const open = async (): Promise<FileWriter> => {
    // Opening a pipe would wait for somebody who reads from it.
    if (await isOther(path)) throw new Error("it is no file");
    return await openLogFile(path, { onProblem, onMended: () => onMended(path) });
  };
  return await orFail("--log-file", path, open());
}

/**
 * Reads the ban file, if there is to be one.
 *
 * @throws {CommandFailure} It cannot be read.
 */
export async function openBans(path: string | undefined): Promise<BanFile | undefined> {
  if (path === undefined) return undefined;
  return await orFail("--bans", path, BanFile.read(path));
}

/** Whether there is something of this name that is no file. */
async function isOther(path: string): Promise<boolean> {
  try {
    return !(await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
