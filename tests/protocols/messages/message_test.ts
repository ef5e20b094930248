import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  checkHeader,
  HEADERS_MAX,
  NetworkMessage,
  ORIGINAL_READ_BYTES,
} from "../../../lib/protocols/messages/message.ts";
import { messageVectors } from "../../support/vectors.ts";

fc.configureGlobal({ seed: 1 });

/** A message as what can be compared: its fields are private. */
interface Plain {
  headers: [name: string, value: string][];
  body: string | Uint8Array;
}

const utf8 = new TextEncoder();
const textOf = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
const encoded = (message: NetworkMessage): string => textOf(message.encode());
const plain = ({ headers, body, binary }: NetworkMessage): Plain => ({
  headers: headers.map(({ name, value }) => [name, value]),
  body: binary ?? body,
});
const decoded = (text: string): Plain => plain(NetworkMessage.decode(utf8.encode(text)));

const signs = fc.constantFrom("$", "%", "|", ":", "a", "é", "😀", "\n", " ", "\ufeff", "\0");
const anyText = fc.string({
  unit: fc.oneof(signs, fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 })),
  maxLength: 12,
});
const anyName = anyText.map((text) => text.replace(/[:|%$]/g, ""));
const anyValue = anyText.map((text) => text.replace(/[|%]/g, ""));
const anyHeaders = fc.array(fc.tuple(anyName, anyValue), { maxLength: 5 });

function messageOf(headers: readonly (readonly [string, string])[], body: string): NetworkMessage {
  const message = new NetworkMessage(body);
  for (const [name, value] of headers) message.addHeader(name, value);
  return message;
}

// ---- as recorded

Deno.test("messageVectors holds the long segments as they were recorded", async () => {
  const long = messageVectors.filter(({ sha256 }) => sha256 !== undefined);
  assertEquals(long.length, 3);
  for (const { name, bytes, length, sha256 } of long) {
    assertEquals(bytes.length, length, name);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)));
    assertEquals(Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""), sha256);
  }
});

/** What is read, but never written. */
const NOT_CANONICAL = [
  "no_bar_before_percent",
  "bare_name",
  "burst_coalesced",
  "bars_only",
  "raw_text",
  "percent_without_dollar",
  "dollar_only",
  "invalid_utf8",
];

Deno.test("NetworkMessage.decode() reads every recorded message", () => {
  for (const { name, bytes, decoded } of messageVectors) {
    if (decoded.error) {
      assertThrows(() => NetworkMessage.decode(bytes), TypeError);
    } else if (decoded.pending) {
      assertEquals(plain(NetworkMessage.decode(bytes)), { headers: [], body: "$" }, name);
    } else if (!decoded.messages) {
      const { headers, body } = plain(NetworkMessage.decode(bytes));
      assertEquals(headers, decoded.headers, name);
      if (decoded.body !== undefined) assertEquals(body, decoded.body, name);
      else assertEquals(body.length, decoded.body_length ?? decoded.body_length_chars, name);
    }
  }
});

Deno.test("NetworkMessage.decode() takes one message: what begins behind it is its body", () => {
  const { bytes } = messageVectors.find(({ name }) => name === "burst_coalesced")!;
  assertEquals(plain(NetworkMessage.decode(bytes)), {
    headers: [["n", "0"]],
    body: "b0$n:1|%b1$n:2|%b2",
  });
});

Deno.test("NetworkMessage.encode() writes every recorded message in canonical form", () => {
  let written = 0;
  for (const { name, bytes, decoded } of messageVectors) {
    if (NOT_CANONICAL.includes(name)) continue;
    const { body } = NetworkMessage.decode(bytes);
    assertEquals(messageOf(decoded.headers!, body).encode(), bytes, name);
    assertEquals(NetworkMessage.decode(bytes).encode(), bytes, name);
    written++;
  }
  assertEquals(written, messageVectors.length - NOT_CANONICAL.length);
});

Deno.test("NetworkMessage.encode() writes what was read in another form in canonical form", () => {
  const table: [read: string, written: string][] = [
    ["$a:1%x", "$a:1|%x"],
    ["$handshake|%x", "$handshake:|%x"],
    ["$handshake%x", "$handshake:|%x"],
    ["$|||%x", "$%x"],
    ["$|a:1||b|%", "$a:1|b:|%"],
    ["hello", "$%hello"],
    ["hello%body", "$%hello%body"],
    ["$", "$%$"],
    ["", "$%"],
  ];
  for (const [read, written] of table) {
    assertEquals(encoded(NetworkMessage.parse(read)), written, read);
  }
});

// ---- headers and body

