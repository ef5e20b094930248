/** Writes down what comes to a UDP socket and leaves it. */
import { normalizeIp } from "../parts/ip.ts";
import { entryLine, headerLine, type RecordingHeader } from "../parts/recording.ts";
import { formatHostPort } from "./address.ts";
import { WrappedConn } from "./wrapped_conn.ts";

/** Options of a {@link Recorder}. */
export interface RecorderOptions {
  /** Takes text, some time soon. False: there was no room, and it is lost. A file writer's `write`. */
  write: (text: string) => boolean;
  /** No recording gets longer. Default 1 GiB. */
  bytesMax?: number;
  /** Told in words, once each: that datagrams are missing in it, and that it ended. */
  onProblem?: (problem: string) => void;
}

/** What a recorder did, in datagrams. */
export interface RecorderCounters {
  recorded: number;
  /** There was no room for them, or they came after the end. */
  missing: number;
}

/** The room that is kept for the last line. */
const END_BYTES = 200;

/**
 * One recording of all sockets that it is put in front of. Nothing waits for it, and it never fails: what
 * cannot be written is missing, and the recording says how much.
 */
export class Recorder {
  /** What was done so far. */
  readonly counters: RecorderCounters = { recorded: 0, missing: 0 };
  readonly #write: (text: string) => boolean;
  readonly #bytesMax: number;
  readonly #onProblem: (problem: string) => void;
  #startedAt: number;
  #bytes = 0;
  /** Since the last line. */
  #missing = 0;
  #hasTold = false;
  #isEnded = false;

  /** Begins at once; `startedAt` of the header is the time of day now. */
  constructor(header: Omit<RecordingHeader, "startedAt" | "os">, options: RecorderOptions) {
    this.#write = options.write;
    this.#bytesMax = options.bytesMax ?? 2 ** 30;
    this.#onProblem = options.onProblem ?? ((): void => {});
    this.#startedAt = performance.now();
    const startedAt = new Date().toISOString();
    const { os, arch } = Deno.build;
    this.#take(headerLine({ ...header, startedAt, os: `${os} ${arch}` }), 0);
  }

  /** The socket with this recorder in front of it: what is called on that one is recorded. */
  readonly through = (conn: Deno.DatagramConn): Deno.DatagramConn => new RecordedConn(conn, this);

  /**
   * The engine begins at this moment on the clock of `performance`: times count from here, so that a replay
   * has the engine's beats where they were. Before the first datagram.
   */
  begin(now: number): void {
    if (this.counters.recorded + this.counters.missing === 0) this.#startedAt = now;
  }

  /** Writes one datagram down, with the time; `data` may be changed afterwards. */
  record(kind: "in" | "out", peer: Deno.Addr, data: Uint8Array): void {
    if (this.#isEnded) {
      this.counters.missing++;
      return;
    }
    const timeMs = performance.now() - this.#startedAt;
    const { hostname, port } = peer as Deno.NetAddr;
    const address = formatHostPort(normalizeIp(hostname), port);
    const line = entryLine({ kind, timeMs, address, data });
    if (this.#bytes + line.length + END_BYTES > this.#bytesMax) return this.#endAtLimit(timeMs);
    if (this.#take(line, timeMs)) this.counters.recorded++;
    else this.#miss();
  }

  /** Ends the recording: whoever reads it knows that nothing is cut off. Calling it again is harmless. */
  close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const timeMs = performance.now() - this.#startedAt;
    this.#take(entryLine({ kind: "end", timeMs, reason: "stopped" }), timeMs);
  }

  #miss(): void {
    this.#missing++;
    this.counters.missing++;
    if (this.#hasTold) return;
    this.#hasTold = true;
    this.#onProblem(
      "the disk is too slow for all datagrams, or full: some are missing in the recording",
    );
  }

  #endAtLimit(timeMs: number): void {
    this.counters.missing++;
    const reason = `the recording reached its limit of ${this.#bytesMax} bytes`;
    // Where there is no room, the next datagram ends it.
    if (!this.#take(entryLine({ kind: "end", timeMs, reason }), timeMs)) return;
    this.#isEnded = true;
    this.#onProblem(`${reason}: nothing is recorded any more`);
  }

  /** Writes a line, after what is missing before it: both, or neither. */
  #take(line: string, timeMs: number): boolean {
    const datagrams = this.#missing;
    const text = datagrams === 0 ? line : entryLine({ kind: "missing", timeMs, datagrams }) + line;
    if (!this.#write(text)) return false;
    this.#missing = 0;
    this.#bytes += text.length; // All is ASCII: its bytes are its characters.
    return true;
  }
}

/** Tells the recorder of everything. A datagram that the system does not send counts as sent. */
class RecordedConn extends WrappedConn {
  readonly #recorder: Recorder;

  constructor(inner: Deno.DatagramConn, recorder: Recorder) {
    super(inner);
    this.#recorder = recorder;
  }

  override async receive(buffer?: Uint8Array): ReturnType<Deno.DatagramConn["receive"]> {
    const received = await this.inner.receive(buffer);
    this.#recorder.record("in", received[1], received[0]);
    return received;
  }

  override send(bytes: Uint8Array, to: Deno.Addr): Promise<number> {
    this.#recorder.record("out", to, bytes);
    return this.inner.send(bytes, to);
  }
}
