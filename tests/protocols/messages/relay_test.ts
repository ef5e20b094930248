import { assert, assertEquals } from "@std/assert";
import type { Peer, StreamEngine, StreamOutbox } from "../../../lib/protocols/engine.ts";
import {
  createMessageClient,
  type MessageClientEngine,
  type MessageClientEngineOptions,
  type MessageClientEvent,
} from "../../../lib/protocols/messages/client.ts";
import { decodeFrame, LENGTH_BYTES } from "../../../lib/protocols/messages/frame.ts";
import { NetworkMessage } from "../../../lib/protocols/messages/message.ts";
import { createMessageRelay } from "../../../lib/protocols/messages/relay.ts";
import type {
  MessageServerEngine,
  MessageServerEngineOptions,
  MessageServerEvent,
} from "../../../lib/protocols/messages/server.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { StreamPlay, StreamRecorder } from "../../support/stream_recorder.ts";

const utf8 = new TextEncoder();
const ADA = "198.51.100.1:1";
const BEN = "198.51.100.2:1";
const CYD = "203.0.113.1:1";
/** As the original's example answers, recorded. */
const HANDSHAKE_REPLY = "$handshake:example|%Hello from the server!";
const OFFER = "$|||||||%hi";

/** A relay and what happens to it. */
class Room {
  readonly relay: MessageServerEngine;
  readonly play: StreamPlay<MessageServerEvent>;

  constructor(options: MessageServerEngineOptions = {}) {
    this.relay = createMessageRelay(options);
    this.play = new StreamPlay(this.relay);
  }

  /** Three who were heard and told of. */
  static ofThree(options: MessageServerEngineOptions = {}): [Room, Peer, Peer, Peer] {
    const room = new Room(options);
    const [ada, ben, cyd] = [ADA, BEN, CYD].map(peerAt) as [Peer, Peer, Peer];
    room.play.open(ada, ben, cyd);
    room.takeEvents();
    return [room, ada, ben, cyd];
  }

  receive(text: string | Uint8Array, from: Peer): void {
    this.play.receive(typeof text === "string" ? utf8.encode(text) : text, from);
  }

  /** What one peer was sent, as text; frames, as the texts of their messages. */
  takeTo(peer: Peer): string[] {
    return this.play.out.takeSentTo(peer).map((bytes) => {
      if (bytes[0] === 0xff) return "switch";
      const frame = bytes[0] === 0 ? decodeFrame(bytes.subarray(LENGTH_BYTES))! : undefined;
      return frame?.binary ? `${frame.binary}` : new TextDecoder().decode(frame?.encode() ?? bytes);
    });
  }

  takeEvents(): string[] {
    return this.play.out.takeEvents().map((event) => {
      const { kind, peer } = event;
      if (kind === "connected") return `connected ${peer.address}`;
      if (kind === "message") return `message ${peer.address} ${event.message.body}`;
      return `${kind} ${peer.address} ${event.reason}`;
    });
  }
}

// ---- what is passed on

Deno.test("createMessageRelay() passes a message on to everyone else", () => {
  const [room, ada, ben, cyd] = Room.ofThree();
  room.receive("$%hello", ada);
  assertEquals([ada, ben, cyd].map((peer) => room.takeTo(peer)), [[], ["$%hello"], ["$%hello"]]);
  assertEquals(room.takeEvents(), [`message ${ADA} hello`]);
  room.play.end(ben, "closed");
  room.play.wait(20);
  room.receive("$%again", cyd);
  assertEquals([ada, ben, cyd].map((peer) => room.takeTo(peer)), [["$%again"], [], []]);
});

Deno.test("createMessageRelay() keeps headers, their order and what is special in text", () => {
  const texts = [
    "$",
    "$b:2|a:1|b:3|%50% off % 100%",
    "$at:12:30:45|:|:empty name|k:|%x:y|z",
    "$a:$5|%costs $5, or 10%",
    "$%",
    "$%line1\nline2\r\n\0é€😀",
  ].slice(1);
  const [room, ada, ben] = Room.ofThree();
  for (const text of texts) {
    room.receive(text, ada);
    room.play.wait(20);
    assertEquals(room.takeTo(ben), [text]);
  }
});

