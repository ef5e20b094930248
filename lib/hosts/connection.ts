/** One TCP connection: what it reads, and the queue of what it writes. */
import type { Peer, StreamEnd } from "../protocols/engine.ts";
import { Fifo } from "../parts/fifo.ts";
import { normalizeIp } from "../parts/ip.ts";
import { formatHostPort, networkOf } from "./address.ts";
import type { PeerTraffic } from "./traffic.ts";

/** What a connection reads at once: little while it says little, since each of them waits to read. */
const READ_BYTES_MIN = 2_048;
const READ_BYTES_MAX = 65_536;
/** What is read and thrown away of a connection that is being closed; more is a flood. */
const DISCARDED_BYTES_MAX = 262_144;

/** What a piece takes while it is queued, however short it is. */
const PIECE_BYTES = 64;
/** With so many pieces queued, several are written at once. */
const JOINED_PIECES_MIN = 64;
const JOINED_BYTES_MAX = 32_768;

/** What all connections of a host did together. */
export interface TcpTraffic {
  /** Times that something was read. */
  received: number;
  /** What was read, in bytes. */
  receivedBytes: number;
  /** Pieces that the system took whole. */
  sent: number;
  /** Their bytes. */
  sentBytes: number;
  /** Pieces that were lost because their connection was gone. */
  failed: number;
}

/** A connection as its host has it, and as the engine knows it: as a peer. */
export class TcpConnection implements Peer, PeerTraffic {
  readonly ip: string;
  readonly port: number;
  readonly address: string;
  readonly network: string;
  heardAt: number = performance.now();
  received = 0;
  receivedBytes = 0;
  sent = 0;
  sentBytes = 0;
  /** Settles when it is gone, after it was told to go. */
  farewell: Promise<void> | undefined;
  /** Closed while nothing is to be read. */
  readonly #gate = new Gate();
  readonly #conn: Deno.TcpConn;
  readonly #traffic: TcpTraffic;
  readonly #queue = new Fifo<Uint8Array>();
  readonly #readToTheEnd = Promise.withResolvers<void>();
  #unsentBytes = 0;
  #writing: Promise<void> | undefined;
  #isOpen = true;
  #wasSentTo = false;
  #isBroken = false;
  /** It is gone, and nobody waits for what is still to be read of it. */
  #isAbandoned = false;
  #isCut = false;

  /** Takes over a connection that was opened. */
  constructor(conn: Deno.TcpConn, traffic: TcpTraffic) {
    this.#conn = conn;
    this.#traffic = traffic;
    const { hostname, port } = conn.remoteAddr;
    this.ip = normalizeIp(hostname);
    this.port = port;
    this.address = formatHostPort(this.ip, port);
    this.network = networkOf(this.ip);
    try {
      conn.setNoDelay(true); // A message leaves when it is written, not with the next one.
      conn.setKeepAlive(true);
    } catch {
      // It is gone already; reading will tell.
    }
  }

  /** Whether the engine knows it. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether it was sent anything. */
  get wasSentTo(): boolean {
    return this.#wasSentTo;
  }

