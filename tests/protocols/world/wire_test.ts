import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createHash } from "node:crypto";
import {
  DATAGRAM_BYTES_MAX,
  decodeHeader,
  decodePacket,
  decodePayload,
  encodeAck,
  encodeMessage,
  HEADER_BYTES,
  looksLikeAck,
  PAYLOAD_BYTES_MAX,
  SENT_BYTES_MAX,
  SEQUENCES,
  type WireRefusal,
} from "../../../lib/protocols/world/wire.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { worldTranscripts, type WorldVector, worldVectors } from "../../support/vectors.ts";
import { mutated, noise } from "../engine_suite.ts";

fc.configureGlobal({ seed: 1 });

const utf8 = new TextEncoder();
const FLAGS_AT = 18;
const LENGTH_AT = 19;
/** Levels of a message: a trait of 32 levels in an object in the list of a diff. */
const DEPTH_MAX = 35;

const anySequence = fc.nat(SEQUENCES - 1);

/** The same datagram with other flags, and the digest that belongs to them. */
function withFlags(datagram: Uint8Array, flags: number): Uint8Array {
  const header = datagram.slice(0, HEADER_BYTES);
  header[FLAGS_AT] = flags;
  header.fill(0x30, 2, FLAGS_AT);
  const digest = createHash("md5").update(header).digest();
  header.set(digest, 2);
  return Uint8Array.of(...header, ...datagram.subarray(HEADER_BYTES));
}

/** What is read of a payload under these flags, in short: `message 7`, `ack 7`, or why nothing is. */
function readUnder(flags: number, payload: string | Uint8Array, sequence = 7): string {
  const json = typeof payload === "string" ? utf8.encode(payload) : payload;
  return inShort(withFlags(encodeMessage(sequence, json), flags));
}

function inShort(datagram: Uint8Array): string {
  const packet = decodePacket(datagram);
  return packet.kind === "refused" ? packet.reason : `${packet.kind} ${packet.sequence}`;
}

function vector(name: string): WorldVector {
  const found = worldVectors.find((vector) => vector.name === name);
  assert(found, name);
  return found;
}

// ---- recorded datagrams

/** What each recorded datagram is. */
const IS: Record<string, `message ${number}` | `ack ${number}` | WireRefusal> = {
  knock: "message 0",
  knock_typed: "message 0",
  ack_of_0: "ack 0",
  ack_of_1: "ack 1",
  ack_65535: "ack 65535",
  snap_first: "message 0",
  heartbeat: "message 1",
  diff: "message 3",
  diff_second: "message 6",
  keyframe_0: "message 8",
  keyframe_1: "message 9",
  stop: "message 1",
  unknown_type: "message 2",
  debug_gc: "message 3",
  empty: "short",
  header_minus_one: "short",
  header_only: "json",
  empty_object: "message 5",
  bad_md5: "digest",
  length_too_big: "length",
  length_too_small: "length",
  tampered_payload: "message 8",
  tampered_not_json: "json",
  json_array: "json",
  json_null: "json",
  type_list: "message 19",
  invalid_utf8: "json",
  utf8: "message 13",
  nan: "json",
  ack_unknown: "ack 777",
  ack_with_knock: "ack",
  rainbow: "message 16",
  awesome_ack: "ack 17",
  flag_2: "message 18",
  too_large_for_original: "oversize",
};

Deno.test("decodePacket() reads every recorded datagram, and refuses what is none", () => {
  assertEquals(worldVectors.map(({ name }) => name).sort(), Object.keys(IS).sort());
  for (const { name, bytes, decoded } of worldVectors) {
    assertEquals(inShort(bytes), IS[name], name);
    const packet = decodePacket(bytes);
    if (packet.kind === "refused") continue;
    assertEquals(packet.sequence, decoded.seq, name);
    assertEquals(packet.kind === "ack", (decoded.flags! & 1) === 1, name);
    if (packet.kind === "message") assertEquals<unknown>(packet.message, decoded.payload, name);
  }
});

Deno.test("encodeMessage() and encodeAck() write the recorded datagrams, apart from unused flags", () => {
  let written = 0;
  for (const { name, bytes, decoded: { flags } } of worldVectors) {
    const packet = decodePacket(bytes);
    if (packet.kind === "refused") continue;
    const { sequence } = packet;
    const ours = packet.kind === "ack"
      ? encodeAck(sequence)
      : encodeMessage(sequence, bytes.subarray(HEADER_BYTES));
    assertEquals(ours.length, bytes.length, name);
    if (flags! > 1) assertEquals(withFlags(ours, flags!), bytes, name);
    else assertEquals(ours, bytes, name);
    written++;
  }
  assertEquals(written, 22);
});

