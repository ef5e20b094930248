/**
 * The real rendezvous server with real players in homes behind routers, on a simulated network. Always:
 *
 * - nobody confirms a player who did not get an inquiry of it and answer: taken from the datagrams;
 * - a reliable message arrives at most once, and a receipt means that it arrived;
 * - nobody who is unreachable is confirmed; the server holds no more than there are hosts.
 *
 * And when the network loses nothing any more, and whoever failed has tried once more:
 *
 * - every player is confirmed by its host, and the host by it, if their routers allow it at all; in
 *   dialect 2 all players of a game are, with each other;
 * - every reliable message sent then arrives, once, and is answered for;
 * - when everybody has left, the server holds nothing and waits for nothing.
 *
 * The same seed gives the same datagrams at the same times.
 */
import { assert, assertEquals } from "@std/assert";
import type { Dialect } from "../../lib/protocols/rendezvous/message.ts";
import { createPlayer } from "../../lib/protocols/rendezvous/peer.ts";
import type { Player, PlayerEvent } from "../../lib/protocols/rendezvous/player.ts";
import {
  createRendezvousServer,
  type RendezvousEvent,
  type RendezvousServer,
} from "../../lib/protocols/rendezvous/server.ts";
import { decode } from "../../lib/protocols/rendezvous/wire.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";
import { canReach, type Home, type HomeKind, Homes } from "./homes.ts";
import { Host, Network, NO_FAULTS } from "./network.ts";

Deno.test("createPlayer() reaches everybody it can, and only them, whatever the network does", () => {
  forEachSeed(200, (seed) => void play(seed));
});

Deno.test("createPlayer() and createRendezvousServer() do the same again for the same seed", () => {
  forEachSeed(10, (seed) => assertEquals(play(seed), play(seed)));
});

const SERVER_IP = "198.51.100.1";
const SERVER = `${SERVER_IP}:5160`;
const PLAY_MS = 40_000;
/** Checks of the lost, refreshes and a new try take this long at most. */
const SETTLE_MS = 60_000;
const CHECK_MS = 4_000;
const GAMES = 2;
const JOINERS = 4;

function play(seed: number): number {
  const world = new World(seededRandom(seed));
  world.play();
  world.settle();
  world.talk();
  world.everybodyLeaves();
  return world.network.trace;
}

class World {
  readonly network: Network;
  readonly homes: Homes;
  readonly #random: Random;
  readonly #players: Machine[] = [];
  readonly #ledger = new Ledger();
  #server!: RendezvousServer;
  #serverHost!: Host<RendezvousEvent>;

