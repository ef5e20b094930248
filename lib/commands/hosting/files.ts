/** The files of a process of services: its log, and who is not let in. */
import { BanFile } from "../../home/ban_file.ts";
import { replacedPaths } from "../../home/replace_file.ts";
import type { FileWriter } from "../../observe/file_writer.ts";
import { logFilePaths, openLogFile } from "../../observe/log_file.ts";
import { needFiles, orFail } from "../files.ts";

/**
 * Opens the log file, if there is to be one.
 *
 * @param onProblem Told in words when it cannot be written.
 * @throws {CommandFailure} It cannot be had.
 */
export async function openLog(
  path: string | undefined,
  onProblem: (problem: string) => void,
): Promise<FileWriter | undefined> {
  if (path === undefined) return undefined;
  needFiles("--log-file", "rotate", logFilePaths(path) as [string, ...string[]]);
  return await orFail("--log-file", path, openLogFile(path, { onProblem }));
}

/**
 * Reads the ban file, if there is to be one.
 *
 * @throws {CommandFailure} It cannot be read.
 */
export async function openBans(path: string | undefined): Promise<BanFile | undefined> {
  if (path === undefined) return undefined;
  needFiles("--bans", "replace", replacedPaths(path));
  return await orFail("--bans", path, BanFile.read(path));
}
