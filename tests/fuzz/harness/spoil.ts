/** Ways to make something wrong out of something real, and bytes that were never right. */
import type { Chance } from "./chance.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const DEPTHS = [3, 9, 17, 33, 65, 1_000, 30_000];
/** Every head of MessagePack that is followed by a count or a length, and of how many bytes that is. */
const COUNTING_HEADS = [
  ...[[0xc4, 1], [0xc5, 2], [0xc6, 4], [0xd9, 1], [0xda, 2], [0xdb, 4], [0xdc, 2], [0xdd, 4]],
  ...[[0xde, 2], [0xdf, 4], [0xff, 2], [0xff, 4], [0x00, 4]],
] as [head: number, size: number][];

/** Several byte strings as one. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Text as UTF-8. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The beginning of one and the end of another. */
export function spliced(chance: Chance, one: Uint8Array, other: Uint8Array): Uint8Array {
  const end = other.subarray(chance.whole(other.length + 1));
  return joined(one.subarray(0, chance.whole(one.length + 1)), end);
}

/** Nested far deeper than anybody means it: JSON or MessagePack, with an end or without one. */
export function nested(chance: Chance): Uint8Array {
  const depth = chance.pick(DEPTHS);
  if (chance.is(0.4)) {
    const head = chance.pick([[0x91], [0x81, 0x01], [0xdc, 0, 1], [0xdd, 0, 0, 0, 1], [0x9f]]);
    const bytes = new Uint8Array(depth * head.length + 1);
    for (let at = 0; at < bytes.length - 1; at++) bytes[at] = head[at % head.length]!;
    bytes[bytes.length - 1] = 1;
    return bytes;
  }
  const [open, close] = chance.pick([["[", "]"], ['{"a":', "}"], ['{"p":[', "]}"]] as const);
  return utf8(
    open.repeat(depth) + chance.pick(["1", "", '"x"']) + close.repeat(chance.is(0.7) ? depth : 0),
  );
}

/** A message with a head before or within it that counts wrong, by one or by billions. */
export function lying(chance: Chance, message: Uint8Array): Uint8Array {
  const [head, size] = chance.pick(COUNTING_HEADS);
  const truth = message.length;
  const count = chance.pick([truth - 1, truth, truth + 1, 0xff, 0xffff, 2 ** 31, 2 ** 32 - 1]);
  const lie = new Uint8Array(5);
  new DataView(lie.buffer).setUint32(1, count * 2 ** (32 - 8 * size));
  lie[0] = head;
  const at = chance.is(0.5) ? 0 : chance.whole(truth + 1);
  const repeats = chance.pick([1, 1, 8, 100]);
  const lies = Array<Uint8Array>(repeats).fill(lie.subarray(0, 1 + size));
  // In the place of what is there, or before it.
  const behind = chance.is(0.3) ? at + 1 + size : at;
  return joined(message.subarray(0, at), ...lies, message.subarray(behind));
}

/** JSON with some values replaced, exchanged, repeated or taken out, behind whatever stands before it. */
export function spoiltJson(chance: Chance, bytes: Uint8Array): Uint8Array | undefined {
  const start = bytes.findIndex((byte) => byte === 0x7b || byte === 0x5b);
  if (start < 0) return undefined;
  try {
    const value = JSON.parse(decoder.decode(bytes.subarray(start)));
    return joined(bytes.subarray(0, start), utf8(JSON.stringify(spoilt(chance, value))));
  } catch {
    return undefined;
  }
}

/** A value as it was read from JSON, changed in some places. */
export function spoilt(chance: Chance, value: unknown): unknown {
  const root = { value: structuredClone(value) };
  for (let changes = chance.pick([1, 1, 1, 2, 4]); changes > 0; changes--) {
    const places = placesIn(root);
    const [one, other] = [chance.pick(places), chance.pick(places)];
    const kind = chance.random();
    if (kind < 0.5) one.holder[one.key] = strange(chance);
    else if (kind < 0.65) one.holder[one.key] = structuredClone(other.holder[other.key]);
    else if (kind < 0.8) delete one.holder[one.key];
    else if (Array.isArray(one.holder)) one.holder.push(structuredClone(one.holder[0]));
    else define(one.holder, chance.pick([`${one.key}2`, "type", "__proto__"]), one.holder[one.key]);
  }
  return root.value ?? null;
}

/** Also where the name is that of something which every object has. */
function define(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

/** Where a value stands. */
interface Place {
  /** An array is meant too. */
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesIn(holder[key])]);
}

const STRANGE: readonly unknown[] = [
  ...[null, true, false, "", "x", "é\ud800", "9".repeat(30), "-1", "1e5", "255.255.255.255"],
  ...[-1, 0, 1, 1.5, 255, 65_536, 2 ** 31, 2 ** 53, 1e308, -1e-9, [], {}, [[]], [1, "2"]],
  ...["x".repeat(70), "x".repeat(9_000), { length: 3 }, ["10.0.0.1", 0], ["ff02::1", 1], "\u0007"],
  ...["::", "0.0.0.0", "224.0.0.1", "::ffff:1.2.3.4", "fe80::1%eth0", "constructor", -0],
];

/** A value that somebody may not have thought of. */
export function strange(chance: Chance): unknown {
  if (chance.is(0.97)) return chance.pick(STRANGE);
  let value: unknown = [];
  for (let depth = chance.pick([16, 33, 65, 500]); depth > 0; depth--) value = [value];
  return value;
}
