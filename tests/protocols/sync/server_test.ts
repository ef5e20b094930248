import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  decodeServerMessage,
  encodeIdReply,
  encodeIdRequest,
  encodeState,
  writeNumber,
} from "../../../lib/protocols/sync/wire.ts";
import { peerAt } from "../../support/recorder.ts";
import { FIRST, Table } from "./server_table.ts";

const utf8 = new TextEncoder();

const A = "10.0.0.1:5000";
const B = "10.0.0.2:5000";
const C = "10.0.0.3:5000";

// ---- ids

Deno.test("createSyncServer() answers every id request of an address with the same id", () => {
  const table = new Table();
  const a = peerAt(A);
  for (let i = 0; i < 5; i++) {
    table.ask(a);
    table.wait(200);
  }
  assertEquals(table.out.takeSentTo(a), new Array(5).fill(encodeIdReply(0n)));
  assertEquals(table.server.census().unverified, 1);
});

Deno.test("createSyncServer() answers a player's id request with its id and changes nothing", () => {
  const table = new Table();
  const a = table.join(A, "here");
  table.say(a, 7, "seven");
  table.wait(100);
  table.takeSnapshots(a);
  table.takeEvents();
  table.ask(a);
  assertEquals(table.out.takeSentTo(a), [encodeIdReply(0n)]);
  table.say(a, 7, "old number");
  table.wait(100);
  assertEquals(table.takeSnapshots(a), []);
  assertEquals(table.takeEvents(), []);
  assertEquals(table.server.census().players, 1);
  assertEquals(table.server.census().unverified, 0);
});

Deno.test("createSyncServer() gives ids that rise by one and are never given again", () => {
  const table = new Table({ silenceMs: 1_000, returnMs: 1_000 });
  for (let id = 0; id < 6; id++) {
    const peer = peerAt(`10.0.0.9:${6_000 + id % 3}`); // Peers of one address, forgotten in between.
    table.ask(peer);
    if (id % 2 === 0) table.say(peer, 0, "x");
    assertEquals(table.takeIds(peer), [BigInt(id)]);
    table.wait(5_000);
    assert(!table.server.remembers(peer));
  }
});

Deno.test("createSyncServer() answers an id request that has a tail with 16 bytes", () => {
  const table = new Table();
  const a = peerAt(A);
  table.play.receive(Uint8Array.of(...encodeIdRequest(), 1, 2, 3), a);
  assertEquals(table.out.takeSentTo(a), [encodeIdReply(0n)]);
});

Deno.test("createSyncServer() tells ports of one address apart", () => {
  const table = new Table();
  const [a, b] = [table.join("10.0.0.1:5000", "a"), table.join("10.0.0.1:5001", "b")];
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "a", 1: "b" });
  assertEquals(table.takeView(b), { 0: "a", 1: "b" });
});

// ---- states

Deno.test("createSyncServer() sends a first state to everybody at once, its sender included", () => {
  const table = new Table();
  const a = table.join(A, "ada");
  assertEquals(table.takeSnapshots(a), [{ at: 0, number: FIRST, states: { 0: "ada" } }]);
  table.wait(1_000);
  const b = table.join(B, "bob");
  for (const peer of [a, b]) {
    const snapshot = { at: 1_000, number: FIRST + 1, states: { 0: "ada", 1: "bob" } };
    assertEquals(table.takeSnapshots(peer), [snapshot]);
  }
  assertEquals(table.takeEvents(), ["joined 0", "joined 1"]);
});

Deno.test("createSyncServer() takes a first state with number 0 after the Python keep-alive", () => {
  const table = new Table();
  const a = peerAt(A);
  table.ask(a);
  table.keepAlive(a);
  table.wait(500);
  table.keepAlive(a);
  table.say(a, 0, "first");
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "first" });
  table.say(a, 0, "zero again");
  table.wait(100);
  assertEquals(table.takeSnapshots(a), []);
  assertEquals(table.takeEvents(), ["joined 0"]);
});

Deno.test("createSyncServer() never overwrites a state by keep-alives", () => {
  const table = new Table();
  const a = table.join(A, "first");
  table.keepAlive(a);
  table.say(a, 3, "three");
  table.keepAlive(a);
  table.ask(a);
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "three" });
  table.keepAlive(a);
  table.wait(100);
  assertEquals(table.takeSnapshots(a), []);
});

Deno.test("createSyncServer() takes an empty state with a number above 0", () => {
  const table = new Table();
  const a = table.join(A, "first");
  table.say(a, 1, "");
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "" });
});

Deno.test("createSyncServer() takes only numbers above the last one", () => {
  const table = new Table();
  const a = table.join(A, "0");
  for (const number of [5, 5, 4, 1, 0, 6, 5]) table.say(a, number, `${number}, newest`);
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "6, newest" });
  table.say(a, 6, "twice");
  table.wait(100);
  assertEquals(table.takeSnapshots(a), []);
});

Deno.test("createSyncServer() takes a first state with any number, and then only higher ones", () => {
  const table = new Table();
  const a = peerAt(A);
  table.ask(a);
  table.say(a, 7, "seven");
  table.say(a, 7, "again");
  table.say(a, 6, "six");
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "seven" });
  table.say(a, 8, "eight");
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "eight" });
});

