import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import { type ArenaServer, createArenaServer } from "../../../lib/protocols/arena/server.ts";
import {
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
} from "../../../lib/protocols/arena/wire.ts";
import { MsgpackWriter } from "../../../lib/parts/msgpack.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { arenaTranscripts, arenaVectors } from "../../support/vectors.ts";
import { testEngineContract } from "../engine_suite.ts";
import { testResumption } from "../resume_suite.ts";
import { type Heard, inShort, namesIn, Table } from "./table.ts";

const A = "10.0.0.1:5000";
const B = "10.0.0.2:5000";
const C = "10.0.0.3:5000";

/** Of one kind only. */
function ofKind<K extends Heard["kind"]>(
  heard: readonly Heard[],
  kind: K,
): (Heard & { kind: K })[] {
  return heard.filter((message): message is Heard & { kind: K } => message.kind === kind);
}

/** The first number of what a player has to ack: from a row of its own, here without chance. */
const FIRST = 5_000;

// ---- joining

Deno.test("createArenaServer() answers a JOIN with WELCOME alone, and its ack with the world and everybody", () => {
  const table = new Table();
  const a = peerAt(A);
  table.ask(a);
  const [welcome, ...more] = table.take(a);
  assertEquals(inShort([welcome!]), ["welcome 1!"]);
  assertEquals(more, []);
  assertEquals(welcome!.sequence, FIRST);
  assertEquals(table.takeEvents(), []);
  table.ack(a, FIRST);
  const told = table.take(a);
  assertEquals(inShort(told.slice(0, 2)), ["world!", "players 1"]);
  assertEquals(told[0]!.sequence, FIRST + 1);
  assertEquals(table.takeEvents(), ["joined 1"]);
});

Deno.test("createArenaServer() welcomes with color and place, and says that the world is 20 by 10", () => {
  const table = new Table({ random: seededRandom(1) });
  const a = peerAt(A);
  table.ask(a);
  const [welcome, world] = table.answer(a);
  assert(welcome?.kind === "welcome" && world?.kind === "worldInfo");
  assertEquals(welcome.player, table.stateOf(1));
  assert(Math.abs(welcome.player.x) <= 10_000 && Math.abs(welcome.player.y) <= 9_000);
  assertEquals([world.width, world.height], [20, 10]);
});

Deno.test("createArenaServer() tells a newcomer of everybody, and everybody of the newcomer", () => {
  const table = new Table();
  const [a, b] = [table.join(A), table.join(B)];
  table.wait(1_000); // Everybody stands still.
  for (const peer of [a, b]) table.take(peer);
  const c = peerAt(C);
  table.ask(c);
  table.wait(50);
  for (const peer of [a, b]) assertEquals(table.take(peer), [], "one who has shown nothing yet");
  assertEquals(inShort(table.answer(c)).slice(0, 3), ["welcome 3!", "world!", "players 1 2 3"]);
  table.wait(50);
  for (const peer of [a, b]) assertEquals(inShort(table.take(peer)), ["players 3"]);
});

Deno.test("createArenaServer() lets INPUT and HEARTBEAT of an unknown address join, and FIRE too", () => {
  const messages: ClientMessage[] = [
    { kind: "input", dx: 1, dy: 0 },
    { kind: "input", dx: 0, dy: 0 },
    { kind: "heartbeat" },
    { kind: "fire" },
  ];
  for (const message of messages) {
    const table = new Table();
    const a = peerAt(A);
    table.say(a, message);
    const expected = message.kind === "input"
      ? ["welcome 1!", "world!", "players 1"] // Who moves plays.
      : ["welcome 1!"];
    assertEquals(inShort(table.take(a)).slice(0, 3), expected, JSON.stringify(message));
    assertEquals(table.server.census().players, message.kind === "input" ? 1 : 0);
  }
});

Deno.test("createArenaServer() says WELCOME first and WORLD_INFO second, however somebody joins", () => {
  for (const kind of ["join", "heartbeat", "fire", "input"] as const) {
    const table = new Table();
    const b = table.join(B);
    table.steer(b, 1, 0);
    table.wait(500);
    const a = peerAt(A);
    table.say(a, kind === "input" ? { kind, dx: 1, dy: 0 } : { kind });
    const heard: Heard[] = [];
    for (let times = 0; times < 20; times++) {
      table.wait(50);
      heard.push(...table.answer(a));
    }
    assertEquals(inShort(heard.slice(0, 2)), ["welcome 2!", "world!"], kind);
    const numbers = heard.slice(0, 2).map(({ sequence }) => sequence);
    assert(numbers[0] !== numbers[1], "two numbers");
    assert(ofKind(heard, "updates").length > 0, kind);
  }
});

Deno.test("createArenaServer() does nothing for an ACK of an unknown address", () => {
  const table = new Table();
  const a = peerAt(A);
  for (const sequences of [[0], [], [1, 2, 3]]) table.ack(a, ...sequences);
  table.wait(5_000);
  assertEquals(table.out.takeSent(), []);
  assertEquals(table.takeEvents(), new Array(3).fill("refused stranger"));
  assert(!table.server.remembers(a));
});

Deno.test("createArenaServer() does nothing for what is no message of a client", () => {
  const table = new Table();
  const a = peerAt(A);
  const refused = arenaVectors.filter(({ name, direction }) =>
    direction === "server->client" ||
    /^(stray|list_of|bare|unknown|id_|input_int|ack_not)/.test(name)
  );
  assert(refused.length > 15);
  for (const { bytes } of refused) table.play.receive(bytes, a);
  table.wait(60_000);
  assertEquals(table.out.takeSent(), []);
  assertEquals(table.takeEvents().length, refused.length);
  assert(!table.server.remembers(a));
  assertEquals(table.server.nextDeadline(), Infinity);
});

