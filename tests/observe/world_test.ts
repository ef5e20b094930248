import { assert, assertEquals, assertMatch } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { loggerOf } from "../../lib/observe/log.ts";
import { WorldObserver } from "../../lib/observe/world.ts";
import { jsonOf } from "../../lib/protocols/world/messages.ts";
import {
  createWorldServer,
  type WorldRefusal,
  type WorldServerEngine,
} from "../../lib/protocols/world/server.ts";
import { decodePacket, encodeAck, encodeMessage } from "../../lib/protocols/world/wire.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { LogBook } from "../support/log.ts";
import { peerAt, Play } from "../support/recorder.ts";

const ada = peerAt("192.0.2.7:5000");
const NO_TRAFFIC = {
  ...{ received: 0, receivedBytes: 0, receiveErrors: 0, faults: 0 },
  ...{ sent: 0, sentBytes: 0, failed: 0, dropped: 0, replaced: 0 },
};

function worldServer(world = new World()): WorldServerEngine {
  return createWorldServer({ world, unixMs: () => 1e12, random: seededRandom(1) });
}

Deno.test("WorldObserver logs and counts who comes and goes, and why", () => {
  const log = new LogBook();
  const observer = new WorldObserver(loggerOf("world"), worldServer(), () => 0);
  observer.observe({ kind: "joined", peer: ada, hasDiffs: true });
  observer.observe({ kind: "joined", peer: ada, hasDiffs: false });
  observer.observe({ kind: "left", peer: ada, reason: "stopped" });
  observer.observe({ kind: "left", peer: ada, reason: "silent" });
  observer.observe({ kind: "left", peer: ada, reason: "expelled" });
  assertEquals(log.lines, [
    "info: 192.0.2.7:5000 joined (0 clients)",
    "info: 192.0.2.7:5000 joined, and understands snapshots only (0 clients)",
    "info: 192.0.2.7:5000 left (0 clients)",
    "info: 192.0.2.7:5000 left: it acked nothing any more (0 clients)",
    "info: 192.0.2.7:5000 was sent away (0 clients)",
  ]);
  const { address } = ada;
  assertEquals(log.records.map(({ properties }) => properties), [
    { event: "joined", address, hasDiffs: true, clients: 0 },
    { event: "joined", address, hasDiffs: false, clients: 0 },
    { event: "left", address, reason: "stopped", clients: 0 },
    { event: "left", address, reason: "silent", clients: 0 },
    { event: "left", address, reason: "expelled", clients: 0 },
  ]);
  assertEquals([observer.counts.joined, observer.counts.left], [2, 3]);
});

Deno.test("WorldObserver says what is wrong with the computer or too much for it", () => {
  const log = new LogBook();
  const observer = new WorldObserver(loggerOf("world"), worldServer(), () => 0);
  observer.observe({ kind: "lagging", toldShare: 0.4567 });
  observer.observe({ kind: "stalled", lostMs: 812.5 });
  assertMatch(log.lines[0]!, /^warning: .* told of 46 % of the ticks at once, .* --tick-rate$/);
  assertMatch(log.lines[1]!, /^warning: .* the world stood still for 813 ms$/);
  assertEquals(log.records.map(({ properties }) => properties), [
    { event: "lagging", toldPercent: 46 },
    { event: "stalled", lostMs: 813 },
  ]);
});

Deno.test("WorldObserver has a hint for every refusal, and warns of what can be helped", () => {
  const log = new LogBook();
  const observer = new WorldObserver(loggerOf("world"), worldServer(), () => 0);
  const { refused } = observer.counts;
  const reasons = Object.keys(refused) as WorldRefusal[];
  assertEquals(reasons.length, 14);
  for (const reason of reasons) observer.observe({ kind: "refused", peer: ada, reason });
  for (const line of log.lines) {
    assertMatch(line, /refused from 192\.0\.2\.7:5000: [a-z0-9A-Z].{10}/);
  }
  const warnings = log.records.filter(({ level }) => level === "warning");
  assertEquals(
    warnings.map(({ properties }) => properties.reason),
    ["rate", "busy", "full", "full-network"],
  );
  assert(log.lines.some((line) => line.includes("raise --max-clients ")));
  assert(log.lines.some((line) => line.includes("raise --max-per-ip ")));
  assertEquals(Object.values(refused), reasons.map(() => 1));
  // The next ones of a kind are only counted for a while.
  observer.observe({ kind: "refused", peer: ada, reason: "short" });
  assertEquals([log.lines.length, refused.short], [reasons.length, 2]);
});

Deno.test("WorldObserver says what goes through while somebody is there", () => {
  const log = new LogBook();
  const world = new World();
  const rock = world.spawn();
  world.spawn();
  let isMoving = true;
  const engine = createWorldServer({
    world,
    unixMs: () => 1e12,
    random: seededRandom(1),
    step(world, _, time): void {
      if (isMoving) world.update(rock, { position: [time, 0, 0] });
    },
  });
  const play = new Play(engine);
  const observer = new WorldObserver(loggerOf("world"), engine, () => play.now);
  /** Time passes, and what was sent is acked 4 ms later; with a share of it lost. */
  const wait = (ms: number, isLost: (index: number) => boolean = () => false): void => {
    let index = 0;
    for (const until = play.now + ms; play.now < until;) {
      const sent = play.out.takeSentTo(ada);
      play.wait(4);
      for (const bytes of sent) {
        const packet = decodePacket(bytes);
        if (packet.kind !== "message" || isLost(index++)) continue;
        play.receive(encodeAck(packet.sequence), ada);
      }
    }
  };
  play.wait(20);
  observer.tellStatistics(NO_TRAFFIC);
  assertEquals(log.lines, []);
  play.receive(encodeMessage(0, jsonOf({ type: "knock", diffs: true })), ada);
  wait(1_000);
  const counters = {
    ...NO_TRAFFIC,
    received: 100,
    receivedBytes: 2_300,
    sent: 102,
    sentBytes: 9_000,
  };
  observer.tellStatistics(counters);
  wait(1_000, (index) => index % 4 === 0);
  isMoving = false;
  observer.tellStatistics(counters);
  assertEquals(log.lines.length, 2);
  assertMatch(
    log.lines[0]!,
    /^info: 1 clients, 2 objects: in 1\d\d\/s 2\.\d+ kB\/s, out .*; each .*; \d+ ticks\/s, p99 0.* ms late; /,
  );
  assertMatch(log.lines[0]!, /; round trip [45]\.\d+ ms, 0 % not acked in time$/);
  const [first, second] = log.records.map(({ properties }) => properties);
  const { event, clients, objects, ticksHz, roundTripMs, lossPercent, tickLateMsP99 } = first!;
  assertEquals([event, clients, objects, lossPercent], ["statistics", 1, 2, 0]);
  assert(Number(ticksHz) >= 99 && Number(ticksHz) <= 101 && Number(tickLateMsP99) < 1);
  assert(Number(roundTripMs) >= 4 && Number(roundTripMs) <= 8);
  const { lossPercent: lost, inHz } = second!;
  assert(Number(lost) > 10 && Number(lost) < 40, log.lines[1]);
  assertEquals(inHz, 0); // Since the last time.
});
