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

Deno.test("Driver tells how much later than it was due something was done, once for each timer", async () => {
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
  // What was done in time by somebody else's call is told of by nobody.
  deadline = 0;
  driver.advanceIfDue();
  assertEquals([advances.length, lates.length], [2, 1]);
  driver.stop();
});

Deno.test("Driver tells nothing below 0 when a timer comes before what it was set for", async () => {
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
  await until("the timer", () => lates.length > 0);
  assertEquals(lates, [0]);
  driver.stop();
});
