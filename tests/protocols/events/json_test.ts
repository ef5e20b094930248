import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  DATAGRAM_BYTES_MAX,
  type Incoming,
  type Outgoing,
  type Payload,
  PAYLOAD_DEPTH_MAX,
  RESERVED_NAMES,
} from "../../../lib/protocols/events/format.ts";
import { jsonFormat, jsonText } from "../../../lib/protocols/events/json.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { arenaVectors } from "../../support/vectors.ts";

const format = jsonFormat();
const utf8 = new TextEncoder();

function decode(text: string): Incoming {
  return format.decode(utf8.encode(text));
}

function encode(message: Outgoing): string {
  return new TextDecoder().decode(format.encode(message));
}

/** The reason why a text is no message. */
function refusalOf(text: string): string {
  const message = decode(text);
  return message.kind === "refused" ? message.reason : message.kind;
}

function nested(depth: number): Payload {
  let value: Payload = 1;
  for (let level = 0; level < depth; level++) value = level % 2 ? [value] : { a: value };
  return value;
}

// ---- reading

Deno.test("jsonFormat().decode() reads events as the original's client writes them", () => {
  const messages = arenaVectors.filter(({ name }) => name.startsWith("echo_")).map(
    ({ name, bytes, decoded: { t, p } }) => [name, format.decode(bytes), t, p] as const,
  );
  assert(messages.length >= 8);
  for (const [name, message, t, p] of messages) {
    if (name === "echo_junk") assertEquals(message, { kind: "refused", reason: "syntax" });
    else if (name === "echo_no_p") assertEquals(message, { kind: "refused", reason: "shape" });
    else assertEquals<unknown>(message, { kind: "event", name: t, payload: p }, name);
  }
});

Deno.test("jsonFormat().decode() reads what the format has beyond the original", () => {
  const messages: [string, Incoming][] = [
    ['{"t":"join"}', { kind: "join" }],
    ['{"t":"join","p":[1],"s":7,"x":{}}', { kind: "join" }],
    ['{"t":"heartbeat","p":null}', { kind: "heartbeat" }],
    ['{"t":"ack","p":[]}', { kind: "ack", sequences: [] }],
    ['{"t":"ack","p":[0,10000,7]}', { kind: "ack", sequences: [0, 10_000, 7] }],
    ['{"t":"welcome","p":[3,9]}', { kind: "welcome", number: 3, server: 9 }],
    ['{"t":"welcome","p":[3,9],"s":0}', { kind: "welcome", number: 3, server: 9, sequence: 0 }],
    ['{"t":"x","p":null,"s":1}', { kind: "event", name: "x", payload: null, sequence: 1 }],
    ['{"s":1,"p":false,"t":""}', { kind: "event", name: "", payload: false, sequence: 1 }],
    [' {"t" :\r\n"x", "p":"\\u00e9é"} \n', { kind: "event", name: "x", payload: "éé" }],
    ['{"t":"a","t":"b","p":1,"p":2}', { kind: "event", name: "b", payload: 2 }],
  ];
  for (const [text, message] of messages) assertEquals(decode(text), message, text);
});

Deno.test("jsonFormat().decode() refuses what is no JSON object in UTF-8", () => {
  const texts = ["", " ", "junk", "null", "1", '"t"', '[{"t":"x"}]', '{"t":"x","p":1', "{'t':1}"];
  const more = ['{"t":"x","p":1}{}', '{"t":"x","p":NaN}', '{"t":"x","p":1,}', '\ufeff{"t":"x"}'];
  for (const text of [...texts, ...more]) assertEquals(refusalOf(text), "syntax", text);
  const latin1 = utf8.encode('{"t":"x","p":"?"}');
  latin1[latin1.indexOf(63)] = 0xe9;
  assertEquals(format.decode(latin1), { kind: "refused", reason: "syntax" });
});

Deno.test("jsonFormat().decode() refuses objects that no message looks like", () => {
  const texts = [
    "{}",
    '{"p":1}',
    '{"t":1,"p":1}',
    '{"t":null,"p":1}',
    '{"t":["x"],"p":1}',
    '{"t":"x"}',
    ...["-1", "0.5", "null", '"1"', "9007199254740992", "1e400", "[]"].map(
      (sequence) => `{"t":"x","p":1,"s":${sequence}}`,
    ),
    '{"t":"welcome"}',
    ...["3", "[3]", "[3,9,1]", "[-1,9]", "[3,null]", '["1",9]', "[3,1.5]", "{}"].map((number) =>
      `{"t":"welcome","p":${number}}`
    ),
    '{"t":"ack"}',
    ...["1", "null", "{}", '["1"]', "[1,null]", "[-1]", "[0.5]", "[[1]]"].map(
      (sequences) => `{"t":"ack","p":${sequences}}`,
    ),
  ];
  for (const text of texts) assertEquals(refusalOf(text), "shape", text);
});

