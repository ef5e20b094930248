import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  type EventFormat,
  type Incoming,
  type Outgoing,
  type Payload,
  RESERVED_NAMES,
} from "../../../lib/protocols/events/format.ts";
import type { Client } from "../../../lib/protocols/events/hub.ts";
import { jsonFormat } from "../../../lib/protocols/events/json.ts";
import { msgpackFormat } from "../../../lib/protocols/events/packed.ts";
import {
  createEventServer,
  type EventServerEngine,
  type EventServerEngineOptions,
  type EventServerEvent,
} from "../../../lib/protocols/events/server.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import { testEngineContract } from "../engine_suite.ts";

const FORMATS: Record<string, EventFormat> = {
  JSON: jsonFormat(),
  MessagePack: msgpackFormat({ say: 4, state: 5 }),
};
const JOIN: Outgoing = { kind: "join" };
const HEARTBEAT: Outgoing = { kind: "heartbeat" };
const FIRST = 9_999;
/** What the server draws at first. */
const RANDOM = FIRST / 10_001 + 1e-9;
const SERVER = Math.floor(RANDOM * 2 ** 32);

function say(payload: Payload): Outgoing {
  return { kind: "event", name: "say", payload };
}

/** A server, and what happens to it. The numbers of every client begin with 9,999. */
class Table {
  readonly format: EventFormat;
  readonly server: EventServerEngine;
  readonly play: Play<EventServerEvent>;

  constructor(format: EventFormat, options: Partial<EventServerEngineOptions> = {}) {
    this.format = format;
    const random = (): number => RANDOM;
    this.server = createEventServer({ format, random, ...options });
    this.play = new Play(this.server);
  }

  receive(message: Outgoing | Uint8Array, from: Peer): void {
    const bytes = message instanceof Uint8Array ? message : this.format.encode(message);
    this.play.receive(bytes, from);
  }

  ack(from: Peer, ...sequences: number[]): void {
    this.receive({ kind: "ack", sequences }, from);
  }

  /** Lets somebody in who acks at once. */
  enter(peer: Peer): Client {
    this.receive(JOIN, peer);
    for (const message of this.takeTo(peer)) {
      if (message.kind === "welcome") this.ack(peer, message.sequence!);
    }
    const [event] = this.play.out.takeEvents();
    assert(event?.kind === "connected");
    return event.client;
  }

  send(client: Client, payload: Payload, reliable = false): void {
    this.server.send(client, "say", payload, this.play.now, this.play.out, { reliable });
  }

  takeTo(peer: Peer): Incoming[] {
    return this.play.out.takeSentTo(peer).map((bytes) => this.format.decode(bytes));
  }

  /** What the payloads of events to somebody were, with their numbers if they ask for an ack. */
  takePayloads(peer: Peer): Payload[] {
    return this.takeTo(peer).flatMap((message) =>
      message.kind === "event" ? [message.payload] : []
    );
  }

  takeEvents(): string[] {
    return this.play.out.takeEvents().map((event) => {
      if (event.kind === "refused") return `refused ${event.reason}`;
      const { kind, client: { number } } = event;
      if (kind === "event") return `${event.name} ${JSON.stringify(event.payload)} by ${number}`;
      return kind === "disconnected" ? `${kind} ${number} ${event.reason}` : `${kind} ${number}`;
    });
  }
}

const ADA = "198.51.100.1:1";
const BEN = "198.51.100.2:1";

/** Registers a test for each format. */
function test(name: string, body: (format: EventFormat) => void): void {
  for (const [label, format] of Object.entries(FORMATS)) {
    Deno.test(`createEventServer() ${name}, in ${label}`, () => body(format));
  }
}

// ---- coming and going

