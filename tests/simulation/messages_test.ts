/**
 * The real message relay with real clients, with clients that behave like the original, and with worse
 * ones, on a simulated network. Always true:
 *
 * - for each `connected` there is one `disconnected`, and nothing of that client comes behind it;
 * - between framed ends every message arrives once, in order and unchanged, whatever the network does;
 * - what a client in the form of the original writes is heard as it was written while segments keep the
 *   borders of messages; while they do not, nothing of it is lost and it is never sent away;
 * - such a client is sent one canonical message at a time, and never a byte of a frame;
 * - who does not read, who sends too fast and who writes rubbish harms nobody else;
 * - nothing grows without bound, and when everybody has left, the server holds nothing and waits for
 *   nothing.
 *
 * The same seed gives the same bytes at the same times.
 */
import { assert, assertEquals } from "@std/assert";
import {
  type ClientEnd,
  createMessageClient,
  type MessageClientEngine,
  type MessageClientEvent,
} from "../../lib/protocols/messages/client.ts";
import type { Framing } from "../../lib/protocols/messages/connection.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import { createMessageRelay } from "../../lib/protocols/messages/relay.ts";
import type {
  Disconnection,
  MessageServerEngine,
  MessageServerEngineOptions,
  MessageServerEvent,
} from "../../lib/protocols/messages/server.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";
import { maybe } from "./network.ts";
import {
  joined,
  SMOOTH,
  type Socket,
  type SocketUser,
  StreamHost,
  StreamNetwork,
  type StreamPeer,
  type StreamTroubles,
  streamTroublesFor,
} from "./streams.ts";

Deno.test("createMessageRelay() passes everything on between framed ends whatever the network does", () => {
  forEachSeed(80, (seed) => void amongFramed(seed));
});

Deno.test("createMessageRelay() hears and writes to original clients one message at a time", () => {
  forEachSeed(30, amongOriginals);
});

Deno.test("createMessageRelay() loses nothing of original clients however their streams are cut", () => {
  forEachSeed(120, amongCutOriginals);
});

Deno.test("createMessageRelay() drops who does not read, and nobody else waits for it", () => {
  forEachSeed(15, besideTheDead);
});

Deno.test("createMessageRelay() knows who comes and goes, however they do", () => {
  forEachSeed(60, comingAndGoing);
});

Deno.test("createMessageRelay() slows down who sends too fast, and loses nothing", () => {
  forEachSeed(60, tooFast);
});

Deno.test("createMessageRelay() keeps messages whole while it slows down who sends them", () => {
  forEachSeed(60, tooFastOriginal);
});

Deno.test("createMessageRelay() does not let rubbish harm others", () => {
  forEachSeed(30, besideRubbish);
});

Deno.test("createMessageRelay() and createMessageClient() do the same again for the same seed", () => {
  forEachSeed(5, (seed) => assertEquals(amongFramed(seed), amongFramed(seed)));
});

const SERVER = "10.0.0.1:1234";
const GAP_MS = 20;
/** Of a client: more in a second come closer together than the gap. */
const UNSQUEEZED_HZ = 45;
/** What is queued for an original client leaves within about 0.9 s, twice that at a turn of seconds. */
const QUEUE_MS_MAX = 1_900;
/** Times are sums of fractions. */
const ROUNDING_MS = 1e-6;
const UTF8 = new TextEncoder();

// ---- messages, from the description of the wire

/** A message, apart from the code under test. */
interface Spec {
  headers: readonly (readonly [name: string, value: string])[];
  body: string | Uint8Array;
}

/** What is compared of a message. */
function keyOf({ headers, body }: Spec): string {
  return JSON.stringify([headers, typeof body === "string" ? body : [...body]]);
}

function specOf(message: NetworkMessage): Spec {
  return {
    headers: message.headers.map(({ name, value }) => [name, value] as const),
    body: message.binary ?? message.body,
  };
}

function messageOf({ headers, body }: Spec): NetworkMessage {
  const message = new NetworkMessage(body);
  for (const [name, value] of headers) message.addHeader(name, value);
  return message;
}

function canonicalText({ headers, body }: Spec): string {
  return `$${headers.map(([name, value]) => `${name}:${value}|`).join("")}%${body}`;
}

function canonical(spec: Spec): Uint8Array {
  return UTF8.encode(canonicalText(spec));
}

/** Reads exactly one message, or throws. */
function readCanonical(bytes: Uint8Array): Spec {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const block = /^\$((?:[^:|%$]*:[^|%]*\|)*)%/.exec(text);
  assert(block, `no canonical message: ${text}`);
  const headers = block[1]!.split("|").slice(0, -1).map((piece) => {
    const colon = piece.indexOf(":");
    return [piece.slice(0, colon), piece.slice(colon + 1)] as const;
  });
  return { headers, body: text.slice(block[0].length) };
}

/** Whether a reader finds another message within a body. */
function holdsBoundary(body: string): boolean {
  return /\$(?:[^:|%$]*:[^|%]*\|)*%/.test(body);
}

/** Whether a message that was read can be written again: the name of a header may not be. */
function isWritable({ headers }: Spec): boolean {
  return headers.every(([name]) => !name.includes("$"));
}

