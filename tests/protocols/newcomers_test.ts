/**
 * Floods: thousands of networks say all the time what newcomers say first, and never go on. Who plays is
 * heard as ever, and who comes is in within seconds.
 */
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { createArenaServer } from "../../lib/protocols/arena/server.ts";
import * as arena from "../../lib/protocols/arena/wire.ts";
import { createEchoServer } from "../../lib/protocols/echo/server.ts";
import type { Engine, Membership, Outbox, Peer } from "../../lib/protocols/engine.ts";
import { createRendezvousServer } from "../../lib/protocols/rendezvous/server.ts";
import { createSyncServer } from "../../lib/protocols/sync/server.ts";
import * as sync from "../../lib/protocols/sync/wire.ts";
import { KNOCK } from "../../lib/protocols/world/messages.ts";
import { createWorldServer } from "../../lib/protocols/world/server.ts";
import * as world from "../../lib/protocols/world/wire.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { peerAt, Play, type Sent } from "../support/recorder.ts";

const NETWORKS = 3_000;
const FLOOD_HZ = 15_000;
const FLOOD_MS = 6_000;
/** There and back. */
const ROUND_TRIP_MS = 200;
/** Clients ask again so often. */
const ASK_EVERY_MS = 1_000;
const PATIENCE_MS = 3_000;
const STRANGERS_HZ = 8_000;
const STRANGERS_AT_ONCE = 2_000;
const utf8 = new TextEncoder();

type Refused = { kind: string; reason?: string };

/** A service under flood. */
interface Service {
  engine: Engine<Refused> & Membership<Outbox<Refused>>;
  /** What is said first. */
  hello: (from: Peer) => Uint8Array;
  /** What is said to what is heard; undefined for nothing. */
  answer: (heard: Uint8Array) => Uint8Array | undefined;
  /** What is said again and again by who is in. */
  play: (turn: number) => Uint8Array;
  /** In so many turns of 10 ms. Default 5. */
  playEvery?: number;
}

const SERVICES: Record<string, () => Service> = {
  createSyncServer: () => ({
    engine: createSyncServer({ firstSnapshotNumber: 1 }),
    hello: sync.encodeIdRequest,
    answer: (heard) =>
      sync.decodeServerMessage(heard).kind === "idReply"
        ? sync.encodeState(1n, utf8.encode("here"))
        : undefined,
    play: (turn) => sync.encodeState(BigInt(turn + 2), utf8.encode("there")),
  }),
  createArenaServer: () => ({
    engine: createArenaServer({ random: seededRandom(1) }),
    hello: () => arena.encodeClientMessage({ kind: "join" }),
    answer(heard): Uint8Array | undefined {
      const message = arena.decodeServerMessage(heard);
      if (message.kind === "refused" || !message.needsAck) return undefined;
      return arena.encodeClientMessage({ kind: "ack", sequences: [message.sequence] });
    },
    play: (turn) => arena.encodeClientMessage({ kind: "input", dx: turn % 2, dy: 0 }),
  }),
  createEchoServer: () => ({
    // Who floods this one is in as well: nothing can be proved.
    engine: createEchoServer({ clientsMax: 10_000, repliesPerSecond: 100 }),
    hello: () => utf8.encode('{"t": "message", "p": 1}'),
    answer: () => undefined,
    play: () => utf8.encode('{"t": "message", "p": 2}'),
  }),
  createRendezvousServer: () => ({
    engine: createRendezvousServer(),
    hello: ({ address }) => registration(address),
    answer: () => undefined,
    play: () => registration("198.51.100.1:1"),
    playEvery: 500,
  }),
  createWorldServer: () => ({
    engine: createWorldServer({ world: worldOf(2), unixMs: () => 0, random: seededRandom(1) }),
    hello: () => world.encodeMessage(0, KNOCK),
    answer(heard): Uint8Array | undefined {
      const packet = world.decodePacket(heard);
      return packet.kind === "message" ? world.encodeAck(packet.sequence) : undefined;
    },
    play: (turn) => world.encodeMessage(turn % 65_536, utf8.encode("{}")),
  }),
};

function registration(name: string): Uint8Array {
  return utf8.encode(JSON.stringify({
    "type": "registering-server",
    "sender": name,
    "local-address": ["10.0.0.1", 1],
    "seconds-before-expiry": 60,
  }));
}

