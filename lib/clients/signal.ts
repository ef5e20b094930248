/** Takes what the arguments of an event are. What it gives back counts only when it is a promise. */
export type SignalListener<Args extends unknown[]> = (...args: Args) => unknown;

/**
 * One event of an object, and who listens to it. A listener that fails, at once or by a promise, disturbs
 * nobody else: its error goes to one place.
 *
 * @typeParam Args What listeners get.
 */
export class Signal<Args extends unknown[]> {
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

  /** Calls `listener` from now on. One that is there already is not called twice. */
  addListener(listener: SignalListener<Args>): void {
    this.#listeners.add(listener);
  }

  /** Calls `listener` no more. */
  removeListener(listener: SignalListener<Args>): void {
    this.#listeners.delete(listener);
  }

  /** Tells everybody who listens now, in the order of their coming. */
  tell(...args: Args): void {
    for (const listener of [...this.#listeners]) {
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