Deno.test("createMessageRelay() writes in canonical form what it read in another", () => {
  const [room, ada, ben] = Room.ofThree();
  const pairs = [
    ["hello", "$%hello"],
    ["$bare|%x", "$bare:|%x"],
    ["$a:1%x", "$a:1|%x"],
    ["$||a:1|||b|%x", "$a:1|b:|%x"],
    [OFFER, "$%hi"],
  ] as const;
  for (const [read, written] of pairs) {
    room.receive(read, ada);
    room.play.wait(20);
    assertEquals(room.takeTo(ben), [written], read);
  }
});

Deno.test("createMessageRelay() answers a handshake as the original's example, and passes it on", () => {
  for (const hello of ["$handshake:|%Hello server!", "$a:1|handshake|%Hello server!"]) {
    const [room, ada, ben, cyd] = Room.ofThree();
    room.receive(hello, ada);
    const passedOn = hello.replace("handshake|", "handshake:|");
    assertEquals(room.takeTo(ada), [HANDSHAKE_REPLY]);
    assertEquals([room.takeTo(ben), room.takeTo(cyd)], [[passedOn], [passedOn]]);
    assertEquals(room.takeEvents(), [`message ${ADA} Hello server!`]);
    for (const other of ["$Handshake:|%x", "$hand:shake|%handshake", "$%handshake:|"]) {
      room.receive(other, ada);
      room.play.wait(100);
      assertEquals(room.takeTo(ada), []);
    }
  }
});

Deno.test("createMessageRelay() answers a handshake of one who is alone", () => {
  const [room, ada] = [new Room(), peerAt(ADA)];
  room.play.open(ada);
  room.receive("$handshake:|%", ada);
  assertEquals(room.takeTo(ada), [HANDSHAKE_REPLY]);
});

Deno.test("createMessageRelay() answers a handshake in the form the client offered", () => {
  const [room, ada] = [new Room(), peerAt(ADA)];
  room.play.open(ada);
  room.receive("$|||||||handshake:|%", ada);
  assertEquals(room.takeTo(ada), ["switch", HANDSHAKE_REPLY]);
});

Deno.test("createMessageRelay() keeps the order in which messages came, for everyone", () => {
  const [room, ada, ben, cyd] = Room.ofThree();
  for (let count = 0; count < 100; count++) room.receive(`$%${count}`, count % 3 ? ada : ben);
  room.play.wait(2_000);
  const all = Array.from({ length: 100 }, (_, count) => `$%${count}`);
  assertEquals(room.takeTo(cyd), all);
  assertEquals(room.takeTo(ben), all.filter((_, count) => count % 3));
});

// ---- what cannot be passed on

Deno.test("createMessageRelay() reports what it cannot write, and harms nobody", () => {
  const [room, ada, ben, cyd] = Room.ofThree();
  room.receive("$a$b:1|%x", ada);
  assertEquals(room.takeEvents(), [`message ${ADA} x`, `refused ${ADA} unsendable`]);
  assertEquals([room.play.out.sent, room.relay.size], [[], 3]);
  room.receive(OFFER, ben);
  room.play.out.takeSent();
  room.takeEvents();
  room.receive("$a$b:1|%x", ada); // A frame has no form for it either.
  assertEquals(room.takeEvents(), [`message ${ADA} x`, `refused ${ADA} unsendable`]);
  assertEquals(room.play.out.sent, []);
  room.play.wait(20);
  room.receive("$%y", cyd);
  assertEquals([room.takeTo(ada), room.takeTo(ben)], [["$%y"], ["$%y"]]);
});

