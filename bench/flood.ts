/**
 * What players notice while somebody floods their server.
 *
 *     deno run -A bench/flood.ts [SERVICE...]
 *
 * For each service the real server (`main.ts`) runs on one core, with the limits it has unless told. Ten
 * players who say something 20 times a second and a flood that sends as fast as it can share the other core;
 * the players come first there. Most floods come from 4,000 addresses, each of which counts as a network of its
 * own. The program that floods is compiled when there is a C compiler; otherwise Deno sends, at a third of the
 * rate and from 200 addresses. Prints Markdown; takes less than four minutes. Figures of the server are read on Linux
 * only.
 *
 * "heard" is what the players heard of what they said; who says something new 20 times a second can lose some.
 */
import { Program, receiveDrops } from "./processes.ts";
import { type Flood, FLOODS } from "./flood_talks.ts";

const SERVER_CORE = 0;
const LOAD_CORE = 1;
const PLAYERS = 10;
const FLOOD_S = 2.5;
/** The flood has begun. */
const WARM_UP_MS = 300;
const MEASURED_MS = 2_000;
/** Those who had to begin anew have by now, if they could. */
const AFTER_MS = 300;
const GOAL_MS = 60;

type Figures = Record<string, number>;

/** The programs that flood, where there is a C compiler. */
interface Flooders {
  udp: string;
  tcp: string;
}

