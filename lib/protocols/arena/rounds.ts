import { Pacer } from "../../parts/pacer.ts";
import type { Outbox, Peer } from "../engine.ts";
import type { Client, Hub } from "../events/hub.ts";
import {
  BULLETS_PER_LIST,
  COORDINATES_BYTES_MAX,
  encodeBullets,
  encodeLook,
  encodeUpdates,
  LIST_BYTES_MAX,
  type ListedPlayer,
  SENT_BYTES_MAX,
} from "./wire.ts";
import type { Body, Bullet, World } from "./world.ts";

/** Rounds come less often than steps, since sending takes so long. At most every 10 s. */
export interface Lagging {
  /** Tells it from other events. */
  kind: "lagging";
  /** How many a second each player gets. */
  hz: number;
  /** How many a second there should be. */
  tickRateHz: number;
}

/** The full list goes out this often, for whoever missed a part of it. */
const FULL_LIST_MS = 2_000;
/** Lists a second that tell players of themselves while a round is going on: a fifth of what a core sends. */
const OWN_LISTS_PER_SECOND = 18_000;
/** Between two steps there is something to tell only when somebody comes. */
const ROUNDS_PER_STEP_MAX = 2;
const LAGGING_EVERY_MS = 10_000;
const LAGGING_FACTOR = 1.25;
/** One round may be late for any reason; so many in a row are no accident. */
const LAGGING_ROUNDS = 10;
const THOUSANDTHS = 1_000;

/** What a round brings, part after part: each is written when its first recipient's turn comes. */
interface Round {
  readonly parts: readonly (() => Uint8Array)[];
  readonly recipients: readonly Client[];
  part: number;
  /** The current part, once it is written. */
  bytes: Uint8Array | undefined;
  /** The next recipient of it. */
  cursor: number;
}

/**
 * What leaves for everybody, round after round: who moved, and what is in the air.
 *
 * A round follows a step. Its parts go out one after the other, each to all; sending yields to receiving
 * and to the steps, and when it takes longer than a step rounds come less often. Meanwhile each player is
 * told of itself at every step: it should not feel the crowd in its own hands. Nor do many bullets keep
 * players waiting: they take half of what is sent at most, and come with every second or third round.
 */
export class Rounds {
  readonly #hub: Pick<Hub<never, never>, "clients" | "maySend" | "nextSequence">;
  readonly #world: World;
  readonly #bodyOf: (client: Client) => Body;
  readonly #tickRateHz: number;
  readonly #pacer: Pacer;
  readonly #looks = new WeakMap<Body, Uint8Array>();
  /** Who moved or came since the last round. */
  readonly #changed = new Set<Body>();
  #round: Round | undefined;
  /** Whose turn it is to be told of themselves, as a place in the order of coming. */
  #ownCursor = 0;
  /** Lists of players since the last ones of bullets. */
  #playerPartsSinceBullets = 0;
  #hadBullets = false;
  #hasNewBullets = false;
  #fullListAt = Infinity;
  #rounds = 0;
  #lateRounds = 0;
  #laggedAt = -Infinity;

  constructor(
    hub: Pick<Hub<never, never>, "clients" | "maySend" | "nextSequence">,
    world: World,
    bodyOf: (client: Client) => Body,
    tickRateHz: number,
  ) {
    this.#hub = hub;
    this.#world = world;
    this.#bodyOf = bodyOf;
    this.#tickRateHz = tickRateHz;
    // Steps are the beat: a round follows each at once, and is through before the next one.
    this.#pacer = new Pacer({ rateHz: ROUNDS_PER_STEP_MAX * tickRateHz, eagerPacketsPerSecond: 0 });
  }

  /** Rounds that were begun. */
  get count(): number {
    return this.#rounds;
  }

