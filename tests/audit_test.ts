/** What `deno task audit` finds, and what it makes of the answers of a registry. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Advice, adviceOf, askFor } from "../tools/audit/advisories.ts";
import { importProblems, type Lock, lockedPackages, lockProblems } from "../tools/audit/locked.ts";
import { noticesText } from "../tools/audit/notices.ts";
import { type Fetched, fetchedOf, LICENSES, packageProblems } from "../tools/audit/packages.ts";
import { ROOT } from "./interop/programs.ts";
import { withFolder } from "./support/folder.ts";

const DIGEST = `sha512-${"A".repeat(86)}==`;
const CONFIG = { imports: { one: "npm:one@1.2.3", two: "npm:@a/two@0.1.0/x.js" } };
const LOCK: Lock = {
  version: "5",
  specifiers: { "npm:one@1.2.3": "1.2.3", "npm:@a/two@0.1.0": "0.1.0" },
  npm: {
    "one@1.2.3": { integrity: DIGEST, dependencies: ["three"] },
    "@a/two@0.1.0": { integrity: DIGEST },
    "three@3.0.0": { integrity: DIGEST },
  },
};

Deno.test("lockProblems() finds nothing where all is pinned, locked and needed", async () => {
  assertEquals(lockProblems(CONFIG, LOCK), []);
  for (const folder of ["", "tests/browser/"]) {
    const read = async (name: string): Promise<object> =>
      JSON.parse(await Deno.readTextFile(new URL(`${folder}${name}`, ROOT)));
    assertEquals(lockProblems(await read("deno.json"), await read("deno.lock")), []);
  }
});

Deno.test("lockProblems() names what is not one version of one package of npm", () => {
  const targets = ["npm:one@^1.2.3", "npm:one", "npm:one@1", "jsr:@std/assert@1.0.0"];
  for (const target of [...targets, "https://deno.land/x/one@1.2.3/mod.ts", "./one.ts"]) {
    const lock = { ...LOCK, specifiers: {}, npm: {} };
    assertEquals(lockProblems({ imports: { one: target } }, lock), [
      `deno.json: one is ${target}: only npm packages of one exact version are taken`,
    ]);
  }
  const imports = { ...CONFIG.imports, other: "npm:one@2.0.0" };
  assert(
    lockProblems({ imports }, LOCK).includes("deno.json: one is there as 1.2.3 and as 2.0.0"),
  );
});

Deno.test("lockProblems() names what is strange in a lock", () => {
  const withPackage = (id: string, more: object): Lock => ({
    ...LOCK,
    npm: { ...LOCK.npm, [id]: { integrity: DIGEST, ...more } },
  });
  const rows: [Lock, string][] = [
    [{ ...LOCK, version: "6" }, "deno.lock: version 6, of which nothing is known here"],
    [{ ...LOCK, remote: {} }, 'deno.lock: has "remote": only packages of npm are taken'],
    [withPackage("one@1.2.3", { integrity: "sha1-x" }), "one@1.2.3 has no SHA-512 digest"],
    [withPackage("one@1.2.3", { scripts: true }), "one@1.2.3 runs commands when it is installed"],
    [withPackage("four@4.0.0", {}), "deno.lock: four@4.0.0 is there, and nothing needs it"],
    [
      { ...LOCK, specifiers: { ...LOCK.specifiers, "npm:three@3": "3.0.0" } },
      "deno.lock: npm:three@3 is not in deno.json",
    ],
    [{ ...LOCK, specifiers: {} }, "deno.lock: npm:one@1.2.3 of deno.json is not there"],
  ];
  for (const [lock, problem] of rows) {
    const problems = lockProblems(CONFIG, lock);
    assert(problems.some((one) => one.includes(problem)), `${problem}: ${problems}`);
  }
});

Deno.test("lockedPackages() gives names and versions, also of scoped ones with peers", () => {
  assertEquals(lockedPackages({ npm: { "@a/two@0.1.0_one@1.2.3": {}, "one@1.2.3": {} } }), [
    { name: "@a/two", version: "0.1.0" },
    { name: "one", version: "1.2.3" },
  ]);
});

/** Not in an import, or the audit would find it here. */
const FOUR = "npm:four@4";

Deno.test("importProblems() names what nobody imports, and what is imported past deno.json", () => {
  const sources = new Map([
    ["a.ts", `import { x } from "one";\nconst y = await import("${FOUR}");`],
    ["b.ts", `import text from 'two' with { type: "text" };\nexport * from "./a.ts";`],
  ]);
  assertEquals(importProblems(CONFIG, sources), [`a.ts: imports ${FOUR}, past deno.json`]);
  assertEquals(importProblems(CONFIG, new Map([["a.ts", 'import "two";']])), [
    "deno.json: nothing imports one",
  ]);
});

