/** Trouble with the system, which comes in crowds: said when it begins, and when it is over. */

/** How often it is looked whether it is over. */
const LOOK_MS = 1_000;
/** What begins again that soon is not said again, and neither is its end. */
const AGAIN_MS = 10_000;
/** Reasons told of one incident. */
const REASONS_MAX = 8;

/** What an {@link Incident} needs to know. */
export interface IncidentOptions {
  /** How often the same thing went well so far: it is over only when it did again. */
  successes: () => number;
  /** Says that it is over: how often it failed, and from the first failure until now. */
  sayOver: (failures: number, seconds: number) => void;
}

/** One kind of failure. Each reason is said once, until all went well for a moment. */
export class Incident implements Disposable {
  readonly #options: IncidentOptions;
  readonly #reasons = new Set<string>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #failures = 0;
  #beganAt = 0;
  #saidAt = -Infinity;
  #isSaid = false;
  /** Failures as of the last look. */
  #before = 0;
  /** When it failed last. */
  #successes = 0;

  constructor(options: IncidentOptions) {
    this.#options = options;
  }

  /** It failed; `say` is called if that is news. */
  failed(reason: string, say: () => void): void {
    if (this.#timer === undefined) this.#begin();
    this.#failures++;
    this.#successes = this.#options.successes();
    if (this.#reasons.has(reason) || this.#reasons.size >= REASONS_MAX) return;
    this.#reasons.add(reason);
    const now = performance.now();
    if (!this.#isSaid && now - this.#saidAt < AGAIN_MS) return;
    this.#isSaid = true;
    this.#saidAt = now;
    say();
  }

  /** Nothing is said any more. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #begin(): void {
    this.#beganAt = performance.now();
    this.#failures = 0;
    this.#isSaid = false;
    this.#reasons.clear();
    this.#before = 0;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    const { successes, sayOver } = this.#options;
    const isOver = this.#failures === this.#before && successes() > this.#successes;
    this.#before = this.#failures;
    if (!isOver) return;
    this[Symbol.dispose]();
    if (!this.#isSaid) return;
    const seconds = (performance.now() - this.#beganAt) / 1_000;
    this.#saidAt = performance.now();
    sayOver(this.#failures, Math.round(10 * seconds) / 10);
  }
}
