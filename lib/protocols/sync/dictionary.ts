import { escapeText } from "./escape.ts";
import { DATAGRAM_BYTES_MAX, NUMBER_BYTES, writeNumber } from "./wire.ts";

/** One player's part of every snapshot, ready to be copied: `,"<id>":"<escaped state>"`. */
export interface Fragment {
  bytes: Uint8Array;
  /** Where the escaped state begins. */
  readonly stateAt: number;
  /** Length of the state as it arrived. */
  textBytes: number;
}

/** The state in a fragment, as text. */
export function stateOf({ bytes, stateAt }: Readonly<Fragment>): string {
  return JSON.parse(`"${decoder.decode(bytes.subarray(stateAt))}`);
}

/** Why a state was not taken: not UTF-8, or the snapshot would outgrow one IPv4 datagram. */
export type DictionaryRefusal = "text" | "world-full";

/** What is left for the fragments of a datagram beside its number and the closing brace. */
const FRAGMENTS_BYTES_MAX = DATAGRAM_BYTES_MAX - NUMBER_BYTES - 1;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const QUOTE = 0x22;

const ascii = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Everybody's state, in the order in which they first sent one.
 *
 * A state is escaped once, when it arrives; a snapshot is then a concatenation. The dictionary never
 * outgrows one IPv4 datagram together with the snapshot's number: what does not fit is refused.
 */
export class Dictionary<Key> {
  readonly #fragments = new Map<Key, Fragment>();
  readonly #scratch = new Uint8Array(DATAGRAM_BYTES_MAX);
  #fragmentBytes = 0;

  /** Players with a state. */
  get size(): number {
    return this.#fragments.size;
  }

  /** Length of the next snapshot in bytes, its number included. */
  get snapshotBytes(): number {
    // The first fragment's comma becomes the opening brace; without fragments there is still `{}`.
    return NUMBER_BYTES + Math.max(1, this.#fragmentBytes) + 1;
  }

  /**
   * Stores the state of a player. A refused state changes nothing.
   *
   * @param id The player's id; only used when `key` has no state yet.
   * @param state UTF-8.
   */
  set(key: Key, id: number, state: Uint8Array): DictionaryRefusal | undefined {
    const known = this.#fragments.get(key);
    const stateAt = known?.stateAt ?? `,"${id}":"`.length;
    const othersBytes = this.#fragmentBytes - (known?.bytes.length ?? 0);
    const room = FRAGMENTS_BYTES_MAX - othersBytes - stateAt - 1;
    const written = escapeText(state, this.#scratch, room);
    if (written === "text") return "text";
    if (written === "room" || written > room) return "world-full";
    this.#scratch[written] = QUOTE;
    const escaped = this.#scratch.subarray(0, written + 1);
    const length = stateAt + escaped.length;
    if (known) known.textBytes = state.length;
    if (known?.bytes.length === length) {
      known.bytes.set(escaped, stateAt);
      return undefined;
    }
    const bytes = new Uint8Array(length);
    if (known) bytes.set(known.bytes.subarray(0, stateAt));
    else ascii.encodeInto(`,"${id}":"`, bytes);
    bytes.set(escaped, stateAt);
    this.#fragmentBytes += length - (known?.bytes.length ?? 0);
    if (known) known.bytes = bytes;
    else this.#fragments.set(key, { bytes, stateAt, textBytes: state.length });
    return undefined;
  }

  /** A player's fragment; undefined when there is none. */
  get(key: Key): Readonly<Fragment> | undefined {
    return this.#fragments.get(key);
  }

  /** Takes a player's fragment out; undefined when there is none. */
  remove(key: Key): Fragment | undefined {
    const fragment = this.#fragments.get(key);
    if (!fragment) return undefined;
    this.#fragments.delete(key);
    this.#fragmentBytes -= fragment.bytes.length;
    return fragment;
  }

  /** Puts a fragment back that `remove` gave. False when there is no room for it any more. */
  restore(key: Key, fragment: Fragment): boolean {
    if (this.#fragmentBytes + fragment.bytes.length > FRAGMENTS_BYTES_MAX) return false;
    this.#fragments.set(key, fragment);
    this.#fragmentBytes += fragment.bytes.length;
    return true;
  }

  /** A snapshot of this moment: the datagram for every player. */
  encodeSnapshot(number: bigint): Uint8Array {
    const datagram = new Uint8Array(this.snapshotBytes);
    writeNumber(datagram, 0, number);
    let at = NUMBER_BYTES;
    for (const { bytes } of this.#fragments.values()) {
      datagram.set(bytes, at);
      at += bytes.length;
    }
    datagram[NUMBER_BYTES] = BRACE_OPEN;
    datagram[datagram.length - 1] = BRACE_CLOSE;
    return datagram;
  }
}