test("welcomes who joins, and is connected at its ack", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.receive(JOIN, ada);
  assertEquals(table.takeTo(ada), [{
    kind: "welcome",
    number: 1,
    server: SERVER,
    sequence: FIRST,
  }]);
  assertEquals([table.takeEvents(), table.server.clients.size], [[], 0]);
  table.ack(ada, FIRST);
  assertEquals([table.takeEvents(), table.server.clients.size], [["connected 1"], 1]);
  assertEquals(table.play.out.sent, []);
  table.play.wait(34_999);
  assert(table.server.remembers(ada));
  table.play.wait(1);
  assertEquals([table.takeEvents(), table.server.remembers(ada)], [
    ["disconnected 1 silent"],
    false,
  ]);
  assertEquals([table.server.clients.size, table.server.nextDeadline()], [0, Infinity]);
});

test("takes who sends an event for connected, and welcomes it", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.receive(say("hi"), ada);
  assertEquals(table.takeEvents(), ["connected 1", 'say "hi" by 1']);
  assertEquals(table.takeTo(ada), [{
    kind: "welcome",
    number: 1,
    server: SERVER,
    sequence: FIRST,
  }]);
  table.receive(say(2), ada);
  assertEquals(table.takeEvents(), ["say 2 by 1"]);
});

test("does not take who only says heartbeats for connected", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  for (let second = 0; second < 9; second++) {
    table.receive(HEARTBEAT, ada);
    table.play.wait(1_000);
  }
  assertEquals(table.takeTo(ada).map(({ kind }) => kind), ["welcome", "welcome", "welcome"]);
  table.play.wait(1_000);
  assertEquals([table.takeEvents(), table.server.remembers(ada)], [[], false]);
});

test("answers the heartbeats of clients", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.enter(ada);
  table.receive(HEARTBEAT, ada);
  assertEquals(table.takeTo(ada), [{ kind: "heartbeat", isAnswer: true }]);
});

test("forgets a client that it sends away, without a word", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  const client = table.enter(ada);
  table.send(client, "on its way", true);
  table.play.out.takeSent();
  for (let times = 0; times < 2; times++) {
    table.server.disconnect(client, table.play.now, table.play.out);
  }
  assertEquals(table.takeEvents(), ["disconnected 1 closed"]);
  assertEquals([table.play.out.sent, table.server.nextDeadline()], [[], Infinity]);
  table.send(client, "late");
  assertEquals(table.play.out.sent, []);
  assertEquals(table.enter(ada).number, 2);
});

test("counts clients by silence, places and networks as it is told", (format) => {
  const options = { silenceMs: 1_000, clientsMax: 2, clientsPerNetworkMax: 1 };
  const [table, ada, ben] = [new Table(format, options), peerAt(ADA), peerAt(BEN)];
  table.enter(ada);
  table.receive(JOIN, peerAt(ADA));
  assertEquals(table.takeEvents(), ["refused full-network"]);
  table.enter(ben);
  table.receive(JOIN, peerAt("203.0.113.1:1"));
  assertEquals(table.takeEvents(), ["refused full"]);
  table.play.wait(1_000);
  assertEquals(table.takeEvents(), ["disconnected 1 silent", "disconnected 2 silent"]);
});

test("has places for 512 clients, 64 of one network, and waits 35 s", (format) => {
  const table = new Table(format);
  for (let count = 0; count < 64; count++) table.enter(peerAt(`192.0.2.1:${5_000 + count}`));
  table.receive(JOIN, peerAt("192.0.2.1:1"));
  assertEquals(table.takeEvents(), ["refused full-network"]);
  for (let count = 64; count < 512; count++) table.enter(peerAt(`192.0.${count}.1:1`));
  table.receive(JOIN, peerAt(ADA));
  assertEquals(table.takeEvents(), ["refused full"]);
  table.play.wait(34_999);
  assertEquals(table.server.clients.size, 512);
  table.play.wait(1);
  assertEquals(table.server.clients.size, 0);
});

