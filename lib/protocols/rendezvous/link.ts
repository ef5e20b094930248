/**
 * The way to one other player: found by inquiries, kept by checks, and the messages on it.
 *
 * | state | what is sent | ends by |
 * | --- | --- | --- |
 * | inquiring | inquiries to every address it may have | a response: confirmed; none: lost |
 * | confirmed | a check now and then, messages | a check without response: lost |
 */
import type { Deadlines } from "../../parts/deadlines.ts";
import type { Outbox, Peer } from "../engine.ts";
import type { Memory } from "./memory.ts";
import type { PeerInfo, PeerMessage, ReliableBody } from "./message.ts";

/** By which of its addresses a player is reached: through its router, or on the own network. */
export type Path = "global" | "local";

/**
 * Why a player is gone:
 * - `inquiry`: no inquiry was ever answered
 * - `check`: it was there, and does not answer any more
 * - `left`: it said so
 * - `removed`: the host said that it is gone
 * - `restarted`: it joined anew from the same address, and will be confirmed anew
 * - `dropped`: dropped here
 */
export type LossReason = "inquiry" | "check" | "left" | "removed" | "restarted" | "dropped";

/** Something that is due at a time. */
export interface Task<Event> {
  due(now: number, out: Outbox<Event>): void;
}

/** What a link needs of the session it belongs to. */
export interface LinkOwner<Event> {
  readonly tasks: Deadlines<Task<Event>>;
  readonly checkMs: number;
  /** Another one for every start of the program. */
  readonly session: number;
  say(message: PeerMessage, link: Link<Event>, to: Peer, out: Outbox<Event>): void;
  onConfirmed(link: Link<Event>, now: number, out: Outbox<Event>): void;
  onLost(link: Link<Event>, reason: LossReason, now: number, out: Outbox<Event>): void;
  onMessage(link: Link<Event>, message: unknown, reliable: boolean, out: Outbox<Event>): void;
  onReceipt(link: Link<Event>, receipt: Receipt, out: Outbox<Event>): void;
  onUndelivered(link: Link<Event>, id: number, message: unknown, out: Outbox<Event>): void;
  onRoundTrip(link: Link<Event>, out: Outbox<Event>): void;
  /** It answered a check. */
  onChecked(link: Link<Event>, now: number, out: Outbox<Event>): void;
}

/** That a reliable message arrived. */
export interface Receipt {
  readonly id: number;
  readonly message: unknown;
}

/** Inquiries go out until one is answered: the first ones open the NATs on the way. */
const INQUIRY_EVERY_MS = 500;
const INQUIRIES_MAX = 10;
/** An inquiry that arrives shows a way, so ours follows at once, but no more often than this. */
const INQUIRY_BACK_MS = 100;
const CHECK_EVERY_MS = 1_000;
const CHECKS_MAX = 5;
/** A reliable message is sent again after twice the round-trip time, then ever more slowly. */
const RESEND_MS_MIN = 200;
const RESEND_MS_UNKNOWN = 500;
const RESEND_MS_MAX = 2_000;
const RELIABLE_ATTEMPTS_MAX = 10;
/** Reliable messages on their way at most. */
export const UNACKNOWLEDGED_MAX = 256;
const UPDATE_EVERY_MS = 1_000;
const UPDATES_MAX = 5;
/** Lists that wait at most: whoever never answers is told the latest of them. */
const UPDATES_WAITING_MAX = 256;

/** One address that a player may have. */
interface Candidate {
  readonly path: Path;
  inquiries: number;
  inquiredAt: number;
}

interface Unacknowledged<Event> extends Task<Event> {
  readonly message: unknown;
  readonly sentAt: number;
  attempts: number;
}

type Update = PeerMessage & { kind: "peerList" };

