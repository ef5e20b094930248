/**
 * Random sequences of everything that can happen to the world's server, and to its client. Always true of
 * the server:
 *
 * - nothing throws but a step that does, and after `advance` the next deadline is later;
 * - what is sent is a packet of at most 1,200 bytes, is JSON of a known kind, and of this universe;
 * - the numbers of what one client is sent follow each other;
 * - an address that has not acked anything since it came gets one ACK for each of its packets, and below 2 kB
 *   besides; it is told of one object at a time and never of changes;
 * - an address that is gone, or never came, gets nothing but ACKs and word that there is no place;
 * - who is removed is told as removed only after the world removed it, and nothing is told of it afterwards
 *   but that;
 * - clients stay within the limits, in all and of each network, and so do those unproved; they agree with the
 *   events;
 * - what is longer than 512 bytes is not acked;
 * - a client that acks everything has the world as it is, some seconds after everything came to rest;
 * - when everybody is silent the server comes to rest and remembers nobody.
 *
 * And of the client, whatever a server says: nothing throws, deadlines are later, it has no more objects than
 * it may, its time never runs back in one universe, each of its objects has the five traits, what it tells
 * adds up to what it has, and it sends knocks, pings and ACKs of what it was sent and nothing else.
 *
 * Whole kinds of action are missing in some seeds. FUZZ_SECONDS=60 plays longer, SEED=17 one seed.
 */
import { assert, assertEquals } from "@std/assert";
import type { Outbox, Peer } from "../../lib/protocols/engine.ts";
import {
  createWorldClient,
  type WorldClientEngine,
  type WorldClientEvent,
} from "../../lib/protocols/world/client.ts";
import {
  createWorldServer,
  type WorldServerEngine,
  type WorldServerEvent,
  type WorldServerOptions,
} from "../../lib/protocols/world/server.ts";
import type { TraitChanges } from "../../lib/protocols/world/traits.ts";
import { decodePacket, encodeAck, encodeMessage } from "../../lib/protocols/world/wire.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { mutated, noise } from "../protocols/engine_suite.ts";
import { peerAt } from "../support/recorder.ts";
import { seeds, withSeed } from "../support/seeds.ts";

const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 2);
const ACTIONS = 250;
const SENT_BYTES_MAX = 1_200;
const RECEIVED_BYTES_MAX = 512;
const OVERHEAD_BYTES = 28;
const UNPROVED_BYTES_MAX = 2_000;
const STEP_BUG = "a bug in the game";

for (
  const [name, share, run] of [
    ["createWorldServer()", 0.65, (random: Random): void => new ServerFuzzer(random).run()],
    ["createWorldClient()", 0.35, (random: Random): void => new ClientFuzzer(random).run()],
  ] as const
) {
  Deno.test(`${name} keeps its promises whatever happens`, () => {
    const end = performance.now() + share * SECONDS * 1_000;
    for (const seed of seeds(Infinity)) {
      withSeed(seed, () => run(seededRandom(seed)));
      if (performance.now() > end) break;
    }
  });
}

function say(sequence: number, message: unknown): Uint8Array {
  return encodeMessage(sequence, new TextEncoder().encode(JSON.stringify(message)));
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}

// ---- the server

const ACTION_KINDS = [
  "knock",
  "answer",
  "guess",
  "stop",
  "ping",
  "long",
  "mutated",
  "noise",
  "flood",
  "live",
  "wait",
] as const;
type Action = (typeof ACTION_KINDS)[number];

/** What the test knows of an address. */
interface Known {
  readonly peer: Peer;
  /** The server said that it joined, and not that it left. */
  hasJoined: boolean;
  /** Since it came, if it is remembered: what it cost and got, and whether it may have acked. */
  bytes: number;
  hasAcked: boolean;
  /** Its packets that were not acked yet. */
  unacked: number;
  /** Of the last packet it was sent. */
  sequence: number | undefined;
  /** What it could ack. */
  waiting: number[];
  /** The newest tick it was told of. */
  toldTime: number;
  /** What it was told to be gone. */
  readonly gone: Set<number>;
  /** Has an engine of its own that acks all. */
  readonly client: WorldClientEngine | undefined;
}

