/**
 * The rendezvous server: hosts register a name, players ask for it, and both are told where the other
 * is. They then talk to each other; the server takes no part.
 *
 * | request | answer |
 * | --- | --- |
 * | register | registered; an error when the name is another's |
 * | refresh (dialect 2) | refreshed; silence when the name is unknown or the hash wrong |
 * | join | an introduction to the host and one to the player, repeated once; an error when unknown |
 * | list (dialect 2) | the hosts of dialect 2, as many as fit |
 * | drop (dialect 2) | none |
 *
 * Every error ends its receiver's session, so anything else that is wrong gets silence: peers ask
 * again by themselves. Nobody has proved anything about an address, so no address is sent more than
 * three times the bytes of the request that is the reason, and each host so many introductions a second.
 */
import {
  Budget,
  datagramsIn,
  type Overspent,
  type SharedBudget,
  strangersBytes,
  strangersDatagrams,
} from "../../parts/budget.ts";
import { mayBeJsonObject } from "../../parts/json.ts";
import type { Engine, Member, Membership, Outbox, Peer, Resumable, Saved } from "../engine.ts";
import { checkUnused, type PeerAt } from "../saved.ts";
import { type Dialect, isRequest, type Message, type ServerInfo } from "./message.ts";
import { type Registration, Registry } from "./registry.ts";
import { readHosts, writeHosts } from "./saved.ts";
import {
  DATAGRAM_BYTES_MAX,
  decode,
  encode,
  isAuthentic,
  type Letter,
  serverFieldsOf,
  type WireRefusal,
} from "./wire.ts";

/**
 * Why a datagram had no effect. The wire's reasons, and:
 * - `no-request`: a message that is for peers, or an answer
 * - `hash`: a hash that was not made with the password
 * - `unknown`: a refresh or drop of a name that is not registered
 * - `taken`: a name that another address has; answered with an error
 * - `not-found`: a player asks for a name that is not registered; answered with an error
 * - `incomplete`: a request of dialect 1 without a key it needs; answered with an error
 * - `elsewhere`: a refresh or drop from an address that is not the host's
 * - `self`: a player who asks for itself
 * - `rate`: too many requests from this IP address, or more than its share in a flood
 * - `busy`: too many requests from everywhere; hosts are not touched
 * - `host-rate`: too many players ask for this host at once
 * - `full`, `full-network`: no more registrations, no more from this IP address
 * - `short`: the answer would be more than three times as long as the request
 */
export type RendezvousRefusal =
  | WireRefusal
  | "no-request"
  | "hash"
  | "unknown"
  | "taken"
  | "not-found"
  | "incomplete"
  | "elsewhere"
  | "self"
  | Overspent
  | "host-rate"
  | "full"
  | "full-network"
  | "short";

/** What the server tells its host program. */
export type RendezvousEvent =
  /** A name can be joined from now on. */
  | { kind: "registered"; peer: Peer; name: string; dialect: Dialect }
  /** A host is heard from another address: its NAT gave it another port. */
  | { kind: "moved"; peer: Peer; name: string; dialect: Dialect }
  /** A host did not refresh in time. */
  | { kind: "expired"; peer: Peer; name: string; dialect: Dialect }
  /** A host said that it ends. */
  | { kind: "dropped"; peer: Peer; name: string; dialect: Dialect }
  /** The server took a name away from its host. */
  | { kind: "expelled"; peer: Peer; name: string; dialect: Dialect }
  /** A host that an earlier server knew is heard for the first time. */
  | { kind: "continued"; peer: Peer; name: string; dialect: Dialect }
  /** A player and a host were told about each other. */
  | { kind: "introduced"; peer: Peer; name: string; dialect: Dialect; host: string }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: RendezvousRefusal };

/** Options of {@link createRendezvousServer}. */
export interface RendezvousServerOptions {
  /** Names at most. Default 16,384. */
  registrationsMax?: number;
  /** Names of one IPv4 address or IPv6 /64 network at most. Default 64. */
  registrationsPerNetworkMax?: number;
  /** Requests of one network a second, of its hosts and of all others each; three times as many at once. Default 30. */
  requestsPerSecond?: number;
  /** Introductions to the hosts of one network a second; three times as many at once. Default 20. */
  introductionsPerSecond?: number;
  /** The longest time a registration holds without a refresh, in seconds. Default 3600. */
  validSecondsMax?: number;
}

