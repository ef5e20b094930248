/**
 * One harness for everything that reads bytes from strangers. Always true of each input:
 *
 * - nothing throws but what the decoder says it throws, and the bytes are left as they were;
 * - what comes of it is no larger than the input is, times a few, and holds no view of it, unless that is
 *   what the decoder promises;
 * - what was read can be written again, and is read as the same;
 * - no input takes long, and none makes it reserve much memory;
 * - whatever else the decoder's entry says.
 *
 * Inputs are real ones, recorded ones, and these mutated, cut, spliced, and with values replaced; noise, one
 * byte repeated at every length, deep nesting, and counts of billions.
 */
import { assert } from "@std/assert";
import { Chance } from "./chance.ts";
import { nameOf, type Reach, type Tally } from "./reach.ts";
import { lying, nested, spliced, spoiltJson } from "./spoil.ts";
import type { Target } from "./target.ts";

/** A decoder under test. */
export interface Decoder<Value> {
  readonly service: string;
  readonly name: string;
  /** An input as it is in ordinary use. */
  real(chance: Chance): Uint8Array;
  /** Inputs that were recorded. */
  readonly recorded?: readonly Uint8Array[];
  /** Makes lengths and digests right again, after something else was changed. */
  seal?(bytes: Uint8Array): Uint8Array;
  /** What the input comes to, with what may be thrown as a value: something that JSON can nearly say. */
  read(bytes: Uint8Array, chance: Chance): Value | Promise<Value>;
  /** What is counted as reached. Default: its `kind`, with the reason of a refusal. */
  nameOf?(value: Value): string | readonly string[];
  /** The same as bytes again; undefined where there is no such form. */
  write?(value: Value): Uint8Array | undefined;
  /** There is one way to write it: what was read is written as it was. */
  readonly isExact?: boolean;
  /** What was read has views of the input, as its documentation says. */
  readonly hasViews?: boolean;
  /** What else is always true of an input and what it came to. */
  check?(value: Value, bytes: Uint8Array, chance: Chance): void;
  readonly reach: Reach;
  /** Seeds that reach all of it. Default 10. */
  readonly seeds?: number;
  /** Longer inputs are cut. Default: none is. */
  readonly bytesMax?: number;
  /** Inputs of one seed. Default 200. */
  readonly inputs?: number;
}

const KEPT_MAX = 64;
const LENGTH_MAX = 70_000;
/** One below lengths at which something ends. */
const LIMITS = [511, 1_199, 2_047, 4_095, 8_191, 65_506];
/** What a byte may become in memory, as text. */
const TEXT_PER_BYTE = 48;
const TEXT_MORE = 4_096;
const SLOW_MS = 250;
const HEAP_BYTES_MAX = 64 * 2 ** 20;

const SHAPES = [
  ...["real", "recorded", "mutated", "spliced", "values", "noise", "filled", "nested", "lying"],
] as const;
type Shape = (typeof SHAPES)[number];
/** Large ones take most of the time: they are rare. */
const RARE: Partial<Record<Shape, number>> = { filled: 0.2, nested: 0.03, noise: 0.3, lying: 0.6 };

/** A decoder as something that is fuzzed. */
export function decoderTarget<Value>(decoder: Decoder<Value>): Target {
  const { service, name, reach, seeds = 10, inputs = 200 } = decoder;
  return {
    ...{ service, name, reach, seeds },
    async run(seed, tally): Promise<number> {
      const fuzz = new DecoderFuzz(decoder, new Chance(seed), seed, tally);
      for (let count = 0; count < inputs; count++) await fuzz.one();
      return inputs;
    },
  };
}

class DecoderFuzz<Value> {
  readonly #decoder: Decoder<Value>;
  readonly #chance: Chance;
  readonly #tally: Tally;
  readonly #shapes: readonly Shape[];
  /** Inputs that may be spoilt. */
  readonly #kept: Uint8Array[] = [];
  /** So that all seeds together have every length. */
  #length: number;

  constructor(decoder: Decoder<Value>, chance: Chance, seed: number, tally: Tally) {
    this.#decoder = decoder;
    this.#chance = chance;
    this.#tally = tally;
    this.#shapes = chance.some(SHAPES, ["real"], 0.7);
    this.#length = seed * 20;
    for (let count = 0; count < 4; count++) this.#kept.push(decoder.real(chance));
  }

  async one(): Promise<void> {
    const bytes = this.#input().subarray(0, this.#decoder.bytesMax);
    try {
      await this.#check(bytes);
    } catch (error) {
      const shown = Array.from(
        bytes.subarray(0, 200),
        (byte) => byte.toString(16).padStart(2, "0"),
      );
      const reason = error instanceof Error ? error.stack : String(error);
      throw new Error(`${bytes.length} bytes, ${shown.join("")}: ${reason}`);
    }
  }

