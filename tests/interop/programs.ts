/** Programs that tests start: netsync as a user types it, and clients that share no code with it. */
import { PATIENCE_MS } from "../support/wait.ts";

/** The root of the repository. */
export const ROOT = new URL("../../", import.meta.url);

/** The words before `main.ts`'s own, or the compiled binary. */
export type Command = readonly string[];

/** `deno run` as the README has it. */
export const DENO_RUN: Command = [Deno.execPath(), "run", "--allow-net", "main.ts"];

/** The Python of this system. */
export const PYTHON = Deno.build.os === "windows" ? "python" : "python3";

/** What older versions of Deno say about their own look-up of host names. */
const DENO_ITSELF = /\[DEP0040\] DeprecationWarning/;

/** A running program, its lines as they come. Disposing kills it if it still runs. */
export class Program implements AsyncDisposable {
  /** What it printed so far, without line ends. */
  readonly lines: string[] = [];
  /** The same of the error output. */
  readonly errorLines: string[] = [];
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #status: Promise<Deno.CommandStatus>;
  readonly #wakers = new Set<() => void>();
  #ended: Deno.CommandStatus | undefined;

  constructor(command: Command, words: readonly string[] = []) {
    const [program, ...first] = command;
    this.#name = words.join(" ");
    this.#child = new Deno.Command(program!, {
      args: [...first, ...words],
      cwd: ROOT,
      env: { NO_COLOR: "1", PYTHONDONTWRITEBYTECODE: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#status = this.#run();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Writes one line to its input. */
  async say(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(line + "\n"));
  }

  /** Ends its input. */
  async hangUp(): Promise<void> {
    await this.#input.close().catch(() => {});
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /**
   * The first thing that `find` finds in a line, from line `from` on, printed already or to come.
   *
   * @throws {Error} It did not come in time, or the program ended without it.
   */
  async next<T>(
    what: string,
    find: (line: string) => T | undefined,
    { from = 0, timeoutMs = PATIENCE_MS }: { from?: number; timeoutMs?: number } = {},
  ): Promise<T> {
    let late = false;
    let at = from;
    let wake = (): void => {};
    const timer = setTimeout(() => {
      late = true;
      wake();
    }, timeoutMs);
    const waker = (): void => wake();
    this.#wakers.add(waker);
    try {
      for (;;) {
        while (at < this.lines.length) {
          const found = find(this.lines[at++]!);
          if (found !== undefined) return found;
        }
        if (this.#ended || late) throw new Error(this.#missing(what));
        await new Promise<void>((resolve) => wake = resolve);
      }
    } finally {
      clearTimeout(timer);
      this.#wakers.delete(waker);
    }
  }

  /**
   * Waits for its end.
   *
   * @returns Its exit status.
   */
  async end(timeoutMs: number = PATIENCE_MS): Promise<number> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(this.#missing("its end"))), timeoutMs);
    });
    try {
      return (await Promise.race([this.#status, late])).code;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It ended a moment ago.
      }
    }
    await this.#status;
    await this.hangUp();
  }

  async #run(): Promise<Deno.CommandStatus> {
    const [status] = await Promise.all([
      this.#child.status,
      this.#collect(this.#child.stdout, this.lines),
      this.#collect(this.#child.stderr, this.errorLines),
    ]);
    this.#ended = status;
    this.#wake();
    return status;
  }

  async #collect(output: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
    let rest = "";
    for await (const text of output.pipeThrough(new TextDecoderStream())) {
      const [first = "", ...others] = (rest + text).split("\n");
      if (others.length === 0) {
        rest = first;
        continue;
      }
      rest = others.pop()!;
      const whole = [first, ...others].map((line) => line.replace(/\r$/, ""));
      lines.push(...whole.filter((line) => !DENO_ITSELF.test(line)));
      this.#wake();
    }
    if (rest !== "") lines.push(rest);
  }

  #wake(): void {
    this.#wakers.forEach((wake) => wake());
  }

  #missing(what: string): string {
    const tail = [...this.lines.slice(-5), ...this.errorLines.slice(-15)].join("\n");
    const state = this.#ended ? `ended with status ${this.#ended.code}` : "goes on";
    return `still waiting for ${what}; ${this.#name} ${state}. It printed last:\n${tail}`;
  }
}

/** Runs a program to its end. */
export async function output(
  command: Command,
  words: readonly string[],
): Promise<{ code: number; out: string[]; err: string[] }> {
  await using program = new Program(command, words);
  await program.hangUp();
  const code = await program.end();
  return { code, out: program.lines, err: program.errorLines };
}

/** A JSON line as the object it is, or undefined. */
export function objectOf(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}

/** A program that prints JSON lines with an `event` each. */
export class EventProgram extends Program {
  /** What `find` makes of the first event of a kind, from line `from` on, that it makes something of. */
  event<T = Record<string, unknown>>(
    kind: string,
    find: (facts: Record<string, unknown>) => T | undefined = (facts) => facts as T,
    options: { from?: number; timeoutMs?: number } = {},
  ): Promise<T> {
    return this.next(`the event "${kind}"`, (line) => {
      const facts = objectOf(line);
      return facts?.event === kind ? find(facts) : undefined;
    }, options);
  }

