/** One connection between two ends, whichever of them this is: what it hears, what it says, and how. */
import type { Peer, StreamOutbox } from "../engine.ts";
import type { NetworkMessage } from "./message.ts";
import { type Envelope, Outgoing, type Sent } from "./outgoing.ts";
import { Framer, type WireRefusal } from "./wire.ts";

/**
 * Whether messages are framed, which only netsync understands: `auto` when the client turns out to be one
 * and says something, `always`, because the server is known to be one, or `never`.
 */
export type Framing = "auto" | "always" | "never";

/** Options of a {@link Connection}. */
export interface ConnectionOptions {
  /** Which end this is: only a client offers frames. */
  end: "client" | "server";
  framing: Framing;
  /** The longest message in either direction, headers included. */
  messageBytesMax: number;
  /** Between two messages to an end that is no netsync, in ms. */
  gapMs: number;
  /** How much may wait to be sent. */
  queueBytesMax: number;
}

/** Takes what is heard. What it does may end the connection. */
export type Heard = (message: NetworkMessage) => void;

/** One end of a connection. */
export class Connection {
  readonly #framer: Framer;
  readonly #outgoing: Outgoing;
  readonly #takesOffers: boolean;
  #isHeld = false;
  #isOver = false;

  /** A connection that was just opened. */
  constructor(peer: Peer, options: ConnectionOptions, out: StreamOutbox<unknown>) {
    const { end, framing, messageBytesMax } = options;
    this.#framer = new Framer({ messageBytesMax, frames: framing !== "never" });
    this.#outgoing = new Outgoing(peer, options, end === "client" && framing === "auto");
    this.#takesOffers = end === "server";
    if (framing === "always") this.#outgoing.switchToFrames(out);
  }

  /** Whether what is sent leaves as frames. */
  get isFramed(): boolean {
    return this.#outgoing.isFramed;
  }

  /** Bytes that wait to become a message. */
  get pendingBytes(): number {
    return this.#framer.pendingBytes;
  }

  /** Whether something that was sent waits for its gap. */
  get isWaiting(): boolean {
    return this.#outgoing.isWaiting;
  }

  /** When {@link Connection.advance} is wanted; `Infinity` for never. */
  get dueAt(): number {
    return Math.min(this.#isOver ? Infinity : this.#framer.dueAt, this.#outgoing.dueAt);
  }

  /** Takes the next bytes. Gives the reason when nothing behind them can be read. */
  receive(
    chunk: Uint8Array,
    now: number,
    out: StreamOutbox<unknown>,
    heard: Heard,
  ): WireRefusal | undefined {
    if (!this.#isOver) this.#framer.push(chunk, now);
    return this.#hear(out, heard);
  }

  /** Whether nothing is read from the connection, and nothing of it is heard, for now. */
  hold(isHeld: boolean, now: number): void {
    this.#isHeld = isHeld;
    this.#framer.hold(isHeld, now);
  }

  /** Does what is due. */
  advance(now: number, out: StreamOutbox<unknown>, heard: Heard): WireRefusal | undefined {
    this.#outgoing.advance(now, out);
    this.#framer.settle(now);
    return this.#hear(out, heard);
  }

  /** The other end says no more: hears what is left, and says what still waits. */
  finish(out: StreamOutbox<unknown>, heard: Heard): WireRefusal | undefined {
    this.#isHeld = false;
    this.#framer.finish();
    const refusal = this.#hear(out, heard);
    this.flush(out);
    return refusal;
  }

  /** Sends at once what waits for its gap. */
  flush(out: StreamOutbox<unknown>): void {
    this.#outgoing.flush(out);
  }

  /** Sends a message. */
  send(envelope: Envelope, now: number, out: StreamOutbox<unknown>): Sent {
    return this.#outgoing.send(envelope, now, out);
  }

  /** Nothing is heard any more; what waits may still be sent. */
  end(): void {
    this.#isOver = true;
  }

  /** It is over: nothing is heard, and nothing is sent any more, also if it is just hearing something. */
  close(): void {
    this.end();
    this.#outgoing.clear();
  }

  #hear(out: StreamOutbox<unknown>, heard: Heard): WireRefusal | undefined {
    while (!this.#isOver && !this.#isHeld) {
      const next = this.#framer.next();
      if (!next) return undefined;
      if (next.kind === "message") heard(next.message);
      else if (next.kind === "refused") return next.reason;
      else if (next.kind === "switched" || this.#takesOffers) this.#outgoing.switchToFrames(out);
    }
    return undefined;
  }
}