Deno.test("createArenaServer() has one player for one address, whatever it says and how often", () => {
  const table = new Table();
  const a = peerAt(A);
  for (let times = 0; times < 50; times++) {
    table.ask(a);
    table.beat(a);
    table.steer(a, 1, 0);
    table.fire(a);
    table.answer(a);
    table.wait(100);
  }
  assertEquals(table.server.players().map(({ number }) => number), [1]);
  assertEquals(table.takeEvents(), ["joined 1"]);
});

Deno.test("createArenaServer() tells ports of one address apart", () => {
  const table = new Table();
  const a = table.join("10.0.0.1:5000");
  const b = table.join("10.0.0.1:5001");
  table.steer(b, 0, 1);
  table.wait(200);
  assertEquals(table.positionOf(1), [0, 0]);
  assert(table.positionOf(2)[1] > 0);
  assert(table.take(a).length > 0);
});

Deno.test("createArenaServer() welcomes who joins again with the same number, once a second at most", () => {
  const table = new Table();
  const a = table.join(A);
  table.steer(a, 1, 0);
  table.wait(500);
  table.steer(a, 0, 0);
  table.wait(499);
  table.take(a);
  table.ask(a);
  assertEquals(table.take(a), [], "less than a second after the last");
  table.wait(1);
  table.ask(a);
  const [welcome, ...more] = table.answer(a);
  assert(welcome?.kind === "welcome");
  assertEquals(welcome.player, table.stateOf(1), "where it is now");
  assertEquals(inShort(more), ["world!", "players 1"]);
  for (let times = 0; times < 10; times++) table.ask(a);
  assertEquals(table.take(a), []);
  assertEquals(table.takeEvents(), ["joined 1"]);
});

Deno.test("createArenaServer() tells who begins again how large the world is, though its WELCOME is on its way", () => {
  const table = new Table();
  const a = peerAt(A);
  table.steer(a, 1, 0);
  const [welcome, world] = table.take(a);
  assert(world?.kind === "worldInfo");
  table.ack(a, world.sequence); // The other ack is lost, and a new program begins on the address.
  table.wait(1_000);
  table.take(a);
  table.ask(a);
  const again = table.take(a).filter(({ needsAck }) => needsAck);
  assertEquals(inShort(again), ["world!"]);
  assert(again[0]!.sequence !== world.sequence);
  table.ack(a, welcome!.sequence);
  for (let times = 0; times < 5; times++) {
    table.wait(1_000);
    table.ask(a);
  }
  assert(table.server.census().undelivered <= 2, "no two of a kind on their way");
});

Deno.test("createArenaServer() does not pile up WELCOMEs for who joins again and acks nothing", () => {
  const table = new Table();
  const a = peerAt(A);
  for (let times = 0; times < 9; times++) {
    table.ask(a);
    table.wait(1_000);
  }
  assertEquals(inShort(table.take(a)), new Array(3).fill("welcome 1!"));
  assertEquals(table.server.census().undelivered, 1);
});

Deno.test("createArenaServer() gives numbers from 1 and never twice", () => {
  const table = new Table();
  const a = peerAt(A);
  const numbers: number[] = [];
  for (let times = 0; times < 5; times++) {
    table.ask(a);
    numbers.push(...ofKind(table.answer(a), "welcome").map(({ player }) => player.number));
    table.wait(36_000);
    table.out.takeSent();
  }
  assertEquals(numbers, [1, 2, 3, 4, 5]);
});

Deno.test("createArenaServer() refuses who is one too many, in all and of one network", () => {
  const table = new Table({ playersMax: 3, playersPerNetworkMax: 2 });
  table.join("10.0.0.1:1");
  table.join("10.0.0.1:2");
  table.takeEvents();
  const neighbour = table.join("10.0.0.1:3");
  assertEquals(table.takeEvents(), ["refused full-network"]);
  assert(!table.server.remembers(neighbour));
  const c = table.join("10.0.0.2:1");
  table.takeEvents();
  const late = table.join("10.0.0.3:1");
  assertEquals(table.takeEvents(), ["refused full"]);
  assert(!table.server.remembers(late));
  assertEquals(table.take(late), []);
  table.waitWith([c], 36_000);
  table.takeEvents();
  table.join("10.0.0.3:2");
  assertEquals(table.takeEvents(), ["joined 4"]);
});

Deno.test("createArenaServer() takes no more from who never acked, when others want to come", () => {
  const table = new Table({ playersMax: 1 });
  const a = peerAt(A);
  table.steer(a, 1, 0);
  table.wait(4_999);
  table.join(B);
  assertEquals(table.takeEvents(), ["joined 1", "refused full"]);
  table.wait(1);
  const b = table.join(B);
  assertEquals(table.takeEvents(), ["left 1 displaced", "joined 2"]);
  assert(table.server.remembers(b) && !table.server.remembers(a));
});

// ---- acks and resends

/** When and under which numbers a peer got messages of a kind. */
function sendsOf(heard: readonly Heard[], kind: Heard["kind"]): [at: number, sequence: number][] {
  return heard.filter((message) => message.kind === kind).map(({ at, sequence }) => [at, sequence]);
}

