/**
 * The listeners of an object's events. What one throws disturbs neither the others nor the connection;
 * it goes to `reportError`, as with DOM events, unless told otherwise.
 *
 * @typeParam Events What listeners get, by the name of the event.
 */
export class Listeners<Events> {
  readonly #byKind = new Map<keyof Events, Set<(event: never) => void>>();
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
    const listeners = this.#byKind.get(kind) ?? new Set();
    this.#byKind.set(kind, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Tells everybody who listens now. */
  tell<E extends keyof Events>(kind: E, event: Events[E]): void {
    for (const listener of [...this.#byKind.get(kind) ?? []]) {
      try {
        (listener as (event: Events[E]) => void)(event);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
