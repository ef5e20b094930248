/**
 * The world's client: knocks, acks everything, and mirrors the world as far as it has heard of it.
 *
 * It plays on netsync's server and on the original. That one tells neither what is gone nor what changed
 * between its keyframes; and it numbers the packets of all its clients in one row.
 */
import { checkRange } from "../../parts/range.ts";
import type { Engine, Outbox, Peer } from "../engine.ts";
import { Attachment } from "../attachment.ts";
import { Acks } from "./acks.ts";
import { Arrivals } from "./arrivals.ts";
import {
  type Heartbeat,
  KNOCK,
  PING,
  readServerMessage,
  type ServerMessage,
  STOP,
} from "./messages.ts";
import { type Effect, Mirror } from "./mirror.ts";
import { Motion, type Pose, TickClock } from "./motion.ts";
import type { Traits } from "./traits.ts";
import { decodePacket, encodeAck, encodeMessage, SEQUENCES, type WireRefusal } from "./wire.ts";

/** Why a datagram had no effect: see {@link WireRefusal}, or it is no message, or not the server's. */
export type WorldClientRefusal = WireRefusal | "unknown" | "shape" | "stranger" | "too-many";

/** What the client tells its host. */
export type WorldClientEvent =
  /** The server tells us of its world. */
  | { kind: "connected"; server: Peer }
  /** The server ended, or was not heard for too long. It is asked again; the mirror stays as it was. */
  | { kind: "disconnected" }
  | Effect
  /** An object is gone. */
  | { kind: "removed"; id: number }
  /** Everything is there that was there when the server let us in. */
  | { kind: "synced"; objects: number }
  /** The server is there; at `unixSeconds` by its clock. */
  | { kind: "heartbeat"; unixSeconds: number }
  /** How long it takes to the server and back, each time that was measured. */
  | { kind: "latency"; roundTripMs: number }
  /** The server has no place for us. It is asked again. */
  | { kind: "full" }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: WorldClientRefusal };

/** Options of {@link createWorldClient}. */
export interface WorldClientEngineOptions {
  /**
   * How far behind things are drawn, up to 1,500: as long as from one tick to the next, and as much more as
   * packets are late against each other. Default: 100, or a tick and a half where that is longer.
   */
  drawDelayMs?: number;
  /** Objects at most; of more nothing is known. Default 65,536. */
  objectsMax?: number;
  /** A server not heard for so long is asked anew to let us in. Default 7,000. */
  silenceMs?: number;
  /** From 0 inclusive to 1 exclusive: for the first sequence number. */
  random: () => number;
}

/** The client's engine. */
export interface WorldClientEngine extends Engine<WorldClientEvent> {
  /** Everything the server told of, by id. */
  readonly objects: ReadonlyMap<number, Traits>;
  /** The newest tick of which there was news; -1 before the first. */
  readonly time: number;
  /** Whether the server tells us of its world. */
  readonly isConnected: boolean;
  /** Whether everything is there that was there when the server let us in. */
  readonly isSynced: boolean;
  /** Objects that the server has, as far as it said so. */
  readonly total: number | undefined;
  /** Ticks a second; 0 when they have no fixed rate, undefined when the server did not say. */
  readonly tickRateHz: number | undefined;
  /** When the server was heard last; `-Infinity` for never. */
  readonly heardAt: number;
  /** There and back, smoothed; undefined before it was measured. */
  readonly roundTripMs: number | undefined;
  /**
   * The share of the server's last packets that did not arrive, from 0 to 1. Undefined before there are
   * some, and on the original, whose numbers do not tell.
   */
  readonly loss: number | undefined;
  /** Begins to ask a server, at all of these addresses, to let us in. */
  connect(servers: readonly Peer[], now: number, out: Outbox<WorldClientEvent>): void;
  /** Where an object is drawn now: a little in the past, on its way between two places. */
  poseOf(id: number, now: number): Pose | undefined;
  /** Says that we leave. */
  leave(now: number, out: Outbox<WorldClientEvent>): void;
}

const DRAW_DELAY_MS = 100;
const DRAW_DELAY_TICKS = 1.5;
const DRAW_DELAY_MS_MAX = 1_500;
/** Between pings, when there is nothing else to say: they measure the round-trip time. */
const PING_MS = 1_000;
/** Whoever is told of the world without an ACK of the knock knocks again: the telling may be for another. */
const KNOCK_AGAIN_MS = 1_000;
/** A server that knows no universes was started again when its time goes back so far. */
const RESTART_TICKS = 1_000;

/** What a server says that tells of its world. */
type Told = Exclude<ServerMessage, { kind: "full" | "stop" }>;

/**
 * A client that mirrors a world.
 *
 * @throws {RangeError} An option makes no sense.
 */
export function createWorldClient(options: WorldClientEngineOptions): WorldClientEngine {
  return new Client(options);
}

