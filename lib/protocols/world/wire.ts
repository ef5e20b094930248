/**
 * Sidereal on the wire: a header of 21 bytes, then a JSON object.
 *
 * | offset | bytes | field |
 * | --- | --- | --- |
 * | 0 | 2 | sequence number, big-endian |
 * | 2 | 16 | MD5 of the header, with sixteen characters `0` in this place |
 * | 18 | 1 | flags; 1: ACK; the others mean nothing |
 * | 19 | 2 | length of the whole datagram, big-endian |
 * | 21 | | JSON in UTF-8 |
 *
 * The digest covers nothing of the JSON and needs no secret: a checksum of the header, no proof of anything.
 * An ACK has the sequence number of what it acknowledges and an empty object.
 */
import { isFiniteThroughout, type JsonObject, parseJsonObject } from "../../parts/json.ts";
import { md5 } from "./md5.ts";
import { TRAIT_DEPTH_MAX } from "./traits.ts";

/** Bytes before the JSON. */
export const HEADER_BYTES = 21;
/** Sequence numbers wrap here. */
export const SEQUENCES = 65_536;
/** The originals read no more of a datagram. */
export const DATAGRAM_BYTES_MAX = 8_192;
/** What is sent is no longer: it arrives in one packet on every path, or not at all. */
export const SENT_BYTES_MAX = 1_200;
/** The longest JSON that is sent. */
export const PAYLOAD_BYTES_MAX = SENT_BYTES_MAX - HEADER_BYTES;

/**
 * Why a datagram is refused:
 * - `short`: shorter than a header
 * - `oversize`: longer than 8,192 bytes
 * - `length`: not as long as its header says
 * - `digest`: the header's digest is not right
 * - `ack`: an acknowledgement that says something else too
 * - `json`: what follows the header is no JSON object
 * - `number`: a number in it is too large
 */
export type WireRefusal = "short" | "oversize" | "length" | "digest" | "ack" | "json" | "number";

/** What a datagram holds. */
export type Packet =
  | { kind: "ack"; sequence: number }
  | { kind: "message"; sequence: number; message: JsonObject };

/** A packet, or the reason why there is none. */
export type Decoded = Packet | { kind: "refused"; reason: WireRefusal };

const [DIGEST_AT, FLAGS_AT, LENGTH_AT] = [2, 18, 19];
const DIGEST_BYTES = 16;
const FLAG_ACK = 1;
const ZERO_CHARACTER = 0x30;
const EMPTY_OBJECT = new TextEncoder().encode("{}");
/** With some white space about its two brackets. */
const ACK_BYTES_MAX = HEADER_BYTES + 16;
/** Traits are three levels down in a diff. */
const DEPTH_MAX = TRAIT_DEPTH_MAX + 3;

/** Whether a datagram says that it is an acknowledgement. Cheaper than to read it. */
export function looksLikeAck(datagram: Uint8Array): boolean {
  return datagram.length >= HEADER_BYTES && (datagram[FLAGS_AT]! & FLAG_ACK) !== 0;
}

/** Reads a datagram. Whatever the bytes are, this does not throw. */
export function decodePacket(datagram: Uint8Array): Decoded {
  const header = decodeHeader(datagram);
  if (header.kind !== "header") return header;
  const message = decodePayload(datagram);
  return typeof message === "string"
    ? refused(message)
    : { kind: "message", sequence: header.sequence, message };
}

/**
 * Reads what comes before a message: little work, after which it can be decided whether the message is
 * worth more. An ACK is read whole.
 */
export function decodeHeader(
  datagram: Uint8Array,
): { kind: "header"; sequence: number } | Exclude<Decoded, { kind: "message" }> {
  const { length } = datagram;
  if (length < HEADER_BYTES) return refused("short");
  if (length > DATAGRAM_BYTES_MAX) return refused("oversize");
  if (uint16At(datagram, LENGTH_AT) !== length) return refused("length");
  if (!hasRightDigest(datagram)) return refused("digest");
  const sequence = uint16At(datagram, 0);
  if (!looksLikeAck(datagram)) return { kind: "header", sequence };
  return isEmptyObject(datagram) ? { kind: "ack", sequence } : refused("ack");
}

/** Reads the message behind the header; or why it is none. */
export function decodePayload(datagram: Uint8Array): JsonObject | "json" | "number" {
  const message = parseJsonObject(datagram.subarray(HEADER_BYTES), DEPTH_MAX);
  if (!message) return "json";
  if (!isFiniteThroughout(message)) return "number";
  // Names come from outside: one that an object has by itself must not be found.
  return Object.assign(Object.create(null), message);
}

/**
 * The datagram that carries a message.
 *
 * @param sequence From 0 to 65,535.
 * @param json An object as JSON in UTF-8, at most {@link PAYLOAD_BYTES_MAX} bytes for a datagram that
 * arrives everywhere.
 */
export function encodeMessage(sequence: number, json: Uint8Array): Uint8Array {
  return encode(sequence, 0, json);
}

/** The datagram that acknowledges the one with this sequence number. */
export function encodeAck(sequence: number): Uint8Array {
  return encode(sequence, FLAG_ACK, EMPTY_OBJECT);
}

function encode(sequence: number, flags: number, json: Uint8Array): Uint8Array {
  const length = HEADER_BYTES + json.length;
  const datagram = newDatagram(length);
  datagram[0] = sequence >> 8;
  datagram[1] = sequence;
  datagram[FLAGS_AT] = flags;
  datagram[LENGTH_AT] = length >> 8;
  datagram[LENGTH_AT + 1] = length;
  datagram.set(digestOf(datagram), DIGEST_AT);
  datagram.set(json, HEADER_BYTES);
  return datagram;
}

/** Datagrams share buffers: to make one for each costs more than to write it. */
const SLAB_BYTES = 16_384;
let slab = new Uint8Array(SLAB_BYTES);
let used = 0;

/** Zeros, and nothing else will write there. */
function newDatagram(length: number): Uint8Array {
  if (used + length > slab.length) {
    slab = new Uint8Array(Math.max(SLAB_BYTES, length));
    used = 0;
  }
  return slab.subarray(used, used += length);
}

/** What is digested: the fields, and zeros in the digest's place. */
const digested = new Uint8Array(HEADER_BYTES).fill(ZERO_CHARACTER);
const FIELDS = [0, 1, FLAGS_AT, LENGTH_AT, LENGTH_AT + 1] as const;

/** The digest lasts until the next one. */
function digestOf(datagram: Uint8Array): Uint8Array {
  for (const at of FIELDS) digested[at] = datagram[at]!;
  return md5(digested);
}

function hasRightDigest(datagram: Uint8Array): boolean {
  const digest = digestOf(datagram);
  for (let at = 0; at < DIGEST_BYTES; at++) {
    if (digest[at] !== datagram[DIGEST_AT + at]) return false;
  }
  return true;
}

function isEmptyObject(datagram: Uint8Array): boolean {
  if (datagram.length === HEADER_BYTES + EMPTY_OBJECT.length) {
    return EMPTY_OBJECT.every((byte, at) => datagram[HEADER_BYTES + at] === byte);
  }
  if (datagram.length > ACK_BYTES_MAX) return false;
  const payload = parseJsonObject(datagram.subarray(HEADER_BYTES), 1);
  return payload !== undefined && Object.keys(payload).length === 0;
}

function uint16At(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

function refused(reason: WireRefusal): { kind: "refused"; reason: WireRefusal } {
  return { kind: "refused", reason };
}
