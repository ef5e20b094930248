import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createMessageClient,
  type MessageClientEngine,
  type MessageClientEngineOptions,
  type MessageClientEvent,
} from "../../../lib/protocols/messages/client.ts";
import { decodeFrame, encodeFrame, LENGTH_BYTES } from "../../../lib/protocols/messages/frame.ts";
import { NetworkMessage } from "../../../lib/protocols/messages/message.ts";
import { LONG_QUIET_MS, QUIET_MS } from "../../../lib/protocols/messages/wire.ts";
import { peerAt } from "../../support/recorder.ts";
import { StreamPlay } from "../../support/stream_recorder.ts";

const MIB = 2 ** 20;
const utf8 = new TextEncoder();
const SWITCH = Uint8Array.of(0xff, 1);

type Sent = ReturnType<MessageClientEngine["send"]>;

/** A client and what happens to it. */
class Seat {
  readonly client: MessageClientEngine;
  readonly play: StreamPlay<MessageClientEvent>;
  readonly server: Peer = peerAt("192.0.2.1:8080");

  constructor(options: MessageClientEngineOptions = {}) {
    this.client = createMessageClient(options);
    this.play = new StreamPlay(this.client);
  }

  /** Connects. */
  open(): this {
    this.play.open(this.server);
    return this;
  }

  receive(chunk: Uint8Array | string): void {
    this.play.receive(typeof chunk === "string" ? utf8.encode(chunk) : chunk, this.server);
  }

  send(message: string | NetworkMessage): Sent {
    const whole = typeof message === "string" ? new NetworkMessage(message) : message;
    return this.client.send(whole, this.play.now, this.play.out);
  }

  sendRaw(text: string): Sent {
    return this.client.sendRaw(text, this.play.now, this.play.out);
  }

  takeBytes(): Uint8Array[] {
    return this.play.out.takeSentTo(this.server);
  }

  takeTexts(): string[] {
    return this.takeBytes().map((bytes) => new TextDecoder().decode(bytes));
  }

  takeEvents(): string[] {
    return this.play.out.takeEvents().map((event) => {
      if (event.kind === "message") return `message ${event.message.body}`;
      return event.kind === "connected" ? event.kind : `disconnected ${event.reason}`;
    });
  }
}

function concat(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const all = parts.map((part) => typeof part === "string" ? utf8.encode(part) : part);
  return Uint8Array.from(all.flatMap((part) => [...part]));
}

function bodyOf(frame: Uint8Array): string | Uint8Array {
  const message = decodeFrame(frame.subarray(LENGTH_BYTES));
  assert(message, `${frame} is no frame`);
  return message.binary ?? message.body;
}

// ---- coming, speaking and going

Deno.test("createMessageClient() tells of its connection, the messages and the end, in this order", () => {
  for (const end of ["closed", "reset"] as const) {
    const seat = new Seat();
    assertEquals([seat.client.remembers(seat.server), seat.client.nextDeadline()], [
      false,
      Infinity,
    ]);
    seat.open();
    assert(seat.client.remembers(seat.server));
    seat.receive("$%one$%two");
    seat.play.receiveMore(utf8.encode(`$%${"x".repeat(1_100)}`), seat.server);
    seat.play.end(seat.server, end);
    const said = ["message one", "message two", `message ${"x".repeat(1_100)}`];
    assertEquals(seat.takeEvents(), ["connected", ...said, `disconnected ${end}`]);
    assertEquals([seat.play.out.sent, seat.play.out.closed], [[], []]);
    seat.receive("$%late");
    seat.play.end(seat.server, "closed");
    seat.play.wait(100_000);
    assertEquals([seat.takeEvents(), seat.client.remembers(seat.server)], [[], false]);
    assertEquals(seat.client.nextDeadline(), Infinity);
  }
});

Deno.test("createMessageClient() is not told anything before it is connected, and says nothing", () => {
  const seat = new Seat();
  seat.receive("$%x");
  seat.play.end(seat.server, "reset");
  seat.play.advance(1);
  const gone: Sent = { ok: false, failure: "gone", reason: "there is no connection" };
  assertEquals([seat.send("x"), seat.sendRaw("x"), seat.client.isFramed], [gone, gone, false]);
  assertEquals([seat.takeEvents(), seat.play.out.sent], [[], []]);
  seat.open();
  seat.play.end(seat.server, "closed");
  assertEquals(seat.send("x"), gone);
});

