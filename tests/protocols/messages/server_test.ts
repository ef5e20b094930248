import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import { decodeFrame, encodeFrame, LENGTH_BYTES } from "../../../lib/protocols/messages/frame.ts";
import { NetworkMessage } from "../../../lib/protocols/messages/message.ts";
import {
  createMessageServer,
  type MessageOutbox,
  type MessageServerEngine,
  type MessageServerEngineOptions,
  type MessageServerEvent,
} from "../../../lib/protocols/messages/server.ts";
import {
  LONG_QUIET_MS,
  QUIET_MS,
  UNFINISHED_QUIET_MS,
} from "../../../lib/protocols/messages/wire.ts";
import { peerAt } from "../../support/recorder.ts";
import { StreamPlay } from "../../support/stream_recorder.ts";

const MIB = 2 ** 20;
const utf8 = new TextEncoder();
const ADA = "198.51.100.1:1";
const BEN = "198.51.100.2:1";
const CYD = "203.0.113.1:1";
const OFFER = "$|||||||%hi";
const SWITCH = Uint8Array.of(0xff, 1);

/** A server and what happens to it. */
class Room {
  readonly server: MessageServerEngine;
  readonly play: StreamPlay<MessageServerEvent>;

  constructor(options: MessageServerEngineOptions = {}) {
    this.server = createMessageServer(options);
    this.play = new StreamPlay(this.server);
  }

  /** Opens a connection; a new peer for every call. */
  open(address: string): Peer {
    const peer = peerAt(address);
    this.play.open(peer);
    return peer;
  }

  receive(chunk: Uint8Array | string, from: Peer): void {
    this.play.receive(typeof chunk === "string" ? utf8.encode(chunk) : chunk, from);
  }

  send(peer: Peer, text: string): ReturnType<MessageServerEngine["send"]> {
    return this.server.send(peer, new NetworkMessage(text), this.play.now, this.play.out);
  }

  sendAll(peers: Iterable<Peer>, text: string): ReturnType<MessageServerEngine["send"]> {
    return this.server.sendAll(peers, new NetworkMessage(text), this.play.now, this.play.out);
  }

  drop(peer: Peer): void {
    this.server.drop(peer, this.play.now, this.play.out);
    this.play.advanceIfDue();
  }

  /** What one peer was sent, as text. */
  takeTo(peer: Peer): string[] {
    return this.play.out.takeSentTo(peer).map((bytes) => new TextDecoder().decode(bytes));
  }

  takeEvents(): string[] {
    return this.play.out.takeEvents().map(lineOf);
  }
}

function lineOf(event: MessageServerEvent): string {
  const { kind, peer } = event;
  if (kind === "connected") return `connected ${peer.address}`;
  if (kind === "message") return `message ${peer.address} ${event.message.body}`;
  return `${kind} ${peer.address} ${event.reason}`;
}

function bodyOf(frame: Uint8Array): string | Uint8Array {
  const message = decodeFrame(frame.subarray(LENGTH_BYTES));
  assert(message, `${frame} is no frame`);
  return message.binary ?? message.body;
}

function concat(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const all = parts.map((part) => typeof part === "string" ? utf8.encode(part) : part);
  return Uint8Array.from(all.flatMap((part) => [...part]));
}

// ---- coming, speaking and going

Deno.test("createMessageServer() tells of a client, its messages and its end, in this order", () => {
  const endings: [string, (room: Room, peer: Peer) => void][] = [
    ["closed", (room, peer) => room.play.end(peer, "closed")],
    ["reset", (room, peer) => room.play.end(peer, "reset")],
    ["dropped", (room, peer) => room.drop(peer)],
    ["idle", (room): void => room.play.wait(5_000)],
    ["slow", (room, peer): void => {
      room.play.out.setUnsentBytes(peer, 16 * MIB);
      room.send(peer, "x");
      room.play.advanceIfDue();
    }],
  ];
  for (const [reason, end] of endings) {
    const room = new Room({ idleMs: 5_000 });
    const ada = room.open(ADA);
    room.receive("$%one$a:1|%two", ada);
    room.play.wait(30);
    room.receive("$%three", ada);
    assert(room.server.remembers(ada));
    end(room, ada);
    const said = [`message ${ADA} one`, `message ${ADA} two`, `message ${ADA} three`];
    const expected = [`connected ${ADA}`, ...said, `disconnected ${ADA} ${reason}`];
    assertEquals(room.takeEvents(), expected);
    const isEndedByUs = reason !== "closed" && reason !== "reset";
    assertEquals(room.play.out.closed, isEndedByUs ? [ada] : []);
    // It is gone, whatever is still heard of it.
    room.receive("$%late", ada);
    room.play.end(ada, "closed");
    room.drop(ada);
    room.play.wait(100_000);
    assertEquals([room.takeEvents(), room.play.out.afterEnd], [[], []], reason);
    assertEquals([room.server.size, room.server.remembers(ada)], [0, false]);
    assertEquals([...room.server.clients], []);
  }
});

Deno.test("createMessageServer() sends away who cannot be read, and nobody else", () => {
  const refused: [Uint8Array, string][] = [
    [concat("$%a", Uint8Array.of(0xc3), "b"), "utf8"],
    [concat("$%", "x".repeat(99)), "too-long"],
    [Uint8Array.of(0xff, 2), "utf8"],
    [concat(SWITCH, Uint8Array.of(0, 0, 0, 1, 0)), "frame"],
    [concat(SWITCH, Uint8Array.of(0, 0, 1, 0, 0, 0, 0)), "too-long"],
  ];
  for (const [bytes, reason] of refused) {
    const room = new Room({ messageBytesMax: 100 });
    const [ada, ben] = [room.open(ADA), room.open(BEN)];
    room.receive("$%before", ada);
    room.takeEvents();
    room.receive(bytes, ada);
    assertEquals(room.takeEvents(), [`refused ${ADA} ${reason}`, `disconnected ${ADA} refused`]);
    assertEquals([room.play.out.closed, [...room.server.clients]], [[ada], [ben]]);
    room.receive("$%still here", ben);
    assertEquals(room.takeEvents(), [`message ${BEN} still here`]);
  }
});

Deno.test("createMessageServer() hears what is left when a client ends, whole or not", () => {
  for (const end of ["closed", "reset"] as const) {
    const room = new Room();
    const ada = room.open(ADA);
    const long = "x".repeat(2_000);
    room.play.receiveMore(utf8.encode(`$%${long}`), ada);
    room.takeEvents();
    room.play.end(ada, end);
    assertEquals(room.takeEvents(), [`message ${ADA} ${long}`, `disconnected ${ADA} ${end}`]);
    const ben = room.open(BEN);
    room.play.receiveMore(utf8.encode("$%ok").subarray(0, 3), ben);
    room.play.receiveMore(Uint8Array.of(0xe2, 0x82), ben);
    room.takeEvents();
    room.play.end(ben, end);
    assertEquals(room.takeEvents(), [`refused ${BEN} utf8`, `disconnected ${BEN} refused`]);
    assertEquals(room.server.size, 0);
  }
});