  /** All events of a kind so far. */
  events(kind: string): Record<string, unknown>[] {
    return this.lines.map(objectOf).filter((facts) => facts?.event === kind) as Record<
      string,
      unknown
    >[];
  }
}

/** A server run by the real command line, its log as JSON. `command` may end with the service. */
export class ServerProgram extends EventProgram {
  /** Where it listens. */
  port = 0;

  /** Starts one and waits until it listens. */
  static async start(
    command: Command,
    { port = 0, words = [] }: { port?: number; words?: readonly string[] } = {},
  ): Promise<ServerProgram> {
    const server = new ServerProgram(command, [String(port), "--json", ...words]);
    try {
      server.port = await server.event("listening", ({ port }) => port as number);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** The most memory it ever had, in MB; undefined where the system does not tell. */
  async memoryMbMax(): Promise<number | undefined> {
    if (Deno.build.os !== "linux") return undefined;
    // Deno itself reads there with all permissions only.
    const { out } = await output(["cat"], [`/proc/${this.pid}/status`]);
    return Number(/VmHWM:\s*(\d+) kB/.exec(out.join("\n"))![1]) / 1_000;
  }
}

/** What a {@link Player} is started with. */
export interface PlayerOptions {
  /** Default `::1`. */
  host?: string;
  keepAlive?: "python" | "godot";
  /** Takes so many id replies as lost. */
  ignoreReplies?: number;
  /** Seconds without a datagram after which it gives up. Default 10, as the protocol has it. */
  silence?: number;
  localPort?: number;
}

/** A snapshot as a client printed it. */
export interface Snapshot {
  number: number;
  states: Record<string, string>;
}

/** What a {@link Player} tells about itself. */
export interface PlayerReport {
  /** The longest time between two datagrams from the server, in seconds. */
  gap_max: number;
  connected: boolean;
  datagrams: number;
  snapshots: number;
  /** Id replies after the first. */
  replies: number;
  /** Snapshots whose number was not above the last one. */
  old: number;
}

/** The Python client that shares no code with netsync. */
export class Player extends Program {
  /** Its id, as the states have it. */
  id = "";
  /** What it said when it was connected. */
  welcome: Record<string, unknown> = {};

  /** Starts one; it is not connected yet. */
  static start(port: number, options: PlayerOptions = {}): Player {
    const { host = "::1", keepAlive, ignoreReplies, silence, localPort } = options;
    const words = ["tests/interop/sync_client.py", host, String(port)];
    if (keepAlive) words.push("--keep-alive", keepAlive);
    if (ignoreReplies) words.push("--ignore-replies", String(ignoreReplies));
    if (silence) words.push("--silence", String(silence));
    if (localPort) words.push("--local-port", String(localPort));
    return new Player([PYTHON], words);
  }

  /** Starts one and waits until it has its id. */
  static async join(port: number, options: PlayerOptions = {}): Promise<Player> {
    const player = Player.start(port, options);
    try {
      await player.connected();
    } catch (error) {
      await player[Symbol.asyncDispose]();
      throw error;
    }
    return player;
  }

  async connected(): Promise<void> {
    this.welcome = await this.event("connected");
    this.id = String(this.welcome.id);
  }

  async send(state: string): Promise<void> {
    await this.say(JSON.stringify({ do: "send", state }));
  }

  /** Sends `state` with a number behind it, again and again. */
  async play(state: string, everySeconds = 0.05): Promise<void> {
    await this.say(JSON.stringify({ do: "play", state, every: everySeconds }));
  }

  /** Sends no more states. */
  async rest(): Promise<void> {
    await this.say(JSON.stringify({ do: "rest" }));
  }

  async report(): Promise<PlayerReport> {
    const from = this.lines.length;
    await this.say(JSON.stringify({ do: "report" }));
    return await this.event<PlayerReport>("report", from);
  }

  /** The first event of a kind from line `from` on. */
  event<T = Record<string, unknown>>(kind: string, from = 0, timeoutMs?: number): Promise<T> {
    return this.next(`the event "${kind}"`, (line) => {
      const event = objectOf(line);
      return event?.event === kind ? event as T : undefined;
    }, { from, timeoutMs });
  }

  /** The first snapshot from line `from` on that fulfils a condition. */
  sees(
    what: string,
    condition: (states: Record<string, string>, number: number) => boolean,
    { from, timeoutMs }: { from?: number; timeoutMs?: number } = {},
  ): Promise<Snapshot> {
    return this.next(what, (line) => {
      const event = objectOf(line);
      if (event?.event === "broken") throw new Error(`the client broke: ${event.reason}`);
      if (event?.event !== "states") return undefined;
      const snapshot = event as unknown as Snapshot;
      return condition(snapshot.states, snapshot.number) ? snapshot : undefined;
    }, { from, timeoutMs });
  }

  /** All snapshots so far. */
  snapshots(): Snapshot[] {
    return this.lines.map(objectOf)
      .filter((event) => event?.event === "states") as unknown as Snapshot[];
  }
}

/**
 * A UDP port that is free and that the system gives to nobody who asks for any, so that it can be
 * opened again after it was closed.
 */
export function portToOpenTwice(): number {
  for (;;) {
    const port = 10_000 + Math.floor(20_000 * Math.random());
    try {
      Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