Deno.test("createSyncServer() compares numbers beyond 2^53 to the last bit", () => {
  const table = new Table();
  const a = table.join(A);
  const base = 2n ** 53n;
  table.say(a, base, "even");
  table.say(a, base + 1n, "odd");
  table.say(a, base, "even again");
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "odd" });
});

Deno.test("createSyncServer() takes nothing after the number 2^63 - 1, from this client", () => {
  const table = new Table();
  const a = table.join(A);
  const b = table.join(B);
  table.say(a, 2n ** 63n - 1n, "max");
  table.say(a, 1, "later");
  table.say(a, 2n ** 63n - 1n, "max again");
  table.say(b, 1, "on");
  table.wait(100);
  assertEquals(table.takeView(b), { 0: "max", 1: "on" });
  assert(table.server.remembers(a));
});

Deno.test("createSyncServer() drops a state that is not UTF-8 and keeps the old state and number", () => {
  const table = new Table();
  const a = table.join(A, "good");
  table.wait(100);
  table.takeSnapshots(a);
  table.takeEvents();
  table.say(a, 9, Uint8Array.of(0x61, 0x80));
  table.wait(100);
  assertEquals(table.takeEvents(), ["refused text"]);
  assertEquals(table.takeSnapshots(a), []);
  table.say(a, 2, "number 9 was not taken");
  assertEquals(table.takeView(a), { 0: "number 9 was not taken" });
});

Deno.test("createSyncServer() makes no player of an address whose first state is not UTF-8", () => {
  const table = new Table();
  const a = peerAt(A);
  table.ask(a);
  table.say(a, 0, Uint8Array.of(0x80));
  table.wait(3_000);
  assertEquals(table.out.takeSentTo(a), [encodeIdReply(0n)]);
  assertEquals(table.takeEvents(), ["refused text"]);
  assertEquals(table.server.census().unverified, 1);
  table.say(a, 0, "good");
  assertEquals(table.takeView(a), { 0: "good" });
});

Deno.test("createSyncServer() escapes UTF-8 to ASCII", () => {
  const table = new Table();
  const a = table.join(A, 'é🎮"\u007f/');
  const json = '{"0":"\\u00e9\\ud83c\\udfae\\"\\u007f/"}';
  assertEquals(table.out.takeSentTo(a)[1]!.subarray(8), utf8.encode(json));
});

Deno.test("createSyncServer() refuses less than 8 bytes from anybody", () => {
  for (const filler of [0x00, 0xff]) {
    for (let length = 0; length < 8; length++) {
      const table = new Table();
      const stranger = peerAt(C);
      const unverified = peerAt(B);
      const player = table.join(A, "kept");
      table.ask(unverified);
      table.out.takeSent();
      table.takeEvents();
      for (const peer of [stranger, unverified, player]) {
        table.play.receive(new Uint8Array(length).fill(filler), peer);
      }
      assertEquals(table.out.takeSent(), []);
      assertEquals(table.takeEvents(), new Array(3).fill("refused short"));
      assert(!table.server.remembers(stranger));
      table.wait(2_000);
      assertEquals(table.takeView(player), { 0: "kept" });
      assertEquals(table.out.takeSent(), []);
    }
  }
});

Deno.test("createSyncServer() refuses negative numbers other than -1 from anybody", () => {
  for (const number of [-2n, -256n, -(2n ** 63n)]) {
    const table = new Table();
    const stranger = peerAt(C);
    const unverified = peerAt(B);
    const player = table.join(A, "kept");
    table.ask(unverified);
    table.out.takeSent();
    table.takeEvents();
    const datagram = Uint8Array.of(...new Uint8Array(8), 0x78);
    writeNumber(datagram, 0, number);
    for (const peer of [stranger, unverified, player]) table.play.receive(datagram, peer);
    assertEquals(table.takeEvents(), new Array(3).fill("refused number"));
    assertEquals(table.out.takeSent(), []);
    assert(!table.server.remembers(stranger));
    assertEquals(table.server.census().players, 1);
  }
});

Deno.test("createSyncServer() refuses a stranger's state and keep-alive, and keeps nothing of it", () => {
  const table = new Table();
  const a = peerAt(A);
  table.say(a, 0, "hello");
  table.keepAlive(a);
  table.wait(3_000);
  assertEquals(table.takeEvents(), ["refused stranger", "refused stranger"]);
  assertEquals(table.out.sent, []);
  assert(!table.server.remembers(a));
});

Deno.test("createSyncServer() refuses a state above stateBytesMax and keeps the old one", () => {
  const table = new Table({ stateBytesMax: 4 });
  const a = table.join(A, "four");
  table.takeEvents();
  table.say(a, 1, "fives");
  table.say(a, 2, "éé"); // Bytes as they arrive count.
  table.say(a, 3, "ééx");
  table.wait(100);
  assertEquals(table.takeEvents(), ["refused state-size", "refused state-size"]);
  assertEquals(table.takeView(a), { 0: "éé" });
});

Deno.test("createSyncServer() shows a player whose first state is too large without a state", () => {
  const table = new Table({ stateBytesMax: 4 });
  const a = table.join(A, "fives");
  assertEquals(table.takeEvents(), ["refused state-size", "joined 0"]);
  assertEquals(table.takeView(a), {});
  table.say(a, 1, "four");
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "four" });
});

