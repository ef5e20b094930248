/** The log in a file that is put away when it gets long: `netsync.log`, then `netsync.log.1`, `.2`. */
import { FileWriter } from "./file_writer.ts";

/** Options of {@link openLogFile}. */
export interface LogFileOptions {
  /** How long each file gets. Default 10 MB. */
  bytesMax?: number;
  /** How many files there are, with the one that is written; from 1. Default {@link LOG_FILES_MAX}. */
  filesMax?: number;
  /** Told in words, once, when writing fails, and whether it is tried again. */
  onProblem?: (problem: string, isTriedAgain: boolean) => void;
  /** Called when writing goes well after that. */
  onMended?: () => void;
  /** When to try again after that. Default 5,000. */
  retryMs?: number;
}

/** How many files a log has unless told otherwise. */
export const LOG_FILES_MAX = 5;

/**
 * Opens a log file; what it holds stays. Lines go to its `write`, each with its end.
 *
 * A file that cannot be put away, as on Windows while another program holds it, gets no longer for it:
 * lines wait, then are lost, until it can. It needs to read and write every path of {@link logFilePaths}.
 *
 * @throws {Deno.errors.NotFound} There is no such folder; and what else `FileWriter.open` throws.
 */
export function openLogFile(path: string, options: LogFileOptions = {}): Promise<FileWriter> {
  const { bytesMax = 10_000_000, filesMax = LOG_FILES_MAX, ...rest } = options;
  const paths = logFilePaths(path, filesMax);
  return FileWriter.open(path, { ...rest, rollOver: { bytesMax, putAway: () => shift(paths) } });
}

/** The files of a log, from new to old. */
export function logFilePaths(path: string, filesMax: number = LOG_FILES_MAX): string[] {
  return Array.from({ length: filesMax }, (_, age) => age === 0 ? path : `${path}.${age}`);
}

/** Every file takes the place of the next older one; the oldest is lost. */
async function shift(paths: readonly string[]): Promise<void> {
  if (paths.length === 1) return await Deno.truncate(paths[0]!);
  for (let age = paths.length - 1; age > 0; age--) {
    try {
      await Deno.rename(paths[age - 1]!, paths[age]!);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
