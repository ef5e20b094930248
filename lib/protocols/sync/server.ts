/**
 * The SimpleNetSync server: everybody's newest state, sent to everybody.
 *
 * An address is in one of four stages:
 *
 * | stage | on id request | on state or keep-alive | after silence |
 * | --- | --- | --- | --- |
 * | stranger | gets the next id: unverified | refused | - |
 * | unverified | the same id again | player | forgotten |
 * | player | the same id again | newest state stored, snapshots for all | departed |
 * | departed | player again, same id | player again, same id | forgotten |
 *
 * Clients prove nothing about their address: nothing they send could only come from somebody who
 * received something. So an unverified address gets its id and nothing else, and a player gets
 * snapshots on credit, which every datagram from its address renews.
 */
import type { Engine, Outbox, Peer } from "../engine.ts";
import { Dictionary, type Fragment } from "./dictionary.ts";
import { Pacer } from "../../parts/pacer.ts";
import { decodeClientMessage, encodeIdReply, STATE_BYTES_MAX, type WireRefusal } from "./wire.ts";

/**
 * Why a datagram had no effect. The wire's reasons, and:
 * - `stranger`: a state from an address without an id
 * - `text`: a state that is not UTF-8
 * - `state-size`: a state above `stateBytesMax`
 * - `world-full`: a state that would make the snapshot outgrow one IPv4 datagram
 * - `full`, `full-network`, `full-unverified`: no more players, no more from this IP address, no
 *   more addresses that have an id but never sent a state
 */
export type SyncRefusal =
  | WireRefusal
  | "stranger"
  | "text"
  | "state-size"
  | "world-full"
  | "full"
  | "full-network"
  | "full-unverified";

/** What the server tells its host. */
export type SyncEvent =
  /** An address sent its first state. */
  | { kind: "joined"; peer: Peer; id: number }
  /** A player was silent past the time-out. */
  | { kind: "left"; peer: Peer; id: number }
  /** A player that had left was heard again under its old id. */
  | { kind: "returned"; peer: Peer; id: number }
  /** A client started anew on the same address; its numbers count from the beginning. */
  | { kind: "restarted"; peer: Peer; id: number }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: SyncRefusal }
  /** Rounds take longer than their interval: players get snapshots less often. At most every 10 s. */
  | { kind: "lagging"; roundMs: number; intervalMs: number };

/** Options of {@link createSyncServer}. */
export interface SyncServerOptions {
  /**
   * The number of the first snapshot. Running clients ignore numbers that are not above the last one
   * they saw, so a server that is started again must begin higher: take the wall clock in
   * microseconds since 1970. From 1 to 2^53.
   */
  firstSnapshotNumber: number;
  /**
   * Snapshots a second to each player at most, 1 or more; 0 sends on every accepted state. Default 60.
   */
  rateHz?: number;
  /**
   * Small groups get snapshots more often than `rateHz`: as often as this many packets a second in
   * all allow. 0 keeps them to `rateHz`. Default 4000.
   */
  eagerPacketsPerSecond?: number;
  /** A player not heard for this long has left; an unverified address is forgotten. Default 10,000. */
  silenceMs?: number;
  /** For so long after leaving an address may come back under its id. Default 60,000. */
  returnMs?: number;
  /** Players, and addresses with an id that are not players yet, each. Default 1024. */
  clientsMax?: number;
  /** Players and unverified addresses of one IPv4 address or IPv6 /64 network. Default 64. */
  clientsPerNetworkMax?: number;
  /** Bytes of one state as it arrives. Default: what fits. */
  stateBytesMax?: number;
}

/** How many addresses there are of each stage, and the size of the dictionary. */
export interface SyncCensus {
  /** Addresses that get snapshots. */
  players: number;
  /** Addresses with an id that sent no state yet. */
  unverified: number;
  /** Addresses that may come back under their id. */
  departed: number;
  /** Length of the next snapshot. */
  snapshotBytes: number;
}

/** The server's engine. */
export interface SyncServer extends Engine<SyncEvent> {
  /** What the server holds at this moment. */
  census(): SyncCensus;
}

type Stage = "unverified" | "player" | "departed";

interface Session {
  readonly peer: Peer;
  readonly id: number;
  stage: Stage;
  /** When it was heard last; a departed one: when it left. */
  since: number;
  /** The highest number accepted; -1 before the first. */
  number: bigint;
  acceptedAt: number;
  /** For so much longer this address is sent snapshots if it is not heard again. */
  creditMs: number;
  /** The number of the last snapshot sent to it. */
  sent: bigint;
  restart: Restart | undefined;
  /** The state of a departed player, for its return. */
  kept: Fragment | undefined;
}

/** Signs that a client was started anew on its old address: an id request, then low numbers. */
interface Restart {
  /** The last of the low numbers; -1 before the first. */
  number: bigint;
}

