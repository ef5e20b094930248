/**
 * The world: objects and their traits, in time that goes by ticks.
 *
 * What is done between two ticks is seen by nobody; a tick makes it so. Each trait is written as JSON once
 * when it is changed, and knows at which tick that took effect: what anybody lacks can be told from that.
 */
import { checkRange } from "../../parts/range.ts";
import type { Json } from "../../parts/json.ts";
import {
  DEFAULT_TRAITS,
  isPhysical,
  memberOf,
  PHYSICAL_NAMES,
  type TraitChanges,
  type Traits,
  traitsFrom,
  writeTrait,
} from "./traits.ts";

/** Options of {@link World}. */
export interface WorldOptions {
  /**
   * To how many decimals physical traits are rounded when they are told; the world itself goes on with what
   * it was given. Digits nobody sees are most of what travels. 0 to 15. Default: as they are.
   */
  decimals?: number;
  /** Objects at most. Default 10,000. */
  objectsMax?: number;
}

/** All traits of an object in JSON, so many bytes at most: a snapshot travels in one datagram. */
export const TRAITS_BYTES_MAX = 1_000;
const DECIMALS_MAX = 15;
/** A trait as it was told last. */
export interface Told {
  /** Its JSON. */
  readonly text: string;
  /** At which tick it became that. */
  readonly changedAt: number;
}

/** An object with what its traits look like on the wire. */
export class Entity {
  /** Its id. */
  readonly id: number;
  /** As of the last tick. */
  readonly told = new Map<string, Told>();
  /** Whether it is gone for good. */
  isRemoved = false;
  /** At which tick it came, or lost a trait: a snapshot of before is no baseline. */
  reshapedAt = 0;
  #snapshot: { snapshot: string; others: string } | undefined;

  /** An object of which nothing was told yet. */
  constructor(id: number) {
    this.id = id;
  }

  /** Its snapshot and its other traits, if it has any, as JSON. */
  get texts(): { snapshot: string; others: string } {
    return this.#snapshot ??= {
      snapshot: `[${PHYSICAL_NAMES.map((name) => this.told.get(name)!.text).join(",")}]`,
      others: Array.from(this.told)
        .filter(([name]) => !isPhysical(name))
        .map(([name, { text }]) => memberOf(name, text))
        .join(","),
    };
  }

  /**
   * Takes what was written since the last tick: these traits, which are now `texts`, or gone.
   *
   * @returns Which traits changed, and whether one is gone.
   */
  tell(
    written: Iterable<string>,
    texts: ReadonlyMap<string, string>,
    time: number,
  ): { names: string[]; lostTrait: boolean } {
    const names: string[] = [];
    let lostTrait = false;
    for (const name of written) {
      const text = texts.get(name);
      if (text === undefined) lostTrait = this.told.delete(name) || lostTrait;
      else if (this.told.get(name)?.text !== text) {
        this.told.set(name, { text, changedAt: time });
        names.push(name);
      }
    }
    if (lostTrait) this.reshapedAt = time;
    if (lostTrait || names.length > 0) this.#snapshot = undefined;
    return { names, lostTrait };
  }
}

/** What the program that owns the world has made of an object. */
interface Draft {
  texts: Map<string, string>;
  /** Names that were written since the last tick. */
  dirty: Set<string>;
  /** Of all its traits in JSON. */
  bytes: number;
}

/** Some traits of an object. */
export interface Part {
  /** The object. */
  readonly entity: Entity;
  /** Names of the traits. */
  readonly names: readonly string[];
}

/** What a tick changed. */
export interface Changes {
  /** The tick. */
  readonly time: number;
  /** Objects that are new. */
  readonly spawned: readonly Entity[];
  /** Traits that have another value. */
  readonly changed: readonly Part[];
  /** Objects that lost a trait. */
  readonly reshaped: readonly Entity[];
  /** Objects that are gone. */
  readonly removed: readonly Entity[];
}

/** Objects that a server tells its clients about. */
export class World {
  readonly #decimals: number | undefined;
  readonly #objectsMax: number;
  readonly #objects = new Map<number, Traits>();
  readonly #drafts = new Map<number, Draft>();
  readonly #entities = new Map<number, Entity>();
  /** Since the last tick. */
  readonly #touched = new Set<number>();
  #removed: Entity[] = [];
  #nextId = 0;
  #time = 0;
  #owner: object | undefined;

  /**
   * An empty world.
   *
   * @throws {RangeError} An option makes no sense.
   */
  constructor({ decimals, objectsMax = 10_000 }: WorldOptions = {}) {
    const isPossible = Number.isInteger(decimals) && decimals! >= 0 && decimals! <= DECIMALS_MAX;
    if (decimals !== undefined && !isPossible) {
      throw new RangeError(`decimals is a whole number from 0 to ${DECIMALS_MAX}, not ${decimals}`);
    }
    checkRange("objectsMax", objectsMax, 0);
    this.#decimals = decimals;
    this.#objectsMax = objectsMax;
  }

  /** Ticks so far. */
  get time(): number {
    return this.#time;
  }

  /** Everything there is, by id, as it is at this moment: also what the next tick will tell. */
  get objects(): ReadonlyMap<number, Traits> {
    return this.#objects;
  }