Deno.test("createSyncServer() refuses a state the snapshot has no room for and keeps the old one", () => {
  const table = new Table();
  const a = table.join(A, "y".repeat(65_491));
  assertEquals(table.server.census().snapshotBytes, 65_507);
  const b = table.join(B, "no room");
  table.say(a, 1, "n".repeat(65_492));
  assertEquals(table.takeEvents(), [
    "joined 0",
    "refused world-full",
    "joined 1",
    "refused world-full",
  ]);
  table.wait(2_000);
  assertEquals(table.takeView(b), { 0: "y".repeat(65_491) });
  table.say(a, 1, "small");
  table.say(b, 1, "room");
  table.wait(100);
  assertEquals(table.takeView(b), { 0: "small", 1: "room" });
});

// ---- time

Deno.test("createSyncServer() repeats the snapshot to idle players within 2 s, and to nobody else", () => {
  const table = new Table();
  const [a, b] = [table.join(A, "a"), table.join(B, "b")];
  const unverified = peerAt(C);
  const end = 30_000;
  while (table.play.now < end) {
    table.keepAlive(a);
    table.ask(b); // The Godot keep-alive.
    table.ask(unverified);
    table.wait(1_000);
  }
  for (const peer of [a, b]) {
    const snapshots = table.takeSnapshots(peer);
    const times = [...snapshots.map(({ at }) => at), end];
    times.forEach((at, index) => assert(at - (times[index - 1] ?? 0) <= 2_000, `${times}`));
    assert(snapshots.length < 30, "idle is not busy");
    assertEquals(snapshots.at(-1)!.states, { 0: "a", 1: "b" });
  }
  assertEquals(table.out.takeSentTo(unverified), new Array(30).fill(encodeIdReply(2n)));
  assertEquals(table.server.census().players, 2);
});

Deno.test("createSyncServer() removes a silent player after 10 s and tells the others", () => {
  const table = new Table();
  const [a, b] = [table.join(A, "a"), table.join(B, "b")];
  table.waitWith([b], 9_990);
  table.takeEvents();
  assertEquals(table.takeView(b), { 0: "a", 1: "b" });
  table.takeSnapshots(a);
  table.waitWith([b], 30);
  assertEquals(table.takeEvents(), ["left 0"]);
  assertEquals(table.takeView(b), { 1: "b" });
  table.waitWith([b], 5_000);
  assertEquals(table.takeSnapshots(a), []);
  const { players, departed } = table.server.census();
  assertEquals({ players, departed }, { players: 1, departed: 1 });
});

Deno.test("createSyncServer() keeps a player whose datagrams have old numbers", () => {
  const table = new Table();
  const a = table.join(A, "a");
  for (let i = 0; i < 20; i++) {
    table.say(a, 0, "old");
    table.wait(1_000);
  }
  assertEquals(table.takeEvents(), ["joined 0"]);
});

Deno.test("createSyncServer() forgets an unverified address after 10 s, and not one that asks again", () => {
  const table = new Table();
  const [a, b] = [peerAt(A), peerAt(B)];
  table.ask(a);
  table.ask(b);
  table.wait(9_000);
  table.ask(b);
  table.wait(999);
  assert(table.server.remembers(a));
  table.wait(1);
  assert(!table.server.remembers(a));
  assert(table.server.remembers(b));
  table.ask(b);
  assertEquals(table.takeIds(b), [1n, 1n, 1n]);
  assertEquals(table.takeEvents(), []);
});

const waysBack: [string, (table: Table, peer: Peer) => void, string][] = [
  ["a state", (table, peer): void => table.say(peer, 1, "new"), "new"],
  ["a keep-alive", (table, peer): void => table.keepAlive(peer), "old"],
  ["an id request", (table, peer): void => table.ask(peer), "old"],
];

for (const [what, comeBack, state] of waysBack) {
  Deno.test(`createSyncServer() takes a departed player back under its id with ${what}`, () => {
    const table = new Table();
    const a = table.join(A, "old");
    table.say(a, 500, "old");
    const b = table.join(B, "b");
    table.waitWith([b], 40_000);
    table.takeEvents();
    assertEquals(table.takeView(b), { 1: "b" });
    table.out.takeSent();
    comeBack(table, a);
    table.wait(100);
    assertEquals(table.takeEvents(), ["returned 0"]);
    assertEquals(table.takeView(b), { 0: state, 1: "b" });
    assertEquals(table.takeView(a), { 0: state, 1: "b" });
    table.say(a, 2, "counts from the beginning");
    table.wait(100);
    assertEquals(table.takeView(b), { 0: "counts from the beginning", 1: "b" });
    assertEquals(table.server.census().departed, 0);
    table.takeEvents();
    table.waitWith([b], 11_000);
    assertEquals(table.takeEvents(), ["left 0"]);
  });
}

Deno.test("createSyncServer() finds a player that came back silent after another 10 s", () => {
  const table = new Table();
  const a = table.join(A);
  table.wait(20_000);
  table.keepAlive(a);
  table.takeEvents();
  table.wait(9_999);
  assertEquals(table.takeEvents(), []);
  table.wait(1);
  assertEquals(table.takeEvents(), ["left 0"]);
});

