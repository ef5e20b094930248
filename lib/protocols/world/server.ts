/**
 * The world's server: lets clients in, and tells each what changed until it has acked it.
 *
 * | stage | begins with | is sent | ends |
 * | --- | --- | --- | --- |
 * | unproved | a knock | an ACK and one snapshot, a few times; below 2 kB in all | 10 s after, or when displaced |
 * | proved | the first right ACK | everything | with `stop`, or `silenceMs` without an ACK |
 *
 * An ACK is right when it has a number that this address was sent: who forges its address has to guess.
 */
import type { Histogram } from "../../parts/histogram.ts";
import type { Overspent } from "../../parts/budget.ts";
import { checkRange } from "../../parts/range.ts";
import { Steps } from "../../parts/steps.ts";
import type { Engine, Member, Membership, Outbox, Peer } from "../engine.ts";
import { Guests, type Obstacle } from "./guests.ts";
import { type ClientMessage, FULL, isServersWord, readClientMessage, STOP } from "./messages.ts";
import { Payloads } from "./payloads.ts";
import { type Lagging, Rounds } from "./rounds.ts";
import { type Source, Subscriber } from "./subscriber.ts";
import {
  decodeHeader,
  decodePayload,
  encodeAck,
  encodeMessage,
  looksLikeAck,
  SENT_BYTES_MAX,
  SEQUENCES,
  type WireRefusal,
} from "./wire.ts";
import type { Changes, World } from "./world.ts";

/**
 * Why a datagram had no effect: see {@link WireRefusal}, or
 * - `unknown`: of a type that means nothing
 * - `shape`: a field is missing or wrong
 * - `stranger`: an ACK from an address that was sent nothing
 * - `rate`: too many from one network, or more than its share in a flood
 * - `busy`: too many from everywhere
 * - `full`: every place is taken
 * - `full-network`: too many clients of one IPv4 address or IPv6 /64 network
 */
export type WorldRefusal =
  | WireRefusal
  | "unknown"
  | "shape"
  | "stranger"
  | Overspent
  | Obstacle;

/** Why a client is gone: it said so, acked nothing, or the server sent it away. */
export type WorldDeparture = "stopped" | "silent" | "expelled";

/** What the server tells its host. */
export type WorldServerEvent =
  /** A client has shown that it hears us. */
  | { kind: "joined"; peer: Peer; hasDiffs: boolean }
  /** A client is gone. */
  | { kind: "left"; peer: Peer; reason: WorldDeparture }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: WorldRefusal }
  | Lagging
  /** The server stood still for so long that the world did too. At most every 10 s. */
  | { kind: "stalled"; lostMs: number };

/** Options of {@link createWorldServer}. */
export interface WorldServerOptions {
  /** What is told. */
  world: World;
  /** Ticks a second, up to 1000; 0 when only `tick` makes them. Default 100. */
  tickRateHz?: number;
  /** Called at each tick to move things; also several times in a row to make up for lost time. */
  step?: (world: World, seconds: number, time: number) => void;
  /** Every object is told whole again this often, whether it changed or not; 0 for never. Default 10,000. */
  keyframeMs?: number;
  /** A client that acks nothing for so long is gone. Default 10,000. */
  silenceMs?: number;
  /** Clients at most. Default 512. */
  clientsMax?: number;
  /** Clients of one IPv4 address or IPv6 /64 network. Default 64. */
  clientsPerNetworkMax?: number;
  /** Addresses that knocked and have not acked anything yet. More displace the eldest. Default 4,096. */
  unprovedMax?: number;
  /** What one client is sent at most, with the headers of UDP and IP, from 1,200. Default 262,144. */
  bytesPerSecond?: number;
  /** The time of day in ms, as `Date.now` gives it. */
  unixMs: () => number;
  /** From 0 inclusive to 1 exclusive: for numbers that nobody should guess. */
  random: () => number;
}

/** Figures of a server. */
export interface WorldCensus {
  /** Clients that are told everything. */
  clients: number;
  /** Addresses that have not acked anything yet. */
  unproved: number;
  /** Things in the world. */
  objects: number;
  /** Ticks so far. */
  time: number;
}