Deno.test("createMessageRelay() passes binary on to those who can read it, and says that others cannot", () => {
  const [room, ada, ben, cyd] = Room.ofThree();
  for (const peer of [ada, ben]) room.receive(OFFER, peer);
  room.play.wait(100);
  room.play.out.takeSent();
  room.takeEvents();
  room.receive(Uint8Array.of(0xff, 1, 0, 0, 0, 5, 1, 0, 0, 7, 8), ada);
  assertEquals([room.takeTo(ben), room.takeTo(cyd)], [["7,8"], []]);
  assertEquals(room.takeEvents(), [`message ${ADA} `, `refused ${ADA} unsendable`]);
  room.play.end(cyd, "closed");
  room.takeEvents();
  room.receive(Uint8Array.of(0, 0, 0, 5, 1, 0, 0, 7, 9), ada);
  assertEquals([room.takeTo(ben), room.takeEvents()], [["7,9"], [`message ${ADA} `]]);
});

Deno.test("createMessageRelay() reports what it cannot write also when somebody is slow", () => {
  const [room, ada, ben] = Room.ofThree();
  for (const peer of [ada, ben]) room.receive(OFFER, peer);
  room.play.wait(100);
  room.play.out.setUnsentBytes(ben, 16 * 2 ** 20);
  room.takeEvents();
  room.receive(Uint8Array.of(0xff, 1, 0, 0, 0, 5, 1, 0, 0, 7, 8), ada);
  const refused = room.takeEvents().filter((line) => line.startsWith("refused"));
  assertEquals(refused, [`refused ${ADA} unsendable`]);
});

Deno.test("createMessageRelay() sends away who is slow, and passes on to everyone else", () => {
  const [room, ada, ben, cyd] = Room.ofThree({ queueBytesMax: 1_000 });
  room.play.out.setUnsentBytes(ben, 4_000);
  room.receive("$handshake:|%x", ada);
  assertEquals(room.takeTo(cyd), ["$handshake:|%x"]);
  assertEquals(room.takeEvents(), [`message ${ADA} x`, `disconnected ${BEN} slow`]);
  // One whose own answer finds no room: what it said is passed on all the same.
  room.play.out.setUnsentBytes(ada, 4_000);
  room.play.wait(20);
  room.receive("$handshake:|%y", ada);
  assertEquals(room.takeTo(cyd), ["$handshake:|%y"]);
  assertEquals(room.takeEvents(), [`message ${ADA} y`, `disconnected ${ADA} slow`]);
  assertEquals([[...room.relay.clients], room.play.out.afterEnd], [[cyd], []]);
});

Deno.test("createMessageRelay() passes on what a client said last", () => {
  const [room, ada, ben] = Room.ofThree();
  room.play.receiveMore(utf8.encode("$%bye"), ada);
  room.play.end(ada, "reset");
  assertEquals(room.takeTo(ben), ["$%bye"]);
  assertEquals(room.takeEvents(), [`message ${ADA} bye`, `disconnected ${ADA} reset`]);
});

Deno.test("createMessageRelay() takes the options of a server", () => {
  const room = new Room({ connectionsMax: 1, idleMs: 1_000, framing: "never" });
  const [ada, ben] = [ADA, BEN].map(peerAt) as [Peer, Peer];
  room.play.open(ada, ben);
  room.receive(OFFER, ada);
  room.play.wait(1_000);
  const ends = [`refused ${BEN} full`, `message ${ADA} hi`, `disconnected ${ADA} idle`];
  assertEquals(room.takeEvents().slice(1), ends);
  assertEquals(room.play.out.sent, []);
});

// ---- netsync at both ends

/** A relay with clients around it; what is written arrives later, cut and joined at random. */
class Town {
  now: number;
  readonly relay: MessageServerEngine;
  readonly out: StreamRecorder<MessageServerEvent>;
  readonly #random: () => number;
  readonly #pipes: { at: number; deliver: () => void }[] = [];
  readonly #engines: { engine: StreamEngine<never>; out: StreamOutbox<never> }[] = [];

  constructor(seed: number, options: MessageServerEngineOptions = {}) {
    this.#random = seededRandom(seed);
    this.now = 1e6 * this.#random();
    this.relay = createMessageRelay(options);
    this.out = new StreamRecorder();
    this.#engines.push({ engine: this.relay as never, out: this.out as never });
  }

