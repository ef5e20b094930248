/**
 * A network, clocks and hosts in virtual time: everything comes from one seed.
 *
 * Hosts drive engines as the UDP host does. They intern addresses, but only those the engine
 * remembers; they queue what leaves, with one place for the newest broadcast to each peer; they call
 * `advance` when the last broadcast has left; their timers fire late. Between hosts datagrams are
 * lost, repeated, delayed and so reordered, and links are cut, one way or both.
 */
import { assert } from "@std/assert";
import type { Engine, Outbox, Peer } from "../../lib/protocols/engine.ts";
import type { Random } from "../../lib/parts/random.ts";

/** What happens to datagrams on their way. All zero: they arrive at once, each once. */
export interface LinkFaults {
  /** Share of datagrams that do not arrive. */
  loss: number;
  /** Share of datagrams that arrive twice. */
  duplication: number;
  /** The shortest way. */
  delayMs: number;
  /** At most so much longer; two datagrams differ, so they may overtake each other. */
  jitterMs: number;
}

/** A network on which nothing goes wrong. */
export const NO_FAULTS: LinkFaults = { loss: 0, duplication: 0, delayMs: 1, jitterMs: 0 };

/** What goes wrong in a game; each kind of fault is missing in every second one. */
export interface Troubles extends LinkFaults {
  /** How often a client is cut off, on average. */
  cutsPerClient: number;
  /** Share of the clients that leave. */
  leaving: number;
  /** Share of the clients that are started anew. */
  restarting: number;
}

/** None, or a share of the most. */
export function maybe(random: Random, most: number): number {
  return random() < 0.5 ? 0 : random() * most;
}

/** Troubles of all kinds. */
export function troublesFor(random: Random): Troubles {
  return {
    loss: maybe(random, 0.3),
    duplication: maybe(random, 0.2),
    delayMs: maybe(random, 100),
    jitterMs: maybe(random, 200),
    cutsPerClient: maybe(random, 1),
    leaving: maybe(random, 0.4),
    restarting: maybe(random, 0.4),
  };
}

/** Rewrites addresses on the way, as routers do. */
export interface Routers {
  /** A datagram leaves a machine; undefined when it gets nowhere. */
  send(from: string, to: string): Passage | undefined;
}

/** A datagram's way. */
export interface Passage {
  /** The sender as the receiver sees it. */
  from: string;
  /** Which machine it reaches, when it arrives there; undefined when a router drops it. */
  deliver(): string | undefined;
}

/** Options of {@link Network}. */
export interface NetworkOptions {
  random: Random;
  faults: LinkFaults;
  /** Timers fire up to so much late. */
  timerLateMs: number;
  /** Sees every datagram when it leaves a host. */
  onTransmit?: (bytes: Uint8Array, from: string, to: string) => void;
  /** Default: everybody has an address of their own that all can reach. */
  routers?: Routers;
}

const NO_ROUTERS: Routers = { send: (from, to) => ({ from, deliver: () => to }) };

interface Happening {
  at: number;
  order: number;
  run: () => void;
}

/** The whole simulated world. */
export class Network {
  readonly random: Random;
  /** May be changed at any time; counts for datagrams sent from then on. */
  faults: LinkFaults;
  readonly timerLateMs: number;
  /** The longest queue of single datagrams and the largest peer table of any host so far. */
  readonly peaks = { letters: 0, broadcasts: 0, peers: 0 };
  readonly #onTransmit: (bytes: Uint8Array, from: string, to: string) => void;
  readonly #routers: Routers;
  readonly #hosts = new Map<string, { take(bytes: Uint8Array, from: string): void }>();
  readonly #cuts = new Set<string>();
  readonly #agenda = new Agenda();
  #now = 0;
  #trace = 0x811c9dc5;

  constructor(options: NetworkOptions) {
    this.random = options.random;
    this.faults = options.faults;
    this.timerLateMs = options.timerLateMs;
    this.#onTransmit = options.onTransmit ?? ((): void => {});
    this.#routers = options.routers ?? NO_ROUTERS;
  }

  /** Virtual milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** A digest of everything that was sent and received, and when. */
  get trace(): number {
    return this.#trace;
  }

  /** Does something at a time, after what is already planned for that time. */
  at(time: number, run: () => void): void {
    this.#agenda.add(Math.max(time, this.#now), run);
  }

