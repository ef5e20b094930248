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
import { Budget } from "../../parts/budget.ts";
import { Histogram } from "../../parts/histogram.ts";
import { Metronome } from "../../parts/metronome.ts";
import type { Engine, Outbox, Peer } from "../engine.ts";
import { type ClientMessage, FULL, readClientMessage } from "./messages.ts";
import { Payloads } from "./payloads.ts";
import { type News, type SharedMessage, type Source, Subscriber } from "./subscriber.ts";
import { decodePacket, encodeAck, encodeMessage, looksLikeAck, SEQUENCES } from "./wire.ts";
import type { WireRefusal } from "./wire.ts";
import type { Changes, Entity, World } from "./world.ts";

/**
 * Why a datagram had no effect: see {@link WireRefusal}, or
 * - `unknown`: of a type that means nothing
 * - `shape`: a field is missing or wrong
 * - `stranger`: an ACK from an address that was sent nothing
 * - `rate`: too many from one network
 * - `full`: every place is taken
 * - `full-network`: too many clients of one IPv4 address or IPv6 /64 network
 */
export type WorldRefusal =
  | WireRefusal
  | "unknown"
  | "shape"
  | "stranger"
  | "rate"
  | "full"
  | "full-network";

/** Why a client is gone: it said so, or acked nothing. */
export type WorldDeparture = "stopped" | "silent";

/** What the server tells its host. */
export type WorldServerEvent =
  /** A client has shown that it hears us. */
  | { kind: "joined"; peer: Peer; hasDiffs: boolean }
  /** A client is gone. */
  | { kind: "left"; peer: Peer; reason: WorldDeparture }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: WorldRefusal }
  /** Sending took so long that some were told of fewer ticks than there were. At most every 10 s. */
  | { kind: "lagging"; toldShare: number }
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
  /** What one client is sent at most, with the headers of UDP and IP. Default 262,144. */
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

/** The server's engine. */
export interface WorldServerEngine extends Engine<WorldServerEvent> {
  /** What it tells. */
  readonly world: World;
  /** How late each tick was, in ms. Whoever reads it may clear it. */
  readonly lateness: Histogram;
  /** Figures of this moment. */
  census(): WorldCensus;
  /** Those who are told everything, in the order of their coming. */
  clients(): WorldClientStatus[];
  /**
   * One tick, whenever it suits.
   *
   * @throws {TypeError} The server makes its ticks itself.
   */
  tick(now: number, out: Outbox<WorldServerEvent>): void;
}

const UNPROVED_MS = 10_000;
/** What is sent to addresses of one network before they have acked anything, in bytes. */
const TRIAL_BUDGET = { perSecond: 2_000, burst: 16_000, keysMax: 4_096 };
/** Packets that want an ACK, of one network: clients send about one a second. */
const RECEIVING_BUDGET = { perSecond: 400, burst: 800, keysMax: 4_096 };
/** Without ticks, clients are looked after this often; */
const SERVICE_MS = 50;
/** and so soon after one came. */
const SERVICE_SOON_MS = 5;
/** A host this late was asleep. */
const ASLEEP_MS = 1_000;
/** A server that is later than this lets time stand still, rather than be later still. */
const CATCH_UP_MS = 250;
/** So many datagrams wait at most before more are added: about 20 ms of sending. */
const UNSENT_MAX = 2_048;
const REPORT_MS = 10_000;
/** A smaller share of clients that are told a tick later is no news. */
const LATE_SHARE_MIN = 0.2;

/** A server of a world that others replicate. */
export function createWorldServer(options: WorldServerOptions): WorldServerEngine {
  return new Server(options);
}

class Server implements WorldServerEngine {
  readonly lateness = new Histogram();
  readonly #options: Required<Omit<WorldServerOptions, "step">> & WorldServerOptions;
  readonly #source: Source;
  /** In the order of their coming. */
  readonly #subscribers = new Map<Peer, Subscriber>();
  readonly #networks = new Map<string, number>();
  readonly #trialBudget = new Budget(TRIAL_BUDGET);
  readonly #receivingBudget = new Budget(RECEIVING_BUDGET);
  #proved = 0;
  #metronome: Metronome | undefined;
  /** Beats of the metronome that were due so far, those that were left out included. */
  #beats = 0;
  #serviceAt = Infinity;
  #servedAt = -Infinity;
  /** Whose turn it is to be told first. */
  #turn = 0;
  #keyframes: Iterator<Entity> | undefined;
  #keyframesDue = 0;
  #stalledAt = -Infinity;
  #told = { ticks: 0, late: 0, since: -Infinity };