/**
 * The server's engine. Its members are the hosts, one for each name, so an address may be there more than
 * once. Expelling takes all its names away; players are not told, for nobody tells them of a host that ends.
 *
 * A server that goes on from another one has all its names at once, and each has time for a refresh that
 * found nobody. A host is told of the players who ask for it even before it is heard: they pay for it. Where
 * the new one has fewer places, the first names stay. What is saved has the hosts' session keys in it.
 */
export interface RendezvousServer
  extends
    Engine<RendezvousEvent>,
    Membership<Outbox<RendezvousEvent>>,
    Resumable<Outbox<RendezvousEvent>> {
  /** Names that can be joined now. */
  readonly registrations: number;
}

/** An answer may be so many times as long as the request. */
const AMPLIFICATION_MAX = 3;
/** An introduction is sent again so much later: a lost one ends the attempt. */
const REPEAT_MS = 150;
const REPEATS_MAX = 4_096;
/** Hosts refresh each 15 s, counted in ticks of a second: one that is silent for so long missed it. */
const REFRESH_MISSED_MS = 13_500;
/** Longest list: one unfragmented datagram on nearly every way. */
const LIST_BYTES_MAX = 1_400;
/** Sources whose budget is kept account of. */
const SOURCES_MAX = 16_384;
const BURST_SECONDS = 3;
/** A host program this late was asleep: hosts get time to be heard before they have expired. */
const STALL_MS = 1_000;
const STALL_GRACE_MS = 20_000;
/** When a host was heard that an earlier server knew, and this one has not heard. */
const UNHEARD = -Infinity;

/** A rendezvous server for both dialects. */
export function createRendezvousServer(options: RendezvousServerOptions = {}): RendezvousServer {
  return new Server(options);
}

interface Repeat {
  readonly at: number;
  readonly peer: Peer;
  readonly bytes: Uint8Array;
}

/** One request in hand. */
interface Case {
  readonly letter: Letter;
  readonly from: Peer;
  readonly bytes: number;
  readonly now: number;
  readonly out: Outbox<RendezvousEvent>;
}

class Server implements RendezvousServer {
  readonly #options: Required<RendezvousServerOptions>;
  readonly #registry = new Registry();
  readonly #requests: Budget;
  readonly #hostsRequests: Budget;
  readonly #strangers: SharedBudget;
  /** Hosts have proved nothing either; but they have one of their own. */
  readonly #hosts: SharedBudget;
  readonly #replies: SharedBudget;
  readonly #introductions: Budget;
  /** In the order in which they are due. */
  #repeats: Repeat[] = [];
  #expiresNotBefore = -Infinity;

