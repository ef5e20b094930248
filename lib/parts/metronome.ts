/** Beats at one distance from each other, counted from a start: they never drift. */
export class Metronome {
  readonly #startedAt: number;
  readonly #periodMs: number;

  constructor(startedAt: number, periodMs: number) {
    this.#startedAt = startedAt;
    this.#periodMs = periodMs;
  }

  /** When a beat is; the first one a period after the start. */
  at(beat: number): number {
    return this.#startedAt + beat * this.#periodMs;
  }

  /** How many beats there were by then: the last one that is not later. */
  by(now: number): number {
    const beats = Math.floor((now - this.#startedAt) / this.#periodMs);
    // The quotient is not exact: on the boundary it may be one off to either side.
    if (this.at(beats) > now) return beats - 1;
    return this.at(beats + 1) <= now ? beats + 1 : beats;
  }
}
