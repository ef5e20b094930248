import { assertEquals } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { Recent } from "../../lib/parts/recent.ts";
import { forEachSeed } from "../support/seeds.ts";

Deno.test("Recent.add() says whether the number is new, and forgets the eldest", () => {
  const recent = new Recent(2);
  assertEquals([recent.add(7), recent.add(7), recent.add(8), recent.add(9)], [
    true,
    false,
    true,
    true,
  ]);
  assertEquals([7, 8, 9].map((number) => recent.has(number)), [false, true, true]);
});

Deno.test("Recent.add() leaves a number that is there as old as it was", () => {
  const recent = new Recent(2);
  for (const number of [1, 2, 1, 3]) recent.add(number);
  assertEquals([1, 2, 3].map((number) => recent.has(number)), [false, true, true]);
});

Deno.test("Recent that may hold nothing remembers nothing", () => {
  const recent = new Recent(0);
  assertEquals([recent.add(1), recent.has(1), recent.add(1)], [true, false, true]);
});

Deno.test("Recent.clear() forgets all, and has as much room as before", () => {
  const recent = new Recent(3);
  for (const number of [1, 2, 3, 4]) recent.add(number);
  recent.clear();
  assertEquals([1, 2, 3, 4].map((number) => recent.has(number)), [false, false, false, false]);
  assertEquals([4, 3, 2, 1].map((number) => recent.add(number)), [true, true, true, true]);
  assertEquals([1, 2, 3, 4].map((number) => recent.has(number)), [true, true, true, false]);
});

Deno.test("Recent does what a plain list would do", () => {
  forEachSeed(100, (seed) => {
    const random = seededRandom(seed);
    const max = Math.floor(random() * 8);
    const range = 1 + Math.floor(random() * 16);
    const recent = new Recent(max);
    let model: number[] = [];
    for (let step = 0; step < 300; step++) {
      const number = Math.floor(random() * range);
      if (random() < 0.01) {
        recent.clear();
        model = [];
      }
      assertEquals(recent.add(number), !model.includes(number), `${number} in step ${step}`);
      if (!model.includes(number)) model.push(number);
      if (model.length > max) model.shift();
      for (let any = 0; any < range; any++) assertEquals(recent.has(any), model.includes(any));
    }
  });
});
