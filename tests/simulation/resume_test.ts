/**
 * Servers that are started again and go on from what was saved, with real clients on a simulated network
 * that loses, repeats and reorders. The clients notice nothing but a pause:
 *
 * - nobody gets another id or number, and nobody is told that somebody living has left;
 * - snapshots go on with higher numbers, also when the server's clock was set back;
 * - who is started anew while the server is down is the same player again;
 * - who leaves while it is down is found silent, and everybody is told;
 * - in the end everybody sees the same, which is the newest.
 *
 * What was saved may be a moment older than the end of the server.
 */
import { assert, assertEquals } from "@std/assert";
import {
  type ArenaClientEngine,
  type ArenaClientEvent,
  createArenaClient,
} from "../../lib/protocols/arena/client.ts";
import {
  type ArenaEvent,
  type ArenaServer,
  createArenaServer,
} from "../../lib/protocols/arena/server.ts";
import type { Engine, Outbox, Resumable, Saved } from "../../lib/protocols/engine.ts";
import {
  createSyncClient,
  type SyncClientEngine,
  type SyncClientEvent,
} from "../../lib/protocols/sync/client.ts";
import {
  createSyncServer,
  type SyncEvent,
  type SyncServer,
} from "../../lib/protocols/sync/server.ts";
import { parseStates } from "../../lib/protocols/sync/wire.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";
import { Host, maybe, Network, NO_FAULTS } from "./network.ts";

Deno.test("createSyncServer() that goes on is the same server for its clients", () => {
  forEachSeed(30, (seed) => new SyncGame(seededRandom(seed)).play());
});

Deno.test("createArenaServer() that goes on is the same server for its clients", () => {
  forEachSeed(40, (seed) => new ArenaGame(seededRandom(seed)).play());
});

const SERVER = "10.0.0.1:5000";
/** Everybody is there by then; nothing is lost before. */
const SETTLED_MS = 3_000;
const CRASH_MS = 6_000;
/** What was saved last may be so old. */
const STALE_MS_MAX = 800;
/** Longer than any datagram is on its way, and shorter than anybody's patience. */
const DOWN_MS_MIN = 300;
const DOWN_MS_MAX = 1_500;
const SILENCE_MS = 6_000;
const QUIET_MS = 12_000;
const END_MS = 25_000;

/** A network, and a server that is started twice. */
abstract class Game<Event, Server extends Engine<Event> & Resumable<Outbox<Event>>> {
  protected readonly network: Network;
  protected readonly random: Random;
  protected server!: Server;
  #host!: Host<Event>;
  #saved: Saved | undefined;
  protected readonly downMs: number;
  readonly #staleMs: number;

  constructor(random: Random) {
    this.random = random;
    const timerLateMs = maybe(random, 2);
    this.network = new Network({ random, faults: NO_FAULTS, timerLateMs });
    const faults = {
      loss: maybe(random, 0.1),
      duplication: maybe(random, 0.2),
      delayMs: maybe(random, 50),
      jitterMs: maybe(random, 150),
    };
    this.network.at(SETTLED_MS, () => this.network.faults = faults);
    this.downMs = DOWN_MS_MIN + random() * (DOWN_MS_MAX - DOWN_MS_MIN);
    this.#staleMs = random() < 0.5 ? 0 : random() * STALE_MS_MAX;
  }

