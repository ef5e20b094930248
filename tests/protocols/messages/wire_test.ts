import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeFrame, OFFER_BARS, SWITCH } from "../../../lib/protocols/messages/frame.ts";
import { HEADERS_MAX, NetworkMessage } from "../../../lib/protocols/messages/message.ts";
import {
  type Framed,
  Framer,
  type FramerOptions,
  LONG_QUIET_MS,
  QUIET_MS,
  UNFINISHED_QUIET_MS,
} from "../../../lib/protocols/messages/wire.ts";
import { messageTranscripts, messageVectors } from "../../support/vectors.ts";

fc.configureGlobal({ seed: 1 });

/** What a framer gave, as what can be compared: a message's fields are private. */
type Result =
  | { headers: [name: string, value: string][]; body: string | Uint8Array }
  | "offered"
  | "switched"
  | "utf8"
  | "too-long"
  | "headers"
  | "frame";

const MIB = 2 ** 20;
const utf8 = new TextEncoder();
const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? utf8.encode(text) : text;
const joined = (...parts: readonly (string | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...bytesOf(part)]));
const body = (body: string | Uint8Array): Result => ({ headers: [], body });

function resultOf(framed: Framed): Result {
  if (framed.kind === "message") {
    const { headers, body, binary } = framed.message;
    return { headers: headers.map(({ name, value }) => [name, value]), body: binary ?? body };
  }
  return framed.kind === "refused" ? framed.reason : framed.kind;
}

function bodyOf(result: Result | undefined): string {
  assert(typeof result === "object" && typeof result.body === "string", `${result}`);
  return result.body;
}

/** A framer as its host uses it. */
class Host {
  readonly framer: Framer;
  /** The most that waited after everything certain was taken. */
  pendingMax = 0;

  constructor(options: Partial<FramerOptions> = {}) {
    this.framer = new Framer({ messageBytesMax: MIB, frames: false, ...options });
  }

  /** What arrives, with more to come at the same time. */
  push(chunk: string | Uint8Array, now = 0): Result[] {
    const copy = bytesOf(chunk).slice();
    this.framer.push(copy, now);
    copy.fill(0x24); // Bytes that were taken are copied.
    return this.take();
  }

  /** What arrives, and nothing else at that time. */
  arrive(chunk: string | Uint8Array, now = 0): Result[] {
    return [...this.push(chunk, now), ...this.settle(now)];
  }

  settle(now: number): Result[] {
    this.framer.settle(now);
    return this.take();
  }

  finish(): Result[] {
    this.framer.finish();
    return this.take();
  }

  take(): Result[] {
    const results: Result[] = [];
    for (let next; (next = this.framer.next());) results.push(resultOf(next));
    this.pendingMax = Math.max(this.pendingMax, this.framer.pendingBytes);
    return results;
  }
}

/** What a stream comes to when all of it arrives at the same time, in these pieces. */
function together(
  pieces: readonly (string | Uint8Array)[],
  options: Partial<FramerOptions> = {},
): Result[] {
  const host = new Host(options);
  return [...pieces.flatMap((piece) => host.push(piece)), ...host.finish()];
}

const oneByOne = (bytes: Uint8Array): Uint8Array[] =>
  Array.from(bytes, (byte) => Uint8Array.of(byte));

/**
 * The messages within a text, by the letter of the specification: everything up to the leftmost `$` that
 * is followed by a canonical block, and is behind the headers of the message before it.
 */
