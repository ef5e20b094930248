/** Holds the arrows of the house and what may not be named in it; see architecture/rules.ts. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  importCycle,
  importProblems,
  outsideProblems,
  pinProblems,
  purityProblems,
  resolveImport,
  silencedProblems,
} from "./architecture/rules.ts";
import { exportsAnImport, importsOf, parseSource } from "./architecture/source.ts";

const ROOT = new URL("../", import.meta.url);
const NOT_OURS = new Set([".git", "coverage", "dist", "node_modules"]);
const TEXT_FILE = /\.(ts|js|py|sh|md|json|lock|yml|yaml|html|css|toml)$|^\.ci\/run$|^LICENSE$/;

/** Every text file of the project by its path from the root. */
function projectFiles(folder = "", files: Map<string, string> = new Map()): Map<string, string> {
  for (const entry of Deno.readDirSync(new URL(folder || ".", ROOT))) {
    const path = folder + entry.name;
    if (entry.isDirectory && !NOT_OURS.has(entry.name)) projectFiles(`${path}/`, files);
    if (entry.isFile && TEXT_FILE.test(path)) {
      files.set(path, Deno.readTextFileSync(new URL(path, ROOT)));
    }
  }
  return files;
}

const FILES = projectFiles();
const SOURCES = new Map([...FILES].filter(([path]) => path.endsWith(".ts")));

function problemsIn(
  files: ReadonlyMap<string, string>,
  problemsOf: (path: string, text: string) => string[],
): string[] {
  return [...files].flatMap(([path, text]) => problemsOf(path, text).map((p) => `${path} ${p}`));
}

Deno.test("project: files are found", () => {
  for (const path of ["lib/protocols/engine.ts", "lib/hosts/udp.ts", "deno.json", "deno.lock"]) {
    assert(FILES.has(path), path);
  }
});

Deno.test("project: imports follow the arrows", () => {
  assertEquals(problemsIn(SOURCES, importProblems), []);
});

Deno.test("project: no files import each other in a circle", () => {
  assertEquals(importCycle(SOURCES), undefined);
});

Deno.test("project: protocols and parts name no clock, timer, socket, console or random source", () => {
  assertEquals(problemsIn(SOURCES, purityProblems), []);
});

Deno.test("project: a check that is switched off says why", () => {
  assertEquals(problemsIn(SOURCES, (_, text) => silencedProblems(text)), []);
});

Deno.test("project: no file names places outside of it", () => {
  assertEquals(problemsIn(FILES, (_, text) => outsideProblems(text)), []);
});

Deno.test("project: every dependency is pinned to one version", () => {
  assertEquals(pinProblems(JSON.parse(FILES.get("deno.json")!)), []);
});

// From here on: each rule fails on what it is there for, and lets pass what only looks like it.

const ENGINE = "lib/protocols/sync/server.ts";

function assertRefused(problems: string[], part: string): void {
  assertEquals(problems.length, 1, `${part}: ${JSON.stringify(problems)}`);
  assertStringIncludes(problems[0]!, part);
}

Deno.test("importProblems() refuses arrows that point upwards or sideways", () => {
  const cases: [path: string, specifier: string][] = [
    ["lib/parts/random.ts", "../protocols/engine.ts"],
    ["lib/parts/random.ts", "../hosts/udp.ts"],
    ["lib/protocols/engine.ts", "../hosts/udp.ts"],
    ["lib/protocols/engine.ts", "./sync/wire.ts"],
    [ENGINE, "../../hosts/udp.ts"],
    [ENGINE, "../../clients/sync.ts"],
    [ENGINE, "../arena/wire.ts"],
    [ENGINE, "../../mod.ts"],
    [ENGINE, "../../../deno.json"],
    ["lib/hosts/udp.ts", "../clients/sync.ts"],
    ["lib/hosts/udp.ts", "../observe/log.ts"],
    ["lib/clients/sync.ts", "../commands/sync.ts"],
    ["lib/observe/log.ts", "../commands/options.ts"],
    ["lib/home/upnp.ts", "../commands/options.ts"],
    ["lib/commands/sync.ts", "../mod.ts"],
    ["lib/commands/sync.ts", "../../main.ts"],
    ["lib/commands/sync.ts", "../../tests/support/wait.ts"],
    ["lib/mod.ts", "./commands/sync.ts"],
    ["lib/clients/sync.ts", "../../bench/capacity.ts"],
    ["lib/new/thing.ts", "../parts/random.ts"],
    ["main.ts", "./lib/hosts/udp.ts"],
    ["main.ts", "./lib/protocols/sync/server.ts"],
    ["examples/join.ts", "../lib/clients/sync.ts"],
  ];
  for (const [path, specifier] of cases) {
    for (
      const text of [
        `import { x } from "${specifier}";`,
        `import type { x } from "${specifier}";`,
        `import x, {\n  type y,\n} from '${specifier}';`,
        `import * as x from "${specifier}";`,
        `import "${specifier}";`,
        `const x = await import("${specifier}");`,
        `type X = import("${specifier}").X;`,
      ]
    ) {
      const problems = importProblems(path, text);
      assertEquals(problems.length, 1, `${path}: ${text}`);
    }
  }
});