  constructor(options: RendezvousServerOptions) {
    this.#options = {
      registrationsMax: options.registrationsMax ?? 16_384,
      registrationsPerNetworkMax: options.registrationsPerNetworkMax ?? 64,
      requestsPerSecond: options.requestsPerSecond ?? 30,
      introductionsPerSecond: options.introductionsPerSecond ?? 20,
      validSecondsMax: options.validSecondsMax ?? 3_600,
    };
    this.#requests = budgetOf(this.#options.requestsPerSecond);
    this.#hostsRequests = budgetOf(this.#options.requestsPerSecond);
    const placesPerNetwork = this.#options.registrationsPerNetworkMax;
    this.#strangers = strangersDatagrams({ placesPerNetwork });
    this.#hosts = strangersDatagrams({ placesPerNetwork });
    this.#replies = strangersBytes({ placesPerNetwork });
    this.#introductions = budgetOf(this.#options.introductionsPerSecond);
  }

  get registrations(): number {
    return this.#registry.size;
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<RendezvousEvent>): void {
    // Cheap before dear: JSON is read, and hashed, only for those who may ask.
    if (datagram.length > DATAGRAM_BYTES_MAX) return refuse(from, "oversize", out);
    if (!mayBeJsonObject(datagram)) return refuse(from, "json", out);
    const overspent = this.#overspentBy(from, datagram.length, now);
    if (overspent) return refuse(from, overspent, out);
    const decoded = decode(datagram);
    if (decoded.kind === "refused") return refuse(from, decoded.reason, out);
    if (decoded.kind === "letter" && !isRequest(decoded.message)) {
      return refuse(from, "no-request", out);
    }
    if (decoded.kind === "letter") {
      return this.#onRequest({ letter: decoded, from, bytes: datagram.length, now, out });
    }
    const error = encode(
      { kind: "error", message: `missing info from packet data: ${decoded.missing}` },
      { dialect: 1, sender: null, recipient: decoded.sender, to: from, password: "" },
    );
    refuse(from, "incomplete", out);
    this.#send(from, error, datagram.length, now, out);
  }

  advance(now: number, out: Outbox<RendezvousEvent>): void {
    while (this.#repeats.length > 0 && this.#repeats[0]!.at <= now) {
      const { peer, bytes } = this.#repeats.shift()!;
      out.send(peer, bytes);
    }
    if (now - this.#nextExpiry() > STALL_MS) this.#expiresNotBefore = now + STALL_GRACE_MS;
    if (now < this.#expiresNotBefore) return;
    for (let gone; (gone = this.#registry.takeExpired(now));) {
      out.emit({ kind: "expired", ...whoIs(gone) });
    }
  }

  nextDeadline(): number {
    return Math.min(this.#repeats[0]?.at ?? Infinity, this.#nextExpiry());
  }

  remembers(peer: Peer): boolean {
    return this.#registry.has(peer);
  }

  members(): Member[] {
    return Array.from(this.#registry.all(), ({ peer, name }) => ({ peer, name }));
  }

  expel(peer: Peer, _now: number, out: Outbox<RendezvousEvent>): void {
    if (!this.#registry.has(peer)) return;
    for (const registration of [...this.#registry.all()]) {
      if (registration.peer !== peer) continue;
      this.#registry.remove(registration);
      out.emit({ kind: "expelled", ...whoIs(registration) });
    }
  }

  save(now: number): Saved {
    const hosts = Array.from(this.#registry.all(), (registration) => ({
      address: registration.peer,
      registration,
      validMs: this.#registry.expiryOf(registration) - now,
    }));
    return writeHosts(hosts);
  }

  resume(saved: Saved, now: number, peerAt: PeerAt): void {
    checkUnused(this.#registry.size === 0);
    const hosts = readHosts(saved);
    const validMsMax = 1_000 * this.#options.validSecondsMax;
    for (const { address: { ip, port }, registration, validMs } of hosts) {
      const peer = peerAt(ip, port);
      if (this.#obstacleFor(peer, undefined)) continue;
      const until = now + Math.min(validMs, validMsMax);
      this.#registry.set({ ...registration, peer, heardAt: UNHEARD }, until);
    }
    if (hosts.length > 0) this.#expiresNotBefore = now + STALL_GRACE_MS;
  }

  #nextExpiry(): number {
    return Math.max(this.#registry.nextExpiry(), this.#expiresNotBefore);
  }

  #onRequest(request: Case): void {
    const { letter, from, out } = request;
    const { message, sender } = letter;
    // What is hashed with a password of its own; the others need the registered one.
    if ("password" in message && !isAuthentic(letter, message.password ?? "")) {
      return refuse(from, "hash", out);
    }
    if (message.kind === "list") return this.#onList(request, message.password);
    if (sender === null) return refuse(from, "fields", out);
    switch (message.kind) {
      case "register":
        return this.#onRegister(request, sender, message);
      case "refresh":
        return this.#onRefresh(request, sender, message.validSeconds);
      case "join":
        return this.#onJoin(request, sender, message);
      case "drop":
        return this.#onDrop(request, message.name);
    }
  }

  #onRegister(
    request: Case,
    name: string,
    message: Message & { kind: "register" },
  ): void {
    const { letter: { dialect }, from, now, out } = request;
    const { local, password = "", passwordRequired = false } = message;
    const known = this.#registry.get(dialect, name);
    if (known && !this.#mayRegisterAgain(known, from, password, now)) {
      refuse(from, "taken", out);
      return this.#answer(request, { kind: "error", message: "server already exists" }, password);
    }
    const obstacle = this.#obstacleFor(from, known);
    if (obstacle) return refuse(from, obstacle, out);
    this.#store(
      { dialect, name, peer: from, local, password, passwordRequired, heardAt: now },
      message.validSeconds,
      now,
    );
    if (!known) out.emit({ kind: "registered", peer: from, name, dialect });
    else continues(known, from, out);
    if (known && known.peer !== from) out.emit({ kind: "moved", peer: from, name, dialect });
    this.#answer(request, { kind: "registered" }, password);
  }

  #onRefresh(request: Case, name: string, validSeconds: number): void {
    const { letter, from, now, out } = request;
    const known = this.#registry.get(2, name);
    if (!known) return refuse(from, "unknown", out);
    if (!isAuthentic(letter, known.password)) return refuse(from, "hash", out);
    const moved = known.peer !== from;
    // The datagram of another moment, sent again by somebody else, must not lead players astray.
    if (moved && !this.#missedRefresh(known, now)) return refuse(from, "elsewhere", out);
    const obstacle = this.#obstacleFor(from, known);
    if (obstacle) return refuse(from, obstacle, out);
    this.#store({ ...known, peer: from, heardAt: now }, validSeconds, now);
    continues(known, from, out);
    if (moved) out.emit({ kind: "moved", ...whoIs(known), peer: from });
    this.#answer(request, { kind: "refreshed" }, known.password);
  }

  #onJoin(request: Case, name: string, message: Message & { kind: "join" }): void {
    const { letter: { dialect }, from, bytes, now, out } = request;
    const { password = "" } = message;
    const host = this.#registry.get(dialect, message.host);
    if (!host) {
      refuse(from, "not-found", out);
      const text = `${message.host} not found`;
      return this.#answer(request, { kind: "error", message: text }, password);
    }
    if (host.peer === from || host.name === name) return refuse(from, "self", out);
    if (!this.#introductions.take(host.peer.network, now)) return refuse(from, "host-rate", out);
    const toHost = encode(
      { kind: "introduction", peer: name, globalAddress: from, localAddress: message.local },
      { dialect, sender: null, recipient: host.name, to: host.peer, password: host.password },
    );
    const toPlayer = encode(
      {
        kind: "introduction",
        peer: host.name,
        globalAddress: host.peer,
        localAddress: host.local,
      },
      { dialect, sender: null, recipient: name, to: from, password },
    );
    const longest = Math.max(toHost.length, toPlayer.length);
    const times = Math.floor(AMPLIFICATION_MAX * bytes / longest);
    if (times === 0) return refuse(from, "short", out);
    const overspent = this.#overspentOn(from, 2 * toPlayer.length, now);
    if (overspent) return refuse(from, overspent, out);
    // The host first: its first datagram opens its NAT for the player's.
    out.send(host.peer, toHost);
    out.send(from, toPlayer);
    if (times > 1) this.#repeat([[host.peer, toHost], [from, toPlayer]], now);
    out.emit({ kind: "introduced", peer: from, name, dialect, host: host.name });
  }

  #onList(request: Case, password: string): void {
    const { letter: { sender }, from, bytes } = request;
    const envelope = { dialect: 2, sender: null, recipient: sender, to: from, password } as const;
    const servers: ServerInfo[] = [];
    const room = Math.min(LIST_BYTES_MAX, AMPLIFICATION_MAX * bytes);
    let left = room - encode({ kind: "servers", servers }, envelope).length;
    this.#registry.list((registration) => {
      left -= utf8Length(JSON.stringify(serverFieldsOf(registration))) + 1;
      if (left >= 0) servers.push(registration);
      return left >= 0;
    });
    const list = encode({ kind: "servers", servers }, envelope);
    this.#send(from, list, bytes, request.now, request.out);
  }

  #onDrop({ letter, from, out }: Case, name: string): void {
    const known = this.#registry.get(2, name);
    if (!known) return refuse(from, "unknown", out);
    if (!isAuthentic(letter, known.password)) return refuse(from, "hash", out);
    if (known.peer.ip !== from.ip) return refuse(from, "elsewhere", out);
    this.#registry.remove(known);
    out.emit({ kind: "dropped", ...whoIs(known) });
  }

  /** One that is known takes no other place, unless it moves to another network. */
  #obstacleFor(
    { network }: Peer,
    known: Registration | undefined,
  ): "full" | "full-network" | undefined {
    const { registrationsMax, registrationsPerNetworkMax } = this.#options;
    if (known?.peer.network === network) return undefined;
    if (!known && this.#registry.size >= registrationsMax) return "full";
    return this.#registry.countOf(network) >= registrationsPerNetworkMax
      ? "full-network"
      : undefined;
  }

  #store(registration: Registration, validSeconds: number, now: number): void {
    const seconds = Math.min(Math.max(validSeconds, 1), this.#options.validSecondsMax);
    this.#registry.set(registration, now + 1_000 * seconds);
  }

  /**
   * Whether this address may have the name: the one that has it, or, once its refresh is overdue, the
   * same host behind a NAT that gave it another port. Dialect 2 tells it by the session key, dialect 1
   * only by the IP address.
   */
  #mayRegisterAgain(known: Registration, from: Peer, password: string, now: number): boolean {
    if (known.peer === from) return true;
    const isSame = known.dialect === 2 ? known.password === password : known.peer.ip === from.ip;
    return isSame && this.#missedRefresh(known, now);
  }

  /** Not while hosts are given time because nobody was heard: this host program was asleep. */
  #missedRefresh({ heardAt }: Registration, now: number): boolean {
    return now - heardAt >= REFRESH_MISSED_MS && now >= this.#expiresNotBefore;
  }

  #repeat(sends: [Peer, Uint8Array][], now: number): void {
    if (this.#repeats.length + sends.length > REPEATS_MAX) return;
    for (const [peer, bytes] of sends) this.#repeats.push({ at: now + REPEAT_MS, peer, bytes });
  }

  #answer({ letter, from, bytes, now, out }: Case, message: Message, password: string): void {
    const { dialect, sender } = letter;
    const reply = encode(message, { dialect, sender: null, recipient: sender, to: from, password });
    this.#send(from, reply, bytes, now, out);
  }

  /** Sends an answer, unless a spoofed request would get more out of it than it costs. */
  #send(
    to: Peer,
    reply: Uint8Array,
    requestBytes: number,
    now: number,
    out: Outbox<RendezvousEvent>,
  ): void {
    if (reply.length > AMPLIFICATION_MAX * requestBytes) return refuse(to, "short", out);
    const overspent = this.#overspentOn(to, reply.length, now);
    if (overspent) refuse(to, overspent, out);
    else out.send(to, reply);
  }

  /** A host pays as a host, so nothing that others of its network do keeps it from being found. */
  #overspentBy(from: Peer, bytes: number, now: number): Overspent | undefined {
    const isHost = this.#registry.has(from);
    const requests = isHost ? this.#hostsRequests : this.#requests;
    if (!requests.take(from.network, now)) return "rate";
    return (isHost ? this.#hosts : this.#strangers).take(from.network, now, datagramsIn(bytes));
  }

  #overspentOn(to: Peer, bytes: number, now: number): Overspent | undefined {
    return this.#registry.has(to) ? undefined : this.#replies.take(to.network, now, bytes);
  }
}

function refuse(peer: Peer, reason: RendezvousRefusal, out: Outbox<RendezvousEvent>): void {
  out.emit({ kind: "refused", peer, reason });
}

/** Tells of a host that was not heard since an earlier server knew it. */
function continues(known: Registration, from: Peer, out: Outbox<RendezvousEvent>): void {
  if (known.heardAt === UNHEARD) out.emit({ kind: "continued", ...whoIs(known), peer: from });
}

function budgetOf(perSecond: number): Budget {
  return new Budget({ perSecond, burst: BURST_SECONDS * perSecond, keysMax: SOURCES_MAX });
}

function whoIs(registration: Registration): { peer: Peer; name: string; dialect: Dialect } {
  const { peer, name, dialect } = registration;
  return { peer, name, dialect };
}

const utf8 = new TextEncoder();

function utf8Length(text: string): number {
  return utf8.encode(text).length;
}
