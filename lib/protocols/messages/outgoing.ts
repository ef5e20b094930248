/** What one connection is still to be sent, and in which form. */
import type { Peer, StreamOutbox } from "../engine.ts";
import { Pace } from "./pace.ts";
import { Fifo } from "../../parts/fifo.ts";
import { encodeUtf8 } from "../../parts/utf8.ts";
import { encodeFrame, isFrameWithin, OFFER_BARS, SWITCH } from "./frame.ts";
import { NetworkMessage, ORIGINAL_READ_BYTES } from "./message.ts";

const BAR = 0x7c;
/** What a message takes while it waits, however short it is. */
const PIECE_BYTES = 64;
/** Who has not taken all it was sent for so long, is behind. */
const BEHIND_MS = 1_000;
/** So many times more may wait for who is not behind: a burst has not left as soon as it is sent. */
const BURST_QUEUES = 4;

/**
 * Whether something was sent, or why not: there is nobody (`gone`), too much of what was sent before has
 * not been taken (`full`), or the message has no form or is too long (`unsendable`).
 */
export type Sent =
  | { readonly ok: true; readonly failure?: undefined; readonly reason?: undefined }
  | {
    readonly ok: false;
    readonly failure: "gone" | "full" | "unsendable";
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
  readonly #content: NetworkMessage | string;
  #text: Uint8Array | string | undefined;
  #frame: Uint8Array | string | undefined;

  /**
   * Nothing is encoded yet.
   *
   * @param content A message; or text to be sent as it is, whatever it is, to a connection that reads
   * text: as a frame it is what it would be read as.
   */
  constructor(content: NetworkMessage | string) {
    this.#content = content;
  }

  /** The form of the original, or why there is none. */
  get text(): Uint8Array | string {
    const content = this.#content;
    return this.#text ??= encoded(() =>
      typeof content === "string" ? encodeUtf8(content) : content.encode()
    );
  }

  /** The form between two netsync ends, or why there is none. */
  get frame(): Uint8Array | string {
    const content = this.#content;
    return this.#frame ??= encoded(() =>
      encodeFrame(typeof content === "string" ? NetworkMessage.parse(content) : content)
    );
  }

  /** How long it is in a form that was made. */
  get bytes(): number {
    if (this.#frame instanceof Uint8Array) return this.#frame.length;
    return this.#text instanceof Uint8Array ? this.#text.length : 0;
  }

  /** Whether the form of the original is left to whoever sends it. */
  get isRaw(): boolean {
    return typeof this.#content === "string";
  }

  /** Whether none of its forms is longer than a message of so many bytes may be. */
  isWithin(messageBytesMax: number): boolean {
    const frame = this.#frame;
    if (frame instanceof Uint8Array) return isFrameWithin(frame, frame.length, messageBytesMax);
    // Text without "$" and "%" would get them in a frame.
    return this.text.length + (this.isRaw ? 2 : 0) <= messageBytesMax;
  }
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
  /**
   * How much may wait for who is behind; of what is sent in a burst, four times as much. A single message
   * always may.
   */
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
  /** Since when something has been on its way all the time. */
  #behindSince = Infinity;
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

  /** Sends a message, or queues it. */
  send(envelope: Envelope, now: number, out: StreamOutbox<unknown>): Sent {
    const bytes = this.#form === "frames" ? envelope.frame : envelope.text;
    if (typeof bytes === "string") return unsendable(bytes);
    const { messageBytesMax } = this.#options;
    if (!envelope.isWithin(messageBytesMax)) {
      return unsendable(`the message is longer than ${messageBytesMax} bytes`);
    }
    if (this.#isFull(bytes.length, now, out)) return FULL;
    if (this.#form === "frames") {
      out.send(this.#peer, bytes);
      return SENT;
    }
    this.#pace.note(now);
    this.#waiting.push(envelope);
    this.#waitingBytes += bytes.length + PIECE_BYTES;
    this.advance(now, out);
    return SENT;
  }

  #isFull(bytes: number, now: number, out: StreamOutbox<unknown>): boolean {
    const queued = this.#waitingBytes + out.unsentBytes(this.#peer);
    if (queued === 0 || this.#behindSince === Infinity) this.#behindSince = now;
    if (queued === 0) return false;
    const isBehind = now - this.#behindSince >= BEHIND_MS;
    return queued + bytes > this.#options.queueBytesMax * (isBehind ? 1 : BURST_QUEUES);
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

  /** The connection is over: what waits will never be sent. */
  clear(): void {
    while (this.isWaiting) this.#waiting.shift();
    this.#waitingBytes = 0;
  }

  #writeNext(out: StreamOutbox<unknown>): void {
    const envelope = this.#waiting.shift()!;
    const text = envelope.text as Uint8Array;
    this.#waitingBytes -= text.length + PIECE_BYTES;
    if (this.#form === "frames") {
      // Not from the message, which may be another one by now.
      const frame = encoded(() => encodeFrame(NetworkMessage.decode(text)));
      // Text that was sent as it is may have no frame.
      if (typeof frame !== "string") out.send(this.#peer, frame);
    } else {
      const offers = this.#offers && !envelope.isRaw;
      out.send(this.#peer, offers ? offering(text, this.#options.messageBytesMax) : text);
      this.#offers = false;
    }
  }
}

const FULL: Sent = {
  ok: false,
  failure: "full",
  reason: "too much of what was sent before has not been read at the other end",
};

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