class ServerFuzzer implements Outbox<WorldServerEvent> {
  readonly #random: Random;
  readonly #options: WorldServerOptions;
  readonly #world: World;
  readonly #server: WorldServerEngine;
  readonly #actions: Action[];
  readonly #known: Known[];
  readonly #byPeer = new Map<Peer, Known>();
  /** Ids that were there once. */
  readonly #ever = new Set<number>();
  readonly #clogs: boolean;
  readonly #listens: boolean;
  readonly #deliveries: [WorldClientEngine, Uint8Array, Peer][] = [];
  #universe: unknown;
  #mayThrow = false;
  #isAtRest = false;
  #now: number;
  #cloggedUntil = -Infinity;
  readonly backlog = 0;
  unsent = 0;

  constructor(random: Random) {
    this.#random = random;
    const objectsMax = pick(random, [1, 20, 300]);
    this.#world = new World({ objectsMax, decimals: 3 });
    this.#options = {
      world: this.#world,
      tickRateHz: pick(random, [0, 0.5, 10, 100, 1_000]),
      keyframeMs: pick(random, [0, 50, 10_000]),
      silenceMs: pick(random, [400, 3_000, 10_000]),
      clientsMax: pick(random, [1, 4, 512]),
      unprovedMax: pick(random, [1, 4, 512]),
      clientsPerNetworkMax: pick(random, [1, 4, 64]),
      // A big world would take minutes at the least of them.
      bytesPerSecond: pick(random, [objectsMax > 100 ? 20_000 : 1_200, 50_000, 262_144]),
      unixMs: () => 1_795_230_171_890 + this.#now,
      random,
      step: (_, seconds): void => {
        assertEquals(seconds, 1 / this.#options.tickRateHz!);
        if (this.#isAtRest || random() < 0.7) return;
        this.#live();
        if (!this.#mayThrow || random() < 0.9) return;
        throw new Error(STEP_BUG);
      },
    };
    this.#server = createWorldServer(this.#options);
    this.#actions = ACTION_KINDS.filter((kind) => kind === "wait" || random() < 0.75);
    this.#mayThrow = random() < 0.3;
    this.#clogs = random() < 0.4;
    this.#listens = random() < 0.8;
    this.#now = pick(random, [0, 1.5, 2 ** 40]);
    const networks = pick(random, [1, 3, 40]);
    this.#known = Array.from({ length: pick(random, [2, 8, 40]) }, (_, index): Known => ({
      peer: peerAt(`192.0.2.${index % networks}:${5_000 + index}`),
      hasJoined: false,
      bytes: 0,
      hasAcked: false,
      unacked: 0,
      sequence: undefined,
      waiting: [],
      toldTime: 0,
      gone: new Set(),
      client: index % 3 === 0 && this.#listens ? createWorldClient({ random }) : undefined,
    }));
    for (const known of this.#known) this.#byPeer.set(known.peer, known);
  }

  run(): void {
    for (let action = 0; action < ACTIONS; action++) {
      this.#act(pick(this.#random, this.#actions));
      this.#checkCensus();
    }
    this.#checkMirrors();
    this.#checkSilence();
  }

  // ---- what happens

  #act(action: Action): void {
    const random = this.#random;
    const known = pick(random, this.#known);
    const sequence = Math.floor(random() * 65_536);
    // Who acks what it has not heard has itself to blame: clients with an engine do not.
    if (known.client && ["answer", "guess", "mutated"].includes(action)) return;
    switch (action) {
      case "knock":
        if (known.client) return this.#knock(known);
        return this.#receive(say(sequence, { type: "knock", diffs: random() < 0.5 }), known);
      case "answer":
        return this.#answer(known);
      case "guess": {
        known.hasAcked = true;
        const near = known.sequence ?? sequence;
        const guessed = (near + Math.floor(random() * 5) + 65_534) % 65_536;
        return this.#receive(encodeAck(random() < 0.5 ? guessed : sequence), known);
      }
      case "stop":
        return this.#receive(say(sequence, { type: "stop" }), known);
      case "ping":
        return this.#receive(say(sequence, pick<unknown>(random, [{}, { type: "x" }])), known);
      case "long": {
        const text = "x".repeat(random() * pick(random, [500, 9_000]));
        return this.#receive(say(sequence, { type: "knock", text }), known);
      }
      case "mutated": {
        known.hasAcked = true;
        const ack = encodeAck(pick(random, [...known.waiting, sequence]));
        const knock = say(sequence, { type: "knock" });
        return this.#receive(mutated(random, random() < 0.5 ? ack : knock), known);
      }
      case "noise":
        return this.#receive(noise(random, random() * pick(random, [8, 64, 9_000])), known);
      case "flood":
        for (const each of this.#known) {
          for (let times = 0; times < 5; times++) {
            this.#receive(say(times, { type: "knock" }), each);
          }
        }
        return;
      case "live":
        this.#live();
        return this.#tick();
      case "wait":
        return this.#wait();
      default:
        action satisfies never;
    }
  }