Deno.test("createSyncServer() gives a player that comes back its state however often it leaves", () => {
  const table = new Table();
  const state = "y".repeat(60_000);
  const a = table.join(A, state);
  for (let absence = 0; absence < 6; absence++) {
    table.wait(11_000);
    table.keepAlive(a);
    table.wait(100);
    assert(table.takeView(a)!["0"] === state, `absence ${absence}`);
  }
});

Deno.test("createSyncServer() answers the id request of a departed player with its old id", () => {
  const table = new Table();
  const a = table.join(A);
  table.wait(20_000);
  table.takeIds(a);
  table.ask(a);
  assertEquals(table.takeIds(a), [0n]);
});

Deno.test("createSyncServer() takes a departed player back without its state when there is no room", () => {
  const table = new Table();
  const a = table.join(A, "a".repeat(1_000));
  const b = table.join(B, "b");
  table.waitWith([b], 20_000);
  table.say(b, 1, "y".repeat(65_000));
  table.keepAlive(a);
  table.wait(2_000);
  assert(table.takeView(a)!["0"] === undefined);
  table.say(b, 2, "b");
  table.say(a, 1, "back");
  table.wait(100);
  assertEquals(table.takeView(a), { 1: "b", 0: "back" });
});

Deno.test("createSyncServer() forgets a departed player after returnMs", () => {
  const table = new Table({ returnMs: 5_000 });
  const a = table.join(A);
  table.wait(14_999);
  assert(table.server.remembers(a));
  table.wait(1);
  assert(!table.server.remembers(a));
  assertEquals(table.server.census().departed, 0);
  table.takeEvents();
  table.say(a, 5, "stranger now");
  assertEquals(table.takeEvents(), ["refused stranger"]);
  table.takeIds(a);
  table.ask(a);
  assertEquals(table.takeIds(a), [1n]);
});

Deno.test("createSyncServer() throws nobody out at once when its host was asleep", () => {
  const table = new Table();
  const [a, b] = [table.join(A, "a"), table.join(B, "b")];
  table.wait(100);
  table.takeEvents();
  table.play.advance(60_000);
  assertEquals(table.takeEvents(), []);
  table.wait(500);
  table.keepAlive(a);
  table.wait(2_000);
  assertEquals(table.takeEvents(), ["left 1"]);
  assertEquals(table.takeView(a), { 0: "a" });
  assert(table.server.remembers(b));
});

Deno.test("createSyncServer() waits for nothing when it knows nobody", () => {
  const table = new Table();
  assertEquals(table.server.nextDeadline(), Infinity);
  table.join(A);
  assert(table.server.nextDeadline() < Infinity);
  table.wait(100_000);
  assertEquals(table.server.nextDeadline(), Infinity);
});

// ---- a client that starts anew on its old port

Deno.test("createSyncServer() believes a client that starts anew on its port within 2 s", () => {
  const table = new Table();
  table.wait(5_000);
  const a = table.join(A, "old");
  table.say(a, 5_000, "old");
  table.wait(50);
  table.takeEvents();
  table.takeIds(a);
  table.ask(a);
  assertEquals(table.takeIds(a), [0n]);
  let number = 0;
  for (; table.takeEvents().length === 0; number++) {
    assert(table.play.now < 7_000, "not believed in 2 s");
    table.say(a, number, `new ${number}`);
    table.wait(50);
  }
  assert(table.play.now > 6_000, "believed too soon");
  assertEquals(table.takeView(a), { 0: `new ${number - 1}` });
  table.say(a, number, "on");
  table.wait(50);
  assertEquals(table.takeView(a), { 0: "on" });
});

Deno.test("createSyncServer() tells that a client started anew", () => {
  const table = new Table();
  const a = table.join(A, "old");
  table.say(a, 100, "old");
  table.wait(3_000);
  table.takeEvents();
  table.ask(a);
  table.say(a, 0, "one sign is not enough");
  assertEquals(table.takeEvents(), []);
  table.say(a, 1, "two are");
  assertEquals(table.takeEvents(), ["restarted 0"]);
});

Deno.test("createSyncServer() believes no new start without an id request", () => {
  const table = new Table();
  const a = table.join(A, "old");
  table.say(a, 100, "old");
  table.wait(3_000);
  for (let number = 0; number < 50; number++) table.say(a, number, "low");
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "old" });
});

Deno.test("createSyncServer() believes no new start of one late datagram that arrives many times", () => {
  const table = new Table();
  const a = table.join(A, "old");
  table.say(a, 100, "old");
  for (let i = 0; i < 5; i++) {
    table.wait(1_000);
    table.ask(a); // The Godot keep-alive.
    table.say(a, 3, "late");
    table.say(a, 3, "late");
    table.say(a, 2, "later still");
  }
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "old" });
});

Deno.test("createSyncServer() believes no new start that counts from far above 0", () => {
  const table = new Table();
  const a = table.join(A, "old");
  table.say(a, 5_000, "old");
  table.wait(3_000);
  table.ask(a);
  for (let number = 100; number < 150; number++) table.say(a, number, "late");
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "old" });
});

