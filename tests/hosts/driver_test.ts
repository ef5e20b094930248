import { assertEquals } from "@std/assert";
import { Driver } from "../../lib/hosts/driver.ts";

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
