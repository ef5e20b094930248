import { assert, assertEquals, assertMatch } from "@std/assert";
import { loggerOf } from "../../lib/observe/log.ts";
import { MessagesObserver } from "../../lib/observe/messages.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import type { Disconnection, MessageRefusal } from "../../lib/protocols/messages/server.ts";
import { LogBook } from "../support/log.ts";
import { peerAt } from "../support/recorder.ts";

const ada = peerAt("192.0.2.7:5000");
const NO_TRAFFIC = {
  ...{ accepted: 0, acceptErrors: 0, faults: 0 },
  ...{ received: 0, receivedBytes: 0, sent: 0, sentBytes: 0, failed: 0 },
};

Deno.test("MessagesObserver logs and counts who comes and goes, and why", () => {
  const log = new LogBook();
  const observer = new MessagesObserver(loggerOf("messages"), () => 3, () => 0);
  observer.observe({ kind: "connected", peer: ada });
  const reasons: Record<Disconnection, true> = {
    ...{ closed: true, reset: true, idle: true, slow: true, refused: true, dropped: true },
  };
  for (const reason of Object.keys(reasons) as Disconnection[]) {
    observer.observe({ kind: "disconnected", peer: ada, reason });
  }
  const who = "info: client at 192.0.2.7:5000";
  assertEquals(log.lines, [
    "info: client connected from 192.0.2.7:5000 (3 connected)",
    `${who} left (3 connected)`,
    `${who} is gone without a word (3 connected)`,
    `${who} was sent away: it said nothing for too long (3 connected)`,
    `${who} was dropped: it does not read what it is sent (3 connected)`,
    `${who} was sent away for what it sent (3 connected)`,
    `${who} was sent away (3 connected)`,
  ]);
  assertEquals(log.records.slice(0, 2).map(({ properties }) => properties), [
    { event: "connected", address: ada.address, clients: 3 },
    { event: "disconnected", address: ada.address, clients: 3, reason: "closed" },
  ]);
  assertEquals([observer.counts.connected, observer.counts.disconnected], [1, 6]);
});

Deno.test("MessagesObserver tells what was said only in detail, and never the words", () => {
  const log = new LogBook();
  const observer = new MessagesObserver(loggerOf("messages"), () => 2, () => 0);
  const text = new NetworkMessage("a secret").addHeader("password", "x").addHeader("k");
  observer.observe({ kind: "message", peer: ada, message: text });
  const binary = new NetworkMessage(new Uint8Array(5));
  observer.observe({ kind: "message", peer: ada, message: binary });
  assertEquals(log.lines, [
    "debug: client at 192.0.2.7:5000 says something: 2 headers, a body of 8",
    "debug: client at 192.0.2.7:5000 says something: 0 headers, a body of 5",
  ]);
  assertEquals(log.records[0]!.properties, {
    ...{ event: "message", address: ada.address, clients: 2, headers: 2, length: 8 },
  });
  assertEquals(observer.counts.messages, 2);
});

Deno.test("MessagesObserver has a hint for every refusal, and counts those it does not tell", () => {
  const log = new LogBook();
  let now = 0;
  const observer = new MessagesObserver(loggerOf("messages"), () => 0, () => now);
  const reasons = Object.keys(observer.counts.refused) as MessageRefusal[];
  assertEquals(reasons.length, 10);
  for (const reason of reasons) {
    for (let time = 0; time < 3; time++) observer.observe({ kind: "refused", peer: ada, reason });
  }
  assertEquals(log.lines.length, reasons.length);
  for (const line of log.lines) {
    assertMatch(line, /^warning: refused from 192\.0\.2\.7:5000: [a-z].{10}/);
  }
  for (const option of ["--max-message", "--max-connections", "--max-per-ip"]) {
    assert(log.lines.some((line) => line.includes(`raise ${option} `)), option);
  }
  for (const reason of reasons) assertEquals(observer.counts.refused[reason], 3);
  now = 10_000;
  observer.observe({ kind: "refused", peer: ada, reason: "utf8" });
  assertMatch(log.lines.at(-1)!, /^warning: refused from 192\.0\.2\.7:5000 and 2 more: a message /);
  assertEquals(log.records.at(-1)!.properties.reason, "utf8");
});

Deno.test("MessagesObserver says what goes through while somebody is there", () => {
  const log = new LogBook();
  let now = 0;
  let clients = 0;
  const observer = new MessagesObserver(loggerOf("messages"), () => clients, () => now);
  now = 1_000;
  const counters = { ...NO_TRAFFIC, received: 1, receivedBytes: 10 };
  observer.tellStatistics(counters);
  assertEquals(log.lines, []);
  clients = 2;
  now = 3_000;
  observer.tellStatistics({
    ...counters,
    ...{ received: 5, receivedBytes: 50, sent: 8, sentBytes: 4_000 },
  });
  assertEquals(log.lines, [
    "info: 2 clients: in 2.00/s 0.02 kB/s, out 4.00/s 2.00 kB/s; " +
    "each in 1.00/s 0.01 kB/s, out 2.00/s 1.00 kB/s",
  ]);
  const { event, inHz, outBytesHzEach } = log.records[0]!.properties;
  assertEquals([event, inHz, outBytesHzEach], ["statistics", 2, 1_000]);
});
