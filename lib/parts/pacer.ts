/**
 * When snapshots leave. Pure arithmetic on the time passed in.
 *
 * A *round* brings one snapshot to every player. A round starts at once when the last one is at least
 * an interval old, otherwise when the interval is over. A large round leaves in *slices* of players,
 * spread over the interval, so that datagrams are received in between: one burst would overflow the
 * receive queue. And sending yields: however long a slice took to leave, sending gets no more than
 * its share of the time, so under load slices and rounds come later instead of players being lost.
 */

/** Options of a {@link Pacer}. */
export interface PacerOptions {
  /** Rounds a second at most; 0 for no limit. */
  rateHz: number;
  /**
   * While rounds cost little they may come faster than `rateHz`: as often as this many packets a
   * second allow. 0 to keep to `rateHz`.
   */
  eagerPacketsPerSecond: number;
}

/** What one Ethernet packet carries of a datagram, in bytes; larger datagrams cost several. */
const PACKET_BYTES = 1_472;
/** A slice is at most this many datagrams and bytes: about 1 ms of sending. */
const SLICE_DATAGRAMS_MAX = 128;
const SLICE_BYTES_MAX = 4_000_000;
/** The share of the time that sending may take; receiving keeps the rest. */
const SENDING_SHARE_MAX = 0.7;
/** A round this late is still on time. */
const TIMER_LATE_MS = 4;
/** Timers are only good to about a millisecond: how far sending may run ahead of its share. */
const SHARE_SLACK_MS = 2;

/** Decides when the next slice of snapshots may leave. */
export class Pacer {
  readonly #options: PacerOptions;
  #roundStartedAt = -Infinity;
  #roundIntervalMs = 0;
  #slices = 0;
  #slicesLeft = 0;
  #handedOverAt: number | undefined;
  /** Until then sending has used up its share. */
  #restUntil = -Infinity;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** When the last round started. */
  get roundStartedAt(): number {
    return this.#roundStartedAt;
  }

  /** Whether a slice was handed over and has not left yet. */
  get sending(): boolean {
    return this.#handedOverAt !== undefined;
  }

  /** When the next round may start, if it goes to so many players with so many bytes each. */
  nextRoundAt(players: number, bytes: number): number {
    return Math.max(this.#roundStartedAt + this.#intervalFor(players, bytes), this.#restUntil);
  }

  /** Starts a round. */
  startRound(now: number, players: number, bytes: number): void {
    // A round that a late timer started counts from when it was due, or the rate would drift.
    const dueAt = this.#roundStartedAt + this.#intervalFor(players, bytes);
    this.#roundStartedAt = now - dueAt <= TIMER_LATE_MS ? dueAt : now;
    this.#roundIntervalMs = this.#intervalFor(players, bytes);
    this.#slices = Math.max(
      1,
      Math.ceil(players / SLICE_DATAGRAMS_MAX),
      Math.ceil((players * bytes) / SLICE_BYTES_MAX),
    );
    this.#slicesLeft = this.#slices;
  }

  /** When the next slice of the round may leave. */
  nextSliceAt(): number {
    const slice = this.#slices - this.#slicesLeft;
    const dueAt = this.#roundStartedAt + (this.#roundIntervalMs * slice) / this.#slices;
    return Math.max(dueAt, this.#restUntil);
  }

  /** Takes the next slice: to how many of the players that the round has not reached yet. */
  takeSlice(playersLeft: number): number {
    const players = Math.ceil(playersLeft / Math.max(1, this.#slicesLeft));
    this.#slicesLeft = Math.max(1, this.#slicesLeft - 1);
    return players;
  }

  /** A slice was handed over at `now` and is on its way out. */
  handedOver(now: number): void {
    this.#handedOverAt = now;
  }

  /** The slice on its way has left. */
  left(now: number): void {
    if (this.#handedOverAt === undefined) return;
    const sentMs = now - this.#handedOverAt;
    const from = Math.max(this.#restUntil, this.#handedOverAt - SHARE_SLACK_MS);
    this.#restUntil = from + sentMs / SENDING_SHARE_MAX;
    this.#handedOverAt = undefined;
  }

  /** The interval that `rateHz` asks for, in ms. */
  get intervalMs(): number {
    return this.#options.rateHz === 0 ? 0 : 1_000 / this.#options.rateHz;
  }

  /** The interval that the last round was given, in ms: shorter than `intervalMs` when eager. */
  get roundIntervalMs(): number {
    return this.#roundIntervalMs;
  }

  /** How long the last round keeps the next one waiting, in ms, its rest included. */
  get roundMs(): number {
    return this.#restUntil - this.#roundStartedAt;
  }

  #intervalFor(players: number, bytes: number): number {
    const { eagerPacketsPerSecond } = this.#options;
    if (eagerPacketsPerSecond === 0) return this.intervalMs;
    const packets = players * Math.ceil(bytes / PACKET_BYTES);
    return Math.min(this.intervalMs, (1_000 * packets) / eagerPacketsPerSecond);
  }
}
