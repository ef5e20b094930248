/** An outbox of connections that writes everything down, and an engine over TCP with its time. */
import { assert } from "@std/assert";
import type { Peer, StreamEnd, StreamEngine, StreamOutbox } from "../../lib/protocols/engine.ts";
import { Sayings } from "./recorder.ts";

/** What an engine over TCP said. */
export class StreamRecorder<Event> extends Sayings<Event> implements StreamOutbox<Event> {
  /** Who was sent away, in order. */
  readonly closed: Peer[] = [];
  /** Every change of whether a connection is read. */
  readonly readings: { at: number; peer: Peer; isReading: boolean }[] = [];
  /** What was said to a connection that was over: always a fault. */
  readonly afterEnd: string[] = [];
  /** Told of each event as it happens. */
  onEvent: (event: Event) => void = () => {};
  readonly #over = new Set<Peer>();
  readonly #notRead = new Set<Peer>();
  readonly #unsentBytes = new Map<Peer, number>();

  override send(peer: Peer, bytes: Uint8Array): void {
    this.#checkOpen(peer, "send");
    super.send(peer, bytes);
  }

  unsentBytes(peer: Peer): number {
    return this.#unsentBytes.get(peer) ?? 0;
  }

  setReading(peer: Peer, isReading: boolean): void {
    this.#checkOpen(peer, `setReading ${isReading}`);
    this.readings.push({ at: this.now, peer, isReading });
    if (isReading) this.#notRead.delete(peer);
    else this.#notRead.add(peer);
  }

  close(peer: Peer): void {
    this.#checkOpen(peer, "close");
    this.closed.push(peer);
    this.#over.add(peer);
  }

  override emit(event: Event): void {
    super.emit(event);
    this.onEvent(event);
  }

  /** From now on so much waits for a connection that does not read. */
  setUnsentBytes(peer: Peer, bytes: number): void {
    this.#unsentBytes.set(peer, bytes);
  }

  /** The other end has ended a connection. */
  setOver(peer: Peer): void {
    this.#over.add(peer);
  }

  isOver(peer: Peer): boolean {
    return this.#over.has(peer);
  }

  isReading(peer: Peer): boolean {
    return !this.#notRead.has(peer);
  }

  #checkOpen(peer: Peer, what: string): void {
    if (this.#over.has(peer)) this.afterEnd.push(`${what} ${peer.address}`);
  }
}

/** An engine over TCP and its time: calls it as its host would. */
export class StreamPlay<Event> {
  readonly out = new StreamRecorder<Event>();
  readonly #engine: StreamEngine<Event>;

  constructor(engine: StreamEngine<Event>) {
    this.#engine = engine;
  }

  get now(): number {
    return this.out.now;
  }

  open(...peers: readonly Peer[]): void {
    for (const peer of peers) this.#engine.opened(peer, this.now, this.out);
  }

  /** Something arrives at this moment, and nothing behind it. */
  receive(chunk: Uint8Array, from: Peer): void {
    this.receiveMore(chunk, from);
    this.advanceIfDue();
  }

  /** Something arrives at this moment, and more is there to be read. */
  receiveMore(chunk: Uint8Array, from: Peer): void {
    this.#engine.receive(chunk, from, this.now, this.out);
  }

  end(peer: Peer, end: StreamEnd): void {
    this.#engine.ended(peer, end, this.now, this.out);
    this.out.setOver(peer);
  }

  /** Time passes until then, and what is due is done when it is. */
  waitUntil(time: number): void {
    for (;;) {
      const deadline = this.#engine.nextDeadline();
      if (deadline > time) break;
      this.advance(Math.max(deadline, this.now));
    }
    this.out.now = Math.max(time, this.now);
  }

  /** Time passes, and what is due is done when it is. */
  wait(ms: number): void {
    this.waitUntil(this.now + ms);
  }

  advanceIfDue(): void {
    if (this.#engine.nextDeadline() <= this.now) this.advance(this.now);
  }

  /** One call of `advance`, however late. */
  advance(now: number): void {
    this.out.now = now;
    this.#engine.advance(now, this.out);
    const deadline = this.#engine.nextDeadline();
    assert(deadline > now, `the next deadline is ${deadline} after advance(${now})`);
  }
}