function cutByRule(text: string): string[] {
  const messages: string[] = [];
  for (let rest = text; rest !== "";) {
    const boundary = /\$(?:[^:|%$]*:[^|%]*\|)*%/g;
    // Without a %, there is no body in which a boundary could be.
    const bodyAt = rest.startsWith("$") ? rest.indexOf("%") + 1 || rest.length : 0;
    boundary.lastIndex = bodyAt;
    const end = boundary.exec(rest)?.index ?? rest.length;
    messages.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return messages;
}

const byRule = (text: string): Result[] =>
  cutByRule(text).map((message) =>
    resultOf({ kind: "message", message: NetworkMessage.parse(message) })
  );

// ---- as recorded

Deno.test("Framer reads every recorded segment, at once and byte by byte", () => {
  for (const { name, bytes, segments, decoded } of messageVectors) {
    const results = together([bytes]);
    assertEquals(together(oneByOne(bytes)), results, name);
    if (segments) assertEquals(together(segments), results, name);
    if (decoded.error) {
      assertEquals(results, ["utf8"], name);
    } else if (decoded.pending) {
      const host = new Host();
      assertEquals(host.arrive(bytes), [], name);
      assertEquals([host.framer.pendingBytes, host.framer.dueAt], [1, UNFINISHED_QUIET_MS], name);
    } else {
      const lengths = decoded.body_length ?? decoded.body_length_chars;
      const body = bodyOf(results[0]);
      if (lengths !== undefined) assertEquals(body.length, lengths, name);
      const { headers, messages } = decoded;
      assertEquals(results, messages ?? [{ headers: headers!, body: decoded.body ?? body }], name);
    }
  }
});

Deno.test("Framer delivers recorded segments of up to 1,024 bytes as they arrive", () => {
  let waited = 0;
  for (const { name, bytes, decoded } of messageVectors) {
    if (decoded.error || decoded.pending) continue;
    const host = new Host();
    const results = host.arrive(bytes);
    if (bytes.length <= 1_024) {
      assertEquals(results, together([bytes]), name);
    } else {
      assertEquals([results, host.framer.dueAt], [[], QUIET_MS], name);
      assertEquals(host.settle(QUIET_MS), together([bytes]), name);
      waited++;
    }
  }
  assertEquals(waited, 2);
});

/** What each end hears of a transcript, segment by segment. */
function hear(transcript: string, options: Partial<FramerOptions> = {}): Map<string, Result[]> {
  const streams = new Map<string, { host: Host; heard: Result[] }>();
  for (const { at, from, to, bytes } of messageTranscripts.get(transcript)!) {
    const stream = streams.get(`${from}>${to}`) ?? { host: new Host(options), heard: [] };
    streams.set(`${from}>${to}`, stream);
    stream.heard.push(...stream.host.settle(at), ...stream.host.arrive(bytes, at));
  }
  return new Map(Array.from(streams, ([ends, { host, heard }]) => {
    assertEquals(host.framer.pendingBytes, 0);
    return [ends, heard];
  }));
}

Deno.test("Framer reads the recorded conversation of the original programs", () => {
  // Such a conversation is the same to one that would also read frames.
  for (const frames of [false, true]) {
    const heard = hear("original_client_and_server", { frames });
    assertEquals(heard.get("client>server"), [
      { headers: [["handshake", ""]], body: "Hello server!" },
      body("plain"),
      body(""),
      { headers: [["a", "1"], ["b", "2"]], body: "two headers é €" },
      body("50% off"),
      { headers: [["k", "v:w"]], body: "x:y|z" },
      body("burst"),
      body("relay no header"),
      { headers: [["a", "1"]], body: "relay header" },
      body("big"),
      body("raw"),
      { headers: [["n", "1"]], body: "one" },
      { headers: [["n", "2"]], body: "two" },
      body("x"),
    ]);
    assertEquals(heard.get("server>client"), [
      { headers: [["handshake", "example"]], body: "Hello from the server!" },
      { headers: [["n", "0"]], body: "b0" },
      { headers: [["n", "1"]], body: "b1" },
      { headers: [["n", "2"]], body: "b2" },
      body("relay no header"),
      body("plain text"),
    ]);
  }
});

Deno.test("Framer takes the rest of a recorded message that comes 50 ms later for one of its own", () => {
  // What arrives together in 1,024 bytes is whole. Nothing says that there is more, and text that comes
  // when nothing waits is what the documentation calls a message without headers.
  assertEquals(hear("message_in_two_segments").get("client>server"), [
    { headers: [["a", "1"]], body: "he" },
    body("llo"),
  ]);
});

Deno.test("Framer reads the recorded broadcast", () => {
  const heard = hear("broadcast_to_two");
  assertEquals(heard.get("client1>server"), [body("all one")]);
  assertEquals(heard.get("client2>server"), [body("all two")]);
  for (const client of ["client1", "client2"]) {
    assertEquals(heard.get(`server>${client}`), [body("all one"), body("all two")]);
  }
});

// ---- boundaries

const BOUNDARIES: [stream: string, messages: string[]][] = [
  ["$%", ["$%"]],
  ["$%a$%b", ["$%a", "$%b"]],
  ["$%$%$%", ["$%", "$%", "$%"]],
  ["$%a$b:1|%c", ["$%a", "$b:1|%c"]],
  ["$%$b:|%", ["$%", "$b:|%"]],
  ["$%$:|%", ["$%", "$:|%"]], // A name may be empty.
  ["$%$a:1|b:2|%", ["$%", "$a:1|b:2|%"]],
  ["$%$a::1:|%", ["$%", "$a::1:|%"]], // A value may have colons,
  ["$%$a:$1|%", ["$%", "$a:$1|%"]], // and dollars,
  ["$%$a:$b:1|%", ["$%", "$a:$b:1|%"]], // even with what looks like a block.
  ["$%$a:1|b:$c:2|%", ["$%", "$a:1|b:$c:2|%"]],
  ["$%$a:\n|\n:1|%", ["$%", "$a:\n|\n:1|%"]],
  ["$%$é:€|%😀", ["$%", "$é:€|%😀"]],
  // Text that only looks like it.
  ["$%costs $5", ["$%costs $5"]],
  ["$%$5 or 10%", ["$%$5 or 10%"]],
  ["$%$", ["$%$"]],
  ["$%$$", ["$%$$"]],
  ["$%$5|%", ["$%$5|%"]],
  ["$%$|%", ["$%$|%"]], // Bars alone are read, but no canonical block.
  ["$%$||||%", ["$%$||||%"]],
  ["$%$a|%", ["$%$a|%"]],
  ["$%$a:1%", ["$%$a:1%"]], // The last bar is missing.
  ["$%$a:1|b%", ["$%$a:1|b%"]],
  ["$%$a:1|b|%", ["$%$a:1|b|%"]],
  ["$%$a:1||%", ["$%$a:1||%"]],
  ["$%$a:1|$:2|%", ["$%$a:1|", "$:2|%"]], // A name has no dollar: the second one begins anew.
  ["$%$a:1", ["$%$a:1"]],
  ["$%$a:1|", ["$%$a:1|"]],
  ["$%%", ["$%%"]],
  ["$%%$%%", ["$%%", "$%%"]],
  ["$%50% off$%", ["$%50% off", "$%"]],
  // Several dollars, of which the leftmost that can be one counts.
  ["$%$$%", ["$%$", "$%"]],
  ["$%$$a:1|%", ["$%$", "$a:1|%"]],
  ["$%$5 $a:1|%", ["$%$5 ", "$a:1|%"]],
  ["$%$a$b:1|%", ["$%$a", "$b:1|%"]],
  ["$%$a:$%x", ["$%$a:", "$%x"]], // Within a value that turns out to be none.
  ["$%$a:$$%x", ["$%$a:$", "$%x"]],
  ["$%$a:$x%", ["$%$a:$x%"]],
  ["$%$a:$x%$%", ["$%$a:$x%", "$%"]],
  ["$%$a:1|b:$%x", ["$%$a:1|b:", "$%x"]],
  ["$%$a:$b:1%x", ["$%$a:$b:1%x"]],
  ["$%$a:$b|%x", ["$%", "$a:$b|%x"]],
  ["$%$a:$b:1|c|$d:2|%", ["$%$a:$b:1|c|", "$d:2|%"]],
  ["$%$a:$b:1|c%$d:2|%", ["$%$a:$b:1|c%", "$d:2|%"]],
  ["$%$a|$b:1|%", ["$%$a|", "$b:1|%"]],
  ["$%$5%$%", ["$%$5%", "$%"]],
  ["$%$5%$5%$%", ["$%$5%$5%", "$%"]],
  ["$%$y:$a:1|%x", ["$%", "$y:$a:1|%x"]],
  // The first message may be of any form: its headers go on to the first percent sign.
  ["$|||%x$%y", ["$|||%x", "$%y"]],
  ["$a%x$%y", ["$a%x", "$%y"]],
  ["$a:1%x$%y", ["$a:1%x", "$%y"]],
  ["$a|b:1|%x", ["$a|b:1|%x"]],
  ["$a$b:1|%x", ["$a$b:1|%x"]],
  ["$5 and $%x", ["$5 and $%x"]],
  ["$$%", ["$$%"]],
  ["$$%$$%", ["$$%$", "$%"]],
  ["$", ["$"]],
  ["$a:1|", ["$a:1|"]],
  ["$$$$", ["$$$$"]],
  // So may text without headers.
  ["hello", ["hello"]],
  ["hello%body", ["hello%body"]],
  ["%", ["%"]],
  ["%$%", ["%", "$%"]],
  ["hello$%x", ["hello", "$%x"]],
  ["hello $a:1|%x", ["hello ", "$a:1|%x"]],
  ["hello $5%$x", ["hello $5%$x"]],
  ["|:|$:|%", ["|:|", "$:|%"]],
  ["\ufeff$%", ["\ufeff", "$%"]],
  ["\n$%", ["\n", "$%"]],
];

Deno.test("Framer ends a message at the leftmost canonical header block behind its headers", () => {
  for (const [stream, messages] of BOUNDARIES) {
    assertEquals(cutByRule(stream), messages, `by rule: ${stream}`);
    const expected = byRule(stream);
    assertEquals(together([stream]), expected, stream);
    assertEquals(together(oneByOne(bytesOf(stream))), expected, `byte by byte: ${stream}`);
    assertEquals(together([stream], { frames: true }), expected, `with frames: ${stream}`);
  }
});

Deno.test("Framer cuts every short stream of signs by the rule", () => {
  const signs = "$%|:a";
  const streams = (length: number): string[] =>
    length === 0
      ? [""]
      : streams(length - 1).flatMap((text) => [...signs].map((sign) => text + sign));
  for (const tail of [...streams(5), ...streams(6)]) {
    for (const stream of [tail, `$%$a:${tail}`]) {
      const expected = cutByRule(stream).map((text) => NetworkMessage.parse(text).body).join("\n");
      const host = new Host();
      const results = [...host.push(stream), ...host.finish()];
      const bodies = results.map(bodyOf).join("\n");
      if (bodies !== expected) assertEquals(results, byRule(stream), stream);
    }
  }
});

const signs = fc.constantFrom("$", "%", "|", ":", "a", "1");
const junk = fc.string({
  unit: fc.oneof(signs, fc.constantFrom("é", "😀", " ", "\n")),
  maxLength: 30,
});
const name = fc.constantFrom("", "a", "é", "name");
const value = fc.constantFrom("", "1", "$", ":", "$a:1", "v:w", "😀");
const message = fc.tuple(fc.array(fc.tuple(name, value), { maxLength: 3 }), junk).map((
  [headers, body],
) => `$${headers.map(([name, value]) => `${name}:${value}|`).join("")}%${body}`);
const block = fc.constantFrom("$a:", "$a:1|", "$%", "$a", "|%", "$$", "%", "$5%", "$|", ":1|b:");
const stream = fc.array(fc.oneof(message, junk, block), { maxLength: 12 }).map((parts) =>
  parts.join("")
);

Deno.test("Framer cuts any stream by the rule", () => {
  fc.assert(
    fc.property(stream, (stream) => {
      assertEquals(together([stream]), byRule(stream));
    }),
    { numRuns: 3_000 },
  );
});

// ---- how the stream is cut

/** A stream, and where it is cut: at any place. */
const withCuts = (bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<[Uint8Array, Uint8Array[]]> =>
  fc.tuple(bytes, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 })).map(
    ([bytes, cuts]) => {
      const places = cuts.map((cut) => Math.round(cut * bytes.length)).sort((one, other) =>
        one - other
      );
      const starts = [0, ...places];
      return [bytes, starts.map((start, index) => bytes.slice(start, places[index]))];
    },
  );

