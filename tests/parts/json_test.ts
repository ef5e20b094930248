import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { asciiJson, isFiniteThroughout, parseJsonObject, writeJson } from "../../lib/parts/json.ts";

const utf8 = new TextEncoder();
const parse = (text: string, depthMax = 8): unknown => parseJsonObject(utf8.encode(text), depthMax);

Deno.test("parseJsonObject() reads what JSON.stringify() writes", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()), (object) => {
      const json = JSON.stringify(object);
      assertEquals(parse(json, 1_000), JSON.parse(json));
    }),
  );
});

Deno.test("parseJsonObject() takes objects only", () => {
  for (const text of ["", " ", "null", "1", '"x"', "[]", "[{}]", "{", "{}}", "{'a':1}", "{a:1}"]) {
    assertEquals(parse(text), undefined, text);
  }
  for (const text of ["{}", ' \t\r\n{ "a" : [ ] } ']) assert(parse(text), text);
});

Deno.test("parseJsonObject() wants strict UTF-8 without a byte order mark", () => {
  const quoted = (...bytes: number[]): Uint8Array =>
    Uint8Array.of(...utf8.encode('{"a":"'), ...bytes, ...utf8.encode('"}'));
  assertEquals(parseJsonObject(quoted(0xc3, 0xa9), 8), { a: "é" });
  for (
    const bytes of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]]
  ) {
    assertEquals(parseJsonObject(quoted(...bytes), 8), undefined);
  }
  assertEquals(parse("\ufeff{}"), undefined);
});

Deno.test("parseJsonObject() counts the depth, and nothing inside of texts", () => {
  const nested = (depth: number): string => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
  assert(parse(nested(8), 8));
  assertEquals(parse(nested(9), 8), undefined);
  assert(parse('{"a":[[[[[[[1]]]]]]]}', 8));
  assertEquals(parse('{"a":[[[[[[[[1]]]]]]]]}', 8), undefined);
  assert(parse('{"[[[[[[[[[[":"{{{{{{{{{{","a":"\\"[[[[[[[[[[[","b":"\\\\"}', 2));
  assertEquals(parse('{"a":"\\\\","b":[[[[[[[[[1]]]]]]]]]}', 8), undefined);
  assert(parse(`{"a":[${"[],".repeat(100)}[]]}`, 3), "side by side is not deep");
});

Deno.test("parseJsonObject() refuses the deepest datagrams at once", () => {
  for (const unit of ["[", '{"a":', '{"a":[']) {
    assertEquals(parse(unit.repeat(60_000)), undefined);
    assertEquals(parse(unit.repeat(10_000) + "}"), undefined);
  }
});

Deno.test("parseJsonObject() makes no prototype of a __proto__", () => {
  const object = parse('{"__proto__":{"a":1},"b":2}') as Record<string, unknown>;
  assertEquals([object.a, Object.hasOwn(object, "__proto__")], [undefined, true]);
});

Deno.test("parseJsonObject() survives any bytes and every cut", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    parseJsonObject(bytes, 8);
  }));
  const whole = utf8.encode('{"a\\"":["é",{"b":-1.5e3,"c":null}],"d":true}');
  assert(parseJsonObject(whole, 8));
  for (let length = 0; length < whole.length; length++) {
    assertEquals(parseJsonObject(whole.subarray(0, length), 8), undefined);
  }
});

Deno.test("isFiniteThroughout() finds a number that is not finite wherever it is", () => {
  for (
    const text of [
      "1e999",
      "-1e999",
      "[0,[1e999]]",
      '{"a":{"b":[{"c":-1e999}]}}',
      '{"__proto__":1e999}',
    ]
  ) {
    assertEquals(isFiniteThroughout(JSON.parse(text)), false, text);
  }
  for (const value of [NaN, [NaN], { a: 1, b: Infinity }]) {
    assertEquals(isFiniteThroughout(value), false);
  }
  for (
    const text of [
      "1e308",
      "0",
      '"1e999"',
      "null",
      "true",
      "[]",
      "{}",
      '{"1e999":[null,{"a":"x"}]}',
    ]
  ) {
    assertEquals(isFiniteThroughout(JSON.parse(text)), true, text);
  }
  assertEquals(isFiniteThroughout(undefined), true);
});

