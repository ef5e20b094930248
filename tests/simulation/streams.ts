/**
 * Connections, clocks and hosts in virtual time: everything comes from one seed.
 *
 * A connection carries bytes, in order and whole, but nothing else of how they were written: what is
 * written is cut and joined, held back, delayed, and stops at a window while the other end does not
 * read. It is half-closed, or reset: then all that was on its way is lost.
 *
 * Hosts drive engines as the TCP host does. They read what is there, and only when nothing more is to
 * be read at once do they call `advance`, if a deadline has come; their timers fire late. They hold the
 * engine to its side of the contract.
 */
import { assert, assertEquals } from "@std/assert";
import type { Peer, StreamEnd, StreamEngine, StreamOutbox } from "../../lib/protocols/engine.ts";
import type { Random } from "../../lib/parts/random.ts";
import { AddressedPeer, maybe, Network, NO_FAULTS } from "./network.ts";

/** What happens to bytes on their way. */
export interface StreamTroubles {
  /** The shortest way. */
  delayMs: number;
  /** At most so much longer; nothing is overtaken. */
  jitterMs: number;
  /** Whether a write arrives as one piece, alone, as long as the window has room for it. */
  keepsBorders: boolean;
  /** Share of the writes that are cut into pieces. */
  cutting: number;
  /** Share of the writes that wait for more to go with, up to `holdMs`. */
  holding: number;
  holdMs: number;
  /** Share of the pieces before which nothing comes for up to `pauseMs`. */
  pausing: number;
  pauseMs: number;
  /** What both systems and the way between them hold of one direction, before the writer has to wait. */
  windowBytes: number;
  /** Bytes taken with one read. */
  readBytesMax: number;
  /** Share of the reads that take less than there is. */
  shortReads: number;
  /** A host sees up to so much later that there is something to read. */
  turnMs: number;
  /** Whether a host that closed a connection still takes what comes and throws it away. Others reset it. */
  drains: boolean;
}

/** A network on which nothing goes wrong. */
export const SMOOTH: StreamTroubles = {
  delayMs: 1,
  jitterMs: 0,
  keepsBorders: true,
  cutting: 0,
  holding: 0,
  holdMs: 0,
  pausing: 0,
  pauseMs: 0,
  windowBytes: 200_000,
  readBytesMax: 65_536,
  shortReads: 0,
  turnMs: 0,
  drains: true,
};

/** Troubles of all kinds, each missing in every second case. */
export function streamTroublesFor(random: Random): StreamTroubles {
  return {
    delayMs: maybe(random, 100),
    jitterMs: maybe(random, 100),
    keepsBorders: false,
    cutting: maybe(random, 1),
    holding: maybe(random, 1),
    holdMs: random() * 40,
    pausing: maybe(random, 0.1),
    pauseMs: random() * 700,
    windowBytes: random() < 0.5 ? 200_000 : 2_000 + Math.floor(random() * 20_000),
    readBytesMax: random() < 0.5 ? 65_536 : 1 + Math.floor(random() * 2_000),
    shortReads: maybe(random, 0.5),
    turnMs: maybe(random, 3),
    drains: random() < 0.5,
  };
}

/** Options of {@link StreamNetwork}. */
export interface StreamNetworkOptions {
  random: Random;
  troubles: StreamTroubles;
  /** Timers fire up to so much late. */
  timerLateMs: number;
}

/** Takes what comes to an address. */
export type Listener = (socket: Socket) => void;

/** The whole simulated world. */
export class StreamNetwork {
  readonly random: Random;
  readonly timerLateMs: number;
  /** Counts for connections made from then on. */
  troubles: StreamTroubles;
  /** Only its clock and its plans are used. */
  readonly #clock: Network;
  readonly #listeners = new Map<string, Listener>();
  #trace = 0x811c9dc5;

  constructor({ random, troubles, timerLateMs }: StreamNetworkOptions) {
    this.random = random;
    this.troubles = troubles;
    this.timerLateMs = timerLateMs;
    this.#clock = new Network({ random, faults: NO_FAULTS, timerLateMs });
  }