  /** The world changes: things come, change, lose traits and go. */
  #live(): void {
    const random = this.#random;
    const world = this.#world;
    for (let deeds = 1 + random() * pick(random, [1, 3, 30]); deeds > 1; deeds--) {
      const ids = [...world.objects.keys()];
      const id = pick(random, ids);
      const kind = random();
      try {
        if (id === undefined || kind < 0.3) this.#ever.add(world.spawn(this.#traits()));
        else if (kind < 0.85) world.update(id, this.#traits());
        else world.remove(id);
      } catch (error) {
        assert(error instanceof RangeError, "full, or too much in one object");
      }
    }
  }

  #traits(): TraitChanges {
    const random = this.#random;
    const changes: Record<string, unknown> = {};
    if (random() < 0.5) changes.position = [random() * 1e6, -random(), Math.floor(random() * 3)];
    if (random() < 0.3) changes.mass = Math.floor(random() * 5);
    if (random() < 0.3) changes.name = "é".repeat(random() * pick(random, [3, 160]));
    if (random() < 0.2) changes.hp = random() < 0.5 ? undefined : { now: random(), of: [1, null] };
    return changes as TraitChanges;
  }

  #tick(): void {
    if (this.#options.tickRateHz === 0) this.#server.tick(this.#now, this);
    this.#deliver();
  }

  #knock(known: Known): void {
    const server = SERVER;
    known.client!.connect([server], this.#now, this.#clientOut(known));
    this.#deliver();
  }

  #answer(known: Known): void {
    if (known.waiting.length > 0) known.hasAcked = true;
    for (const sequence of known.waiting.splice(0)) this.#receive(encodeAck(sequence), known);
  }

  #receive(datagram: Uint8Array, known: Known): void {
    if (this.#random() < 0.3) this.#now += this.#random() * 20;
    this.#hand(datagram, known);
    this.#deliver();
  }

  #hand(datagram: Uint8Array, known: Known): void {
    const packet = decodePacket(datagram);
    const isTooLong = packet.kind === "message" && datagram.length > RECEIVED_BYTES_MAX;
    const kind = isTooLong ? "refused" : packet.kind;
    const wasRemembered = this.#server.remembers(known.peer);
    if (kind === "ack") known.hasAcked = true;
    else if (kind === "message") known.unacked++;
    const copy = datagram.slice();
    this.#server.receive(copy, known.peer, this.#now, this);
    copy.fill(0x30);
    if (kind === "message") known.unacked = 0;
    if (this.#server.remembers(known.peer) && !wasRemembered) {
      known.hasAcked = false;
      known.bytes = 0;
      known.sequence = undefined;
    }
    if (!this.#server.remembers(known.peer)) known.waiting = [];
  }

  /** What was sent to clients with an engine reaches them, or is lost. */
  #deliver(): void {
    for (let delivery; (delivery = this.#deliveries.shift());) {
      const [client, bytes, to] = delivery;
      if (!this.#isAtRest && this.#random() < 0.2) continue;
      client.receive(bytes, SERVER, this.#now, this.#clientOut(this.#byPeer.get(to)!));
    }
  }

  #clientOut(known: Known): Outbox<WorldClientEvent> {
    return {
      send: (_, bytes): void => this.#hand(bytes, known),
      broadcast(): void {},
      emit(): void {},
      backlog: 0,
      unsent: 0,
    };
  }

  /** Follows the deadlines for a while, on time or late. */
  #wait(): void {
    const random = this.#random;
    const end = this.#now + random() * pick(random, [5, 500, 5_000, 50_000]);
    const lateMs = pick(random, [0, 0, 3, 2_000]);
    if (this.#clogs && random() < 0.3) this.#cloggedUntil = this.#now + random() * 3_000;
    for (let calls = 0; calls < 40; calls++) {
      const deadline = this.#nextDeadline();
      if (deadline > end) break;
      this.#now = Math.max(this.#now, deadline) + random() * lateMs;
      this.#advance();
    }
    this.#now = Math.max(this.#now, end);
    if (random() < 0.5) this.#advance();
  }

  #nextDeadline(): number {
    const clients = this.#known.flatMap(({ client }) => client ? [client.nextDeadline()] : []);
    return Math.min(this.#server.nextDeadline(), ...clients);
  }

  #advance(): void {
    if (this.#now >= this.#cloggedUntil) this.unsent = 0;
    try {
      this.#server.advance(this.#now, this);
    } catch (error) {
      if (!(error instanceof Error && error.message === STEP_BUG)) throw error;
    }
    const deadline = this.#server.nextDeadline();
    assert(deadline > this.#now, `the next deadline is ${deadline} after advance(${this.#now})`);
    this.#deliver();
    for (const known of this.#known) known.client?.advance(this.#now, this.#clientOut(known));
    this.#deliver();
  }

  // ---- what the server says

  broadcast(): void {
    throw new Error("no two clients are sent the same datagram");
  }

  send(peer: Peer, bytes: Uint8Array): void {
    this.unsent++;
    assert(bytes.length <= SENT_BYTES_MAX, `${bytes.length} bytes`);
    const known = this.#byPeer.get(peer)!;
    const packet = decodePacket(bytes);
    assert(packet.kind !== "refused", "something that is no packet");
    if (packet.kind === "ack") {
      assert(known.unacked-- > 0, "an ACK too many");
    } else if (packet.message.type === "full") {
      assert(!this.#server.remembers(peer) || known.hasAcked, "full, though it has a place");
    } else this.#tell(known, packet.sequence, packet.message, bytes.length);
    if (known.client) this.#deliveries.push([known.client, bytes, peer]);
  }

  #tell(
    known: Known,
    sequence: number,
    message: Readonly<Record<string, unknown>>,
    bytes: number,
  ): void {
    assert(this.#server.remembers(known.peer), "something for an address that is gone");
    assertEquals(message.universe, this.#universe ??= message.universe);
    if (known.sequence !== undefined) assertEquals(sequence, (known.sequence + 1) % 65_536);
    known.sequence = sequence;
    known.waiting.push(sequence);
    const { time } = this.#world;
    switch (message.type) {
      case "snap":
        this.#checkNews(known, [message.id as number], message.time as number, false);
        break;
      case "diff": {
        const ids = Object.keys(message.diff as object).map(Number);
        this.#checkNews(known, ids, message.time as number, false);
        break;
      }
      case "remove":
        this.#checkNews(known, message.ids as number[], message.time as number, true);
        break;
      case "heartbeat":
        assertEquals(message.tick, time);
        assertEquals(message.tickRate, this.#options.tickRateHz);
        assert((message.synced as number | undefined ?? 0) <= time, `synced ${message.synced}`);
        break;
      default:
        throw new Error(`a message of type ${message.type}`);
    }
    if (known.hasJoined) return;
    assert(message.type === "snap" || message.type === "heartbeat", `${message.type}`);
    known.bytes += bytes + OVERHEAD_BYTES;
    const ack = 23 + OVERHEAD_BYTES;
    assert(known.bytes + ack < UNPROVED_BYTES_MAX, `${known.bytes} bytes and an ACK`);
  }

  /** News are of now, or of the tick that is being told at the moment. */
  #checkNews(known: Known, ids: readonly number[], time: number, areGone: boolean): void {
    assert(ids.length > 0);
    assert(time <= this.#world.time && time >= known.toldTime, `${time} after ${known.toldTime}`);
    known.toldTime = time;
    for (const id of ids) {
      assert(this.#ever.has(id), `object ${id} never was`);
      const isThere = this.#world.entities.has(id);
      if (areGone) {
        assert(!isThere, `object ${id} is there`);
        known.gone.add(id);
      } else {
        assert(isThere || time < this.#world.time, `object ${id} is gone`);
        assert(!known.gone.has(id), `object ${id} was told to be gone`);
      }
    }
  }

  emit(event: WorldServerEvent): void {
    switch (event.kind) {
      case "joined": {
        const known = this.#byPeer.get(event.peer)!;
        assert(!known.hasJoined && known.hasAcked, "joined, but acked nothing");
        known.hasJoined = true;
        return;
      }
      case "left": {
        const known = this.#byPeer.get(event.peer)!;
        assert(known.hasJoined && !this.#server.remembers(event.peer));
        known.hasJoined = false;
        return;
      }
      case "stalled":
        return assert(event.lostMs > 0);
      case "lagging":
        return assert(event.toldShare >= 0 && event.toldShare <= 0.8, `${event.toldShare}`);
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }

  // ---- what is always true

  #checkCensus(): void {
    const { clients, unproved, objects, time } = this.#server.census();
    const { clientsMax, unprovedMax, clientsPerNetworkMax } = this.#options;
    assertEquals([objects, time], [this.#world.entities.size, this.#world.time]);
    const joined = this.#known.filter(({ hasJoined }) => hasJoined).map(({ peer }) => peer);
    assertEquals(new Set(this.#server.clients().map(({ peer }) => peer)), new Set(joined));
    assertEquals(clients, joined.length, "clients");
    assert(clients <= clientsMax!, `${clients} clients`);
    assert(unproved <= unprovedMax!, `${unproved} unproved`);
    const remembered = this.#known.filter(({ peer }) => this.#server.remembers(peer));
    assertEquals(remembered.length, clients + unproved, "remembered");
    const perNetwork = new Map<string, number>();
    for (const { peer: { network }, hasJoined } of remembered) {
      const key = `${network} ${hasJoined}`;
      perNetwork.set(key, (perNetwork.get(key) ?? 0) + 1);
    }
    for (const count of perNetwork.values()) {
      assert(count <= clientsPerNetworkMax!, `${count} of one network`);
    }
  }

  /** Nothing changes and nothing is lost any more: clients that ack everything have what there is. */
  #checkMirrors(): void {
    this.#isAtRest = true;
    this.#cloggedUntil = -Infinity;
    this.#tick();
    this.#follow(this.#now + (this.#options.bytesPerSecond === 1_200 ? 60_000 : 12_000));
    for (const { client, hasJoined } of this.#known) {
      if (!client?.isSynced || !hasJoined) continue;
      assertEquals(new Set(client.objects.keys()), new Set(this.#world.objects.keys()));
      for (const [id, traits] of client.objects) {
        const { position, ...others } = this.#world.objects.get(id)!;
        const { position: seen, ...othersSeen } = traits;
        assertEquals({ ...othersSeen }, others);
        for (const [axis, value] of position.entries()) {
          assert(Math.abs(seen[axis]! - value) < 0.001, `${id} is at ${seen}, not ${position}`);
        }
      }
    }
  }

  #follow(end: number): void {
    for (let deadline; (deadline = this.#nextDeadline()) <= end;) {
      // Most of the time it may be late, so that this does not take longer than all of the rest.
      this.#now = Math.max(this.#now + 45, deadline);
      this.#advance();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Everybody is silent: the server comes to rest and holds nothing. */
  #checkSilence(): void {
    const { peer } = this.#known[0]!;
    for (const known of this.#known) {
      (known as { client: undefined }).client = undefined;
    }
    const end = this.#now + 11_000;
    this.#follow(end);
    const { clients, unproved } = this.#server.census();
    assertEquals([clients, unproved], [0, 0], "somebody is remembered");
    assert(!this.#server.remembers(peer));
    this.#checkCensus();
    const { tickRateHz } = this.#options;
    if (tickRateHz === 0) assertEquals(this.#server.nextDeadline(), Infinity);
  }
}

const SERVER = peerAt("192.0.2.100:25005");

// ---- the client

const SERVERS = [SERVER, peerAt("[2001:db8::1]:25005")];

class ClientFuzzer implements Outbox<WorldClientEvent> {
  readonly #random: Random;
  readonly #client: WorldClientEngine;
  readonly #objectsMax: number;
  readonly #universes: readonly (number | undefined)[];
  readonly #foreign = peerAt("192.0.2.9:1");
  /** What it told of. */
  readonly #objects = new Map<number, unknown>();
  #now: number;
  #sequence: number | undefined;
  /** Of the message that is handed over at this moment. */
  #mayAck: number | undefined;
  #isConnected = false;
  readonly backlog = 0;
  readonly unsent = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#objectsMax = pick(random, [1, 10, 1_000]);
    this.#universes = pick(random, [[7], [undefined], [7, 7, 7, 8, 9, undefined]]);
    this.#now = pick(random, [0, 1.5, 2 ** 40]);
    this.#client = createWorldClient({
      random,
      objectsMax: this.#objectsMax,
      silenceMs: pick(random, [500, 7_000]),
      drawDelayMs: pick(random, [0, 100]),
    });
    this.#connect();
  }

  /** To another server, as far as the client knows: its numbers begin anew. */
  #connect(): void {
    this.#sequence = undefined;
    this.#client.connect(SERVERS, this.#now, this);
  }

  run(): void {
    const random = this.#random;
    for (let action = 0; action < ACTIONS; action++) {
      const kind = random();
      const from = kind < 0.9 ? SERVER : pick(random, [...SERVERS, this.#foreign]);
      if (kind < 0.5) this.#receive(this.#message(), from);
      else if (kind < 0.6) this.#receive(mutated(random, this.#message()), from);
      else if (kind < 0.65) this.#receive(noise(random, random() * 100), from);
      else if (kind < 0.7) this.#receive(encodeAck(this.#sequence!), from);
      else if (kind < 0.98) this.#wait();
      else this.#connect();
      this.#check();
    }
  }

  #wait(): void {
    const random = this.#random;
    const end = this.#now + random() * pick(random, [5, 500, 20_000]);
    for (let deadline; (deadline = this.#client.nextDeadline()) <= end;) {
      this.#now = Math.max(this.#now, deadline) + (random() < 0.1 ? random() * 1_000 : 0);
      this.#client.advance(this.#now, this);
      const next = this.#client.nextDeadline();
      assert(next > this.#now, `the next deadline is ${next} after advance(${this.#now})`);
    }
    this.#now = Math.max(this.#now, end);
  }

  #receive(datagram: Uint8Array, from: Peer): void {
    const packet = decodePacket(datagram);
    this.#mayAck = packet.kind === "message" ? packet.sequence : undefined;
    const { time } = this.#client;
    const objects = new Set(this.#client.objects.keys());
    const copy = datagram.slice();
    this.#client.receive(copy, from, this.#now, this);
    copy.fill(0x30);
    this.#mayAck = undefined;
    // Back only in another universe: nothing of the last one is there any more.
    if (this.#client.time >= time) return;
    assert(packet.kind === "message");
    const told = new Set([packet.message.id as number, ...Object.keys(packet.message.diff ?? {})]);
    for (const id of this.#client.objects.keys()) {
      assert(!objects.has(id) || told.has(id) || told.has(String(id)), `${id} is from before`);
    }
  }

  /** What a server may say, and some of what it should not. */
  #message(): Uint8Array {
    const random = this.#random;
    const integer = (max: number): number => Math.floor(random() * max);
    const strange: unknown[] = [null, -1, 0.5, "1", [], {}, 1e308, 2 ** 60, true, undefined];
    const odd = <T>(value: T): unknown => random() < 0.03 ? pick(random, strange) : value;
    const number = (): unknown => odd(random() < 0.1 ? 1e308 * (random() - 0.5) : integer(1_000));
    const vector = (count: number): unknown => odd(Array.from({ length: count }, number));
    const id = (): unknown => odd(integer(random() < 0.9 ? 15 : 3_000));
    const traits = (): unknown =>
      odd({
        [pick(random, ["hp", "__proto__", "constructor", "x".repeat(70), "é"])]: odd(integer(9)),
      });
    const time = odd(integer(random() < 0.95 ? 300 : 10_000));
    const universe = odd(pick(random, this.#universes));
    const changes = (): unknown =>
      odd({
        position: vector(3),
        ...(random() < 0.5 && { quaternion: vector(4), mass: number() }),
      });
    const kind = random();
    let message: unknown;
    if (kind < 0.35) {
      const snapshot = odd([vector(3), vector(3), vector(4), vector(3), number()]);
      const more = {
        total: odd(5),
        initial: odd(true),
        ...(random() < 0.5 && { traits: traits() }),
      };
      message = { type: "snap", id: id(), time, snapshot, universe, ...more };
    } else if (kind < 0.65) {
      const parts = Array.from({ length: 1 + integer(3) }, () => [
        String(id()),
        random() < 0.7 ? changes() : traits(),
      ]);
      message = { type: "diff", time, diff: odd(Object.fromEntries(parts)), universe };
    } else if (kind < 0.75) {
      message = {
        type: "remove",
        time,
        ids: odd(Array.from({ length: integer(4) }, id)),
        universe,
      };
    } else if (kind < 0.95) {
      const tickRate = odd(pick(random, [0, 100, 1e-300, undefined]));
      const synced = random() < 0.5 ? undefined : odd(integer(300));
      message = { type: "heartbeat", time: odd(1.5), tick: time, tickRate, synced, universe };
    } else {
      const types = [undefined, "full", "stop", "x", []];
      message = { type: pick<unknown>(random, types) };
    }
    return say(integer(65_536), message);
  }

  // ---- what the client says

  broadcast(): void {
    throw new Error("a client has nobody to broadcast to");
  }

  send(peer: Peer, bytes: Uint8Array): void {
    assert(SERVERS.includes(peer), `something to ${peer.address}`);
    const packet = decodePacket(bytes);
    assert(packet.kind !== "refused");
    if (packet.kind === "ack") {
      assertEquals(packet.sequence, this.#mayAck, "an ACK of something that was not there");
      this.#mayAck = undefined;
      return;
    }
    const { type } = packet.message;
    assert(type === "knock" || type === undefined, `${type}`);
    const isSame = packet.sequence === this.#sequence && type === "knock"; // At another address.
    if (this.#sequence !== undefined && !isSame) {
      assertEquals(packet.sequence, (this.#sequence + 1) % 65_536);
    }
    this.#sequence = packet.sequence;
  }

  emit(event: WorldClientEvent): void {
    switch (event.kind) {
      case "spawned":
        assert(!this.#objects.has(event.id), `${event.id} was there`);
        this.#objects.set(event.id, event.traits);
        return;
      case "changed":
        assert(this.#objects.has(event.id), `${event.id} was not there`);
        assert(Object.keys(event.changes).length > 0, "a change of nothing");
        this.#objects.set(event.id, event.traits);
        return;
      case "removed":
        assert(this.#objects.delete(event.id), `${event.id} was not there`);
        return;
      case "connected":
        this.#isConnected = true;
        return assert(SERVERS.includes(event.server));
      case "disconnected":
        assert(this.#isConnected, "it was not connected");
        this.#isConnected = false;
        return;
      case "latency":
        return assert(event.roundTripMs >= 0 && event.roundTripMs < 60_000, `${event.roundTripMs}`);
      case "synced":
        return assertEquals(event.objects, this.#objects.size);
      case "heartbeat":
        return assert(Number.isFinite(event.unixSeconds));
      case "full":
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }

  // ---- what is always true

  #check(): void {
    const { objects, time, loss, total, isConnected, isSynced, heardAt } = this.#client;
    assert(objects.size <= this.#objectsMax, `${objects.size} objects`);
    assertEquals(new Map(objects), this.#objects);
    for (const [id, traits] of objects) {
      assert(Number.isSafeInteger(id) && id >= 0, `object ${id}`);
      const { velocity, angularVelocity, quaternion, position, mass } = traits;
      const numbers = [...velocity, ...angularVelocity, ...quaternion, ...position, mass];
      assertEquals(numbers.length, 14);
      assert(numbers.every(Number.isFinite), `object ${id}`);
      const pose = this.#client.poseOf(id, this.#now);
      assertEquals([pose?.position.length, pose?.quaternion.length], [3, 4]);
    }
    assert(Number.isSafeInteger(time) && time >= -1, `time ${time}`);
    assert(loss === undefined || loss >= 0 && loss <= 1, `loss ${loss}`);
    assert(total === undefined || Number.isSafeInteger(total), `total ${total}`);
    assert(!isSynced || isConnected, "synced, but not connected");
    assert(heardAt <= this.#now);
    assert(SERVERS.every((server) => this.#client.remembers(server)));
    assert(!this.#client.remembers(this.#foreign));
  }
}
