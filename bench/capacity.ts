/**
 * How many players one server holds, and how far that is from the floor.
 *
 *     deno run -A bench/capacity.ts [RUNS] [SECONDS]
 *
 * Each row starts the real server (`main.ts`) on one core and `netsync bots` on the other: players that
 * send a state of 50 bytes 20 times a second. Its figures are the medians of RUNS runs (3) of SECONDS
 * (4). Prints Markdown: first the capacity, then what sending and receiving cost beside the floors. CPU,
 * memory and the receive queue are read on Linux only.
 */
import { NUMBER_BYTES } from "../lib/protocols/sync/wire.ts";
import { Program, receiveDrops } from "./processes.ts";

const RUNS = Number(Deno.args[0] ?? 3);
const SECONDS = Number(Deno.args[1] ?? 4);
const SERVER_CORE = 0;
const LOAD_CORE = 1;
const STATE_BYTES = 50;
const STATES_HZ = 20;
/** What the costs of sending and receiving are measured against: little of either. */
const CALM_HZ = 1;

interface Row {
  players: number;
  rateHz?: number;
}

const ROWS: readonly Row[] = [
  { players: 10 },
  { players: 100 },
  { players: 500 },
  { players: 1_000 },
  { players: 500, rateHz: 20 },
  { players: 1_000, rateHz: 20 },
];

/** With how many players the floors are measured. */
const RATIO_PLAYERS: readonly number[] = [500, 1_000];

/** What one run measured. */
interface Figures {
  statesHz: number;
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
  return await play(server, row.players, statesHz);
}

/** Lets players play on a server that is about to say where it listens. */
async function play(server: Program, players: number, statesHz: number): Promise<Figures> {
  const { port } = await server.event("listening");
  await using bots = new Program(
    ["run", "--allow-net", "main.ts", "bots", `127.0.0.1:${port}`, "--json"]
      .concat(["--count", String(players), "--rate", String(statesHz)])
      .concat(["--size", String(STATE_BYTES), "--seconds", String(SECONDS)]),
    LOAD_CORE,
  );
  const { players: there } = await bots.event("playing");
  if (there !== players) throw new Error(`only ${there} of ${players} players got in`);
  await bots.event("measuring");
  const before = server.use();
  const dropsBefore = receiveDrops(port!);
  const report = await bots.event("summary");
  const after = server.use();
  const seconds = report.seconds!;
  const queueDrops = receiveDrops(port!) - dropsBefore;
  return {
    statesHz: (report.statesSent! - queueDrops) / seconds,
    p50: report.latencyMsP50!,
    p99: report.latencyMsP99!,
    seenPercent: report.updatesSeenPercent!,
    snapshotsHz: report.snapshots! / players / seconds,
    lossPercent: report.lossPercent!,
    kbytesPerPlayer: report.snapshotBytes! / players / seconds / 1_000,
    snapshotBytes: report.snapshotBytes! / report.snapshots!,
    cores: (after.cpuSeconds - before.cpuSeconds) / seconds,
    residentMb: after.residentMb,
    queueDrops,
    lateMs: report.lateMsP99!,
  };
}

/** Cores that the bare loop needs to send as many datagrams of as many bytes. */
async function measureSending(players: number, bytes: number, hz: number): Promise<number> {
  await using sinks = new Program(
    ["run", "--allow-net", "bench/sinks.ts", String(players)],
    LOAD_CORE,
  );
  const ports: number[] = JSON.parse(await sinks.line());
  const words = [String(Math.round(bytes)), String(hz), ...ports.map(String)];
  await using floor = new Program(
    ["run", "--allow-net", "bench/floor.ts", "send", ...words],
    SERVER_CORE,
  );
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

/** What the bare loop needs to receive what as many players send. */
async function measureReceiving(players: number, hz: number): Promise<Figures> {
  const words = ["run", "--allow-net", "bench/floor.ts", "receive"];
  await using floor = new Program(words, SERVER_CORE);
  const figures = await play(floor, players, hz);
  floor.kill();
  return figures;
}

/** What some datagrams a second cost, and what the bare loop needs for as many. */
interface Ratio {
  bytes: number;
  datagramsHz: number;
  cores: number;
  floor: number;
}

/**
 * What 19 more snapshots a second to each player cost with the same few states received, and what 19 more
 * states a second from each cost with the same few snapshots sent; each beside its bare loop.
 */
async function measureRatios(players: number): Promise<{ sending: Ratio; receiving: Ratio }> {
  const calm = await measure({ players, rateHz: CALM_HZ }, CALM_HZ);
  const sent = await measure({ players, rateHz: STATES_HZ }, CALM_HZ);
  const received = await measure({ players, rateHz: CALM_HZ }, STATES_HZ);
  const snapshotsHz = sent.snapshotsHz - calm.snapshotsHz;
  const statesHz = received.statesHz - calm.statesHz;
  const bareCalm = await measureReceiving(players, CALM_HZ);
  const bareReceived = await measureReceiving(players, STATES_HZ);
  return {
    sending: {
      bytes: sent.snapshotBytes,
      datagramsHz: players * snapshotsHz,
      cores: sent.cores - calm.cores,
      floor: await measureSending(players, sent.snapshotBytes, snapshotsHz),
    },
    receiving: {
      bytes: NUMBER_BYTES + STATE_BYTES,
      datagramsHz: statesHz,
      cores: received.cores - calm.cores,
      // Each datagram costs less the more wait at once: so the bare loop too is measured twice.
      floor: (bareReceived.cores - bareCalm.cores) * statesHz /
        (bareReceived.statesHz - bareCalm.statesHz),
    },
  };
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

/** Of runs that were measured together, since the machine's own pace changes: the one with the middle ratio. */
function rowOf(players: number, runs: readonly Ratio[]): string[] {
  const ratioOf = ({ cores, floor }: Ratio): number => cores / floor;
  const run = runs.toSorted((one, other) => ratioOf(one) - ratioOf(other))[runs.length >> 1]!;
  return [
    String(players),
    run.bytes.toFixed(0),
    run.datagramsHz.toFixed(0),
    run.cores.toFixed(3),
    run.floor.toFixed(3),
    ratioOf(run).toFixed(2),
  ];
}

const sending: string[][] = [];
const receiving: string[][] = [];
for (const players of RATIO_PLAYERS) {
  const runs: { sending: Ratio; receiving: Ratio }[] = [];
  for (let i = 0; i < RUNS; i++) runs.push(await measureRatios(players));
  sending.push(rowOf(players, runs.map((run) => run.sending)));
  receiving.push(rowOf(players, runs.map((run) => run.receiving)));
}
for (const [verb, rows] of [["sent", sending], ["received", receiving]] as const) {
  const head = ["players", "bytes", `${verb}/s`, "server cores", "bare loop cores", "ratio"];
  printTable(head, rows);
}

const idle = await medians(async () => ({ cores: await measureIdle() }));
console.log(`CPU with nobody there: ${(100 * idle.cores).toFixed(2)} % of a core`);
