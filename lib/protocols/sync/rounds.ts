import { Pacer, type PacerOptions } from "../../parts/pacer.ts";
import type { Outbox, Peer } from "../engine.ts";
import type { Dictionary } from "./dictionary.ts";
import type { Session } from "./sessions.ts";

/** Rounds take longer than their interval: players get snapshots less often. At most every 10 s. */
export interface Lagging {
  kind: "lagging";
  roundMs: number;
  intervalMs: number;
}

/** Players who change nothing still get a snapshot this often: their clients give up after 10 s. */
const IDLE_REPEAT_MS = 1_500;
/**
 * Each snapshot costs its receiver the interval it came at, so that credit lasts this long at any rate:
 * a keep-alive each second is enough. But it is for 10 snapshots at least, 600 at most, and so many bytes.
 */
const CREDIT_MS = 3_000;
const CREDIT_BYTES_MAX = 2_097_152;
const SNAPSHOT_COST_MS_MAX = CREDIT_MS / 10;
const SNAPSHOT_COST_MS_MIN = CREDIT_MS / 600;
/** A newcomer's address may be forged by the thousand, with two datagrams each: it is trusted little by little. */
const NEWCOMER_CREDIT_MS = 250;
const LAGGING_EVERY_MS = 10_000;
const LAGGING_FACTOR = 1.25;
/** One round may be late for any reason; so many in a row are no accident. */
const LAGGING_ROUNDS = 10;

/** What an address is sent if it is not heard again, when it has been a player for so long. */
export function creditAfter(playedMs: number): number {
  return Math.min(CREDIT_MS, NEWCOMER_CREDIT_MS + playedMs);
}

/**
 * The snapshots on their way to the players, round after round. All that a player gets in a round has
 * one number; each slice of players gets the world of its moment.
 */
export class Rounds {
  readonly #players: readonly Session[];
  readonly #dictionary: Dictionary<Session>;
  readonly #pacer: Pacer;
  #snapshotNumber: bigint;
  /** The dictionary changed since the current round started. */
  #changed = false;
  /** The round's next player; at the end of the list when no round is going on. */
  #cursor = 0;
  #lateRounds = 0;
  #laggedAt = -Infinity;

  /**
   * @param players In the order of joining; the owner tells of every change.
   * @param firstSnapshotNumber The number of the first round.
   */
  constructor(
    players: readonly Session[],
    dictionary: Dictionary<Session>,
    firstSnapshotNumber: number,
    pace: PacerOptions,
  ) {
    this.#players = players;
    this.#dictionary = dictionary;
    this.#snapshotNumber = BigInt(firstSnapshotNumber) - 1n;
    this.#pacer = new Pacer(pace);
  }

  /** The number of the last round. */
  get snapshotNumber(): bigint {
    return this.#snapshotNumber;
  }

  /** All rounds have numbers above this one. */
  goAbove(number: bigint): void {
    if (number > this.#snapshotNumber) this.#snapshotNumber = number;
  }

  /** There is something new to tell. */
  onChange(): void {
    this.#changed = true;
  }

  /** A player came, at the end of the list. */
  onPlayerAdded(): void {
    // At the end of the list there was no round going on, and this does not start one.
    if (this.#cursor === this.#players.length - 1) this.#cursor++;
  }

  /** A player went, from this place in the list. */
  onPlayerRemoved(index: number): void {
    if (index < this.#cursor) this.#cursor--;
  }

  /** When the next slice or round may leave; `Infinity` while one is on its way. */
  nextSendAt(): number {
    if (this.#players.length === 0 || this.#pacer.sending) return Infinity;
    if (this.#cursor < this.#players.length) return this.#pacer.nextSliceAt();
    return this.#changed
      ? this.#pacer.nextRoundAt(this.#players.length, this.#dictionary.snapshotBytes)
      : this.#pacer.roundStartedAt + IDLE_REPEAT_MS;
  }

  /** Sends what is due. */
  sendDue(now: number, out: Outbox<Lagging>): void {
    if (this.#pacer.sending && out.backlog === 0) {
      this.#pacer.left(now);
      if (this.#cursor === this.#players.length) this.#reportLag(now, out);
    }
    while (now >= this.nextSendAt()) {
      if (this.#cursor === this.#players.length) this.#startRound(now);
      this.#sendSlice(now, out);
    }
  }

  #startRound(now: number): void {
    this.#pacer.startRound(now, this.#players.length, this.#dictionary.snapshotBytes);
    this.#snapshotNumber++;
    this.#changed = false;
    this.#cursor = 0;
  }

  /** Sends the world of this moment to the round's next players, those out of credit left out. */
  #sendSlice(now: number, out: Outbox<Lagging>): void {
    const count = this.#pacer.takeSlice(this.#players.length - this.#cursor);
    const costMs = this.#snapshotCostMs();
    const recipients: Peer[] = [];
    for (const session of this.#players.slice(this.#cursor, this.#cursor + count)) {
      // Half a snapshot is none: intervals are no whole numbers, and their sum is not exact.
      if (session.creditMs < costMs / 2) continue;
      // Who left and came back during the round is at the end of the list once more.
      if (session.sent === this.#snapshotNumber) continue;
      session.creditMs -= costMs;
      session.sent = this.#snapshotNumber;
      recipients.push(session.peer);
    }
    this.#cursor += count;
    if (recipients.length > 0) {
      out.broadcast(recipients, this.#dictionary.encodeSnapshot(this.#snapshotNumber));
      if (out.backlog > 0) this.#pacer.handedOver(now);
    }
  }

  #snapshotCostMs(): number {
    const { roundIntervalMs } = this.#pacer;
    const bytesCostMs = (CREDIT_MS * this.#dictionary.snapshotBytes) / CREDIT_BYTES_MAX;
    const costMs = Math.min(SNAPSHOT_COST_MS_MAX, roundIntervalMs);
    return Math.max(SNAPSHOT_COST_MS_MIN, bytesCostMs, costMs);
  }

  #reportLag(now: number, out: Outbox<Lagging>): void {
    const { roundMs, intervalMs } = this.#pacer;
    const isLate = intervalMs > 0 && roundMs >= LAGGING_FACTOR * intervalMs;
    this.#lateRounds = isLate ? this.#lateRounds + 1 : 0;
    if (this.#lateRounds < LAGGING_ROUNDS) return;
    if (now - this.#laggedAt < LAGGING_EVERY_MS) return;
    this.#laggedAt = now;
    out.emit({ kind: "lagging", roundMs, intervalMs });
  }
}
