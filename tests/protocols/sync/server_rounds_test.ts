/** Rounds in which players leave or the queue does not get empty. */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { Table } from "./server_table.ts";

const A = "10.0.0.1:5000";

function crowd(table: Table, count: number): Peer[] {
  return Array.from({ length: count }, (_, index) => {
    return table.join(`10.1.${index >> 8}.${index & 255}:5000`);
  });
}

Deno.test("createSyncServer() leaves nobody out of a round when others leave during it", () => {
  forEachSeed(20, (seed) => {
    const random = seededRandom(seed);
    const table = new Table({ rateHz: 10, eagerPacketsPerSecond: 0, silenceMs: 3_000 });
    const players = crowd(table, 300 + Math.floor(random() * 200));
    const leaving = new Set(players.filter(() => random() < 0.3));
    const staying = players.filter((player) => !leaving.has(player));
    table.wait(2_000);
    for (const player of staying) table.keepAlive(player);
    // The leaving are found silent at 3,000 ms, in the middle of this round.
    table.play.waitUntil(2_910 + random() * 80);
    table.out.takeSent();
    table.say(staying[0]!, 1, "x");
    table.wait(99);
    assertEquals(table.server.census().departed, leaving.size);
    const counts = new Map<Peer, number>();
    for (const { to } of table.out.takeSent()) counts.set(to, (counts.get(to) ?? 0) + 1);
    for (const player of staying) assertEquals(counts.get(player), 1, player.address);
  });
});

Deno.test("createSyncServer() sends nothing more while a datagram of its has not left", () => {
  const table = new Table();
  const a = table.join(A, "a");
  table.wait(1_000);
  table.out.backlog = 1;
  table.say(a, 1, "b");
  assertEquals(table.takeView(a), { 0: "b" });
  for (let number = 2; number < 20; number++) {
    table.say(a, number, String(number));
    table.wait(300);
    table.play.advance(table.play.now);
  }
  assertEquals(table.takeSnapshots(a), []);
  table.out.backlog = 0;
  table.play.advance(table.play.now);
  table.wait(10_000);
  assertEquals(table.takeView(a), { 0: "19" });
});

/** Plays 10 s in which each broadcast takes so long to leave; returns how many there were. */
function playSlowly(table: Table, sendMs: number): number {
  const a = table.join(A, "a");
  table.wait(1_000);
  let rounds = 0;
  let leavesAt = Infinity;
  table.out.broadcast = (): void => {
    rounds++;
    table.out.backlog = 1;
    leavesAt = table.play.now + sendMs;
  };
  for (let number = 1; table.play.now < 11_000; number++) {
    table.say(a, number, String(number));
    table.wait(0.5);
    if (table.play.now < leavesAt) continue;
    table.out.backlog = 0;
    leavesAt = Infinity;
    table.play.advance(table.play.now);
  }
  return rounds;
}

Deno.test("createSyncServer() leaves receiving its share of the time when sending is slow", () => {
  const sendMs = 35;
  const share = (playSlowly(new Table({ rateHz: 60 }), sendMs) * sendMs) / 10_000;
  assert(share > 0.65 && share <= 0.71, `sending took ${share} of the time`);
});

Deno.test("createSyncServer() lags when rounds take a quarter longer than their interval", () => {
  for (const [sendMs, lags] of [[10, false], [40, false], [50, true]] as const) {
    const table = new Table({ rateHz: 20, eagerPacketsPerSecond: 0 });
    playSlowly(table, sendMs);
    // 40 ms are 70 % of 57, 50 ms of 71; the interval is 50.
    assertEquals(table.takeEvents().includes("lagging"), lags, `${sendMs} ms`);
  }
});
