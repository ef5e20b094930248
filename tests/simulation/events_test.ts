/**
 * The real event server with real clients on a simulated network, in both formats. Always true:
 *
 * - a client hears only what the server sent to it, and only after it was sent;
 * - a reliable event is delivered once at most while its client stays connected, and its sender is told once
 *   what became of it; what is said to have arrived was delivered;
 * - client numbers rise: no two clients of one server ever have the same.
 *
 * And when the network is quiet and loses nothing any more:
 *
 * - every reliable event was delivered to each client that was connected from then on;
 * - every client is connected, and both sides know it by the same number;
 * - when everybody has left, the server holds nothing and waits for nothing.
 *
 * The same seed gives the same datagrams at the same times.
 */
import { assert, assertEquals } from "@std/assert";
import {
  createEventClient,
  type EventClientEngine,
  type EventClientEvent,
} from "../../lib/protocols/events/client.ts";
import type { EventFormat } from "../../lib/protocols/events/format.ts";
import type { Client as Session } from "../../lib/protocols/events/hub.ts";
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { msgpackFormat } from "../../lib/protocols/events/packed.ts";
import {
  createEventServer,
  type EventServerEngine,
  type EventServerEvent,
} from "../../lib/protocols/events/server.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";
import { Host, maybe, Network, NO_FAULTS, type Troubles, troublesFor } from "./network.ts";

const FORMATS: Record<string, EventFormat> = {
  JSON: jsonFormat(),
  MessagePack: msgpackFormat({ say: 4, surely: 5, perhaps: 6 }),
};

for (const [label, format] of Object.entries(FORMATS)) {
  Deno.test(`createEventServer() and createEventClient() agree whatever the network does, in ${label}`, () => {
    forEachSeed(150, (seed) => void play(seed, format));
  });
}

Deno.test("createEventServer() and createEventClient() do the same again for the same seed", () => {
  forEachSeed(5, (seed) => {
    for (const format of Object.values(FORMATS)) {
      assertEquals(play(seed, format), play(seed, format));
    }
  });
});

const SERVER = "10.0.0.1:9999";
const CLIENTS = 8;
const PLAY_MS = 30_000;
const SILENCE_MS = 6_000;
const CLIENT_SILENCE_MS = 4_000;
const HEARTBEAT_MS = 1_000;
/** Longer than any datagram is on its way: the new one gets nothing that was sent to the old. */
const DOWN_MS_MIN = 400;
const DOWN_MS_MAX = 8_000;
/** Nothing is sent again later than this after it was first sent, if its client is heard. */
const GIVE_UP_MS = 17_500;

/** What goes wrong with this seed. */
interface Plan extends Troubles {
  serverRestarts: number;
  /** Share of the clients that ever say anything. */
  talking: number;
  sendMs: number;
  timerLateMs: number;
  /** Between two events of the server. */
  everyMs: number;
  /** Whether the server sends something to everybody who comes. */
  greets: boolean;
}

function planFor(random: Random): Plan {
  return {
    ...troublesFor(random),
    serverRestarts: random() < 0.6 ? 0 : 1,
    talking: random() < 0.3 ? 0 : random(),
    sendMs: maybe(random, 0.5),
    timerLateMs: maybe(random, 2),
    everyMs: 50 + random() * 400,
    greets: random() < 0.5,
  };
}

/** Plays one seed; returns a digest of what happened. */
function play(seed: number, format: EventFormat): number {
  const game = new Game(seededRandom(seed), format);
  game.play();
  game.becomeQuiet();
  game.everybodyLeaves();
  return game.network.trace;
}

/** A reliable event on its way to one client. */
interface Letter {
  readonly id: number;
  readonly session: Session;
  readonly sentAt: number;
  settled: boolean[];
}

class Game {
  readonly network: Network;
  readonly plan: Plan;
  readonly #random: Random;
  readonly #format: EventFormat;
  readonly #players: Player[] = [];
  readonly #letters: Letter[] = [];
  /** Sessions that the server has given up. */
  readonly #gone = new Set<Session>();
  #server!: EventServerEngine;
  #host!: Host<EventServerEvent>;
  #events = 0;
  #lastNumber = 0;

  constructor(random: Random, format: EventFormat) {
    this.#random = random;
    this.#format = format;
    this.plan = planFor(random);
    const { plan } = this;
    this.network = new Network({ random, faults: plan, timerLateMs: plan.timerLateMs });
    this.#startServer();
    for (let index = 0; index < CLIENTS; index++) this.#planPlayer(index);
    const speak = (): void => {
      this.#speak();
      const at = this.network.now + 2 * random() * plan.everyMs;
      if (at < PLAY_MS) this.network.at(at, speak);
    };
    this.network.at(0, speak);
  }

