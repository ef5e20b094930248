/** What one connection is still to be sent, and in which form. */
import type { Peer, StreamOutbox } from "../engine.ts";
import { Fifo } from "../../parts/fifo.ts";
import { encodeUtf8 } from "../../parts/utf8.ts";
import { encodeFrame, isFrameWithin, OFFER_BARS, SWITCH } from "./frame.ts";
import { NetworkMessage, ORIGINAL_READ_BYTES } from "./message.ts";

/**
 * Whether something was sent, or why not: there is nobody (`gone`), who is there does not read (`slow`),
 * or the message has no form for it or is too long (`unsendable`).
 */
export type Sent =
  | { readonly ok: true; readonly failure?: undefined; readonly reason?: undefined }
  | {
    readonly ok: false;
    readonly failure: "gone" | "slow" | "unsendable";
    /** The same in words. */
    readonly reason: string;
  };

/** It was. */
export const SENT: Sent = { ok: true };

/**
 * A message on its way to one or many connections. Each form is made once, and only when a connection
 * needs it.
 */
export class Envelope {
  readonly #message: NetworkMessage;
  readonly #raw: string | undefined;
  #text: Uint8Array | string | undefined;
  #frame: Uint8Array | string | undefined;

  /** @param raw Text to be sent as it is to a connection that reads text. */
  constructor(message: NetworkMessage, raw?: string) {
    this.#message = message;
    this.#raw = raw;
  }

  /** The form of the original, or why there is none. */
  get text(): Uint8Array | string {
    return this.#text ??= encoded(() =>
      this.#raw === undefined ? this.#message.encode() : encodeUtf8(this.#raw)
    );
  }

  /** The form between two netsync ends, or why there is none. */
  get frame(): Uint8Array | string {
    return this.#frame ??= encoded(() => encodeFrame(this.#message));
  }

  /** Whether the form of the original is left to whoever sends it. */
  get isRaw(): boolean {
    return this.#raw !== undefined;
  }

  /** Whether none of its forms is longer than a message of so many bytes may be. */
  isWithin(messageBytesMax: number): boolean {
    const { text } = this;
    // Text without "$" and "%" would get them in a frame.
    if (typeof text !== "string") return text.length + (this.isRaw ? 2 : 0) <= messageBytesMax;
    const { frame } = this;
    return typeof frame === "string" || isFrameWithin(frame, frame.length, messageBytesMax);
  }
}

/** Text that is sent as it is, whatever it is; as a frame it is what it would be read as. */
export function rawEnvelope(text: string): Envelope {
  return new Envelope(NetworkMessage.parse(text), text);
}

function encoded(encode: () => Uint8Array): Uint8Array | string {
  try {
    return encode();
  } catch (error) {
    return (error as Error).message;
  }
}

/** Options of an {@link Outgoing}. */
export interface OutgoingOptions {
  /** Between two messages in the form of the original, which reads what comes together as one, in ms. */
  gapMs: number;
  /** How much may wait before another message is refused. A single one always may. */
  queueBytesMax: number;
  /** The longest message, headers included. */
  messageBytesMax: number;
}

/** The queue of one connection. */
export class Outgoing {
  readonly #peer: Peer;
  readonly #options: OutgoingOptions;
  readonly #pace: Pace;
  /** Those that wait for their gap. */
  readonly #waiting = new Fifo<Envelope>();
  #waitingBytes = 0;
  #form: "text" | "frames" = "text";
  #offers: boolean;

  /** @param offers Whether the first message offers frames. */
  constructor(peer: Peer, options: OutgoingOptions, offers: boolean) {
    this.#peer = peer;
    this.#options = options;
    this.#pace = new Pace(options.gapMs);
    this.#offers = offers;
  }

  /** Whether messages leave as frames. */
  get isFramed(): boolean {
    return this.#form === "frames";
  }

  /** Whether messages wait for their gap. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** When {@link Outgoing.advance} is wanted; `Infinity` for never. */
  get dueAt(): number {
    return this.isWaiting ? this.#pace.dueAt : Infinity;
  }

