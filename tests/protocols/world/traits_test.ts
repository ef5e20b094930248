import { assert, assertEquals, assertNotStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Json } from "../../../lib/parts/json.ts";
import {
  DEFAULT_TRAITS,
  isPhysical,
  isTrait,
  memberOf,
  PHYSICAL_NAMES,
  readSnapshot,
  readTraits,
  TRAIT_DEPTH_MAX,
  traitsFrom,
  writeTrait,
} from "../../../lib/protocols/world/traits.ts";

fc.configureGlobal({ seed: 1 });

const SNAPSHOT = [[1, 2, 3], [4, 5, 6], [1, 0, 0, 0], [7, 8, 9], 10];

function nested(depth: number): Json {
  let value: Json = 1;
  for (let level = 0; level < depth; level++) value = level % 2 ? [value] : { a: value };
  return value;
}

/** An object as it is read: a `__proto__` in it is a name like any other. */
function read(text: string): Record<string, unknown> {
  return JSON.parse(text);
}

// ---- names

Deno.test("PHYSICAL_NAMES has the five in the order of a snapshot, and DEFAULT_TRAITS their defaults", () => {
  assertEquals(PHYSICAL_NAMES, [
    "velocity",
    "angularVelocity",
    "quaternion",
    "position",
    "mass",
  ]);
  assertEquals(
    JSON.stringify(DEFAULT_TRAITS),
    '{"velocity":[0,0,0],"angularVelocity":[0,0,0],"quaternion":[1,0,0,0],"position":[0,0,0],"mass":1}',
  );
});

Deno.test("isPhysical() is true of the five names only", () => {
  for (const name of PHYSICAL_NAMES) assert(isPhysical(name), name);
  for (const name of ["", "Mass", "hp", "toString", "constructor", "__proto__", "hasOwnProperty"]) {
    assert(!isPhysical(name), name);
  }
});

// ---- reading

Deno.test("isTrait() wants of physical traits as many finite numbers as they have", () => {
  const lengths = { velocity: 3, angularVelocity: 3, quaternion: 4, position: 3 };
  for (const [name, length] of Object.entries(lengths)) {
    const right = new Array(length).fill(0.5);
    assert(isTrait(name, right), name);
    const wrong = [right.slice(1), [...right, 1], [], null, undefined, 1, "1,2,3", {}, {
      ...right,
    }];
    for (const value of wrong) assert(!isTrait(name, value), `${name} ${JSON.stringify(value)}`);
    for (const entry of [NaN, Infinity, -Infinity, "1", null, undefined, [1], true, 1n]) {
      for (let at = 0; at < length; at++) {
        const value = [...right];
        value[at] = entry;
        assert(!isTrait(name, value), `${name} with ${String(entry)}`);
      }
    }
  }
  for (const mass of [0, -1, 1e308, 0.1]) assert(isTrait("mass", mass));
  for (const mass of [NaN, Infinity, "1", null, [1], undefined]) assert(!isTrait("mass", mass));
});

Deno.test("isTrait() wants of others a name of at most 64 characters", () => {
  for (const name of ["", "hp", "__proto__", "n".repeat(64), "é".repeat(64), "😀".repeat(32)]) {
    assert(isTrait(name, null), name);
  }
  for (const name of ["n".repeat(65), "😀".repeat(33)]) assert(!isTrait(name, null), name);
});

Deno.test("readSnapshot() reads the five in order, and others beside them", () => {
  const physical = {
    velocity: [1, 2, 3],
    angularVelocity: [4, 5, 6],
    quaternion: [1, 0, 0, 0],
    position: [7, 8, 9],
    mass: 10,
  };
  assertEquals<unknown>(readSnapshot(SNAPSHOT, undefined), physical);
  assertEquals<unknown>(readSnapshot(SNAPSHOT, {}), physical);
  assertEquals<unknown>(readSnapshot(SNAPSHOT, { hp: 3, name: null }), {
    ...physical,
    hp: 3,
    name: null,
  });
});