const frameOf = (message: NetworkMessage): Uint8Array => encodeFrame(message);
const anyFrame = fc.oneof(
  fc.tuple(junk, value).map(([body, value]) =>
    frameOf(new NetworkMessage(body).addHeader("a", value))
  ),
  fc.uint8Array({ maxLength: 12 }).map((body) => frameOf(new NetworkMessage(body))),
  fc.uint8Array({ maxLength: 8 }), // Which is none.
  fc.uint8Array({ maxLength: 5 }).map((payload) =>
    joined(Uint8Array.of(0, 0, 0, payload.length), payload)
  ),
);
const frames = fc.tuple(
  fc.constantFrom(SWITCH, SWITCH, SWITCH, Uint8Array.of(0xff, 2), Uint8Array.of(0xff)),
  fc.array(anyFrame, { maxLength: 4 }),
).map(([begin, frames]) => joined(begin, ...frames));
const notUtf8 = fc.constantFrom([0xc3], [0x80], [0xff], [0xed, 0xa0, 0x80], [0xf0, 0x9f], [
  0xc0,
  0x80,
]).map(
  (bytes) => Uint8Array.from(bytes),
);
const offer = fc.nat(9).map((bars) => bytesOf(`$${"|".repeat(bars)}a:1|%offer`));
/** Everything that may be in a stream, in this order or another. */
const anything = fc.tuple(
  fc.option(offer),
  fc.array(fc.oneof({ weight: 9, arbitrary: stream.map(bytesOf) }, notUtf8), { maxLength: 3 }),
  fc.option(frames),
).map(([offer, texts, frames]) => joined(offer ?? "", ...texts, frames ?? ""));

