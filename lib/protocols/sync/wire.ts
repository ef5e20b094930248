/**
 * SimpleNetSync 3 on the wire: a signed 64-bit little-endian number, then text.
 *
 * | direction | number | rest | meaning |
 * | --- | --- | --- | --- |
 * | to the server | -1 | nothing | id request; also the keep-alive of the Godot client |
 * | to the server | >= 0 | UTF-8 | the sender's state; 0 with nothing is the Python keep-alive |
 * | to the client | -1 | i64 | the id given to the client, 16 bytes in all |
 * | to the client | >= 1 | ASCII JSON | snapshot: the states of all players by id |
 */

/** Bytes of the number at the start of every datagram. */
export const NUMBER_BYTES = 8;
/** The largest payload of a UDP datagram over IPv4: 65,535 less 20 of IP and 8 of UDP header. */
export const DATAGRAM_BYTES_MAX = 65_507;
/** The most state text a datagram can carry. */
export const STATE_BYTES_MAX = DATAGRAM_BYTES_MAX - NUMBER_BYTES;

/** The highest number there is. */
export const NUMBER_MAX: bigint = 2n ** 63n - 1n;

const ID_REPLY_BYTES = 16;
/** Snapshots are numbered by the clock, in microseconds since 1970; this was in 2005. */
const SNAPSHOT_NUMBERS_FROM = 2n ** 50n;
const [BRACE_OPEN, QUOTE, DIGIT_ZERO, DIGIT_NINE] = [0x7b, 0x22, 0x30, 0x39];

/** What a client may say to a server. `state` is a view of the datagram. */
export type ClientMessage =
  | { kind: "idRequest" }
  | { kind: "state"; number: bigint; state: Uint8Array };

/** What a server may say to a client. `json` is a view of the datagram. */
export type ServerMessage =
  | { kind: "idReply"; id: bigint }
  | { kind: "snapshot"; number: bigint; json: Uint8Array };

/** Why a datagram was refused: shorter than its header, a number no client uses, too long. */
export type WireRefusal = "short" | "number" | "oversize";

/** A message, or the reason why there is none. */
export type Decoded<Message> = Message | { kind: "refused"; reason: WireRefusal };

/**
 * Reads what a client sent. Bytes after an id request are ignored, as the original does; unless they make it
 * the id reply of another server, for two that answer each other would never end.
 */
export function decodeClientMessage(datagram: Uint8Array): Decoded<ClientMessage> {
  if (datagram.length < NUMBER_BYTES) return { kind: "refused", reason: "short" };
  if (datagram.length > DATAGRAM_BYTES_MAX) return { kind: "refused", reason: "oversize" };
  const number = readNumber(datagram, 0);
  if (number >= 0n && !isSnapshot(number, datagram)) {
    return { kind: "state", number, state: datagram.subarray(NUMBER_BYTES) };
  }
  const isIdRequest = number === -1n && datagram.length !== ID_REPLY_BYTES;
  return isIdRequest ? { kind: "idRequest" } : { kind: "refused", reason: "number" };
}

/** Reads what a server sent. An id reply is exactly 16 bytes; an id is never negative. */
export function decodeServerMessage(datagram: Uint8Array): Decoded<ServerMessage> {
  if (datagram.length < NUMBER_BYTES) return { kind: "refused", reason: "short" };
  const number = readNumber(datagram, 0);
  if (number >= 0n) return { kind: "snapshot", number, json: datagram.subarray(NUMBER_BYTES) };
  if (number !== -1n) return { kind: "refused", reason: "number" };
  if (datagram.length < ID_REPLY_BYTES) return { kind: "refused", reason: "short" };
  if (datagram.length > ID_REPLY_BYTES) return { kind: "refused", reason: "oversize" };
  const id = readNumber(datagram, NUMBER_BYTES);
  return id >= 0n ? { kind: "idReply", id } : { kind: "refused", reason: "number" };
}

/** The datagram that asks a server for an id. */
export function encodeIdRequest(): Uint8Array {
  return encodeNumber(-1n, NUMBER_BYTES);
}

/** The datagram that tells a client its id. */
export function encodeIdReply(id: bigint): Uint8Array {
  const datagram = encodeNumber(-1n, ID_REPLY_BYTES);
  writeNumber(datagram, NUMBER_BYTES, id);
  return datagram;
}

/**
 * The datagram that carries a client's state. With number 0 and no text it is a keep-alive.
 *
 * @param number From 0 up to 2^63 - 1, higher with every state.
 * @param state At most {@link STATE_BYTES_MAX} bytes. The original server needs ASCII.
 */
export function encodeState(number: bigint, state: Uint8Array): Uint8Array {
  const datagram = encodeNumber(number, NUMBER_BYTES + state.length);
  datagram.set(state, NUMBER_BYTES);
  return datagram;
}

/** Writes a number where a datagram keeps it. */
export function writeNumber(bytes: Uint8Array, offset: number, number: bigint): void {
  new DataView(bytes.buffer, bytes.byteOffset).setBigInt64(offset, number, true);
}

/**
 * Reads the JSON of a snapshot.
 *
 * @returns The states by id in decimal, in the order of the ids; or undefined when it is not an object
 * whose values are all strings.
 */
export function parseStates(json: Uint8Array): Map<string, string> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(strictUtf8.decode(json));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const states = new Map<string, string>();
  for (const [id, state] of Object.entries(value)) {
    if (typeof state !== "string") return undefined;
    states.set(id, state);
  }
  return states;
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Whether this is the snapshot of another server and no state: an object whose first key is an id, under a
 * number that a clock made. Nobody counts that far, and two servers would go on showing each other the other's
 * snapshots.
 */
function isSnapshot(number: bigint, datagram: Uint8Array): boolean {
  if (datagram[NUMBER_BYTES] !== BRACE_OPEN || datagram[NUMBER_BYTES + 1] !== QUOTE) return false;
  const digit = datagram[NUMBER_BYTES + 2] ?? 0;
  return digit >= DIGIT_ZERO && digit <= DIGIT_NINE && number >= SNAPSHOT_NUMBERS_FROM;
}

function encodeNumber(number: bigint, bytes: number): Uint8Array {
  const datagram = new Uint8Array(bytes);
  writeNumber(datagram, 0, number);
  return datagram;
}

const numberBytes = new Uint8Array(NUMBER_BYTES);
const numberView = new DataView(numberBytes.buffer);

/** Copies the bytes first: to make a view for each datagram takes longer than all else about its reading. */
function readNumber(bytes: Uint8Array, offset: number): bigint {
  for (let at = 0; at < NUMBER_BYTES; at++) numberBytes[at] = bytes[offset + at]!;
  return numberView.getBigInt64(0, true);
}
