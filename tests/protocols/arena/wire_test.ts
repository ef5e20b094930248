import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  BULLETS_PER_LIST,
  type BulletState,
  type ClientMessage,
  COORDINATES_BYTES_MAX,
  decodeClientMessage,
  decodeServerMessage,
  encodeBullets,
  encodeClientMessage,
  encodeLeft,
  encodeLook,
  encodeUpdates,
  encodeWelcome,
  encodeWorldInfo,
  LIST_BYTES_MAX,
  type Numbered,
  type PlayerState,
  SENT_BYTES_MAX,
  type WireRefusal,
} from "../../../lib/protocols/arena/wire.ts";
import { decodeMsgpack, MsgpackMap, MsgpackWriter } from "../../../lib/parts/msgpack.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { arenaTranscripts, type ArenaVector, arenaVectors } from "../../support/vectors.ts";
import { mutated } from "../engine_suite.ts";

fc.configureGlobal({ seed: 1 });

const ascii = new TextEncoder();
const SEQUENCE_MAX = 10_000;
/** What a client may send at most. */
const DATAGRAM_BYTES_MAX = 8_192;

const vectors = arenaVectors.filter(({ name }) => !name.startsWith("echo_"));
const fromClients = vectors.filter(({ direction }) => direction === "client->server");
const fromServer = vectors.filter(({ direction }) => direction === "server->client");

