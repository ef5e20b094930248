import { assert, assertEquals } from "@std/assert";
import { clean, cut, padEnd, padStart, widthOf, wrap } from "../../../lib/home/console/width.ts";
import { printable } from "../../../lib/observe/printable.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";

const WIDTHS: [text: string, columns: number][] = [
  ...[["", 0], ["abc", 3], ["é", 1], ["e\u0301", 1], ["ñandú", 5], ["Ж…", 2]] as const,
  ...[["漢字", 4], ["カナ", 4], ["ｶﾅ", 2], ["한국", 4], ["，", 2], ["😀", 2], ["🇳🇱", 4]] as const,
] as [string, number][];

for (const [text, columns] of WIDTHS) {
  Deno.test(`widthOf() takes "${text}" as ${columns} columns`, () => {
    assertEquals(widthOf(text), columns);
  });
}

Deno.test("cut() keeps what fits, and no half of a wide character", () => {
  assertEquals(["abcd", "abcde", "漢字", "漢字漢", "漢字漢字"].map((text) => cut(text, 4)), [
    ...["abcd", "abc…", "漢字", "漢…", "漢…"],
  ]);
  assertEquals([cut("abc", 1), cut("abc", 0), cut("漢", 1), cut("漢", -1)], ["…", "", "…", ""]);
  assertEquals([padEnd("漢", 4), padStart("漢", 4), padEnd("漢字漢", 5)], [
    "漢  ",
    "  漢",
    "漢字…",
  ]);
});

Deno.test("wrap() breaks between words where it can, and loses nothing but spaces", () => {
  assertEquals(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
  assertEquals(wrap("the quickest", 9), ["the quick", "est"]);
  assertEquals(wrap("漢字漢字漢字", 5), ["漢字", "漢字", "漢字"]);
  assertEquals(wrap("", 5), [""]);
  const letters = ["a", "b", " ", "漢", "e\u0301", "😀"];
  forEachSeed(300, (seed) => {
    const random = seededRandom(seed);
    const columns = 2 + Math.floor(30 * random());
    const text = Array.from(
      { length: Math.floor(100 * random()) },
      () => letters[Math.floor(random() * letters.length)],
    ).join("");
    const lines = wrap(text, columns);
    assert(lines.every((line) => widthOf(line) <= columns), JSON.stringify([text, columns, lines]));
    assertEquals(lines.join("").replaceAll(" ", ""), text.replaceAll(" ", ""));
  });
});

Deno.test("clean() leaves nothing that moves a cursor or reaches over other lines", () => {
  assertEquals(clean("a\x1b[2J\r\nb\u202ec"), "a\\x1b[2J\\x0d\\x0ab\\u{202e}c");
  assertEquals(clean("e" + "\u0301".repeat(50)), "e\u0301\u0301");
  assertEquals(clean("❤\ufe0f"), "❤");
  assertEquals(clean("x".repeat(20), 10), "xxxxxxxxxx…");
});

Deno.test("printable() escapes lines and lone halves of characters, and cuts none in two", () => {
  assertEquals(printable("a\u2028b\ud83d", 9), "a\\u{2028}b\\u{d83d}");
  assertEquals(printable("ab😀c", 3), "ab…");
  assertEquals(printable("ab😀c", 4), "ab😀…");
  assertEquals(printable("abc", 3), "abc");
});
