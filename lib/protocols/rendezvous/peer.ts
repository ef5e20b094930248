/**
 * One player of a game without a server: registers as host or asks for one, and talks to the others.
 *
 * The rendezvous server only brings two players together; see {@link Link} for what follows. A player
 * of dialect 1 talks to the host alone; in dialect 2 the host tells all players of each other.
 */
import { Deadlines } from "../../parts/deadlines.ts";
import { canonicalIp, isUnicast } from "../../parts/ip.ts";
import type { Outbox, Peer } from "../engine.ts";
import { Asking, type AskingOwner } from "./asking.ts";
import { Link, type LinkOwner, type LossReason, type Receipt, type Task } from "./link.ts";
import { Lists } from "./lists.ts";
import { Memories } from "./memory.ts";
import {
  type Dialect,
  type Drop,
  type Endpoint,
  isPeerMessage,
  isReply,
  type PeerInfo,
  type PeerMessage,
  type Reply,
} from "./message.ts";
import type {
  EndReason,
  Player,
  PlayerEvent,
  PlayerOptions,
  PlayerRefusal,
  RemotePlayer,
} from "./player.ts";
import {
  decode,
  encode,
  isAuthentic,
  isName,
  type Letter,
  NAME_CHARACTERS_MAX,
  SERVER_NAME,
} from "./wire.ts";

/** A player who is introduced again this long after being confirmed was started anew. */
const RESTART_MS = 2_000;
const DROPPED_MAX = 256;
/** As long as an address can be: the answer to a message names one that only its receiver knows. */
const ADDRESS_LONGEST: Endpoint = { ip: "ffff:".repeat(7) + "ffff", port: 65_535 };

/**
 * A player.
 *
 * @throws {RangeError} A name that is none, or two that are the same.
 */
export function createPlayer(options: PlayerOptions): Player {
  for (const name of [options.name, options.host ?? options.name]) {
    if (!isName(name)) {
      throw new RangeError(
        `"${name}" is no name: 1 to ${NAME_CHARACTERS_MAX} characters, no control characters, ` +
          `not ${SERVER_NAME}`,
      );
    }
  }
  if (options.host === options.name) {
    throw new RangeError(`the host is called "${options.name}" too: choose another name`);
  }
  return new Session(options);
}

class Session implements Player, LinkOwner<PlayerEvent>, AskingOwner {
  readonly tasks = new Deadlines<Task<PlayerEvent>>();
  readonly checkMs: number;
  readonly session: number;
  readonly #options: PlayerOptions;
  readonly #dialect: Dialect;
  readonly #links = new Map<string, Link<PlayerEvent>>();
  readonly #asking: Asking;
  readonly #memories = new Memories();
  /** A host's in dialect 2. */
  readonly #lists: Lists<PlayerEvent> | undefined;
  /** What is yet to be told: whoever is told may call this session in turn. */
  readonly #events: PlayerEvent[] = [];
  #isTelling = false;
  /** Not linked to again for being listed, until the host has said that they are gone. */
  readonly #dropped = new Set<string>();
  #ended = false;

  constructor(options: PlayerOptions) {
    this.#options = options;
    this.#dialect = options.dialect ?? 1;
    this.checkMs = options.checkMs ?? 15_000;
    this.session = Math.floor(options.random() * 2 ** 31);
    this.#asking = new Asking(this, options);
    const isHost = options.host === undefined;
    this.#lists = isHost && this.#dialect === 2 ? new Lists(this.#links) : undefined;
  }

