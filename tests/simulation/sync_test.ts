/**
 * The real sync server with fifty real clients on a simulated network. Always true:
 *
 * - a view never holds a value that its owner never sent: the owner is whoever the server gave the id
 *   to, and an id is given to one address only;
 * - nor does it go back from a value to one that the same owner sent earlier;
 * - snapshot numbers rise strictly for each client, also over a restart of the server;
 * - nothing grows without bound: players, queues, remembered addresses.
 *
 * And when the network is quiet and loses nothing any more:
 *
 * - every client is connected, and every view is the same: each living client's newest state under
 *   the id that this client was given, and nothing of the departed;
 * - when everybody has left, the server holds nothing and waits for nothing.
 *
 * The same seed gives the same datagrams at the same times.
 */
import { assert, assertEquals } from "@std/assert";
import { createSyncClient } from "../../lib/protocols/sync/client.ts";
import type { SyncClientEngine, SyncClientEvent } from "../../lib/protocols/sync/client.ts";
import {
  createSyncServer,
  type SyncEvent,
  type SyncServer,
} from "../../lib/protocols/sync/server.ts";
import {
  DATAGRAM_BYTES_MAX,
  decodeClientMessage,
  decodeServerMessage,
  parseStates,
} from "../../lib/protocols/sync/wire.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";
import { Host, maybe, Network, NO_FAULTS, type Troubles, troublesFor } from "./network.ts";

Deno.test("createSyncServer() and createSyncClient() agree whatever the network does", () => {
  forEachSeed(200, (seed) => void play(seed));
});

Deno.test("createSyncServer() and createSyncClient() do the same again for the same seed", () => {
  forEachSeed(10, (seed) => assertEquals(play(seed), play(seed)));
});

const SERVER = "10.0.0.1:55555";
const CLIENTS = 50;
/** The newest state of a few is looked at with every snapshot, of all at the end. */
const OBSERVERS = 4;
const PLAY_MS = 9_000;
const SILENCE_MS = 3_000;
const RETURN_MS = 2_500;
const CLIENT_SILENCE_MS = 4_000;
const CLIENTS_MAX = 128;
/** A server that is started again takes its numbers from the clock: far above the old ones. */
const NUMBERS_PER_SERVER = 1_000_000;
/** Longer than any datagram is on its way: the new server gets nothing that was sent to the old. */
const DOWN_MS_MIN = 400;
const DOWN_MS_MAX = 2_000;

/** What goes wrong with this seed. */
interface Plan extends Troubles {
  serverRestarts: number;
  /** Share of the clients that ever send a state; the others only keep themselves alive. */
  talking: number;
  serverSendMs: number;
  timerLateMs: number;
  rateHz: number;
  eagerPacketsPerSecond: number;
}

function planFor(random: Random): Plan {
  return {
    ...troublesFor(random),
    serverRestarts: random() < 0.7 ? 0 : 1,
    talking: random() < 0.15 ? 0 : 0.9,
    serverSendMs: maybe(random, 0.5),
    timerLateMs: maybe(random, 2),
    rateHz: 5 + Math.floor(random() * 6),
    eagerPacketsPerSecond: random() < 0.8 ? 0 : 600,
  };
}

/** Plays one seed; returns a digest of what happened. */
function play(seed: number): number {
  const game = new Game(seededRandom(seed));
  game.play();
  game.becomeQuiet();
  game.everybodyLeaves();
  return game.network.trace;
}

class Game {
  readonly network: Network;
  readonly plan: Plan;
  readonly #random: Random;
  readonly #clients: Client[] = [];
  readonly #ledger = new Ledger();
  #server!: SyncServer;
  #serverHost!: Host<SyncEvent>;
  #serversStarted = 0;