  /** Virtual milliseconds since the beginning. */
  get now(): number {
    return this.#clock.now;
  }

  /** A digest of everything that was read, and when. */
  get trace(): number {
    return this.#trace;
  }

  /** Does something at a time, after what is already planned for that time. */
  at(time: number, run: () => void): void {
    this.#clock.at(time, run);
  }

  /** Does something after a while. */
  after(waitMs: number, run: () => void): void {
    this.#clock.at(this.now + waitMs, run);
  }

  /** Lets time pass. */
  runUntil(end: number): void {
    this.#clock.runUntil(end);
  }

  listen(address: string, listener: Listener): void {
    this.#listeners.set(address, listener);
  }

  /** Makes a connection; the one who wants it has it a way later than the other end. */
  connect(from: string, to: string, opened: Listener, troubles = this.troubles): void {
    const near = new Socket(this, troubles, to);
    const far = new Socket(this, troubles, from);
    near.join(far);
    far.join(near);
    this.after(troubles.delayMs, () => {
      this.after(troubles.delayMs, () => opened(near));
      this.#listeners.get(to)!(far);
    });
  }

  /** Takes note of what was read. */
  note(bytes: Uint8Array, address: string): void {
    this.#mix(Math.round(this.now * 1_000));
    this.#mix(bytes.length);
    for (let at = 0; at < bytes.length; at += 7) this.#mix(bytes[at]!);
    for (let at = 0; at < address.length; at++) this.#mix(address.charCodeAt(at));
  }

  #mix(value: number): void {
    this.#trace = Math.imul(this.#trace ^ value, 0x01000193) >>> 0;
  }
}

/** Who uses a socket. */
export interface SocketUser {
  /** There is something to read, or the end. */
  readable(): void;
  /** The connection is gone. */
  reset(): void;
}

/** Two segments that keep their borders are never there at the same time. */
const APART_MS = 0.01;
const MSS = 1_460;
/** More pieces of a few bytes than this only take time. */
const CRUMBS_MAX = 60;

/** One end of a connection. */
export class Socket {
  /** Who is at the other end. */
  readonly address: string;
  user: SocketUser = { readable: (): void => {}, reset: (): void => {} };
  readonly #network: StreamNetwork;
  readonly #troubles: StreamTroubles;
  #other!: Socket;
  /** Written, and not taken by the system. */
  #queue: Uint8Array[] = [];
  #unsentBytes = 0;
  #isPumping = false;
  /** Taken by the system, and not read by the other end. */
  #inSystem = 0;
  /** Taken by the system, and not on its way. */
  #held: Uint8Array[] = [];
  #isHolding = false;
  #lastArrivesAt = 0;
  #arrived: Uint8Array[] = [];
  #arrivedBytes = 0;
  #isReading = true;
  #isAbandoned = false;
  #isDead = false;
  #end: "none" | "wanted" | "sent" = "none";
  #otherEnd: "none" | "arrived" | "read" = "none";

  constructor(network: StreamNetwork, troubles: StreamTroubles, address: string) {
    this.#network = network;
    this.#troubles = troubles;
    this.address = address;
  }

  join(other: Socket): void {
    this.#other = other;
  }

  /** Written, and not taken by the system. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Whether nothing can be read or written any more because of a reset. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** Whether all that was written, and the end, are on their way. */
  get isFinished(): boolean {
    return this.#end === "sent" || this.#isDead;
  }

