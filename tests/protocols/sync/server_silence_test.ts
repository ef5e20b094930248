/** What silent, departed and sleeping ones get from the sync server, and what they can cost it. */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import { peerAt } from "../../support/recorder.ts";
import { Table } from "./server_table.ts";

const A = "10.0.0.1:5000";
const B = "10.0.0.2:5000";
const C = "10.0.0.3:5000";

/** Joins so many players of as many networks; then nothing happens for a second. */
function joinCrowd(table: Table, count: number): [Peer, ...Peer[]] {
  const crowd = Array.from({ length: count }, (_, index) => {
    return table.join(`10.1.${index >> 8}.${index & 255}:5000`);
  });
  table.wait(1_000);
  table.out.takeSent();
  table.takeEvents();
  return crowd as [Peer, ...Peer[]];
}

Deno.test("createSyncServer() sends every round to players who only keep themselves alive", () => {
  // In a small group rounds come faster than `rateHz`; the credit must not be spent faster.
  for (const rates of [{}, { rateHz: 60, eagerPacketsPerSecond: 0 }, { rateHz: 0 }]) {
    const table = new Table(rates);
    const watcher = table.join(A);
    const players = joinCrowd(table, 4);
    for (let tick = 1; tick <= 5 * 60; tick++) {
      if (tick % 60 === 1) table.keepAlive(watcher);
      for (const player of players) {
        table.say(player, tick, String(tick));
        table.wait(1_000 / 60 / players.length);
      }
    }
    const numbers = table.takeSnapshots(watcher).map(({ number }) => number);
    assertEquals(numbers, table.takeSnapshots(players[0]).map(({ number }) => number));
    assert(numbers.length > 250, `${numbers.length} rounds`);
  }
});

Deno.test("createSyncServer() renews the credit with each datagram and does not add it up", () => {
  const table = new Table({ rateHz: 20, eagerPacketsPerSecond: 0, silenceMs: 100_000 });
  const [silent, busy] = [table.join(A), table.join(B)];
  table.wait(3_000);
  let number = 0;
  for (const [signs, expected] of [[100, 60], [1, 60], [0, 0]] as const) {
    table.takeSnapshots(silent);
    for (let sign = 0; sign < signs; sign++) table.keepAlive(silent);
    for (let round = 0; round < 200; round++) {
      table.say(busy, ++number, String(number));
      table.wait(50);
    }
    assertEquals(table.takeSnapshots(silent).length, expected, `after ${signs} keep-alives`);
  }
});

Deno.test("createSyncServer() gives a fast group more snapshots for its credit, not more time", () => {
  const sent = (state: string): number => {
    const rates = { rateHz: 20, eagerPacketsPerSecond: 200 };
    const table = new Table({ ...rates, silenceMs: 100_000 });
    const [silent, busy] = [table.join(A), table.join(B)];
    table.say(busy, 1, state);
    table.waitWith([silent, busy], 3_000);
    table.keepAlive(silent);
    table.takeSnapshots(silent);
    for (let number = 2; number <= 2_000; number++) {
      table.say(busy, number, `${state}${number}`);
      table.wait(5);
    }
    return table.takeSnapshots(silent).length;
  };
  assertEquals(sent(""), 300); // 3 s of 200 packets a second to two players.
  assertEquals(sent("x".repeat(30_000)), 60); // 3 s of 20 Hz.
});

Deno.test("createSyncServer() trusts a newcomer for as long as it has played, and a quarter of a second", () => {
  const table = new Table({ rateHz: 60, eagerPacketsPerSecond: 0 });
  const busy = table.join(B);
  let number = 0;
  const snapshotsOf = (silent: Peer): number => {
    for (let tick = 0; tick < 240; tick++) {
      table.say(busy, ++number, String(number));
      table.wait(1_000 / 60);
    }
    return table.takeSnapshots(silent).length;
  };
  const silent = table.join(A);
  assertEquals(snapshotsOf(silent), 15);
  table.wait(7_000); // It left.
  table.takeSnapshots(silent);
  table.keepAlive(silent);
  assertEquals(snapshotsOf(silent), 15, "who comes back is a newcomer");
  table.keepAlive(silent);
  assertEquals(snapshotsOf(silent), 180, "who has played for three seconds is none");
});

Deno.test("createSyncServer() sends 2 MiB at most for a datagram", () => {
  const table = new Table({ rateHz: 60, eagerPacketsPerSecond: 0, silenceMs: 100_000 });
  const [silent, busy] = [table.join(A), table.join(B)];
  table.say(busy, 1, "x".repeat(60_000));
  table.wait(3_000);
  table.keepAlive(silent);
  table.out.takeSent();
  for (let number = 2; number <= 200; number++) {
    table.say(busy, number, "x".repeat(60_000 + number % 2));
    table.wait(1_000 / 60);
  }
  const count = table.takeSnapshots(silent).length;
  assert(count >= 33 && 60_000 * count <= 2_097_152 + 60_000, `${count} snapshots`);
});

Deno.test("createSyncServer() sends at least 10 snapshots to a silent address, however slow", () => {
  const table = new Table({ rateHz: 1, eagerPacketsPerSecond: 0, silenceMs: 100_000 });
  const [silent, busy] = [table.join(A), table.join(B)];
  table.waitWith([silent, busy], 5_000);
  table.takeSnapshots(silent);
  for (let number = 1; number <= 60; number++) {
    table.say(busy, number, String(number));
    table.wait(1_000);
  }
  assertEquals(table.takeSnapshots(silent).length, 10);
});