  /** A netsync client; what it sends and hears can be seen. */
  join(address: string, options: MessageClientEngineOptions = {}): Citizen {
    const citizen = new Citizen(peerAt(address), options);
    this.#engines.push({ engine: citizen.client as never, out: citizen.out as never });
    this.#carry(citizen.out, citizen.server, (bytes) => {
      citizen.written.push(bytes);
      this.relay.receive(bytes, citizen.here, this.now, this.out);
    });
    this.#carry(this.out, citizen.here, (bytes) => {
      citizen.read.push(bytes);
      citizen.client.receive(bytes, citizen.server, this.now, citizen.out);
    });
    this.relay.opened(citizen.here, this.now, this.out);
    citizen.client.opened(citizen.server, this.now, citizen.out);
    return citizen;
  }

  /** Time passes. */
  wait(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const due = this.#engines.map(({ engine }) => engine.nextDeadline());
      const arrival = Math.min(...this.#pipes.map(({ at }) => at));
      const next = Math.max(this.now, Math.min(arrival, ...due));
      if (next > until) break;
      this.now = next;
      for (const pipe of this.#pipes) if (pipe.at <= next) pipe.deliver();
      for (const { engine, out } of this.#engines) {
        if (engine.nextDeadline() > next) continue;
        engine.advance(next, out);
        assert(engine.nextDeadline() > next, `${engine.nextDeadline()} after advance(${next})`);
      }
    }
    this.now = until;
  }

  /** Moves what one end writes for a peer to the other. */
  #carry<Event>(from: StreamRecorder<Event>, to: Peer, take: (bytes: Uint8Array) => void): void {
    const random = this.#random;
    const waiting: { at: number; bytes: Uint8Array }[] = [];
    let last = 0;
    const send = from.send.bind(from);
    from.send = (peer, bytes): void => {
      if (peer !== to) return send(peer, bytes);
      for (let at = 0; at < bytes.length;) {
        // Text is in one segment, as all that ever worked; a frame may be cut anywhere.
        const isWhole = bytes[0] === 0x24 || random() < 0.7;
        const end = isWhole ? bytes.length : at + 1 + Math.floor(random() * bytes.length);
        last = Math.max(last, this.now + 1 + random() * 2);
        waiting.push({ at: last, bytes: bytes.slice(at, end) });
        at = end;
      }
    };
    const pipe = {
      get at(): number {
        return waiting[0]?.at ?? Infinity;
      },
      deliver: (): void => {
        while (waiting.length > 0 && waiting[0]!.at <= this.now) take(waiting.shift()!.bytes);
      },
    };
    this.#pipes.push(pipe);
  }
}

/** A client in a {@link Town}. */
class Citizen {
  readonly client: MessageClientEngine;
  readonly out = new StreamRecorder<MessageClientEvent>();
  /** What the relay knows it as, and what it knows the relay as. */
  readonly here: Peer;
  readonly server: Peer = peerAt("192.0.2.1:8080");
  /** Every piece that it sent, and was sent. */
  readonly written: Uint8Array[] = [];
  readonly read: Uint8Array[] = [];

  constructor(here: Peer, options: MessageClientEngineOptions) {
    this.here = here;
    this.client = createMessageClient(options);
  }

  send(message: NetworkMessage | string, now: number): void {
    const whole = typeof message === "string" ? new NetworkMessage(message) : message;
    const sent = this.client.send(whole, now, this.out);
    assert(sent.ok, JSON.stringify(sent));
  }

  takeHeard(): { headers: [string, string][]; body: string | Uint8Array }[] {
    return this.out.takeEvents().flatMap((event) => {
      if (event.kind === "disconnected") throw new Error(`disconnected: ${event.reason}`);
      if (event.kind === "connected") return [];
      const { headers, body, binary } = event.message;
      const pairs = headers.map(({ name, value }): [string, string] => [name, value]);
      return [{ headers: pairs, body: binary ?? body }];
    });
  }
}

