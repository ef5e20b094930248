/** What Deno must allow before a file is touched: asked at the start, instead of failing at night. */

/** How an option uses its file; each kind needs more than the path alone. */
export type FileUse = "append" | "rotate" | "replace" | "read";

/**
 * What is missing to use a file, in one line, with what to type instead.
 *
 * @param option As it was typed: `--log-file`.
 * @param paths All that will be touched, the file itself first.
 * @returns undefined when Deno allows it.
 */
export function missingPermission(
  option: string,
  use: FileUse,
  paths: readonly [string, ...string[]],
): string | undefined {
  const names = NEEDS[use];
  const isAllowed = names.every((name) =>
    paths.every((path) => Deno.permissions.querySync({ name, path }).state === "granted")
  );
  if (isAllowed) return undefined;
  // Files beside the file come and go: Deno allows those by their folder only. And a comma in a path
  // begins another one for it.
  const isFolder = paths.length > 1 || paths[0].includes(",");
  const what = isFolder ? folderOf(paths[0]) : paths[0];
  const place = !isFolder ? what : what === "." ? "in this folder" : `in ${what}`;
  const needs = `${option} needs to ${names.join(" and ")} ${place}`;
  if (Deno.build.standalone) return `${needs}, which this program was built without`;
  const path = what.includes(",") ? "" : `=${quoted(what)}`;
  const flags = names.map((name) => `--allow-${name}${path}`).join(" ");
  return `${needs}: start it with deno run --allow-net ${flags} main.ts`;
}

/** To put one file in the place of another, Deno wants leave to read the first. */
const NEEDS: Record<FileUse, readonly ("read" | "write")[]> = {
  append: ["write"],
  rotate: ["read", "write"],
  replace: ["read", "write"],
  read: ["read"],
};

function folderOf(path: string): string {
  const [folder = ""] = /^.*[/\\](?=[^/\\])/.exec(path) ?? [];
  if (folder === "") return ".";
  return /^([/\\]|[A-Za-z]:[/\\])$/.test(folder) ? folder : folder.slice(0, -1);
}

/** As a shell takes it. */
function quoted(path: string): string {
  return /^[\w./\\:+@%-]+$/.test(path) ? path : `"${path}"`;
}