Deno.test("NetworkMessage has no headers and no body at first", () => {
  const message = new NetworkMessage();
  assertEquals(plain(message), { headers: [], body: "" });
  assertEquals([message.binary, message.caution], [undefined, undefined]);
  assertEquals(encoded(message), "$%");
  assertEquals(encoded(new NetworkMessage("x")), "$%x");
});

Deno.test("NetworkMessage.addHeader() adds behind the others, and gives the message back", () => {
  const message = new NetworkMessage("Hello server!");
  assertStrictEquals(message.addHeader("handshake"), message);
  assertStrictEquals(message.addHeader("from", "ada"), message);
  message.addHeader("a", "1").addHeader("a", "2");
  assertEquals(message.headers, [
    { name: "handshake", value: "" },
    { name: "from", value: "ada" },
    { name: "a", value: "1" },
    { name: "a", value: "2" },
  ]);
  assertEquals(encoded(message), "$handshake:|from:ada|a:1|a:2|%Hello server!");
});

Deno.test("NetworkMessage.getHeader() gives the first of its name, also one that was read", () => {
  for (
    const message of [
      messageOf([["k", "1"], ["K", "0"], ["k", "2"], ["", "e"], ["h", ""]], ""),
      NetworkMessage.parse("$k:1|K:0|k:2|:e|h|%"),
    ]
  ) {
    assertEquals(message.getHeader("k"), { name: "k", value: "1" });
    assertEquals(message.getHeader("K")?.value, "0");
    assertEquals(message.getHeader("")?.value, "e");
    assertEquals(message.getHeader("h")?.value, "");
    assertEquals(message.getHeader("x"), undefined);
    assertEquals(["k", "K", "", "h"].map((name) => message.hasHeader(name)), Array(4).fill(true));
    assertEquals(
      ["x", "k:1", "toString"].map((name) => message.hasHeader(name)),
      Array(3).fill(false),
    );
  }
  assertEquals(new NetworkMessage().hasHeader(""), false);
});

Deno.test("NetworkMessage.setBody() takes text and bytes, the last of which counts", () => {
  const message = new NetworkMessage("one");
  assertStrictEquals(message.setBody("two"), message);
  assertEquals([message.body, message.binary], ["two", undefined]);
  const bytes = Uint8Array.of(1, 2);
  message.setBody(bytes);
  assertEquals(message.body, "");
  assertStrictEquals(message.binary, bytes);
  assertStrictEquals(new NetworkMessage(bytes).binary, bytes);
  message.setBody("");
  assertEquals([message.body, message.binary], ["", undefined]);
  assertEquals(new NetworkMessage(new Uint8Array(0)).binary, new Uint8Array(0));
});

// ---- what cannot be written

Deno.test("NetworkMessage.addHeader() refuses what the wire has no form for, and adds nothing", () => {
  const message = new NetworkMessage().addHeader("a", "1");
  for (const sign of [":", "|", "%", "$"]) {
    for (const name of [sign, `${sign}a`, `a${sign}`, `a\n${sign}b`]) {
      const error = assertThrows(() => message.addHeader(name, "v"), TypeError);
      assert(error.message.includes(`"${name}"`), error.message);
      assertThrows(() => checkHeader(name, ""), TypeError, "name");
    }
  }
  for (const sign of ["|", "%"]) {
    for (const value of [sign, `${sign}v`, `v${sign}`, `v\n${sign}w`]) {
      const error = assertThrows(() => message.addHeader("name", value), TypeError);
      assert(error.message.includes('"name"'), error.message);
      assertThrows(() => checkHeader("name", value), TypeError, "value");
    }
  }
  assertEquals(encoded(message), "$a:1|%");
  message.addHeader("", "").addHeader("b", ":$:").addHeader("c d\n", "\r\n€");
  assertEquals(encoded(message), "$a:1|:|b::$:|c d\n:\r\n€|%");
});

Deno.test("NetworkMessage.addHeader() refuses a header beyond 1,024, and adds nothing", () => {
  assertEquals(HEADERS_MAX, 1_024);
  const added = new NetworkMessage("x");
  while (added.headers.length < 1_024) added.addHeader("a", `${added.headers.length}`);
  // It makes no difference whether they were added or read.
  for (const message of [added, NetworkMessage.decode(added.encode())]) {
    const text = encoded(message);
    assertThrows(() => message.addHeader("b"), RangeError, "1024");
    assertEquals([message.headers.length, encoded(message)], [1_024, text]);
    message.setBody("y");
    assertEquals(message.getHeader("a")?.value, "0");
  }
});

