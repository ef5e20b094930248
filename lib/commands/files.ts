/** Files that options name. */
import { type FileNeed, missingPermission } from "../home/permission.ts";
import { CommandFailure } from "./options.ts";

/**
 * Asks for leave to use files, before anything else is done.
 *
 * @throws {CommandFailure} Deno was not told to give it; the message says which flags do.
 */
export function needFiles(...needs: readonly FileNeed[]): void {
  const missing = missingPermission(needs);
  if (missing !== undefined) throw new CommandFailure(missing);
}

/**
 * Says which option a file was for; an empty one for none.
 *
 * @param missing What it means that nothing is there: of a file to be made, its folder.
 * @throws {CommandFailure} It cannot be had.
 */
export async function orFail<T>(
  option: string,
  path: string,
  opened: Promise<T>,
  missing = "there is no such folder",
): Promise<T> {
  try {
    return await opened;
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    const reason = error instanceof Deno.errors.NotFound
      ? missing
      : error instanceof Deno.errors.AlreadyExists
      ? "it is there already: choose another name"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new CommandFailure(`${option && `${option} `}${path}: ${reason}`);
  }
}