const anySequence = fc.nat(SEQUENCE_MAX);
const anyNumber = fc.oneof(
  fc.integer({ min: 1, max: 1_000 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
);
const anyColor = fc.nat(255);
const anyPlayer: fc.Arbitrary<PlayerState> = fc.record({
  number: anyNumber,
  red: anyColor,
  green: anyColor,
  blue: anyColor,
  x: fc.integer({ min: -19_000, max: 19_000 }),
  y: fc.integer({ min: -9_000, max: 9_000 }),
});
/** As far as one flies from the remotest corner. */
const anyBullet: fc.Arbitrary<BulletState> = fc.record({
  x: fc.integer({ min: -35_000, max: 35_000 }),
  y: fc.integer({ min: -25_000, max: 25_000 }),
  rotation: fc.integer({ min: -3_141, max: 3_141 }),
});

function vector(name: string): ArenaVector {
  const found = vectors.find((vector) => vector.name === name);
  assert(found, name);
  return found;
}

function refusal(reason: WireRefusal): { kind: "refused"; reason: WireRefusal } {
  return { kind: "refused", reason };
}

// ---- what clients say

/** What each recorded datagram says; `written` are those in the form that we write. */
const SAID: Record<string, { says: ReturnType<typeof decodeClientMessage>; written?: true }> = {
  join_python: { says: { kind: "join" }, written: true },
  join_unity: { says: { kind: "join" } },
  join_unity_bin: { says: { kind: "join" } },
  payload_nil: { says: { kind: "join" } },
  client_wants_ack: { says: { kind: "join" } },
  ack_0: { says: { kind: "ack", sequences: [0] }, written: true },
  ack_1: { says: { kind: "ack", sequences: [1] }, written: true },
  ack_unity_many: { says: { kind: "ack", sequences: [0, 1, 5, 10_000] }, written: true },
  ack_empty: { says: { kind: "ack", sequences: [] }, written: true },
  input_down: { says: { kind: "input", dx: 0, dy: -1 }, written: true },
  input_stop: { says: { kind: "input", dx: 0, dy: 0 }, written: true },
  input_diag: { says: { kind: "input", dx: -1, dy: 1 }, written: true },
  input_bin_family: { says: { kind: "input", dx: 1, dy: 0 } },
  input_fast: { says: { kind: "input", dx: 1, dy: 0.5 } },
  heartbeat: { says: { kind: "heartbeat" }, written: true },
  fire: { says: { kind: "fire" }, written: true },
  stray_empty: { says: refusal("syntax") },
  stray_text: { says: refusal("syntax") },
  stray_c1: { says: refusal("syntax") },
  input_truncated: { says: refusal("syntax") },
  list_of_one: { says: refusal("shape") },
  list_of_three: { says: refusal("shape") },
  bare_int: { says: refusal("shape") },
  id_text: { says: refusal("shape") },
  id_float: { says: refusal("shape") },
  unknown_id: { says: refusal("event") },
  server_id_from_client: { says: refusal("event") },
  input_int: { says: refusal("payload") },
  ack_not_list: { says: refusal("payload") },
};

Deno.test("decodeClientMessage() reads every recorded datagram, and refuses where the original errs", () => {
  assertEquals(fromClients.map(({ name }) => name).sort(), Object.keys(SAID).sort());
  for (const { name, bytes } of fromClients) {
    assertEquals(decodeClientMessage(bytes), SAID[name]!.says, name);
  }
});

Deno.test("encodeClientMessage() writes the recorded datagrams", () => {
  const written = Object.entries(SAID).filter(([, { written }]) => written);
  assertEquals(written.length, 10);
  for (const [name, { says }] of written) {
    assertEquals(encodeClientMessage(says as ClientMessage), vector(name).bytes, name);
  }
});

Deno.test("decodeClientMessage() reads what encodeClientMessage() wrote", () => {
  const axis = fc.oneof(
    fc.constantFrom(-1, 0, 1),
    fc.double({ min: -1, max: 1, noNaN: true }).map((value) => value + 0),
  );
  const anyMessage: fc.Arbitrary<ClientMessage> = fc.oneof(
    fc.constantFrom({ kind: "join" }, { kind: "heartbeat" }, { kind: "fire" } as const),
    fc.record({ kind: fc.constant("input"), dx: axis, dy: axis } as const),
    fc.record({ kind: fc.constant("ack"), sequences: fc.array(anySequence) } as const),
  ) as fc.Arbitrary<ClientMessage>;
  fc.assert(fc.property(anyMessage, (message) => {
    assertEquals(decodeClientMessage(encodeClientMessage(message)), message);
  }));
});

Deno.test("encodeClientMessage() sends sequence 0 and asks for no ack", () => {
  const messages: ClientMessage[] = [
    { kind: "join" },
    { kind: "heartbeat" },
    { kind: "fire" },
    { kind: "ack", sequences: [9] },
    { kind: "input", dx: 0.5, dy: -0.25 },
  ];
  for (const message of messages) {
    const value = decodeMsgpack(encodeClientMessage(message));
    assert(Array.isArray(value) && value.length === 4);
    assertEquals(value.slice(1, 3), [0, 0], message.kind);
    assert(value[3] instanceof Uint8Array);
  }
});

/** `[id, 0, 0, payload]`, the payload as it stands. */
function said(id: number, payload: Uint8Array): Uint8Array {
  return new MsgpackWriter().array(4).integer(id).integer(0).integer(0).raw(payload).take();
}

function input(...axes: number[]): Uint8Array {
  const payload = new MsgpackWriter().array(axes.length);
  for (const axis of axes) {
    if (Number.isSafeInteger(axis) && !Object.is(axis, -0)) payload.integer(axis);
    else payload.float(axis);
  }
  return said(20, payload.take());
}

Deno.test("decodeClientMessage() clamps each axis to -1..1, keeps fractions and knows no -0", () => {
  const table: [axes: [number, number], read: [number, number]][] = [
    [[1_000, 0.5], [1, 0.5]],
    [[-7, -1.0001], [-1, -1]],
    [[1e308, -1e308], [1, -1]],
    [[0.25, -0.75], [0.25, -0.75]],
    [[-0, -0], [0, 0]],
    [[5e-324, -5e-324], [5e-324, -5e-324]],
  ];
  for (const [axes, [dx, dy]] of table) {
    assertEquals(decodeClientMessage(input(...axes)), { kind: "input", dx, dy }, String(axes));
  }
  fc.assert(fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (dx, dy) => {
    const message = decodeClientMessage(input(dx, dy));
    if (message.kind === "refused") return assert(!Number.isFinite(dx) || !Number.isFinite(dy));
    assert(message.kind === "input");
    for (const [axis, asked] of [[message.dx, dx], [message.dy, dy]] as const) {
      assert(axis >= -1 && axis <= 1 && !Object.is(axis, -0), String(asked));
      if (Math.abs(asked) <= 1) assert(axis === asked);
    }
  }));
});

Deno.test("decodeClientMessage() refuses an input that is not an array of two finite numbers", () => {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
  const table: Record<string, Uint8Array> = {
    "NaN": input(NaN, 0),
    "infinity": input(0, Infinity),
    "one axis": input(1),
    "three axes": input(1, 0, 0),
    "no axes": input(),
    "a text": said(20, ascii.encode("hello, world")),
    "nothing": said(20, bytes()),
    "nil": said(20, bytes(0xc0)),
    "booleans": said(20, bytes(0x92, 0xc3, 0xc2)),
    "texts": said(20, bytes(0x92, 0xa1, 0x31, 0xa1, 0x30)),
    "a map": said(20, bytes(0x81, 0x01, 0x00)),
    "an array in an array": said(20, bytes(0x91, 0x92, 0x01, 0x00)),
    "something behind it": said(20, bytes(0x92, 0x01, 0x00, 0x00)),
    "past 64 bits of safety": said(
      20,
      bytes(0x92, 0xcf, 255, 255, 255, 255, 255, 255, 255, 255, 0),
    ),
    "not in a byte string": bytes(0x94, 20, 0, 0, 0x92, 0x01, 0x00),
  };
  for (const [what, datagram] of Object.entries(table)) {
    assertEquals(decodeClientMessage(datagram), refusal("payload"), what);
  }
});

Deno.test("decodeClientMessage() refuses an ack that is not an array of numbers from 0 on", () => {
  const payloads = ["c0", "91c0", "91ff", "91a130", "91cb3fe0000000000000", "8101", "9200", ""];
  for (const hex of payloads) {
    const payload = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    assertEquals(decodeClientMessage(said(2, payload)), refusal("payload"), hex);
  }
  assertEquals(decodeClientMessage(Uint8Array.of(0x94, 2, 0, 0, 0x91, 0)), refusal("payload"));
});

Deno.test("decodeClientMessage() takes acks of numbers nobody gave, repeated ones and many at once", () => {
  for (
    const sequences of [
      [10_001, 2 ** 40],
      [3, 3, 3],
      Array.from({ length: 2_000 }, (_, n) => n),
    ]
  ) {
    const message = encodeClientMessage({ kind: "ack", sequences });
    assertEquals(decodeClientMessage(message), { kind: "ack", sequences });
  }
});

Deno.test("decodeClientMessage() takes any payload of JOIN, HEARTBEAT and FIRE", () => {
  const payloads = [
    Uint8Array.of(0xc0),
    Uint8Array.of(0xa0),
    Uint8Array.of(0x07),
    Uint8Array.of(0x81, 0x01, 0x02),
    new MsgpackWriter().bin(new Uint8Array(300)).take(),
    new MsgpackWriter().raw(new Uint8Array(300)).take(),
    Uint8Array.of(0xd9, 2, 0x68, 0x69), // str8
  ];
  for (const [id, kind] of [[0, "join"], [3, "heartbeat"], [21, "fire"]] as const) {
    for (const payload of payloads) {
      const datagram = Uint8Array.of(0x94, id, 0, 0, ...payload);
      assertEquals(decodeClientMessage(datagram), { kind } as ClientMessage);
    }
  }
});

Deno.test("decodeClientMessage() takes a payload of the raw and of the bin family, however long its head", () => {
  const payload = [0x92, 0x01, 0xff];
  const heads = [[0xa3], [0xd9, 3], [0xda, 0, 3], [0xdb, 0, 0, 0, 3]];
  const bins = [[0xc4, 3], [0xc5, 0, 3], [0xc6, 0, 0, 0, 3]];
  for (const head of [...heads, ...bins]) {
    const datagram = Uint8Array.of(0x94, 20, 0, 0, ...head, ...payload);
    assertEquals(decodeClientMessage(datagram), { kind: "input", dx: 1, dy: -1 }, String(head));
  }
});

Deno.test("decodeClientMessage() ignores what follows the four elements, and any sequence and ack", () => {
  const five = Uint8Array.of(0x96, 20, 0, 0, 0xa3, 0x92, 0, 1, 0xc0, 0xa1, 0x78);
  assertEquals(decodeClientMessage(five), { kind: "input", dx: 0, dy: 1 });
  const array16 = Uint8Array.of(0xdc, 0, 4, 3, 0xcd, 0x27, 0x10, 0xc3, 0xc0);
  assertEquals(decodeClientMessage(array16), { kind: "heartbeat" });
});

Deno.test("decodeClientMessage() refuses ids and sequences that are no whole numbers", () => {
  const table = [
    "94a1300000a178", // a text
    "94cb3feccccccccccccd0000a178", // 0.9
    "94ff0000a0", // -1
    "94c00000a0",
    "94c30000a0",
    "9400c000a0",
    "9400ff00a0",
    "9400a13100a0",
    "94cfffffffffffffffff0000a0", // beyond what is safe
    "840000000000000000", // a map
  ];
  for (const hex of table) {
    const bytes = Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
    assertEquals(decodeClientMessage(bytes), refusal("shape"), hex);
  }
});

Deno.test("decodeClientMessage() refuses the ids of the server, and those of nobody", () => {
  for (const id of [1, 4, 10, 11, 12, 19, 22, 30, 35, 99, 256, 2 ** 32]) {
    assertEquals(
      decodeClientMessage(said(id, Uint8Array.of(0x92, 0, 0))),
      refusal("event"),
      `${id}`,
    );
  }
});

Deno.test("decodeClientMessage() and decodeServerMessage() read 8,192 bytes and refuse one more", () => {
  const of = (length: number): Uint8Array => said(0, new Uint8Array(length - 7));
  assertEquals(of(DATAGRAM_BYTES_MAX).length, DATAGRAM_BYTES_MAX);
  assertEquals(decodeClientMessage(of(DATAGRAM_BYTES_MAX)), { kind: "join" });
  assertEquals(decodeClientMessage(of(DATAGRAM_BYTES_MAX + 1)), refusal("oversize"));
  assertEquals(decodeServerMessage(of(DATAGRAM_BYTES_MAX)), refusal("event"));
  assertEquals(decodeServerMessage(of(DATAGRAM_BYTES_MAX + 1)), refusal("oversize"));
});

// ---- what servers say

/** The message that a vector's `decoded` describes. */
function described({ decoded }: ArenaVector): Numbered {
  const { id, seq: sequence, ack, payload } = decoded as {
    id: number;
    seq: number;
    ack: number;
    payload: never;
  };
  const numbered = { sequence, needsAck: ack === 1 };
  switch (id) {
    case 1:
      return { kind: "welcome", player: playerOf(payload), ...numbered };
    case 11:
      return { kind: "updates", players: (payload as RawPlayer[]).map(playerOf), ...numbered };
    case 12:
      return { kind: "left", number: payload, ...numbered };
    case 30:
      return { kind: "worldInfo", ...payload as { width: number; height: number }, ...numbered };
    default:
      return { kind: "bullets", bullets: (payload as RawBullet[]).map(bulletOf), ...numbered };
  }
}

interface RawPlayer {
  uuid: number;
  colorRed: number;
  colorGreen: number;
  colorBlue: number;
  position: [number, number];
}

interface RawBullet {
  position: [number, number];
  rotation: number;
}

function playerOf(raw: RawPlayer): PlayerState {
  const [x, y] = raw.position;
  const { uuid: number, colorRed: red, colorGreen: green, colorBlue: blue } = raw;
  return { number, red, green, blue, x, y };
}

function bulletOf({ position: [x, y], rotation }: RawBullet): BulletState {
  return { x, y, rotation };
}

function encodeServerMessage(message: Numbered): Uint8Array {
  const { sequence } = message;
  switch (message.kind) {
    case "welcome":
      return encodeWelcome(sequence, message.player);
    case "worldInfo":
      return encodeWorldInfo(sequence, message.width, message.height);
    case "updates":
      return encodeUpdates(
        sequence,
        message.players.map((player) => ({ ...player, look: encodeLook(player) })),
      );
    case "left":
      return encodeLeft(sequence, message.needsAck, message.number);
    case "bullets":
      return encodeBullets(sequence, message.bullets);
  }
}

Deno.test("decodeServerMessage() reads every recorded datagram, and what we write is the same bytes", () => {
  assertEquals(fromServer.length, 9);
  for (const vector of fromServer) {
    const message = described(vector);
    assertEquals(decodeServerMessage(vector.bytes), message, vector.name);
    assertEquals(encodeServerMessage(message), vector.bytes, vector.name);
  }
});

const anyServerMessage: fc.Arbitrary<Numbered> = fc.tuple(
  fc.oneof(
    fc.record({ kind: fc.constant("welcome"), player: anyPlayer, needsAck: fc.constant(true) }),
    fc.record({
      kind: fc.constant("worldInfo"),
      width: fc.nat(),
      height: fc.nat(),
      needsAck: fc.constant(true),
    }),
    fc.record({
      kind: fc.constant("updates"),
      players: fc.array(anyPlayer, { maxLength: 18 }),
      needsAck: fc.constant(false),
    }),
    fc.record({ kind: fc.constant("left"), number: anyNumber, needsAck: fc.boolean() }),
    fc.record({
      kind: fc.constant("bullets"),
      bullets: fc.array(anyBullet, { maxLength: BULLETS_PER_LIST }),
      needsAck: fc.constant(false),
    }),
  ),
  anySequence,
).map(([message, sequence]) => ({ ...message, sequence } as Numbered));

Deno.test("decodeServerMessage() reads what was written for it, and a client would refuse it", () => {
  fc.assert(fc.property(anyServerMessage, (message) => {
    const bytes = encodeServerMessage(message);
    assertEquals(decodeServerMessage(bytes), message);
    assertEquals(decodeClientMessage(bytes), refusal("event"));
  }));
});

Deno.test("encodeUpdates() stays within 1,200 bytes when its entries stay within LIST_BYTES_MAX", () => {
  fc.assert(fc.property(fc.array(anyPlayer, { minLength: 30, maxLength: 40 }), (players) => {
    const listed: PlayerState[] = [];
    let left = LIST_BYTES_MAX;
    for (const player of players) {
      left -= encodeLook(player).length + COORDINATES_BYTES_MAX;
      if (left < 0) break;
      listed.push(player);
    }
    const list = { kind: "updates", players: listed, sequence: SEQUENCE_MAX, needsAck: false };
    assert(encodeServerMessage(list as Numbered).length <= SENT_BYTES_MAX);
  }));
});

Deno.test("encodeBullets() stays within 1,200 bytes with 36 bullets anywhere", () => {
  const whole = fc.array(anyBullet, { minLength: BULLETS_PER_LIST, maxLength: BULLETS_PER_LIST });
  fc.assert(fc.property(whole, (bullets) => {
    assert(encodeBullets(SEQUENCE_MAX, bullets).length <= SENT_BYTES_MAX);
  }));
  const largest = { x: -35_000, y: -25_000, rotation: -3_141 };
  const bytes = encodeBullets(SEQUENCE_MAX, new Array(BULLETS_PER_LIST).fill(largest));
  assertEquals(bytes.length, 12 + 31 * BULLETS_PER_LIST);
});

/** The value in a datagram's payload. */
function payloadIn(datagram: Uint8Array): unknown {
  const value = decodeMsgpack(datagram);
  assert(Array.isArray(value) && value[3] instanceof Uint8Array);
  return decodeMsgpack(value[3], { texts: true });
}

function keysOf(map: unknown): unknown[] {
  assert(map instanceof MsgpackMap);
  return map.entries.filter((_, index) => index % 2 === 0);
}

Deno.test("encodeWelcome(), encodeUpdates(), encodeWorldInfo() and encodeBullets() write keys in their order", () => {
  const player = { number: 1, red: 2, green: 3, blue: 4, x: 5, y: 6 };
  const keys = ["uuid", "colorRed", "colorGreen", "colorBlue", "position"];
  assertEquals(keysOf(payloadIn(encodeWelcome(0, player))), keys);
  const listed = [{ ...player, look: encodeLook(player) }];
  assertEquals((payloadIn(encodeUpdates(0, listed)) as unknown[]).map(keysOf), [keys]);
  assertEquals(keysOf(payloadIn(encodeWorldInfo(0, 20, 10))), ["width", "height"]);
  const bullets = payloadIn(encodeBullets(0, [{ x: 1, y: 2, rotation: 3 }])) as unknown[];
  assertEquals(bullets.map(keysOf), [["position", "rotation"]]);
});

Deno.test("encodeWelcome() and its siblings write nothing that a reader from before 2013 does not know", () => {
  const modern = new Set([0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xd9]);
  fc.assert(fc.property(anyServerMessage, (message) => {
    const bytes = encodeServerMessage(message);
    const heads = headsIn(bytes);
    for (const head of heads) assert(!modern.has(head), `0x${head.toString(16)}`);
  }));
});

/** The first byte of every value in the datagram and in its payload. */
function headsIn(bytes: Uint8Array): number[] {
  const heads: number[] = [];
  let at = 0;
  const skip = (): void => {
    const head = bytes[at++]!;
    heads.push(head);
    const count = (size: number): number => {
      let value = 0;
      for (; size > 0; size--) value = 256 * value + bytes[at++]!;
      return value;
    };
    const values = (many: number): void => {
      for (; many > 0; many--) skip();
    };
    if (head < 0x80 || head >= 0xe0) return;
    if (head < 0x90) return values(2 * (head & 0x0f));
    if (head < 0xa0) return values(head & 0x0f);
    if (head < 0xc0) at += head & 0x1f;
    else if (head === 0xda) at += count(2);
    else if (head === 0xdc) values(count(2));
    else if (head >= 0xcc && head <= 0xcf) at += 1 << (head - 0xcc);
    else if (head >= 0xd0 && head <= 0xd3) at += 1 << (head - 0xd0);
  };
  // The payload comes last, and its inside is read as well.
  skip();
  const value = decodeMsgpack(bytes);
  assert(Array.isArray(value) && value[3] instanceof Uint8Array);
  at = bytes.length - value[3].length;
  skip();
  assertEquals(at, bytes.length);
  return heads;
}

Deno.test("decodeServerMessage() skips keys it does not know, in any order", () => {
  const map = new MsgpackWriter().map(7);
  const text = (name: string): MsgpackWriter => map.raw(ascii.encode(name));
  text("position").array(2).integer(-1).integer(70_000);
  text("score").array(1).nil();
  text("colorBlue").integer(3);
  text("colorGreen").integer(2);
  map.integer(5).integer(6);
  text("uuid").integer(9);
  text("colorRed").integer(1);
  assertEquals(decodeServerMessage(said(1, map.take())), {
    kind: "welcome",
    player: { number: 9, red: 1, green: 2, blue: 3, x: -1, y: 70_000 },
    sequence: 0,
    needsAck: false,
  });
});

Deno.test("decodeServerMessage() refuses what is not whole, with the reason", () => {
  const whole = new Map<string, (writer: MsgpackWriter) => void>([
    ["uuid", (writer): void => void writer.integer(1)],
    ["colorRed", (writer): void => void writer.integer(1)],
    ["colorGreen", (writer): void => void writer.integer(1)],
    ["colorBlue", (writer): void => void writer.integer(1)],
    ["position", (writer): void => void writer.array(2).integer(1).integer(1)],
  ]);
  const write = (entries: typeof whole): Uint8Array => {
    const writer = new MsgpackWriter().map(entries.size);
    for (const [name, value] of entries) value(writer.raw(ascii.encode(name)));
    return writer.take();
  };
  const inList = (entry: Uint8Array): Uint8Array => Uint8Array.of(0x91, ...entry);
  assertEquals(decodeServerMessage(said(1, write(whole))).kind, "welcome");
  const odd: ((writer: MsgpackWriter) => void)[] = [
    (writer): void => void writer.float(1.5),
    (writer): void => void writer.nil(),
    (writer): void => void writer.raw(ascii.encode("1")),
    (writer): void => void writer.array(1).integer(1),
    (writer): void => void writer.array(3).integer(1).integer(1).integer(1),
    (writer): void => void writer.array(2).integer(1).float(0.5),
  ];
  for (const name of whole.keys()) {
    const without = new Map(whole);
    without.delete(name);
    for (const entries of [without, ...odd.map((value) => new Map(whole).set(name, value))]) {
      const player = write(entries);
      assertEquals(decodeServerMessage(said(1, player)), refusal("payload"), name);
      assertEquals(decodeServerMessage(said(11, inList(player))), refusal("payload"), name);
    }
  }
  const bytes = (hex: string): Uint8Array =>
    Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const table: [id: number, payload: string, reason: WireRefusal][] = [
    [1, "", "payload"],
    [1, "01", "payload"],
    [11, "80", "payload"],
    [11, "9101", "payload"],
    [12, "a131", "payload"],
    [12, "cb3fe0000000000000", "payload"],
    [12, "0101", "payload"],
    [30, "82a5776964746814a668656967687401c0", "payload"], // Something behind it.
    [30, "81a5776964746814", "payload"],
    [30, "82a5776964746814a6686569676874c0", "payload"],
    [35, "9182a8706f736974696f6e920101a8726f746174696f6ec0", "payload"],
    [35, "9181a8726f746174696f6e01", "payload"],
    [35, "00", "payload"],
    [0, "90", "event"],
    [2, "90", "event"],
    [10, "90", "event"],
    [20, "920000", "event"],
    [34, "90", "event"],
  ];
  for (const [id, payload, reason] of table) {
    assertEquals(
      decodeServerMessage(said(id, bytes(payload))),
      refusal(reason),
      `${id} ${payload}`,
    );
  }
  assertEquals(decodeServerMessage(bytes("")), refusal("syntax"));
  assertEquals(decodeServerMessage(bytes("940b0000a190c0")), refusal("syntax"));
  assertEquals(decodeServerMessage(bytes("930b0000")), refusal("shape"));
  assertEquals(decodeServerMessage(bytes("940bff00a190")), refusal("shape"));
});

// ---- what nobody says

Deno.test("decodeClientMessage() and decodeServerMessage() refuse every datagram that was cut off", () => {
  for (const { name, bytes } of vectors) {
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      assertEquals(decodeClientMessage(cut).kind, "refused", `${name}, ${length} bytes`);
      assertEquals(decodeServerMessage(cut).kind, "refused", `${name}, ${length} bytes`);
    }
  }
});

