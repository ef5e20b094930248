import { Recent } from "../../parts/recent.ts";
import type { Json } from "../../parts/json.ts";
import type { Update } from "./messages.ts";
import {
  DEFAULT_TRAITS,
  isPhysical,
  type TraitChanges,
  type Traits,
  traitsFrom,
} from "./traits.ts";

/** What an update did to the mirror. */
export type Effect =
  /** The object is there. */
  | { kind: "spawned"; id: number; traits: Traits }
  /** Some of its traits are others; `undefined` for those that are gone. */
  | { kind: "changed"; id: number; traits: Traits; changes: TraitChanges };

/** An object, or what is known of one of which no snapshot has come. */
interface Known {
  traits: Traits;
  /** Of its traits, more or less. */
  bytes: number;
  /** The tick of its newest snapshot; -1 before the first. */
  wholeAt: number;
  /** The tick of the newest news. */
  latestAt: number;
  /** The ticks of traits that were told later than that. */
  readonly laterAt: Map<string, number>;
}

/** So many ids that are gone are remembered, so that late news do not bring the objects back. */
const GONE_MAX = 16_384;
/** What a server can fill the memory with: bytes of one object, more than a datagram holds, */
const OBJECT_BYTES_MAX = 8_192;
/** of all of them, */
const BYTES_MAX = 64 * 2 ** 20;
/** and objects of which there was no snapshot yet. */
const HIDDEN_MAX = 4_096;
/** The physical traits take so many in any case. */
const PHYSICAL_BYTES = 200;

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
  #bytes = 0;
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

  /** Whether these news have a place. */
  hasRoomFor({ id, isWhole, traits }: Update): boolean {
    if (this.#gone.has(id)) return true;
    const known = this.#known.get(id);
    if (known) {
      if (this.#bytes < BYTES_MAX && known.bytes < OBJECT_BYTES_MAX) return true;
      // Where there is much already, it may get other values, but not more.
      return bytesOf(isWhole ? traits : traitsFrom(known.traits, traits)) <= known.bytes;
    }
    if (this.#bytes >= BYTES_MAX) return false;
    if (!isWhole && this.#known.size - this.#objects.size >= HIDDEN_MAX) return false;
    return this.#known.size < this.#objectsMax;
  }

  /** Takes news as of a tick, if there is a place. Returns what became of it, if anything did. */
  apply(update: Update, time: number): Effect | undefined {
    this.#time = Math.max(this.#time, time);
    const { id } = update;
    if (this.#gone.has(id) || !this.hasRoomFor(update)) return undefined;
    let known = this.#known.get(id);
    if (!known) {
      // Late news of an object that is gone.
      if (time < this.#settledAt) return undefined;
      this.#known.set(id, known = newKnown());
      this.#bytes += known.bytes;
    }
    const isSpawned = update.isWhole && known.wholeAt < 0;
    const bytesBefore = known.bytes;
    const changes = update.isWhole
      ? applySnapshot(known, update.traits, time)
      : applyDiff(known, update.traits, time);
    this.#bytes += known.bytes - bytesBefore;
    if (known.wholeAt < 0) return undefined;
    const { traits } = known;
    if (isSpawned) {
      this.#objects.set(id, traits);
      return { kind: "spawned", id, traits };
    }
    if (!changes) return undefined;
    this.#objects.set(id, traits);
    return { kind: "changed", id, traits, changes };
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
    for (const [id, { latestAt }] of this.#known) {
      if (latestAt < tick && this.#forget(id)) gone.push(id);
    }
    return gone;
  }

  /** Another world begins. Returns the objects that were there. */
  clear(): number[] {
    const gone = [...this.#objects.keys()];
    this.#known.clear();
    this.#objects.clear();
    this.#gone.clear();
    this.#bytes = 0;
    this.#time = -1;
    this.#settledAt = -1;
    return gone;
  }

  #forget(id: number): boolean {
    this.#bytes -= this.#known.get(id)?.bytes ?? 0;
    this.#known.delete(id);
    return this.#objects.delete(id);
  }
}

/** A snapshot counts for each trait of which nothing later is known. Returns what it changed, if anything. */
function applySnapshot(known: Known, snapshot: Traits, time: number): TraitChanges | undefined {
  if (time < known.wholeAt) return undefined;
  known.wholeAt = time;
  known.latestAt = Math.max(known.latestAt, time);
  const later: Record<string, Json> = Object.create(null);
  for (const [name, at] of known.laterAt) {
    if (at > time) later[name] = known.traits[name]!;
    else known.laterAt.delete(name);
  }
  const traits = traitsFrom(snapshot, later);
  const changes = differences(known.traits, traits);
  if (!changes) return undefined;
  known.traits = traits;
  known.bytes = bytesOf(traits);
  return changes;
}

/** A value counts if it is later than the one that is known. Returns what is another one now, if any. */
function applyDiff(known: Known, diff: TraitChanges, time: number): TraitChanges | undefined {
  const news: Record<string, Json> = Object.create(null);
  for (const name of Object.keys(diff)) {
    if (time <= (known.laterAt.get(name) ?? known.wholeAt)) continue;
    known.laterAt.set(name, time);
    known.latestAt = Math.max(known.latestAt, time);
    if (isEqual(known.traits[name], diff[name])) continue;
    known.bytes += sizeOf(name, diff[name]) - sizeOf(name, known.traits[name]);
    news[name] = diff[name]!;
  }
  if (Object.keys(news).length === 0) return undefined;
  known.traits = traitsFrom(known.traits, news);
  return news as TraitChanges;
}

function newKnown(): Known {
  return {
    traits: DEFAULT_TRAITS,
    bytes: PHYSICAL_BYTES,
    wholeAt: -1,
    latestAt: -1,
    laterAt: new Map(),
  };
}

/** Of traits, as JSON. */
function bytesOf(traits: Traits): number {
  return Object.keys(traits).reduce(
    (sum, name) => sum + sizeOf(name, traits[name]),
    PHYSICAL_BYTES,
  );
}

/** What a trait takes besides what each object takes. */
function sizeOf(name: string, value: Json | undefined): number {
  if (value === undefined || isPhysical(name)) return 0;
  return name.length + JSON.stringify(value).length;
}

/** The traits that are others, `undefined` for those that are gone; undefined when there are none. */
function differences(before: Traits, after: Traits): TraitChanges | undefined {
  const changes: Record<string, Json | undefined> = Object.create(null);
  for (const name of Object.keys(after)) {
    if (!isEqual(before[name], after[name])) changes[name] = after[name];
  }
  for (const name of Object.keys(before)) {
    if (after[name] === undefined) changes[name] = undefined;
  }
  return Object.keys(changes).length > 0 ? changes as TraitChanges : undefined;
}

function isEqual(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object") return false;
  return JSON.stringify(one) === JSON.stringify(other);
}
