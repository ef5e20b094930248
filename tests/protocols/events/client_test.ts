import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createEventClient,
  type EventClientEngine,
  type EventClientEngineOptions,
  type EventClientEvent,
} from "../../../lib/protocols/events/client.ts";
import type { EventFormat, Outgoing, Payload } from "../../../lib/protocols/events/format.ts";
import { jsonFormat } from "../../../lib/protocols/events/json.ts";
import { msgpackFormat } from "../../../lib/protocols/events/packed.ts";
import type { Random } from "../../../lib/parts/random.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import { testEngineContract } from "../engine_suite.ts";

const FORMATS: Record<string, EventFormat> = {
  JSON: jsonFormat(),
  MessagePack: msgpackFormat({ say: 4, state: 5 }),
};
const [V4, V6, STRANGER] = [
  ...["192.0.2.1:9999", "[2001:db8::1]:9999", "198.51.100.9:9999"].map(peerAt),
] as [Peer, Peer, Peer];

/** A client that begins to ask two addresses of its server, and its time. */
class Seat {
  readonly format: EventFormat;
  readonly client: EventClientEngine;
  readonly play: Play<EventClientEvent>;

  constructor(format: EventFormat, options: Partial<EventClientEngineOptions> = {}) {
    this.format = format;
    const times = { heartbeatMs: 10_000, silenceMs: 30_000 };
    this.client = createEventClient({ format, ...times, ...options });
    this.play = new Play(this.client);
    this.client.connect([V4, V6], 0, this.play.out);
  }

  hear(message: Outgoing, from = V4): void {
    this.play.receive(this.format.encode(message), from);
  }

  welcome(number = 1, sequence?: number, from = V4, server = 5): void {
    const numbered = sequence === undefined ? {} : { sequence };
    this.hear({ kind: "welcome", number, server, ...numbered }, from);
  }

  /** An event arrives; with a number it asks for an ack. */
  event(payload: Payload, sequence?: number): void {
    const numbered = sequence === undefined ? {} : { sequence };
    this.hear({ kind: "event", name: "say", payload, ...numbered });
  }

  takeSaid(): string[] {
    return this.play.out.takeSent().map(({ to, bytes }) => {
      const message = this.format.decode(bytes);
      const receiver = to === V4 ? "v4" : to === V6 ? "v6" : to.address;
      const what = message.kind === "ack"
        ? ` ${message.sequences}`
        : message.kind === "event"
        ? ` ${message.name} ${JSON.stringify(message.payload)}`
        : "";
      return `${message.kind}${what} > ${receiver}`;
    });
  }

  takeEvents(): string[] {
    return this.play.out.takeEvents().map((event) => {
      switch (event.kind) {
        case "connected":
          return `connected ${event.number}`;
        case "disconnected":
          return "disconnected";
        case "event":
          return `${event.name} ${JSON.stringify(event.payload)}`;
        case "refused":
          return `refused ${event.reason}`;
      }
    });
  }
}

/** One that was welcomed. */
function seated(format: EventFormat, options: Partial<EventClientEngineOptions> = {}): Seat {
  const seat = new Seat(format, options);
  seat.welcome(1, 100);
  seat.takeSaid();
  seat.takeEvents();
  return seat;
}

/** Registers a test for each format. */
function test(name: string, body: (format: EventFormat) => void): void {
  for (const [label, format] of Object.entries(FORMATS)) {
    Deno.test(`createEventClient() ${name}, in ${label}`, () => body(format));
  }
}

// ---- coming

test("asks one address after the other, then all every second, until one welcomes it", (format) => {
  const seat = new Seat(format);
  assertEquals(seat.takeSaid(), ["join > v4"]);
  seat.play.wait(250);
  assertEquals(seat.takeSaid(), ["join > v6"]);
  seat.play.wait(999);
  assertEquals([seat.takeSaid(), seat.client.number], [[], undefined]);
  seat.play.wait(1);
  assertEquals(seat.takeSaid(), ["join > v4", "join > v6"]);
  seat.welcome(7, 3, V6);
  assertEquals([seat.takeSaid(), seat.takeEvents()], [["ack 3 > v6"], ["connected 7"]]);
  assertEquals(seat.client.number, 7);
  seat.play.wait(9_999);
  assertEquals(seat.takeSaid(), []);
});