Deno.test("createArenaServer() sends a WELCOME that is not acked three times, under its number, and forgets", () => {
  const table = new Table();
  const a = peerAt(A);
  table.ask(a);
  table.wait(9_999);
  assert(table.server.remembers(a));
  assertEquals(table.server.census().unproved, 1);
  const sent = table.out.sent.length;
  assertEquals(sendsOf(table.take(a), "welcome"), [[0, FIRST], [500, FIRST], [1_500, FIRST]]);
  assertEquals(sent, 3);
  table.wait(1);
  assert(!table.server.remembers(a));
  assertEquals(table.server.census().unproved, 0);
  assertEquals(table.server.census().resends, 2);
  assertEquals(table.takeEvents(), [], "nobody knew of it");
});

Deno.test("createArenaServer() never sends again what was acked", () => {
  const table = new Table();
  const a = table.join(A);
  const resends = table.server.census().resends;
  table.waitWith([a], 20_000);
  assertEquals(table.server.census().resends, resends);
  assertEquals(table.server.census().undelivered, 0);
});

Deno.test("createArenaServer() goes on resending to who is heard, ten times at most, oldest first", () => {
  const table = new Table();
  const a = peerAt(A);
  table.steer(a, 0, 0); // It stands, so that the trial budget is not used up.
  for (let at = 100; at <= 40_000; at += 100) {
    table.play.waitUntil(at);
    table.beat(a);
  }
  const heard = table.take(a);
  const welcomes = sendsOf(heard, "welcome");
  const worlds = sendsOf(heard, "worldInfo");
  assertEquals([welcomes.length, worlds.length], [10, 10]);
  for (const [at, sequence] of welcomes) assertEquals(sequence, FIRST, `${at}`);
  for (const [at, sequence] of worlds) assertEquals(sequence, FIRST + 1, `${at}`);
  assertEquals(welcomes.map(([at]) => at), worlds.map(([at]) => at));
  assertEquals(welcomes.slice(0, 4).map(([at]) => at), [0, 500, 1_500, 3_500]);
  const reliable = heard.filter(({ needsAck }) => needsAck);
  assertEquals(inShort(reliable.slice(0, 4)), ["welcome 1!", "world!", "welcome 1!", "world!"]);
  assertEquals(table.server.census().undelivered, 0);
});

Deno.test("createArenaServer() takes acks that are empty, unknown, repeated or many at once", () => {
  const table = new Table();
  const [a, b] = [peerAt(A), peerAt(B)];
  for (const peer of [a, b]) table.ask(peer);
  table.ack(a);
  table.ack(a, 77, 10_000, 2 ** 50);
  assertEquals(table.server.census(), { ...table.server.census(), players: 0, unproved: 2 });
  table.ack(a, 5, FIRST, FIRST, FIRST, 9);
  table.ack(a, FIRST);
  assertEquals(table.server.census().players, 1);
  table.ack(b, ...Array.from({ length: 50 }, (_, index) => FIRST - 20 + index));
  assertEquals(table.server.census().players, 2);
  assertEquals(table.takeEvents(), ["joined 1", "joined 2"]);
});

Deno.test("createArenaServer() lets nobody ack for anybody else", () => {
  const table = new Table();
  const [a, b] = [peerAt(A), table.join(B)];
  table.ask(a);
  const [welcome] = table.take(a);
  table.ack(b, welcome!.sequence);
  table.wait(600);
  assertEquals(inShort(table.take(a)), ["welcome 2!"], "sent again");
  assertEquals(table.server.census().players, 1);
});

Deno.test("createArenaServer() keeps numbers within 0 to 10,000, all from one row", () => {
  const table = new Table({ tickRateHz: 1_000 });
  const [a, b] = [table.join(A), table.join(B)];
  table.out.takeSent();
  const numbers: number[] = [];
  for (let times = 0; times < 16; times++) {
    table.steer(a, times % 2 === 0 ? 1 : -1, 0);
    table.wait(1_000);
    numbers.push(...table.take(a).map(({ sequence }) => sequence));
  }
  assertEquals([Math.min(...numbers), Math.max(...numbers)], [0, 10_000]);
  const follows = numbers.filter((number, index) =>
    index > 0 && number !== (numbers[index - 1]! + 1) % 10_001
  );
  assertEquals(follows, []);
  assertEquals(table.take(b).at(-1)!.sequence, numbers.at(-1));
});

Deno.test("createArenaServer() never acks anything, even what asks for it", () => {
  const table = new Table();
  const a = table.join(A);
  const wants = arenaVectors.find(({ name }) => name === "client_wants_ack")!;
  table.wait(500);
  table.out.takeSent();
  table.play.receive(wants.bytes, a);
  assertEquals(table.out.takeSent(), []);
});

// ---- leaving

Deno.test("createArenaServer() keeps a player for 35 s after it was heard, and no longer", () => {
  for (const kind of ["heartbeat", "input", "fire", "ack", "join"] as const) {
    const table = new Table();
    const a = table.join(A);
    table.wait(30_000);
    if (kind === "input") table.steer(a, 0, 0);
    else if (kind === "ack") table.ack(a, 7);
    else table.say(a, { kind });
    table.takeEvents();
    table.play.waitUntil(64_999);
    assert(table.server.remembers(a), kind);
    table.wait(1);
    assert(!table.server.remembers(a), kind);
    assertEquals(table.takeEvents(), ["left 1 silent"], kind);
  }
});

Deno.test("createArenaServer() keeps the original's clients, heard every 30 s", () => {
  const table = new Table();
  const a = table.join(A);
  for (let times = 0; times < 20; times++) {
    table.wait(30_000);
    table.beat(a);
    table.answer(a);
  }
  assertEquals(table.takeEvents(), ["joined 1"]);
});