  // ---- the contract

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<PlayerEvent>): void {
    if (this.#ended) return;
    this.#thenTell(out, (out) => this.#receive(datagram, from, now, out));
  }

  advance(now: number, out: Outbox<PlayerEvent>): void {
    this.#thenTell(out, (out) => {
      for (let task; (task = this.tasks.takeDue(now));) task.due(now, out);
    });
  }

  nextDeadline(): number {
    return this.tasks.next();
  }

  remembers(peer: Peer): boolean {
    return this.#asking.isServer(peer) ||
      [...this.#links.values()].some((link) => link.isFrom(peer));
  }

  #receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<PlayerEvent>): void {
    const decoded = decode(datagram);
    if (decoded.kind !== "letter") {
      const reason = decoded.kind === "refused" ? decoded.reason : "fields";
      return refuse(from, reason, out);
    }
    const { message } = decoded;
    if (this.#asking.isServer(from) && isReply(message)) {
      const refusal = this.#asking.receive(decoded, message, from, now, out);
      return refusal ? refuse(from, refusal, out) : undefined;
    }
    if (isPeerMessage(message)) this.#onPeerMessage(decoded, message, from, now, out);
    else refuse(from, "stranger", out);
  }

  /** Does something, and tells what happened when it is done: then nothing is half done. */
  #thenTell(out: Outbox<PlayerEvent>, act: (out: Outbox<PlayerEvent>) => void): void {
    act({
      send: (peer, bytes) => out.send(peer, bytes),
      broadcast: (peers, bytes) => out.broadcast(peers, bytes),
      emit: (event) => void this.#events.push(event),
      backlog: out.backlog,
      unsent: out.unsent,
    });
    if (this.#isTelling) return; // Whoever is telling goes on with these.
    this.#isTelling = true;
    try {
      for (let event; (event = this.#events.shift());) out.emit(event);
    } finally {
      this.#isTelling = false;
    }
  }

  // ---- what a program asks for

  get ended(): boolean {
    return this.#ended;
  }

  get players(): ReadonlyMap<string, RemotePlayer> {
    const confirmed = [...this.#links.values()].filter((link) => link.address);
    return new Map(confirmed.map((link) => [link.name, remoteOf(link)]));
  }

  connect(servers: readonly Peer[], now: number, out: Outbox<PlayerEvent>): void {
    if (!this.#ended) this.#asking.begin(servers, now, out);
  }

  send(to: string, message: unknown, _now: number, out: Outbox<PlayerEvent>): void {
    const link = this.#confirmed(to);
    const value = valueOf(message);
    const bytes = this.#write({ kind: "unreliable", message: value }, link, link.address!);
    checkSendable(bytes);
    out.send(link.address!, bytes);
  }

  sendReliable(to: string, message: unknown, now: number, out: Outbox<PlayerEvent>): number {
    const link = this.#confirmed(to);
    const id = link.nextId;
    if (id === undefined) throw new RangeError(`too many messages to "${to}" are on their way`);
    const value = valueOf(message);
    const { session } = this;
    // The answer is the longer one of the two, and must arrive as well.
    const answer: PeerMessage = { kind: "reliableResponse", id, message: value, session };
    checkSendable(this.#write(answer, link, ADDRESS_LONGEST));
    link.sendReliable(value, now, out);
    return id;
  }

  drop(name: string, now: number, out: Outbox<PlayerEvent>): void {
    const link = this.#links.get(name);
    if (!link) return;
    this.#thenTell(out, (out) => {
      this.#sayGoodbye(link, out);
      if (this.#dropped.size < DROPPED_MAX) this.#dropped.add(name);
      this.onLost(link, "dropped", now, out);
    });
  }

  leaveServer(out: Outbox<PlayerEvent>): void {
    this.#asking.end(out);
  }

  leave(_now: number, out: Outbox<PlayerEvent>): void {
    if (this.#ended) return;
    this.#thenTell(out, (out) => {
      for (const link of this.#links.values()) this.#sayGoodbye(link, out);
      this.#end("left", out);
    });
  }

  // ---- what the server says

  hasCompany(): boolean {
    return this.#links.size > 0;
  }

  onFailed(reason: EndReason, out: Outbox<PlayerEvent>): void {
    this.#end(reason, out);
  }

  onIntroduction(
    { peer: name, globalAddress, localAddress }: Reply & { kind: "introduction" },
    from: Peer,
    now: number,
    out: Outbox<PlayerEvent>,
  ): void {
    const info: PeerInfo = { globalAddress, localAddress, usesGlobal: true };
    if (name === this.#options.name) return;
    if (!this.#peerOf(globalAddress)) return refuse(from, "address", out);
    const known = this.#links.get(name);
    if (known) {
      const isSame = isSameEndpoint(known.info.globalAddress, globalAddress) &&
        isSameEndpoint(known.info.localAddress, localAddress);
      if (isSame && now - known.confirmedAt < RESTART_MS) return; // The server says it twice.
      // Who asked for the host and has it asks no more: this is an old answer, or none.
      if (known.address && this.#options.host !== undefined) return;
      // Somebody else of this name, or the same one elsewhere: is the old one still there?
      if (known.address && !isSame) return known.ask(now, out);
      if (isSame) this.onLost(known, "restarted", now, out);
      else this.#forget(known);
    }
    this.#link(name, info, from, now, out);
  }

  // ---- the others

  #link(
    name: string,
    info: PeerInfo,
    from: Peer,
    now: number,
    out: Outbox<PlayerEvent>,
  ): void {
    const { playersMax = 64, local: own } = this.#options;
    const { globalAddress, localAddress } = info;
    const at = this.#peerOf(globalAddress);
    if (!at) return refuse(from, "address", out);
    if (this.#links.size >= playersMax) return refuse(from, "full", out);
    const near = isSameEndpoint(localAddress, own) ? undefined : this.#peerOf(localAddress);
    const memory = this.#memories.of(name, (name) => this.#links.has(name));
    const link = new Link<PlayerEvent>(this, name, info, memory, at, near);
    this.#links.set(name, link);
    out.emit({ kind: "introduced", name, globalAddress, localAddress });
    link.begin(now, out);
  }

  /** The peer at an address somebody announced, if anything may be sent there. */
  #peerOf({ ip, port }: Endpoint): Peer | undefined {
    const canonical = canonicalIp(ip);
    return canonical !== undefined && isUnicast(canonical)
      ? this.#options.peerAt(canonical, port)
      : undefined;
  }

  #onPeerMessage(
    letter: Letter,
    message: PeerMessage | Drop,
    from: Peer,
    now: number,
    out: Outbox<PlayerEvent>,
  ): void {
    const link = this.#links.get(letter.sender ?? "");
    if (!link || letter.dialect !== this.#dialect || letter.recipient !== this.#options.name) {
      return refuse(from, "stranger", out);
    }
    if (!isAuthentic(letter, this.#password)) return refuse(from, "hash", out);
    const isKnown = link.isFrom(from) || (message.kind === "inquiry" && link.offer(from));
    if (!isKnown) return refuse(from, "stranger", out);
    out.emit({ kind: "packet", from, fields: letter.fields });
    link.heard(now);
    switch (message.kind) {
      case "peerList":
        return this.#onPeerList(message, link, from, now, out);
      case "drop":
        return message.name === link.name ? this.onLost(link, "left", now, out) : undefined;
      default:
        return link.receive(message, from, now, out);
    }
  }

  #onPeerList(
    { action, peers, id }: PeerMessage & { kind: "peerList" },
    link: Link<PlayerEvent>,
    from: Peer,
    now: number,
    out: Outbox<PlayerEvent>,
  ): void {
    if (link.name !== this.#options.host) return refuse(from, "stranger", out);
    this.say({ kind: "peerListResponse", id }, link, from, out);
    for (const [name, info] of peers) {
      const known = this.#links.get(name);
      if (name === this.#options.name || name === link.name) continue;
      if (action === "add" && !known && !this.#dropped.has(name)) {
        this.#link(name, info, from, now, out);
      }
      if (action === "remove") this.#dropped.delete(name);
      if (action === "remove" && known) this.onLost(known, "removed", now, out);
    }
  }

  /** Between players: the game's password, or the host's name when there is none. */
  get #password(): string {
    const { password, host, name } = this.#options;
    return password ?? host ?? name;
  }

  #confirmed(name: string): Link<PlayerEvent> {
    const link = this.#links.get(name);
    if (!link?.address) throw new RangeError(`no player called "${name}" is connected`);
    return link;
  }

  #write(
    message: PeerMessage | Drop,
    link: Link<PlayerEvent>,
    to: Endpoint,
  ): Uint8Array {
    return encode(message, {
      dialect: this.#dialect,
      sender: this.#options.name,
      recipient: link.name,
      to,
      password: this.#password,
    });
  }

  /** Dialect 1 has no word for it. */
  #sayGoodbye(link: Link<PlayerEvent>, out: Outbox<PlayerEvent>): void {
    if (this.#dialect === 1 || !link.address) return;
    const message = { kind: "drop", name: this.#options.name } as const;
    out.send(link.address, this.#write(message, link, link.address));
  }

  #forget(link: Link<PlayerEvent>): void {
    link.end();
    this.#links.delete(link.name);
  }

  #end(reason: EndReason, out: Outbox<PlayerEvent>): void {
    this.#ended = true;
    for (const link of this.#links.values()) link.end();
    this.#links.clear();
    this.#asking.end(out);
    out.emit({ kind: "ended", reason });
  }

  // ---- what the links say

  say(message: PeerMessage, link: Link<PlayerEvent>, to: Peer, out: Outbox<PlayerEvent>): void {
    out.send(to, this.#write(message, link, to));
  }

  onConfirmed(link: Link<PlayerEvent>, now: number, out: Outbox<PlayerEvent>): void {
    out.emit({ kind: "confirmed", player: remoteOf(link) });
    this.#lists?.onConfirmed(link, now, out);
  }

  onLost(
    link: Link<PlayerEvent>,
    reason: LossReason,
    now: number,
    out: Outbox<PlayerEvent>,
  ): void {
    this.#forget(link);
    out.emit({ kind: "lost", name: link.name, reason });
    if (link.name === this.#options.host) return this.#end(END_OF[reason], out);
    if (link.address) this.#lists?.onLost(link, now, out);
  }

  onMessage(
    link: Link<PlayerEvent>,
    message: unknown,
    reliable: boolean,
    out: Outbox<PlayerEvent>,
  ): void {
    out.emit({ kind: "message", from: link.name, message, reliable });
  }

  onReceipt(link: Link<PlayerEvent>, receipt: Receipt, out: Outbox<PlayerEvent>): void {
    out.emit({ kind: "receipt", to: link.name, ...receipt });
  }

  onUndelivered(
    link: Link<PlayerEvent>,
    id: number,
    message: unknown,
    out: Outbox<PlayerEvent>,
  ): void {
    out.emit({ kind: "undelivered", to: link.name, id, message });
  }

  onChecked(link: Link<PlayerEvent>, now: number, out: Outbox<PlayerEvent>): void {
    this.#lists?.onChecked(link, now, out);
  }

  onRoundTrip(link: Link<PlayerEvent>, out: Outbox<PlayerEvent>): void {
    out.emit({ kind: "roundTrip", player: remoteOf(link) });
  }
}

const END_OF: Record<LossReason, EndReason> = {
  inquiry: "inquiry",
  check: "host-lost",
  left: "host-left",
  removed: "host-left",
  restarted: "host-lost",
  dropped: "left",
};

function remoteOf(link: Link<PlayerEvent>): RemotePlayer {
  const { ip, port } = link.address!;
  const { name, path, roundTripMs } = link;
  return { name, address: { ip, port }, path, roundTripMs };
}

function isSameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return one.port === other.port && canonicalIp(one.ip) === canonicalIp(other.ip);
}

/** A message as its receiver will see it, and as it stays while it is sent again. */
function valueOf(message: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(message));
  } catch {
    throw new RangeError("the message cannot be sent: it is no JSON value");
  }
}

function checkSendable(bytes: Uint8Array): void {
  const decoded = decode(bytes);
  if (decoded.kind === "letter") return;
  const reason = decoded.kind === "refused" && decoded.reason === "oversize"
    ? "it is too long"
    : "it is nested too deep";
  throw new RangeError(`the message cannot be sent: ${reason}`);
}

function refuse(peer: Peer, reason: PlayerRefusal, out: Outbox<PlayerEvent>): void {
  out.emit({ kind: "refused", peer, reason });
}