test("begins the numbers of a client anywhere from 0 to 10,000", (format) => {
  for (const [random, sequence] of [[0, 0], [0.5, 5_000], [1 - 2 ** -32, 10_000]] as const) {
    const [table, ada] = [new Table(format, { random: () => random }), peerAt(ADA)];
    table.receive(JOIN, ada);
    const server = Math.floor(random * 2 ** 32);
    assertEquals(table.takeTo(ada), [{ kind: "welcome", number: 1, server, sequence }]);
  }
});

test("numbers what it sends to each client alone", (format) => {
  const random = seededRandom(1);
  const [table, ada, ben] = [new Table(format, { random }), peerAt(ADA), peerAt(BEN)];
  const numbers = [ada, ben].map((peer) => {
    table.receive(JOIN, peer);
    const [welcome] = table.takeTo(peer);
    assert(welcome?.kind === "welcome");
    table.ack(peer, welcome.sequence!);
    return welcome.sequence!;
  });
  assert(numbers[0] !== numbers[1]);
  for (let count = 1; count <= 3; count++) {
    table.server.sendAll("say", count, 0, table.play.out, { reliable: true });
    for (const [index, peer] of [ada, ben].entries()) {
      const sequence = (numbers[index]! + count) % 10_001;
      assertEquals(table.takeTo(peer), [{ ...say(count), sequence } as Incoming]);
    }
  }
});

test("gives clients numbers that repeat after all others only", (format) => {
  // As many clients as divide the row of numbers: if they shared it, each would get few of them.
  const table = new Table(format, { clientsPerNetworkMax: 137 });
  const peers = Array.from({ length: 137 }, (_, index) => peerAt(`192.0.2.1:${1_000 + index}`));
  for (const peer of peers) table.enter(peer);
  const seen = new Set<number>();
  for (let count = 0; count < 200; count++) {
    table.server.sendAll("say", count, 0, table.play.out, { reliable: true });
    for (const { to, bytes } of table.play.out.takeSent()) {
      if (to !== peers[0]) continue;
      const message = format.decode(bytes) as Incoming & { kind: "event" };
      assert(!seen.has(message.sequence!), `number ${message.sequence} came again`);
      seen.add(message.sequence!);
      table.ack(to, message.sequence!);
    }
  }
  assertEquals(seen.size, 200);
});

// ---- refusals

test("refuses what says nothing, and makes nobody of it", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  const junk = new TextEncoder().encode("junk");
  for (const bytes of [junk, new Uint8Array(0), new Uint8Array(8_193)]) table.receive(bytes, ada);
  table.receive({ kind: "welcome", number: 1, server: SERVER, sequence: 0 }, ada);
  table.ack(ada, FIRST);
  assertEquals(table.takeEvents(), [
    "refused syntax",
    "refused syntax",
    "refused oversize",
    "refused event",
    "refused stranger",
  ]);
  assertEquals([table.play.out.sent, table.server.remembers(ada)], [[], false]);
});

test("takes junk of a client for no sign of life", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.enter(ada);
  table.play.wait(30_000);
  table.receive(new TextEncoder().encode("junk"), ada);
  table.receive({ kind: "welcome", number: 1, server: SERVER }, ada);
  table.play.wait(5_000);
  assertEquals(table.takeEvents().at(-1), "disconnected 1 silent");
});

test("takes no ack of anybody else", (format) => {
  const [table, ada, ben] = [new Table(format), peerAt(ADA), peerAt(BEN)];
  const client = table.enter(ada);
  table.enter(ben);
  table.send(client, "for ada", true);
  table.ack(ben, 10_000);
  table.play.wait(500);
  assertEquals(table.takePayloads(ada), ["for ada", "for ada"]);
  table.ack(ada, 10_000);
  table.play.wait(5_000);
  assertEquals(table.takePayloads(ada), []);
});

// ---- joining again

test("welcomes again who started anew on its address", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.enter(ada);
  table.play.wait(5_000);
  table.receive(JOIN, ada);
  assertEquals(table.takeTo(ada), [{
    kind: "welcome",
    number: 1,
    server: SERVER,
    sequence: 10_000,
  }]);
  assertEquals(table.takeEvents(), []);
});