  #input(): Uint8Array {
    const shape = this.#chance.pick(this.#shapes);
    if (!this.#chance.is(RARE[shape] ?? 1)) return this.#make("real");
    const bytes = this.#make(shape);
    const { seal } = this.#decoder;
    const isSealed = seal && shape !== "real" && this.#chance.is(0.7);
    return isSealed ? seal(bytes) : bytes;
  }

  #make(shape: Shape): Uint8Array {
    const chance = this.#chance;
    const any = (): Uint8Array => chance.pick(this.#kept);
    switch (shape) {
      case "real": {
        const bytes = this.#decoder.real(chance);
        if (this.#kept.length < KEPT_MAX) this.#kept.push(bytes);
        else this.#kept[chance.whole(KEPT_MAX)] = bytes;
        return bytes;
      }
      case "recorded":
        return chance.pick(this.#decoder.recorded ?? [any()]);
      case "mutated":
        return chance.mutated(any());
      case "spliced":
        return spliced(chance, any(), any());
      case "values":
        return spoiltJson(chance, any()) ?? chance.mutated(any());
      case "noise":
        return chance.noise();
      case "filled": {
        const byte = chance.pick([0x00, 0x22, 0x7f, 0xff, 0x24, 0xc0]);
        const isNext = chance.is(0.5);
        const other = chance.is(0.5)
          ? chance.whole(LENGTH_MAX)
          : chance.pick(LIMITS) + chance.whole(3);
        const length = isNext ? this.#length++ % LENGTH_MAX : other;
        return new Uint8Array(length).fill(byte);
      }
      case "nested":
        return chance.is(0.5) ? nested(chance) : spliced(chance, any(), nested(chance));
      case "lying":
        return lying(chance, any());
      default:
        return shape satisfies never;
    }
  }

  async #check(bytes: Uint8Array): Promise<void> {
    const { read, nameOf: name = nameOf, write, check, hasViews, isExact } = this.#decoder;
    const chance = this.#chance;
    // Within a larger buffer, as it is where datagrams are received.
    const at = chance.whole(9);
    const buffer = new Uint8Array(at + bytes.length + 3).fill(0x5a);
    const input = buffer.subarray(at, at + bytes.length);
    input.set(bytes);
    const value = await this.#timed((chance) => read(input, chance));
    for (const kind of new Set([name(value)].flat())) {
      this.#tally.set(kind, (this.#tally.get(kind) ?? 0) + 1);
    }
    assert(isSame(input, bytes), "it changed its input");
    const text = textOf(value);
    const most = TEXT_PER_BYTE * bytes.length + TEXT_MORE;
    assert(text.length <= most, `${text.length} characters came of ${bytes.length} bytes`);
    check?.(value, input, chance);
    const written = write?.(value);
    if (written) {
      const again = textOf(await read(written, chance));
      assert(again === text, `${text} was written as ${again}`);
      assert(!isExact || isSame(written, bytes), `${text} has another form: ${written}`);
    }
    if (hasViews) return;
    buffer.fill(0x22);
    assert(textOf(value) === text, "what was read changes with the input");
  }

  async #timed(read: (chance: Chance) => Value | Promise<Value>): Promise<Value> {
    const isWatched = this.#chance.is(0.02);
    const before = isWatched ? heapBytes() : 0;
    const startedAt = performance.now();
    const value = await read(this.#chance);
    const took = performance.now() - startedAt;
    const grown = isWatched ? heapBytes() - before : 0;
    assert(grown < HEAP_BYTES_MAX, `it took ${grown} bytes of memory`);
    if (took < SLOW_MS) return value;
    // A busy machine is not the decoder's fault: the best of some counts.
    let best = took;
    for (let times = 0; times < 4; times++) {
      const againAt = performance.now();
      await read(new Chance(1)); // What is drawn in this seed does not depend on the time.
      best = Math.min(best, performance.now() - againAt);
    }
    assert(best < SLOW_MS, `it took ${best.toFixed()} ms`);
    return value;
  }
}

function heapBytes(): number {
  const { heapTotal, external } = Deno.memoryUsage();
  return heapTotal + external;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

const latin1 = new TextDecoder("latin1");

/** Everything in a value, as a text. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    switch (typeof part) {
      case "bigint":
        return `${part}n`;
      case "number":
        return Number.isFinite(part) && !Object.is(part, -0) ? part : `number ${part} ${1 / part}`;
      case "undefined":
        return "undefined";
      case "object":
        if (part instanceof Uint8Array) return `bytes ${latin1.decode(part)}`;
        return part instanceof Map ? { map: [...part] } : part;
      default:
        return part;
    }
  });
}