  play(): void {
    if (this.plan.serverRestarts > 0) {
      this.network.at(
        1_000 + this.#random() * (PLAY_MS - DOWN_MS_MAX - 2_000),
        () => this.#restartServer(),
      );
    }
    this.network.runUntil(PLAY_MS);
  }

  /** Nothing is lost any more, nobody says anything: all that has to arrive must have arrived. */
  becomeQuiet(): void {
    this.network.faults = NO_FAULTS;
    this.network.healAll();
    // Time to find the other side silent, on both sides in turn, and to give up what nobody acks.
    this.network.runUntil(PLAY_MS + GIVE_UP_MS + SILENCE_MS + CLIENT_SILENCE_MS + 2_000);
    const living = this.#players.filter((player) => player.isRunning);
    const right = living.map(({ address, engine }) => `${address} ${engine.number}`);
    const known = Array.from(
      this.#server.clients,
      ({ peer, number }) => `${peer.address} ${number}`,
    );
    assertEquals(known.toSorted(), right.toSorted(), "who is connected");
    this.#checkLetters();
  }

  everybodyLeaves(): void {
    for (const player of this.#players) player.stop();
    this.network.runUntil(this.network.now + SILENCE_MS + 100);
    assertEquals([this.#server.clients.size, this.#server.nextDeadline()], [0, Infinity]);
    for (const { address } of this.#players) {
      assert(!this.#server.remembers(this.#host.peerAt(address)), address);
    }
  }

  #planPlayer(index: number): void {
    const random = this.#random;
    const { plan, network } = this;
    const player = new Player(network, index, this.#format, plan.sendMs);
    this.#players.push(player);
    network.at(random() * PLAY_MS * 0.5, () => player.start());
    if (random() < plan.talking) this.#planWords(player);
    if (random() < plan.leaving) {
      network.at(random() * PLAY_MS, () => player.leave());
    } else if (random() < plan.restarting) {
      network.at(random() * PLAY_MS, () => {
        player.stop();
        const downMs = DOWN_MS_MIN + random() * (DOWN_MS_MAX - DOWN_MS_MIN);
        network.at(network.now + downMs, () => player.start());
      });
    }
    if (random() < plan.cutsPerClient) this.#planCut(player);
  }

  #planWords(player: Player): void {
    const everyMs = 50 + this.#random() * 1_500;
    const next = (): void => {
      player.say();
      const at = this.network.now + 2 * this.#random() * everyMs;
      if (at < PLAY_MS) this.network.at(at, next);
    };
    this.network.at(this.#random() * PLAY_MS * 0.5, next);
  }

  /** One way or both, for a moment or for longer than anybody waits. */
  #planCut({ address }: Player): void {
    const random = this.#random;
    const direction = Math.floor(random() * 3);
    this.network.at(random() * PLAY_MS * 0.8, () => {
      if (direction !== 0) this.network.cut(address, SERVER);
      if (direction !== 1) this.network.cut(SERVER, address);
      this.network.at(this.network.now + random() * 1.5 * SILENCE_MS, () => {
        this.network.heal(address, SERVER);
        this.network.heal(SERVER, address);
      });
    });
  }

  #startServer(): void {
    this.#lastNumber = 0;
    const { network } = this;
    this.#server = createEventServer({
      format: this.#format,
      silenceMs: SILENCE_MS,
      clientsMax: CLIENTS,
      random: this.#random,
    });
    this.#host = new Host({
      network,
      address: SERVER,
      engine: this.#server,
      sendMs: this.plan.sendMs / 10,
      onEvent: (event) => this.#onEvent(event),
    });
  }

  #restartServer(): void {
    this.#host.close();
    for (const session of this.#server.clients) this.#gone.add(session);
    const downMs = DOWN_MS_MIN + this.#random() * (DOWN_MS_MAX - DOWN_MS_MIN);
    this.network.at(this.network.now + downMs, () => this.#startServer());
  }

  #onEvent(event: EventServerEvent): void {
    switch (event.kind) {
      case "connected":
        this.#lastNumber = Math.max(this.#lastNumber, event.client.number);
        if (this.plan.greets) this.#sendSurely(event.client);
        return;
      case "disconnected":
        assert(event.reason === "silent", event.reason);
        this.#gone.add(event.client);
        return;
      case "event": {
        const player = this.#playerOf(event.client);
        assert(event.name === "say" && (event.payload as number) <= player.words, "was never said");
        return;
      }
      case "refused":
        // Acks to a server of before, and who finds the place of its own former self taken.
        assert(["stranger", "full"].includes(event.reason), event.reason);
    }
  }

  /** The server sends something to one or to all, surely or perhaps. */
  #speak(): void {
    const sessions = [...this.#server.clients];
    if (this.#random() < 0.5) {
      for (const session of sessions) this.#sendSurely(session);
      return;
    }
    const session = sessions[Math.floor(this.#random() * sessions.length)];
    if (session && this.#random() < 0.7) return this.#sendSurely(session);
    const id = ++this.#events;
    for (const { peer } of sessions) this.#playerAt(peer.address).sent.add(id);
    this.#host.act((now, out) => this.#server.sendAll("perhaps", id, now, out));
  }

  #sendSurely(session: Session): void {
    const id = ++this.#events;
    this.#playerOf(session).sent.add(id);
    const letter: Letter = { id, session, sentAt: this.network.now, settled: [] };
    this.#letters.push(letter);
    const settled = (arrived: boolean): void => void letter.settled.push(arrived);
    this.#host.act((now, out) => {
      this.#server.send(session, "surely", { id }, now, out, { reliable: true, settled });
    });
  }

  #playerOf(session: Session): Player {
    return this.#playerAt(session.peer.address);
  }

  #playerAt(address: string): Player {
    return this.#players.find((player) => player.address === address)!;
  }

  #checkLetters(): void {
    for (const { id, session, sentAt, settled } of this.#letters) {
      const player = this.#playerOf(session);
      const what = `event ${id}, sent at ${sentAt} to ${session.peer.address}`;
      const wasDelivered = player.delivered.has(id);
      assert(settled.length <= 1, `${what} was settled ${settled.length} times`);
      if (settled[0]) assert(wasDelivered, `${what} did not arrive`);
      if (this.#gone.has(session)) continue; // With a server that ended, nothing is settled.
      assertEquals(settled.length, 1, `${what} was never settled`);
      if (player.changedAt >= sentAt) continue;
      // Its acks may all have been lost: then it arrived, and was given up.
      assert(wasDelivered, `${what} did not arrive`);
    }
  }
}

