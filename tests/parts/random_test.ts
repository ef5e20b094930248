import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";

function draw(seed: number, count: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, random);
}

Deno.test("seededRandom() gives the same numbers for the same seed", () => {
  assertEquals(draw(17, 100), draw(17, 100));
  assertNotEquals(draw(17, 100), draw(18, 100));
});

Deno.test("seededRandom() is Mulberry32", () => {
  assertEquals(draw(0, 3).map((number) => number * 2 ** 32), [
    1_144_304_738,
    1_416_247,
    958_946_056,
  ]);
});

Deno.test("seededRandom() counts the lowest 32 bits of the seed", () => {
  assertEquals(draw(2 ** 32 + 5, 3), draw(5, 3));
  assertEquals(draw(-1, 3), draw(2 ** 32 - 1, 3));
});

Deno.test("seededRandom() fills the range from 0 to below 1 evenly", () => {
  const tenths = new Array<number>(10).fill(0);
  for (const number of draw(1, 10_000)) {
    assert(number >= 0 && number < 1);
    tenths[Math.floor(number * 10)]!++;
  }
  for (const count of tenths) assert(count > 850 && count < 1_150, `${tenths}`);
});

Deno.test("seededRandom() gives generators that do not disturb each other", () => {
  const one = seededRandom(3);
  const other = seededRandom(4);
  const mixed = Array.from({ length: 20 }, () => [one(), other()] as const);
  assertEquals(mixed.map(([number]) => number), draw(3, 20));
  assertEquals(mixed.map(([, number]) => number), draw(4, 20));
});
