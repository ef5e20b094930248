import { assert, assertEquals, assertNotStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeFrame,
  encodeFrame,
  frameBytesOf,
  LENGTH_BYTES,
  OFFER_BARS,
  SWITCH,
} from "../../../lib/protocols/messages/frame.ts";
import { HEADERS_MAX, NetworkMessage } from "../../../lib/protocols/messages/message.ts";

fc.configureGlobal({ seed: 1 });

interface Plain {
  headers: [name: string, value: string][];
  body: string | Uint8Array;
}

const utf8 = new TextEncoder();
const plain = ({ headers, body, binary }: NetworkMessage): Plain => ({
  headers: headers.map(({ name, value }) => [name, value]),
  body: binary ?? body,
});
const read = (payload: Uint8Array): Plain | undefined => {
  const message = decodeFrame(payload);
  return message && plain(message);
};
const payloadOf = (message: NetworkMessage): Uint8Array =>
  encodeFrame(message).subarray(LENGTH_BYTES);

const signs = fc.constantFrom("$", "%", "|", ":", "a", "é", "😀", "\n", "\ufeff", "\0");
const anyText = fc.string({
  unit: fc.oneof(signs, fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 })),
  maxLength: 20,
});
const anyHeader = fc.tuple(
  anyText.map((text) => text.replace(/[:|%$]/g, "")),
  anyText.map((text) => text.replace(/[|%]/g, "")),
);
const anyMessage = fc.tuple(
  fc.array(anyHeader, { maxLength: 4 }),
  fc.oneof(anyText, fc.uint8Array({ maxLength: 30 })),
).map(([headers, body]) => {
  const message = new NetworkMessage(body);
  for (const [name, value] of headers) message.addHeader(name, value);
  return message;
});

/** A frame's payload with one header, put together by hand. */
function byHand(parts: {
  flags?: number;
  count?: number;
  nameLength?: number;
  name?: readonly number[];
  valueLength?: number;
  value?: readonly number[];
  body?: readonly number[];
}): Uint8Array {
  const { flags = 0, count = 1, name = [0x61], value = [0x31], body = [0x78] } = parts;
  const { nameLength = name.length, valueLength = value.length } = parts;
  const lengths = new DataView(new ArrayBuffer(10));
  lengths.setUint16(0, count);
  lengths.setUint32(2, nameLength);
  lengths.setUint32(6, valueLength);
  const bytes = new Uint8Array(lengths.buffer);
  return Uint8Array.of(
    flags,
    ...bytes.subarray(0, 6),
    ...name,
    ...bytes.subarray(6),
    ...value,
    ...body,
  );
}

Deno.test("encodeFrame() writes the form that is described", () => {
  assertEquals([OFFER_BARS, LENGTH_BYTES, [...SWITCH]], [7, 4, [0xff, 1]]);
  const message = new NetworkMessage("x%").addHeader("a", "1").addHeader("é");
  // deno-fmt-ignore -- a line for each part of the frame
  assertEquals([...encodeFrame(message)], [
    0, 0, 0, 25, 0, 0, 2,
    0, 0, 0, 1, 0x61, 0, 0, 0, 1, 0x31,
    0, 0, 0, 2, 0xc3, 0xa9, 0, 0, 0, 0,
    0x78, 0x25,
  ]);
  assertEquals([...encodeFrame(new NetworkMessage())], [0, 0, 0, 3, 0, 0, 0]);
  const binary = new NetworkMessage(Uint8Array.of(0xff, 0));
  assertEquals([...encodeFrame(binary)], [0, 0, 0, 5, 1, 0, 0, 0xff, 0]);
  const empty = new NetworkMessage(new Uint8Array(0));
  assertEquals([...encodeFrame(empty)], [0, 0, 0, 3, 1, 0, 0]);
});

Deno.test("decodeFrame() reads what encodeFrame() wrote, whatever is in it", () => {
  fc.assert(fc.property(anyMessage, (message) => {
    const frame = encodeFrame(message);
    const length = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
    assertEquals(frame.length, LENGTH_BYTES + length);
    const again = decodeFrame(frame.subarray(LENGTH_BYTES));
    assert(again);
    assertEquals(plain(again), plain(message));
    assertEquals(again.binary === undefined, message.binary === undefined);
  }));
});

Deno.test("decodeFrame() reads what text has no unmistakable form for", () => {
  for (const body of ["$%", "50% off", "$a:1|%", "$", "%", "\ufeff", "$a:1|%x$b:2|%y"]) {
    const message = new NetworkMessage(body).addHeader("k", "v:w$:");
    assertEquals(read(payloadOf(message)), { headers: [["k", "v:w$:"]], body });
  }
});