test("welcomes nobody again for its first word, repeated or late", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.receive(JOIN, ada);
  table.receive(JOIN, ada);
  table.play.wait(400);
  table.ack(ada, FIRST);
  assertEquals(table.takeTo(ada).length, 1);
  for (const ms of [0, 1_000, 999]) {
    table.play.wait(ms);
    table.receive(JOIN, ada);
    assertEquals(table.takeTo(ada), []);
  }
  table.play.wait(1);
  table.receive(JOIN, ada);
  assertEquals(table.takeTo(ada).length, 1);
});

test("welcomes once more, not as often as somebody joins", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  const client = table.enter(ada);
  table.play.wait(5_000);
  for (let count = 0; count < 2_000; count++) table.receive(JOIN, ada);
  assertEquals(table.takeTo(ada).length, 1);
  for (let count = 0; count < 60; count++) table.send(client, count, true);
  table.play.wait(5_000);
  for (let count = 0; count < 2_000; count++) table.receive(JOIN, ada);
  const copies = table.takeTo(ada);
  assert(copies.length > 1 && copies.length < 10, `${copies.length} copies`);
  for (const copy of copies) {
    assertEquals(copy, { kind: "welcome", number: 1, server: SERVER, sequence: 10_000 });
  }
  table.ack(ada, 10_000);
  const rest = table.takeTo(ada).map(({ kind }) => kind);
  assertEquals(rest, Array(8).fill("event"), "no other welcome waited");
});

// ---- sending

test("sends an event once, or until it is acked", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  const client = table.enter(ada);
  table.send(client, "once");
  table.send(client, "surely", true);
  const surely: Incoming = { kind: "event", name: "say", payload: "surely", sequence: 10_000 };
  assertEquals(table.takeTo(ada), [{ kind: "event", name: "say", payload: "once" }, surely]);
  table.play.wait(1_500);
  assertEquals(table.takeTo(ada), [surely, surely]);
});

test("tells once whether something arrived", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  const client = table.enter(ada);
  const told: string[] = [];
  const send = (name: string): void =>
    table.server.send(client, "say", name, table.play.now, table.play.out, {
      reliable: true,
      settled: (arrived) => void told.push(`${name} ${arrived}`),
    });
  send("a");
  send("b");
  table.ack(ada, 10_000, 10_000);
  table.ack(ada, 10_000);
  assertEquals(told, ["a true"]);
  table.server.disconnect(client, table.play.now, table.play.out);
  send("c");
  table.play.wait(60_000);
  assertEquals(told, ["a true", "b false", "c false"]);
});

test("tells when something is given up to a client that is heard", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  const client = table.enter(ada);
  const told: boolean[] = [];
  const options = { reliable: true, settled: (arrived: boolean) => void told.push(arrived) };
  table.server.send(client, "say", 1, 0, table.play.out, options);
  for (let second = 0; second < 17; second++) {
    table.play.wait(1_000);
    table.receive(HEARTBEAT, ada);
  }
  assertEquals([table.takePayloads(ada).length, told], [10, []]);
  table.play.wait(500);
  assertEquals([table.takePayloads(ada), told], [[], [false]]);
});

test("sends nothing that has to arrive before the welcome did", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.receive(say(0), ada);
  const [client] = table.server.clients;
  for (let count = 0; count < 5; count++) table.send(client!, count, true);
  table.play.wait(3_000);
  assertEquals(table.takeTo(ada).map(({ kind }) => kind), ["welcome", "welcome", "welcome"]);
  table.ack(ada, FIRST);
  assertEquals(table.takePayloads(ada), [0, 1, 2, 3, 4]);
});