  constructor(random: Random) {
    this.#random = random;
    const maybe = (most: number): number => random() < 0.5 ? 0 : random() * most;
    const places = Array.from({ length: 4 }, (_, index) => homeFrom(random, index));
    this.homes = new Homes(random, places);
    this.network = new Network({
      random,
      faults: {
        loss: maybe(0.25),
        duplication: maybe(0.2),
        delayMs: maybe(60),
        jitterMs: maybe(150),
      },
      timerLateMs: maybe(3),
      routers: this.homes,
      onTransmit: (bytes) => this.#ledger.said(bytes),
    });
    this.#startServer();
    for (let game = 0; game < GAMES; game++) this.#planGame(game, places);
    if (random() < 0.3) this.network.at(random() * PLAY_MS / 2, () => this.#restartServer());
    for (let at = 500; at < PLAY_MS; at += 500) this.network.at(at, () => this.#checkLimits());
  }

  play(): void {
    this.network.runUntil(PLAY_MS);
  }

  settle(): void {
    this.network.faults = NO_FAULTS;
    for (const machine of this.#players) machine.isQuiet = true;
    this.network.runUntil(PLAY_MS + SETTLE_MS / 2);
    // Hosts first, so that those who look for them find them.
    for (const host of this.#players.filter(({ isHost }) => isHost)) host.startAgain();
    this.network.runUntil(this.network.now + 1_000);
    for (const machine of this.#players) machine.startAgain();
    this.network.runUntil(PLAY_MS + SETTLE_MS);
    for (const one of this.#players) {
      const expected = this.#players.filter((other) => this.#isExpected(one, other));
      const names = expected.map(({ name }) => name).sort();
      assertEquals([...one.engine.players.keys()].sort(), names, `whom ${one.name} knows`);
    }
  }

  /** Everybody says something to everybody: it arrives, once. */
  talk(): void {
    for (const one of this.#players) one.sayToAll();
    this.network.runUntil(this.network.now + 5_000);
    for (const machine of this.#players) machine.checkDelivered(this.#players);
  }

  everybodyLeaves(): void {
    for (const machine of this.#players) machine.stop();
    this.network.runUntil(this.network.now + 61_000);
    assertEquals(this.#server.registrations, 0);
    assertEquals(this.#server.nextDeadline(), Infinity);
  }

  /** Whether the two should know each other in the end. */
  #isExpected(one: Machine, other: Machine): boolean {
    if (one === other || one.game !== other.game || !canReach(one.home, other.home)) return false;
    if (one.isHost || other.isHost) return true;
    // Joiners hear of each other from the host, if both reach it.
    const host = this.#players.find(({ name }) => name === one.game)!;
    return one.dialect === 2 && [one, other].every(({ home }) => canReach(home, host.home));
  }

  #planGame(game: number, places: readonly Home[]): void {
    const random = this.#random;
    const dialect: Dialect = random() < 0.5 ? 1 : 2;
    const password = dialect === 2 && random() < 0.5 ? `secret ${game}` : undefined;
    const host = `game ${game}`;
    const names = [host, ...Array.from({ length: JOINERS }, (_, index) => `p${game}${index}`)];
    names.forEach((name, index) => {
      const machine = new Machine({
        world: this,
        home: pick(random, places),
        number: 10 * (game + 1) + index,
        name,
        host: name === host ? undefined : host,
        dialect,
        password,
        random,
        ledger: this.#ledger,
      });
      this.#players.push(machine);
      this.network.at(random() * (name === host ? 2_000 : PLAY_MS / 2), () => machine.start());
      machine.planTalk();
      // A crash is noticed by the others' checks; the player returns later than that.
      if (random() < 0.2) {
        const at = random() * PLAY_MS / 2;
        this.network.at(at, () => machine.stop());
        this.network.at(at + 12_000, () => machine.start());
      }
    });
  }

  #startServer(): void {
    this.#server = createRendezvousServer();
    this.#serverHost = new Host({
      network: this.network,
      address: SERVER,
      engine: this.#server,
      sendMs: 0,
    });
  }

  /** It forgets everybody; hosts register again. */
  #restartServer(): void {
    this.#serverHost.close();
    this.network.at(this.network.now + 500, () => this.#startServer());
  }

  #checkLimits(): void {
    assert(this.#server.registrations <= GAMES, `${this.#server.registrations} registrations`);
    assert(this.network.peaks.letters <= 200, `${this.network.peaks.letters} datagrams wait`);
  }
}

interface MachineOptions {
  world: World;
  home: Home;
  number: number;
  name: string;
  host: string | undefined;
  dialect: Dialect;
  password: string | undefined;
  random: Random;
  ledger: Ledger;
}

/** A player's program on its machine. */
class Machine {
  readonly name: string;
  readonly home: Home;
  readonly isHost: boolean;
  readonly dialect: Dialect;
  readonly game: string;
  isQuiet = false;
  engine!: Player;
  readonly #options: MachineOptions;
  readonly #ip: string;
  /** How often each reliable message arrived. */
  readonly #arrived = new Map<string, number>();
  /** Those sent to others: whether the receipt came, by text. */
  readonly #sent = new Map<string, { to: string; receipt: boolean }>();
  #host: Host<PlayerEvent> | undefined;
  #spoken = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.home = options.home;
    this.isHost = options.host === undefined;
    this.dialect = options.dialect;
    this.game = options.host ?? options.name;
    this.#ip = `${options.home.prefix}.${options.number}`;
  }

  start(): void {
    if (this.#host) return;
    const { world, random, name, host, dialect, password, home } = this.#options;
    const port = 4_000;
    this.engine = createPlayer({
      name,
      host,
      dialect,
      password,
      local: { ip: this.#ip, port },
      checkMs: CHECK_MS,
      random,
      peerAt: (ip, port) => this.#host!.peerAt(`${ip}:${port}`),
    });
    this.#host = new Host<PlayerEvent>({
      network: world.network,
      address: world.homes.nameOf(home, this.#ip, port),
      engine: this.engine,
      onEvent: (event) => this.#onEvent(event),
      sendMs: 0,
    });
    const server = this.#host.peerAt(SERVER);
    this.#host.act((now, out) => this.engine.connect([server], now, out));
  }

  /** Crashes: tells nobody. */
  stop(): void {
    this.#host?.close();
    this.#host = undefined;
  }

  /** As a person does it whose program said that it failed. */
  startAgain(): void {
    if (this.#host && !this.engine.ended) return;
    this.stop();
    this.start();
  }

  planTalk(): void {
    const { world: { network }, random } = this.#options;
    const next = (): void => {
      this.sayToAll();
      const at = network.now + random() * 3_000;
      if (at < PLAY_MS) network.at(at, next);
    };
    network.at(random() * 5_000, next);
  }

  sayToAll(): void {
    if (!this.#host || this.engine.ended) return;
    for (const to of this.engine.players.keys()) {
      const text = `${this.name} to ${to}: "é" ${this.#spoken++}`;
      this.#host.act((now, out) => this.engine.sendReliable(to, text, now, out));
      if (this.isQuiet) this.#sent.set(text, { to, receipt: false });
    }
  }

  checkDelivered(machines: readonly Machine[]): void {
    for (const [text, { to, receipt }] of this.#sent) {
      const receiver = machines.find(({ name }) => name === to)!;
      assertEquals(receiver.#arrived.get(text), 1, `how often "${text}" arrived`);
      assert(receipt, `no receipt for "${text}"`);
    }
  }

  #onEvent(event: PlayerEvent): void {
    switch (event.kind) {
      case "confirmed":
        return this.#options.ledger.checkInquired(this.name, event.player.name);
      case "message": {
        const text = String(event.message);
        assert(text.startsWith(`${event.from} to ${this.name}:`), `${this.name} got "${text}"`);
        const times = (this.#arrived.get(text) ?? 0) + 1;
        this.#arrived.set(text, times);
        assert(times === 1, `"${text}" arrived again`);
        this.#options.ledger.arrived.add(text);
        return;
      }
      case "receipt": {
        const text = String(event.message);
        assert(this.#options.ledger.arrived.has(text), `a receipt, but "${text}" never arrived`);
        const sent = this.#sent.get(text);
        if (sent) sent.receipt = true;
      }
    }
  }
}

/** What was said between players, taken from the datagrams themselves. */
class Ledger {
  /** Texts that a program was given. */
  readonly arrived = new Set<string>();
  readonly #said = new Set<string>();

  said(bytes: Uint8Array): void {
    const letter = decode(bytes);
    assert(letter.kind === "letter", "somebody said something that is no message");
    const { message: { kind }, sender, recipient } = letter;
    if (kind === "inquiry" || kind === "inquiryResponse") {
      this.#said.add(`${kind} ${sender} > ${recipient}`);
    }
  }

  checkInquired(one: string, other: string): void {
    assert(this.#said.has(`inquiry ${one} > ${other}`), `${one} never inquired at ${other}`);
    assert(this.#said.has(`inquiryResponse ${other} > ${one}`), `${other} never answered ${one}`);
  }
}

function homeFrom(random: Random, index: number): Home {
  const kind: HomeKind = pick(random, ["none", "restricted", "restricted", "symmetric"]);
  const publicIp = `203.0.113.${index + 1}`;
  // Half of the world has this network at home.
  const prefix = kind === "none"
    ? `198.51.100`
    : pick(random, ["192.168.1", `192.168.${index + 10}`]);
  return { kind, publicIp, prefix };
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}
