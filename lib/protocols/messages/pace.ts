/** When the next message may leave for an end that reads what comes together as one. */

const SECOND_MS = 1_000;
/** What is queued leaves within about this time, however much it is. */
const CATCH_UP_MS = 900;
/** A timer this late is on time: counted from when it was due, or a short gap would never be kept. */
const TIMER_LATE_MS = 100;

/**
 * The gap that keeps messages apart as long as they are few enough for it. Whoever sends more in a second
 * than fit gets shorter gaps instead of a queue that grows.
 */
export class Pace {
  readonly #gapMs: number;
  #wroteAt = -Infinity;
  #secondAt = -Infinity;
  /** Messages of this second, and of the one before. */
  #count = 0;
  #countBefore = 0;

  /** @param gapMs The gap, in ms. */
  constructor(gapMs: number) {
    this.#gapMs = gapMs;
  }

  /** When the next message may leave. */
  get dueAt(): number {
    const count = Math.max(this.#count, this.#countBefore);
    return this.#wroteAt + Math.min(this.#gapMs, CATCH_UP_MS / count);
  }

  /** A message is to be sent. */
  note(now: number): void {
    const seconds = Math.floor((now - this.#secondAt) / SECOND_MS);
    if (seconds >= 1) {
      this.#countBefore = seconds === 1 ? this.#count : 0;
      this.#count = 0;
      this.#secondAt = seconds === 1 ? this.#secondAt + SECOND_MS : now;
    }
    this.#count++;
  }

  /** A message has left. */
  wrote(now: number): void {
    const { dueAt } = this;
    const isSqueezed = dueAt < this.#wroteAt + this.#gapMs;
    this.#wroteAt = isSqueezed && now - dueAt < TIMER_LATE_MS ? dueAt : now;
  }
}
