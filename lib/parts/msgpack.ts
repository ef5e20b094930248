/**
 * MessagePack from strangers, and for old readers. https://github.com/msgpack/msgpack/blob/master/spec.md
 *
 * Reading: texts and byte strings are both bytes, whichever family they are in, since before 2013 there
 * was only one; who knows better asks for texts. Every count is checked against the bytes that are left
 * before anything is allocated, and the depth against a limit: reading costs no more than the length.
 *
 * Writing: texts go into the raw family (fixstr, str16, str32) which every reader knows; integers take
 * the shortest form.
 */

/** What a datagram may hold. Integers that are not safe as numbers are bigints. */
export type MsgpackValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | MsgpackValue[]
  | MsgpackMap;

/** A map: its entries in order, since keys may be anything and may repeat. */
export class MsgpackMap {
  /** Key, value, key, value, ... */
  readonly entries: readonly MsgpackValue[];

  /** @param entries Key, value, key, value, ... */
  constructor(entries: readonly MsgpackValue[]) {
    this.entries = entries;
  }
}

/** Deepest nesting of arrays and maps unless told otherwise. */
export const MSGPACK_DEPTH_MAX = 16;

/** Options of {@link decodeMsgpack}. */
export interface MsgpackOptions {
  /** Deepest nesting of arrays and maps. Default {@link MSGPACK_DEPTH_MAX}. */
  depthMax?: number;
  /** Whether the raw family holds texts, as far as it is UTF-8. Default false: everything is bytes. */
  texts?: boolean;
}

/**
 * Reads one value that fills all of the bytes.
 *
 * @returns The value; byte strings are views of `bytes`. undefined when there is none, it is cut off, nested
 *   too deep, of an extension type, or something follows it.
 */
export function decodeMsgpack(
  bytes: Uint8Array,
  { depthMax = MSGPACK_DEPTH_MAX, texts = false }: MsgpackOptions = {},
): MsgpackValue | undefined {
  const reader = new Reader(bytes, depthMax, texts);
  const value = reader.value(0);
  return reader.isAtEnd ? value : undefined;
}

const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
const BIN8 = 0xc4;
const BIN16 = 0xc5;
const BIN32 = 0xc6;
const FLOAT32 = 0xca;
const FLOAT64 = 0xcb;
const UINT8 = 0xcc;
const UINT16 = 0xcd;
const UINT32 = 0xce;
const UINT64 = 0xcf;
const INT8 = 0xd0;
const INT16 = 0xd1;
const INT32 = 0xd2;
const INT64 = 0xd3;
const STR8 = 0xd9;
const STR16 = 0xda;
const STR32 = 0xdb;
const ARRAY16 = 0xdc;
const ARRAY32 = 0xdd;
const MAP16 = 0xde;
const MAP32 = 0xdf;

/** Gives undefined for what is none: throwing costs more than the datagram that is thrown away. */
class Reader {
  readonly #bytes: Uint8Array;
  // Of #bytes, and kept, since to ask for them costs as much as to make a view of them.
  readonly #buffer: ArrayBufferLike;
  readonly #offset: number;
  readonly #depthMax: number;
  readonly #texts: boolean;
  #view: DataView | undefined;
  #at = 0;