function frameBytes({ headers, body }: Spec): number {
  const length = (text: string): number => UTF8.encode(text).length;
  let bytes = 4 + 3 + (typeof body === "string" ? length(body) : body.length);
  for (const [name, value] of headers) bytes += 6 + length(name) + length(value);
  return bytes;
}

/** What a frame has more than the same message as text: the limit is that of the text. */
function frameHeadBytes({ headers }: Spec): number {
  return 5 + 4 * headers.length;
}

const PIECES = [
  ..."aZ 0:|%$\n\u0000\u0001\ufeff\u00e9\u7fff\u{1f600}",
  ..."$% $a:1|% $a:|b:$|% 50% $5_or_10% hello,_world".split(" "),
  "\u65e5\u672c\u8a9e",
  "a longer piece of text that says nothing at all ",
];

function textOf(random: Random, pieces: number): string {
  let text = "";
  for (let left = Math.floor(random() * pieces); left > 0; left--) text += oneOf(random, PIECES);
  return text;
}

function oneOf<T>(random: Random, things: readonly T[]): T {
  return things[Math.floor(random() * things.length)]!;
}

function bytesOf(random: Random, most: number): Uint8Array {
  const bytes = new Uint8Array(Math.floor(random() * most));
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = random() < 0.2 ? 0xff : Math.floor(random() * 256);
  }
  return bytes;
}

function headersOf(random: Random): [string, string][] {
  const headers: [string, string][] = [];
  for (let left = Math.floor(random() * 4); left > 0; left--) {
    const name = oneOf(random, ["a", "a", "from", "\u00e9", "x y", "\u{1f600}"]);
    headers.push([name, textOf(random, 4).replaceAll(/[|%]/g, "")]);
  }
  return headers;
}

/** What may be said before it is known that the other end reads frames. */
function tame(random: Random, id: string): Spec {
  return { headers: [["id", id], ["n", String(Math.floor(random() * 1e6))]], body: "" };
}

/** Anything that a frame can carry. */
function wild(random: Random, id: string): Spec {
  const body = random() < 0.2 ? bytesOf(random, 300) : textOf(random, 12);
  return { headers: [["id", id], ...headersOf(random)], body };
}

/** What an original client can say: up to 1,024 bytes, and nothing that reads as two messages. */
function plain(random: Random, id: string): Spec {
  for (;;) {
    const spec = { headers: [["id", id] as const, ...headersOf(random)], body: textOf(random, 20) };
    if (!holdsBoundary(spec.body) && canonical(spec).length <= 1_024) return spec;
  }
}

// ---- who is there

/** What was heard by the server. */
interface Heard {
  readonly from: string;
  readonly spec: Spec;
  readonly key: string;
  readonly at: number;
  /** Who was connected, and whether what they are sent leaves as frames. */
  readonly to: ReadonlyMap<string, boolean>;
}

/** A relay, and all that happens at it. */
class Room {
  readonly network: StreamNetwork;
  readonly random: Random;
  readonly server: MessageServerEngine;
  readonly host: StreamHost<MessageServerEvent>;
  readonly options: Omit<MessageServerEngineOptions, "onMessage">;
  readonly log: Heard[] = [];
  readonly connected = new Set<string>();
  readonly gone = new Map<string, { reason: Disconnection; at: number; logged: number }>();
  readonly refusals: { address: string; reason: string }[] = [];
  /** What was written to each, and when. */
  readonly writes = new Map<string, { at: number; bytes: Uint8Array }[]>();
  #ports = 5_000;

  constructor(
    random: Random,
    troubles: StreamTroubles,
    timerLateMs: number,
    options: Omit<MessageServerEngineOptions, "onMessage"> = {},
  ) {
    this.random = random;
    this.options = options;
    this.network = new StreamNetwork({ random, troubles, timerLateMs });
    this.server = createMessageRelay({ gapMs: GAP_MS, ...options });
    this.host = new StreamHost<MessageServerEvent>({
      network: this.network,
      address: SERVER,
      engine: this.server,
      onEvent: (event) => this.#note(event),
      onSend: ({ address }, bytes) => {
        const writes = this.writes.get(address) ?? [];
        this.writes.set(address, writes);
        writes.push({ at: this.network.now, bytes });
      },
    });
    this.host.listen();
  }

  /** An address that nobody has. */
  address(network?: number): string {
    const port = this.#ports++;
    return `10.1.0.${network ?? port % 100}:${port}`;
  }

  /** What one client should be sent, from the moment it was there. */
  heardBut(address: string): Heard[] {
    return this.log.filter(({ from, to }) => from !== address && to.has(address));
  }

  keysFrom(address: string): string[] {
    return this.log.filter(({ from }) => from === address).map(({ key }) => key);
  }

  /** Everybody has left: nothing is kept. */
  assertEmpty(): void {
    assertEquals([...this.connected], []);
    assertEquals(this.server.size, 0);
    assertEquals([...this.server.clients], []);
    assertEquals(this.host.peers.size, 0);
    assertEquals(this.server.nextDeadline(), Infinity);
  }

