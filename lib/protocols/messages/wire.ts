/**
 * From a stream of bytes to messages.
 *
 * The original's form has no length and no end: a message runs to the next *boundary*, a `$` that is
 * followed by a canonical header block and `%`, or to the end of what arrived together. What arrived
 * together in at most 1,024 bytes is whole: only such messages ever worked. Of more, the last message
 * waits for a boundary, for a quiet spell, or for the end of the stream.
 *
 * All of this is decided by position, never by how TCP cut the stream: the same bytes at the same times
 * give the same messages.
 */
import { decodeUtf8, endsWithinCharacter } from "../../parts/utf8.ts";
import { PendingBytes } from "../../parts/pending_bytes.ts";
import { BoundaryScan } from "./boundary.ts";
import { decodeFrame, frameBytesOf, LENGTH_BYTES, OFFER_BARS, SWITCH } from "./frame.ts";
import { NetworkMessage, ORIGINAL_READ_BYTES } from "./message.ts";

/** Why a stream cannot be read any further. */
export type WireRefusal =
  /** A message is not UTF-8. */
  | "utf8"
  /** A message is longer than the limit. */
  | "too-long"
  /** A message has more than 1,024 headers. */
  | "headers"
  /** A frame is none. */
  | "frame";

/** What the bytes so far come to. */
export type Framed =
  | { kind: "message"; message: NetworkMessage }
  /** The client offers frames, in the message that comes next. */
  | { kind: "offered" }
  /** The other end writes frames from here on. */
  | { kind: "switched" }
  /** The rest of the stream is lost. */
  | { kind: "refused"; reason: WireRefusal };

/** Options of a {@link Framer}. */
export interface FramerOptions {
  /** The longest message, headers included. */
  messageBytesMax: number;
  /** Whether the other end may write frames. */
  frames: boolean;
}

/** How long it is quiet behind a message that is over, in ms. */
export const QUIET_MS = 20;
/**
 * The same when more arrived together than is sent before the other end has answered: about ten packets.
 * A pause behind it may be the way there and back.
 */
export const LONG_QUIET_MS = 300;
const LONG_BYTES = 10_240;
/** A look so late may come before what has arrived meanwhile: once it counts for nothing. */
const LATE_MS = 5;
/** How long behind one that cannot be over: its headers have no end, or it ends within a character. */
export const UNFINISHED_QUIET_MS = 2_000;
const OFFER = `$${"|".repeat(OFFER_BARS)}`;

/** Cuts one stream into messages: give it the bytes, then take what they come to until there is nothing. */
export class Framer {
  readonly #options: FramerOptions;
  /** What is not a message yet; all positions count from its first byte. */
  readonly #pending = new PendingBytes();
  readonly #boundary = new BoundaryScan();
  #form: "text" | "frames" | "over" = "text";
  /** Where text ends and frames begin. */
  #switchAt = Infinity;
  /** No switch begins before this. */
  #switchScannedTo = 0;
  /** Text up to here is over, because nothing came behind it. */
  #settledAt = 0;
  /** Bytes that arrived since nothing was left to wait for. */
  #togetherBytes = 0;
  #arrivedAt = 0;
  #isPutOff = false;
  /** Since when nothing is read. */
  #heldAt: number | undefined;
  #readAgainAt = -Infinity;
  #wasHeld = false;
  #isFirst = true;
  /** The message that came with an offer. */
  #offering: Framed | undefined;

  /** A framer at the beginning of a stream. */
  constructor(options: FramerOptions) {
    this.#options = options;
  }