  play(): void {
    this.#start();
    this.network.at(CRASH_MS - this.#staleMs, () => {
      this.#saved = JSON.parse(JSON.stringify(this.server.save(this.network.now)));
    });
    this.network.at(CRASH_MS, () => this.#host.close());
    this.network.at(CRASH_MS + this.downMs, () => this.#start());
    this.network.at(QUIET_MS, () => {
      this.network.faults = NO_FAULTS;
      this.becomeQuiet();
    });
    this.network.runUntil(END_MS);
    this.checkEnd();
  }

  protected abstract create(): Server;
  protected abstract onServerEvent(event: Event): void;
  protected abstract becomeQuiet(): void;
  protected abstract checkEnd(): void;

  /** Calls the server from outside. */
  protected act(call: (now: number, out: Outbox<Event>) => void): void {
    this.#host.act(call);
  }

  #start(): void {
    this.server = this.create();
    this.#host = new Host({
      network: this.network,
      address: SERVER,
      engine: this.server,
      onEvent: (event) => this.onServerEvent(event),
      sendMs: 0,
    });
    const saved = this.#saved;
    if (!saved) return;
    this.#host.act((now, out) => {
      this.server.resume(saved, now, (ip, port) => this.#host.peerAt(`${ip}:${port}`), out);
    });
  }
}

// ---- sync

const SYNC_CLIENTS = 16;
const FIRST_NUMBER = 1_000_000;

class SyncGame extends Game<SyncEvent, SyncServer> {
  readonly #clients: SyncPlayer[];
  /** Who is started anew, and who leaves, while the server is down. */
  readonly #reborn: SyncPlayer;
  readonly #leaver: SyncPlayer;
  readonly #clockIsSetBack: boolean;
  #starts = 0;
  readonly #left: number[] = [];

