import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeMsgpack,
  MSGPACK_DEPTH_MAX,
  MsgpackMap,
  type MsgpackValue,
  MsgpackWriter,
} from "../../lib/parts/msgpack.ts";

const utf8 = new TextEncoder();
const text = (length: number): Uint8Array => new Uint8Array(length).fill(0x61);

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a writer has written, in hexadecimal. */
function written(write: (writer: MsgpackWriter) => unknown): string {
  const writer = new MsgpackWriter();
  write(writer);
  return hex(writer.take());
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Each format and its boundaries, byte by byte from the specification. */
const SCALARS: readonly (readonly [string, MsgpackValue])[] = [
  ["c0", null],
  ["c2", false],
  ["c3", true],
  ["00", 0],
  ["01", 1],
  ["7f", 127],
  ["e0", -32],
  ["ff", -1],
  ["cc 00", 0],
  ["cc 7f", 127],
  ["cc 80", 128],
  ["cc ff", 255],
  ["cd 0000", 0],
  ["cd 0100", 256],
  ["cd 1234", 0x1234],
  ["cd ffff", 65_535],
  ["ce 00000000", 0],
  ["ce 00010000", 65_536],
  ["ce 12345678", 0x12345678],
  ["ce 80000000", 2_147_483_648],
  ["ce ffffffff", 4_294_967_295],
  ["cf 0000000000000000", 0],
  ["cf 0000000100000000", 4_294_967_296],
  ["cf 001fffffffffffff", 9_007_199_254_740_991],
  ["cf 0020000000000000", 9_007_199_254_740_992n],
  ["cf 0020000000000001", 9_007_199_254_740_993n],
  ["cf 8000000000000000", 9_223_372_036_854_775_808n],
  ["cf ffffffffffffffff", 18_446_744_073_709_551_615n],
  ["d0 00", 0],
  ["d0 7f", 127],
  ["d0 80", -128],
  ["d0 ff", -1],
  ["d1 7fff", 32_767],
  ["d1 8000", -32_768],
  ["d1 fedc", -292],
  ["d1 ffff", -1],
  ["d2 7fffffff", 2_147_483_647],
  ["d2 80000000", -2_147_483_648],
  ["d2 fedcba98", -19_088_744],
  ["d2 ffffffff", -1],
  ["d3 ffffffffffffffff", -1],
  ["d3 ffffffff7fffffff", -2_147_483_649],
  ["d3 ffe0000000000001", -9_007_199_254_740_991],
  ["d3 ffe0000000000000", -9_007_199_254_740_992n],
  ["d3 ffdfffffffffffff", -9_007_199_254_740_993n],
  ["d3 8000000000000000", -9_223_372_036_854_775_808n],
  ["d3 001fffffffffffff", 9_007_199_254_740_991],
  ["d3 7fffffffffffffff", 9_223_372_036_854_775_807n],
  ["ca 00000000", 0],
  ["ca 80000000", -0],
  ["ca 3f800000", 1],
  ["ca bfc00000", -1.5],
  ["ca 3dcccccd", 0.10000000149011612],
  ["ca 00000001", 2 ** -149],
  ["ca 7f7fffff", 3.4028234663852886e38],
  ["ca 7f800000", Infinity],
  ["ca ff800000", -Infinity],
  ["ca 7fc00000", NaN],
  ["cb 0000000000000000", 0],
  ["cb 8000000000000000", -0],
  ["cb 3ff0000000000000", 1],
  ["cb 3fb999999999999a", 0.1],
  ["cb 0000000000000001", 5e-324],
  ["cb ffefffffffffffff", -Number.MAX_VALUE],
  ["cb 7ff0000000000000", Infinity],
  ["cb fff0000000000000", -Infinity],
  ["cb 7ff8000000000000", NaN],
];

/** Byte strings by family: the head, and how many bytes follow. */
const BIN_HEADS = [
  ["c4 00", 0],
  ["c4 01", 1],
  ["c4 ff", 255],
  ["c5 0000", 0],
  ["c5 0102", 258],
  ["c5 ffff", 65_535],
  ["c6 00000000", 0],
  ["c6 00000102", 258],
  ["c6 00010203", 66_051],
] as const;
const RAW_HEADS = [
  ["a0", 0],
  ["a1", 1],
  ["bf", 31],
  ["d9 00", 0],
  ["d9 20", 32],
  ["d9 ff", 255],
  ["da 0000", 0],
  ["da 0102", 258],
  ["da ffff", 65_535],
  ["db 00000000", 0],
  ["db 00000102", 258],
  ["db 00010203", 66_051],
] as const;
const ARRAY_HEADS = [
  ["90", 0],
  ["91", 1],
  ["9f", 15],
  ["dc 0000", 0],
  ["dc 0102", 258],
  ["dc ffff", 65_535],
  ["dd 00000000", 0],
  ["dd 00000102", 258],
  ["dd 00010203", 66_051],
] as const;
const MAP_HEADS = [
  ["80", 0],
  ["81", 1],
  ["8f", 15],
  ["de 0000", 0],
  ["de 0102", 258],
  ["de ffff", 65_535],
  ["df 00000000", 0],
  ["df 00000102", 258],
  ["df 00010203", 66_051],
] as const;

// ---- reading

Deno.test("decodeMsgpack() reads nil, booleans, integers and floats of every width", () => {
  for (const [encoded, value] of SCALARS) {
    assertStrictEquals(decodeMsgpack(bytes(encoded)), value, encoded);
  }
});

Deno.test("decodeMsgpack() reads each integer of one byte", () => {
  for (let value = 0; value < 0x80; value++) {
    assertEquals(decodeMsgpack(Uint8Array.of(value)), value);
  }
  for (let value = -32; value < 0; value++) {
    assertEquals(decodeMsgpack(Uint8Array.of(0x100 + value)), value);
  }
});

Deno.test("decodeMsgpack() takes no extension types, and not the one head that is never used", () => {
  const extensions = [
    "c1",
    "c7 01 05 00",
    "c8 0001 05 00",
    "c9 00000001 05 00",
    "d4 05 00",
    "d5 05 0000",
    "d6 ff 00000000",
    "d7 05 0000000000000000",
    "d8 05 00000000000000000000000000000000",
  ];
  for (const encoded of extensions) {
    assertEquals(decodeMsgpack(bytes(encoded)), undefined, encoded);
    assertEquals(decodeMsgpack(bytes(`91 ${encoded}`)), undefined, encoded);
  }
});

Deno.test("decodeMsgpack() reads the bin and the raw family as bytes", () => {
  for (const [head, length] of [...BIN_HEADS, ...RAW_HEADS]) {
    const content = Uint8Array.from({ length }, (_, at) => at % 251);
    assertEquals(decodeMsgpack(join(bytes(head), content)), content, head);
  }
});

Deno.test("decodeMsgpack() reads the raw family as texts where they are wanted", () => {
  for (const [head, length] of RAW_HEADS) {
    const encoded = join(bytes(head), text(length));
    assertStrictEquals(decodeMsgpack(encoded, { texts: true }), "a".repeat(length), head);
    assertEquals(decodeMsgpack(encoded, { texts: false }), text(length), head);
  }
  for (const [head, length] of BIN_HEADS) {
    const encoded = join(bytes(head), text(length));
    assertEquals(decodeMsgpack(encoded, { texts: true }), text(length), head);
  }
});

Deno.test("decodeMsgpack() leaves bytes what is not UTF-8, wherever the fault is", () => {
  const faults = ["80", "c3", "c080", "eda080", "f5808080", "f4908080", "e282", "f09f98", "ff"];
  for (const fault of faults) {
    for (const [before, after] of [[0, 0], [3, 0], [0, 3], [13, 0], [20, 0], [100, 7]] as const) {
      const content = join(text(before), bytes(fault), text(after));
      const encoded = join(bytes("d9"), Uint8Array.of(content.length), content);
      assertEquals(decodeMsgpack(encoded, { texts: true }), content, fault);
    }
  }
});

Deno.test("decodeMsgpack() keeps every character, also U+FFFD and a byte order mark", () => {
  const texts = ["\0", "\x7f", "é", "\ufeffa", "\ufffd", "a\ufffd", "\u{1f600}"];
  for (const unit of [...texts, ...texts.map((text) => text.repeat(9))]) {
    const encoded = new MsgpackWriter().raw(utf8.encode(unit)).take();
    assertStrictEquals(decodeMsgpack(encoded, { texts: true }), unit);
  }
});

Deno.test("decodeMsgpack() takes for texts what a strict decoder takes", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 6 }).map((text) => utf8.encode(text)),
    fc.constantFrom("\ufffd", "\ufeff", "a").map((text) => utf8.encode(text)),
    fc.uint8Array({ maxLength: 3 }),
    fc.constantFrom(...["ed9fbf", "eda080", "f48fbfbf", "f4908080", "c3", "ef"]).map(bytes),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
    const content = join(...pieces);
    let expected: MsgpackValue = content;
    try {
      expected = strict.decode(content);
    } catch {
      // No text.
    }
    const encoded = new MsgpackWriter().raw(content).take();
    assertEquals(decodeMsgpack(encoded, { texts: true }), expected);
  }));
});

