/**
 * The real world server with real clients, with clients that behave like the original, and with some
 * that ack nothing more, on a simulated network. Always true:
 *
 * - in a mirror time never runs back: no trait takes a value older than the one it had, what is removed
 *   stays removed, and nothing is drawn where it was before;
 * - no datagram is longer than 1,200 bytes, and the packets to a client are numbered in one row: no number
 *   is used again while it waits for an ACK;
 * - who acks nothing costs little, and then nothing;
 * - nothing grows without bound: clients, queues, remembered addresses.
 *
 * And when the world has stood still for a while on a quiet network, with keyframes and without:
 *
 * - every living client of ours is connected and synced, and its mirror is the world: every trait of every
 *   object, and nothing that is gone;
 * - every original client has the newest five traits of every object there is;
 * - when everybody has left, the server holds nothing.
 *
 * The same seed gives the same datagrams at the same times.
 */
import { assert, assertEquals } from "@std/assert";
import type { Engine, Outbox, Peer } from "../../lib/protocols/engine.ts";
import {
  createWorldClient,
  type WorldClientEngine,
  type WorldClientEvent,
} from "../../lib/protocols/world/client.ts";
import {
  createWorldServer,
  type WorldServerEngine,
  type WorldServerEvent,
} from "../../lib/protocols/world/server.ts";
import {
  PHYSICAL_NAMES,
  type TraitChanges,
  type Traits,
} from "../../lib/protocols/world/traits.ts";
import {
  decodePacket,
  encodeAck,
  encodeMessage,
  SENT_BYTES_MAX,
  SEQUENCES,
} from "../../lib/protocols/world/wire.ts";
import { World } from "../../lib/protocols/world/world.ts";
import type { Json } from "../../lib/parts/json.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";
import {
  Host,
  type LinkFaults,
  maybe,
  Network,
  NO_FAULTS,
  type Troubles,
  troublesFor,
} from "./network.ts";

Deno.test("createWorldServer() and its clients agree whatever the network does", () => {
  forEachSeed(often(14), (seed) => void play(seed, "network"));
});

Deno.test("createWorldServer() and its clients agree when programs and computers come and go", () => {
  forEachSeed(often(12), (seed) => void play(seed, "comings"));
});

Deno.test("createWorldServer() and its clients agree when programs are started again and again", () => {
  forEachSeed(often(14), (seed) => void play(seed, "restless"));
});

Deno.test("createWorldServer() tells original clients the newest however snaps overtake each other", () => {
  forEachSeed(often(8), (seed) => void play(seed, "overtaking"));
});

Deno.test("createWorldServer() tells of a big world", () => {
  forEachSeed(often(1), (seed) => void play(seed, "big"));
});

Deno.test("createWorldServer() catches up when more is to be sent than leaves", () => {
  forEachSeed(often(1), (seed) => void play(seed, "clogged"));
});

Deno.test("createWorldServer() and createWorldClient() do the same again for the same seed", () => {
  forEachSeed(often(2), (seed) => assertEquals(play(seed, "comings"), play(seed, "comings")));
});

Deno.test("createWorldServer() and createWorldClient() stay together while a fifth is lost", () => {
  forEachSeed(often(2), (seed) => stayTogether(seed, { isStill: false }));
});

Deno.test("createWorldServer() and createWorldClient() stay together in a world where nothing happens", () => {
  forEachSeed(often(6), (seed) => stayTogether(seed, { isStill: true }));
});

Deno.test("createWorldServer() sends little to who stops acking, and then nothing", () => {
  forEachSeed(often(1), tellTheDeaf);
});

Deno.test("createWorldServer() sends little more than heartbeats when nothing changes", () => {
  forEachSeed(often(8), tellNothingNew);
});

Deno.test("createWorldServer() sends less than 2,000 bytes to an address that never acks", () => {
  forEachSeed(often(12), tellNobody);
});

const SERVER = "10.0.0.1:25005";
const REPLICAS = 3;
const ORIGINALS = 2;
/** The longest cut: longer than server and client wait. */
const CUT_MS_MAX = 14_000;
const DOWN_MS_MAX = 2_000;
/** The server forgets who acked nothing for so long; */
const SILENCE_MS = 10_000;
/**
 * So long after the network has healed and the world stands still, everything is equal: 7 s until a client
 * that was forgotten finds out, then it asks within 1 s, a probe and a sync of a small world; or 4 s of
 * backing off, and a heartbeat that says that all is there 2 s later. And a queue may have to drain.
 */
const EQUAL_MS = 12_000;
/** Who loses most is slowed down to 16 kB a second, from where it goes up again by a quarter each 0.5 s. */
const EQUAL_BIG_MS = 22_000;
const PEERS_MAX = 64;

/** How many seeds: `SIMULATION=500` for more. */
function often(count: number): number {
  return Number(Deno.env.get("SIMULATION") ?? count);
}

/** What happens with this seed. */
interface Plan extends Troubles {
  keyframeMs: number;
  /** 0: the game makes them, at odd times. */
  tickRateHz: number;
  serverSendMs: number;
  timerLateMs: number;
  serverRestarts: boolean;
  /** So many datagrams of the old server come to light again. */
  stragglers: number;
  serverSleepMs: number;
  /** Share of the clients whose computer sleeps. */
  sleeping: number;
  decimals: number | undefined;
  /** A client that is started again at all is so up to so many times. */
  restartsMax: number;
  playMs: number;
  /** After so long in peace all is equal. */
  equalMs: number;
  life: Life;
}