Deno.test("jsonFormat().decode() refuses numbers that no double holds, however deep", () => {
  for (const payload of ["1e400", "-1e400", '[1,{"a":[1e999]}]']) {
    assertEquals(refusalOf(`{"t":"x","p":${payload}}`), "shape", payload);
  }
  const largest: Incoming = { kind: "event", name: "x", payload: [Number.MAX_VALUE, 0] };
  assertEquals(decode('{"t":"x","p":[1.7976931348623157e308,1e-400]}'), largest);
});

Deno.test("jsonFormat().decode() refuses names of the server's own, and long ones", () => {
  for (const name of ["connected", "disconnected", "n".repeat(65)]) {
    assertEquals(refusalOf(`{"t":"${name}","p":1}`), "event", name);
  }
  for (const name of ["Connected", "connected ", "n".repeat(64), "constructor", "__proto__"]) {
    assertEquals<unknown>(decode(`{"t":"${name}","p":1}`), { kind: "event", name, payload: 1 });
  }
});

Deno.test("jsonFormat().decode() refuses more than 8,192 bytes", () => {
  const text = '{"t":"x","p":1}';
  assertEquals(decode(text.padEnd(DATAGRAM_BYTES_MAX)).kind, "event");
  assertEquals(refusalOf(text.padEnd(DATAGRAM_BYTES_MAX + 1)), "oversize");
});

Deno.test("jsonFormat() takes payloads nested 32 deep both ways, and no deeper", () => {
  const deepest = nested(PAYLOAD_DEPTH_MAX);
  const message: Outgoing = { kind: "event", name: "x", payload: deepest };
  assertEquals(decode(encode(message)), message);
  const deeper = nested(PAYLOAD_DEPTH_MAX + 1);
  assertThrows(() => encode({ kind: "event", name: "x", payload: deeper }), RangeError, "32");
  assertEquals(refusalOf(JSON.stringify({ t: "x", p: deeper })), "syntax");
  assertEquals(refusalOf(`{"t":"x","p":${"[".repeat(8_000)}`), "syntax");
});

Deno.test("jsonFormat().decode() lets nobody change what objects inherit", () => {
  for (
    const text of [
      '{"t":"x","p":{"__proto__":{"polluted":1}}}',
      '{"t":"x","p":{"constructor":{"prototype":{"polluted":1}}}}',
      '{"__proto__":{"polluted":1},"t":"x","p":{}}',
    ]
  ) {
    const message = decode(text);
    assert(message.kind === "event", text);
    assert(!("polluted" in {}) && !("polluted" in (message.payload as object)), text);
    assertEquals(
      encode(message),
      text.replace(/^\{"__proto__":.*?\},/, "{").replaceAll(
        /[:,]/g,
        "$& ",
      ) + "\n",
    );
  }
});

Deno.test("jsonFormat().decode() finds in an object only what it has itself", () => {
  assertEquals(refusalOf('{"__proto__":{"t":"x","p":1}}'), "shape");
  assertEquals(refusalOf('{"t":"x","__proto__":{"p":1}}'), "shape");
});

// ---- writing

Deno.test("jsonFormat().encode() writes as Python does", () => {
  const texts: [Outgoing, string][] = [
    [{ kind: "join" }, '{"t": "join", "p": null}\n'],
    [{ kind: "heartbeat" }, '{"t": "heartbeat", "p": null}\n'],
    [{ kind: "ack", sequences: [0, 7] }, '{"t": "ack", "p": [0, 7]}\n'],
    [{ kind: "ack", sequences: [] }, '{"t": "ack", "p": []}\n'],
    [{ kind: "welcome", number: 2, server: 9 }, '{"t": "welcome", "p": [2, 9]}\n'],
    [
      { kind: "welcome", number: 2, server: 9, sequence: 0 },
      '{"t": "welcome", "p": [2, 9], "s": 0}\n',
    ],
    [{ kind: "event", name: "x", payload: true }, '{"t": "x", "p": true}\n'],
    [
      { kind: "event", name: "é", payload: { a: [1, 2.5], b: {} }, sequence: 10_000 },
      '{"t": "\\u00e9", "p": {"a": [1, 2.5], "b": {}}, "s": 10000}\n',
    ],
  ];
  for (const [message, text] of texts) {
    assertEquals(encode(message), text);
    assertEquals<unknown>(decode(text), message);
  }
});

