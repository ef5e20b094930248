/** What an object of the world is: five physical traits that each has, and any others. */
import { type Json, type JsonObject, writeJson } from "../../parts/json.ts";

/** x, y, z. */
export type Vector = readonly [number, number, number];

/** w, x, y, z. */
export type Quaternion = readonly [number, number, number, number];

/** The traits that each object has. */
export interface PhysicalTraits {
  /** Units a second. Default 0, 0, 0. */
  readonly velocity: Vector;
  /** Radians a second about each axis. Default 0, 0, 0. */
  readonly angularVelocity: Vector;
  /** Which way it faces. Default 1, 0, 0, 0. */
  readonly quaternion: Quaternion;
  /** Where it is. Default 0, 0, 0. */
  readonly position: Vector;
  /** Default 1. */
  readonly mass: number;
}

/** All traits of an object. They are replaced and never changed: keep one to compare with later. */
export interface Traits extends PhysicalTraits {
  /** Any other. */
  readonly [name: string]: Json;
}

/** Some traits of an object, to change. `undefined` takes a trait away, but not a physical one. */
export interface TraitChanges extends Partial<PhysicalTraits> {
  /** Any other. */
  readonly [name: string]: Json | undefined;
}

/** The physical traits in the order of a snapshot, and what they are unless somebody says otherwise. */
const PHYSICAL_DEFAULTS: PhysicalTraits = {
  velocity: [0, 0, 0],
  angularVelocity: [0, 0, 0],
  quaternion: [1, 0, 0, 0],
  position: [0, 0, 0],
  mass: 1,
};

/** Their names, in the order of a snapshot. */
export const PHYSICAL_NAMES = Object.keys(PHYSICAL_DEFAULTS) as readonly (keyof PhysicalTraits)[];

/** Longest name of a trait, in UTF-16 code units. */
const NAME_LENGTH_MAX = 64;
/** Deepest nesting of a trait. */
export const TRAIT_DEPTH_MAX = 32;

/** What an object is of which nothing is said. */
export const DEFAULT_TRAITS: Traits = traitsFrom(PHYSICAL_DEFAULTS as Traits);

/** Whether each object has a trait of this name. */
export function isPhysical(name: string): name is keyof PhysicalTraits {
  return Object.hasOwn(PHYSICAL_DEFAULTS, name);
}

/** Traits with some changed. Names come from anywhere, so the object has no prototype. */
export function traitsFrom(traits: TraitChanges, changes: TraitChanges = {}): Traits {
  const changed: Record<string, Json | undefined> = Object.assign(Object.create(null), traits);
  for (const name of Object.keys(changes)) {
    if (changes[name] === undefined) delete changed[name];
    else changed[name] = changes[name];
  }
  return changed as Traits;
}

/** Whether a value that was read may be the trait of that name. */
export function isTrait(name: string, value: unknown): value is Json {
  if (!isPhysical(name)) return name.length <= NAME_LENGTH_MAX;
  const wanted: unknown = PHYSICAL_DEFAULTS[name];
  if (!Array.isArray(wanted)) return isFinite(value);
  return Array.isArray(value) && value.length === wanted.length && areFinite(value);
}

/** The traits in a snapshot, and others beside them; undefined when it is none. */
export function readSnapshot(snapshot: unknown, others: unknown): Traits | undefined {
  if (!Array.isArray(snapshot) || snapshot.length !== PHYSICAL_NAMES.length) return undefined;
  const physical = Object.fromEntries(
    PHYSICAL_NAMES.map((name, index) => [name, snapshot[index]]),
  ) as TraitChanges;
  if (!PHYSICAL_NAMES.every((name) => isTrait(name, physical[name]))) return undefined;
  if (others === undefined) return traitsFrom(physical);
  const known = readTraits(others);
  // A physical trait beside the snapshot would contradict it.
  if (!known || Object.keys(known).some(isPhysical)) return undefined;
  return traitsFrom(physical, known);
}

/** Some traits by name; undefined when one of them is not what it should be. */
export function readTraits(traits: unknown): TraitChanges | undefined {
  if (typeof traits !== "object" || traits === null || Array.isArray(traits)) return undefined;
  const entries = Object.entries(traits as JsonObject);
  return entries.every(([name, value]) => isTrait(name, value))
    ? traits as TraitChanges
    : undefined;
}

/**
 * A trait as JSON text.
 *
 * @param decimals To how many of them the numbers of physical traits are rounded; undefined for as they are.
 * @throws {TypeError} The trait cannot have this name or value.
 * @throws {RangeError} It is nested too deep.
 */
export function writeTrait(name: string, value: Json, decimals: number | undefined): string {
  if (!isTrait(name, value)) {
    throw new TypeError(
      isPhysical(name)
        ? `${name} is ${shapeOf(name)}, not ${Array.isArray(value) ? `[${value}]` : String(value)}`
        : `the name of a trait is at most ${NAME_LENGTH_MAX} characters long`,
    );
  }
  if (!isPhysical(name)) return writeJson(value, { depthMax: TRAIT_DEPTH_MAX });
  const factor = decimals === undefined ? undefined : 10 ** decimals;
  const write = (number: number): string => String(factor ? rounded(number, factor) : number);
  return Array.isArray(value) ? `[${value.map(write).join(",")}]` : write(value as number);
}

/** Numbers so large that they have no decimals stay as they are. */
function rounded(number: number, factor: number): number {
  const scaled = number * factor;
  return Number.isSafeInteger(Math.round(scaled)) ? Math.round(scaled) / factor : number;
}

/** A trait as a member of a JSON object: its name, and its value as {@link writeTrait} has it. */
export function memberOf(name: string, text: string): string {
  return `${isPhysical(name) ? `"${name}"` : writeJson(name, { depthMax: 0 })}:${text}`;
}

function shapeOf(name: keyof PhysicalTraits): string {
  const value: unknown = PHYSICAL_DEFAULTS[name];
  return Array.isArray(value) ? `an array of ${value.length} finite numbers` : "a finite number";
}

/** Gaps count, which `every` would leave out. */
function areFinite(values: readonly unknown[]): boolean {
  for (const value of values) if (!isFinite(value)) return false;
  return true;
}

function isFinite(value: unknown): value is number {
  return Number.isFinite(value);
}
