import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createWorldClient,
  type WorldClientEngine,
  type WorldClientEngineOptions,
  type WorldClientEvent,
} from "../../../lib/protocols/world/client.ts";
import { decodePacket, encodeAck, encodeMessage } from "../../../lib/protocols/world/wire.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import { worldTranscripts, worldVectors } from "../../support/vectors.ts";

const SERVER = peerAt("192.0.2.1:25005");
const SECOND = peerAt("[2001:db8::1]:25005");
const FOREIGN = peerAt("192.0.2.9:25005");
const UNIVERSE = 48_213;

/** Where an object is, whole. */
function snap(id: number, time: number, x = 0, more: Record<string, unknown> = {}): unknown {
  const snapshot = [[0, 0, 0], [0, 0, 0], [1, 0, 0, 0], [x, 0, 0], 1];
  return { type: "snap", id, time, snapshot, universe: UNIVERSE, ...more };
}

function diff(time: number, diff: unknown, more: Record<string, unknown> = {}): unknown {
  return { type: "diff", time, diff, universe: UNIVERSE, ...more };
}

function remove(time: number, ...ids: number[]): unknown {
  return { type: "remove", time, ids, universe: UNIVERSE };
}

function heartbeat(tick: number, more: Record<string, unknown> = {}): unknown {
  return { type: "heartbeat", time: 99, tick, tickRate: 100, universe: UNIVERSE, ...more };
}

/** What the original says: no traits, no universe. */
function original(id: number, time: number, x = 0): unknown {
  return snap(id, time, x, { universe: undefined });
}

function assertAlmost(actual: number, expected: number, tolerance: number, what = ""): void {
  const isNear = Math.abs(actual - expected) <= tolerance;
  assert(isNear, `${actual} instead of ${expected} ${what}`);
}

/** A client, and what servers say to it. */
class Seat {
  readonly client: WorldClientEngine;
  readonly play: Play<WorldClientEvent>;
  #sequence = 0;

  constructor(options: Partial<WorldClientEngineOptions> = {}) {
    this.client = createWorldClient({ random: () => 0, ...options });
    this.play = new Play(this.client);
  }

  connect(...servers: Peer[]): this {
    this.client.connect(servers, this.play.now, this.play.out);
    return this;
  }

  /** Connects, is acked, hears of the server, and forgets what was said. */
  join(): this {
    this.connect(SERVER);
    this.hearBytes(encodeAck(0));
    this.hear(heartbeat(0));
    this.takeSaid();
    this.takeEvents();
    return this;
  }

  /** The server says something, under the next number. */
  hear(message: unknown, from = SERVER, sequence = this.#sequence++): void {
    const json = new TextEncoder().encode(JSON.stringify(message));
    this.hearBytes(encodeMessage(sequence % 65_536, json), from);
  }

  hearBytes(datagram: Uint8Array, from = SERVER): void {
    this.play.receive(datagram, from);
  }

  /** What it sent: `0 knock 5`, `250 ack 3`, `1000 ping 6`; to another than SERVER with the address. */
  takeSaid(): string[] {
    return this.play.out.takeSent().map(({ at, to, bytes }) => {
      const packet = decodePacket(bytes);
      assert(packet.kind !== "refused");
      const { type, diffs } = packet.kind === "message" ? packet.message : {};
      if (type === "knock") assertEquals(diffs, true);
      const kind = packet.kind === "ack" ? "ack" : type ?? "ping";
      return `${at} ${kind} ${packet.sequence}${to === SERVER ? "" : ` ${to.address}`}`;
    });
  }

  takeEvents(): string[] {
    return this.play.out.takeEvents().map((event) => {
      switch (event.kind) {
        case "spawned":
          assertEquals(event.traits.position.length, 3);
          return `spawned ${event.id}`;
        case "changed":
          assertEquals(event.traits.position.length, 3);
          return `changed ${event.id} ${JSON.stringify(event.changes)}`;
        case "removed":
          return `removed ${event.id}`;
        case "synced":
          return `synced ${event.objects}`;
        case "heartbeat":
          return `heartbeat ${event.unixSeconds}`;
        case "latency":
          return `latency ${event.roundTripMs}`;
        case "refused":
          return `refused ${event.reason}`;
        case "connected":
          return `connected ${event.server.address}`;
        case "disconnected":
        case "full":
          return event.kind;
      }
    });
  }

  get ids(): number[] {
    return [...this.client.objects.keys()];
  }

  xOf(id: number): number | undefined {
    return this.client.objects.get(id)?.position[0];
  }
}

// ---- knocking

Deno.test("createWorldClient() knocks at once and each second until the server tells of its world", () => {
  const seat = new Seat().connect(SERVER);
  seat.play.wait(2_500);
  assertEquals(seat.takeSaid(), ["0 knock 0", "1000 knock 1", "2000 knock 2"]);
  assertEquals(seat.takeEvents(), []);
  assert(!seat.client.isConnected);
  seat.hear(snap(3, 1, 5));
  assertEquals(seat.takeSaid(), ["2500 ack 0"]);
  assertEquals(seat.takeEvents(), [`connected ${SERVER.address}`, "spawned 3"]);
  assert(seat.client.isConnected);
  seat.play.wait(999);
  assertEquals(seat.takeSaid(), [], "it asks no more");
});