Deno.test("decodeMsgpack() reads arrays of every width", () => {
  for (const [head, length] of ARRAY_HEADS) {
    const content = Uint8Array.from({ length }, (_, at) => at % 128);
    assertEquals(decodeMsgpack(join(bytes(head), content)), [...content], head);
  }
});

Deno.test("decodeMsgpack() reads maps of every width, their entries in order", () => {
  for (const [head, length] of MAP_HEADS) {
    const content = Uint8Array.from({ length: 2 * length }, (_, at) => at % 128);
    assertEquals(decodeMsgpack(join(bytes(head), content)), new MsgpackMap([...content]), head);
  }
});

Deno.test("decodeMsgpack() takes any keys, also the same twice", () => {
  assertEquals(
    decodeMsgpack(bytes("84 c0 01 c0 02 9103 80 a161 ca3f800000"), { texts: true }),
    new MsgpackMap([null, 1, null, 2, [3], new MsgpackMap([]), "a", 1]),
  );
});

Deno.test("decodeMsgpack() reads from the middle of a buffer, and copies no bytes", () => {
  const whole = bytes("ffffff 94 cb3fb999999999999a cf0020000000000000 d1fedc c4020102 ffff");
  const value = decodeMsgpack(whole.subarray(3, -2)) as MsgpackValue[];
  assertEquals(value, [0.1, 2n ** 53n, -292, Uint8Array.of(1, 2)]);
  const inner = value[3] as Uint8Array;
  assertEquals([inner.buffer, inner.byteOffset], [whole.buffer, whole.length - 4]);
});

