import { assert, assertEquals, assertThrows } from "@std/assert";
import { decode as decodeElsewhere, encode as encodeElsewhere } from "@msgpack/msgpack";
import fc from "fast-check";
import {
  DATAGRAM_BYTES_MAX,
  type Incoming,
  type Outgoing,
  type Payload,
  PAYLOAD_DEPTH_MAX,
  RESERVED_NAMES,
} from "../../../lib/protocols/events/format.ts";
import {
  ackPayload,
  decodePacket,
  encodePacket,
  msgpackFormat,
  nestedValue,
  PACKET,
  sequencesOf,
} from "../../../lib/protocols/events/packed.ts";
import { MsgpackWriter } from "../../../lib/parts/msgpack.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { arenaTranscripts, arenaVectors } from "../../support/vectors.ts";
import { mutated, noise } from "../engine_suite.ts";

const NUMBER_MAX = 2 ** 31 - 1;
const format = msgpackFormat({ move: 20, say: 4, last: NUMBER_MAX });
const utf8 = new TextEncoder();
const REFUSED_SHAPE = { kind: "refused", reason: "shape" };

function packet(...values: unknown[]): Uint8Array {
  return encodeElsewhere(values);
}

/** A payload as it stands in a packet: MessagePack in a byte string. */
function inside(value: unknown): Uint8Array {
  return encodeElsewhere(value);
}

function event(payload: Payload, name = "say"): Outgoing {
  return { kind: "event", name, payload };
}

function payloadIn(datagram: Uint8Array): unknown {
  const message = format.decode(datagram);
  assert(message.kind === "event", JSON.stringify(message));
  return message.payload;
}

function nested(depth: number): Payload {
  let value: Payload = 1;
  for (let level = 0; level < depth; level++) value = level % 2 ? [value] : { a: value };
  return value;
}

// ---- packets

Deno.test("decodePacket() takes apart every datagram of the original's programs", () => {
  const whole = arenaVectors.filter(({ name, decoded }) => {
    return !name.startsWith("echo_") && Number.isInteger(decoded["id"]) && !decoded["error"];
  });
  for (const { name, bytes, decoded } of whole) {
    const read = decodePacket(bytes);
    assert(typeof read === "object", `${name}: ${read}`);
    assertEquals(read.id, decoded["id"], name);
  }
  for (const [name, steps] of arenaTranscripts) {
    if (name.startsWith("echo_")) continue;
    for (const { bytes, from } of steps) {
      const read = decodePacket(bytes);
      assert(typeof read === "object" || from !== "server", `${name}: ${read}`);
      if (typeof read === "string") continue;
      const { id, sequence, needsAck, payload } = read;
      assert(payload instanceof Uint8Array);
      assertEquals(encodePacket(id, sequence, needsAck, payload), bytes, name);
    }
  }
});

Deno.test("decodePacket() reads four values, and what follows them means nothing", () => {
  const payload = utf8.encode("payload");
  const expected = { id: 20, sequence: 10_000, needsAck: true, payload };
  for (const ack of [1, true]) {
    assertEquals(decodePacket(packet(20, 10_000, ack, payload)), expected);
    assertEquals(decodePacket(packet(20, 10_000, ack, payload, "more", null, {})), expected);
  }
  for (const ack of [0, false, null, 2, -1, "1", []]) {
    assertEquals(decodePacket(packet(20, 10_000, ack, payload)), { ...expected, needsAck: false });
  }
});

Deno.test("decodePacket() says why something is no packet", () => {
  const payload = new Uint8Array(0);
  const wrong: [unknown, string][] = [
    [[], "shape"],
    [[1, 2, 0], "shape"],
    [{ 0: 1, 1: 0, 2: 0, 3: payload }, "shape"],
    ["packet", "shape"],
    [null, "shape"],
    ...["0", -1, 0.9, null, true, 2 ** 53, [0]].flatMap((number): [unknown, string][] => [
      [[number, 0, 0, payload], "shape"],
      [[0, number, 0, payload], "shape"],
    ]),
  ];
  for (const [value, reason] of wrong) {
    assertEquals<unknown>(decodePacket(encodeElsewhere(value)), reason, JSON.stringify(value));
  }
  assertEquals(decodePacket(new Uint8Array(0)), "syntax");
  assertEquals(decodePacket(utf8.encode("junk")), "syntax");
  const good = packet(0, 0, 0, payload);
  assertEquals(decodePacket(good.slice(0, -1)), "syntax");
  assertEquals(decodePacket(Uint8Array.of(...good, 0)), "syntax");
});

