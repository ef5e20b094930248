import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseJsonObject } from "../../lib/parts/json.ts";

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