Deno.test("decodeFrame() reads a frame of the most headers, and none of more", () => {
  const many = new NetworkMessage("x");
  for (let count = 0; count < HEADERS_MAX; count++) many.addHeader("n", `${count}`);
  assertEquals(read(payloadOf(many)), plain(many));
  // Headers without a name or a value are the shortest.
  for (const [count, isRead] of [[HEADERS_MAX, true], [HEADERS_MAX + 1, false]] as const) {
    const payload = new Uint8Array(3 + 8 * count);
    new DataView(payload.buffer).setUint16(1, count);
    assertEquals(decodeFrame(payload)?.headers.length, isRead ? count : undefined);
  }
});

Deno.test("decodeFrame() reads names, values and bodies of any length", () => {
  for (const length of [255, 256, 0xffff, 0x1_0000, 100_000]) {
    const message = new NetworkMessage("b".repeat(length))
      .addHeader("n".repeat(length), "v".repeat(length + 1))
      .addHeader("é".repeat(length));
    assertEquals(read(payloadOf(message)), plain(message));
  }
});

Deno.test("encodeFrame() refuses a name with $ that was read", () => {
  assertThrows(() => encodeFrame(NetworkMessage.parse("$a$b:1|%x")), TypeError, "header name");
});

Deno.test("frameBytesOf() gives a frame's length as soon as its head is there, and whatever follows", () => {
  const frame = encodeFrame(new NetworkMessage("xyz").addHeader("a", "1"));
  for (let length = 0; length < frame.length; length++) {
    const expected = length < 7 ? undefined : frame.length;
    assertEquals(frameBytesOf(frame.subarray(0, length), 100), expected, `${length} bytes`);
  }
  assertEquals(frameBytesOf(Uint8Array.of(...frame, ...frame), 100), frame.length);
});

Deno.test("frameBytesOf() has the limit of the same message as text", () => {
  fc.assert(fc.property(anyMessage, (message) => {
    const frame = encodeFrame(message);
    // As text a binary body has no form; letters in its place are as long.
    const { body, binary } = message;
    const text = new NetworkMessage(binary ? "y".repeat(binary.length) : body);
    for (const { name, value } of message.headers) text.addHeader(name, value);
    const { length } = text.encode();
    assertEquals(frameBytesOf(frame, length), frame.length);
    assertEquals(frameBytesOf(frame, length - 1), "too-long");
  }));
  const many = new NetworkMessage();
  while (many.headers.length < HEADERS_MAX) many.addHeader("");
  const frame = encodeFrame(many);
  assertEquals(frame.length, 7 + 8 * HEADERS_MAX);
  assertEquals(frameBytesOf(frame, 2 + 2 * HEADERS_MAX), frame.length);
  assertEquals(frameBytesOf(frame, 1 + 2 * HEADERS_MAX), "too-long");
});

Deno.test("frameBytesOf() refuses what cannot be a frame as soon as it says so", () => {
  const MIB = 2 ** 20;
  for (const length of [0, 1, 2]) {
    assertEquals(frameBytesOf(Uint8Array.of(0, 0, 0), MIB), undefined);
    assertEquals(frameBytesOf(Uint8Array.of(0, 0, 0, length), MIB), "frame", `${length} bytes`);
  }
  assertEquals(frameBytesOf(Uint8Array.of(0, 0, 0, 3), MIB), undefined);
  const head = (length: number, headers: number): Uint8Array => {
    const view = new DataView(new ArrayBuffer(7));
    view.setUint32(0, length);
    view.setUint16(5, headers);
    return new Uint8Array(view.buffer);
  };
  for (const headers of [1, 2, 255, 256, HEADERS_MAX]) {
    const least = 3 + 8 * headers;
    assertEquals(frameBytesOf(head(least, headers), MIB), 4 + least, `${headers} headers`);
    assertEquals(frameBytesOf(head(least - 1, headers), MIB), "frame", `${headers} headers`);
  }
  for (const headers of [HEADERS_MAX + 1, 0xffff]) {
    // However much room there is for them, and whatever the limit.
    for (const length of [100_000, 2 ** 20, 2 ** 32 - 1]) {
      assertEquals(frameBytesOf(head(length, headers), MIB), "frame", `${headers} headers`);
      assertEquals(frameBytesOf(head(length, headers), 40), "frame", `${headers} headers`);
    }
  }
});

Deno.test("decodeFrame() refuses a header that may not be written", () => {
  for (const sign of [":", "|", "%", "$"]) {
    const name = [...utf8.encode(`a${sign}`)];
    assertEquals(read(byHand({ name })), undefined, sign);
    const isInValues = sign === ":" || sign === "$";
    assertEquals(read(byHand({ value: name })) !== undefined, isInValues, sign);
  }
});

Deno.test("decodeFrame() refuses flags it does not know", () => {
  for (let flags = 0; flags < 256; flags++) {
    assertEquals(read(byHand({ flags })) !== undefined, flags <= 1, `flags ${flags}`);
  }
  assertEquals(read(byHand({ flags: 0 }))?.body, "x");
  assertEquals(read(byHand({ flags: 1 }))?.body, Uint8Array.of(0x78));
});