Deno.test("createMessageServer() delivers what is over, and waits for what may go on", () => {
  const room = new Room();
  const ada = room.open(ADA);
  room.receive("$%short", ada);
  room.receive(`$%${"x".repeat(1_023)}`, ada);
  const take = (): number[] => room.takeEvents().map(({ length }) => length);
  const around = `message ${ADA} `.length;
  room.takeEvents();
  room.play.wait(QUIET_MS - 1);
  assertEquals(take(), []);
  room.play.wait(1);
  assertEquals(take(), [around + 1_023]);
  room.receive("$never:ends", ada);
  room.play.wait(UNFINISHED_QUIET_MS - 1);
  assertEquals(take(), []);
  room.play.wait(1);
  assertEquals(take(), [around + 11]);
  assertEquals(room.server.nextDeadline(), Infinity);
});

Deno.test("createMessageServer() lists who is there in the order of their coming", () => {
  const room = new Room();
  const peers = [ADA, BEN, CYD].map((address) => room.open(address)) as [Peer, Peer, Peer];
  assertEquals([[...room.server.clients], room.server.size], [peers, 3]);
  room.play.end(peers[1], "closed");
  assertEquals([...room.server.clients], [peers[0], peers[2]]);
});

Deno.test("createMessageServer() never speaks of its own accord", () => {
  const room = new Room();
  const ada = room.open(ADA);
  room.receive("$handshake:|%hi", ada);
  room.play.wait(1e8);
  assertEquals([room.play.out.sent, room.server.size], [[], 1]);
});

// ---- limits

Deno.test("createMessageServer() has so many places, and gives them to others again", () => {
  const room = new Room({ connectionsMax: 3 });
  const peers = [ADA, BEN, CYD].map((address) => room.open(address));
  room.takeEvents();
  const late = room.open("192.0.2.9:9");
  assertEquals(room.takeEvents(), ["refused 192.0.2.9:9 full"]);
  assertEquals([room.play.out.closed, room.server.remembers(late)], [[late], false]);
  // Nothing more is said of who was never in.
  room.receive("$%x", late);
  room.play.end(late, "reset");
  assertEquals([room.takeEvents(), room.send(late, "x").ok], [[], false]);
  room.play.end(peers[1]!, "reset");
  room.open("192.0.2.9:10");
  assertEquals(room.takeEvents().at(-1), "connected 192.0.2.9:10");
  room.open("192.0.2.9:11");
  assertEquals(room.takeEvents().at(-1), "refused 192.0.2.9:11 full");
});

Deno.test("createMessageServer() has so many places for one network, and frees each once", () => {
  const room = new Room({ connectionsPerNetworkMax: 2 });
  const last = (): string => room.takeEvents().at(-1)!;
  for (let round = 0; round < 3; round++) {
    const one = room.open("[2001:db8:1:1::1]:1");
    const two = room.open("[2001:db8:1:1::2]:1");
    room.open("[2001:db8:1:1::3]:1");
    assertEquals(last(), "refused [2001:db8:1:1::3]:1 full-network");
    const other = room.open("[2001:db8:1:2::3]:1");
    assertEquals(last(), "connected [2001:db8:1:2::3]:1");
    room.drop(one);
    room.play.end(one, "closed");
    room.drop(one);
    room.play.wait(60_000); // Coming too often is refused for another reason.
    const again = room.open("[2001:db8:1:1::4]:1");
    assertEquals(last(), "connected [2001:db8:1:1::4]:1");
    room.open("[2001:db8:1:1::5]:1");
    assertEquals(last(), "refused [2001:db8:1:1::5]:1 full-network");
    for (const peer of [two, other, again]) room.play.end(peer, "closed");
    assertEquals(room.server.size, 0);
    room.play.wait(60_000);
  }
});

Deno.test("createMessageServer() has 1,024 places, 64 for one network", () => {
  const room = new Room();
  for (let count = 0; count <= 64; count++) room.open(`192.0.2.1:${count}`);
  assertEquals(room.takeEvents().at(-1), "refused 192.0.2.1:64 full-network");
  for (let count = 0; count <= 960; count++) room.open(`10.0.${count}.1:1`);
  assertEquals(room.takeEvents().at(-1), "refused 10.0.960.1:1 full");
  assertEquals(room.server.size, 1_024);
});

Deno.test("createMessageServer() takes messages of 1 MiB, unless told otherwise", () => {
  const room = new Room();
  const ada = room.open(ADA);
  room.takeEvents();
  room.receive(`$%${"x".repeat(MIB - 2)}`, ada);
  room.play.wait(10_000);
  assertEquals(room.takeEvents().map(({ length }) => length > MIB - 2), [true]);
  assertEquals(room.send(ada, "x".repeat(MIB - 2)), { ok: true });
  const sent = room.send(ada, "x".repeat(MIB - 1));
  assert(!sent.ok && sent.failure === "unsendable");
  room.receive(`$%${"x".repeat(MIB - 1)}`, ada);
  assertEquals(room.takeEvents(), [`refused ${ADA} too-long`, `disconnected ${ADA} refused`]);
});

Deno.test("createMessageServer() keeps 64 MiB of what is not whole, for all together", () => {
  const room = new Room();
  const almost = utf8.encode(`$%${"x".repeat(MIB - 2)}`);
  const open = (index: number): Peer => room.open(`10.0.${index}.1:1`);
  const peers = Array.from({ length: 64 }, (_, index) => open(index));
  for (const peer of peers) room.play.receiveMore(almost, peer);
  room.takeEvents();
  assertEquals([room.server.size, room.takeEvents()], [64, []]);
  // One more byte is too much: the first of those that hold the most goes, not the one that sent it.
  const ada = room.open(ADA);
  room.play.receiveMore(utf8.encode("$"), ada);
  const refused = (index: number): string[] => [
    `refused 10.0.${index}.1:1 memory`,
    `disconnected 10.0.${index}.1:1 refused`,
  ];
  assertEquals(room.takeEvents(), [`connected ${ADA}`, ...refused(0)]);
  assertEquals(room.play.out.closed, [peers[0]]);
  // Nothing of the one that was sent away is counted; nor of one that left, or was heard to its end.
  room.play.end(peers[1]!, "reset");
  room.drop(peers[2]!);
  room.play.receiveMore(utf8.encode("$%"), peers[3]!);
  room.takeEvents();
  for (let index = 100; index < 104; index++) room.play.receiveMore(almost.slice(3), open(index));
  room.play.receiveMore(utf8.encode("$"), open(200));
  assert(room.takeEvents().every((line) => line.startsWith("connected")));
  room.play.receiveMore(utf8.encode("$%xxxxxxxxxx"), open(201));
  assertEquals(room.takeEvents(), ["connected 10.0.201.1:1", ...refused(4)]);
  room.play.wait(10_000);
  const heard = room.takeEvents().filter((line) => line.startsWith("message"));
  assertEquals(heard.length, 59 + 4 + 1 + 1 + 1 + 1);
  // All of it was heard: there is room again.
  for (const peer of room.server.clients) room.play.receiveMore(almost.slice(0, 1e6), peer);
  assertEquals(room.takeEvents(), []);
});

Deno.test("createMessageServer() keeps at least four of the longest messages", () => {
  const messageBytesMax = 20 * MIB;
  const room = new Room({ messageBytesMax });
  const longest = new Uint8Array(messageBytesMax).fill(0x78);
  const peers = Array.from({ length: 4 }, (_, index) => room.open(`10.0.${index}.1:1`));
  for (const peer of peers) room.play.receiveMore(longest, peer);
  assertEquals(room.server.size, 4);
  const ada = room.open(ADA);
  room.play.receiveMore(utf8.encode("$"), ada);
  assertEquals([...room.server.clients], [...peers.slice(1), ada]);
});

