import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  type ArenaClientEngine,
  type ArenaClientEngineOptions,
  type ArenaClientEvent,
  createArenaClient,
} from "../../../lib/protocols/arena/client.ts";
import {
  type Action,
  BULLETS_PER_LIST,
  type BulletState,
  decodeClientMessage,
  encodeBullets,
  encodeLeft,
  encodeLook,
  encodeUpdates,
  encodeWelcome,
  encodeWorldInfo,
  type PlayerState,
} from "../../../lib/protocols/arena/wire.ts";
import type { Random } from "../../../lib/parts/random.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import { arenaTranscripts } from "../../support/vectors.ts";
import { testEngineContract } from "../engine_suite.ts";

const SERVER = peerAt("192.0.2.1:9999");
const SECOND = peerAt("[2001:db8::1]:9999");
const FOREIGN = peerAt("192.0.2.9:9999");

function playerOf(number: number, x = 0, red = 1): PlayerState {
  return { number, red, green: 2, blue: 3, x, y: 0 };
}

function bulletsOf(count: number, x = 0): BulletState[] {
  return Array.from({ length: count }, () => ({ x, y: 0, rotation: 0 }));
}

/** A client, and what servers say to it. */
class Seat {
  readonly client: ArenaClientEngine;
  readonly play: Play<ArenaClientEvent>;

  constructor(options: ArenaClientEngineOptions = {}) {
    this.client = createArenaClient(options);
    this.play = new Play(this.client);
  }

  connect(...servers: Peer[]): void {
    this.client.connect(servers, this.play.now, this.play.out);
  }

  /** Connects, is welcomed as player 1 under sequence 0, told of the world, and forgets what was said. */
  join(): this {
    this.connect(SERVER);
    this.hear(encodeWelcome(0, playerOf(1)));
    this.hear(encodeWorldInfo(10_000, 20, 10));
    this.takeSaid();
    this.takeEvents();
    return this;
  }

  hear(datagram: Uint8Array, from = SERVER): void {
    this.play.receive(datagram, from);
  }

  hearList(sequence: number, ...players: PlayerState[]): void {
    const listed = players.map((player) => ({ ...player, look: encodeLook(player) }));
    this.hear(encodeUpdates(sequence, listed));
  }

  hearBullets(sequence: number, count: number, x = 0): void {
    this.hear(encodeBullets(sequence, bulletsOf(count, x)));
  }

  act(action: Action): void {
    this.client.act(action, this.play.now, this.play.out);
  }

  /** What it sent: `0 join`, `250 ack 3`, `250 input 1 0`; to another than SERVER with the address. */
  takeSaid(): string[] {
    return this.play.out.takeSent().map(({ at, to, bytes }) => {
      const message = decodeClientMessage(bytes);
      const words: unknown[] = [at, message.kind];
      if (message.kind === "ack") words.push(...message.sequences);
      if (message.kind === "input") words.push(message.dx, message.dy);
      if (to !== SERVER) words.push(to.address);
      return words.join(" ");
    });
  }

  takeEvents(): string[] {
    return this.play.out.takeEvents().map((event) => {
      switch (event.kind) {
        case "welcomed":
          return `welcomed ${event.player.number}`;
        case "world":
          return `world ${event.width} ${event.height}`;
        case "players":
          return `players ${event.players.map(({ number }) => number).join(" ")}`;
        case "left":
          return `left ${event.number}`;
        case "bullets":
          return `bullets ${event.bullets.length}`;
        case "repeated":
          return `repeated ${event.sequence}`;
        case "refused":
          return `refused ${event.reason}`;
      }
    });
  }

  xOf(number: number): number | undefined {
    return this.client.players.get(number)?.x;
  }
}

// ---- joining

Deno.test("createArenaClient() asks to join at once and each second, until it is welcomed", () => {
  const seat = new Seat();
  seat.connect(SERVER);
  seat.play.wait(2_500);
  assertEquals(seat.takeSaid(), ["0 join", "1000 join", "2000 join"]);
  seat.hear(encodeWelcome(7, playerOf(4)));
  assertEquals(seat.takeSaid(), ["2500 ack 7"]);
  assertEquals(seat.takeEvents(), ["welcomed 4"]);
  assertEquals(seat.client.number, 4);
  assertEquals(seat.client.players, new Map([[4, playerOf(4)]]));
  seat.hear(encodeWorldInfo(8, 20, 10));
  seat.takeSaid();
  seat.play.wait(1_999);
  assertEquals(seat.takeSaid(), [], "it asks no more");
});

