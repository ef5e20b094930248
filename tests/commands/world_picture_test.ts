import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  colorOf,
  type DrawnObject,
  drawWorld,
  reachOf,
  type WorldPicture,
} from "../../lib/commands/world_picture.ts";

const EMPTY: WorldPicture = { columns: 14, rows: 5, objects: [], reach: 3, inColor: false };

function at(x: number, y: number, label = "", rest: Partial<DrawnObject> = {}): DrawnObject {
  return { x, y, label, mass: 1, color: undefined, ...rest };
}

Deno.test("drawWorld() draws a frame as large as the space there is", () => {
  assertEquals(drawWorld(EMPTY), [
    "┌────────────┐",
    "│            │",
    "│            │",
    "│            │",
    "└────────────┘",
  ]);
  const sizeOf = (columns: number, rows: number): [number, number] => {
    const lines = drawWorld({ ...EMPTY, columns, rows, objects: [at(0, 0, "x")] });
    return [lines[0]!.length, lines.length];
  };
  assertEquals(sizeOf(80, 23), [80, 23]);
  assertEquals(sizeOf(300, 4), [300, 4]);
  assertEquals(sizeOf(1, 1), [3, 3]);
});

Deno.test("drawWorld() puts objects where they are, the middle in the middle, up being up", () => {
  // Three rows are 6 high, so twelve columns are 12 wide.
  const objects = [
    at(-5.9, 2.9, "ab"),
    at(0.1, 0, "mid"),
    at(5.9, -2.9),
    at(-5.9, -2.9, "low"),
  ];
  assertEquals(drawWorld({ ...EMPTY, objects }).slice(1, 4), [
    "│●ab         │",
    "│      ●mid  │",
    "│●low       ●│",
  ]);
});

Deno.test("drawWorld() leaves out what is beyond the edge, and cuts what is written across it", () => {
  const objects = [at(6.1, 0, "a"), at(0, 3.1, "b"), at(-1e9, 0, "c"), at(NaN, 0, "d")];
  assertEquals(drawWorld({ ...EMPTY, objects }), drawWorld(EMPTY));
  const long = [at(3.5, 0, "too long for this")];
  assertEquals(drawWorld({ ...EMPTY, objects: long })[2], "│         ●to│");
});

Deno.test("drawWorld() draws heavy things larger, and things before what is written", () => {
  const objects = [
    at(-5.9, 0, "sun", { mass: 1_000 }),
    at(-2.9, 0, "", { mass: 100 }),
    at(1, 0, "p", { mass: 1 }),
  ];
  assertEquals(drawWorld({ ...EMPTY, objects })[2], "│◉su●   ●p   │");
  // Where all are alike nothing is heavy.
  const alike = [at(-5.9, 0, "", { mass: 1_000 }), at(1, 0, "", { mass: 1_000 })];
  assertEquals(drawWorld({ ...EMPTY, objects: alike })[2], "│●      ●    │");
});

Deno.test("drawWorld() changes color no more than needed, and not at all without", () => {
  const objects = [at(-5.9, 0, "a", { color: "38;2;255;64;64" }), at(0.1, 0, "b")];
  const [, , line] = drawWorld({ ...EMPTY, objects, inColor: true });
  assertStringIncludes(line!, "\x1b[38;2;255;64;64m●a");
  assertStringIncludes(line!, "\x1b[39m●b");
  assert(line!.endsWith("│"));
  // deno-lint-ignore no-control-regex -- escape sequences are what is counted
  assertEquals(line!.match(/\x1b\[/g)!.length, 2);
  assertEquals(drawWorld({ ...EMPTY, objects })[2], "│●a    ●b    │");
});

Deno.test("reachOf() sees the farthest object and a little more, and never nothing", () => {
  assert(Math.abs(reachOf([at(3, -40), at(-20, 5)], 0) - 44) < 1e-9);
  assert(Math.abs(reachOf([at(60, 0)], 44) - 66) < 1e-9, "it grows at once");
  for (const objects of [[], [at(0, 0)]]) assert(reachOf(objects, 0) >= 1);
});

Deno.test("reachOf() leaves the view as it is while the farthest is somewhere near its edge", () => {
  const reach = reachOf([at(40, 0)], 0);
  for (const x of [reach, 43, 41, 40]) assertEquals(reachOf([at(x, 0)], reach), reach, `at ${x}`);
});

Deno.test("reachOf() shrinks slowly when what was far is gone, to what there is", () => {
  let reach = 1_000;
  const near = [at(9, -10)];
  for (let picture = 0; picture < 10_000; picture++) {
    const next = reachOf(near, reach);
    assert(next <= reach, `it grows from ${reach} to ${next}`);
    assert(next >= 0.99 * reach, `it jumps from ${reach} to ${next}`);
    if (picture === 100) assert(next < 950, `${next}: it does not shrink`);
    reach = next;
  }
  assert(Math.abs(reach - 11) < 1e-9, `${reach} in the end`);
  for (let picture = 0; picture < 10_000; picture++) reach = reachOf([], reach);
  assert(reach >= 1 && reach < 2, `${reach} with nothing to be seen`);
});

Deno.test("reachOf() does not look for what is farther than 1e12, or nowhere", () => {
  const lost = [at(1e13, 0), at(0, -1.7e308), at(Infinity, 0), at(0, -Infinity), at(NaN, 3)];
  assert(Math.abs(reachOf([at(40, 0), ...lost], 0) - 44) < 1e-9);
  assert(reachOf(lost, 0) <= 2);
  const far = reachOf([at(9e11, 0)], 0);
  assert(far >= 9e11 && far < 1.1e12, `${far}`);
});

Deno.test("colorOf() takes three numbers from 0 to 255, keeps them visible, and nothing else", () => {
  assertEquals(colorOf([255, 0, 64]), "38;2;255;64;64");
  assertEquals(colorOf([0, 0, 0]), "38;2;64;64;64");
  const others = [undefined, null, "red", 7, [], [1, 2], [1, 2, 3, 4], [1, 2, 256], [-1, 0, 0]];
  for (const other of [...others, [1.5, 0, 0], ["1", "2", "3"], { 0: 1, 1: 2, 2: 3, length: 3 }]) {
    assertEquals(colorOf(other), undefined);
  }
});
