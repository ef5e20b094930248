import { Histogram } from "./histogram.ts";
import { Metronome } from "./metronome.ts";

/** What is later than this lets time stand still, rather than be later still. */
const CATCH_UP_MS = 250;
const STALLED_EVERY_MS = 10_000;

/** What {@link Steps.take} takes. */
export interface DueSteps {
  /** To be done now. */
  readonly count: number;
  /** Time that was left out, to be told to people; 0 as a rule, and for 10 s after it was not. */
  readonly stalledMs: number;
}

/**
 * The steps of a simulation, at one rate from the first time that is named on. Those that come late are
 * made up for, up to a limit: beyond, the oldest are left out.
 */
export class Steps {
  /** How late each step was, in ms. Whoever reads it may clear it. */
  readonly lateness: Histogram = new Histogram();
  readonly #periodMs: number;
  #metronome: Metronome | undefined;
  /** Steps that were due so far, those that were left out included. */
  #taken = 0;
  #stalledAt = -Infinity;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** When the next one is due; undefined before any time was named. */
  nextAt(): number | undefined {
    return this.#metronome?.at(this.#taken + 1);
  }

  /** Takes the steps that are due. */
  take(now: number): DueSteps {
    const metronome = this.#begun(now);
    const due = metronome.by(now);
    const lost = due - this.#taken - Math.ceil(CATCH_UP_MS / this.#periodMs);
    if (lost > 0) this.#taken += lost;
    const first = this.#taken + 1;
    for (let step = first; step <= due; step++) this.lateness.record(now - metronome.at(step));
    this.#taken = Math.max(this.#taken, due);
    return {
      count: this.#taken + 1 - first,
      stalledMs: lost > 0 ? this.#toTell(lost * this.#periodMs, now) : 0,
    };
  }

  /** Leaves out those that are due: there is nothing that they would change. */
  skip(now: number): void {
    this.#taken = Math.max(this.#taken, this.#begun(now).by(now));
  }

  #begun(now: number): Metronome {
    return this.#metronome ??= new Metronome(now, this.#periodMs);
  }

  #toTell(lostMs: number, now: number): number {
    if (now - this.#stalledAt < STALLED_EVERY_MS) return 0;
    this.#stalledAt = now;
    return lostMs;
  }
}
