/** Durations of something that happens all the time: since the last look, and in all. */

/** What came since the last look, in ms; 0 when nothing did. */
export interface RecentDurations {
  p50: number;
  p99: number;
  max: number;
}

/** Upper bounds of the buckets in seconds, from what a timer is good for to what players notice. */
export const BOUNDS_SECONDS: readonly number[] = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
];

/** More than these since the last look are counted, but not ranked. */
const RECENT_MAX = 8_192;

/** Takes durations one by one, as cheaply as can be. */
export class Durations {
  /** How many there were up to each of {@link BOUNDS_SECONDS}, and not up to the one before; then the others. */
  readonly buckets: number[] = new Array(BOUNDS_SECONDS.length + 1).fill(0);
  /** How many there were. */
  count = 0;
  /** All of them together, in seconds. */
  sumSeconds = 0;
  readonly #recent = new Float64Array(RECENT_MAX);
  #recentCount = 0;
  #recentMax = 0;

  /** Takes one. One that is no time, below 0 or NaN, counts as 0: the sum must never go down. */
  record(took: number): void {
    const ms = took > 0 ? took : 0;
    const seconds = ms / 1_000;
    let bucket = 0;
    while (bucket < BOUNDS_SECONDS.length && seconds > BOUNDS_SECONDS[bucket]!) bucket++;
    this.buckets[bucket]!++;
    this.count++;
    this.sumSeconds += seconds;
    if (ms > this.#recentMax) this.#recentMax = ms;
    // The newest take the place of the eldest.
    this.#recent[this.#recentCount++ % RECENT_MAX] = ms;
  }

  /** What came since the last call. */
  takeRecent(): RecentDurations {
    const ranked = this.#recent.slice(0, Math.min(this.#recentCount, RECENT_MAX)).sort();
    const rank = (share: number): number => ranked[Math.ceil(share * ranked.length) - 1] ?? 0;
    const recent = { p50: rank(0.5), p99: rank(0.99), max: this.#recentMax };
    this.#recentCount = 0;
    this.#recentMax = 0;
    return recent;
  }
}
