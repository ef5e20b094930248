import { assert, assertEquals } from "@std/assert";
import {
  Budget,
  datagramsIn,
  SharedBudget,
  strangersBytes,
  strangersDatagrams,
} from "../../lib/parts/budget.ts";

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

// ---- shared

const SHARED = { perSecond: 1_000, perKeySecond: 100, keysMax: 400 };

/** How often it gives to each of so many keys that all ask as often, in turn, evenly over a time. */
function shared(
  budget: SharedBudget,
  { keys, asks, from, ms }: { keys: number; asks: number; from: number; ms: number },
): number[] {
  const given = new Array<number>(keys).fill(0);
  for (let ask = 0; ask < keys * asks; ask++) {
    const key = ask % keys;
    given[key]! += Number(budget.take(`key ${key}`, from + ms * ask / (keys * asks)) === undefined);
  }
  return given;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

Deno.test("SharedBudget.take() gives one key alone twice a second's worth at once, then what it may", () => {
  const budget = new SharedBudget(SHARED);
  const takes = (now: number): number =>
    Array.from({ length: 500 }, () => budget.take("ada", now)).filter((why) => !why).length;
  assertEquals(takes(1_000), 200);
  assertEquals(budget.take("ada", 1_000), "rate");
  assertEquals(takes(1_100), 10);
  assertEquals(takes(2_100), 100);
  assertEquals(takes(1e9), 200, "no more is saved");
});

Deno.test("SharedBudget.take() gives all together a quarter of a second's worth at once", () => {
  const budget = new SharedBudget(SHARED);
  const why = Array.from({ length: 400 }, (_, key) => budget.take(String(key), 5_000));
  assertEquals(why.filter((why) => why === undefined).length, 250);
  assertEquals(new Set<string | undefined>(why.slice(250)), new Set(["busy"]));
  assertEquals(budget.take("another", 5_100), undefined);
});

Deno.test("SharedBudget.take() gives each of many that keep asking the same, half of it in all", () => {
  const budget = new SharedBudget(SHARED);
  shared(budget, { keys: 100, asks: 200, from: 0, ms: 10_000 }); // They have spent what they had.
  const given = shared(budget, { keys: 100, asks: 400, from: 10_000, ms: 20_000 });
  for (const times of given) assert(times >= 95 && times <= 105, `${times} times in 20 s`);
});

Deno.test("SharedBudget.take() counts those who ask in vain, too", () => {
  const budget = new SharedBudget({ ...SHARED, perSecond: 400 });
  shared(budget, { keys: 300, asks: 300, from: 0, ms: 10_000 });
  const given = shared(budget, { keys: 300, asks: 600, from: 10_000, ms: 20_000 });
  const sum = sumOf(given);
  assert(sum >= 3_800 && sum <= 4_200, `${sum} in 20 s: half would be 4,000`);
});

Deno.test("SharedBudget.take() gives at once to who asks for the first time while many others do", () => {
  const budget = new SharedBudget(SHARED);
  shared(budget, { keys: 300, asks: 100, from: 0, ms: 3_000 });
  for (let second = 3; second < 10; second++) {
    shared(budget, { keys: 300, asks: 33, from: 1_000 * second, ms: 1_000 });
    const now = 1_000 * (second + 1);
    assertEquals(budget.take(`newcomer ${second}`, now), undefined, `after ${second} s`);
  }
});

Deno.test("SharedBudget.take() lets nobody wait longer than 3 s, whatever it spent", () => {
  const budget = new SharedBudget(SHARED);
  shared(budget, { keys: 399, asks: 10, from: 0, ms: 1_000 });
  assertEquals(budget.take("ada", 1_900, 200), undefined);
  assertEquals(budget.take("ada", 4_899), "rate");
  assertEquals(budget.take("ada", 4_901), undefined);
});

Deno.test("SharedBudget.take() spends more than is ever there when nothing else was spent", () => {
  const budget = new SharedBudget(SHARED);
  assertEquals(budget.take("ada", 0, 600), undefined);
  assertEquals(budget.take("ben", 300), "busy");
  assertEquals(budget.take("ben", 400), undefined);
});

Deno.test("SharedBudget never gives more than there is, whoever asks, and keeps no more accounts", () => {
  for (const keys of [1, 10, 300, 5_000, 1_000_000]) {
    const budget = new SharedBudget(SHARED);
    let given = 0;
    for (let ask = 0; ask < 50_000; ask++) {
      given += Number(budget.take(String(ask % keys), ask / 10) === undefined);
      assert(budget.size <= SHARED.keysMax);
    }
    assert(given <= 5 * SHARED.perSecond + 250, `${given} of ${keys} keys in 5 s`);
  }
});

Deno.test("SharedBudget closes idle accounts when others come", () => {
  const budget = new SharedBudget(SHARED);
  for (let key = 0; key < 50; key++) budget.take(String(key), 0);
  for (let key = 0; key < 30; key++) budget.take(`later ${key}`, 60_000);
  assert(budget.size <= 30, `${budget.size} accounts`);
});

Deno.test("strangersDatagrams() and strangersBytes() have their figures", () => {
  const takes = (budget: SharedBudget, key: (ask: number) => string, amount = 1): number => {
    let taken = 0;
    while (budget.take(key(taken), 0, amount) === undefined) taken++;
    return taken;
  };
  assertEquals(takes(strangersDatagrams({ placesPerNetwork: 64 }), () => "ada"), 1_024);
  assertEquals(takes(strangersDatagrams({ placesPerNetwork: 1 }), () => "ada"), 256);
  assertEquals(takes(strangersDatagrams({ placesPerNetwork: 64 }), String), 2_000);
  assertEquals(takes(strangersBytes({ placesPerNetwork: 16 }), () => "ada", 1_024), 32);
  assertEquals(takes(strangersBytes({ placesPerNetwork: 64 }), String, 1_024), 64);
  assertEquals([0, 1_023, 1_024, 8_192].map(datagramsIn), [1, 1, 2, 9]);
});