Deno.test("decodeClientMessage() and decodeServerMessage() never throw, and what they read is in range", () => {
  forEachSeed(300, (seed) => {
    const random = seededRandom(seed);
    for (const { bytes } of vectors) {
      const damaged = mutated(random, bytes);
      const message = decodeClientMessage(damaged);
      if (message.kind === "input") {
        assert(Math.abs(message.dx) <= 1 && Math.abs(message.dy) <= 1);
      }
      const told = decodeServerMessage(damaged);
      if (told.kind === "refused") continue;
      assert(Number.isSafeInteger(told.sequence) && told.sequence >= 0);
      if (told.kind === "updates") {
        for (const player of told.players) {
          assert(Object.values(player).every(Number.isSafeInteger), JSON.stringify(player));
        }
      }
    }
  });
});

Deno.test("decodeClientMessage() and decodeServerMessage() read a datagram in the middle of a buffer", () => {
  for (const { name, bytes } of vectors) {
    const buffer = new Uint8Array(bytes.length + 20).fill(0x92);
    buffer.set(bytes, 7);
    const view = buffer.subarray(7, 7 + bytes.length);
    assertEquals(decodeClientMessage(view), decodeClientMessage(bytes), name);
    assertEquals(decodeServerMessage(view), decodeServerMessage(bytes), name);
  }
});

