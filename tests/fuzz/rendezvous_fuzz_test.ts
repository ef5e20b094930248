/**
 * Random sequences of everything that can happen to the rendezvous server. Always true:
 *
 * - nothing throws, and after `advance` the next deadline is later;
 * - a name whose owner refreshes it stays the owner's: no stranger registers, moves or drops it, and it
 *   leads to its owner in the end;
 * - nothing answers rubbish: what is no JSON object, names no sender, or was not hashed with its password;
 * - an address is sent at most three times the bytes of the request that is the reason, repeats included;
 * - names stay within the limits, in all and of each network, and agree with the events and with
 *   `remembers`; so many repeats wait at most;
 * - when all are silent every name expires, no deadline is left, and there is room again.
 *
 * Whole kinds of action are missing in some seeds. FUZZ_SECONDS=60 plays longer, SEED=17 one seed.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Outbox, Peer } from "../../lib/protocols/engine.ts";
import {
  createRendezvousServer,
  type RendezvousEvent,
  type RendezvousServer,
  type RendezvousServerOptions,
} from "../../lib/protocols/rendezvous/server.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { mutated, noise } from "../protocols/engine_suite.ts";
import { bytesOf, type Fields, signed } from "../protocols/rendezvous/datagrams.ts";
import { peerAt } from "../support/recorder.ts";
import { seeds, withSeed } from "../support/seeds.ts";

const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 2);
const ACTIONS = 500;
const DATAGRAMS_OF_ONE = 100_000;
const AMPLIFICATION_MAX = 3;
const REPEAT_MS = 150;
const REPEATS_MAX = 4_096;
/** Owners are never silent for as long as makes a missed refresh. */
const REFRESH_MS = 10_000;
const STRANGERS = 24;
const KEPT_MAX = 200;

Deno.test("createRendezvousServer() keeps its promises whatever happens", () => {
  const end = performance.now() + SECONDS * 1_000;
  for (const seed of seeds(Infinity)) {
    withSeed(seed, () => new Fuzzer(seededRandom(seed)).run(ACTIONS));
    if (performance.now() > end) break;
  }
});

Deno.test("createRendezvousServer() leaves owners their names in a hundred thousand datagrams", () => {
  const fuzzer = new Fuzzer(seededRandom(1), { requestsPerSecond: 1e4 }, [
    "mutated",
    "noise",
    "replay",
  ]);
  fuzzer.run(DATAGRAMS_OF_ONE);
});

const ACTION_KINDS = [
  "say",
  "mutated",
  "noise",
  "replay",
  "echo",
  "flood",
  "wait",
  "sleep",
] as const;
type Action = (typeof ACTION_KINDS)[number];

/** A datagram with its receiver, as one text. */
interface Said {
  readonly text: string;
  readonly room: { bytes: number };
}

interface Owner {
  readonly peer: Peer;
  readonly dialect: 1 | 2;
  readonly name: string;
  readonly key: string;
}

const TYPES = ["registering-server", "requesting-to-join-server", "no-such-type", "peer-check"];
const TYPES_2 = ["refreshing-server-registration", "requesting-server-list", "drop-me"];

class Fuzzer implements Outbox<RendezvousEvent> {
  readonly backlog = 0;
  readonly unsent = 0;
  readonly #random: Random;
  readonly #options: Required<RendezvousServerOptions>;
  readonly #server: RendezvousServer;
  readonly #actions: readonly Action[];
  readonly #owners: readonly Owner[];
  readonly #strangers: Peer[];
  /** Who has which name, as the events tell. */
  readonly #names = new Map<string, Peer>();
  /** Datagrams of anybody, to be sent again. */
  readonly #kept: Uint8Array[] = [];
  /** What was said in answer to each request, and may be said again. */
  #said: Said[] = [];
  /** Every key that somebody registered with, or tried to. */
  readonly #keys = new Set<string>();
  #now: number;
  #refreshedAt = -Infinity;
  /** The request that is answered now; undefined when time is the reason. */
  #request: Uint8Array | undefined;
  /** How many bytes each receiver may still get for it. */
  #room = new Map<Peer, { bytes: number }>();
  #repeats = 0;

