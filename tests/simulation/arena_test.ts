/**
 * The real arena server with a dozen real clients on a simulated network. Always true:
 *
 * - a client sees only numbers that its server has given;
 * - what asks for an ack is sent ten times at most, and acked at most as often as it arrives;
 * - nothing grows without bound: players, queues, remembered addresses, what is not delivered.
 *
 * And when the network is quiet and nobody moves any more:
 *
 * - every living client is a player, and the server knows no others: no ghosts;
 * - every client sees every player where the server has it, itself too, and nobody else;
 * - nothing is in the air, and nothing waits to be acked;
 * - when everybody has left, the server holds nothing and waits for nothing.
 *
 * The same seed gives the same datagrams at the same times.
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
import {
  decodeClientMessage,
  decodeServerMessage,
  type PlayerState,
  SENT_BYTES_MAX,
} from "../../lib/protocols/arena/wire.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";
import { Host, maybe, Network, NO_FAULTS, type Troubles, troublesFor } from "./network.ts";

Deno.test("createArenaServer() and createArenaClient() agree whatever the network does", () => {
  forEachSeed(120, (seed) => void play(seed));
});

Deno.test("createArenaServer() and createArenaClient() do the same again for the same seed", () => {
  forEachSeed(5, (seed) => assertEquals(play(seed), play(seed)));
});

const SERVER = "10.0.0.1:9999";
const CLIENTS = 12;
const PLAY_MS = 9_000;
const SILENCE_MS = 4_000;
/** Of those that were welcomed and did not answer. */
const UNPROVED_MS = 10_000;
const SENDS_MAX = 10;
/** Longer than any datagram is on its way: the new one gets nothing that was sent to the old. */
const DOWN_MS_MIN = 400;
const DOWN_MS_MAX = 2_000;

/** What goes wrong with this seed. */
interface Plan extends Troubles {
  serverRestarts: number;
  /** Share of the actions that are shots. */
  firing: number;
  serverSendMs: number;
  timerLateMs: number;
  tickRateHz: number;
}