Deno.test("createArenaServer() is not kept from forgetting by datagrams that are no message", () => {
  const table = new Table();
  const a = table.join(A);
  table.wait(34_000);
  table.play.receive(Uint8Array.of(1, 2, 3), a);
  table.takeEvents();
  table.wait(1_000);
  assertEquals(table.takeEvents(), ["left 1 silent"]);
});

Deno.test("createArenaServer() tells all others who left: until they ack it, and once more after 1 s", () => {
  const table = new Table();
  const [a, b, c] = [table.join(A), peerAt(B), table.join(C)];
  table.steer(b, 0, 0);
  table.answer(b);
  table.waitWith([a, c], 34_500);
  assertEquals(table.server.census().players, 3);
  table.wait(600);
  assertEquals(table.server.census().players, 2);
  table.wait(400);
  const heard = table.take(a);
  const first = heard.find(({ kind }) => kind === "left")!;
  assertEquals(inShort([first]), ["left 3!"]);
  assertEquals(first.at, 35_000);
  table.ack(a, first.sequence);
  table.wait(10_000);
  const more = ofKind(table.take(a), "left");
  assertEquals(inShort(more), ["left 3"]);
  assertEquals(more[0]!.at, 36_000);
  // The other does not ack, and is not heard.
  const deaf = ofKind(table.take(c), "left");
  assertEquals(inShort(deaf), ["left 3!", "left 3!", "left 3", "left 3!"]);
  assertEquals(deaf.map(({ at }) => at), [35_000, 35_500, 36_000, 36_500]);
  assertEquals(new Set(deaf.filter(({ needsAck }) => needsAck).map((one) => one.sequence)).size, 1);
});

Deno.test("createArenaServer() does not flood those who stay when many leave together", () => {
  const table = new Table({ silenceMs: 8_000 });
  const everybody = table.crowd(120);
  const staying = everybody.slice(0, 10);
  const heard = table.waitWith(staying, 11_000);
  for (const peer of staying) {
    const left = heard.get(peer)!.filter((message) => message.kind === "left");
    for (const needsAck of [true, false]) {
      const numbers = left.filter((message) => message.needsAck === needsAck)
        .map((message) => message.kind === "left" ? message.number : 0);
      assertEquals(new Set(numbers).size, 110, `asking for an ack: ${needsAck}`);
    }
  }
  const perMoment = new Map<number, number>();
  for (const { at, needsAck, kind } of [...heard.values()].flat()) {
    if (kind === "left" && !needsAck) perMoment.set(at, (perMoment.get(at) ?? 0) + 1);
  }
  assertEquals([...perMoment.values()], [1_000, 100], "and the rest a moment later");
});

Deno.test("createArenaServer() wants to be called when it is time to tell once more who left", () => {
  const table = new Table();
  const [a, b] = [table.join(A), peerAt(B)];
  table.wait(333);
  table.steer(b, 0, 0);
  table.answer(b);
  table.waitWith([a], 35_000);
  table.take(a);
  table.wait(1_000);
  const again = ofKind(table.take(a), "left").filter(({ needsAck }) => !needsAck);
  assertEquals(again.map(({ at }) => at), [36_333]);
});

Deno.test("createArenaServer() tells nothing to who left", () => {
  const table = new Table();
  const [a, b] = [table.join(A), table.join(B)];
  table.waitWith([b], 34_900);
  table.out.takeSent();
  table.wait(10_000);
  const toA = table.take(a);
  assert(toA.every(({ at }) => at <= 35_000), JSON.stringify(toA));
  assert(table.take(b).length > 0);
});

Deno.test("createArenaServer() says nothing of one who never took part", () => {
  const table = new Table();
  const b = table.join(B);
  table.ask(peerAt(A));
  table.fire(peerAt(C));
  const heard = table.waitWith([b], 30_000).get(b)!;
  assertEquals(ofKind(heard, "left"), []);
  for (const message of heard) {
    for (const number of namesIn(message)) assertEquals(number, 1);
  }
  assertEquals(table.server.census().players, 1);
});

Deno.test("createArenaServer() makes a new player of who comes back after 35 s", () => {
  const table = new Table();
  const [a, b] = [table.join(A), table.join(B)];
  table.waitWith([b], 36_000);
  table.out.takeSent();
  table.steer(a, 1, 0);
  assertEquals(inShort(table.answer(a).slice(0, 3)), ["welcome 3!", "world!", "players 2 3"]);
  assertEquals(table.server.players().map(({ number }) => number), [2, 3]);
});

// ---- playing

Deno.test("createArenaServer() moves a player by 10 units a second, up to the walls", () => {
  const table = new Table();
  const a = table.join(A);
  table.steer(a, 1, -1);
  table.wait(501); // 500 ms are 30 steps, and steps take fractions.
  assertEquals(table.positionOf(1).map((value) => Math.round(value / 100)), [50, -50]);
  table.wait(5_000);
  assertEquals(table.positionOf(1), [19_000, -9_000]);
  table.steer(a, 0, 0);
  table.wait(1_000);
  assertEquals(table.positionOf(1), [19_000, -9_000]);
});

Deno.test("createArenaServer() takes no more than 1 on each axis, and keeps fractions", () => {
  const table = new Table({ tickRateHz: 10 });
  const [a, b] = [table.join(A), table.join(B)];
  const fast = arenaVectors.find(({ name }) => name === "input_fast")!; // [1000, 0.5]
  table.play.receive(fast.bytes, a);
  table.steer(b, -0.25, 0);
  table.wait(1_000);
  assertEquals(table.positionOf(1), [10_000, 5_000]);
  assertEquals(table.positionOf(2), [-2_500, 0]);
});

