import { SEQUENCES } from "./wire.ts";

/** A packet that was sent. */
interface Packet<Cargo> {
  readonly sentAt: number;
  /** What it carried. */
  readonly cargo: Cargo;
  /** Whether it was taken as lost, and not acked since. */
  wasLost: boolean;
}

/** What an ACK was for. */
export interface Acked<Cargo> {
  readonly cargo: Cargo;
  /** Whether it was not acked before. */
  readonly isFirst: boolean;
  /** Whether it was acked before, or was taken as lost: the other end has it now, or has it again. */
  readonly isLate: boolean;
}

/** Before anything is known of the way there and back. */
const TIMEOUT_MS = 500;
const TIMEOUT_MS_MIN = 50;
/** However even the way is: the clock at either end is not. */
const MARGIN_MS = 30;
const TIMEOUT_MS_MAX = 2_000;
/** For so long after it was sent a packet may still be acked late, or once more. */
const LATE_MS = 3_000;
/** Packets on their way, and those of the past, each. */
const PACKETS_MAX = 2_048;
/** Of how many packets the share that is lost is an average. */
const LOSS_PACKETS = 50;

/**
 * What was sent to somebody and not acked yet, under sequence numbers of its own.
 *
 * What is not acked in time is handed back, to be sent again in another form under another number. So each
 * ACK tells exactly how long one datagram took there and back: the time-out is made of that as RFC 6298
 * has it, with a lower floor, since ACKs are sent at once.
 */
export class Acks<Cargo> {
  /** Whether it matters that something that was acked is acked once more. Default true. */
  remembersAcked = true;
  /** By sequence number, as are those of the past; the oldest first. */
  readonly #onTheWay = new Map<number, Packet<Cargo>>();
  readonly #past = new Map<number, Packet<Cargo>>();
  #next: number;
  #smoothMs: number | undefined;
  #deviationMs = 0;
  #loss = 0;

  /** @param first The first sequence number, from 0 to 65,535. */
  constructor(first: number) {
    this.#next = first;
  }

  /** Packets that may still be acked in time. */
  get waiting(): number {
    return this.#onTheWay.size;
  }

  /** How many may be sent until the oldest would be forgotten. */
  get room(): number {
    return PACKETS_MAX - this.#onTheWay.size;
  }

  /** The round-trip time in ms, smoothed; undefined before the first ACK. */
  get roundTripMs(): number | undefined {
    return this.#smoothMs;
  }

  /** The share of the last packets that was not acked in time, from 0 to 1. */
  get loss(): number {
    return this.#loss;
  }

  /** After how long without an ACK a packet counts as lost. */
  get timeoutMs(): number {
    if (this.#smoothMs === undefined) return TIMEOUT_MS;
    const timeoutMs = this.#smoothMs + Math.max(MARGIN_MS, 4 * this.#deviationMs);
    return Math.min(TIMEOUT_MS_MAX, Math.max(TIMEOUT_MS_MIN, timeoutMs));
  }

  /** Something is sent now. Returns the sequence number to send it under. */
  send(cargo: Cargo, now: number): number {
    const sequence = this.#next;
    this.#next = (sequence + 1) % SEQUENCES;
    if (this.room === 0) this.#onTheWay.delete(this.#onTheWay.keys().next().value!);
    this.#past.delete(sequence);
    this.#onTheWay.set(sequence, { sentAt: now, cargo, wasLost: false });
    return sequence;
  }

  /**
   * An ACK has come.
   *
   * @returns What it was for; undefined for a number under which nothing is known.
   */
  acked(sequence: number, now: number): Acked<Cargo> | undefined {
    const packet = this.#onTheWay.get(sequence);
    if (packet) {
      this.#measured(now - packet.sentAt);
      this.#count(0);
      this.#onTheWay.delete(sequence);
      if (this.remembersAcked) this.#past.set(sequence, packet);
      return { cargo: packet.cargo, isFirst: true, isLate: false };
    }
    const past = this.#past.get(sequence);
    if (!past) return undefined;
    const isFirst = past.wasLost;
    // It was slower than the time-out, which therefore has to be longer.
    if (isFirst) this.#measured(now - past.sentAt);
    past.wasLost = false;
    return { cargo: past.cargo, isFirst, isLate: true };
  }

  /** Takes what counts as lost by now. */
  takeLost(now: number): Cargo[] {
    for (const [sequence, { sentAt }] of this.#past) {
      if (sentAt + LATE_MS > now && this.#past.size <= PACKETS_MAX) break;
      this.#past.delete(sequence);
    }
    const lost: Cargo[] = [];
    const sentBefore = now - this.timeoutMs;
    for (const [sequence, packet] of this.#onTheWay) {
      if (packet.sentAt > sentBefore) break;
      lost.push(packet.cargo);
      this.#count(1);
      packet.wasLost = true;
      this.#onTheWay.delete(sequence);
      this.#past.set(sequence, packet);
    }
    return lost;
  }

  #count(lost: number): void {
    this.#loss += (lost - this.#loss) / LOSS_PACKETS;
  }

  #measured(tookMs: number): void {
    const ms = Math.min(tookMs, LATE_MS); // No datagram takes longer: this end was asleep.
    if (this.#smoothMs === undefined) {
      this.#smoothMs = ms;
      this.#deviationMs = ms / 2;
      return;
    }
    this.#deviationMs += (Math.abs(ms - this.#smoothMs) - this.#deviationMs) / 4;
    this.#smoothMs += (ms - this.#smoothMs) / 8;
  }
}
