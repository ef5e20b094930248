/** The last so many different numbers. */
export class Recent {
  readonly #max: number;
  readonly #numbers = new Set<number>();
  /** In the order they were added; the next one takes the place of the first. */
  readonly #ring: number[] = [];
  #at = 0;

  /** @param max How many are remembered. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Whether it is among them. */
  has(number: number): boolean {
    return this.#numbers.has(number);
  }

  /** Adds a number. False when it was there already. */
  add(number: number): boolean {
    if (this.#numbers.has(number)) return false;
    if (this.#max === 0) return true;
    // To look for a set's first member takes ever longer, the more of its first ones were deleted.
    if (this.#ring.length === this.#max) this.#numbers.delete(this.#ring[this.#at]!);
    this.#numbers.add(number);
    this.#ring[this.#at] = number;
    this.#at = (this.#at + 1) % this.#max;
    return true;
  }

  /** Forgets all. */
  clear(): void {
    this.#numbers.clear();
    this.#ring.length = 0;
    this.#at = 0;
  }
}
