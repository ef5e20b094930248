/** Notices that the computer was asleep, stopped the program, or that its clock was set. */

const EVERY_MS = 1_000;
/** So much is no sleep, but a busy computer. */
const ASLEEP_MS = 2_000;

/** What happened, in ms. */
export type Jump =
  /** Nothing ran here for so long. */
  | { kind: "asleep"; ms: number }
  /** The time of day went on so much more than the time that passed here: below 0, it was set back. */
  | { kind: "clock"; ms: number };

/** What a {@link SleepWatch} needs. */
export interface SleepWatchOptions {
  onJump: (jump: Jump) => void;
  /** A clock in ms that never runs back. Default: that of `performance`. */
  now?: () => number;
  /** The time of day in ms since 1970. Default: that of the system. */
  unixMs?: () => number;
}

/**
 * Looks at two clocks once a second. A program that was stopped finds both of them ahead. A computer that
 * slept may have stopped the first one: then the other alone is ahead, as it is when somebody sets it.
 */
export class SleepWatch implements Disposable {
  readonly #onJump: (jump: Jump) => void;
  readonly #now: () => number;
  readonly #unixMs: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  #before: { now: number; unixMs: number };

  /** Begins at once. */
  constructor({ onJump, now, unixMs }: SleepWatchOptions) {
    this.#onJump = onJump;
    this.#now = now ?? ((): number => performance.now());
    this.#unixMs = unixMs ?? ((): number => Date.now());
    this.#before = { now: this.#now(), unixMs: this.#unixMs() };
    this.#timer = setInterval(() => this.look(), EVERY_MS);
  }

  /** Looks now: not only its own timer may. */
  look(): void {
    const [now, unixMs] = [this.#now(), this.#unixMs()];
    const passedMs = now - this.#before.now;
    const aheadMs = unixMs - this.#before.unixMs - passedMs;
    this.#before = { now, unixMs };
    if (passedMs - EVERY_MS >= ASLEEP_MS) this.#onJump({ kind: "asleep", ms: passedMs - EVERY_MS });
    // Nobody minds the little by which clocks are corrected all the time.
    if (Math.abs(aheadMs) >= ASLEEP_MS) this.#onJump({ kind: "clock", ms: aheadMs });
  }

  /** Ends it. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