Deno.test("createWorldClient() connects by whatever the server tells of its world", () => {
  for (const message of [snap(1, 1), diff(1, {}), remove(1, 4), heartbeat(1)]) {
    const seat = new Seat().connect(SERVER);
    seat.hear(message);
    assertEquals(seat.takeEvents()[0], `connected ${SERVER.address}`, JSON.stringify(message));
    assertEquals(seat.client.heardAt, 0);
  }
});

Deno.test("createWorldClient() does not take ACKs for a sign that the server knows it", () => {
  const seat = new Seat().connect(SERVER);
  assertEquals(seat.client.heardAt, -Infinity);
  seat.play.wait(20);
  seat.hearBytes(encodeAck(0));
  assertEquals(seat.takeEvents(), ["latency 20"]);
  assert(!seat.client.isConnected);
  assertEquals(seat.client.heardAt, -Infinity);
  seat.takeSaid();
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid(), ["1000 knock 1"]);
});

Deno.test("createWorldClient() asks all addresses of a server and stays with the one that answers first", () => {
  const seat = new Seat().connect(SERVER, SECOND);
  seat.play.wait(1_250);
  assertEquals(seat.takeSaid(), [
    "0 knock 0",
    `250 knock 1 ${SECOND.address}`,
    "1250 knock 2",
    `1250 knock 2 ${SECOND.address}`,
  ]);
  seat.hear(heartbeat(1), SECOND);
  assertEquals(seat.takeEvents(), [`connected ${SECOND.address}`, "heartbeat 99"]);
  seat.takeSaid();
  seat.hear(heartbeat(2), SERVER);
  assertEquals(seat.takeEvents(), ["refused stranger"]);
  assertEquals(seat.takeSaid(), []);
  assert(seat.client.remembers(SERVER) && seat.client.remembers(SECOND));
});

Deno.test("createWorldClient() takes nothing from others, and acks nothing of them", () => {
  const seat = new Seat();
  seat.hear(snap(1, 1));
  seat.connect(SERVER);
  seat.takeSaid();
  seat.hear(snap(1, 1), FOREIGN);
  seat.hearBytes(encodeAck(0), FOREIGN);
  assertEquals(seat.takeEvents(), ["refused stranger", "refused stranger", "refused stranger"]);
  assertEquals(seat.takeSaid(), []);
  assertEquals(seat.client.objects.size, 0);
  assert(!seat.client.remembers(FOREIGN));
});

Deno.test("createWorldClient() hears that the server is full, and goes on asking", () => {
  const seat = new Seat().connect(SERVER);
  seat.hear({ type: "full" });
  assertEquals(seat.takeEvents(), ["full"]);
  assertEquals(seat.takeSaid(), ["0 knock 0", "0 ack 0"]);
  assert(!seat.client.isConnected);
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid(), ["1000 knock 1"]);
  seat.hear(heartbeat(1));
  seat.takeEvents();
  seat.hear({ type: "full" });
  assertEquals(seat.takeEvents(), [], "a late answer to an earlier knock");
  assert(seat.client.isConnected);
});

Deno.test("createWorldClient() begins its numbers by chance, goes up by one and wraps", () => {
  const seat = new Seat({ random: () => 65_534.5 / 65_536 }).connect(SERVER);
  seat.play.wait(3_500);
  assertEquals(seat.takeSaid(), [
    "0 knock 65534",
    "1000 knock 65535",
    "2000 knock 0",
    "3000 knock 1",
  ]);
});

Deno.test("createWorldClient() refuses options that make no sense", () => {
  const impossible: Partial<WorldClientEngineOptions>[] = [
    { drawDelayMs: -1 },
    { drawDelayMs: 1_501 },
    { objectsMax: -1 },
    { silenceMs: 0 },
  ];
  for (const options of impossible) {
    assertThrows(() => new Seat(options), RangeError, Object.keys(options)[0]);
  }
});

// ---- acks and pings

Deno.test("createWorldClient() acks everything of the server at once, repeated and unknown things too", () => {
  const seat = new Seat().join();
  seat.hear(snap(1, 1), SERVER, 65_535);
  seat.hear(snap(1, 1), SERVER, 65_535);
  seat.hear({ type: "news" }, SERVER, 3);
  seat.hear({ type: "snap", id: "1" }, SERVER, 4);
  seat.hear({}, SERVER, 5);
  assertEquals(seat.takeSaid(), ["0 ack 65535", "0 ack 65535", "0 ack 3", "0 ack 4", "0 ack 5"]);
  assertEquals(seat.takeEvents(), [
    "spawned 1",
    "refused unknown",
    "refused shape",
    "refused unknown",
  ]);
});

Deno.test("createWorldClient() acks nothing that is not well-formed, and no ACK", () => {
  const seat = new Seat().join();
  const reasons: Record<string, string> = {
    empty: "short",
    header_only: "json",
    bad_md5: "digest",
    length_too_big: "length",
    json_null: "json",
    nan: "json",
    ack_with_knock: "ack",
    too_large_for_original: "oversize",
  };
  for (const [name, reason] of Object.entries(reasons)) {
    seat.hearBytes(worldVectors.find((vector) => vector.name === name)!.bytes);
    assertEquals(seat.takeEvents(), [`refused ${reason}`], name);
  }
  seat.hearBytes(encodeAck(999));
  assertEquals(seat.takeEvents(), []);
  assertEquals(seat.takeSaid(), []);
});

