/**
 * Events in MessagePack, as the original's game example has them: `[number, sequence, needs ack, payload]`.
 *
 * The numbers 0 to 3 are `join`, `welcome`, `ack` and `heartbeat`; the program chooses the others. The
 * payload is a byte string that holds MessagePack itself.
 */
import {
  decodeMsgpack,
  MsgpackMap,
  type MsgpackValue,
  MsgpackWriter,
} from "../../parts/msgpack.ts";
import {
  checkedDatagram,
  DATAGRAM_BYTES_MAX,
  type EventFormat,
  type FormatRefusal,
  type Incoming,
  isCount,
  type Outgoing,
  type Payload,
  PAYLOAD_DEPTH_MAX,
  RESERVED_NAMES,
  welcomeOf,
} from "./format.ts";

/** The packet numbers that every program has. */
export const PACKET = { join: 0, welcome: 1, ack: 2, heartbeat: 3 } as const;
const PACKET_MAX = 0x7fff_ffff;

/** A message, taken apart. */
export interface Packet {
  readonly id: number;
  readonly sequence: number;
  readonly needsAck: boolean;
  /** What stands in its place: a byte string, as a rule. */
  readonly payload: MsgpackValue;
}

/** Reads `[number, sequence, needs ack, payload]`. What follows in the array means nothing. */
export function decodePacket(datagram: Uint8Array): Packet | FormatRefusal {
  if (datagram.length > DATAGRAM_BYTES_MAX) return "oversize";
  const value = decodeMsgpack(datagram);
  if (value === undefined) return "syntax";
  if (!Array.isArray(value) || value.length < 4) return "shape";
  const [id, sequence, ack, payload] = value;
  if (!isCount(id) || !isCount(sequence)) return "shape";
  return { id, sequence, needsAck: ack === 1 || ack === true, payload: payload! };
}

/** Writes `[number, sequence, needs ack, payload]`, the payload in the raw family. */
export function encodePacket(
  id: number,
  sequence: number,
  needsAck: boolean,
  payload: Uint8Array,
): Uint8Array {
  return new MsgpackWriter(payload.length + 16)
    .array(4).integer(id).integer(sequence).integer(Number(needsAck)).raw(payload).take();
}

/** The numbers in the payload of an ACK; undefined when it is none. */
export function sequencesOf(payload: MsgpackValue): number[] | undefined {
  const sequences = nestedValue(payload);
  return Array.isArray(sequences) && sequences.every(isCount) ? sequences : undefined;
}

/** The payload of an ACK. */
export function ackPayload(sequences: readonly number[]): Uint8Array {
  const writer = new MsgpackWriter().array(sequences.length);
  for (const sequence of sequences) writer.integer(sequence);
  return writer.take();
}

/** What a byte string holds; undefined when it is none or holds no MessagePack. */
export function nestedValue(payload: MsgpackValue): MsgpackValue | undefined {
  return payload instanceof Uint8Array ? decodeMsgpack(payload) : undefined;
}

/**
 * Events as `[number, sequence, needs ack, payload]` in MessagePack.
 *
 * Texts and bytes in payloads stay apart between netsync's own programs; to a reader from before 2013
 * they are the same.
 *
 * @param packets The events of the program and their numbers, from 4 to 2^31 - 1.
 * @throws {RangeError} A number is none of those, or two events have the same.
 * @throws {TypeError} A name is reserved: connected, disconnected, join, welcome, ack or heartbeat.
 */
export function msgpackFormat(packets: Readonly<Record<string, number>>): EventFormat {
  return new PackedFormat(packets);
}

class PackedFormat implements EventFormat {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #names: ReadonlyMap<number, string>;

