/**
 * What it takes to keep many mirrors of a world up to date, how late they are, and how far that is from the
 * floor.
 *
 *     deno run -A bench/world_capacity.ts [SECONDS]
 *
 * A server made with the library runs on one core, its clients on the other. Then a bare loop sends as many
 * datagrams of as many bytes, and receives an ACK for each. Prints Markdown. Bytes are those of datagrams,
 * without the 28 of UDP and IP. CPU and memory are read on Linux only.
 */
import { Program, receiveDrops } from "./processes.ts";

const SECONDS = Number(Deno.args[0] ?? 10);
const SERVER_CORE = 0;
const CLIENTS_CORE = 1;

/** Everybody came at once; what was owed then has left by now. */
const WARM_UP_MS = 2_000;
const FLOOR_WARM_UP_MS = 1_000;

interface Load {
  clients: number;
  /** Of them, those that understand snapshots only. */
  originals?: number;
  bodies: number;
  /** Of the bodies, at each tick. */
  changing: number;
  /** 1: position; 2: and quaternion. */
  traits: number;
  /** -1: all digits. */
  decimals: number;
  tickRateHz?: number;
}

async function measure(load: Load): Promise<string[]> {
  const { clients, originals = 0, bodies, changing, traits, decimals, tickRateHz = 30 } = load;
  await using server = new Program(
    ["run", "--allow-net", "bench/world_server.ts"]
      .concat([bodies, changing, traits, decimals, tickRateHz].map(String)),
    SERVER_CORE,
  );
  const { port } = await server.event("listening");
  await using crowd = new Program(
    ["run", "--allow-net", "bench/world_crowd.ts"]
      .concat([port!, clients, SECONDS, originals].map(String)),
    CLIENTS_CORE,
  );
  const counters = async (): Promise<Record<string, number>> => {
    await server.tell("counters");
    return await server.event("counters");
  };
  await crowd.event("knocked");
  while ((await counters()).synced !== clients) await pause(100);
  await pause(WARM_UP_MS);
  await crowd.tell("measure");
  const [before, useBefore, dropsBefore] = [await counters(), server.use(), receiveDrops(port!)];
  const summary = await crowd.event("summary");
  const [after, useAfter] = [await counters(), server.use()];
  const drops = receiveDrops(port!) - dropsBefore;
  const sent = (name: string): number => after[name]! - before[name]!;
  const updates = changing * bodies * sent("time") * clients;
  const perUpdate = sent("sentBytes") / updates;
  const cores = (useAfter.cpuSeconds - useBefore.cpuSeconds) / SECONDS;
  const bytes = sent("sentBytes") / sent("sent");
  const floor = await measureFloor(clients, bytes, sent("sent") / SECONDS);
  return [
    `${clients}${originals > 0 ? `, ${originals} of them originals` : ""}`,
    String(bodies),
    Math.round(changing * bodies).toFixed(0),
    String(tickRateHz),
    `${traits === 1 ? "position" : "position, quaternion"}${decimals < 0 ? ", all digits" : ""}`,
    summary.latencyMsP50!.toFixed(1),
    summary.latencyMsP99!.toFixed(1),
    originals > 0 ? "-" : perUpdate.toFixed(1),
    originals > 0 ? "-" : (perUpdate / traits).toFixed(1),
    (sent("sent") / SECONDS / 1_000).toFixed(1),
    (sent("sentBytes") / SECONDS / clients / 1_000).toFixed(0),
    (100 * after.loss!).toFixed(2),
    cores.toFixed(2),
    floor.toFixed(2),
    (cores / floor).toFixed(1),
    useAfter.residentMb.toFixed(0),
    String(drops),
  ];
}

/** Cores that the bare loop needs for as many datagrams and their ACKs. */
async function measureFloor(clients: number, bytes: number, hz: number): Promise<number> {
  await using answering = new Program(
    ["run", "--allow-net", "bench/world_floor.ts", "answer", String(clients)],
    CLIENTS_CORE,
  );
  const ports: number[] = JSON.parse(await answering.line());
  const words = [bytes, hz].map(Math.round).concat(ports).map(String);
  await using floor = new Program(
    ["run", "--allow-net", "bench/world_floor.ts", "send", ...words],
    SERVER_CORE,
  );
  const counters = async (): Promise<Record<string, number>> => {
    await floor.tell("counters");
    return await floor.event("counters");
  };
  await pause(FLOOR_WARM_UP_MS);
  const [before, useBefore] = [await counters(), floor.use()];
  await pause((1_000 * SECONDS) / 2);
  const [after, useAfter] = [await counters(), floor.use()];
  floor.kill();
  answering.kill();
  const sent = after.sent! - before.sent!;
  return (hz * (useAfter.cpuSeconds - useBefore.cpuSeconds)) / sent;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const head = [
  "clients",
  "bodies",
  "changing",
  "ticks/s",
  "traits",
  "p50 ms",
  "p99 ms",
  "bytes an update",
  "bytes a trait",
  "1000 datagrams/s",
  "kB/s a client",
  "not acked %",
  "server cores",
  "bare loop cores",
  "ratio",
  "server MB",
  "queue drops",
];
const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
console.log(line(head));
console.log(line(head.map(() => "---:")));
const loads: Load[] = [
  { clients: 100, bodies: 200, changing: 1 / 3, traits: 1, decimals: 3 },
  { clients: 100, bodies: 200, changing: 1 / 3, traits: 2, decimals: 3 },
  { clients: 100, bodies: 200, changing: 1 / 3, traits: 1, decimals: -1 },
  { clients: 10, originals: 5, bodies: 200, changing: 1 / 3, traits: 1, decimals: 3 },
  { clients: 4, bodies: 250, changing: 1, traits: 2, decimals: 2 },
  { clients: 300, bodies: 200, changing: 1 / 3, traits: 1, decimals: 3 },
];
for (const load of loads) console.log(line(await measure(load)));