Deno.test("createMessageServer() refuses who holds the most, and no honest one, whoever it was that came", () => {
  const room = new Room({ bytesHzMax: 1e12 });
  const honest = room.open(ADA);
  room.play.receiveMore(utf8.encode(`$a:${"x".repeat(1_000)}`), honest);
  const frame = new Uint8Array(MIB - 1);
  frame.set(concat(SWITCH, Uint8Array.of(0, 16, 0, 0, 0, 0, 0)));
  // Ten times as much as may be, all of it from who never ends what it says.
  for (let count = 0; count < 640; count++) {
    room.play.receiveMore(frame, room.open(`10.0.${count}.1:1`));
    room.play.receiveMore(utf8.encode("x"), honest);
  }
  const events = room.takeEvents();
  const refused = events.filter((line) => line.startsWith("refused"));
  assert(refused.length > 500 && refused.every((line) => line.endsWith(" memory")), refused[0]);
  assert(room.server.remembers(honest), "it was sent away");
  room.play.receiveMore(utf8.encode("|%whole"), honest);
  room.play.wait(LONG_QUIET_MS);
  assertEquals(room.takeEvents(), [`message ${ADA} whole`]);
});

Deno.test("createMessageServer() has no limit that is not above 0, and no gap below", () => {
  const names = [
    ...["connectionsMax", "connectionsPerNetworkMax", "messageBytesMax", "queueBytesMax"],
    ...["idleMs", "messagesHzMax", "bytesHzMax", "deliveriesHzMax"],
  ];
  for (const value of [0, -1, NaN, -Infinity]) {
    for (const name of names) {
      assertThrows(() => createMessageServer({ [name]: value }), RangeError, name);
    }
  }
  for (const gapMs of [-1, -Number.MIN_VALUE, NaN]) {
    assertThrows(() => createMessageServer({ gapMs }), RangeError, "gapMs");
  }
  createMessageServer({ ...Object.fromEntries(names.map((name) => [name, 1])), gapMs: 0 });
  createMessageServer(Object.fromEntries(names.map((name) => [name, Infinity])));
});

// ---- room for others

Deno.test("createMessageServer() sends away who has had to wait for 5 s, when its place is needed", () => {
  for (const waitMs of [4_999, 5_001]) {
    const room = new Room({ connectionsMax: 2, messagesHzMax: 0.1 });
    const [ben, ada] = [room.open(BEN), room.open(ADA)];
    room.receive("$%x", ada); // For ten seconds, of which it was one ahead.
    room.play.wait(waitMs);
    assertEquals([room.server.size, room.play.out.isReading(ada)], [2, false]);
    room.takeEvents();
    const cyd = room.open(CYD);
    if (waitMs < 5_000) {
      assertEquals(room.takeEvents(), [`refused ${CYD} full`]);
      assertEquals([[...room.server.clients], room.play.out.closed], [[ben, ada], [cyd]]);
      continue;
    }
    const events = room.takeEvents();
    const expected = [`refused ${ADA} rate`, `connected ${CYD}`, `disconnected ${ADA} refused`];
    assertEquals(events.toSorted(), expected.toSorted());
    assertEquals(events[0], expected[0]);
    assertEquals([[...room.server.clients], room.play.out.closed], [[ben, cyd], [ada]]);
    assertEquals(room.server.nextDeadline(), Infinity);
    // Nobody else has to wait: there is no more room.
    room.open("192.0.2.9:9");
    assertEquals(room.takeEvents(), ["refused 192.0.2.9:9 full"]);
    assertEquals(room.play.out.afterEnd, []);
  }
});

Deno.test("createMessageServer() makes room by who has the most to say, of those who had to wait", () => {
  const room = new Room({ connectionsMax: 2, messagesHzMax: 0.1 });
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.receive("$%x$%y", ada);
  room.receive("$%x".repeat(100), ben);
  room.play.wait(6_000);
  room.open(CYD);
  assertEquals([[...room.server.clients].includes(ada), room.play.out.closed], [true, [ben]]);
});

Deno.test("createMessageServer() makes room by who never said a word, of the network that has most", () => {
  const room = new Room({ connectionsMax: 4 });
  const speaker = room.open("192.0.2.9:3");
  const holders = [1, 2].map((port) => room.open(`192.0.2.9:${port}`));
  const ada = room.open(ADA);
  room.receive("$%x", speaker);
  room.takeEvents();
  room.play.wait(1_999);
  room.open(BEN);
  assertEquals(room.takeEvents(), [`refused ${BEN} full`], "they have just come");
  room.play.wait(1);
  room.open("192.0.2.9:4");
  assertEquals(room.takeEvents(), ["refused 192.0.2.9:4 full"], "it has more neighbours itself");
  const ben = room.open(BEN);
  assertEquals([...room.server.clients], [speaker, holders[1], ada, ben]);
  // Now nobody who is mute has more neighbours than a newcomer of its own, but one.
  room.open(CYD);
  assertEquals([...room.server.clients].includes(ada), true, "who only listens is let be");
});

Deno.test("createMessageServer() sends nobody away for what its network has to pay, nor while there is room", () => {
  const room = new Room({ connectionsMax: 2, messagesHzMax: 0.1, bytesHzMax: 1 });
  const [ada, ben] = [room.open(ADA), peerAt(BEN)];
  room.play.receiveMore(utf8.encode(`$%${"x".repeat(100)}`), ada);
  assert(!room.play.out.isReading(ada));
  room.play.open(ben);
  room.open(CYD);
  assertEquals(room.takeEvents().slice(1), [`connected ${BEN}`, `refused ${CYD} full`]);
  const free = new Room({ connectionsMax: 2, messagesHzMax: 0.1 });
  free.receive("$%x", free.open(ADA));
  free.open(BEN);
  assertEquals(free.server.size, 2);
});

Deno.test("createMessageServer() counts nothing of a client that a listener sends away", () => {
  const room = roomThat((room, event, out) => {
    if (event.kind === "message") room.server.drop(event.peer, room.play.now, out);
  });
  const rest = new Uint8Array(MIB);
  rest.set(Uint8Array.of(0, 15, 255, 255)); // A frame that is not whole.
  for (let count = 0; count < 66; count++) {
    const chunk = new Uint8Array(100 + rest.length);
    const first = concat(SWITCH, frameOf("x"));
    chunk.set(first);
    chunk.set(rest, first.length);
    room.receive(chunk.subarray(0, first.length + rest.length), room.open(`10.0.${count}.1:1`));
  }
  assertEquals(room.takeEvents().filter((line) => line.startsWith("refused")), []);
  room.play.receiveMore(utf8.encode("$"), room.open(ADA));
  assertEquals(room.takeEvents().at(-1), `connected ${ADA}`);
});

// ---- idle

Deno.test("createMessageServer() sends nobody away for being silent, unless told to", () => {
  const room = new Room();
  room.open(ADA);
  assertEquals(room.server.nextDeadline(), Infinity);
  room.play.wait(1e9);
  assertEquals(room.server.size, 1);
});