  constructor(random: Random) {
    super(random);
    this.#clockIsSetBack = random() < 0.5;
    this.#clients = Array.from({ length: SYNC_CLIENTS }, (_, index) => {
      const client = new SyncPlayer(this.network, index);
      this.network.at(random() * 1_000, () => client.start());
      this.#planStates(client);
      return client;
    });
    [this.#reborn, this.#leaver] = this.#clients as [SyncPlayer, SyncPlayer];
    this.network.at(SETTLED_MS, () => {
      for (const client of this.#clients) client.isSettled = true;
    });
    const whenDown = CRASH_MS + this.downMs / 2;
    this.network.at(whenDown, () => {
      this.#leaver.stop();
      for (const client of this.#clients) client.mayMiss = String(this.#leaver.id);
      this.#reborn.startAnew();
    });
  }

  protected create(): SyncServer {
    const isFirst = this.#starts++ === 0;
    return createSyncServer({
      firstSnapshotNumber: isFirst || !this.#clockIsSetBack ? FIRST_NUMBER * this.#starts : 1,
      rateHz: 20,
      silenceMs: SILENCE_MS,
    });
  }

  protected onServerEvent(event: SyncEvent): void {
    if (event.kind === "left") this.#left.push(event.id);
    if (this.network.now < SETTLED_MS) return;
    if (event.kind === "refused") assert(event.reason !== "stranger", "somebody is a stranger");
    if (event.kind === "joined") assert(false, `${event.id} joined again`);
  }

  protected becomeQuiet(): void {
    for (const client of this.#clients) client.isQuiet = true;
  }

  protected checkEnd(): void {
    const living = this.#clients.filter((client) => client !== this.#leaver);
    assertEquals(this.#left, [Number(this.#leaver.id)]);
    const right = new Map(
      living.map(({ id, state }) => [String(id), state] as const)
        .sort(([one], [other]) => Number(one) - Number(other)),
    );
    for (const client of living) {
      assert(client.snapshotsAfterCrash > 10, `${client.index} got ${client.snapshotsAfterCrash}`);
      assertEquals(client.view, right, `what ${client.index} sees`);
    }
    assertEquals(this.server.members().length, living.length);
  }

  #planStates(client: SyncPlayer): void {
    const everyMs = 100 + this.random() * 900;
    const next = (): void => {
      client.setState();
      if (this.network.now < QUIET_MS) this.network.at(this.network.now + everyMs, next);
    };
    this.network.at(1_000 + this.random() * 500, next);
  }
}

class SyncPlayer {
  readonly index: number;
  readonly #network: Network;
  #host: Host<SyncClientEvent> | undefined;
  #engine: SyncClientEngine = createSyncClient();
  #states = 0;
  #number = -1n;
  id: bigint | undefined;
  state = "";
  view = new Map<string, string>();
  isSettled = false;
  isQuiet = false;
  /** Has left, and need not be seen any more. */
  mayMiss = "";
  snapshotsAfterCrash = 0;

  constructor(network: Network, index: number) {
    this.#network = network;
    this.index = index;
  }

  start(): void {
    this.#host = new Host<SyncClientEvent>({
      network: this.#network,
      address: `10.1.0.${this.index}:5000`,
      engine: this.#engine,
      onEvent: (event) => this.#onEvent(event),
      sendMs: 0,
    });
    const server = this.#host.peerAt(SERVER);
    this.#host.act((now) => this.#engine.connect([server], now));
  }

  stop(): void {
    this.#host?.close();
    this.#host = undefined;
  }

  /** Another program at the same address, which counts from the beginning. */
  startAnew(): void {
    this.stop();
    this.#engine = createSyncClient();
    this.#number = -1n;
    this.isSettled = false;
    this.view = new Map();
    this.start();
    this.setState();
  }

  setState(): void {
    if (!this.#host || this.isQuiet) return;
    this.state = `"é" ${this.index}/${++this.#states}`;
    const bytes = new TextEncoder().encode(this.state);
    this.#host.act((now, out) => this.#engine.setState(bytes, now, out));
  }

  #onEvent(event: SyncClientEvent): void {
    switch (event.kind) {
      case "connected":
        assert(!this.isSettled, `${this.index} had to connect again`);
        assert(this.id === undefined || this.id === event.id, `${this.id} is ${event.id} now`);
        this.id = event.id;
        return;
      case "snapshot":
        return this.#onSnapshot(event.number, parseStates(event.json)!);
      case "unanswered":
      case "disconnected":
        assert(!this.isSettled, `${this.index}: ${event.kind}`);
    }
  }

  #onSnapshot(number: bigint, states: Map<string, string>): void {
    assert(number > this.#number, `${number} came after ${this.#number}`);
    this.#number = number;
    if (this.#network.now > CRASH_MS + DOWN_MS_MAX) this.snapshotsAfterCrash++;
    for (const id of this.view.keys()) {
      assert(states.has(id) || id === this.mayMiss, `${this.index} does not see ${id} any more`);
    }
    this.view = new Map([...states].sort(([one], [other]) => Number(one) - Number(other)));
  }
}

// ---- the arena

const ARENA_CLIENTS = 8;

class ArenaGame extends Game<ArenaEvent, ArenaServer> {
  readonly #clients: ArenaPlayer[];
  readonly #expelled: ArenaPlayer;
  readonly #leaver: ArenaPlayer;
  readonly #reborn: ArenaPlayer;
  readonly #late: ArenaPlayer;

  constructor(random: Random) {
    super(random);
    this.#clients = Array.from({ length: ARENA_CLIENTS }, (_, index) => {
      const client = new ArenaPlayer(this.network, index);
      this.network.at(random() * 1_000, () => client.start());
      this.#planActions(client);
      return client;
    });
    [this.#expelled, this.#leaver, this.#reborn] = this.#clients as [
      ...[ArenaPlayer, ArenaPlayer, ArenaPlayer],
    ];
    this.#late = new ArenaPlayer(this.network, ARENA_CLIENTS);
    this.network.at(SETTLED_MS, () => {
      for (const client of this.#clients) client.isSettled = true;
    });
    // What it has said by then has arrived: it would come again with it.
    this.network.at(CRASH_MS - STALE_MS_MAX - DOWN_MS_MIN, () => this.#expelled.stop());
    this.network.at(CRASH_MS - STALE_MS_MAX - 1, () => this.#expel());
    this.network.at(CRASH_MS + this.downMs / 2, () => {
      this.#leaver.stop();
      this.#reborn.startAnew();
    });
    this.network.at(CRASH_MS + this.downMs + 1_000, () => this.#late.start());
  }

  protected create(): ArenaServer {
    return createArenaServer({ random: this.random, silenceMs: SILENCE_MS, tickRateHz: 20 });
  }

  protected onServerEvent(event: ArenaEvent): void {
    if (this.network.now < SETTLED_MS) return;
    if (event.kind === "joined") assertEquals(event.number, ARENA_CLIENTS + 1);
    if (event.kind !== "left") return;
    const { number } = event.reason === "closed" ? this.#expelled : this.#leaver;
    assertEquals(event.number, number);
  }

  protected becomeQuiet(): void {
    for (const client of this.#clients) client.act({ kind: "input", dx: 0, dy: 0 });
  }

  protected checkEnd(): void {
    const right = new Map(this.server.players().map((player) => [player.number, player]));
    const living = this.#clients.filter(({ isRunning }) => isRunning);
    assertEquals(living.length, ARENA_CLIENTS - 2);
    const numbers = [...living, this.#late].map(({ number }) => number);
    assertEquals([...right.keys()].sort(), numbers.sort());
    for (const { index, engine } of [...living, this.#late]) {
      const seen = [...engine.players.values()].sort((one, other) => one.number - other.number);
      const there = [...right.values()].sort((one, other) => one.number - other.number);
      assertEquals(seen, there, `what ${index} sees`);
      assertEquals(engine.bullets, []);
    }
    assertEquals(this.server.census().undelivered, 0);
  }

  /** Nobody hears of it before the server ends. */
  #expel(): void {
    const { number, address } = this.#expelled;
    for (const client of this.#clients) this.network.cut(SERVER, client.address);
    const { peer } = this.server.members().find(({ name }) => name === String(number))!;
    assertEquals(peer.address, address);
    this.act((now, out) => this.server.expel(peer, now, out));
    this.network.at(CRASH_MS + 1, () => this.network.healAll());
  }

  #planActions(client: ArenaPlayer): void {
    const next = (): void => {
      const axis = (): number => Math.floor(this.random() * 3) - 1;
      if (this.random() < 0.3) client.act({ kind: "fire" });
      else client.act({ kind: "input", dx: axis(), dy: axis() });
      const at = this.network.now + this.random() * 1_000;
      if (at < QUIET_MS) this.network.at(at, next);
    };
    this.network.at(1_500, next);
  }
}

class ArenaPlayer {
  readonly index: number;
  readonly address: string;
  readonly #network: Network;
  #host: Host<ArenaClientEvent> | undefined;
  engine: ArenaClientEngine = createArenaClient();
  number: number | undefined;
  isSettled = false;

  constructor(network: Network, index: number) {
    this.#network = network;
    this.index = index;
    this.address = `10.1.0.${index}:5000`;
  }

  get isRunning(): boolean {
    return this.#host !== undefined;
  }

  start(): void {
    this.engine = createArenaClient({ heartbeatMs: 700 });
    this.#host = new Host<ArenaClientEvent>({
      network: this.#network,
      address: this.address,
      engine: this.engine,
      onEvent: (event) => this.#onEvent(event),
      sendMs: 0,
    });
    const server = this.#host.peerAt(SERVER);
    this.#host.act((now, out) => this.engine.connect([server], now, out));
  }

  stop(): void {
    this.#host?.close();
    this.#host = undefined;
  }

  startAnew(): void {
    this.stop();
    this.isSettled = false;
    this.start();
  }

  act(action: Parameters<ArenaClientEngine["act"]>[0]): void {
    this.#host?.act((now, out) => this.engine.act(action, now, out));
  }

  #onEvent(event: ArenaClientEvent): void {
    if (event.kind !== "welcomed") return;
    assert(!this.isSettled, `${this.index} was welcomed again`);
    const { number } = event.player;
    assert(this.number === undefined || this.number === number, `${this.number} is ${number} now`);
    this.number = number;
  }
}