test("takes a welcome that asks for no ack", (format) => {
  const seat = new Seat(format);
  seat.takeSaid();
  seat.welcome(0);
  assertEquals([seat.takeSaid(), seat.takeEvents()], [[], ["connected 0"]]);
});

test("hears only the address that welcomed it first", (format) => {
  const seat = new Seat(format);
  seat.takeSaid();
  seat.welcome(1, 5, V6);
  seat.welcome(2, 6, V4);
  seat.welcome(3, 7, STRANGER);
  assertEquals(seat.takeEvents(), ["connected 1", "refused stranger", "refused stranger"]);
  assertEquals([seat.takeSaid(), seat.client.number], [["ack 5 > v6"], 1]);
  assert(seat.client.remembers(V4) && seat.client.remembers(V6));
  assert(!seat.client.remembers(STRANGER));
});

test("neither hears nor acks events before the welcome", (format) => {
  const seat = new Seat(format);
  seat.takeSaid();
  seat.event("early");
  seat.event("early", 5);
  seat.hear({ kind: "heartbeat" });
  assertEquals([seat.takeEvents(), seat.takeSaid(), seat.client.number], [[], [], undefined]);
  seat.welcome(1, 4);
  seat.event("again", 5);
  assertEquals(seat.takeEvents(), ["connected 1", 'say "again"']);
});

test("says events only while there is a connection", (format) => {
  const seat = new Seat(format);
  seat.takeSaid();
  const { client, play } = seat;
  client.send("say", "lost", play.now, play.out);
  assertEquals(seat.takeSaid(), []);
  seat.welcome();
  client.send("say", ["heard"], play.now, play.out);
  assertEquals(seat.takeSaid(), ['event say ["heard"] > v4']);
  const bad: [string, unknown, ErrorConstructor | RangeErrorConstructor][] = [
    ["say", undefined, TypeError],
    ["ack", [1], TypeError],
    ["say", "x".repeat(9_000), RangeError],
  ];
  for (const [name, payload, kind] of bad) {
    assertThrows(() => client.send(name, payload as Payload, play.now, play.out), kind);
  }
  assertEquals(seat.takeSaid(), []);
});

test("says that it is there when it said nothing else for 10 s", (format) => {
  const seat = seated(format, { silenceMs: Infinity });
  seat.play.wait(6_000);
  seat.client.send("say", 1, seat.play.now, seat.play.out);
  seat.play.wait(6_000);
  seat.event("an ack counts", 5);
  assertEquals(seat.takeSaid().length, 2);
  seat.play.wait(9_999);
  assertEquals(seat.takeSaid(), []);
  seat.play.wait(1);
  assertEquals(seat.takeSaid(), ["heartbeat > v4"]);
  const quick = seated(format, { heartbeatMs: 500 });
  quick.play.wait(1_000);
  assertEquals(quick.takeSaid(), ["heartbeat > v4", "heartbeat > v4"]);
});

test("says every 2 s that it is there, and waits 10 s, unless it is told otherwise", (format) => {
  const seat = seated(format, { heartbeatMs: undefined, silenceMs: undefined });
  seat.play.wait(9_999);
  assertEquals([seat.takeSaid(), seat.takeEvents()], [Array(4).fill("heartbeat > v4"), []]);
  seat.play.wait(1);
  assertEquals(seat.takeEvents(), ["disconnected"]);
});

// ---- what has to arrive

test("acks every copy of a reliable event, and tells of it once", (format) => {
  const seat = seated(format);
  for (let copies = 0; copies < 3; copies++) seat.event("once", 101);
  seat.event("other", 102);
  seat.event("once", 101);
  const acks = [101, 101, 101, 102, 101].map((sequence) => `ack ${sequence} > v4`);
  assertEquals(seat.takeSaid(), acks);
  assertEquals(seat.takeEvents(), ['say "once"', 'say "other"']);
});

test("tells of every copy of an event that asks for no ack", (format) => {
  const seat = seated(format);
  for (let copies = 0; copies < 3; copies++) seat.event(copies);
  assertEquals([seat.takeEvents(), seat.takeSaid()], [["say 0", "say 1", "say 2"], []]);
});

