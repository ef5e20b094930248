import type { LogRecord } from "@logtape/logtape";
import { assertEquals, assertMatch } from "@std/assert";
import { loggerOf } from "../../lib/observe/log.ts";
import { RendezvousObserver } from "../../lib/observe/rendezvous.ts";
import type { RendezvousRefusal } from "../../lib/protocols/rendezvous/server.ts";
import type { Peer } from "../../lib/protocols/engine.ts";
import { LogBook } from "../support/log.ts";
import { peerAt } from "../support/recorder.ts";

const ada = peerAt("192.0.2.7:5000");
const bob = peerAt("[2001:db8::7]:6000");

/** An observer, its log records, and the clock it reads. */
function setUp(): {
  observer: RendezvousObserver;
  records: LogRecord[];
  clock: { now: number; hosts: number };
  lines: () => string[];
} {
  const log = new LogBook();
  const clock = { now: 1_000, hosts: 2 };
  const logger = loggerOf("rendezvous");
  const observer = new RendezvousObserver(logger, () => clock.hosts, () => clock.now);
  return { observer, records: log.records, clock, lines: () => log.lines };
}

Deno.test("RendezvousObserver logs what becomes of hosts and players", () => {
  const { observer, records, clock, lines } = setUp();
  observer.observe({ kind: "registered", peer: ada, name: "my game", dialect: 1 });
  observer.observe({ kind: "moved", peer: bob, name: "my game", dialect: 2 });
  observer.observe({ kind: "introduced", peer: ada, name: "eve", dialect: 2, host: "my game" });
  clock.hosts = 1;
  observer.observe({ kind: "expired", peer: bob, name: "my game", dialect: 2 });
  clock.hosts = 0;
  observer.observe({ kind: "dropped", peer: ada, name: "{name}", dialect: 2 });
  observer.observe({ kind: "expelled", peer: bob, name: "other", dialect: 1 });
  observer.observe({ kind: "continued", peer: bob, name: "tower", dialect: 1 });
  assertEquals(lines(), [
    'info: host "my game" registered from 192.0.2.7:5000 (2 registered)',
    'info: host "my game" moved to [2001:db8::7]:6000 (2 registered)',
    'info: player "eve" at 192.0.2.7:5000 was introduced to "my game"',
    'info: host "my game" at [2001:db8::7]:6000 was not heard any more (1 registered)',
    'info: host "{name}" at 192.0.2.7:5000 ended (0 registered)',
    'info: host "other" at [2001:db8::7]:6000 was sent away (0 registered)',
    'info: host "tower" goes on from [2001:db8::7]:6000 (0 registered)',
  ]);
  assertEquals(records[0]!.category, ["netsync", "rendezvous"]);
  assertEquals(records[0]!.properties, {
    event: "registered",
    address: ada.address,
    hosts: 2,
    name: "my game",
    dialect: 1,
  });
  assertEquals([records[2]!.properties.event, records[2]!.properties.host], [
    "introduced",
    "my game",
  ]);
});

Deno.test("RendezvousObserver counts everything that happens", () => {
  const { observer } = setUp();
  const kinds = [
    ...["registered", "registered", "moved", "expired", "dropped", "expired", "expelled"] as const,
    "continued" as const,
  ];
  for (const kind of kinds) observer.observe({ kind, peer: ada, name: "game", dialect: 1 });
  observer.observe({ kind: "introduced", peer: bob, name: "eve", dialect: 1, host: "game" });
  for (const reason of ["hash", "hash", "host-rate"] as const) {
    observer.observe({ kind: "refused", peer: ada, reason });
  }
  const { refused, ...others } = observer.counts;
  assertEquals(others, {
    ...{
      registered: 2,
      continued: 1,
      moved: 1,
      expired: 2,
      dropped: 1,
      expelled: 1,
      introduced: 1,
    },
  });
  assertEquals(observer.visitors, 3);
  assertEquals(Object.entries(refused).filter(([, count]) => count > 0), [
    ["hash", 2],
    ["host-rate", 1],
  ]);
});

Deno.test("RendezvousObserver logs a reason at most once in 10 s, with how many were left out", () => {
  const { observer, records, clock, lines } = setUp();
  const refuse = (peer: Peer, reason: RendezvousRefusal = "taken"): void => {
    observer.observe({ kind: "refused", peer, reason });
  };
  for (clock.now = 1_000; clock.now < 11_000; clock.now += 10) refuse(bob);
  refuse(ada, "hash"); // Each reason by itself.
  clock.now = 10_999.9;
  refuse(ada);
  clock.now = 11_000;
  refuse(ada);
  clock.now = 30_000;
  refuse(ada);
  assertEquals(lines(), [
    "warning: refused from [2001:db8::7]:6000: a name that another host has",
    "warning: refused from 192.0.2.7:5000: a hash that was not made with the password",
    "warning: refused from 192.0.2.7:5000 and 1000 more: a name that another host has",
    "warning: refused from 192.0.2.7:5000: a name that another host has",
  ]);
  assertEquals([records[2]!.properties.others, records[2]!.properties.reason], [1_000, "taken"]);
  assertEquals(observer.counts.refused.taken, 1_003);
});

Deno.test("RendezvousObserver has a line for every reason, a warning where something can be done", () => {
  const { observer, records } = setUp();
  const reasons = Object.keys(observer.counts.refused) as RendezvousRefusal[];
  assertEquals(reasons.length, 20);
  for (const reason of reasons) observer.observe({ kind: "refused", peer: ada, reason });
  const quiet = records.filter(({ level }) => level === "debug");
  assertEquals(quiet.map(({ properties }) => properties.reason), [
    ...["oversize", "json", "type", "no-request", "short"],
  ]);
  assertEquals(records.filter(({ level }) => level === "warning").length, 15);
  for (const { message } of records) {
    assertMatch(message.map(String).join(""), /^refused from 192\.0\.2\.7:5000: \w.{15,}$/);
  }
});

Deno.test("RendezvousObserver names an option for every limit that can be set", () => {
  const { observer, lines } = setUp();
  const options = {
    "rate": "--max-requests",
    "host-rate": "--max-joins",
    "full": "--max-hosts",
    "full-network": "--max-per-ip",
  };
  for (const reason of Object.keys(options) as RendezvousRefusal[]) {
    observer.observe({ kind: "refused", peer: ada, reason });
  }
  assertEquals(lines().map((line) => /--[a-z-]+/.exec(line)?.[0]), Object.values(options));
});