Deno.test("decodeMsgpack() refuses what is cut off at any byte, and what goes on", () => {
  const heads = [...BIN_HEADS, ...RAW_HEADS].filter(([, length]) => length < 300);
  const valid = [
    ...SCALARS.map(([encoded]) => bytes(encoded)),
    ...heads.map(([head, length]) => join(bytes(head), text(length))),
    ...ARRAY_HEADS.slice(0, 5).map(([head, length]) => join(bytes(head), text(length))),
    ...MAP_HEADS.slice(0, 5).map(([head, length]) => join(bytes(head), text(2 * length))),
    bytes("94 00 cd1234 c3 82 a161 9101 a162 c0"),
  ];
  for (const encoded of valid) {
    for (const texts of [false, true]) {
      assert(decodeMsgpack(encoded, { texts }) !== undefined, hex(encoded));
      for (let length = 0; length < encoded.length; length++) {
        const cut = encoded.subarray(0, length);
        assertEquals(decodeMsgpack(cut, { texts }), undefined, `${hex(encoded)} cut to ${length}`);
      }
      for (const more of ["00", "c0", "c1", "ff"]) {
        assertEquals(decodeMsgpack(join(encoded, bytes(more)), { texts }), undefined, hex(encoded));
      }
    }
  }
});

Deno.test("decodeMsgpack() does not look past the end of a view", () => {
  const whole = bytes("cd 1234 5678");
  for (let length = 0; length < 3; length++) {
    assertEquals(decodeMsgpack(whole.subarray(0, length)), undefined);
  }
  const float = bytes("cb 3fb999999999999a");
  assertEquals(decodeMsgpack(float.subarray(0, 8)), undefined);
});

