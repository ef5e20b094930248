import { assertEquals } from "@std/assert";
import { type Key, KeyDecoder } from "../../../lib/home/console/keys.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";

const utf8 = new TextEncoder();

/** Keys in short: `up`, `'k'`, `"pasted"`. */
function short(keys: readonly Key[]): string[] {
  return keys.map((key) =>
    key.kind === "named"
      ? key.name
      : key.kind === "paste"
      ? JSON.stringify(key.text)
      : `'${key.text}'`
  );
}

/** What comes of these reads, and of nothing for a while after them. */
function keysOf(...reads: string[]): string[] {
  const decoder = new KeyDecoder();
  const keys = reads.flatMap((read) => decoder.take(utf8.encode(read)));
  return short([...keys, ...(decoder.isPending ? decoder.flush() : [])]);
}

const CASES: [why: string, reads: string[], keys: string[]][] = [
  ["characters", ["k?ü"], ["'k'", "'?'", "'ü'"]],
  ["arrows", ["\x1b[A\x1b[B\x1b[C\x1b[D"], ["up", "down", "right", "left"]],
  ["arrows of application mode", ["\x1bOA\x1bOB"], ["up", "down"]],
  ["arrows with Ctrl", ["\x1b[1;5A"], ["up"]],
  ["the keys above them", ["\x1b[5~\x1b[6~\x1b[1~\x1b[4~\x1b[3~"], [
    ...["page-up", "page-down", "home", "end", "delete"],
  ]],
  ["Home and End of others", ["\x1b[H\x1b[F\x1b[7~\x1b[8~\x1bOH"], [
    ...["home", "end", "home", "end", "home"],
  ]],
  ["Tab and Shift+Tab", ["\t\x1b[Z"], ["tab", "back-tab"]],
  ["Enter of any kind", ["\r", "\n", "\x1bOM"], ["enter", "enter", "enter"]],
  ["Backspace of any kind", ["\x7f\x08"], ["backspace", "backspace"]],
  ["control keys", ["\x03\x0c\x15\x01\x00"], ["interrupt", "redraw", "clear-line"]],
  ["a sequence in parts", ["\x1b", "[", "1;", "5", "Bk"], ["down", "'k'"]],
  ["a lone Escape", ["\x1b"], ["escape"]],
  ["Escape twice", ["\x1b\x1b"], ["escape", "escape"]],
  ["Escape and an arrow", ["\x1b\x1b[A"], ["escape", "up"]],
  ["Escape and Ctrl+C", ["\x1b\x03"], ["escape", "interrupt"]],
  ["a character with Alt, which is none", ["\x1bky"], ["'y'"]],
  ["unknown sequences", ["\x1b[99;1x\x1b[?62;c\x1b[[Ak\x1b[15~"], ["'k'"]],
  ["a report of the mouse", ["\x1b[<0;10;10Mk"], ["'k'"]],
  ["an answer of the terminal", ["\x1b]11;rgb:0000/0000/0000\x1b\\k", "\x1bP1+r\x07y"], [
    ...["'k'", "'y'"],
  ]],
  ["half a sequence", ["\x1b[1;"], []],
  ["a sequence that is cut off by Ctrl+C", ["\x1b[1;\x03"], ["interrupt"]],
  ["an answer that is cut off by Ctrl+C", ["\x1b]11;r\x03"], ["interrupt"]],
  ["a paste", ["\x1b[200~ky\rq\x1b[201~k"], ['"ky\\rq"', "'k'"]],
  ["a paste in parts", ["\x1b[200~ky\x1b", "[20", "1~k"], ['"ky"', "'k'"]],
  ["a paste without an end", ["\x1b[200~kyq"], []],
  ["a paste with Ctrl+C", ["\x1b[200~k\x03"], ["interrupt"]],
  ["much text in one go", ["quickly kyq\rky"], ['"quickly kyq\\nky"']],
];

for (const [why, reads, keys] of CASES) {
  Deno.test(`KeyDecoder understands ${why}`, () => assertEquals(keysOf(...reads), keys));
}

Deno.test("KeyDecoder understands a character whose bytes come one by one", () => {
  const decoder = new KeyDecoder();
  const keys = [...utf8.encode("é漢😀")].flatMap((byte) => decoder.take(Uint8Array.of(byte)));
  assertEquals(short(keys), ["'é'", "'漢'", "'😀'"]);
});

Deno.test("KeyDecoder does not wait for the end of what has none", () => {
  for (const endless of ["\x1b]0;", "\x1b["]) {
    const decoder = new KeyDecoder();
    decoder.take(utf8.encode(endless + "1".repeat(100)));
    assertEquals([decoder.isPending, short(decoder.take(utf8.encode("\x1b[Ak")))], [
      ...[false, ["up", "'k'"]],
    ]);
  }
});

Deno.test("KeyDecoder makes the same of sequences, however they are parted", () => {
  const whole = utf8.encode("\x1b[A\x1b[1;5B\x1bOCk\x1b[200~yy\x1b[201~\x1b[Zq\x1b]0;t\x07\x1b[5~");
  const expected = short(new KeyDecoder().take(whole));
  assertEquals(expected, ["up", "down", "right", "'k'", '"yy"', "back-tab", "'q'", "page-up"]);
  forEachSeed(200, (seed) => {
    const random = seededRandom(seed);
    const decoder = new KeyDecoder();
    const keys: Key[] = [];
    for (let at = 0; at < whole.length;) {
      const end = at + 1 + Math.floor(4 * random());
      keys.push(...decoder.take(whole.subarray(at, end)));
      at = end;
    }
    assertEquals(short(keys), expected);
  });
});

Deno.test("KeyDecoder hears Ctrl+C and keys after any bytes", () => {
  const bytes = [
    ...[0x1b, 0x5b, 0x4f, 0x5d, 0x50, 0x32, 0x30, 0x7e, 0x3b, 0x07, 0x6b, 0x9b, 0xf0, 0xff, 0x1b],
  ];
  forEachSeed(300, (seed) => {
    const random = seededRandom(seed);
    const decoder = new KeyDecoder();
    for (let reads = 0; reads < 50; reads++) {
      const length = Math.floor(200 * random());
      decoder.take(Uint8Array.from({ length }, () => bytes[Math.floor(random() * bytes.length)]!));
    }
    assertEquals(short(decoder.take(Uint8Array.of(0x03))).includes("interrupt"), true);
    decoder.flush();
    assertEquals(short(decoder.take(utf8.encode("\x1b[A"))), ["up"]);
  });
});
