import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeUtf8, encodeUtf8, endsWithinCharacter } from "../../lib/parts/utf8.ts";

fc.configureGlobal({ seed: 1 });

/** With whole characters only: half of a surrogate pair has no form in UTF-8. */
const anyText = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.oneof(
      fc.constantFrom("a", "\0", "\x7f", "\x80", "é", "\u07ff", "\u0800", "€", "\ufeff", "\uffff"),
      fc.constantFrom("\u{10000}", "😀", "\u{10ffff}", "\ud7ff", "\ue000"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    ),
    maxLength,
  });

Deno.test("encodeUtf8() writes what TextEncoder writes, and decodeUtf8() reads it", () => {
  fc.assert(fc.property(anyText(60), (text) => {
    const bytes = encodeUtf8(text);
    assertEquals([...bytes], [...new TextEncoder().encode(text)]);
    assertEquals(decodeUtf8(bytes), text);
  }));
});

Deno.test("encodeUtf8() writes texts of every length around those at which a buffer ends", () => {
  for (const character of ["a", "é", "€", "😀"]) {
    for (const length of [0, 1, 127, 128, 129, 255, 256, 257, 1_365, 1_366, 4_096, 4_097]) {
      const text = character.repeat(length);
      // Again and again, so that it begins at many places of a shared buffer, and that one ends.
      for (let times = 0; times < 40; times++) {
        const bytes = encodeUtf8(text);
        assertEquals(bytes.length, new TextEncoder().encode(text).length, `${length} ${character}`);
        assertEquals(decodeUtf8(bytes), text);
      }
    }
  }
});

Deno.test("encodeUtf8() never uses bytes again that it has given away", () => {
  const length = fc.oneof(fc.nat(20), fc.nat(300), fc.constantFrom(0, 255, 256, 257));
  const long = fc.tuple(fc.constantFrom("a", "é", "€", "😀"), length, anyText(3)).map((
    [character, length, text],
  ) => character.repeat(length) + text);
  fc.assert(
    fc.property(fc.array(long, { minLength: 40, maxLength: 80, size: "max" }), (texts) => {
      const views = texts.map((text) => encodeUtf8(text));
      for (const [index, text] of texts.entries()) {
        assert(decodeUtf8(views[index]!) === text, `text ${index} of ${texts.length}`);
      }
      // Nor does another see what is written over one.
      for (const view of views) {
        assert(view.every((byte) => byte !== 0xff));
        view.fill(0xff);
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("encodeUtf8() shares a buffer of 4 KiB among short texts", () => {
  const views = Array.from({ length: 100 }, () => encodeUtf8("a short text"));
  assert(new Set(views.map(({ buffer }) => buffer)).size <= 2);
  assertEquals(views.map(({ buffer }) => buffer.byteLength), Array(100).fill(4_096));
  assertEquals(encodeUtf8("x".repeat(256)).buffer.byteLength, 4_096);
  assertEquals(encodeUtf8("x".repeat(257)).buffer.byteLength, 257, "a long one has its own");
});

Deno.test("encodeUtf8() writes a replacement for half of a surrogate pair", () => {
  for (const half of ["\ud800", "\udfff"]) {
    for (const count of [1, 256, 257]) {
      assertEquals(decodeUtf8(encodeUtf8(half.repeat(count))), "\ufffd".repeat(count));
    }
  }
});

Deno.test("decodeUtf8() keeps a byte order mark, wherever it is", () => {
  for (const text of ["\ufeff", "\ufeff$%x", "$%\ufeffx", "\ufeff\ufeff"]) {
    assertEquals(decodeUtf8(encodeUtf8(text)), text);
  }
});

Deno.test("decodeUtf8() refuses what is not UTF-8", () => {
  const table = [
    [0xff],
    [0xfe],
    [0x80],
    [0xbf, 0x41],
    [0xc3],
    [0xc3, 0x41],
    [0xe2, 0x82],
    [0xf0, 0x9f, 0x98],
    [0xc0, 0x80], // Longer than needed.
    [0xc1, 0xbf],
    [0xe0, 0x9f, 0xbf],
    [0xf0, 0x8f, 0xbf, 0xbf],
    [0xed, 0xa0, 0x80], // Half of a surrogate pair.
    [0xf4, 0x90, 0x80, 0x80], // Beyond the last character.
    [0xf5, 0x80, 0x80, 0x80],
  ];
  for (const bytes of table) {
    const [head, tail] = [[0x24, 0x25], [0x41]];
    for (const whole of [bytes, [...head, ...bytes], [...head, ...bytes, ...tail]]) {
      assertThrows(() => decodeUtf8(Uint8Array.from(whole)), TypeError);
    }
  }
  // One that was refused leaves nothing behind for the next.
  assertThrows(() => decodeUtf8(Uint8Array.of(0xc3)));
  assertThrows(() => decodeUtf8(Uint8Array.of(0xa9)));
  assertEquals(decodeUtf8(Uint8Array.of(0x41)), "A");
});

Deno.test("decodeUtf8() reads a part of a buffer", () => {
  const buffer = Uint8Array.of(0xff, 0xc3, 0xa9, 0xff);
  assertEquals(decodeUtf8(buffer.subarray(1, 3)), "é");
  assertEquals(decodeUtf8(buffer.subarray(1, 1)), "");
});

Deno.test("endsWithinCharacter() finds every text that is cut within a character", () => {
  const table = [
    "",
    "a",
    "é",
    "€",
    "😀",
    "aé",
    "é€",
    "€😀",
    "😀é",
    "\u{10ffff}\u{10ffff}",
    "\x7f\x80",
  ];
  const check = (text: string): void => {
    const bytes = new TextEncoder().encode(text);
    for (let length = 0; length <= bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      assertEquals(endsWithinCharacter(cut), !isWhole(cut), `${length} bytes of ${text}`);
    }
  };
  table.forEach(check);
  fc.assert(fc.property(anyText(12), check));
});

Deno.test("endsWithinCharacter() looks at the end only, and takes any bytes", () => {
  // A text that is cut is the same behind anything else.
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6 }), anyText(4), fc.nat(16), (junk, text, cut) => {
      const bytes = new TextEncoder().encode(text);
      const end = bytes.subarray(0, cut);
      if (end.length < 4) return;
      const behind = Uint8Array.of(...junk, ...end);
      assertEquals(endsWithinCharacter(behind), endsWithinCharacter(end));
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 5 }), (bytes) => {
    assertEquals(typeof endsWithinCharacter(bytes), "boolean");
    // What is whole is whole.
    if (isWhole(bytes)) assertEquals(endsWithinCharacter(bytes), false);
  }));
  // Nothing goes on behind a character that is whole.
  for (const begin of [[0xc3], [0xe2], [0xe2, 0x82], [0xf0], [0xf0, 0x9f], [0xf0, 0x9f, 0x98]]) {
    assertEquals(endsWithinCharacter(Uint8Array.from(begin)), true);
    assertEquals(endsWithinCharacter(Uint8Array.of(...begin, 0x41)), false);
    assertEquals(endsWithinCharacter(Uint8Array.of(...begin, 0xc3, 0xa9)), false);
  }
  // Bytes that only go on have no character to belong to: nothing that comes makes them right.
  assertEquals(endsWithinCharacter(Uint8Array.of(0x80, 0x80, 0x80, 0x80)), false);
  assertEquals(endsWithinCharacter(Uint8Array.of(0xf0, 0x80, 0x80, 0x80, 0x80)), false);
});

function isWhole(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
