import { SEQUENCES } from "./wire.ts";

/** Of how many packets it is known whether they arrived. */
const ARRIVALS = 512;

/** How many of the last packets arrived, by their sequence numbers. */
export class Arrivals {
  /** As if numbers did not wrap, so they may be negative. */
  #first: number | undefined;
  #newest = -Infinity;
  readonly #seen = new Array<number | undefined>(ARRIVALS);

  /** The share of the last packets that is missing. */
  get loss(): number | undefined {
    if (this.#first === undefined) return undefined;
    const expected = Math.min(ARRIVALS, this.#newest - this.#first + 1);
    const arrived = this.#seen.filter((number) => number! > this.#newest - ARRIVALS).length;
    return Math.max(0, 1 - arrived / expected);
  }

  /** One has come. */
  add(sequence: number): void {
    this.#first ??= sequence;
    const newest = Math.max(this.#newest, this.#first);
    // The nearest number to the newest that has these lowest 16 bits.
    const ahead = modulo(sequence - newest + SEQUENCES / 2, SEQUENCES) - SEQUENCES / 2;
    const number = newest + ahead;
    if (number <= newest - ARRIVALS) return;
    this.#newest = Math.max(newest, number);
    this.#first = Math.min(this.#first, number);
    this.#seen[modulo(number, ARRIVALS)] = number;
  }
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