// ---- limits

Deno.test("decodeMsgpack() nests as deep as it may, and no deeper", () => {
  const nested = (head: string, depth: number): Uint8Array => bytes(head.repeat(depth) + "00");
  const heads = ["91", "dc0001", "dd00000001", "8100", "de000100", "df0000000100"];
  for (const head of heads) {
    assert(decodeMsgpack(nested(head, MSGPACK_DEPTH_MAX)), head);
    assertEquals(decodeMsgpack(nested(head, MSGPACK_DEPTH_MAX + 1)), undefined, head);
    for (const depthMax of [0, 1, 2, 40]) {
      assert(decodeMsgpack(nested(head, depthMax), { depthMax }) !== undefined, head);
      assertEquals(decodeMsgpack(nested(head, depthMax + 1), { depthMax }), undefined, head);
    }
  }
  assertEquals(MSGPACK_DEPTH_MAX, 16);
});

Deno.test("decodeMsgpack() counts empty arrays and maps as a depth, and siblings as none", () => {
  for (const empty of ["90", "80", "dc0000", "de0000"]) {
    assert(decodeMsgpack(bytes(`91 ${empty}`), { depthMax: 2 }));
    assertEquals(decodeMsgpack(bytes(`91 ${empty}`), { depthMax: 1 }), undefined);
    assert(decodeMsgpack(bytes(`dc0100 ${empty.repeat(256)}`), { depthMax: 2 }));
  }
  assert(decodeMsgpack(bytes("81 9100 9100"), { depthMax: 2 }), "keys are as deep as values");
  assertEquals(decodeMsgpack(bytes("81 919100 00"), { depthMax: 2 }), undefined);
});

Deno.test("decodeMsgpack() refuses what claims more than there is", () => {
  const lies = [
    "dd ffffffff".repeat(8),
    "dd 00000007".repeat(8),
    "df ffffffff".repeat(8),
    "df 7fffffff 00",
    "df 80000000 00",
    "dd 80000000 00",
    "de ffff".repeat(8),
    "dc ffff 00",
    "9f 00",
    "8f 00",
    "db ffffffff 61",
    "db 80000000 61",
    "da ffff 61",
    "d9 ff 61",
    "c6 ffffffff 61",
    "c5 ffff 61",
    "c4 02 61",
    "a2 61",
    "81 00",
  ];
  for (const lie of lies) {
    assertEquals(decodeMsgpack(bytes(lie)), undefined, lie);
    assertEquals(decodeMsgpack(bytes(lie), { texts: true, depthMax: 1_000 }), undefined, lie);
  }
});

Deno.test("decodeMsgpack() refuses the deepest datagrams", () => {
  for (const head of ["91", "9f", "81", "8100", "dd00000001", "dc0001", "ddffffffff"]) {
    for (const tail of ["", "00"]) {
      assertEquals(decodeMsgpack(bytes(head.repeat(12_000) + tail)), undefined, head);
    }
  }
});

