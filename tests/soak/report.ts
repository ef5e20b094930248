/** The report of a run, as Markdown; and whether it passed. */
import type { SoakResult } from "./soak.ts";
import type { Held } from "./measure.ts";
import {
  riseOf,
  type Sample,
  slopeSeenPerHour,
  type Trend,
  trendOf,
  type Verdict,
  verdictOf,
} from "./trend.ts";

const MB = 1_000_000;
/** A process that was just started still grows: code is compiled, pools are filled. */
const WARM_UP_MS = 120_000;
/** Of a short run no more than this is warm-up. */
const WARM_UP_SHARE = 0.3;

interface Quantity {
  readonly key: keyof Held;
  readonly name: string;
  /** One of what is shown, in what is measured. */
  readonly unit: number;
  /** By how much it may rise after the warm-up, however long that is. */
  readonly riseMax: number;
}

const QUANTITIES: readonly Quantity[] = [
  { key: "serverMemory", name: "server: memory (RSS), MB", unit: MB, riseMax: 16 * MB },
  { key: "serverHeap", name: "server: JavaScript heap, MB", unit: MB, riseMax: 6 * MB },
  { key: "serverHandles", name: "server: open handles", unit: 1, riseMax: 4 },
  { key: "serverMembers", name: "server: members", unit: 1, riseMax: 4 },
  { key: "driverMemory", name: "driver: memory (RSS), MB", unit: MB, riseMax: 16 * MB },
  { key: "driverHeap", name: "driver: JavaScript heap, MB", unit: MB, riseMax: 6 * MB },
  { key: "driverHandles", name: "driver: open handles", unit: 1, riseMax: 4 },
];

/** A quantity over the run. */
export interface Judged {
  name: string;
  unit: number;
  riseMax: number;
  trend: Trend | undefined;
  verdict: Verdict;
}

/** What the run says in the end. */
export interface Verdicts {
  passed: boolean;
  judged: Judged[];
}

/** Judges each quantity; those of the server within its longest life. */
export function judge({ book, measured }: Pick<SoakResult, "book" | "measured">): Verdicts {
  const longest = longestLife(measured);
  const judged = QUANTITIES.map(({ key, name, unit, riseMax }): Judged => {
    const ofServer = key.startsWith("server");
    const samples = (ofServer ? longest : measured).flatMap(({ atMs, [key]: value }): Sample[] =>
      value === undefined ? [] : [{ atMs, value }]
    );
    const trend = trendOf(withoutWarmUp(samples));
    return { name, unit, riseMax, trend, verdict: verdictOf(trend, riseMax) };
  });
  const grows = judged.some(({ verdict }) => verdict === "grows");
  return { passed: book.violationCount === 0 && !grows, judged };
}

function longestLife<M extends { epoch: number }>(measured: readonly M[]): M[] {
  const lives = Map.groupBy(measured, ({ epoch }) => epoch);
  return [...lives.values()].reduce(
    (longest, life) => life.length > longest.length ? life : longest,
    [],
  );
}

function withoutWarmUp(samples: readonly Sample[]): Sample[] {
  const [first] = samples;
  const last = samples.at(-1);
  if (!first || !last) return [];
  const warmUpMs = Math.min(WARM_UP_MS, WARM_UP_SHARE * (last.atMs - first.atMs));
  return samples.filter(({ atMs }) => atMs >= first.atMs + warmUpMs);
}

/** The whole report. */
export function reportOf(result: SoakResult, seed: number, facts: readonly string[]): string {
  const { book, durationMs, rounds, datagrams, hasClock, isWhole } = result;
  const { passed, judged } = judge(result);
  const count = book.violationCount;
  return [
    `# Soak: ${!passed ? "FAILED" : isWhole ? "passed" : "interrupted"}`,
    "",
    `- ${(durationMs / 60_000).toFixed(1)} minutes, ${rounds} rounds, seed ${seed}`,
    ...facts.map((fact) => `- ${fact}`),
    `- datagrams (over TCP: pieces) at the server: ${datagrams.received} received, ` +
    `${datagrams.sent} sent`,
    `- violations: ${count}`,
    ...isWhole ? [] : ["- it was interrupted: what follows is what there was until then"],
    ...hasClock ? [] : ["- the wall clock was NOT set: libfaketime was not there"],
    ...section("Violations", book.violations.map((text) => `- ${text}`)),
    ...section("What was held", trendTable(judged)),
    ...section("Players", attendanceTable(book.attendance)),
    ...section("Faults", countsTable("fault", book.faults)),
    ...section("Checks", countsTable("found right", book.checks)),
    ...section("Warnings in the server's log", countsTable("service: event, reason", book.notes)),
    "",
  ].join("\n");
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `## ${title}`, "", ...lines];
}

function trendTable(judged: readonly Judged[]): string[] {
  const head = ["", "first", "last", "min", "max", "slope an hour", "rise", "bound", "seen from"];
  const rows = judged.map(({ name, unit, riseMax, trend, verdict }) => {
    if (!trend) return [name, ...Array<string>(8).fill("unknown"), verdict];
    const shown = (value: number): string =>
      Number.isFinite(value) ? (value / unit).toFixed(unit === 1 ? 1 : 2) : "unknown";
    const { first, last, min, max, slopePerHour, slopeErrorPerHour } = trend;
    const slope = `${shown(slopePerHour)} ± ${shown(slopeErrorPerHour)}`;
    const seen = `${shown(slopeSeenPerHour(trend, riseMax))} an hour`;
    const values = [first, last, min, max].map(shown);
    return [name, ...values, slope, shown(riseOf(trend)), shown(riseMax), seen, `**${verdict}**`];
  });
  return table([...head, "verdict"], rows);
}

function attendanceTable(
  attendance: ReadonlyMap<string, { came: number; went: number; failed: number }>,
): string[] {
  const rows = Array.from(attendance, ([service, { came, went, failed }]) => [
    ...[service, `${came}`, `${went}`, `${failed}`],
  ]);
  return table(["service", "came", "went", "did not get in while times were bad"], rows);
}

function countsTable(what: string, counts: ReadonlyMap<string, number>): string[] {
  if (counts.size === 0) return [];
  return table([what, "times"], Array.from(counts, ([kind, times]) => [kind, `${times}`]));
}

function table(head: readonly string[], rows: readonly string[][]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, index) => index === 0 ? "---" : "--:");
  return [line(head), line(rule), ...rows.map(line)];
}