/** One other player. */
export class Link<Event> {
  readonly name: string;
  /** What the server or the host said about it. */
  readonly info: PeerInfo;
  /** The address in use; undefined until it is confirmed. */
  address: Peer | undefined;
  path: Path = "global";
  roundTripMs: number | undefined;
  confirmedAt = Infinity;
  /** Whether it repeats the numbers of lists, as netsync does: it can be told the same list again. */
  numbersLists = false;
  readonly #owner: LinkOwner<Event>;
  readonly #memory: Memory;
  readonly #globalIp: string;
  readonly #candidates = new Map<Peer, Candidate>();
  /** The address behind the same router that no one announced: its NAT chose another port for us. */
  #reflexive: Peer | undefined;
  #inquiries = 0;
  #checks = 0;
  #checkedAt = 0;
  #heardAt = 0;
  /** Something says that it is gone: it is not given the time that a router may need. */
  #isDoubted = false;
  readonly #unacknowledged = new Map<number, Unacknowledged<Event>>();
  readonly #updates: Update[] = [];
  #updateAttempts = 0;
  readonly #inquiry: Task<Event> = { due: (now, out) => this.#inquire(now, out) };
  /** Who is to be asked back, once enough time has passed since it was asked. */
  #backTo: Peer | undefined;
  readonly #back: Task<Event> = {
    due: (now, out) =>
      this.#candidates.has(this.#backTo!) && this.#inquireAt(this.#backTo!, now, out),
  };
  readonly #check: Task<Event> = { due: (now, out) => this.#checkIt(now, out) };
  readonly #update: Task<Event> = { due: (now, out) => this.#sendUpdate(now, out) };

  /**
   * @param far The announced global address.
   * @param near The announced local one, if it can be one.
   */
  constructor(
    owner: LinkOwner<Event>,
    name: string,
    info: PeerInfo,
    memory: Memory,
    far: Peer,
    near: Peer | undefined,
  ) {
    this.#owner = owner;
    this.name = name;
    this.info = info;
    this.#memory = memory;
    this.#globalIp = far.ip;
    this.#candidates.set(far, candidate("global"));
    // One address as both: there is no router between it and the server.
    if (near) this.#candidates.set(near, candidate("local"));
  }

  /** Whether a datagram from there may be this player's. */
  isFrom(peer: Peer): boolean {
    return this.#candidates.has(peer);
  }

  begin(now: number, out: Outbox<Event>): void {
    this.#inquire(now, out);
  }

  /** Nothing is due any more. */
  end(): void {
    const { tasks } = this.#owner;
    [this.#inquiry, this.#back, this.#check, this.#update].forEach((task) => tasks.delete(task));
    for (const task of this.#unacknowledged.values()) tasks.delete(task);
    this.#unacknowledged.clear();
  }

  /**
   * An inquiry came from an address that nobody announced, but with the announced IP address: behind some
   * NATs the port depends on who is talked to. It becomes one more candidate while we look for a way.
   */
  offer(peer: Peer): boolean {
    if (this.address || peer.ip !== this.#globalIp) return false;
    if (this.#reflexive) this.#candidates.delete(this.#reflexive);
    this.#reflexive = peer;
    this.#candidates.set(peer, candidate("global"));
    return true;
  }

  /** A valid datagram came from it. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  receive(message: PeerMessage, from: Peer, now: number, out: Outbox<Event>): void {
    switch (message.kind) {
      case "inquiry":
        this.#say({ kind: "inquiryResponse", usedGlobal: message.usedGlobal }, from, out);
        return this.#inquireBack(from, now, out);
      case "inquiryResponse":
        return this.#onInquiryResponse(from, now, out);
      case "check":
        return this.#say({ kind: "checkResponse" }, from, out);
      case "checkResponse":
        return this.#onCheckResponse(now, out);
      case "reliable":
        return this.#onReliable(message, from, out);
      case "unreliable":
        return this.#owner.onMessage(this, message.message, false, out);
      case "reliableResponse":
        return this.#onReliableResponse(message, now, out);
      case "peerListResponse":
        return this.#onUpdateResponse(message.id, now, out);
      case "peerList":
        return; // The session's.
      default:
        message satisfies never;
    }
  }

  /** The number the next reliable message will have; undefined when too many are on their way. */
  get nextId(): number | undefined {
    return this.#unacknowledged.size < UNACKNOWLEDGED_MAX ? this.#memory.nextId : undefined;
  }

  sendReliable(message: unknown, now: number, out: Outbox<Event>): void {
    const id = this.#memory.nextId++;
    const task: Unacknowledged<Event> = {
      message,
      sentAt: now,
      attempts: 0,
      due: (now, out) => this.#sendAgain(id, now, out),
    };
    this.#unacknowledged.set(id, task);
    task.due(now, out);
  }

  /** Asks now whether it is still there, unless that is being asked. */
  ask(now: number, out: Outbox<Event>): void {
    this.#isDoubted = true;
    if (this.#checks === 0) this.#checkIt(now, out);
  }

  /** Whether it took all lists. */
  get isTold(): boolean {
    return this.#updates.length === 0;
  }

  /** Tells it about others, one list after the other. */
  tell(update: Omit<Update, "kind" | "id">, id: number, now: number, out: Outbox<Event>): void {
    this.#updates.push({ kind: "peerList", id, ...update });
    if (this.#updates.length === 1) this.#sendUpdate(now, out);
    if (this.#updates.length > UPDATES_WAITING_MAX) this.#updates.splice(1, 1);
  }

  #say(message: PeerMessage, to: Peer, out: Outbox<Event>): void {
    this.#owner.say(message, this, to, out);
  }

  // ---- finding a way

  #inquire(now: number, out: Outbox<Event>): void {
    if (this.#inquiries >= INQUIRIES_MAX) return this.#owner.onLost(this, "inquiry", now, out);
    this.#inquiries++;
    for (const peer of this.#candidates.keys()) this.#inquireAt(peer, now, out);
    this.#owner.tasks.set(this.#inquiry, now + INQUIRY_EVERY_MS);
  }

  #inquireAt(peer: Peer, now: number, out: Outbox<Event>): void {
    const candidate = this.#candidates.get(peer)!;
    candidate.inquiries++;
    candidate.inquiredAt = now;
    this.#say({ kind: "inquiry", usedGlobal: candidate.path === "global" }, peer, out);
  }

  #inquireBack(peer: Peer, now: number, out: Outbox<Event>): void {
    if (this.address) return;
    const dueAt = this.#candidates.get(peer)!.inquiredAt + INQUIRY_BACK_MS;
    if (dueAt <= now) return this.#inquireAt(peer, now, out);
    this.#backTo = peer;
    this.#owner.tasks.set(this.#back, dueAt);
  }

  #onInquiryResponse(from: Peer, now: number, out: Outbox<Event>): void {
    const { inquiries, inquiredAt, path } = this.#candidates.get(from)!;
    if (this.address || inquiries === 0) return;
    this.address = from;
    this.path = path;
    this.confirmedAt = now;
    // With several inquiries on their way nobody knows which one was answered.
    if (inquiries === 1) this.roundTripMs = now - inquiredAt;
    this.#owner.tasks.delete(this.#inquiry);
    this.#owner.tasks.delete(this.#back);
    this.#owner.tasks.set(this.#check, now + this.#owner.checkMs);
    this.#owner.onConfirmed(this, now, out);
    if (this.roundTripMs === undefined) this.#checkIt(now, out);
  }

  // ---- keeping it

  #checkIt(now: number, out: Outbox<Event>): void {
    // After a router forgot the way only the one behind it can open it again, and does with its check.
    const patienceMs = this.#isDoubted ? 0 : this.#owner.checkMs;
    const silenceMs = now - this.#heardAt;
    if (this.#checks >= CHECKS_MAX && silenceMs >= patienceMs + CHECKS_MAX * CHECK_EVERY_MS) {
      return this.#owner.onLost(this, "check", now, out);
    }
    this.#checks++;
    this.#checkedAt = now;
    this.#say({ kind: "check" }, this.address!, out);
    this.#owner.tasks.set(this.#check, now + CHECK_EVERY_MS);
  }

  #onCheckResponse(now: number, out: Outbox<Event>): void {
    if (this.#checks === 0) return;
    this.#isDoubted = false;
    if (this.#checks === 1) this.#measured(now - this.#checkedAt, out);
    this.#checks = 0;
    this.#owner.tasks.set(this.#check, now + this.#owner.checkMs);
    this.#owner.onChecked(this, now, out);
  }

  #measured(roundTripMs: number, out: Outbox<Event>): void {
    this.roundTripMs = roundTripMs;
    this.#owner.onRoundTrip(this, out);
  }

  // ---- messages

  #sendAgain(id: number, now: number, out: Outbox<Event>): void {
    const task = this.#unacknowledged.get(id)!;
    if (task.attempts >= RELIABLE_ATTEMPTS_MAX) {
      this.#unacknowledged.delete(id);
      return this.#owner.onUndelivered(this, id, task.message, out);
    }
    const { session } = this.#owner;
    this.#say({ kind: "reliable", id, message: task.message, session }, this.address!, out);
    const first = this.roundTripMs === undefined ? RESEND_MS_UNKNOWN : 2 * this.roundTripMs;
    const pauseMs = Math.max(RESEND_MS_MIN, first) * 2 ** task.attempts++;
    this.#owner.tasks.set(task, now + Math.min(RESEND_MS_MAX, pauseMs));
  }

  #onReliable(body: ReliableBody, from: Peer, out: Outbox<Event>): void {
    this.#say({ ...body, kind: "reliableResponse" }, from, out);
    if (!this.#memory.isFirst(body.session, body.id)) return;
    this.#owner.onMessage(this, body.message, true, out);
  }

  #onReliableResponse({ id, session }: ReliableBody, now: number, out: Outbox<Event>): void {
    const task = this.#unacknowledged.get(id);
    // The answer to a message of before this program was started anew is none.
    if (!task || (session ?? this.#owner.session) !== this.#owner.session) return;
    this.#unacknowledged.delete(id);
    this.#owner.tasks.delete(task);
    if (task.attempts === 1) this.#measured(now - task.sentAt, out);
    this.#owner.onReceipt(this, { id, message: task.message }, out);
  }

  // ---- the host's lists

  #sendUpdate(now: number, out: Outbox<Event>): void {
    if (this.#updateAttempts >= UPDATES_MAX) return this.#nextUpdate(now, out);
    this.#updateAttempts++;
    this.#say(this.#updates[0]!, this.address!, out);
    this.#owner.tasks.set(this.#update, now + UPDATE_EVERY_MS);
  }

  #onUpdateResponse(id: number | undefined, now: number, out: Outbox<Event>): void {
    // Originals do not repeat the number.
    if (id !== undefined) this.numbersLists = true;
    const isExpected = this.#updates.length > 0 &&
      (id === undefined || id === this.#updates[0]!.id);
    if (isExpected) this.#nextUpdate(now, out);
  }

  #nextUpdate(now: number, out: Outbox<Event>): void {
    this.#updates.shift();
    this.#updateAttempts = 0;
    if (this.#updates.length > 0) this.#sendUpdate(now, out);
    else this.#owner.tasks.delete(this.#update);
  }
}

function candidate(path: Path): Candidate {
  return { path, inquiries: 0, inquiredAt: -Infinity };
}