/** How it goes with one client. */
export interface WorldClientStatus {
  /** Its address. */
  peer: Peer;
  /** Whether it understands diffs. */
  hasDiffs: boolean;
  /** Whether it has everything that was there when it came. */
  isSynced: boolean;
  /** Undefined before the first ACK. */
  roundTripMs: number | undefined;
  /** The share of the last packets that was not acked in time, from 0 to 1. */
  loss: number;
}

/**
 * The server's engine. Its members are the clients that are told everything. One that is expelled hears
 * `stop`, if it understands it: so netsync's own asks again a second later.
 */
export interface WorldServerEngine
  extends Engine<WorldServerEvent>, Membership<Outbox<WorldServerEvent>> {
  /** What it tells. */
  readonly world: World;
  /** How late each tick was, in ms. Whoever reads it may clear it. */
  readonly lateness: Histogram;
  /** Figures of this moment. */
  census(): WorldCensus;
  /** Those who are told everything, in the order of their coming. */
  clients(): WorldClientStatus[];
  /** Says to those who understand it that the server ends. */
  close(now: number, out: Outbox<WorldServerEvent>): void;
  /**
   * One tick, whenever it suits.
   *
   * @throws {TypeError} The server makes its ticks itself.
   */
  tick(now: number, out: Outbox<WorldServerEvent>): void;
}

const TICK_RATE_HZ_MAX = 1_000;
/** What a client may say is short: a longer datagram is not worth reading. */
const RECEIVED_BYTES_MAX = 512;
const UNPROVED_MS = 10_000;
/** Clients are looked after this often, also when ticks are rarer; */
const SERVICE_MS = 50;
/** and then so soon after one came. */
const SERVICE_SOON_MS = 5;
/** A host this late was asleep: nobody could be heard. */
const ASLEEP_MS = 1_000;

/**
 * A server of a world that others replicate.
 *
 * @throws {RangeError} An option makes no sense.
 */
export function createWorldServer(options: WorldServerOptions): WorldServerEngine {
  return new Server(options);
}

class Server implements WorldServerEngine {
  readonly #options: Required<Omit<WorldServerOptions, "step">> & WorldServerOptions;
  readonly #source: Source;
  readonly #guests: Guests;
  readonly #rounds: Rounds;
  readonly #clock: Steps;
  #serviceAt = Infinity;
  #servedAt = -Infinity;

  constructor(options: WorldServerOptions) {
    this.#options = {
      ...options,
      tickRateHz: options.tickRateHz ?? 100,
      keyframeMs: options.keyframeMs ?? 10_000,
      silenceMs: options.silenceMs ?? 10_000,
      clientsMax: options.clientsMax ?? 512,
      clientsPerNetworkMax: options.clientsPerNetworkMax ?? 64,
      unprovedMax: options.unprovedMax ?? 4_096,
      bytesPerSecond: options.bytesPerSecond ?? 262_144,
    };
    const { world, random, unixMs, tickRateHz, keyframeMs } = this.#options;
    checkRange("tickRateHz", tickRateHz, 0, TICK_RATE_HZ_MAX);
    checkRange("keyframeMs", keyframeMs, 0);
    for (
      const name of ["silenceMs", "clientsMax", "clientsPerNetworkMax", "unprovedMax"] as const
    ) {
      checkRange(name, this.#options[name], 1);
    }
    checkRange("bytesPerSecond", this.#options.bytesPerSecond, SENT_BYTES_MAX);
    world.own(this);
    this.#clock = new Steps(1_000 / tickRateHz);
    this.#guests = new Guests(this.#options);
    const payloads = new Payloads(world, Math.floor(random() * 2 ** 32), tickRateHz);
    this.#rounds = new Rounds(this.#guests, world, payloads, keyframeMs);
    this.#source = {
      world,
      payloads,
      unixMs,
      mayProbe: (peer, bytes, now) => this.#guests.mayTry(peer, bytes, now),
    };
  }

  get world(): World {
    return this.#options.world;
  }

  get lateness(): Histogram {
    return this.#clock.lateness;
  }

  census(): WorldCensus {
    const { entities, time } = this.world;
    const { proved, unproved } = this.#guests;
    return { clients: proved.size, unproved: unproved.size, objects: entities.size, time };
  }

