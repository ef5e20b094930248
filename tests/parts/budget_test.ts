import { assert, assertEquals } from "@std/assert";
import { Budget } from "../../lib/parts/budget.ts";

const LIMITS = { perSecond: 10, burst: 30, keysMax: 100 };

/** How often it gives, asked so many times at one moment. */
function given(budget: Budget, key: string, now: number, times: number): number {
  let given = 0;
  for (let time = 0; time < times; time++) given += Number(budget.take(key, now));
  return given;
}

Deno.test("Budget.take() gives the burst at once, then so much a second", () => {
  const budget = new Budget(LIMITS);
  assertEquals(given(budget, "ada", 1_000, 100), 30);
  assertEquals(given(budget, "ada", 1_099, 100), 0);
  assertEquals(given(budget, "ada", 1_100, 100), 1);
  assertEquals(given(budget, "ada", 2_100, 100), 10);
  assertEquals(given(budget, "ada", 1e9, 100), 30, "no more than the burst is saved");
});

Deno.test("Budget.take() keeps keys apart", () => {
  const budget = new Budget(LIMITS);
  assertEquals(given(budget, "ada", 0, 100), 30);
  assertEquals(given(budget, "bob", 0, 100), 30);
});

Deno.test("Budget.take() spends an amount whole or not at all", () => {
  const budget = new Budget(LIMITS);
  assertEquals(budget.take("ada", 0, 31), false);
  assertEquals(budget.take("ada", 0, 20), true);
  assertEquals(budget.take("ada", 0, 11), false);
  assertEquals(budget.take("ada", 0, 10), true);
  assertEquals(budget.take("ada", 0), false);
});

Deno.test("Budget keeps no more accounts than it may, and closes the one idle longest first", () => {
  const budget = new Budget(LIMITS);
  for (let key = 0; key < 100; key++) budget.take(String(key), 0, 30);
  assertEquals(budget.take("0", 100), true); // Used again: not idle.
  budget.take("another", 100, 30);
  assertEquals(budget.size, 100);
  assertEquals(given(budget, "0", 100, 10), 0, "its account is still there");
  assertEquals(given(budget, "1", 100, 100), 30, "its account was closed");
  for (let key = 0; key < 100_000; key++) budget.take(`stranger ${key}`, 100 + key / 1_000);
  assert(budget.size <= 100, `${budget.size} accounts`);
});

Deno.test("Budget closes full accounts when others come", () => {
  const budget = new Budget(LIMITS);
  for (let key = 0; key < 50; key++) budget.take(String(key), 0);
  for (let key = 0; key < 30; key++) budget.take(`later ${key}`, 60_000);
  assert(budget.size <= 30, `${budget.size} accounts`);
});
