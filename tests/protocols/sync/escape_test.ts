import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { escapeText } from "../../../lib/protocols/sync/escape.ts";

fc.configureGlobal({ seed: 1 });

/** Text of all lengths in UTF-8; lone surrogates are none. */
const anyText = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 0xff }),
    fc.integer({ min: 0, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0x10ffff }),
  ),
  { maxLength: 30 },
).map((codePoints) => String.fromCodePoint(...codePoints));

const utf8 = new TextEncoder();
const latin1 = new TextDecoder("latin1");
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The escaped text, or undefined when it is not UTF-8. There is always room. */
function escape(text: Uint8Array): string | undefined {
  const target = new Uint8Array(text.length * 6);
  const written = escapeText(text, target, target.length);
  if (written === "text") return undefined;
  assert(written !== "room", "six bytes for each are enough");
  return latin1.decode(target.subarray(0, written));
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictUtf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

Deno.test("escapeText() escapes each of the 128 ASCII characters as the original server does", () => {
  const short: Record<string, string> = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
  };
  for (let byte = 0; byte < 128; byte++) {
    const character = String.fromCharCode(byte);
    const isControl = byte < 0x20 || byte === 0x7f;
    const hexEscape = `\\u00${byte.toString(16).padStart(2, "0")}`;
    const expected = short[character] ?? (isControl ? hexEscape : character);
    assertEquals(escape(Uint8Array.of(byte)), expected, `byte ${byte}`);
  }
});

Deno.test("escapeText() escapes what is not ASCII as UTF-16 units in lower-case hex", () => {
  const table: [string, string][] = [
    ["\u0080", "\\u0080"],
    ["é", "\\u00e9"],
    ["\u07ff", "\\u07ff"],
    ["\u0800", "\\u0800"],
    ["\u2028", "\\u2028"],
    ["\ud7ff", "\\ud7ff"],
    ["\ue000", "\\ue000"],
    ["\ufeff", "\\ufeff"],
    ["\uffff", "\\uffff"],
    ["\u{10000}", "\\ud800\\udc00"],
    ["🎮", "\\ud83c\\udfae"],
    ["\u{10ffff}", "\\udbff\\udfff"],
  ];
  for (const [text, expected] of table) assertEquals(escape(utf8.encode(text)), expected);
});

Deno.test("escapeText() writes ASCII that JSON reads as the same text", () => {
  fc.assert(fc.property(anyText, (text) => {
    const escaped = escape(utf8.encode(text))!;
    assertEquals(JSON.parse(`"${escaped}"`), text);
    assert(!/[^\x20-\x7e]/.test(escaped), escaped);
  }));
});

Deno.test("escapeText() refuses each kind of bytes that are not UTF-8", () => {
  const table: Record<string, number[]> = {
    "a continuation alone": [0x80],
    "the last continuation alone": [0xbf],
    "an overlong slash in two bytes": [0xc0, 0xaf],
    "an overlong U+007F": [0xc1, 0xbf],
    "two bytes cut off": [0xc3],
    "two bytes and no continuation": [0xc3, 0x28],
    "two bytes and a lead in place of a continuation": [0xc3, 0xc3],
    "an overlong U+07FF in three bytes": [0xe0, 0x9f, 0xbf],
    "three bytes cut off after two": [0xe2, 0x82],
    "three bytes and no second continuation": [0xe2, 0x82, 0x28],
    "the first surrogate": [0xed, 0xa0, 0x80],
    "the last surrogate": [0xed, 0xbf, 0xbf],
    "a pair of surrogates": [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
    "an overlong U+FFFF in four bytes": [0xf0, 0x8f, 0xbf, 0xbf],
    "four bytes cut off after three": [0xf0, 0x9f, 0x8e],
    "four bytes and no third continuation": [0xf0, 0x9f, 0x8e, 0x28],
    "the first above U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
    "a lead of 0xf5": [0xf5, 0x80, 0x80, 0x80],
    "a lead of five bytes": [0xf8, 0x88, 0x80, 0x80, 0x80],
    "a lead of six bytes": [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
    "0xfe": [0xfe],
    "0xff": [0xff],
  };
  for (const [what, bytes] of Object.entries(table)) {
    assertEquals(escape(Uint8Array.of(...bytes)), undefined, what);
    assertEquals(escape(Uint8Array.of(0x61, ...bytes, 0x62)), undefined, `${what}, inside`);
  }
});

Deno.test("escapeText() agrees with TextDecoder at the edges of two, three and four bytes", () => {
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  const checkFrom = (bytes: number[], length: number): void => {
    if (bytes.length < length) {
      for (const edge of edges) checkFrom([...bytes, edge], length);
      return;
    }
    const text = Uint8Array.from(bytes);
    if ((escape(text) !== undefined) !== isUtf8(text)) throw new Error(hex(text));
  };
  for (let lead = 0x80; lead <= 0xff; lead++) checkFrom([lead], 2);
  for (let lead = 0xdf; lead <= 0xf0; lead++) checkFrom([lead], 3);
  for (let lead = 0xef; lead <= 0xf5; lead++) checkFrom([lead], 4);
});

Deno.test("escapeText() agrees with TextDecoder on random and on damaged text", () => {
  const byteEdges = fc.constantFrom(0x41, 0x80, 0xbf, 0xc2, 0xdf, 0xe0, 0xed, 0xf0, 0xf4, 0xff);
  const noise = fc.uint8Array({ maxLength: 12 });
  const edgy = fc.array(byteEdges, { maxLength: 8 }).map((bytes) => Uint8Array.from(bytes));
  const damaged = fc.tuple(
    anyText.map((text) => `${text}é`),
    fc.nat(),
    fc.nat(255),
  ).map(([text, at, byte]) => {
    const bytes = utf8.encode(text);
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(noise, edgy, damaged), (bytes) => {
      const escaped = escape(bytes);
      assertEquals(escaped !== undefined, isUtf8(bytes), hex(bytes));
      if (escaped !== undefined) {
        assertEquals(JSON.parse(`"${escaped}"`), strictUtf8.decode(bytes));
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("escapeText() needs exactly the room it fills, and writes nothing behind it", () => {
  fc.assert(fc.property(anyText, (text) => {
    const bytes = utf8.encode(text);
    const { length } = escape(bytes)!;
    for (let room = 0; room <= length + 1; room++) {
      const target = new Uint8Array(length + 13).fill(0xaa);
      assertEquals(escapeText(bytes, target, room), room < length ? "room" : length);
      assert(target.subarray(room).every((byte) => byte === 0xaa), `room ${room}`);
    }
  }));
});

Deno.test("escapeText() does not touch the text", () => {
  const text = utf8.encode('a"\\\né🎮');
  const copy = text.slice();
  escape(text);
  assertEquals(text, copy);
});