  get canRead(): boolean {
    return this.#isReading && !this.#isDead && !this.#isAbandoned &&
      (this.#arrivedBytes > 0 || this.#otherEnd === "arrived");
  }

  /** Bytes behind the own end, or after a reset, get nowhere. */
  write(bytes: Uint8Array): void {
    if (this.#isDead || this.#end !== "none" || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#unsentBytes += bytes.length;
    this.#pumpSoon();
  }

  /** Takes some bytes, the end, or nothing if there is nothing. */
  read(): Uint8Array | "end" | undefined {
    if (!this.canRead) return undefined;
    if (this.#arrivedBytes === 0) {
      this.#otherEnd = "read";
      return "end";
    }
    const { random } = this.#network;
    const { keepsBorders, readBytesMax, shortReads } = this.#troubles;
    let length = Math.min(readBytesMax, this.#arrivedBytes);
    if (keepsBorders) length = Math.min(length, this.#arrived[0]!.length);
    if (shortReads > 0 && random() < shortReads) length = 1 + Math.floor(random() * length);
    const bytes = this.#take(length);
    this.#network.note(bytes, this.address);
    return bytes;
  }

  setReading(isReading: boolean): void {
    this.#isReading = isReading;
    if (this.canRead) this.user.readable();
  }

  /** Says no more once everything written has left. */
  finish(): void {
    if (this.#end !== "none") return;
    this.#end = "wanted";
    this.#pumpSoon();
  }

  /** Nobody reads here any more. */
  abandon(): void {
    if (this.#isAbandoned) return;
    this.#isAbandoned = true;
    this.#abandoned();
  }

  /** Breaks the connection off. What is on its way, either way, is lost. */
  reset(): void {
    if (this.#isDead) return;
    this.#die();
    this.#network.after(this.#troubles.delayMs, () => this.#other.#resetArrived());
  }

  #resetArrived(): void {
    if (this.#isDead) return;
    this.#die();
    this.user.reset();
  }

  #die(): void {
    this.#isDead = true;
    this.#queue = [];
    this.#unsentBytes = 0;
    this.#held = [];
    this.#arrived = [];
    this.#arrivedBytes = 0;
  }

  #pumpSoon(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#network.after(0, () => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  /** The system takes what it has room for. */
  #pump(): void {
    if (this.#isDead) return;
    const { random } = this.#network;
    const { windowBytes, keepsBorders, holding, holdMs } = this.#troubles;
    while (this.#queue.length > 0 && this.#inSystem < windowBytes) {
      const head = this.#queue[0]!;
      const piece = head.subarray(0, windowBytes - this.#inSystem);
      if (piece.length === head.length) this.#queue.shift();
      else this.#queue[0] = head.subarray(piece.length);
      this.#unsentBytes -= piece.length;
      this.#inSystem += piece.length;
      this.#held.push(piece);
      if (keepsBorders) {
        this.#flush();
      } else if (!this.#isHolding && holding > 0 && random() < holding) {
        this.#isHolding = true;
        this.#network.after(random() * holdMs, () => {
          this.#isHolding = false;
          this.#flush();
        });
      }
    }
    if (this.#queue.length === 0 && this.#end === "wanted") {
      this.#end = "sent";
      this.#flush();
      this.#transmit(() => this.#other.#endArrived());
    } else if (!this.#isHolding) {
      this.#flush();
    }
  }

  #flush(): void {
    if (this.#held.length === 0 || this.#isDead) return;
    const bytes = this.#held.length === 1 ? this.#held[0]! : joined(this.#held);
    this.#held = [];
    for (const piece of this.#cut(bytes)) this.#transmit(() => this.#other.#arrive(piece));
  }

  #cut(bytes: Uint8Array): Uint8Array[] {
    const { random } = this.#network;
    const { keepsBorders, cutting } = this.#troubles;
    if (keepsBorders || !(random() < cutting)) return [bytes];
    const most = [3, 30, 300, MSS, bytes.length][Math.floor(random() * 5)]!;
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const isEnough = pieces.length >= CRUMBS_MAX;
      const length = isEnough ? MSS : 1 + Math.floor(random() * most);
      pieces.push(bytes.subarray(at, at + length));
      at += length;
    }
    return pieces;
  }

  #transmit(arrive: () => void): void {
    const { random, now } = this.#network;
    const { delayMs, jitterMs, pausing, pauseMs, keepsBorders } = this.#troubles;
    let at = now + delayMs;
    if (jitterMs > 0) at += random() * jitterMs;
    if (pausing > 0 && random() < pausing) at += random() * pauseMs;
    const after = this.#lastArrivesAt + (keepsBorders ? APART_MS : 0);
    this.#lastArrivesAt = Math.max(after, at);
    this.#network.at(this.#lastArrivesAt, () => {
      if (!this.#isDead && !this.#other.#isDead) arrive();
    });
  }

  #arrive(bytes: Uint8Array): void {
    this.#arrived.push(bytes);
    this.#arrivedBytes += bytes.length;
    if (this.#isAbandoned) this.#abandoned();
    else if (this.#isReading) this.user.readable();
  }

  #endArrived(): void {
    this.#otherEnd = "arrived";
    if (this.canRead) this.user.readable();
  }

  /** What comes to one who does not want it. */
  #abandoned(): void {
    if (this.#arrivedBytes === 0 || this.#isDead) return;
    if (this.#troubles.drains || this.#end !== "sent") this.#take(this.#arrivedBytes);
    else this.reset();
  }

  #take(length: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    for (let left = length; left > 0;) {
      const head = this.#arrived[0]!;
      const piece = head.subarray(0, left);
      if (piece.length === head.length) this.#arrived.shift();
      else this.#arrived[0] = head.subarray(piece.length);
      pieces.push(piece);
      left -= piece.length;
    }
    this.#arrivedBytes -= length;
    this.#network.after(this.#troubles.delayMs, () => this.#other.#taken(length));
    return pieces.length === 1 ? pieces[0]! : joined(pieces);
  }

  /** The other end has room again. */
  #taken(length: number): void {
    this.#inSystem -= length;
    if (this.#queue.length > 0) this.#pump();
  }
}

/** Options of {@link StreamHost}. */
export interface StreamHostOptions<Event> {
  network: StreamNetwork;
  /** Like `192.0.2.7:5000`; what stands before the colon is the network limits are counted by. */
  address: string;
  engine: StreamEngine<Event>;
  onEvent?: (event: Event) => void;
  /** Sees every write. */
  onSend?: (peer: Peer, bytes: Uint8Array) => void;
}

/** A connection as an engine knows it. */
export class StreamPeer extends AddressedPeer {
  readonly socket: Socket;
  /** Whether the engine may say something to it. */
  isOpen = true;