function planFor(random: Random): Plan {
  return {
    ...troublesFor(random),
    serverRestarts: random() < 0.6 ? 0 : 1,
    firing: maybe(random, 0.7),
    serverSendMs: maybe(random, 0.5),
    timerLateMs: maybe(random, 2),
    tickRateHz: [5, 10, 20][Math.floor(random() * 3)]!,
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
  /** How often each reliable message was sent, by server, address and number. */
  readonly #sends = new Map<string, number>();
  #reliableSends = 0;
  #acks = 0;
  #server!: ArenaServer;
  #serverHost!: Host<ArenaEvent>;
  #serversStarted = 0;

  constructor(random: Random) {
    this.#random = random;
    this.plan = planFor(random);
    this.network = new Network({
      random,
      faults: this.plan,
      timerLateMs: this.plan.timerLateMs,
      onTransmit: (bytes, from, to) => {
        if (from === SERVER) this.#serverSaid(bytes, to);
        else this.#clientSaid(bytes);
      },
    });
    this.#startServer();
    for (let index = 0; index < CLIENTS; index++) this.#planClient(index);
    for (let at = 250; at < PLAY_MS; at += 250) this.network.at(at, () => this.#checkLimits());
  }

  play(): void {
    if (this.plan.serverRestarts > 0) {
      this.network.at(1_000 + this.#random() * (PLAY_MS - 3_000), () => this.#restartServer());
    }
    this.network.runUntil(PLAY_MS);
  }

  /** Nothing is lost any more, nobody moves: all must see the same world, the server's. */
  becomeQuiet(): void {
    this.network.runUntil(PLAY_MS + DOWN_MS_MAX); // A server that is down comes back.
    this.network.faults = NO_FAULTS;
    this.network.healAll();
    this.network.runUntil(this.network.now + 2_000); // Whom the server forgot is welcomed again.
    for (const client of this.#clients) client.act({ kind: "input", dx: 0, dy: 0 });
    this.network.runUntil(this.network.now + UNPROVED_MS + SILENCE_MS);
    const right = new Map(this.#server.players().map((player) => [player.number, player]));
    const living = this.#clients.filter((client) => client.isRunning);
    assertEquals(sorted(living.map(({ engine }) => engine.number!)), sorted([...right.keys()]));
    for (const { address, engine } of living) {
      assertEquals(inOrder(engine.players), inOrder(right), `what ${address} sees`);
      assertEquals(engine.bullets, [], `what ${address} sees in the air`);
      assertEquals(engine.world, { width: 20, height: 10 });
    }
    const { unproved, undelivered, bullets } = this.#server.census();
    assertEquals({ unproved, undelivered, bullets }, { unproved: 0, undelivered: 0, bullets: 0 });
    this.#checkLimits();
  }

  everybodyLeaves(): void {
    for (const client of this.#clients) client.leave();
    this.network.runUntil(this.network.now + SILENCE_MS + 3_000);
    const { players, unproved, undelivered } = this.#server.census();
    assertEquals([players, unproved, undelivered], [0, 0, 0]);
    assertEquals(this.#server.nextDeadline(), Infinity);
  }

  #planClient(index: number): void {
    const random = this.#random;
    const { plan, network } = this;
    const client = new Client(network, index);
    this.#clients.push(client);
    network.at(random() * PLAY_MS * 0.6, () => client.start());
    if (random() < 0.8) this.#planActions(client);
    if (random() < plan.leaving) {
      network.at(random() * PLAY_MS, () => client.leave());
    } else if (random() < plan.restarting) {
      network.at(random() * (PLAY_MS - DOWN_MS_MAX), () => {
        client.stop();
        const downMs = DOWN_MS_MIN + random() * (DOWN_MS_MAX - DOWN_MS_MIN);
        network.at(network.now + downMs, () => client.start());
      });
    }
    if (random() < plan.cutsPerClient) this.#planCut(client);
  }

  #planActions(client: Client): void {
    const random = this.#random;
    const everyMs = 100 + random() * 1_000;
    const next = (): void => {
      const axis = (): number => Math.floor(random() * 3) - 1;
      if (random() < this.plan.firing) client.act({ kind: "fire" });
      else client.act({ kind: "input", dx: axis(), dy: axis() });
      const at = this.network.now + 2 * random() * everyMs;
      if (at < PLAY_MS) this.network.at(at, next);
    };
    this.network.at(random() * PLAY_MS * 0.7, next);
  }

  /** One way or both, for a moment or for longer than the server waits. */
  #planCut(client: Client): void {
    const random = this.#random;
    const direction = Math.floor(random() * 3);
    this.network.at(random() * PLAY_MS * 0.8, () => {
      const { address } = client;
      if (direction !== 0) this.network.cut(address, SERVER);
      if (direction !== 1) this.network.cut(SERVER, address);
      this.network.at(this.network.now + random() * 1.5 * SILENCE_MS, () => {
        this.network.heal(address, SERVER);
        this.network.heal(SERVER, address);
      });
    });
  }

  #startServer(): void {
    this.#serversStarted++;
    this.#server = createArenaServer({
      random: this.#random,
      silenceMs: SILENCE_MS,
      tickRateHz: this.plan.tickRateHz,
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

  #serverSaid(bytes: Uint8Array, to: string): void {
    assert(bytes.length <= SENT_BYTES_MAX, `a datagram of ${bytes.length} bytes`);
    const message = decodeServerMessage(bytes);
    assert(message.kind !== "refused", "the server said something that is no message");
    if (!message.needsAck) return;
    const key = `${this.#serversStarted}/${to}/${message.sequence}/${message.kind}`;
    const sends = (this.#sends.get(key) ?? 0) + 1;
    assert(sends <= SENDS_MAX, `${message.kind} ${message.sequence} to ${to}: ${sends} times`);
    this.#sends.set(key, sends);
    this.#reliableSends++;
  }

  #clientSaid(bytes: Uint8Array): void {
    const message = decodeClientMessage(bytes);
    assert(message.kind !== "refused", "a client said something that is no message");
    if (message.kind !== "ack") return;
    assertEquals(message.sequences.length, 1);
    this.#acks++;
    assert(this.#acks <= 2 * this.#reliableSends, `${this.#acks} acks of ${this.#reliableSends}`);
  }

  #checkLimits(): void {
    const { players, unproved, undelivered } = this.#server.census();
    assert(players + unproved <= CLIENTS, `${players} players and ${unproved} unproved`);
    assert(undelivered <= CLIENTS * 3 * CLIENTS, `${undelivered} undelivered`);
    assert(this.#serverHost.waiting <= 20 * CLIENTS, `${this.#serverHost.waiting} datagrams wait`);
    assert(this.network.peaks.peers <= 2 * CLIENTS, `${this.network.peaks.peers} peers`);
    for (const { engine } of this.#clients) {
      // Numbers rise from 1: with every life of a client, and when it was silent for too long.
      for (const number of engine.players.keys()) {
        assert(number >= 1 && number <= 6 * CLIENTS, `a player with number ${number}`);
      }
    }
  }
}

/** One player: a client program that may end and be started again, always at its address. */
class Client {
  readonly address: string;
  readonly #network: Network;
  #host: Host<ArenaClientEvent> | undefined;
  #gone = false;
  engine: ArenaClientEngine = createArenaClient();

  constructor(network: Network, index: number) {
    this.#network = network;
    this.address = `10.1.0.${index >> 1}:${5_000 + index}`; // Two share an IP address.
  }

  get isRunning(): boolean {
    return this.#host !== undefined;
  }

  start(): void {
    if (this.#gone || this.#host) return;
    this.engine = createArenaClient({ heartbeatMs: 700 });
    this.#host = new Host<ArenaClientEvent>({
      network: this.#network,
      address: this.address,
      engine: this.engine,
      onEvent: (event) => {
        if (event.kind === "left") assert(!this.engine.players.has(event.number));
      },
      sendMs: 0,
    });
    const server = this.#host.peerAt(SERVER);
    this.#host.act((now, out) => this.engine.connect([server], now, out));
  }

  act(action: Parameters<ArenaClientEngine["act"]>[0]): void {
    this.#host?.act((now, out) => this.engine.act(action, now, out));
  }

  stop(): void {
    this.#host?.close();
    this.#host = undefined;
  }

  leave(): void {
    this.#gone = true;
    this.stop();
  }
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((one, other) => one - other);
}

function inOrder(players: ReadonlyMap<number, PlayerState>): PlayerState[] {
  return [...players.values()].sort((one, other) => one.number - other.number);
}