  constructor(
    random: Random,
    options: RendezvousServerOptions = {},
    actions: readonly Action[] = ACTION_KINDS.filter((kind) => kind === "say" || random() < 0.6),
  ) {
    this.#random = random;
    this.#options = { ...optionsFrom(random), ...options };
    this.#server = createRendezvousServer(this.#options);
    this.#actions = actions;
    this.#now = pick(random, [0, 1.5, 2 ** 40]);
    this.#owners = ["one", "two", "\u{1f600}", "one"].map((name, index) => {
      const peer = peerAt(index === 2 ? "[2001:db8::5]:4001" : `203.0.113.${index}:4001`);
      return { peer, dialect: index < 2 ? 1 : 2, name, key: `key of ${index}` };
    });
    this.#strangers = Array.from({ length: STRANGERS }, (_, index) => {
      const network = index % pick(random, [1, 3, STRANGERS]);
      return peerAt(
        index % 3 === 0 ? `[2001:db8:${network}::1]:${index}` : `10.0.0.${network}:${index}`,
      );
    });
    // Neighbours behind the owners' NATs: where the limit is far, or they could use up theirs.
    if (this.#options.requestsPerSecond >= 1e4) {
      for (const { peer } of this.#owners) {
        const ip = peer.ip.includes(":") ? `[${peer.ip}]` : peer.ip;
        this.#strangers.push(peerAt(`${ip}:9`));
      }
    }
  }

  run(actions: number): void {
    this.#refresh();
    for (let action = 0; action < actions; action++) {
      this.#act(pick(this.#random, this.#actions));
      this.#pass(this.#random() * pick(this.#random, [0, 10, 100]));
      if (action % 50 === 0) this.#checkNames();
    }
    this.#checkOwners();
    this.#checkSilence();
  }

  // ---- what happens

  #act(action: Action): void {
    const random = this.#random;
    const stranger = pick(random, this.#strangers);
    switch (action) {
      case "say":
        return this.#receive(this.#anything(), stranger);
      case "mutated":
        return this.#receive(
          this.#spoilt(random() < 0.5 ? this.#anything() : this.#replay()),
          stranger,
        );
      case "noise":
        return this.#receive(noise(random, random() * pick(random, [8, 64, 9_000])), stranger);
      case "replay":
        return this.#receive(this.#replay(), stranger);
      case "echo":
        // `send` keeps the answers, too: what the server says comes back to it.
        return this.#receive(this.#kept.at(-1) ?? new Uint8Array(0), stranger);
      case "flood":
        for (let count = 0; count < 30; count++) this.#receive(this.#anything(), stranger);
        return;
      case "wait":
        return this.#pass(random() * pick(random, [200, 5_000, 100_000]));
      case "sleep":
        // Longer than any owner's word holds: the server must notice.
        this.#now += 62_000 + random() * 1_000_000;
        this.#advance();
        return this.#refresh();
      default:
        action satisfies never;
    }
  }

  /** What a stranger says who knows how to, but not the owners' keys. */
  #anything(): Uint8Array {
    const random = this.#random;
    const names = [...this.#owners.map(({ name }) => name), "a", "b", "c", "d", "e", "f"];
    const local = ["10.0.0.1", pick(random, [1, 4_001, 0, "1"])];
    const key = pick(random, ["key", "guess", 7]);
    const sender = pick(random, [...names, null]);
    const fields: Fields = { "local-address": local };
    if (random() < 0.9) fields["seconds-before-expiry"] = pick(random, [0, 1, 60, 1e9, "60"]);
    if (random() < 0.9) fields["server-name"] = pick(random, names);
    if (random() < 0.2) fields["padding"] = "x".repeat(random() * 3_000);
    if (random() < 0.5) {
      return bytesOf({
        type: pick(random, TYPES),
        ...sender === null ? {} : { sender },
        ...fields,
      });
    }
    Object.assign(fields, { "name": pick(random, names), "password-required": random() < 0.5 });
    if (random() < 0.7) fields["password"] = key;
    Object.assign(fields, { "__type": pick(random, [...TYPES, ...TYPES_2]) });
    Object.assign(fields, { "__sender-name": sender, "__destination-name": "_HANDSHAKE_SERVER" });
    return bytesOf(signed({ ...fields, "__destination-address": local }, String(key)));
  }

  #replay(): Uint8Array {
    return this.#kept.length === 0 ? this.#anything() : pick(this.#random, this.#kept);
  }

  /** Bytes are changed, or a value is another one. */
  #spoilt(datagram: Uint8Array): Uint8Array {
    const random = this.#random;
    const fields = random() < 0.5 ? objectIn(datagram) : undefined;
    if (!fields) return mutated(random, datagram);
    const values = [null, 7, "", "one", "key", [], ["10.0.0.1", 1], {}, true, "x".repeat(70)];
    const keys = Object.keys(fields);
    return bytesOf({ ...fields, [pick(random, [...keys, "password"])]: pick(random, values) });
  }

  /** Time passes in steps, and owners refresh. */
  #pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = Math.min(this.#server.nextDeadline(), this.#refreshedAt + REFRESH_MS);
      if (next > end) break;
      this.#now = Math.max(this.#now, next);
      if (this.#now >= this.#refreshedAt + REFRESH_MS) this.#refresh();
      this.#advance();
    }
    this.#now = end;
  }

  #refresh(): void {
    this.#refreshedAt = this.#now;
    for (const owner of this.#owners) {
      const isKnown = this.#names.has(keyOf(owner));
      this.#receive(refreshOf(owner, isKnown && this.#random() < 0.7), owner.peer);
    }
  }

  #receive(datagram: Uint8Array, from: Peer): void {
    this.#request = datagram.slice();
    this.#room = new Map();
    const password = objectIn(datagram)?.["password"];
    if (typeof password === "string") this.#keys.add(password);
    const copy = datagram.slice();
    this.#server.receive(copy, from, this.#now, this);
    copy.fill(0x22);
    this.#keep(this.#request);
    this.#request = undefined;
    this.#checkLimits();
  }

  #keep(datagram: Uint8Array): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(datagram);
    else this.#kept[Math.floor(this.#random() * KEPT_MAX)] = datagram;
  }

  #advance(): void {
    this.#repeats = 0;
    this.#server.advance(this.#now, this);
    const deadline = this.#server.nextDeadline();
    assert(deadline > this.#now, `the next deadline is ${deadline} after advance(${this.#now})`);
    // What nothing is due for will not be said again.
    if (deadline > this.#now + REPEAT_MS) this.#said = [];
  }

  // ---- what the server says

  send(peer: Peer, bytes: Uint8Array): void {
    const text = peer.address + new TextDecoder("latin1").decode(bytes);
    const room = this.#request ? this.#roomFor(peer, this.#request) : this.#roomOfRepeat(text);
    room.bytes -= bytes.length;
    assert(room.bytes >= 0, `${peer.address} got ${-room.bytes} bytes too many`);
    if (this.#request) this.#said.push({ text, room });
    if (this.#random() < 0.2) this.#keep(bytes.slice());
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
    const fields = objectIn(datagram);
    if (!fields) return false;
    if (!Object.hasOwn(fields, "__type")) return typeof fields["sender"] === "string";
    const { password, "__type": type, "__hash-string": hash } = fields;
    const keys = type === "refreshing-server-registration" ? [...this.#keys] : [password];
    return keys.some((key) => {
      return typeof key === "string" && (password ?? key) === key &&
        signed(fields, key)["__hash-string"] === hash;
    });
  }

  broadcast(): void {
    throw new Error("there is nothing to tell everybody");
  }

  emit(event: RendezvousEvent): void {
    if (event.kind === "refused") return;
    const { kind, peer, dialect } = event;
    if (kind === "introduced") {
      assert(this.#names.has(keyOf({ dialect, name: event.host })), `${event.host} is nobody's`);
      return;
    }
    const key = keyOf(event);
    const owner = this.#owners.find((owner) => keyOf(owner) === key);
    if (owner && this.#refreshedAt < Infinity) {
      assert(kind === "registered" && peer === owner.peer, `${kind} ${key} by ${peer.address}`);
    }
    const before = this.#names.get(key);
    assertEquals(before !== undefined, kind !== "registered", `${kind} ${key}`);
    if (kind === "registered" || kind === "moved") this.#names.set(key, peer);
    else this.#names.delete(key);
    if (kind === "expired" || kind === "dropped") assertEquals(before, peer, kind);
  }

  // ---- what is always true

  #checkLimits(): void {
    const { registrations } = this.#server;
    assertEquals(registrations, this.#names.size);
    assert(registrations <= this.#options.registrationsMax, `${registrations} names`);
  }

  #checkNames(): void {
    const perNetwork = new Map<string, number>();
    for (const { network } of this.#names.values()) {
      perNetwork.set(network, (perNetwork.get(network) ?? 0) + 1);
    }
    for (const [network, count] of perNetwork) {
      assert(count <= this.#options.registrationsPerNetworkMax, `${count} names of ${network}`);
    }
    const named = new Set(this.#names.values());
    for (const peer of [...this.#strangers, ...this.#owners.map(({ peer }) => peer)]) {
      assertEquals(this.#server.remembers(peer), named.has(peer), peer.address);
    }
  }

  /** Everybody finds the owners. */
  #checkOwners(): void {
    this.#pass(5_000);
    for (const [index, { name, dialect, peer }] of this.#owners.entries()) {
      this.#receive(joinOf(dialect, name), peerAt(`198.51.100.${index}:7000`));
      const found = this.#said.at(-1)?.text ?? "";
      assertMatch(found, new RegExp(`"global-address":\\["${peer.ip}",${peer.port}\\]`));
    }
  }

  /** Everybody is silent: names expire, and the server comes to rest. */
  #checkSilence(): void {
    this.#refreshedAt = Infinity;
    for (let calls = 0; this.#server.nextDeadline() < Infinity; calls++) {
      assert(calls < 10_000, "the server does not come to rest");
      this.#now = Math.max(this.#now, this.#server.nextDeadline());
      this.#advance();
    }
    assertEquals([this.#names.size, this.#server.registrations], [0, 0]);
    this.#checkNames();
    this.#now += 5_000;
    this.#refresh();
    assertEquals(this.#names.size, this.#owners.length);
  }
}

function optionsFrom(random: Random): Required<RendezvousServerOptions> {
  return {
    registrationsMax: pick(random, [4, 8, 16_384]),
    registrationsPerNetworkMax: pick(random, [1, 2, 64]),
    requestsPerSecond: pick(random, [2, 30, 1e4]),
    introductionsPerSecond: pick(random, [1, 20, 1e4]),
    validSecondsMax: pick(random, [60, 3_600]),
  };
}

/** An owner refreshes, or registers anew, as it always does in dialect 1. */
function refreshOf({ dialect, name, key }: Owner, isKnown: boolean): Uint8Array {
  const body = { "local-address": ["10.0.0.1", 4_001], "seconds-before-expiry": 60 };
  if (dialect === 1) return bytesOf({ "type": "registering-server", "sender": name, ...body });
  const envelope = { "__sender-name": name, "__destination-name": "", "__destination-address": 0 };
  const own = { "password": key, "password-required": true };
  const fields = isKnown
    ? { "__type": "refreshing-server-registration", "seconds-before-expiry": 60 }
    : { "__type": "registering-server", ...body, ...own };
  return bytesOf(signed({ ...fields, ...envelope }, key));
}

function joinOf(dialect: 1 | 2, host: string): Uint8Array {
  const body = { "local-address": ["10.0.0.1", 4_002], "server-name": host };
  const type = "requesting-to-join-server";
  if (dialect === 1) return bytesOf({ type, "sender": "finder", ...body });
  const envelope = { "__sender-name": "finder", "__destination-name": "", "password": "k" };
  return bytesOf(signed({ "__type": type, ...envelope, "__destination-address": 0, ...body }, "k"));
}

function objectIn(datagram: Uint8Array): Fields | undefined {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(datagram));
    return value instanceof Object && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function keyOf({ dialect, name }: { dialect: 1 | 2; name: string }): string {
  return `${dialect} ${name}`;
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}