Deno.test("createArenaClient() joins again each second while it is welcomed and not told of the world", () => {
  const seat = new Seat();
  seat.connect(SERVER);
  seat.hear(encodeWelcome(0, playerOf(1)));
  seat.play.wait(2_500);
  assertEquals(seat.takeSaid(), ["0 join", "0 ack 0", "1000 join", "2000 join"]);
  seat.hear(encodeWorldInfo(1, 20, 10));
  seat.play.wait(1_900);
  assertEquals(seat.takeSaid(), ["2500 ack 1"]);
});

Deno.test("createArenaClient() asks all addresses of a server and stays with the one that welcomes first", () => {
  const seat = new Seat();
  seat.connect(SERVER, SECOND);
  seat.play.wait(1_250);
  const [one, other] = ["join", `join ${SECOND.address}`];
  assertEquals(seat.takeSaid(), [`0 ${one}`, `250 ${other}`, `1250 ${one}`, `1250 ${other}`]);
  seat.hear(encodeWelcome(0, playerOf(1)), SECOND);
  assertEquals(seat.takeSaid(), [`1250 ack 0 ${SECOND.address}`]);
  seat.takeEvents();
  seat.hear(encodeWelcome(1, playerOf(2)), SERVER);
  assertEquals(seat.takeEvents(), ["refused stranger"]);
  assertEquals(seat.client.number, 1);
  seat.act({ kind: "fire" });
  assertEquals(seat.takeSaid(), [`1250 fire ${SECOND.address}`]);
  assert(seat.client.remembers(SERVER) && seat.client.remembers(SECOND));
});

Deno.test("createArenaClient() takes nothing from others, and nothing before it is welcomed", () => {
  const seat = new Seat();
  seat.hear(encodeWelcome(0, playerOf(1)));
  assertEquals(seat.takeEvents(), ["refused stranger"]);
  seat.connect(SERVER);
  seat.takeSaid();
  seat.hear(encodeWelcome(0, playerOf(1)), FOREIGN);
  assertEquals(seat.takeEvents(), ["refused stranger"]);
  seat.hearList(1, playerOf(2));
  seat.hear(encodeWorldInfo(2, 20, 10));
  seat.hear(encodeLeft(3, true, 2));
  assertEquals(seat.takeEvents(), []);
  assertEquals(seat.takeSaid(), [], "no ack of what was not taken: it comes again");
  assertEquals(seat.client.players.size, 0);
  seat.act({ kind: "input", dx: 1, dy: 0 });
  assertEquals(seat.takeSaid(), [], "nobody is there to hear it");
});

Deno.test("createArenaClient() refuses what is no message of a server, with the reason", () => {
  const seat = new Seat().join();
  seat.hear(new Uint8Array(0));
  seat.hear(Uint8Array.of(0x93, 1, 2, 3));
  seat.hear(Uint8Array.of(0x94, 99, 0, 0, 0xa0));
  seat.hear(Uint8Array.of(0x94, 11, 0, 0, 0xa0));
  seat.hear(new Uint8Array(9_000));
  const reasons = ["syntax", "shape", "event", "payload", "oversize"];
  assertEquals(seat.takeEvents(), reasons.map((reason) => `refused ${reason}`));
});

// ---- acks

Deno.test("createArenaClient() acks at once what asks for it, each time, one number per ACK", () => {
  const seat = new Seat().join();
  seat.hear(encodeWorldInfo(1, 20, 10));
  seat.hear(encodeLeft(9_999, true, 9));
  assertEquals(seat.takeSaid(), ["0 ack 1", "0 ack 9999"]);
  assertEquals(seat.takeEvents(), ["world 20 10", "left 9"]);
  assertEquals(seat.client.world, { width: 20, height: 10 });
  seat.hear(encodeLeft(9_999, true, 9));
  seat.hear(encodeWelcome(0, playerOf(1)));
  assertEquals(seat.takeSaid(), ["0 ack 9999", "0 ack 0"]);
  assertEquals(seat.takeEvents(), ["repeated 9999", "repeated 0"]);
  seat.hearList(2, playerOf(1));
  seat.hear(encodeLeft(3, false, 8));
  seat.hearBullets(4, 1);
  assertEquals(seat.takeSaid(), [], "these ask for none");
});