/** Bytes that tell how often one of them was looked at. */
function watched(bytes: Uint8Array): { bytes: Uint8Array; reads(): number } {
  let reads = 0;
  const watching = new Proxy(bytes, {
    get(target, key): unknown {
      if (typeof key === "string" && /^\d+$/.test(key)) reads++;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { bytes: watching, reads: () => reads };
}

Deno.test("decodeMsgpack() refuses a count before it reads what is counted", () => {
  const heads = ["9f", "dc 00ff", "dd 000000ff", "88", "de 0080", "df 00000080"];
  for (const head of heads) {
    const headBytes = bytes(head).length;
    const short = head === "9f" || head === "88" ? 14 : 254;
    const { bytes: lie, reads } = watched(join(bytes(head), new Uint8Array(short)));
    assertEquals(decodeMsgpack(lie), undefined, head);
    assertEquals(reads(), headBytes, head);
  }
});

/** Heads that open and count, so that they often go deep. */
const anyBytes = fc.array(
  fc.oneof(
    fc.constantFrom(0x90, 0x91, 0x92, 0x80, 0x81, 0xdc, 0xdd, 0xde, 0xdf, 0x00, 0xff, 0xa1, 0xc4),
    fc.nat(255),
  ),
  { maxLength: 120 },
).map((values) => Uint8Array.from(values));

function countOf(value: MsgpackValue): number {
  if (value instanceof MsgpackMap) return countOf([...value.entries]);
  if (!Array.isArray(value)) return 1;
  return value.reduce<number>((count, entry) => count + countOf(entry), 1);
}

Deno.test("decodeMsgpack() reads no byte twice, and has no more values than bytes", () => {
  fc.assert(fc.property(anyBytes, (any) => {
    const { bytes, reads } = watched(any);
    const value = decodeMsgpack(bytes, { depthMax: 1_000 });
    assert(reads() <= any.length + 1, `${reads()} reads`); // And one at the end, for nothing.
    if (value !== undefined) assert(countOf(value) <= any.length);
  }));
});

Deno.test("decodeMsgpack() throws nothing at any bytes", () => {
  fc.assert(fc.property(anyBytes, fc.boolean(), (any, texts) => {
    decodeMsgpack(any, { texts });
  }));
});

Deno.test("decodeMsgpack() hides no error that is not about the bytes", () => {
  const broken = new Proxy(new Uint8Array(1), {
    get(target, key): unknown {
      if (key === "0") throw new TypeError("broken");
      return Reflect.get(target, key, target);
    },
  });
  assertThrows(() => decodeMsgpack(broken), TypeError, "broken");
});

// ---- writing

Deno.test("MsgpackWriter.integer() takes the shortest form at every boundary", () => {
  const forms: [number, string][] = [
    [0, "00"],
    [-0, "00"],
    [1, "01"],
    [127, "7f"],
    [128, "cc80"],
    [255, "ccff"],
    [256, "cd0100"],
    [0x1234, "cd1234"],
    [65_535, "cdffff"],
    [65_536, "ce00010000"],
    [0x12345678, "ce12345678"],
    [2_147_483_647, "ce7fffffff"],
    [2_147_483_648, "ce80000000"],
    [4_294_967_295, "ceffffffff"],
    [4_294_967_296, "cf0000000100000000"],
    [0x12_3456_789a_bcde, "cf00123456789abcde"],
    [9_007_199_254_740_991, "cf001fffffffffffff"],
    [9_007_199_254_740_992, "cf0020000000000000"],
    [-1, "ff"],
    [-32, "e0"],
    [-33, "d0df"],
    [-128, "d080"],
    [-129, "d1ff7f"],
    [-292, "d1fedc"],
    [-32_768, "d18000"],
    [-32_769, "d2ffff7fff"],
    [-19_088_744, "d2fedcba98"],
    [-2_147_483_648, "d280000000"],
    [-2_147_483_649, "d3ffffffff7fffffff"],
    [-4_294_967_296, "d3ffffffff00000000"],
    [-4_294_967_297, "d3fffffffeffffffff"],
    [-9_007_199_254_740_991, "d3ffe0000000000001"],
    [-9_007_199_254_740_992, "d3ffe0000000000000"],
  ];
  for (const [value, form] of forms) {
    assertEquals(written((writer) => writer.integer(value)), form, String(value));
  }
});

Deno.test("MsgpackWriter.integer() is read again, in no more bytes than another form would take", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -40_000, max: 70_000 })),
      (
        value,
      ) => {
        const encoded = new MsgpackWriter().integer(value).take();
        assertStrictEquals(decodeMsgpack(encoded), value);
        const widths = [[-0x20, 0x7f], [-0x80, 0xff], [-0x8000, 0xffff], [-(2 ** 31), 2 ** 32 - 1]];
        const width = widths.findIndex(([min, max]) => value >= min! && value <= max!);
        assertEquals(encoded.length, [1, 2, 3, 5][width] ?? 9);
      },
    ),
  );
});

