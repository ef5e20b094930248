/**
 * Fuzzes everything for some minutes, or until something is wrong.
 *
 *     deno task fuzz [--minutes N] [--service NAME] [--only NAME] [--seed N] [--runs N] [--coverage]
 *
 * Each service gets the same time, and within it each of its decoders and engines. A failure names the line that
 * replays it, and the exit status is 1. What a target has never said, though it can, is named below it; so is what
 * it should never say. `--coverage` tells which lines of the library were never run.
 */
import { parseArgs } from "@std/cli/parse-args";
import { runWithCoverage } from "./harness/coverage.ts";
import { gapsIn, type Tally } from "./harness/reach.ts";
import { runSeed, type Target } from "./harness/target.ts";
import { TARGETS } from "./targets.ts";

const USAGE = "deno task fuzz [--minutes N] [--service NAME] [--only NAME] [--seed N] [--runs N] " +
  "[--coverage]";
/** A target is run for so long before another one is. */
const TURN_MS = 200;

/** How it goes with a target. */
interface Work {
  readonly target: Target;
  readonly tally: Tally;
  nextSeed: number;
  runs: number;
  inputs: number;
  busyMs: number;
  finding: string | undefined;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { minutes = "1", service, only, seed, runs, coverage, _: rest } = parseArgs(args, {
    string: ["minutes", "service", "only", "seed", "runs"],
    boolean: ["coverage"],
  });
  const targets = TARGETS.filter((target) =>
    (service === undefined || target.service === service) &&
    (only === undefined || target.name === only)
  );
  const numbers = [minutes, seed, runs].map((text) => Number(text ?? 1));
  if (rest.length > 0 || targets.length === 0 || !numbers.every((number) => number >= 0)) {
    const services = [...new Set(TARGETS.map(({ service }) => service))].join(", ");
    console.error(`${USAGE}\nservices: ${services}`);
    return 2;
  }
  if (coverage) return await runWithCoverage(args.filter((word) => word !== "--coverage"));
  const firstSeed = seed === undefined ? Date.now() % 2 ** 31 : Number(seed);
  console.log(`first seed: ${firstSeed}`);
  const works = targets.map((target): Work => ({
    ...{ target, tally: new Map(), nextSeed: firstSeed, runs: 0, inputs: 0, busyMs: 0 },
    finding: undefined,
  }));
  await fuzz(works, Number(minutes) * 60_000, runs === undefined ? Infinity : Number(runs));
  report(works);
  return works.some(({ finding }) => finding !== undefined) ? 1 : 0;
}

/** One turn after the other, for whoever had the least time. A target with a finding is not gone on with. */
async function fuzz(works: readonly Work[], ms: number, runsMax: number): Promise<void> {
  const end = performance.now() + ms;
  const isOpen = ({ finding, runs }: Work): boolean => finding === undefined && runs < runsMax;
  for (let open = [...works]; open.length > 0; open = open.filter(isOpen)) {
    if (runsMax === Infinity && performance.now() > end) return;
    const services = Map.groupBy(open, ({ target }) => target.service);
    await turn(
      leastBusy(leastBusy([...services.values()], sumOf), ({ busyMs }) => busyMs),
      runsMax,
    );
  }
}

function leastBusy<T>(all: readonly T[], busyOf: (one: T) => number): T {
  return all.reduce((least, one) => busyOf(one) < busyOf(least) ? one : least);
}

function sumOf(works: readonly Work[]): number {
  return works.reduce((sum, { busyMs }) => sum + busyMs, 0);
}

async function turn(work: Work, runsMax: number): Promise<void> {
  const startedAt = performance.now();
  const before = work.busyMs;
  while (work.runs < runsMax && work.busyMs < before + TURN_MS) {
    try {
      work.inputs += await runSeed(work.target, work.nextSeed++, work.tally);
    } catch (error) {
      work.finding = (error as Error).message;
      console.error(`\n${work.finding}\n`);
      runsMax = 0;
    }
    work.runs++;
    work.busyMs = before + performance.now() - startedAt;
  }
}

function report(works: readonly Work[]): void {
  const services = Map.groupBy(works, ({ target }) => target.service);
  line("service", "inputs", "a second", "findings");
  for (const [service, ofIt] of services) {
    line(service, ...figuresOf(ofIt));
    for (const work of ofIt) {
      line(`  ${work.target.name}`, ...figuresOf([work]));
      const gaps = work.runs < work.target.seeds ? [] : gapsIn(work.target.reach, work.tally);
      for (const gap of gaps) console.log(`    ${gap}`);
    }
  }
}

function figuresOf(works: readonly Work[]): string[] {
  const inputs = works.reduce((sum, work) => sum + work.inputs, 0);
  const perSecond = Math.round(inputs / Math.max(1, sumOf(works)) * 1_000);
  const findings = works.filter(({ finding }) => finding !== undefined).length;
  return [inputs, perSecond, findings].map((number) => number.toLocaleString("en"));
}

function line(name: string, ...figures: readonly string[]): void {
  console.log(name.padEnd(44) + figures.map((figure) => figure.padStart(14)).join(""));
}
