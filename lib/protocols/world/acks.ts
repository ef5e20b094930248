import { SEQUENCES } from "./wire.ts";

/** A packet on its way. */
interface OnTheWay<Cargo> {
  readonly sentAt: number;
  /** What it carried; nothing once it was taken as lost. */
  cargo: Cargo | undefined;
}

/** Before anything is known of the way there and back. */
const TIMEOUT_MS = 500;
const TIMEOUT_MS_MIN = 50;
const TIMEOUT_MS_MAX = 2_000;
/** What was taken as lost may still be acked, which tells how long the way really is. */
const LATE_MS = 3_000;
/** Packets remembered; when there are more the oldest are forgotten. */
const PACKETS_MAX = 4_096;
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
  /** The oldest first. */
  readonly #packets = new Map<number, OnTheWay<Cargo>>();
  #next: number;
  #waiting = 0;
  #smoothMs: number | undefined;
  #deviationMs = 0;
  #loss = 0;

  /** @param first The first sequence number, from 0 to 65,535. */
  constructor(first: number) {
    this.#next = first;
  }

  /** Packets that may still be acked in time. */
  get waiting(): number {
    return this.#waiting;
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
    const timeoutMs = this.#smoothMs + 4 * this.#deviationMs;
    return Math.min(TIMEOUT_MS_MAX, Math.max(TIMEOUT_MS_MIN, timeoutMs));
  }

  /** Something is sent now. Returns the sequence number to send it under. */
  send(cargo: Cargo, now: number): number {
    const sequence = this.#next;
    this.#next = (sequence + 1) % SEQUENCES;
    if (this.#packets.size >= PACKETS_MAX) this.#forget(this.#packets.keys().next().value!);
    this.#packets.set(sequence, { sentAt: now, cargo });
    this.#waiting++;
    return sequence;
  }

  /** Whether nothing more should be sent: what is on its way is all that is remembered. */
  get isFull(): boolean {
    return this.#waiting >= PACKETS_MAX / 2;
  }

  /**
   * An ACK has come.
   *
   * @returns What it was for: `cargo`, unless that was taken as lost already. Undefined for a number under
   * which nothing is known.
   */
  acked(sequence: number, now: number): { cargo: Cargo | undefined } | undefined {
    const packet = this.#packets.get(sequence);
    if (!packet) return undefined;
    this.#measured(now - packet.sentAt);
    if (packet.cargo !== undefined) this.#count(0);
    this.#forget(sequence);
    return packet;
  }

  /** Takes what counts as lost by now. */
  takeLost(now: number): Cargo[] {
    const lost: Cargo[] = [];
    const { timeoutMs } = this;
    for (const [sequence, packet] of this.#packets) {
      if (packet.sentAt + timeoutMs > now) break;
      if (packet.cargo !== undefined) {
        lost.push(packet.cargo);
        packet.cargo = undefined;
        this.#waiting--;
        this.#count(1);
      } else if (packet.sentAt + LATE_MS <= now) this.#forget(sequence);
    }
    return lost;
  }

  #forget(sequence: number): void {
    if (this.#packets.get(sequence)!.cargo !== undefined) this.#waiting--;
    this.#packets.delete(sequence);
  }

  #count(lost: number): void {
    this.#loss += (lost - this.#loss) / LOSS_PACKETS;
  }

  #measured(ms: number): void {
    if (this.#smoothMs === undefined) {
      this.#smoothMs = ms;
      this.#deviationMs = ms / 2;
      return;
    }
    this.#deviationMs += (Math.abs(ms - this.#smoothMs) - this.#deviationMs) / 4;
    this.#smoothMs += (ms - this.#smoothMs) / 8;
  }
}