Deno.test("createSyncServer() believes a new start whose first 16 states were lost, and no more", () => {
  for (const [first, isBelieved] of [[16, true], [17, false]] as const) {
    const table = new Table();
    const a = table.join(A, "old");
    table.say(a, 5_000, "old");
    table.wait(3_000);
    table.takeEvents();
    table.ask(a);
    table.say(a, first, "new");
    table.say(a, first + 1, "new");
    assertEquals(table.takeEvents(), isBelieved ? ["restarted 0"] : []);
  }
});

Deno.test("createSyncServer() counts from the beginning after a new start whose state it refused", () => {
  const table = new Table();
  const a = table.join(A, "old");
  table.say(a, 5_000, "old");
  table.wait(3_000);
  table.takeEvents();
  table.ask(a);
  table.say(a, 0, "new");
  table.say(a, 1, Uint8Array.of(0xff));
  table.say(a, 2, "taken");
  table.wait(100);
  assertEquals(table.takeEvents(), ["restarted 0", "refused text"]);
  assertEquals(table.takeView(a), { 0: "taken" });
});

Deno.test("createSyncServer() forgets an id request when a higher number follows", () => {
  const table = new Table();
  const a = table.join(A, "old");
  table.ask(a);
  table.say(a, 100, "higher");
  table.wait(3_000);
  for (let number = 0; number < 50; number++) table.say(a, number, "low");
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "higher" });
});

Deno.test("createSyncServer() believes no new start while states flow, in whatever order", () => {
  const table = new Table();
  const a = table.join(A, "0");
  for (let number = 20; number < 400; number++) {
    table.wait(16);
    if (number % 60 === 0) table.ask(a);
    table.say(a, number, `${number}`);
    table.say(a, number % 16, "repeated by the network");
    table.say(a, number - 1, "overtaken");
  }
  assertEquals(table.takeEvents(), ["joined 0"]);
  table.wait(100);
  assertEquals(table.takeView(a), { 0: "399" });
});

// ---- limits

Deno.test("createSyncServer() takes clientsMax players and gives a place that gets free to the next", () => {
  const table = new Table({ clientsMax: 2 });
  const a = table.join(A, "a");
  const b = table.join(B, "b");
  const c = peerAt(C);
  table.takeEvents();
  table.ask(c);
  assertEquals(table.takeEvents(), ["refused full"]);
  assertEquals(table.out.takeSentTo(c), []);
  assert(!table.server.remembers(c));
  table.waitWith([a], 11_000);
  assertEquals(table.takeEvents(), ["left 1"]);
  table.ask(c);
  table.say(c, 0, "c");
  assertEquals(table.takeEvents(), ["joined 2"]);
  table.keepAlive(b);
  assertEquals(table.takeEvents(), ["refused full"]);
  table.out.takeSent();
  table.ask(b);
  assertEquals(table.out.takeSentTo(b), []);
  table.waitWith([c], 11_000);
  table.takeEvents();
  table.keepAlive(b);
  assertEquals(table.takeEvents(), ["returned 1"]);
  table.wait(100);
  assertEquals(table.takeView(c), { 2: "c", 1: "b" });
});

Deno.test("createSyncServer() makes an unverified address a player as soon as there is a place", () => {
  const table = new Table({ clientsMax: 1, unverifiedMax: 1 });
  const [a, b] = [peerAt(A), peerAt(B)];
  table.ask(a);
  table.ask(b); // Crowded: the eldest gives its place up.
  assert(!table.server.remembers(a));
  table.say(b, 0, "b");
  assertEquals(table.takeEvents(), ["joined 1"]);
  assertEquals(table.takeView(b), { 1: "b" });
});

Deno.test("createSyncServer() refuses the first states of those who come when all places are taken", () => {
  const table = new Table({ clientsMax: 2 });
  const [c, d] = [peerAt(C), peerAt("10.0.0.4:5000")];
  table.ask(c);
  table.ask(d);
  table.say(c, 0, "c");
  const e = table.join("10.0.0.5:5000", "e");
  assertEquals(table.takeEvents(), ["joined 0", "joined 2"]);
  table.say(d, 0, "d");
  assertEquals(table.takeEvents(), ["refused full"]);
  for (let number = 1; number < 10; number++) {
    table.keepAlive(c);
    table.say(d, number, "d");
    table.wait(1_000);
  }
  assertEquals(table.out.takeSentTo(d), [encodeIdReply(1n)]);
  assertEquals(table.takeEvents(), new Array(9).fill("refused full"));
  table.wait(1_000);
  table.say(d, 10, "d");
  assertEquals(table.takeEvents(), ["left 2", "joined 1"]);
  assert(table.server.remembers(e));
});

Deno.test("createSyncServer() takes clientsPerNetworkMax addresses of one network", () => {
  const table = new Table({ clientsPerNetworkMax: 2 });
  const first = table.join("10.0.0.1:1", "a");
  const second = table.join("10.0.0.1:2", "b");
  const third = peerAt("10.0.0.1:3");
  table.takeEvents();
  table.ask(third);
  assertEquals(table.takeEvents(), ["refused full-network"]);
  assertEquals(table.out.takeSentTo(third), []);
  table.join("10.0.0.2:1", "another network");
  assertEquals(table.takeEvents(), ["joined 2"]);
  table.waitWith([second], 11_000);
  table.takeEvents();
  table.ask(third);
  table.say(third, 0, "c");
  assertEquals(table.takeEvents(), ["joined 3"]);
  table.keepAlive(first);
  assertEquals(table.takeEvents(), ["refused full-network"]);
});