Deno.test("Framer gives the same for the same bytes, however they are cut", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      withCuts(anything),
      fc.constantFrom(1, 2, 5, 12, 13, 14, 15, 16, 40, MIB),
      fc.boolean(),
      ([bytes, pieces], messageBytesMax, frames) => {
        const options = { messageBytesMax, frames };
        const atOnce = together([bytes], options);
        assertEquals(together(pieces, options), atOnce);
        assertEquals(together(oneByOne(bytes), options), atOnce);
        // Nor does it matter whether what is certain was taken before more came.
        const late = new Host(options);
        for (const piece of pieces) late.framer.push(piece, 0);
        assertEquals(late.finish(), atOnce);
        for (const result of atOnce) {
          const kind = typeof result === "string" ? result : "message";
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
        const refusal = atOnce.findIndex((result) =>
          ["utf8", "too-long", "headers", "frame"].includes(result as string)
        );
        assert(refusal < 0 || refusal === atOnce.length - 1, "something behind a refusal");
      },
    ),
    { numRuns: 4_000 },
  );
  for (const kind of ["message", "offered", "switched", "utf8", "too-long", "frame"]) {
    assert((seen.get(kind) ?? 0) >= 50, `${kind}: ${seen.get(kind)}`);
  }
});

Deno.test("Framer gives certain messages as soon as they are, however the stream is cut", () => {
  fc.assert(
    fc.property(stream, fc.nat(), (stream, at) => {
      const bytes = bytesOf(stream);
      const host = new Host();
      const first = host.push(bytes.subarray(0, at % (bytes.length + 1)));
      // What is given before the end is what the beginning alone comes to, but for its last message.
      const text = new TextDecoder().decode(bytes.subarray(0, at % (bytes.length + 1)));
      assertEquals(first, byRule(text).slice(0, -1));
    }),
    { numRuns: 1_000 },
  );
});

// ---- when

Deno.test("Framer delivers 1,024 bytes that arrive together at once, and waits for a quiet spell after more", () => {
  assertEquals([QUIET_MS, UNFINISHED_QUIET_MS], [20, 2_000]);
  for (const length of [2, 3, 1_023, 1_024]) {
    const host = new Host();
    assertEquals(host.push(`$%${"y".repeat(length - 2)}`, 100), []);
    assertEquals(host.framer.dueAt, 100);
    assertEquals(host.settle(100), [body("y".repeat(length - 2))]);
    assertEquals(host.framer.dueAt, Infinity);
  }
  const host = new Host();
  assertEquals(host.push(`$%${"y".repeat(1_023)}`, 100), []);
  assertEquals(host.framer.dueAt, 120);
  assertEquals(host.settle(119.9), []);
  assertEquals(host.framer.pendingBytes, 1_025);
  assertEquals(host.settle(120), [body("y".repeat(1_023))]);
  assertEquals(host.framer.dueAt, Infinity);
});

Deno.test("Framer waits longer for more after more than 10,240 bytes that arrive together", () => {
  assert(QUIET_MS < LONG_QUIET_MS && LONG_QUIET_MS < UNFINISHED_QUIET_MS);
  for (
    const [length, quietMs] of [[10_240, 20], [10_241, LONG_QUIET_MS], [100_000, LONG_QUIET_MS]]
  ) {
    const host = new Host();
    const text = "y".repeat(length! - 2);
    assertEquals(host.push(`$%${text}`, 100), []);
    const dueAt = 100 + quietMs!;
    assertEquals(host.framer.dueAt, dueAt);
    assertEquals(host.settle(dueAt - 0.1), []);
    assertEquals(host.settle(dueAt), [body(text)]);
    assertEquals(host.framer.dueAt, Infinity);
    // From then on it counts anew.
    assertEquals(host.arrive(`$%${"y".repeat(1_023)}`, 1_000), []);
    assertEquals(host.framer.dueAt, 1_020);
  }
  // All that came counts since nothing was left to wait for, also what is delivered.
  const host = new Host();
  const [first, second] = ["y".repeat(10_000), "z".repeat(300)];
  assertEquals(host.arrive(`$%${first}`, 0), []);
  assertEquals(host.framer.dueAt, 20);
  assertEquals(host.arrive(`$%${second}`, 19), [body(first)]);
  assertEquals(host.framer.dueAt, 19 + LONG_QUIET_MS);
  assertEquals(host.settle(19 + LONG_QUIET_MS), [body(second)]);
});

