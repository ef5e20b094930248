import { assert, assertEquals } from "@std/assert";
import { Deadlines } from "../../lib/parts/deadlines.ts";
import { seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";

Deno.test("Deadlines.next() is Infinity when nothing is waited for", () => {
  const deadlines = new Deadlines<string>();
  assertEquals([deadlines.next(), deadlines.takeDue(1e12), deadlines.size], [
    Infinity,
    undefined,
    0,
  ]);
});

Deno.test("Deadlines.takeDue() gives what is due, the earliest first, each once", () => {
  const deadlines = new Deadlines<string>();
  deadlines.set("b", 20);
  deadlines.set("a", 10);
  deadlines.set("c", 30);
  assertEquals(deadlines.takeDue(9), undefined);
  const taken = [deadlines.takeDue(20), deadlines.takeDue(20), deadlines.takeDue(20)];
  assertEquals(taken, ["a", "b", undefined]);
  assertEquals([deadlines.next(), deadlines.size], [30, 1]);
});

Deno.test("Deadlines.set() puts off, moves up and back again", () => {
  const deadlines = new Deadlines<string>();
  deadlines.set("a", 10);
  deadlines.set("a", 50);
  assertEquals([deadlines.next(), deadlines.get("a")], [50, 50]);
  deadlines.set("a", 5);
  assertEquals(deadlines.next(), 5);
  deadlines.set("a", 50);
  assertEquals([deadlines.takeDue(49), deadlines.takeDue(50), deadlines.takeDue(1e9)], [
    undefined,
    "a",
    undefined,
  ]);
});

Deno.test("Deadlines.delete() forgets, also what is set anew later", () => {
  const deadlines = new Deadlines<string>();
  deadlines.set("a", 10);
  deadlines.set("b", 20);
  deadlines.delete("a");
  deadlines.delete("a");
  assertEquals([deadlines.next(), deadlines.get("a"), deadlines.size], [20, undefined, 1]);
  deadlines.set("a", 30);
  assertEquals([deadlines.takeDue(25), deadlines.takeDue(25), deadlines.next()], [
    "b",
    undefined,
    30,
  ]);
});

Deno.test("Deadlines gives equal times one by one, and what is due never only when asked for never", () => {
  const deadlines = new Deadlines<string>();
  assertEquals(deadlines.takeDue(Infinity), undefined);
  for (const key of ["a", "b", "c"]) deadlines.set(key, 10);
  deadlines.set("never", Infinity);
  const taken = Array.from({ length: 4 }, () => deadlines.takeDue(10));
  assertEquals(new Set(taken), new Set(["a", "b", "c", undefined]));
  assertEquals([deadlines.next(), deadlines.size, deadlines.takeDue(1e300)], [
    Infinity,
    1,
    undefined,
  ]);
  deadlines.set("never", 20);
  assertEquals([deadlines.next(), deadlines.takeDue(20), deadlines.takeDue(Infinity)], [
    20,
    "never",
    undefined,
  ]);
});

Deno.test("Deadlines does what a plain map would do", () => {
  forEachSeed(100, (seed) => {
    const random = seededRandom(seed);
    const deadlines = new Deadlines<number>();
    const model = new Map<number, number>();
    let now = 0;
    for (let step = 0; step < 500; step++) {
      const key = Math.floor(random() * 20);
      const kind = random();
      if (kind < 0.6) {
        const at = now + Math.floor(random() * 50);
        deadlines.set(key, at);
        model.set(key, at);
      } else if (kind < 0.7) {
        deadlines.delete(key);
        model.delete(key);
      } else {
        now += random() * 20;
        for (let due; (due = deadlines.takeDue(now)) !== undefined;) {
          const at = model.get(due);
          assert(at !== undefined && at <= now, `${due} was not due`);
          assertEquals(at, Math.min(...model.values()), "an earlier one was due");
          model.delete(due);
        }
      }
      assertEquals(deadlines.next(), Math.min(...model.values()));
      assertEquals([deadlines.size, deadlines.get(key)], [model.size, model.get(key)]);
      assert(deadlines.entries <= 2 * model.size + 64);
    }
  });
});

Deno.test("Deadlines holds no more than is waited for, whatever was moved up, put off or deleted", () => {
  const deadlines = new Deadlines<string>();
  const assertBound = (): void => {
    const { entries, size } = deadlines;
    assert(entries <= 2 * size + 64, `${entries} entries for ${size}`);
  };
  deadlines.set("far", 1e15);
  for (let round = 0; round < 10_000; round++) {
    deadlines.set("a", 1e12 - round); // An entry each, and the old ones never come up.
    deadlines.delete("b");
    deadlines.set("b", 1e13 - round);
    deadlines.set("c", 1e11 + round);
    deadlines.next();
    assertBound();
  }
  assertEquals([deadlines.size, deadlines.next()], [4, 1e11 + 9_999]);
  for (let key = 0; key < 10_000; key++) deadlines.set(`many ${key}`, 1e14 + key);
  for (let key = 0; key < 10_000; key++) {
    deadlines.delete(`many ${key}`);
    assertBound();
  }
  assertEquals([deadlines.size, deadlines.next()], [4, 1e11 + 9_999]);
});