  #note(event: MessageServerEvent): void {
    const { address } = event.peer;
    assert(!this.gone.has(address), `${event.kind} of ${address} behind its end`);
    if (event.kind === "connected") {
      assert(!this.connected.has(address), `${address} is connected twice`);
      this.connected.add(address);
    } else if (event.kind === "refused") {
      this.#checkPlaces(event.peer.network, event.reason);
      this.refusals.push({ address, reason: event.reason });
    } else {
      assert(this.connected.has(address), `${event.kind} of ${address}, which is not connected`);
      if (event.kind === "message") this.#hear(address, specOf(event.message));
      else {
        this.connected.delete(address);
        const { reason } = event;
        this.gone.set(address, { reason, at: this.network.now, logged: this.log.length });
      }
    }
  }

  /** Nobody is turned away while there is a place. */
  #checkPlaces(network: string, reason: string): void {
    const { connectionsMax, connectionsPerNetworkMax } = this.options;
    const neighbours = [...this.server.clients].filter((peer) => peer.network === network);
    if (reason === "full") assertEquals(this.server.size, connectionsMax);
    if (reason === "full-network") assertEquals(neighbours.length, connectionsPerNetworkMax);
  }

  #hear(from: string, spec: Spec): void {
    const to = new Map<string, boolean>();
    for (const peer of this.server.clients) to.set(peer.address, this.server.isFramed(peer));
    assert(to.has(from), `${from} is heard and sent away`);
    this.log.push({ from, spec, key: keyOf(spec), at: this.network.now, to });
  }
}

/** A client of netsync. */
class Member {
  readonly address: string;
  readonly framing: Framing;
  readonly engine: MessageClientEngine;
  readonly host: StreamHost<MessageClientEvent>;
  readonly said: Spec[] = [];
  /** Of them, those that were said as frames. */
  readonly framed: string[] = [];
  readonly heard: { spec: Spec; key: string; at: number }[] = [];
  readonly ends: ClientEnd[] = [];
  peer: StreamPeer | undefined;
  /** Its program has ended. */
  hasLeft = false;
  readonly #room: Room;

  constructor(room: Room, framing: Framing, network?: number) {
    this.#room = room;
    this.framing = framing;
    this.address = room.address(network);
    const { messageBytesMax } = room.options;
    this.engine = createMessageClient({
      framing,
      ...(messageBytesMax === undefined ? {} : { messageBytesMax }),
    });
    this.host = new StreamHost<MessageClientEvent>({
      network: room.network,
      address: this.address,
      engine: this.engine,
      onEvent: (event) => {
        if (event.kind === "connected") return;
        assertEquals(this.ends, [], `${event.kind} behind the end`);
        if (event.kind === "disconnected") this.ends.push(event.reason);
        else {
          const spec = specOf(event.message);
          this.heard.push({ spec, key: keyOf(spec), at: room.network.now });
        }
      },
    });
  }

  get keys(): string[] {
    return this.heard.map(({ key }) => key);
  }

  /** Whether both ends write frames. */
  get isFramed(): boolean {
    if (!this.engine.isFramed) return false;
    for (const peer of this.#room.server.clients) {
      if (peer.address === this.address) return this.#room.server.isFramed(peer);
    }
    return false;
  }

  /** Comes, and says that it knows frames. */
  join(troubles?: StreamTroubles): void {
    this.host.connect(SERVER, (peer) => {
      this.peer = peer;
      this.say(tame(this.#room.random, `hello ${this.address}`));
    }, troubles);
  }

  say(spec: Spec): void {
    if (!this.peer?.isOpen || this.hasLeft) return;
    this.said.push(spec);
    if (this.engine.isFramed) this.framed.push(keyOf(spec));
    this.host.act((now, out) => {
      const sent = this.engine.send(messageOf(spec), now, out);
      assert(sent.ok, `${this.address} cannot send: ${JSON.stringify(sent)}`);
    });
  }
}

/** A client as the original is one, or a worse one: what it writes, it writes. */
class Plain implements SocketUser {
  readonly address: string;
  readonly said: Spec[] = [];
  readonly chunks: Uint8Array[] = [];
  end: "closed" | "reset" | undefined;
  socket: Socket | undefined;
  readonly #room: Room;

  constructor(room: Room, network?: number) {
    this.#room = room;
    this.address = room.address(network);
  }

  join(opened?: () => void, troubles?: StreamTroubles): void {
    this.#room.network.connect(this.address, SERVER, (socket) => {
      this.socket = socket;
      socket.user = this;
      if (socket.isDead) return this.reset();
      opened?.();
      this.readable();
    }, troubles);
  }

  say(spec: Spec): void {
    if (!this.socket || this.end) return;
    this.said.push(spec);
    this.socket.write(canonical(spec));
  }

  write(bytes: Uint8Array): void {
    if (this.socket && !this.end && !this.socket.isFinished) this.socket.write(bytes);
  }

  readable(): void {
    for (let read; (read = this.socket!.read()) !== undefined;) {
      if (read === "end") {
        this.end ??= "closed";
        this.socket!.finish();
      } else {
        this.chunks.push(read);
      }
    }
  }

  reset(): void {
    this.end = "reset";
  }
}

