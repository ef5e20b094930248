/** An outbox that writes everything down, and peers made from a text. */
import { assert } from "@std/assert";
import type { Engine, Outbox, Peer } from "../../lib/protocols/engine.ts";

/** One datagram to one peer; a broadcast is one entry for each peer. */
export interface Sent {
  at: number;
  to: Peer;
  bytes: Uint8Array;
}

/** What an engine said, in order. */
export class Recorder<Event> implements Outbox<Event> {
  /** Stamped on what is sent. */
  now = 0;
  /** What is still queued, as the engine is told. */
  backlog = 0;
  /** Datagrams of `send` and `broadcast`. */
  readonly sent: Sent[] = [];
  readonly events: Event[] = [];

  send(peer: Peer, bytes: Uint8Array): void {
    this.sent.push({ at: this.now, to: peer, bytes });
  }

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    for (const to of peers) this.sent.push({ at: this.now, to, bytes });
  }

  emit(event: Event): void {
    this.events.push(event);
  }

  /** The datagrams since the last call. */
  takeSent(): Sent[] {
    return this.sent.splice(0);
  }

  /** The datagrams to one peer since the last call; those to others stay. */
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