Deno.test("MsgpackWriter.float() writes 64 bits", () => {
  const forms: [number, string][] = [
    [0, "cb0000000000000000"],
    [-0, "cb8000000000000000"],
    [1, "cb3ff0000000000000"],
    [-0.5, "cbbfe0000000000000"],
    [0.1, "cb3fb999999999999a"],
    [Math.PI, "cb400921fb54442d18"],
    [5e-324, "cb0000000000000001"],
    [Number.MAX_VALUE, "cb7fefffffffffffff"],
    [-Infinity, "cbfff0000000000000"],
    [NaN, "cb7ff8000000000000"],
  ];
  for (const [value, form] of forms) {
    assertEquals(written((writer) => writer.float(value)), form, String(value));
  }
});

Deno.test("MsgpackWriter.nil() and boolean() take a byte", () => {
  assertEquals(written((writer) => writer.nil().boolean(false).boolean(true)), "c0c2c3");
});

Deno.test("MsgpackWriter.array() and map() take the shortest head", () => {
  const heads: [number, string, string][] = [
    [0, "90", "80"],
    [1, "91", "81"],
    [15, "9f", "8f"],
    [16, "dc0010", "de0010"],
    [0x1234, "dc1234", "de1234"],
    [65_535, "dcffff", "deffff"],
    [65_536, "dd00010000", "df00010000"],
    [0x12345678, "dd12345678", "df12345678"],
    [4_294_967_295, "ddffffffff", "dfffffffff"],
  ];
  for (const [length, array, map] of heads) {
    assertEquals(written((writer) => writer.array(length)), array);
    assertEquals(written((writer) => writer.map(length)), map);
  }
});

Deno.test("MsgpackWriter.raw() knows no str8, as no reader did before 2013", () => {
  const heads: [number, string][] = [
    [0, "a0"],
    [1, "a1"],
    [31, "bf"],
    [32, "da0020"],
    [255, "da00ff"],
    [256, "da0100"],
    [65_535, "daffff"],
    [65_536, "db00010000"],
  ];
  for (const [length, head] of heads) {
    const encoded = new MsgpackWriter().raw(text(length)).take();
    assertEquals(hex(encoded.subarray(0, encoded.length - length)), head);
    assertEquals(encoded.subarray(encoded.length - length), text(length));
    assertEquals(decodeMsgpack(encoded), text(length));
  }
});

Deno.test("MsgpackWriter.bin() takes the shortest head", () => {
  const heads: [number, string][] = [
    [0, "c400"],
    [31, "c41f"],
    [32, "c420"],
    [255, "c4ff"],
    [256, "c50100"],
    [65_535, "c5ffff"],
    [65_536, "c600010000"],
  ];
  for (const [length, head] of heads) {
    const encoded = new MsgpackWriter().bin(text(length)).take();
    assertEquals(hex(encoded.subarray(0, encoded.length - length)), head);
    assertEquals(encoded.subarray(encoded.length - length), text(length));
    assertEquals(decodeMsgpack(encoded, { texts: true }), text(length));
  }
});

Deno.test("MsgpackWriter.append() writes bytes as they stand", () => {
  const inner = new MsgpackWriter().array(2).integer(1).take();
  const form = written((writer) => writer.append(inner).append(new Uint8Array(0)).integer(2));
  assertEquals(form, "920102");
});

