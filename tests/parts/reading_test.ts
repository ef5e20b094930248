import { assertEquals, assertThrows } from "@std/assert";
import { Reading } from "../../lib/parts/reading.ts";

/** What is wrong with the field `a`. */
function fault(value: unknown, read: (reading: Reading) => unknown): string {
  return assertThrows(() => read(new Reading({ a: value }, "b[1]")), TypeError).message;
}

Deno.test("Reading reads numbers in their range", () => {
  for (const value of [-1, 0, 0.5, 2]) {
    assertEquals(new Reading({ a: value }, "").number("a", -1, 2), value);
  }
  for (const value of [-1.01, 2.01, NaN, Infinity, "1", null, undefined, [1], 1n]) {
    fault(value, (reading) => reading.number("a", -1, 2));
  }
  assertEquals(
    fault(3, (reading) => reading.number("a", -1, 2)),
    "b[1].a is a number from -1 to 2, not 3",
  );
});

Deno.test("Reading reads whole numbers in their range", () => {
  for (const value of [0, 5]) assertEquals(new Reading({ a: value }, "").integer("a", 0, 5), value);
  for (const value of [-1, 6, 0.5, "1", true]) fault(value, (it) => it.integer("a", 0, 5));
  fault(2 ** 53, (reading) => reading.integer("a", 0, 2 ** 60));
  assertEquals(
    fault("7", (reading) => reading.integer("a", 0, 5)),
    'b[1].a is a whole number from 0 to 5, not "7"',
  );
});

Deno.test("Reading reads numbers of 64 bits from text", () => {
  const max = 2n ** 63n - 1n;
  const read = (value: unknown): bigint => new Reading({ a: value }, "").bigint("a", -1n, max);
  assertEquals([read("-1"), read("007"), read(String(max))], [-1n, 7n, max]);
  const wrong = [7, "", "-", "1.0", "1e3", "0x7", " 7", "7\n", "-2", String(max + 1n)];
  for (const value of [...wrong, "9".repeat(1e6), 7n, null]) {
    fault(value, (reading) => reading.bigint("a", -1n, max));
  }
});

Deno.test("Reading reads texts that have a form in UTF-8, up to a length", () => {
  for (const value of ["", "abc", "é\u{1f600}"]) {
    assertEquals(new Reading({ a: value }, "").text("a", 3), value);
  }
  for (const value of ["abcd", "\ud800", 1, null, ["a"]]) fault(value, (it) => it.text("a", 3));
  assertEquals(
    fault("x".repeat(100), (reading) => reading.text("a", 3)),
    `b[1].a is a text of at most 3 characters, not "${"x".repeat(40)}..."`,
  );
});

Deno.test("Reading reads flags, objects and lists", () => {
  const reading = new Reading({ a: true, b: { c: 1 }, d: [{ e: 2 }, { e: 3 }], f: [1, 2] }, "");
  assertEquals(reading.flag("a"), true);
  assertEquals(reading.object("b").integer("c", 0, 9), 1);
  assertEquals(reading.objects("d").map((one) => one.integer("e", 0, 9)), [2, 3]);
  assertEquals(reading.integers("f", 0, 9), [1, 2]);
  for (const value of [0, 1, "true", null]) fault(value, (it) => it.flag("a"));
  for (const value of [[], null, "x", undefined]) fault(value, (it) => it.object("a"));
  for (const value of [{}, null, "x", { length: 1 }]) fault(value, (it) => it.objects("a"));
  for (const value of [[1, 10], [1.5], ["1"], [[1]], {}]) {
    fault(value, (it) => it.integers("a", 0, 9));
  }
  assertEquals(
    fault([{}, 7], (it) => it.objects("a")),
    "b[1].a[1] is an object, not 7",
  );
});

Deno.test("Reading says what is missing, and takes nothing that an object inherits", () => {
  assertEquals(
    fault(undefined, (reading) => reading.flag("a")),
    "b[1].a is true or false, not missing",
  );
  const reading = new Reading(JSON.parse('{"__proto__":{"a":1},"toString":"x"}'), "");
  assertEquals([reading.has("a"), reading.has("valueOf"), reading.has("toString")], [
    ...[false, false, true],
  ]);
  assertThrows(() => reading.integer("a", 0, 9), TypeError, "a is a whole number");
  for (const value of [null, undefined, [], "x", 7]) {
    assertThrows(() => new Reading(value, "x"), TypeError, "x is an object, not ");
  }
});

Deno.test("Reading names what it refuses in one short line, however large it is", () => {
  let deep: unknown = [];
  for (let level = 0; level < 1e5; level++) deep = [deep];
  assertEquals(fault(deep, (it) => it.flag("a")), "b[1].a is true or false, not a list");
  assertEquals(fault({ deep }, (it) => it.flag("a")), "b[1].a is true or false, not an object");
  assertEquals(fault("a\nb", (it) => it.flag("a")), 'b[1].a is true or false, not "a\\nb"');
  assertEquals(
    fault(1, (it) => it.refuse("a", "something else")),
    "b[1].a is something else, not 1",
  );
});