Deno.test("createSyncServer() counts a forgotten unverified address out of its network", () => {
  const table = new Table({ clientsPerNetworkMax: 1 });
  table.ask(peerAt("10.0.0.1:1"));
  table.wait(10_000);
  table.join("10.0.0.1:2");
  assertEquals(table.takeEvents(), ["joined 1"]);
});

Deno.test("createSyncServer() counts the ports of an IPv6 /64 network together", () => {
  const table = new Table({ clientsPerNetworkMax: 1 });
  table.join("[2001:db8:0:1::1]:5000");
  table.join("[2001:db8:0:1::2]:5000");
  table.join("[2001:db8:0:2::1]:5000");
  assertEquals(table.takeEvents(), [
    "joined 0",
    "refused full-network",
    "refused stranger",
    "joined 1",
  ]);
});

Deno.test("createSyncServer() forgets the eldest unverified address when they crowd, whatever it says", () => {
  const table = new Table({ unverifiedMax: 3 });
  const peers = Array.from({ length: 3 }, (_, index) => peerAt(`10.0.1.${index}:5000`));
  for (const peer of peers) table.ask(peer);
  for (const peer of peers) table.ask(peer);
  const next = peerAt(A);
  table.ask(next);
  assertEquals(table.takeEvents(), []);
  assertEquals(peers.map((peer) => table.server.remembers(peer)), [false, true, true]);
  assertEquals(table.takeIds(next), [3n]);
  assertEquals(table.server.census().unverified, 3);
});

Deno.test("createSyncServer() lets unverified addresses keep nobody of their network out", () => {
  const table = new Table({ clientsPerNetworkMax: 2 });
  for (let port = 1; port < 100; port++) table.ask(peerAt(`10.0.0.1:${port}`));
  assertEquals(table.server.census().unverified, 2);
  table.join("10.0.0.1:1000");
  const late = table.join("10.0.0.1:1001");
  assertEquals(table.takeEvents(), ["joined 99", "joined 100"]);
  assert(table.server.remembers(late));
  table.ask(peerAt("10.0.0.1:1002"));
  assertEquals(table.takeEvents(), ["refused full-network"]);
});

Deno.test("createSyncServer() takes a departed player back when unverified addresses crowd", () => {
  const table = new Table({ clientsMax: 2 });
  const a = table.join(A, "a");
  table.wait(11_000);
  const crowd = [peerAt(B), peerAt(C)];
  for (const peer of crowd) table.ask(peer);
  table.wait(3_000);
  table.takeEvents();
  table.keepAlive(a);
  assertEquals(table.takeEvents(), ["returned 0"]);
  for (const peer of crowd) assert(table.server.remembers(peer));
});

Deno.test("createSyncServer() throws no player out when unverified addresses crowd", () => {
  const table = new Table({ clientsMax: 2, unverifiedMax: 2 });
  const a = table.join(A);
  table.wait(5_000);
  for (let port = 1; port < 200; port++) {
    table.ask(peerAt(`10.9.0.${port}:${port}`));
    assert(table.server.census().unverified <= 2);
    table.wait(20);
  }
  assert(!table.takeEvents().includes("left 0"));
  assertEquals(table.server.census().players, 1);
  assert(table.server.remembers(a));
});

Deno.test("createSyncServer() remembers clientsMax departed players, those that left last", () => {
  const table = new Table({ clientsMax: 3, returnMs: 600_000 });
  const peers: Peer[] = [];
  for (let index = 0; index < 5; index++) {
    peers.push(table.join(`10.0.2.${index}:5000`));
    table.wait(11_000);
    assert(table.server.census().departed <= 3);
  }
  assertEquals(peers.map((peer) => table.server.remembers(peer)), [
    false,
    false,
    true,
    true,
    true,
  ]);
});

// ---- what one may get for what one sent

Deno.test("createSyncServer() sends a silent address three seconds' worth of snapshots at most", () => {
  for (const [rateHz, most] of [[60, 180], [20, 60], [2, 10]] as const) {
    const table = new Table({ rateHz, eagerPacketsPerSecond: 0 });
    const [a, b] = [table.join(A, "a"), table.join(B, "b")];
    table.wait(3_000);
    table.keepAlive(a);
    table.out.takeSent();
    for (let number = 1; number < 900; number++) {
      table.say(b, number, `${number}`);
      table.wait(10);
    }
    assertEquals(table.takeSnapshots(a).length, most, `rateHz ${rateHz}`);
    assert(table.takeSnapshots(b).length >= rateHz * 8.9, `rateHz ${rateHz}`);
    table.keepAlive(a);
    table.say(b, 1_000, "news");
    table.wait(1_000);
    assert(table.takeSnapshots(a).length > 0, "a datagram renews the credit");
  }
});