/** Does something again and again, at random times. */
function often(room: Room, from: number, to: number, everyMs: number, act: () => void): void {
  const next = (at: number): void => {
    if (at >= to) return;
    room.network.at(at, () => {
      act();
      next(room.network.now + 2 * room.random() * everyMs);
    });
  };
  next(from + room.random() * everyMs);
}

/** Whether `end` is how `all` ends. */
function assertEndsWith(all: readonly string[], end: readonly string[], what: string): void {
  assertSame(end.length === 0 ? [] : all.slice(-end.length), end, what);
}

/** As `assertEquals`, but says no more than where they part. */
function assertSame(actual: readonly string[], expected: readonly string[], what: string): void {
  const length = Math.max(actual.length, expected.length);
  for (let at = 0; at < length; at++) {
    if (actual[at] === expected[at]) continue;
    throw new Error(
      `${what}: of ${actual.length}, number ${at} is ${actual[at]}\n` +
        `and not, of ${expected.length}, ${expected[at]}`,
    );
  }
}

function assertBegins(all: string, start: string, what: string): void {
  assertEquals(all.slice(0, start.length), start, what);
}

/** Messages without what a cut may turn into something else, or a reader skips. */
function textOfAll(specs: readonly Spec[]): string {
  return specs.map(canonicalText).join("").replaceAll(/[$%:|]/g, "");
}

/** All that was said was heard; only before the first frame, a message may have been cut or joined. */
function checkWhole(
  said: readonly Spec[],
  heard: readonly Spec[],
  framed: readonly string[],
  what: string,
): void {
  assertEquals(textOfAll(heard), textOfAll(said), what);
  assertEndsWith(heard.map(keyOf), framed, what);
}

// ---- scenes

/** Only netsync, any network. Returns a digest of what happened. */
function amongFramed(seed: number): number {
  const random = seededRandom(seed);
  const room = new Room(random, streamTroublesFor(random), maybe(random, 5));
  const { network } = room;
  const framing = (): Framing => random() < 0.6 ? "auto" : "always";
  const members = Array.from(
    { length: 2 + Math.floor(random() * 4) },
    () => new Member(room, framing()),
  );
  let count = 0;
  const eager = maybe(random, 1);
  for (const member of members) {
    network.at(random() * 1_000, () => member.join());
    if (random() < eager) {
      often(room, 0, 3_000, 30 + random() * 200, () => member.say(tame(random, `${count++}`)));
    }
  }
  network.runUntil(30_000);
  for (const member of members) assert(member.isFramed, `${member.address} is not framed`);

  const everyMs = 20 + random() * 300;
  const talk = (member: Member, from: number): void =>
    often(room, from, 36_000, everyMs, () => {
      for (let left = random() < 0.2 ? Math.floor(random() * 6) : 1; left > 0; left--) {
        member.say(wild(random, `${count++}`));
      }
    });
  for (const member of members) talk(member, 30_000);
  const late = Array.from({ length: Math.floor(maybe(random, 3)) }, () => {
    const member = new Member(room, framing());
    network.at(30_000 + random() * 4_000, () => member.join());
    return member;
  });
  const leavers = new Map<Member, "finishes" | "resets">();
  const leaving = maybe(random, 0.5);
  for (const member of members) {
    if (random() >= leaving) continue;
    leavers.set(member, random() < 0.5 ? "finishes" : "resets");
    network.at(30_000 + random() * 7_000, () => {
      member.hasLeft = true;
      if (leavers.get(member) === "finishes") member.peer!.socket.finish();
      else member.peer!.socket.reset();
    });
  }
  network.runUntil(240_000);

  for (const member of [...members, ...late]) {
    const { address } = member;
    const leaves = leavers.get(member);
    const said = room.log.filter(({ from }) => from === address);
    if (leaves === "resets") {
      assertBegins(textOfAll(member.said), textOfAll(said.map(({ spec }) => spec)), address);
    } else {
      checkWhole(member.said, said.map(({ spec }) => spec), member.framed, `${address} says`);
    }
    // Bytes are for those who are known to read frames.
    const heard = room.heardBut(address).filter(({ spec, to }) =>
      typeof spec.body === "string" || to.get(address)
    );
    const specs = heard.map(({ spec }) => spec);
    if (leaves) {
      assertBegins(textOfAll(specs), textOfAll(member.heard.map(({ spec }) => spec)), address);
      assertEquals(room.gone.get(address)?.reason, leaves === "resets" ? "reset" : "closed");
    } else {
      const framed = heard.filter(({ to }) => to.get(address)).map(({ key }) => key);
      checkWhole(specs, member.heard.map(({ spec }) => spec), framed, `${address} hears`);
      assert(member.isFramed && member.ends.length === 0, address);
    }
  }
  for (const { reason, address } of room.refusals) {
    assertEquals(reason, "unsendable", `to ${address}`);
    assert(late.length > 0, "all are framed");
  }
  assertEquals(room.server.size, members.length + late.length - leavers.size);
  for (const { peer } of [...members, ...late]) peer!.socket.reset();
  network.runUntil(network.now + 10_000);
  room.assertEmpty();
  return network.trace;
}

