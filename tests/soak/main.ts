/**
 * `deno task soak --minutes N [--seed N] [--players N] [--report FILE]`: plays on a real server for long,
 * with everything that goes wrong in the world, and reports. Exit status 1 when something was not as promised,
 * or grows. See docs/soak.md.
 */
import { parseArgs } from "@std/cli/parse-args";
import { fakeClock } from "./clock.ts";
import { judge, reportOf } from "./report.ts";
import { soak } from "./soak.ts";

const ROUGH_MS = 18_000;
const TIMEOUT_SECONDS = 8;
const USAGE = "usage: deno task soak --minutes N [--seed N] [--players N] [--report FILE]";

const { minutes, seed, players, report } = readOptions(Deno.args);
const folder = await Deno.makeTempDir({ prefix: "soak-" });
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => stopping.abort());
}
const clock = await fakeClock(folder, console.error);
const result = await soak({
  ...{ folder, seed, players, clock, durationMs: 60_000 * minutes, roughMs: ROUGH_MS },
  ...{ timeoutSeconds: TIMEOUT_SECONDS, restarts: true, signal: stopping.signal },
  log: (text) => console.error(text),
});
const { os, arch } = Deno.build;
const text = reportOf(result, seed, [`Deno ${Deno.version.deno} on ${os} ${arch}`]);
console.log(text);
if (report !== undefined) await Deno.writeTextFile(report, text);
const { passed } = judge(result);
if (passed) await Deno.remove(folder, { recursive: true });
else console.error(`the server's log and what it kept are in ${folder}`);
Deno.exit(passed ? 0 : 1);

function readOptions(
  words: readonly string[],
): { minutes: number; seed: number; players: number; report: string | undefined } {
  const strings = ["minutes", "seed", "players", "report"];
  const given = parseArgs([...words], {
    string: strings,
    unknown: (word): boolean => fail(`"${word}" is not known`),
  }) as Record<string, string | undefined>;
  const seed = Math.floor(Math.random() * 1_000_000);
  return {
    minutes: numberIn(given.minutes, "--minutes", 20, 0.1, 10_080),
    seed: Math.floor(numberIn(given.seed, "--seed", seed, 0, 2 ** 32 - 1)),
    players: Math.floor(numberIn(given.players, "--players", 6, 3, 40)),
    report: given.report,
  };
}

function numberIn(
  text: string | undefined,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text !== "" && value >= min && value <= max) return value;
  return fail(`${name} is a number from ${min} to ${max}, not "${text}"`);
}

function fail(problem: string): never {
  console.error(`soak: ${problem} (${USAGE})`);
  Deno.exit(2);
}