Deno.test("createSyncServer() sends a silent address a bounded number of snapshots without a rate", () => {
  const table = new Table({ rateHz: 0 });
  const [a, b] = [table.join(A, "a"), table.join(B, "b")];
  table.out.takeSent();
  for (let number = 1; number <= 2_000; number++) table.say(b, number, `${number}`);
  assert(table.takeSnapshots(a).length <= 600);
  assertEquals(table.takeSnapshots(b).length, 2_000);
});

Deno.test("createSyncServer() sends an unverified address 16 bytes for 8 and nothing else", () => {
  const table = new Table();
  const player = table.join(A, "y".repeat(1_000));
  const unverified = peerAt(B);
  let bytesIn = 0;
  const send = (datagram: Uint8Array): void => {
    bytesIn += datagram.length;
    table.play.receive(datagram, unverified);
  };
  for (let number = 1; number < 100; number++) {
    send(encodeIdRequest());
    send(encodeIdRequest().subarray(0, 7));
    send(encodeState(BigInt(number), Uint8Array.of(0xff)));
    table.say(player, number, `${number}`);
    table.wait(100);
    const sent = table.out.sent.filter(({ to }) => to === unverified);
    assert(sent.every(({ bytes }) => bytes.length === 16));
    assert(16 * sent.length <= 2 * bytesIn);
  }
  assertEquals(table.out.takeSentTo(unverified), new Array(99).fill(encodeIdReply(1n)));
});

// ---- rounds

Deno.test("createSyncServer() numbers the rounds from firstSnapshotNumber, the same for every player", () => {
  const table = new Table({ eagerPacketsPerSecond: 0, clientsPerNetworkMax: 150 });
  const peers = Array.from({ length: 150 }, (_, index) => table.join(`10.0.0.1:${index}`));
  table.wait(100);
  for (let number = 1; number <= 20; number++) {
    table.say(peers[number]!, number, "news");
    table.wait(10);
  }
  table.wait(100);
  const first = table.takeSnapshots(peers[0]!).map(({ number }) => number);
  assertEquals(first[0], FIRST);
  assertEquals(first, Array.from(first, (_, index) => FIRST + index));
  for (const peer of peers.slice(1)) {
    const numbers = table.takeSnapshots(peer).map(({ number }) => number);
    assertEquals(numbers, first.slice(-numbers.length));
  }
});

Deno.test("createSyncServer() begins at any firstSnapshotNumber up to 2^53", () => {
  for (const firstSnapshotNumber of [1, 1_700_000_000_000_000, 2 ** 53]) {
    const table = new Table({ firstSnapshotNumber });
    const a = table.join(A);
    const [, bytes] = table.out.takeSentTo(a);
    const message = decodeServerMessage(bytes!);
    assert(message.kind === "snapshot");
    assertEquals(message.number, BigInt(firstSnapshotNumber));
  }
});

Deno.test("createSyncServer() keeps to rateHz when it may not be eager", () => {
  for (const rateHz of [10, 60, 128]) {
    const table = new Table({ rateHz, eagerPacketsPerSecond: 0 });
    const [a, b] = [table.join(A), table.join(B)];
    table.wait(1_000);
    table.out.takeSent();
    for (let number = 1; table.play.now < 11_000; number++) {
      table.say(a, number, `${number}`);
      table.say(b, number, `${number}`);
      table.wait(3);
    }
    for (const peer of [a, b]) {
      const { length } = table.takeSnapshots(peer);
      assert(Math.abs(length - 10 * rateHz) <= 1, `${length} snapshots in 10 s at ${rateHz} Hz`);
    }
  }
});

Deno.test("createSyncServer() sends small groups more than rateHz as far as it may be eager", () => {
  const table = new Table({ rateHz: 10, eagerPacketsPerSecond: 100 });
  const [a, b] = [table.join(A), table.join(B)];
  table.wait(1_000);
  table.out.takeSent();
  for (let number = 1; table.play.now < 3_000; number++) {
    table.say(a, number, `${number}`);
    table.say(b, number, `${number}`);
    table.wait(3);
  }
  for (const peer of [a, b]) {
    const { length } = table.takeSnapshots(peer);
    assert(length >= 95 && length <= 101, `${length} snapshots in 2 s`);
  }
});

Deno.test("createSyncServer() sends on every state when rateHz is 0", () => {
  const table = new Table({ rateHz: 0 });
  const [a, b] = [table.join(A), table.join(B)];
  table.out.takeSent();
  for (let number = 1; number <= 20; number++) {
    table.say(a, number, `${number}`);
    assertEquals(table.takeView(b), { 0: `${number}`, 1: "x" });
  }
});

