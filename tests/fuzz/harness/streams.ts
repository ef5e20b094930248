/** Streams instead of datagrams, for engines over TCP: what they hear, and what they say. */
import { assert } from "@std/assert";
import type { Peer, StreamEngine, StreamOutbox } from "../../../lib/protocols/engine.ts";
import { encodeFrame, OFFER_BARS, SWITCH } from "../../../lib/protocols/messages/frame.ts";
import { NetworkMessage } from "../../../lib/protocols/messages/message.ts";
import { Framer } from "../../../lib/protocols/messages/wire.ts";
import { manyHeaders, messageOf, partOf } from "../decoders/messages.ts";
import type { Chance } from "./chance.ts";
import { Fuzzer, peersOf } from "./engines.ts";
import { nameOf, type Tally } from "./reach.ts";
import { joined, utf8 } from "./spoil.ts";

/** One connection as the test knows it. */
interface Line {
  readonly peer: Peer;
  isOpen: boolean;
  isRead: boolean;
  /** What was sent, and the system has not taken. */
  unsentBytes: number;
  /** Reads what is sent. */
  reader: Framer;
}

/** Streams instead of datagrams: connections come, are cut, are not read, do not read, and end. */
export abstract class StreamFuzzer<Event extends { kind: string }>
  extends Fuzzer<Event, StreamOutbox<Event>>
  implements StreamOutbox<Event> {
  abstract override engine: StreamEngine<Event>;
  readonly peers: readonly Peer[];
  protected readonly lines = new Map<Peer, Line>();
  protected readonly messageBytesMax: number;

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    this.messageBytesMax = chance.pick([40, 3_000, 2 ** 20]);
    this.peers = peersOf(chance.pick([1, 6, 40, 40]), chance.pick([1, 2, 40, 40]));
    for (const peer of this.peers) {
      const reader = this.#newReader();
      this.lines.set(peer, { peer, isOpen: false, isRead: true, unsentBytes: 0, reader });
    }
  }

  get out(): StreamOutbox<Event> {
    return this;
  }

  #newReader(): Framer {
    return new Framer({ messageBytesMax: 2 ** 21, frames: true });
  }

  protected open(line: Line): void {
    Object.assign(line, { isOpen: true, isRead: true, unsentBytes: 0, reader: this.#newReader() });
    this.engine.opened(line.peer, this.now, this);
  }

  protected any(): Line {
    return this.lines.get(this.chance.pick(this.peers))!;
  }

  /** Bytes come from a connection that is read; a stranger's open one. */
  protected hear(bytes: Uint8Array, line = this.any()): void {
    if (!line.isOpen) this.open(line);
    for (let start = 0; start < bytes.length;) {
      if (!line.isOpen || !line.isRead) return;
      const length = 1 + this.chance.whole(this.chance.pick([3, 100, 9_000]));
      this.receive(bytes.subarray(start, start += length), line.peer);
      if (this.chance.is(0.2)) this.now += this.chance.below(30);
      if (this.engine.nextDeadline() <= this.now) this.advance();
    }
  }

  // ---- what happens

  protected readonly streamActions = {
    say: (): void => this.hear(messageOf(this.chance, this.chance.below(60)).encode()),
    part: (): void => this.hear(partOf(this.chance)),
    framed: (): void => {
      const message = messageOf(this.chance, 20);
      if (this.chance.is(0.3)) message.setBody(this.chance.noise(20));
      const offer = this.chance.is(0.5) ? utf8(`$${"|".repeat(OFFER_BARS)}%hi`) : new Uint8Array(0);
      this.hear(joined(offer, SWITCH as Uint8Array, encodeFrame(message)));
    },
    frame: (): void => this.hear(encodeFrame(messageOf(this.chance, 9))),
    mutated: (): void => this.hear(this.chance.mutated(partOf(this.chance))),
    noise: (): void => this.hear(this.chance.noise()),
    burst: (): void => {
      const line = this.any();
      const message = new NetworkMessage("x".repeat(this.chance.below(900))).encode();
      for (let count = 0; count < 40; count++) this.hear(message, line);
    },
    headers: (): void => this.hear(manyHeaders(this.chance)),
    beginning: (): void => this.hear(utf8(`$a:${"1".repeat(this.chance.below(90_000))}`)),
    open: (): void => {
      const line = this.any();
      if (!line.isOpen) this.open(line);
    },
    // More than are let in at once in all.
    connections: (): void => {
      for (let count = this.chance.is(0.1) ? 5_000 : 0; count > 0; count--) {
        const line = this.any();
        if (line.isOpen) this.engine.ended(line.peer, "reset", this.now, this);
        else this.open(line);
        line.isOpen &&= this.engine.remembers(line.peer);
      }
    },
    end: (): void => {
      const line = this.any();
      if (!line.isOpen) return;
      // What is said during the call still leaves, if it can; behind it the connection is over.
      this.engine.ended(line.peer, this.chance.pick(["closed", "reset"]), this.now, this);
      line.isOpen = false;
    },
    taken: (): void => {
      for (const line of this.lines.values()) line.unsentBytes = 0;
    },
  };

  /** Who was sent away is told of as soon as the host asks. */
  protected override drain(): void {
    if (this.engine.nextDeadline() <= this.now) this.advance();
    if (this.now < this.stuckUntil) return;
    for (const line of this.lines.values()) {
      if (this.chance.is(0.8)) line.unsentBytes = 0;
    }
  }

  // ---- what the engine says

  #lineOf(peer: Peer, what: string): Line {
    const line = this.lines.get(peer)!;
    assert(line.isOpen, `${what}: ${peer.address} is over`);
    return line;
  }

  send(peer: Peer, bytes: Uint8Array): void {
    const line = this.#lineOf(peer, "send");
    line.unsentBytes += bytes.length;
    this.saw("sent", bytes);
    line.reader.push(bytes, 0);
    line.reader.finish();
    for (let next; (next = line.reader.next());) {
      assert(next.kind !== "refused", "what was sent cannot be read");
    }
  }

  unsentBytes(peer: Peer): number {
    return this.lines.get(peer)!.unsentBytes;
  }

  setReading(peer: Peer, isReading: boolean): void {
    const line = this.#lineOf(peer, "setReading");
    assert(line.isRead !== isReading, `${peer.address} is read, or not, already`);
    line.isRead = isReading;
    this.saw(isReading ? "read" : "not read");
  }

  close(peer: Peer): void {
    this.#lineOf(peer, "close").isOpen = false;
    this.saw("closed");
  }

  emit(event: Event): void {
    this.saw(nameOf(event));
    this.onEvent(event);
  }

  protected abstract onEvent(event: Event): void;
}
