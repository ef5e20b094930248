/** What packages say of themselves: licenses, and commands that run when they are installed. */
import type { Package } from "./locked.ts";

/** A package as it was fetched. */
export interface Fetched extends Package {
  /** As SPDX has it: `MIT`. */
  license: string;
  /** Commands that npm would run, by the names of their occasions. */
  installScripts: string[];
  /** The text of its license, if it has it with it. */
  notice: string | undefined;
  author: string;
}

/** They let everybody pass on what contains them, if their text comes with it. */
export const LICENSES: ReadonlySet<string> = new Set([
  ...["0BSD", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"],
]);
/** Of tools for the tests, which are not passed on. */
export const TEST_LICENSES: ReadonlySet<string> = new Set([...LICENSES, "Apache-2.0"]);

const OCCASIONS = ["preinstall", "install", "postinstall"] as const;

/**
 * Reads a package where Deno keeps what it fetched.
 *
 * @param cache `npmCache` of `deno info --json`: in it is a folder for each registry.
 * @throws {Error} It is not there.
 */
export async function readPackage({ name, version }: Package, cache: string): Promise<Fetched> {
  for await (const registry of Deno.readDir(cache)) {
    const folder = `${cache}/${registry.name}/${name}/${version}`;
    const text = await Deno.readTextFile(`${folder}/package.json`).catch(() => undefined);
    if (text === undefined) continue;
    return fetchedOf({ name, version }, JSON.parse(text), await noticeIn(folder));
  }
  throw new Error(`${name} ${version} was not fetched: deno install --frozen does it`);
}

/** What a package.json says. */
export function fetchedOf(
  { name, version }: Package,
  manifest: Record<string, unknown>,
  notice: string | undefined,
): Fetched {
  const { license, scripts, author } = manifest;
  const known = typeof scripts === "object" && scripts !== null ? scripts : {};
  return {
    ...{ name, version, notice },
    license: nameOf(license, "type") ?? "none",
    author: nameOf(author, "name") ?? "",
    installScripts: OCCASIONS.filter((occasion) => occasion in known),
  };
}

/** A text, or that of an object: both are usual. */
function nameOf(value: unknown, key: string): string | undefined {
  if (typeof value === "string") return value;
  const inside = (value as Record<string, unknown> | undefined)?.[key];
  return typeof inside === "string" ? inside : undefined;
}

/** What is wrong with packages. */
export function packageProblems(
  packages: readonly Fetched[],
  allowed: ReadonlySet<string>,
): string[] {
  return packages.flatMap(({ name, version, license, installScripts }) => [
    ...isAllowed(license, allowed)
      ? []
      : [`${name} ${version}: its license is ${license}, which is not one of ${[...allowed]}`],
    ...installScripts.map((occasion) => `${name} ${version}: has a command for ${occasion}`),
  ]);
}

/** `(MIT OR Apache-2.0)` leaves the choice. */
function isAllowed(license: string, allowed: ReadonlySet<string>): boolean {
  return license.replace(/^\((.*)\)$/, "$1").split(" OR ").some((one) => allowed.has(one));
}

async function noticeIn(folder: string): Promise<string | undefined> {
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile && /^licen[cs]e(\.(md|txt))?$/i.test(name)) {
      return await Deno.readTextFile(`${folder}/${name}`);
    }
  }
  return undefined;
}