/** What goes on in the world, as chances in a tick; in less of them when there are more than ten a second. */
interface Life {
  objects: number;
  spawning: number;
  removing: number;
  /** Share of the objects that move. */
  moving: number;
  /** That an object changes some other trait. */
  changing: number;
  /** That an object loses a trait. */
  losing: number;
}

/**
 * - `network`: only the network is bad
 * - `comings`: programs start and end too, and computers sleep
 * - `restless`: clients are started again at once, mostly on the port they had, and so is the server
 * - `overtaking`: snaps overtake each other, and no keyframe repairs it
 * - `big`: 500 objects
 * - `clogged`: the server's system takes long for each datagram
 */
type Scene = "network" | "comings" | "restless" | "overtaking" | "big" | "clogged";

function planFor(random: Random, scene: Scene): Plan {
  const hasComings = scene === "comings" || scene === "restless";
  const troubles = troublesFor(random);
  const hasServerRestart = hasComings && random() < 0.5;
  const plan: Plan = {
    ...troubles,
    leaving: hasComings ? troubles.leaving : 0,
    restarting: hasComings ? 2 * troubles.restarting : 0,
    restartsMax: 1,
    cutsPerClient: hasComings ? 0.5 * troubles.cutsPerClient : troubles.cutsPerClient,
    keyframeMs: random() < 0.5 ? 0 : 5_000,
    tickRateHz: [0, 5, 20, 50][Math.floor(random() * 4)]!,
    serverSendMs: maybe(random, 0.5),
    timerLateMs: maybe(random, 30),
    serverRestarts: hasServerRestart,
    stragglers: hasServerRestart ? Math.floor(maybe(random, 30)) : 0,
    serverSleepMs: hasComings && random() < 0.2 ? sleepMsFor(random) : 0,
    sleeping: hasComings ? maybe(random, 0.5) : 0,
    decimals: random() < 0.5 ? undefined : 3,
    playMs: 15_000,
    equalMs: EQUAL_MS,
    life: {
      objects: random() < 0.1 ? 0 : 1 + Math.floor(random() * 30),
      spawning: maybe(random, 0.2),
      removing: maybe(random, 0.2),
      moving: maybe(random, 1),
      changing: maybe(random, 0.3),
      losing: maybe(random, 0.1),
    },
  };
  switch (scene) {
    case "restless":
      return {
        ...plan,
        leaving: 0,
        restarting: 1,
        restartsMax: 5,
        sleeping: 0,
        serverSleepMs: 0,
        keyframeMs: 0,
        life: random() < 0.3 ? { ...QUIET_LIFE, objects: plan.life.objects } : plan.life,
      };
    case "overtaking":
      return { ...plan, jitterMs: 20 + 200 * random(), keyframeMs: 0, cutsPerClient: 0 };
    case "big":
      return {
        ...plan,
        life: { ...plan.life, objects: 500, moving: random() * 0.2, changing: random() * 0.05 },
        tickRateHz: 10,
        playMs: 5_000,
        equalMs: EQUAL_BIG_MS,
      };
    case "clogged": {
      const serverSendMs = 1 + 2 * random();
      return {
        ...plan,
        life: { ...plan.life, objects: 60, moving: 0.5 + random() / 2 },
        tickRateHz: 20,
        serverSendMs,
        cutsPerClient: 0,
        playMs: 8_000,
        equalMs: EQUAL_MS + LETTERS_MAX * serverSendMs,
      };
    }
    default:
      return plan;
  }
}

/** Seconds, or an hour. */
function sleepMsFor(random: Random): number {
  return random() < 0.3 ? 3_600_000 : 500 + random() * 8_000;
}

/** Plays one seed; returns a digest of what happened. */
function play(seed: number, scene: Scene): number {
  const random = seededRandom(seed);
  const game = new Game(random, planFor(random, scene), scene);
  game.play();
  game.becomeQuiet();
  game.everybodyLeaves();
  return game.network.trace;
}

class Game {
  readonly network: Network;
  readonly plan: Plan;
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #replicas: Replica[] = [];
  readonly #originals: Original[] = [];
  readonly #clients: Client[] = [];
  #ledger = new Ledger();
  #isReplaying = false;
  /** The last that the server said. */
  readonly #said: { bytes: Uint8Array; to: string }[] = [];
  #isAlive = true;
  #server!: Server;

