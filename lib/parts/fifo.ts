/** So many places that were left are kept before they are given back at once. */
const LEFT_MAX = 8_192;

/** A queue whose `shift` does not move what stands behind. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  /** How many stand in it. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The first, if there is one. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** Adds something at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first, if there is one. */
  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length || this.#head >= LEFT_MAX) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