  constructor(packets: Readonly<Record<string, number>>) {
    const entries = Object.entries(packets);
    for (const [name, id] of entries) {
      if (RESERVED_NAMES.has(name)) throw new TypeError(`"${name}" is a name of the server's own`);
      if (!isCount(id) || id <= PACKET.heartbeat || id > PACKET_MAX) {
        throw new RangeError(`the number of "${name}" must be from 4 to ${PACKET_MAX}, not ${id}`);
      }
    }
    this.#ids = new Map(entries);
    this.#names = new Map(entries.map(([name, id]) => [id, name]));
    if (this.#names.size < this.#ids.size) throw new RangeError("two events have one number");
  }

  decode(datagram: Uint8Array): Incoming {
    const packet = decodePacket(datagram);
    if (typeof packet === "string") return { kind: "refused", reason: packet };
    const numbered = packet.needsAck ? { sequence: packet.sequence } : {};
    switch (packet.id) {
      case PACKET.join:
        return { kind: "join" };
      case PACKET.heartbeat:
        return nestedValue(packet.payload) === true
          ? { kind: "heartbeat", isAnswer: true }
          : { kind: "heartbeat" };
      case PACKET.ack: {
        const sequences = sequencesOf(packet.payload);
        return sequences ? { kind: "ack", sequences } : { kind: "refused", reason: "shape" };
      }
      case PACKET.welcome: {
        const welcome = welcomeOf(nestedValue(packet.payload));
        return welcome
          ? { kind: "welcome", ...welcome, ...numbered }
          : { kind: "refused", reason: "shape" };
      }
    }
    const name = this.#names.get(packet.id);
    if (name === undefined) return { kind: "refused", reason: "event" };
    const payload = payloadOf(packet.payload);
    if (payload === undefined) return { kind: "refused", reason: "shape" };
    return { kind: "event", name, payload, ...numbered };
  }

  encode(message: Outgoing): Uint8Array {
    const sequence = "sequence" in message ? message.sequence : undefined;
    const packet = encodePacket(
      this.#idOf(message),
      sequence ?? 0,
      sequence !== undefined,
      encodePayload(message),
    );
    return checkedDatagram(packet);
  }

  #idOf(message: Outgoing): number {
    if (message.kind !== "event") return PACKET[message.kind];
    const id = this.#ids.get(message.name);
    if (id !== undefined) return id;
    throw new TypeError(`the event "${message.name}" has no number in this format`);
  }
}

/** Deeper than any payload of ours may be. */
const READ_DEPTH_MAX = PAYLOAD_DEPTH_MAX + 1;

function payloadOf(value: MsgpackValue): Payload | undefined {
  if (!(value instanceof Uint8Array)) return undefined;
  const nested = decodeMsgpack(value, { texts: true, depthMax: READ_DEPTH_MAX });
  return nested === undefined ? undefined : plainOf(nested);
}

/** Copied, since the datagram will not last. Integers past 2^53 lose their last digits. */
function plainOf(value: MsgpackValue): Payload {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(plainOf);
  if (!(value instanceof MsgpackMap)) return value;
  const object: Record<string, Payload> = Object.create(null);
  const { entries } = value;
  for (let at = 0; at < entries.length; at += 2) {
    object[String(entries[at])] = plainOf(entries[at + 1]!);
  }
  return { ...object };
}

function encodePayload(message: Outgoing): Uint8Array {
  switch (message.kind) {
    case "ack":
      return ackPayload(message.sequences);
    case "welcome":
      return new MsgpackWriter().array(2).integer(message.number).integer(message.server).take();
    case "event":
      return write(new MsgpackWriter(), message.payload, 0).take();
    case "heartbeat":
      return write(new MsgpackWriter(), message.isAnswer ?? null, 0).take();
    default:
      return new MsgpackWriter().nil().take();
  }
}

const utf8 = new TextEncoder();

function write(writer: MsgpackWriter, value: Payload, depth: number): MsgpackWriter {
  if (value === null) return writer.nil();
  switch (typeof value) {
    case "boolean":
      return writer.boolean(value);
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? writer.integer(value)
        : writer.float(value);
    case "string":
      return writer.raw(utf8.encode(value));
    case "object":
      break;
    default:
      throw new TypeError(`a ${typeof value} has no form in MessagePack`);
  }
  if (value instanceof Uint8Array) return writer.bin(value);
  if (depth === PAYLOAD_DEPTH_MAX) throw new RangeError(`nested deeper than ${depth}`);
  if (Array.isArray(value)) {
    writer.array(value.length);
    for (const entry of value) write(writer, entry, depth + 1);
    return writer;
  }
  const entries = Object.entries(value);
  writer.map(entries.length);
  for (const [key, entry] of entries) write(writer.raw(utf8.encode(key)), entry, depth + 1);
  return writer;
}