  constructor(random: Random, plan: Plan, scene: Scene) {
    this.#random = random;
    this.plan = plan;
    this.#scene = scene;
    this.network = new Network({
      random,
      faults: this.plan,
      timerLateMs: this.plan.timerLateMs,
      onTransmit: (bytes, from, to) => this.#onTransmit(bytes, from, to),
    });
    this.#startServer(1);
    for (let index = 0; index < REPLICAS; index++) {
      this.#replicas.push(new Replica(this.network, `10.1.0.${index >> 1}`, 5_000 + 100 * index));
    }
    for (let index = 0; index < ORIGINALS; index++) {
      this.#originals.push(new Original(this.network, `10.1.1.${index}`, 7_000));
    }
    const mute = new Original(this.network, "10.1.2.0", 9_000);
    this.network.at(2_000 + random() * 8_000, () => mute.isMute = true);
    this.network.at(random() * 2_000, () => mute.start());
    this.#clients.push(...this.#replicas, ...this.#originals);
    for (const client of this.#clients) this.#planClient(client);
    for (let at = 250; at < this.plan.playMs; at += 250) {
      this.network.at(at, () => this.#checkLimits());
    }
    this.#watchPoses();
  }

  play(): void {
    const random = this.#random;
    const { plan, network } = this;
    if (plan.serverRestarts) {
      network.at(1_000 + random() * (this.plan.playMs - 1_000), () => this.#restartServer());
    }
    if (plan.serverSleepMs > 0) {
      network.at(random() * this.plan.playMs, () => {
        const server = this.#server;
        server.fallAsleep();
        network.at(network.now + plan.serverSleepMs, () => server.wake());
      });
    }
    network.runUntil(this.plan.playMs);
  }

  /** Nothing is lost any more, and nothing changes: every mirror becomes the world. */
  becomeQuiet(): void {
    const { network } = this;
    // What is down or sleeps comes back; the world goes on for a while.
    network.runUntil(this.plan.playMs + DOWN_MS_MAX);
    if (this.#random() < 0.5) this.#isAlive = false;
    network.runUntil(this.plan.playMs + 5_000);
    this.#isAlive = false;
    while (this.#server.isAsleep || this.#clients.some((client) => client.isAsleep)) {
      network.runUntil(network.now + 500);
    }
    network.faults = NO_FAULTS;
    network.healAll();
    const quietAt = network.now;
    // People at original clients notice that nothing comes any more, and knock once more.
    for (let waitMs = 500; waitMs < 9_000; waitMs += 1_000) {
      network.runUntil(quietAt + waitMs);
      for (const original of this.#originals) {
        if (original.isRunning && !this.#server.has(original.address)) original.knock();
      }
    }
    network.runUntil(quietAt + this.plan.equalMs);
    this.checkEqual();
    this.#checkLimits();
    network.runUntil(network.now + 3_000);
    this.checkEqual();
  }

  checkEqual(): void {
    const { world } = this.#server;
    for (const replica of this.#replicas) {
      if (replica.isRunning) replica.checkEqual(world, this.plan.decimals);
    }
    const { jitterMs, stragglers, keyframeMs } = this.plan;
    // Originals take what comes last, be it old: without keyframes this has a scene of its own.
    const isInOrder = jitterMs === 0 && stragglers === 0;
    const canTell = isInOrder || keyframeMs > 0 || this.#scene === "overtaking";
    for (const original of this.#originals) {
      if (original.isRunning && canTell) original.checkEqual(world);
    }
    const living = this.#clients.filter((client) => client.isRunning).length;
    const { clients, unproved } = this.#server.engine.census();
    assert(clients >= living, `${clients} clients of ${living}`);
    // Someone who was started on another port may still be known by the old one.
    assert(clients + unproved <= living + this.#clients.length);
  }

  everybodyLeaves(): void {
    for (const client of this.#clients) client.leave();
    this.network.runUntil(this.network.now + SILENCE_MS + 1_000);
    const { clients, unproved } = this.#server.engine.census();
    assertEquals({ clients, unproved }, { clients: 0, unproved: 0 });
    if (this.plan.tickRateHz === 0) assertEquals(this.#server.engine.nextDeadline(), Infinity);
    for (const { address } of this.#clients) {
      assert(!this.#server.engine.remembers(this.#server.host.peerAt(address)));
    }
  }

  #planClient(client: Client): void {
    const random = this.#random;
    const { plan, network } = this;
    network.at(random() * this.plan.playMs * 0.5, () => client.start());
    if (random() < plan.leaving) {
      const isSudden = random() < 0.5;
      network.at(random() * this.plan.playMs, () => isSudden ? client.vanish() : client.leave());
    } else if (random() < plan.restarting) {
      for (let count = Math.ceil(random() * plan.restartsMax); count > 0; count--) {
        const isElsewhere = random() < 1 / (1 + plan.restartsMax);
        const downMs = maybe(random, DOWN_MS_MAX);
        network.at(random() * this.plan.playMs, () => client.restart(downMs, isElsewhere));
      }
    }
    if (random() < plan.cutsPerClient) this.#planCut(client);
    if (random() < plan.sleeping) {
      const sleepMs = sleepMsFor(random);
      network.at(random() * this.plan.playMs, () => client.sleep(sleepMs));
    }
  }

  /** One way or both, for a moment or for longer than the server waits. */
  #planCut(client: Client): void {
    const random = this.#random;
    const { network } = this;
    const direction = Math.floor(random() * 3);
    const cutMs = random() * (random() < 0.5 ? 2_000 : CUT_MS_MAX);
    network.at(random() * this.plan.playMs * 0.6, () => {
      const { address } = client;
      if (direction !== 0) network.cut(address, SERVER);
      if (direction !== 1) network.cut(SERVER, address);
      network.at(network.now + cutMs, () => {
        network.heal(address, SERVER);
        network.heal(SERVER, address);
      });
    });
  }

  #startServer(number: number): void {
    this.#server = new Server(this.network, this.plan, number, () => this.#isAlive);
    this.#ledger = new Ledger();
  }

  #restartServer(): void {
    const random = this.#random;
    const { network, plan } = this;
    this.#server.stop(random() < 0.5);
    const restartsAt = network.now + random() * DOWN_MS_MAX;
    network.at(restartsAt, () => this.#startServer(2));
    // Datagrams that took a long way round.
    for (let count = 0; count < plan.stragglers && this.#said.length > 0; count++) {
      const { bytes, to } = this.#said[Math.floor(random() * this.#said.length)]!;
      network.at(restartsAt + random() * 3_000, () => {
        this.#isReplaying = true;
        network.transmit(bytes, SERVER, to);
        this.#isReplaying = false;
      });
    }
  }

  #watchPoses(): void {
    const next = (): void => {
      for (const replica of this.#replicas) replica.look();
      const at = this.network.now + 10 + this.#random() * 60;
      if (at < this.plan.playMs) this.network.at(at, next);
    };
    this.network.at(0, next);
  }

  #onTransmit(bytes: Uint8Array, from: string, to: string): void {
    if (this.#isReplaying) return;
    if (from !== SERVER) return this.#ledger.clientSaid(bytes, from);
    this.#ledger.serverSaid(bytes, to);
    this.#said.push({ bytes, to });
    if (this.#said.length > 40) this.#said.shift();
  }

  #checkLimits(): void {
    const { clients, unproved } = this.#server.engine.census();
    assert(clients + unproved <= 2 * this.#clients.length + 1, `${clients} + ${unproved} clients`);
    assert(this.network.peaks.letters <= LETTERS_MAX, `${this.network.peaks.letters} wait`);
    assert(this.network.peaks.peers <= PEERS_MAX, `${this.network.peaks.peers} peers`);
  }
}

/** Bytes to each address, headers of UDP and IP included. */
class Meter {
  readonly #bytes = new Map<string, number>();

  count(bytes: Uint8Array, to: string): void {
    this.#bytes.set(to, this.to(to) + bytes.length + PACKET_OVERHEAD_BYTES);
  }

  to(address: string): number {
    return this.#bytes.get(address) ?? 0;
  }
}

const PACKET_OVERHEAD_BYTES = 28;
const QUIET_LIFE: Life = {
  objects: 0,
  spawning: 0,
  removing: 0,
  moving: 0,
  changing: 0,
  losing: 0,
};

/** A server for a scene of its own, on a network that is seen. */
function stage(
  random: Random,
  faults: LinkFaults,
  plan: Partial<ServerPlan>,
): { network: Network; server: Server; meter: Meter } {
  const meter = new Meter();
  const network = new Network({
    random,
    faults,
    timerLateMs: maybe(random, 5),
    onTransmit: (bytes, _from, to) => meter.count(bytes, to),
  });
  const whole = {
    keyframeMs: 0,
    tickRateHz: 20,
    serverSendMs: 0,
    decimals: undefined,
    life: QUIET_LIFE,
    ...plan,
  };
  return { network, meter, server: new Server(network, whole, 1, () => true) };
}

/** For three minutes nobody is taken for gone, on either side. */
function stayTogether(seed: number, { isStill }: { isStill: boolean }): void {
  const random = seededRandom(seed);
  const faults = { loss: 0.2, duplication: 0.05, delayMs: 30, jitterMs: maybe(random, 60) };
  const life = isStill
    ? { ...QUIET_LIFE, objects: Math.floor(random() * 3) }
    : { ...QUIET_LIFE, objects: 3, moving: 0.1 };
  const { network, server } = stage(random, faults, { life, keyframeMs: maybe(random, 20_000) });
  const replicas = [0, 1, 2].map((index) => new Replica(network, `10.1.0.${index}`, 5_000));
  for (const replica of replicas) replica.start();
  network.runUntil(15_000);
  const lost = (): number =>
    (server.events.left ?? 0) +
    replicas.reduce((sum, { events }) => sum + (events.disconnected ?? 0), 0);
  const before = lost();
  network.runUntil(195_000);
  assertEquals(lost() - before, 0, `somebody was taken for gone ${lost() - before} times`);
  assertEquals(server.engine.census().clients, replicas.length);
}

const BYTES_PER_SECOND = 262_144;
/**
 * What somebody costs who stops acking: what may leave at once, and in the second until it is noticed, at the
 * most there is; then a heartbeat and one message every 2 s, and a few more messages in the first seconds.
 */
const DEAF_BYTES_MAX = BYTES_PER_SECOND * (1 / 4 + 1.1) + 6 * 1_600;

/** Who acks nothing any more, or only heartbeats, in a world that is told as fast as may be. */
function tellTheDeaf(seed: number): void {
  const random = seededRandom(seed);
  const faults = { ...NO_FAULTS, delayMs: 1 + maybe(random, 30), jitterMs: maybe(random, 30) };
  const { network, server, meter } = stage(random, faults, {
    life: { ...QUIET_LIFE, objects: 300, moving: 1 },
    tickRateHz: 10,
    keyframeMs: maybe(random, 10_000),
    bytesPerSecond: BYTES_PER_SECOND,
  });
  const deafAt = 2_000 + random() * 500;
  const listen = (address: string, knock: string, isDeafTo: (type: unknown) => boolean): void => {
    const engine = new OriginalEngine((type) => network.now >= deafAt && isDeafTo(type), knock);
    const host = new Host<never>({ network, address, engine, sendMs: 0 });
    host.act((_now, out) => engine.knock(host.peerAt(SERVER), out));
  };
  const [deaf, deafWithDiffs, half] = ["10.1.0.1:1", "10.1.0.2:2", "10.1.0.3:3"] as const;
  listen(deaf, KNOCK, () => true);
  listen(deafWithDiffs, KNOCK_FOR_DIFFS, () => true);
  listen(half, KNOCK_FOR_DIFFS, (type) => type !== "heartbeat");
  network.runUntil(deafAt);
  const costOf = [deaf, deafWithDiffs, half].map((address) => {
    const before = meter.to(address);
    assert(before > 100_000, `${address} was told little: ${before} bytes`);
    return (): number => meter.to(address) - before;
  });
  network.runUntil(deafAt + SILENCE_MS + 500);
  const costs = costOf.map((cost) => cost());
  for (const cost of costs) assert(cost <= DEAF_BYTES_MAX, `a deaf client cost ${cost} bytes`);
  assert(!server.has(deaf) && !server.has(deafWithDiffs), "who acks nothing is gone");
  network.runUntil(deafAt + 40_000);
  assertEquals([costOf[0]!(), costOf[1]!()], costs.slice(0, 2), "who is gone is told nothing");
  assert(server.has(half), "who acks heartbeats is there");
  const more = costOf[2]!() - costs[2]!;
  assert(more <= 16 * 1_600, `who acks only heartbeats cost ${more} bytes in half a minute`);
}

/** Heartbeats, and the ACKs of a ping a second: twice as many where some are lost and said again. */
const STILL_BYTES_PER_SECOND_MAX = 500;

/** Also where every datagram comes twice. */
function tellNothingNew(seed: number): void {
  const random = seededRandom(seed);
  const faults = {
    loss: maybe(random, 0.2),
    duplication: maybe(random, 1.2),
    delayMs: 20,
    jitterMs: maybe(random, 60),
  };
  const { network, meter } = stage(random, faults, { life: { ...QUIET_LIFE, objects: 20 } });
  const clients = [
    new Replica(network, "10.1.0.1", 5_000),
    new Original(network, "10.1.0.2", 7_000),
  ];
  for (const client of clients) client.start();
  network.runUntil(15_000);
  const before = clients.map(({ address }) => meter.to(address));
  network.runUntil(45_000);
  clients.forEach(({ address }, index) => {
    const perSecond = (meter.to(address) - before[index]!) / 30;
    assert(perSecond <= STILL_BYTES_PER_SECOND_MAX, `${address} got ${perSecond} bytes a second`);
  });
}

/** An address that may be forged. */
function tellNobody(seed: number): void {
  const random = seededRandom(seed);
  const { network, server, meter } = stage(
    random,
    { ...NO_FAULTS, duplication: maybe(random, 1) },
    {
      life: { ...QUIET_LIFE, objects: Math.floor(random() * 4), moving: maybe(random, 1) },
      tickRateHz: [0, 5, 50][Math.floor(random() * 3)]!,
      keyframeMs: maybe(random, 1_000),
    },
  );
  if (random() < 0.5) server.world.spawn({ story: "x".repeat(Math.floor(random() * 800)) });
  const address = "10.1.0.1:1";
  const engine = new OriginalEngine(() => true, random() < 0.5 ? KNOCK : KNOCK_FOR_DIFFS);
  const host = new Host<never>({ network, address, engine, sendMs: 0 });
  network.runUntil(1_000);
  host.act((_now, out) => engine.knock(host.peerAt(SERVER), out));
  network.runUntil(61_000);
  assert(meter.to(address) > 100, "nobody was told anything");
  assert(meter.to(address) < 2_000, `nobody was told ${meter.to(address)} bytes`);
  assertEquals(server.engine.census().unproved, 0);
}

/** The server stops adding at 2,048; ACKs and what one client is told in one go come on top. */
const LETTERS_MAX = 2_300;

/** A server program: its world begins anew with it. */
class Server {
  readonly world: World;
  readonly engine: WorldServerEngine;
  readonly host: Host<WorldServerEvent>;
  readonly events: Record<string, number> = {};
  readonly #network: Network;
  readonly #plan: ServerPlan;
  readonly #number: number;
  readonly #isAlive: () => boolean;
  readonly #sleeper: Sleeper<WorldServerEvent>;
  readonly #present = new Set<Peer>();
  #isRunning = true;

  /** @param number How many servers there were, this one included. */
  constructor(network: Network, plan: ServerPlan, number: number, isAlive: () => boolean) {
    this.#network = network;
    this.#plan = plan;
    this.#number = number;
    this.#isAlive = isAlive;
    const { tickRateHz, keyframeMs, bytesPerSecond = 262_144 } = plan;
    this.world = new World(plan.decimals === undefined ? {} : { decimals: plan.decimals });
    for (let count = 0; count < plan.life.objects; count++) this.#spawn(0);
    this.engine = createWorldServer({
      world: this.world,
      tickRateHz,
      keyframeMs,
      bytesPerSecond,
      // Numbers wrap soon after the beginning.
      random: () => network.random() < 0.5 ? network.random() : 1 - network.random() / 200,
      unixMs: () => 1.7e12 + network.now,
      step: (_world, _seconds, time) => this.#live(time),
    });
    this.#sleeper = new Sleeper(this.engine);
    this.host = new Host<WorldServerEvent>({
      network,
      address: SERVER,
      engine: this.#sleeper,
      onEvent: (event) => this.#onEvent(event),
      sendMs: plan.serverSendMs,
    });
    if (tickRateHz === 0) this.#tickNow();
  }

  get isAsleep(): boolean {
    return this.#sleeper.isAsleep;
  }

  /** Whether somebody at an address is told everything. */
  has(address: string): boolean {
    return this.engine.clients().some(({ peer }) => peer.address === address);
  }

  /** It ends: in an orderly way, or at once. */
  stop(isOrderly: boolean): void {
    this.#isRunning = false;
    if (isOrderly) {
      this.host.act((now, out) => this.engine.close(now, out));
      // What is queued leaves.
      if (this.#plan.serverSendMs === 0) this.#network.runUntil(this.#network.now);
    }
    this.host.close();
  }

  fallAsleep(): void {
    this.#sleeper.fallAsleep();
  }

  wake(): void {
    this.host.act((now, out) => this.#sleeper.wake(now, out));
  }

  #tickNow(): void {
    if (!this.#isRunning) return;
    const { random } = this.#network;
    // Where nothing ever happens, there is one tick: time stands still.
    const { objects: _, ...chances } = this.#plan.life;
    const isDue = this.world.time === 0 || Object.values(chances).some((chance) => chance > 0);
    if (isDue && !this.isAsleep && this.#isAlive()) {
      this.#live(this.world.time + 1);
      this.host.act((now, out) => this.engine.tick(now, out));
    }
    this.#network.at(this.#network.now + 5 + random() * 150, () => this.#tickNow());
  }

  #onEvent(event: WorldServerEvent): void {
    this.events[event.kind] = (this.events[event.kind] ?? 0) + 1;
    if (event.kind === "joined") {
      assert(!this.#present.has(event.peer), `${event.peer.address} joined twice`);
      this.#present.add(event.peer);
    } else if (event.kind === "left") {
      assert(this.#present.delete(event.peer), `${event.peer.address} left and was not there`);
    }
  }

  /** What happens in a tick. Each value says when it was made. */
  #live(time: number): void {
    if (!this.#isAlive()) return;
    const { random } = this.#network;
    const { world } = this;
    if (this.#plan.tickRateHz * random() > LIVELY_TICKS_PER_SECOND) return;
    const { spawning, removing, moving, changing, losing } = this.#plan.life;
    if (random() < spawning) this.#spawn(time);
    if (random() < removing) {
      const ids = [...world.objects.keys()];
      if (ids.length > 0) world.remove(ids[Math.floor(random() * ids.length)]!);
    }
    const stamp = this.#stamp(time);
    for (const id of [...world.objects.keys()]) {
      if (random() < moving) world.update(id, { position: [stamp, id, 0.1234567] });
      if (random() < changing) world.update(id, anyChange(random, stamp));
      if (random() < losing) world.update(id, { [anyName(random)]: undefined });
    }
  }

  #spawn(time: number): void {
    const { random } = this.#network;
    const stamp = this.#stamp(time);
    this.world.spawn({
      position: [stamp, 0, 0],
      ...(random() < 0.5 ? anyChange(random, stamp) : {}),
      ...(random() < 0.05 ? { story: `${stamp} ${"é".repeat(100)}` } : {}),
    });
  }

  #stamp(time: number): number {
    return this.#number * SERVER_STAMPS + time;
  }
}

const LIVELY_TICKS_PER_SECOND = 10;

/** What a server is like. */
interface ServerPlan
  extends Pick<Plan, "keyframeMs" | "tickRateHz" | "serverSendMs" | "decimals" | "life"> {
  bytesPerSecond?: number;
}

/** Every value says in which universe and at which tick it was made. */
const SERVER_STAMPS = 1_000_000;

const NAMES = ["hp", "name", "bag", "constructor"];

function anyName(random: Random): string {
  return NAMES[Math.floor(random() * NAMES.length)]!;
}

/** A trait or two, other than the position. */
function anyChange(random: Random, stamp: number): TraitChanges {
  switch (Math.floor(random() * 6)) {
    case 0:
      return { velocity: [stamp, 1, -0] };
    case 1:
      return { mass: stamp, hp: stamp };
    case 2:
      return { name: `${stamp} "é"` };
    case 3:
      return { bag: [stamp, { keys: [null, true] }] };
    case 4:
      return { constructor: stamp } as unknown as TraitChanges;
    default:
      return { hp: stamp };
  }
}

/** When a value was made; 0 for a default. */
function stampOf(value: Json | undefined): number {
  if (Array.isArray(value)) return stampOf(value[0]);
  if (typeof value === "string") return Number.parseInt(value);
  return typeof value === "number" && value >= SERVER_STAMPS ? value : 0;
}

/** A program that may end and be started again. */
abstract class Client {
  protected readonly network: Network;
  readonly #ip: string;
  #port: number;
  #isGone = false;
  isAsleep = false;

  constructor(network: Network, ip: string, port: number) {
    this.network = network;
    this.#ip = ip;
    this.#port = port;
  }

  abstract readonly isRunning: boolean;
  /** It begins, with nothing known. */
  protected abstract open(): void;
  protected abstract close(): void;
  protected abstract sayGoodbye(): void;
  protected abstract fallAsleep(): void;
  protected abstract wake(): void;

  get address(): string {
    return `${this.#ip}:${this.#port}`;
  }

  start(): void {
    if (!this.#isGone && !this.isRunning) this.open();
  }

  leave(): void {
    if (this.isRunning) this.sayGoodbye();
    this.vanish();
  }

  vanish(): void {
    this.#isGone = true;
    if (this.isRunning) this.close();
  }

  restart(downMs: number, isElsewhere: boolean): void {
    if (!this.isRunning || this.isAsleep) return;
    this.close();
    if (isElsewhere) this.#port++;
    this.network.at(this.network.now + downMs, () => this.start());
  }

  sleep(ms: number): void {
    if (!this.isRunning || this.isAsleep) return;
    this.isAsleep = true;
    this.fallAsleep();
    this.network.at(this.network.now + ms, () => {
      this.isAsleep = false;
      if (this.isRunning) this.wake();
    });
  }
}

/** A client of ours: its engine, and what it must never see. */
class Replica extends Client {
  engine!: WorldClientEngine;
  events: Record<string, number> = {};
  #host: Host<WorldClientEvent> | undefined;
  #sleeper!: Sleeper<WorldClientEvent>;
  /** The newest values, by universe, object and name. */
  #stamps = new Map<string, number>();
  #removed = new Set<string>();
  /** In which universe an object is. */
  readonly #universes = new Map<number, number>();
  #drawn = new Map<number, number>();

  get isRunning(): boolean {
    return this.#host !== undefined;
  }

  /** Looks where things are. */
  look(): void {
    if (!this.isRunning || this.isAsleep) return;
    let count = 0;
    for (const id of this.engine.objects.keys()) {
      if (++count > 8) return;
      const pose = this.engine.poseOf(id, this.network.now);
      assert(pose, `object ${id} is nowhere`);
      const [x] = pose.position;
      const before = this.#drawn.get(id) ?? 0;
      assert(x >= before - 1e-6, `object ${id} was drawn at ${before}, and then at ${x}`);
      this.#drawn.set(id, x);
    }
  }

  checkEqual(world: World, decimals: number | undefined): void {
    const { engine, address } = this;
    assert(engine.isConnected, `${address} is not connected`);
    assertEquals(sorted(engine.objects, 6), sorted(world.objects, decimals ?? 6), address);
    assert(engine.isSynced, `${address} is not synced`);
  }

  protected open(): void {
    const { network } = this;
    this.engine = createWorldClient({ random: network.random });
    this.#sleeper = new Sleeper(this.engine);
    this.#stamps = new Map();
    this.#removed = new Set();
    this.#drawn = new Map();
    this.#host = new Host<WorldClientEvent>({
      network,
      address: this.address,
      engine: this.#sleeper,
      onEvent: (event) => this.#onEvent(event),
      sendMs: 0,
    });
    const server = this.#host.peerAt(SERVER);
    this.#host.act((now, out) => this.engine.connect([server], now, out));
  }

  protected close(): void {
    this.#host!.close();
    this.#host = undefined;
  }

  protected sayGoodbye(): void {
    const host = this.#host!;
    host.act((now, out) => this.engine.leave(now, out));
    this.network.runUntil(this.network.now);
  }

  protected fallAsleep(): void {
    this.#sleeper.fallAsleep();
  }

  protected wake(): void {
    this.#host!.act((now, out) => this.#sleeper.wake(now, out));
  }

  #onEvent(event: WorldClientEvent): void {
    this.events[event.kind] = (this.events[event.kind] ?? 0) + 1;
    switch (event.kind) {
      case "spawned": {
        const universe = Math.floor(stampOf(event.traits.position) / SERVER_STAMPS);
        assert(!this.#removed.has(`${universe}/${event.id}`), `object ${event.id} came back`);
        this.#universes.set(event.id, universe);
        return this.#note(event.id, event.traits);
      }
      case "changed":
        return this.#note(event.id, event.changes);
      case "removed":
        this.#drawn.delete(event.id);
        this.#removed.add(`${this.#universes.get(event.id)}/${event.id}`);
        // Before the server has acked a knock, a late datagram of another universe may void it all.
        if (this.engine.objects.size === 0) {
          this.#removed.clear();
          this.#stamps.clear();
        }
    }
  }

  #note(id: number, values: TraitChanges): void {
    for (const name of Object.keys(values)) {
      const stamp = stampOf(values[name]);
      if (stamp === 0) continue;
      const key = `${Math.floor(stamp / SERVER_STAMPS)}/${id}/${name}`;
      const before = this.#stamps.get(key) ?? 0;
      assert(stamp >= before, `${name} of ${id} was of ${before}, and then of ${stamp}`);
      this.#stamps.set(key, stamp);
    }
  }
}

/** A client like the original: acks all, takes what the snapshots say, and knows nothing else. */
class Original extends Client {
  /** It acks nothing any more. */
  isMute = false;
  #engine!: OriginalEngine;
  #sleeper!: Sleeper<never>;
  #host: Host<never> | undefined;

  get isRunning(): boolean {
    return this.#host !== undefined;
  }

  knock(): void {
    this.#host!.act((_now, out) => this.#engine.knock(this.#host!.peerAt(SERVER), out));
  }

  checkEqual(world: World): void {
    for (const [id, traits] of world.objects) {
      const want = PHYSICAL_NAMES.map((name) => numbersOf(traits[name], 3));
      const have = this.#engine.bodies.get(id)?.map((value) => numbersOf(value, 3));
      assertEquals(have, want, `object ${id} of original ${this.address}`);
    }
  }

  protected open(): void {
    const engine = this.#engine = new OriginalEngine(() => this.isMute);
    this.#sleeper = new Sleeper(engine);
    const { network } = this;
    const host = this.#host = new Host<never>({
      network,
      address: this.address,
      engine: this.#sleeper,
      sendMs: 0,
    });
    // Somebody types it, until it is acked.
    const insist = (): void => {
      if (this.#host !== host || engine.isAcked || this.isMute) return;
      if (!this.isAsleep) this.knock();
      network.at(network.now + 1_000, insist);
    };
    insist();
  }

  protected close(): void {
    this.#host!.close();
    this.#host = undefined;
  }

  protected sayGoodbye(): void {
    this.#host!.act((_now, out) => this.#engine.stop(this.#host!.peerAt(SERVER), out));
    this.network.runUntil(this.network.now);
  }

  protected fallAsleep(): void {
    this.#sleeper.fallAsleep();
  }

  protected wake(): void {
    this.#host!.act((now, out) => this.#sleeper.wake(now, out));
  }
}

const KNOCK = '{"type":"knock"}';
const KNOCK_FOR_DIFFS = '{"type":"knock","diffs":true}';

class OriginalEngine implements Engine<never> {
  /** The five of each, whatever the time. */
  readonly bodies = new Map<number, Json[]>();
  /** Packets of these types came. */
  readonly counts: Record<string, number> = {};
  isAcked = false;
  readonly #isMute: (type: unknown) => boolean;
  readonly #knock: string;

  /** @param isMute Whether a packet of this type is not acked. */
  constructor(isMute: (type: unknown) => boolean, knock = KNOCK) {
    this.#isMute = isMute;
    this.#knock = knock;
  }

  knock(server: Peer, out: Outbox<never>): void {
    out.send(server, encodeMessage(0, new TextEncoder().encode(this.#knock)));
  }

  stop(server: Peer, out: Outbox<never>): void {
    out.send(server, encodeMessage(0, new TextEncoder().encode('{"type":"stop"}')));
  }

  receive(datagram: Uint8Array, from: Peer, _now: number, out: Outbox<never>): void {
    const packet = decodePacket(datagram);
    assert(packet.kind !== "refused", "the server said something that is no packet");
    if (packet.kind === "ack") {
      this.isAcked = true;
      return;
    }
    const { type, id, snapshot } = packet.message;
    this.counts[String(type)] = (this.counts[String(type)] ?? 0) + 1;
    if (this.#isMute(type)) return;
    out.send(from, encodeAck(packet.sequence));
    if (type === "snap") this.bodies.set(id as number, snapshot as Json[]);
  }

  advance(): void {}

  nextDeadline(): number {
    return Infinity;
  }

  remembers(): boolean {
    return true;
  }
}

/** A computer that sleeps: nothing happens, and a few datagrams wait until it wakes. */
class Sleeper<Event> implements Engine<Event> {
  isAsleep = false;
  readonly #engine: Engine<Event>;
  #waiting: { datagram: Uint8Array; from: Peer }[] = [];

  constructor(engine: Engine<Event>) {
    this.#engine = engine;
  }

  fallAsleep(): void {
    this.isAsleep = true;
  }

  wake(now: number, out: Outbox<Event>): void {
    this.isAsleep = false;
    for (const { datagram, from } of this.#waiting) this.#engine.receive(datagram, from, now, out);
    this.#waiting = [];
    this.#engine.advance(now, out);
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<Event>): void {
    if (!this.isAsleep) return this.#engine.receive(datagram, from, now, out);
    if (this.#waiting.length < 50) this.#waiting.push({ datagram: datagram.slice(), from });
  }

  advance(now: number, out: Outbox<Event>): void {
    if (!this.isAsleep) this.#engine.advance(now, out);
  }

  nextDeadline(): number {
    return this.isAsleep ? Infinity : this.#engine.nextDeadline();
  }

  remembers(peer: Peer): boolean {
    return this.isAsleep || this.#engine.remembers(peer);
  }
}

/** What was said, taken from the headers of the datagrams. */
class Ledger {
  readonly #rows = new Map<string, Row>();

  serverSaid(bytes: Uint8Array, to: string): void {
    assert(bytes.length <= SENT_BYTES_MAX, `a datagram of ${bytes.length} bytes`);
    if (isAck(bytes)) return;
    const row = this.#rowOf(to);
    const number = numberOf(bytes);
    if (row.next !== undefined && number !== row.next) {
      // A client that comes anew has a new row.
      row.unacked.clear();
      assert(++row.breaks <= 2 * row.calls, `${to} is numbered anew without having asked`);
    }
    assert(!row.unacked.has(number), `number ${number} to ${to} waits for an ACK`);
    row.unacked.add(number);
    row.next = (number + 1) % SEQUENCES;
  }

  clientSaid(bytes: Uint8Array, from: string): void {
    assert(bytes.length <= SENT_BYTES_MAX, `a datagram of ${bytes.length} bytes`);
    const row = this.#rowOf(from);
    if (isAck(bytes)) row.unacked.delete(numberOf(bytes));
    else if (bytes.length > PING_BYTES) row.calls++;
  }

  #rowOf(address: string): Row {
    let row = this.#rows.get(address);
    if (!row) {
      row = { next: undefined, unacked: new Set(), breaks: 0, calls: 0 };
      this.#rows.set(address, row);
    }
    return row;
  }
}

/** The packets to one address. */
interface Row {
  next: number | undefined;
  unacked: Set<number>;
  /** How often the numbers began anew. */
  breaks: number;
  /** How often it knocked, or said that it leaves. */
  calls: number;
}

const PING_BYTES = 23;

function isAck(bytes: Uint8Array): boolean {
  return (bytes[18]! & 1) !== 0;
}

function numberOf(bytes: Uint8Array): number {
  return (bytes[0]! << 8) | bytes[1]!;
}

/** Objects in the order of their ids and their traits in the order of their names, to compare. */
function sorted(objects: ReadonlyMap<number, Traits>, decimals: number): unknown {
  return [...objects].sort(([one], [other]) => one - other).map(([id, traits]) => [
    id,
    Object.keys(traits).sort().map((name) => [name, numbersOf(traits[name], decimals)]),
  ]);
}

/** A value with the numbers of vectors rounded. */
function numbersOf(value: Json | undefined, decimals: number): unknown {
  if (!Array.isArray(value) || !value.every((part) => typeof part === "number")) return value;
  return value.map((part) => Math.round((part as number) * 10 ** decimals) / 10 ** decimals + 0);
}