  constructor(socket: Socket) {
    super(socket.address);
    this.socket = socket;
  }
}

/** How long a host waits for what was queued to leave a connection that is to end. */
const LINGER_MS = 5_000;

/** Drives one engine at one address. */
export class StreamHost<Event> implements StreamOutbox<Event> {
  readonly address: string;
  /** The most that waited for one connection. */
  unsentBytesPeak = 0;
  readonly #options: StreamHostOptions<Event>;
  readonly #network: StreamNetwork;
  readonly #engine: StreamEngine<Event>;
  readonly #peers = new Set<StreamPeer>();
  /** Those that may have something to read. */
  readonly #ready = new Set<StreamPeer>();
  #justClosed: StreamPeer[] = [];
  #isTurnPlanned = false;
  #armedFor = Infinity;
  #timer = 0;
  #buffer = new Uint8Array(65_536);

  constructor(options: StreamHostOptions<Event>) {
    this.#options = options;
    this.#network = options.network;
    this.#engine = options.engine;
    this.address = options.address;
    this.#arm();
  }

  /** Connections that the engine knows. */
  get peers(): ReadonlySet<StreamPeer> {
    return this.#peers;
  }

  listen(): void {
    this.#network.listen(this.address, (socket) => void this.#open(socket));
  }

  /** Makes a connection. */
  connect(to: string, opened?: (peer: StreamPeer) => void, troubles?: StreamTroubles): void {
    const take = (socket: Socket): void => {
      const peer = this.#open(socket);
      opened?.(peer);
    };
    this.#network.connect(this.address, to, take, troubles);
  }

