import type { LogRecord } from "@logtape/logtape";
import { assertEquals, assertMatch } from "@std/assert";
import { loggerOf } from "../../lib/observe/log.ts";
import { SyncObserver } from "../../lib/observe/sync.ts";
import type { Peer } from "../../lib/protocols/engine.ts";
import type { SyncRefusal } from "../../lib/protocols/sync/server.ts";
import { LogBook } from "../support/log.ts";
import { peerAt } from "../support/recorder.ts";

const ada = peerAt("192.0.2.7:5000");
const bob = peerAt("[2001:db8::7]:6000");

/** An observer, its log records, and the clock it reads. */
function setUp(): {
  observer: SyncObserver;
  records: LogRecord[];
  clock: { now: number; players: number };
  lines: () => string[];
} {
  const log = new LogBook();
  const clock = { now: 1_000, players: 0 };
  const observer = new SyncObserver(loggerOf("sync"), () => clock.players, () => clock.now);
  return { observer, records: log.records, clock, lines: () => log.lines };
}

Deno.test("SyncObserver logs who comes and goes, with the number of players", () => {
  const { observer, records, clock, lines } = setUp();
  clock.players = 1;
  observer.observe({ kind: "joined", peer: ada, id: 3 });
  observer.observe({ kind: "continued", peer: ada, id: 2 });
  clock.players = 2;
  observer.observe({ kind: "restarted", peer: bob, id: 4 });
  clock.players = 1;
  observer.observe({ kind: "left", peer: bob, id: 4, reason: "silent" });
  clock.players = 2;
  observer.observe({ kind: "returned", peer: bob, id: 4 });
  clock.players = 1;
  observer.observe({ kind: "left", peer: bob, id: 4, reason: "expelled" });
  assertEquals(lines(), [
    "info: player 3 joined from 192.0.2.7:5000 (1 playing)",
    "info: player 2 goes on from 192.0.2.7:5000 (1 playing)",
    "info: player 4 started anew at [2001:db8::7]:6000 (2 playing)",
    "info: player 4 left: nothing heard from [2001:db8::7]:6000 (1 playing)",
    "info: player 4 is back from [2001:db8::7]:6000 (2 playing)",
    "info: player 4 at [2001:db8::7]:6000 was sent away (1 playing)",
  ]);
  assertEquals(records[0]!.category, ["netsync", "sync"]);
  assertEquals(records[0]!.properties, {
    event: "joined",
    id: 3,
    address: ada.address,
    players: 1,
  });
  assertEquals(records[5]!.properties.reason, "expelled");
});

Deno.test("SyncObserver counts everything that happens", () => {
  const { observer } = setUp();
  const kinds = [
    ...["joined", "joined", "joined", "continued", "continued", "returned", "restarted"] as const,
  ];
  for (const kind of kinds) observer.observe({ kind, peer: ada, id: 0 });
  for (const reason of ["silent", "expelled"] as const) {
    observer.observe({ kind: "left", peer: ada, id: 0, reason });
  }
  for (const reason of ["text", "text", "full"] as const) {
    observer.observe({ kind: "refused", peer: ada, reason });
  }
  observer.observe({ kind: "lagging", roundMs: 100, intervalMs: 50 });
  const { refused, ...others } = observer.counts;
  assertEquals(observer.visitors, 5);
  assertEquals(others, { joined: 3, continued: 2, left: 2, returned: 1, restarted: 1 });
  assertEquals(Object.entries(refused).filter(([, count]) => count > 0), [["text", 2], [
    "full",
    1,
  ]]);
});

Deno.test("SyncObserver logs a reason at most once in 10 s, with how many were left out", () => {
  const { observer, records, clock, lines } = setUp();
  const refuse = (peer: Peer): void => observer.observe({ kind: "refused", peer, reason: "text" });
  for (clock.now = 1_000; clock.now < 11_000; clock.now += 10) refuse(bob);
  assertEquals(lines(), [
    "warning: refused from [2001:db8::7]:6000: a state that is not UTF-8; the previous one stands",
  ]);
  clock.now = 11_000;
  refuse(ada);
  assertEquals(
    lines()[1],
    "warning: refused from 192.0.2.7:5000 and 999 more: a state that is not UTF-8; the previous one stands",
  );
  assertEquals([records[1]!.properties.others, records[1]!.properties.reason], [999, "text"]);
  clock.now = 30_000;
  refuse(ada);
  assertEquals(records[2]!.properties.others, 0);
  assertEquals([records.length, observer.counts.refused.text], [3, 1_002]);
});

Deno.test("SyncObserver limits each reason by itself", () => {
  const { observer, records } = setUp();
  for (const reason of ["text", "full", "text", "full"] as const) {
    observer.observe({ kind: "refused", peer: ada, reason });
  }
  assertEquals(records.map(({ properties }) => properties.reason), ["text", "full"]);
});

Deno.test("SyncObserver has a line for every reason, a warning where something can be done", () => {
  const { observer, records } = setUp();
  const reasons = Object.keys(observer.counts.refused) as SyncRefusal[];
  assertEquals(reasons.length, 11);
  for (const reason of reasons) observer.observe({ kind: "refused", peer: ada, reason });
  const levels = records.map(({ properties, level }) => `${properties.reason} ${level}`);
  assertEquals(levels.filter((text) => text.endsWith(" debug")), ["short debug", "number debug"]);
  assertEquals(levels.filter((text) => text.endsWith(" warning")).length, 9);
  for (const { message } of records) {
    assertMatch(message.map(String).join(""), /^refused from 192\.0\.2\.7:5000: \w.{15,}$/);
  }
});

Deno.test("SyncObserver tells of lagging in snapshots a second", () => {
  const { observer, records, lines } = setUp();
  observer.observe({ kind: "lagging", roundMs: 40, intervalMs: 1_000 / 60 });
  assertEquals(lines(), [
    "warning: sending takes longer than the rate allows: players get about 25 snapshots a second " +
    "instead of 60",
  ]);
  assertEquals(records[0]!.properties, { event: "lagging", hz: 25, rate: 60 });
});
