/**
 * Addresses with their port that are not heard for a moment: those who were sent away, and would be back
 * at once.
 */
export class Holds {
  readonly #holdsMax: number;
  /** By address, when it ends; the oldest first. */
  readonly #ends = new Map<string, number>();

  /** @param holdsMax How many there are at most; then the oldest ends. */
  constructor(holdsMax = 10_000) {
    this.#holdsMax = holdsMax;
  }

  /** How many there are, with some that ended and were not asked for. */
  get size(): number {
    return this.#ends.size;
  }

  /** Holds an address, `192.0.2.7:5000`, off for so long from now on. Times in ms. */
  add(address: string, now: number, holdMs: number): void {
    this.#ends.delete(address);
    for (const [held, end] of this.#ends) {
      if (end > now && this.#ends.size < this.#holdsMax) break;
      this.#ends.delete(held);
    }
    this.#ends.set(address, now + holdMs);
  }

  /** Lets an address in again. */
  delete(address: string): void {
    this.#ends.delete(address);
  }

  /** Whether an address is held off now. */
  has(address: string, now: number): boolean {
    if (this.#ends.size === 0) return false;
    const end = this.#ends.get(address);
    if (end === undefined) return false;
    if (end > now) return true;
    this.#ends.delete(address);
    return false;
  }
}