Deno.test("createWorldClient() pings each second, and measures there and back by the ACKs", () => {
  const seat = new Seat().connect(SERVER);
  seat.play.wait(40);
  assertEquals(seat.client.roundTripMs, undefined);
  seat.hearBytes(encodeAck(0));
  seat.hear(heartbeat(1));
  seat.takeSaid();
  assertEquals(seat.takeEvents()[0], "latency 40");
  assertEquals(seat.client.roundTripMs, 40);
  seat.hearBytes(encodeAck(0));
  assertEquals(seat.takeEvents(), [], "measured once");
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid(), ["1040 ping 1"]);
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid(), ["2040 ping 2"]);
  seat.play.wait(120);
  seat.hearBytes(encodeAck(2));
  assertEquals(seat.takeEvents(), ["latency 50"]);
});

Deno.test("createWorldClient() knocks each second at a server that tells of its world and acked no knock", () => {
  const seat = new Seat().connect(SERVER);
  seat.hear(heartbeat(1));
  seat.takeSaid();
  seat.play.wait(2_500);
  const knocks = seat.takeSaid().filter((said) => said.includes("knock"));
  assertEquals(knocks, ["1000 knock 1", "2000 knock 2"]);
  seat.hearBytes(encodeAck(2));
  seat.play.wait(3_000);
  assertEquals(seat.takeSaid(), ["3000 ping 3", "4000 ping 4", "5000 ping 5"]);
});

Deno.test("createWorldClient() forgets pings that are never acked", () => {
  const seat = new Seat().join();
  for (let seconds = 0; seconds < 10; seconds++) {
    seat.play.wait(1_000);
    seat.hear(heartbeat(seconds));
  }
  seat.takeEvents();
  seat.hearBytes(encodeAck(1));
  assertEquals(seat.takeEvents(), [], "9 s are no round-trip time");
  seat.hearBytes(encodeAck(10));
  assertEquals(seat.takeEvents(), ["latency 0"]);
});

Deno.test("createWorldClient() says that it leaves, to the server that let it in", () => {
  const seat = new Seat().connect(SERVER);
  seat.takeSaid();
  seat.client.leave(0, seat.play.out);
  assertEquals(seat.takeSaid(), [], "nobody let it in");
  seat.hear(heartbeat(1));
  seat.takeSaid();
  seat.client.leave(0, seat.play.out);
  assertEquals(seat.takeSaid().map((said) => said.split(" ")[1]), ["stop"]);
});

// ---- silence

Deno.test("createWorldClient() knocks again at a server not heard for 7 s, and keeps what it mirrored", () => {
  const seat = new Seat().join();
  seat.hear(snap(1, 1, 5));
  seat.hear(heartbeat(2, { synced: 1 }));
  seat.takeEvents();
  seat.play.wait(3_000);
  seat.hear(heartbeat(5));
  seat.takeEvents();
  for (let seconds = 1; seconds <= 6; seconds++) {
    seat.play.wait(1_000);
    // That it acks says nothing; nor does rubbish, nor what is unknown.
    seat.hearBytes(encodeAck(3 + seconds));
    seat.hear({ type: "news" });
    seat.hear({ type: "full" });
    seat.hearBytes(new Uint8Array(30));
  }
  seat.takeEvents();
  seat.play.wait(999);
  assert(seat.client.isConnected);
  seat.takeSaid();
  seat.play.wait(1);
  assertEquals(seat.takeEvents(), ["disconnected"]);
  assertEquals(seat.takeSaid().map((said) => said.replace(/ \d+$/, "")), ["10000 knock"]);
  assertEquals([seat.client.isConnected, seat.client.isSynced], [false, false]);
  assertEquals(seat.ids, [1]);
  seat.hear(heartbeat(9));
  assertEquals(seat.takeEvents(), [`connected ${SERVER.address}`, "heartbeat 99"]);
  assertEquals(seat.client.isSynced, false);
  assertEquals(seat.ids, [1]);
});

Deno.test("createWorldClient() waits as long as it is told for a server", () => {
  const seat = new Seat({ silenceMs: 2_500 }).join();
  seat.play.wait(2_499);
  assertEquals(seat.takeEvents(), []);
  seat.play.wait(1);
  assertEquals(seat.takeEvents(), ["disconnected"]);
});

Deno.test("createWorldClient() asks every address anew when the one it had is silent", () => {
  const seat = new Seat().connect(SERVER, SECOND);
  seat.hearBytes(encodeAck(0));
  seat.hear(heartbeat(1));
  seat.play.wait(6_999);
  seat.takeSaid();
  seat.play.wait(251);
  assertEquals(seat.takeSaid().map((said) => said.replace(/ \d+(?= |$)/, "")), [
    "7000 knock",
    `7250 knock ${SECOND.address}`,
  ]);
  seat.hear(heartbeat(2), SECOND);
  assert(seat.takeEvents().includes(`connected ${SECOND.address}`));
});

// ---- the mirror

