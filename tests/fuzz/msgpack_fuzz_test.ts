/**
 * Bytes of every kind for the MessagePack reader: noise, messages put together by hand, spliced, cut,
 * changed, and heads that lie about what follows. Always true:
 *
 * - nothing throws, and the bytes are left as they were;
 * - there are no more values than bytes, and none nested deeper than allowed;
 * - the bytes of all byte strings lie in the datagram;
 * - what was read can be written again, and is read as the same;
 * - what is valid is so for itself only: neither a beginning of it nor anything behind it is.
 *
 * FUZZ_SECONDS=60 plays longer, SEED=17 one seed.
 */
import { assert, assertEquals } from "@std/assert";
import {
  decodeMsgpack,
  MsgpackMap,
  type MsgpackOptions,
  type MsgpackValue,
  MsgpackWriter,
} from "../../lib/parts/msgpack.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { mutated, noise } from "../protocols/engine_suite.ts";
import { seeds, withSeed } from "../support/seeds.ts";
import { arenaVectors } from "../support/vectors.ts";

const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 1);
const DATAGRAMS = 200;
const BYTES_MAX = 2_000;

Deno.test("decodeMsgpack() keeps its promises whatever the bytes", () => {
  const end = performance.now() + SECONDS * 1_000;
  for (const seed of seeds(Infinity)) {
    withSeed(seed, () => new Fuzzer(seededRandom(seed)).run());
    if (performance.now() > end) break;
  }
});

const KINDS = ["noise", "heads", "valid", "spliced", "mutated", "lying"] as const;
type Kind = (typeof KINDS)[number];

/** Every head that is followed by a count or a length, and of how many bytes that is. */
const COUNTING_HEADS = [
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
  [0xdc, 2],
  [0xdd, 4],
  [0xde, 2],
  [0xdf, 4],
] as const;

class Fuzzer {
  readonly #random: Random;
  readonly #kinds: readonly Kind[];
  readonly #options: Required<MsgpackOptions>;
  /** Valid messages, to be spoilt. */
  readonly #kept: Uint8Array[] = arenaVectors.map(({ bytes }) => bytes);

  constructor(random: Random) {
    this.#random = random;
    this.#kinds = KINDS.filter((kind) => kind === "valid" || random() < 0.6);
    this.#options = { depthMax: pick(random, [0, 1, 4, 16, 200]), texts: random() < 0.5 };
  }

  run(): void {
    for (let count = 0; count < DATAGRAMS; count++) {
      const datagram = this.#datagram(pick(this.#random, this.#kinds)).slice(0, BYTES_MAX);
      this.#check(datagram);
    }
  }

  #datagram(kind: Kind): Uint8Array {
    const random = this.#random;
    switch (kind) {
      case "noise":
        return noise(random, random() * pick(random, [4, 40, BYTES_MAX]));
      case "heads":
        return this.#heads();
      case "valid": {
        const valid = this.#valid(new MsgpackWriter(random() * 64), pick(random, [0, 2, 5])).take();
        this.#kept[Math.floor(random() * 100)] = valid;
        return valid;
      }
      case "spliced": {
        const [one, other] = [this.#anyKept(), this.#anyKept()];
        const head = one.subarray(0, random() * one.length);
        return joined(head, other.subarray(random() * other.length));
      }
      case "mutated":
        return mutated(random, this.#anyKept());
      case "lying":
        return this.#lying();
    }
  }

  /** Nothing but bytes that begin something. */
  #heads(): Uint8Array {
    const heads = noise(this.#random, this.#random() * 300);
    return heads.map((byte) => pick(this.#random, [byte, 0x90 | byte & 1, 0x80 | byte & 1, 0xdd]));
  }

  /** A message with a head before or within it that counts wrong, by one or by billions. */
  #lying(): Uint8Array {
    const random = this.#random;
    const message = this.#anyKept();
    const [head, size] = pick(random, COUNTING_HEADS);
    const truth = message.length;
    const count = pick(random, [truth - 1, truth, truth + 1, 0xff, 0xffff, 2 ** 31, 2 ** 32 - 1]);
    const lie = new Uint8Array(5);
    new DataView(lie.buffer).setUint32(1, count * 2 ** (32 - 8 * size));
    lie[0] = head;
    const at = random() < 0.5 ? 0 : random() * truth;
    const repeats = pick(random, [1, 1, 8, 100]);
    const lies = Array<Uint8Array>(repeats).fill(lie.subarray(0, 1 + size));
    return joined(message.subarray(0, at), ...lies, message.subarray(at));
  }

  #valid(writer: MsgpackWriter, depth: number): MsgpackWriter {
    const random = this.#random;
    const length = Math.floor(random() * pick(random, [3, 20]));
    switch (Math.floor(random() * (depth === 0 ? 6 : 10))) {
      case 0:
        return random() < 0.3 ? writer.nil() : writer.boolean(random() < 0.5);
      case 1:
        return writer.integer(Math.trunc((random() - 0.5) * 2 ** pick(random, [4, 8, 16, 32, 53])));
      case 2:
        return writer.float(pick(random, [random(), -0, NaN, Infinity]));
      case 3:
        return writer.raw(noise(random, length));
      case 4:
        return writer.raw(new TextEncoder().encode("aé\ufffd\u{1f600}".repeat(length)));
      case 5:
        return writer.bin(noise(random, random() * pick(random, [4, 300])));
      case 6:
      case 7:
        return this.#entries(writer.map(length), 2 * length, depth);
      default:
        return this.#entries(writer.array(length), length, depth);
    }
  }

  #entries(writer: MsgpackWriter, count: number, depth: number): MsgpackWriter {
    for (let left = count; left > 0; left--) this.#valid(writer, depth - 1);
    return writer;
  }

  #anyKept(): Uint8Array {
    return pick(this.#random, this.#kept) ?? this.#kept[0]!;
  }

  // ---- what is always true

  #check(datagram: Uint8Array): void {
    const before = datagram.slice();
    const value = decodeMsgpack(datagram, this.#options);
    assertEquals(datagram, before);
    if (value === undefined) return;
    assert(countOf(value) <= datagram.length, `${countOf(value)} values`);
    assert(depthOf(value) <= this.#options.depthMax, `${depthOf(value)} deep`);
    for (const bytes of byteStringsIn(value)) assertEquals(bytes.buffer, datagram.buffer);
    const again = write(new MsgpackWriter(16), value).take();
    assertEquals(decodeMsgpack(again, this.#options), value);
    const cut = datagram.subarray(0, this.#random() * datagram.length);
    assertEquals(decodeMsgpack(cut, this.#options), undefined);
    const longer = joined(datagram, noise(this.#random, 1 + this.#random() * 4));
    assertEquals(decodeMsgpack(longer, this.#options), undefined);
  }
}

function write(writer: MsgpackWriter, value: MsgpackValue): MsgpackWriter {
  if (value === null) return writer.nil();
  switch (typeof value) {
    case "boolean":
      return writer.boolean(value);
    case "string":
      return writer.raw(new TextEncoder().encode(value));
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
  for (const entry of entries) write(writer, entry);
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
  return 1 + Math.max(0, ...entriesOf(value).map(depthOf));
}

function byteStringsIn(value: MsgpackValue): Uint8Array[] {
  return value instanceof Uint8Array ? [value] : entriesOf(value).flatMap(byteStringsIn);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}