Deno.test("readSnapshot() refuses another number of entries, and each that is wrong", () => {
  const wrong = [undefined, null, 1, "x", {}, { ...SNAPSHOT, length: 5 }, [], SNAPSHOT.slice(0, 4)];
  for (const snapshot of [...wrong, [...SNAPSHOT, 0]]) {
    assertEquals(readSnapshot(snapshot, undefined), undefined, JSON.stringify(snapshot));
  }
  for (let at = 0; at < SNAPSHOT.length; at++) {
    for (const entry of [null, "x", [], [1, 2], [1, 2, "3"], [1, 2, 3, 4, 5], {}]) {
      const snapshot = SNAPSHOT.with(at, entry as number[]);
      assertEquals(readSnapshot(snapshot, undefined), undefined, JSON.stringify(snapshot));
    }
  }
});

Deno.test("readSnapshot() refuses other traits that are none, or physical", () => {
  for (const others of [null, 1, "x", [], [1], { ["n".repeat(65)]: 1 }]) {
    assertEquals(readSnapshot(SNAPSHOT, others), undefined, JSON.stringify(others));
  }
  for (const name of PHYSICAL_NAMES) {
    assertEquals(readSnapshot(SNAPSHOT, { hp: 1, [name]: DEFAULT_TRAITS[name] }), undefined, name);
  }
});

Deno.test("readTraits() takes an object of right traits, also of none", () => {
  for (const text of ["{}", '{"hp":1}', '{"mass":4,"position":[1,2,3],"a":{"b":[null]}}']) {
    assertEquals<unknown>(readTraits(read(text)), read(text));
  }
  for (const wrong of [undefined, null, 1, "x", [], [{}], true]) {
    assertEquals(readTraits(wrong), undefined);
  }
  for (const text of ['{"mass":"4"}', '{"hp":1,"position":[1,2]}', `{"${"n".repeat(65)}":1}`]) {
    assertEquals(readTraits(read(text)), undefined, text);
  }
});

// ---- changing

Deno.test("traitsFrom() changes some traits, takes away those that are undefined, and touches nothing", () => {
  const before = traitsFrom(DEFAULT_TRAITS, { hp: 3, name: "Rock" });
  const copy = JSON.stringify(before);
  const after = traitsFrom(before, { hp: undefined, mass: 2, armor: null, none: undefined });
  assertEquals(JSON.stringify(before), copy);
  assertNotStrictEquals(after, before);
  assertEquals(after, { ...DEFAULT_TRAITS, name: "Rock", mass: 2, armor: null });
  assertEquals(Object.keys(after).includes("hp"), false);
  assertEquals(traitsFrom(before), before);
});

Deno.test("traitsFrom() keeps a trait called __proto__, and finds none that nobody gave", () => {
  const traits = traitsFrom(DEFAULT_TRAITS, read('{"__proto__":{"hp":1}}') as { hp: Json });
  assertEquals([traits.hp, traits.toString], [undefined, undefined]);
  assertEquals(Object.entries(traits).at(-1), ["__proto__", { hp: 1 }]);
  assertEquals(Object.entries(traitsFrom(traits)).at(-1), ["__proto__", { hp: 1 }]);
});

// ---- writing

Deno.test("writeTrait() writes what reads back as the same", () => {
  const anyFinite = fc.double({ noNaN: true, noDefaultInfinity: true });
  const anyVector = fc.array(anyFinite, { minLength: 3, maxLength: 3 });
  fc.assert(fc.property(anyVector, anyFinite, (position, mass) => {
    const plain = (value: number): number => value + 0; // -0 is written as 0.
    assertEquals(JSON.parse(writeTrait("position", position, undefined)), position.map(plain));
    assertEquals(JSON.parse(writeTrait("mass", mass, undefined)), plain(mass));
  }));
  fc.assert(
    fc.property(fc.string({ maxLength: 64 }), fc.jsonValue({ maxDepth: 5 }), (name, value) => {
      if (isPhysical(name)) return;
      const text = writeTrait(name, value as Json, 0);
      assertEquals(JSON.stringify(JSON.parse(text)), JSON.stringify(value));
      assertEquals(Object.entries(read(`{${memberOf(name, text)}}`)).map(([name]) => name), [name]);
    }),
  );
});