Deno.test("Framer puts a look that comes more than 5 ms late off, once", () => {
  const kinds: [text: string, quietMs: number][] = [
    [`$%${"y".repeat(2_000)}`, QUIET_MS],
    [`$%${"y".repeat(20_000)}`, LONG_QUIET_MS],
    ["$a:1|", UNFINISHED_QUIET_MS],
  ];
  for (const [text, quietMs] of kinds) {
    const onTime = new Host();
    assertEquals(onTime.arrive(text, 0), []);
    assertEquals(onTime.settle(quietMs + 5), byRule(text));

    const host = new Host();
    assertEquals(host.arrive(text, 0), []);
    assertEquals(host.settle(quietMs + 6), [], "something may have arrived meanwhile");
    assertEquals(host.framer.dueAt, 2 * quietMs + 6);
    assertEquals(host.settle(2 * quietMs + 5), []);
    assertEquals(host.settle(9_000), byRule(text), "a second time it counts, however late");

    // What did arrive belongs to it, and may be looked at too late once more.
    const more = new Host();
    assertEquals(more.arrive(text, 0), []);
    assertEquals(more.settle(quietMs + 6), []);
    assertEquals(more.push("more", quietMs + 6), []);
    assertEquals(more.settle(9_000), []);
    assertEquals(more.framer.dueAt, 9_000 + quietMs);
    assertEquals(more.settle(9_000 + quietMs), byRule(`${text}more`));
  }
  // What is whole as it is has nothing to wait for.
  const whole = new Host();
  assertEquals(whole.push("$%x", 0), []);
  assertEquals(whole.settle(1_000), [body("x")]);
});

Deno.test("Framer counts what arrived together in bytes, in all pieces and all of its messages", () => {
  const inPieces = new Host();
  for (const piece of ["$%", "é".repeat(511), "x"]) inPieces.push(piece, 5);
  assertEquals(inPieces.framer.dueAt, 25);

  const inMessages = new Host();
  assertEquals(inMessages.push(`$%${"y".repeat(1_022)}$%z`, 5), [body("y".repeat(1_022))]);
  assertEquals(inMessages.framer.dueAt, 25, "the last of 1,027 bytes may be the beginning of more");
  assertEquals(inMessages.settle(25), [body("z")]);
  // From then on it counts anew.
  assertEquals(inMessages.arrive(`$%${"y".repeat(1_022)}`, 26), [body("y".repeat(1_022))]);
});

Deno.test("Framer delivers what waited when the next message begins", () => {
  const host = new Host();
  const long = "y".repeat(1_100);
  assertEquals(host.arrive(`$%${long}`, 0), []);
  assertEquals(host.arrive("$a:1|%x", 10), [body(long)]);
  assertEquals(host.framer.dueAt, 30);
  assertEquals(host.settle(30), [{ headers: [["a", "1"]], body: "x" }]);
});

Deno.test("Framer continues a message that is held back with text, and one that was delivered never", () => {
  const host = new Host();
  const long = "y".repeat(1_100);
  assertEquals(host.arrive(`$%${long}`, 0), []);
  assertEquals(host.arrive("and more, for $5", 19), []);
  assertEquals(host.framer.dueAt, 39, "every segment is quiet for a while anew");
  assertEquals(host.settle(38), []);
  assertEquals(host.settle(39), [body(`${long}and more, for $5`)]);
  assertEquals(host.arrive("and more", 40), [body("and more")]);
});

Deno.test("Framer waits longer for headers without an end", () => {
  const host = new Host();
  assertEquals(host.arrive("$a:1", 0), []);
  assertEquals(host.framer.dueAt, 2_000);
  assertEquals(host.arrive("|b:", 1_500), []);
  assertEquals(host.framer.dueAt, 3_500);
  assertEquals(host.arrive("2|%x", 3_000), [{ headers: [["a", "1"], ["b", "2"]], body: "x" }]);
  // What still has none, is text.
  assertEquals(host.arrive("$5 or so", 4_000), []);
  assertEquals(host.settle(5_999), []);
  assertEquals(host.settle(6_000), [body("$5 or so")]);
});

Deno.test("Framer waits longer for the rest of a character", () => {
  for (const character of ["é", "€", "😀"]) {
    const bytes = bytesOf(character);
    for (let cut = 1; cut < bytes.length; cut++) {
      for (const begin of ["$%x", "raw "]) {
        const host = new Host();
        assertEquals(host.arrive(joined(begin, bytes.subarray(0, cut)), 7), []);
        assertEquals(host.framer.dueAt, 2_007);
        assertEquals(host.arrive(bytes.subarray(cut), 1_000), together([begin + character]));
        // And not for ever.
        assertEquals(host.arrive(joined(begin, bytes.subarray(0, cut)), 2_000), []);
        assertEquals(host.settle(3_999), []);
        assertEquals(host.settle(4_000), ["utf8"]);
      }
    }
  }
});

Deno.test("Framer.finish() delivers what waits, whatever it waits for", () => {
  const long = "y".repeat(2_000);
  for (const text of ["$%x", `$%${long}`, "$", "$a:1|", "$%$a:1|", "raw", `${long}$a:`]) {
    const host = new Host();
    assertEquals(host.push(text), []);
    assertEquals(host.finish(), byRule(text), text);
    assertEquals(host.finish(), []);
    assertEquals([host.framer.pendingBytes, host.framer.dueAt], [0, Infinity]);
  }
  assertEquals(new Host().finish(), []);
  const cut = new Host();
  cut.push(joined("$%", bytesOf("é").subarray(0, 1)));
  assertEquals(cut.finish(), ["utf8"]);
});

Deno.test("Framer is not due when nothing waits, and delivers nothing without bytes", () => {
  const host = new Host();
  assertEquals([host.framer.dueAt, host.framer.pendingBytes], [Infinity, 0]);
  assertEquals(host.arrive("", 5), []);
  assertEquals(host.settle(10_000), []);
  assertEquals(host.framer.dueAt, Infinity);
  assertEquals(host.arrive("$%", 10_001), [body("")]);
  assertEquals(host.arrive("", 10_002), []);
});

