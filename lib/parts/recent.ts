/** The last so many different numbers. */
export class Recent {
  readonly #max: number;
  /** The one added longest ago first. */
  readonly #numbers = new Set<number>();

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
    this.#numbers.add(number);
    const [eldest] = this.#numbers;
    if (this.#numbers.size > this.#max) this.#numbers.delete(eldest!);
    return true;
  }

  /** Forgets all. */
  clear(): void {
    this.#numbers.clear();
  }
}