Deno.test("asciiJson() leaves JSON the same, and no character that a terminal could take for a command", () => {
  assertEquals(
    asciiJson('{"é":"\x7f\x9b31m\u202e😀~"}'),
    '{"\\u00e9":"\\u007f\\u009b31m\\u202e\\ud83d\\ude00~"}',
  );
  for (const space of [undefined, 2]) {
    fc.assert(fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
      const json = JSON.stringify(value, undefined, space);
      const text = asciiJson(json);
      assertEquals(JSON.parse(text), JSON.parse(json));
      assert([...text].every((unit) => unit === "\n" || (unit >= " " && unit <= "~")), text);
    }));
  }
});

Deno.test("asciiJson() changes nothing in what is ASCII", () => {
  const json = JSON.stringify({ a: [1, 'x\n\0\\" ~', null], b: {} });
  assertEquals(asciiJson(json), json);
});

Deno.test("writeJson() writes what reads back as the same, in ASCII", () => {
  const anyValue = fc.jsonValue({ stringUnit: "binary" });
  for (const space of [undefined, "", " "]) {
    fc.assert(fc.property(anyValue, (value) => {
      const text = writeJson(value, { depthMax: 100, space });
      assertEquals(JSON.stringify(JSON.parse(text)), JSON.stringify(value));
      assert([...text].every((character) => character >= " " && character <= "~"), text);
    }));
  }
});

Deno.test("writeJson() puts what it is told after each colon and comma, and nothing otherwise", () => {
  const value = { a: [1, "x:,", null], b: { c: true, d: [] }, e: {} };
  const write = (space?: string): string => writeJson(value, { depthMax: 8, space });
  assertEquals(write(), JSON.stringify(value));
  assertEquals(write(""), JSON.stringify(value));
  assertEquals(write(" "), '{"a": [1, "x:,", null], "b": {"c": true, "d": []}, "e": {}}');
});

Deno.test("writeJson() writes every code unit past ASCII as an escape, also in names", () => {
  assertEquals(writeJson("~\x7f\x80é\uffff", { depthMax: 0 }), '"~\\u007f\\u0080\\u00e9\\uffff"');
  assertEquals(writeJson({ "😀": "\ud83d" }, { depthMax: 1 }), '{"\\ud83d\\ude00":"\\ud83d"}');
  assertEquals(writeJson('"\\\n\0', { depthMax: 0 }), '"\\"\\\\\\n\\u0000"');
});

Deno.test("writeJson() counts the depth of arrays and objects", () => {
  assertEquals(writeJson(1, { depthMax: 0 }), "1");
  assertEquals(writeJson([{ a: [] }, []], { depthMax: 3 }), '[{"a":[]},[]]');
  assertThrows(() => writeJson([], { depthMax: 0 }), RangeError, "nested deeper than 0");
  assertThrows(() => writeJson([{ a: [] }], { depthMax: 2 }), RangeError, "nested deeper than 2");
  assertThrows(() => writeJson([[], [{ a: {} }]], { depthMax: 3 }), RangeError, "deeper than 3");
});

Deno.test("writeJson() throws for what has no form in JSON, wherever it is", () => {
  const values: [unknown, string][] = [
    [undefined, "undefined"],
    [NaN, "NaN"],
    [-Infinity, "-Infinity"],
    [1n, "bigint"],
    [(): void => {}, "function"],
    [Symbol("x"), "symbol"],
    [new Uint8Array(1), "bytes have"],
  ];
  for (const [value, name] of values) {
    for (const place of [value, [1, value], { a: { b: value } }, [[value]]]) {
      assertThrows(() => writeJson(place, { depthMax: 8 }), TypeError, name);
    }
  }
  assertThrows(() => writeJson(new Array(3), { depthMax: 8 }), TypeError, "undefined");
});
