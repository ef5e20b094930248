import { assertEquals } from "@std/assert";
import { Traffic, trafficText } from "../../lib/observe/traffic.ts";

Deno.test("Traffic gives messages and bytes a second, in all and for each", () => {
  let now = 5_000;
  const traffic = new Traffic(() => now);
  now += 2_000;
  const counters = { received: 20, receivedBytes: 400, sent: 2_000, sentBytes: 100_000 };
  assertEquals(traffic.take(counters, 4), {
    clients: 4,
    ...{ inHz: 10, inBytesHz: 200, outHz: 1_000, outBytesHz: 50_000 },
    ...{ inHzEach: 2.5, inBytesHzEach: 50, outHzEach: 250, outBytesHzEach: 12_500 },
  });
  now += 1_000;
  const next = traffic.take({ ...counters, received: 21, sent: 2_001 }, 0);
  assertEquals([next.inHz, next.inBytesHz, next.outHz, next.outHzEach], [1, 0, 1, 1]);
});

Deno.test("Traffic does not divide by no time", () => {
  const traffic = new Traffic(() => 7);
  const counters = { received: 1, receivedBytes: 1, sent: 1, sentBytes: 1 };
  assertEquals(traffic.take(counters, 1).inHz, 1_000);
});

Deno.test("trafficText() gives three digits, or all before the point", () => {
  const figures = {
    clients: 3,
    ...{ inHz: 9.99, inBytesHz: 340, outHz: 720, outBytesHz: 61_230 },
    ...{ inHzEach: 99.94, inBytesHzEach: 0, outHzEach: 240.4, outBytesHzEach: 1_234_567 },
  };
  assertEquals(
    trafficText(figures),
    "in 9.99/s 0.34 kB/s, out 720/s 61.2 kB/s; each in 99.9/s 0.00 kB/s, out 240/s 1235 kB/s",
  );
});