Deno.test("createMessageClient() has one connection at a time", () => {
  const seat = new Seat().open();
  const other = peerAt("192.0.2.2:8080");
  seat.play.open(other);
  assertEquals([seat.play.out.closed, seat.takeEvents()], [[other], ["connected"]]);
  seat.play.receive(utf8.encode("$%x"), other);
  seat.play.end(other, "reset");
  assertEquals([seat.takeEvents(), seat.client.remembers(seat.server)], [[], true]);
  seat.send("x");
  assertEquals(seat.play.out.sent.map(({ to }) => to), [seat.server]);
});

Deno.test("createMessageClient() gives up a server that cannot be read", () => {
  const refused: [Uint8Array, string][] = [
    [concat("$%a", Uint8Array.of(0xc3), "b"), "utf8"],
    [concat("$%", "x".repeat(99)), "too-long"],
    [concat(SWITCH, Uint8Array.of(0, 0, 0, 1, 0)), "frame"],
  ];
  for (const [bytes, reason] of refused) {
    const seat = new Seat({ messageBytesMax: 100 }).open();
    seat.receive("$%before");
    seat.receive(bytes);
    assertEquals(seat.takeEvents(), ["connected", "message before", `disconnected ${reason}`]);
    assertEquals([seat.play.out.closed, seat.play.out.afterEnd], [[seat.server], []]);
    assertEquals([seat.send("x").ok, seat.client.nextDeadline()], [false, Infinity]);
  }
});

Deno.test("createMessageClient() hears of what cannot be read when the server ends, and of no end besides", () => {
  const seat = new Seat().open();
  seat.play.receiveMore(concat("$%", Uint8Array.of(0xe2)), seat.server);
  seat.play.end(seat.server, "closed");
  assertEquals(seat.takeEvents(), ["connected", "disconnected utf8"]);
});

Deno.test("createMessageClient() stays connected to a server that does not read, and refuses more", () => {
  const seat = new Seat({ queueBytesMax: 1_000 }).open();
  assertEquals(seat.send("a"), { ok: true });
  seat.play.out.setUnsentBytes(seat.server, 998);
  seat.play.wait(1_000);
  assertEquals(seat.send(""), { ok: true });
  for (const sent of [seat.send("x"), seat.sendRaw("raw")]) {
    assert(!sent.ok && sent.failure === "full" && sent.reason !== "", JSON.stringify(sent));
  }
  assertEquals([seat.takeEvents(), seat.play.out.closed], [["connected"], []]);
  assertEquals([seat.client.nextDeadline(), seat.client.remembers(seat.server)], [Infinity, true]);
  // It still hears; and when the server reads again, it is said more.
  seat.receive("$%still here");
  seat.play.out.setUnsentBytes(seat.server, 0);
  seat.play.wait(10);
  assertEquals(seat.send("b"), { ok: true });
  assertEquals(seat.takeTexts(), ["$|||||||%a", "$%", "$%b"]);
  assertEquals([seat.takeEvents(), seat.play.out.afterEnd], [["message still here"], []]);
});

Deno.test("createMessageClient() keeps 4 MiB for its server and takes 1 MiB, unless told otherwise", () => {
  const seat = new Seat().open();
  assertEquals(seat.send("x".repeat(MIB - 2)).ok, true);
  const sent = seat.send("x".repeat(MIB - 1));
  assert(!sent.ok && sent.failure === "unsendable");
  seat.receive(`$%${"x".repeat(MIB - 2)}`);
  seat.play.wait(LONG_QUIET_MS);
  assertEquals(seat.takeEvents().length, 2);
  for (const bytes of [16 * MIB, 4 * MIB]) { // Of a burst; and when it has been behind for a second.
    seat.play.out.setUnsentBytes(seat.server, bytes - 3);
    assertEquals(seat.send("x").ok, true);
    seat.play.out.setUnsentBytes(seat.server, bytes - 2);
    assertEquals(seat.send("x").failure, "full");
    seat.play.wait(1_000);
  }
  assertEquals(seat.takeEvents(), []);
  const other = new Seat().open();
  other.receive(`$%${"x".repeat(MIB - 1)}`);
  assertEquals(other.takeEvents().at(-1), "disconnected too-long");
});

