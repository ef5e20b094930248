/**
 * The arena's server: a simulation in fixed steps, told to everybody as often as sending allows.
 *
 * Whoever joins is welcomed; whoever then acks or moves is in the game: told how large the world is and
 * who is there, and told to the others. Steps are counted from the first datagram on, and an input counts
 * from the step after its arrival: the same inputs make the same world, however late the steps are done.
 */
import type { Histogram } from "../../parts/histogram.ts";
import { Steps } from "../../parts/steps.ts";
import type { Engine, Member, Membership, Outbox, Peer, Resumable, Saved } from "../engine.ts";
import { checkUnused, type PeerAt } from "../saved.ts";
import { SEQUENCE_MAX } from "../events/delivery.ts";
import { type Client, type Departure, Hub, type HubOwner, type HubRefusal } from "../events/hub.ts";
import { type Lagging, Rounds, thousandths } from "./rounds.ts";
import { readArena, type SavedPlayer, writeArena } from "./saved.ts";
import {
  type Action,
  decodeClientMessage,
  encodeLeft,
  encodeWelcome,
  encodeWorldInfo,
  type PlayerState,
  type WireRefusal,
} from "./wire.ts";
import { type Body, World, WORLD_HEIGHT, WORLD_WIDTH } from "./world.ts";

/** Why a datagram had no effect: see {@link WireRefusal} and {@link HubRefusal}. */
export type ArenaRefusal = WireRefusal | HubRefusal;

/** What the server tells its host. */
export type ArenaEvent =
  /** A player is in the game. */
  | { kind: "joined"; peer: Peer; number: number }
  /** A player that an earlier server knew is heard for the first time. */
  | { kind: "continued"; peer: Peer; number: number }
  /** A player is gone. */
  | { kind: "left"; peer: Peer; number: number; reason: Departure }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: ArenaRefusal }
  | Lagging
  /** The server stood still for so long that the world did too. At most every 10 s. */
  | { kind: "stalled"; lostMs: number };

/** Options of {@link createArenaServer}. */
export interface ArenaServerOptions {
  /** Steps a second, 1 to 1000. Default 60. */
  tickRateHz?: number;
  /** A player not heard for so long has left. Unity clients are silent for 30 s. Default 35,000. */
  silenceMs?: number;
  /** Players at most. Default 512. */
  playersMax?: number;
  /** Players of one IPv4 address or IPv6 /64 network. Default 64. */
  playersPerNetworkMax?: number;
  /** From 0 inclusive to 1 exclusive: for colors and where players appear. */
  random: () => number;
}

/** What a server did since it was made, and who is there. */
export interface ArenaCensus {
  /** Players in the game. */
  players: number;
  /** Addresses that were welcomed and did not answer yet. */
  unproved: number;
  /** Bullets in the air. */
  bullets: number;
  /** Steps of the world. */
  steps: number;
  /** Rounds in which players were told what moved. */
  rounds: number;
  /** Messages that were sent again. */
  resends: number;
  /** Messages that were not acked yet. */
  undelivered: number;
}

/**
 * The server's engine. Its members are the players; who is welcomed and did not answer yet is none.
 *
 * A server that goes on from another one has all its players where they were, on their way; what was in the
 * air is gone. What they had not acked is told anew, once they are heard. Where the new one has fewer
 * places, the first players stay. Who came after it was saved is new, and its number may be given again: it is
 * told its new one.
 */
export interface ArenaServer
  extends Engine<ArenaEvent>, Membership<Outbox<ArenaEvent>>, Resumable<Outbox<ArenaEvent>> {
  /** Figures of this moment. */
  census(): ArenaCensus;
  /** Everybody in the game, in the order of their coming. */
  players(): PlayerState[];
  /** How late each step was, in ms. Whoever reads it may clear it. */
  readonly lateness: Histogram;
}

/**
 * So many messages may have left after the last time the server was saved: their sequence numbers are not
 * used again, or clients would take new messages for old ones. Less than half of all, beyond which newer
 * ones look older.
 */
