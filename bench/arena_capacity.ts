/**
 * What an arena needs for many players, and what they get.
 *
 *     deno run -A bench/arena_capacity.ts [SECONDS]
 *
 * Starts the real server (`main.ts arena`) on one core and `bots arena` on the other; every player turns
 * once a second. Prints Markdown. CPU and memory are read on Linux only.
 */
import { Program, receiveDrops } from "./processes.ts";

const SECONDS = Number(Deno.args[0] ?? 10);
const SERVER_CORE = 0;
const BOTS_CORE = 1;

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
    ((after.cpuSeconds - before.cpuSeconds) / SECONDS).toFixed(2),
    after.residentMb.toFixed(0),
    String(receiveDrops(port!) - dropsBefore),
    summary.lateMsP99!.toFixed(1),
  ];
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