class Client implements WorldClientEngine {
  readonly #drawDelayMs: number | undefined;
  readonly #silenceMs: number;
  readonly #attachment: Attachment;
  readonly #random: () => number;
  #acks: Acks<Uint8Array>;
  /** Whether the server has heard a knock since it was attached, or lost. */
  #isKnockAcked = false;
  #knockAt = Infinity;
  readonly #mirror: Mirror;
  readonly #clock = new TickClock();
  readonly #motions = new Map<number, Motion>();
  #arrivals = new Arrivals();
  #drawnAt = -Infinity;
  #hasHeard = false;
  #universe: number | undefined;
  #isNetsync = false;
  #isSynced = false;
  #total: number | undefined;
  #tickRateHz: number | undefined;

  constructor(options: WorldClientEngineOptions) {
    const { drawDelayMs, objectsMax = 65_536, silenceMs = 7_000, random } = options;
    checkRange("drawDelayMs", drawDelayMs ?? 0, 0, DRAW_DELAY_MS_MAX);
    checkRange("objectsMax", objectsMax, 0);
    checkRange("silenceMs", silenceMs, 1);
    this.#drawDelayMs = drawDelayMs;
    this.#silenceMs = silenceMs;
    this.#mirror = new Mirror(objectsMax);
    this.#random = random;
    this.#acks = new Acks(0);
    this.#attachment = new Attachment({
      join: (now) => this.#numbered(KNOCK, now),
      heartbeat: (now) => this.#numbered(PING, now),
      heartbeatMs: PING_MS,
      silenceMs,
    });
  }

  get objects(): ReadonlyMap<number, Traits> {
    return this.#mirror.objects;
  }

  get time(): number {
    return this.#mirror.time;
  }

  get isConnected(): boolean {
    return this.#attachment.server !== undefined;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get total(): number | undefined {
    return this.#total;
  }

  get tickRateHz(): number | undefined {
    return this.#tickRateHz;
  }

  get heardAt(): number {
    return this.#attachment.heardAt;
  }

  get roundTripMs(): number | undefined {
    return this.#acks.roundTripMs;
  }

  get loss(): number | undefined {
    return this.#isNetsync ? this.#arrivals.loss : undefined;
  }

  connect(servers: readonly Peer[], now: number, out: Outbox<WorldClientEvent>): void {
    this.#startOver(out);
    this.#isKnockAcked = false;
    this.#knockAt = Infinity;
    // Nothing of another server holds.
    this.#acks = new Acks(Math.floor(this.#random() * SEQUENCES));
    this.#arrivals = new Arrivals();
    this.#clock.setRate(0);
    this.#tickRateHz = undefined;
    this.#isNetsync = false;
    this.#hasHeard = false;
    this.#universe = undefined;
    this.#attachment.begin(servers, now, out);
  }

  poseOf(id: number, now: number): Pose | undefined {
    const delayMs = Math.max(DRAW_DELAY_MS, DRAW_DELAY_TICKS * this.#clock.tickMs);
    const delayUsedMs = this.#drawDelayMs ?? Math.min(DRAW_DELAY_MS_MAX, delayMs);
    // Time does not go back, also when the delay grows.
    this.#drawnAt = Math.max(this.#drawnAt, now - delayUsedMs);
    return this.#motions.get(id)?.poseAt(this.#drawnAt);
  }

  leave(now: number, out: Outbox<WorldClientEvent>): void {
    this.#attachment.say(this.#numbered(STOP, now), now, out);
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<WorldClientEvent>): void {
    const reason = this.#receive(datagram, from, now, out);
    if (reason) out.emit({ kind: "refused", peer: from, reason });
  }

  advance(now: number, out: Outbox<WorldClientEvent>): void {
    this.#acks.takeLost(now);
    const isHeard = now < this.heardAt + this.#silenceMs;
    if (isHeard && now >= this.#knockAt) {
      this.#attachment.say(this.#numbered(KNOCK, now), now, out);
      this.#knockAt = now + KNOCK_AGAIN_MS;
    }
    if (this.#attachment.advance(now, out)) this.#lose(out);
  }

  nextDeadline(): number {
    return Math.min(this.#attachment.nextDeadline(), this.#knockAt);
  }

  remembers(peer: Peer): boolean {
    return this.#attachment.remembers(peer);
  }

  #receive(
    datagram: Uint8Array,
    from: Peer,
    now: number,
    out: Outbox<WorldClientEvent>,
  ): WorldClientRefusal | undefined {
    if (!this.#attachment.isServer(from)) return "stranger";
    const packet = decodePacket(datagram);
    if (packet.kind === "refused") return packet.reason;
    if (packet.kind === "ack") {
      // It says nothing of whether the server knows us: everybody is acked.
      this.#onAck(packet.sequence, now, out);
      return undefined;
    }
    const message = readServerMessage(packet.message);
    // A server that was started again says nothing before it is knocked at: this is late, or forged.
    if (this.#isSettled && isTold(message) && this.#isOtherWorld(message)) return "stranger";
    out.send(from, encodeAck(packet.sequence));
    if (message.kind === "refused") return message.reason;
    if (message.kind === "full") {
      if (!this.isConnected) out.emit({ kind: "full" });
      return undefined;
    }
    if (message.kind === "stop") {
      if (!this.isConnected) return undefined;
      this.#attachment.release(now);
      this.#lose(out);
      return undefined;
    }
    this.#attachment.heard(now);
    if (!this.isConnected) {
      this.#attachment.attach(from, now);
      if (!this.#isKnockAcked) this.#knockAt = now + KNOCK_AGAIN_MS;
      out.emit({ kind: "connected", server: from });
    }
    this.#arrivals.add(packet.sequence);
    return this.#onMessage(message, now, out);
  }

  #lose(out: Outbox<WorldClientEvent>): void {
    this.#isSynced = false;
    this.#isKnockAcked = false;
    this.#knockAt = Infinity;
    this.#arrivals = new Arrivals();
    out.emit({ kind: "disconnected" });
  }

  #onAck(sequence: number, now: number, out: Outbox<WorldClientEvent>): void {
    const acked = this.#acks.acked(sequence, now);
    if (!acked?.isFirst) return;
    if (acked.cargo === KNOCK) {
      this.#isKnockAcked = true;
      this.#knockAt = Infinity;
    }
    out.emit({ kind: "latency", roundTripMs: this.#acks.roundTripMs! });
  }

  #onMessage(
    message: Told,
    now: number,
    out: Outbox<WorldClientEvent>,
  ): WorldClientRefusal | undefined {
    if (this.#isOtherWorld(message)) this.#startOver(out);
    this.#hasHeard = true;
    this.#universe = message.universe;
    this.#isNetsync ||= message.universe !== undefined;
    switch (message.kind) {
      case "updates": {
        this.#total = message.total ?? this.#total;
        const at = this.#clock.hear(message.time, now);
        let isTooMuch = false;
        for (const update of message.updates) {
          isTooMuch ||= !this.#mirror.hasRoomFor(update);
          const effect = this.#mirror.apply(update, message.time);
          if (effect) this.#onEffect(effect, at, out);
        }
        return isTooMuch ? "too-many" : undefined;
      }
      case "remove":
        for (const id of message.ids) {
          if (this.#mirror.remove(id, message.time)) this.#onRemoved(id, out);
        }
        return undefined;
      case "heartbeat":
        this.#onHeartbeat(message, now, out);
        return undefined;
      default:
        message satisfies never;
    }
  }

  #onEffect(effect: Effect, at: number, out: Outbox<WorldClientEvent>): void {
    const { id, traits } = effect;
    const isMoved = effect.kind === "spawned" ||
      effect.changes.position !== undefined || effect.changes.quaternion !== undefined;
    if (isMoved) {
      let motion = this.#motions.get(id);
      if (!motion) this.#motions.set(id, motion = new Motion());
      motion.add(traits, at, this.#clock.tickMs);
    }
    out.emit(effect);
  }

  #onHeartbeat(heartbeat: Heartbeat, now: number, out: Outbox<WorldClientEvent>): void {
    const { tick, tickRateHz, synced, unixSeconds } = heartbeat;
    if (tickRateHz !== undefined) {
      this.#tickRateHz = tickRateHz;
      this.#clock.setRate(tickRateHz);
    }
    if (tick !== undefined) this.#clock.hear(tick, now);
    // Of a knock of ours that the server has not heard yet, it cannot speak.
    if (synced !== undefined && this.#isKnockAcked) {
      for (const id of this.#mirror.settle(synced)) this.#onRemoved(id, out);
      if (!this.#isSynced) out.emit({ kind: "synced", objects: this.objects.size });
      this.#isSynced = true;
    }
    out.emit({ kind: "heartbeat", unixSeconds });
  }

  #onRemoved(id: number, out: Outbox<WorldClientEvent>): void {
    this.#motions.delete(id);
    out.emit({ kind: "removed", id });
  }

  /** Whether it is known which server this is. */
  get #isSettled(): boolean {
    return this.isConnected && this.#isKnockAcked;
  }

  /** Whether the server was started again, or is another one: ids and times begin anew. */
  #isOtherWorld(message: Told): boolean {
    const { universe } = message;
    if (universe !== undefined || this.#universe !== undefined) {
      return this.#hasHeard && universe !== this.#universe;
    }
    return message.kind !== "heartbeat" && message.time < this.time - RESTART_TICKS;
  }

  #startOver(out: Outbox<WorldClientEvent>): void {
    for (const id of this.#mirror.clear()) this.#onRemoved(id, out);
    this.#motions.clear();
    this.#drawnAt = -Infinity;
    this.#clock.reset();
    this.#isSynced = false;
    this.#total = undefined;
  }

  #numbered(message: Uint8Array, now: number): Uint8Array {
    return encodeMessage(this.#acks.send(message, now), message);
  }
}

/** Whether a message is one of the world. */
function isTold(message: ReturnType<typeof readServerMessage>): message is Told {
  return message.kind !== "refused" && message.kind !== "full" && message.kind !== "stop";
}