Deno.test("createMessageServer() counts the silence of a client from the last it sent", () => {
  const room = new Room({ idleMs: 1_000 });
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.play.wait(600);
  room.receive("$%x", ada);
  room.takeEvents();
  room.play.wait(399);
  room.send(ben, "are you there?");
  assertEquals(room.takeEvents(), []);
  room.play.wait(1);
  assertEquals(room.takeEvents(), [`disconnected ${BEN} idle`]);
  room.play.wait(599);
  room.receive("$", ada); // Not even a message.
  room.play.wait(999);
  assertEquals([room.takeEvents(), room.play.out.closed], [[], [ben]]);
  room.play.wait(1);
  assertEquals(room.takeEvents(), [`disconnected ${ADA} idle`]);
});

Deno.test("createMessageServer() takes no client for silent that it does not read", () => {
  const room = new Room({ idleMs: 5_000, messagesHzMax: 10 });
  const ada = room.open(ADA);
  room.receive("$%x".repeat(200), ada);
  assert(!room.play.out.isReading(ada));
  room.play.wait(18_000);
  assertEquals(room.server.size, 1, "it was sent away while it was not heard");
  room.play.wait(2_000);
  assert(room.play.out.isReading(ada));
});

// ---- rates

Deno.test("createMessageServer() reads no faster than a client may send, and loses nothing", () => {
  const room = new Room({ messagesHzMax: 100 });
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.play.wait(10_000); // Nothing is saved up.
  room.takeEvents();
  let [read, written] = [0, 0];
  for (let ms = 0; ms < 10_000; ms++) {
    written++; // A thousand a second.
    if (room.play.out.isReading(ada)) {
      const count = Math.min(10, written - read); // As much as fits into one read.
      room.receive(Array.from({ length: count }, () => `$%${read++}`).join(""), ada);
    }
    room.play.wait(1);
  }
  const heard = room.takeEvents();
  const expected = Array.from({ length: heard.length }, (_, count) => `message ${ADA} ${count}`);
  assertEquals(heard, expected);
  // A second's worth at once, then the rate; what was in the last read comes on top.
  assert(heard.length >= 1_090 && heard.length <= 1_110, `${heard.length}`);
  assert(room.play.out.isReading(ben));
  assertEquals(room.play.out.readings.some(({ peer }) => peer === ben), false);
});

Deno.test("createMessageServer() reads again as soon as what was sent is paid for", () => {
  const room = new Room({ messagesHzMax: 100 });
  const ada = room.open(ADA);
  room.receive("$%x".repeat(99), ada);
  assert(room.play.out.isReading(ada), "almost a second's worth at once");
  room.receive("$%x".repeat(50), ada);
  room.receive("$%x".repeat(50), ada); // It was read before anybody could stop it.
  assert(!room.play.out.isReading(ada));
  room.play.wait(900);
  assert(!room.play.out.isReading(ada));
  room.play.wait(200);
  assert(room.play.out.isReading(ada));
  room.play.wait(LONG_QUIET_MS); // Only now is it known that nothing follows.
  assertEquals(room.takeEvents().length, 1 + 199);
  assertEquals(room.server.nextDeadline(), Infinity);
});

Deno.test("createMessageServer() counts bytes as well, whole messages or not", () => {
  const room = new Room({ bytesHzMax: 10_000 });
  const ada = room.open(ADA);
  room.play.receiveMore(utf8.encode(`$%${"x".repeat(9_998)}`), ada);
  assert(room.play.out.isReading(ada));
  room.play.receiveMore(new Uint8Array(5_000).fill(0x78), ada);
  room.play.wait(499);
  assert(!room.play.out.isReading(ada));
  room.play.wait(2);
  assert(room.play.out.isReading(ada));
  room.play.wait(LONG_QUIET_MS); // Only now is it known that nothing follows.
  const heard = room.takeEvents().filter((line) => line.startsWith("message"));
  assertEquals(heard.map(({ length }) => length), [`message ${ADA} `.length + 14_998]);
});

Deno.test("createMessageServer() counts the bytes of all clients of a network together", () => {
  const room = new Room({ bytesHzMax: 10_000 });
  const [ada, neighbour, ben] = [room.open(ADA), room.open(ADA), room.open(BEN)];
  room.play.receiveMore(utf8.encode(`$%${"x".repeat(9_998)}`), ada);
  assertEquals(room.play.out.readings, []);
  room.play.receiveMore(utf8.encode(`$%${"x".repeat(9_998)}`), ben);
  assertEquals(room.play.out.readings, []);
  room.play.receiveMore(utf8.encode("$%x"), neighbour);
  assertEquals(room.play.out.readings.map(({ peer }) => peer), [neighbour]);
});

Deno.test("createMessageServer() reads 1,000 messages and 8 MiB a second, unless told otherwise", () => {
  const room = new Room({ messageBytesMax: 16 * MIB });
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.receive("$%x".repeat(999), ada);
  for (let count = 0; count < 8; count++) room.play.receiveMore(new Uint8Array(MIB), ben);
  assertEquals(room.play.out.readings, []);
  room.receive("$%x$%x$%x", ada);
  room.play.receiveMore(Uint8Array.of(0), ben);
  assertEquals(room.play.out.readings.map(({ peer }) => peer), [ada, ben]);
});

Deno.test("createMessageServer() tells nothing about reading to who was sent away for what it sent", () => {
  const room = new Room({ bytesHzMax: 10 });
  const ada = room.open(ADA);
  room.receive(concat(SWITCH, Uint8Array.of(255, 255), "x".repeat(100)), ada);
  room.play.wait(100_000);
  assertEquals(room.takeEvents().at(-1), `disconnected ${ADA} refused`);
  assertEquals(room.play.out.afterEnd, []);
});

Deno.test("createMessageServer() hears no faster than a client may say, also what was read at once", () => {
  const room = new Room({ messagesHzMax: 100 });
  const ada = room.open(ADA);
  room.takeEvents();
  room.receive(Array.from({ length: 300 }, (_, count) => `$%${count}`).join(""), ada);
  const first = room.takeEvents();
  assert(first.length >= 99 && first.length <= 101, `${first.length}`);
  room.play.wait(1_000);
  const second = room.takeEvents();
  assert(second.length >= 99 && second.length <= 102, `${second.length}`);
  room.play.wait(2_000);
  const all = [...first, ...second, ...room.takeEvents()];
  assertEquals(all, Array.from({ length: 300 }, (_, count) => `message ${ADA} ${count}`));
  assert(room.play.out.isReading(ada));
});

Deno.test("createMessageServer() hears all that is left of a client that ends while it waits, not of one that is just gone", () => {
  const room = new Room({ messagesHzMax: 100 });
  const ada = room.open(ADA);
  room.receive("$%x".repeat(300), ada);
  room.play.end(ada, "closed");
  const events = room.takeEvents();
  assertEquals([events.length, events.at(-1)], [302, `disconnected ${ADA} closed`]);
  const ben = room.open(BEN);
  room.play.receiveMore(utf8.encode("$%x".repeat(90)), ben);
  room.play.receiveMore(utf8.encode("$%x".repeat(9)), ben);
  room.play.receiveMore(utf8.encode("$%x$%y$%z"), ben);
  room.play.end(ben, "reset");
  assertEquals(room.takeEvents().slice(-2), [`message ${BEN} y`, `disconnected ${BEN} reset`]);
  assertEquals([room.play.out.afterEnd, room.server.nextDeadline()], [[], Infinity]);
});