Deno.test("MsgpackWriter.take() empties the writer, and later writing leaves alone what was taken", () => {
  const writer = new MsgpackWriter(8);
  const one = writer.append(text(1)).take();
  const other = new MsgpackWriter().append(Uint8Array.of(9)).take();
  assertEquals([one, other].map(hex), ["61", "09"]);
  const first = writer.integer(1).integer(2).take();
  const nothing = writer.take();
  const second = writer.integer(3).take();
  const third = writer.append(text(20)).take();
  assertEquals([first, nothing, second, third].map(hex), ["0102", "", "03", "61".repeat(20)]);
});

Deno.test("MsgpackWriter reserves what it was told, and then twice what it needs", () => {
  const room = (writer: MsgpackWriter): number => writer.take().buffer.byteLength;
  assertEquals(room(new MsgpackWriter().nil()), 256);
  assertEquals(room(new MsgpackWriter(9).float(0.5)), 9);
  assertEquals(room(new MsgpackWriter(20).append(text(20))), 20);
  assertEquals(room(new MsgpackWriter(20).append(text(20)).append(text(1))), 42);
  assertEquals(room(new MsgpackWriter(0).append(text(100))), 200);
  assertEquals(room(new MsgpackWriter(0).append(text(10)).append(text(10))), 20);
  const writer = new MsgpackWriter(300);
  assertEquals([room(writer.nil()), room(writer.nil())], [300, 300]);
});

// ---- there and back

function write(writer: MsgpackWriter, value: MsgpackValue): MsgpackWriter {
  if (value === null) return writer.nil();
  if (typeof value === "boolean") return writer.boolean(value);
  if (typeof value === "string") return writer.raw(utf8.encode(value));
  if (typeof value === "number") {
    const isInteger = Number.isSafeInteger(value) && !Object.is(value, -0);
    return isInteger ? writer.integer(value) : writer.float(value);
  }
  if (value instanceof Uint8Array) return writer.bin(value);
  assert(typeof value === "object");
  const isMap = value instanceof MsgpackMap;
  const entries = isMap ? value.entries : value;
  if (isMap) writer.map(entries.length / 2);
  else writer.array(entries.length);
  for (const entry of entries) write(writer, entry);
  return writer;
}

const { value: anyValue } = fc.letrec<{ value: MsgpackValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(null, true, false, -0),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double(),
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.uint8Array({ maxLength: 300 }),
    ),
    fc.array(tie("value"), { maxLength: 20 }),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 18 })
      .map((entries) => new MsgpackMap(entries.flat())),
  ),
}));

Deno.test("decodeMsgpack() reads what MsgpackWriter writes, whatever was reserved", () => {
  fc.assert(fc.property(anyValue, fc.nat(40), (value, reserved) => {
    const encoded = write(new MsgpackWriter(reserved), value).take();
    assertEquals(decodeMsgpack(encoded, { texts: true }), value);
    assertEquals(hex(write(new MsgpackWriter(100_000), value).take()), hex(encoded));
  }));
});

Deno.test("decodeMsgpack() refuses each beginning of what MsgpackWriter writes", () => {
  fc.assert(
    fc.property(anyValue, fc.double({ min: 0, max: 1, maxExcluded: true }), (value, part) => {
      const encoded = write(new MsgpackWriter(), value).take();
      const cut = encoded.subarray(0, Math.floor(part * encoded.length));
      assertEquals(decodeMsgpack(cut, { texts: true }), undefined);
    }),
  );
});

Deno.test("decodeMsgpack() survives changed bytes, and makes no more values of them than there are", () => {
  const change = fc.tuple(fc.nat(), fc.nat(255));
  fc.assert(
    fc.property(anyValue, fc.array(change, { minLength: 1, maxLength: 4 }), (value, changes) => {
      const changed = write(new MsgpackWriter(), value).take();
      for (const [at, byte] of changes) changed[at % changed.length] = byte;
      const read = decodeMsgpack(changed, { texts: true });
      if (read !== undefined) assert(countOf(read) <= changed.length);
    }),
  );
});
