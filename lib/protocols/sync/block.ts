/** A fragment's place in a {@link Block}. Changed by the block only. */
export interface Place {
  /** Where it begins, and its length. */
  at: number;
  length: number;
}

/** So few that what follows one in a block is soon moved, so many that a copy of a block is worth its call. */
const PLACES_MAX = 16;
/** Memory that a block has at least. */
const BYTES_MIN = 1_024;

/**
 * A few fragments, one right after the other, in memory of their own: together they are copied in one
 * step, and when one of them gets longer or shorter, few others move.
 */
export class Block<P extends Place> {
  readonly #places: P[] = [];
  #memory = new Uint8Array(BYTES_MIN);
  #length = 0;

  /** Whether it takes no more places. */
  get isFull(): boolean {
    return this.#places.length >= PLACES_MAX;
  }

  /** Whether no place is left in it. */
  get isEmpty(): boolean {
    return this.#places.length === 0;
  }

  /** All that stands in it. Valid until the next change, as any view of it. */
  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#length);
  }

  /** What stands in a place. */
  bytesOf({ at, length }: P): Uint8Array {
    return this.#memory.subarray(at, at + length);
  }

  /** Adds an empty place at the end. */
  add(place: P): void {
    place.at = this.#length;
    this.#places.push(place);
  }

  /** Makes a place as long as this; its beginning stays as it is. */
  resize(place: P, length: number): void {
    const grownBy = length - place.length;
    if (grownBy === 0) return;
    const end = place.at + place.length;
    const total = this.#length + grownBy;
    if (total > this.#memory.length) this.#moveTo(2 * total);
    this.#memory.copyWithin(end + grownBy, end, this.#length);
    this.#length = total;
    place.length = length;
    for (let i = this.#places.indexOf(place) + 1; i < this.#places.length; i++) {
      this.#places[i]!.at += grownBy;
    }
    // One large state must not keep its memory for ever.
    if (this.#memory.length > Math.max(BYTES_MIN, 8 * total)) this.#moveTo(2 * total);
  }

  /** Writes into a place, from this offset in it. */
  write(place: P, offset: number, bytes: Uint8Array): void {
    this.#memory.set(bytes, place.at + offset);
  }

  /** Takes a place out, and what stands in it. */
  remove(place: P): void {
    this.resize(place, 0);
    this.#places.splice(this.#places.indexOf(place), 1);
  }

  #moveTo(bytes: number): void {
    const memory = new Uint8Array(Math.max(BYTES_MIN, bytes));
    memory.set(this.bytes);
    this.#memory = memory;
  }
}