Deno.test("createMessageServer() says nothing to a client that is sent away for what it cost", () => {
  const server: MessageServerEngine = createMessageServer({
    messagesHzMax: 1,
    onMessage: (peer, _message, now, out): void => server.drop(peer, now, out),
  });
  const [play, ada] = [new StreamPlay(server), peerAt(ADA)];
  play.open(ada);
  play.receive(utf8.encode("$%x$%y$%z"), ada);
  assertEquals([play.out.closed, play.out.afterEnd], [[ada], []]);
});

Deno.test("createMessageServer() counts the silence of a client from when it was read again", () => {
  const room = new Room({ idleMs: 5_000, messagesHzMax: 0.1 });
  const ada = room.open(ADA);
  room.receive("$%x$%y", ada);
  room.play.wait(18_000);
  assertEquals([room.server.size, room.play.out.isReading(ada)], [1, false]);
  room.play.wait(2_000);
  assert(room.play.out.isReading(ada));
  room.takeEvents();
  room.play.wait(3_990);
  assertEquals(room.takeEvents(), []);
  room.play.wait(20);
  assertEquals(room.takeEvents(), [`disconnected ${ADA} idle`]);
});

Deno.test("createMessageServer() lets a network wait for what it had sent to others", () => {
  const server: MessageServerEngine = createMessageServer({
    deliveriesHzMax: 10,
    onMessage: (peer, message, now, out): void => {
      out.emit({ kind: "message", peer, message });
      for (let count = 0; count < 30; count++) server.send(peer, message, now, out);
    },
  });
  const play = new StreamPlay(server);
  const [ada, ben, again] = [ADA, BEN, ADA].map(peerAt) as [Peer, Peer, Peer];
  const heard = (): string[] =>
    play.out.takeEvents().map(lineOf).filter((line) => line.startsWith("message"));
  play.open(ada, ben);
  play.receive(utf8.encode("$%a$%b"), ada);
  assertEquals([heard(), play.out.isReading(ada)], [[`message ${ADA} a`], false]);
  play.receive(utf8.encode("$%c"), ben);
  assertEquals(heard(), [`message ${BEN} c`]);
  play.end(ada, "reset");
  heard();
  play.wait(500);
  play.open(again); // Coming again pays nothing.
  play.receive(utf8.encode("$%d$%e"), again);
  assertEquals(heard(), []);
  play.wait(60_000);
  assertEquals(heard(), [`message ${ADA} d`, `message ${ADA} e`]);
});

Deno.test("createMessageServer() counts each KiB of a long message as one more that is sent", () => {
  // A tenth of a second ahead, at 100 a second: ten.
  for (const [bytes, count] of [[0, 10], [1_021, 10], [1_022, 5], [4 * 1_024, 2], [1e5, 1]]) {
    const body = "x".repeat(bytes!);
    const server: MessageServerEngine = createMessageServer({
      deliveriesHzMax: 100,
      onMessage: (peer, _message, now, out): void => {
        server.send(peer, new NetworkMessage(body), now, out);
      },
    });
    const [play, ada] = [new StreamPlay(server), peerAt(ADA)];
    play.open(ada);
    for (let said = 1; said <= count!; said++) {
      assert(play.out.isReading(ada), `${said} of ${bytes} bytes`);
      play.receive(utf8.encode("$%x"), ada);
    }
    if (bytes! < 2_000) {
      assert(play.out.isReading(ada), `${bytes} bytes`);
      play.receive(utf8.encode("$%x"), ada);
    }
    assertEquals(play.out.isReading(ada), bytes === 4_096, `${bytes} bytes`);
    if (bytes !== 4_096) continue;
    play.receive(utf8.encode("$%x"), ada);
    assert(!play.out.isReading(ada));
  }
});

Deno.test("createMessageServer() lets networks share what it sends, when there are more than two", () => {
  const pauses: number[] = [];
  for (const networks of [1, 2, 4, 8]) {
    const server: MessageServerEngine = createMessageServer({
      deliveriesHzMax: 1_000,
      onMessage: (peer, message, now, out): void => {
        for (let count = 0; count < 300; count++) server.send(peer, message, now, out);
      },
    });
    const play = new StreamPlay(server);
    const peers = Array.from({ length: networks }, (_, index) => peerAt(`10.0.${index}.1:1`));
    play.open(...peers);
    for (const peer of peers) play.receive(utf8.encode("$%x"), peer);
    const last = peers.at(-1)!;
    assert(!play.out.isReading(last));
    while (!play.out.isReading(last)) play.wait(1);
    pauses.push(play.now);
  }
  assertEquals(pauses, [200, 200, 500, 1_100]);
});

Deno.test("createMessageServer() lets a network come so often, and no more", () => {
  const room = new Room({ connectionsPerNetworkMax: 2 });
  for (let count = 0; count < 2; count++) room.play.end(room.open(ADA), "closed");
  room.takeEvents();
  const late = room.open(ADA);
  assertEquals([room.takeEvents(), room.play.out.closed], [[`refused ${ADA} rate`], [late]]);
  room.open(BEN);
  assertEquals(room.takeEvents(), [`connected ${BEN}`]);
  room.play.wait(5_000);
  room.open(ADA);
  assertEquals(room.takeEvents(), [`connected ${ADA}`]);
});

// ---- sending

Deno.test("createMessageServer() keeps messages apart for each client on its own", () => {
  const room = new Room();
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  for (const text of ["a", "b", "c"]) room.sendAll(room.server.clients, text);
  assertEquals([room.takeTo(ada), room.takeTo(ben)], [["$%a"], ["$%a"]]);
  room.play.wait(20);
  assertEquals([room.takeTo(ada), room.takeTo(ben)], [["$%b"], ["$%b"]]);
  room.play.wait(19);
  assertEquals(room.play.out.sent, []);
  room.play.wait(1);
  assertEquals([room.takeTo(ada), room.takeTo(ben)], [["$%c"], ["$%c"]]);
  const quick = new Room({ gapMs: 5 });
  const cyd = quick.open(CYD);
  for (const text of ["a", "b"]) quick.send(cyd, text);
  quick.play.wait(5);
  assertEquals(quick.takeTo(cyd), ["$%a", "$%b"]);
});

Deno.test("MessageServerEngine.sendAll() encodes once for all of one form", () => {
  const room = new Room();
  const texts = [room.open(ADA), room.open(BEN)];
  const frames = [room.open(CYD), room.open("203.0.113.2:1")];
  for (const peer of frames) room.receive(OFFER, peer);
  room.play.out.takeSent();
  let encodings = 0;
  class Counted extends NetworkMessage {
    override encode(): Uint8Array {
      encodings++;
      return super.encode();
    }
  }
  room.server.sendAll([...texts, ...frames], new Counted("hi"), room.play.now, room.play.out);
  const [one, two, three, four] = room.play.out.takeSent().map(({ bytes }) => bytes);
  assertStrictEquals(one, two);
  assertStrictEquals(three, four);
  assertEquals([one, three], [utf8.encode("$%hi"), encodeFrame(new NetworkMessage("hi"))]);
  assertEquals(encodings, 1);
});

Deno.test("MessageServerEngine.send() says when nobody is there", () => {
  const room = new Room();
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.play.end(ada, "closed");
  const gone = { ok: false, failure: "gone", reason: "the client is not connected any more" };
  assertEquals(room.send(ada, "x"), gone as ReturnType<Room["send"]>);
  assertEquals(room.send(peerAt(ADA), "x").ok, false);
  // The others are sent it all the same.
  assertEquals(room.sendAll([ada, ben, ada], "x"), gone as ReturnType<Room["send"]>);
  assertEquals(room.takeTo(ben), ["$%x"]);
  assertEquals(room.sendAll([], "x"), { ok: true });
  assertEquals(room.server.isFramed(ada), false);
});