Deno.test("createWorldClient() mirrors what is there, changes, and goes", () => {
  const seat = new Seat().join();
  seat.hear(snap(3, 10, 5, { total: 2, initial: true, traits: { name: "Rock", hp: 3 } }));
  assertEquals(seat.takeEvents(), ["spawned 3"]);
  assertEquals({ ...seat.client.objects.get(3) }, {
    velocity: [0, 0, 0],
    angularVelocity: [0, 0, 0],
    quaternion: [1, 0, 0, 0],
    position: [5, 0, 0],
    mass: 1,
    name: "Rock",
    hp: 3,
  });
  assertEquals([seat.client.time, seat.client.total], [10, 2]);
  seat.hear(diff(11, { 3: { hp: 2, mass: 1 }, 4: { hp: 9 } }));
  assertEquals(seat.takeEvents(), ['changed 3 {"hp":2}']);
  seat.hear(snap(4, 11));
  assertEquals(seat.takeEvents(), ["spawned 4"]);
  seat.hear(snap(3, 12, 6, { traits: { hp: 2 } }));
  assertEquals(seat.client.objects.get(3)!.name, undefined);
  assertEquals(seat.takeEvents(), ['changed 3 {"position":[6,0,0]}'], "and a name no more");
  seat.hear(remove(13, 3, 99));
  assertEquals(seat.takeEvents(), ["removed 3"]);
  assertEquals(seat.ids, [4]);
  assertEquals(seat.client.time, 13);
  seat.hear(snap(3, 14));
  assertEquals(seat.takeEvents(), [], "what was removed stays removed");
  assertEquals(seat.client.total, 2, "a snap that does not say it changes nothing");
});

Deno.test("createWorldClient() ends up the same in whatever order news arrive", () => {
  const news = [
    snap(1, 1, 0, { traits: { hp: 1, name: "a" } }),
    diff(2, { 1: { hp: 2 }, 2: { hp: 5 } }),
    diff(3, { 1: { position: [3, 0, 0] } }),
    snap(1, 4, 4, { traits: { hp: 4 } }),
    diff(5, { 1: { mass: 5 } }),
    remove(6, 2),
  ];
  const orders = [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [4, 0, 5, 2, 3, 1], [3, 1, 0, 5, 4, 2]];
  for (const order of orders) {
    const seat = new Seat().join();
    for (const index of order) seat.hear(news[index]);
    assertEquals(seat.ids, [1], order.join());
    const { position, mass, hp, name } = seat.client.objects.get(1)!;
    assertEquals([position, mass, hp, name], [[4, 0, 0], 5, 4, undefined], order.join());
    assertEquals(seat.client.time, 6);
  }
});

Deno.test("createWorldClient() is synced when the server says so, and drops what it has only from before", () => {
  const seat = new Seat().join();
  for (const id of [1, 2, 3]) seat.hear(snap(id, 10, 0));
  seat.hear(heartbeat(20));
  assertEquals(seat.client.isSynced, false);
  seat.hear(snap(2, 30));
  seat.hear(diff(31, { 3: { hp: 1 } }));
  seat.takeEvents();
  seat.hear(heartbeat(32, { synced: 30 }));
  assertEquals(seat.takeEvents(), ["removed 1", "synced 2", "heartbeat 99"]);
  assertEquals(seat.client.isSynced, true);
  assertEquals(seat.ids, [2, 3]);
  seat.hear(heartbeat(34, { synced: 30 }));
  assertEquals(seat.takeEvents(), ["heartbeat 99"], "told once");
});

Deno.test("createWorldClient() has at most so many objects, and leaves out what has no place", () => {
  const seat = new Seat({ objectsMax: 3 }).join();
  seat.hear(snap(1, 1));
  seat.hear(snap(2, 1));
  seat.hear(diff(2, { 3: { hp: 1 } }));
  seat.takeSaid();
  seat.takeEvents();
  seat.hear(diff(2, { 1: { hp: 1 }, 4: { hp: 1 }, 2: { hp: 2 } }), SERVER, 40);
  // It is acked, so nobody sends it again; and what has a place is taken.
  assertEquals(seat.takeSaid(), ["0 ack 40"]);
  assertEquals(seat.takeEvents(), [
    'changed 1 {"hp":1}',
    'changed 2 {"hp":2}',
    "refused too-many",
  ]);
  seat.hear(diff(3, { 1: { hp: 2 }, 2: { hp: 3 } }), SERVER, 41);
  seat.hear(snap(3, 1), SERVER, 42);
  seat.takeEvents();
  seat.hear(snap(4, 1), SERVER, 43);
  assertEquals(seat.takeEvents(), ["refused too-many"]);
  assertEquals(seat.takeSaid(), ["0 ack 41", "0 ack 42", "0 ack 43"]);
  assertEquals(seat.ids, [1, 2, 3]);
  seat.hear(remove(3, 1));
  seat.takeEvents();
  seat.hear(snap(4, 1));
  assertEquals(seat.takeEvents(), ["spawned 4"]);
});

Deno.test("createWorldClient() remembers only so much of objects that were never told whole", () => {
  const seat = new Seat().join();
  let id = 1_000;
  const hearHidden = (): void => {
    const parts = Array.from({ length: 256 }, () => [id++, { hp: 1 }]);
    seat.hear(diff(1, Object.fromEntries(parts)));
  };
  for (let times = 0; times < 16; times++) hearHidden();
  assertEquals(seat.takeEvents(), [], "4,096 of them");
  hearHidden();
  assertEquals(seat.takeEvents(), ["refused too-many"]);
  seat.hear(snap(1_000, 1));
  seat.hear(snap(1, 1));
  assertEquals(seat.takeEvents(), ["spawned 1000", "spawned 1"], "what is whole has a place");
});

