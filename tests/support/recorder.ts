/** An outbox that writes everything down, and peers made from a text. */
import { assert } from "@std/assert";
import type { Engine, Outbox, Peer } from "../../lib/protocols/engine.ts";

/** Bytes handed over at once for one peer; a broadcast is one entry for each peer. */
export interface Sent {
  at: number;
  to: Peer;
  bytes: Uint8Array;
}

/** What an engine said, in order. */
export class Sayings<Event> {
  /** Stamped on what is sent. */
  now = 0;
  /** What was sent, of any kind. */
  readonly sent: Sent[] = [];
  readonly events: Event[] = [];

  send(peer: Peer, bytes: Uint8Array): void {
    this.sent.push({ at: this.now, to: peer, bytes });
  }

  emit(event: Event): void {
    this.events.push(event);
  }

  /** What was sent since the last call. */
  takeSent(): Sent[] {
    return this.sent.splice(0);
  }

  /** What was sent to one peer since the last call; what was sent to others stays. */
  takeSentTo(peer: Peer): Uint8Array[] {
    const taken = this.takeSent();
    this.sent.push(...taken.filter(({ to }) => to !== peer));
    return taken.filter(({ to }) => to === peer).map(({ bytes }) => bytes);
  }

  /** The events since the last call. */
  takeEvents(): Event[] {
    return this.events.splice(0);
  }
}

/** What an engine over UDP said. */
export class Recorder<Event> extends Sayings<Event> implements Outbox<Event> {
  /** What is still queued, as the engine is told. */
  backlog = 0;
  unsent = 0;

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    for (const peer of peers) this.send(peer, bytes);
  }
}

/** An engine and its time: calls `advance` as its host would, at every deadline. */
export class Play<Event> {
  readonly out = new Recorder<Event>();
  readonly #engine: Engine<Event>;

  constructor(engine: Engine<Event>) {
    this.#engine = engine;
  }

  get now(): number {
    return this.out.now;
  }

  /** Something arrives at this moment. */
  receive(datagram: Uint8Array, from: Peer): void {
    this.#engine.receive(datagram, from, this.now, this.out);
  }

  /** Time passes until then, and what is due is done. */
  waitUntil(time: number): void {
    for (;;) {
      const deadline = this.#engine.nextDeadline();
      if (deadline > time) break;
      this.advance(Math.max(deadline, this.now));
    }
    this.out.now = Math.max(time, this.now);
  }

  /** Time passes, and what is due is done. */
  wait(ms: number): void {
    this.waitUntil(this.now + ms);
  }

  /** One call of `advance`, however late. */
  advance(now: number): void {
    this.out.now = now;
    this.#engine.advance(now, this.out);
    const deadline = this.#engine.nextDeadline();
    assert(deadline > now, `the next deadline is ${deadline} after advance(${now})`);
  }
}

/**
 * A peer for `192.0.2.7:5000` or `[2001:db8::7]:5000`. Every call makes another one: engines tell
 * peers apart by identity.
 */
export function peerAt(address: string): Peer {
  const at = address.lastIndexOf(":");
  const port = Number(address.slice(at + 1));
  const ip = address.slice(0, at).replace(/^\[|\]$/g, "");
  const groups = ip.includes(":") ? ip.split("::")[0]!.split(":") : undefined;
  return { ip, port, address, network: groups ? `${groups.slice(0, 4).join(":")}::/64` : ip };
}