Deno.test("MessageServerEngine.send() sends a client away that does not read", () => {
  const room = new Room({ queueBytesMax: 1_000 });
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.send(ada, "first");
  room.play.out.setUnsentBytes(ada, 997);
  room.play.wait(1_000);
  assertEquals(room.send(ada, "x"), { ok: true });
  room.takeEvents();
  const sent = room.send(ada, "xx");
  assert(!sent.ok && sent.failure === "full", JSON.stringify(sent));
  assertEquals([room.play.out.closed, room.server.size], [[ada], 1]);
  // Nobody is told within the call, but as soon as the host can.
  assertEquals([room.takeEvents(), room.server.nextDeadline()], [[], -Infinity]);
  room.play.wait(0);
  assertEquals(room.takeEvents(), [`disconnected ${ADA} slow`]);
  assertEquals(room.server.nextDeadline(), Infinity);
  room.play.out.setUnsentBytes(ben, 1);
  assertEquals(room.sendAll([ben], "x".repeat(4_000)).ok, false);
  assertEquals(room.server.size, 0);
});

Deno.test("MessageServerEngine.send() keeps 4 MiB for a client, 16 MiB of a burst, unless told otherwise", () => {
  for (const [waitMs, bytes] of [[0, 16 * MIB], [999, 16 * MIB], [1_000, 4 * MIB]] as const) {
    const room = new Room();
    const ada = room.open(ADA);
    room.send(ada, "first");
    room.play.out.setUnsentBytes(ada, 1);
    room.play.wait(waitMs);
    const waiting = waitMs === 0 ? 64 + 3 : 0;
    room.play.out.setUnsentBytes(ada, bytes - 3);
    assertEquals(room.send(ada, "x").ok, true);
    room.play.out.setUnsentBytes(ada, bytes - 2 - waiting);
    const sent = room.send(ada, "x");
    assert(!sent.ok && sent.failure === "full", `after ${waitMs} ms`);
    room.play.wait(0);
    assertEquals(room.takeEvents().at(-1), `disconnected ${ADA} slow`);
  }
});

Deno.test("MessageServerEngine.send() drops nobody for a burst who reads", () => {
  const room = new Room({ queueBytesMax: 10_000 });
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.receive(OFFER, ben);
  for (let burst = 0; burst < 20; burst++) {
    let unsentBytes = 0;
    for (let count = 0; count < 39; count++) {
      for (const peer of [ada, ben]) assertEquals(room.send(peer, "x".repeat(900)), { ok: true });
      room.play.out.setUnsentBytes(ben, unsentBytes += 1_000);
    }
    room.play.wait(900);
    room.play.out.setUnsentBytes(ben, 0); // All of it has been read.
    room.play.wait(600);
  }
  assertEquals([[...room.server.clients], room.takeTo(ada).length], [[ada, ben], 20 * 39]);
});

Deno.test("MessageServerEngine.sendAll() gives the first reason, unless one is unsendable, and sends to everybody else", () => {
  const room = new Room({ queueBytesMax: 100 });
  const [ada, ben, cyd] = [ADA, BEN, CYD].map((address) => room.open(address)) as [
    Peer,
    Peer,
    Peer,
  ];
  room.receive(OFFER, cyd);
  room.play.out.takeSent();
  const message = new NetworkMessage(Uint8Array.of(1, 2));
  const sendBinary = (...peers: Peer[]): unknown =>
    room.server.sendAll(peers, message, room.play.now, room.play.out).failure;
  assertEquals(sendBinary(ada, cyd, ben), "unsendable");
  assertEquals(room.play.out.takeSent().map(({ to, bytes }) => [to, bodyOf(bytes)]), [
    [cyd, Uint8Array.of(1, 2)],
  ]);
  room.play.out.setUnsentBytes(ben, 400);
  const slow = room.sendAll([ben, peerAt(ADA), cyd], "x");
  assert(!slow.ok && slow.failure === "full");
  assertEquals(room.play.out.takeSent().map(({ to }) => to), [cyd]);
  assertEquals(room.server.size, 2);
  assertEquals(room.sendAll([peerAt(ADA), ada], "x").failure, "gone");
  // What can be sent to nobody like that is said, whatever else there is to say.
  room.play.out.setUnsentBytes(cyd, 400);
  assertEquals(sendBinary(ben, cyd, ada), "unsendable");
  assertEquals([...room.server.clients], [ada]);
});

Deno.test("MessageServerEngine.send() of what has no form harms nobody", () => {
  const room = new Room();
  const ada = room.open(ADA);
  for (const message of [NetworkMessage.parse("$a$:1|%"), new NetworkMessage(new Uint8Array(1))]) {
    const sent = room.server.send(ada, message, room.play.now, room.play.out);
    assert(!sent.ok && sent.failure === "unsendable" && sent.reason !== "");
  }
  assertEquals([room.play.out.sent, room.server.size], [[], 1]);
  assertEquals(room.server.nextDeadline(), Infinity);
});

Deno.test("MessageServerEngine.setReading() lets each have its turn, beginning behind who was heard last", () => {
  const room = roomThat((room, event, out) => {
    // As much as is wanted at once.
    if (event.kind === "message") room.server.setReading(false, room.play.now, out);
  });
  const peers = [ADA, BEN, CYD].map((address) => room.open(address));
  room.server.setReading(false, room.play.now, room.play.out);
  for (const peer of peers) room.play.receiveMore(utf8.encode("$%1$%2$%3$%4$%5"), peer);
  room.takeEvents();
  const turns: string[] = [];
  for (let turn = 0; turn < 9; turn++) {
    room.server.setReading(true, room.play.now, room.play.out);
    room.play.wait(1);
    turns.push(...room.takeEvents());
  }
  const round = (text: string): string[] => [ADA, BEN, CYD].map((at) => `message ${at} ${text}`);
  assertEquals(turns, [...round("1"), ...round("2"), ...round("3")]);
});

Deno.test("MessageServerEngine.drop() lets leave what was sent before", () => {
  const room = new Room();
  const ada = room.open(ADA);
  for (const text of ["you", "are", "banned"]) room.send(ada, text);
  room.drop(ada);
  room.play.wait(1_000);
  assertEquals(room.takeTo(ada).join(""), "$%you$%are$%banned");
  assertEquals(room.play.out.afterEnd, []);
});

Deno.test("MessageServerEngine.drop() hears nothing more, and ends a connection once", () => {
  for (const isEnded of [false, true]) {
    const room = new Room();
    const ada = room.open(ADA);
    room.play.receiveMore(utf8.encode("$%half"), ada);
    for (const text of ["a", "b", "c"]) room.send(ada, text);
    room.takeEvents();
    room.drop(ada);
    room.drop(ada);
    room.receive("$%x$%y", ada);
    const sent = room.send(ada, "d");
    assert(!sent.ok && sent.failure === "gone");
    assertEquals(room.takeEvents(), []);
    if (isEnded) room.play.end(ada, "reset");
    else room.play.wait(1_000);
    assertEquals(room.takeEvents(), [`disconnected ${ADA} dropped`]);
    assertEquals(room.takeTo(ada), ["$%a", "$%b", "$%c"]);
    assertEquals([room.play.out.closed, room.play.out.afterEnd], [isEnded ? [] : [ada], []]);
    assertEquals([room.server.size, room.server.nextDeadline()], [0, Infinity]);
  }
});

