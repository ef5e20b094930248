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
  /** The engine's next deadline, as far as it is known. */
  #due = Infinity;
  #isStopped = false;

  /**
   * @param onFault Told of what was thrown.
   * @param onLate Told how much later than it was due something was done: by the timer, or by whatever called
   * the engine before that.
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
      this.fault(error);
    }
  }

  /** Counts and reports what the engine, or somebody who listens to it, threw. */
  fault(error: unknown): void {
    this.faults++;
    try {
      this.#onFault(error);
    } catch {
      // Nobody to tell.
    }
  }

  /** Lets the engine do what is due, if anything is, and sets the timer. */
  advanceIfDue(): boolean {
    const now = performance.now();
    const deadline = this.#deadline();
    this.#expect(deadline, now);
    const isDue = deadline <= now;
    if (isDue) this.#advance(now);
    return isDue;
  }

  /**
   * Sets the timer for the engine's next deadline, unless an earlier one is set: it looks again.
   *
   * @param now The time that the engine was just told, if it was.
   */
  arm(now: number = -Infinity): void {
    const deadline = this.#deadline();
    this.#expect(deadline, now);
    this.#setTimer(deadline);
  }

  /** Sets no timer any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** A deadline that has passed and moved on was kept, at this time. */
  #expect(deadline: number, now: number): void {
    if (this.#due <= now && deadline > this.#due) this.#onLate?.(now - this.#due);
    this.#due = deadline;
  }

  #setTimer(deadline: number): void {
    if (deadline >= this.#armedFor || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#armedFor = deadline;
    // Timers count whole milliseconds: rounded down, one would fire early and be set again.
    const waitMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil(deadline - performance.now())));
    this.#timer = setTimeout(() => {
      this.#armedFor = Infinity;
      this.#advance(performance.now());
    }, waitMs);
  }

  #advance(now: number): void {
    this.guard(() => this.#engine.advance(now));
    const deadline = this.#deadline();
    this.#expect(deadline, now);
    // It failed to: without a pause the timer would fire for ever.
    this.#setTimer(deadline <= now ? now + STUCK_PAUSE_MS : deadline);
  }

  #deadline(): number {
    try {
      return this.#engine.nextDeadline();
    } catch (error) {
      this.fault(error);
      return Infinity;
    }
  }
}
