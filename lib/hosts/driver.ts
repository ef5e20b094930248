/** The clock of an engine: the one timer, and what happens when a call into the engine fails. */

/** setTimeout takes no more than 2^31 - 1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** How often an engine whose `advance` fails is asked to do what is due. */
const STUCK_PAUSE_MS = 100;

/** What a {@link Driver} needs of an engine. */
export interface Driven {
  nextDeadline(): number;
  advance(now: number): void;
}

/** Tells an engine the time when it wants to know, and lets nothing that it throws end the host. */
export class Driver {
  /** Errors thrown by the engine or a listener: bugs, each reported. */
  faults = 0;
  readonly #engine: Driven;
  readonly #onFault: (error: unknown) => void;
  readonly #onLate: ((ms: number) => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armedFor = Infinity;
  #isStopped = false;

  /**
   * @param onFault Told of what was thrown.
   * @param onLate Told how much later than it was due something was done, each time that a timer was set for it.
   */
  constructor(
    engine: Driven,
    onFault: (error: unknown) => void,
    onLate?: (ms: number) => void,
  ) {
    this.#engine = engine;
    this.#onFault = onFault;
    this.#onLate = onLate;
  }

  /** Calls the engine, or somebody who listens to it. */
  guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.faults++;
      try {
        this.#onFault(error);
      } catch {
        // Nobody to tell.
      }
    }
  }

  /** Lets the engine do what is due, if anything is, and sets the timer. */
  advanceIfDue(): boolean {
    const now = performance.now();
    const isDue = this.#deadline() <= now;
    if (isDue) this.#advance(now);
    return isDue;
  }

  /**
   * Sets the timer for the engine's next deadline, unless an earlier one is set: it looks again.
   *
   * @param advancedTo Up to when the engine was just told to do what is due.
   */
  arm(advancedTo: number = -Infinity): void {
    let deadline = this.#deadline();
    // It failed to: without a pause the timer would fire for ever.
    if (deadline <= advancedTo) deadline = advancedTo + STUCK_PAUSE_MS;
    if (deadline >= this.#armedFor || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#armedFor = deadline;
    // Timers count whole milliseconds: rounded down, one would fire early and be set again.
    const waitMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil(deadline - performance.now())));
    this.#timer = setTimeout(() => {
      const now = performance.now();
      this.#onLate?.(Math.max(0, now - this.#armedFor));
      this.#armedFor = Infinity;
      this.#advance(now);
    }, waitMs);
  }

  /** Sets no timer any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #advance(now: number): void {
    this.guard(() => this.#engine.advance(now));
    this.arm(now);
  }

  #deadline(): number {
    let deadline = Infinity;
    this.guard(() => deadline = this.#engine.nextDeadline());
    return deadline;
  }
}