Deno.test("createArenaServer() goes on with the last input after one that is none", () => {
  const table = new Table({ tickRateHz: 10 });
  const a = table.join(A);
  table.steer(a, 1, 0);
  table.takeEvents();
  const odd = arenaVectors.find(({ name }) => name === "input_int")!;
  table.play.receive(odd.bytes, a);
  table.wait(1_000);
  assertEquals(table.positionOf(1), [10_000, 0]);
  assertEquals(table.takeEvents(), ["refused payload"]);
});

Deno.test("createArenaServer() sends who moves to all, with every step, also when a wall stops it", () => {
  const table = new Table({ tickRateHz: 10 });
  const [a, b] = [table.join(A), table.join(B)];
  table.wait(1_000);
  table.out.takeSent();
  table.steer(a, 1, 0);
  table.wait(5_000);
  for (const peer of [a, b]) {
    const lists = ofKind(table.take(peer), "updates");
    assertEquals(lists.length, 50);
    assertEquals(inShort(lists).filter((list) => list === "players 1").length, 47);
    const full = inShort(lists).filter((list) => list === "players 1 2").length;
    assertEquals(full, 3, "every 2 s the full list");
    assertEquals(lists.at(-1)!.players[0]!.x, 19_000);
  }
});

Deno.test("createArenaServer() sends no lists of players while nobody moves, but the full one every 2 s", () => {
  const table = new Table();
  const [a, b] = [table.join(A), table.join(B)];
  const heard = table.waitWith([a, b], 20_500).get(a)!;
  const lists = ofKind(heard, "updates").filter(({ at }) => at > 100);
  assertEquals(inShort(lists), new Array(10).fill("players 1 2"));
  for (const [index, { at }] of lists.entries()) assertEquals(at, 2_000 * (index + 1));
});

Deno.test("createArenaServer() names everybody in the lists of every 2 s, however many there are", () => {
  const table = new Table();
  const players = table.crowd(64);
  table.wait(2_100);
  table.out.takeSent();
  table.wait(2_000);
  for (const peer of players) {
    const lists = ofKind(table.take(peer), "updates");
    assertEquals(lists.length, 4);
    const names = lists.flatMap(namesIn).sort((one, other) => one - other);
    assertEquals(names, Array.from({ length: 64 }, (_, index) => index + 1));
  }
});

Deno.test("createArenaServer() writes coordinates as integers, cut towards zero, and never -0", () => {
  forEachSeed(10, (seed) => {
    const random = seededRandom(seed);
    const table = new Table({ random });
    const players = table.crowd(10);
    for (let times = 0; times < 20; times++) {
      for (const peer of players) table.steer(peer, random() * 2 - 1, random() * 2 - 1);
      table.fire(players[times % 10]!);
      table.wait(100);
      for (const message of table.answer(players[0]!)) {
        const numbers = message.kind === "updates"
          ? message.players.flatMap((player) => Object.values(player))
          : message.kind === "bullets"
          ? message.bullets.flatMap((bullet) => Object.values(bullet))
          : [];
        assert(numbers.every((value) => Number.isInteger(value) && !Object.is(value, -0)));
      }
    }
  });
});

// ---- bullets

Deno.test("createArenaServer() goes on after a FIRE, and tells of the bullet until it has ended", () => {
  const table = new Table({ tickRateHz: 10 });
  const [a, b] = [table.join(A), table.join(B)];
  table.wait(100);
  table.out.takeSent();
  table.fire(a);
  table.wait(2_600);
  const lists = ofKind(table.take(b), "bullets");
  assertEquals(inShort(lists), [...new Array(lists.length - 1).fill("bullets 1"), "bullets 0"]);
  const xs = lists.flatMap(({ bullets }) => bullets.map(({ x }) => Math.round(x / 10)));
  assertEquals(xs, Array.from({ length: 19 }, (_, step) => 80 * (step + 1)), "0.8 with every step");
  for (const { bullets } of lists) {
    for (const { y, rotation } of bullets) assertEquals([y, rotation], [0, 0]);
  }
  assertEquals(table.positionOf(1), [0, 0]);
  assertEquals(table.server.census().bullets, 0);
  table.wait(5_000);
  assertEquals(ofKind(table.take(b), "bullets"), []);
});

Deno.test("createArenaServer() tells the rotation in thousandths of a radian, by where the player looks", () => {
  const table = new Table();
  const a = table.join(A);
  const table_: [dx: number, dy: number, rotation: number][] = [
    [0, 1, 1_570],
    [-1, 0, 3_141],
    [0, -1, -1_570],
    [-1, -1, -2_356],
  ];
  for (const [dx, dy, rotation] of table_) {
    table.steer(a, dx, dy);
    table.steer(a, 0, 0);
    table.fire(a);
    table.wait(100);
    const [list] = ofKind(table.take(a), "bullets");
    assertEquals(list!.bullets[0]!.rotation, rotation);
    table.wait(2_500);
    table.out.takeSent();
  }
});

Deno.test("createArenaServer() ignores the FIRE of who is not in the game", () => {
  const table = new Table();
  const b = table.join(B);
  const a = peerAt(A);
  for (let times = 0; times < 5; times++) table.fire(a);
  assertEquals(table.server.census().bullets, 0);
  const heard = table.waitWith([b], 3_000).get(b)!;
  assertEquals(ofKind(heard, "bullets"), []);
  table.ask(a);
  table.answer(a);
  table.fire(a);
  assertEquals(table.server.census().bullets, 1, "the same, once it is there");
});

