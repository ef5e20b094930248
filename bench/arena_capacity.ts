/**
 * What an arena needs for many players, what they get, and how far that is from the floor.
 *
 *     deno run -A bench/arena_capacity.ts [SECONDS]
 *
 * Starts the real server (`main.ts arena`) on one core and `bots arena` on the other; every player turns
 * once a second. Then a bare loop sends datagrams of as many bytes to as many sockets. Prints Markdown. CPU
 * and memory are read on Linux only.
 */
import { Program, receiveDrops } from "./processes.ts";

const SECONDS = Number(Deno.args[0] ?? 10);
const SERVER_CORE = 0;
const BOTS_CORE = 1;
/** The bare loop surely sends so many a second in all; each costs as much as it would among more. */
const FLOOR_HZ_MAX = 40_000;
const FLOOR_WARM_UP_MS = 1_000;

interface Load {
  players: number;
  fire?: boolean;
  tickRateHz?: number;
}

async function measure({ players, fire = false, tickRateHz = 60 }: Load): Promise<string[]> {
  const most = String(players + 1);
  await using server = new Program(
    ["run", "--allow-net", "main.ts", "arena", "0", "--json", "--tick-rate", String(tickRateHz)]
      .concat(["--max-players", most, "--max-per-ip", most, "--statistics", String(SECONDS)]),
    SERVER_CORE,
  );
  const { port } = await server.event("listening");
  await using bots = new Program(
    ["run", "--allow-net", "main.ts", "bots", "arena", `127.0.0.1:${port}`, "--json"]
      .concat(["--count", String(players), "--seconds", String(2 * SECONDS)])
      .concat(fire ? ["--fire"] : []),
    BOTS_CORE,
  );
  const { players: there } = await bots.event("playing");
  if (there !== players) throw new Error(`${there} of ${players} players were let in`);
  // The first figures are from when they came; the next ones are of play alone.
  const first = await server.event("statistics");
  const before = server.use();
  const dropsBefore = receiveDrops(port!);
  const figures = await server.event("statistics");
  const after = server.use();
  const summary = await bots.event("summary");
  const cores = (after.cpuSeconds - before.cpuSeconds) / SECONDS;
  const floor = await measureFloor(players, figures.outBytesHz! / figures.outHz!, figures.outHz!);
  return [
    `${players}${fire ? ", all firing" : ""}${tickRateHz === 60 ? "" : `, ${tickRateHz} ticks/s`}`,
    figures.tickLateMsP99!.toFixed(1),
    figures.roundsHz!.toFixed(0),
    summary.latencyMsP50!.toFixed(1),
    summary.latencyMsP99!.toFixed(1),
    (figures.outHz! / 1_000).toFixed(1),
    (figures.outBytesHzEach! / 1_000).toFixed(0),
    String(first.resends! + figures.resends!),
    summary.lossPercent?.toFixed(2) ?? "-",
    cores.toFixed(2),
    floor.toFixed(2),
    (cores / floor).toFixed(2),
    after.residentMb.toFixed(0),
    String(receiveDrops(port!) - dropsBefore),
    summary.lateMsP99!.toFixed(1),
  ];
}

/** Cores that the bare loop needs for as many datagrams a second. */
async function measureFloor(players: number, bytes: number, hz: number): Promise<number> {
  await using sinks = new Program(
    ["run", "--allow-net", "bench/sinks.ts", String(players)],
    BOTS_CORE,
  );
  const ports: number[] = JSON.parse(await sinks.line());
  const measuredHz = Math.min(hz, FLOOR_HZ_MAX);
  const words = [Math.round(bytes), measuredHz / players, ...ports].map(String);
  await using floor = new Program(
    ["run", "--allow-net", "bench/floor.ts", "send", ...words],
    SERVER_CORE,
  );
  await floor.line();
  await pause(FLOOR_WARM_UP_MS);
  const before = floor.use();
  const startedAt = performance.now();
  await pause((1_000 * SECONDS) / 2);
  const cpuSeconds = floor.use().cpuSeconds - before.cpuSeconds;
  const seconds = (performance.now() - startedAt) / 1_000;
  floor.kill();
  sinks.kill();
  return (hz * cpuSeconds) / (measuredHz * seconds);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const head = [
  "players",
  "ticks late p99 ms",
  "told/s",
  "input p50 ms",
  "input p99 ms",
  "1000 datagrams/s",
  "kB/s a player",
  "resends",
  "lists lost %",
  "server cores",
  "bare loop cores",
  "ratio",
  "server MB",
  "queue drops",
  "bots late ms",
];
const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
console.log(line(head));
console.log(line(head.map(() => "---:")));
const loads: Load[] = [
  { players: 20 },
  { players: 100 },
  { players: 300 },
  { players: 300, fire: true },
  { players: 300, tickRateHz: 20 },
  { players: 1_000 },
];
for (const load of loads) console.log(line(await measure(load)));