Deno.test("importProblems() lets the arrows pass", () => {
  const cases: [path: string, specifier: string][] = [
    [ENGINE, "./wire.ts"],
    [ENGINE, "../engine.ts"],
    [ENGINE, "../../parts/random.ts"],
    ["lib/hosts/udp.ts", "../protocols/engine.ts"],
    ["lib/hosts/resolve.ts", "node:dns/promises"],
    ["lib/clients/sync.ts", "../hosts/udp.ts"],
    ["lib/commands/sync.ts", "../home/console.ts"],
    ["lib/commands/sync.ts", "@std/cli/parse-args"],
    ["lib/commands/program.ts", "../../deno.json"],
    ["main.ts", "./lib/commands/sync.ts"],
    ["examples/join.ts", "../lib/mod.ts"],
    ["tests/hosts/udp_test.ts", "../../lib/hosts/udp.ts"],
    ["bench/capacity.ts", "../lib/clients/sync_bots.ts"],
  ];
  for (const [path, specifier] of cases) {
    assertEquals(importProblems(path, `import { x } from "${specifier}";`), [], path);
  }
});

Deno.test("importProblems() lets engines have packages that are pure functions", () => {
  assertEquals(importProblems(ENGINE, 'import { sha256 } from "@noble/hashes/sha2";'), []);
});

Deno.test("importProblems() refuses packages in engines, and packages past deno.json anywhere", () => {
  for (const name of ["@logtape/logtape", "@std/assert", "node:dgram", "fast-check"]) {
    assertRefused(importProblems(ENGINE, `import { x } from "${name}";`), name);
    assertEquals(importProblems("lib/observe/log.ts", `import { x } from "${name}";`), []);
  }
  for (const name of ["npm:ws@8.0.0", "jsr:@std/assert", "https://example.org/x.ts"]) {
    assertRefused(importProblems(ENGINE, `import { x } from "${name}";`), name);
    assertRefused(importProblems("tests/x_test.ts", `import { x } from "${name}";`), name);
  }
  assertRefused(importProblems("lib/hosts/udp.ts", "await import(name);"), "run time");
});

Deno.test("importProblems() refuses re-exports outside of lib/mod.ts", () => {
  for (
    const text of [
      'export { x } from "./wire.ts";',
      'export type { x } from "./wire.ts";',
      'export * from "./wire.ts";',
      'export * as wire from "./wire.ts";',
      'import { x } from "./wire.ts";\nexport { x };',
      'import { a, type x as y } from "./wire.ts";\nexport type { y as z };',
    ]
  ) {
    assertEquals(importProblems(ENGINE, text).length, 1, text);
  }
  assertEquals(importProblems("lib/mod.ts", 'export * from "./protocols/engine.ts";'), []);
  assertEquals(importProblems(ENGINE, 'import { x } from "./wire.ts";\nexport { y };'), []);
});

Deno.test("purityProblems() refuses what an engine may not name", () => {
  for (
    const [text, name] of [
      ["const now = Date.now();", "Date"],
      ["const now = new Date();", "Date"],
      ["performance.now()", "performance"],
      ["const { now } = performance;", "performance"],
      ["Math.random()", "Math.random"],
      ["Math\n  .random()", "random"],
      ["const { random } = crypto;", "crypto"],
      ["crypto.getRandomValues(x)", "crypto"],
      ["Deno.listenDatagram(x)", "Deno"],
      ["type Conn = Deno.DatagramConn;", "Deno"],
      ["setTimeout(f, 1)", "setTimeout"],
      ["const id = setInterval(f, 1)", "setInterval"],
      ["queueMicrotask(f)", "queueMicrotask"],
      ['console.log("x")', "console"],
      ["process.hrtime()", "process"],
      ["globalThis.Date", "globalThis"],
      ["new WebSocket(url)", "WebSocket"],
      ["await fetch(url)", "fetch"],
      ["f(...performance)", "performance"],
      ["`${Date.now()}`", "Date"],
      ["`a ${`b ${{ c: console }}`} d`", "console"],
      ['f("//"); console.log(1)', "console"],
      ["x = a / b; console.log(c / d)", "console"],
      ['x = /[/]"/; console.log(1) // /', "console"],
      ["/* a */ console /* b */", "console"],
    ] as const
  ) {
    assertRefused(purityProblems(ENGINE, text), name);
    assertRefused(purityProblems("lib/parts/random.ts", text), name);
    assertEquals(purityProblems("lib/hosts/udp.ts", text), []);
  }
});

Deno.test("purityProblems() lets comments, texts and namesakes pass", () => {
  for (
    const text of [
      "// never Date.now()",
      "/** setTimeout takes 2^31 - 1 ms\n * console\n */",
      'throw new Error("Deno.exit is the host\'s");',
      "const s = 'it\\'s console';",
      "`console ${x} performance \\` Deno`",
      "const pattern = /console|Deno\\/x/g;",
      "return /console/.test(x);",
      "if (x) /console/.exec(y);".replace("if (x) ", "y = "),
      "this.process(x); peer?.process; object.performance",
      "const DateOfJoining = 1, myconsole = 2, console_ = 3, $console = 4;",
      "Math.floor(options.random())",
      "private #console = 1; this.#console",
    ]
  ) {
    assertEquals(purityProblems(ENGINE, text), [], text);
  }
});