Deno.test("createArenaServer() lets bullets end when everybody has left, and then waits for nothing", () => {
  const table = new Table();
  const a = table.join(A);
  table.wait(34_000);
  table.steer(a, 1, 0);
  table.wait(34_500);
  table.fire(a);
  table.wait(35_000);
  assertEquals(table.server.census().players, 0);
  table.wait(1_500);
  assertEquals(table.server.nextDeadline(), Infinity);
  assertEquals(table.server.census().bullets, 0);
});

// ---- time

interface Act {
  at: number;
  do: (table: Table, peers: readonly Peer[]) => void;
}

/** Inputs at fixed times, and random calls of `advance` in between; returns where everybody is, and when. */
function placesWith(acts: readonly Act[], lateMsMax: number, random: Random): unknown[] {
  const table = new Table({ random: seededRandom(7) });
  const peers = [table.join(A), table.join(B), table.join(C)];
  const seen: unknown[] = [];
  for (const act of acts) {
    while (table.now < act.at) {
      const next = table.now + lateMsMax * random();
      if (next >= act.at || lateMsMax === 0) break;
      table.play.advance(next);
    }
    if (lateMsMax === 0) table.play.waitUntil(act.at);
    table.out.now = act.at;
    act.do(table, peers);
    seen.push(table.server.players(), table.server.census().bullets);
  }
  assert(!table.takeEvents().includes("stalled"));
  return seen;
}

Deno.test("createArenaServer() moves players the same, however late and often it is called below 250 ms", () => {
  forEachSeed(20, (seed) => {
    const random = seededRandom(seed);
    const acts: Act[] = [];
    for (let at = 0; at < 10_000; at += random() * 240) {
      const who = Math.floor(random() * 3);
      const [dx, dy] = [Math.floor(random() * 3) - 1, Math.floor(random() * 3) - 1];
      const fires = random() < 0.3;
      acts.push({
        at,
        do: (table, peers): void => {
          if (fires) table.fire(peers[who]!);
          else table.steer(peers[who]!, dx, dy);
        },
      });
    }
    const onTime = placesWith(acts, 0, random);
    for (const lateMsMax of [1, 16, 50, 249]) {
      assertEquals(placesWith(acts, lateMsMax, random), onTime, `up to ${lateMsMax} ms late`);
    }
  });
});

Deno.test("createArenaServer() lets an input count from the step after its arrival, whoever comes late", () => {
  for (const isCalledOften of [true, false]) {
    const table = new Table({ tickRateHz: 10 });
    const a = table.join(A);
    table.steer(a, 1, 0);
    if (isCalledOften) table.wait(150);
    else table.out.now = 150;
    table.steer(a, 0, 1);
    if (isCalledOften) table.wait(100);
    table.play.advance(250);
    assertEquals(table.positionOf(1), [1_000, 1_000]);
  }
});

Deno.test("createArenaServer() makes up for 250 ms and lets time stand still beyond, and says so", () => {
  for (const [lateMs, lostMs] of [[250, 0], [300, 50], [10_250, 10_000]] as const) {
    const table = new Table({ tickRateHz: 100 });
    const a = table.join(A);
    table.steer(a, 0.5, 0);
    table.out.takeEvents();
    table.play.advance(lateMs);
    assertEquals(table.positionOf(1), [1_250, 0], `${lateMs} ms`);
    const stalled = lostMs === 0 ? [] : [{ kind: "stalled", lostMs }];
    assertEquals(table.out.takeEvents(), stalled as ReturnType<typeof table.out.takeEvents>);
    table.wait(100);
    assertEquals(table.positionOf(1), [1_750, 0], "it goes on as before");
  }
});

Deno.test("createArenaServer() says at most every 10 s that it stalled", () => {
  const table = new Table();
  const a = table.join(A);
  table.steer(a, 1, 0);
  table.takeEvents();
  const times: number[] = [];
  for (let at = 1_000; at <= 30_000; at += 1_000) {
    table.beat(a);
    table.play.advance(at);
    if (table.takeEvents().includes("stalled")) times.push(at);
  }
  assertEquals(times.length, 3);
  for (const [index, at] of times.entries()) {
    if (index > 0) assert(at - times[index - 1]! >= 10_000);
  }
});

Deno.test("createArenaServer() does at most 250 ms of steps in one call, however long it was gone", () => {
  for (const tickRateHz of [1, 60, 1_000]) {
    const table = new Table({ tickRateHz });
    const a = table.join(A);
    table.steer(a, 1, 0);
    let steps = table.server.census().steps;
    for (let at = 3_000; at < 30_000; at += 3_000) {
      table.play.advance(at);
      const done = table.server.census().steps - steps;
      steps += done;
      assert(done >= 1 && done <= Math.ceil(tickRateHz / 4), `${done} steps at ${tickRateHz} Hz`);
    }
  }
});

Deno.test("createArenaServer() is not stalled by a time in which nothing moved", () => {
  const table = new Table();
  const a = table.join(A);
  table.out.now = 20_000;
  table.steer(a, 1, 0);
  table.wait(1_001);
  assertEquals(table.takeEvents(), ["joined 1"]);
  assertEquals(Math.round(table.positionOf(1)[0] / 100), 100);
});

Deno.test("createArenaServer() steps as often as its rate says: 1, 60 and 1000 a second", () => {
  for (const tickRateHz of [1, 60, 1_000]) {
    const table = new Table({ tickRateHz });
    const a = table.join(A);
    table.steer(a, 0.5, 0);
    table.wait(2_000.5);
    assertEquals(table.server.census().steps, 2 * tickRateHz);
    assertEquals(Math.round(table.positionOf(1)[0] / 10), 1_000);
    const lists = ofKind(table.take(a), "updates").filter(({ at }) => at > 0);
    assert(Math.abs(lists.length - 2 * tickRateHz) <= 1 + tickRateHz / 100, `${lists.length}`);
    assertEquals(table.server.lateness.count, 2 * tickRateHz);
  }
});