test("tells once of what comes again after thousands of others", (format) => {
  const seat = seated(format);
  for (let sequence = 0; sequence < 5_000; sequence++) seat.event(sequence, sequence);
  assertEquals(seat.takeEvents().length, 5_000);
  for (let sequence = 0; sequence < 5_000; sequence++) seat.event(sequence, sequence);
  assertEquals(seat.takeEvents(), []);
});

test("tells of something else that bears an old number", (format) => {
  const seat = seated(format);
  for (let round = 0; round < 3; round++) {
    for (let sequence = 0; sequence <= 10_000; sequence++) {
      if (sequence !== 77) seat.event(round, sequence); // Still on its way all the time.
    }
    assertEquals(seat.takeEvents().length, 10_000);
  }
});

// ---- welcomes

test("takes the same welcome once more for a copy", (format) => {
  const seat = seated(format);
  seat.event("once", 101);
  seat.takeEvents();
  seat.takeSaid();
  seat.welcome(1, 100);
  seat.event("once", 101);
  assertEquals([seat.takeEvents(), seat.takeSaid()], [[], ["ack 100 > v4", "ack 101 > v4"]]);
});

test("begins anew with another welcome: the server forgot it, or started anew", (format) => {
  for (const [number, server] of [[2, 5], [1, 6], [2, 6]] as const) {
    const seat = seated(format);
    seat.event("before", 101);
    seat.welcome(number, 100, V4, server);
    seat.event("after", 101);
    assertEquals(seat.takeEvents(), ['say "before"', `connected ${number}`, 'say "after"']);
    assertEquals(seat.client.number, number);
  }
});

test("is welcomed once more by its server without a new beginning", (format) => {
  const seat = seated(format);
  seat.event("once", 101);
  seat.welcome(1, 99);
  seat.event("once", 101);
  assertEquals(seat.takeEvents(), ['say "once"']);
});

// ---- going

test("asks again when the server was silent for 30 s, and hears whoever answers", (format) => {
  const seat = seated(format);
  seat.play.wait(20_000);
  seat.hear({ kind: "heartbeat" });
  seat.play.wait(29_999);
  assertEquals(seat.takeEvents(), []);
  seat.takeSaid();
  seat.play.wait(1);
  assertEquals([seat.takeEvents(), seat.client.number], [["disconnected"], undefined]);
  assertEquals(seat.takeSaid(), ["join > v4"]);
  seat.client.send("say", "lost", seat.play.now, seat.play.out);
  assertEquals(seat.takeSaid(), []);
  seat.play.wait(5_000);
  assertEquals(seat.takeEvents(), [], "it is told once");
  seat.takeSaid();
  seat.welcome(1, 100, V6);
  assertEquals([seat.takeEvents(), seat.takeSaid()], [["connected 1"], ["ack 100 > v6"]]);
});

test("hears a sign of life in everything sensible, and in nothing else", (format) => {
  const alive: Outgoing[] = [
    { kind: "heartbeat" },
    { kind: "welcome", number: 1, server: 5, sequence: 100 },
    { kind: "event", name: "say", payload: 1 },
    { kind: "event", name: "say", payload: 1, sequence: 7 },
  ];
  const none: Outgoing[] = [{ kind: "join" }, { kind: "ack", sequences: [1] }];
  for (const message of [...alive, ...none]) {
    const seat = seated(format);
    seat.play.wait(29_999);
    seat.hear(message);
    if (message.kind === "event") seat.play.out.takeEvents();
    seat.play.wait(1);
    const isLost = none.includes(message);
    const told = isLost ? ["refused event", "disconnected"] : [];
    assertEquals(seat.takeEvents(), told, JSON.stringify(message));
  }
});

