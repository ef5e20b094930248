/**
 * The rendezvous server. Always true:
 *
 * - a name whose owner refreshes it stays the owner's, also with a server that goes on: no stranger registers,
 *   moves or drops it, and it leads to its owner in the end;
 * - nothing answers rubbish: what is no JSON object, names no sender, or was not hashed with its password;
 * - an address is sent at most three times the bytes of the request that is the reason, repeats included;
 * - names stay within the limits, in all and of each network, and agree with the events and with
 *   `remembers`; so many repeats wait at most;
 * - when all are silent every name expires, no deadline is left, and there is room again.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createRendezvousServer,
  type RendezvousEvent,
  type RendezvousRefusal,
  type RendezvousServer,
  type RendezvousServerOptions,
} from "../../../lib/protocols/rendezvous/server.ts";
import { bytesOf, signed } from "../../protocols/rendezvous/datagrams.ts";
import { peerAt } from "../../support/recorder.ts";
import type { Chance } from "../harness/chance.ts";
import { DatagramFuzzer, engineTarget } from "../harness/engines.ts";
import { every, type Tally } from "../harness/reach.ts";
import * as words from "./rendezvous_words.ts";

const AMPLIFICATION_MAX = 3;
const REPEAT_MS = 150;
const REPEATS_MAX = 4_096;
/** Owners are never silent for as long as makes a missed refresh. */
const REFRESH_MS = 10_000;
const STRANGERS = 24;
const KEPT_MAX = 200;

/** A datagram with its receiver, as one text. */
interface Said {
  readonly text: string;
  readonly room: { bytes: number };
}

