/**
 * Whoever forges an address wants its owner to get more than he sends. What the server says to an address
 * that never acks is weighed here, with the 28 bytes of IP and UDP headers of each packet.
 */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createWorldServer,
  type WorldServerEngine,
  type WorldServerEvent,
  type WorldServerOptions,
} from "../../../lib/protocols/world/server.ts";
import { decodePacket, encodeAck, encodeMessage } from "../../../lib/protocols/world/wire.ts";
import type { TraitChanges } from "../../../lib/protocols/world/traits.ts";
import { World } from "../../../lib/protocols/world/world.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { mutated, noise } from "../engine_suite.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import { worldVectors } from "../../support/vectors.ts";

const TICK_MS = 10;
const OVERHEAD_BYTES = 28;
const ACK_BYTES = 23 + OVERHEAD_BYTES;
/** What one knock may cost whoever did not send it. */
const COST_MAX = 2_000;
/** For each place of a network, besides ACKs: at once and each second. */
const TRIAL_BURST = 256;
const TRIAL_PER_SECOND = 32;
/** Unless a server is told otherwise. */
const PLACES = 64;

/** A server and an address that hears what it did not ask for. */
class Attack {
  readonly world: World;
  readonly server: WorldServerEngine;
  readonly play: Play<WorldServerEvent>;
  readonly victim = peerAt("203.0.113.9:7");
  bytesIn = 0;
  bytesOut = 0;

  constructor(world: World, options: Partial<WorldServerOptions> = {}) {
    this.world = world;
    world.tick();
    const random = seededRandom(1);
    this.server = createWorldServer({ world, random, unixMs: () => 1_795_230_171_890, ...options });
    this.play = new Play(this.server);
    this.play.advance(0);
  }

  send(datagram: Uint8Array, from: Peer = this.victim): void {
    this.bytesIn += datagram.length + OVERHEAD_BYTES;
    this.play.receive(datagram, from);
  }

  /** What was sent to anybody since the last call. */
  takeBytesOut(): number {
    return weightOf(this.play.out.takeSent().map(({ bytes }) => bytes));
  }
}

function weightOf(datagrams: readonly Uint8Array[]): number {
  return datagrams.reduce((sum, { length }) => sum + length + OVERHEAD_BYTES, 0);
}

function say(message: unknown): Uint8Array {
  return encodeMessage(0, new TextEncoder().encode(JSON.stringify(message)));
}

const KNOCK = say({ type: "knock" });

/** So large that nothing can be added, and with the largest numbers. */
function largestTraits(): TraitChanges {
  const world = new World();
  const traits = { name: "", position: [-1.23456789e-300, 1, 1] } as const;
  for (let length = 1_000; length > 0; length--) {
    try {
      world.spawn({ ...traits, name: "x".repeat(length) });
      return { ...traits, name: "x".repeat(length) };
    } catch {
      continue; // Too long.
    }
  }
  throw new Error("no object is small enough");
}

function worldOf(count: number, traits: TraitChanges = {}): World {
  const world = new World();
  for (let object = 0; object < count; object++) world.spawn(traits);
  return world;
}

const WORLDS: [name: string, make: () => World][] = [
  ["an empty one", () => new World()],
  ["one small object", () => worldOf(1)],
  ["one object as large as can be", () => worldOf(1, largestTraits())],
  ["many large objects", () => worldOf(100, largestTraits())],
  ["objects of half the size", () => worldOf(10, { name: "x".repeat(300) })],
  ["many small objects", () => worldOf(2_000)],
];

Deno.test("createWorldServer() sends an address that never acks less than 2,000 bytes for a knock", () => {
  for (const [name, make] of WORLDS) {
    for (const options of [{}, { tickRateHz: 0 }, { silenceMs: 3_600_000, keyframeMs: 10 }]) {
      const attack = new Attack(make(), options);
      attack.send(KNOCK);
      attack.play.wait(20_000);
      assertEquals(new Set(attack.play.out.sent.map(({ to }) => to)), new Set([attack.victim]));
      const bytes = attack.takeBytesOut();
      assert(bytes > 2 * ACK_BYTES && bytes < COST_MAX, `${name}: ${bytes} bytes`);
      attack.play.wait(60_000);
      assertEquals(attack.takeBytesOut(), 0, name);
      assert(!attack.server.remembers(attack.victim), name);
    }
  }
});