Deno.test("createMessageClient() can be connected again, and begins anew", () => {
  const seat = new Seat().open();
  seat.receive(SWITCH);
  seat.receive(encodeFrame(new NetworkMessage("x")).slice(0, 5));
  assert(seat.client.isFramed);
  seat.play.end(seat.server, "reset");
  seat.takeBytes();
  seat.takeEvents();
  const again = peerAt("192.0.2.1:8080");
  seat.play.open(again);
  assertEquals(seat.client.isFramed, false);
  seat.send("hi");
  seat.play.receive(utf8.encode("$%there"), again);
  assertEquals(seat.takeEvents(), ["connected", "message there"]);
  const texts = seat.play.out.takeSentTo(again).map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(texts, ["$|||||||%hi"]);
});

// ---- sending

Deno.test("createMessageClient() keeps messages 10 ms apart, unless told otherwise", () => {
  for (const gapMs of [undefined, 10, 25]) {
    const seat = new Seat(gapMs === undefined ? {} : { gapMs }).open();
    for (const text of ["a", "b", "c"]) seat.send(text);
    seat.play.wait(1_000);
    const gap = gapMs ?? 10;
    assertEquals(seat.play.out.sent.map(({ at }) => at), [0, gap, 2 * gap]);
    assertEquals(seat.takeTexts(), ["$|||||||%a", "$%b", "$%c"]);
  }
});

Deno.test("createMessageClient() hears and speaks at the same time", () => {
  const seat = new Seat({ gapMs: 50 }).open();
  seat.send("a");
  seat.send("b");
  seat.play.receiveMore(utf8.encode(`$%${"x".repeat(1_100)}`), seat.server);
  assertEquals(seat.client.nextDeadline(), QUIET_MS);
  seat.play.wait(QUIET_MS);
  assertEquals([seat.takeEvents().length, seat.client.nextDeadline()], [2, 50]);
  seat.play.wait(30);
  assertEquals([seat.takeTexts().length, seat.client.nextDeadline()], [2, Infinity]);
});

Deno.test("MessageClientEngine.sendRaw() sends text as it is", () => {
  const seat = new Seat().open();
  assertEquals(seat.sendRaw("hello é"), { ok: true });
  seat.play.wait(10);
  seat.sendRaw("$a:1|%x");
  assertEquals(seat.takeTexts(), ["hello é", "$a:1|%x"]);
});

Deno.test("MessageClientEngine.send() says what has no form, and stays connected", () => {
  const seat = new Seat().open();
  const messages = [new NetworkMessage(new Uint8Array(3)), NetworkMessage.parse("$a$:1|%")];
  for (const message of messages) {
    const sent = seat.send(message);
    assert(!sent.ok && sent.failure === "unsendable");
  }
  seat.send("x");
  assertEquals([seat.takeTexts(), seat.takeEvents()], [["$|||||||%x"], ["connected"]]);
});

// ---- frames

Deno.test("createMessageClient() answers frames with frames, what waits first", () => {
  const seat = new Seat().open();
  for (const text of ["a", "b", "c"]) seat.send(text);
  seat.takeBytes();
  seat.receive(concat("$%text", SWITCH, encodeFrame(new NetworkMessage("frame"))));
  const [first, ...frames] = seat.takeBytes();
  assertEquals([first, frames.map(bodyOf)], [SWITCH, ["b", "c"]]);
  assertEquals(seat.takeEvents(), ["connected", "message text", "message frame"]);
  const binary = Uint8Array.of(0xff, 0);
  assertEquals([seat.send(new NetworkMessage(binary)), seat.client.isFramed], [{ ok: true }, true]);
  assertEquals(seat.takeBytes().map(bodyOf), [binary]);
  seat.receive(encodeFrame(new NetworkMessage(binary)));
  const event = seat.play.out.takeEvents()[0];
  assert(event?.kind === "message");
  assertEquals(event.message.binary, binary);
});

