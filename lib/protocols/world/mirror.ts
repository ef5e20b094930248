import { Recent } from "../../parts/recent.ts";
import type { Json } from "../../parts/json.ts";
import type { Update } from "./messages.ts";
import { DEFAULT_TRAITS, type TraitChanges, type Traits, traitsFrom } from "./traits.ts";

/** What an update did to the mirror. */
export type Effect =
  /** The object is there. */
  | { kind: "spawned"; id: number; traits: Traits }
  /** Some of its traits are others; `undefined` for those that are gone. */
  | { kind: "changed"; id: number; traits: Traits; changes: TraitChanges };

/** An object, or what is known of one of which no snapshot has come. */
interface Known {
  traits: Traits;
  /** The tick of its newest snapshot; -1 before the first. */
  wholeAt: number;
  /** The ticks of traits that were told later than that. */
  readonly laterAt: Map<string, number>;
}

/** So many ids that are gone are remembered, so that late news do not bring the objects back. */
const GONE_MAX = 16_384;
/** An object has no more traits, so that a server cannot fill the memory: more do not fit into a snap. */
const TRAITS_MAX = 1_024;

/**
 * The world as a client knows it, made of news that arrive in any order.
 *
 * For every trait the latest news count. So what is lost and told again in another packet, or overtaken by
 * a newer packet, ends up the same as what comes in order.
 */
export class Mirror {
  readonly #known = new Map<number, Known>();
  readonly #objects = new Map<number, Traits>();
  readonly #gone = new Recent(GONE_MAX);
  readonly #objectsMax: number;
  #time = -1;
  /** Objects of before that were told again by then, or are gone. */
  #settledAt = -1;

  /** @param objectsMax Objects at most. */
  constructor(objectsMax: number) {
    this.#objectsMax = objectsMax;
  }

  /** All objects of which there was a snapshot. */
  get objects(): ReadonlyMap<number, Traits> {
    return this.#objects;
  }

  /** The newest tick of which there was news; -1 before the first. */
  get time(): number {
    return this.#time;
  }

  /** Whether there is a place for all of these. */
  hasRoomFor(updates: readonly Update[]): boolean {
    if (this.#known.size + updates.length <= this.#objectsMax) return true;
    const strangers = updates.filter(({ id }) => !this.#known.has(id) && !this.#gone.has(id));
    return strangers.length === 0 || this.#known.size + strangers.length <= this.#objectsMax;
  }

  /** Takes news as of a tick. Returns what became of it, if anything did. */
  apply(update: Update, time: number): Effect | undefined {
    this.#time = Math.max(this.#time, time);
    const { id } = update;
    if (this.#gone.has(id)) return undefined;
    let known = this.#known.get(id);
    if (!known) {
      // Late news of an object that is gone.
      if (time < this.#settledAt) return undefined;
      this.#known.set(id, known = { traits: DEFAULT_TRAITS, wholeAt: -1, laterAt: new Map() });
    }
    const isSpawned = update.isWhole && known.wholeAt < 0;
    const before = known.traits;
    if (update.isWhole) applySnapshot(known, update.traits, time);
    else applyDiff(known, update.traits, time);
    if (known.wholeAt < 0) return undefined;
    const { traits } = known;
    if (isSpawned) {
      this.#objects.set(id, traits);
      return { kind: "spawned", id, traits };
    }
    if (traits === before) return undefined;
    this.#objects.set(id, traits);
    return { kind: "changed", id, traits, changes: differences(before, traits) };
  }

  /** An object is gone for good. Returns whether it was there. */
  remove(id: number, time: number): boolean {
    this.#time = Math.max(this.#time, time);
    this.#gone.add(id);
    return this.#forget(id);
  }

  /** Every object there is was told whole at this tick or later: the others are gone. Returns them. */
  settle(tick: number): number[] {
    this.#settledAt = Math.max(this.#settledAt, tick);
    const gone: number[] = [];
    for (const [id, { wholeAt, laterAt }] of this.#known) {
      if (wholeAt >= tick || Math.max(-1, ...laterAt.values()) >= tick) continue;
      if (this.#forget(id)) gone.push(id);
    }
    return gone;
  }

  /** Another world begins. Returns the objects that were there. */
  clear(): number[] {
    const gone = [...this.#objects.keys()];
    this.#known.clear();
    this.#objects.clear();
    this.#gone.clear();
    this.#time = -1;
    this.#settledAt = -1;
    return gone;
  }

  #forget(id: number): boolean {
    this.#known.delete(id);
    return this.#objects.delete(id);
  }
}

/** A snapshot counts for each trait of which nothing later is known. */
function applySnapshot(known: Known, snapshot: Traits, time: number): void {
  if (time < known.wholeAt) return;
  known.wholeAt = time;
  const later: Record<string, Json> = Object.create(null);
  for (const [name, at] of known.laterAt) {
    if (at > time) later[name] = known.traits[name]!;
    else known.laterAt.delete(name);
  }
  const traits = traitsFrom(snapshot, later);
  if (!isSame(known.traits, traits)) known.traits = traits;
}

/** A value counts if it is later than the one that is known. */
function applyDiff(known: Known, diff: TraitChanges, time: number): void {
  const changes: Record<string, Json> = Object.create(null);
  let room = TRAITS_MAX - Object.keys(known.traits).length;
  for (const name of Object.keys(diff)) {
    if (known.traits[name] === undefined && --room < 0) continue;
    if (time <= (known.laterAt.get(name) ?? known.wholeAt)) continue;
    known.laterAt.set(name, time);
    changes[name] = diff[name]!;
  }
  const traits = traitsFrom(known.traits, changes);
  if (!isSame(known.traits, traits)) known.traits = traits;
}

function isSame(before: Traits, after: Traits): boolean {
  return Object.keys(differences(before, after)).length === 0;
}

function differences(before: Traits, after: Traits): TraitChanges {
  const changes: Record<string, Json | undefined> = Object.create(null);
  for (const name of Object.keys(after)) {
    if (!isEqual(before[name], after[name])) changes[name] = after[name];
  }
  for (const name of Object.keys(before)) {
    if (after[name] === undefined) changes[name] = undefined;
  }
  return changes as TraitChanges;
}

function isEqual(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object") return false;
  return JSON.stringify(one) === JSON.stringify(other);
}
