import { assert, assertEquals, assertMatch } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { ArenaObserver } from "../../lib/observe/arena.ts";
import { EchoObserver } from "../../lib/observe/echo.ts";
import { loggerOf } from "../../lib/observe/log.ts";
import { type ArenaRefusal, createArenaServer } from "../../lib/protocols/arena/server.ts";
import { encodeClientMessage } from "../../lib/protocols/arena/wire.ts";
import type { EchoRefusal } from "../../lib/protocols/echo/server.ts";
import { LogBook } from "../support/log.ts";
import { peerAt, Play } from "../support/recorder.ts";

const ada = peerAt("192.0.2.7:5000");
const NO_TRAFFIC = {
  ...{ received: 0, receivedBytes: 0, receiveErrors: 0, faults: 0 },
  ...{ sent: 0, sentBytes: 0, failed: 0, dropped: 0, replaced: 0 },
};

Deno.test("ArenaObserver logs and counts who comes and goes, and why", () => {
  const log = new LogBook();
  const arena = createArenaServer({ random: seededRandom(1) });
  const observer = new ArenaObserver(loggerOf("arena"), arena, () => 0);
  observer.observe({ kind: "joined", peer: ada, number: 3 });
  for (const reason of ["silent", "closed", "displaced"] as const) {
    observer.observe({ kind: "left", peer: ada, number: 3, reason });
  }
  observer.observe({ kind: "continued", peer: ada, number: 2 });
  assertEquals(log.lines, [
    "info: player 3 joined from 192.0.2.7:5000 (0 playing)",
    "info: player 3 left: nothing heard from 192.0.2.7:5000 (0 playing)",
    "info: player 3 at 192.0.2.7:5000 was sent away (0 playing)",
    "info: player 3 at 192.0.2.7:5000, who never acked anything, made room (0 playing)",
    "info: player 2 goes on from 192.0.2.7:5000 (0 playing)",
  ]);
  assertEquals(log.records[1]!.properties, {
    event: "left",
    address: ada.address,
    players: 0,
    number: 3,
    reason: "silent",
  });
  const { joined, continued, left } = observer.counts;
  assertEquals([joined, continued, left, observer.visitors], [1, 1, 3, 2]);
});

Deno.test("ArenaObserver says what is wrong with the computer or too much for it", () => {
  const log = new LogBook();
  const arena = createArenaServer({ random: seededRandom(1) });
  const observer = new ArenaObserver(loggerOf("arena"), arena, () => 0);
  observer.observe({ kind: "lagging", hz: 21.4, tickRateHz: 60 });
  observer.observe({ kind: "stalled", lostMs: 812.5 });
  assertMatch(log.lines[0]!, /^warning: .* told 21 times a second what moved instead of 60; /);
  assertMatch(log.lines[1]!, /^warning: .* the world stood still for 813 ms$/);
  assertEquals(log.records[0]!.properties, { event: "lagging", hz: 21, tickRate: 60 });
  observer.observe({ kind: "lagging", hz: 0.46, tickRateHz: 60 });
  assertMatch(log.lines[2]!, / told 0\.5 times a second /);
});

Deno.test("ArenaObserver and EchoObserver have a hint for every refusal", () => {
  const log = new LogBook();
  const arena = createArenaServer({ random: seededRandom(1) });
  const ofArena = new ArenaObserver(loggerOf("arena"), arena, () => 0);
  const ofEcho = new EchoObserver(loggerOf("echo"), () => 0, () => 0);
  const reasons = Object.keys(ofArena.counts.refused) as ArenaRefusal[];
  assertEquals(reasons.length, 10);
  for (const reason of reasons) ofArena.observe({ kind: "refused", peer: ada, reason });
  const others = Object.keys(ofEcho.counts.refused) as EchoRefusal[];
  assertEquals(others.length, 10);
  for (const reason of others) ofEcho.observe({ kind: "refused", peer: ada, reason });
  assertEquals(log.records.length, reasons.length + others.length);
  for (const line of log.lines) assertMatch(line, /refused from 192\.0\.2\.7:5000: [a-z].{10}/);
  assert(log.lines.some((line) => line.startsWith("warning: ") && line.includes("--max-clients")));
  for (const reason of reasons) assertEquals(ofArena.counts.refused[reason], 1);
});

Deno.test("ArenaObserver says what goes through while somebody plays", () => {
  const log = new LogBook();
  const arena = createArenaServer({ random: seededRandom(1) });
  const play = new Play(arena);
  const observer = new ArenaObserver(loggerOf("arena"), arena, () => play.now);
  observer.tellStatistics(NO_TRAFFIC);
  assertEquals(log.lines, []);
  play.receive(encodeClientMessage({ kind: "input", dx: 1, dy: 0 }), ada);
  play.wait(1_000);
  const counters = { ...NO_TRAFFIC, received: 1, receivedBytes: 10, sent: 60, sentBytes: 3_600 };
  observer.tellStatistics(counters);
  play.wait(500);
  observer.tellStatistics(counters);
  assertEquals(log.lines.length, 2);
  assertMatch(
    log.lines[0]!,
    /^info: 1 players: in 1\.00\/s 0\.01 kB\/s, out 60\.0\/s 3\.60 kB\/s; each .*; (59|60) ticks\/s, /,
  );
  const { ticksHz, roundsHz, resends, bullets } = log.records[1]!.properties;
  // Nothing was acked: the welcome and the world were sent again meanwhile.
  assert(Number(ticksHz) >= 58 && Number(roundsHz) >= 58, log.lines[1]);
  assertEquals(bullets, 0);
  assert(Number(resends) >= 1 && Number(resends) <= 4);
});

Deno.test("EchoObserver logs who comes and goes, and what was said only in detail", () => {
  const log = new LogBook();
  let now = 0;
  const observer = new EchoObserver(loggerOf("echo"), () => 2, () => now);
  observer.observe({ kind: "joined", peer: ada, number: 1 });
  observer.observe({ kind: "echoed", peer: ada, number: 1, listeners: 2 });
  for (const reason of ["silent", "closed", "displaced"] as const) {
    observer.observe({ kind: "left", peer: ada, number: 1, reason });
  }
  now = 1_000;
  observer.tellStatistics({ ...NO_TRAFFIC, received: 3 });
  assertEquals(log.lines.slice(0, 5), [
    "info: client 1 is here from 192.0.2.7:5000 (2 connected)",
    "debug: client 1 at 192.0.2.7:5000 was repeated to 2",
    "info: client 1 left: nothing heard from 192.0.2.7:5000 (2 connected)",
    "info: client 1 at 192.0.2.7:5000 was sent away (2 connected)",
    "info: client 1 at 192.0.2.7:5000 made room (2 connected)",
  ]);
  assertMatch(log.lines[5]!, /^info: 2 clients: in 3\.00\/s /);
  assertEquals(log.records[5]!.properties.event, "statistics");
  const { joined, echoed, left } = observer.counts;
  assertEquals([joined, echoed, left], [1, 1, 3]);
});