Deno.test("createSyncServer() spreads a large round over the interval, each part with its moment's states", () => {
  const table = new Table({ rateHz: 10, eagerPacketsPerSecond: 0, clientsPerNetworkMax: 300 });
  const peers = Array.from({ length: 300 }, (_, index) => table.join(`10.0.0.1:${index}`, ""));
  table.wait(1_000);
  for (const peer of peers) table.keepAlive(peer);
  table.wait(1_000);
  table.out.takeSent();
  const begin = table.play.now;
  for (let number = 1; number <= 100; number++) {
    table.say(peers[0]!, number, `${number}`);
    table.wait(1);
  }
  const firsts = peers.map((peer) => table.takeSnapshots(peer)[0]!);
  assertEquals(new Set(firsts.map(({ number }) => number)).size, 1);
  const times = [...new Set(firsts.map(({ at }) => at - begin))];
  assert(times.length >= 3, `${times}`);
  assertEquals(times, times.toSorted((one, other) => one - other));
  times.forEach((at, index) => {
    const even = (100 * index) / times.length;
    assert(Math.abs(at - even) < 1, `${times}`);
    const share = firsts.filter((snapshot) => snapshot.at - begin === at);
    assert(share.length <= 128, `${share.length} at once`);
    // The state of number n came at n - 1.
    const newest = Math.floor(at) + 1;
    for (const { states } of share) assertEquals(states["0"], `${newest}`);
  });
});

Deno.test("createSyncServer() sends a round to everybody once when players leave and come during it", () => {
  const table = new Table({ rateHz: 1, eagerPacketsPerSecond: 0, clientsPerNetworkMax: 400 });
  const peers = Array.from({ length: 300 }, (_, index) => table.join(`10.0.0.1:${index}`, ""));
  for (let second = 0; second < 12; second++) {
    // The first three say nothing any more and leave.
    for (const peer of peers.slice(3)) table.keepAlive(peer);
    if (second === 9) table.out.takeSent();
    table.say(peers[9]!, second + 1, "news");
    table.wait(995);
  }
  assertEquals(table.server.census().players, 297);
  for (const peer of peers.slice(3)) {
    const numbers = table.takeSnapshots(peer).map(({ number }) => number);
    assert(numbers.length >= 2);
    const [first] = numbers;
    assertEquals(numbers, Array.from(numbers, (_, index) => first! + index));
  }
});

Deno.test("createSyncServer() leaves nobody out when others leave in the middle of a round", () => {
  const table = new Table({
    rateHz: 0.5,
    eagerPacketsPerSecond: 0,
    clientsPerNetworkMax: 300,
    silenceMs: 10_500,
  });
  const peers = Array.from({ length: 300 }, (_, index) => table.join(`10.0.0.1:${index}`, ""));
  const others = peers.slice(50);
  for (let second = 1; second <= 12; second++) {
    table.wait(1_000);
    for (const peer of others) table.keepAlive(peer);
    table.say(others[0]!, second, "news");
  }
  assertEquals(table.server.census().players, 250);
  const snapshots = table.takeSnapshots(others[0]!).filter(({ at }) => at < 11_000);
  // The round that began at 10 s was on its way when the first 50 left.
  assertEquals(snapshots.map(({ at }) => at), [2_000, 4_000, 6_000, 8_000, 10_000]);
  const expected = snapshots.map(({ number }) => number);
  for (const peer of others.slice(1)) {
    const numbers = table.takeSnapshots(peer).map(({ number }) => number);
    assertEquals(expected.filter((number) => !numbers.includes(number)), []);
  }
});

Deno.test("createSyncServer() holds the next part of a round back until the last one has left", () => {
  const table = new Table({ rateHz: 10, eagerPacketsPerSecond: 0, clientsPerNetworkMax: 300 });
  const peers = Array.from({ length: 300 }, (_, index) => table.join(`10.0.0.1:${index}`, ""));
  table.wait(1_000);
  table.out.takeSent();
  table.out.backlog = 1;
  table.say(peers[0]!, 1, "news");
  const { length } = table.out.takeSent();
  assert(length > 0 && length < 300);
  for (let second = 0; second < 3; second++) {
    table.wait(1_000);
    table.play.advance(table.play.now);
    for (const peer of peers) table.keepAlive(peer);
    assertEquals(table.out.takeSent(), []);
  }
  table.out.backlog = 0;
  table.play.advance(table.play.now);
  table.wait(10_000 - table.play.now);
  assert(table.out.takeSent().length >= 300 - length);
});

Deno.test("createSyncServer() tells at most every 10 s that rounds take longer than their interval", () => {
  const table = new Table({ rateHz: 60, eagerPacketsPerSecond: 0 });
  const a = table.join(A);
  const times: number[] = [];
  const end = 35_000;
  for (let number = 1; table.play.now < end; number++) {
    table.out.backlog = 1;
    table.say(a, number, `${number}`);
    table.wait(100);
    table.out.backlog = 0;
    table.play.advance(table.play.now);
    for (const event of table.out.takeEvents()) {
      if (event.kind !== "lagging") continue;
      times.push(table.play.now);
      assertEquals(event.intervalMs, 1_000 / 60);
      assert(event.roundMs >= 100, `${event.roundMs}`);
    }
    table.wait(200);
  }
  assertEquals(times.length, 4, `${times}`);
  times.forEach((at, index) => assert(index === 0 || at - times[index - 1]! >= 10_000, `${times}`));
});

Deno.test("createSyncServer() does not speak of lag when rounds are quick", () => {
  const table = new Table();
  const a = table.join(A);
  for (let number = 1; number < 500; number++) {
    table.out.backlog = 1;
    table.say(a, number, `${number}`);
    table.wait(1);
    table.out.backlog = 0;
    table.play.advance(table.play.now);
    table.wait(19);
  }
  assertEquals(table.takeEvents(), ["joined 0"]);
});