const UNSAVED_MESSAGES_MAX = 2_000;
/** A client that asks to join again is welcomed again at most this often. */
const WELCOME_AGAIN_MS = 1_000;
/** Who is gone is told once more after this: a list that was on its way may have overtaken the first. */
const LEFT_AGAIN_MS = 1_000;
/** When many left together: so many datagrams about it at once, and the next ones after a pause. */
const LEFT_AGAIN_DATAGRAMS_MAX = 1_000;
const LEFT_AGAIN_PAUSE_MS = 50;

/** A server for the arena of udp-socket-server. */
export function createArenaServer(options: ArenaServerOptions): ArenaServer {
  return new Server(options);
}

interface Player {
  readonly body: Body;
  welcomedAt: number;
  /** The last welcome is not acked yet. */
  isWelcomeDue: boolean;
  /** Nor is how large the world is. */
  isWorldDue: boolean;
  /** Nor that these have left. */
  readonly leftDue: Set<number>;
}

function newPlayer(body: Body): Player {
  return {
    body,
    welcomedAt: -Infinity,
    isWelcomeDue: false,
    isWorldDue: false,
    leftDue: new Set(),
  };
}

class Server implements ArenaServer, HubOwner<Action, ArenaEvent> {
  readonly #world: World;
  readonly #hub: Hub<Action, ArenaEvent>;
  readonly #rounds: Rounds;
  readonly #clock: Steps;
  readonly #players = new Map<Client, Player>();
  /** Who left, to be told once more; the first to leave first. */
  readonly #departed: { number: number; againAt: number }[] = [];
  #tellsAgainAt = -Infinity;
  /** Steps that were done. */
  #steps = 0;