Deno.test("createArenaServer() has no deadline for steps while nothing moves", () => {
  const table = new Table();
  const a = table.join(A);
  table.wait(100);
  assertEquals(table.server.nextDeadline(), 2_000, "the full list");
  const steps = table.server.census().steps;
  table.beat(a);
  table.wait(10_000);
  assertEquals(table.server.census().steps, steps);
});

Deno.test("createArenaServer() counts time as it is given, whatever it began with", () => {
  for (const begin of [0.25, 12_345.678, 2 ** 40 + 0.5]) {
    const table = new Table({ tickRateHz: 10 });
    table.out.now = begin;
    const a = table.join(A);
    table.steer(a, 1, 0);
    table.play.waitUntil(begin + 1_000.5);
    assertEquals(table.positionOf(1), [10_000, 0], `from ${begin}`);
  }
});

// ---- figures

Deno.test("ArenaServer.census() and players() tell what there is", () => {
  const table = new Table();
  const nothing = {
    players: 0,
    unproved: 0,
    bullets: 0,
    steps: 0,
    rounds: 0,
    resends: 0,
    undelivered: 0,
  };
  assertEquals(table.server.census(), nothing);
  assertEquals(table.server.players(), []);
  const a = table.join(A);
  const b = peerAt(B);
  table.ask(b);
  table.fire(a);
  table.wait(600);
  const { steps, rounds, ...census } = table.server.census();
  assertEquals(census, { players: 1, unproved: 1, bullets: 1, resends: 1, undelivered: 1 });
  assertEquals(steps, 36);
  assert(rounds >= 36 && rounds <= 38, `${rounds} rounds`);
  const gray = { red: 128, green: 128, blue: 128 };
  assertEquals(table.server.players(), [{ number: 1, ...gray, x: 0, y: 0 }]);
});

// ---- spoofed addresses

/** Every message a client can send, as short as it can be and as the originals send it. */
function everyDatagram(): [name: string, bytes: Uint8Array][] {
  const recorded = arenaVectors.filter(({ name, direction }) =>
    direction === "client->server" && !name.startsWith("echo_")
  ).map(({ name, bytes }): [string, Uint8Array] => [name, bytes]);
  const short = [0, 1, 2, 3, 10, 11, 12, 20, 21, 30, 35].map((id): [string, Uint8Array] => [
    `short ${id}`,
    Uint8Array.of(0x94, id, 0, 0, 0xc0),
  ]);
  const input = new MsgpackWriter().array(2).integer(1).integer(1).take();
  const longInput = encodeClientMessage({ kind: "input", dx: 0.3, dy: -0.7 });
  return [
    ...recorded,
    ...short,
    ["short input", Uint8Array.of(0x94, 20, 0, 0, 0xa3, ...input)],
    ["long input", longInput],
  ];
}

/** A game in which all move and fire; somebody forges the victim's address. */
function bytesToVictim(forge: (table: Table, victim: Peer) => void, ms: number): number {
  const table = new Table({ random: seededRandom(3), tickRateHz: 20 });
  const players = table.crowd(8);
  for (const [index, peer] of players.entries()) {
    table.steer(peer, index % 3 - 1, index % 2);
    table.fire(peer);
  }
  const victim = peerAt("203.0.113.9:7");
  forge(table, victim);
  let bytes = 0;
  for (const end = table.now + ms; table.now < end;) {
    table.wait(1_000);
    for (const peer of players) {
      table.answer(peer);
      table.beat(peer);
    }
    for (const sent of table.out.takeSentTo(victim)) bytes += sent.length;
  }
  return bytes;
}

/** WELCOME and WORLD_INFO with the largest numbers there are, three times each. */
const WELCOME_BYTES_MAX = 80;
const WORLD_BYTES_MAX = 26;
const TRIAL_BURST = 16_000;
const TRIAL_PER_SECOND = 2_000;

Deno.test("createArenaServer() sends a forged address WELCOME three times, or nothing, unless it moves", () => {
  for (const [name, datagram] of everyDatagram()) {
    const bytes = bytesToVictim((table, victim) => table.play.receive(datagram, victim), 5_000);
    const isInput = /^(input_(down|stop|diag|bin|fast)|(short|long) input)/.test(name);
    if (!isInput) {
      const most = 3 * WELCOME_BYTES_MAX;
      assert(bytes <= most, `${name}: ${bytes} bytes for ${datagram.length}`);
    } else {
      const most = 3 * (WELCOME_BYTES_MAX + WORLD_BYTES_MAX) + TRIAL_BURST + 5 * TRIAL_PER_SECOND;
      assert(bytes <= most, `${name}: ${bytes} bytes for ${datagram.length}`);
    }
  }
});

Deno.test("createArenaServer() sends a forged JOIN's address only WELCOME, when a game is going on", () => {
  const table = new Table();
  const players = table.crowd(8);
  for (const peer of players) table.steer(peer, 1, 0);
  const victim = peerAt("203.0.113.9:7");
  for (let times = 0; times < 90; times++) {
    table.ask(victim);
    table.beat(victim);
    table.fire(victim);
    table.waitWith(players, 100);
  }
  const heard = table.take(victim);
  assertEquals(inShort(heard), new Array(3).fill("welcome 9!"));
});

