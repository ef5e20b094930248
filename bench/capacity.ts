/**
 * How many players one server holds, and how far that is from the floor.
 *
 *     deno run -A bench/capacity.ts [RUNS] [SECONDS]
 *
 * Each row starts the real server (`main.ts`) on one core and `netsync bots` on the other: players that
 * send a state of 50 bytes 20 times a second. Its figures are the medians of RUNS runs (3) of SECONDS
 * (5). Prints Markdown: first the capacity, then what sending costs beside the floor. CPU, memory and the
 * receive queue are read on Linux only.
 */
import { Program, receiveDrops } from "./processes.ts";

const RUNS = Number(Deno.args[0] ?? 3);
const SECONDS = Number(Deno.args[1] ?? 5);
const SERVER_CORE = 0;
const LOAD_CORE = 1;
const STATE_BYTES = 50;
const STATES_HZ = 20;

interface Row {
  players: number;
  rateHz?: number;
}

const ROWS: readonly Row[] = [
  { players: 10 },
  { players: 50 },
  { players: 100 },
  { players: 300 },
  { players: 500 },
  { players: 1_000 },
  { players: 500, rateHz: 20 },
  { players: 1_000, rateHz: 20 },
];

/** What one run measured. */
interface Figures {
  p50: number;
  p99: number;
  seenPercent: number;
  snapshotsHz: number;
  lossPercent: number;
  kbytesPerPlayer: number;
  snapshotBytes: number;
  cores: number;
  residentMb: number;
  queueDrops: number;
  lateMs: number;
}

function serverWords({ players, rateHz }: Row): string[] {
  const rate = rateHz === undefined ? [] : ["--rate", String(rateHz)];
  const limit = String(2 * players);
  return ["run", "--allow-net", "main.ts", "0", "--json", "--log-level", "error"]
    .concat(["--max-per-ip", limit, "--max-clients", limit], rate);
}

async function measure(row: Row, statesHz: number): Promise<Figures> {
  await using server = new Program(serverWords(row), SERVER_CORE);
  const { port } = await server.event("listening");
  await using bots = new Program(
    ["run", "--allow-net", "main.ts", "bots", `127.0.0.1:${port}`, "--json"]
      .concat(["--count", String(row.players), "--rate", String(statesHz)])
      .concat(["--size", String(STATE_BYTES), "--seconds", String(SECONDS)]),
    LOAD_CORE,
  );
  const { players } = await bots.event("playing");
  if (players !== row.players) throw new Error(`only ${players} of ${row.players} players got in`);
  await bots.event("measuring");
  const before = server.use();
  const dropsBefore = receiveDrops(port!);
  const report = await bots.event("summary");
  const after = server.use();
  const seconds = report.seconds!;
  return {
    p50: report.latencyMsP50!,
    p99: report.latencyMsP99!,
    seenPercent: report.updatesSeenPercent!,
    snapshotsHz: report.snapshots! / players! / seconds,
    lossPercent: report.lossPercent!,
    kbytesPerPlayer: report.snapshotBytes! / players! / seconds / 1_000,
    snapshotBytes: report.snapshotBytes! / report.snapshots!,
    cores: (after.cpuSeconds - before.cpuSeconds) / seconds,
    residentMb: after.residentMb,
    queueDrops: receiveDrops(port!) - dropsBefore,
    lateMs: report.lateMsP99!,
  };
}

/** Cores that the bare loop needs for as many datagrams of as many bytes. */
async function measureFloor(players: number, bytes: number, hz: number): Promise<number> {
  await using sinks = new Program(
    ["run", "--allow-net", "bench/sinks.ts", String(players)],
    LOAD_CORE,
  );
  const ports: number[] = JSON.parse(await sinks.line());
  const words = ["run", "--allow-net", "bench/floor.ts", String(Math.round(bytes)), String(hz)];
  await using floor = new Program([...words, ...ports.map(String)], SERVER_CORE);
  await floor.line();
  await pause(1_000);
  const before = floor.use();
  const startedAt = performance.now();
  await pause(1_000 * SECONDS);
  const after = floor.use();
  const cores = (1_000 * (after.cpuSeconds - before.cpuSeconds)) / (performance.now() - startedAt);
  floor.kill();
  sinks.kill();
  return cores;
}

async function measureIdle(): Promise<number> {
  await using server = new Program(serverWords({ players: 1 }), SERVER_CORE);
  await server.event("listening");
  await pause(1_000);
  const before = server.use();
  await pause(1_000 * SECONDS);
  return (server.use().cpuSeconds - before.cpuSeconds) / SECONDS;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function medians<T extends object>(run: () => Promise<T>): Promise<T> {
  const results: T[] = [];
  for (let i = 0; i < RUNS; i++) results.push(await run());
  const median = (key: keyof T): unknown =>
    results.map((result) => result[key]).toSorted((a, b) => Number(a) - Number(b))[RUNS >> 1];
  const keys = Object.keys(results[0]!) as (keyof T)[];
  return Object.fromEntries(keys.map((key) => [key, median(key)])) as T;
}

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  console.log([line(head), line(head.map(() => "---:")), ...rows.map(line)].join("\n") + "\n");
}

function nameOf({ players, rateHz }: Row): string {
  return `${players}, ${rateHz === undefined ? "default" : `\`--rate ${rateHz}\``}`;
}

const capacity: string[][] = [];
for (const row of ROWS) {
  const f = await medians(() => measure(row, STATES_HZ));
  capacity.push([
    nameOf(row),
    f.p50.toFixed(1),
    f.p99.toFixed(1),
    f.seenPercent.toFixed(1),
    f.lossPercent.toFixed(2),
    f.snapshotsHz.toFixed(1),
    f.kbytesPerPlayer.toFixed(0),
    f.cores.toFixed(2),
    f.residentMb.toFixed(0),
    f.queueDrops.toFixed(0),
    f.lateMs.toFixed(1),
  ]);
}
printTable(
  [
    "players, rate",
    "p50 ms",
    "p99 ms",
    "updates seen %",
    "snapshots lost %",
    "snapshots/s",
    "kB/s a player",
    "server cores",
    "server MB",
    "queue drops",
    "bots late ms",
  ],
  capacity,
);

// Sending alone: what 19 more snapshots a second cost, with the same few states received.
const sending: string[][] = [];
for (const players of [100, 300, 500, 1_000]) {
  const ratios = await medians(async () => {
    const often = await measure({ players, rateHz: 20 }, 1);
    const seldom = await measure({ players, rateHz: 1 }, 1);
    const hz = often.snapshotsHz - seldom.snapshotsHz;
    const cores = often.cores - seldom.cores;
    const bytes = often.snapshotBytes;
    const floor = await measureFloor(players, bytes, hz);
    return { bytes, datagramsHz: players * hz, cores, floor, ratio: cores / floor };
  });
  sending.push([
    String(players),
    ratios.bytes.toFixed(0),
    ratios.datagramsHz.toFixed(0),
    ratios.cores.toFixed(3),
    ratios.floor.toFixed(3),
    ratios.ratio.toFixed(2),
  ]);
}
printTable(
  ["players", "bytes", "datagrams/s", "server cores", "bare loop cores", "ratio"],
  sending,
);

const idle = await medians(async () => ({ cores: await measureIdle() }));
console.log(`CPU with nobody there: ${(100 * idle.cores).toFixed(2)} % of a core`);