test("goes on without a welcome with who is heard, but acks nothing", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.receive(say(0), ada);
  const [client] = table.server.clients;
  for (let count = 0; count < 3; count++) table.send(client!, count, true);
  for (let second = 0; second < 17; second++) {
    table.play.wait(1_000);
    table.receive(HEARTBEAT, ada);
  }
  assertEquals(table.takePayloads(ada), []);
  table.play.wait(500);
  assertEquals(table.takePayloads(ada), [0, 1]);
});

test("sends what it was given, though it changed while it waited", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.receive(say(0), ada); // The welcome has to arrive before anything else.
  const [client] = table.server.clients;
  table.play.out.takeSent();
  const inner = [1];
  const payload = { list: inner, text: "as it was" };
  table.send(client!, "first", true);
  table.send(client!, payload, true);
  payload.text = "changed";
  for (let count = 0; count < 9_000; count++) inner.push(count); // Too long to be written.
  table.ack(ada, FIRST);
  assertEquals(table.takePayloads(ada), ["first", { list: [1], text: "as it was" }]);
});

test("sends to all but one", (format) => {
  const table = new Table(format);
  const peers = [ADA, BEN, "203.0.113.1:1"].map(peerAt);
  const clients = peers.map((peer) => table.enter(peer));
  table.receive(JOIN, peerAt("203.0.113.2:1"));
  table.play.out.takeSent();
  table.server.sendAll("say", 1, 0, table.play.out);
  assertEquals(table.play.out.sent.map(({ to }) => to), peers);
  table.play.out.takeSent();
  const options = { except: clients[1]!, reliable: true };
  table.server.sendAll("say", 2, 0, table.play.out, options);
  const sent = table.play.out.takeSent();
  assertEquals(sent.map(({ to }) => to), [peers[0]!, peers[2]!]);
  for (const { bytes } of sent) {
    assertEquals<unknown>(format.decode(bytes), { ...say(2), sequence: 10_000 });
  }
});

test("throws before anybody is sent what has no form", (format) => {
  const table = new Table(format);
  const client = table.enter(peerAt(ADA));
  table.enter(peerAt(BEN));
  const { server, play: { out } } = table;
  const bad: [string, unknown, ErrorConstructor | RangeErrorConstructor][] = [
    ["say", undefined, TypeError],
    ["say", { a: [undefined] }, TypeError],
    ["say", "x".repeat(9_000), RangeError],
    ...[...RESERVED_NAMES].map((name): [string, unknown, ErrorConstructor] => [name, 1, TypeError]),
  ];
  for (const [name, value, kind] of bad) {
    const payload = value as Payload;
    for (const reliable of [true, false]) {
      assertThrows(() => server.send(client, name, payload, 0, out, { reliable }), kind);
      assertThrows(() => server.sendAll(name, payload, 0, out, { reliable }), kind);
    }
  }
  assertEquals(out.sent, []);
});

test("throws at once for what is too long with a number only", (format) => {
  const table = new Table(format, { random: () => 0 });
  const client = table.enter(peerAt(ADA));
  const { server, play: { out } } = table;
  const around = format.encode(say("x".repeat(300))).length - 300;
  const payload = "x".repeat(8_192 - around);
  server.send(client, "say", payload, 0, out);
  assertEquals(out.takeSent().length, 1);
  for (const shorter of [0, 1]) {
    const text = payload.slice(shorter);
    assertThrows(() => server.send(client, "say", text, 0, out, { reliable: true }), RangeError);
  }
  assertEquals(out.sent, []);
});

test("sends a network that acked nothing 16,000 bytes at once, 2,000 a second then", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  table.receive(say(0), ada);
  const [client] = table.server.clients;
  table.play.out.takeSent();
  const payload = "x".repeat(980);
  const size = format.encode(say(payload)).length;
  for (let count = 0; count < 100; count++) table.send(client!, payload);
  assertEquals(table.takePayloads(ada).length, Math.floor(16_000 / size));
  table.server.sendAll("say", payload, table.play.now, table.play.out);
  assertEquals(table.takePayloads(ada).length, 0);
  for (let step = 0; step < 40; step++) {
    table.play.wait(100);
    table.send(client!, payload);
  }
  const sent = table.takePayloads(ada).length;
  assert(sent >= 7 && sent <= 9, `${sent} in 4 s`);
  table.ack(ada, FIRST);
  for (let count = 0; count < 100; count++) table.send(client!, payload);
  assertEquals(table.takePayloads(ada).length, 100);
});