Deno.test("createArenaServer() sends nobody who never acked more than the trial budget of its network", () => {
  for (const victims of [1, 20]) {
    const bytes = bytesToVictim((table, victim) => {
      for (let port = 0; port < victims; port++) {
        const peer = port === 0 ? victim : peerAt(`203.0.113.9:${1_000 + port}`);
        table.steer(peer, 1, 0);
      }
    }, 30_000);
    const reliable = 3 * (WELCOME_BYTES_MAX + WORLD_BYTES_MAX);
    const most = TRIAL_BURST + 30 * TRIAL_PER_SECOND + reliable;
    assert(bytes > 3 * WELCOME_BYTES_MAX && bytes <= most, `${bytes} bytes, ${victims} victims`);
  }
});

Deno.test("createArenaServer() lets nobody prove by guessing that it hears", () => {
  const bytes = bytesToVictim((table, victim) => {
    table.ask(victim);
    for (let first = 0; first <= 10_000; first += 1_000) {
      table.ack(victim, ...Array.from({ length: 1_000 }, (_, index) => first + index));
    }
  }, 10_000);
  assert(bytes <= 3 * WELCOME_BYTES_MAX, `${bytes} bytes`);
});

Deno.test("createArenaServer() stops sending to a forged address 35 s after the last of it", () => {
  const table = new Table();
  const a = table.join(A);
  table.steer(a, 1, 0);
  const victim = peerAt("203.0.113.9:7");
  table.steer(victim, 1, 0);
  table.waitWith([a], 36_000);
  table.out.takeSentTo(victim);
  table.waitWith([a], 60_000);
  assertEquals(table.out.takeSentTo(victim), []);
  assert(!table.server.remembers(victim));
});

// ---- recorded players

Deno.test("createArenaServer() plays the recorded conversations with the original's clients", () => {
  for (const name of ["two_fake_clients", "heartbeat_timeout", "fire_kills"]) {
    const table = new Table({ tickRateHz: 10, random: seededRandom(1) });
    const peers = new Map<string, Peer>();
    for (const { at, from, bytes } of arenaTranscripts.get(name)!) {
      if (from === "server") continue;
      const peer = peers.get(from) ?? peerAt(`192.0.2.1:${5_000 + peers.size}`);
      const isNew = !peers.has(from);
      peers.set(from, peer);
      table.play.waitUntil(at);
      // They ack what this server sent them, not what the original did.
      for (const message of table.take(peer)) {
        if (message.needsAck) table.ack(peer, message.sequence);
      }
      table.play.receive(bytes, peer);
      if (isNew) {
        assertEquals(table.out.sent.filter(({ to }) => to === peer).length > 0, true, name);
      }
    }
    table.wait(200);
    for (const event of table.takeEvents()) {
      assert(!event.startsWith("refused"), `${name} ${event}`);
    }
    assert(peers.size > 0 && table.server.census().players > 0, name);
  }
});

// ---- the contract

const PLAYERS_MAX = 6;
const PEERS = Array.from({ length: 12 }, (_, i) => peerAt(`192.0.2.${i % 3}:${5_000 + i}`));

function checkLimits(server: ArenaServer): void {
  const { players, unproved, bullets, undelivered } = server.census();
  assert(players <= PLAYERS_MAX, `${players} players`);
  assert(unproved <= 8 * PLAYERS_MAX, `${unproved} unproved`);
  assert(bullets <= 1_024, `${bullets} bullets`);
  assert(undelivered <= 2 * PLAYERS_MAX * 1_100, `${undelivered} undelivered`);
  assertEquals(server.members().map(({ name }) => name), namesOf(server));
}

function namesOf(server: ArenaServer): string[] {
  return server.players().map(({ number }) => String(number));
}

function clientDatagram(random: Random): Uint8Array {
  const kind = random();
  const axis = (): number => Math.floor(random() * 3) - 1;
  if (kind < 0.2) return encodeClientMessage({ kind: "join" });
  if (kind < 0.3) return encodeClientMessage({ kind: "heartbeat" });
  if (kind < 0.5) return encodeClientMessage({ kind: "fire" });
  if (kind < 0.8) return encodeClientMessage({ kind: "input", dx: axis(), dy: axis() });
  const first = Math.floor(random() * 300);
  const sequences = Array.from({ length: random() * 60 }, (_, index) => first + index);
  return encodeClientMessage({ kind: "ack", sequences });
}

testEngineContract("createArenaServer()", () => {
  const engine = createArenaServer({
    random: seededRandom(1),
    playersMax: PLAYERS_MAX,
    playersPerNetworkMax: 4,
  });
  return {
    engine,
    membership: engine,
    datagram: clientDatagram,
    peers: PEERS,
    checkLimits: () => checkLimits(engine),
    endsInSilence: true,
  };
});

testResumption("createArenaServer()", {
  skipped: ["sequence"],
  create: () =>
    createArenaServer({
      random: seededRandom(1),
      playersMax: PLAYERS_MAX,
      playersPerNetworkMax: 4,
    }),
  datagram: clientDatagram,
  peers: PEERS,
  checkLimits,
});

Deno.test("createArenaServer() writes nothing that is no message, nor longer than 1,200 bytes", () => {
  const table = new Table({ random: seededRandom(1) });
  const players = table.crowd(70);
  for (const [index, peer] of players.entries()) {
    table.steer(peer, index % 3 - 1, index % 5 - 2);
    for (let times = 0; times < 3; times++) table.fire(peer);
  }
  table.wait(3_000);
  const sent = table.out.takeSent();
  assert(sent.length > 10_000);
  for (const bytes of new Set(sent.map(({ bytes }) => bytes))) {
    assert(bytes.length <= 1_200, `${bytes.length} bytes`);
    assert(decodeServerMessage(bytes).kind !== "refused");
  }
});
