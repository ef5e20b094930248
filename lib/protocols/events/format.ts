/** How named events look on the wire: what the formats of an event server have in common. */
import type { HubMessage } from "./hub.ts";

/** What an event may carry. Bytes only where the format has them. */
export type Payload =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Payload[]
  | { readonly [key: string]: Payload };

/** An event from the other side. */
export interface NamedEvent {
  /** Tells it from other messages. */
  readonly kind: "event";
  /** Its name. */
  readonly name: string;
  /** What it carries. */
  readonly payload: Payload;
  /** Its number, if the sender wants to know that it arrived. */
  readonly sequence?: number;
}

/**
 * Why a datagram is no event:
 * - `oversize`: longer than 8,192 bytes
 * - `syntax`: not in the format at all
 * - `shape`: in the format, but not what a message looks like
 * - `event`: of a name or number that means nothing here
 */
export type FormatRefusal = "oversize" | "syntax" | "shape" | "event";

/** What a server says first. */
export interface Welcome {
  /** Tells it from other messages. */
  readonly kind: "welcome";
  /** The number of the client. */
  readonly number: number;
  /** What the server drew when it was started, from 0 to 2^32 - 1: another one knows nothing of us. */
  readonly server: number;
  /** Its sequence number. */
  readonly sequence?: number;
}

/** What a format makes of a datagram. */
export type Incoming =
  | NamedEvent
  | HubMessage
  | Welcome
  | { readonly kind: "refused"; readonly reason: FormatRefusal };

/** What is to be sent: everything that can come in. */
export type Outgoing = Exclude<Incoming, { kind: "refused" }>;

/** A wire format of named events. */
export interface EventFormat {
  /** Reads a datagram. Whatever the bytes are, this does not throw. */
  decode(datagram: Uint8Array): Incoming;
  /**
   * Writes a message.
   *
   * @throws {TypeError} The payload holds what the format has not, or the name means nothing in it.
   * @throws {RangeError} The datagram would be longer than 8,192 bytes, or nested too deep.
   */
  encode(message: Outgoing): Uint8Array;
}

/** The clients of the original read no more of a datagram. */
export const DATAGRAM_BYTES_MAX = 8_192;
/** Deepest nesting of a payload. */
export const PAYLOAD_DEPTH_MAX = 32;

/** Names of events that are the server's own. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  ...["connected", "disconnected", "join", "welcome", "ack", "heartbeat"],
]);

/** Refuses what no reader would take. */
export function checkedDatagram(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= DATAGRAM_BYTES_MAX) return bytes;
  throw new RangeError(
    `the event would be ${bytes.length} bytes long: no more than ${DATAGRAM_BYTES_MAX} are read`,
  );
}

/** The payload as it is now, for later: what a program handed over may change. */
export function copyOf(payload: Payload): Payload {
  if (payload === null || typeof payload !== "object") return payload;
  if (payload instanceof Uint8Array) return payload.slice();
  if (Array.isArray(payload)) return payload.map(copyOf);
  return Object.fromEntries(Object.entries(payload).map(([key, value]) => [key, copyOf(value)]));
}

/** The client's number and the server's own, as a welcome carries them; undefined for anything else. */
export function welcomeOf(payload: unknown): { number: number; server: number } | undefined {
  if (!Array.isArray(payload) || payload.length !== 2 || !payload.every(isCount)) return undefined;
  return { number: payload[0]!, server: payload[1]! };
}

/** Whether a value may be a sequence number or the number of a client. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 0;
}