  /** Everything that was told, by id, in the order of creation. For servers. */
  get entities(): ReadonlyMap<number, Entity> {
    return this.#entities;
  }

  /**
   * Makes an object.
   *
   * @param traits Those that are not the default: `{ position: [1, 2, 3], name: "Rock" }`.
   * @returns Its id, which no other object ever gets.
   * @throws {TypeError} A trait is not what it should be, or nothing that JSON has.
   * @throws {RangeError} The traits are too long together, or the world is full.
   */
  spawn(traits: TraitChanges = {}): number {
    if (this.#objects.size >= this.#objectsMax) {
      throw new RangeError(`the world is full: it has ${this.#objectsMax} objects`);
    }
    const id = this.#nextId;
    const draft: Draft = { texts: new Map(), dirty: new Set(), bytes: 0 };
    const all = { ...DEFAULT_TRAITS, ...traits };
    this.#write(id, draft, all);
    this.#nextId++;
    this.#drafts.set(id, draft);
    this.#objects.set(id, traitsFrom(DEFAULT_TRAITS, copyOf(all)));
    return id;
  }

  /**
   * Changes some traits of an object; `undefined` takes one away. Either all of it is done or nothing.
   *
   * @throws {RangeError} There is no such object, or its traits get too long together.
   * @throws {TypeError} A trait is not what it should be, or nothing that JSON has.
   */
  update(id: number, changes: TraitChanges): void {
    const draft = this.#drafts.get(id);
    if (!draft) throw new RangeError(`there is no object ${id}`);
    this.#write(id, draft, changes);
    this.#objects.set(id, traitsFrom(this.#objects.get(id)!, copyOf(changes)));
  }

  /** Removes an object. False when it is not there. */
  remove(id: number): boolean {
    if (!this.#objects.delete(id)) return false;
    this.#drafts.delete(id);
    this.#touched.delete(id);
    const entity = this.#entities.get(id);
    if (entity) this.#removed.push(entity);
    return true;
  }

  /** From now on only this server ticks, and no longer the one before: each change is told by one. */
  own(owner: object): void {
    this.#owner = owner;
  }

  /**
   * Makes what was done since the last tick so.
   *
   * @param ticks How many have gone by. Default 1.
   * @param owner The server that tells of it, see {@link own}.
   * @throws {TypeError} The world has a server, and this is not it: its clients would not hear of it.
   * @throws {RangeError} Time goes forward, by whole ticks.
   */
  tick(ticks = 1, owner?: object): Changes {
    if (owner !== this.#owner) {
      throw new TypeError("a world with a server is ticked by that: call its tick instead");
    }
    if (!Number.isInteger(ticks)) throw new RangeError(`${ticks} is no whole number of ticks`);
    checkRange("ticks", ticks, 1);
    const time = this.#time += ticks;
    const removed = this.#removed;
    this.#removed = [];
    for (const entity of removed) {
      entity.isRemoved = true;
      this.#entities.delete(entity.id);
    }
    const spawned: Entity[] = [];
    const changed: Part[] = [];
    const reshaped: Entity[] = [];
    for (const id of this.#touched) {
      const known = this.#entities.get(id);
      const entity = known ?? new Entity(id);
      const { dirty, texts } = this.#drafts.get(id)!;
      const { names, lostTrait } = entity.tell(dirty, texts, time);
      dirty.clear();
      if (!known) {
        this.#entities.set(id, entity);
        spawned.push(entity);
      } else if (lostTrait) reshaped.push(entity);
      else if (names.length > 0) changed.push({ entity, names });
    }
    this.#touched.clear();
    return { time, spawned, changed, reshaped, removed };
  }

  #write(id: number, draft: Draft, changes: TraitChanges): void {
    const texts = new Map<string, string | undefined>();
    let { bytes } = draft;
    for (const name of Object.keys(changes)) {
      const text = this.#textOf(name, changes[name]);
      bytes += bytesOf(name, text) - bytesOf(name, draft.texts.get(name));
      texts.set(name, text);
    }
    if (bytes > TRAITS_BYTES_MAX) {
      throw new RangeError(
        `the traits of object ${id} take ${bytes} bytes in JSON, and ${TRAITS_BYTES_MAX} are the most: ` +
          "divide it into several objects, or leave out what clients need not know",
      );
    }
    for (const [name, text] of texts) {
      if (text === undefined) draft.texts.delete(name);
      else draft.texts.set(name, text);
      draft.dirty.add(name);
    }
    draft.bytes = bytes;
    this.#touched.add(id);
  }

  #textOf(name: string, value: Json | undefined): string | undefined {
    if (value !== undefined) return writeTrait(name, value, this.#decimals);
    if (isPhysical(name)) throw new TypeError(`each object has a ${name}: it cannot be taken away`);
    return undefined;
  }
}

/** What has a form in JSON, once more: what a program does with its own objects later is not seen. */
function copyOf<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf) as Value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, copyOf(part)]),
  ) as Value;
}

function bytesOf(name: string, text: string | undefined): number {
  return text === undefined ? 0 : memberOf(name, text).length + 1; // And a comma.
}
