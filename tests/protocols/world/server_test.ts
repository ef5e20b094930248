import { md5 } from "@noble/hashes/legacy";
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createWorldServer,
  type WorldServerEngine,
  type WorldServerEvent,
  type WorldServerOptions,
} from "../../../lib/protocols/world/server.ts";
import { decodePacket, encodeAck, encodeMessage } from "../../../lib/protocols/world/wire.ts";
import { World } from "../../../lib/protocols/world/world.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import { worldVectors } from "../../support/vectors.ts";

const A = "10.0.0.1:5000";
const B = "10.0.0.2:5000";
const C = "10.0.0.3:5000";
const TICK_MS = 10;
/** What `random: () => 0.5` makes of a universe and of a first sequence number. */
const UNIVERSE = 2 ** 31;
const FIRST = 32_768;

/** A datagram to a client: an ACK has no message. */
interface Heard {
  at: number;
  sequence: number;
  bytes: number;
  // deno-lint-ignore no-explicit-any -- tests look into it as they like
  message?: any;
}

/** A server, its world, and clients who say what they are told to. */
class Stage {
  readonly world: World;
  readonly server: WorldServerEngine;
  readonly play: Play<WorldServerEvent>;
  /** Clients that ack at once what they are sent, if it is not lost. */
  readonly listeners = new Set<Peer>();
  /** What does not arrive. */
  loses: (heard: Heard, peer: Peer) => boolean = () => false;
  readonly #heard = new Map<Peer, Heard[]>();

  /** The objects were told at the tick before. */
  constructor(
    { objects = 0, ...options }: Partial<WorldServerOptions> & { objects?: number } = {},
  ) {
    this.world = options.world ?? new World();
    for (let index = 0; index < objects; index++) this.world.spawn({ mass: index + 1 });
    if (objects > 0) this.world.tick();
    const defaults = { unixMs: (): number => 1_000_000 + this.now, random: (): number => 0.5 };
    this.server = createWorldServer({ ...defaults, ...options, world: this.world });
    this.play = new Play(this.server);
    this.play.advance(0);
  }

  get now(): number {
    return this.play.now;
  }

  receive(datagram: Uint8Array, peer: Peer): void {
    this.play.receive(datagram, peer);
    this.#collect();
  }

  say(peer: Peer, message: unknown, sequence = 0): void {
    this.receive(encodeMessage(sequence, new TextEncoder().encode(JSON.stringify(message))), peer);
  }

  ack(peer: Peer, ...sequences: number[]): void {
    for (const sequence of sequences) this.receive(encodeAck(sequence), peer);
  }

  /** What a peer was sent since it was looked at last. */
  take(peer: Peer): Heard[] {
    const heard = this.#heard.get(peer) ?? [];
    this.#heard.delete(peer);
    return heard;
  }

  takeShort(peer: Peer): string[] {
    return inShort(this.take(peer));
  }

  takeEvents(): string[] {
    return this.play.out.takeEvents().map((event) => {
      switch (event.kind) {
        case "joined":
          return `joined ${event.peer.address}${event.hasDiffs ? " diffs" : ""}`;
        case "left":
          return `left ${event.peer.address} ${event.reason}`;
        case "refused":
          return `refused ${event.reason}`;
        case "lagging":
          return `lagging ${event.toldShare}`;
        case "stalled":
          return `stalled ${event.lostMs}`;
      }
    });
  }

  /** Somebody who is told everything and acks it; what it was told so far is forgotten. */
  join(address: string, { diffs = true } = {}): Peer {
    const peer = peerAt(address);
    this.listeners.add(peer);
    this.say(peer, { type: "knock", diffs });
    this.wait(100);
    const isSynced = (): boolean | undefined =>
      this.server.clients().find((client) => client.peer === peer)?.isSynced;
    for (let waits = 0; isSynced() === false && waits < 50; waits++) this.wait(100);
    this.take(peer);
    return peer;
  }

  wait(ms: number): void {
    const end = this.now + ms;
    for (let deadline; (deadline = this.server.nextDeadline()) <= end;) {
      this.advance(Math.max(deadline, this.now));
    }
    this.play.out.now = end;
  }

  advance(now: number): void {
    try {
      this.play.advance(now);
    } finally {
      this.#collect();
    }
  }

  tick(): void {
    this.server.tick(this.now, this.play.out);
    this.#collect();
  }

  close(): void {
    this.server.close(this.now, this.play.out);
    this.#collect();
  }

  #collect(): void {
    for (let sent; (sent = this.play.out.takeSent()).length > 0;) {
      for (const { at, to, bytes } of sent) {
        assert(bytes.length <= 1_200, `${bytes.length} bytes`);
        const packet = decodePacket(bytes);
        assert(packet.kind !== "refused", "what is sent is a packet");
        const heard: Heard = { at, sequence: packet.sequence, bytes: bytes.length };
        if (packet.kind === "message") heard.message = packet.message;
        if (!this.#heard.has(to)) this.#heard.set(to, []);
        this.#heard.get(to)!.push(heard);
        if (!heard.message || !this.listeners.has(to) || this.loses(heard, to)) continue;
        this.play.receive(encodeAck(heard.sequence), to);
      }
    }
  }
}

/** What arrived over a {@link Line}. */
interface Arrived extends Heard {
  arrivedAt: number;
}

interface LineOptions {
  /** One way. */
  delayMs?: (heard: Heard) => number;
  bytesPerSecond?: number;
  bufferBytes?: number;
  /** Whether something is lost on its way, or its ACK. */
  loses?: (isAck: boolean, now: number) => boolean;
}

/** A way to a client that takes time: what finds no room on it waits, and what finds none there is lost. */
class Line {
  readonly #stage: Stage;
  readonly #peer: Peer;
  readonly #options: LineOptions;
  #busyUntil = 0;
  #arrived: Arrived[] = [];
  #acks: { at: number; sequence: number }[] = [];

  constructor(stage: Stage, peer: Peer, options: LineOptions = {}) {
    this.#stage = stage;
    this.#peer = peer;
    this.#options = options;
  }