Deno.test("MessageServerEngine.flush() sends at once what waits for its gap", () => {
  const room = new Room();
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  for (const text of ["a", "b", "c"]) room.sendAll([ada, ben], text);
  room.server.flush!(room.play.out);
  assertEquals([room.takeTo(ada), room.takeTo(ben)], [["$%a", "$%b", "$%c"], [
    "$%a",
    "$%b",
    "$%c",
  ]]);
  room.play.wait(1_000);
  assertEquals([room.play.out.sent, room.server.nextDeadline()], [[], Infinity]);
});

Deno.test("createMessageServer() still sends what a listener says to a client that has ended", () => {
  const server: MessageServerEngine = createMessageServer({
    onMessage(peer, _message, now, out): void {
      for (const text of ["one", "two"]) server.send(peer, new NetworkMessage(text), now, out);
    },
  });
  const [play, ada] = [new StreamPlay(server), peerAt(ADA)];
  play.open(ada);
  play.receiveMore(utf8.encode("$%bye"), ada);
  play.end(ada, "closed");
  const texts = play.out.sent.map(({ bytes }) => new TextDecoder().decode(bytes));
  assertEquals(texts, ["$%one", "$%two"]);
});

// ---- frames

Deno.test("createMessageServer() answers an offer with frames, what waits first", () => {
  const room = new Room();
  const ada = room.open(ADA);
  room.send(ada, "a");
  room.send(ada, "b");
  assertEquals([room.takeTo(ada), room.server.isFramed(ada)], [["$%a"], false]);
  room.receive(OFFER, ada);
  const [first, ...frames] = room.play.out.takeSentTo(ada);
  assertEquals([first, frames.map(bodyOf)], [SWITCH, ["b"]]);
  assert(room.server.isFramed(ada));
  assertEquals(room.takeEvents().at(-1), `message ${ADA} hi`);
  room.send(ada, "c");
  room.send(ada, "d");
  assertEquals(room.play.out.takeSentTo(ada).map(bodyOf), ["c", "d"]);
});

Deno.test("createMessageServer() has switched before it tells of the message with the offer", () => {
  const server: MessageServerEngine = createMessageServer({
    onMessage: (peer, message, now, out): void => {
      server.send(peer, message, now, out);
    },
  });
  const [play, ada] = [new StreamPlay(server), peerAt(ADA)];
  play.open(ada);
  play.receive(utf8.encode(OFFER), ada);
  const [first, second] = play.out.takeSentTo(ada) as [Uint8Array, Uint8Array];
  assertEquals([first, bodyOf(second)], [SWITCH, "hi"]);
});

Deno.test("createMessageServer() reads frames behind text, and text no more", () => {
  const room = new Room();
  const ada = room.open(ADA);
  room.receive(OFFER, ada);
  room.takeEvents();
  const binary = new NetworkMessage(Uint8Array.of(0xff, 1, 0x24, 0x25));
  const frames = concat(encodeFrame(new NetworkMessage("$%é")), encodeFrame(binary));
  const bytes = concat("$%text", SWITCH, frames);
  for (const byte of bytes) room.play.receiveMore(Uint8Array.of(byte), ada);
  const heard = room.play.out.takeEvents().map((event) => {
    assert(event.kind === "message");
    return event.message.binary ?? event.message.body;
  });
  assertEquals(heard, ["text", "$%é", Uint8Array.of(0xff, 1, 0x24, 0x25)]);
});

Deno.test("createMessageServer() takes frames from a client that did not ask", () => {
  const room = new Room();
  const ada = room.open(ADA);
  room.receive(concat(SWITCH, encodeFrame(new NetworkMessage("x"))), ada);
  assertEquals(room.takeEvents().at(-1), `message ${ADA} x`);
  assertEquals(room.play.out.takeSentTo(ada), [SWITCH]);
});

Deno.test("createMessageServer() takes only a client's first message for an offer", () => {
  const room = new Room();
  for (const first of ["$%first", "first", "$||||||%six bars"]) {
    const ada = room.open(ADA);
    room.receive(first, ada);
    room.receive(OFFER, ada);
    assertEquals([room.server.isFramed(ada), room.takeTo(ada)], [false, []]);
    room.play.end(ada, "closed");
  }
});

Deno.test("createMessageServer() knows no frames when it is told so", () => {
  const room = new Room({ framing: "never" });
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.receive(OFFER, ada);
  room.send(ada, "x");
  assertEquals([room.takeTo(ada), room.server.isFramed(ada)], [["$%x"], false]);
  room.takeEvents();
  room.receive(concat(SWITCH, encodeFrame(new NetworkMessage("x"))), ben);
  assertEquals(room.takeEvents(), [`refused ${BEN} utf8`, `disconnected ${BEN} refused`]);
});

Deno.test("createMessageServer() ends no client for who a listener is that sends it away", () => {
  // Frames, and text that waits for its end: nothing of either is heard behind the one that did it.
  const server: MessageServerEngine = createMessageServer({
    onMessage: (peer, message, now, out): void => {
      out.emit({ kind: "message", peer, message });
      server.drop(peer, now, out);
    },
  });
  for (const bytes of ["$%a$%b$%c", concat(SWITCH, ...["a", "b"].map(frameOf))]) {
    const [play, ada] = [new StreamPlay(server), peerAt(ADA)];
    play.open(ada);
    play.receive(concat(bytes), ada);
    assertEquals(play.out.takeEvents().map(lineOf).slice(1), [
      `message ${ADA} a`,
      `disconnected ${ADA} dropped`,
    ]);
    assertEquals([server.size, server.nextDeadline(), play.out.afterEnd], [0, Infinity, []]);
  }
});

function frameOf(text: string): Uint8Array {
  return encodeFrame(new NetworkMessage(text));
}

// ---- listeners that act

/** A room in which something is done about each event, with the engine and what it speaks through. */
function roomThat(
  act: (room: Room, event: MessageServerEvent, out: MessageOutbox) => void,
  options: MessageServerEngineOptions = {},
): Room {
  const room = new Room(options);
  room.play.out.onEvent = (event) => act(room, event, room.play.out);
  return room;
}

function checkLifecycles(events: readonly MessageServerEvent[]): void {
  const states = new Map<Peer, "in" | "out">();
  for (const { kind, peer } of events) {
    if (kind === "connected") assert(!states.has(peer), `connected twice: ${peer.address}`);
    else if (states.get(peer) !== "in") throw new Error(`${kind} of one who is not there`);
    states.set(peer, kind === "disconnected" ? "out" : "in");
  }
}

Deno.test("createMessageServer() lets a listener send a client away as it comes", () => {
  const room = roomThat((room, event, out) => {
    if (event.kind === "connected") room.server.drop(event.peer, room.play.now, out);
  });
  room.open(ADA);
  assertEquals(room.takeEvents(), [`connected ${ADA}`, `disconnected ${ADA} dropped`]);
  assertEquals([room.server.size, room.server.nextDeadline()], [0, Infinity]);
});

