/**
 * Things that are due at some time, the earliest first. Putting one off costs nothing: its place in
 * the heap is corrected when it comes up.
 */
export class Deadlines<K> {
  /** When each is really due. */
  readonly #times = new Map<K, number>();
  /** A binary heap: at least one entry for each key, not later than it is due; and some of the past. */
  #heap: Entry<K>[] = [];

  /** How many things are waited for. */
  get size(): number {
    return this.#times.size;
  }

  /** Places taken in memory: at most twice the size and 64 more. */
  get entries(): number {
    return this.#heap.length;
  }

  /** When a thing is due, or undefined. */
  get(key: K): number | undefined {
    return this.#times.get(key);
  }

  /** Makes a thing due then, whenever it was before. */
  set(key: K, at: number): void {
    const before = this.#times.get(key);
    this.#times.set(key, at);
    if (before !== undefined && before <= at) return; // Its entry comes up no later.
    push(this.#heap, { key, at });
    this.#tidy();
  }

  /** A thing is not waited for any more. */
  delete(key: K): void {
    this.#times.delete(key);
    this.#tidy();
  }

  /** When the first one is due; `Infinity` when there is none. */
  next(): number {
    for (;;) {
      const first = this.#heap[0];
      if (!first) return Infinity;
      const at = this.#times.get(first.key);
      if (at === first.at) return at;
      pop(this.#heap);
      if (at !== undefined && at > first.at) push(this.#heap, { key: first.key, at });
    }
  }

  /** Takes the first thing that is due by `now`, if any. */
  takeDue(now: number): K | undefined {
    if (this.next() > now || this.size === 0) return undefined;
    const { key } = pop(this.#heap);
    this.delete(key);
    return key;
  }

  /** Drops the entries of what was deleted or moved up, once they are more than the others. */
  #tidy(): void {
    if (this.#heap.length <= 2 * this.#times.size + 64) return;
    const entries = Array.from(this.#times, ([key, at]) => ({ key, at }));
    // An array in order is a heap.
    this.#heap = entries.sort((one, other) => one.at - other.at);
  }
}

interface Entry<K> {
  key: K;
  at: number;
}

function push<K>(heap: Entry<K>[], entry: Entry<K>): void {
  let index = heap.length;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (heap[parent]!.at <= entry.at) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = entry;
}

function pop<K>(heap: Entry<K>[]): Entry<K> {
  const first = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return first;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
    if (heap[child]!.at >= last.at) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
  return first;
}