/** Original clients and netsync; segments are what was written. */
function amongOriginals(seed: number): void {
  const random = seededRandom(seed);
  const timerLateMs = maybe(random, 4);
  const troubles = { ...SMOOTH, delayMs: maybe(random, 80), jitterMs: maybe(random, 60) };
  const room = new Room(random, troubles, timerLateMs);
  const { network } = room;
  const originals = Array.from({ length: 1 + Math.floor(random() * 4) }, () => new Plain(room));
  const members = Array.from(
    { length: Math.floor(maybe(random, 4)) },
    () => new Member(room, random() < 0.6 ? "auto" : "always"),
  );
  for (const member of members) member.join();
  network.runUntil(1_000);
  for (const original of originals) original.join();
  network.runUntil(2_000);
  let count = 0;
  const everyMs = 5 + random() * 400;
  for (const original of originals) {
    often(room, 2_000, 6_000, everyMs, () => original.say(plain(random, `${count++}`)));
  }
  const flood = maybe(random, 1);
  for (const member of members) {
    const isFlood = random() < flood;
    often(room, 2_000, 6_000, isFlood ? 5 : everyMs, () => {
      for (let left = random() < 0.05 ? 30 : 1; left > 0; left--) {
        member.say(wild(random, `${count++}`));
      }
    });
  }
  network.runUntil(20_000);

  for (const original of originals) {
    const { address } = original;
    assertSame(room.keysFrom(address), original.said.map(keyOf), `what ${address} says`);
    const heard = room.heardBut(address).filter(({ spec }) => typeof spec.body === "string");
    const read = original.chunks.map((chunk) => keyOf(readCanonical(chunk)));
    assertSame(read, heard.map(({ key }) => key), `what ${address} is sent`);
    assertEquals(original.end, undefined);
    checkPace(room.writes.get(address) ?? [], heard, timerLateMs);
  }
  for (const member of members) {
    assertSame(
      room.keysFrom(member.address),
      member.said.map(keyOf),
      `what ${member.address} says`,
    );
    const heard = room.heardBut(member.address).map(({ key }) => key);
    assertSame(member.keys, heard, `what ${member.address} hears`);
  }
  assertEquals(room.gone.size, 0);
}

/** What is written to an original client stays apart, and does not wait for long. */
function checkPace(
  writes: readonly { at: number }[],
  heard: readonly Heard[],
  timerLateMs: number,
): void {
  for (const [index, { at }] of writes.entries()) {
    const waitedMs = at - heard[index]!.at;
    assert(waitedMs <= QUEUE_MS_MAX, `a message waited for ${waitedMs} ms`);
    // Of any second of the last two, the most messages.
    const recent = heard.filter((message) => message.at > at - 3_000 && message.at <= at);
    let most = 0;
    for (let first = 0, last = 0; last < recent.length; last++) {
      while (recent[last]!.at - recent[first]!.at >= 1_000) first++;
      most = Math.max(most, last - first + 1);
    }
    if (most > UNSQUEEZED_HZ) continue;
    const gapMs = at - (writes[index - 1]?.at ?? -Infinity);
    assert(gapMs >= GAP_MS - ROUNDING_MS, `a gap of ${gapMs} ms with ${most} messages a second`);
    const queueMs = recent.length * (GAP_MS + 1 + timerLateMs);
    assert(waitedMs <= queueMs, `a message waited for ${waitedMs} ms behind ${recent.length}`);
  }
}

/** Original clients on a network that cuts and joins what they write. */
function amongCutOriginals(seed: number): void {
  const random = seededRandom(seed);
  const room = new Room(random, streamTroublesFor(random), maybe(random, 5));
  const { network } = room;
  const originals = Array.from({ length: 2 + Math.floor(random() * 3) }, () => new Plain(room));
  const member = new Member(room, "auto");
  member.join();
  for (const original of originals) original.join();
  network.runUntil(10_000);
  assert(member.isFramed);
  let count = 0;
  const everyMs = 20 + random() * 400;
  for (const original of originals) {
    often(room, 10_000, 15_000, everyMs, () => original.say(plain(random, `${count++}`)));
  }
  network.runUntil(200_000);

  assertEquals(room.gone.size, 0, "nobody is sent away");
  for (const { reason } of room.refusals) assertEquals(reason, "unsendable");
  for (const original of originals) {
    const { address } = original;
    const heard = room.log.filter(({ from }) => from === address).map(({ spec }) => spec);
    assertEquals(textOfAll(heard), textOfAll(original.said), `what ${address} says`);
    // Between them TCP may join messages, but it loses nothing.
    const sent = room.heardBut(address).filter(({ spec }) => isWritable(spec));
    const stream = joined(sent.map(({ spec }) => canonical(spec)));
    assertEquals(joined(original.chunks), stream, `what ${address} is sent`);
    for (const { bytes } of room.writes.get(address) ?? []) readCanonical(bytes);
  }
  const sent = room.heardBut(member.address).filter(({ spec }) => isWritable(spec));
  assertSame(member.keys, sent.map(({ key }) => key), `what ${member.address} hears`);
}