test("refuses junk and what only clients say", (format) => {
  const seat = seated(format);
  const junk = new TextEncoder().encode("junk");
  for (const bytes of [junk, new Uint8Array(0), new Uint8Array(8_193)]) {
    seat.play.receive(bytes, V4);
  }
  seat.hear({ kind: "join" });
  seat.hear({ kind: "ack", sequences: [1] });
  seat.play.receive(junk, STRANGER);
  assertEquals(seat.takeEvents(), [
    "refused syntax",
    "refused syntax",
    "refused oversize",
    "refused event",
    "refused event",
    "refused stranger",
  ]);
  assertEquals(seat.takeSaid(), []);
});

test("begins anew when it is told to connect elsewhere", (format) => {
  const seat = seated(format);
  seat.event("before", 101);
  seat.takeEvents();
  seat.takeSaid();
  const { client, play } = seat;
  client.connect([STRANGER], play.now, play.out);
  assertEquals([client.number, seat.takeSaid()], [undefined, ["join > 198.51.100.9:9999"]]);
  seat.event("late", 102);
  seat.welcome(1, 100, STRANGER);
  seat.hear({ kind: "event", name: "say", payload: "new", sequence: 101 }, STRANGER);
  assertEquals(seat.takeEvents(), ["refused stranger", "connected 1", 'say "new"']);
});

// ---- the program answers at once

test("takes what is said when something is heard", (format) => {
  const seat = new Seat(format);
  seat.takeSaid();
  const { client, play } = seat;
  play.out.emit = (event): void => {
    if (event.kind === "connected" || event.kind === "event") {
      client.send("say", event.kind, play.now, play.out);
    }
    if (event.kind === "disconnected") client.connect([STRANGER], play.now, play.out);
  };
  seat.welcome(1, 100);
  seat.event(1, 101);
  assertEquals(seat.takeSaid(), [
    "ack 100 > v4",
    'event say "connected" > v4',
    "ack 101 > v4",
    'event say "event" > v4',
  ]);
  play.wait(30_500);
  assertEquals(seat.takeSaid().at(-1), "join > 198.51.100.9:9999");
  assert(!client.remembers(V4));
});

// ---- the contract of all engines

for (const [label, format] of Object.entries(FORMATS)) {
  const peers = Array.from({ length: 4 }, (_, index) => peerAt(`192.0.2.${index}:${index}`));
  const datagram = (random: Random): Uint8Array => format.encode(anyMessage(random));

  testEngineContract(`createEventClient() in ${label}`, () => {
    const engine = createEventClient({ format });
    const servers = peers.slice(0, 2);
    return {
      engine,
      datagram,
      peers,
      begin: (now, out) => engine.connect(servers, now, out),
      checkLimits(): void {
        for (const peer of peers) {
          assert(engine.remembers(peer) === servers.includes(peer), "only servers are remembered");
        }
      },
      endsInSilence: false,
    };
  });

  testEngineContract(`createEventClient() before connect() in ${label}`, () => ({
    engine: createEventClient({ format }),
    datagram,
    peers,
    checkLimits(): void {},
    endsInSilence: true,
  }));
}

function anyMessage(random: Random): Outgoing {
  const kind = random();
  const sequence = Math.floor(random() * 20);
  if (kind < 0.3) return { kind: "welcome", number: Math.floor(random() * 3), server: 5, sequence };
  if (kind < 0.4) return { kind: "heartbeat" };
  const numbered = kind < 0.7 ? { sequence } : {};
  return { kind: "event", name: "say", payload: { a: [random(), "é"] }, ...numbered };
}

test("takes what a server repeats once, also when it lost that server for a while", (format) => {
  const seat = seated(format, { silenceMs: 5_000 });
  seat.event("boo", 101);
  assertEquals([seat.takeSaid(), seat.takeEvents()], [["ack 101 > v4"], ['say "boo"']]);
  // The ack is lost, and nothing comes through: but the server has not noticed, and knows it still.
  seat.play.wait(5_000);
  assertEquals(seat.takeEvents(), ["disconnected"]);
  seat.welcome(1, 102);
  seat.takeSaid();
  seat.event("boo", 101);
  assertEquals([seat.takeSaid(), seat.takeEvents()], [["ack 101 > v4"], ["connected 1"]]);
  // Of another server, or to another player, it is news.
  seat.welcome(2, 103);
  seat.event("boo", 101);
  assertEquals(seat.takeEvents(), ["connected 2", 'say "boo"']);
});
