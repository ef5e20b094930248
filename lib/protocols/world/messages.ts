/**
 * What is said in the JSON of a packet. Whoever knows only the original takes `snap` and leaves the rest.
 *
 * | type | to | fields |
 * | --- | --- | --- |
 * | `knock` | server | `diffs`: true for who understands `diff` |
 * | `stop` | server | |
 * | none | server | says only that the client is there, and is acked as all is |
 * | `snap` | client | `id`, `time`, `snapshot`; `total`, `initial`, `traits`, `universe` |
 * | `diff` | client | `time`, `diff`: by id the traits that changed; `universe` |
 * | `remove` | client | `time`, `ids`, `universe` |
 * | `heartbeat` | client | `time` in Unix seconds; `tick`, `tickRate`, `synced`, `universe` |
 * | `full` | client | no place is free |
 * | `stop` | client | the server ends |
 *
 * `universe` is a number that a server draws when it starts: with another one, ids and times begin anew.
 */
import type { JsonObject } from "../../parts/json.ts";
import { readSnapshot, readTraits, type TraitChanges, type Traits } from "./traits.ts";

/** What a client says. */
export type ClientMessage =
  /** Let me in, or tell me everything again. */
  | { kind: "knock"; diffs: boolean }
  | { kind: "stop" }
  /** Just acknowledge this. */
  | { kind: "ping" };

/** News of one object. */
export type Update =
  /** All of it: a trait that is not there is gone. */
  | { id: number; traits: Traits; isWhole: true }
  | { id: number; traits: TraitChanges; isWhole: false };

/** What a server says. */
export type ServerMessage =
  | {
    kind: "updates";
    time: number;
    updates: readonly Update[];
    universe: number | undefined;
    /** Objects in the world, if it says so. */
    total: number | undefined;
  }
  | { kind: "remove"; time: number; ids: readonly number[]; universe: number | undefined }
  | Heartbeat
  /** No place is free. */
  | { kind: "full" }
  /** The server ends. */
  | { kind: "stop" };

/** That the server is there. */
export interface Heartbeat {
  /** Tells it from other messages. */
  kind: "heartbeat";
  /** Unix time in seconds when it was sent. */
  unixSeconds: number;
  /** The world's time. The original does not tell it. */
  tick: number | undefined;
  /** Ticks a second; 0 when they have no fixed rate. The original does not tell it. */
  tickRateHz: number | undefined;
  /**
   * The client has a snap, of this time or later, of every object there is: those it knows only from before
   * are gone.
   */
  synced: number | undefined;
  /** In which universe. */
  universe: number | undefined;
}

/** A message, or `unknown` of a type that means nothing, or `shape` when a field is missing or wrong. */
export type Read<Message> = Message | { kind: "refused"; reason: "unknown" | "shape" };

const UNKNOWN = { kind: "refused", reason: "unknown" } as const;
const SHAPE = { kind: "refused", reason: "shape" } as const;
const OBJECT_ID = /^(?:0|[1-9]\d{0,15})$/;

/** Understands what a client said. */
export function readClientMessage({ type, diffs }: JsonObject): Read<ClientMessage> {
  switch (type) {
    case undefined:
      return { kind: "ping" };
    case "knock":
      return { kind: "knock", diffs: diffs === true };
    case "stop":
      return { kind: "stop" };
    default:
      return UNKNOWN;
  }
}

const SERVER_TYPES: ReadonlySet<unknown> = new Set(["snap", "diff", "remove", "heartbeat", "full"]);

/** Whether only a server says this, netsync's or the original. */
export function isServersWord({ type, diff }: JsonObject): boolean {
  return SERVER_TYPES.has(type) || (type === undefined && diff !== undefined);
}

/** Understands what a server said: netsync's or the original, whose diffs have no type. */
export function readServerMessage(message: JsonObject): Read<ServerMessage> {
  const { type } = message;
  if (type === undefined) return message.diff === undefined ? UNKNOWN : readDiff(message);
  switch (type) {
    case "snap":
      return readSnap(message);
    case "diff":
      return readDiff(message);
    case "remove": {
      const { time, ids } = message;
      if (!isCount(time) || !Array.isArray(ids) || !ids.every(isCount)) return SHAPE;
      return { kind: "remove", time, ids, universe: countOf(message.universe) };
    }
    case "heartbeat":
      return typeof message.time === "number"
        ? {
          kind: "heartbeat",
          unixSeconds: message.time,
          tick: countOf(message.tick),
          tickRateHz: rateOf(message.tickRate),
          synced: countOf(message.synced),
          universe: countOf(message.universe),
        }
        : SHAPE;
    case "full":
      return { kind: "full" };
    case "stop":
      return { kind: "stop" };
    default:
      return UNKNOWN;
  }
}

/** The message that asks a server to let us in. */
export const KNOCK = jsonOf({ type: "knock", diffs: true });
/** The message that says that we leave, or that the server ends. */
export const STOP = jsonOf({ type: "stop" });
/** The message that wants nothing but an ACK. */
export const PING = jsonOf({});
/** The message that says that no place is free. */
export const FULL = jsonOf({ type: "full" });

/** A message as JSON in UTF-8. */
export function jsonOf(message: JsonObject): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}

function readSnap(message: JsonObject): Read<ServerMessage> {
  const { id, time } = message;
  const traits = readSnapshot(message.snapshot, message.traits);
  if (!isCount(id) || !isCount(time) || !traits) return SHAPE;
  return {
    kind: "updates",
    time,
    updates: [{ id, traits, isWhole: true }],
    universe: countOf(message.universe),
    total: countOf(message.total),
  };
}

function readDiff({ time, diff, universe }: JsonObject): Read<ServerMessage> {
  const isObject = typeof diff === "object" && diff !== null && !Array.isArray(diff);
  if (!isCount(time) || !isObject) return SHAPE;
  const updates: Update[] = [];
  for (const [key, value] of Object.entries(diff)) {
    const update = OBJECT_ID.test(key) ? readUpdate(Number(key), value) : undefined;
    if (!update) return SHAPE;
    updates.push(update);
  }
  return {
    kind: "updates",
    time,
    updates,
    universe: countOf(universe),
    total: undefined,
  };
}

/** Traits by name; or, from the original, a whole snapshot. */
function readUpdate(id: number, value: unknown): Update | undefined {
  if (!isCount(id)) return undefined;
  if (Array.isArray(value)) {
    const traits = readSnapshot(value, undefined);
    return traits && { id, traits, isWhole: true };
  }
  const traits = readTraits(value);
  return traits && { id, traits, isWhole: false };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function countOf(value: unknown): number | undefined {
  return isCount(value) ? value : undefined;
}

function rateOf(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 ? value : undefined;
}
