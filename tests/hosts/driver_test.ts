import { assert, assertEquals } from "@std/assert";
import { Driver } from "../../lib/hosts/driver.ts";
import { until } from "../support/wait.ts";

// The hosts' tests cover the rest: their engines' deadlines, and what their engines throw.

Deno.test("Driver sets no timer once it is stopped", async () => {
  let advances = 0;
  const driver = new Driver({ nextDeadline: () => 0, advance: () => advances++ }, () => {});
  driver.arm();
  driver.stop();
  driver.arm();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(advances, 0);
});

Deno.test("Driver.advanceIfDue() calls the engine only when something is due, and says so", () => {
  let deadline = Infinity;
  const advances: number[] = [];
  const engine = {
    nextDeadline: () => deadline,
    advance: (now: number) => {
      advances.push(now);
      deadline = Infinity;
    },
  };
  const driver = new Driver(engine, () => {});
  assertEquals([driver.advanceIfDue(), advances.length], [false, 0]);
  deadline = 0;
  assertEquals([driver.advanceIfDue(), advances.length], [true, 1]);
  driver.stop();
});

Deno.test("Driver tells how much later than it was due something was done, by its timer", async () => {
  let deadline = Infinity;
  const advances: number[] = [];
  const lates: number[] = [];
  const engine = {
    nextDeadline: () => deadline,
    advance: (now: number) => {
      advances.push(now);
      deadline = Infinity;
    },
  };
  const driver = new Driver(engine, () => {}, (ms) => lates.push(ms));
  const due = performance.now() + 5;
  deadline = due;
  driver.arm();
  while (performance.now() < due + 20); // Nothing else gets a turn: the timer will be late.
  await until("the timer", () => advances.length === 1);
  assertEquals(lates.length, 1);
  const [late] = lates;
  assert(late! >= 15 && Math.abs(late! - (advances[0]! - due)) < 1, `${late} ms`);
  driver.stop();
});

Deno.test("Driver tells how late a call of somebody else's did what was due, once", () => {
  let deadline = 1_000;
  const lates: number[] = [];
  const engine = { nextDeadline: () => deadline, advance: () => void (deadline = Infinity) };
  const driver = new Driver(engine, () => {}, (ms) => lates.push(ms));
  driver.arm(900);
  deadline = 1_100; // What came let the engine think of something else, before anything was due.
  driver.arm(999);
  driver.arm(1_100.5); // It was told the time, and did nothing.
  assertEquals(lates, []);
  deadline = 1_200;
  driver.arm(1_107);
  driver.arm(1_150);
  assertEquals(lates, [7]);
  deadline = Infinity;
  driver.arm(1_200);
  assertEquals(lates, [7, 0]);
  deadline = performance.now() - 3;
  driver.advanceIfDue();
  assertEquals(lates.length, 3);
  assert(lates[2]! >= 3, `${lates}`);
  driver.stop();
});

Deno.test("Driver does not take for late what was never due", async () => {
  let deadline = performance.now() + 2 ** 40; // More than a timer can hold.
  const lates: number[] = [];
  const engine = { nextDeadline: () => deadline, advance: () => void (deadline = Infinity) };
  const driver = new Driver(engine, () => {}, (ms) => lates.push(ms));
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((call: () => void) => setTimeout(call, 0)) as typeof setTimeout;
  try {
    driver.arm();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  await until("the timer", () => deadline === Infinity);
  assertEquals(lates, []);
  driver.stop();
});