// ---- a server that ends

Deno.test("createWorldClient() hears at once that the server ends, and asks again a second later", () => {
  const seat = new Seat().join();
  seat.hear(snap(1, 5, 3));
  seat.hear(heartbeat(6, { synced: 5 }));
  seat.play.wait(300);
  seat.takeSaid();
  seat.takeEvents();
  seat.hear({ type: "stop" }, SERVER, 70);
  assertEquals(seat.takeEvents(), ["disconnected"]);
  assertEquals(seat.takeSaid(), ["300 ack 70"]);
  assertEquals([seat.client.isConnected, seat.client.isSynced, seat.ids], [false, false, [1]]);
  seat.hear({ type: "stop" }, SERVER, 70);
  assertEquals(seat.takeEvents(), [], "told once");
  assertEquals(seat.takeSaid(), ["300 ack 70"]);
  seat.play.wait(2_500);
  assertEquals(seat.takeSaid().map((said) => said.replace(/ \d+$/, "")), [
    "1300 knock",
    "2300 knock",
  ]);
  seat.hear(snap(2, 1, 0, { universe: 5 }));
  assertEquals(seat.takeEvents(), [`connected ${SERVER.address}`, "removed 1", "spawned 2"]);
});

Deno.test("createWorldClient() asks again also when something late comes after the word that the server ends", () => {
  const seat = new Seat().join();
  seat.hear({ type: "stop" });
  seat.hear(snap(1, 5));
  assertEquals(seat.takeEvents(), [
    "disconnected",
    `connected ${SERVER.address}`,
    "spawned 1",
  ]);
  seat.takeSaid();
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid().map((said) => said.split(" ")[1]).at(-1), "knock");
});

Deno.test("createWorldClient() takes word that a server ends from nobody else, and not before it has one", () => {
  const before = new Seat().connect(SERVER);
  before.hear({ type: "stop" });
  assertEquals(before.takeEvents(), []);
  const seat = new Seat().join();
  seat.hear({ type: "stop" }, FOREIGN);
  assertEquals(seat.takeEvents(), ["refused stranger"]);
  assert(seat.client.isConnected);
});

// ---- another world

Deno.test("createWorldClient() forgets everything when it finds another universe after a silence", () => {
  const seat = new Seat().join();
  seat.hear(snap(1, 5_000, 0, { total: 7 }));
  seat.hear(remove(5_001, 2));
  seat.hear(heartbeat(5_002, { synced: 5_000 }));
  seat.play.wait(7_000);
  assertEquals(seat.takeEvents().at(-1), "disconnected");
  // It acks the knock before it tells anything.
  const knock = Number(/^7000 knock (\d+)$/.exec(seat.takeSaid().at(-1)!)![1]);
  seat.hearBytes(encodeAck(knock));
  seat.takeEvents();
  seat.hear(snap(2, 1, 9, { universe: 5 }), SERVER, 100);
  const connected = `connected ${SERVER.address}`;
  assertEquals(seat.takeEvents(), [connected, "removed 1", "spawned 2"]);
  assertEquals([seat.client.time, seat.client.isSynced, seat.client.total], [1, false, undefined]);
  assertEquals(seat.takeSaid(), ["7000 ack 100"]);
});

Deno.test("createWorldClient() takes nothing of another universe while its server is there", () => {
  const seat = new Seat().join();
  seat.hear(snap(1, 5_000));
  seat.takeEvents();
  seat.takeSaid();
  seat.hear(snap(2, 1, 9, { universe: 5 }));
  seat.hear(snap(2, 1, 9, { universe: undefined }));
  seat.hear(heartbeat(1, { universe: 5 }));
  assertEquals(seat.takeEvents(), new Array(3).fill("refused stranger"));
  assertEquals(seat.takeSaid(), [], "not acked");
  assertEquals([seat.ids, seat.client.time], [[1], 5_000]);
});

Deno.test("createWorldClient() changes to another universe until a knock of it is acked", () => {
  const seat = new Seat().connect(SERVER);
  seat.hear(snap(1, 5_000, 0, { universe: 4 }));
  seat.hear(snap(2, 1, 9));
  assertEquals(seat.takeEvents().slice(1), ["spawned 1", "removed 1", "spawned 2"]);
});

Deno.test("createWorldClient() believes nothing of being synced before a knock of it is acked", () => {
  const seat = new Seat().connect(SERVER);
  seat.hear(snap(1, 1));
  seat.hear(heartbeat(5, { synced: 3 }));
  assertEquals([seat.client.isSynced, seat.ids], [false, [1]]);
  seat.hearBytes(encodeAck(0));
  seat.hear(heartbeat(5, { synced: 3 }));
  assertEquals([seat.client.isSynced, seat.ids], [true, []]);
});