// ---- heartbeats

Deno.test("createArenaClient() says every 2 s that it is there, unless it says something else", () => {
  const seat = new Seat().join();
  seat.play.wait(5_000);
  assertEquals(seat.takeSaid(), ["2000 heartbeat", "4000 heartbeat"]);
  seat.act({ kind: "input", dx: 1, dy: -1 });
  seat.play.wait(1_999);
  assertEquals(seat.takeSaid(), ["5000 input 1 -1"]);
  seat.play.wait(1);
  assertEquals(seat.takeSaid(), ["7000 heartbeat"]);
});

Deno.test("createArenaClient() says as often as it is told that it is there", () => {
  const seat = new Seat({ heartbeatMs: 500 }).join();
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid(), ["500 heartbeat", "1000 heartbeat"]);
});

Deno.test("createArenaClient() stays with a server that says nothing: the original has nothing to say", () => {
  const seat = new Seat().join();
  seat.play.wait(600_000);
  assertEquals(seat.takeEvents(), []);
  assertEquals(new Set(seat.takeSaid().map((said) => said.split(" ")[1])), new Set(["heartbeat"]));
  assertEquals(seat.client.heardAt, 0);
});

Deno.test("createArenaClient() fires and steers at once", () => {
  const seat = new Seat().join();
  seat.act({ kind: "fire" });
  seat.act({ kind: "input", dx: 0.5, dy: 0 });
  assertEquals(seat.takeSaid(), ["0 fire", "0 input 0.5 0"]);
});

// ---- players

Deno.test("createArenaClient() is not moved back by a list that was overtaken", () => {
  const seat = new Seat().join();
  seat.hearList(5, playerOf(2, 50), playerOf(3, 50));
  seat.hearList(4, playerOf(2, 40));
  seat.hearList(5, playerOf(2, 55));
  assertEquals(seat.xOf(2), 50);
  seat.hearList(6, playerOf(2, 60));
  seat.hearList(5, playerOf(2, 50), playerOf(3, 51), playerOf(4, 50));
  assertEquals([2, 3, 4].map((number) => seat.xOf(number)), [60, 50, 50]);
  assertEquals(seat.takeEvents(), ["players 2 3", "players 2", "players 4"]);
});

Deno.test("createArenaClient() knows that 0 follows 10,000", () => {
  const seat = new Seat().join();
  seat.hearList(10_000, playerOf(2, 1));
  seat.hearList(0, playerOf(2, 2));
  assertEquals(seat.xOf(2), 2);
  seat.hearList(9_999, playerOf(2, 3));
  assertEquals(seat.xOf(2), 2);
  seat.hearList(4_999, playerOf(2, 4));
  assertEquals(seat.xOf(2), 4);
  seat.hearList(4_999 + 5_001, playerOf(2, 5));
  assertEquals(seat.xOf(2), 4, "half of all numbers ahead is behind");
});

Deno.test("createArenaClient() takes any list after a second without one: no datagram is late for so long", () => {
  const seat = new Seat().join();
  seat.hearList(500, playerOf(2, 1));
  seat.play.wait(1_000);
  seat.hearList(400, playerOf(2, 2));
  assertEquals(seat.xOf(2), 1);
  seat.play.wait(1);
  seat.hearList(400, playerOf(2, 3));
  assertEquals(seat.xOf(2), 3);
});

Deno.test("createArenaClient() takes its own position from the lists too", () => {
  const seat = new Seat().join();
  seat.hearList(1, playerOf(1, 77));
  assertEquals(seat.xOf(1), 77);
});

Deno.test("createArenaClient() lets no late list bring back who left", () => {
  const seat = new Seat().join();
  seat.hearList(1, playerOf(2), playerOf(3));
  seat.hear(encodeLeft(3, true, 2));
  seat.takeEvents();
  seat.hearList(2, playerOf(2));
  seat.hearList(4, playerOf(2), playerOf(3, 9));
  assertEquals([...seat.client.players.keys()], [1, 3]);
  assertEquals(seat.takeEvents(), ["players 3"]);
  seat.hear(encodeLeft(9, false, 2));
  assertEquals(seat.takeEvents(), [], "told once");
  seat.play.wait(60_000);
  seat.hearList(10, playerOf(2));
  assertEquals([...seat.client.players.keys()], [1, 3]);
});