  /** Calls the engine from outside. */
  act(call: (now: number, out: StreamOutbox<Event>) => void): void {
    call(this.#network.now, this);
    this.#arm();
  }

  send(peer: Peer, bytes: Uint8Array): void {
    const { isOpen, socket } = peer as StreamPeer;
    assert(isOpen, `${peer.address} is sent something after its end`);
    this.#options.onSend?.(peer, bytes);
    socket.write(bytes);
    this.unsentBytesPeak = Math.max(this.unsentBytesPeak, socket.unsentBytes);
  }

  unsentBytes(peer: Peer): number {
    return (peer as StreamPeer).socket.unsentBytes;
  }

  setReading(peer: Peer, isReading: boolean): void {
    const { isOpen, socket } = peer as StreamPeer;
    assert(isOpen, `${peer.address} is to be read or not after its end`);
    socket.setReading(isReading);
  }

  close(peer: Peer): void {
    const simulated = peer as StreamPeer;
    assert(simulated.isOpen, `${peer.address} is closed twice`);
    this.#letGo(simulated);
    this.#justClosed.push(simulated);
  }

  emit(event: Event): void {
    this.#options.onEvent?.(event);
  }

  #open(socket: Socket): StreamPeer {
    const peer = new StreamPeer(socket);
    this.#peers.add(peer);
    socket.user = {
      readable: (): void => this.#readable(peer),
      reset: (): void => {
        this.#ended(peer, "reset");
        this.#advanceIfDue();
      },
    };
    this.#engine.opened(peer, this.#network.now, this);
    if (socket.isDead) this.#ended(peer, "reset");
    this.#check(peer);
    this.#arm();
    if (socket.canRead) this.#readable(peer);
    return peer;
  }

  #ended(peer: StreamPeer, end: StreamEnd): void {
    if (!peer.isOpen) return;
    this.#engine.ended(peer, end, this.#network.now, this);
    if (peer.isOpen) this.#letGo(peer);
    this.#check(peer);
  }

  /** Nothing is told to the engine about it any more; what is queued still leaves. */
  #letGo(peer: StreamPeer): void {
    peer.isOpen = false;
    this.#peers.delete(peer);
    this.#ready.delete(peer);
    peer.socket.finish();
    peer.socket.abandon();
    this.#network.after(LINGER_MS, () => {
      if (!peer.socket.isFinished) peer.socket.reset();
    });
  }

  #readable(peer: StreamPeer): void {
    this.#ready.add(peer);
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    const { turnMs } = this.#network.troubles;
    const waitMs = turnMs > 0 ? this.#network.random() * turnMs : 0;
    this.#network.after(waitMs, () => {
      this.#isTurnPlanned = false;
      this.#readAll();
      this.#advanceIfDue();
    });
  }

  /** Reads, one after the other, until nothing more is to be read at once. */
  #readAll(): void {
    while (this.#ready.size > 0) {
      for (const peer of this.#ready) {
        const read = peer.socket.read();
        if (read === undefined) {
          this.#ready.delete(peer);
        } else if (read === "end") {
          this.#ended(peer, "closed");
        } else {
          const chunk = this.#buffer.subarray(0, read.length);
          chunk.set(read);
          this.#engine.receive(chunk, peer, this.#network.now, this);
          chunk.fill(0xaa); // The next bytes will be here.
          this.#check(peer);
        }
      }
    }
  }

  #advanceIfDue(): void {
    if (this.#engine.nextDeadline() <= this.#network.now) this.#advance();
    this.#arm();
  }

  #advance(): void {
    const { now } = this.#network;
    this.#engine.advance(now, this);
    const next = this.#engine.nextDeadline();
    assert(next > now, `the next deadline ${next} is not after advance(${now})`);
    this.#checkClosed();
  }

  #arm(): void {
    const deadline = this.#engine.nextDeadline();
    assert(!Number.isNaN(deadline), "a deadline is a time");
    if (deadline >= this.#armedFor) return;
    this.#armedFor = deadline;
    const timer = ++this.#timer;
    const { now, random, timerLateMs } = this.#network;
    const waitMs = Math.max(0, Math.ceil(deadline - now)) + random() * timerLateMs;
    this.#network.after(waitMs, () => {
      if (timer !== this.#timer) return;
      this.#armedFor = Infinity;
      this.#readAll();
      this.#advance();
      this.#arm();
    });
  }

  #check(peer: StreamPeer): void {
    assertEquals(this.#engine.remembers(peer), peer.isOpen, `whether ${peer.address} is known`);
    this.#checkClosed();
  }

  #checkClosed(): void {
    for (const peer of this.#justClosed) {
      assert(!this.#engine.remembers(peer), `${peer.address} is remembered`);
    }
    this.#justClosed = [];
  }
}

/** Several pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