  /** Bytes that the system has not taken yet, and what they take besides. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Whether it reads what the engine is to be told. */
  setReading(isReading: boolean): void {
    if (!this.#isOpen) return;
    this.#gate.set(isReading);
    this.#abandonIfGone();
  }

  /** The engine is not told any more of what it reads; it reads on, to notice the end. */
  dismiss(): void {
    this.#isOpen = false;
    this.#gate.set(true);
  }

  /** Queues bytes, to be written in one piece if the system takes it. */
  send(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#wasSentTo = true;
    if (this.#isBroken || this.#isCut) {
      this.#traffic.failed++;
      return;
    }
    this.#queue.push(bytes);
    this.#unsentBytes += bytes.length + PIECE_BYTES;
    this.#writing ??= this.#writeAll();
  }

  /**
   * Reads until the stream ends. Once the connection is not open any more, what comes is thrown away, up
   * to a limit.
   *
   * @param take Gets a view of a buffer that will be reused, and whether it was all there was to read.
   */
  async readAll(take: (chunk: Uint8Array, isAll: boolean) => void): Promise<StreamEnd> {
    let buffer = new Uint8Array(READ_BYTES_MIN);
    let discardedBytes = 0;
    try {
      for (;;) {
        while (!this.#gate.isOpen) await this.#gate.opened;
        if (this.#isAbandoned) return "reset";
        const length = await this.#conn.read(buffer);
        if (length === null) return "closed";
        this.heardAt = performance.now();
        this.received++;
        this.receivedBytes += length;
        this.#traffic.received++;
        this.#traffic.receivedBytes += length;
        const isAll = length < buffer.length;
        if (this.#isOpen) take(buffer.subarray(0, length), isAll);
        else if ((discardedBytes += length) > DISCARDED_BYTES_MAX) return "reset";
        if (!isAll && length < READ_BYTES_MAX) buffer = new Uint8Array(2 * length);
      }
    } catch {
      return "reset";
    } finally {
      this.#readToTheEnd.resolve();
    }
  }

  /**
   * Writes what is queued, tells the other end that nothing follows, and waits until it has said the
   * same: a connection that is closed with something unread loses what it sent last.
   */
  async finish(): Promise<void> {
    await this.#writing;
    try {
      await this.#conn.closeWrite();
    } catch {
      return; // It is gone.
    }
    await this.#readToTheEnd.promise;
  }

  /** Gives it back to the system. What is still queued is lost. */
  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#conn.close();
  }

  /** Whoever is not read would never be noticed to be gone. */
  #abandonIfGone(): void {
    if (!this.#isBroken || this.#gate.isOpen) return;
    this.#isAbandoned = true;
    this.#gate.set(true);
  }

  /** One piece; or many in one, when so many wait that the other end will find them together anyway. */
  #nextBytes(): { bytes: Uint8Array; pieces: number } {
    const first = this.#queue.shift()!;
    if (this.#queue.length < JOINED_PIECES_MIN || first.length > JOINED_BYTES_MAX) {
      return { bytes: first, pieces: 1 };
    }
    const joined = new Uint8Array(2 * JOINED_BYTES_MAX);
    let pieces = 0;
    let length = 0;
    for (let piece: Uint8Array | undefined = first; piece; piece = this.#queue.shift()) {
      joined.set(piece, length);
      length += piece.length;
      pieces++;
      const next = this.#queue.first;
      if (!next || length + next.length > joined.length) break;
    }
    return { bytes: joined.subarray(0, length), pieces };
  }

  async #writeAll(): Promise<void> {
    let pieces = 0;
    try {
      while (this.#queue.length > 0) {
        const next = this.#nextBytes();
        const { bytes } = next;
        pieces = next.pieces;
        for (let at = 0; at < bytes.length;) {
          const written = await this.#conn.write(at === 0 ? bytes : bytes.subarray(at));
          at += written;
          this.#unsentBytes -= written;
        }
        this.#unsentBytes -= pieces * PIECE_BYTES;
        this.sent += pieces;
        this.sentBytes += bytes.length;
        this.#traffic.sent += pieces;
        this.#traffic.sentBytes += bytes.length;
      }
    } catch {
      // Gone; but what it said before is still to be read, and then reading tells.
      this.#isBroken = true;
      this.#abandonIfGone();
      this.#unsentBytes = 0;
      this.#traffic.failed += pieces + this.#queue.length;
      while (this.#queue.shift());
    }
    this.#writing = undefined;
  }
}

/** Something to wait at. */
export class Gate {
  #isOpen = true;
  #open: PromiseWithResolvers<void> | undefined;

  /** Whether nobody has to wait. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves when it is open. */
  get opened(): Promise<void> | undefined {
    return this.#open?.promise;
  }

  /** Opens or closes it. */
  set(isOpen: boolean): void {
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    if (isOpen) {
      this.#open!.resolve();
      this.#open = undefined;
    } else {
      this.#open = Promise.withResolvers();
    }
  }
}