Deno.test("NetworkMessage.encode() refuses a binary body, also an empty one", () => {
  for (const bytes of [new Uint8Array(0), utf8.encode("text")]) {
    assertThrows(() => new NetworkMessage(bytes).encode(), TypeError, "base64");
  }
});

Deno.test("NetworkMessage.encode() refuses a name with $ that was read: behind another message it would be lost", () => {
  for (const text of ["$a$b:1|%x", "$$|%x", "$a:1|$:2|%x", "$$a%x"]) {
    const message = NetworkMessage.parse(text);
    assert(message.headers.some(({ name }) => name.includes("$")), text);
    assertThrows(() => message.encode(), TypeError, "header name");
  }
  assertEquals(encoded(NetworkMessage.parse("$a:$b|%x")), "$a:$b|%x");
});

// ---- what is read

Deno.test("NetworkMessage.decode() reads headers as far as the first % only", () => {
  const table: [text: string, headers: [string, string][], body: string][] = [
    ["$%", [], ""],
    ["$%%", [], "%"],
    ["$%a:1|%x", [], "a:1|%x"],
    ["$a:1|%|b:2|%", [["a", "1"]], "|b:2|%"],
    ["$a:1%|b:2|", [["a", "1"]], "|b:2|"],
    ["$a%:1|", [["a", ""]], ":1|"],
    ["$a|b:2|%", [["a", ""], ["b", "2"]], ""],
    ["$a%b:2|%", [["a", ""]], "b:2|%"],
    ["$:%", [["", ""]], ""],
    ["$:|:|%", [["", ""], ["", ""]], ""],
    ["$::|%", [["", ":"]], ""],
    ["$a:b:c:|%x:y", [["a", "b:c:"]], "x:y"],
    ["$|%", [], ""],
    ["$|a:1%", [["a", "1"]], ""],
    ["$ a : 1 |%", [[" a ", " 1 "]], ""],
    ["$a:1|b%", [["a", "1"], ["b", ""]], ""],
    ["$$%x", [["$", ""]], "x"],
    ["$\ufeffa:€|%😀", [["\ufeffa", "€"]], "😀"],
  ];
  for (const [text, headers, body] of table) assertEquals(decoded(text), { headers, body }, text);
});

Deno.test("NetworkMessage.decode() reads text that is no message as a body", () => {
  for (
    const text of ["", "$", "$a:1|", "$5 or so", "hello", "hello%body", " $%x", "\ufeff$%x", "%$%"]
  ) {
    assertEquals(decoded(text), { headers: [], body: text }, text);
  }
});

Deno.test("NetworkMessage.decode() refuses what is not UTF-8, in headers and body", () => {
  for (const bytes of [[0x24, 0x25, 0xc3], [0x24, 0xff, 0x3a, 0x25], [0x80], [0xed, 0xa0, 0x80]]) {
    assertThrows(() => NetworkMessage.decode(Uint8Array.from(bytes)), TypeError);
  }
});

Deno.test("NetworkMessage.decode() and parse() read 1,024 headers, and refuse more", () => {
  for (const piece of ["a:1|", "a|", ":|", "||a:|", "$|"]) {
    for (const body of ["", "x", "a:1|".repeat(2_000)]) {
      const text = (count: number): string => `$${piece.repeat(count)}%${body}`;
      const [most, more] = [text(1_024), text(1_025)];
      for (const read of [decoded(most), plain(NetworkMessage.parse(most))]) {
        assertEquals([read.headers.length, read.body], [1_024, body], piece);
      }
      assertThrows(() => NetworkMessage.decode(utf8.encode(more)), RangeError, "1024");
      assertThrows(() => NetworkMessage.parse(more), RangeError, "1024");
    }
  }
  // The last of them may be without its bar.
  assertEquals(decoded(`$${"a|".repeat(1_023)}b%`).headers.at(-1), ["b", ""]);
  assertThrows(() => decoded(`$${"a|".repeat(1_024)}b%`), RangeError);
  // Empty pieces are none, nor is anything in a text that is no message.
  assertEquals(decoded(`$${"|".repeat(10_000)}a:1|%x`), { headers: [["a", "1"]], body: "x" });
  for (const text of [`$${"a:1|".repeat(2_000)}`, `${"a:1|".repeat(2_000)}%x`]) {
    assertEquals(decoded(text), { headers: [], body: text });
  }
});

