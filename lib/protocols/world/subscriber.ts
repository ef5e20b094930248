import type { Outbox, Peer } from "../engine.ts";
import { Acks } from "./acks.ts";
import { type Cargo, Debts } from "./debts.ts";
import { Pace, PACKET_OVERHEAD_BYTES } from "./pace.ts";
import type { News, Payloads } from "./payloads.ts";
import { encodeMessage, HEADER_BYTES } from "./wire.ts";
import type { Changes, Entity, Part, World } from "./world.ts";

/** What all clients of one server share. */
export interface Source {
  readonly world: World;
  readonly payloads: Payloads;
  /** The time of day. */
  readonly unixMs: () => number;
  /** Whether so many bytes may go to an address that has not acked anything yet. */
  readonly mayProbe: (peer: Peer, bytes: number, now: number) => boolean;
}

/** Between heartbeats, as the original has it; */
const HEARTBEAT_MS = 2_000;
/** so many in the time after which a client counts as gone; */
const HEARTBEATS_PER_SILENCE = 4;
/** and this soon when one was lost: where nothing changes they are the only sign of life. */
const HEARTBEAT_AGAIN_MS = 500;
/** Who acks nothing but heartbeats for so long gets little more. */
const STALLED_MS = 1_000;
const STALLED_TIMEOUTS = 3;
/** What an address gets that has not acked anything yet, headers included; in all, with the first ACK. */
const PROBE_BYTES_MAX = 1_700;
const PROBE_MS = 500;
/** So many numbers may be tried before one is right: whoever forges an address has to guess. */
const GUESSES_MAX = 64;
/** Knocks that come faster are one. */
const SYNC_MS = 1_000;

/** In the stalled state: from one try to the next, at first. Then twice as long each time. */
const TRY_AGAIN_MS_MIN = 250;
/** An object with one trait takes so many bytes in a diff, more or less. */
const PART_BYTES = 40;

/** Objects that are gone fill a few datagrams, and then others have their turn. */
const REMOVALS_AT_ONCE = 512;

/** A packet, as it is remembered until it is acked. */
interface Sent {
  readonly cargo: Cargo;
  readonly bytes: number;
  /** In which sync. */
  readonly syncs: number;
}

/** How news are told: who is behind is brought up to date in its own time. */
export class Subscriber {
  readonly peer: Peer;
  readonly #source: Source;
  readonly #acks: Acks<Sent>;
  readonly #pace: Pace;
  readonly #debts: Debts;
  readonly #heartbeatMs: number;
  #isProved = false;
  #guesses = 0;
  #probes = 0;
  #probeAt: number;
  #probeBytesLeft = PROBE_BYTES_MAX;
  #heardAt: number;
  /** Since when nothing but heartbeats was acked, though more was sent. */
  #unansweredSince: number | undefined;
  /** In the stalled state: when one more message may be tried, and how long after it the next one. */
  #tryAt = -Infinity;
  #tryAgainMs = TRY_AGAIN_MS_MIN;
  #heartbeatAt = Infinity;
  /** A lost one is made up for no earlier. */
  #beatAgainAt = Infinity;
  #syncedAt = -Infinity;
  #isSyncDue = false;
  /** Syncs so far: what was sent before the last one settles nothing any more. */
  #syncs = 0;
  /** The tick at which the last sync began, and the objects that it still has to bring. */
  #syncTick = 0;
  readonly #unsynced = new Set<Entity>();

  /**
   * @param source What is told.
   * @param options `bytesPerSecond`: at most, headers included; `silenceMs`: after so long without an ACK
   * it is gone; `firstSequence`: from 0 to 65,535.
   */
  constructor(
    peer: Peer,
    source: Source,
    options: { bytesPerSecond: number; silenceMs: number; firstSequence: number },
    hasDiffs: boolean,
    now: number,
  ) {
    this.peer = peer;
    this.#debts = new Debts(hasDiffs);
    this.#source = source;
    this.#acks = new Acks(options.firstSequence);
    this.#acks.remembersAcked = !hasDiffs;
    this.#pace = new Pace(options.bytesPerSecond, now);
    this.#heartbeatMs = Math.min(HEARTBEAT_MS, options.silenceMs / HEARTBEATS_PER_SILENCE);
    this.#heardAt = now;
    this.#probeAt = now;
  }