/** Some stop reading, others read in fits. */
function besideTheDead(seed: number): void {
  const random = seededRandom(seed);
  const timerLateMs = maybe(random, 2);
  const troubles = { ...SMOOTH, delayMs: random() * 40 };
  const queueBytesMax = 256 * 1_024;
  const room = new Room(random, troubles, timerLateMs, { queueBytesMax });
  const { network } = room;
  const narrow = { ...troubles, windowBytes: 4_096 + Math.floor(random() * 12_000) };
  const members = Array.from({ length: 3 }, () => new Member(room, "auto"));
  const isDeadFramed = random() < 0.5;
  const dead = isDeadFramed ? new Member(room, "auto") : new Plain(room);
  const slow = random() < 0.5 ? new Member(room, "auto") : new Plain(room);
  const original = new Plain(room);
  for (const member of members) member.join();
  const socketOf = (one: Member | Plain): Socket =>
    one instanceof Member ? one.peer!.socket : one.socket!;
  for (const one of [dead, slow]) {
    // A window for each way there and back has to do for who reads at all.
    const its = one === dead ? narrow : { ...troubles, windowBytes: 50_000 };
    if (one instanceof Member) one.join(its);
    else one.join(undefined, its);
  }
  original.join();
  network.runUntil(1_000);
  let count = 0;
  for (const member of members) {
    often(room, 1_000, 11_000, 25 + random() * 25, () => {
      const body = "x".repeat(Math.floor(random() * 2_000));
      member.say({ headers: [["id", `${count++}`]], body });
    });
  }
  const stoppedAt = 1_500 + random() * 1_000;
  network.at(stoppedAt, () => socketOf(dead).setReading(false));
  often(room, 1_500, 11_000, 300, () => {
    socketOf(slow).setReading(false);
    network.after(random() * 200, () => socketOf(slow).setReading(true));
  });
  network.runUntil(25_000);

  assertEquals([...room.gone.keys()], [dead.address], "only who does not read is dropped");
  const gone = room.gone.get(dead.address)!;
  assertEquals(gone.reason, "slow");
  const unread = room.heardBut(dead.address).filter(({ at }) => at >= stoppedAt - 100);
  const unreadBytes = unread.reduce((bytes, { spec }) => bytes + frameBytes(spec), 0);
  // Some of what waited was said before, and waited for its gap.
  assert(unreadBytes > queueBytesMax / 2, `dropped for ${unreadBytes} bytes`);
  const slackBytes = narrow.windowBytes + 50_000;
  assert(unreadBytes <= queueBytesMax + slackBytes, `${unreadBytes} bytes before it was dropped`);
  assert(room.host.unsentBytesPeak <= queueBytesMax, `${room.host.unsentBytesPeak} bytes waited`);
  assertEquals(dead instanceof Member ? dead.ends : dead.end, isDeadFramed ? ["reset"] : "reset");
  for (const member of members) {
    const heard = room.heardBut(member.address);
    assertSame(member.keys, heard.map(({ key }) => key), `what ${member.address} hears`);
    for (const [index, { at }] of member.heard.entries()) {
      const tookMs = at - heard[index]!.at;
      assert(tookMs <= troubles.delayMs + 5, `to ${member.address} it took ${tookMs} ms`);
    }
  }
  for (const one of [slow, original]) {
    const heard = room.heardBut(one.address);
    if (one instanceof Member) assertSame(one.keys, heard.map(({ key }) => key), "in fits");
    else assertEquals(joined(one.chunks), joined(heard.map(({ spec }) => canonical(spec))));
  }
  checkPace(room.writes.get(original.address)!, room.heardBut(original.address), timerLateMs);
}

/** What is no message, or looks like one for a while. */
function rubbish(random: Random): Uint8Array {
  const kinds: (() => Uint8Array | string)[] = [
    (): Uint8Array => bytesOf(random, 200),
    (): string => textOf(random, 30),
    (): string => "$",
    (): string => "$".repeat(Math.floor(random() * 3_000)),
    (): string => "$a:b|".repeat(Math.floor(random() * 600)),
    (): string => `$${"|".repeat(Math.floor(random() * 9))}%${textOf(random, 5)}`,
    (): string => "x".repeat(Math.floor(random() * 9_000)),
    (): string => `$${"a:|".repeat(1_300 + Math.floor(random() * 70))}%`,
    (): string => `$${"b|".repeat(Math.floor(random() * 2_100))}%`,
    (): string => `$%${"y".repeat(4_080 + Math.floor(random() * 20))}`,
    (): Uint8Array => Uint8Array.of(0xc3),
    (): Uint8Array => Uint8Array.of(0xff, 1),
    (): Uint8Array => Uint8Array.of(0xff, 2),
    (): Uint8Array => Uint8Array.of(0xff, 1, 0, 0, 0, 3, 0, 0, 0),
    (): Uint8Array => Uint8Array.of(0xff, 1, 0, 0, 0, 5, 1, 0, 0, 0xff, 0xfe, 0, 0, 0),
    (): Uint8Array => Uint8Array.of(0xff, 1, 0xff, 0xff, 0xff, 0xff),
    (): Uint8Array => joined([Uint8Array.of(0, 0, 0, 20, 0, 0, 1, 0, 9), bytesOf(random, 40)]),
  ];
  const made = oneOf(random, kinds)();
  return typeof made === "string" ? UTF8.encode(made) : made;
}