Deno.test("createMessageRelay() and createMessageClient() frame from a client's first message on", () => {
  forEachSeed(20, (seed) => {
    const town = new Town(seed);
    const [ada, ben] = [town.join(ADA), town.join(BEN)];
    town.wait(10);
    assertEquals([ada.client.isFramed, town.relay.isFramed(ada.here)], [false, false]);
    ada.send(new NetworkMessage("one").addHeader("a", "1:2"), town.now);
    ben.send("two", town.now);
    town.wait(100);
    assert(ada.client.isFramed && ben.client.isFramed);
    assert(town.relay.isFramed(ada.here) && town.relay.isFramed(ben.here));
    // Both ways, at any speed, whatever it is.
    const bodies = ["$%", "50% off $a:1|%", Uint8Array.of(0xff, 0, 1), "x".repeat(5_000), ""];
    for (const body of bodies) ada.send(new NetworkMessage(body), town.now);
    for (const body of bodies) ben.send(new NetworkMessage(body), town.now);
    town.wait(100);
    const heardByAda = ada.takeHeard();
    const all = bodies.map((body) => ({ headers: [], body }));
    assertEquals(heardByAda.slice(-bodies.length), all as typeof heardByAda);
    assertEquals(ben.takeHeard(), [{ headers: [["a", "1:2"]], body: "one" }, ...all]);
    assertEquals(heardByAda[0]!.body, "two");
    assertEquals(town.out.afterEnd, []);
  });
});

Deno.test("createMessageRelay() and createMessageClient() lose nothing while they negotiate", () => {
  forEachSeed(50, (seed) => {
    const town = new Town(seed);
    const random = seededRandom(1_000 + seed);
    const citizens = [ADA, BEN, CYD].map((address) => town.join(address));
    const said: [from: number, text: string][] = [];
    for (let count = 0; count < 60; count++) {
      const from = Math.floor(random() * 3);
      // What looks like the beginning of another message is for frames alone.
      citizens[from]!.send(new NetworkMessage(`${from} ${count}% $5`), town.now);
      said.push([from, `${from} ${count}% $5`]);
      town.wait(random() < 0.5 ? 0 : random() * 15);
    }
    town.wait(5_000);
    for (const [index, citizen] of citizens.entries()) {
      const heard = citizen.takeHeard().map(({ body }) => body as string);
      for (const from of [0, 1, 2]) {
        const texts = said.filter(([speaker]) => speaker === from && speaker !== index);
        assertEquals(
          heard.filter((text) => text.startsWith(`${from} `)),
          texts.map(([, text]) => text),
        );
      }
    }
  });
});

Deno.test("createMessageRelay() sends a client that knows no frames nothing but canonical text", () => {
  forEachSeed(20, (seed) => {
    const town = new Town(seed);
    const random = seededRandom(seed);
    const plain = town.join(ADA, { framing: "never" });
    const others = [
      town.join(BEN),
      town.join(CYD, { framing: "always" }),
      town.join("203.0.113.2:1"),
    ];
    for (let count = 0; count < 40; count++) {
      const message = new NetworkMessage(["body", "é 50%", ""][count % 3]);
      if (random() < 0.5) message.addHeader("a", "1:2").addHeader("handshake");
      others[count % 3]!.send(message, town.now);
      if (random() < 0.3) {
        const binary = new NetworkMessage(Uint8Array.of(0xff, 1));
        others[1]!.send(binary, town.now);
      }
      if (random() < 0.3) plain.send("hello", town.now);
      town.wait(random() * 30);
    }
    town.wait(5_000);
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const text = plain.read.map((bytes) => decoder.decode(bytes, { stream: true })).join("");
    assert(/^(\$([^:|%$]*:[^|%]*\|)*%(body|é 50%|))*$/.test(text), text);
    assertEquals(plain.takeHeard().length, 40);
    assert(!new TextDecoder().decode(plain.written[0]).includes("||"));
  });
});
