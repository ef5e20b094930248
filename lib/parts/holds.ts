/**
 * Addresses with their port that are not heard for a moment: those who were sent away, and would be back
 * at once.
 */
export class Holds {
  readonly #holdsMax: number;
  /** By address, when it ends; the oldest first. */
  readonly #ends = new Map<string, number>();
  #lastEnd = -Infinity;

  /** @param holdsMax How many there are at most; then the oldest ends. */
  constructor(holdsMax = 10_000) {
    this.#holdsMax = holdsMax;
  }

  /** Whether none is kept, not even one whose time is over: then the time need not be asked. */
  get isEmpty(): boolean {
    return this.#ends.size === 0;
  }

  /** Whether any address is held off now. */
  hasAny(now: number): boolean {
    return now < this.#lastEnd;
  }

  /** Holds an address, `192.0.2.7:5000`, off for so long from now on. Times in ms. */
  add(address: string, now: number, holdMs: number): void {
    this.#ends.delete(address);
    for (const [held, end] of this.#ends) {
      if (end > now && this.#ends.size < this.#holdsMax) break;
      this.#ends.delete(held);
    }
    this.#ends.set(address, now + holdMs);
    this.#lastEnd = Math.max(this.#lastEnd, now + holdMs);
  }

  /** Whether an address is held off now. */
  has(address: string, now: number): boolean {
    if (!this.hasAny(now)) return false;
    const end = this.#ends.get(address);
    if (end === undefined) return false;
    if (end > now) return true;
    this.#ends.delete(address);
    return false;
  }
}
