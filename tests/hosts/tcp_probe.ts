/** An engine over TCP that notes what its host does to it, and connections to that host. */
import { openTcp, TcpHost, type TcpListener } from "../../lib/hosts/tcp.ts";
import type { Peer, StreamEnd, StreamEngine, StreamOutbox } from "../../lib/protocols/engine.ts";
import { within } from "../support/wait.ts";

/** What a {@link StreamProbe} says something through. */
export type Out = StreamOutbox<string>;

/** An engine without a protocol: tests say what it does. */
export class StreamProbe implements StreamEngine<string> {
  /** Every call so far but `advance`, in order: `opened`, the text that was received, or the end. */
  readonly calls: string[] = [];
  /** Every connection so far, in order. */
  readonly peers: Peer[] = [];
  /** The time of every `advance` so far. */
  readonly advances: number[] = [];
  /** Bytes received so far. */
  receivedBytes = 0;
  /** Answers `nextDeadline`. */
  deadline = Infinity;
  /** Called at the end of `opened`. */
  onOpened: (peer: Peer, out: Out) => void = () => {};
  /** Called at the end of `receive`, with the very view that the host gave. */
  onReceive: (peer: Peer, chunk: Uint8Array, out: Out) => void = () => {};
  /** Called at the end of `ended`. */
  onEnded: (peer: Peer, end: StreamEnd, out: Out) => void = () => {};
  /** Called at the end of `advance`; the deadline is Infinity by then. */
  onAdvance: (now: number, out: Out) => void = () => {};

  opened(peer: Peer, _now: number, out: Out): void {
    this.calls.push("opened");
    this.peers.push(peer);
    this.onOpened(peer, out);
  }

  receive(chunk: Uint8Array, from: Peer, _now: number, out: Out): void {
    this.calls.push(new TextDecoder().decode(chunk));
    this.receivedBytes += chunk.length;
    this.onReceive(from, chunk, out);
  }

  ended(peer: Peer, end: StreamEnd, _now: number, out: Out): void {
    this.calls.push(end);
    this.onEnded(peer, end, out);
  }

  flush(): void {}

  advance(now: number, out: Out): void {
    this.advances.push(now);
    this.deadline = Infinity;
    this.onAdvance(now, out);
  }

  nextDeadline(): number {
    return this.deadline;
  }

  remembers(): boolean {
    return true;
  }
}

/** A probe with its host, and what the host told. */
export interface StreamRig extends AsyncDisposable {
  engine: StreamProbe;
  host: TcpHost<string>;
  port: number;
  events: string[];
  faults: unknown[];
  acceptFailures: unknown[];
}

/** Drives a new probe behind a port, by default a free one of both address families. */
export async function setUpTcp(listener?: TcpListener): Promise<StreamRig> {
  const engine = new StreamProbe();
  const events: string[] = [];
  const faults: unknown[] = [];
  const acceptFailures: unknown[] = [];
  const opened = listener ?? await openTcp({ port: 0 });
  const host = new TcpHost(engine, {
    onEvent: (event) => events.push(event),
    onFault: (error) => faults.push(error),
    onAcceptFailure: (error) => acceptFailures.push(error),
  });
  host.listen(opened);
  const { port } = opened;
  return {
    engine,
    host,
    port,
    events,
    faults,
    acceptFailures,
    [Symbol.asyncDispose]: () => host.close(),
  };
}

/** Another program's connection. */
export class Caller implements Disposable {
  readonly #conn: Deno.TcpConn;
  #isClosed = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects to a port of this machine. */
  static async call(port: number, hostname = "127.0.0.1"): Promise<Caller> {
    const conn = await within("a connection", Deno.connect({ hostname, port }));
    conn.setNoDelay(true);
    return new Caller(conn);
  }

  /** Where it calls from. */
  get port(): number {
    return this.#conn.localAddr.port;
  }

  /** Sends all of it. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length;) {
      at += await within("the other end to read", this.#conn.write(bytes.subarray(at)));
    }
  }

  /** What comes next, as it comes; null for the end of the stream. */
  async read(bytesMax = 65_536): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(bytesMax);
    const length = await within("something to read", this.#conn.read(buffer));
    return length === null ? null : buffer.subarray(0, length);
  }

  /** So many bytes. */
  async readBytes(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const chunk = await this.read(length - at);
      if (!chunk) throw new Error(`the stream ended after ${at} bytes of ${length}`);
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  /** A text of so many bytes. */
  async readText(length: number): Promise<string> {
    return new TextDecoder().decode(await this.readBytes(length));
  }

  /** All that comes until the stream ends. */
  async readToEnd(): Promise<string> {
    let text = "";
    const decoder = new TextDecoder();
    for (let chunk; (chunk = await this.read());) text += decoder.decode(chunk, { stream: true });
    return text;
  }

  /** Says that it will send no more. */
  async end(): Promise<void> {
    await this.#conn.closeWrite();
  }

  /** Ends the connection in both directions. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Bytes of which no two stretches are alike. */
export function pattern(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0, x = seed; i < words.length; i++) {
    x = Math.imul(x, 1_664_525) + 1_013_904_223 | 0;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, length);
}

const FATED = `
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
  await conn.read(new Uint8Array(1));
  await conn.write(new TextEncoder().encode(Deno.args[1]));
  console.log("ready");
  setInterval(() => {}, 3_600_000);
`;

/**
 * A program that connects, waits for something to read, sends a text, and is killed when told so: since it
 * has not read all, its system resets the connection. Deno itself ends its connections before it closes them.
 *
 * @returns Kills it, once it has sent the text.
 */
export async function callFated(port: number, text: string): Promise<() => Promise<void>> {
  const source = `data:application/javascript,${encodeURIComponent(FATED)}`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--no-lock", "--allow-net", source, String(port), text],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  await within("the program to be ready", reader.read());
  return async () => {
    child.kill("SIGKILL");
    await reader.cancel();
    await child.status;
  };
}