Deno.test("createMessageServer() lets a listener send a client away while it is refused or told of", () => {
  const room = roomThat((room, event, out) => {
    room.server.drop(event.peer, room.play.now, out);
    room.server.drop(event.peer, room.play.now, out);
    room.server.send(event.peer, new NetworkMessage("x"), room.play.now, out);
  });
  room.play.out.onEvent = ((onEvent) => (event): void => {
    if (event.kind !== "connected") onEvent(event);
  })(room.play.out.onEvent);
  const [ada, ben, cyd] = [ADA, BEN, CYD].map((address) => room.open(address)) as [
    Peer,
    Peer,
    Peer,
  ];
  room.receive(concat("$%", Uint8Array.of(0xc3), "x"), ada);
  room.receive("$%x$%y", ben);
  room.play.receiveMore(utf8.encode("$%x"), cyd);
  room.play.end(cyd, "closed");
  assertEquals(room.takeEvents().slice(3), [
    `refused ${ADA} utf8`,
    `disconnected ${ADA} dropped`,
    `message ${BEN} x`,
    `disconnected ${BEN} dropped`,
    `message ${CYD} x`,
    `disconnected ${CYD} dropped`,
  ]);
  assertEquals(room.play.out.closed, [ada, ben, cyd]);
  assertEquals([room.server.size, room.server.nextDeadline()], [0, Infinity]);
});

Deno.test("createMessageServer() lets a listener send everybody away whatever happens", () => {
  for (const trigger of ["connected", "message", "refused", "disconnected"]) {
    const room = roomThat((room, event, out) => {
      if (event.kind !== trigger) return;
      for (const peer of room.server.clients) room.server.drop(peer, room.play.now, out);
    }, { idleMs: 1_000 });
    for (let count = 0; count < 20; count++) {
      const peer = room.open(`10.0.${count}.1:1`);
      if (count % 5 === 1) room.receive("$%x$%y", peer);
      if (count % 5 === 2) room.receive(Uint8Array.of(0xff, 3), peer);
      if (count % 5 === 3) room.play.end(peer, "reset");
    }
    room.play.wait(2_000);
    checkLifecycles(room.play.out.events);
    const ends = room.play.out.events.filter(({ kind }) => kind === "disconnected");
    assertEquals(ends.length, 20, trigger);
    assertEquals([room.server.size, room.server.nextDeadline()], [0, Infinity]);
  }
});

Deno.test("createMessageServer() survives that each end is told to everybody, of whom more are slow", () => {
  const room = roomThat((room, event, out) => {
    if (event.kind !== "disconnected") return;
    const [next] = room.server.clients;
    if (next) room.play.out.setUnsentBytes(next, 16 * MIB);
    const message = new NetworkMessage(`${event.peer.address} left`);
    room.server.sendAll(room.server.clients, message, room.play.now, out);
  });
  const peers = Array.from({ length: 1_000 }, (_, index) => room.open(`10.0.${index}.1:1`));
  const ada = room.open(ADA);
  room.play.end(peers[0]!, "reset");
  room.play.wait(0);
  const ends = room.play.out.events.filter(({ kind }) => kind === "disconnected");
  assertEquals(ends.map(({ peer }) => peer), [...peers, ada]);
  checkLifecycles(room.play.out.events);
  assertEquals([room.play.out.afterEnd, room.server.size], [[], 0]);
  assertEquals(room.server.nextDeadline(), Infinity);
});

Deno.test("createMessageServer() survives that 1,000 clients are slow at once", () => {
  for (const isListened of [false, true]) {
    const room = roomThat((room, event, out) => {
      if (event.kind !== "disconnected" || !isListened) return;
      const message = new NetworkMessage("someone left");
      room.server.sendAll(room.server.clients, message, room.play.now, out);
    });
    const ada = room.open(ADA);
    const peers = Array.from({ length: 1_000 }, (_, index) => room.open(`10.0.${index}.1:1`));
    for (const peer of peers) room.play.out.setUnsentBytes(peer, 16 * MIB);
    room.sendAll(room.server.clients, "hello");
    room.play.wait(0);
    const ends = room.play.out.events.filter(({ kind }) => kind === "disconnected");
    assertEquals(ends.map(({ peer }) => peer), peers);
    checkLifecycles(room.play.out.events);
    assertEquals([[...room.server.clients], room.play.out.afterEnd], [[ada], []]);
    room.play.wait(5_000);
    assertEquals(room.takeTo(ada).length, isListened ? 1_001 : 1);
  }
});

Deno.test("createMessageServer() lets a listener answer everybody whatever happens", () => {
  const room = roomThat((room, event, out) => {
    const message = new NetworkMessage(event.kind);
    room.server.sendAll(room.server.clients, message, room.play.now, out);
  }, { idleMs: 10_000 });
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.receive("$%x$%y", ada);
  room.play.wait(5_000);
  room.receive(OFFER, ben);
  room.play.end(ben, "closed");
  const texts = room.takeTo(ada).map((text) => text.slice(2));
  assertEquals(texts.slice(0, 4), ["connected", "connected", "message", "message"]);
  assertEquals(room.server.size, 1);
  room.play.wait(100);
  assertEquals(room.takeTo(ada), ["$%disconnected"]);
  room.play.wait(100_000);
  assertEquals([room.server.size, room.server.nextDeadline()], [0, Infinity]);
});

Deno.test("createMessageServer() calls its listener once for each message, with the time it is told", () => {
  const calls: [Peer, string, number][] = [];
  const room = new Room({ onMessage: (peer, { body }, now) => void calls.push([peer, body, now]) });
  const ada = room.open(ADA);
  room.play.wait(77.25);
  room.play.receiveMore(utf8.encode("$%a$%b"), ada);
  assertEquals(calls, [[ada, "a", 77.25]]);
  room.play.wait(1);
  assertEquals(calls, [[ada, "a", 77.25], [ada, "b", 77.25]]);
  assertEquals(room.takeEvents(), [`connected ${ADA}`]);
});

Deno.test("createMessageServer() does what is due for each, and for nobody else", () => {
  const room = new Room({ idleMs: 1_000, gapMs: 300 });
  const [ada, ben] = [room.open(ADA), room.open(BEN)];
  room.send(ada, "a");
  room.send(ada, "b");
  room.play.receiveMore(utf8.encode(`$%${"x".repeat(2_000)}`), ben);
  assertEquals(room.server.nextDeadline(), QUIET_MS);
  room.play.advance(QUIET_MS);
  assertEquals(room.server.nextDeadline(), 300);
  room.play.advance(299.999);
  assertEquals(room.play.out.sent.length, 1);
  room.play.advance(300);
  assertEquals([room.play.out.sent.length, room.server.nextDeadline()], [2, 1_000]);
});

Deno.test("createMessageServer() sends nothing to whom it drops as slow while it hears the last of it", () => {
  // Found by fuzzing: what waited for its gap was sent behind the end of the connection.
  const room: Room = new Room({
    ...{ gapMs: 1_000, queueBytesMax: 100 },
    onMessage: (peer, _message, now, out): void => {
      const sent = room.server.send(peer, new NetworkMessage("x".repeat(900)), now, out);
      assertEquals(sent.failure, "full");
    },
  });
  const ada = room.open(ADA);
  for (const text of ["leaves at once", "waits"]) room.send(ada, text);
  room.play.receiveMore(utf8.encode("$a:"), ada); // Which has no end yet.
  room.play.end(ada, "closed");
  assertEquals(room.takeTo(ada), ["$%leaves at once"]);
  assertEquals(room.takeEvents(), [`connected ${ADA}`, `disconnected ${ADA} slow`]);
  assertEquals(room.play.out.afterEnd, []);
});