Deno.test("createMessageClient() frames from the beginning when it is told so", () => {
  const seat = new Seat({ framing: "always" }).open();
  assert(seat.client.isFramed);
  seat.send("x");
  const [first, frame] = seat.takeBytes() as [Uint8Array, Uint8Array];
  assertEquals([first, bodyOf(frame)], [SWITCH, "x"]);
  seat.receive(concat(SWITCH, encodeFrame(new NetworkMessage("y"))));
  assertEquals([seat.takeBytes(), seat.takeEvents()], [[], ["connected", "message y"]]);
});

Deno.test("createMessageClient() neither offers nor reads frames when it is told so", () => {
  const seat = new Seat({ framing: "never" }).open();
  seat.send("x");
  assertEquals([seat.takeTexts(), seat.client.isFramed], [["$%x"], false]);
  seat.receive(SWITCH);
  assertEquals(seat.takeEvents(), ["connected", "disconnected utf8"]);
  assertEquals(seat.play.out.sent, []);
});

Deno.test("createMessageClient() takes no offer from a server", () => {
  // Only a client makes one: whoever sends it back as it is, is no netsync.
  const seat = new Seat().open();
  seat.receive("$|||||||%hello");
  assertEquals([seat.client.isFramed, seat.takeBytes()], [false, []]);
  assertEquals(seat.takeEvents(), ["connected", "message hello"]);
});

// ---- listeners that act

Deno.test("createMessageClient() lets a listener answer, also without room for it, and until the end", () => {
  const seat = new Seat({ queueBytesMax: 100 });
  const failures: unknown[] = [];
  seat.play.out.onEvent = (event): void => {
    if (event.kind === "message") failures.push(seat.send(`re ${event.message.body}`).failure);
    if (event.kind === "disconnected") failures.push(seat.send("x").failure);
  };
  seat.open();
  seat.receive("$%a$%b");
  seat.play.wait(100);
  assertEquals(seat.takeTexts(), ["$|||||||%re a", "$%re b"]);
  seat.play.out.setUnsentBytes(seat.server, 400);
  seat.receive("$%c$%d");
  seat.play.wait(100);
  seat.play.out.setUnsentBytes(seat.server, 0);
  seat.receive("$%e");
  assertEquals(seat.takeTexts(), ["$%re e"]);
  seat.play.end(seat.server, "closed");
  assertEquals(seat.takeEvents().slice(3), [
    "message c",
    "message d",
    "message e",
    "disconnected closed",
  ]);
  assertEquals(failures, [undefined, undefined, "full", "full", undefined, "gone"]);
  assertEquals([seat.play.out.closed, seat.play.out.afterEnd], [[], []]);
  assertEquals(seat.client.nextDeadline(), Infinity);
});

Deno.test("createMessageClient() lets a listener connect again when it hears of the end", () => {
  const seat = new Seat();
  const again = peerAt("192.0.2.1:8081");
  seat.play.out.onEvent = (event): void => {
    if (event.kind === "disconnected") seat.play.open(again);
  };
  seat.open();
  seat.play.receiveMore(utf8.encode("$%last"), seat.server);
  seat.play.end(seat.server, "closed");
  assertEquals(seat.takeEvents(), [
    "connected",
    "message last",
    "disconnected closed",
    "connected",
  ]);
  assert(seat.client.remembers(again) && !seat.client.remembers(seat.server));
  seat.play.receive(utf8.encode("$%x"), again);
  assertEquals(seat.takeEvents(), ["message x"]);
});

Deno.test("createMessageClient() sends bytes that nobody else has", () => {
  const seat = new Seat().open();
  seat.send("a");
  seat.play.wait(10);
  seat.send("b");
  const [one, two] = seat.takeBytes() as [Uint8Array, Uint8Array];
  const copy = one.slice();
  seat.play.wait(10);
  seat.send("c");
  assertEquals(one, copy);
  assertStrictEquals(two.length, 3);
});