/** Too many come, and go in every way there is. */
function comingAndGoing(seed: number): void {
  const random = seededRandom(seed);
  const idleMs = random() < 0.5 ? Infinity : 300 + random() * 3_000;
  const connectionsMax = 4 + Math.floor(random() * 8);
  const connectionsPerNetworkMax = 2 + Math.floor(random() * 3);
  const room = new Room(random, streamTroublesFor(random), maybe(random, 5), {
    idleMs,
    connectionsMax,
    connectionsPerNetworkMax,
    queueBytesMax: 20_000,
    messageBytesMax: 4_096,
  });
  const { network } = room;
  let count = 0;
  const sockets: Socket[] = [];
  const come = (index: number): void => {
    const lastsMs = random() * 4_000;
    const going = oneOf(random, ["finish", "reset", "stay", "abandon", "drop", "deaf"] as const);
    const go = (socket: Socket): void => {
      sockets.push(socket);
      if (going === "deaf") socket.setReading(false);
      network.after(lastsMs, () => {
        if (going === "finish") socket.finish();
        else if (going === "reset") socket.reset();
        else if (going === "abandon") {
          socket.finish();
          socket.abandon();
        } else if (going === "drop") {
          const peer = oneOf(random, [...room.server.clients]);
          if (peer) room.host.act((now, out) => room.server.drop(peer, now, out));
        }
      });
    };
    const [from, to] = [network.now, network.now + lastsMs];
    if (random() < 0.4) {
      const member = new Member(room, oneOf(random, ["auto", "always", "never"]), index % 6);
      member.host.connect(SERVER, ({ socket }) => go(socket));
      often(room, from, to, 100, () => {
        const message = messageOf(wild(random, `${count++}`));
        member.host.act((now, out) => void member.engine.send(message, now, out));
      });
    } else {
      const original = new Plain(room, index % 6);
      original.join(() => go(original.socket!));
      const isBad = random() < 0.3;
      often(room, from, to, 100, () => {
        original.write(isBad ? rubbish(random) : canonical(plain(random, `${count++}`)));
      });
    }
  };
  for (let index = 0; index < 50; index++) {
    network.at(random() * (random() < 0.3 ? 100 : 8_000), () => come(index));
  }
  for (let at = 50; at < 14_000; at += 50) {
    network.at(at, () => {
      const { size, clients } = room.server;
      // Who is sent away from outside is said to be gone when the engine is called next.
      if (room.server.nextDeadline() === -Infinity) assert(size < room.connected.size);
      else assertEquals(size, room.connected.size);
      assert(size <= connectionsMax, `${size} clients`);
      const networks = new Map<string, number>();
      for (const { network } of clients) networks.set(network, 1 + (networks.get(network) ?? 0));
      for (const neighbours of networks.values()) assert(neighbours <= connectionsPerNetworkMax);
      assert(room.host.unsentBytesPeak <= 20_000, `${room.host.unsentBytesPeak} bytes waited`);
    });
  }
  network.runUntil(14_000);
  for (const socket of sockets) socket.reset();
  network.runUntil(30_000);
  room.assertEmpty();
}

/** One sends more than it may. */
function tooFast(seed: number): void {
  const random = seededRandom(seed);
  const isByBytes = random() < 0.5;
  const messagesHzMax = isByBytes ? 1_000_000 : 20 + Math.floor(random() * 200);
  const bytesHzMax = isByBytes ? 3_000 + Math.floor(random() * 20_000) : 1e9;
  const troubles = {
    ...streamTroublesFor(random),
    // A real gap in the stream would be one.
    pausing: 0,
    jitterMs: 0,
    holdMs: random() * 15,
    readBytesMax: 200 + Math.floor(random() * 2_000),
  };
  const room = new Room(random, troubles, maybe(random, 3), { messagesHzMax, bytesHzMax });
  const { network } = room;
  const listener = new Member(room, "auto");
  listener.join(SMOOTH);
  const fast = new Member(room, random() < 0.5 ? "auto" : "always");
  fast.join();
  network.runUntil(5_000);
  assert(fast.isFramed && listener.isFramed);
  const messages = 100 + Math.floor(random() * 400);
  for (let index = 0; index < messages; index++) fast.say(wild(random, `${index}`));
  network.runUntil(600_000);

  assertSame(room.keysFrom(fast.address), fast.said.map(keyOf), "nothing is lost");
  const toListener = room.heardBut(listener.address).map(({ key }) => key);
  assertSame(listener.keys, toListener, "nothing is lost behind the server");
  assertEquals(room.gone.size, 0);
  const heard = room.log.filter(({ from, at }) => from === fast.address && at >= 5_000);
  // One read is taken whole, and each message is at least 15 bytes.
  const readMessages = Math.ceil(troubles.readBytesMax / 15) + 1;
  let bytes = 0;
  for (const [index, { at, spec }] of heard.entries()) {
    const seconds = (at - 5_000) / 1_000 + 1;
    bytes += frameBytes(spec);
    assert(index <= messagesHzMax * seconds + readMessages, `${index} messages by ${at}`);
    const bytesMost = bytesHzMax * seconds + 2 * troubles.readBytesMax;
    assert(bytes <= bytesMost, `${bytes} bytes by ${at}`);
  }
  // The way alone allows a window for each there and back.
  const { delayMs, windowBytes, turnMs, holdMs } = troubles;
  const roundMs = 2 * delayMs + turnMs + holdMs + 1;
  const wayMs = roundMs * (2 + bytes / Math.min(windowBytes, 1_000));
  const mostMs = 1_000 * (messages / messagesHzMax + bytes / bytesHzMax) + wayMs + 2_000;
  const lastMs = heard.at(-1)!.at - 5_000;
  assert(lastMs <= mostMs, `the last one after ${lastMs} ms, not ${mostMs}`);
}