  constructor(bytes: Uint8Array, depthMax: number, texts: boolean) {
    this.#bytes = bytes;
    this.#buffer = bytes.buffer;
    this.#offset = bytes.byteOffset;
    this.#depthMax = depthMax;
    this.#texts = texts;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): MsgpackValue | undefined {
    const head = this.#bytes[this.#at++];
    if (head === undefined) return undefined;
    if (head < 0x80) return head;
    if (head < 0x90) return this.#map(head & 0x0f, depth);
    if (head < 0xa0) return this.#values(head & 0x0f, depth);
    if (head < 0xc0) return this.#raw(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case NIL:
        return null;
      case FALSE:
        return false;
      case TRUE:
        return true;
      case BIN8:
        return this.#bytesOf(this.#unsigned(1));
      case BIN16:
        return this.#bytesOf(this.#unsigned(2));
      case BIN32:
        return this.#bytesOf(this.#unsigned(4));
      case STR8:
        return this.#raw(this.#unsigned(1));
      case STR16:
        return this.#raw(this.#unsigned(2));
      case STR32:
        return this.#raw(this.#unsigned(4));
      case FLOAT32:
        return this.#has(4) ? this.#dataView.getFloat32(this.#skip(4)) : undefined;
      case FLOAT64:
        return this.#has(8) ? this.#dataView.getFloat64(this.#skip(8)) : undefined;
      case UINT8:
        return this.#unsigned(1);
      case UINT16:
        return this.#unsigned(2);
      case UINT32:
        return this.#unsigned(4);
      case UINT64:
        return this.#has(8) ? narrowed(this.#dataView.getBigUint64(this.#skip(8))) : undefined;
      case INT8:
        return this.#has(1) ? this.#dataView.getInt8(this.#skip(1)) : undefined;
      case INT16:
        return this.#has(2) ? this.#dataView.getInt16(this.#skip(2)) : undefined;
      case INT32:
        return this.#has(4) ? this.#dataView.getInt32(this.#skip(4)) : undefined;
      case INT64:
        return this.#has(8) ? narrowed(this.#dataView.getBigInt64(this.#skip(8))) : undefined;
      case ARRAY16:
        return this.#values(this.#unsigned(2), depth);
      case ARRAY32:
        return this.#values(this.#unsigned(4), depth);
      case MAP16:
        return this.#map(this.#unsigned(2), depth);
      case MAP32:
        return this.#map(this.#unsigned(4), depth);
      default:
        return undefined; // 0xc1 is never used; extension types mean nothing here.
    }
  }

  #map(length: number | undefined, depth: number): MsgpackMap | undefined {
    const entries = length === undefined ? undefined : this.#values(2 * length, depth);
    return entries && new MsgpackMap(entries);
  }

  /** Each value takes a byte at least, so no more are begun than there are bytes. */
  #values(count: number | undefined, depth: number): MsgpackValue[] | undefined {
    if (count === undefined || depth >= this.#depthMax || !this.#has(count)) return undefined;
    const values: MsgpackValue[] = [];
    for (let left = count; left > 0; left--) {
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }

  #raw(length: number | undefined): string | Uint8Array | undefined {
    const bytes = this.#bytesOf(length);
    return bytes && this.#texts ? textOf(bytes) ?? bytes : bytes;
  }

  #bytesOf(length: number | undefined): Uint8Array | undefined {
    if (length === undefined || !this.#has(length)) return undefined;
    return new Uint8Array(this.#buffer, this.#offset + this.#skip(length), length);
  }

  #unsigned(size: 1 | 2 | 4): number | undefined {
    if (!this.#has(size)) return undefined;
    const start = this.#skip(size);
    let value = 0;
    for (let at = start; at < start + size; at++) value = 256 * value + this.#bytes[at]!;
    return value;
  }

  /** Whether so many bytes are left. */
  #has(length: number): boolean {
    return length <= this.#bytes.length - this.#at;
  }

  /** Where the next so many bytes begin, which are there. */
  #skip(length: number): number {
    const start = this.#at;
    this.#at = start + length;
    return start;
  }

  get #dataView(): DataView {
    return this.#view ??= new DataView(this.#buffer, this.#offset, this.#bytes.length);
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
/** Up to here a loop is faster than calling a decoder. */
const SHORT_TEXT_BYTES = 16;

/** Nothing throws here: a datagram may hold thousands of short texts, and each of them may be wrong. */
function textOf(utf8: Uint8Array): string | undefined {
  if (utf8.length <= SHORT_TEXT_BYTES) {
    const text = asciiOf(utf8);
    if (text !== undefined) return text;
  }
  const text = decoder.decode(utf8);
  return !text.includes("\ufffd") || areSame(encoder.encode(text), utf8) ? text : undefined;
}

