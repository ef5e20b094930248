/** A computer that sleeps, in virtual time: nothing reaches its engine, and its timers fire when it wakes. */
import type { Engine, Outbox, Peer } from "../../lib/protocols/engine.ts";

/** An engine on such a computer. What is sent to it meanwhile is lost. */
export class Sleeper<Event> implements Engine<Event> {
  readonly #engine: Engine<Event>;
  #isAsleep = false;

  constructor(engine: Engine<Event>) {
    this.#engine = engine;
  }

  fallAsleep(): void {
    this.#isAsleep = true;
  }

  /** The first that it hears is how late it is. */
  wake(now: number, out: Outbox<Event>): void {
    this.#isAsleep = false;
    this.#engine.advance(now, out);
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<Event>): void {
    if (!this.#isAsleep) this.#engine.receive(datagram, from, now, out);
  }

  advance(now: number, out: Outbox<Event>): void {
    if (!this.#isAsleep) this.#engine.advance(now, out);
  }

  nextDeadline(): number {
    return this.#isAsleep ? Infinity : this.#engine.nextDeadline();
  }

  remembers(peer: Peer): boolean {
    return this.#isAsleep || this.#engine.remembers(peer);
  }
}
