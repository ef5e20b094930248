import type { Outbox, Peer } from "../protocols/engine.ts";
import { Fifo } from "../parts/fifo.ts";

/** A peer as the outbox needs it: with a way out and a place for its newest broadcast. */
export interface OutboxPeer extends Peer {
  /** Sends one datagram. */
  transmit(bytes: Uint8Array): Promise<unknown>;
  /** The broadcast that waits for this peer. */
  queued: Uint8Array | undefined;
}

/** What an outbox did, in datagrams (and bytes) since it was made. */
export interface OutboxCounters {
  /** Datagrams the system took. */
  sent: number;
  /** Their bytes. */
  sentBytes: number;
  /** The system refused to send: unreachable, too large. */
  failed: number;
  /** The queue was full. */
  dropped: number;
  /** A newer broadcast took the place of one that still waited. */
  replaced: number;
}

interface Letter {
  peer: OutboxPeer;
  bytes: Uint8Array;
}

/**
 * The one queue of what leaves a socket, and the one pump that empties it.
 *
 * The pump awaits each send: sends that are not awaited leave in reverse order. Single datagrams are
 * bounded in number; broadcasts wait in a place of the peer's own, so there is one for each peer at
 * most. The two take turns, so that a flood of either leaves room for the other.
 *
 * @typeParam P The peers of the host that owns this outbox.
 */
export class PumpedOutbox<Event, P extends OutboxPeer> implements Outbox<Event> {
  /** What was done so far. */
  readonly counters: OutboxCounters = {
    sent: 0,
    sentBytes: 0,
    failed: 0,
    dropped: 0,
    replaced: 0,
  };
  readonly #onEvent: (event: Event) => void;
  readonly #onLeft: () => void;
  readonly #onFailure: (error: unknown, bytes: number) => void;
  readonly #lettersMax: number;
  readonly #letters = new Fifo<Letter>();
  readonly #broadcasts = new Fifo<P>();
  #broadcastInFlight = 0;
  #pumping: Promise<void> | undefined;
  #closed = false;

  /**
   * @param onEvent Takes the engine's events.
   * @param onLeft Called when the last broadcast datagram has left; it may queue more.
   * @param onFailure Told why the system did not send a datagram of so many bytes.
   * @param lettersMax Single datagrams queued at most.
   */
  constructor(
    onEvent: (event: Event) => void,
    onLeft: () => void,
    onFailure: (error: unknown, bytes: number) => void = (): void => {},
    lettersMax = 4_096,
  ) {
    this.#onEvent = onEvent;
    this.#onLeft = onLeft;
    this.#onFailure = onFailure;
    this.#lettersMax = lettersMax;
  }

  send(peer: Peer, bytes: Uint8Array): void {
    if (this.#closed || this.#letters.length >= this.#lettersMax) {
      this.counters.dropped++;
      return;
    }
    this.#letters.push({ peer: peer as P, bytes });
    this.#pumping ??= this.#pump();
  }

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    if (this.#closed) return;
    for (const peer of peers as Iterable<P>) {
      if (peer.queued === undefined) this.#broadcasts.push(peer);
      else this.counters.replaced++;
      peer.queued = bytes;
    }
    this.#pumping ??= this.#pump();
  }

  emit(event: Event): void {
    this.#onEvent(event);
  }

  get backlog(): number {
    return this.#broadcasts.length + this.#broadcastInFlight;
  }

  get unsent(): number {
    return this.#letters.length;
  }

  /** Sends what is queued, takes no more, and ends when the last datagram has left. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    // What the engine says in one call is queued whole before the first send.
    await Promise.resolve();
    let lettersTurn = true;
    while (this.#letters.length + this.#broadcasts.length > 0) {
      const letter = lettersTurn ? this.#letters.shift() : undefined;
      lettersTurn = !lettersTurn;
      const peer = letter ? letter.peer : this.#broadcasts.shift();
      if (!peer) continue;
      const bytes = letter ? letter.bytes : peer.queued!;
      if (!letter) {
        peer.queued = undefined;
        this.#broadcastInFlight = 1;
      }
      try {
        await peer.transmit(bytes);
        this.counters.sent++;
        this.counters.sentBytes += bytes.length;
      } catch (error) {
        // Unreachable, too large, no buffer: this datagram is lost, as any datagram may be.
        this.counters.failed++;
        this.#onFailure(error, bytes.length);
      }
      if (letter) continue;
      this.#broadcastInFlight = 0;
      if (this.#broadcasts.length === 0) this.#onLeft();
    }
    this.#pumping = undefined;
  }
}
