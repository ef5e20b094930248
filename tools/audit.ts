/**
 * Looks at all that netsync is made of besides its own code.
 *
 *     deno task audit              what is wrong with it
 *     deno task audit --strict     the same; that nobody could be asked about vulnerabilities is wrong too
 *     deno task audit --write      writes lib/commands/licenses.txt anew, after a change of dependencies
 *
 * Every package is of npm, at one exact version, with its digest in deno.lock, imported by somebody, under a
 * license that lets it be passed on, and runs nothing when it is installed. Whether vulnerabilities of it are
 * known is asked of the registry; where that cannot be reached the rest still counts.
 *
 * Exit status 0 when nothing is wrong, 1 when something is, 2 when the words are.
 */
import { askFor } from "./audit/advisories.ts";
import {
  type Config,
  importProblems,
  type Lock,
  lockedPackages,
  lockProblems,
} from "./audit/locked.ts";
import { noticesText } from "./audit/notices.ts";
import {
  type Fetched,
  LICENSES,
  packageProblems,
  readPackage,
  TEST_LICENSES,
} from "./audit/packages.ts";

const ROOT = new URL("../", import.meta.url);
const NOTICES = new URL("lib/commands/licenses.txt", ROOT);

/** A deno.json with a lock of its own. */
interface Part {
  name: string;
  folder: URL;
  /** Where its sources are, in its folder. */
  sources: readonly string[];
  licenses: ReadonlySet<string>;
}

const PROGRAM: Part = {
  name: "netsync",
  folder: ROOT,
  sources: ["main.ts", "lib", "tests", "bench", "examples", "tools"],
  licenses: LICENSES,
};
const BROWSER_TESTS: Part = {
  name: "the tests in a browser",
  folder: new URL("tests/browser/", ROOT),
  sources: [".", "../../lib"],
  licenses: TEST_LICENSES,
};

async function readJson<T>(url: URL): Promise<T> {
  return JSON.parse(await Deno.readTextFile(url));
}

/** All scripts of a file or folder, by path; a part of its own is left out. */
async function* sourcesIn(folder: URL, path: string): AsyncGenerator<[string, string]> {
  const url = new URL(path, folder);
  if ((await Deno.stat(url)).isFile) return yield [path, await Deno.readTextFile(url)];
  for await (const { name, isDirectory } of Deno.readDir(url)) {
    const inside = `${path}/${name}`;
    const isOther = isDirectory && new URL(`${inside}/`, folder).href === BROWSER_TESTS.folder.href;
    if ((isDirectory && !isOther) || /\.[jt]s$/.test(name)) yield* sourcesIn(folder, inside);
  }
}

/** Runs Deno itself; what it says goes where this program's does. */
async function deno(folder: URL, ...args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    ...{ args, cwd: folder, stdin: "null", stderr: "inherit" },
  }).output();
  if (!success) throw new Error(`deno ${args.join(" ")} failed`);
  return new TextDecoder().decode(stdout);
}

/** Looks at one part. Returns its packages, and what is wrong with it. */
async function look(part: Part): Promise<{ packages: Fetched[]; problems: string[] }> {
  const { folder, sources, licenses } = part;
  await deno(folder, "install", "--quiet", "--frozen");
  const config = await readJson<Config>(new URL("deno.json", folder));
  const lock = await readJson<Lock>(new URL("deno.lock", folder));
  const texts = new Map<string, string>();
  for (const path of sources) {
    for await (const [name, text] of sourcesIn(folder, path)) texts.set(name, text);
  }
  const { npmCache } = JSON.parse(await deno(folder, "info", "--json"));
  const packages = await Promise.all(
    lockedPackages(lock).map((one) => readPackage(one, npmCache)),
  );
  const problems = [
    ...lockProblems(config, lock),
    ...importProblems(config, texts),
    ...packageProblems(packages, licenses),
  ];
  return { packages, problems };
}

function tell(packages: readonly Fetched[]): void {
  for (const { name, version, license, author } of packages) {
    console.log(`  ${`${name} ${version}`.padEnd(28)}${license.padEnd(12)}${author}`.trimEnd());
  }
}

/** Writes the notices, or says that those there are others. */
async function notices(packages: readonly Fetched[], isWriting: boolean): Promise<string[]> {
  const text = noticesText(await Deno.readTextFile(new URL("LICENSE", ROOT)), packages);
  if (isWriting) await Deno.writeTextFile(NOTICES, text);
  const there = await Deno.readTextFile(NOTICES).catch(() => "");
  if (there.replaceAll("\r\n", "\n") === text) return [];
  return ["lib/commands/licenses.txt is not what the packages say: deno task audit --write"];
}

const [word, ...more] = Deno.args;
if (more.length > 0 || (word !== undefined && !["--strict", "--write"].includes(word))) {
  console.error("usage: deno task audit [--strict | --write]");
  Deno.exit(2);
}
const problems: string[] = [];
let skipped = 0;
for (const part of [PROGRAM, BROWSER_TESTS]) {
  console.log(part.name);
  const { packages, problems: found } = await look(part);
  tell(packages);
  problems.push(...found);
  if (part === PROGRAM) problems.push(...await notices(packages, word === "--write"));
  const advice = await askFor(part.folder);
  if (advice.kind === "none known") console.log("  known vulnerabilities: none");
  if (advice.kind === "vulnerable") {
    console.log(advice.report);
    problems.push(`${part.name}: vulnerabilities are known, see above`);
  }
  if (advice.kind === "not asked") {
    skipped++;
    console.log(`  known vulnerabilities: SKIPPED, nobody could be asked: ${advice.why}`);
    if (word === "--strict") problems.push(`${part.name}: nobody could be asked, see above`);
  }
}
problems.forEach((problem) => console.error(`audit: ${problem}`));
const asked = skipped === 0 ? "" : `; about known vulnerabilities nothing was learned (${skipped})`;
console.log(problems.length === 0 ? `audit: nothing is wrong${asked}` : "audit: failed");
Deno.exit(problems.length === 0 ? 0 : 1);
