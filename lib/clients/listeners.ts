import { Emitter } from "./signal.ts";

/**
 * The listeners of an object's events by name. What one throws disturbs neither the others nor the
 * connection; it goes to `reportError`, as with DOM events, unless told otherwise.
 *
 * @typeParam Events What listeners get, by the name of the event.
 */
export class Listeners<Events> {
  readonly #signals = new Map<keyof Events, Emitter<[never]>>();
  readonly #onError: (error: unknown) => void;

  /** @param onError Takes what listeners throw. */
  constructor(onError: (error: unknown) => void = (error): void => reportError(error)) {
    this.#onError = onError;
  }

  /**
   * Calls `listener` for every event of a kind.
   *
   * @returns A function that ends it.
   */
  on<E extends keyof Events>(kind: E, listener: (event: Events[E]) => void): () => void {
    const signal = this.#signals.get(kind) ?? new Emitter(this.#onError);
    this.#signals.set(kind, signal);
    signal.addListener(listener);
    return () => signal.removeListener(listener);
  }

  /** Tells everybody who listens now. */
  tell<E extends keyof Events>(kind: E, event: Events[E]): void {
    this.#signals.get(kind)?.tell(event as never);
  }
}