Deno.test("createWorldClient() wants a new knock acked after a silence, and when it connects anew", () => {
  const lost = new Seat().join();
  lost.play.wait(7_000);
  const elsewhere = new Seat().join().connect(SERVER);
  for (const seat of [lost, elsewhere]) {
    seat.hear(snap(1, 1));
    seat.hear(heartbeat(5, { synced: 3 }));
    assertEquals([seat.client.isSynced, seat.ids], [false, [1]]);
  }
});

Deno.test("createWorldClient() takes an ACK of something else for no ACK of its knock", () => {
  const seat = new Seat().connect(SERVER);
  seat.hear(heartbeat(1));
  seat.play.wait(500);
  seat.client.leave(seat.play.now, seat.play.out);
  seat.hearBytes(encodeAck(1));
  seat.takeSaid();
  seat.play.wait(500);
  assertEquals(seat.takeSaid(), ["1000 knock 2"]);
});

Deno.test("createWorldClient() takes a time that goes far back for another world on the original", () => {
  const seat = new Seat().connect(SERVER);
  seat.hear(original(0, 5_000, 1));
  seat.hear(original(1, 4_000, 1));
  assertEquals(seat.ids, [0, 1], "so late a packet may be");
  seat.takeEvents();
  seat.hear({ type: "heartbeat", time: 3 });
  assertEquals(seat.takeEvents(), ["heartbeat 3"], "its time is not the world's");
  seat.hear(original(1, 3_999, 2));
  assertEquals(seat.takeEvents(), ["removed 0", "removed 1", "spawned 1"]);
  assertEquals(seat.client.time, 3_999);
});

Deno.test("createWorldClient() does not go far back on an original that is there", () => {
  const seat = new Seat().connect(SERVER);
  seat.hearBytes(encodeAck(0));
  seat.hear(original(0, 5_000, 1));
  seat.takeEvents();
  seat.hear(original(1, 3_999));
  assertEquals(seat.takeEvents(), ["refused stranger"]);
  seat.play.wait(7_000);
  seat.takeEvents();
  seat.hear(original(1, 3_999));
  assertEquals(seat.takeEvents(), [`connected ${SERVER.address}`, "removed 0", "spawned 1"]);
});

Deno.test("createWorldClient() begins anew at another server", () => {
  const seat = new Seat().join();
  seat.hear(snap(1, 5_000));
  seat.hear(remove(5_000, 2));
  seat.hear(heartbeat(5_000, { synced: 1 }));
  seat.takeEvents();
  seat.takeSaid();
  seat.connect(SECOND);
  assertEquals(seat.takeEvents(), ["removed 1"]);
  assertEquals(seat.takeSaid().map((said) => said.split(" ")[1]), ["knock"]);
  assertEquals([seat.client.isConnected, seat.client.isSynced, seat.client.time], [
    false,
    false,
    -1,
  ]);
  assert(!seat.client.remembers(SERVER));
  // The same universe on another address: what was removed there is news here.
  seat.hear(snap(2, 1), SECOND);
  assertEquals(seat.takeEvents(), [`connected ${SECOND.address}`, "spawned 2"]);
});

Deno.test("createWorldClient() may come back to a universe that it left by connecting anew", () => {
  const seat = new Seat().join();
  seat.hear(snap(1, 1));
  for (const universe of [5, UNIVERSE]) {
    seat.connect(SERVER);
    seat.takeEvents();
    seat.hear(snap(1, 1, 0, { universe }));
    assertEquals(seat.takeEvents(), [`connected ${SERVER.address}`, "spawned 1"]);
  }
});

// ---- the original

Deno.test("createWorldClient() plays the recorded session with the original", () => {
  const seat = new Seat().connect(SERVER);
  let acks = 0;
  for (const { at, from, bytes } of worldTranscripts.get("session")!) {
    if (from !== "server") continue;
    seat.play.waitUntil(at);
    seat.takeSaid();
    seat.hearBytes(bytes);
    const packet = decodePacket(bytes);
    assert(packet.kind !== "refused");
    const said = seat.takeSaid();
    if (packet.kind !== "message") continue;
    assertEquals(said, [`${seat.play.now} ack ${packet.sequence}`]);
    acks++;
  }
  assert(acks > 5 && seat.client.objects.size > 0, `${acks} packets`);
  assert(seat.takeEvents().every((event) => !event.startsWith("refused")));
  const { tickRateHz, total, loss, isSynced } = seat.client;
  assertEquals([tickRateHz, total, loss, isSynced], [undefined, undefined, undefined, false]);
});

Deno.test("createWorldClient() takes diffs of the original, which have no type and hold snapshots", () => {
  const seat = new Seat().connect(SERVER);
  const snapshot = [[0, 0, 0], [0, 0, 0], [1, 0, 0, 0], [4, 0, 0], 2];
  seat.hear({ time: 7, diff: { 6: snapshot } });
  assertEquals(seat.takeEvents(), [`connected ${SERVER.address}`, "spawned 6"]);
  assertEquals([seat.xOf(6), seat.client.time], [4, 7]);
});

// ---- figures