  /** From now on messages leave as frames, those that wait first. */
  switchToFrames(out: StreamOutbox<unknown>): void {
    if (this.#form === "frames") return;
    this.#form = "frames";
    out.send(this.#peer, SWITCH as Uint8Array);
    this.flush(out);
  }

  /** Sends a message, or queues it; "full" when the other end does not read what is sent to it. */
  send(envelope: Envelope, now: number, out: StreamOutbox<unknown>): Sent | "full" {
    const bytes = this.#form === "frames" ? envelope.frame : envelope.text;
    if (typeof bytes === "string") return unsendable(bytes);
    const { messageBytesMax, queueBytesMax } = this.#options;
    if (!envelope.isWithin(messageBytesMax)) {
      return unsendable(`the message is longer than ${messageBytesMax} bytes`);
    }
    const queued = this.#waitingBytes + out.unsentBytes(this.#peer);
    if (queued > 0 && queued + bytes.length > queueBytesMax) return "full";
    if (this.#form === "frames") {
      out.send(this.#peer, bytes);
      return SENT;
    }
    this.#pace.note(now);
    this.#waiting.push(envelope);
    this.#waitingBytes += bytes.length;
    this.advance(now, out);
    return SENT;
  }

  /** Sends what has waited long enough. */
  advance(now: number, out: StreamOutbox<unknown>): void {
    while (this.dueAt <= now) {
      this.#pace.wrote(now);
      this.#writeNext(out);
    }
  }

  /** Sends all that waits, without any gap. */
  flush(out: StreamOutbox<unknown>): void {
    while (this.isWaiting) this.#writeNext(out);
  }

  #writeNext(out: StreamOutbox<unknown>): void {
    const envelope = this.#waiting.shift()!;
    const text = envelope.text as Uint8Array;
    this.#waitingBytes -= text.length;
    if (this.#form === "frames") {
      // Not from the message, which may be another one by now.
      const frame = encoded(() => encodeFrame(NetworkMessage.decode(text)));
      // What has a text has a frame, unless it has tens of thousands of headers.
      if (typeof frame !== "string") out.send(this.#peer, frame);
    } else {
      const offers = this.#offers && !envelope.isRaw;
      out.send(this.#peer, offers ? offering(text, this.#options.messageBytesMax) : text);
      this.#offers = false;
    }
  }
}

function unsendable(reason: string): Sent {
  return { ok: false, failure: "unsendable", reason };
}

/** The message with the offer of frames, unless that makes it too long for a limit that it keeps. */
function offering(text: Uint8Array, messageBytesMax: number): Uint8Array {
  const { length } = text;
  for (const bytesMax of [ORIGINAL_READ_BYTES, messageBytesMax]) {
    if (length <= bytesMax && length + OFFER_BARS > bytesMax) return text;
  }
  const bytes = new Uint8Array(length + OFFER_BARS).fill(BAR, 1, 1 + OFFER_BARS);
  bytes[0] = text[0]!;
  bytes.set(text.subarray(1), 1 + OFFER_BARS);
  return bytes;
}

const BAR = 0x7c;
const SECOND_MS = 1_000;
/** What is queued leaves within about this time, however much it is. */
const CATCH_UP_MS = 900;
/** A timer this late is on time: counted from when it was due, or a short gap would never be kept. */
const TIMER_LATE_MS = 100;

/**
 * The gap that keeps messages apart as long as they are few enough for it. Whoever sends more in a second
 * than fit gets shorter gaps instead of a queue that grows.
 */
class Pace {
  readonly #gapMs: number;
  #wroteAt = -Infinity;
  #secondAt = -Infinity;
  /** Messages of this second, and of the one before. */
  #count = 0;
  #countBefore = 0;

  constructor(gapMs: number) {
    this.#gapMs = gapMs;
  }

  /** When the next message may leave. */
  get dueAt(): number {
    const count = Math.max(this.#count, this.#countBefore);
    return this.#wroteAt + Math.min(this.#gapMs, CATCH_UP_MS / count);
  }

  /** A message is to be sent. */
  note(now: number): void {
    const seconds = Math.floor((now - this.#secondAt) / SECOND_MS);
    if (seconds >= 1) {
      this.#countBefore = seconds === 1 ? this.#count : 0;
      this.#count = 0;
      this.#secondAt = seconds === 1 ? this.#secondAt + SECOND_MS : now;
    }
    this.#count++;
  }

  /** A message has left. */
  wrote(now: number): void {
    const { dueAt } = this;
    const isSqueezed = dueAt < this.#wroteAt + this.#gapMs;
    this.#wroteAt = isSqueezed && now - dueAt < TIMER_LATE_MS ? dueAt : now;
  }
}