Deno.test("importCycle() finds a circle", () => {
  const files = new Map([
    ["lib/a/x.ts", 'import "../b/y.ts"; import "./free.ts";'],
    ["lib/a/free.ts", ""],
    ["lib/b/y.ts", 'import type { Z } from "./z.ts";'],
    ["lib/b/z.ts", 'export const z = await import("../a/x.ts");'],
  ]);
  assertEquals(importCycle(files), ["lib/a/x.ts", "lib/b/y.ts", "lib/b/z.ts", "lib/a/x.ts"]);
  files.set("lib/b/z.ts", "// import '../a/x.ts'");
  assertEquals(importCycle(files), undefined);
});

Deno.test("silencedProblems() refuses a switched-off check without a reason", () => {
  // Put together, so that this file does not switch off anything itself.
  const lint = "deno-lint-" + "ignore";
  const ts = "@ts-" + "expect-error";
  for (
    const text of [
      `// ${lint}`,
      `// ${lint} no-explicit-any`,
      `// ${lint} no-explicit-any --`,
      `// ${lint}-file`,
      `/* ${lint} */`,
      `// ${ts}`,
      `  /**\n   * ${ts}\n   */`,
      "// @ts-" + "nocheck",
      "x(); // @ts-" + "ignore",
    ]
  ) {
    assertEquals(silencedProblems(text).length, 1, text);
  }
  for (
    const text of [
      `// ${lint} no-explicit-any -- the package has no types`,
      `// ${ts} a number is wrong here on purpose`,
      `const text = "// ${lint}";`,
      `// how ${lint} works`,
    ]
  ) {
    assertEquals(silencedProblems(text), [], text);
  }
});

Deno.test("outsideProblems() refuses the paths of one machine", () => {
  // Put together, so that this file does not name such places itself.
  for (
    const text of [
      "see /wo" + "rk/main/x",
      '"/ro' + 'ot/.cache"',
      "cd /ho" + "me/ada/netsync",
      "/Us" + "ers/ada/x",
      "C:\\Us" + "ers\\ada",
      'import "../sha' + 'red/x.ts"',
      "https://regis" + "try.npmjs.org/",
    ]
  ) {
    assertEquals(outsideProblems(text).length, 1, text);
  }
  for (
    const text of ["lib/home/upnp.ts", "../home/upnp.ts", "$HOME/x", "~/games/x", "a root / b"]
  ) {
    assertEquals(outsideProblems(text), [], text);
  }
});

Deno.test("pinProblems() refuses ranges, tags and addresses", () => {
  for (
    const target of [
      "npm:fast-check",
      "npm:fast-check@4",
      "npm:fast-check@^4.1.0",
      "npm:fast-check@~4.1.0",
      "npm:fast-check@4.1.x",
      "npm:fast-check@latest",
      "npm:@logtape/logtape@>=2.0.0",
      "jsr:@std/assert@1",
      "https://example.org/mod.ts",
    ]
  ) {
    assertEquals(pinProblems({ imports: { x: target } }).length, 1, target);
  }
  const pinned = [
    "npm:a@1.2.3",
    "npm:@a/b@1.2.3-rc.1/c/mod.js",
    "jsr:@std/assert@1.0.19",
    "./a.ts",
  ];
  for (const target of pinned) assertEquals(pinProblems({ imports: { x: target } }), [], target);
});

Deno.test("parseSource() keeps offsets and code, and collects comments", () => {
  const text = "#!/bin/x\na = 'b' /* c\nd */ + `e${f({})}g`; // h\ni = j++ / 2 / k;";
  const { code, uncommented, comments } = parseSource(text);
  assertEquals(code.length, text.length);
  assertEquals(code, "        \na = ' '     \n     + ` ${f({})} `;     \ni = j++ / 2 / k;");
  assertEquals(
    uncommented,
    "        \na = 'b'     \n     + `e${f({})}g`;     \ni = j++ / 2 / k;",
  );
  assertEquals(comments, ["#!/bin/x", "/* c\nd */", "// h"]);
});

Deno.test("importsOf() and exportsAnImport() read no more than the clauses", () => {
  const text = 'import a from "./a.ts"; const from = "x"; export const b = 1;\n' +
    'export function c(): void {}\nimport d from "./d.ts"; // import e from "./e.ts"\n' +
    "const f = 'import g from \"./g.ts\"';";
  assertEquals(importsOf(parseSource(text)).map(({ specifier }) => specifier), [
    "./a.ts",
    "./d.ts",
  ]);
  assertEquals(exportsAnImport(parseSource(text)), false);
  assertEquals(resolveImport("lib/a/b.ts", "../../main.ts"), "main.ts");
  assertEquals(resolveImport("main.ts", "../x.ts"), "../x.ts");
});
