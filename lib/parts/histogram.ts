const BUCKET_MS = 0.02;
const BUCKETS = 250_000;

/** Durations in buckets of 20 µs up to 5 s; what is longer counts as 5 s. */
export class Histogram {
  readonly #buckets = new Uint32Array(BUCKETS);
  #count = 0;

  /** How many were recorded. */
  get count(): number {
    return this.#count;
  }

  /** Forgets all. */
  clear(): void {
    this.#buckets.fill(0);
    this.#count = 0;
  }

  /** Adds one duration. */
  record(ms: number): void {
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(ms / BUCKET_MS)));
    this.#buckets[bucket]!++;
    this.#count++;
  }

  /**
   * The duration in ms that a share of all does not exceed; 0 when there are none.
   *
   * @param share From 0 to 1: 0.99 for p99.
   */
  percentile(share: number): number {
    if (this.#count === 0) return 0;
    const rank = Math.ceil(share * this.#count) || 1;
    let seen = 0;
    let bucket = 0;
    while ((seen += this.#buckets[bucket]!) < rank) bucket++;
    return (bucket + 0.5) * BUCKET_MS;
  }
}