Deno.test("WorldClientEngine.loss is the share of the server's last packets that is missing", () => {
  const seat = new Seat().connect(SERVER);
  assertEquals(seat.client.loss, undefined);
  for (let sequence = 65_500; sequence < 65_600; sequence++) {
    if (sequence % 4 !== 0) seat.hear(heartbeat(1), SERVER, sequence);
  }
  assertAlmost(
    seat.client.loss!,
    24 / 99,
    1e-9,
    "the first did not arrive, so it began later",
  );
  for (let sequence = 65_504; sequence < 65_600; sequence += 4) {
    seat.hear(heartbeat(1), SERVER, sequence);
    seat.hear(heartbeat(1), SERVER, sequence);
  }
  assertEquals(seat.client.loss, 0, "late, and some twice");
  for (let sequence = 65_601; sequence < 66_600; sequence += 2) {
    seat.hear(heartbeat(1), SERVER, sequence);
  }
  assertAlmost(seat.client.loss!, 0.5, 0.01, "of the last 512");
  const { loss } = seat.client;
  seat.hear(heartbeat(1), SERVER, 65_601);
  seat.hear(heartbeat(1), SERVER, 65_602);
  assertEquals(seat.client.loss, loss, "too late to count");
});

Deno.test("WorldClientEngine.loss counts from the first number, also when that arrives late", () => {
  const seat = new Seat().connect(SERVER);
  for (const sequence of [10, 9, 12]) seat.hear(heartbeat(1), SERVER, sequence);
  assertEquals(seat.client.loss, 0.25);
});

Deno.test("WorldClientEngine.loss begins anew with the server", () => {
  const seat = new Seat().join();
  seat.hear(heartbeat(1), SERVER, 9);
  assert(seat.client.loss! > 0.5);
  seat.play.wait(7_000);
  assertEquals(seat.client.loss, undefined);
  seat.hear(heartbeat(1), SERVER, 5_000);
  assertEquals(seat.client.loss, 0);
});

Deno.test("WorldClientEngine.tickRateHz is what the server says", () => {
  const seat = new Seat().connect(SERVER);
  assertEquals(seat.client.tickRateHz, undefined);
  seat.hear(heartbeat(1, { tickRate: 50 }));
  assertEquals(seat.client.tickRateHz, 50);
  seat.hear(heartbeat(1, { tickRate: undefined }));
  assertEquals(seat.client.tickRateHz, 50);
  seat.hear(heartbeat(1, { tickRate: 0 }));
  assertEquals(seat.client.tickRateHz, 0);
});

Deno.test("createWorldClient() tells the time of day of the server's heartbeats", () => {
  const seat = new Seat().join();
  seat.hear({ type: "heartbeat", time: 1_795_230_171.89, universe: UNIVERSE });
  assertEquals(seat.takeEvents(), ["heartbeat 1795230171.89"]);
});

// ---- where things are drawn

Deno.test("WorldClientEngine.poseOf() draws things a little in the past, between two places", () => {
  const seat = new Seat().join();
  assertEquals(seat.client.poseOf(1, 0), undefined);
  seat.hear(snap(1, 0, 0));
  seat.play.wait(100);
  seat.hear(diff(10, { 1: { position: [10, 0, 0] } }));
  const xs = [0, 100, 150, 175, 200, 900].map((now) => seat.client.poseOf(1, now)!.position[0]);
  assertEquals(xs, [0, 0, 5, 7.5, 10, 10]);
  seat.hear(remove(11, 1));
  assertEquals(seat.client.poseOf(1, 200), undefined);
});

Deno.test("WorldClientEngine.poseOf() draws as far in the past as it is told", () => {
  const seat = new Seat({ drawDelayMs: 20 }).join();
  seat.hear(snap(1, 0, 0));
  seat.play.wait(100);
  seat.hear(diff(10, { 1: { position: [10, 0, 0] } }));
  assertEquals(seat.client.poseOf(1, 70)!.position[0], 5);
});

Deno.test("WorldClientEngine.poseOf() draws evenly what arrives unevenly", () => {
  const seat = new Seat({ drawDelayMs: 60 }).join();
  const late = [0, 30, 5, 45, 20, 0, 50, 10];
  seat.hear(snap(1, 0, 0));
  for (const [index, lateMs] of late.entries()) {
    const tick = 10 * (index + 1); // 100 ms apart; it moves 10 for each.
    seat.play.waitUntil(10 * tick + lateMs);
    seat.hear(diff(tick, { 1: { position: [tick, 0, 0] } }));
  }
  for (let now = 160; now < 860; now += 20) {
    const { position: [x] } = seat.client.poseOf(1, now)!;
    // When everything comes later its clock follows, by 1 % of the time: 7 ms here.
    assertAlmost(x, (now - 60) / 10, 0.7, `at ${now}`);
  }
});

Deno.test("WorldClientEngine.poseOf() turns, and is not moved by traits that are no place", () => {
  const seat = new Seat().join();
  seat.hear(snap(1, 0));
  seat.play.wait(100);
  seat.hear(diff(10, { 1: { quaternion: [0, 0, 0, 1] } }));
  const half = seat.client.poseOf(1, 150)!.quaternion;
  for (const [index, part] of [Math.SQRT1_2, 0, 0, Math.SQRT1_2].entries()) {
    assertAlmost(half[index]!, part, 1e-9);
  }
  seat.play.wait(50);
  seat.hear(diff(15, { 1: { hp: 1 } }));
  seat.play.wait(50);
  seat.hear(diff(20, { 1: { position: [10, 0, 0] } }));
  // It began to move when its last place was told, not when its health was.
  assertEquals(seat.client.poseOf(1, 250)!.position[0], 5);
});