Deno.test("createSyncServer() sends a player that comes back during a round no number twice", () => {
  const table = new Table({ rateHz: 20, silenceMs: 3_000, clientsMax: 300 });
  const [first, ...others] = joinCrowd(table, 300);
  table.waitWith(others, 1_990);
  for (const player of others) table.keepAlive(player);
  table.takeSnapshots(first);
  table.say(others[0]!, 1, "a round in three parts, and the first player leaves after the first");
  table.wait(15);
  assertEquals(table.takeEvents(), ["left 0"]);
  table.keepAlive(first);
  assertEquals(table.takeEvents(), ["returned 0"]);
  table.wait(200);
  const numbers = table.takeSnapshots(first).map(({ number }) => number);
  assertEquals(numbers, [...new Set(numbers)]);
  assert(numbers.length >= 2, `${numbers.length} snapshots`);
});

Deno.test("createSyncServer() keeps the departed for returnMs after it noticed, also after a sleep", () => {
  const table = new Table();
  const a = table.join(A, "a");
  table.play.advance(300_000);
  table.wait(5_000);
  assertEquals(table.takeEvents(), ["joined 0", "left 0"]);
  table.wait(50_000);
  table.keepAlive(a);
  assertEquals(table.takeEvents(), ["returned 0"]);
});

Deno.test("createSyncServer() forgets who leaves at once when returnMs is 0", () => {
  const table = new Table({ returnMs: 0 });
  const peers = [A, B, C].map((address) => table.join(address));
  table.wait(10_000);
  assertEquals(table.takeEvents().slice(3), ["left 0", "left 1", "left 2"]);
  assertEquals(peers.filter((peer) => table.server.remembers(peer)), []);
  assertEquals(table.server.nextDeadline(), Infinity);
});

Deno.test("createSyncServer() removes no player for its host's sleep because strangers crowd", () => {
  const table = new Table({ clientsMax: 2 });
  table.join(A);
  for (const address of [B, C]) table.ask(peerAt(address));
  table.play.out.now = 120_000; // The first that arrives after the sleep, before any timer fires.
  const late = peerAt("10.0.0.4:5000");
  table.ask(late);
  assertEquals(table.takeIds(late), [3n]);
  assertEquals(table.takeEvents(), ["joined 0"]);
  assertEquals(table.server.census().players, 1);
});

Deno.test("createSyncServer() keeps the states of the departed only while they are few", () => {
  const table = new Table();
  const peers = [0, 1, 2, 3, 4, 5].map((index) => {
    const peer = table.join(`10.0.0.${index}:5000`, String(index).repeat(60_000));
    table.wait(10_000);
    return peer;
  });
  assertEquals(table.server.census().departed, 6);
  const comeAndGo = (peer: Peer): boolean => {
    table.keepAlive(peer);
    const { snapshotBytes } = table.server.census();
    table.wait(10_000);
    return snapshotBytes > 60_000;
  };
  // 262,144 bytes are room for four; who returned leaves with the same state again.
  const restored = [true, true, true, true, false, false];
  assertEquals(peers.map(comeAndGo), restored);
  assertEquals(peers.map(comeAndGo), restored);
});

Deno.test("createSyncServer() gives a departed player no older state than its last one", () => {
  const table = new Table();
  const large = "x".repeat(60_000);
  const peers = [0, 1, 2, 3, 4].map((index) => {
    const peer = table.join(`10.0.0.${index}:5000`, large);
    table.wait(10_000);
    return peer;
  });
  // The first one's place is taken by the fifth while it plays; then its own state has none.
  const [first, fifth] = [peers[0]!, peers[4]!];
  table.say(first, 1, "small");
  table.say(fifth, 1, large);
  table.waitWith([first], 10_000);
  table.say(first, 2, large);
  table.wait(10_000);
  table.keepAlive(first);
  assertEquals(table.server.census(), {
    players: 1,
    unverified: 0,
    departed: 4,
    snapshotBytes: 10,
  });
});

Deno.test("createSyncServer() lets a player leave that came back and fell silent again", () => {
  const table = new Table();
  const a = table.join(A, "a");
  table.wait(12_000);
  table.keepAlive(a);
  assertEquals(table.server.census().departed, 0);
  table.wait(9_999);
  assertEquals(table.takeEvents(), ["joined 0", "left 0", "returned 0"]);
  table.wait(1);
  assertEquals(table.takeEvents(), ["left 0"]);
  assertEquals(table.server.census().departed, 1);
});

Deno.test("createSyncServer() takes a player back although unverified addresses crowd", () => {
  const table = new Table({ clientsMax: 2 });
  const a = table.join(A);
  table.wait(12_000);
  for (const address of [B, C]) table.ask(peerAt(address));
  assertEquals(table.server.census().unverified, 2);
  table.keepAlive(a);
  assertEquals(table.takeEvents(), ["joined 0", "left 0", "returned 0"]);
});

Deno.test("createSyncServer() lets idle unverified addresses be while there is room for others", () => {
  const table = new Table({ unverifiedMax: 3 });
  const idle = peerAt(A);
  table.ask(idle);
  table.wait(5_000);
  table.ask(peerAt(B));
  assert(table.server.remembers(idle));
  table.ask(peerAt(C));
  table.ask(peerAt("10.0.0.4:5000"));
  assert(!table.server.remembers(idle));
});

Deno.test("createSyncServer() forgets the sign of a new start when the old numbers go on", () => {
  const table = new Table();
  const a = table.join(A, "a");
  table.say(a, 100, "old");
  table.ask(a); // The keep-alive of a Godot client.
  table.say(a, 101, "newest");
  table.wait(3_000);
  for (const late of [1, 2, 3]) table.say(a, late, "late");
  table.wait(3_000);
  assertEquals(table.takeView(a), { 0: "newest" });
});