Deno.test("jsonText() writes every code unit past ASCII as an escape", () => {
  assertEquals(
    jsonText("é\u{1f600}\x7f\ud800\uffff"),
    '"\\u00e9\\ud83d\\ude00\\u007f\\ud800\\uffff"',
  );
  assertEquals(
    jsonText({ "ü:,": ["a, b: c", '"\\\n\0'] }),
    String
      .raw`{"\u00fc:,": ["a, b: c", "\"\\\n\u0000"]}`,
  );
  assertEquals(jsonText("~ "), '"~ "');
});

Deno.test("jsonText() writes numbers so that they are the same when read", () => {
  for (const number of [0, -1, 0.1, 5e-324, Number.MAX_VALUE, 2 ** 53, 1e21, -1e-7]) {
    assertEquals(JSON.parse(jsonText(number)), number);
  }
});

Deno.test("jsonText() refuses what JSON has not", () => {
  const values: unknown[] = [NaN, Infinity, -Infinity, new Uint8Array(1), undefined, 1n];
  values.push(() => 1, Symbol("x"), [1, , 2], { a: undefined }, [[{ a: NaN }]]);
  for (const value of values) {
    assertThrows(() => jsonText(value as Payload), TypeError, "no form in JSON");
  }
});

Deno.test("jsonText() ends with a RangeError where a payload holds itself", () => {
  const circle: Payload[] = [];
  circle.push(circle);
  assertThrows(() => jsonText(circle), RangeError);
});

Deno.test("jsonFormat().encode() refuses names that no reader takes", () => {
  for (const name of [...RESERVED_NAMES, "n".repeat(65)]) {
    assertThrows(() => encode({ kind: "event", name, payload: 1 }), TypeError, "no name");
  }
  encode({ kind: "event", name: "n".repeat(64), payload: 1 });
});

Deno.test("jsonFormat().encode() refuses more than 8,192 bytes", () => {
  const around = '{"t": "x", "p": ""}\n'.length;
  const longest = "x".repeat(DATAGRAM_BYTES_MAX - around);
  assertEquals(encode({ kind: "event", name: "x", payload: longest }).length, DATAGRAM_BYTES_MAX);
  for (const payload of [longest + "x", longest.slice(0, -1) + "é"]) {
    assertThrows(() => encode({ kind: "event", name: "x", payload }), RangeError, "8192");
  }
});

Deno.test("jsonFormat() reads every event that it writes", () => {
  const names = fc.string({ unit: "binary", maxLength: 30 }).filter((name) => {
    return name.length <= 64 && !RESERVED_NAMES.has(name);
  });
  const payloads = fc.jsonValue({ maxDepth: 5 });
  const sequences = fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined });
  fc.assert(
    fc.property(names, payloads, sequences, (name, payload, sequence) => {
      const numbered = sequence === undefined ? {} : { sequence };
      const text = encode({ kind: "event", name, payload: payload as Payload, ...numbered });
      assert(/^[\x20-\x7e]*\n$/.test(text), text);
      // JSON has no negative zero of its own.
      const read = JSON.parse(JSON.stringify(payload));
      assertEquals<unknown>(decode(text), { kind: "event", name, payload: read, ...numbered });
    }),
    { numRuns: 300, seed: 1 },
  );
});

Deno.test("jsonFormat() can write again whatever it reads", () => {
  const random = seededRandom(1);
  const real = utf8.encode('{"t": "x", "p": {"a": [1e9, "b", null, true, {}]}, "s": 12}');
  const letters = utf8.encode('0123456789"\\{}[]:, .-+eEtnulabx\u007f');
  let read = 0;
  for (let count = 0; count < 5_000; count++) {
    const changed = real.slice();
    const letter = letters[Math.floor(random() * letters.length)]!;
    changed[Math.floor(random() * changed.length)] = letter;
    const message = format.decode(changed);
    if (message.kind === "refused") continue;
    read++;
    const again = decode(encode(message));
    assert(again.kind !== "refused", JSON.stringify(message));
    assertEquals(encode(again), encode(message));
  }
  assert(read > 500, `${read} were read`);
});