  constructor(random: Random) {
    this.#random = random;
    this.plan = planFor(random);
    this.network = new Network({
      random,
      faults: this.plan,
      timerLateMs: this.plan.timerLateMs,
      onTransmit: (bytes, from, to) => {
        if (from === SERVER) this.#ledger.serverSaid(bytes, to, this.#serversStarted);
        else this.#ledger.clientSaid(bytes, from);
      },
    });
    this.#startServer();
    for (let index = 0; index < CLIENTS; index++) this.#planClient(index);
    for (let at = 250; at < PLAY_MS; at += 250) this.network.at(at, () => this.#checkLimits());
  }

  play(): void {
    if (this.plan.serverRestarts > 0) {
      this.network.at(
        1_000 + this.#random() * (PLAY_MS - 2 * DOWN_MS_MAX),
        () => this.#restartServer(),
      );
    }
    this.network.runUntil(PLAY_MS);
  }

  /** Nothing is lost any more, nobody changes anything: all views must become the right one. */
  becomeQuiet(): void {
    this.network.faults = NO_FAULTS;
    this.network.healAll();
    for (const client of this.#clients) client.isQuiet = true;
    // Time to find the other side silent, on both sides in turn, and to ask for an id again.
    this.network.runUntil(PLAY_MS + SILENCE_MS + 2 * CLIENT_SILENCE_MS);
    const living = this.#clients.filter((client) => client.isRunning);
    const right = new Map(
      living.map(({ engine, state }) => [String(engine.id), state] as const)
        .sort(([one], [other]) => Number(one) - Number(other)),
    );
    assertEquals(right.size, living.length, "two clients have the same id");
    for (const client of living) {
      assert(client.engine.connected, `${client.address} is not connected`);
      assertEquals(viewOf(client), right, `the view of ${client.address}`);
    }
    const { players, unverified } = this.#server.census();
    assertEquals({ players, unverified }, { players: living.length, unverified: 0 });
    this.#checkLimits();
  }

  everybodyLeaves(): void {
    for (const client of this.#clients) client.leave();
    this.network.runUntil(this.network.now + SILENCE_MS + RETURN_MS + 100);
    const nobody = { players: 0, unverified: 0, departed: 0, snapshotBytes: 10 };
    assertEquals(this.#server.census(), nobody);
    assertEquals(this.#server.nextDeadline(), Infinity);
  }

  #planClient(index: number): void {
    const random = this.#random;
    const { plan, network } = this;
    const client = new Client({
      network,
      index,
      sendMs: random() < 0.5 ? 0 : random() * 0.2,
      onSnapshot: index < OBSERVERS ? this.#observer() : null,
    });
    this.#clients.push(client);
    network.at(random() * PLAY_MS * 0.6, () => client.start());
    const talks = random() < plan.talking;
    if (talks) this.#planStates(client);
    if (random() < plan.leaving) {
      network.at(random() * PLAY_MS, () => client.leave());
    } else if (random() < plan.restarting) {
      network.at(random() * (PLAY_MS - DOWN_MS_MAX), () => {
        client.stop();
        network.at(network.now + random() * DOWN_MS_MAX, () => {
          client.start();
          if (talks) client.setState();
        });
      });
    }
    if (random() < plan.cutsPerClient) this.#planCut(client);
  }

  #planStates(client: Client): void {
    const everyMs = 100 + this.#random() * 1_500;
    const next = (): void => {
      client.setState();
      const at = this.network.now + 2 * this.#random() * everyMs;
      if (at < PLAY_MS) this.network.at(at, next);
    };
    this.network.at(this.#random() * PLAY_MS * 0.7, next);
  }

  /** One way or both, for a moment or for longer than the server waits. */
  #planCut(client: Client): void {
    const random = this.#random;
    const direction = Math.floor(random() * 3);
    this.network.at(random() * PLAY_MS * 0.8, () => {
      const { address } = client;
      if (direction !== 0) this.network.cut(address, SERVER);
      if (direction !== 1) this.network.cut(SERVER, address);
      this.network.at(this.network.now + random() * 3 * SILENCE_MS, () => {
        this.network.heal(address, SERVER);
        this.network.heal(SERVER, address);
      });
    });
  }

  #startServer(): void {
    this.#server = createSyncServer({
      firstSnapshotNumber: ++this.#serversStarted * NUMBERS_PER_SERVER,
      rateHz: this.plan.rateHz,
      eagerPacketsPerSecond: this.plan.eagerPacketsPerSecond,
      silenceMs: SILENCE_MS,
      returnMs: RETURN_MS,
      clientsMax: CLIENTS_MAX,
    });
    this.#serverHost = new Host({
      network: this.network,
      address: SERVER,
      engine: this.#server,
      sendMs: this.plan.serverSendMs,
    });
  }

  #restartServer(): void {
    this.#serverHost.close();
    const downMs = DOWN_MS_MIN + this.#random() * (DOWN_MS_MAX - DOWN_MS_MIN);
    this.network.at(this.network.now + downMs, () => this.#startServer());
  }

  /** Checks each view of one client; remembers how new the values in it were. */
  #observer(): (view: Map<string, string>, number: bigint) => void {
    const newest = new Map<string, number>();
    return (view, number) => {
      const server = Number(number / BigInt(NUMBERS_PER_SERVER));
      for (const [id, state] of view) {
        const key = `${server}/${id}`;
        const order = this.#ledger.orderOf(key, state);
        assert(order >= (newest.get(key) ?? 0), `${state} of id ${id} was followed by newer ones`);
        newest.set(key, order);
      }
    };
  }

  #checkLimits(): void {
    const { players, unverified, departed, snapshotBytes } = this.#server.census();
    assert(players <= CLIENTS_MAX && unverified <= 4 * CLIENTS_MAX && departed <= CLIENTS_MAX);
    // A client that gets no answer moves to another port: a few addresses for each.
    assert(players + unverified + departed <= 3 * CLIENTS, "more addresses than clients explain");
    assert(snapshotBytes <= DATAGRAM_BYTES_MAX);
    assert(this.#serverHost.waiting <= 3 * CLIENTS, `${this.#serverHost.waiting} datagrams wait`);
    assert(this.network.peaks.peers <= 4 * CLIENTS, `${this.network.peaks.peers} peers`);
    assert(this.network.peaks.broadcasts <= CLIENTS_MAX, "one broadcast for each peer at most");
  }
}

