/** What waits to be read by a program. */

/** With more, or longer ones together, the other end has to wait. */
const ITEMS_MAX = 1_024;
const SIZE_MAX = 4 * 2 ** 20;
/** What every message and every header takes, however short. */
const SIZE_MIN = 64;

/** A message, as far as its size matters. */
interface Sized {
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly body: string;
  readonly binary: Uint8Array | undefined;
}

/** A queue that knows when it is full. It takes more all the same: what is on its way is not lost. */
export class Inbox<T> {
  #items: { item: T; size: number }[] = [];
  #size = 0;

  /** Whether nothing more should come. */
  get isFull(): boolean {
    return this.#items.length >= ITEMS_MAX || this.#size >= SIZE_MAX;
  }

  /** Adds something, and the message that is in it, if there is one. */
  push(item: T, message?: Sized): void {
    const size = message ? sizeOf(message) : SIZE_MIN;
    this.#items.push({ item, size });
    this.#size += size;
  }

  /** Takes the first, if there is one. */
  shift(): T | undefined {
    const first = this.#items.shift();
    if (first) this.#size -= first.size;
    return first?.item;
  }

  /** Takes all of them. */
  takeAll(): T[] {
    const taken = this.#items.map(({ item }) => item);
    this.clear();
    return taken;
  }

  /** Drops all of them. */
  clear(): void {
    this.#items = [];
    this.#size = 0;
  }
}

function sizeOf({ headers, body, binary }: Sized): number {
  let size = SIZE_MIN + body.length + (binary?.length ?? 0);
  for (const { name, value } of headers) size += SIZE_MIN + name.length + value.length;
  return size;
}