  /** Bytes that wait to become a message. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  /** Takes what arrived. The bytes are copied. */
  push(chunk: Uint8Array, now: number): void {
    if (this.#form === "over") return;
    this.#pending.append(chunk);
    this.#togetherBytes += chunk.length;
    this.#arrivedAt = now;
    this.#isPutOff = this.#wasHeld = false;
    if (this.#form === "text" && this.#options.frames) this.#findSwitch();
  }

  /** The next thing that is certain. */
  next(): Framed | undefined {
    const offering = this.#offering;
    this.#offering = undefined;
    return offering ?? (this.#form === "text" ? this.#nextText() : this.#nextFrame());
  }

  /** When {@link Framer.settle} is wanted, if nothing else arrives before; `Infinity` for never. */
  get dueAt(): number {
    if (this.#form !== "text" || this.#pending.length === 0) return Infinity;
    if (this.#heldAt !== undefined) return Infinity;
    return Math.max(this.#arrivedAt + this.#quietMs(), this.#readAgainAt + LATE_MS);
  }

  #quietMs(): number {
    if (!this.#isWhole()) return UNFINISHED_QUIET_MS;
    if (this.#togetherBytes <= ORIGINAL_READ_BYTES) return 0;
    return this.#togetherBytes <= LONG_BYTES ? QUIET_MS : LONG_QUIET_MS;
  }

  /** Nothing else arrived up to now: a message that waited long enough is over. */
  settle(now: number): void {
    const { dueAt } = this;
    if (dueAt > now) return;
    if (dueAt === this.#arrivedAt || this.#isPutOff || now - dueAt <= LATE_MS) return this.finish();
    this.#isPutOff = true;
    this.#arrivedAt = now;
  }

  /** Nothing else will ever arrive behind what is here. */
  finish(): void {
    this.#settledAt = this.#pending.length;
  }

  /**
   * While nothing is read from the stream, that nothing arrives says nothing about what is here; nor does
   * it at the moment when reading begins again.
   */
  hold(isHeld: boolean, now: number): void {
    if (isHeld) {
      this.#heldAt ??= now;
    } else if (this.#heldAt !== undefined) {
      this.#arrivedAt += now - this.#heldAt;
      this.#heldAt = undefined;
      // Once for what arrived: who is held again and again is heard all the same.
      if (this.#wasHeld) return;
      this.#wasHeld = true;
      this.#readAgainAt = now;
      this.#togetherBytes += ORIGINAL_READ_BYTES; // More may have arrived together with it.
    }
  }

  /** Whether what is pending may be a message: its headers have an end, and no character is cut. */
  #isWhole(): boolean {
    if (this.#boundary.bodyAt === undefined) return false;
    const { view } = this.#pending;
    return !endsWithinCharacter(view) && !this.#mayEndWithSwitch(view);
  }

  #mayEndWithSwitch(view: Uint8Array): boolean {
    return this.#options.frames && this.#switchAt === Infinity && view.at(-1) === SWITCH[0];
  }

  #findSwitch(): void {
    const { view } = this.#pending;
    while (this.#switchAt === Infinity) {
      const at = view.indexOf(SWITCH[0]!, this.#switchScannedTo);
      this.#switchScannedTo = at < 0 ? view.length : at;
      if (at < 0 || at + 1 === view.length) return;
      if (view[at + 1] === SWITCH[1]) this.#switchAt = at;
      this.#switchScannedTo = at + 1;
    }
  }

  #nextText(): Framed | undefined {
    const { messageBytesMax } = this.#options;
    const { view } = this.#pending;
    const isUndecided = this.#mayEndWithSwitch(view) && this.#settledAt < view.length;
    const length = isUndecided ? view.length - 1 : Math.min(view.length, this.#switchAt);
    const text = view.subarray(0, length);
    const boundary = this.#boundary.scan(text, messageBytesMax);
    if (boundary === "too-long") return this.#refuse("too-long");
    const isOver = this.#settledAt >= length || this.#switchAt === length;
    if (boundary === undefined && length > 0 && !isOver) return undefined;
    const end = boundary ?? length;
    if (end > messageBytesMax) return this.#refuse("too-long");
    if (end > 0) return this.#messageOf(text.subarray(0, end));
    if (this.#switchAt > 0) return undefined;
    this.#form = "frames";
    this.#drop(SWITCH.length);
    return { kind: "switched" };
  }

  #messageOf(bytes: Uint8Array): Framed {
    let text: string;
    let message: NetworkMessage;
    try {
      text = decodeUtf8(bytes);
      message = NetworkMessage.parse(text);
    } catch (error) {
      return this.#refuse(error instanceof RangeError ? "headers" : "utf8");
    }
    const next: Framed = { kind: "message", message };
    const isOffer = this.#isFirst && this.#options.frames && this.#boundary.bodyAt! > 0 &&
      text.startsWith(OFFER);
    this.#isFirst = false;
    this.#drop(bytes.length);
    if (!isOffer) return next;
    this.#offering = next;
    return { kind: "offered" };
  }

  #nextFrame(): Framed | undefined {
    const { view } = this.#pending;
    if (this.#form === "over") return undefined;
    const frameBytes = frameBytesOf(view, this.#options.messageBytesMax);
    if (typeof frameBytes === "string") return this.#refuse(frameBytes);
    if (frameBytes === undefined || view.length < frameBytes) return undefined;
    const message = decodeFrame(view.subarray(LENGTH_BYTES, frameBytes));
    if (!message) return this.#refuse("frame");
    this.#drop(frameBytes);
    return { kind: "message", message };
  }

  #refuse(reason: WireRefusal): Framed {
    this.#form = "over";
    this.#drop(this.#pending.length);
    return { kind: "refused", reason };
  }

  #drop(length: number): void {
    this.#pending.drop(length);
    this.#switchAt -= length;
    this.#switchScannedTo = Math.max(0, this.#switchScannedTo - length);
    this.#settledAt = Math.max(0, this.#settledAt - length);
    this.#boundary.restart();
    if (this.#pending.length === 0) this.#togetherBytes = 0;
  }
}