test("answers a forged word with three welcomes at most", (format) => {
  for (const message of [JOIN, HEARTBEAT]) {
    const [table, victim] = [new Table(format), peerAt(ADA)];
    for (let count = 0; count < 99; count++) {
      table.receive(message, victim);
      table.play.wait(100);
    }
    const sent = table.play.out.takeSent().map(({ bytes }) => bytes);
    assertEquals(sent.length, 3);
    for (const bytes of sent) assertEquals(bytes, sent[0]);
    assertEquals(format.decode(sent[0]!), {
      kind: "welcome",
      number: 1,
      server: SERVER,
      sequence: FIRST,
    });
  }
});

// ---- the program answers at once

test("hears no more of who is sent away when it comes", (format) => {
  const [table, ada] = [new Table(format), peerAt(ADA)];
  const { out } = table.play;
  const emit = out.emit.bind(out);
  out.emit = (event): void => {
    emit(event);
    if (event.kind === "connected") table.server.disconnect(event.client, out.now, out);
  };
  table.receive(say("hi"), ada);
  assertEquals(table.takeEvents(), ["connected 1", "disconnected 1 closed"]);
  table.receive(JOIN, ada);
  table.ack(ada, FIRST);
  assertEquals(table.takeEvents(), ["connected 2", "disconnected 2 closed"]);
  assertEquals([table.server.clients.size, table.server.nextDeadline()], [0, Infinity]);
  assert(!table.server.remembers(ada));
});

test("takes what is sent when somebody comes, says something or goes", (format) => {
  const [table, ada, ben] = [new Table(format), peerAt(ADA), peerAt(BEN)];
  const { out } = table.play;
  out.emit = (event): void => {
    if (event.kind === "refused") return;
    table.server.sendAll("say", event.kind, out.now, out, { reliable: true });
    if (event.kind === "event") table.server.disconnect(event.client, out.now, out);
  };
  for (const peer of [ada, ben]) {
    table.receive(JOIN, peer);
    table.ack(peer, FIRST);
  }
  assertEquals([table.takePayloads(ada), table.takePayloads(ben)], [
    ["connected", "connected"],
    ["connected"],
  ]);
  table.receive(say(1), ada);
  assertEquals([table.takePayloads(ada), table.takePayloads(ben)], [
    ["event"],
    ["event", "disconnected"],
  ]);
  table.play.wait(100_000);
  assertEquals([table.server.clients.size, table.server.nextDeadline()], [0, Infinity]);
});

// ---- the contract of all engines

for (const [label, format] of Object.entries(FORMATS)) {
  testEngineContract(`createEventServer() in ${label}`, () => {
    const engine = createEventServer({
      format,
      clientsMax: 5,
      clientsPerNetworkMax: 4,
      random: seededRandom(1),
    });
    return {
      engine,
      membership: engine,
      datagram: (random) => format.encode(anyMessage(random)),
      peers: Array.from({ length: 12 }, (_, index) => peerAt(`192.0.2.${index % 3}:${index}`)),
      checkLimits: () => assert(engine.clients.size <= 5),
      endsInSilence: true,
    };
  });
}

function anyMessage(random: Random): Outgoing {
  const kind = random();
  if (kind < 0.3) return JOIN;
  if (kind < 0.5) return HEARTBEAT;
  if (kind < 0.7) return say({ a: [random(), "é"] });
  const sequences = Array.from({ length: 500 }, () => Math.floor(random() * 10_001));
  return { kind: "ack", sequences };
}