Deno.test("Framer gives the same at any time when every segment is a message of up to 1,024 bytes", () => {
  const anyMessage = message.filter((text) => cutByRule(text).length === 1);
  fc.assert(fc.property(fc.array(anyMessage, { maxLength: 8 }), fc.nat(30), (messages, stepMs) => {
    const host = new Host();
    for (const [index, text] of messages.entries()) {
      assertEquals(host.arrive(text, index * stepMs), byRule(text));
    }
  }));
});

// ---- limits

Deno.test("Framer takes messages of the limit and none that is longer", () => {
  for (const begin of ["$%", "$a:1|%", "", "$a$%", "$|%%$"]) {
    const text = begin + "y".repeat(40 - begin.length);
    for (const [end, expected] of [["", byRule(text)], ["$%", byRule(`${text}$%`)]] as const) {
      const options = { messageBytesMax: 40 };
      assertEquals(together([text + end], options), expected);
      assertEquals(together(oneByOne(bytesOf(text + end)), options), expected);
      assertEquals(together([`${text}y${end}`], options), ["too-long"], begin);
      assertEquals(together(oneByOne(bytesOf(`${text}y${end}`)), options), ["too-long"]);
    }
  }
  assertEquals(together([`$%x$a:${"1".repeat(40)}|%`], { messageBytesMax: 40 }).at(-1), "too-long");
  assertEquals(together([`$a:${"1".repeat(40)}|%`], { messageBytesMax: 40 }), ["too-long"]);
});

Deno.test("Framer refuses what is too long as soon as it is, however much is still missing", () => {
  for (const begin of ["$", "$a:", "$a:1|", "$%", "", "a%", "$%$5|"]) {
    const host = new Host({ messageBytesMax: 40 });
    assertEquals(host.push(begin.padEnd(40, "1")), [], begin);
    assertEquals(host.push("1"), ["too-long"], begin);
  }
  // What may be the beginning of another message may go on, but is no longer than a message itself.
  const host = new Host({ messageBytesMax: 40 });
  assertEquals(host.push("$%34567890$a:".padEnd(50, "1")), []);
  assertEquals(host.push("1"), ["too-long"]);
});

Deno.test("Framer counts the limit in bytes", () => {
  assertEquals(together([`$%${"é".repeat(5)}`], { messageBytesMax: 12 }), [body("ééééé")]);
  assertEquals(together([`$%${"é".repeat(5)}`], { messageBytesMax: 11 }), ["too-long"]);
});

Deno.test("Framer delivers no message beyond the limit when its end looked like the beginning of another", () => {
  for (const messageBytesMax of [10, 12]) {
    const host = new Host({ messageBytesMax });
    host.push("$%aaaaaa$bbbbbb");
    assertEquals(host.finish(), ["too-long"]);
    const before = together([joined("$%aaaaaa$bbbbbb", SWITCH)], { messageBytesMax, frames: true });
    assertEquals(before, ["too-long"]);
  }
});