  /** The world made a step. */
  onStep(): void {
    for (const body of this.#world.moving) this.#changed.add(body);
    this.#hasNewBullets ||= this.#world.bullets.length > 0 || this.#hadBullets;
  }

  /** While a round takes longer than a step, tells those who move at least of themselves. */
  tellOwn(now: number, out: Outbox<Lagging>): void {
    if (!this.#round || this.#hub.clients.size === 0) return;
    const clients = [...this.#hub.clients];
    const count = Math.min(clients.length, Math.ceil(OWN_LISTS_PER_SECOND / this.#tickRateHz));
    const first = this.#ownCursor % clients.length;
    this.#ownCursor = first + count;
    const clientOf = new Map<Body, Client>();
    for (const client of [...clients.slice(first), ...clients.slice(0, first)].slice(0, count)) {
      const body = this.#bodyOf(client);
      if (this.#world.moving.has(body)) clientOf.set(body, client);
    }
    for (const list of this.#listsOf([...clientOf.keys()])) {
      const bytes = this.#updates(list);
      for (const body of list) {
        const client = clientOf.get(body)!;
        if (this.#hub.maySend(client, bytes.length, now)) out.send(client.peer, bytes);
      }
    }
  }

  /** Somebody came. */
  onAdded(body: Body): void {
    this.#changed.add(body);
  }

  /** Somebody is gone, from the world too: nothing that is written from now on names them. */
  onRemoved(body: Body): void {
    this.#changed.delete(body);
    if (this.#round) this.#round.bytes = undefined;
  }

  /** Tells somebody new who is there. */
  introduce(client: Client, now: number, out: Outbox<Lagging>): void {
    if (this.#fullListAt === Infinity) this.#fullListAt = now + FULL_LIST_MS;
    for (const list of this.#listsOf(this.#everybody())) {
      const bytes = this.#updates(list);
      if (this.#hub.maySend(client, bytes.length, now)) out.send(client.peer, bytes);
    }
  }

  /** The same for somebody who knew a server of before, and what was in the air there. */
  introduceAgain(client: Client, now: number, out: Outbox<Lagging>): void {
    this.introduce(client, now, out);
    if (this.#world.bullets.length > 0) return; // It is told of these with everybody.
    const bytes = this.#bullets([]);
    if (this.#hub.maySend(client, bytes.length, now)) out.send(client.peer, bytes);
  }

  /** When the next slice or round may leave; `Infinity` while one is on its way. */
  nextSendAt(): number {
    if (this.#pacer.sending || this.#hub.clients.size === 0) return Infinity;
    if (this.#round) return this.#pacer.nextSliceAt();
    const nextRoundAt = this.#pacer.nextRoundAt(this.#hub.clients.size, SENT_BYTES_MAX);
    const isNews = this.#changed.size > 0 || this.#hasNewBullets;
    return isNews ? nextRoundAt : Math.max(this.#fullListAt, nextRoundAt);
  }

  /** Sends what is due. */
  sendDue(now: number, out: Outbox<Lagging>): void {
    if (this.#pacer.sending && out.backlog === 0) {
      this.#pacer.left(now);
      if (!this.#round) this.#reportLag(now, out);
    }
    while (now >= this.nextSendAt()) {
      if (this.#round) this.#sendSlice(this.#round, now, out);
      else this.#startRound(now);
    }
  }

  #startRound(now: number): void {
    this.#rounds++;
    const isFull = now >= this.#fullListAt;
    if (isFull) this.#fullListAt = now + FULL_LIST_MS;
    const bodies = this.#everybody().filter((body) => isFull || this.#changed.has(body));
    this.#changed.clear();
    this.#hasNewBullets = false;
    const updates = this.#listsOf(bodies).map((list) => (): Uint8Array =>
      this.#updates(list.filter((body) => this.#world.bodies.has(body)))
    );
    const parts = [...updates, ...this.#bulletParts(updates.length)];
    const recipients = [...this.#hub.clients];
    this.#pacer.startRound(now, parts.length * recipients.length, SENT_BYTES_MAX);
    if (parts.length === 0) return;
    this.#round = { parts, recipients, part: 0, bytes: undefined, cursor: 0 };
  }

  /** One part to some of the players. */
  #sendSlice(round: Round, now: number, out: Outbox<Lagging>): void {
    const { parts, recipients, part, cursor } = round;
    const bytes = round.bytes ??= parts[part]!();
    const left = (parts.length - part) * recipients.length - cursor;
    const count = Math.min(this.#pacer.takeSlice(left), recipients.length - cursor);
    const peers: Peer[] = [];
    for (const client of recipients.slice(cursor, cursor + count)) {
      if (!this.#hub.clients.has(client)) continue;
      if (this.#hub.maySend(client, bytes.length, now)) peers.push(client.peer);
    }
    round.cursor += count;
    if (round.cursor === recipients.length) this.#nextPart(round);
    if (peers.length === 0) return;
    out.broadcast(peers, bytes);
    if (out.backlog > 0) this.#pacer.handedOver(now);
  }

  #nextPart(round: Round): void {
    round.part++;
    round.cursor = 0;
    round.bytes = undefined;
    if (round.part === round.parts.length) this.#round = undefined;
  }

  #everybody(): Body[] {
    return Array.from(this.#hub.clients, this.#bodyOf);
  }

  /** Players in as many lists as it takes, wherever they will be by then. */
  #listsOf(bodies: readonly Body[]): Body[][] {
    const lists: Body[][] = [];
    let left = 0;
    for (const body of bodies) {
      const bytes = this.#lookOf(body).length + COORDINATES_BYTES_MAX;
      if (left < bytes) {
        lists.push([]);
        left = LIST_BYTES_MAX;
      }
      lists.at(-1)!.push(body);
      left -= bytes;
    }
    return lists;
  }

  #updates(bodies: readonly Body[]): Uint8Array {
    const listed = bodies.map((body): ListedPlayer => ({
      look: this.#lookOf(body),
      x: thousandths(body.x),
      y: thousandths(body.y),
    }));
    return encodeUpdates(this.#hub.nextSequence(), listed);
  }

  #lookOf(body: Body): Uint8Array {
    const known = this.#looks.get(body);
    if (known) return known;
    const look = encodeLook(body);
    this.#looks.set(body, look);
    return look;
  }

  /** All bullets, in every so many rounds; and once that there are none any more. */
  #bulletParts(playerParts: number): (() => Uint8Array)[] {
    const { bullets } = this.#world;
    if (bullets.length === 0 && !this.#hadBullets) return [];
    const lists = Math.floor(bullets.length / BULLETS_PER_LIST) + 1;
    this.#playerPartsSinceBullets += playerParts;
    if (playerParts > 0 && this.#playerPartsSinceBullets < lists) return [];
    this.#playerPartsSinceBullets = 0;
    this.#hadBullets = bullets.length > 0;
    return Array.from({ length: lists }, (_, list) => {
      const some = bullets.slice(list * BULLETS_PER_LIST, (list + 1) * BULLETS_PER_LIST);
      return (): Uint8Array => this.#bullets(some);
    });
  }

  #bullets(bullets: readonly Bullet[]): Uint8Array {
    const listed = bullets.map(({ x, y, rotation }) => ({
      x: thousandths(x),
      y: thousandths(y),
      rotation: thousandths(rotation),
    }));
    return encodeBullets(this.#hub.nextSequence(), listed);
  }

  #reportLag(now: number, out: Outbox<Lagging>): void {
    const { roundMs } = this.#pacer;
    const isLate = roundMs >= (LAGGING_FACTOR * 1_000) / this.#tickRateHz;
    this.#lateRounds = isLate ? this.#lateRounds + 1 : 0;
    if (this.#lateRounds < LAGGING_ROUNDS || now - this.#laggedAt < LAGGING_EVERY_MS) return;
    this.#laggedAt = now;
    out.emit({ kind: "lagging", hz: 1_000 / roundMs, tickRateHz: this.#tickRateHz });
  }
}

/** Cut towards zero, as the original does; and never -0, which is no integer to a writer. */
export function thousandths(value: number): number {
  return Math.trunc(value * THOUSANDTHS) + 0;
}