Deno.test("NetworkMessage.parse() reads headers without colons before a mebibyte without one", () => {
  const long = "y".repeat(2 ** 20);
  const names = Array.from({ length: HEADERS_MAX }, (_, index) => `n${index}`);
  const headers = names.map((name) => [name, ""] as [string, string]);
  const block = names.join("|");
  for (const text of [`$${block}%${long}`, `$${block}|%${long}`]) {
    const read = plain(NetworkMessage.parse(text));
    assert(read.body === long);
    assertEquals(read.headers, headers);
  }
  // The same when the mebibyte is a name or a value.
  const fewer = names.slice(1).join("|");
  for (const [piece, value] of [[long, ""], [`:${long}`, long]] as const) {
    const read = NetworkMessage.parse(`$${fewer}|${piece}%x`);
    const last = read.headers.at(-1)!;
    assertEquals([read.headers.length, read.body], [HEADERS_MAX, "x"]);
    assert(last.value === value && last.name === (value === "" ? long : ""));
  }
});

Deno.test("NetworkMessage.decode() reads what encode() wrote", () => {
  fc.assert(fc.property(anyHeaders, anyText, (headers, body) => {
    const message = messageOf(headers, body);
    const bytes = message.encode();
    assertEquals(plain(NetworkMessage.decode(bytes)), { headers, body });
    assertEquals(plain(NetworkMessage.decode(bytes)), plain(message));
    const text = `$${headers.map(([name, value]) => `${name}:${value}|`).join("")}%${body}`;
    assertEquals(textOf(bytes), text);
    assertEquals(plain(NetworkMessage.parse(text)), { headers, body });
  }));
});

Deno.test("NetworkMessage.parse() reads any text as the specification says", () => {
  fc.assert(
    fc.property(fc.string({ unit: signs, maxLength: 20 }), (text) => {
      const read = plain(NetworkMessage.parse(text));
      const percent = text.indexOf("%");
      if (!text.startsWith("$") || percent < 0) {
        return assertEquals(read, { headers: [], body: text });
      }
      const pieces = text.slice(1, percent).split("|").filter((piece) => piece !== "");
      const headers = pieces.map((piece): [string, string] => {
        const [name, ...values] = piece.split(":");
        return [name!, values.join(":")];
      });
      assertEquals(read, { headers, body: text.slice(percent + 1) });
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("NetworkMessage.decode() reads a message in the middle of a buffer", () => {
  const buffer = utf8.encode("$b:2|%$a:1|%x$%y");
  assertEquals(plain(NetworkMessage.decode(buffer.subarray(6, 13))), {
    headers: [["a", "1"]],
    body: "x",
  });
});

// ---- what an original peer makes of it

Deno.test("NetworkMessage.caution says what an original peer will not read as it is", () => {
  const table: [message: NetworkMessage, words: string[]][] = [
    [messageOf([["a", "1"], ["b", ""]], "x:y|z $5"), []],
    [messageOf([["a", "$x"]], ""), []],
    [new NetworkMessage("50% off"), ["%"]],
    [messageOf([["k", "v:w"]], ""), ["colon"]],
    [messageOf([["j", ""], ["k", ":"]], "%"), ["%", "colon"]],
    [new NetworkMessage(new Uint8Array(2_000)), ["binary"]],
    [new NetworkMessage(new Uint8Array(0)), ["binary"]],
    [new NetworkMessage(new Uint8Array(1)).addHeader("k", "v:w"), ["binary", "colon"]],
  ];
  for (const [message, words] of table) {
    const losses = message.caution?.split("; ") ?? [];
    assertEquals(losses.length, words.length, message.caution);
    for (const [index, word] of words.entries()) {
      assert(losses[index]!.includes(word), losses[index]);
    }
  }
});

Deno.test("NetworkMessage.caution counts the bytes of all of the message", () => {
  assertEquals(ORIGINAL_READ_BYTES, 1_024);
  const most = [
    messageOf([], "y".repeat(1_022)),
    messageOf([], "é".repeat(511)),
    messageOf([["a", "1"]], "y".repeat(1_018)),
    messageOf([["a", "é".repeat(509)]], "y"),
  ];
  for (const message of most) {
    assertEquals(message.encode().length, 1_024);
    assertEquals(message.caution, undefined);
    message.setBody(`${message.body}y`);
    assertEquals(message.encode().length, 1_025);
    assert(message.caution?.includes("1024 bytes"), message.caution);
  }
});

Deno.test("NetworkMessage.caution is asked for any message that was read", () => {
  // Also one that cannot be written: it says so, or nothing, but does not fail.
  for (const text of ["$a$b:1|%x", "$$|%", "$5", "$"]) NetworkMessage.parse(text).caution;
  fc.assert(fc.property(fc.string({ unit: signs, maxLength: 12 }), (text) => {
    NetworkMessage.parse(text).caution;
  }));
});