Deno.test("encodeAck() writes the ACK of every packet in the recorded conversation", () => {
  const steps = worldTranscripts.get("session")!;
  const acked = new Map<string, number>();
  let messages = 0;
  for (const [index, { from, to, bytes }] of steps.entries()) {
    const packet = decodePacket(bytes);
    assert(packet.kind !== "refused", `step ${index}`);
    if (packet.kind === "ack") continue;
    messages++;
    const ack = encodeAck(packet.sequence);
    const answers = steps.slice(index + 1).filter((step) =>
      step.from === to && step.to === from && String(step.bytes) === String(ack)
    );
    assert(answers.length > 0, `nobody acked step ${index}`);
    const key = `${from} ${packet.sequence}`;
    acked.set(key, (acked.get(key) ?? 0) + 1);
  }
  assertEquals(steps.length, 2 * messages, "each packet and its ACK");
  assertEquals(acked.size, messages, "each number once");
});

Deno.test("encodeMessage() writes the packets of the recorded conversation", () => {
  for (const { bytes } of worldTranscripts.get("session")!) {
    const packet = decodePacket(bytes);
    if (packet.kind !== "message") continue;
    assertEquals(encodeMessage(packet.sequence, bytes.subarray(HEADER_BYTES)), bytes);
  }
});

// ---- writing

Deno.test("encodeMessage() and decodePacket() are each other's reverse", () => {
  fc.assert(
    fc.property(anySequence, fc.dictionary(fc.string(), fc.jsonValue()), (sequence, message) => {
      const text = JSON.stringify(message);
      const datagram = encodeMessage(sequence, utf8.encode(text));
      if (datagram.length > DATAGRAM_BYTES_MAX) return;
      const expected = { kind: "message", sequence, message: JSON.parse(text) };
      assertEquals<unknown>(decodePacket(datagram), expected);
    }),
  );
});

Deno.test("encodeMessage() digests the header alone, with the character 0 in the digest's place", () => {
  fc.assert(
    fc.property(anySequence, fc.uint8Array({ maxLength: PAYLOAD_BYTES_MAX }), (sequence, json) => {
      const datagram = encodeMessage(sequence, json);
      assertEquals(datagram, withFlags(datagram, 0));
      const view = new DataView(datagram.buffer, datagram.byteOffset);
      assertEquals(view.getUint16(0), sequence);
      assertEquals(view.getUint16(LENGTH_AT), datagram.length);
      assertEquals(datagram.subarray(HEADER_BYTES), json);
    }),
  );
});

Deno.test("encodeMessage() gives bytes that no later one touches, however long they are", () => {
  const random = seededRandom(1);
  const lengths = [
    0,
    1,
    20_000,
    ...Array.from({ length: 100 }, () => Math.floor(4_000 * random())),
  ];
  const payloads = lengths.map((length) => noise(random, length));
  const datagrams = payloads.map((json, sequence) => encodeMessage(sequence, json));
  for (const [sequence, json] of payloads.entries()) {
    const datagram = datagrams[sequence]!;
    assertEquals(datagram.subarray(HEADER_BYTES), json);
    assertEquals(datagram, withFlags(encodeMessage(sequence, json), 0));
  }
});

Deno.test("encodeAck() writes 23 bytes that decodePacket() reads, for every number", () => {
  for (let sequence = 0; sequence < SEQUENCES; sequence += 257) {
    const ack = encodeAck(sequence);
    assertEquals(ack.length, 23);
    assertEquals(ack, withFlags(encodeMessage(sequence, utf8.encode("{}")), 1));
    assertEquals(inShort(ack), `ack ${sequence}`);
  }
});

Deno.test("encodeMessage() hands out bytes that nothing else touches", () => {
  const json = utf8.encode('{"a":1}');
  const one = encodeMessage(1, json);
  const copy = one.slice();
  encodeMessage(2, json);
  encodeAck(3);
  json.fill(0);
  assertEquals(one, copy);
});

Deno.test("PAYLOAD_BYTES_MAX fills a datagram of 1,200 bytes", () => {
  assertEquals(SENT_BYTES_MAX, 1_200);
  assertEquals(encodeMessage(0, new Uint8Array(PAYLOAD_BYTES_MAX)).length, SENT_BYTES_MAX);
});

// ---- reading