Deno.test("WorldClientEngine.poseOf() knows nothing of things before another universe", () => {
  const seat = new Seat().join();
  seat.hear(snap(1, 500, 50));
  seat.hear(snap(2, 500, 50));
  seat.play.wait(7_000);
  // By the clock of the last one this was 90 ms earlier.
  seat.hear(snap(1, 1_191, 7, { universe: 5 }));
  seat.play.wait(100);
  seat.hear(diff(1_201, { 1: { position: [17, 0, 0] } }, { universe: 5 }));
  assertEquals(seat.client.poseOf(2, 7_000), undefined);
  const xs = [7_100, 7_150, 7_200].map((now) => seat.client.poseOf(1, now)!.position[0]);
  assertEquals(xs, [7, 12, 17]);
});

/** How fast an object of constant speed 1 is drawn, 60 times a second; what arrives is late by chance. */
function drawnSpeeds(
  { rateHz, lateMs, datagrams = 1, drawDelayMs, seconds = 20 }: {
    rateHz: number;
    lateMs: (now: number, random: () => number) => number;
    datagrams?: number;
    drawDelayMs?: number;
    seconds?: number;
  },
): { most: number; standing: number; largest: number } {
  const random = seededRandom(5);
  const seat = new Seat(drawDelayMs === undefined ? {} : { drawDelayMs }).connect(SERVER);
  seat.hear(heartbeat(0, { tickRate: rateHz }));
  seat.hearBytes(encodeAck(0));
  const tickMs = 1_000 / rateHz;
  const arrivals: { at: number; message: unknown }[] = [];
  for (let tick = 0; tick * tickMs < seconds * 1_000; tick++) {
    const sentAt = tick * tickMs;
    for (let part = 0; part < datagrams; part++) {
      const position = [sentAt, 0, 0];
      // One of them is of the object that is looked at.
      const message = part > 0
        ? diff(tick, { 2: { position } })
        : tick === 0
        ? snap(1, 0)
        : diff(tick, { 1: { position } });
      arrivals.push({ at: sentAt + 20 + lateMs(sentAt, random), message });
    }
  }
  arrivals.sort((one, other) => one.at - other.at);
  const speeds: number[] = [];
  let last: number | undefined;
  for (let now = 0; now < seconds * 1_000 - 1_000; now += 1_000 / 60) {
    while (arrivals[0]!.at <= now) {
      const { at, message } = arrivals.shift()!;
      seat.play.waitUntil(Math.max(at, seat.play.now));
      seat.hear(message);
    }
    const x = seat.client.poseOf(1, now)?.position[0];
    if (x !== undefined && last !== undefined && now > 4_000) speeds.push((x - last) * 0.06);
    last = x;
  }
  speeds.sort((one, other) => one - other);
  return {
    most: speeds[Math.floor(0.99 * speeds.length)]!,
    largest: speeds.at(-1)!,
    standing: speeds.filter((speed) => speed < 0.01).length / speeds.length,
  };
}

Deno.test("WorldClientEngine.poseOf() draws evenly at any tick rate", () => {
  for (const rateHz of [2, 5, 8, 10, 30, 100]) {
    const { largest, standing } = drawnSpeeds({ rateHz, lateMs: () => 0 });
    assert(largest < 1.1 && standing === 0, `${rateHz} Hz: up to ${largest}, stands ${standing}`);
  }
});

Deno.test("WorldClientEngine.poseOf() draws evenly on a jittery line, however many datagrams come", () => {
  for (
    const [rateHz, jitterMs, datagrams] of [[30, 40, 1], [100, 40, 1], [30, 60, 3]] as const
  ) {
    const speeds = drawnSpeeds({ rateHz, datagrams, lateMs: (_, random) => jitterMs * random() });
    const text = `${rateHz} Hz, ${jitterMs} ms: ${Deno.inspect(speeds)}`;
    assert(speeds.most < 1.25 && speeds.largest < 1.5 && speeds.standing === 0, text);
  }
});

Deno.test("WorldClientEngine.poseOf() draws on while the way is longer for some seconds, and after", () => {
  const lateMs = (now: number): number => now > 8_000 && now < 13_000 ? 200 : 0;
  const speeds = drawnSpeeds({ rateHz: 30, lateMs });
  // Meanwhile it is drawn as it arrives: every second frame of a third of the time stands still.
  assert(speeds.largest < 8 && speeds.standing < 0.2, Deno.inspect(speeds));
});

Deno.test("WorldClientEngine.poseOf() never draws an earlier moment because it heard of the tick rate", () => {
  const seat = new Seat().connect(SERVER);
  seat.hear(snap(1, 7, 7));
  seat.play.wait(180);
  seat.hear(snap(1, 8, 8));
  let last = 0;
  for (let ms = 0; ms < 1_000; ms += 10) {
    seat.play.wait(10);
    if (ms === 30) seat.hear(heartbeat(8, { tickRate: 5 }));
    if (ms % 200 === 190) seat.hear(snap(1, 9 + Math.floor(ms / 200), 9 + Math.floor(ms / 200)));
    const [x] = seat.client.poseOf(1, seat.play.now)!.position;
    assert(x >= last, `${x} after ${last}`);
    last = x;
  }
  assert(last > 9, `${last}`);
});