  /** Whether it understands diffs. */
  get hasDiffs(): boolean {
    return this.#debts.hasDiffs;
  }

  /** Whether it has shown that it hears us. */
  get isProved(): boolean {
    return this.#isProved;
  }

  /** Whether it has all there is, as far as its first sync goes. */
  get isSynced(): boolean {
    return this.#isProved && this.#unsynced.size === 0 && !this.#isSyncDue;
  }

  /** When it acked something last; before that, when it came. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** The round-trip time, and the share of packets that were not acked in time. */
  get path(): { roundTripMs: number | undefined; loss: number } {
    return { roundTripMs: this.#acks.roundTripMs, loss: this.#acks.loss };
  }

  /** It asks to be told everything, once more. */
  knock(hasDiffs: boolean): void {
    this.#debts.hasDiffs = hasDiffs;
    this.#acks.remembersAcked = !hasDiffs;
    if (this.#isProved) this.#isSyncDue = true;
  }

  /** The host was asleep: nobody could be heard. */
  excuse(now: number): void {
    this.#heardAt = now;
  }

  /**
   * It acked something.
   *
   * @returns Whether it has proved by this that it hears us. `guessing` when it tried too often.
   */
  acked(sequence: number, now: number): "proved" | "guessing" | undefined {
    const answered = this.#acks.acked(sequence, now);
    if (!answered) {
      return !this.#isProved && ++this.#guesses >= GUESSES_MAX ? "guessing" : undefined;
    }
    this.#heardAt = now;
    this.#tryAt = now;
    const { cargo: sent, isFirst, isLate } = answered;
    if (isFirst) this.#onArrived(sent, isLate, now);
    if (isLate) this.#debts.onLate(sent.cargo, now);
    return this.#isProved ? undefined : "proved";
  }

  /** It has a place: it is told everything. */
  admit(now: number): void {
    this.#isProved = true;
    this.#sync(now);
    this.#heartbeatAt = now;
  }

  /** Objects it is to be told whole when there is time. */
  oweKeyframe(entities: readonly Entity[]): void {
    for (const entity of entities) this.#debts.keyframes.add(entity);
  }

  /**
   * A tick changed the world. Whoever is up to date is told what everybody is told; to the others it is owed.
   *
   * @returns How many datagrams were sent.
   */
  tell(news: News, now: number, out: Outbox<never>): number {
    const { changes, messages, bytes } = news;
    const isUpToDate = this.hasDiffs && this.#debts.isClear;
    const mayTell = isUpToDate && !this.#isStalled(now) && this.#acks.room > messages.length &&
      this.#pace.allows(bytes, messages.length, now);
    if (!mayTell) {
      this.#owe(changes, now);
      return 0;
    }
    for (const entity of changes.removed) this.#unsynced.delete(entity);
    this.#debts.forget(changes.removed);
    for (const { json, cargo } of messages) this.#post(json, cargo, now, out);
    return messages.length;
  }

  /**
   * Does what is due, up to so many datagrams.
   *
   * @returns How many were sent.
   */
  serve(datagramsMax: number, now: number, out: Outbox<never>): number {
    const lost = this.#acks.takeLost(now);
    if (lost.length > 0) this.#pace.onLost(lost.length, this.#acks.roundTripMs, now);
    for (const { cargo } of lost) {
      this.#debts.onLost(cargo, now, this.#acks.timeoutMs);
      if (cargo.kind === "heartbeat") {
        this.#heartbeatAt = Math.min(this.#heartbeatAt, this.#beatAgainAt);
      }
    }
    if (this.#isSyncDue && now - this.#syncedAt >= SYNC_MS) this.#sync(now);
    let sent = 0;
    if (now >= this.#heartbeatAt) {
      this.#beat(now, out);
      sent++;
    }
    return sent + this.#pay(datagramsMax - sent, now, out);
  }

  /** Tells it something that may be lost. */
  say(json: Uint8Array, now: number, out: Outbox<never>): void {
    this.#post(json, { kind: "heartbeat" }, now, out);
  }

  // ---- before it has acked anything

  /**
   * Sends it one snapshot, again and again until it costs too much; where there is none, a heartbeat. It has
   * not acked anything yet.
   */
  probe(now: number, out: Outbox<never>): void {
    if (now < this.#probeAt) return;
    this.#probeAt = now + PROBE_MS * 2 ** this.#probes++;
    const { world, payloads, unixMs, mayProbe } = this.#source;
    const [entity] = world.entities.values();
    const snap = entity && payloads.snap(entity, true);
    const isSnap = snap !== undefined && priceOf(snap) <= this.#probeBytesLeft;
    const json = isSnap ? snap : payloads.heartbeat(unixMs(), undefined);
    const bytes = priceOf(json);
    if (bytes > this.#probeBytesLeft || !mayProbe(this.peer, bytes, now)) return;
    this.#probeBytesLeft -= bytes;
    const cargo: Cargo = isSnap
      ? { kind: "snap", entity: entity!, time: world.time }
      : { kind: "heartbeat" };
    this.#post(json, cargo, now, out);
  }

  // ---- what it has and what it lacks

  #sync(now: number): void {
    const { world } = this.#source;
    this.#isSyncDue = false;
    this.#syncs++;
    this.#syncedAt = now;
    this.#syncTick = world.time;
    this.#unsynced.clear();
    for (const entity of world.entities.values()) this.#unsynced.add(entity);
    this.#debts.oweAll(this.#unsynced, now);
  }

  #onArrived({ cargo, bytes, syncs }: Sent, wasLost: boolean, now: number): void {
    this.#pace.onArrived(bytes, wasLost, this.#acks.roundTripMs!, now);
    if (cargo.kind === "heartbeat") return;
    this.#unansweredSince = undefined;
    this.#tryAgainMs = TRY_AGAIN_MS_MIN;
    // Before the last sync it may have been another program at this address.
    if (syncs < this.#syncs) return this.#debts.onLost(cargo, now, this.#acks.timeoutMs);
    this.#debts.onArrived(cargo);
    if (cargo.kind !== "snap") return;
    // The last one: the client hears of it at once.
    if (this.#unsynced.delete(cargo.entity) && this.isSynced) this.#heartbeatAt = now;
  }

  #owe(changes: Changes, now: number): void {
    for (const entity of changes.removed) this.#unsynced.delete(entity);
    this.#debts.owe(changes, now);
    if (!this.#debts.isOverdrawn) return;
    // Whoever is that far behind is told everything anew: what is gone then shows by itself.
    this.#debts.removals.clear();
    this.#isSyncDue ||= this.hasDiffs;
  }

  #beat(now: number, out: Outbox<never>): void {
    this.#heartbeatAt = now + this.#heartbeatMs;
    this.#beatAgainAt = now + Math.min(HEARTBEAT_AGAIN_MS, this.#heartbeatMs);
    if (this.#acks.room === 0) return;
    const synced = this.isSynced ? this.#syncTick : undefined;
    const { payloads, unixMs } = this.#source;
    this.#post(payloads.heartbeat(unixMs(), synced), { kind: "heartbeat" }, now, out);
  }

  #isStalled(now: number): boolean {
    if (this.#unansweredSince === undefined) return false;
    const patienceMs = Math.max(STALLED_MS, STALLED_TIMEOUTS * this.#acks.timeoutMs);
    return now - this.#unansweredSince >= patienceMs;
  }

  // ---- telling it

  /** What is owed, as far as it may leave: who is gone, changes and whole objects, and then keyframes. */
  #pay(datagramsMax: number, now: number, out: Outbox<never>): number {
    if (this.#isStalled(now)) {
      if (now < this.#tryAt) return 0;
      this.#tryAt = now + this.#tryAgainMs;
      this.#tryAgainMs = Math.min(this.#heartbeatMs, 2 * this.#tryAgainMs);
      datagramsMax = Math.min(1, datagramsMax);
    }
    let sent = 0;
    const post: Post = (json, cargo) => {
      if (sent >= datagramsMax || this.#acks.room <= 1) return false;
      if (!this.#pace.allows(json.length, 1, now)) return false;
      this.#post(json, cargo, now, out);
      sent++;
      return true;
    };
    // Neither waits for all of the other: a first sync may take long, and so may what changes meanwhile.
    this.#payRemovals(post) && this.#payTraits(post, this.#pace.left(now) / 2) &&
      this.#paySnaps(post, now) && this.#payTraits(post, this.#pace.left(now)) &&
      this.#payKeyframes(post, now);
    return sent;
  }

  #payRemovals(post: Post): boolean {
    const { removals } = this.#debts;
    if (removals.size === 0) return true;
    const some = [...removals].slice(0, REMOVALS_AT_ONCE);
    for (const { json, things } of this.#source.payloads.removals(some)) {
      if (!post(json, { kind: "removal", entities: things })) return false;
      for (const entity of things) removals.delete(entity);
    }
    return true;
  }

  #paySnaps(post: Post, now: number): boolean {
    for (const entity of this.#debts.snaps.keys()) {
      if (this.#debts.maySnap(entity, now) && !this.#paySnap(entity, post)) return false;
    }
    return true;
  }

  #paySnap(entity: Entity, post: Post): boolean {
    const { payloads, world: { time } } = this.#source;
    const json = payloads.snap(entity, this.#unsynced.has(entity));
    if (!post(json, { kind: "snap", entity, time })) return false;
    this.#debts.onSnapSent(entity, time);
    return true;
  }

  /** Traits of so many bytes, roughly. */
  #payTraits(post: Post, bytesMax: number): boolean {
    const { traits } = this.#debts;
    if (traits.size === 0 || bytesMax <= 0) return true;
    const parts: Part[] = [];
    const partsMax = Math.ceil(bytesMax / PART_BYTES);
    for (const [entity, names] of traits) {
      if (parts.length >= partsMax) break;
      const known = entity.isRemoved ? [] : [...names].filter((name) => entity.told.has(name));
      if (known.length > 0) parts.push({ entity, names: known });
      else traits.delete(entity);
    }
    const { payloads, world: { time } } = this.#source;
    for (const { json, things } of payloads.diffs(parts)) {
      if (!post(json, { kind: "diff", parts: things, time })) return false;
      for (const { entity } of things) traits.delete(entity);
    }
    return true;
  }

  #payKeyframes(post: Post, now: number): boolean {
    for (const entity of this.#debts.keyframes) {
      if (this.#debts.maySnap(entity, now) && !this.#paySnap(entity, post)) return false;
    }
    return true;
  }

  #post(json: Uint8Array, cargo: Cargo, now: number, out: Outbox<never>): void {
    if (cargo.kind !== "heartbeat") this.#unansweredSince ??= now;
    const bytes = HEADER_BYTES + json.length;
    const sequence = this.#acks.send({ cargo, bytes, syncs: this.#syncs }, now);
    this.#pace.spend(bytes);
    out.send(this.peer, encodeMessage(sequence, json));
  }
}

/** Sends a message if it may leave. */
type Post = (json: Uint8Array, cargo: Cargo) => boolean;

/** What a message costs on the way, headers included. */
function priceOf(json: Uint8Array): number {
  return HEADER_BYTES + json.length + PACKET_OVERHEAD_BYTES;
}
