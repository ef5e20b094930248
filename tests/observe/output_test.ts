import { assert, assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../interop/programs.ts";

/** A program that prints many lines at once, and gives the output half a second at its end. */
const CODE = `
  import { flushOutput, printLine } from "./lib/observe/output.ts";
  let lost = 0;
  for (let i = 0; i < LINES; i++) lost += Number(!printLine("line " + i + " " + "x".repeat(80)));
  console.error("lost " + lost);
  await flushOutput(500);
  Deno.exit(0);`;

function start(lines: number): Deno.ChildProcess {
  const code = CODE.replace("LINES", String(lines));
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("printLine() prints all lines in their order", async () => {
  const { code, stdout } = await start(9_000).output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  assertEquals([code, lines.length, lines.pop()], [0, 9_001, ""]);
  assert(lines.every((line, index) => line.startsWith(`line ${index} `)));
});

Deno.test("printLine() keeps 10,000 lines and refuses more", async () => {
  const { code, stdout, stderr } = await start(12_000).output();
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  assertEquals(code, 0);
  assert(lines.length >= 10_000);
  assertEquals(new TextDecoder().decode(stderr), `lost ${12_000 - lines.length}\n`);
  assertMatch(lines.at(-1)!, new RegExp(`^line ${lines.length - 1} `));
});

Deno.test("flushOutput() does not wait for ever for an output that nobody reads", async () => {
  const child = start(9_000); // More than a pipe holds.
  const errors = child.stderr.getReader();
  assertEquals(new TextDecoder().decode((await errors.read()).value), "lost 0\n");
  const startedAt = performance.now();
  assertEquals((await child.status).code, 0);
  const endedAfterMs = performance.now() - startedAt;
  assert(endedAfterMs < 10_000, `after ${endedAfterMs} ms`);
  await Promise.all([child.stdout.cancel(), errors.cancel()]);
});
