/** Files that are replaced whole: whatever happens, there is the old one or the new one. */

const utf8 = new TextEncoder();
/** On Windows a file that another program looks at for a moment cannot be replaced. */
const RENAME_TRIES = 5;
const RENAME_PAUSE_MS = 100;

/** What is being written, by path: one at a time, in the order of the calls. */
const underWay = new Map<string, Promise<void>>();

/** The paths that {@link replaceFile} reads and writes. */
export function replacedPaths(path: string): [string, string] {
  return [path, `${path}.new`];
}

/**
 * Writes a file anew: to another file beside it, down to the disk, then in its place. A link is replaced
 * by a file.
 *
 * @param options `isPrivate`: nobody but this user may read it, where the system has such a thing. Otherwise
 *   who might read the old one may read the new one.
 *
 * @throws {Deno.errors.NotFound} There is no such folder; and what else the system says. The file is as
 *   it was then.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  { isPrivate = false }: { isPrivate?: boolean } = {},
): Promise<void> {
  const bytes = typeof content === "string" ? utf8.encode(content) : content.slice();
  const before = underWay.get(path);
  const mine = (before ?? Promise.resolve()).catch(() => {}).then(() =>
    replace(path, bytes, isPrivate)
  );
  underWay.set(path, mine);
  try {
    await mine;
  } finally {
    if (underWay.get(path) === mine) underWay.delete(path);
  }
}

async function replace(path: string, bytes: Uint8Array, isPrivate: boolean): Promise<void> {
  const [, besides] = replacedPaths(path);
  try {
    await writeDown(besides, bytes, isPrivate ? 0o600 : await modeOf(path));
    await renameOver(besides, path);
  } catch (error) {
    await Deno.remove(besides).catch(() => {}); // It may not even be there.
    throw error;
  }
}

/** Undefined where there is no file, or no such thing as a mode. */
async function modeOf(path: string): Promise<number | undefined> {
  try {
    const { mode } = await Deno.stat(path);
    return mode === null ? undefined : mode & 0o777;
  } catch {
    return undefined;
  }
}

async function writeDown(path: string, bytes: Uint8Array, mode: number | undefined): Promise<void> {
  // What is left of another time, or was put there by somebody, is not written into.
  await Deno.remove(path).catch(() => {});
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  await file.sync();
}

async function renameOver(from: string, to: string): Promise<void> {
  for (let triesLeft = RENAME_TRIES;; triesLeft--) {
    try {
      return await Deno.rename(from, to);
    } catch (error) {
      const isBusy = Deno.build.os === "windows" &&
        (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.Busy);
      if (!isBusy || triesLeft <= 1) throw error;
      await new Promise((resolve) => setTimeout(resolve, RENAME_PAUSE_MS));
    }
  }
}