/** One player: a client program that may end and be started again. */
class Player {
  readonly address: string;
  readonly #network: Network;
  readonly #format: EventFormat;
  readonly #sendMs: number;
  #host: Host<EventClientEvent> | undefined;
  #isGone = false;
  engine!: EventClientEngine;
  /** When it came, or was connected, or lost its server, last. */
  changedAt = -Infinity;
  /** Events that were sent to its address. */
  readonly sent = new Set<number>();
  /** Reliable events that this or an earlier program at its address heard. */
  readonly delivered = new Set<number>();
  /** What it said so far: 1, 2, 3, ... */
  words = 0;

  constructor(network: Network, index: number, format: EventFormat, sendMs: number) {
    this.address = `10.1.0.${index >> 1}:${5_000 + index}`; // Two share an IP address.
    this.#network = network;
    this.#format = format;
    this.#sendMs = sendMs;
  }

  get isRunning(): boolean {
    return this.#host !== undefined;
  }

  start(): void {
    if (this.#isGone || this.#host) return;
    this.changedAt = this.#network.now;
    this.engine = createEventClient({
      format: this.#format,
      heartbeatMs: HEARTBEAT_MS,
      silenceMs: CLIENT_SILENCE_MS,
    });
    const heard = new Set<number>();
    const host = new Host({
      network: this.#network,
      address: this.address,
      engine: this.engine,
      sendMs: this.#sendMs,
      onEvent: (event) => this.#onEvent(event, heard),
    });
    this.#host = host;
    host.act((now, out) => this.engine.connect([host.peerAt(SERVER)], now, out));
  }

  stop(): void {
    this.changedAt = this.#network.now;
    this.#host?.close();
    this.#host = undefined;
  }

  leave(): void {
    this.#isGone = true;
    this.stop();
  }

  say(): void {
    this.#host?.act((now, out) => this.engine.send("say", ++this.words, now, out));
  }

  /** `heard` are the reliable events since it was connected. */
  #onEvent(event: EventClientEvent, heard: Set<number>): void {
    switch (event.kind) {
      case "connected":
      case "disconnected":
        this.changedAt = this.#network.now;
        heard.clear();
        return;
      case "event": {
        const isReliable = event.name === "surely";
        const id = isReliable ? (event.payload as { id: number }).id : event.payload as number;
        assert(this.sent.has(id), `event ${id} was never sent to ${this.address}`);
        if (!isReliable) return;
        assert(!heard.has(id), `event ${id} was delivered twice to ${this.address}`);
        heard.add(id);
        this.delivered.add(id);
        return;
      }
      case "refused":
        throw new Error(`${this.address} refused something: ${event.reason}`);
    }
  }
}