function worldOf(bodies: number): World {
  const world = new World();
  for (let body = 0; body < bodies; body++) world.spawn({ position: [body, 0, 0] });
  return world;
}

function overspent(events: readonly Refused[]): Refused[] {
  return events.filter(({ kind, reason }) =>
    kind === "refused" && (reason === "busy" || reason === "rate")
  );
}

/** Somebody who wants to be in, and is as far away as people are. */
class Newcomer {
  readonly #service: Service;
  readonly #peer: Peer;
  readonly #answers: { at: number; bytes: Uint8Array }[] = [];
  #askAt: number;

  constructor(service: Service, address: string, askAt: number) {
    this.#service = service;
    this.#peer = peerAt(address);
    this.#askAt = askAt;
  }

  get peer(): Peer {
    return this.#peer;
  }

  get isIn(): boolean {
    return this.#service.engine.members().some(({ peer }) => peer === this.#peer);
  }

  /** @param sent What was sent since the last time. */
  go(play: Play<Refused>, sent: readonly Sent[]): void {
    for (const { to, at, bytes } of sent) {
      const answer = to === this.#peer ? this.#service.answer(bytes) : undefined;
      if (answer) this.#answers.push({ at: at + ROUND_TRIP_MS, bytes: answer });
    }
    while (this.#answers.length > 0 && this.#answers[0]!.at <= play.now) {
      play.receive(this.#answers.shift()!.bytes, this.#peer);
    }
    if (play.now < this.#askAt || this.isIn) return;
    this.#askAt += ASK_EVERY_MS;
    play.receive(this.#service.hello(this.#peer), this.#peer);
  }
}

for (const [name, create] of Object.entries(SERVICES)) {
  Deno.test(`${name}() lets newcomers in within seconds while thousands of networks flood it`, () => {
    const service = create();
    const play = new Play(service.engine);
    const member = new Newcomer(service, "198.51.100.1:1", 0);
    for (; play.now < 1_000; play.wait(10)) member.go(play, play.out.takeSent());
    assert(member.isIn, "nobody gets in without a flood either");

    const floods = Array.from(
      { length: NETWORKS },
      (_, index) => peerAt(`10.${index >> 8}.${index & 255}.1:5000`),
    );
    const hellos = floods.map((peer) => service.hello(peer));
    const newcomers = [0, 1, 2].map((number) => {
      const comesAt = 1_000 + 1_000 * number + 500;
      return { comesAt, newcomer: new Newcomer(service, `203.0.113.${number + 1}:1`, comesAt) };
    });
    const refusedOfMember: Refused[] = [];
    let refused = 0;
    let flooded = 0;
    for (let turn = 0; play.now < 1_000 + FLOOD_MS; turn++) {
      const sent = play.out.takeSent();
      for (; flooded < (play.now - 1_000) * FLOOD_HZ / 1_000; flooded++) {
        play.receive(hellos[flooded % NETWORKS]!, floods[flooded % NETWORKS]!);
      }
      refused += overspent(play.out.takeEvents()).length;
      if (turn % (service.playEvery ?? 5) === 0) play.receive(service.play(turn), member.peer);
      refusedOfMember.push(...overspent(play.out.takeEvents()));
      member.go(play, sent);
      for (const { newcomer } of newcomers) newcomer.go(play, sent);
      play.wait(10);
      for (const { newcomer, comesAt } of newcomers) {
        if (play.now < comesAt + PATIENCE_MS) continue;
        assert(newcomer.isIn, `${newcomer.peer.address} is not in after ${PATIENCE_MS} ms`);
      }
    }
    assert(member.isIn, "the member was thrown out");
    const taken = flooded - refused;
    const most = STRANGERS_AT_ONCE + STRANGERS_HZ * FLOOD_MS / 1_000;
    // Who floods rendezvous is a host from the first datagram that is read on, with a budget of its own.
    const firsts = name === "createRendezvousServer" ? NETWORKS : 0;
    assert(taken <= most + firsts, `${taken} of ${flooded} datagrams of strangers were read`);
    if (name !== "createEchoServer") assertEquals(refusedOfMember, []);
  });
}