/** One writes a lot in the form of the original. What is not read has still arrived: no gap is in it. */
function tooFastOriginal(seed: number): void {
  const random = seededRandom(seed);
  const isByBytes = random() < 0.5;
  const messagesHzMax = isByBytes ? 1_000_000 : 5 + Math.floor(random() * 200);
  const bytesHzMax = isByBytes ? 3_000 + Math.floor(random() * 20_000) : 1e9;
  const troubles = {
    ...SMOOTH,
    keepsBorders: false,
    windowBytes: 1e9,
    readBytesMax: 200 + Math.floor(random() * 4_000),
    shortReads: maybe(random, 1),
  };
  const room = new Room(random, troubles, maybe(random, 3), { messagesHzMax, bytesHzMax });
  const { network } = room;
  const fast = new Plain(room);
  const finishes = random() < 0.5;
  const specs: Spec[] = [];
  fast.join(() => {
    for (let index = 0; index < 200; index++) {
      // Without what begins another message when more follows.
      const { headers, body } = plain(random, `${index}`);
      specs.push({ headers, body: `${body}`.replaceAll("$", "") });
    }
    // Pieces that no original client writes: none is taken for a whole message, and none comes late.
    const stream = joined(specs.map(canonical));
    const apartMs = random() * 15;
    for (let at = 0, piece = 0; at < stream.length; piece++) {
      const bytes = stream.subarray(at, at + 1_025 + Math.floor(random() * 2_000));
      at += bytes.length;
      const isLast = at >= stream.length;
      network.after(piece * apartMs, () => {
        fast.write(bytes);
        if (isLast && finishes) fast.socket!.finish();
      });
    }
  });
  network.runUntil(600_000);
  assertEquals(room.refusals, []);
  assertEquals(room.gone.get(fast.address)?.reason, finishes ? "closed" : undefined);
  assertSame(room.keysFrom(fast.address), specs.map(keyOf), `what ${fast.address} says`);
}

/** Honest clients among those who write anything. */
function besideRubbish(seed: number): void {
  const random = seededRandom(seed);
  const smooth = { ...SMOOTH, delayMs: 1 + maybe(random, 60) };
  const messageBytesMax = 4_096;
  const room = new Room(random, smooth, maybe(random, 3), { messageBytesMax, messagesHzMax: 60 });
  const { network } = room;
  const members = [new Member(room, "auto"), new Member(room, "always")];
  const late = Array.from({ length: 3 }, () => new Member(room, "auto"));
  const originals = [new Plain(room), new Plain(room)];
  for (const one of [...members, ...originals]) one.join();
  network.runUntil(1_000);
  let count = 0;
  for (const original of originals) {
    often(room, 1_000, 7_000, 300, () => original.say(plain(random, `${count++}`)));
  }
  for (const member of members) {
    often(room, 1_000, 7_000, 300, () => member.say(wild(random, `${count++}`)));
  }
  for (const member of late) network.at(1_000 + random() * 5_000, () => member.join());
  const troubles = { ...streamTroublesFor(random), pauseMs: 3_000 };
  for (let index = 0; index < 60; index++) {
    const hostile = new Plain(room);
    const at = 1_000 + random() * 5_000;
    network.at(at, () => hostile.join(undefined, troubles));
    often(room, at, at + random() * 2_000, 60, () => hostile.write(rubbish(random)));
  }
  network.runUntil(40_000);

  for (const one of [...members, ...late]) {
    assertEquals(one.ends, [], `the end of ${one.address}`);
    assertEquals(room.gone.get(one.address), undefined, `how ${one.address} is gone`);
    assertSame(room.keysFrom(one.address), one.said.map(keyOf), `what ${one.address} says`);
    const heard = room.heardBut(one.address).filter(({ spec, to }) =>
      to.get(one.address) && isWritable(spec) &&
      frameBytes(spec) - frameHeadBytes(spec) <= messageBytesMax
    );
    assertEndsWith(one.keys, heard.map(({ key }) => key), `what ${one.address} hears`);
  }
  for (const one of originals) {
    assertEquals([one.end, room.gone.get(one.address)], [undefined, undefined], one.address);
    assertSame(room.keysFrom(one.address), one.said.map(keyOf), `what ${one.address} says`);
    const heard = room.heardBut(one.address).filter(({ spec }) =>
      typeof spec.body === "string" && isWritable(spec) &&
      canonical(spec).length <= messageBytesMax
    );
    const read = one.chunks.map((chunk) => keyOf(readCanonical(chunk)));
    assertSame(read, heard.map(({ key }) => key), `what ${one.address} is sent`);
  }
}