Deno.test("decodePacket() reads 8,192 bytes and no more", () => {
  const longest = encodePacket(0, 0, false, new Uint8Array(DATAGRAM_BYTES_MAX - 7));
  assertEquals(longest.length, DATAGRAM_BYTES_MAX);
  assertEquals(typeof decodePacket(longest), "object");
  assertEquals(decodePacket(new Uint8Array(DATAGRAM_BYTES_MAX + 1)), "oversize");
});

Deno.test("encodePacket() writes what readers from before 2013 know", () => {
  const lengths: [length: number, head: number[]][] = [
    [0, [0xa0]],
    [31, [0xbf]],
    [32, [0xda, 0, 32]],
    [255, [0xda, 0, 255]],
    [256, [0xda, 1, 0]],
  ];
  for (const [length, head] of lengths) {
    const payload = new Uint8Array(length).fill(7);
    const expected = Uint8Array.of(0x94, 30, 0xcd, 0x27, 0x10, 1, ...head, ...payload);
    assertEquals(encodePacket(30, 10_000, true, payload), expected);
  }
  assertEquals(
    encodePacket(2, 0, false, ackPayload([7])),
    Uint8Array.of(0x94, 2, 0, 0, 0xa2, 0x91, 7),
  );
});

Deno.test("sequencesOf() reads what ackPayload() writes, and what any other writer does", () => {
  const many = Array.from({ length: 1_000 }, (_, index) => 10 * index);
  for (const sequences of [[], [0], [10_000, 0, 0], many]) {
    assertEquals(sequencesOf(ackPayload(sequences)), sequences);
    assertEquals(sequencesOf(inside(sequences)), sequences);
  }
  for (const value of [0, null, "1", { 0: 1 }, [-1], [0.5], ["1"], [[1]], [1, null]]) {
    assertEquals(sequencesOf(inside(value)), undefined, JSON.stringify(value));
  }
  for (const value of [null, 1, [1], "text"]) assertEquals(sequencesOf(value), undefined);
  assertEquals(sequencesOf(new Uint8Array(0)), undefined);
});

Deno.test("nestedValue() reads what a byte string holds", () => {
  assertEquals(nestedValue(inside([1, null])), [1, null]);
  assertEquals(nestedValue(utf8.encode("hello, world")), undefined);
  assertEquals(nestedValue("text"), undefined);
  assertEquals(nestedValue([1]), undefined);
});

// ---- the program's events

Deno.test("msgpackFormat() refuses reserved names, numbers out of range and numbers of two events", () => {
  for (const name of RESERVED_NAMES) {
    assertThrows(() => msgpackFormat({ [name]: 9 }), TypeError, name);
  }
  for (const id of [0, 3, -1, 4.5, NaN, 2 ** 31, Infinity, "9" as unknown as number]) {
    assertThrows(() => msgpackFormat({ say: id }), RangeError, "from 4 to 2147483647");
  }
  assertThrows(() => msgpackFormat({ say: 9, ask: 10, tell: 9 }), RangeError, "one number");
  msgpackFormat({});
  msgpackFormat({ first: 4, last: NUMBER_MAX });
});

Deno.test("msgpackFormat() is what it was made for, whatever becomes of the object", () => {
  const packets: Record<string, number> = { say: 4 };
  const format = msgpackFormat(packets);
  packets["say"] = 5;
  delete packets["say"];
  assertEquals(format.encode(event(1)), encodePacket(4, 0, false, inside(1)));
});

Deno.test("msgpackFormat().decode() reads the server's own messages", () => {
  const messages: [Uint8Array, Incoming][] = [
    [packet(PACKET.join, 0, 0, utf8.encode("hello, world")), { kind: "join" }],
    [packet(PACKET.join, 0, 0, null), { kind: "join" }],
    [packet(PACKET.heartbeat, 9, 1, inside(1)), { kind: "heartbeat" }],
    [packet(PACKET.ack, 0, 0, inside([3, 4])), { kind: "ack", sequences: [3, 4] }],
    [packet(PACKET.welcome, 9, 1, inside([7, 5])), {
      kind: "welcome",
      number: 7,
      server: 5,
      sequence: 9,
    }],
    [packet(PACKET.welcome, 9, 0, inside([7, 5])), { kind: "welcome", number: 7, server: 5 }],
  ];
  for (const [bytes, message] of messages) assertEquals(format.decode(bytes), message);
  const wrong = [[PACKET.ack, [3]], [PACKET.ack, inside(3)], [PACKET.welcome, 7]];
  for (
    const [id, payload] of [...wrong, [PACKET.welcome, inside(-7)], [PACKET.welcome, inside("7")]]
  ) {
    assertEquals<unknown>(format.decode(packet(id, 0, 1, payload)), REFUSED_SHAPE);
  }
});