Deno.test("createWorldServer() sends no more to an address that never acks because the world changes", () => {
  for (const diffs of [true, false]) {
    const world = worldOf(100, { name: "x".repeat(300) });
    const attack = new Attack(world, {
      step: (world, _, time) => {
        for (const id of [...world.objects.keys()].slice(0, 20)) world.update(id, { mass: time });
        world.remove(world.objects.keys().next().value!);
        world.spawn({ name: `x${time}`.repeat(time % 100) });
      },
    });
    attack.send(say({ type: "knock", diffs }));
    attack.play.wait(20_000);
    const bytes = attack.takeBytesOut();
    assert(bytes < COST_MAX, `${bytes} bytes`);
  }
});

Deno.test("createWorldServer() answers every message of an unknown address but a knock with 51 bytes at most", () => {
  const messages: [string, Uint8Array][] = [
    ...[{}, { type: "stop" }, { type: "debug", action: "gc" }, { type: "full" }, { type: null }]
      .map((message): [string, Uint8Array] => [JSON.stringify(message), say(message)]),
    ...worldVectors.filter(({ name }) => !name.startsWith("knock"))
      .map(({ name, bytes }): [string, Uint8Array] => [name, bytes]),
    ["ack", encodeAck(0)],
  ];
  for (const [name, datagram] of messages) {
    const attack = new Attack(worldOf(10, largestTraits()));
    attack.send(datagram);
    attack.play.wait(20_000);
    const bytes = attack.takeBytesOut();
    assert(bytes === 0 || bytes === ACK_BYTES, `${name}: ${bytes} bytes`);
    assert(bytes <= attack.bytesIn, `${name}: ${bytes} bytes for ${attack.bytesIn}`);
    assert(!attack.server.remembers(attack.victim), name);
  }
});

Deno.test("createWorldServer() answers rubbish and broken datagrams with less than they are long, or as a knock", () => {
  const random = seededRandom(7);
  const attack = new Attack(worldOf(10, largestTraits()));
  let knocks = 0;
  for (let times = 0; times < 3_000; times++) {
    const whole = times % 2 === 0 ? KNOCK : say({ type: "stop", padding: "x".repeat(times % 60) });
    attack.bytesIn = 0;
    attack.send(times % 3 === 0 ? noise(random, random() * 60) : mutated(random, whole));
    if (attack.server.remembers(attack.victim)) {
      knocks++;
      attack.play.wait(10_000);
      const bytes = attack.takeBytesOut();
      assert(bytes < COST_MAX, `${bytes} bytes`);
      continue;
    }
    const bytes = attack.takeBytesOut();
    assert(bytes <= attack.bytesIn, `${bytes} bytes for ${attack.bytesIn}`);
    attack.play.wait(50);
  }
  assert(knocks > 20, `${knocks} knocks`);
});

Deno.test("createWorldServer() sends no more for many knocks of one address than for one, besides the ACKs", () => {
  const attack = new Attack(worldOf(100, largestTraits()));
  let acks = 0;
  for (let times = 0; times < 99; times++) {
    attack.send(times % 2 === 0 ? KNOCK : say({ type: "knock", diffs: true }));
    acks += ACK_BYTES;
    attack.play.wait(100);
  }
  const bytes = attack.takeBytesOut() - acks;
  assert(bytes < COST_MAX - ACK_BYTES && bytes > 1_000, `${bytes} bytes`);
});

Deno.test("createWorldServer() does not grow generous because somebody guesses numbers and leaves and comes", () => {
  const attack = new Attack(worldOf(100, largestTraits()));
  let acks = 0;
  for (let times = 0; times < 500; times++) {
    attack.send(KNOCK);
    acks += ACK_BYTES;
    for (let guess = 0; guess < 64; guess++) attack.send(encodeAck((times * 64 + guess) % 65_536));
    attack.send(say({ type: "stop" }));
    acks += ACK_BYTES;
    attack.play.wait(TICK_MS);
  }
  const seconds = attack.play.now / 1_000;
  const bytes = attack.takeBytesOut() - acks;
  assert(
    bytes <= PLACES * (TRIAL_BURST + TRIAL_PER_SECOND * seconds),
    `${bytes} bytes in ${seconds} s`,
  );
  assertEquals(attack.server.census().clients, 0);
});

Deno.test("createWorldServer() sends one network only so much, however many of its addresses knock", () => {
  for (const [name, make] of WORLDS) {
    for (const clientsPerNetworkMax of [PLACES, 16]) {
      const attack = new Attack(make(), { clientsPerNetworkMax });
      let acks = 0;
      for (let seconds = 0; seconds < 20; seconds++) {
        for (let times = 0; times < 20; times++) {
          attack.send(KNOCK, peerAt(`203.0.113.9:${1_000 + seconds * 20 + times}`));
          acks += ACK_BYTES;
        }
        attack.play.wait(1_000);
      }
      // Those who are told that no place is free pay without the headers.
      const full = attack.play.out.sent.filter(({ bytes }) => bytes.length === 36).length;
      const bytes = attack.takeBytesOut() - acks - full * OVERHEAD_BYTES;
      const most = clientsPerNetworkMax * (TRIAL_BURST + 20 * TRIAL_PER_SECOND);
      assert(bytes <= most, `${name}: ${bytes} bytes of at most ${most}`);
      if (name.includes("large")) assert(bytes > most * 0.9, `${name}: ${bytes} bytes of ${most}`);
    }
  }
});

