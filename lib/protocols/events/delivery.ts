/** The last sequence number; 0 follows. So the arena's clients know it. */
export const SEQUENCE_MAX = 10_000;

/** The sequence numbers of a server, for one of its clients or for all of them: a row without an end. */
export class Sequence {
  #next: number;

  /** @param first From 0 to {@link SEQUENCE_MAX}. */
  constructor(first = 0) {
    this.#next = first;
  }

  /** The number of the next message, which stays the next one. */
  get next(): number {
    return this.#next;
  }

  /** The number of the next message. */
  take(): number {
    const sequence = this.#next;
    this.#next = sequence === SEQUENCE_MAX ? 0 : sequence + 1;
    return sequence;
  }
}

/** When something is sent again: the first time after so long, then ever later. */
const RESEND_MS = 500;
const RESEND_MS_MAX = 2_000;
/** So often something is sent to a client that is not heard meanwhile. */
const UNHEARD_SENDS_MAX = 3;
/** A client that is heard, but never acks this, is spared it after so many times. */
const SENDS_MAX = 10;
/** Messages that wait for their turn; what finds no room is given up. */
const WAITING_MAX = 1_024;

/** A message that has to arrive. */
export interface Reliable {
  /** Makes the datagram with the sequence number it is given. */
  readonly write: (sequence: number) => Uint8Array;
  /** Told once: it was acked, or given up. */
  readonly settled?: (arrived: boolean) => void;
  /** Whether it goes before all that wait, which stay until it is acked or given up. Default false. */
  readonly isAhead?: boolean;
}

interface OnTheWay extends Reliable {
  readonly bytes: Uint8Array;
  sends: number;
  /** How often it was sent since the client was heard last. */
  unheardSends: number;
  dueAt: number;
}

/**
 * The reliable messages of one client: some are on their way, the others wait for their turn.
 *
 * What is not acked is sent again under its number, the oldest first. Nothing more is sent to a client
 * that is not heard, until it is; it is given up when it was sent too often.
 */
export class Delivery {
  readonly #sequence: Sequence;
  /** By sequence number, the oldest first. */
  readonly #onTheWay = new Map<number, OnTheWay>();
  #waiting: Reliable[] = [];

  constructor(sequence: Sequence) {
    this.#sequence = sequence;
  }

  /** Messages that are on their way or wait. */
  get size(): number {
    return this.#onTheWay.size + this.#waiting.length;
  }

  /** Takes a message. */
  add(message: Reliable): void {
    if (message.isAhead) this.#waiting.unshift(message);
    else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(message);
    else message.settled?.(false);
  }

  /** The client was heard: what is on its way to it may be sent again. */
  heard(): void {
    for (const message of this.#onTheWay.values()) message.unheardSends = 0;
  }

  /** The client has what bears this number. False when nothing on its way does. */
  ack(sequence: number): boolean {
    const message = this.#onTheWay.get(sequence);
    if (!message) return false;
    this.#onTheWay.delete(sequence);
    message.settled?.(true);
    return true;
  }

  /** Nothing will arrive any more. */
  close(): void {
    const lost = [...this.#onTheWay.values(), ...this.#waiting];
    this.#onTheWay.clear();
    this.#waiting = [];
    for (const message of lost) message.settled?.(false);
  }

  /** When something is to be sent, if so many may be on their way; `Infinity` for never. */
  nextAt(onTheWayMax: number): number {
    let dueAt = this.#mayBegin(onTheWayMax) ? -Infinity : Infinity;
    for (const message of this.#onTheWay.values()) {
      if (message.unheardSends < UNHEARD_SENDS_MAX) dueAt = Math.min(dueAt, message.dueAt);
    }
    return dueAt;
  }

  /** Takes what is to be sent again now, the oldest first. */
  takeResends(now: number): Uint8Array[] {
    const due: Uint8Array[] = [];
    for (const [sequence, message] of this.#onTheWay) {
      if (message.dueAt > now || message.unheardSends >= UNHEARD_SENDS_MAX) continue;
      if (message.sends >= SENDS_MAX) {
        this.#onTheWay.delete(sequence);
        message.settled?.(false);
        continue;
      }
      message.dueAt = now + Math.min(RESEND_MS_MAX, RESEND_MS * 2 ** message.sends);
      message.sends++;
      message.unheardSends++;
      due.push(message.bytes);
    }
    return due;
  }

  /** Takes the messages whose turn it is, if so many may be on their way. */
  takeFirstSends(now: number, onTheWayMax: number): Uint8Array[] {
    const due: Uint8Array[] = [];
    while (this.#mayBegin(onTheWayMax)) {
      due.push(this.#begin(this.#waiting.shift()!, now));
    }
    return due;
  }

  /** Whether it is the next one's turn. */
  #mayBegin(onTheWayMax: number): boolean {
    const [next] = this.#waiting;
    if (!next) return false;
    if (next.isAhead) return true;
    for (const { isAhead } of this.#onTheWay.values()) if (isAhead) return false;
    return this.#onTheWay.size < onTheWayMax;
  }

  #begin(message: Reliable, now: number): Uint8Array {
    let sequence = this.#sequence.take();
    while (this.#onTheWay.has(sequence)) sequence = this.#sequence.take();
    const bytes = message.write(sequence);
    const dueAt = now + RESEND_MS;
    this.#onTheWay.set(sequence, { ...message, bytes, sends: 1, unheardSends: 1, dueAt });
    return bytes;
  }
}
