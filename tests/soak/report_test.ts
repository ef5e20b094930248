import { assert, assertEquals, assertMatch } from "@std/assert";
import { Book } from "./book.ts";
import { judge, reportOf } from "./report.ts";
import type { Measured, SoakResult } from "./soak.ts";

const MB = 1_000_000;

/** Of one round, half a minute long. */
function measuredIn(round: number, parts: Partial<Measured> = {}): Measured {
  return {
    ...{ atMs: 30_000 * round, epoch: 1 },
    ...{ serverMemory: 90 * MB, serverHeap: 12 * MB, serverHandles: 40, serverMembers: 30 },
    ...{ driverMemory: 150 * MB, driverHeap: 15 * MB, driverHandles: 90 },
    ...parts,
  };
}

function resultOf(parts: Partial<SoakResult> = {}): SoakResult {
  const measured = Array.from({ length: 40 }, (_, round) => measuredIn(round));
  const book = new Book();
  book.fault("a player leaves", 3);
  book.attendanceOf("sync").came = 17;
  const datagrams = { received: 1_000, sent: 2_000 };
  return {
    book,
    measured,
    rounds: 40,
    durationMs: 1_200_000,
    datagrams,
    hasClock: true,
    isWhole: true,
    ...parts,
  };
}

function verdictsOf(measured: Measured[]): Record<string, string> {
  const { judged } = judge(resultOf({ measured }));
  return Object.fromEntries(judged.map(({ name, verdict }) => [name.split(",")[0], verdict]));
}

Deno.test("judge() passes a run in which nothing was wrong and nothing grew", () => {
  const { passed, judged } = judge(resultOf());
  assert(passed);
  assertEquals([...new Set(judged.map(({ verdict }) => verdict))], ["flat"]);
});

Deno.test("judge() finds what grows, and fails the run for it", () => {
  const measured = Array.from(
    { length: 40 },
    (_, round) => measuredIn(round, { serverHeap: (12 + round) * MB, driverHandles: 90 + round }),
  );
  const verdicts = verdictsOf(measured);
  assertEquals(verdicts["server: JavaScript heap"], "grows");
  assertEquals(verdicts["driver: open handles"], "grows");
  assertEquals(verdicts["server: memory (RSS)"], "flat");
  assert(!judge(resultOf({ measured })).passed);
});

Deno.test("judge() looks at the longest life of the server, after its warm-up", () => {
  const before = Array.from(
    { length: 14 },
    (_, index) => measuredIn(1 + index, { serverMemory: 40 * MB }),
  );
  // The first two minutes of the process that lives on: it was just started.
  const after = Array.from(
    { length: 30 },
    (_, index) =>
      measuredIn(15 + index, { epoch: 2, serverMemory: Math.min(100, 60 + 10 * index) * MB }),
  );
  assertEquals(verdictsOf([...before, ...after])["server: memory (RSS)"], "flat");
});

Deno.test("judge() fails a run with a violation, and says nothing of what the system does not tell", () => {
  const book = new Book();
  book.violate("sync: somebody is gone");
  const measured = resultOf().measured.map((one) => ({ ...one, serverHandles: undefined }));
  assert(!judge(resultOf({ book })).passed);
  assertEquals(verdictsOf(measured)["server: open handles"], "short");
  assert(judge(resultOf({ measured })).passed);
});

Deno.test("reportOf() says what was done and what was found, in Markdown", () => {
  const result = resultOf();
  const text = reportOf(result, 17, ["Deno 1.2.3"]);
  assertMatch(text, /^# Soak: passed\n\n- 20\.0 minutes, 40 rounds, seed 17\n- Deno 1\.2\.3\n/);
  assertMatch(text, /\| server: memory \(RSS\), MB \| 90\.00 \| .* \| \*\*flat\*\* \|/);
  assertMatch(text, /\| a player leaves \| 3 \|/);
  assertMatch(text, /\| sync \| 17 \| 0 \| 0 \|/);
  assert(!text.includes("## Violations"));
  result.book.violate("it broke");
  const failed = reportOf({ ...result, hasClock: false, isWhole: false }, 17, []);
  assertMatch(failed, /^# Soak: FAILED\n/);
  assertMatch(failed, /## Violations\n\n- at \d+\.\d s: it broke\n/);
  assertMatch(failed, /\n- it was interrupted.*\n- the wall clock was NOT set/);
});

Deno.test("reportOf() does not say that an interrupted run passed, nor Infinity of a short one", () => {
  const text = reportOf(resultOf({ isWhole: false, measured: [measuredIn(1)] }), 17, []);
  assertMatch(text, /^# Soak: interrupted\n/);
  assertMatch(text, /\| 0\.00 ± unknown \| .* \| \*\*short\*\* \|/);
  assert(!text.includes("Infinity"));
});

Deno.test("Book keeps the first violations in words, a few of each kind, and counts all", () => {
  const told: string[] = [];
  const book = new Book((text) => told.push(text));
  for (let count = 0; count < 100; count++) book.violate(`sync-${count}: it is 1.${count}`);
  book.violate("something else");
  assertEquals([book.violationCount, book.violations.length], [101, 4]);
  assertMatch(book.violations.at(-1)!, /^at \d+\.\d s: something else$/);
  assertEquals(told, book.violations);
  for (const letter of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") book.violate(letter);
  assertEquals(book.violations.length, 40);
});