Deno.test("msgpackFormat().decode() reads events by their numbers", () => {
  const expected = { kind: "event", name: "move", payload: [1, 0] };
  assertEquals<unknown>(format.decode(packet(20, 7, 0, inside([1, 0]))), expected);
  const reliable = { ...expected, sequence: 7 };
  assertEquals<unknown>(format.decode(packet(20, 7, 1, inside([1, 0]))), reliable);
  assertEquals<unknown>(format.decode(packet(NUMBER_MAX, 0, 0, inside(null))), {
    kind: "event",
    name: "last",
    payload: null,
  });
  for (const id of [5, 21, 10_000, 2 ** 40]) {
    const refused = { kind: "refused", reason: "event" };
    assertEquals<unknown>(format.decode(packet(id, 0, 0, inside(1))), refused);
  }
  for (const payload of [null, 1, [1, 0], {}, utf8.encode("\xc1"), new Uint8Array(0)]) {
    assertEquals<unknown>(format.decode(packet(20, 0, 0, payload)), REFUSED_SHAPE);
  }
});

Deno.test("msgpackFormat().decode() refuses what is no packet", () => {
  for (
    const [bytes, reason] of [
      [utf8.encode("junk"), "syntax"],
      [packet(4, 0, 0), "shape"],
      [new Uint8Array(DATAGRAM_BYTES_MAX + 1), "oversize"],
    ] as const
  ) {
    assertEquals<unknown>(format.decode(bytes), { kind: "refused", reason });
  }
});

Deno.test("msgpackFormat() writes what it reads, the server's own messages too", () => {
  const messages: Outgoing[] = [
    { kind: "join" },
    { kind: "heartbeat" },
    { kind: "ack", sequences: [] },
    { kind: "ack", sequences: [0, 127, 128, 10_000] },
    { kind: "welcome", number: 0, server: 0 },
    { kind: "welcome", number: 2 ** 40, server: 2 ** 32 - 1, sequence: 0 },
    event({ a: [1, -1, 2.5, "é", null, true, false] }),
    { ...event("", "last") as Outgoing & { kind: "event" }, sequence: 10_000 },
  ];
  for (const message of messages) assertEquals(format.decode(format.encode(message)), message);
});

Deno.test("msgpackFormat().encode() knows the names of the program only", () => {
  for (const name of ["shout", "", "ack", "constructor", "__proto__"]) {
    assertThrows(() => format.encode(event(1, name)), TypeError, `"${name}"`);
  }
});

// ---- payloads

Deno.test("msgpackFormat() keeps texts and bytes apart", () => {
  for (const payload of ["", "text", "é\u{1f600}", "x".repeat(300)]) {
    assertEquals(payloadIn(format.encode(event(payload))), payload);
    assertEquals(payloadIn(format.encode(event(utf8.encode(payload)))), utf8.encode(payload));
  }
  // What is no UTF-8 cannot be a text, whichever family it is in.
  const raw = new MsgpackWriter().raw(Uint8Array.of(0xff, 0xfe)).take();
  assertEquals(payloadIn(encodePacket(4, 0, false, raw)), Uint8Array.of(0xff, 0xfe));
});

Deno.test("msgpackFormat().decode() copies bytes: the datagram will not last", () => {
  const datagram = format.encode(event([Uint8Array.of(1, 2, 3), { a: Uint8Array.of(4) }]));
  const payload = payloadIn(datagram);
  datagram.fill(0);
  assertEquals(payload, [Uint8Array.of(1, 2, 3), { a: Uint8Array.of(4) }]);
});

Deno.test("msgpackFormat() carries every number that a double holds", () => {
  const numbers = [0, -0, 1, -1, 0.1, NaN, Infinity, -Infinity, 2 ** 53 - 1, -(2 ** 53 - 1), 1e300];
  for (const number of numbers) {
    const payload = payloadIn(format.encode(event(number)));
    assert(Object.is(payload, number), `${payload} is not ${number}`);
  }
  const large = new MsgpackWriter().array(2).integer(2 ** 60).integer(-(2 ** 60)).take();
  assertEquals(payloadIn(encodePacket(4, 0, false, large)), [2 ** 60, -(2 ** 60)]);
});