  clients(): WorldClientStatus[] {
    return Array.from(this.#guests.proved, (subscriber) => {
      const { peer, hasDiffs, isSynced } = subscriber;
      return { peer, hasDiffs, isSynced, ...subscriber.path };
    });
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<WorldServerEvent>): void {
    const reason = this.#receive(datagram, from, now, out);
    if (reason) out.emit({ kind: "refused", peer: from, reason });
  }

  advance(now: number, out: Outbox<WorldServerEvent>): void {
    try {
      this.#runTicks(now, out);
    } finally {
      this.#serve(now, out);
    }
  }

  nextDeadline(): number {
    return Math.min(this.#nextTickAt(), this.#serviceAt, this.#rounds.nextSliceAt());
  }

  remembers(peer: Peer): boolean {
    return this.#guests.get(peer) !== undefined;
  }

  members(): Member[] {
    return Array.from(this.#guests.proved, ({ peer, path: { roundTripMs } }) => ({
      peer,
      name: peer.address,
      roundTripMs,
    }));
  }

  expel(peer: Peer, now: number, out: Outbox<WorldServerEvent>): void {
    const subscriber = this.#guests.get(peer);
    if (!subscriber) return;
    if (subscriber.isProved && subscriber.hasDiffs) subscriber.say(STOP, now, out);
    this.#remove(subscriber, "expelled", out);
  }

  close(now: number, out: Outbox<WorldServerEvent>): void {
    for (const subscriber of this.#guests.proved) {
      if (subscriber.hasDiffs) subscriber.say(STOP, now, out);
    }
  }

  tick(now: number, out: Outbox<WorldServerEvent>): void {
    if (this.#options.tickRateHz > 0) {
      throw new TypeError("this server makes its ticks itself: give it a tick rate of 0");
    }
    this.#tell(this.world.tick(1, this), now, out);
  }

  // ---- who is there

  #receive(
    datagram: Uint8Array,
    from: Peer,
    now: number,
    out: Outbox<WorldServerEvent>,
  ): WorldRefusal | undefined {
    const known = this.#guests.get(from);
    // Cheap before dear: what has no effect anyway is not even read.
    if (!known && looksLikeAck(datagram)) return "stranger";
    const header = decodeHeader(datagram);
    if (header.kind === "refused") return header.reason;
    if (header.kind === "ack") {
      if (known) this.#onAck(known, header.sequence, now, out);
      return undefined;
    }
    if (datagram.length > RECEIVED_BYTES_MAX) return "oversize";
    const overspent = this.#guests.overspentBy(from, known, now);
    if (overspent) return overspent;
    const payload = decodePayload(datagram);
    if (typeof payload === "string") return payload;
    // An ACK would be the proof that another server needs to tell us its world for ever.
    if (isServersWord(payload)) return "unknown";
    // Duplicates are acked too: the first ACK may be lost.
    out.send(from, encodeAck(header.sequence));
    const message = readClientMessage(payload);
    if (message.kind === "refused") return message.reason;
    return this.#onMessage(message, from, known, now, out);
  }

  #onMessage(
    message: ClientMessage,
    from: Peer,
    known: Subscriber | undefined,
    now: number,
    out: Outbox<WorldServerEvent>,
  ): WorldRefusal | undefined {
    switch (message.kind) {
      case "knock":
        if (!known) return this.#onKnock(from, message.diffs, now, out);
        known.knock(message.diffs);
        return undefined;
      case "stop":
        if (known) this.#remove(known, "stopped", out);
        return undefined;
      case "ping":
        return undefined;
      default:
        message satisfies never;
    }
  }

  #onKnock(
    peer: Peer,
    hasDiffs: boolean,
    now: number,
    out: Outbox<WorldServerEvent>,
  ): WorldRefusal | undefined {
    const obstacle = this.#guests.obstacleFor(peer);
    if (obstacle) {
      this.#sayFull(peer, now, out);
      return obstacle;
    }
    const { bytesPerSecond, silenceMs, random } = this.#options;
    const firstSequence = Math.floor(random() * SEQUENCES);
    const options = { bytesPerSecond, silenceMs, firstSequence };
    if (this.#guests.size === 0) this.#servedAt = now;
    this.#guests.add(new Subscriber(peer, this.#source, options, hasDiffs, now));
    this.#serveWithin(SERVICE_SOON_MS, now);
    return undefined;
  }

  #sayFull(peer: Peer, now: number, out: Outbox<WorldServerEvent>): void {
    const datagram = encodeMessage(Math.floor(this.#options.random() * SEQUENCES), FULL);
    if (this.#guests.mayTry(peer, datagram.length, now)) out.send(peer, datagram);
  }

  #onAck(
    subscriber: Subscriber,
    sequence: number,
    now: number,
    out: Outbox<WorldServerEvent>,
  ): void {
    switch (subscriber.acked(sequence, now)) {
      case "guessing":
        return this.#remove(subscriber, "silent", out);
      case "proved":
        return this.#admit(subscriber, now, out);
    }
  }

  #admit(subscriber: Subscriber, now: number, out: Outbox<WorldServerEvent>): void {
    const { peer, hasDiffs } = subscriber;
    const obstacle = this.#guests.obstacleFor(peer);
    if (obstacle) {
      this.#sayFull(peer, now, out);
      this.#guests.remove(subscriber);
      return out.emit({ kind: "refused", peer, reason: obstacle });
    }
    this.#guests.admit(subscriber, now);
    this.#serveWithin(SERVICE_SOON_MS, now);
    out.emit({ kind: "joined", peer, hasDiffs });
  }

  #remove(subscriber: Subscriber, reason: WorldDeparture, out: Outbox<WorldServerEvent>): void {
    const { peer, isProved } = subscriber;
    this.#guests.remove(subscriber);
    if (isProved) out.emit({ kind: "left", peer, reason });
  }

  // ---- time

  #nextTickAt(): number {
    return this.#options.tickRateHz === 0 ? Infinity : this.#clock.nextAt() ?? -Infinity;
  }

  /** Does the ticks that are due, and tells of them all at once. */
  #runTicks(now: number, out: Outbox<WorldServerEvent>): void {
    const { tickRateHz, step, world } = this.#options;
    if (tickRateHz === 0) return;
    const { count, stalledMs } = this.#clock.take(now);
    if (stalledMs > 0) out.emit({ kind: "stalled", lostMs: stalledMs });
    if (count === 0) return;
    const seconds = 1_000 / tickRateHz / 1_000;
    try {
      for (let tick = 1; tick <= count; tick++) step?.(world, seconds, world.time + tick);
    } finally {
      // What a failing step has done so far is told all the same.
      this.#tell(world.tick(count, this), now, out);
    }
  }

  // ---- telling everybody

  #tell(changes: Changes, now: number, out: Outbox<WorldServerEvent>): void {
    if (this.#guests.size === 0) return;
    this.#dropSilent(now, out);
    this.#serveAgain(now);
    this.#rounds.tell(changes, now, out);
  }

  /** Goes on with a round; or begins one, if no tick did. */
  #serve(now: number, out: Outbox<WorldServerEvent>): void {
    if (now < this.#serviceAt) return this.#rounds.advance(now, out);
    this.#dropSilent(now, out);
    this.#serveAgain(now);
    this.#rounds.lookAfter(now, out);
  }

  #serveAgain(now: number): void {
    this.#serviceAt = Infinity;
    this.#serveWithin(SERVICE_MS, now);
  }

  /** Unless ticks come that soon anyway. */
  #serveWithin(ms: number, now: number): void {
    const { tickRateHz } = this.#options;
    const isNeeded = this.#guests.size > 0 && !(1_000 / tickRateHz <= SERVICE_MS);
    if (isNeeded) this.#serviceAt = Math.min(this.#serviceAt, now + ms);
  }

  #dropSilent(now: number, out: Outbox<WorldServerEvent>): void {
    const wasAsleep = now - this.#servedAt >= ASLEEP_MS;
    this.#servedAt = now;
    const { proved, unproved } = this.#guests;
    for (
      const [subscribers, patienceMs] of [
        [proved, this.#options.silenceMs],
        [unproved, UNPROVED_MS],
      ] as const
    ) {
      for (const subscriber of subscribers) {
        if (wasAsleep) subscriber.excuse(now);
        if (now - subscriber.heardAt >= patienceMs) this.#remove(subscriber, "silent", out);
      }
    }
  }
}