  /** Lets time pass. */
  runUntil(end: number): void {
    for (let next = this.#agenda.take(end); next; next = this.#agenda.take(end)) {
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }

  /** Datagrams from one address to another are lost from now on. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** They arrive again. */
  heal(from: string, to: string): void {
    this.#cuts.delete(`${from}>${to}`);
  }

  /** No link is cut any more. */
  healAll(): void {
    this.#cuts.clear();
  }

  bind(address: string, host: { take(bytes: Uint8Array, from: string): void }): void {
    assert(!this.#hosts.has(address), `${address} is taken`);
    this.#hosts.set(address, host);
  }

  unbind(address: string): void {
    this.#hosts.delete(address);
  }

  /** A datagram leaves. */
  transmit(bytes: Uint8Array, from: string, to: string): void {
    this.#onTransmit(bytes, from, to);
    this.#note(bytes, from, to);
    const { loss, duplication } = this.faults;
    if (this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}`)) return;
    if (loss > 0 && this.random() < loss) return;
    const passage = this.#routers.send(from, to);
    if (!passage) return;
    this.#carry(bytes, passage, to);
    if (duplication > 0 && this.random() < duplication) this.#carry(bytes, passage, to);
  }

  #carry(bytes: Uint8Array, { from, deliver }: Passage, to: string): void {
    const { delayMs, jitterMs } = this.faults;
    const arrivesAt = this.#now + delayMs + (jitterMs > 0 ? this.random() * jitterMs : 0);
    this.at(arrivesAt, () => {
      const host = this.#hosts.get(deliver() ?? "");
      if (!host) return;
      this.#note(bytes, to, from);
      host.take(bytes, from);
    });
  }

  #note(bytes: Uint8Array, one: string, other: string): void {
    this.#mix(Math.round(this.#now * 1_000));
    this.#mix(bytes.length);
    for (let at = 0; at < bytes.length; at += 7) this.#mix(bytes[at]!);
    for (let at = 0; at < one.length; at++) this.#mix(one.charCodeAt(at));
    for (let at = 0; at < other.length; at++) this.#mix(other.charCodeAt(at));
  }

  #mix(value: number): void {
    this.#trace = Math.imul(this.#trace ^ value, 0x01000193) >>> 0;
  }
}

/** Options of {@link Host}. */
export interface HostOptions<Event> {
  network: Network;
  /** Like `192.0.2.7:5000`; what stands before the colon is the network limits are counted by. */
  address: string;
  engine: Engine<Event>;
  onEvent?: (event: Event) => void;
  /** How long the system takes for one datagram. */
  sendMs: number;
}

/** A peer that is known by an address like `10.1.0.1:5000`. */
export class AddressedPeer implements Peer {
  readonly address: string;

  constructor(address: string) {
    this.address = address;
  }

  get ip(): string {
    return this.address.slice(0, this.address.indexOf(":"));
  }

  get port(): number {
    return Number(this.address.slice(this.address.indexOf(":") + 1));
  }

  get network(): string {
    return this.ip;
  }
}

class SimulatedPeer extends AddressedPeer {
  queued: Uint8Array | undefined;
}

/** Longest queue of single datagrams: more are dropped. */
const LETTERS_MAX = 4_096;

/** Drives one engine at one address. */
export class Host<Event> implements Outbox<Event> {
  readonly address: string;
  readonly #network: Network;
  readonly #engine: Engine<Event>;
  readonly #onEvent: (event: Event) => void;
  readonly #sendMs: number;
  readonly #peers = new Map<string, SimulatedPeer>();
  #peersToSweepAt = 64;
  #letters: { peer: SimulatedPeer; bytes: Uint8Array }[] = [];
  #broadcasts: SimulatedPeer[] = [];
  #broadcastInFlight = 0;
  #pumping = false;
  #lettersTurn = true;
  #armedFor = Infinity;
  #timer = 0;
  #closed = false;
  readonly #buffer = new Uint8Array(4_096);

  constructor(options: HostOptions<Event>) {
    this.address = options.address;
    this.#network = options.network;
    this.#engine = options.engine;
    this.#onEvent = options.onEvent ?? ((): void => {});
    this.#sendMs = options.sendMs;
    this.#network.bind(this.address, this);
    this.#arm();
  }

  /** Addresses it keeps an object for. */
  get peers(): number {
    return this.#peers.size;
  }

  /** Datagrams that wait. */
  get waiting(): number {
    return this.#letters.length + this.#broadcasts.length;
  }

  /** The peer at an address, to say something to first. */
  peerAt(address: string): Peer {
    let peer = this.#peers.get(address);
    if (!peer) this.#keep(peer = new SimulatedPeer(address));
    return peer;
  }

  /** Calls the engine from outside. */
  act(call: (now: number, out: Outbox<Event>) => void): void {
    if (this.#closed) return;
    call(this.#network.now, this);
    this.#arm();
  }

  /** Ends at once: what is queued is lost, the address is free. */
  close(): void {
    this.#closed = true;
    this.#network.unbind(this.address);
  }

  take(bytes: Uint8Array, from: string): void {
    const known = this.#peers.get(from);
    const peer = known ?? new SimulatedPeer(from);
    const buffer = bytes.length <= this.#buffer.length ? this.#buffer : new Uint8Array(65_536);
    const datagram = buffer.subarray(0, bytes.length);
    datagram.set(bytes);
    this.#engine.receive(datagram, peer, this.#network.now, this);
    datagram.fill(0xaa); // The next datagram will be here.
    if (!known && this.#engine.remembers(peer)) this.#keep(peer);
    this.#arm();
  }

  send(peer: Peer, bytes: Uint8Array): void {
    if (this.#letters.length >= LETTERS_MAX) return;
    this.#letters.push({ peer: peer as SimulatedPeer, bytes });
    this.#startPump();
  }

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    for (const peer of peers as Iterable<SimulatedPeer>) {
      if (peer.queued === undefined) this.#broadcasts.push(peer);
      peer.queued = bytes;
    }
    this.#startPump();
  }

  emit(event: Event): void {
    this.#onEvent(event);
  }

  get backlog(): number {
    return this.#broadcasts.length + this.#broadcastInFlight;
  }

  get unsent(): number {
    return this.#letters.length;
  }

  #keep(peer: SimulatedPeer): void {
    if (this.#peers.size + 1 >= this.#peersToSweepAt) {
      for (const known of this.#peers.values()) {
        if (!this.#engine.remembers(known)) this.#peers.delete(known.address);
      }
      this.#peersToSweepAt = Math.max(64, 2 * this.#peers.size);
    }
    this.#peers.set(peer.address, peer);
    const { peaks } = this.#network;
    peaks.peers = Math.max(peaks.peers, this.#peers.size);
  }

  #startPump(): void {
    const { peaks } = this.#network;
    peaks.letters = Math.max(peaks.letters, this.#letters.length);
    peaks.broadcasts = Math.max(peaks.broadcasts, this.#broadcasts.length);
    if (this.#pumping) return;
    this.#pumping = true;
    this.#network.at(this.#network.now, () => this.#pump());
  }

  /** Sends until the queue is empty or, where sending takes time, the next one. */
  #pump(): void {
    while (!this.#closed && this.waiting > 0) {
      const letter = this.#lettersTurn || this.#broadcasts.length === 0
        ? this.#letters.shift()
        : undefined;
      this.#lettersTurn = !this.#lettersTurn;
      const peer = letter ? letter.peer : this.#broadcasts.shift();
      if (!peer) continue;
      const bytes = letter ? letter.bytes : peer.queued!;
      if (!letter) {
        peer.queued = undefined;
        this.#broadcastInFlight = 1;
      }
      const sent = (): void => {
        this.#network.transmit(bytes, this.address, peer.address);
        if (letter) return;
        this.#broadcastInFlight = 0;
        if (this.#broadcasts.length === 0) this.act((now) => this.#engine.advance(now, this));
      };
      if (this.#sendMs > 0) {
        return this.#network.at(this.#network.now + this.#sendMs, () => {
          if (this.#closed) return;
          sent();
          this.#pump();
        });
      }
      sent();
    }
    this.#pumping = false;
  }

  #arm(): void {
    const deadline = this.#engine.nextDeadline();
    assert(!Number.isNaN(deadline), "a deadline is a time");
    if (deadline >= this.#armedFor || this.#closed) return;
    this.#armedFor = deadline;
    const timer = ++this.#timer;
    const { now, random, timerLateMs } = this.#network;
    const waitMs = Math.max(0, Math.ceil(deadline - now)) + random() * timerLateMs;
    this.#network.at(now + waitMs, () => {
      if (timer !== this.#timer || this.#closed) return;
      this.#armedFor = Infinity;
      const firedAt = this.#network.now;
      this.#engine.advance(firedAt, this);
      const next = this.#engine.nextDeadline();
      assert(next > firedAt, `the next deadline ${next} is not after advance(${firedAt})`);
      this.#arm();
    });
  }
}

/** What is to happen, in order of time and then of planning: a binary heap. */
class Agenda {
  readonly #heap: Happening[] = [];
  #order = 0;

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    const happening = { at, order: this.#order++, run };
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(happening, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = happening;
  }

  /** Takes what comes first, if it comes until `end`. */
  take(end: number): Happening | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (!first || first.at > end) return undefined;
    const last = heap.pop()!;
    if (last !== first) this.#sink(last);
    return first;
  }

  #sink(happening: Happening): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, happening)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = happening;
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