class RendezvousFuzzer extends DatagramFuzzer<RendezvousEvent> {
  engine: RendezvousServer;
  readonly peers: readonly Peer[];
  readonly #options: Required<RendezvousServerOptions>;
  readonly #owners: readonly words.Owner[];
  readonly #strangers: Peer[];
  /** Who has which name, as the events tell. */
  readonly #names = new Map<string, Peer>();
  /** Datagrams of anybody, to be sent again. */
  readonly #kept: Uint8Array[] = [];
  /** What was said in answer to each request, and may be said again. */
  #said: Said[] = [];
  /** Every key that somebody registered with, or tried to. */
  readonly #keys = new Set<string>();
  #refreshedAt = -Infinity;
  /** The request that is answered now; undefined when time is the reason. */
  #request: Uint8Array | undefined;
  /** How many bytes each receiver may still get for it. */
  #room = new Map<Peer, { bytes: number }>();
  #repeats = 0;
  #checks = 0;

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    this.#options = words.limitsFrom(chance);
    this.engine = this.create();
    this.#owners = ["one", "two", "\u{1f600}", "one"].map((name, index) => {
      const peer = peerAt(index === 2 ? "[2001:db8::5]:4001" : `203.0.113.${index}:4001`);
      return { peer, dialect: index < 2 ? 1 : 2, name, key: `key of ${index}` };
    });
    const networks = chance.pick([1, 3, STRANGERS]);
    this.#strangers = chance.many(STRANGERS, (index) => {
      const network = index % networks;
      return peerAt(index % 3 ? `10.0.0.${network}:${index}` : `[2001:db8:${network}::1]:${index}`);
    });
    // Neighbours behind the owners' NATs: where the limit is far, or they could use up theirs.
    if (this.#options.requestsPerSecond === words.MANY_REQUESTS) {
      for (const { peer: { ip } } of this.#owners) {
        this.#strangers.push(peerAt(ip.includes(":") ? `[${ip}]:9` : `${ip}:9`));
      }
    }
    this.peers = [...this.#strangers, ...this.#owners.map(({ peer }) => peer)];
  }

  protected override create(): RendezvousServer {
    return createRendezvousServer(this.#options);
  }

  protected override get expellable(): readonly Peer[] {
    return this.#strangers;
  }

  protected override begin(): void {
    this.#refresh();
  }

  // ---- what happens

  readonly actions = {
    say: (): void => this.#hear(this.#anything(), this.#stranger()),
    mutated: (): void => {
      const datagram = this.chance.is(0.5) ? this.#anything() : this.#replay();
      this.#hear(words.spoiltWord(this.chance, datagram), this.#stranger());
    },
    noise: (): void => this.#hear(this.chance.noise(), this.#stranger()),
    replay: (): void => this.#hear(this.#replay(), this.#stranger()),
    // `onSent` keeps the answers, too: what the server says comes back to it.
    echo: (): void => this.#hear(this.#kept.at(-1) ?? new Uint8Array(0), this.#stranger()),
    flood: (): void => {
      const stranger = this.#stranger();
      for (let count = 0; count < 30; count++) this.#hear(this.#anything(), stranger);
    },
    joins: (): void => {
      const { dialect, name } = this.chance.pick(this.#owners);
      for (let count = 0; count < 15; count++) {
        this.#hear(words.joinOf(dialect, name), this.#stranger());
      }
    },
    drop: (): void => {
      const [{ dialect, name }, peer, key] = this.#registered();
      const envelope = { "__destination-name": "", "__destination-address": 0 };
      const fields = { "__type": "drop-me", name, "__sender-name": name, ...envelope };
      if (dialect === 2) this.#hear(bytesOf(signed(fields, key)), peer);
    },
    // Its NAT gives a host another port, and it was not heard for a while.
    move: (): void => {
      const [{ dialect, name }, peer, key] = this.#registered();
      const neighbours = this.#strangers.filter(({ ip }) => ip === peer.ip);
      this.#pass(14_000);
      this.#hear(
        words.refreshOf({ dialect, name, key, peer }, false),
        this.chance.pick(neighbours),
      );
    },
    storm: (): void => {
      // Nobody is answered for a while; then owners need room.
      this.storm(() => bytesOf({}));
      this.#pass(5_000);
    },
    sleep: (): void => {
      // Longer than any owner's word holds: the server must notice.
      this.now += 62_000 + this.chance.below(1_000_000);
      this.advance();
      this.#refresh();
    },
  };

  #stranger(): Peer {
    return this.chance.pick(this.#strangers);
  }

  /** A name that a stranger has, its address, and what may be its key. */
  #registered(): [{ dialect: 1 | 2; name: string }, Peer, string] {
    const all = [...this.#names].filter(([, peer]) => this.#strangers.includes(peer));
    const [id, peer] = all.length > 0 ? this.chance.pick(all) : ["2 a", this.#stranger()] as const;
    const dialect = id.startsWith("1") ? 1 : 2;
    return [{ dialect, name: id.slice(2) }, peer, this.chance.pick(["key", "guess"])];
  }

  #anything(): Uint8Array {
    return words.anything(this.chance, this.#owners.map(({ name }) => name));
  }

  #replay(): Uint8Array {
    return this.#kept.length === 0 ? this.#anything() : this.chance.pick(this.#kept);
  }

  protected override wait(): void {
    this.#pass(this.chance.below(this.chance.pick([200, 5_000, 100_000])));
  }

  protected override drain(): void {
    this.#pass(this.chance.below(this.chance.pick([0, 10, 100])));
  }

  /** Time passes in steps, and owners refresh. */
  #pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = Math.min(this.engine.nextDeadline(), this.#refreshedAt + REFRESH_MS);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      if (this.now >= this.#refreshedAt + REFRESH_MS) this.#refresh();
      this.advance();
    }
    this.now = end;
  }

  #refresh(): void {
    this.#refreshedAt = this.now;
    for (const owner of this.#owners) {
      const isKnown = this.#names.has(words.keyOf(owner));
      this.#hear(words.refreshOf(owner, isKnown && this.chance.is(0.7)), owner.peer);
    }
  }

  #hear(datagram: Uint8Array, from: Peer): void {
    this.#request = datagram.slice();
    this.#room = new Map();
    const password = words.objectIn(datagram)?.["password"];
    if (typeof password === "string") this.#keys.add(password);
    this.receive(datagram, from);
    this.#keep(this.#request);
    this.#request = undefined;
    this.#checkLimits();
  }

  #keep(datagram: Uint8Array): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(datagram);
    else this.#kept[this.chance.whole(KEPT_MAX)] = datagram;
  }

  protected override advance(): void {
    this.#repeats = 0;
    super.advance();
    // What nothing is due for will not be said again.
    if (this.engine.nextDeadline() > this.now + REPEAT_MS) this.#said = [];
  }

  // ---- what the server says

  protected onSent(peer: Peer, bytes: Uint8Array): void {
    const text = peer.address + new TextDecoder("latin1").decode(bytes);
    const room = this.#request ? this.#roomFor(peer, this.#request) : this.#roomOfRepeat(text);
    room.bytes -= bytes.length;
    assert(room.bytes >= 0, `${peer.address} got ${-room.bytes} bytes too many`);
    if (this.#request) this.#said.push({ text, room });
    if (this.chance.is(0.2)) this.#keep(bytes.slice());
  }

  #roomFor(peer: Peer, request: Uint8Array): { bytes: number } {
    assert(this.#isRequest(request), `rubbish was answered: ${new TextDecoder().decode(request)}`);
    const room = this.#room.get(peer) ?? { bytes: AMPLIFICATION_MAX * request.length };
    this.#room.set(peer, room);
    return room;
  }

  #roomOfRepeat(text: string): { bytes: number } {
    assert(++this.#repeats <= REPEATS_MAX, `${this.#repeats} repeats waited`);
    // Of requests with the same answer, the longest one is the reason.
    const same = this.#said.filter((said) => said.text === text);
    assert(same.length > 0, "something new is said without a reason");
    const reason = same.reduce((one, other) => other.room.bytes > one.room.bytes ? other : one);
    this.#said.splice(this.#said.indexOf(reason), 1);
    return reason.room;
  }

  /** Whether somebody may have expected an answer to this. */
  #isRequest(datagram: Uint8Array): boolean {
    const fields = words.objectIn(datagram);
    if (!fields) return false;
    if (!Object.hasOwn(fields, "__type")) return typeof fields["sender"] === "string";
    const { password, "__type": type, "__hash-string": hash } = fields;
    const keys = type === "refreshing-server-registration" ? [...this.#keys] : [password];
    return keys.some((key) => {
      return typeof key === "string" && (password ?? key) === key &&
        signed(fields, key)["__hash-string"] === hash;
    });
  }

  protected onEvent(event: RendezvousEvent): void {
    if (event.kind === "refused") return;
    const { kind, peer, dialect } = event;
    if (kind === "introduced") {
      const host = words.keyOf({ dialect, name: event.host });
      return assert(this.#names.has(host), `${event.host} is nobody's`);
    }
    const key = words.keyOf(event);
    const owner = this.#owners.find((owner) => words.keyOf(owner) === key);
    if (owner && this.#refreshedAt < Infinity) {
      const isFine = (kind === "registered" || kind === "continued") && peer === owner.peer;
      assert(isFine, `${kind} ${key} by ${peer.address}`);
    }
    const before = this.#names.get(key);
    assertEquals(before !== undefined, kind !== "registered", `${kind} ${key}`);
    if (kind === "continued") return;
    if (kind === "registered" || kind === "moved") this.#names.set(key, peer);
    else this.#names.delete(key);
    if (kind !== "registered" && kind !== "moved") assertEquals(before, peer, kind);
  }

  // ---- what is always true

  #checkLimits(): void {
    const { registrations } = this.engine;
    assertEquals(registrations, this.#names.size);
    assert(registrations <= this.#options.registrationsMax, `${registrations} names`);
  }

  protected check(): void {
    if (this.#checks++ % 50 === 0) this.#checkNames();
  }

  #checkNames(): void {
    this.checkNetworks(this.#names.values(), this.#options.registrationsPerNetworkMax);
    const named = new Set(this.#names.values());
    for (const peer of this.peers) {
      assertEquals(this.engine.remembers(peer), named.has(peer), peer.address);
    }
  }

  protected finish(): void {
    this.#checkOwners();
    // Everybody is silent: names expire, and the server comes to rest.
    this.#refreshedAt = Infinity;
    this.drain = (): void => {};
    this.rest(Infinity);
    assertEquals([this.#names.size, this.engine.registrations], [0, 0]);
    this.#checkNames();
    this.now += 5_000;
    this.#refresh();
    assertEquals(this.#names.size, this.#owners.length);
  }

  /** Everybody finds the owners. */
  #checkOwners(): void {
    this.#pass(5_000);
    for (const [index, { name, dialect, peer }] of this.#owners.entries()) {
      this.#hear(words.joinOf(dialect, name), peerAt(`198.51.100.${index}:7000`));
      const found = this.#said.at(-1)?.text ?? "";
      assertMatch(found, new RegExp(`"global-address":\\["${peer.ip}",${peer.port}\\]`));
    }
  }
}

/** The rendezvous server. */
export const RENDEZVOUS_SERVER = engineTarget(
  "rendezvous",
  "rendezvous server",
  (chance, tally) => new RendezvousFuzzer(chance, tally),
  {
    reach: {
      kinds: [
        ...every<Exclude<RendezvousEvent["kind"], "refused">>()(
          "registered moved expired dropped expelled continued introduced",
        ),
        ...every<RendezvousRefusal>("refused:")(
          "oversize json type fields name address no-request hash unknown taken not-found incomplete elsewhere self rate busy host-rate full full-network short",
        ),
        "sent",
      ],
    },
    seeds: 12,
    actions: 500,
  },
);