Deno.test("writeTrait() rounds physical traits to so many decimals, and no others", () => {
  const cases: [number, number, string][] = [
    [1.26, 1, "1.3"],
    [1.24, 1, "1.2"],
    [-1.26, 1, "-1.3"],
    [0.5, 0, "1"],
    [0.49, 0, "0"],
    [-0.4, 0, "0"],
    [-0.04, 1, "0"],
    [-0, 2, "0"],
    [2 / 3, 3, "0.667"],
    [2 / 3, 15, "0.666666666666667"],
    [1e-7, 3, "0"],
    [1e21, 3, "1e+21"],
    [1.5e300, 15, "1.5e+300"],
    [123_456_789.123, 2, "123456789.12"],
  ];
  for (const [number, decimals, text] of cases) {
    assertEquals(writeTrait("mass", number, decimals), text, `${number} to ${decimals}`);
    const zeros = [0, number, -0];
    assertEquals(writeTrait("position", zeros, decimals), `[0,${text},0]`);
    assertEquals(writeTrait("hp", number, decimals), String(number));
    assertEquals(writeTrait("hp", [number], decimals), `[${number}]`);
  }
  assertEquals(writeTrait("mass", 2 / 3, undefined), "0.6666666666666666");
  assertEquals(writeTrait("mass", -0, undefined), "0");
});

Deno.test("writeTrait() rounds to the nearest, whatever the number", () => {
  const anyNumber = fc.double({ min: -1e9, max: 1e9, noNaN: true });
  fc.assert(fc.property(anyNumber, fc.nat(6), (number, decimals) => {
    const text = writeTrait("mass", number, decimals);
    assert(Math.abs(Number(text) - number) <= 0.5 * 10 ** -decimals + 1e-6 * 10 ** -decimals, text);
    assert((text.split(".")[1] ?? "").length <= decimals || text.includes("e"), text);
    assert(text !== "-0");
  }));
});

Deno.test("writeTrait() leaves numbers alone of which rounding would make others", () => {
  for (const number of [2 ** 53 - 1, 2 ** 60, 9.1e14, 1e300, -1e300, 1.7976931348623157e308]) {
    assertEquals(Number(writeTrait("mass", number, 15)), number);
    assertEquals(Number(writeTrait("mass", number, 1)), number);
  }
});

Deno.test("writeTrait() writes nothing but ASCII", () => {
  assertEquals(
    writeTrait("name", "é😀\x7f\ud800", undefined),
    '"\\u00e9\\ud83d\\ude00\\u007f\\ud800"',
  );
  assertEquals(memberOf("é", "1"), '"\\u00e9":1');
  assertEquals(memberOf('a"b', "1"), '"a\\"b":1');
  for (const name of PHYSICAL_NAMES) assertEquals(memberOf(name, "x"), `"${name}":x`);
});

Deno.test("writeTrait() says which trait cannot be what", () => {
  const wrongVector: Json[] = [[1, 2], [1, 2, 3, 4], 1, null, "x", {}, [1, 2, "3"], [1, 2, NaN]];
  for (const value of wrongVector) {
    const say = "position is an array of 3 finite numbers, not ";
    assertThrows(() => writeTrait("position", value, 2), TypeError, say);
  }
  assertThrows(
    () => writeTrait("quaternion", [1, 0, 0], undefined),
    TypeError,
    "quaternion is an array of 4 finite numbers, not [1,0,0]",
  );
  assertThrows(
    () => writeTrait("mass", [1], undefined),
    TypeError,
    "mass is a finite number, not [1]",
  );
  assertThrows(() => writeTrait("mass", Infinity, 3), TypeError, "mass is a finite number");
  assertThrows(() => writeTrait("n".repeat(65), 1, undefined), TypeError, "at most 64 characters");
});

Deno.test("writeTrait() takes what JSON has, up to 32 levels", () => {
  assertEquals(TRAIT_DEPTH_MAX, 32);
  assertEquals(JSON.parse(writeTrait("a", nested(32), undefined)), nested(32));
  assertThrows(() => writeTrait("a", nested(33), undefined), RangeError, "deeper than 32");
  const none = [undefined, NaN, Infinity, 1n, () => 1, Symbol("x"), new Uint8Array(3)] as unknown;
  for (const value of none as Json[]) {
    assertThrows(() => writeTrait("a", value, undefined), TypeError, "no form in JSON");
    assertThrows(() => writeTrait("a", { b: [value] }, undefined), TypeError, "no form in JSON");
  }
});

Deno.test("isTrait() refuses a vector with a gap", () => {
  const gap = [1, 2, 3];
  delete gap[1];
  assertEquals(isTrait("position", gap), false);
});