interface ClientOptions {
  network: Network;
  index: number;
  sendMs: number;
  /** Sees every snapshot; null for none. */
  onSnapshot: ((view: Map<string, string>, number: bigint) => void) | null;
}

/** One player: a client program that may end and be started again. */
class Client {
  readonly #options: ClientOptions;
  readonly #ip: string;
  #port = 1_024;
  #life = 0;
  #states = 0;
  #host: Host<SyncClientEvent> | undefined;
  #gone = false;
  #number = -1n;
  /** Newest snapshot, kept when it matters. */
  json: Uint8Array | undefined;
  isQuiet = false;
  engine: SyncClientEngine = createSyncClient();
  /** The state that everybody else should see. */
  state = "";

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#ip = `10.1.0.${options.index >> 1}`; // Two share an IP address.
    this.#port += options.index & 1 ? 10_000 : 0;
  }

  get address(): string {
    return `${this.#ip}:${this.#port}`;
  }

  get isRunning(): boolean {
    return this.#host !== undefined;
  }

  start(): void {
    if (this.#gone || this.#host) return;
    this.#life++;
    this.#number = -1n;
    this.engine = createSyncClient({ silenceMs: CLIENT_SILENCE_MS });
    this.#open();
  }

  stop(): void {
    this.#host?.close();
    this.#host = undefined;
  }

  leave(): void {
    this.#gone = true;
    this.stop();
  }

  setState(): void {
    if (!this.#host || this.isQuiet) return;
    // Quotes and letters beyond ASCII: what a snapshot must escape.
    this.state = `"é" ${this.#options.index}/${this.#life}/${++this.#states}`;
    const bytes = new TextEncoder().encode(this.state);
    this.#host.act((now, out) => this.engine.setState(bytes, now, out));
  }

  #open(): void {
    const { network, sendMs } = this.#options;
    this.#host = new Host<SyncClientEvent>({
      network,
      address: this.address,
      engine: this.engine,
      onEvent: (event) => this.#onEvent(event),
      sendMs,
    });
    const server = this.#host.peerAt(SERVER);
    this.#host.act((now) => this.engine.connect([server], now));
  }

  #onEvent(event: SyncClientEvent): void {
    switch (event.kind) {
      case "snapshot":
        assert(event.number > this.#number, `${event.number} came after ${this.#number}`);
        this.#number = event.number;
        if (this.isQuiet) this.json = event.json.slice();
        this.#options.onSnapshot?.(statesOf(event.json), event.number);
        return;
      case "unanswered":
        // As the original server wants it: from another port, and the old one is left.
        this.#options.network.at(this.#options.network.now, () => {
          if (!this.#host) return;
          this.#host.close();
          this.#port++;
          this.#open();
        });
    }
  }
}

/** What was said, taken from the datagrams themselves: who has which id, who sent which state. */
class Ledger {
  /** Address by server and id. */
  readonly #owners = new Map<string, string>();
  /** The states that left each address, numbered in the order in which they first did. */
  readonly #sent = new Map<string, Map<string, number>>();

  clientSaid(bytes: Uint8Array, from: string): void {
    const message = decodeClientMessage(bytes);
    if (message.kind !== "state") return;
    let states = this.#sent.get(from);
    if (!states) this.#sent.set(from, states = new Map());
    const state = new TextDecoder().decode(message.state);
    if (!states.has(state)) states.set(state, states.size);
  }

  serverSaid(bytes: Uint8Array, to: string, server: number): void {
    const message = decodeServerMessage(bytes);
    assert(message.kind !== "refused", "the server said something that is no message");
    if (message.kind !== "idReply") return;
    const key = `${server}/${message.id}`;
    const owner = this.#owners.get(key);
    assert(owner === undefined || owner === to, `${owner} and ${to} both have id ${message.id}`);
    this.#owners.set(key, to);
  }

  /** The place of a state among those of its owner; throws when it is none of them. `key` is `server/id`. */
  orderOf(key: string, state: string): number {
    const owner = this.#owners.get(key);
    assert(owner !== undefined, `nobody was given id ${key}`);
    const order = this.#sent.get(owner)?.get(state);
    assert(order !== undefined, `${owner} with id ${key} never sent ${state}`);
    return order;
  }
}

function viewOf(client: Client): Map<string, string> {
  assert(client.json, `${client.address} got no snapshot`);
  const states = [...statesOf(client.json)];
  return new Map(states.sort(([one], [other]) => Number(one) - Number(other)));
}

function statesOf(json: Uint8Array): Map<string, string> {
  const states = parseStates(json);
  assert(states, `a snapshot that is none: ${new TextDecoder().decode(json)}`);
  return states;
}