/** A package that was fetched. */
function fetched(manifest: Record<string, unknown>, notice?: string): Fetched {
  return fetchedOf({ name: "one", version: "1.2.3" }, manifest, notice);
}

Deno.test("packageProblems() names licenses that are not allowed, and install scripts", () => {
  const problems = (manifest: Record<string, unknown>): string[] =>
    packageProblems([fetched(manifest)], LICENSES);
  assertEquals(problems({ license: "MIT", scripts: { test: "x", prepublish: "x" } }), []);
  assertEquals(problems({ license: { type: "ISC" } }), []);
  assertEquals(problems({ license: "(GPL-3.0 OR MIT)" }), []);
  for (const license of ["GPL-3.0", "MIT AND GPL-3.0", undefined]) {
    assertEquals(problems({ license }).length, 1, license);
  }
  assertEquals(problems({ license: "MIT", scripts: { postinstall: "x" } }), [
    "one 1.2.3: has a command for postinstall",
  ]);
});

Deno.test("noticesText() has every text, and does without none", () => {
  const own = "MIT License\n\nCopyright (c) us\n\nPermission is hereby granted, free\n";
  const text = noticesText(own, [
    fetched({ license: "ISC" }, "Copyright them  \r\nAll\r\n"),
    fetchedOf({ name: "deno-std", version: "1.4.0" }, { license: "MIT" }, undefined),
  ]);
  for (
    const part of ["Copyright (c) us", "one 1.2.3 (ISC)", "\nCopyright them\nAll\n", "V8 project"]
  ) {
    assert(text.includes(part), part);
  }
  assertEquals(text.split("Deno authors\n\nPermission is hereby granted, free").length, 3);
  assertThrows(() => noticesText(own, [fetched({ license: "MIT" })]), Error, "no license text");
});

Deno.test("netsync --licenses names every package that deno.lock holds", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "main.ts", "--licenses"],
    cwd: ROOT,
  }).output();
  const text = new TextDecoder().decode(stdout);
  const lock: Lock = JSON.parse(await Deno.readTextFile(new URL("deno.lock", ROOT)));
  const packages = lockedPackages(lock);
  assert(packages.length > 5);
  for (const { name, version } of packages) assert(text.includes(`\n${name} ${version} (`), name);
});

Deno.test("adviceOf() takes nothing but good news for good news", () => {
  const row = (code: number, stdout: string, stderr = ""): Advice =>
    adviceOf({ code, stdout, stderr });
  assertEquals(row(0, "No known vulnerabilities found\n"), { kind: "none known" });
  assertEquals(row(1, "Found 1 vulnerabilities\n").kind, "vulnerable");
  assertEquals(row(1, "anything\n").kind, "vulnerable");
  assertEquals(row(1, "", "error: no route\n"), { kind: "not asked", why: "no route" });
  assertEquals(row(0, "").kind, "not asked");
  assertEquals(row(0, "fine, fine\n"), { kind: "not asked", why: "fine, fine" });
  assertEquals(row(1, "No known vulnerabilities found\n").kind, "vulnerable");
});

/** `deno audit` is younger than the oldest Deno that netsync runs on. */
const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
const hasAudit = { ignore: major === 2 && minor < 9 };

/** What a registry whose answer is `response` makes of a project with one package. */
async function adviceFrom(response: () => Response): Promise<Advice> {
  const options = { hostname: "127.0.0.1", port: 0, onListen: (): void => {} };
  await using server = Deno.serve(options, async (request) => {
    await request.body?.cancel();
    return response();
  });
  let advice: Advice | undefined;
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(CONFIG));
    await Deno.writeTextFile(`${folder}/deno.lock`, JSON.stringify(LOCK));
    const registry = `http://127.0.0.1:${server.addr.port}/`;
    advice = await askFor(new URL(`file://${await Deno.realPath(folder)}/`), registry);
  });
  return advice!;
}

Deno.test(
  "askFor() understands what deno audit says of a registry's answers",
  hasAudit,
  async () => {
    const bad = {
      ...{ id: 1, title: "Bad thing", severity: "high", vulnerable_versions: "<2.0.0" },
      ...{ url: "https://registry.example/1", cwe: [], cvss: { score: 7, vectorString: null } },
    };
    assertEquals(await adviceFrom(() => Response.json({})), { kind: "none known" });
    const advice = await adviceFrom(() => Response.json({ one: [bad] }));
    assert(advice.kind === "vulnerable" && advice.report.includes("Bad thing"));
    for (const status of [405, 503]) {
      assertEquals((await adviceFrom(() => new Response("no", { status }))).kind, "not asked");
    }
  },
);