Deno.test("createArenaClient() forgets everything when it is welcomed with another number", () => {
  const seat = new Seat().join();
  seat.hear(encodeWorldInfo(1, 20, 10));
  seat.hearList(900, playerOf(1), playerOf(2));
  seat.hear(encodeLeft(901, true, 3));
  seat.hearBullets(902, 2);
  seat.takeEvents();
  seat.hear(encodeWelcome(0, playerOf(5)));
  assertEquals(seat.takeEvents(), ["welcomed 5"]);
  assertEquals([...seat.client.players.keys()], [5]);
  assertEquals(seat.client.bullets, []);
  seat.hearList(1, playerOf(3), playerOf(2));
  seat.hearBullets(2, 1);
  assertEquals(seat.takeEvents(), ["players 3 2", "bullets 1"]);
  seat.takeSaid();
  seat.play.wait(1_900);
  assertEquals(seat.takeSaid(), [], "the world is as large as before");
});

Deno.test("createArenaClient() forgets everything when another player has its number: the server began anew", () => {
  const seat = new Seat().join();
  seat.hearList(900, playerOf(2));
  seat.hear(encodeLeft(901, true, 3));
  seat.takeEvents();
  // The same number, but another color: numbers begin at 1 again.
  seat.hear(encodeWelcome(0, playerOf(1, 0, 200)));
  assertEquals(seat.takeEvents(), ["welcomed 1"]);
  assertEquals([...seat.client.players.keys()], [1]);
  seat.hearList(1, playerOf(3), playerOf(2));
  assertEquals(seat.takeEvents(), ["players 3 2"]);
});

Deno.test("createArenaClient() keeps what it knows when it is welcomed as the same player again", () => {
  const seat = new Seat().join();
  seat.hearList(5, playerOf(1, 50), playerOf(2));
  seat.takeEvents();
  seat.hear(encodeWelcome(6, playerOf(1, 40)));
  assertEquals(seat.takeEvents(), []);
  assertEquals([...seat.client.players.keys()], [1, 2]);
});

Deno.test("createArenaClient() begins anew at another server", () => {
  const seat = new Seat().join();
  seat.hearList(5, playerOf(2));
  seat.connect(SECOND);
  assertEquals(seat.client.number, undefined);
  assertEquals(seat.client.players.size, 0);
  assertEquals(seat.client.world, undefined);
  seat.takeSaid();
  seat.hear(encodeWelcome(0, playerOf(1)), SECOND);
  assertEquals(seat.client.number, 1);
  assert(!seat.client.remembers(SERVER));
});

// ---- bullets

Deno.test("createArenaClient() has the bullets of the last list, and none after an empty one", () => {
  const seat = new Seat().join();
  seat.hearBullets(1, 3);
  assertEquals(seat.client.bullets, bulletsOf(3));
  seat.hearBullets(2, 1, 9);
  assertEquals(seat.client.bullets, bulletsOf(1, 9));
  seat.hearBullets(3, 0);
  assertEquals(seat.client.bullets, []);
  assertEquals(seat.takeEvents(), ["bullets 3", "bullets 1", "bullets 0"]);
});

Deno.test("createArenaClient() puts frames of 36 bullets together until a shorter one ends them", () => {
  const seat = new Seat().join();
  seat.hearBullets(1, BULLETS_PER_LIST, 1);
  seat.hearBullets(2, BULLETS_PER_LIST, 2);
  assertEquals(seat.takeEvents(), []);
  assertEquals(seat.client.bullets, []);
  seat.hearBullets(3, 5, 3);
  const all = [...bulletsOf(36, 1), ...bulletsOf(36, 2), ...bulletsOf(5, 3)];
  assertEquals(seat.client.bullets, all);
  seat.hearBullets(4, BULLETS_PER_LIST);
  seat.hearBullets(5, 0);
  assertEquals(seat.takeEvents(), ["bullets 77", "bullets 36"]);
});

Deno.test("createArenaClient() takes only so many bullets of a list that never ends", () => {
  const seat = new Seat().join();
  for (let sequence = 1; sequence < 100; sequence++) seat.hearBullets(sequence, BULLETS_PER_LIST);
  assert(seat.client.bullets.length >= 1_024 && seat.client.bullets.length <= 36 * 36);
});