Deno.test("createWorldServer() does not starve other networks because one has used up what it may get", () => {
  const attack = new Attack(worldOf(3, largestTraits()));
  for (let port = 1; port <= 60; port++) attack.send(KNOCK, peerAt(`203.0.113.9:${port}`));
  attack.play.wait(1_000);
  attack.takeBytesOut();
  const other = peerAt("198.51.100.1:5000");
  attack.send(KNOCK, other);
  attack.play.wait(TICK_MS);
  const [ack, snap] = attack.play.out.takeSentTo(other);
  assertEquals(decodePacket(ack!).kind, "ack");
  const packet = decodePacket(snap!);
  assert(packet.kind === "message" && packet.message.type === "snap");
});

Deno.test("createWorldServer() answers a flood of one network with 512 ACKs a second", () => {
  const attack = new Attack(worldOf(3));
  for (let ms = 0; ms < 2_000; ms += 2) {
    for (let times = 0; times < 3; times++) attack.send(say({}));
    attack.play.wait(2);
  }
  const acks = attack.takeBytesOut() / ACK_BYTES;
  assert(acks >= 2_040 && acks <= 2_049, `${acks} ACKs`);
});

Deno.test("createWorldServer() says that it is full in less than a knock is long, and within the budget", () => {
  const attack = new Attack(worldOf(3), { clientsMax: 1 });
  const client = peerAt("198.51.100.1:5000");
  attack.send(KNOCK, client);
  attack.play.wait(TICK_MS);
  const [, snap] = attack.play.out.takeSentTo(client);
  const packet = decodePacket(snap!);
  assert(packet.kind === "message");
  attack.send(encodeAck(packet.sequence), client);
  assertEquals(attack.server.census().clients, 1);
  attack.bytesIn = 0;
  attack.send(KNOCK);
  const bytes = weightOf(attack.play.out.takeSentTo(attack.victim)) - ACK_BYTES;
  assert(bytes > 0 && bytes <= attack.bytesIn, `${bytes} bytes for ${attack.bytesIn}`);
  attack.play.wait(60_000);
  assertEquals(attack.play.out.takeSentTo(attack.victim), []);
});

/** For all networks together. */
const ALL_TRIALS = { burst: 524_288, perSecond: 262_144 };

Deno.test("createWorldServer() sends all who have acked nothing only so much, of however many networks", () => {
  const attack = new Attack(worldOf(3, largestTraits()));
  let number = 0;
  let acks = 0;
  const seconds = 6;
  for (let ms = 0; ms < 1_000 * seconds; ms += 5) {
    for (let times = 0; times < 15; times++) {
      const [high, middle, low] = [number >> 16, (number >> 8) & 255, number & 255];
      number++;
      attack.send(KNOCK, peerAt(`10.${high}.${middle}.${low}:5000`));
    }
    attack.play.wait(5);
    acks += attack.play.out.sent.filter(({ bytes }) => bytes.length === 23).length * ACK_BYTES;
    attack.bytesOut += attack.takeBytesOut();
  }
  const bytes = attack.bytesOut - acks;
  const most = ALL_TRIALS.burst + ALL_TRIALS.perSecond * seconds;
  assert(bytes <= most && bytes > most / 2, `${bytes} bytes of at most ${most}`);
  const ratio = attack.bytesOut / attack.bytesIn;
  assert(ratio < 8, `${ratio} for each byte`);
});

Deno.test("createWorldServer() lets no network use up what all may get", () => {
  const attack = new Attack(worldOf(3, largestTraits()));
  const noisy = peerAt("198.51.100.1:5000");
  const stop = say({ type: "stop" });
  for (let ms = 0; ms < 20_000; ms += TICK_MS) {
    for (let times = 0; times < 2; times++) {
      attack.send(KNOCK, noisy);
      attack.play.wait(TICK_MS / 2);
      attack.send(stop, noisy);
    }
    attack.send(KNOCK, noisy);
  }
  attack.takeBytesOut();
  attack.send(KNOCK);
  attack.play.wait(3 * TICK_MS);
  assertEquals(attack.play.out.takeSentTo(attack.victim).length, 2, "an ACK and a snapshot");
});
