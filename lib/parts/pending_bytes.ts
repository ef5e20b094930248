/** A buffer up to this size is kept when nothing is in it. */
const KEPT_BYTES_MAX = 4_096;
const BUFFER_BYTES_MIN = 256;
const NOTHING = new Uint8Array(0);

/**
 * The bytes of a stream that arrived and were not used yet. Adding and dropping cost what is added, and
 * the room taken is at most 8 times what is in it, and 4 KiB.
 */
export class PendingBytes {
  #buffer: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;

  /** How many there are. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** All of them: a view that holds until the next call. */
  get view(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Adds a copy of these at the end. */
  append(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#buffer.length) this.#makeRoom(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Drops so many from the front. */
  drop(length: number): void {
    this.#start += length;
    if (this.length === 0) {
      this.#start = this.#end = 0;
      if (this.#buffer.length > KEPT_BYTES_MAX) this.#buffer = NOTHING;
    } else if (this.#buffer.length > KEPT_BYTES_MAX && 8 * this.length < this.#buffer.length) {
      // Little is left of much.
      this.#buffer = this.view.slice();
      this.#end -= this.#start;
      this.#start = 0;
    }
  }

  #makeRoom(length: number): void {
    const { view } = this;
    const needed = view.length + length;
    // At least half of it is free afterwards, so moving costs no more than what arrives.
    if (2 * needed > this.#buffer.length) {
      this.#buffer = new Uint8Array(Math.max(BUFFER_BYTES_MIN, 2 * needed));
    }
    this.#buffer.set(view, 0);
    this.#start = 0;
    this.#end = view.length;
  }
}
