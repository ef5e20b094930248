/** Takes what the arguments of an event are. What it gives back counts only when it is a promise. */
export type SignalListener<Args extends unknown[]> = (...args: Args) => unknown;

/**
 * One event of an object, to listen to. A listener that fails, at once or by a promise, disturbs nobody
 * else: its error goes to one place.
 *
 * @typeParam Args What listeners get.
 */
export interface Signal<Args extends unknown[]> {
  /** Calls `listener` from now on. One that is there already is not called twice. */
  addListener(listener: SignalListener<Args>): void;
  /** Calls `listener` no more. */
  removeListener(listener: SignalListener<Args>): void;
}

/** The side of a {@link Signal} from which it is told. */
export class Emitter<Args extends unknown[]> implements Signal<Args> {
  readonly #listeners = new Set<SignalListener<Args>>();
  readonly #onError: (error: unknown) => void;

  /**
   * An event that nobody listens to yet.
   *
   * @param onError Takes what listeners throw.
   */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  addListener(listener: SignalListener<Args>): void {
    this.#listeners.add(listener);
  }

  removeListener(listener: SignalListener<Args>): void {
    this.#listeners.delete(listener);
  }

  /** Tells everybody who listens now, in the order of their coming. */
  tell(...args: Args): void {
    for (const listener of [...this.#listeners]) {
      if (!this.#listeners.has(listener)) continue; // Another one removed it.
      try {
        const result = listener(...args);
        if (result instanceof Promise) result.catch((error) => this.#report(error));
      } catch (error) {
        this.#report(error);
      }
    }
  }

  #report(error: unknown): void {
    try {
      this.#onError(error);
    } catch {
      // Nobody to tell.
    }
  }
}

/** What is done with errors that nobody else takes. */
export function printError(error: unknown): void {
  console.error(error);
}