async function compile(folder: string): Promise<Flooders | undefined> {
  const compiled = async (name: string): Promise<string> => {
    const path = `${folder}/${name}`;
    const args = ["-O2", "-o", path, `bench/${name}.c`];
    const { success, stderr } = await new Deno.Command("cc", { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return path;
  };
  try {
    return { udp: await compiled("flood"), tcp: await compiled("flood_tcp") };
  } catch (error) {
    console.error(`no C compiler that works, so Deno floods: ${(error as Error).message}`);
    return undefined;
  }
}

/** On the players' core, but only when they have nothing to do. */
function pinned(words: readonly string[]): string[] {
  if (Deno.build.os !== "linux" || navigator.hardwareConcurrency < 2) return [...words];
  return ["taskset", "-c", String(LOAD_CORE), "nice", "-n", "19", ...words];
}

function wordsOf(service: string, kind: string, port: number, flooders: Flooders): string[] {
  const { addresses, inTurn = false, counts = false, holds = false, shapes } =
    FLOODS[service]![kind]!;
  if (service !== "messages") {
    const words = [addresses, Number(inTurn), Number(counts), FLOOD_S].map(String);
    return [flooders.udp, String(port), ...words];
  }
  const mode = holds ? "hold" : shapes.length > 0 ? "write" : "close";
  return [flooders.tcp, String(port), String(addresses), String(FLOOD_S), mode];
}

function inDeno(service: string, kind: string, port: number): string[] {
  const words = ["bench/flood_sender.ts", String(port), service, kind, String(FLOOD_S)];
  return [Deno.execPath(), "run", "--allow-net", ...words];
}

function hexOf({ shapes }: Flood): string {
  const hex = (byte: number): string => byte.toString(16).padStart(2, "0");
  return shapes.map((shape) => Array.from(shape, hex).join("") + "\n").join("");
}

async function flood(words: readonly string[], shapes: string): Promise<Figures> {
  const [command, ...args] = pinned(words);
  const child = new Deno.Command(command!, { args, stdin: "piped", stdout: "piped" }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(shapes)).catch(() => {});
  await input.close().catch(() => {});
  const { stdout, success } = await child.output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A server and its players. */
class Table implements AsyncDisposable {
  readonly server: Program;
  readonly port: number;
  readonly players: Program;

  private constructor(server: Program, port: number, players: Program) {
    this.server = server;
    this.port = port;
    this.players = players;
  }

  static async open(service: string): Promise<Table> {
    const server = new Program(
      ["run", "--allow-net", "main.ts", service, "0", "--json", "--log-level", "error"],
      SERVER_CORE,
    );
    const { port } = await server.event("listening");
    const players = new Program(
      ["run", "--allow-net", "bench/flood_players.ts", service, String(port), String(PLAYERS)],
      LOAD_CORE,
    );
    const { players: there } = await players.event("playing");
    if (there !== PLAYERS) {
      throw new Error(`${there} of ${PLAYERS} players are in, without a flood`);
    }
    await pause(500);
    return new Table(server, port!, players);
  }

  /** What the players noticed, and what the server used, in a while. */
  async measure(ms: number): Promise<Figures> {
    await this.players.tell("measure");
    const [before, startedAt] = [this.server.use(), performance.now()];
    await pause(ms);
    const [after, seconds] = [this.server.use(), (performance.now() - startedAt) / 1_000];
    await this.players.tell("report");
    const report = await this.players.event("report");
    const cores = (after.cpuSeconds - before.cpuSeconds) / seconds;
    return { ...report, cores, megabytes: after.residentMb };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.players.kill();
    await this.players[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

function rowOf(service: string, kind: string, figures: Figures): string[] {
  const { sentHz, gotHz, latencyMsP50, latencyMsP99, lossPercent, cores, megabytes } = figures;
  const isHeard = lossPercent! < 100;
  return [
    service,
    kind,
    sentHz === undefined ? "-" : sentHz.toFixed(0),
    gotHz === undefined ? "-" : gotHz.toFixed(0),
    isHeard ? latencyMsP50!.toFixed(1) : "-",
    `${isHeard ? latencyMsP99!.toFixed(1) : "-"}${
      isHeard && latencyMsP99! < GOAL_MS ? "" : " (!)"
    }`,
    (100 - lossPercent!).toFixed(1),
    cores!.toFixed(2),
    megabytes!.toFixed(0),
    `${figures.in} of ${PLAYERS}`,
    String(figures.rejoins),
    figures.lateMsP99!.toFixed(1),
  ];
}

async function measureFlood(
  table: Table,
  service: string,
  kind: string,
  flooders: Flooders | undefined,
): Promise<Figures> {
  const { port } = table;
  const dropsBefore = receiveDrops(port);
  const words = flooders ? wordsOf(service, kind, port, flooders) : inDeno(service, kind, port);
  const flooding = flood(words, flooders ? hexOf(FLOODS[service]![kind]!) : "");
  await pause(WARM_UP_MS);
  const figures = await table.measure(MEASURED_MS);
  const { sent, seconds } = await flooding;
  await pause(AFTER_MS);
  const drops = service === "messages" ? 0 : receiveDrops(port) - dropsBefore;
  await table.players.tell("report");
  const { in: there } = await table.players.event("report");
  const rates = { sentHz: sent! / seconds!, gotHz: Math.max(0, sent! - drops) / seconds! };
  return { ...figures, ...rates, in: there! };
}

async function measureService(service: string, flooders: Flooders | undefined): Promise<void> {
  let table = await Table.open(service);
  try {
    print(rowOf(service, "none", await table.measure(MEASURED_MS)));
    for (const kind of Object.keys(FLOODS[service]!)) {
      const figures = await measureFlood(table, service, kind, flooders);
      print(rowOf(service, kind, figures));
      if (figures.in === PLAYERS) continue;
      // The next row is to begin as the others do.
      await table[Symbol.asyncDispose]();
      table = await Table.open(service);
    }
  } finally {
    await table[Symbol.asyncDispose]();
  }
}

function print(cells: readonly string[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

const HEAD = [
  "service",
  "flood",
  "sent/s",
  "received/s",
  "p50 ms",
  "p99 ms",
  "heard %",
  "server cores",
  "server MB",
  "players in",
  "rejoins",
  "players late ms",
];

const services = Deno.args.length > 0 ? Deno.args : Object.keys(FLOODS);
for (const service of services) {
  if (!FLOODS[service]) throw new Error(`no service ${service}: ${Object.keys(FLOODS).join(", ")}`);
}
const folder = await Deno.makeTempDir();
try {
  const flooders = await compile(folder);
  print(HEAD);
  print(HEAD.map((_, column) => column < 2 ? "---" : "---:"));
  for (const service of services) {
    try {
      await measureService(service, flooders);
    } catch (error) {
      print([service, `broke off: ${(error as Error).message}`, ...HEAD.slice(2).map(() => "")]);
    }
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