Deno.test("decodePacket() refuses every cut and every addition by its length", () => {
  for (
    const { name, bytes } of worldVectors.filter(({ name }) => /^(?:message|ack) /.test(IS[name]!))
  ) {
    for (let length = 0; length < bytes.length; length++) {
      const expected = length < HEADER_BYTES ? "short" : "length";
      assertEquals(inShort(bytes.subarray(0, length)), expected, `${name} cut to ${length}`);
    }
    assertEquals(inShort(Uint8Array.of(...bytes, 0x20)), "length", name);
    assertEquals(inShort(Uint8Array.of(...bytes, ...bytes)), "length", name);
  }
});

Deno.test("decodePacket() reads a datagram wherever it lies in its buffer", () => {
  const { bytes } = vector("snap_first");
  const buffer = new Uint8Array(bytes.length + 20).fill(0xff);
  buffer.set(bytes, 13);
  assertEquals(decodePacket(buffer.subarray(13, 13 + bytes.length)), decodePacket(bytes));
});

Deno.test("decodePacket() refuses a header of which one bit is another", () => {
  for (const name of ["knock", "snap_first", "ack_65535"]) {
    const { bytes } = vector(name);
    for (let bit = 0; bit < HEADER_BYTES * 8; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const expected = bit >> 3 >= LENGTH_AT ? "length" : "digest";
      assertEquals(inShort(changed), expected, `${name}, bit ${bit}`);
    }
  }
});

Deno.test("decodePacket() takes 8,192 bytes and no more, also where the header says so", () => {
  const jsonOf = (bytes: number): Uint8Array =>
    utf8.encode(`{"a":"${"x".repeat(bytes - HEADER_BYTES - 8)}"}`);
  for (
    const [bytes, expected] of [[8_191, "message 7"], [8_192, "message 7"], [
      8_193,
      "oversize",
    ]] as const
  ) {
    const datagram = encodeMessage(7, jsonOf(bytes));
    assertEquals(datagram.length, bytes);
    assertEquals(inShort(datagram), expected, `${bytes} bytes`);
  }
  assertEquals(inShort(new Uint8Array(65_535)), "oversize", "whatever is in it");
});

Deno.test("decodePacket() knows an ACK by one flag, and heeds no other", () => {
  for (let flags = 0; flags < 256; flags++) {
    assertEquals(readUnder(flags, "{}"), flags & 1 ? "ack 7" : "message 7", `flags ${flags}`);
  }
});

Deno.test("decodePacket() takes an empty object as an ACK however it is written, and nothing else", () => {
  for (const text of ["{}", "{}\n", "{ }", " {}", "\t{\r\n}\n"]) {
    assertEquals(readUnder(1, text), "ack 7", text);
  }
  const others = [
    "",
    " ",
    "[]",
    "{]",
    "xx",
    "0",
    "{",
    "null",
    "{}{}",
    '{"a":1}',
    '{"type":"stop"}',
  ];
  for (const text of [...others, '{"__proto__":1}', '{"a":1e999}', "{}\ufeff"]) {
    assertEquals(readUnder(1, text), "ack", text);
  }
});

Deno.test("decodePacket() refuses an ACK longer than 37 bytes, whatever is in it", () => {
  const padded = (bytes: number): string => "{}".padEnd(bytes - HEADER_BYTES);
  for (let bytes = 23; bytes <= 37; bytes++) assertEquals(readUnder(1, padded(bytes)), "ack 7");
  for (const bytes of [38, 1_200, DATAGRAM_BYTES_MAX]) {
    assertEquals(readUnder(1, padded(bytes)), "ack", `${bytes} bytes`);
    assertEquals(readUnder(0, padded(bytes)), "message 7", "a message may be as long");
  }
});

Deno.test("decodeHeader() reads an ACK whole, and of a message nothing but its header", () => {
  const headerOf = (payload: string, flags = 0): unknown =>
    decodeHeader(withFlags(encodeMessage(7, utf8.encode(payload)), flags));
  for (const payload of ['{"type":"knock"}', "", "no JSON", '{"a":1e999}', "[".repeat(8_000)]) {
    assertEquals(headerOf(payload), { kind: "header", sequence: 7 }, payload.slice(0, 20));
  }
  assertEquals(headerOf("{}", 1), { kind: "ack", sequence: 7 });
  assertEquals(headerOf('{"type":"knock"}', 1), { kind: "refused", reason: "ack" });
});

