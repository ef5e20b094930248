/** A host without sockets, in a time that goes as it is told: for an engine and what was recorded. */
import type { Engine, Outbox, Peer } from "../protocols/engine.ts";
import { networkOf } from "./address.ts";
import type { UdpCounters } from "./udp.ts";

/** How often an engine whose `advance` fails is asked to do what is due. */
const STUCK_PAUSE_MS = 100;

/** Who is told of what happens in a {@link ReplayHost}. */
export interface ReplayListeners<Event> {
  /** Takes the engine's events. */
  onEvent: (event: Event) => void;
  /** Told of errors that the engine or a listener threw. The host goes on. */
  onFault: (error: unknown) => void;
}

/**
 * Drives an engine as a host over UDP does, but without waiting: time begins at 0 and jumps from one
 * deadline to the next. What the engine sends leaves at once and is counted. The same calls give the same
 * results.
 */
export class ReplayHost<Event> implements Outbox<Event> {
  readonly #engine: Engine<Event>;
  readonly #listeners: ReplayListeners<Event>;
  readonly #counters: UdpCounters = {
    ...{ received: 0, receivedBytes: 0, shutOut: 0, receiveErrors: 0, faults: 0 },
    ...{ sent: 0, sentBytes: 0, failed: 0, dropped: 0, replaced: 0 },
  };
  /** Those about which the engine keeps something, by their address. */
  readonly #peers = new Map<string, Peer>();
  #peersToSweepAt = 64;
  #now = 0;
  /** It failed to do what was due: nothing is due before that. */
  #stuckUntil = -Infinity;

  constructor(engine: Engine<Event>, listeners: ReplayListeners<Event>) {
    this.#engine = engine;
    this.#listeners = listeners;
  }

  /** In ms. */
  get now(): number {
    return this.#now;
  }

  /** What was received and sent so far. */
  get counters(): UdpCounters {
    return { ...this.#counters };
  }

  /**
   * Lets time pass, and the engine do what is due on the way.
   *
   * @param isPaused Asked after everything that was due: true ends it before its time.
   * @returns Whether it got there.
   */
  waitUntil(timeMs: number, isPaused: () => boolean = (): boolean => false): boolean {
    for (;;) {
      const deadline = this.#deadline();
      if (deadline > timeMs) break;
      this.#now = Math.max(deadline, this.#now);
      this.#guard(() => this.#engine.advance(this.#now, this));
      if (this.#deadline() <= this.#now) this.#stuckUntil = this.#now + STUCK_PAUSE_MS;
      if (isPaused()) return false;
    }
    this.#now = Math.max(timeMs, this.#now);
    return true;
  }

  /**
   * A datagram arrives at this moment.
   *
   * @param address `192.0.2.7:5000` or `[2001:db8::7]:5000`.
   */
  receive(datagram: Uint8Array, address: string): void {
    this.#counters.received++;
    this.#counters.receivedBytes += datagram.length;
    const known = this.#peers.get(address);
    const peer = known ?? peerOf(address);
    this.#guard(() => {
      try {
        this.#engine.receive(datagram, peer, this.#now, this);
      } finally {
        if (!known && this.#engine.remembers(peer)) this.#keep(peer);
      }
    });
  }

  /** Calls the engine from outside: with the time, and the outbox for what it says. */
  act(call: (now: number, out: Outbox<Event>) => void): void {
    this.#guard(() => call(this.#now, this));
  }

  // What an engine says it says to this:

  send(_peer: Peer, bytes: Uint8Array): void {
    this.#counters.sent++;
    this.#counters.sentBytes += bytes.length;
  }

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    for (const peer of peers) this.send(peer, bytes);
  }

  emit(event: Event): void {
    this.#guard(() => this.#listeners.onEvent(event));
  }

  readonly backlog = 0;
  readonly unsent = 0;

  #deadline(): number {
    let deadline = Infinity;
    this.#guard(() => deadline = this.#engine.nextDeadline());
    return Math.max(deadline, this.#stuckUntil);
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#counters.faults++;
      this.#listeners.onFault(error);
    }
  }

  #keep(peer: Peer): void {
    this.#peers.set(peer.address, peer);
    if (this.#peers.size < this.#peersToSweepAt) return;
    for (const [address, peer] of this.#peers) {
      if (!this.#engine.remembers(peer)) this.#peers.delete(address);
    }
    this.#peersToSweepAt = Math.max(64, 2 * this.#peers.size);
  }
}

function peerOf(address: string): Peer {
  const [, ip = "", port] = /^\[?(.*?)\]?:(\d+)$/.exec(address)!;
  return { ip, port: Number(port), address, network: networkOf(ip) };
}