/** Players who change nothing still get a snapshot this often: their clients give up after 10 s. */
const IDLE_REPEAT_MS = 1_500;
/**
 * Each snapshot costs its receiver the interval it came at, so that credit lasts this long at any rate:
 * a keep-alive each second is enough. But it is for 10 snapshots at least and 600 at most.
 */
const CREDIT_MS = 3_000;
const SNAPSHOT_COST_MS_MAX = CREDIT_MS / 10;
const SNAPSHOT_COST_MS_MIN = CREDIT_MS / 600;
/** After so much time without an accepted state a client that counts from 0 again is believed. */
const RESTART_QUIET_MS = 1_000;
/** The first number after a restart is 0; some may be lost. */
const RESTART_NUMBER_MAX = 16n;
/** When every unverified place is taken, those silent for this long give theirs up. */
const UNVERIFIED_CROWDED_MS = 2_000;
const CROWDED_SWEEP_EVERY_MS = 500;
/** States of the departed kept in all. */
const KEPT_BYTES_MAX = 262_144;
/** A host this late was asleep: players get a moment to be heard before they are found silent. */
const STALL_MS = 1_000;
const LAGGING_EVERY_MS = 10_000;
const LAGGING_FACTOR = 1.25;
/** One round may be late for any reason; so many in a row are no accident. */
const LAGGING_ROUNDS = 10;

/** A SimpleNetSync server. */
export function createSyncServer(options: SyncServerOptions): SyncServer {
  return new Server(options);
}

class Server implements SyncServer {
  readonly #silenceMs: number;
  readonly #returnMs: number;
  readonly #clientsMax: number;
  readonly #clientsPerNetworkMax: number;
  readonly #stateBytesMax: number;
  readonly #departedMax: number;

  readonly #sessions = new Map<Peer, Session>();
  /** In the order of joining; rounds go through it. */
  readonly #players: Session[] = [];
  readonly #dictionary = new Dictionary<Session>();
  readonly #networks = new Map<string, number>();
  readonly #pacer: Pacer;
  #unverified = 0;
  #departed = 0;
  #keptBytes = 0;
  #nextId = 0;
  #sweepAt = Infinity;
  #crowdedSweepAt = -Infinity;

  #snapshotNumber: bigint;
  /** The dictionary changed since the current round started. */
  #changed = false;
  /** The round's next player; at the end of the list when no round is going on. */
  #cursor = 0;
  #lateRounds = 0;
  #laggedAt = -Infinity;