function asciiOf(bytes: Uint8Array): string | undefined {
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

function areSame(some: Uint8Array, others: Uint8Array): boolean {
  return some.length === others.length && some.every((byte, at) => byte === others[at]);
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Where a float becomes bytes. */
const float64 = new DataView(new ArrayBuffer(8));

const NO_BYTES = new Uint8Array(0);

/** Writes values one after the other; see the top of this file for the forms it takes. */
export class MsgpackWriter {
  readonly #reserved: number;
  #bytes = NO_BYTES;
  #length = 0;

  /** @param bytes How many to reserve for each `take`; more are taken as needed. */
  constructor(bytes = 256) {
    this.#reserved = bytes;
  }

  /** What was written, and nothing else will write there; the writer is empty then. */
  take(): Uint8Array {
    const written = this.#bytes.subarray(0, this.#length);
    this.#bytes = NO_BYTES;
    this.#length = 0;
    return written;
  }

  /** The head of an array; so many values must follow. */
  array(length: number): this {
    return this.#count(length, 0x90, ARRAY16, ARRAY32);
  }

  /** The head of a map; twice as many values must follow. */
  map(length: number): this {
    return this.#count(length, 0x80, MAP16, MAP32);
  }

  /** An integer from -2^53 to 2^53, in its shortest form. */
  integer(value: number): this {
    if (value >= 0) {
      if (value < 0x80) return this.#put(value, 0, 0);
      if (value < 0x100) return this.#put(UINT8, value, 1);
      if (value < 0x1_0000) return this.#put(UINT16, value, 2);
      if (value < 0x1_0000_0000) return this.#put(UINT32, value, 4);
      return this.#put(UINT64, Math.floor(value / 2 ** 32), 4).#unsigned(value, 4);
    }
    if (value >= -0x20) return this.#put(value & 0xff, 0, 0);
    if (value >= -0x80) return this.#put(INT8, value & 0xff, 1);
    if (value >= -0x8000) return this.#put(INT16, value & 0xffff, 2);
    if (value >= -0x8000_0000) return this.#put(INT32, value >>> 0, 4);
    return this.#put(INT64, Math.floor(value / 2 ** 32), 4).#unsigned(value, 4);
  }

  /** A number with a fraction, in 64 bits. */
  float(value: number): this {
    float64.setFloat64(0, value);
    return this.#put(FLOAT64, float64.getUint32(0), 4).#unsigned(float64.getUint32(4), 4);
  }

  /** A byte string or a text in UTF-8, in the raw family. */
  raw(bytes: Uint8Array): this {
    const { length } = bytes;
    if (length < 0x20) this.#put(0xa0 | length, 0, 0);
    else if (length < 0x1_0000) this.#put(STR16, length, 2);
    else this.#put(STR32, length, 4);
    return this.append(bytes);
  }

  /** A byte string that must not be taken for a text, in the bin family: not for readers from before 2013. */
  bin(bytes: Uint8Array): this {
    const { length } = bytes;
    if (length < 0x100) this.#put(BIN8, length, 1);
    else if (length < 0x1_0000) this.#put(BIN16, length, 2);
    else this.#put(BIN32, length, 4);
    return this.append(bytes);
  }

  /** Bytes as they stand: values that were written before. */
  append(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Nothing. */
  nil(): this {
    return this.#put(NIL, 0, 0);
  }

  /** True or false. */
  boolean(value: boolean): this {
    return this.#put(value ? TRUE : FALSE, 0, 0);
  }

  #count(length: number, fix: number, head16: number, head32: number): this {
    if (length < 0x10) return this.#put(fix | length, 0, 0);
    return length < 0x1_0000 ? this.#put(head16, length, 2) : this.#put(head32, length, 4);
  }

  #put(head: number, value: number, size: 0 | 1 | 2 | 4): this {
    this.#reserve(9); // The head and 64 bits, of which the lower 32 may follow.
    this.#bytes[this.#length++] = head;
    return this.#unsigned(value, size);
  }

  /** The lowest bits of an integer, where there is room for them. */
  #unsigned(value: number, size: 0 | 1 | 2 | 4): this {
    for (let shift = 8 * (size - 1); shift >= 0; shift -= 8) {
      this.#bytes[this.#length++] = value >>> shift;
    }
    return this;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(needed <= this.#reserved ? this.#reserved : 2 * needed);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