Deno.test("decodeServerMessage() keeps no view of the datagram", () => {
  for (const { name, bytes } of fromServer) {
    const copy = bytes.slice();
    const message = decodeServerMessage(copy);
    copy.fill(0xaa);
    assertEquals(message, decodeServerMessage(bytes), name);
  }
});

// ---- whole conversations

Deno.test("decodeClientMessage() and decodeServerMessage() read the recorded conversations throughout", () => {
  const kinds = new Map<string, number>();
  for (const [name, steps] of arenaTranscripts) {
    if (name.startsWith("echo_")) continue;
    for (const { at, from, bytes } of steps) {
      const message = from === "server" ? decodeServerMessage(bytes) : decodeClientMessage(bytes);
      assert(message.kind !== "refused", `${name} at ${at}: ${JSON.stringify(message)}`);
      kinds.set(message.kind, (kinds.get(message.kind) ?? 0) + 1);
    }
  }
  const expected = ["ack", "fire", "input", "join", "left", "updates", "welcome", "worldInfo"];
  for (const kind of expected) assert(kinds.has(kind), `no ${kind} was recorded`);
});

Deno.test("encodeWelcome() and its siblings write what the original said in the recorded conversations", () => {
  let count = 0;
  for (const [name, steps] of arenaTranscripts) {
    if (name.startsWith("echo_")) continue;
    for (const { at, from, bytes } of steps) {
      if (from !== "server") continue;
      assertEquals(
        encodeServerMessage(decodeServerMessage(bytes) as Numbered),
        bytes,
        `${name} ${at}`,
      );
      count++;
    }
  }
  assert(count > 20, `${count} datagrams`);
});