  constructor(options: SyncServerOptions) {
    this.#silenceMs = options.silenceMs ?? 10_000;
    this.#returnMs = options.returnMs ?? 60_000;
    this.#clientsMax = options.clientsMax ?? 1_024;
    this.#departedMax = this.#returnMs > 0 ? this.#clientsMax : 0;
    this.#clientsPerNetworkMax = options.clientsPerNetworkMax ?? 64;
    this.#stateBytesMax = options.stateBytesMax ?? STATE_BYTES_MAX;
    this.#snapshotNumber = BigInt(options.firstSnapshotNumber) - 1n;
    this.#pacer = new Pacer({
      rateHz: options.rateHz ?? 60,
      eagerPacketsPerSecond: options.eagerPacketsPerSecond ?? 4_000,
    });
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<SyncEvent>): void {
    const message = decodeClientMessage(datagram);
    switch (message.kind) {
      case "refused":
        return this.#refuse(from, message.reason, out);
      case "idRequest":
        this.#onIdRequest(from, now, out);
        break;
      case "state":
        this.#onState(message.number, message.state, from, now, out);
        break;
      default:
        message satisfies never;
    }
    this.#sendDue(now, out);
  }

  advance(now: number, out: Outbox<SyncEvent>): void {
    if (now - this.#sweepAt > STALL_MS) this.#sweepAt = now + STALL_MS;
    if (now >= this.#sweepAt) this.#sweep(now, out);
    this.#sendDue(now, out);
  }

  nextDeadline(): number {
    return Math.min(this.#sweepAt, this.#nextSendAt());
  }

  remembers(peer: Peer): boolean {
    return this.#sessions.has(peer);
  }

  census(): SyncCensus {
    return {
      players: this.#players.length,
      unverified: this.#unverified,
      departed: this.#departed,
      snapshotBytes: this.#dictionary.snapshotBytes,
    };
  }

  // ---- what arrives

  #onIdRequest(from: Peer, now: number, out: Outbox<SyncEvent>): void {
    let session = this.#sessions.get(from);
    if (!session) {
      const obstacle = this.#obstacleFor(from, "unverified", now);
      if (obstacle) return this.#refuse(from, obstacle, out);
      session = this.#admit(from, now);
    } else if (session.stage === "departed") {
      if (!this.#comeBack(session, now, out)) return;
    } else if (session.stage === "player") {
      // The keep-alive of a Godot client, or a new client on the address of an old one.
      session.restart ??= { number: -1n };
    }
    this.#heard(session, now);
    out.send(from, encodeIdReply(BigInt(session.id)));
  }

  #onState(
    number: bigint,
    state: Uint8Array,
    from: Peer,
    now: number,
    out: Outbox<SyncEvent>,
  ): void {
    const session = this.#sessions.get(from);
    if (!session) return this.#refuse(from, "stranger", out);
    if (session.stage === "departed" && !this.#comeBack(session, now, out)) return;
    this.#heard(session, now);
    const isKeepAlive = number === 0n && state.length === 0;
    if (session.stage === "unverified") {
      if (this.#isFull()) return this.#refuse(from, "full", out);
      // A state no snapshot can hold makes a player that is not seen; text that is none, nothing.
      if (this.#store(session, state, out) === "text") return;
      this.#leaveStage(session);
      this.#enterStage(session, "player");
      out.emit({ kind: "joined", peer: from, id: session.id });
      if (!isKeepAlive) this.#accepted(session, number, now);
    } else if (!isKeepAlive && this.#isNews(session, number, now, out)) {
      if (this.#store(session, state, out) === undefined) this.#accepted(session, number, now);
    }
  }

  /** Whether a player's number is above the last one, or the client counts from 0 again. */
  #isNews(session: Session, number: bigint, now: number, out: Outbox<SyncEvent>): boolean {
    if (number > session.number) return true;
    const { restart } = session;
    if (!restart) return false;
    const isFirst = restart.number < 0n;
    if (isFirst ? number > RESTART_NUMBER_MAX : number <= restart.number) return false;
    restart.number = number;
    if (isFirst || now - session.acceptedAt < RESTART_QUIET_MS) return false;
    session.number = -1n;
    session.restart = undefined;
    out.emit({ kind: "restarted", peer: session.peer, id: session.id });
    return true;
  }

  #store(session: Session, state: Uint8Array, out: Outbox<SyncEvent>): SyncRefusal | undefined {
    const refusal = state.length > this.#stateBytesMax
      ? "state-size"
      : this.#dictionary.set(session, session.id, state);
    if (refusal) this.#refuse(session.peer, refusal, out);
    else this.#changed = true;
    return refusal;
  }

  #accepted(session: Session, number: bigint, now: number): void {
    session.number = number;
    session.acceptedAt = now;
    session.restart = undefined;
  }

  #heard(session: Session, now: number): void {
    session.since = now;
    session.creditMs = CREDIT_MS;
  }

  #refuse(peer: Peer, reason: SyncRefusal, out: Outbox<SyncEvent>): void {
    out.emit({ kind: "refused", peer, reason });
  }

  // ---- who there is

  #admit(peer: Peer, now: number): Session {
    const session: Session = {
      peer,
      id: this.#nextId++,
      stage: "unverified",
      since: now,
      number: -1n,
      acceptedAt: -Infinity,
      creditMs: 0,
      sent: 0n,
      restart: undefined,
      kept: undefined,
    };
    this.#sessions.set(peer, session);
    this.#enterStage(session, "unverified");
    this.#sweepAt = Math.min(this.#sweepAt, now + this.#silenceMs);
    return session;
  }

  /** A departed player becomes one again; its state too, if there is still room for it. */
  #comeBack(session: Session, now: number, out: Outbox<SyncEvent>): boolean {
    const obstacle = this.#obstacleFor(session.peer, "player", now);
    if (obstacle) {
      this.#refuse(session.peer, obstacle, out);
      return false;
    }
    const { kept } = session;
    this.#leaveStage(session);
    this.#enterStage(session, "player");
    session.number = -1n;
    session.restart = undefined;
    if (kept) this.#dictionary.restore(session, kept);
    this.#changed = true; // With or without a state, it has missed what happened meanwhile.
    this.#sweepAt = Math.min(this.#sweepAt, now + this.#silenceMs);
    out.emit({ kind: "returned", peer: session.peer, id: session.id });
    return true;
  }

  #depart(session: Session, now: number, out: Outbox<SyncEvent>): void {
    const kept = this.#dictionary.remove(session);
    this.#leaveStage(session);
    this.#enterStage(session, "departed");
    session.since = now;
    if (kept && this.#keptBytes + kept.bytes.length <= KEPT_BYTES_MAX) {
      session.kept = kept;
      this.#keptBytes += kept.bytes.length;
    }
    this.#changed = true;
    out.emit({ kind: "left", peer: session.peer, id: session.id });
    if (this.#departed > this.#departedMax) this.#forget(this.#longestDeparted());
  }

  #forget(session: Session): void {
    this.#leaveStage(session);
    this.#sessions.delete(session.peer);
  }

  #enterStage(session: Session, stage: Stage): void {
    session.stage = stage;
    if (stage === "departed") {
      this.#departed++;
      return;
    }
    const { network } = session.peer;
    this.#networks.set(network, (this.#networks.get(network) ?? 0) + 1);
    if (stage === "unverified") {
      this.#unverified++;
    } else {
      // At the end of the list there is no round going on, and this does not start one.
      if (this.#cursor === this.#players.length) this.#cursor++;
      this.#players.push(session);
    }
  }

  #leaveStage(session: Session): void {
    if (session.stage === "departed") {
      this.#departed--;
      this.#keptBytes -= session.kept?.bytes.length ?? 0;
      session.kept = undefined;
      return;
    }
    const { network } = session.peer;
    const others = this.#networks.get(network)! - 1;
    if (others === 0) this.#networks.delete(network);
    else this.#networks.set(network, others);
    if (session.stage === "unverified") {
      this.#unverified--;
    } else {
      const index = this.#players.indexOf(session);
      this.#players.splice(index, 1);
      if (index < this.#cursor) this.#cursor--;
    }
  }

  #isFull(): boolean {
    return this.#players.length >= this.#clientsMax;
  }

  /** What stands in the way of one more unverified address or player. */
  #obstacleFor(
    peer: Peer,
    stage: "unverified" | "player",
    now: number,
  ): SyncRefusal | undefined {
    if (this.#isFull()) return "full";
    if ((this.#networks.get(peer.network) ?? 0) >= this.#clientsPerNetworkMax) {
      return "full-network";
    }
    if (stage === "player" || this.#unverified < this.#clientsMax) return undefined;
    if (now >= this.#crowdedSweepAt) {
      this.#crowdedSweepAt = now + CROWDED_SWEEP_EVERY_MS;
      this.#forgetIdleUnverified(now);
    }
    return this.#unverified < this.#clientsMax ? undefined : "full-unverified";
  }

  /** Ends the sessions whose time is over. Runs about once per time-out, not once per datagram. */
  #sweep(now: number, out: Outbox<SyncEvent>): void {
    this.#sweepAt = Infinity;
    for (const session of this.#sessions.values()) {
      if (now >= this.#endsAt(session)) {
        if (session.stage === "player") this.#depart(session, now, out);
        else this.#forget(session);
      }
      if (this.#sessions.has(session.peer)) {
        this.#sweepAt = Math.min(this.#sweepAt, this.#endsAt(session));
      }
    }
  }

  #endsAt({ stage, since }: Session): number {
    return since + (stage === "departed" ? this.#returnMs : this.#silenceMs);
  }

  #forgetIdleUnverified(now: number): void {
    for (const session of this.#sessions.values()) {
      if (session.stage !== "unverified") continue;
      if (now - session.since >= UNVERIFIED_CROWDED_MS) this.#forget(session);
    }
  }

  #longestDeparted(): Session {
    let longest: Session | undefined;
    for (const session of this.#sessions.values()) {
      if (session.stage !== "departed") continue;
      if (!longest || session.since < longest.since) longest = session;
    }
    return longest!;
  }

  // ---- what leaves

  #nextSendAt(): number {
    if (this.#players.length === 0 || this.#pacer.sending) return Infinity;
    if (this.#cursor < this.#players.length) return this.#pacer.nextSliceAt();
    return this.#changed
      ? this.#pacer.nextRoundAt(this.#players.length, this.#dictionary.snapshotBytes)
      : this.#pacer.roundStartedAt + IDLE_REPEAT_MS;
  }

  #sendDue(now: number, out: Outbox<SyncEvent>): void {
    if (this.#pacer.sending && out.backlog === 0) {
      this.#pacer.left(now);
      if (this.#cursor === this.#players.length) this.#reportLag(now, out);
    }
    while (now >= this.#nextSendAt()) {
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
  #sendSlice(now: number, out: Outbox<SyncEvent>): void {
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
    return Math.max(SNAPSHOT_COST_MS_MIN, Math.min(SNAPSHOT_COST_MS_MAX, roundIntervalMs));
  }

  #reportLag(now: number, out: Outbox<SyncEvent>): void {
    const { roundMs, intervalMs } = this.#pacer;
    const isLate = intervalMs > 0 && roundMs >= LAGGING_FACTOR * intervalMs;
    this.#lateRounds = isLate ? this.#lateRounds + 1 : 0;
    if (this.#lateRounds < LAGGING_ROUNDS) return;
    if (now - this.#laggedAt < LAGGING_EVERY_MS) return;
    this.#laggedAt = now;
    out.emit({ kind: "lagging", roundMs, intervalMs });
  }
}
