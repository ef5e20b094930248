import type { Outbox } from "../engine.ts";
import type { Guests } from "./guests.ts";
import type { News, Payloads } from "./payloads.ts";
import type { Subscriber } from "./subscriber.ts";
import type { Changes, Entity, World } from "./world.ts";

/** Sending takes so long that some ticks are told together with the next one. At most every 10 s. */
export interface Lagging {
  /** Tells it from other events. */
  kind: "lagging";
  /** The share of ticks that are told at once. */
  toldShare: number;
}

/** One visit to everybody. */
interface Round {
  readonly news: News | undefined;
  readonly keyframes: readonly Entity[];
  readonly recipients: readonly Subscriber[];
  /** Whose turn it is. */
  next: number;
  /** How many of those who have acked nothing yet were looked at. */
  probed: number;
}

/** So many datagrams leave at once: their ACKs find room in the receive queue, which takes 256. */
const SLICE_DATAGRAMS = 64;
/** Then what has come is received. */
const SLICE_GAP_MS = 2;
/** While so many still wait to leave, no more are added. */
const UNSENT_MAX = 64;
/** Of those who have acked nothing yet so many are looked at in between, who get one datagram at most. */
const UNPROVED_VISITS = 32;
const REPORT_MS = 10_000;
/** Fewer ticks that are told later are no news. */
const LATE_SHARE_MIN = 0.2;

/**
 * Rounds from one client to the next, each telling what changed and what is owed.
 *
 * A round goes in slices, and between them ACKs are received: all at once they would overrun the receive
 * queue, and what was heard would count as lost. Ticks that come before everybody was reached are told
 * together, by the next round: what many are told is still written once.
 */
export class Rounds {
  readonly #guests: Guests;
  readonly #world: World;
  readonly #payloads: Payloads;
  readonly #keyframeMs: number;
  #round: Round | undefined;
  #sliceAt = Infinity;
  #begunAt = -Infinity;
  /** What changed since the round began. */
  #pending: Changes | undefined;
  #unproved: Iterator<Subscriber> | undefined;
  #keyframes: Iterator<Entity> | undefined;
  #keyframesDue = 0;
  #ticks = { all: 0, late: 0, since: -Infinity };

  /** @param keyframeMs Every object is told whole again this often; 0 for never. */
  constructor(guests: Guests, world: World, payloads: Payloads, keyframeMs: number) {
    this.#guests = guests;
    this.#world = world;
    this.#payloads = payloads;
    this.#keyframeMs = keyframeMs;
  }

  /** When the next slice is due; `Infinity` between rounds. */
  nextSliceAt(): number {
    return this.#sliceAt;
  }

  /** A tick changed the world: everybody is told, by a round that begins now or after this one. */
  tell(changes: Changes, now: number, out: Outbox<Lagging>): void {
    this.#ticks.all++;
    if (this.#isTelling) this.#ticks.late++;
    this.#pending = this.#pending ? merged(this.#pending, changes) : changes;
    this.#reportLag(now, out);
    this.lookAfter(now, out);
  }

  /** Looks after everybody: a round begins, unless one is under way, which goes on. */
  lookAfter(now: number, out: Outbox<Lagging>): void {
    if (this.#pending && !this.#isTelling) this.#round = undefined;
    if (!this.#round) this.#begin(now);
    this.advance(now, out);
  }

  /** Does the next slice, if it is due. */
  advance(now: number, out: Outbox<Lagging>): void {
    const round = this.#round;
    if (!round || now < this.#sliceAt) return;
    this.#sliceAt = now + SLICE_GAP_MS;
    const { recipients } = round;
    let room = out.unsent > UNSENT_MAX ? 0 : SLICE_DATAGRAMS;
    while (room > 0 && round.next < recipients.length) {
      room -= this.#visit(recipients[round.next++]!, round, room, now, out);
    }
    const areAllProbed = this.#visitUnproved(round, now, out);
    if (this.#isTelling || (!areAllProbed && !this.#pending)) return;
    this.#round = undefined;
    if (this.#pending) this.#begin(this.#sliceAt);
    else this.#sliceAt = Infinity;
  }

  /** Whether somebody is still to be reached; those who have acked nothing yet can wait. */
  get #isTelling(): boolean {
    return this.#round !== undefined && this.#round.next < this.#round.recipients.length;
  }

  #begin(at: number): void {
    const sinceMs = at - this.#begunAt;
    this.#begunAt = at;
    this.#round = {
      news: this.#pending && this.#payloads.news(this.#pending),
      keyframes: this.#takeKeyframes(sinceMs),
      recipients: [...this.#guests.proved],
      next: 0,
      probed: 0,
    };
    this.#pending = undefined;
    this.#sliceAt = at;
  }

  #visit(
    subscriber: Subscriber,
    { news, keyframes }: Round,
    datagramsMax: number,
    now: number,
    out: Outbox<never>,
  ): number {
    if (!this.#guests.has(subscriber)) return 0;
    const told = news ? subscriber.tell(news, now, out) : 0;
    subscriber.oweKeyframe(keyframes);
    return told + subscriber.serve(Math.max(1, datagramsMax - told), now, out);
  }

  /** They have a share of their own: however many knock, nobody else waits for them. */
  #visitUnproved(round: Round, now: number, out: Outbox<never>): boolean {
    const { unproved } = this.#guests;
    for (let visits = 0; visits < UNPROVED_VISITS; visits++) {
      if (round.probed >= unproved.size) return true;
      round.probed++;
      // The next round goes on where this one ends.
      const { value } = (this.#unproved ??= unproved.values()).next();
      if (value) value.probe(now, out);
      else this.#unproved = undefined;
    }
    return round.probed >= unproved.size;
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
    const { all, late, since } = this.#ticks;
    if (now - since < REPORT_MS) return;
    this.#ticks = { all: 0, late: 0, since: now };
    if (late >= LATE_SHARE_MIN * all) out.emit({ kind: "lagging", toldShare: 1 - late / all });
  }
}

/** What two ticks changed, as if it had been one. */
function merged(earlier: Changes, later: Changes): Changes {
  const isThere = (entity: Entity): boolean => !entity.isRemoved;
  const spawned = new Set([...earlier.spawned, ...later.spawned].filter(isThere));
  const reshaped = new Set(
    [...earlier.reshaped, ...later.reshaped].filter((entity) =>
      isThere(entity) && !spawned.has(entity)
    ),
  );
  const changed = new Map<Entity, Set<string>>();
  for (const { entity, names } of [...earlier.changed, ...later.changed]) {
    if (!isThere(entity) || spawned.has(entity) || reshaped.has(entity)) continue;
    const known = changed.get(entity);
    if (!known) changed.set(entity, new Set(names));
    else for (const name of names) known.add(name);
  }
  return {
    time: later.time,
    spawned: [...spawned],
    changed: Array.from(changed, ([entity, names]) => ({ entity, names: [...names] })),
    reshaped: [...reshaped],
    // Also what came and went meanwhile: who came meanwhile too may have been told of it.
    removed: [...earlier.removed, ...later.removed],
  };
}
