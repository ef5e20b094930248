import { assert, assertEquals } from "@std/assert";
import { Holds } from "../../lib/parts/holds.ts";

const [ADA, BOB, CYD, DAN] = ["192.0.2.7:5000", "192.0.2.7:5001", "[2001:db8::7]:9", "192.0.2.8:1"];

Deno.test("Holds holds off one address with its port, for so long", () => {
  const holds = new Holds();
  assertEquals(holds.has(ADA!, 0), false);
  holds.add(ADA!, 1_000, 30_000);
  assertEquals([ADA, BOB, CYD].map((one) => holds.has(one!, 1_000)), [true, false, false]);
  assertEquals(holds.has(ADA!, 30_999), true);
  assertEquals(holds.has(ADA!, 31_000), false);
});

Deno.test("Holds begins a hold anew", () => {
  const holds = new Holds();
  holds.add(ADA!, 0, 30_000);
  holds.add(ADA!, 20_000, 30_000);
  assertEquals([holds.has(ADA!, 49_999), holds.has(ADA!, 50_000)], [true, false]);
});

Deno.test("Holds.hasAny() tells whether a hold lasts, also of those that nobody asks for", () => {
  const holds = new Holds();
  assertEquals(holds.hasAny(0), false);
  holds.add(ADA!, 0, 30_000);
  holds.add(BOB!, 10, 20); // The last to come need not be the last to end.
  assertEquals([20, 29_999, 30_000].map((now) => holds.hasAny(now)), [true, true, false]);
  holds.add(CYD!, 40_000, 5);
  assertEquals([40_004, 40_005].map((now) => holds.hasAny(now)), [true, false]);
});

Deno.test("Holds forgets what ended, and of too many the oldest", () => {
  const holds = new Holds(3);
  holds.add(ADA!, 0, 10);
  holds.add(BOB!, 5, 10);
  holds.add(CYD!, 12, 10); // The first ended.
  assertEquals([ADA, BOB, CYD].map((one) => holds.has(one!, 12)), [false, true, true]);
  holds.add(ADA!, 13, 10);
  holds.add(DAN!, 14, 10);
  assertEquals([ADA, BOB, CYD, DAN].map((one) => holds.has(one!, 14)), [true, false, true, true]);
});

Deno.test("Holds takes for the oldest whoever was sent away first, counted anew", () => {
  const holds = new Holds(3);
  for (const one of [ADA, BOB, ADA, CYD, DAN]) holds.add(one!, 1, 100);
  assertEquals([ADA, BOB, CYD, DAN].map((one) => holds.has(one!, 2)), [true, false, true, true]);
});

Deno.test("Holds does not grow, whoever is sent away", () => {
  const holds = new Holds(100);
  for (let i = 0; i < 10_000; i++) {
    holds.add(`192.0.2.7:${i}`, i, i % 3 === 0 ? 1e9 : 1);
  }
  const held = Array.from({ length: 10_000 }, (_, i) => i)
    .filter((i) => holds.has(`192.0.2.7:${i}`, 10_000));
  assert(held.length > 0 && held.length <= 100, `${held.length} holds`);
  assertEquals(held.at(-1), 9_999);
});
