/** Both ends of the world protocol that share no code with netsync. */
import { EventProgram, objectOf, PYTHON } from "./programs.ts";

/** What a {@link WorldPeer} is started with. */
export interface WorldPeerWords {
  /** Which of the Python clients. Default `diffs`. */
  client?: "original" | "diffs";
  /** Default `127.0.0.1`. */
  host?: string;
  /** The share that is lost, each way. Default 0. */
  loss?: number;
  /** Further words. */
  words?: readonly string[];
}

/** An object as the Python clients have it. */
export interface MirroredObject {
  velocity: number[];
  angularVelocity: number[];
  quaternion: number[];
  position: number[];
  mass: number;
  traits: Record<string, unknown>;
}

/** All that a Python client has. */
export interface PythonMirror {
  objects: Record<string, MirroredObject>;
  /** The newest tick it heard of. */
  time: number | null;
  total: number | null;
  universe: number | null;
}

type Counts = Record<string, { packets: number; bytes: number } | undefined>;

/** What a Python client received and sent, by kind; `lost_in` is among what it received. */
export interface PeerStatistics {
  in: Counts;
  out: Counts;
  lost_in: number;
  lost_out: number;
  missing: number;
}

const KNOCKS_MAX = 40;
const JOINS_MAX = 20;
/** What comes at all comes sooner, even on a busy computer. */
const ANSWER_MS = 500;

/** A Python client, which also judges what the server sends. */
export class WorldPeer extends EventProgram {
  /** Its port. */
  port = 0;

  /** Starts one and waits until its socket is open. It says nothing yet. */
  static async start(
    port: number,
    { client = "diffs", host = "127.0.0.1", loss = 0, words = [] }: WorldPeerWords = {},
  ): Promise<WorldPeer> {
    const peer = new WorldPeer([PYTHON], [
      ...["tests/interop/world_client.py", host, String(port), "--client", client, "--judge"],
      ...["--loss", String(loss), "--seed", "1"],
      ...words,
    ]);
    try {
      peer.port = await peer.event("ready", ({ port }) => port as number);
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
    return peer;
  }

  /** Starts one and knocks until it has something of the world. */
  static async join(port: number, words: WorldPeerWords = {}): Promise<WorldPeer> {
    const peer = await WorldPeer.start(port, words);
    try {
      for (let left = JOINS_MAX; left > 0; left--) {
        await peer.knock();
        if (await peer.#hasSomething()) return peer;
      }
      throw new Error("the server told nothing of its world");
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
  }

  async do(what: string, facts: Record<string, unknown> = {}): Promise<void> {
    await this.say(JSON.stringify({ do: what, ...facts }));
  }

  /** Knocks until that is acked: by itself no client does so again when it is lost. */
  async knock(): Promise<void> {
    for (let left = KNOCKS_MAX; left > 0; left--) {
      const from = this.lines.length;
      await this.do("knock");
      const isAcked = await this.event("acked", () => true, { from, timeoutMs: ANSWER_MS })
        .catch(() => false);
      if (isAcked) return;
    }
    throw new Error("no knock was acked");
  }

  async mirror(): Promise<PythonMirror> {
    return await this.#answer("mirror");
  }

  async statistics(): Promise<PeerStatistics> {
    return await this.#answer("statistics");
  }

  /** Whether a server's words for an address mean this one. */
  isAt(address: unknown): boolean {
    return String(address).endsWith(`:${this.port}`);
  }

  async #hasSomething(): Promise<boolean> {
    const giveUpAt = performance.now() + ANSWER_MS;
    while (performance.now() < giveUpAt) {
      if ((await this.mirror()).time !== null) return true;
    }
    return false;
  }

  async #answer<T>(what: string): Promise<T> {
    const from = this.lines.length;
    await this.do(what);
    return await this.event(what, (facts) => facts as T, { from });
  }
}

/** The Python server with the behaviour and the faults of the original, on 127.0.0.1. */
export class OriginalWorldServer extends EventProgram {
  /** Where it listens. */
  port = 0;

  /** Starts one and waits until it listens. */
  static async start(words: readonly string[] = []): Promise<OriginalWorldServer> {
    const script = "tests/interop/original_world_server.py";
    const server = new OriginalWorldServer([PYTHON], [script, "0", "--seed", "1", ...words]);
    try {
      server.port = await server.event("listening", ({ port }) => port as number);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Makes a body at the given place, at rest. */
  async create(position: readonly number[], mass: number): Promise<void> {
    const snapshot = [[0, 0, 0], [0, 0, 0], [1, 0, 0, 0], position, mass];
    await this.say(JSON.stringify({ do: "create", snapshot }));
  }

  /** Waits until a message of a type came. */
  async hears(type: string): Promise<void> {
    await this.event("packet", (facts) => facts.type === type || undefined);
  }
}

/** What a flood saw; `_max` is of the address with the most. */
export interface FloodReport {
  sent: { datagrams: number; bytes: number };
  received: {
    datagrams: number;
    bytes: number;
    datagrams_max: number;
    bytes_max: number;
    last_s: number | null;
  };
  kinds: Record<string, number | undefined>;
  amplification: { all: number; max: number };
}

/** There is but one IPv4 address on the loopback of a Mac. */
const FLOOD_HOST = Deno.build.os === "darwin" ? "::1" : "127.0.0.1";

/** Attacks a server from so many addresses, and tells what came back. */
export async function flood(
  port: number,
  kind: "knock" | "knocks" | "acks" | "guesses" | "rubbish" | "never-acks",
  options: { seconds: number; addresses: number; rate: number; linger?: number },
): Promise<FloodReport> {
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  await using program = new EventProgram([PYTHON], [
    ...["tests/interop/world_flood.py", FLOOD_HOST, String(port), "--kind", kind, "--seed", "1"],
    ...words,
  ]);
  await program.end(30_000);
  const report = objectOf(program.lines[0] ?? "");
  if (!report) throw new Error(`the flood failed: ${program.errorLines.join("\n")}`);
  return report as unknown as FloodReport;
}