  constructor(options: WorldServerOptions) {
    this.#options = {
      tickRateHz: 100,
      keyframeMs: 10_000,
      silenceMs: 10_000,
      clientsMax: 512,
      clientsPerNetworkMax: 64,
      bytesPerSecond: 262_144,
      ...options,
    };
    const { world, random, unixMs, tickRateHz } = this.#options;
    const universe = Math.floor(random() * 2 ** 32);
    this.#source = {
      world,
      payloads: new Payloads(world, universe, tickRateHz),
      unixMs,
      mayProbe: ({ network }, bytes, now) => this.#trialBudget.take(network, now, bytes),
    };
  }

  get world(): World {
    return this.#options.world;
  }

  census(): WorldCensus {
    const { entities, time } = this.world;
    const unproved = this.#subscribers.size - this.#proved;
    return { clients: this.#proved, unproved, objects: entities.size, time };
  }

  clients(): WorldClientStatus[] {
    return [...this.#subscribers.values()].filter(({ isProved }) => isProved).map((subscriber) => {
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
      this.#runBeats(now, out);
    } finally {
      this.#serve(now, out);
    }
  }

  nextDeadline(): number {
    return Math.min(this.#nextBeatAt(), this.#serviceAt);
  }

  remembers(peer: Peer): boolean {
    return this.#subscribers.has(peer);
  }

  tick(now: number, out: Outbox<WorldServerEvent>): void {
    if (this.#options.tickRateHz > 0) {
      throw new TypeError("this server makes its ticks itself: give it a tick rate of 0");
    }
    this.#tell(this.world.tick(), now, out);
    this.#serve(now, out);
  }

  // ---- who is there

  #receive(
    datagram: Uint8Array,
    from: Peer,
    now: number,
    out: Outbox<WorldServerEvent>,
  ): WorldRefusal | undefined {
    const known = this.#subscribers.get(from);
    // Cheap before dear: what has no effect anyway is not even read.
    if (!known && looksLikeAck(datagram)) return "stranger";
    const packet = decodePacket(datagram);
    if (packet.kind === "refused") return packet.reason;
    if (packet.kind === "ack") {
      if (known) this.#onAck(known, packet.sequence, now, out);
      return undefined;
    }
    if (!this.#receivingBudget.take(from.network, now)) return "rate";
    // Duplicates are acked too: the first ACK may be lost.
    out.send(from, encodeAck(packet.sequence));
    const message = readClientMessage(packet.message);
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
    const { clientsMax, clientsPerNetworkMax, bytesPerSecond, silenceMs, random } = this.#options;
    const neighbours = this.#networks.get(peer.network) ?? 0;
    const obstacle = this.#proved >= clientsMax
      ? "full"
      : neighbours >= clientsPerNetworkMax
      ? "full-network"
      : undefined;
    if (obstacle) {
      this.#sayFull(peer, now, out);
      return obstacle;
    }
    // Who is slow to ack makes room: a flood of forged addresses keeps nobody out who acks at once.
    if (this.#subscribers.size - this.#proved >= clientsMax) this.#displaceEldest(out);
    const firstSequence = Math.floor(random() * SEQUENCES);
    const options = { bytesPerSecond, silenceMs, firstSequence };
    this.#subscribers.set(peer, new Subscriber(peer, this.#source, options, hasDiffs, now));
    this.#networks.set(peer.network, (this.#networks.get(peer.network) ?? 0) + 1);
    if (this.#subscribers.size === 1) this.#servedAt = now;
    this.#serviceAt = Math.min(this.#serviceAt, now + SERVICE_SOON_MS);
  }

  #sayFull(peer: Peer, now: number, out: Outbox<WorldServerEvent>): void {
    const datagram = encodeMessage(Math.floor(this.#options.random() * SEQUENCES), FULL);
    if (this.#trialBudget.take(peer.network, now, datagram.length)) out.send(peer, datagram);
  }

  #displaceEldest(out: Outbox<WorldServerEvent>): void {
    for (const subscriber of this.#subscribers.values()) {
      if (!subscriber.isProved) return this.#remove(subscriber, "silent", out);
    }
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
    if (this.#proved >= this.#options.clientsMax) {
      this.#sayFull(peer, now, out);
      this.#remove(subscriber, "silent", out);
      return out.emit({ kind: "refused", peer, reason: "full" });
    }
    this.#proved++;
    subscriber.admit(now);
    this.#serviceAt = Math.min(this.#serviceAt, now + SERVICE_SOON_MS);
    out.emit({ kind: "joined", peer, hasDiffs });
  }

  #remove(
    { peer, isProved }: Subscriber,
    reason: WorldDeparture,
    out: Outbox<WorldServerEvent>,
  ): void {
    this.#subscribers.delete(peer);
    const neighbours = this.#networks.get(peer.network)! - 1;
    if (neighbours === 0) this.#networks.delete(peer.network);
    else this.#networks.set(peer.network, neighbours);
    if (!isProved) return;
    this.#proved--;
    out.emit({ kind: "left", peer, reason });
  }

  // ---- time

  #nextBeatAt(): number {
    if (this.#options.tickRateHz === 0) return Infinity;
    return this.#metronome?.at(this.#beats + 1) ?? -Infinity;
  }

  /** Does the ticks that are due, and tells of them all at once. */
  #runBeats(now: number, out: Outbox<WorldServerEvent>): void {
    const { tickRateHz, step, world } = this.#options;
    if (tickRateHz === 0) return;
    const tickMs = 1_000 / tickRateHz;
    const metronome = this.#metronome ??= new Metronome(now, tickMs);
    const due = metronome.by(now);
    const lostTicks = due - this.#beats - Math.ceil(CATCH_UP_MS / tickMs);
    if (lostTicks > 0) {
      this.#beats += lostTicks;
      this.#reportStall(lostTicks * tickMs, now, out);
    }
    const ticks = due - this.#beats;
    if (ticks <= 0) return;
    this.lateness.record(now - metronome.at(this.#beats + 1));
    this.#beats = due;
    try {
      for (let tick = 1; tick <= ticks; tick++) step?.(world, tickMs / 1_000, world.time + tick);
    } finally {
      // What a failing step has done so far is told all the same.
      this.#tell(world.tick(ticks), now, out);
    }
  }

  #reportStall(lostMs: number, now: number, out: Outbox<WorldServerEvent>): void {
    if (now - this.#stalledAt < REPORT_MS) return;
    this.#stalledAt = now;
    out.emit({ kind: "stalled", lostMs });
  }

  // ---- telling everybody

  #tell(changes: Changes, now: number, out: Outbox<WorldServerEvent>): void {
    if (this.#proved === 0) return;
    const news = this.#newsOf(changes);
    if (news.messages.length === 0) return;
    let room = UNSENT_MAX - out.unsent;
    let late = 0;
    for (const subscriber of this.#inTurn()) {
      const mayTell = room >= news.messages.length;
      if (!mayTell && subscriber.isProved) late++;
      room -= subscriber.onTick(news, mayTell, now, out);
    }
    // Whoever was left out is the first one next time.
    if (late > 0) this.#turn += this.#subscribers.size - late;
    this.#reportLag(late, now, out);
  }

  #newsOf(changes: Changes): News {
    const { payloads } = this.#source;
    const { spawned, changed, reshaped, removed, time } = changes;
    const messages: SharedMessage[] = [];
    for (const entity of [...spawned, ...reshaped]) {
      messages.push({
        json: payloads.snap(entity, false),
        cargo: { kind: "snap", entity, time },
      });
    }
    for (const { json, things } of payloads.diffs(changed)) {
      messages.push({ json, cargo: { kind: "diff", parts: things, time } });
    }
    for (const { json, things } of payloads.removals(removed)) {
      messages.push({ json, cargo: { kind: "removal", entities: things } });
    }
    const bytes = messages.reduce((sum, { json }) => sum + json.length, 0);
    return { changes, messages, bytes };
  }

  #inTurn(): Subscriber[] {
    const all = [...this.#subscribers.values()];
    const first = all.length === 0 ? 0 : this.#turn % all.length;
    return first === 0 ? all : [...all.slice(first), ...all.slice(0, first)];
  }

  /** Looks after everybody: what is owed or lost, heartbeats, and who is gone. */
  #serve(now: number, out: Outbox<WorldServerEvent>): void {
    if (this.#subscribers.size === 0) {
      this.#serviceAt = Infinity;
      return;
    }
    const sinceMs = now - this.#servedAt;
    this.#servedAt = now;
    this.#serviceAt = now + SERVICE_MS;
    const keyframes = this.#takeKeyframes(sinceMs);
    let room = UNSENT_MAX - out.unsent;
    for (const subscriber of this.#inTurn()) {
      if (sinceMs >= ASLEEP_MS) subscriber.excuse(now);
      const patienceMs = subscriber.isProved ? this.#options.silenceMs : UNPROVED_MS;
      if (now - subscriber.heardAt >= patienceMs) {
        this.#remove(subscriber, "silent", out);
        continue;
      }
      if (keyframes.length > 0) subscriber.oweKeyframe(keyframes);
      room -= subscriber.serve(Math.max(0, room), now, out);
    }
    if (this.#subscribers.size === 0) this.#serviceAt = Infinity;
  }

  /** The objects whose turn it is: all of them once in the time of a keyframe. */
  #takeKeyframes(sinceMs: number): Entity[] {
    const { keyframeMs, world: { entities } } = this.#options;
    if (keyframeMs === 0) return [];
    this.#keyframesDue += (Math.min(sinceMs, keyframeMs) * entities.size) / keyframeMs;
    const taken: Entity[] = [];
    for (let looks = 0; this.#keyframesDue >= 1 && looks <= entities.size; looks++) {
      const { value, done } = (this.#keyframes ??= entities.values()).next();
      if (done) {
        this.#keyframes = undefined;
        continue;
      }
      taken.push(value);
      this.#keyframesDue--;
    }
    return taken;
  }

  #reportLag(late: number, now: number, out: Outbox<WorldServerEvent>): void {
    const told = this.#told;
    told.ticks += this.#proved;
    told.late += late;
    if (now - told.since < REPORT_MS) return;
    const lateShare = told.late / told.ticks;
    this.#told = { ticks: 0, late: 0, since: now };
    if (lateShare >= LATE_SHARE_MIN) out.emit({ kind: "lagging", toldShare: 1 - lateShare });
  }
}
