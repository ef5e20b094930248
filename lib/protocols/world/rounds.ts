import type { Outbox } from "../engine.ts";
import type { Guests } from "./guests.ts";
import type { News } from "./payloads.ts";
import type { Subscriber } from "./subscriber.ts";
import type { Entity, World } from "./world.ts";

/** Sending took so long that some were told of a tick only later. At most every 10 s. */
export interface Lagging {
  /** Tells it from other events. */
  kind: "lagging";
  /** The share of clients that were told at once. */
  toldShare: number;
}

/** One visit to everybody. */
interface Round {
  readonly news: News | undefined;
  readonly keyframes: readonly Entity[];
  readonly recipients: readonly Subscriber[];
  /** Whose turn it is. */
  next: number;
}

/** So many datagrams leave at once: their ACKs find room in the receive queue, which takes 256. */
const SLICE_DATAGRAMS = 64;
/** Then what has come is received. */
const SLICE_GAP_MS = 2;
/** While so many still wait to leave, no more are added. */
const UNSENT_MAX = 64;
/** What one client is sent at one visit, at most. */
const VISIT_DATAGRAMS_MAX = 256;
const REPORT_MS = 10_000;
/** A smaller share of clients that are told later is no news. */
const LATE_SHARE_MIN = 0.2;

/**
 * Rounds from one client to the next, each telling what changed and what is owed.
 *
 * A round goes in slices, and between them ACKs are received: all at once they would overrun the receive
 * queue, and what was heard would count as lost. When the next round begins before everybody was reached,
 * those left out are told later, together with what comes then; and they are first.
 */
export class Rounds {
  readonly #guests: Guests;
  readonly #world: World;
  readonly #keyframeMs: number;
  #round: Round | undefined;
  #sliceAt = Infinity;
  #begunAt = -Infinity;
  #keyframes: Iterator<Entity> | undefined;
  #keyframesDue = 0;
  #visits = { all: 0, late: 0, since: -Infinity };

  /** @param keyframeMs Every object is told whole again this often; 0 for never. */
  constructor(guests: Guests, world: World, keyframeMs: number) {
    this.#guests = guests;
    this.#world = world;
    this.#keyframeMs = keyframeMs;
  }

  /** Whether a round has not reached everybody yet. */
  get isBusy(): boolean {
    return this.#round !== undefined;
  }

  /** When the next slice is due; `Infinity` between rounds. */
  nextSliceAt(): number {
    return this.#sliceAt;
  }

  /** Begins a round: with a tick's news, or only to look after everybody. */
  begin(news: News | undefined, now: number, out: Outbox<Lagging>): void {
    const leftOut = this.#leaveOut(now);
    this.#reportLag(now, out);
    const sinceMs = now - this.#begunAt;
    this.#begunAt = now;
    const all = [...this.#guests.values()];
    const first = leftOut ? Math.max(0, all.indexOf(leftOut)) : 0;
    const recipients = [...all.slice(first), ...all.slice(0, first)];
    this.#round = { news, keyframes: this.#takeKeyframes(sinceMs), recipients, next: 0 };
    this.#sliceAt = now;
    this.advance(now, out);
  }

  /** Does the next slice, if it is due. */
  advance(now: number, out: Outbox<Lagging>): void {
    const round = this.#round;
    if (!round || now < this.#sliceAt) return;
    this.#sliceAt = now + SLICE_GAP_MS;
    let room = out.unsent > UNSENT_MAX ? 0 : SLICE_DATAGRAMS;
    const { recipients } = round;
    while (room > 0 && round.next < recipients.length) {
      room -= this.#visit(recipients[round.next++]!, round, now, out);
    }
    if (round.next < recipients.length) return;
    this.#round = undefined;
    this.#sliceAt = Infinity;
    this.#visits.all += recipients.length;
  }

  #visit(subscriber: Subscriber, round: Round, now: number, out: Outbox<never>): number {
    if (!this.#guests.has(subscriber)) return 0;
    const { news, keyframes } = round;
    const told = news ? subscriber.tell(news, now, out) : 0;
    subscriber.oweKeyframe(keyframes);
    return told + subscriber.serve(VISIT_DATAGRAMS_MAX, now, out);
  }

  /** Ends a round that has not reached everybody. Returns the first who was left out. */
  #leaveOut(now: number): Subscriber | undefined {
    const round = this.#round;
    if (!round) return undefined;
    const { news, keyframes, recipients, next } = round;
    const leftOut = recipients.slice(next).filter((subscriber) => this.#guests.has(subscriber));
    for (const subscriber of leftOut) {
      if (news) subscriber.owe(news.changes, now);
      subscriber.oweKeyframe(keyframes);
    }
    this.#visits.all += recipients.length;
    this.#visits.late += leftOut.length;
    return leftOut[0];
  }

  /** The objects whose turn it is: all of them once in the time of a keyframe. */
  #takeKeyframes(sinceMs: number): Entity[] {
    const { entities } = this.#world;
    const keyframeMs = this.#keyframeMs;
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

  #reportLag(now: number, out: Outbox<Lagging>): void {
    const { all, late, since } = this.#visits;
    if (all === 0 || now - since < REPORT_MS) return;
    this.#visits = { all: 0, late: 0, since: now };
    if (late >= LATE_SHARE_MIN * all) out.emit({ kind: "lagging", toldShare: 1 - late / all });
  }
}