Deno.test("createArenaClient() is not shown bullets again by a list that was overtaken", () => {
  const seat = new Seat().join();
  seat.hearBullets(5, 3);
  seat.hearBullets(8, 0);
  seat.takeEvents();
  seat.hearBullets(6, 2);
  seat.hearBullets(7, BULLETS_PER_LIST);
  assertEquals(seat.client.bullets, []);
  assertEquals(seat.takeEvents(), []);
  seat.play.wait(1_001);
  seat.hearBullets(10_000, 0);
  seat.hearBullets(0, 1);
  assertEquals(seat.takeEvents(), ["bullets 0", "bullets 1"], "the numbers went round");
});

Deno.test("createArenaClient() sees bullets no longer than they live, when the empty list was lost", () => {
  const seat = new Seat().join();
  seat.hearBullets(5, 3);
  seat.play.wait(1_500);
  seat.hearBullets(6, 2);
  seat.play.wait(1_999);
  assertEquals(seat.client.bullets.length, 2);
  seat.takeEvents();
  seat.play.wait(1);
  assertEquals(seat.client.bullets, []);
  assertEquals(seat.takeEvents(), ["bullets 0"]);
  seat.play.wait(10_000);
  assertEquals(seat.takeEvents(), []);
});

// ---- the original

Deno.test("createArenaClient() understands what the original said to its own clients", () => {
  const steps = arenaTranscripts.get("two_fake_clients")!;
  const clients = new Set(steps.filter(({ to }) => to !== "server").map(({ to }) => to));
  assertEquals(clients.size, 2);
  for (const name of clients) {
    const seat = new Seat();
    seat.connect(SERVER);
    for (const { to, at, bytes } of steps) {
      if (to !== name) continue;
      seat.play.waitUntil(at);
      seat.hear(bytes);
    }
    assert(!seat.takeEvents().some((event) => event.startsWith("refused")), name);
    assertEquals(seat.client.world, { width: 20, height: 10 });
    assert(seat.client.players.has(seat.client.number!));
  }
});

// ---- the contract

function serverDatagram(random: Random): Uint8Array {
  const kind = random();
  const sequence = Math.floor(random() * 10_001);
  const number = 1 + Math.floor(random() * 20);
  if (kind < 0.2) return encodeWelcome(sequence, playerOf(number));
  if (kind < 0.3) return encodeWorldInfo(sequence, 20, 10);
  if (kind < 0.5) return encodeLeft(sequence, random() < 0.5, number);
  if (kind < 0.7) {
    const count = random() < 0.5 ? BULLETS_PER_LIST : random() * 5;
    return encodeBullets(sequence, bulletsOf(count));
  }
  const players = Array.from(
    { length: random() * 19 },
    () => playerOf(1 + Math.floor(random() * 50)),
  );
  return encodeUpdates(
    sequence,
    players.map((player) => ({ ...player, look: encodeLook(player) })),
  );
}

Deno.test("createArenaClient() does not remember ever more players of a server that makes them up", () => {
  const seat = new Seat().join();
  for (let list = 0; list < 700; list++) {
    seat.hearList(list, ...Array.from({ length: 100 }, (_, at) => playerOf(2 + 100 * list + at)));
  }
  const { size } = seat.client.players;
  assert(size >= 65_536 && size < 65_636, `${size} players`);
  seat.takeEvents();
  seat.hearList(701, playerOf(2, 7), playerOf(99_999));
  assertEquals(seat.client.players.get(2), playerOf(2, 7));
  assertEquals(seat.client.players.size, size);
});

const SERVERS = [SERVER, SECOND];

testEngineContract("createArenaClient()", () => {
  const engine = createArenaClient();
  const peers = [...SERVERS, FOREIGN];
  return {
    engine,
    datagram: serverDatagram,
    peers,
    begin: (now, out): void => engine.connect(SERVERS, now, out),
    checkLimits(): void {
      assert(engine.bullets.length <= 36 ** 2, `${engine.bullets.length} bullets`);
      for (const peer of peers) assertEquals(engine.remembers(peer), SERVERS.includes(peer));
    },
    endsInSilence: false,
  };
});

testEngineContract("createArenaClient() before connect()", () => ({
  engine: createArenaClient(),
  datagram: serverDatagram,
  peers: [SERVER, FOREIGN],
  checkLimits(): void {},
  endsInSilence: true,
}));