Deno.test("Framer refuses exactly what the limit says, and delivers what is before", () => {
  fc.assert(
    fc.property(stream, fc.integer({ min: 2, max: 40 }), (stream, messageBytesMax) => {
      const messages = cutByRule(stream);
      const results = together([stream], { messageBytesMax });
      const isLong = (text: string | undefined): boolean =>
        bytesOf(text ?? "").length > messageBytesMax;
      const delivered = results.at(-1) === "too-long" ? results.slice(0, -1) : results;
      assertEquals(delivered, byRule(stream).slice(0, delivered.length));
      assert(!messages.slice(0, delivered.length).some(isLong), "one that is too long");
      if (delivered.length === results.length) return assertEquals(results.length, messages.length);
      // Of two, the second may be too long before it is sure that the first is over.
      const rest = messages.slice(delivered.length, delivered.length + 2);
      assert(rest.some(isLong), "refused what is short");
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("Framer takes messages of 1,024 headers, and refuses one of more", () => {
  assertEquals(HEADERS_MAX, 1_024);
  const most = `$${"a:1|".repeat(1_024)}%x`;
  const more = `$${"a:1|".repeat(1_025)}%x`;
  const bare = `$${"a|".repeat(1_025)}%x`;
  assertEquals(together([most, most, "$%y"]), byRule(`${most}${most}$%y`));
  for (
    const [stream, before] of [[more, ""], [bare, ""], [most + more, most], [`$%z${more}`, "$%z"]]
  ) {
    for (const behind of ["", "$%y"]) {
      const expected = [...byRule(before!), "headers"];
      assertEquals(together([stream + behind]), expected);
      assertEquals(together(oneByOne(bytesOf(stream + behind)), { frames: true }), expected);
      assertEquals(together([stream!, SWITCH], { frames: true }), expected);
    }
  }
  // In a body, or in a text without an end of its headers, there are none.
  for (const text of [`$%x${more.slice(1)}`, more.slice(0, -2)]) {
    assertEquals(together([text]), [body(text.replace(/^\$%/, ""))]);
  }
  const offer = `${OFFER}${most.slice(1)}`;
  assertEquals(together([offer], { frames: true }), ["offered", ...byRule(most)]);
  assertEquals(together([`${OFFER}${more.slice(1)}`], { frames: true }), ["headers"]);
});

Deno.test("Framer takes nothing behind a refusal, and holds nothing", () => {
  const refused: [chunk: string | Uint8Array, reason: Result][] = [
    [joined("$%", Uint8Array.of(0xc3), "$%more"), "utf8"],
    ["y".repeat(100), "too-long"],
    [joined(Uint8Array.of(0xff, 2), "$%more"), "utf8"],
    [joined(SWITCH, Uint8Array.of(0, 0, 0, 0, 1, 2, 3)), "frame"],
    [joined(SWITCH, Uint8Array.of(0, 0, 0, 12, 0, 4, 1)), "frame"],
    [joined(SWITCH, Uint8Array.of(0, 0, 0, 42, 0, 0, 0)), "too-long"],
  ];
  for (const [chunk, reason] of refused) {
    const host = new Host({ messageBytesMax: 40, frames: true });
    assertEquals(host.push(chunk).at(-1), reason);
    for (let times = 0; times < 3; times++) {
      assertEquals(host.arrive("$%x$%y", 5), []);
      assertEquals(host.finish(), []);
      assertEquals([host.framer.pendingBytes, host.framer.dueAt], [0, Infinity]);
    }
  }
});

/** Bytes that are of no use, but could be of some. */
const HOSTILE = [
  "$a:",
  "$",
  "%",
  "$a:$a:1|",
  "$a|",
  "$a:1|",
  "$a:%",
  "|",
  "a",
  "$5 ",
  "$a:1|b",
  "$%",
  "$:|%",
  "é",
];

Deno.test("Framer holds no more than two messages, and no more than one that is not over", () => {
  for (const unit of HOSTILE) {
    for (const begin of ["", "$%", "$"]) {
      for (const size of [1, 7, 64, 1_000]) {
        const messageBytesMax = 300;
        const host = new Host({ messageBytesMax });
        const flood = bytesOf(begin + unit.repeat(2_000 / unit.length));
        for (let at = 0; at < flood.length; at += size) host.push(flood.subarray(at, at + size));
        const most = 2 * messageBytesMax + 1;
        assert(host.pendingMax <= most, `${host.pendingMax} bytes of ${begin}${unit}, by ${size}`);
      }
    }
  }
});

Deno.test("Framer reads a mebibyte of hostile text to its end, in small pieces and in large ones", () => {
  // Quadratic work would take hours here.
  for (const unit of HOSTILE) {
    const flood = bytesOf("$%" + unit.repeat(MIB / unit.length));
    const counts = [1, 65_536].map((size) => {
      const host = new Host({ messageBytesMax: 2 * MIB });
      let count = 0;
      for (let at = 0; at < flood.length; at += size) {
        host.framer.push(flood.subarray(at, at + size), 0);
        while (host.framer.next()) count++;
      }
      host.framer.finish();
      while (host.framer.next()) count++;
      assertEquals(host.framer.pendingBytes, 0);
      return count;
    });
    assertEquals(counts[0], counts[1], unit);
  }
});

// ---- from text to frames

const OFFER = `$${"|".repeat(OFFER_BARS)}`;

Deno.test("Framer tells of an offer before the message that makes it", () => {
  const expected = { headers: [["a", "1"]], body: "x" } as Result;
  const text = `${OFFER}a:1|%x`;
  assertEquals(together([text], { frames: true }), ["offered", expected]);
  assertEquals(together([`${OFFER}%`], { frames: true }), ["offered", body("")]);
  assertEquals(together([`${OFFER}||%`], { frames: true }), ["offered", body("")]);
  assertEquals(together([text], { frames: false }), [expected], "nobody wants frames");
  assertEquals(together(["$||||||a:1|%x"], { frames: true }), [expected], "a bar less");
  assertEquals(together([`$a:1|%x${text}`], { frames: true }), [
    { headers: [["a", "1"]], body: `x${text}` },
  ]);
  const host = new Host({ frames: true });
  assertEquals(host.arrive("$%", 0), [body("")]);
  assertEquals(host.arrive(text, 1), [expected], "only a first message offers");
  assertEquals(together([text, "$%y"], { frames: true }), ["offered", expected, body("y")]);
});

Deno.test("Framer reads frames behind the switch, and whatever text they hold", () => {
  const first = new NetworkMessage("$%$a:1|%").addHeader("k", "v");
  const second = new NetworkMessage(Uint8Array.of(0xff, 1, 0x24, 0x25));
  const frames = joined(encodeFrame(first), encodeFrame(second));
  const expected: Result[] = [
    { headers: [["k", "v"]], body: "$%$a:1|%" },
    body(Uint8Array.of(0xff, 1, 0x24, 0x25)),
  ];
  for (
    const [text, before] of [["", []], ["$%x", [body("x")]], ["$%x$", [body("x$")]], ["$a:", [
      body("$a:"),
    ]], ["raw", [body("raw")]]] as [string, Result[]][]
  ) {
    const stream = joined(text, SWITCH, frames);
    for (const pieces of [[stream], oneByOne(stream)]) {
      const host = new Host({ frames: true });
      const results = pieces.flatMap((piece) => host.push(piece));
      // There is nothing to wait for: a frame says how long it is.
      assertEquals(results, [...before, "switched", ...expected], text);
      assertEquals([host.framer.pendingBytes, host.framer.dueAt], [0, Infinity]);
      // Only the first of such bytes is the switch, also when all of them came before anything is taken.
      const late = new Host({ frames: true });
      for (const piece of pieces) late.framer.push(piece, 0);
      assertEquals(late.take(), results, text);
    }
  }
});

Deno.test("Framer waits for the rest of a frame for as long as it takes", () => {
  const stream = joined(SWITCH, encodeFrame(new NetworkMessage("x").addHeader("a", "1")));
  for (let length = 1; length < stream.length; length++) {
    const host = new Host({ frames: true });
    const begun: Result[] = length < SWITCH.length ? [] : ["switched"];
    assertEquals(host.arrive(stream.subarray(0, length), 0), begun);
    if (length < SWITCH.length) continue; // That may be text which is not UTF-8.
    assertEquals(host.framer.dueAt, Infinity, `${length} bytes`);
    assertEquals(host.settle(1e9), []);
    assertEquals(host.finish(), [], "half of a frame is nothing");
  }
});

Deno.test("Framer delivers a text that ends within a character before the switch as what it is not", () => {
  const stream = joined("$%", bytesOf("é").subarray(0, 1), SWITCH);
  assertEquals(together([stream], { frames: true }), ["utf8"]);
});

Deno.test("Framer takes no switch where frames are not wanted", () => {
  const stream = joined("$%x", SWITCH, encodeFrame(new NetworkMessage("y")));
  assertEquals(together([stream], { frames: false }), ["utf8"]);
});

Deno.test("Framer takes what is not quite the switch for text that is not UTF-8", () => {
  for (let version = 0; version < 256; version++) {
    const results = together(["$%x", Uint8Array.of(0xff, version)], { frames: true });
    assertEquals(results, version === 1 ? [body("x"), "switched"] : ["utf8"]);
  }
  const host = new Host({ frames: true });
  assertEquals(host.arrive(joined("$%", Uint8Array.of(0xff)), 0), []);
  assertEquals(host.framer.dueAt, UNFINISHED_QUIET_MS);
  assertEquals(host.settle(UNFINISHED_QUIET_MS), ["utf8"]);
});

Deno.test("Framer refuses what is no frame", () => {
  const table: [payload: number[], result: Result][] = [
    [[], "frame"],
    [[0, 0], "frame"],
    [[2, 0, 0], "frame"],
    [[0, 0, 1], "frame"],
    [[0, 0, 0, 0xff], "frame"],
    [[0, 0, 0], body("")],
    [[1, 0, 0, 0xff], body(Uint8Array.of(0xff))],
  ];
  for (const [payload, result] of table) {
    const stream = joined(SWITCH, Uint8Array.of(0, 0, 0, payload.length, ...payload));
    assertEquals(together([stream], { frames: true }), ["switched", result]);
  }
});

Deno.test("Framer holds no more than four times the limit of a frame, however many headers it has", () => {
  // Empty headers take the most in a frame for what they are as text.
  const message = new NetworkMessage();
  while (message.headers.length < 9) message.addHeader("");
  const [messageBytesMax, frame] = [message.encode().length, encodeFrame(message)];
  assertEquals([messageBytesMax, frame.length], [20, 79]);
  const host = new Host({ messageBytesMax, frames: true });
  assertEquals(host.push(joined(SWITCH, frame.subarray(0, -1))), ["switched"]);
  assertEquals(host.framer.pendingBytes, 4 * messageBytesMax - 2);
  const expected = { headers: Array(9).fill(["", ""]), body: "" } as Result;
  assertEquals(host.push(frame.subarray(-1)), [expected]);
  const longer = joined(SWITCH, encodeFrame(message.setBody("x")).subarray(0, 7));
  assertEquals(together([longer], { messageBytesMax, frames: true }), ["switched", "too-long"]);
});

Deno.test("Framer refuses what cannot be a frame as soon as it says so", () => {
  const table: [head: number[], result: Result[]][] = [
    [[0, 0, 0, 2], ["frame"]], // Less than flags and a number of headers.
    [[0, 0, 0, 3], []],
    [[0, 0, 0, 10, 0, 0, 1], ["frame"]], // Less than its headers take at least.
    [[0, 0, 0, 11, 0, 0, 1], []],
    [[0, 1, 0, 0, 0, 4, 0], []],
    [[0, 1, 0, 0, 0, 4, 1], ["frame"]], // More than 1,024 headers,
    [[255, 255, 255, 255, 0, 4, 1], ["frame"]], // which is said before it is too long.
  ];
  for (const [head, result] of table) {
    const host = new Host({ frames: true });
    assertEquals(host.push(joined(SWITCH, Uint8Array.from(head))), ["switched", ...result]);
    assertEquals(host.framer.pendingBytes, result.length === 0 ? head.length : 0, `${head}`);
  }
});

Deno.test("Framer refuses a frame beyond the limit as soon as it says so", () => {
  const options = { messageBytesMax: 300, frames: true };
  // The limit is that of the same message as text.
  const most = [
    new NetworkMessage("y".repeat(298)),
    new NetworkMessage("y".repeat(286)).addHeader("a", "bc").addHeader("d", "efgh"),
  ];
  for (const message of most) {
    assertEquals(message.encode().length, 300);
    const frame = encodeFrame(message);
    assertEquals(together([SWITCH, frame, frame], options).map(bodyOrWord), [
      "switched",
      message.body,
      message.body,
    ]);
    assertEquals(together([SWITCH, frame], { ...options, messageBytesMax: 299 }), [
      "switched",
      "too-long",
    ]);
  }
  for (const length of [[0, 0, 1, 46], [0, 1, 0, 0], [0x7f, 255, 255, 255], [255, 255, 255, 255]]) {
    const host = new Host(options);
    const head = Uint8Array.of(...length, 0, 0, 0);
    assertEquals(host.push(joined(SWITCH, head)), ["switched", "too-long"]);
  }
});

function bodyOrWord(result: Result): unknown {
  return typeof result === "string" ? result : bodyOf(result);
}

Deno.test("Framer gives frames of every size that arrive in pieces of every size", () => {
  const sizes = [0, 1, 100, 253, 254, 4_000, 4_096, 5_000, 70_000, 3];
  const stream = joined(
    SWITCH,
    ...sizes.map((size) => encodeFrame(new NetworkMessage("z".repeat(size)))),
  );
  for (const size of [1, 3, 250, 256, 1_000, 4_096, 65_536]) {
    const host = new Host({ frames: true });
    const lengths: number[] = [];
    for (let at = 0; at < stream.length; at += size) {
      for (const result of host.push(stream.subarray(at, at + size))) {
        if (result !== "switched") lengths.push(bodyOf(result).length);
      }
    }
    assertEquals(lengths, sizes, `by ${size}`);
    assertEquals(host.framer.pendingBytes, 0);
  }
});
