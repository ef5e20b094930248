/** What is drawn at random in one seed, and all that follows from the seed alone. */
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { mutated, noise } from "../../protocols/engine_suite.ts";

const LENGTHS = [8, 64, 9_000];
const FILLERS = [0x00, 0x22, 0x7f, 0x90, 0xff];
/** No datagram is as long as many of these. */
const LENGTH_MAX = 100_000;

/** A seed's dice. */
export class Chance {
  /** From 0 inclusive to 1 exclusive. */
  readonly random: Random;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** Whether something happens that happens so often. */
  is(share: number): boolean {
    return this.random() < share;
  }

  /** One of them. */
  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() * choices.length)]!;
  }

  /** From 0 to below the limit. */
  below(limit: number): number {
    return this.random() * limit;
  }

  /** A whole number from 0 to below the limit. */
  whole(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** So many of them. */
  many<T>(count: number, make: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => make(index));
  }

  /** Some of the kinds: a seed in which something never happens shows what needs only the others. */
  some<K extends string>(kinds: readonly K[], always: readonly K[], share: number): K[] {
    return kinds.filter((kind) => always.includes(kind) || this.is(share));
  }

  /** Bytes that mean nothing: few, or many, or too many to be one datagram. */
  noise(length?: number): Uint8Array {
    if (length !== undefined) return noise(this.random, length);
    if (this.is(0.02)) return new Uint8Array(this.whole(LENGTH_MAX)).fill(this.pick(FILLERS));
    return noise(this.random, this.below(this.pick(LENGTHS)));
  }

  /** Something real with something wrong: bytes changed, cut off, or added. */
  mutated(bytes: Uint8Array): Uint8Array {
    return mutated(this.random, bytes);
  }
}