Deno.test("decodeHeader() and decodePayload() together are decodePacket()", () => {
  const made = ['{"a":[1,{"b":null}]}', "{}", "[]", "", '{"a":1e999}', "{}}", "\ufeff{}"]
    .flatMap((text) =>
      [0, 1].map((flags) => withFlags(encodeMessage(9, utf8.encode(text)), flags))
    );
  for (const datagram of [...worldVectors.map(({ bytes }) => bytes), ...made]) {
    const header = decodeHeader(datagram);
    const packet = decodePacket(datagram);
    if (header.kind !== "header") {
      assertEquals(header, packet);
      continue;
    }
    const message = decodePayload(datagram);
    const expected = typeof message === "string"
      ? { kind: "refused", reason: message }
      : { kind: "message", sequence: header.sequence, message };
    assertEquals<unknown>(packet, expected);
  }
});

Deno.test("decodePacket() refuses what is no JSON object in UTF-8", () => {
  const texts = [
    "",
    " ",
    "null",
    "1",
    '"{}"',
    "[{}]",
    "{",
    "{}}",
    "{a:1}",
    '{"a":NaN}',
    "\ufeff{}",
  ];
  for (const text of [...texts, '{"a":Infinity}', '{"a":1,}', "{}\0"]) {
    assertEquals(readUnder(0, text), "json", text);
  }
  assertEquals(readUnder(0, Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)), "json");
});

Deno.test("decodePacket() refuses numbers too large for a double, wherever they are", () => {
  for (
    const text of ['{"a":1e999}', '{"a":-1e309}', '{"a":[0,{"b":[1e999]}]}', '{"__proto__":1e999}']
  ) {
    assertEquals(readUnder(0, text), "number", text);
  }
  for (
    const text of [
      '{"a":1.7976931348623157e308}',
      '{"a":1e-999}',
      '{"a":"1e999"}',
      '{"1e999":null}',
    ]
  ) {
    assertEquals(readUnder(0, text), "message 7", text);
  }
});

Deno.test("decodePacket() reads what is nested as deep as the deepest trait in a diff", () => {
  const nested = (depth: number): string =>
    `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
  assertEquals(readUnder(0, nested(DEPTH_MAX)), "message 7");
  assertEquals(readUnder(0, nested(DEPTH_MAX + 1)), "json");
  assertEquals(readUnder(0, '{"a":'.repeat(1_000)), "json");
});

Deno.test("decodePacket() finds in a message only what was sent", () => {
  const text = '{"__proto__":{"type":"knock"},"constructor":1}';
  const packet = decodePacket(encodeMessage(0, utf8.encode(text)));
  assert(packet.kind === "message");
  const { message } = packet;
  assertEquals([message.type, message.toString], [undefined, undefined]);
  assertEquals(Object.keys(message).sort(), ["__proto__", "constructor"]);
  assertEquals(Object.entries(message)[1], ["constructor", 1]);
});

Deno.test("looksLikeAck() is true of what decodePacket() takes as an ACK, and wants a whole header", () => {
  for (const { name, bytes, decoded } of worldVectors) {
    assertEquals(looksLikeAck(bytes), ((decoded.flags ?? 0) & 1) === 1, name);
  }
  const ack = encodeAck(1);
  assert(looksLikeAck(ack.subarray(0, HEADER_BYTES)));
  assert(!looksLikeAck(ack.subarray(0, HEADER_BYTES - 1)));
  assert(!looksLikeAck(withFlags(ack, 254)));
  assert(looksLikeAck(withFlags(ack, 255)));
});

Deno.test("decodePacket() survives any bytes, and what it reads can be written again", () => {
  const sane = worldVectors.filter(({ bytes }) => bytes.length < 1_000).map(({ bytes }) => bytes);
  let read = 0;
  forEachSeed(2_000, (seed) => {
    const random = seededRandom(seed);
    const bytes = sane[Math.floor(random() * sane.length)]!;
    const datagrams = [
      noise(random, random() * 64),
      mutated(random, bytes),
      // The payload alone, so that the header is right.
      encodeMessage(seed, mutated(random, bytes.subarray(HEADER_BYTES))),
    ];
    for (const datagram of datagrams) {
      const packet = decodePacket(datagram);
      if (packet.kind === "refused") continue;
      read++;
      if (packet.kind === "ack") continue;
      const again = encodeMessage(packet.sequence, utf8.encode(JSON.stringify(packet.message)));
      assertEquals(decodePacket(again), packet);
    }
  });
  assert(read > 100, `${read} were read: the others tell little`);
});
