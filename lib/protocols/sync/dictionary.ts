import { Block, type Place } from "./block.ts";
import { escapeText } from "./escape.ts";
import { DATAGRAM_BYTES_MAX, NUMBER_BYTES, writeNumber } from "./wire.ts";

/** One player's part of every snapshot, ready to be copied: `,"<id>":"<escaped state>"`. */
export interface Fragment {
  readonly bytes: Uint8Array;
  /** Where the escaped state begins. */
  readonly stateAt: number;
  /** Length of the state as it arrived. */
  readonly textBytes: number;
}

/** A fragment in the dictionary. */
interface Entry extends Place {
  readonly block: Block<Entry>;
  readonly stateAt: number;
  textBytes: number;
}

/** The state in a fragment, as text. */
export function stateOf({ bytes, stateAt }: Fragment): string {
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
  readonly #entries = new Map<Key, Entry>();
  /** The fragments, in order. */
  readonly #blocks: Block<Entry>[] = [];
  readonly #scratch = new Uint8Array(DATAGRAM_BYTES_MAX);
  #fragmentBytes = 0;

  /** Players with a state. */
  get size(): number {
    return this.#entries.size;
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
    const known = this.#entries.get(key);
    const head = known ? "" : `,"${id}":"`;
    const stateAt = known?.stateAt ?? head.length;
    const othersBytes = this.#fragmentBytes - (known?.length ?? 0);
    const room = FRAGMENTS_BYTES_MAX - othersBytes - stateAt - 1;
    const written = escapeText(state, this.#scratch, room);
    if (written === "text") return "text";
    if (written === "room" || written > room) return "world-full";
    this.#scratch[written] = QUOTE;
    const entry = known ?? this.#add(key, stateAt);
    this.#resize(entry, stateAt + written + 1);
    if (!known) entry.block.write(entry, 0, ascii.encode(head));
    entry.block.write(entry, stateAt, this.#scratch.subarray(0, written + 1));
    entry.textBytes = state.length;
    return undefined;
  }

  /** A player's fragment, valid until the next change; undefined when there is none. */
  get(key: Key): Fragment | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const { block, stateAt, textBytes } = entry;
    return { bytes: block.bytesOf(entry), stateAt, textBytes };
  }

  /** Takes a player's fragment out; undefined when there is none. */
  remove(key: Key): Fragment | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const { block, stateAt, textBytes } = entry;
    const fragment = { bytes: block.bytesOf(entry).slice(), stateAt, textBytes };
    this.#entries.delete(key);
    this.#fragmentBytes -= entry.length;
    block.remove(entry);
    if (block.isEmpty) this.#blocks.splice(this.#blocks.indexOf(block), 1);
    return fragment;
  }

  /** Puts a fragment back that `remove` gave. False when there is no room for it any more. */
  restore(key: Key, { bytes, stateAt, textBytes }: Fragment): boolean {
    if (this.#fragmentBytes + bytes.length > FRAGMENTS_BYTES_MAX) return false;
    const entry = this.#add(key, stateAt);
    this.#resize(entry, bytes.length);
    entry.block.write(entry, 0, bytes);
    entry.textBytes = textBytes;
    return true;
  }

  /** A snapshot of this moment: the datagram for every player. */
  encodeSnapshot(number: bigint): Uint8Array {
    const datagram = new Uint8Array(this.snapshotBytes);
    writeNumber(datagram, 0, number);
    let at = NUMBER_BYTES;
    for (const { bytes } of this.#blocks) {
      datagram.set(bytes, at);
      at += bytes.length;
    }
    datagram[NUMBER_BYTES] = BRACE_OPEN;
    datagram[datagram.length - 1] = BRACE_CLOSE;
    return datagram;
  }

  #add(key: Key, stateAt: number): Entry {
    let block = this.#blocks.at(-1);
    if (!block || block.isFull) this.#blocks.push(block = new Block());
    const entry = { block, at: 0, length: 0, stateAt, textBytes: 0 };
    block.add(entry);
    this.#entries.set(key, entry);
    return entry;
  }

  #resize(entry: Entry, length: number): void {
    this.#fragmentBytes += length - entry.length;
    entry.block.resize(entry, length);
  }
}