Deno.test("msgpackFormat() takes payloads nested 32 deep both ways, and one more when reading", () => {
  const deepest = nested(PAYLOAD_DEPTH_MAX);
  assertEquals(payloadIn(format.encode(event(deepest))), deepest);
  assertThrows(() => format.encode(event(nested(PAYLOAD_DEPTH_MAX + 1))), RangeError, "32");
  const deeper = nested(PAYLOAD_DEPTH_MAX + 1);
  assertEquals(payloadIn(packet(4, 0, 0, inside(deeper))), deeper);
  const tooDeep = inside(nested(PAYLOAD_DEPTH_MAX + 2));
  assertEquals<unknown>(format.decode(packet(4, 0, 0, tooDeep)), REFUSED_SHAPE);
  const circle: Payload[] = [];
  circle.push(circle);
  assertThrows(() => format.encode(event(circle)), RangeError);
});

Deno.test("msgpackFormat().decode() makes texts of keys, and lets nobody change what objects inherit", () => {
  const writer = new MsgpackWriter().map(6).raw(utf8.encode("__proto__")).map(1);
  writer.raw(utf8.encode("polluted")).boolean(true);
  writer.integer(7).nil().nil().integer(1).boolean(true).integer(2);
  writer.array(2).integer(1).integer(2).integer(3).raw(utf8.encode("7")).integer(4);
  const payload = payloadIn(encodePacket(4, 0, false, writer.take())) as Record<string, unknown>;
  assert(!("polluted" in {}) && !("polluted" in payload));
  assertEquals(Object.getPrototypeOf(payload), Object.prototype);
  assertEquals(Object.entries(payload), [
    ["7", 4],
    ["__proto__", { polluted: true }],
    ["null", 1],
    ["true", 2],
    ["1,2", 3],
  ]);
  assertEquals(payloadIn(format.encode(event(payload as Payload))), payload);
});

Deno.test("msgpackFormat().encode() refuses what MessagePack has not", () => {
  for (const value of [undefined, 1n, () => 1, Symbol("x"), [1, , 2], { a: undefined }]) {
    assertThrows(() => format.encode(event(value as Payload)), TypeError, "no form");
  }
});

Deno.test("msgpackFormat().encode() refuses more than 8,192 bytes", () => {
  const around = format.encode(event(new Uint8Array(300))).length - 300;
  const longest = new Uint8Array(DATAGRAM_BYTES_MAX - around);
  assertEquals(format.encode(event(longest)).length, DATAGRAM_BYTES_MAX);
  const tooLong = new Uint8Array(longest.length + 1);
  assertThrows(() => format.encode(event(tooLong)), RangeError, "8192");
  // A sequence number may be what is too much.
  const sequence = 10_000;
  assertThrows(() => format.encode({ kind: "event", name: "say", payload: longest, sequence }));
});

Deno.test("msgpackFormat() writes what any other reader reads", () => {
  const payload = { a: [1, -5, 0.5, "é", null, true], b: Uint8Array.of(1), "": "x".repeat(40) };
  const [id, sequence, ack, bytes] = decodeElsewhere(
    format.encode({ kind: "event", name: "move", payload, sequence: 300 }),
    { rawStrings: true },
  ) as [number, number, number, Uint8Array];
  assertEquals([id, sequence, ack], [20, 300, 1]);
  assertEquals(decodeElsewhere(bytes), payload);
});

Deno.test("msgpackFormat() reads every event that it writes", () => {
  const { payload: payloads } = fc.letrec<{ payload: unknown }>((tie) => ({
    payload: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, false),
      fc.double(),
      fc.maxSafeInteger(),
      fc.string({ unit: "grapheme" }),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(tie("payload"), { maxLength: 5 }),
      fc.dictionary(fc.string(), tie("payload"), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(payloads, (payload) => {
      const message = event(payload as Payload);
      // Compared as bytes: assertEquals takes no notice of prototypes and signs of zero alike.
      const read = format.decode(format.encode(message));
      assert(read.kind === "event");
      assertEquals(format.encode(read), format.encode(message));
    }),
    { numRuns: 300, seed: 1 },
  );
});

Deno.test("msgpackFormat() can write again whatever it reads", () => {
  const random = seededRandom(1);
  const real = format.encode(event({ a: [1, "text", Uint8Array.of(1, 2), { b: null }], c: 1e100 }));
  let read = 0;
  for (let count = 0; count < 5_000; count++) {
    const bytes = count % 10 === 0 ? noise(random, 40) : mutated(random, real);
    const message = format.decode(bytes);
    if (message.kind === "refused") continue;
    read++;
    format.decode(format.encode(message));
  }
  assert(read > 500, `${read} were read`);
});
