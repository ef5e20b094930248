/**
 * Events as JSON, as the original's echo example has them: `{"t": name, "p": payload}` and a newline.
 *
 * What is new here, and left out where it is not needed: `"s": number` asks for an ack, and the names
 * `join`, `welcome`, `ack` and `heartbeat` stand for what MessagePack has packet numbers for. A client
 * that knows nothing of them can play: it is only not sure to be heard, or to hear everything.
 */
import {
  isFiniteThroughout,
  type JsonObject,
  parseJsonObject,
  writeJson,
} from "../../parts/json.ts";
import {
  checkedDatagram,
  DATAGRAM_BYTES_MAX,
  type EventFormat,
  type Incoming,
  isCount,
  type Outgoing,
  type Payload,
  PAYLOAD_DEPTH_MAX,
  RESERVED_NAMES,
  welcomeOf,
} from "./format.ts";

/** Names are not longer, in UTF-16 code units. */
const NAME_LENGTH_MAX = 64;

/** Events as `{"t": name, "p": payload}` in JSON. Payloads are what JSON has: no bytes. */
export function jsonFormat(): EventFormat {
  return FORMAT;
}

const FORMAT: EventFormat = { decode, encode };
const ascii = new TextEncoder();

function decode(datagram: Uint8Array): Incoming {
  if (datagram.length > DATAGRAM_BYTES_MAX) return { kind: "refused", reason: "oversize" };
  const object = parseJsonObject(datagram, PAYLOAD_DEPTH_MAX + 1);
  if (!object) return { kind: "refused", reason: "syntax" };
  const { t: name, p, s: sequence } = Object.assign(Object.create(null), object) as JsonObject;
  if (typeof name !== "string" || (sequence !== undefined && !isCount(sequence))) return NO_SHAPE;
  const numbered = sequence === undefined ? {} : { sequence };
  switch (name) {
    case "join":
      return { kind: name };
    case "heartbeat":
      return p === true ? { kind: name, isAnswer: true } : { kind: name };
    case "ack":
      return Array.isArray(p) && p.every(isCount) ? { kind: "ack", sequences: p } : NO_SHAPE;
    case "welcome": {
      const welcome = welcomeOf(p);
      return welcome ? { kind: "welcome", ...welcome, ...numbered } : NO_SHAPE;
    }
  }
  if (p === undefined || !isFiniteThroughout(p)) return NO_SHAPE;
  if (!isEventName(name)) return { kind: "refused", reason: "event" };
  return { kind: "event", name, payload: p as Payload, ...numbered };
}

function isEventName(name: string): boolean {
  return name.length <= NAME_LENGTH_MAX && !RESERVED_NAMES.has(name);
}

const NO_SHAPE = { kind: "refused", reason: "shape" } as const;

function encode(message: Outgoing): Uint8Array {
  const [name, payload] = nameAndPayload(message);
  if (message.kind === "event" && !isEventName(name)) {
    throw new TypeError(`${jsonText(name)} is no name of an event`);
  }
  const sequence = "sequence" in message ? message.sequence : undefined;
  const numbered = sequence === undefined ? "" : `, "s": ${sequence}`;
  const text = `{"t": ${jsonText(name)}, "p": ${jsonText(payload)}${numbered}}\n`;
  return checkedDatagram(ascii.encode(text));
}

function nameAndPayload(message: Outgoing): [name: string, payload: Payload] {
  switch (message.kind) {
    case "event":
      return [message.name, message.payload];
    case "welcome":
      return ["welcome", [message.number, message.server]];
    case "ack":
      return ["ack", message.sequences];
    case "heartbeat":
      return [message.kind, message.isAnswer ?? null];
    default:
      return [message.kind, null];
  }
}

/**
 * JSON text as Python writes it: a space after `:` and `,`, and nothing but ASCII.
 *
 * @throws {TypeError} Something in it has no form in JSON: bytes, undefined, or a number that is not finite.
 * @throws {RangeError} It is nested deeper than {@link PAYLOAD_DEPTH_MAX}.
 */
export function jsonText(payload: Payload): string {
  return writeJson(payload, { depthMax: PAYLOAD_DEPTH_MAX, space: " " });
}