Deno.test("decodeFrame() refuses what is not UTF-8, except as a binary body", () => {
  const spoilt = [0x61, 0xff];
  assertEquals(read(byHand({ name: spoilt })), undefined);
  assertEquals(read(byHand({ value: spoilt })), undefined);
  assertEquals(read(byHand({ body: spoilt })), undefined);
  assertEquals(read(byHand({ flags: 1, body: spoilt }))?.body, Uint8Array.from(spoilt));
  assertEquals(read(byHand({ flags: 1, value: spoilt })), undefined);
  // A character does not go on in what follows.
  assertEquals(read(byHand({ value: [0xc3], body: [0xa9] })), undefined);
});

Deno.test("decodeFrame() keeps byte order marks", () => {
  const mark = [0xef, 0xbb, 0xbf];
  assertEquals(read(byHand({ name: mark, value: mark, body: mark })), {
    headers: [["\ufeff", "\ufeff"]],
    body: "\ufeff",
  });
});

Deno.test("decodeFrame() refuses lengths and counts that claim too much", () => {
  const whole = { headers: [["a", "1"]], body: "x" };
  assertEquals(read(byHand({})), whole as Plain);
  for (const nameLength of [2, 6, 7, 8, 0xff, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    assertEquals(read(byHand({ nameLength })), undefined, `name of ${nameLength}`);
  }
  for (const valueLength of [3, 4, 0xff, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    assertEquals(read(byHand({ valueLength })), undefined, `value of ${valueLength}`);
  }
  for (const count of [2, 3, 255, 256, HEADERS_MAX, HEADERS_MAX + 1, 0xffff]) {
    assertEquals(read(byHand({ count })), undefined, `${count} headers`);
  }
  // What a value claims may be all there is.
  assertEquals(read(byHand({ valueLength: 2 })), { headers: [["a", "1x"]], body: "" });
});

Deno.test("decodeFrame() takes everything behind the headers as the body", () => {
  const { length } = payloadOf(new NetworkMessage("x").addHeader("a", "1"));
  const longer = new Uint8Array(length + 3).fill(0x79);
  longer.set(payloadOf(new NetworkMessage("x").addHeader("a", "1")));
  assertEquals(read(longer), { headers: [["a", "1"]], body: "xyyy" });
  assertEquals(read(byHand({ count: 0 }))?.headers, []);
});

Deno.test("decodeFrame() gives a binary body of its own, also out of a larger buffer", () => {
  const frame = encodeFrame(new NetworkMessage(Uint8Array.of(1, 2, 3)).addHeader("a", "1"));
  const buffer = new Uint8Array(frame.length + 20).fill(0xee);
  buffer.set(frame, 9);
  const payload = buffer.subarray(9 + LENGTH_BYTES, 9 + frame.length);
  const binary = decodeFrame(payload)?.binary;
  assertEquals(binary, Uint8Array.of(1, 2, 3));
  assertNotStrictEquals(binary?.buffer, buffer.buffer);
  buffer.fill(0);
  assertEquals(binary, Uint8Array.of(1, 2, 3));
});

Deno.test("decodeFrame() refuses every frame that is cut before its body, and never throws", () => {
  const bodies: (string | Uint8Array)[] = ["", "xé", "😀", Uint8Array.of(0, 0xff, 0x25)];
  for (const body of bodies) {
    const message = new NetworkMessage(body).addHeader("aé", "1€").addHeader("b");
    const payload = payloadOf(message);
    const bodyBytes = typeof body === "string" ? utf8.encode(body) : body;
    const bodyAt = payload.length - bodyBytes.length;
    for (let length = 0; length < payload.length; length++) {
      const cut = payload.subarray(0, length);
      if (length < bodyAt) {
        assertEquals(read(cut), undefined, `${length} bytes`);
      } else if (body instanceof Uint8Array) {
        assertEquals(read(cut)?.body, body.subarray(0, length - bodyAt));
      } else {
        decodeFrame(cut);
      }
    }
  }
});

Deno.test("decodeFrame() reads any bytes as nothing or as what can be written again", () => {
  const damaged = fc.tuple(anyMessage, fc.nat(), fc.nat(255), fc.nat()).map(
    ([message, at, byte, end]) => {
      const payload = payloadOf(message).slice();
      payload[at % payload.length] = byte;
      return payload.subarray(0, end % 3 === 0 ? end % (payload.length + 1) : payload.length);
    },
  );
  const anyBytes = fc.oneof(damaged, fc.uint8Array({ maxLength: 40 }));
  let refused = 0;
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const message = decodeFrame(bytes);
      if (!message) return void refused++;
      assertEquals([...payloadOf(message)], [...bytes]);
    }),
    { numRuns: 3_000 },
  );
  assert(refused > 300 && refused < 2_900, `${refused} were refused`);
});
