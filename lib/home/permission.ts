/** What Deno must allow before a file is touched: asked at the start, instead of failing at night. */

/** How an option uses its file; each kind needs more than the path alone. */
export type FileUse = "append" | "rotate" | "replace" | "read";

/** A file, or several that belong together, and what for. */
export interface FileNeed {
  /** As it was typed: `--log-file`. */
  option: string;
  use: FileUse;
  /** All that will be touched, the file itself first. */
  paths: readonly [string, ...string[]];
}

/**
 * What is missing, in one line: the first option for which something is, and the flags for all of them.
 *
 * @returns undefined when Deno allows everything.
 */
export function missingPermission(needs: readonly FileNeed[]): string | undefined {
  const first = needs.find((need) => !isAllowed(need));
  if (!first) return undefined;
  const { option, use } = first;
  const { place } = placeOf(first);
  const needed = `${option} needs to ${NEEDS[use].join(" and ")} ${place}`;
  if (Deno.build.standalone) return `${needed}, which this program was built without`;
  const flags = (["read", "write"] as const).flatMap((name) => {
    const places = needs.filter(({ use }) => NEEDS[use].includes(name)).map(placeOf);
    if (places.length === 0) return [];
    // A comma in a path begins another one for Deno.
    if (places.some(({ path }) => path.includes(","))) return [`--allow-${name}`];
    return [`--allow-${name}=${quoted([...new Set(places.map(({ path }) => path))].join(","))}`];
  });
  return `${needed}: add ${flags.join(" ")} after deno run`;
}

function isAllowed({ use, paths }: FileNeed): boolean {
  return NEEDS[use].every((name) =>
    paths.every((path) => Deno.permissions.querySync({ name, path }).state === "granted")
  );
}

/** What Deno is to allow, and how to say it. Files beside a file come and go: their folder is allowed. */
function placeOf({ paths }: FileNeed): { path: string; place: string } {
  const isFolder = paths.length > 1 || paths[0].includes(",");
  const path = isFolder ? folderOf(paths[0]) : paths[0];
  return { path, place: !isFolder ? path : path === "." ? "in this folder" : `in ${path}` };
}

/** To put one file in the place of another, Deno wants leave to read the first. */
const NEEDS: Record<FileUse, readonly ("read" | "write")[]> = {
  append: ["write"],
  rotate: ["read", "write"],
  replace: ["read", "write"],
  read: ["read"],
};

/** What Deno must allow for a file that is used so. */
export function leaveFor(use: FileUse): readonly ("read" | "write")[] {
  return NEEDS[use];
}

function folderOf(path: string): string {
  const [folder = ""] = /^.*[/\\](?=[^/\\])/.exec(path) ?? [];
  if (folder === "") return ".";
  return /^([/\\]|[A-Za-z]:[/\\])$/.test(folder) ? folder : folder.slice(0, -1);
}

/** As a shell takes it. */
function quoted(path: string): string {
  return /^[\w./\\:+@%,-]+$/.test(path) ? path : `"${path}"`;
}
