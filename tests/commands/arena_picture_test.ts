import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type ArenaPicture, drawArena } from "../../lib/commands/arena_picture.ts";

const EMPTY: ArenaPicture = {
  ...{ columns: 14, rows: 5, width: 20_000, height: 10_000 },
  ...{ players: [], bullets: [], own: 0, inColor: false },
};
const GRAY = { red: 9, green: 9, blue: 9 };

Deno.test("drawArena() draws walls around a world twice as wide as it is high", () => {
  assertEquals(drawArena(EMPTY), [
    "┌────────────┐",
    "│            │",
    "│            │",
    "│            │",
    "└────────────┘",
  ]);
  const sizeOf = (columns: number, rows: number): [number, number] => {
    const lines = drawArena({ ...EMPTY, columns, rows });
    return [lines[0]!.length, lines.length];
  };
  assertEquals(sizeOf(80, 23), [78, 21]);
  assertEquals(sizeOf(300, 23), [86, 23]);
  assertEquals(sizeOf(80, 200), [78, 21]);
  assertEquals(sizeOf(1, 1), [6, 3]);
});

Deno.test("drawArena() puts players and bullets where they are, up being up", () => {
  const lines = drawArena({
    ...EMPTY,
    own: 7,
    players: [
      { ...GRAY, number: 7, x: 0, y: 0 },
      { ...GRAY, number: 12, x: -20_000, y: 10_000 },
      { ...GRAY, number: 345, x: 20_000, y: -10_000 },
    ],
    bullets: [
      { x: 4_000, y: 9_000, rotation: 0 },
      { x: 99_000, y: 0, rotation: 0 }, // Beyond the wall: drawn at it.
      { x: 0, y: 0, rotation: 0 }, // Players are in front.
    ],
  });
  assertEquals(lines.slice(1, 4), [
    "│●12    ·    │",
    "│      ◇    ·│",
    "│           ●│",
  ]);
});

Deno.test("drawArena() keeps dark colors readable, and changes color no more than needed", () => {
  const players = [
    { number: 1, x: -20_000, y: 0, red: 255, green: 0, blue: 64 },
    { number: 2, x: 0, y: 0, red: 0, green: 8, blue: 16 },
    { number: 3, x: 12_000, y: 0, red: 0, green: 0, blue: 0 },
  ];
  const [, , line] = drawArena({ ...EMPTY, players, inColor: true });
  assertStringIncludes(line!, "\x1b[38;2;255;64;64m●1");
  assertStringIncludes(line!, "\x1b[38;2;64;100;200m●2");
  assertStringIncludes(line!, "\x1b[38;2;64;64;64m●3");
  assert(line!.endsWith("\x1b[39m│"), JSON.stringify(line));
  // deno-lint-ignore no-control-regex -- escape sequences are what is counted
  assertEquals(line!.match(/\x1b\[/g)!.length, 4);
});