  constructor(options: ArenaServerOptions) {
    const { tickRateHz = 60, silenceMs = 35_000, playersMax = 512 } = options;
    const tickMs = 1_000 / tickRateHz;
    this.#clock = new Steps(tickMs);
    this.#world = new World(tickMs / 1_000, options.random);
    this.#hub = new Hub(this, {
      silenceMs,
      clientsMax: playersMax,
      clientsPerNetworkMax: options.playersPerNetworkMax ?? 64,
      // Who plays knows what everybody is sent, and must not know what somebody else has to ack.
      firstSequence: () => Math.floor(options.random() * (SEQUENCE_MAX + 1)),
    });
    const bodyOf = (client: Client): Body => this.#players.get(client)!.body;
    this.#rounds = new Rounds(this.#hub, this.#world, bodyOf, tickRateHz);
  }

  get lateness(): Histogram {
    return this.#clock.lateness;
  }

  census(): ArenaCensus {
    return {
      players: this.#hub.clients.size,
      unproved: this.#hub.unproved,
      bullets: this.#world.bullets.length,
      steps: this.#steps,
      rounds: this.#rounds.count,
      resends: this.#hub.resends,
      undelivered: this.#hub.undelivered,
    };
  }

  players(): PlayerState[] {
    return Array.from(this.#hub.clients, (client) => stateOf(this.#players.get(client)!.body));
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<ArenaEvent>): void {
    // What was due before comes first, however late: an input counts from when it arrived.
    this.#runSteps(now, out);
    const refusal = this.#receive(datagram, from, now, out);
    if (refusal) out.emit({ kind: "refused", peer: from, reason: refusal });
    this.#rounds.sendDue(now, out);
  }

  advance(now: number, out: Outbox<ArenaEvent>): void {
    this.#runSteps(now, out);
    this.#hub.advance(now, out);
    this.#tellDepartedAgain(now, out);
    this.#rounds.sendDue(now, out);
  }

  nextDeadline(): number {
    return Math.min(
      this.#nextStepAt(),
      this.#hub.nextDeadline(),
      this.#rounds.nextSendAt(),
      this.#nextTellingAt(),
    );
  }

  remembers(peer: Peer): boolean {
    return this.#hub.remembers(peer);
  }

  members(): Member[] {
    return this.#hub.members();
  }

  expel(peer: Peer, now: number, out: Outbox<ArenaEvent>): void {
    // What was due before comes first: its bullets and it go as far as they have come.
    this.#runSteps(now, out);
    this.#hub.expel(peer, now, out);
    this.#rounds.sendDue(now, out);
  }

  save(_now: number): Saved {
    const players = this.#hub.all().map(({ client, isBelieved }): SavedPlayer => {
      const { body, isWelcomeDue, isWorldDue, leftDue } = this.#players.get(client)!;
      const { peer, isPresent } = client;
      return { address: peer, isPresent, isBelieved, body, isWelcomeDue, isWorldDue, leftDue };
    });
    const { nextNumber, sequence } = this.#hub;
    return writeArena({ nextNumber, sequence, players });
  }

  resume(saved: Saved, now: number, peerAt: PeerAt, out: Outbox<ArenaEvent>): void {
    checkUnused(this.#hub.nextNumber === 1);
    const { nextNumber, sequence, players } = readArena(saved);
    this.#hub.resumeAt(nextNumber, (sequence + UNSAVED_MESSAGES_MAX) % (SEQUENCE_MAX + 1));
    const forgotten: number[] = [];
    for (const player of players) {
      const { address: { ip, port }, isPresent, body } = player;
      const isIn = this.#resume(peerAt(ip, port), player, now, out);
      // For whom there is no place any more has left.
      if (!isIn && isPresent) forgotten.push(body.number);
    }
    for (const number of forgotten) {
      for (const client of this.#hub.clients) this.#tellLeft(client, number, now, out);
    }
  }

  // ---- who is there

  #receive(
    datagram: Uint8Array,
    from: Peer,
    now: number,
    out: Outbox<ArenaEvent>,
  ): ArenaRefusal | undefined {
    const overspent = this.#hub.overspentBy(from, datagram.length, now);
    if (overspent) return overspent;
    const message = decodeClientMessage(datagram);
    return message.kind === "refused" ? message.reason : this.#hub.receive(message, from, now, out);
  }

  /** What it is told waits until it is heard. */
  #resume(peer: Peer, saved: SavedPlayer, now: number, out: Outbox<ArenaEvent>): boolean {
    const { isPresent, isBelieved, body } = saved;
    const { number } = body;
    const client = this.#hub.resume(peer, { number, isPresent, isBelieved }, now);
    if (!client) return false;
    this.#world.restore(body);
    this.#players.set(client, newPlayer(body));
    if (saved.isWelcomeDue || !isPresent) this.#welcome(client, now, out);
    if (saved.isWorldDue) this.#tellWorld(client, now, out);
    for (const left of saved.leftDue) this.#tellLeft(client, left, now, out);
    return true;
  }

  onHeardAgain(client: Client, now: number, out: Outbox<ArenaEvent>): void {
    if (!client.isPresent) return;
    out.emit({ kind: "continued", peer: client.peer, number: client.number });
    this.#rounds.introduceAgain(client, now, out);
  }

  onAdmitted(client: Client, now: number, out: Outbox<ArenaEvent>): void {
    this.#players.set(client, newPlayer(this.#world.add(client.number)));
    this.#welcome(client, now, out);
  }

  /** It started anew on the address of an old one: the same player begins again. */
  onJoinedAgain(client: Client, now: number, out: Outbox<ArenaEvent>): void {
    const player = this.#players.get(client)!;
    if (now - player.welcomedAt < WELCOME_AGAIN_MS) return;
    this.#welcome(client, now, out);
    if (client.isPresent) this.#introduce(client, now, out);
  }

  onPresent(client: Client, now: number, out: Outbox<ArenaEvent>): void {
    out.emit({ kind: "joined", peer: client.peer, number: client.number });
    this.#rounds.onAdded(this.#players.get(client)!.body);
    this.#introduce(client, now, out);
  }

  onMessage(client: Client, action: Action, now: number, out: Outbox<ArenaEvent>): void {
    const { body } = this.#players.get(client)!;
    switch (action.kind) {
      case "input":
        this.#hub.present(client, now, out);
        if (client.isPresent) this.#world.steer(body, action.dx, action.dy);
        return;
      case "fire":
        if (client.isPresent) this.#world.fire(body);
        return;
      default:
        action satisfies never;
    }
  }

  onGone(client: Client, reason: Departure, now: number, out: Outbox<ArenaEvent>): void {
    const { peer, number } = client;
    const { body } = this.#players.get(client)!;
    this.#players.delete(client);
    this.#world.remove(body);
    if (!client.isPresent) return;
    this.#rounds.onRemoved(body);
    out.emit({ kind: "left", peer, number, reason });
    this.#departed.push({ number, againAt: now + LEFT_AGAIN_MS });
    for (const other of this.#hub.clients) this.#tellLeft(other, number, now, out);
  }

  #tellLeft(client: Client, number: number, now: number, out: Outbox<ArenaEvent>): void {
    const { leftDue } = this.#players.get(client)!;
    leftDue.add(number);
    this.#hub.sendReliable(
      client,
      {
        write: (sequence) => encodeLeft(sequence, true, number),
        settled: () => leftDue.delete(number),
      },
      now,
      out,
    );
  }

  /** Unless a welcome is on its way. */
  #welcome(client: Client, now: number, out: Outbox<ArenaEvent>): void {
    const player = this.#players.get(client)!;
    player.welcomedAt = now;
    if (player.isWelcomeDue) return;
    player.isWelcomeDue = true;
    this.#hub.sendReliable(
      client,
      {
        write: (sequence) => encodeWelcome(sequence, stateOf(player.body)),
        settled: () => player.isWelcomeDue = false,
      },
      now,
      out,
    );
  }

  /** Tells a player how large the world is, unless that is on its way, and who is in it. */
  #introduce(client: Client, now: number, out: Outbox<ArenaEvent>): void {
    this.#tellWorld(client, now, out);
    this.#rounds.introduce(client, now, out);
  }

  #tellWorld(client: Client, now: number, out: Outbox<ArenaEvent>): void {
    const player = this.#players.get(client)!;
    if (player.isWorldDue) return;
    player.isWorldDue = true;
    this.#hub.sendReliable(
      client,
      {
        write: (sequence) => encodeWorldInfo(sequence, WORLD_WIDTH, WORLD_HEIGHT),
        settled: () => player.isWorldDue = false,
      },
      now,
      out,
    );
  }

  #nextTellingAt(): number {
    const [first] = this.#departed;
    return first ? Math.max(first.againAt, this.#tellsAgainAt) : Infinity;
  }

  #tellDepartedAgain(now: number, out: Outbox<ArenaEvent>): void {
    if (now < this.#nextTellingAt()) return;
    this.#tellsAgainAt = now + LEFT_AGAIN_PAUSE_MS;
    const { clients } = this.#hub;
    const most = Math.ceil(LEFT_AGAIN_DATAGRAMS_MAX / Math.max(1, clients.size));
    const due = this.#departed.findIndex(({ againAt }) => againAt > now);
    const told = this.#departed.splice(0, Math.min(most, due < 0 ? Infinity : due));
    for (const { number } of told) {
      const bytes = encodeLeft(this.#hub.nextSequence(), false, number);
      for (const client of clients) {
        if (this.#hub.maySend(client, bytes.length, now)) out.send(client.peer, bytes);
      }
    }
  }

  // ---- the simulation

  #nextStepAt(): number {
    return this.#world.isStill ? Infinity : this.#clock.nextAt() ?? Infinity;
  }

  /** Does the steps that are due. While nothing moves they change nothing, and are left out. */
  #runSteps(now: number, out: Outbox<ArenaEvent>): void {
    if (this.#world.isStill) return this.#clock.skip(now);
    const { count, stalledMs } = this.#clock.take(now);
    if (stalledMs > 0) out.emit({ kind: "stalled", lostMs: stalledMs });
    if (count === 0) return;
    this.#steps += count;
    for (let step = 0; step < count; step++) {
      this.#world.step();
      this.#rounds.onStep();
    }
    this.#rounds.tellOwn(now, out);
  }
}

function stateOf({ number, red, green, blue, x, y }: Body): PlayerState {
  return { number, red, green, blue, x: thousandths(x), y: thousandths(y) };
}