  /** Time passes. */
  run(ms: number): void {
    const stage = this.#stage;
    for (const end = stage.now + ms; stage.now < end;) {
      stage.wait(Math.min(LINE_STEP_MS, end - stage.now));
      for (const heard of stage.take(this.#peer)) this.#carry(heard);
      const due = this.#acks.filter(({ at }) => at <= stage.now);
      this.#acks = this.#acks.filter(({ at }) => at > stage.now);
      for (const { sequence } of due) stage.ack(this.#peer, sequence);
    }
  }

  /** How long what is sent now would wait. */
  get queueMs(): number {
    return Math.max(0, this.#busyUntil - this.#stage.now);
  }

  /** Packets of which no ACK has come back yet, though it will. */
  get unacked(): number {
    return this.#acks.length;
  }

  /** What arrived since the last call. */
  takeArrived(): Arrived[] {
    const { now } = this.#stage;
    const arrived = this.#arrived.filter(({ arrivedAt }) => arrivedAt <= now);
    this.#arrived = this.#arrived.filter(({ arrivedAt }) => arrivedAt > now);
    return arrived.sort((one, other) => one.arrivedAt - other.arrivedAt);
  }

  #carry(heard: Heard): void {
    if (!heard.message) return;
    const { delayMs = () => 20, bytesPerSecond = Infinity, bufferBytes = Infinity, loses } =
      this.#options;
    const beginAt = Math.max(heard.at, this.#busyUntil);
    if (((beginAt - heard.at) * bytesPerSecond) / 1_000 > bufferBytes) return;
    this.#busyUntil = beginAt + (weightOf([heard]) * 1_000) / bytesPerSecond;
    const wayMs = delayMs(heard);
    const arrivedAt = this.#busyUntil + wayMs;
    if (loses?.(false, heard.at)) return;
    this.#arrived.push({ ...heard, arrivedAt });
    if (!loses?.(true, arrivedAt)) {
      this.#acks.push({ at: arrivedAt + wayMs, sequence: heard.sequence });
    }
  }
}

const LINE_STEP_MS = 4;

/** `ack 7`; `snap! 3` of a first sync, `snap 3` later; `diff 3 9`; `remove 3`; `heartbeat`, with what is synced. */
function inShort(heard: readonly Heard[]): string[] {
  return heard.map(({ sequence, message }) => {
    switch (message?.type) {
      case undefined:
        return `ack ${sequence}`;
      case "snap":
        return `snap${message.initial ? "!" : ""} ${message.id}`;
      case "diff":
        return `diff ${Object.keys(message.diff).join(" ")}`;
      case "remove":
        return `remove ${message.ids.join(" ")}`;
      case "heartbeat":
        return `heartbeat${message.synced === undefined ? "" : ` ${message.synced}`}`;
      default:
        return message.type;
    }
  });
}

/** With the headers of UDP and IP. */
function weightOf(heard: readonly Heard[]): number {
  return heard.reduce((sum, { bytes }) => sum + bytes + 28, 0);
}

/** Of one type only. */
function ofType(heard: readonly Heard[], type: string): Heard[] {
  return heard.filter(({ message }) => message?.type === type);
}

// ---- acks

const ACKED_VECTORS: Record<string, string[]> = {
  knock: [],
  knock_typed: [],
  stop: [],
  empty_object: [],
  rainbow: [],
  flag_2: [],
  unknown_type: ["refused unknown"],
  debug_gc: ["refused unknown"],
  type_list: ["refused unknown"],
  utf8: ["refused unknown"],
  tampered_payload: ["refused unknown"],
};

const REFUSED_VECTORS: Record<string, string> = {
  empty: "short",
  header_minus_one: "short",
  header_only: "json",
  bad_md5: "digest",
  length_too_big: "length",
  length_too_small: "length",
  tampered_not_json: "json",
  json_array: "json",
  json_null: "json",
  invalid_utf8: "json",
  nan: "json",
  ack_of_0: "stranger",
  ack_65535: "stranger",
  ack_unknown: "stranger",
  ack_with_knock: "stranger",
  // What servers say.
  snap_first: "unknown",
  heartbeat: "unknown",
  awesome_ack: "stranger",
  too_large_for_original: "oversize",
};

Deno.test("createWorldServer() acks at once whatever is well-formed, duplicates and unknown types too", () => {
  for (const [name, events] of Object.entries(ACKED_VECTORS)) {
    const { bytes, decoded } = worldVectors.find((vector) => vector.name === name)!;
    const stage = new Stage({ objects: 1 });
    const a = peerAt(A);
    for (let times = 0; times < 3; times++) {
      stage.receive(bytes, a);
      assertEquals(stage.takeShort(a), [`ack ${decoded.seq}`], name);
      assertEquals(stage.takeEvents(), events, name);
    }
    const isKnock = /^knock/.test(name);
    assertEquals(stage.server.remembers(a), isKnock, name);
  }
});

Deno.test("createWorldServer() acks nothing that is not well-formed, and no ACK", () => {
  for (const [name, reason] of Object.entries(REFUSED_VECTORS)) {
    const { bytes } = worldVectors.find((vector) => vector.name === name)!;
    const stage = new Stage({ objects: 1 });
    const a = peerAt(A);
    stage.receive(bytes, a);
    stage.wait(11_000);
    assertEquals(stage.take(a), [], name);
    assertEquals(stage.takeEvents(), [`refused ${reason}`], name);
    assert(!stage.server.remembers(a), name);
  }
});

Deno.test("createWorldServer() acks no ACK of a client either, and does not do what it says besides", () => {
  const stage = new Stage({ objects: 1 });
  const a = stage.join(A, { diffs: false });
  stage.takeEvents();
  for (const name of ["ack_of_0", "ack_unknown", "awesome_ack", "ack_with_knock"]) {
    stage.receive(worldVectors.find((vector) => vector.name === name)!.bytes, a);
  }
  assertEquals(stage.takeEvents(), ["refused ack"]);
  stage.wait(1_500);
  assertEquals(stage.take(a), []);
});

Deno.test("createWorldServer() acks with the number it was sent, whatever it is", () => {
  const stage = new Stage();
  const a = peerAt(A);
  for (const sequence of [0, 1, 255, 256, 65_535, 0]) {
    stage.say(a, {}, sequence);
    assertEquals(stage.take(a), [{ at: 0, sequence, bytes: 23 }]);
  }
  assertEquals(stage.takeEvents(), []);
});

Deno.test("createWorldServer() refuses a number too large for a double", () => {
  const stage = new Stage();
  const a = peerAt(A);
  stage.receive(encodeMessage(0, new TextEncoder().encode('{"type":"knock","x":1e999}')), a);
  assertEquals(stage.take(a), []);
  assertEquals(stage.takeEvents(), ["refused number"]);
});

Deno.test("createWorldServer() takes 16 packets at once and 8 a second for each place of a network", () => {
  for (const [clientsPerNetworkMax, places] of [[64, 64], [100, 100], [1, 16]] as const) {
    const stage = new Stage({ tickRateHz: 0, clientsPerNetworkMax });
    const [a, b, other] = [peerAt("10.0.0.1:1"), peerAt("10.0.0.1:2"), peerAt(B)];
    for (let times = 0; times < 10 * places; times++) {
      for (const peer of [a, b]) stage.say(peer, { type: times === 0 ? "knock" : undefined });
    }
    assertEquals(stage.take(a).length + stage.take(b).length, 16 * places);
    assertEquals(stage.takeEvents(), new Array(4 * places).fill("refused rate"));
    stage.say(other, {});
    assertEquals(stage.takeShort(other), ["ack 0"]);
    stage.wait(500);
    stage.take(a);
    for (let times = 0; times < 10 * places; times++) stage.say(a, {});
    assertEquals(stage.take(a).length, 4 * places);
  }
});

Deno.test("createWorldServer() takes 2,000 packets at once and 8,000 a second of all strangers together", () => {
  const stage = new Stage({ tickRateHz: 0 });
  const client = stage.join(A);
  stage.takeEvents();
  let network = 0;
  const answered = (): number => {
    network++;
    for (let number = 0; number < 3_000; number++) {
      stage.say(peerAt(`10.${network}.${number >> 8}.${number & 255}:5000`), {});
    }
    const refused = stage.takeEvents();
    assertEquals(new Set(refused), new Set(["refused busy"]));
    return 3_000 - refused.length;
  };
  stage.wait(500);
  assertEquals(answered(), 2_000);
  assertEquals(answered(), 0);
  stage.wait(125);
  assertEquals(answered(), 1_000);
  // Who is known is no stranger.
  stage.take(client);
  stage.say(client, {}, 9);
  assertEquals(stage.takeShort(client), ["ack 9"]);
});

Deno.test("createWorldServer() lets no network use up what strangers may send", () => {
  const stage = new Stage({ tickRateHz: 0, clientsPerNetworkMax: 16 });
  for (let number = 0; number < 5_000; number++) stage.say(peerAt("10.0.0.9:5000"), {});
  const a = peerAt(A);
  stage.say(a, { type: "knock" }, 7);
  assertEquals(stage.takeShort(a), ["ack 7"]);
});

Deno.test("createWorldServer() reads nothing of a message longer than 512 bytes, and does not ack it", () => {
  const stage = new Stage();
  const a = peerAt(A);
  const knock = (bytes: number): Uint8Array =>
    encodeMessage(5, new TextEncoder().encode('{"type":"knock"}'.padEnd(bytes - 21)));
  stage.receive(knock(513), a);
  stage.receive(encodeMessage(5, new Uint8Array(492)), a);
  assertEquals(stage.take(a), []);
  assertEquals(stage.takeEvents(), ["refused oversize", "refused oversize"]);
  assert(!stage.server.remembers(a));
  stage.receive(knock(512), a);
  assertEquals(stage.takeShort(a), ["ack 5"]);
  assert(stage.server.remembers(a));
});

Deno.test("createWorldServer() counts a message before it reads what it says", () => {
  const stage = new Stage({ tickRateHz: 0, clientsPerNetworkMax: 1 });
  const a = peerAt(A);
  // No JSON: 256 were read, the others were not.
  for (let times = 0; times < 300; times++) stage.receive(encodeMessage(0, new Uint8Array(9)), a);
  assertEquals(stage.takeEvents(), [
    ...new Array(256).fill("refused json"),
    ...new Array(44).fill("refused rate"),
  ]);
  assertEquals(stage.take(a), []);
});

Deno.test("createWorldServer() reads nothing that is said in a long ACK", () => {
  const stage = new Stage({ objects: 1 });
  const a = stage.join(A);
  stage.takeEvents();
  const long = new Uint8Array(8_000).fill(0x5b); // No JSON: it would be refused for that.
  long.set(encodeAck(7).subarray(0, 21));
  [long[19], long[20]] = [long.length >> 8, long.length & 255];
  const header = long.slice(0, 21);
  header.fill(0x30, 2, 18);
  long.set(md5(header), 2);
  stage.receive(long, a);
  assertEquals(stage.takeEvents(), ["refused ack"]);
  stage.receive(long, peerAt(B));
  assertEquals(stage.takeEvents(), ["refused stranger"]);
});

// ---- knocking

Deno.test("createWorldServer() answers a knock with an ACK, then with one snap, and after its ACK with the rest", () => {
  const stage = new Stage({ objects: 3 });
  const a = peerAt(A);
  stage.say(a, { type: "knock" }, 9);
  assertEquals(stage.take(a), [{ at: 0, sequence: 9, bytes: 23 }]);
  assertEquals(stage.server.census(), { clients: 0, unproved: 1, objects: 3, time: 1 });
  stage.wait(TICK_MS);
  const [snap, ...more] = stage.take(a);
  assertEquals(more, []);
  assertEquals(JSON.parse(JSON.stringify(snap!.message)), {
    type: "snap",
    id: 0,
    time: 2,
    snapshot: [[0, 0, 0], [0, 0, 0], [1, 0, 0, 0], [0, 0, 0], 1],
    total: 3,
    initial: true,
    universe: UNIVERSE,
  });
  assertEquals(snap!.sequence, FIRST);
  assertEquals(stage.takeEvents(), []);
  stage.wait(400);
  assertEquals(stage.take(a), [], "nothing more before the ACK");
  stage.ack(a, FIRST);
  assertEquals(stage.takeEvents(), [`joined ${A}`]);
  assertEquals(stage.take(a), []);
  stage.wait(TICK_MS);
  const rest = stage.take(a);
  assertEquals(inShort(rest), ["heartbeat", "snap! 0", "snap! 1", "snap! 2"]);
  assertEquals(rest.map(({ sequence }) => sequence), [1, 2, 3, 4].map((n) => FIRST + n));
  assertEquals(rest[1]!.message.total, 3);
  assertEquals(stage.server.census(), { clients: 1, unproved: 0, objects: 3, time: 43 });
});

Deno.test("createWorldServer() repeats the one snap at growing intervals, under new numbers", () => {
  const stage = new Stage({ objects: 3, tickRateHz: 0 });
  const a = peerAt(A);
  stage.say(a, { type: "knock" });
  stage.take(a);
  stage.wait(9_999);
  const heard = stage.take(a);
  assertEquals(inShort(heard), new Array(5).fill("snap! 0"));
  assertEquals(heard.map(({ sequence }) => sequence - FIRST), [0, 1, 2, 3, 4]);
  // The first is sent 5 ms after the knock; the others when everybody is looked after, every 50 ms.
  assertEquals(heard.map(({ at }) => at), [5, 505, 1_505, 3_505, 7_505]);
});

Deno.test("createWorldServer() sends the snap as the object is now, each time", () => {
  const stage = new Stage({ objects: 1 });
  const a = peerAt(A);
  stage.say(a, { type: "knock" });
  stage.wait(100);
  stage.world.update(0, { mass: 77 });
  stage.wait(500);
  assertEquals(ofType(stage.take(a), "snap").map(({ message }) => message.snapshot[4]), [1, 77]);
});

Deno.test("createWorldServer() sends who knocks at an empty world a heartbeat, and proves it by that", () => {
  const stage = new Stage();
  const a = peerAt(A);
  stage.say(a, { type: "knock", diffs: true });
  stage.wait(TICK_MS);
  const heard = stage.take(a);
  assertEquals(inShort(heard), ["ack 0", "heartbeat"]);
  assertEquals(heard[1]!.message.synced, undefined);
  stage.ack(a, FIRST);
  assertEquals(stage.takeEvents(), [`joined ${A} diffs`]);
  stage.wait(TICK_MS);
  assertEquals(stage.takeShort(a), ["heartbeat 1"], "there is nothing to tell: all is told");
});

Deno.test("createWorldServer() is not convinced by wrong ACKs, and forgets who guesses 64 times", () => {
  const stage = new Stage({ objects: 3 });
  const a = peerAt(A);
  stage.say(a, { type: "knock" });
  stage.wait(20);
  stage.take(a);
  for (let guess = 1; guess < 64; guess++) stage.ack(a, FIRST + guess);
  stage.wait(20);
  assert(stage.server.remembers(a));
  assertEquals(stage.take(a), []);
  stage.ack(a, FIRST - 1);
  assert(!stage.server.remembers(a));
  stage.ack(a, FIRST);
  assertEquals(stage.takeEvents(), ["refused stranger"]);
  stage.wait(12_000);
  assertEquals(stage.take(a), []);
  assertEquals(stage.server.census().unproved, 0);
});

Deno.test("createWorldServer() never counts the wrong ACKs of who has proved itself", () => {
  const stage = new Stage({ objects: 1 });
  const a = stage.join(A);
  for (let guess = 0; guess < 200; guess++) stage.ack(a, guess);
  assert(stage.server.remembers(a));
  assertEquals(stage.takeEvents(), [`joined ${A} diffs`]);
});

Deno.test("createWorldServer() keeps ACKs apart by address: nobody proves another", () => {
  const stage = new Stage({ objects: 2 });
  const [a, b] = [peerAt(A), peerAt(B)];
  for (const peer of [a, b]) stage.say(peer, { type: "knock" });
  stage.wait(20);
  stage.ack(b, FIRST);
  assertEquals(stage.takeEvents(), [`joined ${B}`]);
  stage.wait(100);
  assertEquals(stage.takeShort(a), ["ack 0", "snap! 0"]);
});

Deno.test("createWorldServer() sends one snap however often somebody knocks before it has acked", () => {
  const stage = new Stage({ objects: 3 });
  const a = peerAt(A);
  for (let times = 0; times < 40; times++) {
    stage.say(a, { type: "knock" }, times);
    stage.wait(TICK_MS);
  }
  assertEquals(ofType(stage.take(a), "snap").length, 1);
  // What the last knock said counts.
  stage.say(a, { type: "knock", diffs: true });
  stage.ack(a, FIRST);
  assertEquals(stage.takeEvents(), [`joined ${A} diffs`]);
});

Deno.test("createWorldServer() tells everything again to who knocks again, once a second at most", () => {
  const stage = new Stage({ objects: 2 });
  const a = stage.join(A);
  stage.wait(1_000);
  stage.take(a);
  stage.say(a, { type: "knock", diffs: true }, 5);
  stage.wait(20);
  const first = inShort(ofType(stage.take(a), "snap"));
  assertEquals(first, ["snap! 0", "snap! 1"]);
  for (let times = 0; times < 10; times++) {
    stage.say(a, { type: "knock", diffs: true }, 6 + times);
    stage.wait(50);
  }
  assertEquals(inShort(ofType(stage.take(a), "snap")), []);
  stage.wait(520);
  assertEquals(inShort(ofType(stage.take(a), "snap")), ["snap! 0", "snap! 1"]);
  assertEquals(stage.takeEvents(), [`joined ${A} diffs`]);
});

Deno.test("createWorldServer() takes diffs away from who knocks again without them", () => {
  const stage = new Stage({ objects: 1 });
  const a = stage.join(A);
  stage.say(a, { type: "knock" });
  stage.wait(1_100);
  stage.take(a);
  stage.world.update(0, { mass: 9 });
  stage.wait(TICK_MS);
  assertEquals(stage.takeShort(a), ["snap 0"]);
  assertEquals(stage.server.clients().map(({ hasDiffs }) => hasDiffs), [false]);
});

Deno.test("createWorldServer() understands only true as a wish for diffs", () => {
  for (const diffs of [undefined, false, 1, "true", null, [true]]) {
    const stage = new Stage({ objects: 1 });
    const a = peerAt(A);
    stage.say(a, { type: "knock", diffs });
    stage.wait(TICK_MS);
    stage.ack(a, FIRST);
    assertEquals(stage.takeEvents(), [`joined ${A}`], JSON.stringify(diffs));
  }
});

// ---- syncing

Deno.test("createWorldServer() says what is synced once all snaps of the first sync were acked, and at once", () => {
  const stage = new Stage({ objects: 3 });
  const a = peerAt(A);
  stage.listeners.add(a);
  let isLost = true;
  stage.loses = ({ message }) => isLost && message.id === 2;
  stage.say(a, { type: "knock", diffs: true });
  stage.wait(40);
  assertEquals(inShort(ofType(stage.take(a), "heartbeat")), ["heartbeat"]);
  assertEquals(stage.server.clients().map(({ isSynced }) => isSynced), [false]);
  isLost = false;
  const before = stage.now;
  stage.wait(60);
  const heard = stage.take(a);
  assertEquals(inShort(heard), ["snap! 2", "heartbeat 2"]);
  assert(heard[1]!.at - heard[0]!.at <= TICK_MS && heard[0]!.at > before);
  assertEquals(stage.server.clients().map(({ isSynced }) => isSynced), [true]);
});

Deno.test("createWorldServer() does not wait for an object that is gone to call a client synced", () => {
  for (const diffs of [true, false]) {
    const stage = new Stage({ objects: 2 });
    const a = peerAt(A);
    stage.listeners.add(a);
    stage.loses = ({ message }) => message.id === 1;
    stage.say(a, { type: "knock", diffs });
    stage.wait(30);
    assertEquals(stage.server.clients()[0]!.isSynced, false);
    stage.world.remove(1);
    stage.wait(TICK_MS);
    assertEquals(stage.server.clients()[0]!.isSynced, true);
    stage.wait(2_000);
    assertEquals(inShort(ofType(stage.take(a), "heartbeat")).at(-1), "heartbeat 2");
  }
});

Deno.test("createWorldServer() is not synced by a late ACK of what it told before the sync", () => {
  const stage = new Stage({ objects: 1, keyframeMs: 0 });
  const a = stage.join(A);
  stage.wait(1_000);
  stage.loses = ({ message }) => message.type === "snap";
  stage.world.spawn();
  stage.wait(TICK_MS);
  const [before] = ofType(stage.take(a), "snap");
  stage.say(a, { type: "knock", diffs: true });
  stage.wait(TICK_MS);
  const [zero, one] = ofType(stage.take(a), "snap");
  stage.ack(a, before!.sequence, zero!.sequence);
  assertEquals(stage.server.clients()[0]!.isSynced, false);
  stage.ack(a, one!.sequence);
  assertEquals(stage.server.clients()[0]!.isSynced, true);
});

Deno.test("createWorldServer() is not synced with who knocked again until that sync was acked too", () => {
  const stage = new Stage({ objects: 1 });
  const a = stage.join(A);
  stage.wait(1_000);
  stage.loses = ({ message }) => message.type === "snap";
  stage.say(a, { type: "knock", diffs: true });
  assertEquals(stage.server.clients()[0]!.isSynced, false);
  stage.take(a);
  stage.wait(2_000);
  assertEquals(inShort(ofType(stage.take(a), "heartbeat")), ["heartbeat"]);
  stage.loses = (): boolean => false;
  stage.wait(4_000);
  const time = 112; // Of the tick at which the second sync began.
  assertEquals(inShort(ofType(stage.take(a), "heartbeat")).at(-1), `heartbeat ${time}`);
});

// ---- news

Deno.test("createWorldServer() tells a client with diffs only the traits that changed, in one datagram", () => {
  const stage = new Stage({ objects: 3 });
  const a = stage.join(A);
  stage.world.update(0, { position: [1, 2, 3], mass: 1 }); // The mass is what it was.
  stage.world.update(2, { hp: 2, name: "Röck" });
  const { time } = stage.world;
  stage.wait(TICK_MS);
  const [diff, ...more] = stage.take(a);
  assertEquals(more, []);
  assertEquals(JSON.parse(JSON.stringify(diff!.message)), {
    type: "diff",
    time: time + 1,
    diff: { 0: { position: [1, 2, 3] }, 2: { hp: 2, name: "Röck" } },
    universe: UNIVERSE,
  });
  stage.wait(100);
  assertEquals(stage.take(a), [], "told once");
});

Deno.test("createWorldServer() tells a client with diffs of new objects by snaps, of lost traits too", () => {
  const stage = new Stage({ objects: 1 });
  const a = stage.join(A);
  stage.world.update(0, { hp: 1, name: "x" });
  stage.world.spawn({ hp: 7 });
  stage.wait(TICK_MS);
  const [snap, diff] = stage.take(a);
  assertEquals(inShort([snap!, diff!]), ["snap 1", "diff 0"]);
  assertEquals(snap!.message.traits.hp, 7);
  assertEquals(snap!.message.total, 2);
  stage.world.update(0, { name: undefined, mass: 4 });
  stage.wait(TICK_MS);
  const [whole, ...more] = stage.take(a);
  assertEquals(inShort([whole!, ...more]), ["snap 0"]);
  assertEquals({ ...whole!.message.traits }, { hp: 1 });
  assertEquals(whole!.message.snapshot[4], 4);
});

Deno.test("createWorldServer() tells original clients of each new or changed object by one snap", () => {
  const stage = new Stage({ objects: 3 });
  const a = stage.join(A, { diffs: false });
  stage.world.update(1, { position: [1, 0, 0] });
  stage.world.update(1, { hp: 3 });
  stage.world.spawn({ mass: 8 });
  stage.wait(TICK_MS);
  const heard = stage.take(a);
  assertEquals(inShort(heard).toSorted(), ["snap 1", "snap 3"]);
  const one = heard.find(({ message }) => message.id === 1)!;
  assertEquals(one.message.snapshot[3], [1, 0, 0]);
  assertEquals({ ...one.message.traits }, { hp: 3 });
  stage.wait(100);
  assertEquals(stage.take(a), [], "told once");
});

Deno.test("createWorldServer() tells what changes at each tick at that tick, and nothing when nothing does", () => {
  const stage = new Stage({
    objects: 1,
    keyframeMs: 0,
    step: (world, _, time) => time % 2 === 0 && world.update(0, { mass: time }),
  });
  const a = stage.join(A);
  stage.wait(100);
  const heard = stage.take(a);
  assertEquals(heard.map(({ message }) => message.time), [12, 14, 16, 18, 20]);
  assertEquals(heard.map(({ message }) => message.diff[0].mass), [12, 14, 16, 18, 20]);
  assertEquals(heard.map(({ at }) => at), [110, 130, 150, 170, 190]);
});

Deno.test("createWorldServer() divides many changes into datagrams of at most 1,200 bytes", () => {
  for (const diffs of [true, false]) {
    const stage = new Stage({ objects: 50, keyframeMs: 0 });
    const a = stage.join(A, { diffs });
    for (const id of stage.world.objects.keys()) {
      stage.world.update(id, { position: [id / 3, -id / 7, 1e-7], velocity: [id / 11, 0, 0] });
    }
    stage.wait(TICK_MS);
    const heard = stage.take(a);
    const ids = diffs
      ? heard.flatMap(({ message }) => Object.keys(message.diff).map(Number))
      : heard.map(({ message }) => message.id);
    assertEquals(ids.toSorted((one, other) => one - other), [...stage.world.objects.keys()]);
    const bytes = heard.map(({ bytes }) => bytes);
    if (diffs) assert(bytes.slice(0, -1).every((bytes) => bytes > 1_000), "they are full");
  }
});

Deno.test("createWorldServer() tells once who is gone, and never again of it", () => {
  for (const diffs of [true, false]) {
    const stage = new Stage({ objects: 400 });
    const a = stage.join(A, { diffs });
    for (let id = 0; id < 399; id++) stage.world.remove(id);
    stage.world.spawn();
    stage.world.remove(400); // Nobody heard of it.
    const { time } = stage.world;
    stage.wait(TICK_MS);
    const heard = stage.take(a);
    assertEquals(new Set(heard.map(({ message }) => message.type)), new Set(["remove"]));
    assertEquals(new Set(heard.map(({ message }) => message.time)), new Set([time + 1]));
    assertEquals(new Set(heard.map(({ message }) => message.universe)), new Set([UNIVERSE]));
    assertEquals(heard.flatMap(({ message }) => message.ids), Array.from(Array(399).keys()));
    stage.wait(21_000);
    const later = new Set(inShort(stage.take(a)).filter((text) => !text.startsWith("heartbeat")));
    assertEquals(later, new Set(["snap 399"]), "keyframes");
  }
});

// ---- what is lost

Deno.test("createWorldServer() tells a lost snap again as the object is by then, under a new number", () => {
  const stage = new Stage({ objects: 1, keyframeMs: 0 });
  const a = stage.join(A);
  const heard: Heard[] = [];
  stage.loses = ({ message }) => message.type === "snap" && message.snapshot[4] === 1;
  stage.world.spawn({ name: "new" });
  stage.wait(30);
  heard.push(...stage.take(a));
  stage.world.update(1, { mass: 2 });
  stage.wait(200);
  heard.push(...stage.take(a));
  assertEquals(inShort(heard), ["snap 1", "diff 1", "snap 1"]);
  assertEquals(heard.map(({ sequence }) => sequence - heard[0]!.sequence), [0, 1, 2]);
  const [first, , again] = heard;
  assertEquals([again!.message.snapshot[4], again!.message.traits.name], [2, "new"]);
  assert(again!.message.time > first!.message.time);
  assertEquals(again!.at - first!.at, 50);
});

Deno.test("createWorldServer() waits longer and longer before it sends a snap that is lost again and again", () => {
  const stage = new Stage({
    objects: 1,
    keyframeMs: 0,
    step: (world, _, time) => time % 40 === 0 && world.update(0, { mass: time }),
  });
  const a = stage.join(A);
  stage.loses = ({ message }) => message.type === "snap";
  stage.world.spawn();
  stage.wait(5_900);
  const times = ofType(stage.take(a), "snap").map(({ at }) => at);
  const gaps = times.slice(1).map((at, index) => at - times[index]!);
  assertEquals(gaps, [50, 100, 150, 250, 450, 850, 1_050, 1_050, 1_050]);
  stage.world.update(1, { mass: 5 });
  stage.wait(TICK_MS);
  assertEquals(stage.takeShort(a), ["snap 1"], "there is something new to tell");
});

Deno.test("createWorldServer() tells a lost snap not again when a newer one arrived", () => {
  const stage = new Stage({ objects: 1, keyframeMs: 0 });
  const a = stage.join(A);
  stage.loses = ({ message }) => message.traits?.hp === 1;
  stage.world.spawn({ hp: 1 });
  stage.wait(20);
  stage.world.update(1, { hp: undefined });
  stage.wait(1_000);
  assertEquals(stage.takeShort(a), ["snap 1", "snap 1"]);
});

Deno.test("createWorldServer() lets no snap overtake another of the object on the way to an original client", () => {
  const stage = new Stage({
    objects: 2,
    keyframeMs: 0,
    step: (world, _, time) => world.update(0, { mass: time }),
  });
  const a = stage.join(A, { diffs: false });
  stage.loses = ({ message }) => message.type === "snap";
  stage.wait(TICK_MS);
  const [snap] = stage.take(a);
  stage.wait(20);
  assertEquals(stage.take(a), [], "one is on its way");
  stage.world.update(1, { mass: 1.5 });
  stage.wait(TICK_MS);
  assertEquals(stage.takeShort(a), ["snap 1"], "other objects do not wait");
  stage.ack(a, snap!.sequence);
  stage.wait(TICK_MS);
  const [newest, ...more] = stage.take(a);
  assertEquals([newest!.message.snapshot[4], more.length], [stage.world.time, 0]);
  stage.ack(a, newest!.sequence);
});

Deno.test("createWorldServer() tells an original client again what it may have taken late for the newest", () => {
  for (const [diffs, snaps] of [[false, 1], [true, 0]] as const) {
    const stage = new Stage({ objects: 1, keyframeMs: 0 });
    const a = stage.join(A, { diffs });
    stage.loses = ({ message }) => message.snapshot?.[4] === 7;
    stage.world.spawn({ mass: 7 });
    stage.wait(TICK_MS);
    const [late] = ofType(stage.take(a), "snap");
    stage.world.update(1, { mass: 8 });
    stage.wait(200);
    stage.take(a);
    for (let times = 0; times < 2; times++) { // Late, and once more.
      stage.ack(a, late!.sequence);
      stage.wait(50);
      assertEquals(ofType(stage.take(a), "snap").length, snaps, `diffs: ${diffs}`);
    }
  }
});

Deno.test("createWorldServer() has at most 2,048 packets on their way to one client", () => {
  const stage = new Stage({ objects: 4_000, keyframeMs: 0, bytesPerSecond: 1e8 });
  const a = peerAt(A);
  stage.say(a, { type: "knock" });
  // So that much is on its way.
  const line = new Line(stage, a, { delayMs: ({ sequence }) => 400 + (sequence * 7) % 10 });
  let most = 0;
  for (let mass = 2; mass < 20; mass++) {
    for (const id of stage.world.objects.keys()) stage.world.update(id, { mass });
    line.run(500);
    most = Math.max(most, line.unacked);
  }
  assert(most <= 2_048 && most > 1_900, `${most} packets`);
});

Deno.test("createWorldServer() tells lost traits again as they are by then, unless they were told since", () => {
  const stage = new Stage({ objects: 2, keyframeMs: 0 });
  const a = stage.join(A);
  const lost = new Set<number>();
  stage.loses = ({ message, sequence }) => message.diff?.[0]?.hp === 1 && !!lost.add(sequence);
  stage.world.update(0, { hp: 1, name: "x", armor: 3 });
  stage.wait(20);
  stage.world.update(0, { name: "y" });
  stage.world.update(1, { hp: 5 });
  stage.wait(20);
  assertEquals(stage.takeShort(a), ["diff 0", "diff 0 1"]);
  stage.loses = (): boolean => false;
  stage.wait(100);
  const [again, ...more] = stage.take(a);
  assertEquals(more, []);
  assertEquals(JSON.parse(JSON.stringify(again!.message.diff)), { 0: { hp: 1, armor: 3 } });
  assert(!lost.has(again!.sequence) && lost.size === 1);
});

Deno.test("createWorldServer() tells again who is gone until that is acked, and only that", () => {
  for (const diffs of [true, false]) {
    const stage = new Stage({ objects: 3, keyframeMs: 0 });
    const a = stage.join(A, { diffs });
    let losses = 0;
    stage.loses = ({ message }) => message.type === "remove" && losses++ < 3;
    stage.world.remove(1);
    stage.wait(1_000);
    const heard = stage.take(a);
    assertEquals(inShort(heard), new Array(4).fill("remove 1"));
    assertEquals(new Set(heard.map(({ sequence }) => sequence)).size, 4);
  }
});

Deno.test("createWorldServer() owes nothing more of an object that is gone", () => {
  const stage = new Stage({ objects: 2, keyframeMs: 0 });
  const a = stage.join(A);
  stage.loses = ({ message }) => message.type === "diff" || message.id === 2;
  stage.world.update(0, { hp: 1 });
  stage.world.spawn();
  stage.wait(30);
  stage.take(a);
  stage.world.remove(0);
  stage.world.remove(2);
  stage.wait(1_000);
  assertEquals(stage.takeShort(a), ["remove 0 2"]);
});

Deno.test("createWorldServer() gives each client numbers of its own, one by one, around 65,536", () => {
  const draws = [0.5, 0.999, 0.25];
  const stage = new Stage({ objects: 1, keyframeMs: 0, random: () => draws.shift()! });
  const peers = [A, B].map((address) => peerAt(address));
  for (const peer of peers) {
    stage.listeners.add(peer);
    stage.say(peer, { type: "knock", diffs: true });
  }
  for (let times = 0; times < 200; times++) {
    stage.world.update(0, { mass: times + 2 });
    stage.wait(TICK_MS);
  }
  for (const [index, peer] of peers.entries()) {
    const numbers = stage.take(peer).filter(({ message }) => message).map((heard) =>
      heard.sequence
    );
    const first = [65_470, 16_384][index]!;
    assert(numbers.length > 200, `${numbers.length} packets`);
    assertEquals(numbers, numbers.map((_, count) => (first + count) % 65_536));
  }
});

// ---- heartbeats and keyframes

Deno.test("createWorldServer() says every 2 s that it is there, with the time of day and of the world", () => {
  const stage = new Stage({ objects: 1, keyframeMs: 0, tickRateHz: 50 });
  const a = stage.join(A);
  stage.wait(10_000);
  const heard = stage.take(a);
  assertEquals(inShort(heard), new Array(5).fill("heartbeat 2"));
  for (const [index, { at, message }] of heard.entries()) {
    assertEquals(JSON.parse(JSON.stringify(message)), {
      type: "heartbeat",
      time: (1_000_000 + at) / 1_000,
      tick: 1 + Math.floor(at / 20),
      tickRate: 50,
      synced: 2,
      universe: UNIVERSE,
    });
    if (index > 0) assertEquals(at - heard[index - 1]!.at, 2_000);
  }
});

Deno.test("createWorldServer() makes up for a heartbeat that is lost after 500 ms", () => {
  const stage = new Stage({ objects: 1, keyframeMs: 0 });
  const a = stage.join(A);
  stage.wait(1_980);
  stage.take(a);
  let losses = 0;
  stage.loses = (): boolean => losses++ < 3;
  stage.wait(8_000);
  const times = stage.take(a).map(({ at }) => at);
  const gaps = times.slice(1).map((at, index) => at - times[index]!);
  assertEquals(gaps.slice(0, 5), [500, 500, 500, 2_000, 2_000]);
});

Deno.test("createWorldServer() says more often that it is there to clients that are soon given up", () => {
  const stage = new Stage({ silenceMs: 1_000, tickRateHz: 0 });
  const a = stage.join(A);
  stage.wait(5_000);
  const heard = stage.take(a);
  assertEquals(heard.length, 20);
  assertEquals(heard[0]!.message.tickRate, 0);
});

Deno.test("createWorldServer() tells every object whole again in each 10 s, evenly", () => {
  for (const diffs of [true, false]) {
    const stage = new Stage({ objects: 100 });
    const a = stage.join(A, { diffs });
    stage.wait(10_000);
    const snaps = ofType(stage.take(a), "snap");
    assertEquals(snaps.map(({ message }) => message.id).toSorted((a, b) => a - b), [
      ...Array(100).keys(),
    ]);
    assert(snaps.every(({ message }) => !("initial" in message)));
    const perSecond = Object.groupBy(snaps, ({ at }) => Math.floor((at - 100) / 1_000));
    for (const some of Object.values(perSecond).slice(0, 10)) {
      assert(Math.abs(some!.length - 10) <= 1, `${some!.length} in a second`);
    }
    stage.wait(10_000);
    assertEquals(ofType(stage.take(a), "snap").length, 100, "and again");
  }
});

Deno.test("createWorldServer() tells objects whole as often as it is told, or never", () => {
  for (const [keyframeMs, count] of [[1_000, 30], [0, 0]] as const) {
    const stage = new Stage({ objects: 10, keyframeMs });
    const a = stage.join(A);
    stage.wait(3_000);
    assertEquals(ofType(stage.take(a), "snap").length, count);
  }
});

// ---- who is gone

Deno.test("createWorldServer() lets go who stops, after the ACK, and acks the stop of a stranger", () => {
  const stage = new Stage({ objects: 1 });
  const [a, b] = [stage.join(A), stage.join(B)];
  stage.takeEvents();
  stage.say(a, { type: "stop" }, 3);
  assertEquals(stage.takeShort(a), ["ack 3"]);
  assertEquals(stage.takeEvents(), [`left ${A} stopped`]);
  assert(!stage.server.remembers(a) && stage.server.remembers(b));
  stage.wait(3_000);
  assertEquals(stage.take(a), []);
  stage.say(a, { type: "stop" }, 4);
  assertEquals(stage.takeShort(a), ["ack 4"]);
  assertEquals(stage.takeEvents(), []);
  assertEquals(stage.server.census().clients, 1);
});

Deno.test("createWorldServer() forgets without a word who stops before it has acked", () => {
  const stage = new Stage({ objects: 1 });
  const a = peerAt(A);
  stage.say(a, { type: "knock" });
  stage.say(a, { type: "stop" });
  assert(!stage.server.remembers(a));
  stage.wait(5_000);
  assertEquals(stage.takeShort(a), ["ack 0", "ack 0"]);
  assertEquals(stage.takeEvents(), []);
});

Deno.test("createWorldServer() drops a client that acked nothing for 10 s, not before", () => {
  const stage = new Stage({ objects: 1 });
  const a = stage.join(A);
  stage.takeEvents();
  stage.wait(1_995); // The last heartbeat it acks.
  const heartbeats = ofType(stage.take(a), "heartbeat");
  stage.listeners.clear();
  const heardAt = heartbeats.at(-1)?.at ?? 10;
  stage.wait(heardAt + 9_999 - stage.now);
  assertEquals(stage.takeEvents(), []);
  // Knocks and pings are no ACKs.
  stage.say(a, {});
  stage.say(a, { type: "knock" });
  stage.wait(1);
  assertEquals(stage.takeEvents(), [`left ${A} silent`]);
  assert(!stage.server.remembers(a));
  assertEquals(stage.server.census().clients, 0);
  stage.take(a);
  stage.wait(10_000);
  assertEquals(stage.take(a), []);
});

Deno.test("createWorldServer() keeps a client that acks nothing but heartbeats", () => {
  const stage = new Stage({
    objects: 1,
    step: (world, _, time) => world.update(0, { mass: time }),
  });
  const a = stage.join(A);
  stage.loses = ({ message }) => message.type !== "heartbeat";
  stage.wait(60_000);
  assertEquals(stage.takeEvents(), [`joined ${A} diffs`]);
  assert(stage.server.remembers(a));
});

Deno.test("createWorldServer() waits as long as it is told for a client", () => {
  const stage = new Stage({ objects: 1, silenceMs: 3_000 });
  const a = stage.join(A);
  stage.listeners.clear();
  stage.wait(2_500);
  assert(stage.server.remembers(a));
  stage.wait(500);
  assert(!stage.server.remembers(a));
});

Deno.test("createWorldServer() forgets after 10 s who never acked, also when it waits longer for clients", () => {
  for (const silenceMs of [1_000, 10_000, 60_000]) {
    const stage = new Stage({ objects: 1, silenceMs });
    const a = peerAt(A);
    stage.say(a, { type: "knock" });
    stage.wait(9_000);
    stage.say(a, { type: "knock" });
    stage.wait(999);
    assert(stage.server.remembers(a));
    stage.wait(1);
    assert(!stage.server.remembers(a));
    assertEquals(stage.takeEvents(), []);
  }
});

Deno.test("createWorldServer() drops nobody because its host was asleep", () => {
  const stage = new Stage({ objects: 1 });
  const a = stage.join(A);
  const b = peerAt(B);
  stage.say(b, { type: "knock" });
  stage.wait(100);
  stage.takeEvents();
  for (const sleepMs of [1_000, 60_000, 3_600_000]) {
    stage.listeners.delete(a);
    stage.wait(7_900); // And up to 2 s since the last heartbeat: almost too long.
    stage.advance(stage.now + sleepMs);
    assert(stage.server.remembers(a), `${sleepMs} ms`);
    stage.listeners.add(a);
    stage.wait(2_000);
  }
  assertEquals(stage.takeEvents().filter((event) => !event.startsWith("stalled")), []);
});

Deno.test("createWorldServer() drops who is silent also when its host is a little late each time", () => {
  const stage = new Stage({ objects: 1 });
  const a = stage.join(A);
  stage.listeners.clear();
  for (let times = 0; times < 12; times++) stage.advance(stage.now + 900);
  assert(!stage.server.remembers(a));
});

Deno.test("createWorldServer() does not take the time before anybody came for sleep", () => {
  const stage = new Stage({ objects: 1, tickRateHz: 0 });
  stage.play.out.now = 50_000;
  const a = peerAt(A);
  stage.say(a, { type: "knock" });
  stage.wait(9_999);
  assert(stage.server.remembers(a));
  stage.wait(51);
  assert(!stage.server.remembers(a));
});

// ---- no place

Deno.test("createWorldServer() tells who is one too many that it is full, and forgets it", () => {
  const stage = new Stage({ objects: 1, clientsMax: 2 });
  stage.join(A);
  stage.join(B);
  stage.takeEvents();
  const c = peerAt(C);
  stage.say(c, { type: "knock" }, 7);
  const heard = stage.take(c);
  assertEquals(inShort(heard), ["ack 7", "full"]);
  assertEquals(stage.takeEvents(), ["refused full"]);
  assert(!stage.server.remembers(c));
  stage.ack(c, heard[1]!.sequence);
  stage.wait(5_000);
  assertEquals(stage.take(c), [], "neither resent nor counted");
  assertEquals(stage.takeEvents(), ["refused stranger"]);
  for (const peer of stage.listeners) stage.say(peer, { type: "stop" });
  stage.join(C);
  assertEquals(stage.takeEvents().at(-1), `joined ${C} diffs`);
});

Deno.test("createWorldServer() lets only so many of one network in", () => {
  const stage = new Stage({ objects: 1, clientsPerNetworkMax: 2 });
  const a = stage.join("10.0.0.1:1");
  stage.join("10.0.0.1:2");
  stage.takeEvents();
  const third = peerAt("10.0.0.1:3");
  stage.say(third, { type: "knock" });
  assertEquals(stage.takeShort(third), ["ack 0", "full"]);
  assertEquals(stage.takeEvents(), ["refused full-network"]);
  assert(!stage.server.remembers(third));
  stage.join(B);
  assertEquals(stage.takeEvents(), [`joined ${B} diffs`]);
  stage.say(a, { type: "stop" });
  stage.takeEvents();
  stage.join("10.0.0.1:4");
  assertEquals(stage.takeEvents(), ["joined 10.0.0.1:4 diffs"]);
});

Deno.test("createWorldServer() lets the eldest of a network make room that never acked, and nobody else", () => {
  const stage = new Stage({ objects: 1, clientsPerNetworkMax: 3 });
  const client = stage.join("10.0.0.1:1");
  const other = peerAt(B);
  stage.say(other, { type: "knock" });
  stage.takeEvents();
  const strangers = [2, 3, 4, 5].map((port) => peerAt(`10.0.0.1:${port}`));
  for (const peer of strangers) stage.say(peer, { type: "knock" });
  assertEquals(stage.takeEvents(), []);
  const remembered = [client, other, ...strangers].map((peer) => stage.server.remembers(peer));
  assertEquals(remembered, [true, true, false, true, true, true]);
  assertEquals(stage.server.census().unproved, 4);
});

Deno.test("createWorldServer() lets somebody in whose network was forged by the thousand", () => {
  const stage = new Stage({ objects: 1, clientsPerNetworkMax: 64 });
  for (let seconds = 0; seconds < 10; seconds++) {
    for (let port = 1; port <= 64; port++) {
      stage.say(peerAt(`10.0.0.1:${100 * seconds + port}`), { type: "knock" });
    }
    stage.wait(1_000);
  }
  stage.takeEvents();
  stage.join("10.0.0.1:9000");
  assertEquals(stage.takeEvents(), ["joined 10.0.0.1:9000 diffs"]);
});

Deno.test("createWorldServer() refuses who proves itself when its network has no place any more", () => {
  const stage = new Stage({ objects: 1, clientsPerNetworkMax: 2 });
  const peers = [1, 2, 3].map((port) => peerAt(`10.0.0.1:${port}`));
  stage.say(peers[0]!, { type: "knock" });
  stage.wait(20);
  stage.ack(peers[0]!, FIRST);
  for (const peer of peers.slice(1)) stage.say(peer, { type: "knock" });
  stage.wait(20);
  stage.takeEvents();
  for (const peer of peers) stage.take(peer);
  for (const peer of peers.slice(1)) stage.ack(peer, FIRST);
  assertEquals(stage.takeEvents(), ["joined 10.0.0.1:2", "refused full-network"]);
  assertEquals(stage.takeShort(peers[2]!), ["full"]);
  assertEquals(peers.map((peer) => stage.server.remembers(peer)), [true, true, false]);
});

Deno.test("createWorldServer() says only so often to one network that it is full", () => {
  const stage = new Stage({ objects: 1, clientsMax: 1, tickRateHz: 0 });
  stage.join(A);
  const c = peerAt(C);
  for (let times = 0; times < 250; times++) stage.say(c, { type: "knock" });
  const full = ofType(stage.take(c), "full");
  const bytes = full.reduce((sum, { bytes }) => sum + bytes, 0);
  assert(bytes <= 16 * 256 && bytes > 16 * 256 - 50, `${bytes} bytes`);
});

Deno.test("createWorldServer() lets the eldest that never acked make room, and nobody who has", () => {
  const stage = new Stage({ objects: 1, unprovedMax: 2 });
  const a = stage.join(A);
  stage.takeEvents();
  const strangers = [1, 2, 3].map((n) => peerAt(`10.1.0.${n}:5000`));
  for (const peer of strangers) stage.say(peer, { type: "knock" });
  assertEquals(strangers.map((peer) => stage.server.remembers(peer)), [false, true, true]);
  assert(stage.server.remembers(a));
  assertEquals(stage.server.census().unproved, 2);
  assertEquals(stage.takeEvents(), []);
});

Deno.test("createWorldServer() refuses who proves itself when the last place is taken meanwhile", () => {
  const stage = new Stage({ objects: 1, clientsMax: 2 });
  stage.join(C);
  const [a, b] = [peerAt(A), peerAt(B)];
  for (const peer of [a, b]) stage.say(peer, { type: "knock" });
  stage.wait(20);
  stage.takeEvents();
  stage.take(b);
  for (const peer of [a, b]) stage.ack(peer, FIRST);
  assertEquals(stage.takeEvents(), [`joined ${A}`, "refused full"]);
  assertEquals(stage.takeShort(b), ["full"]);
  assert(stage.server.remembers(a) && !stage.server.remembers(b));
  assertEquals(stage.server.census(), { clients: 2, unproved: 0, objects: 1, time: 13 });
});

// ---- who is slow

Deno.test("createWorldServer() gives who acks nothing but heartbeats only these and a try or two each", () => {
  for (const diffs of [true, false]) {
    const stage = new Stage({
      objects: 5,
      step: (world, _, time) => world.update(time % 5, { mass: time }),
    });
    const a = stage.join(A, { diffs });
    stage.loses = ({ message }) => message.type !== "heartbeat";
    stage.wait(1_000);
    assert(stage.take(a).length > 20, "at first it is told everything");
    stage.wait(10_000);
    const heard = stage.take(a);
    assertEquals(ofType(heard, "heartbeat").length, 5);
    // One after each ACK, and one 2 s after the last at the latest; more only in the first second.
    assert(heard.length <= 5 + 2 * 5 + 2, inShort(heard).join());
    assert(heard.length >= 5 + 5, inShort(heard).join());
    stage.loses = (): boolean => false;
    stage.wait(2_200);
    stage.take(a);
    stage.wait(100);
    assertEquals(stage.take(a).length, 10, "it is told everything again");
  }
});

Deno.test("createWorldServer() tells who was behind the newest, and what changed many times once", () => {
  const stage = new Stage({
    objects: 3,
    keyframeMs: 0,
    step: (world, _, time) => time < 600 && world.update(0, { mass: time }),
  });
  const a = stage.join(A);
  stage.loses = ({ message }) => message.type !== "heartbeat";
  stage.wait(6_000);
  stage.loses = (): boolean => false;
  stage.take(a);
  stage.wait(4_000);
  const heard = stage.take(a).filter(({ message }) => message.type !== "heartbeat");
  assert(heard.length <= 3, inShort(heard).join());
  const mass = ({ message }: Heard): number => message.diff?.[0]?.mass ?? message.snapshot?.[4];
  assertEquals(mass(heard.at(-1)!), 599);
});

Deno.test("createWorldServer() sends a client no more bytes a second than it is told", () => {
  for (const diffs of [true, false]) {
    const bytesPerSecond = 40_000;
    const stage = new Stage({
      objects: 20,
      bytesPerSecond,
      keyframeMs: 0,
      step: (world, _, time) => {
        for (let id = 0; id < 20; id++) world.update(id, { name: `${time}`.padStart(300) });
      },
    });
    const a = stage.join(A, { diffs });
    stage.wait(1_000);
    stage.take(a);
    stage.wait(4_000);
    const bytes = weightOf(stage.take(a));
    assert(bytes > 3.8 * bytesPerSecond, `${bytes} bytes are too few`);
    assert(bytes < 4.2 * bytesPerSecond, `${bytes} bytes are too many`);
  }
});

Deno.test("createWorldServer() sends less while most of it is lost, and more again when little is", () => {
  const stage = new Stage({
    objects: 20,
    bytesPerSecond: 100_000,
    keyframeMs: 0,
    step: (world, _, time) => {
      for (let id = 0; id < 20; id++) world.update(id, { name: `${time}`.padStart(300) });
    },
  });
  const a = stage.join(A);
  stage.loses = ({ sequence }) => sequence % 10 < 8;
  stage.wait(6_000);
  stage.take(a);
  stage.wait(1_000);
  const slow = weightOf(stage.take(a));
  assert(slow > 10_000 && slow < 30_000, `${slow} bytes`);
  stage.loses = (): boolean => false;
  stage.wait(10_000);
  stage.take(a);
  stage.wait(1_000);
  const fast = weightOf(stage.take(a));
  assert(fast > 90_000 && fast < 110_000, `${fast} bytes`);
});

Deno.test("createWorldServer() tells nobody of an object that is gone because it was to be told whole", () => {
  const stage = new Stage({ bytesPerSecond: 20_000, keyframeMs: 50 });
  for (let id = 0; id < 10; id++) stage.world.spawn({ name: "x".repeat(800) });
  stage.wait(TICK_MS);
  const a = stage.join(A);
  for (let id = 0; id < 9; id++) {
    stage.wait(500);
    assert(ofType(stage.take(a), "snap").length > 5, "there are more to be told than may leave");
    stage.world.remove(id);
    stage.wait(500);
    const texts = inShort(stage.take(a));
    const removedAt = texts.indexOf(`remove ${id}`);
    assert(removedAt >= 0 && !texts.slice(removedAt).includes(`snap ${id}`), texts.join());
  }
});

// ---- a host that cannot send

Deno.test("createWorldServer() tells less while more than 64 datagrams wait, and the rest later", () => {
  const stage = new Stage({ objects: 1, keyframeMs: 0 });
  const [a, b] = [stage.join(A), stage.join(B, { diffs: false })];
  stage.takeEvents();
  stage.play.out.unsent = 65;
  stage.world.update(0, { mass: 50 });
  stage.wait(TICK_MS);
  stage.world.update(0, { hp: 3 });
  stage.world.spawn();
  stage.wait(TICK_MS);
  assertEquals([...stage.take(a), ...stage.take(b)], []);
  stage.play.out.unsent = 0;
  stage.wait(TICK_MS);
  // First the tick that was being told, then all that came meanwhile.
  const heard = stage.take(a);
  assertEquals(inShort(heard), ["diff 0", "snap 1", "diff 0"]);
  const diffs = ofType(heard, "diff").map(({ message }) => ({ ...message.diff[0] }));
  assertEquals(diffs, [{ mass: 50 }, { hp: 3 }]);
  assertEquals(new Set(stage.takeShort(b)), new Set(["snap 0", "snap 1"]));
});

/** A stage and 200 clients of which 128 can be told at each tick, one datagram each. */
function crowdedStage(
  tickMs = TICK_MS,
): { stage: Stage; peers: Peer[]; tellAll: (mass: number) => void } {
  const stage = new Stage({ objects: 1, keyframeMs: 0, tickRateHz: 1_000 / tickMs });
  const { out } = stage.play;
  const send = out.send.bind(out);
  const peers = Array.from({ length: 200 }, (_, index) => peerAt(`10.1.${index}.1:5000`));
  for (const peer of peers) {
    stage.listeners.add(peer);
    stage.say(peer, { type: "knock", diffs: true });
  }
  stage.wait(500 + tickMs - 1); // Until right before a tick.
  for (const peer of peers) stage.take(peer);
  assertEquals(stage.server.census().clients, 200);
  stage.takeEvents();
  out.send = (peer, bytes): void => {
    send(peer, bytes);
    out.unsent++;
  };
  const tellAll = (mass: number): void => {
    out.unsent = 0;
    stage.world.update(0, { mass });
    stage.wait(tickMs);
  };
  return { stage, peers, tellAll };
}

Deno.test("createWorldServer() tells ticks together that come while one is being told", () => {
  const { stage, peers, tellAll } = crowdedStage();
  const told = peers.map((): number[] => []);
  for (let tick = 1; tick <= 51; tick++) {
    tellAll(tick);
    for (const [index, peer] of peers.entries()) {
      const heard = ofType(stage.take(peer), "diff");
      told[index]!.push(...heard.map(({ message }) => message.diff[0].mass));
    }
  }
  for (const masses of told) {
    // Nobody is left out, and nobody is told anything twice, or old news after new ones.
    assertEquals(masses, masses.toSorted((one, other) => one - other));
    assertEquals(new Set(masses).size, masses.length);
    assert(masses.length >= 25 && masses.length <= 45, `${masses}`);
    assert(masses.at(-1)! >= 49, `${masses}`);
  }
});

Deno.test("createWorldServer() says that it lags when ticks come before the last one was told", () => {
  const { stage, tellAll } = crowdedStage(50); // 128 of 200 clients can be told at each tick.
  for (let tick = 1; tick <= 450; tick++) tellAll(tick + 10);
  const shares = stage.takeEvents().map((event) => Number(/^lagging (.*)$/.exec(event)![1]));
  assertEquals(shares.length, 2);
  for (const share of shares) assert(share < 0.5, `${share}`);
});

Deno.test("createWorldServer() divides a round into slices 2 ms apart", () => {
  const { stage, peers } = crowdedStage();
  const { out } = stage.play;
  stage.world.update(0, { mass: 9 });
  const begin = stage.now + 1;
  while (stage.server.nextDeadline() < begin + TICK_MS) {
    out.unsent = 0;
    stage.advance(stage.server.nextDeadline());
  }
  const perSlice: Record<number, number> = {};
  for (const peer of peers) {
    for (const { at } of ofType(stage.take(peer), "diff")) {
      perSlice[at - begin] = (perSlice[at - begin] ?? 0) + 1;
    }
  }
  assertEquals(perSlice, { 0: 64, 2: 64, 4: 64, 6: 8 });
});

Deno.test("createWorldServer() goes on with the next when whose turn it is has gone", () => {
  const { stage, peers, tellAll } = crowdedStage();
  tellAll(11);
  const isTold = (peer: Peer): boolean => ofType(stage.take(peer), "diff").length > 0;
  assertEquals(peers.map(isTold).indexOf(false), 128);
  stage.say(peers[128]!, { type: "stop" });
  stage.play.out.unsent = 0;
  stage.wait(TICK_MS);
  assertEquals(peers.map(isTold).slice(126, 131), [false, false, false, true, true]);
});

Deno.test("createWorldServer() tells objects whole whose turn came while nothing could leave", () => {
  const stage = new Stage({ objects: 10, keyframeMs: 1_000 });
  const a = stage.join(A);
  stage.wait(TICK_MS - 1); // Until right before a tick.
  stage.take(a);
  stage.play.out.unsent = 65;
  stage.wait(1_000);
  assertEquals(stage.take(a), []);
  stage.play.out.unsent = 0;
  stage.wait(TICK_MS);
  const ids = ofType(stage.take(a), "snap").map(({ message }) => message.id);
  assertEquals(ids.toSorted(), [...Array(10).keys()]);
});

Deno.test("createWorldServer() says which share of the ticks was told at once", () => {
  const tickMs = 50;
  const { stage, tellAll } = crowdedStage(tickMs);
  for (let tick = 1; tick <= 220; tick++) {
    tellAll(10 + tick % 4);
    // Every fourth round reaches everybody.
    for (let at = 0; tick % 4 === 0 && at < tickMs; at++) {
      stage.play.out.unsent = 0;
      stage.wait(1);
    }
  }
  const [event, ...more] = stage.takeEvents();
  assertEquals(more, []);
  const share = Number(/^lagging (.*)$/.exec(event!)![1]);
  // Of four rounds one begins at once: the one after that which reaches everybody.
  assert(share > 0.2 && share < 0.3, `${share}`);
});

Deno.test("createWorldServer() says at most every 10 s that it tells less than it should", () => {
  const stage = new Stage({
    objects: 1,
    step: (world, _, time) => world.update(0, { mass: time }),
  });
  stage.join(A);
  stage.wait(5_000);
  assertEquals(stage.takeEvents(), [`joined ${A} diffs`]);
  stage.wait(5_100 + TICK_MS - 1); // Until right before a tick.
  const events: [number, string][] = [];
  for (let at = 0; at < 3_000; at++) {
    stage.play.out.unsent = at % 2 === 0 ? 65 : 0;
    stage.wait(TICK_MS);
    for (const event of stage.takeEvents()) events.push([stage.now, event]);
  }
  assertEquals(events.map(([, event]) => event.split(" ")[0]), new Array(3).fill("lagging"));
  const shares = events.map(([, event]) => Number(event.split(" ")[1]));
  for (const share of shares.slice(1)) assert(Math.abs(share - 0.5) < 0.01, `${share}`);
  for (const [index, [at]] of events.entries()) {
    if (index > 0) assertEquals(at - events[index - 1]![0], 10_000);
  }
});

Deno.test("createWorldServer() does not mention that one in ten was told a tick later", () => {
  const stage = new Stage({
    objects: 1,
    step: (world, _, time) => world.update(0, { mass: time }),
  });
  stage.join(A);
  stage.wait(TICK_MS - 1); // Until right before a tick.
  for (let at = 0; at < 3_000; at++) {
    stage.play.out.unsent = at % 10 === 0 && at > 0 ? 65 : 0;
    stage.wait(TICK_MS);
  }
  assertEquals(stage.takeEvents(), [`joined ${A} diffs`]);
});

// ---- time

Deno.test("createWorldServer() ticks as often as its rate says, with the seconds of a tick", () => {
  for (const tickRateHz of [1, 60, 1_000]) {
    const steps: [number, number][] = [];
    const stage = new Stage({
      tickRateHz,
      step: (world, seconds, time) => {
        assertEquals(world, stage.world);
        steps.push([seconds, time]);
      },
    });
    stage.wait(2_000.5);
    assertEquals(steps.length, 2 * tickRateHz);
    assertEquals(stage.world.time, 2 * tickRateHz);
    assertEquals(steps.map(([, time]) => time), Array.from(steps, (_, index) => index + 1));
    assert(steps.every(([seconds]) => seconds === 1 / tickRateHz));
    assertEquals(stage.server.lateness.count, 2 * tickRateHz);
  }
});

Deno.test("createWorldServer() makes up for lost time up to 250 ms, and tells of it all at once", () => {
  const times: number[] = [];
  const stage = new Stage({
    objects: 1,
    step: (world, _, time) => {
      times.push(time);
      world.update(0, { mass: time });
    },
  });
  const a = stage.join(A);
  stage.takeEvents();
  times.length = 0;
  const { time } = stage.world;
  stage.advance(stage.now + 250);
  assertEquals(times, Array.from(Array(25).keys(), (tick) => time + 1 + tick));
  assertEquals(stage.takeEvents(), []);
  const [diff, ...more] = stage.take(a);
  assertEquals(more, []);
  assertEquals([diff!.message.time, diff!.message.diff[0].mass], [time + 25, time + 25]);
});

Deno.test("createWorldServer() lets time stand still when it was gone for longer, and says so every 10 s at most", () => {
  const stage = new Stage({ objects: 1 });
  stage.join(A);
  stage.takeEvents();
  const { time } = stage.world;
  stage.advance(stage.now + 5_000);
  assertEquals(stage.world.time, time + 25);
  assertEquals(stage.takeEvents(), ["stalled 4750"]);
  stage.wait(100);
  assertEquals(stage.world.time, time + 35, "at its rate again");
  const stalls: number[] = [];
  for (let times = 0; times < 30; times++) {
    stage.advance(stage.now + 990);
    if (stage.takeEvents().includes("stalled 740")) stalls.push(stage.now);
  }
  assert(stalls.length >= 2 && stalls.length <= 3, `${stalls}`);
  assert(stalls.every((at, index) => index === 0 || at - stalls[index - 1]! >= 10_000));
});

Deno.test("createWorldServer() measures how late its ticks are", () => {
  const stage = new Stage();
  stage.advance(13);
  stage.advance(20);
  stage.advance(65);
  assertEquals(stage.server.lateness.count, 6);
  const [best, worst] = [0, 1].map((share) => stage.server.lateness.percentile(share)!);
  assert(best! < 1 && Math.abs(worst! - 35) < 3, `${best} to ${worst}`);
});

Deno.test("createWorldServer() counts time as it is given, whatever it begins with", () => {
  for (const begin of [0.25, 12_345.678, 2 ** 40 + 0.5]) {
    const world = new World();
    const server = createWorldServer({ world, unixMs: () => 0, random: () => 0.5 });
    const play = new Play(server);
    play.out.now = begin;
    play.wait(1_000.5);
    assertEquals(world.time, 100, `from ${begin}`);
  }
});

Deno.test("createWorldServer() tells what a step did before it threw, and goes on", () => {
  const stage = new Stage({
    objects: 1,
    step: (world, _, time) => {
      world.update(0, { mass: time });
      if (time === 20) throw new Error("a bug in the game");
    },
  });
  const a = stage.join(A);
  stage.wait(80);
  assertEquals(stage.world.time, 19);
  stage.take(a);
  assertThrows(() => stage.advance(stage.now + TICK_MS), Error, "a bug in the game");
  assertEquals(stage.world.time, 20);
  assertEquals(stage.take(a).map(({ message }) => message.diff[0].mass), [20]);
  assert(stage.server.nextDeadline() > stage.now);
  stage.wait(TICK_MS);
  assertEquals(stage.take(a).map(({ message }) => message.diff[0].mass), [21]);
});

Deno.test("createWorldServer() ticks by itself or when it is told, but not both", () => {
  const stage = new Stage();
  assertThrows(() => stage.tick(), TypeError, "tick rate of 0");
  assertEquals(stage.world.time, 0);
});

Deno.test("WorldServerEngine.tick() makes a tick, tells of it at once, and leaves time alone otherwise", () => {
  let steps = 0;
  const stage = new Stage({
    objects: 1,
    tickRateHz: 0,
    keyframeMs: 0,
    step: (): void => void steps++,
  });
  assertEquals(stage.server.nextDeadline(), Infinity);
  const a = stage.join(A);
  stage.wait(1_000);
  assertEquals(stage.world.time, 1);
  stage.world.update(0, { mass: 3 });
  stage.wait(1_000);
  assertEquals(ofType(stage.take(a), "diff"), []);
  stage.tick();
  assertEquals(stage.world.time, 2);
  const [diff] = ofType(stage.take(a), "diff");
  assertEquals([diff!.at, diff!.message.time, diff!.message.diff[0].mass], [stage.now, 2, 3]);
  assertEquals(steps, 0);
  assertEquals(stage.takeEvents(), [`joined ${A} diffs`]);
});

Deno.test("createWorldServer() without ticks looks after its clients every 50 ms, and rests without any", () => {
  const stage = new Stage({ objects: 1, tickRateHz: 0 });
  const a = stage.join(A);
  assert(stage.server.nextDeadline() <= stage.now + 50);
  let calls = 0;
  const end = stage.now + 5_000;
  while (stage.server.nextDeadline() <= end) {
    stage.advance(stage.server.nextDeadline());
    calls++;
  }
  assert(calls >= 99 && calls <= 101, `${calls} calls`);
  stage.say(a, { type: "stop" });
  stage.wait(100);
  assertEquals(stage.server.nextDeadline(), Infinity);
});

// ---- figures

Deno.test("WorldServerEngine.clients() tells in the order of their coming how it goes", () => {
  const stage = new Stage({ objects: 1 });
  stage.join(B, { diffs: false });
  const a = peerAt(A);
  stage.say(a, { type: "knock", diffs: true });
  stage.wait(TICK_MS);
  assertEquals(stage.server.clients().map(({ peer }) => peer.address), [B]);
  stage.wait(30);
  stage.ack(a, FIRST);
  const [b, ...more] = stage.server.clients();
  assertEquals([b!.hasDiffs, b!.isSynced, b!.roundTripMs, b!.loss], [false, true, 0, 0]);
  assertEquals(more.length, 1);
  const { peer, roundTripMs, hasDiffs, isSynced } = more[0]!;
  assertEquals([peer, roundTripMs, hasDiffs, isSynced], [a, 30, true, false]);
  stage.wait(3_000); // It acks nothing more.
  const [, silent] = stage.server.clients();
  assert(silent!.loss > 0, `${silent!.loss}`);
  assertEquals(stage.server.clients()[0]!.loss, 0);
});

Deno.test("createWorldServer() draws its universe when it is made", () => {
  const universes = [0.1, 0.9].map((draw) => {
    const stage = new Stage({ random: () => draw });
    const a = stage.join(A);
    stage.wait(2_000);
    return stage.take(a)[0]!.message.universe;
  });
  assertEquals(universes, [Math.floor(0.1 * 2 ** 32), Math.floor(0.9 * 2 ** 32)]);
});

Deno.test("createWorldServer() refuses options that make no sense", () => {
  const impossible: Partial<WorldServerOptions>[] = [
    { tickRateHz: -1 },
    { tickRateHz: 1_001 },
    { tickRateHz: NaN },
    { keyframeMs: -1 },
    { silenceMs: 0 },
    { clientsMax: 0 },
    { clientsPerNetworkMax: 0 },
    { bytesPerSecond: 1_199 },
  ];
  for (const options of impossible) {
    assertThrows(() => new Stage(options), RangeError, Object.keys(options)[0]);
  }
  new Stage({ tickRateHz: 0, keyframeMs: 0, silenceMs: 1, clientsMax: 1, bytesPerSecond: 1_200 });
});

Deno.test("createWorldServer() serves a client whose ACKs take longer than any time-out", () => {
  const stage = new Stage({ objects: 3, keyframeMs: 0 });
  const a = peerAt(A);
  stage.say(a, { type: "knock", diffs: true });
  const late: { at: number; sequence: number }[] = [];
  for (let ms = 0; ms < 20_000; ms += TICK_MS) {
    stage.wait(TICK_MS);
    for (const { at, sequence, message } of stage.take(a)) if (message) late.push({ at, sequence });
    while (late.length > 0 && late[0]!.at + 2_500 <= stage.now) {
      stage.ack(a, late.shift()!.sequence);
    }
  }
  assertEquals(stage.takeEvents(), [`joined ${A} diffs`]);
  assertEquals(stage.server.clients().map(({ isSynced }) => isSynced), [true]);
});

// ---- lines

/** A client at the end of a line that has told it everything there is. */
function lineTo(stage: Stage, options: LineOptions = {}, { diffs = true } = {}): Line {
  const peer = peerAt(A);
  stage.say(peer, { type: "knock", diffs });
  return new Line(stage, peer, options);
}

/** A world of which some objects move at each tick: their `x` is the number of the tick. */
function movingStage(
  { moving, ...options }: { moving: number; objects: number } & Partial<WorldServerOptions>,
): Stage {
  const ids = Array.from({ length: moving }, (_, id) => id);
  return new Stage({
    tickRateHz: 30,
    step: (world, _, time) => {
      for (const id of ids) world.update(id, { position: [time, 0, id] });
    },
    ...options,
  });
}

/** For each of these objects the longest time in which nothing of it arrived. */
function gapsOf(arrived: readonly Arrived[], objects: number, from: number, to: number): number[] {
  return Array.from({ length: objects }, (_, id) => {
    const times = arrived
      .filter(({ message }) => message.id === id || message.diff?.[id])
      .map(({ arrivedAt }) => arrivedAt)
      .filter((at) => at >= from && at <= to);
    const all = [from, ...times, to];
    return Math.max(...all.slice(1).map((at, index) => at - all[index]!));
  });
}

Deno.test("createWorldServer() fills no line that is narrower than what there is to tell", () => {
  for (const bufferBytes of [30_000, 200_000]) {
    const stage = movingStage({ objects: 500, moving: 200 });
    // 60 kB a second, where there are 200 kB to be told.
    const line = lineTo(stage, { bytesPerSecond: 60_000, bufferBytes });
    line.run(8_000);
    line.takeArrived();
    const queues: number[] = [];
    let bytes = 0;
    const ages: number[] = [];
    for (let times = 0; times < 60; times++) {
      line.run(200);
      queues.push(line.queueMs);
      for (const heard of line.takeArrived()) {
        bytes += weightOf([heard]);
        const { message: { time }, arrivedAt } = heard;
        if (time !== undefined && ofType([heard], "heartbeat").length === 0) {
          ages.push(arrivedAt - (time - 1) * (1_000 / 30));
        }
      }
    }
    const perSecond = bytes / 12;
    const sorted = queues.toSorted((one, other) => one - other);
    const [middle, most] = [sorted[30]!, sorted[59]!];
    const text = `${bufferBytes}: queue ${middle} and ${most} ms, ${perSecond} bytes a second`;
    assert(middle < 250 && most < 1_200, text);
    assert(perSecond > 45_000, text);
    assert(Math.max(...ages) < 1_500, `${Math.max(...ages)} ms old`);
  }
});

Deno.test("createWorldServer() sends as much again when a bad line loses only a little", () => {
  const random = seededRandom(4);
  const stage = movingStage({ objects: 300, moving: 300, keyframeMs: 0 });
  let loss = 0.9;
  const line = lineTo(stage, {
    delayMs: () => 20 + 3 * random(),
    loses: (): boolean => random() < loss,
  });
  loss = 0;
  line.run(3_000);
  loss = 0.55;
  line.run(10_000);
  const weigh = (): number => {
    line.takeArrived();
    line.run(2_000);
    return weightOf(line.takeArrived()) / 2;
  };
  const slow = weigh();
  loss = 0.057; // 11 % there and back.
  line.run(25_000);
  const fast = weigh();
  assert(slow < 40_000, `${slow} bytes a second`);
  assert(fast > 60_000, `${fast} bytes a second`);
});

Deno.test("createWorldServer() tells on soon after an outage", () => {
  for (const outageMs of [900, 1_100, 1_500, 2_500, 4_000]) {
    for (const phaseMs of [0, 500, 1_000, 1_500]) {
      const from = 5_000 + phaseMs;
      const stage = movingStage({ objects: 1, moving: 1 });
      const line = lineTo(stage, {
        delayMs: ({ sequence }) => 20 + (sequence * 7) % 10,
        loses: (_, now) => now >= from && now < from + outageMs,
      });
      line.run(15_000);
      const [gap] = gapsOf(line.takeArrived(), 1, 4_000, 14_000);
      // It is noticed after a second; then one try follows the other, each time after twice as long.
      const most = outageMs + Math.max(250, outageMs - 1_000) + 150;
      assert(gap! < most, `${gap} ms for an outage of ${outageMs} ms`);
    }
  }
});

Deno.test("createWorldServer() tells what changes also while somebody is told of all there is", () => {
  const stage = movingStage({ objects: 3_000, moving: 5, keyframeMs: 0 });
  const line = lineTo(stage, { delayMs: ({ sequence }) => 20 + (sequence * 7) % 10 });
  line.run(6_000);
  const gaps = gapsOf(line.takeArrived(), 5, 1_000, 6_000);
  const text = `${gaps.map(Math.round)} ms`;
  assert(Math.max(...gaps) < 250, text);
});

Deno.test("createWorldServer() tells of all there is also while everything changes", () => {
  const stage = movingStage({ objects: 600, moving: 300, keyframeMs: 0, tickRateHz: 100 });
  const line = lineTo(stage, { delayMs: ({ sequence }) => 20 + (sequence * 7) % 10 });
  line.run(6_000);
  const told = new Set(ofType(line.takeArrived(), "snap").map(({ message }) => message.id));
  assertEquals(told.size, 600);
  assert(stage.server.clients()[0]!.isSynced);
});

Deno.test("createWorldServer() lets nothing that moves wait because keyframes of it are lost", () => {
  for (const keyframeMs of [0, 2_000]) {
    const random = seededRandom(2);
    const stage = movingStage({ objects: 20, moving: 20, keyframeMs });
    const line = lineTo(stage, {
      delayMs: () => 20 + 3 * random(),
      loses: () => random() < 0.2,
    });
    line.run(30_000);
    const gaps = gapsOf(line.takeArrived(), 20, 2_000, 30_000);
    // Six datagrams in a row are lost now and then, and 33 ms lie between two.
    assert(Math.max(...gaps) < 350, `${Math.max(...gaps)} ms, keyframes: ${keyframeMs}`);
  }
});

Deno.test("createWorldServer() visits nobody with more than 64 datagrams at once", () => {
  const stage = new Stage({ objects: 2_000, keyframeMs: 0, bytesPerSecond: 1e7 });
  const peers = [A, B].map((address) => peerAt(address));
  for (const peer of peers) {
    stage.listeners.add(peer);
    stage.say(peer, { type: "knock", diffs: true });
  }
  stage.wait(3_000);
  const perMoment = new Map<number, number>();
  for (const { at, message } of peers.flatMap((peer) => stage.take(peer))) {
    if (message) perMoment.set(at, (perMoment.get(at) ?? 0) + 1);
  }
  const most = Math.max(...perMoment.values());
  // The first of the two, with what is left for the second: at least one.
  assert(most >= 60 && most <= 65, `${most} datagrams`);
});

// ---- who is too far behind

Deno.test("createWorldServer() owes nobody more than 2,048 that are gone, but everything anew", () => {
  for (const diffs of [true, false]) {
    const stage = new Stage({
      keyframeMs: 0,
      step: (world) => {
        for (let count = 0; count < 10; count++) world.spawn();
        const ids = [...world.objects.keys()];
        for (const id of ids.slice(0, ids.length - 50)) world.remove(id);
      },
    });
    const a = stage.join(A, { diffs });
    stage.loses = ({ message }) => message.type !== "heartbeat";
    stage.wait(15_000);
    assert(stage.world.entities.size <= 60);
    stage.take(a);
    const now = stage.world.time;
    stage.loses = (): boolean => false;
    stage.wait(4_000);
    const heard = stage.take(a);
    // What has gone since, and no more than that.
    const gone = ofType(heard, "remove").flatMap(({ message }) => message.ids);
    assert(gone.length <= 2_048 + 10 * (stage.world.time - now), `${gone.length} are gone`);
    const synced = ofType(heard, "heartbeat").at(-1)!.message.synced;
    if (diffs) assert(synced > 1_000, `synced ${synced}`);
    assert(stage.server.clients()[0]!.isSynced);
  }
});

Deno.test("createWorldServer() tells anew what only the program before at an address has acked", () => {
  const stage = new Stage({ tickRateHz: 0, keyframeMs: 0 });
  const a = stage.join(A);
  stage.wait(1_000);
  stage.world.spawn({ hp: 7 });
  stage.loses = ({ message }) => message.type === "snap";
  stage.tick();
  const [before] = ofType(stage.take(a), "snap");
  // Another program at the same port knocks before the ACK of the first comes.
  stage.say(a, { type: "knock", diffs: true });
  stage.wait(50);
  const [lost] = ofType(stage.take(a), "snap");
  assertEquals(before!.message.time, lost!.message.time);
  stage.ack(a, before!.sequence);
  assert(!stage.server.clients()[0]!.isSynced);
  stage.loses = (): boolean => false;
  stage.wait(2_000);
  const again = stage.take(a);
  assertEquals(inShort(ofType(again, "snap")).length, 1);
  assertEquals(inShort(again).at(-1), "heartbeat 1");
  assert(stage.server.clients()[0]!.isSynced);
});

// ---- floods

Deno.test("createWorldServer() tells its clients of each tick however many strangers knock", () => {
  const stage = new Stage({
    objects: 1,
    step: (world, _, time) => world.update(0, { mass: time }),
  });
  const peers = Array.from({ length: 20 }, (_, index) => stage.join(`10.1.${index}.1:5000`));
  stage.wait(TICK_MS - 1); // Until right before a tick.
  for (const peer of peers) stage.take(peer);
  stage.takeEvents();
  const knock = encodeMessage(0, new TextEncoder().encode('{"type":"knock"}'));
  const ticks = 30;
  for (let tick = 0; tick < ticks; tick++) {
    for (let number = 0; number < 2_000; number++) {
      const [high, low] = [number >> 8, number & 255];
      stage.play.receive(knock, peerAt(`10.${100 + tick}.${high}.${low}:5000`));
    }
    stage.wait(TICK_MS);
    for (const peer of peers) {
      assertEquals(ofType(stage.take(peer), "diff").length, 1, `tick ${tick}`);
    }
  }
  assertEquals(new Set(stage.takeEvents()), new Set(["refused busy"]));
  assertEquals(stage.server.census().clients, 20);
  assert(stage.server.census().unproved > 500);
});

Deno.test("createWorldServer() tells who is gone to somebody who came while a tick was being told", () => {
  const stage = new Stage({ objects: 1, keyframeMs: 0 });
  stage.join(A);
  const b = peerAt(B);
  stage.listeners.add(b);
  stage.wait(TICK_MS - 1); // Until right before a tick.
  stage.play.out.unsent = 65;
  stage.world.update(0, { mass: 2 });
  stage.wait(TICK_MS);
  const brief = stage.world.spawn({ name: "brief" });
  stage.wait(TICK_MS);
  stage.say(b, { type: "knock", diffs: true });
  stage.wait(TICK_MS - 2);
  assertEquals(stage.server.census().clients, 2);
  stage.world.remove(brief);
  stage.wait(TICK_MS);
  stage.play.out.unsent = 0;
  stage.wait(3_000);
  const texts = inShort(stage.take(b));
  const [told, gone] = [`snap! ${brief}`, `remove ${brief}`].map((text) => texts.lastIndexOf(text));
  assert(told! <= gone!, texts.join());
  assert(stage.server.clients().every(({ isSynced }) => isSynced));
});

Deno.test("createWorldServer() sends each of many who knock at once a snap, 32 each 2 ms", () => {
  const stage = new Stage({ objects: 1 });
  const peers = Array.from({ length: 300 }, (_, index) => peerAt(`10.1.${index}.1:5000`));
  for (const peer of peers) stage.say(peer, { type: "knock" });
  stage.wait(50);
  const times: Record<number, number> = {};
  for (const peer of peers) {
    const [snap, ...more] = ofType(stage.take(peer), "snap");
    assertEquals(more, []);
    times[snap!.at] = (times[snap!.at] ?? 0) + 1;
  }
  // A round begins with each tick, and goes on where the last one ended.
  assert(Object.values(times).every((count) => count <= 32), JSON.stringify(times));
});

// ---- the end

Deno.test("WorldServerEngine.close() tells clients that know diffs that it ends, and nobody else", () => {
  const stage = new Stage({ objects: 1 });
  const [a, b] = [stage.join(A), stage.join(B, { diffs: false })];
  const c = peerAt(C);
  stage.say(c, { type: "knock", diffs: true });
  for (const peer of [a, b, c]) stage.take(peer);
  stage.takeEvents();
  stage.close();
  assertEquals([a, b, c].map((peer) => stage.takeShort(peer)), [["stop"], [], []]);
  assertEquals(stage.takeEvents(), []);
});

Deno.test("createWorldServer() takes the world over: its ticks are the server's", () => {
  const world = new World();
  const rock = world.spawn();
  world.tick();
  const stage = new Stage({ world, keyframeMs: 0 });
  const a = stage.join(A);
  world.update(rock, { mass: 4 });
  const before = world.time;
  assertThrows(() => world.tick(), TypeError, "call its tick instead");
  assertEquals(world.time, before);
  stage.wait(TICK_MS);
  assertEquals(stage.take(a).map(({ message }) => message.diff[rock].mass), [4]);
});

// ---- who is in, and who is sent away

Deno.test("createWorldServer() sends away whom it is told to, with `stop` if that is understood", () => {
  const stage = new Stage({ objects: 1 });
  const [a, b, c] = [stage.join(A), stage.join(B, { diffs: false }), stage.join(C)];
  const { server, play } = stage;
  assertEquals(server.members().map(({ name, peer }) => [name, peer]), [[A, a], [B, b], [C, c]]);
  assert(server.members().every(({ roundTripMs }) => roundTripMs === 0), "round trips");
  stage.takeEvents();
  server.expel(b, stage.now, play.out);
  server.expel(a, stage.now, play.out);
  stage.listeners.clear();
  stage.wait(1_000);
  assertEquals(stage.takeEvents(), [`left ${B} expelled`, `left ${A} expelled`]);
  assertEquals(stage.takeShort(a), ["stop"]);
  assertEquals(stage.take(b), []);
  assertEquals(server.members().map(({ name }) => name), [C]);
  assertEquals([server.remembers(a), server.remembers(b), server.remembers(c)], [
    ...[false, false, true],
  ]);
  // They may come again.
  stage.say(b, { type: "knock" });
  stage.wait(50);
  assert(server.remembers(b));
});

Deno.test("createWorldServer() forgets without a word whom it sends away before it is in", () => {
  const stage = new Stage({ objects: 1 });
  const a = peerAt(A);
  stage.say(a, { type: "knock", diffs: true });
  assertEquals(stage.server.members(), []);
  stage.take(a);
  stage.server.expel(a, stage.now, stage.play.out);
  stage.server.expel(peerAt(B), stage.now, stage.play.out);
  stage.wait(1_000);
  assertEquals([stage.take(a), stage.takeEvents()], [[], []]);
  assert(!stage.server.remembers(a));
});
