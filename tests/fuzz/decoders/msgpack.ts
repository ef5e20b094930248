/**
 * The reader of MessagePack, as deep as it is asked for. Always true besides what is true of all decoders:
 *
 * - there are no more values than bytes, and none nested deeper than allowed;
 * - the bytes of all byte strings lie in the datagram;
 * - what is valid is so for itself only: neither a beginning of it nor anything behind it is.
 */
import { assert, assertEquals } from "@std/assert";
import {
  decodeMsgpack,
  MsgpackMap,
  type MsgpackOptions,
  type MsgpackValue,
  MsgpackWriter,
} from "../../../lib/parts/msgpack.ts";
import { arenaVectors } from "../../support/vectors.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget } from "../harness/decoders.ts";
import { joined, utf8 } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";

function anyMsgpack(chance: Chance, writer: MsgpackWriter, depth: number): MsgpackWriter {
  const length = chance.whole(chance.pick([3, 20]));
  const entries = (into: MsgpackWriter, count: number): MsgpackWriter => {
    for (let left = count; left > 0; left--) anyMsgpack(chance, into, depth - 1);
    return into;
  };
  switch (chance.whole(depth === 0 ? 6 : 10)) {
    case 0:
      return chance.is(0.3) ? writer.nil() : writer.boolean(chance.is(0.5));
    case 1:
      return writer.integer(
        Math.trunc((chance.below(1) - 0.5) * 2 ** chance.pick([4, 8, 16, 32, 53])),
      );
    case 2:
      return writer.float(chance.pick([0.1, -0, NaN, Infinity]));
    case 3:
      return writer.raw(chance.noise(length));
    case 4:
      return writer.raw(utf8("aé\ufffd\u{1f600}".repeat(length)));
    case 5:
      return chance.is(0.8)
        ? writer.bin(chance.noise(chance.below(chance.pick([4, 300]))))
        : writer.append(integer64(chance.pick([2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n])));
    case 6:
    case 7:
      return entries(writer.map(length), 2 * length);
    default:
      return entries(writer.array(length), length);
  }
}

function writeMsgpack(writer: MsgpackWriter, value: MsgpackValue): MsgpackWriter {
  if (value === null) return writer.nil();
  switch (typeof value) {
    case "boolean":
      return writer.boolean(value);
    case "string":
      return writer.raw(utf8(value));
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? writer.integer(value)
        : writer.float(value);
    case "bigint":
      return writer.append(integer64(value)); // Which the writer has no form for.
  }
  if (value instanceof Uint8Array) return writer.bin(value);
  const entries = entriesOf(value);
  if (Array.isArray(value)) writer.array(entries.length);
  else writer.map(entries.length / 2);
  for (const entry of entries) writeMsgpack(writer, entry);
  return writer;
}

function integer64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = value < 0n ? 0xd3 : 0xcf;
  new DataView(bytes.buffer).setBigUint64(1, BigInt.asUintN(64, value));
  return bytes;
}

/** What is inside of an array or a map; nothing is inside of others. */
function entriesOf(value: MsgpackValue): readonly MsgpackValue[] {
  if (value instanceof MsgpackMap) return value.entries;
  return Array.isArray(value) ? value : [];
}

function countOf(value: MsgpackValue): number {
  return entriesOf(value).reduce<number>((count, entry) => count + countOf(entry), 1);
}

function depthOf(value: MsgpackValue): number {
  if (!Array.isArray(value) && !(value instanceof MsgpackMap)) return 0;
  return 1 + entriesOf(value).reduce<number>((most, entry) => Math.max(most, depthOf(entry)), 0);
}

function byteStringsIn(value: MsgpackValue): Uint8Array[] {
  return value instanceof Uint8Array ? [value] : entriesOf(value).flatMap(byteStringsIn);
}

function kindOf(value: MsgpackValue | undefined): string {
  if (value === undefined) return "none";
  if (value === null || Array.isArray(value)) return value ? "array" : "nil";
  if (typeof value !== "object") return typeof value;
  return value instanceof Uint8Array ? "bytes" : "map";
}

/** There are no more values than bytes, none nested too deep, and what is valid is so for itself only. */
function checkMsgpack(
  value: MsgpackValue | undefined,
  bytes: Uint8Array,
  chance: Chance,
  options: Required<MsgpackOptions>,
): void {
  if (value === undefined) return;
  assert(countOf(value) <= bytes.length, `${countOf(value)} values`);
  assert(depthOf(value) <= options.depthMax, `${depthOf(value)} deep`);
  for (const part of byteStringsIn(value)) assert(part.buffer === bytes.buffer, "no view");
  const cut = bytes.subarray(0, chance.whole(bytes.length));
  assertEquals(decodeMsgpack(cut, options), undefined);
  const longer = joined(bytes, chance.noise(1 + chance.whole(4)));
  assertEquals(decodeMsgpack(longer, options), undefined);
}

function msgpackDecoder(options: Required<MsgpackOptions>): Target {
  const { depthMax, texts } = options;
  return decoderTarget<MsgpackValue | undefined>({
    service: "parts",
    name: `MessagePack ${depthMax} deep${texts ? ", with texts" : ""}`,
    recorded: arenaVectors.map(({ bytes }) => bytes),
    real: (chance) =>
      anyMsgpack(chance, new MsgpackWriter(chance.below(64)), chance.pick([0, 2, 5])).take(),
    read: (bytes) => decodeMsgpack(bytes, options),
    nameOf: kindOf,
    write: (value) =>
      value === undefined ? undefined : writeMsgpack(new MsgpackWriter(16), value).take(),
    check: (value, bytes, chance) => checkMsgpack(value, bytes, chance, options),
    hasViews: true,
    reach: {
      kinds: ["none", "nil", "boolean", "number", "bigint", "bytes", "array", "map", "string"],
      never: {
        ...!texts && { string: "it was not asked for" },
        ...depthMax === 0 && { array: "it is one deep", map: "it is one deep" },
      },
    },
  });
}

/** Of MessagePack. */
export const MSGPACK_DECODERS: readonly Target[] = [
  ...[0, 1, 4, 16, 200].map((depthMax) => msgpackDecoder({ depthMax, texts: depthMax === 4 })),
  msgpackDecoder({ depthMax: 33, texts: true }),
];
