/**
 * Random sequences of everything that can happen to the sync server. Always true:
 *
 * - nothing throws, and after `advance` the next deadline is later;
 * - a snapshot is ASCII JSON of at most one IPv4 datagram, its ids are those of the players of this
 *   moment, its states were sent from the address that has the id;
 * - snapshot numbers rise for every address; rounds keep to the rate; nothing is broadcast while the
 *   last slice still waits;
 * - players, unverified and departed addresses stay within the limits, in all and of each network, and
 *   agree with the events and with `remembers`;
 * - an address is not sent more than its credit without being heard; one that is no player gets at
 *   most two bytes for each byte it sent.
 *
 * Whole kinds of action are missing in some seeds. FUZZ_SECONDS=60 plays longer, SEED=17 one seed.
 */
import { assert, assertEquals } from "@std/assert";
import type { Outbox, Peer } from "../../lib/protocols/engine.ts";
import { createSyncServer } from "../../lib/protocols/sync/server.ts";
import type { SyncEvent, SyncServer, SyncServerOptions } from "../../lib/protocols/sync/server.ts";
import {
  DATAGRAM_BYTES_MAX,
  decodeClientMessage,
  decodeServerMessage,
  encodeIdRequest,
  encodeState,
  parseStates,
  STATE_BYTES_MAX,
} from "../../lib/protocols/sync/wire.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { mutated, noise } from "../protocols/engine_suite.ts";
import { peerAt } from "../support/recorder.ts";
import { seeds, withSeed } from "../support/seeds.ts";

const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 2);
const ACTIONS = 500;
/** What an address is sent without being heard, as the server has it. */
const CREDIT_MS = 3_000;
const CREDIT_SNAPSHOTS_MIN = 10;
const CREDIT_SNAPSHOTS_WITHOUT_RATE = 600;
/** A round that is late by so much may be followed by the next one at its time. */
const TIMER_LATE_MS = 4;

Deno.test("createSyncServer() keeps its promises whatever happens", () => {
  const end = performance.now() + SECONDS * 1_000;
  for (const seed of seeds(Infinity)) {
    withSeed(seed, () => new Fuzzer(seededRandom(seed)).run());
    if (performance.now() > end) break;
  }
});

Deno.test("createSyncServer() with a returnMs of 0 leaves no deadline behind a player", () => {
  // Found by the fuzzer: the departed were due at the very moment at which they left.
  const server = createSyncServer({ firstSnapshotNumber: 1, returnMs: 0, silenceMs: 500 });
  const peer = peerAt("192.0.2.7:5000");
  const out: Outbox<SyncEvent> = {
    send(): void {},
    broadcast(): void {},
    emit(): void {},
    backlog: 0,
    unsent: 0,
  };
  server.receive(encodeIdRequest(), peer, 0, out);
  server.receive(encodeState(1n, new Uint8Array(1).fill(0x41)), peer, 0, out);
  server.advance(500, out);
  assertEquals(server.nextDeadline(), Infinity);
  assert(!server.remembers(peer));
});

const ACTION_KINDS = [
  "idRequest",
  "state",
  "keepAlive",
  "mutated",
  "noise",
  "flood",
  "large",
  "chatter",
  "wait",
] as const;
type Action = (typeof ACTION_KINDS)[number];

/** What the test knows of an address. */
interface Known {
  readonly peer: Peer;
  isPlayer: boolean;
  id: number | undefined;
  number: bigint;
  /** Bytes while it was no player: from it and to it. */
  bytesIn: number;
  bytesOut: number;
  /** Snapshots since it was heard. */
  unheard: number;
  stateNumber: number;
  readonly states: Set<string>;
}

class Fuzzer implements Outbox<SyncEvent> {
  readonly #random: Random;
  readonly #options: SyncServerOptions;
  readonly #server: SyncServer;
  readonly #actions: Action[];
  readonly #known: Known[];
  readonly #byPeer = new Map<Peer, Known>();
  readonly #byId = new Map<number, Known>();
  readonly #creditMax: number;
  /** Nothing leaves for a while. */
  readonly #getsStuck: boolean;
  #now: number;
  #roundAt = -Infinity;
  #busySince = 0;
  #players = 0;
  #rounds = 0;
  #lastNumber = 0n;
  #stuckUntil = -Infinity;
  backlog = 0;
  readonly unsent = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#options = optionsFrom(random);
    this.#server = createSyncServer(this.#options);
    this.#actions = ACTION_KINDS.filter((kind) => kind === "state" || random() < 0.6);
    this.#getsStuck = random() < 0.5;
    this.#now = pick(random, [0, 1.5, 2 ** 40]);
    this.#creditMax = creditMax(this.#options);
    const networks = pick(random, [1, 3, 20]);
    this.#known = Array.from({ length: pick(random, [2, 10, 60, 200]) }, (_, index) => {
      const network = `192.0.2.${index % networks}`;
      return knownFrom(peerAt(`${network}:${5_000 + index}`));
    });
    for (const known of this.#known) this.#byPeer.set(known.peer, known);
  }

  run(): void {
    for (let action = 0; action < ACTIONS; action++) {
      this.#act(pick(this.#random, this.#actions));
      this.#drain();
      this.#checkCensus();
      if (action % 50 === 0) this.#checkRemembered();
    }
    this.#checkSilence();
  }

  // ---- what happens

  #act(action: Action): void {
    const random = this.#random;
    const known = pick(random, this.#known);
    switch (action) {
      case "idRequest":
        return this.#receive(encodeIdRequest(), known);
      case "state":
        // Players come into being by an id request and a state, so they come in pairs at times.
        if (random() < 0.3) this.#receive(encodeIdRequest(), known);
        return this.#receive(this.#stateOf(known, random() * 30), known);
      case "keepAlive":
        return this.#receive(encodeState(0n, new Uint8Array(0)), known);
      case "mutated":
        return this.#receive(mutated(random, this.#stateOf(known, random() * 30)), known);
      case "noise":
        return this.#receive(noise(random, random() * pick(random, [8, 64, 9_000])), known);
      case "flood":
        for (let count = 0; count < 100; count++) {
          this.#receive(random() < 0.5 ? encodeIdRequest() : this.#stateOf(known, 5), known);
        }
        return;
      case "large":
        return this.#receive(this.#largeStateOf(known), known);
      case "chatter":
        return random() < 0.05 ? this.#chatter(known) : undefined;
      case "wait":
        return this.#wait();
      default:
        action satisfies never;
    }
  }

  #receive(datagram: Uint8Array, known: Known): void {
    if (this.#random() < 0.5) this.#now += this.#random() * 20;
    const message = decodeClientMessage(datagram);
    if (message.kind !== "refused") known.unheard = 0;
    if (message.kind === "state") known.states.add(new TextDecoder().decode(message.state));
    if (!known.isPlayer) known.bytesIn += datagram.length;
    const copy = datagram.slice();
    this.#server.receive(copy, known.peer, this.#now, this);
    copy.fill(0x22);
  }

  #stateOf(known: Known, length: number): Uint8Array {
    const random = this.#random;
    // Mostly rising numbers; some old ones, some from the far end.
    const kind = random();
    if (kind < 0.01) known.stateNumber = 0;
    const number = kind > 0.999 ? 2n ** 63n - 1n : BigInt(known.stateNumber++);
    const unit = pick(random, ["x", '"', "\u0000", "é", "€", "😀"]);
    const text = new TextEncoder().encode(unit.repeat(length)).subarray(0, Math.floor(length));
    return encodeState(number, text); // Cut inside a letter it is no text.
  }

  /** One is busy while all the others are silent. */
  #chatter(known: Known): void {
    const stepMs = this.#random() * 30;
    this.#receive(encodeIdRequest(), known);
    for (let count = 0; count < 700; count++) {
      this.#now += stepMs;
      const text = Uint8Array.of(0x30 + count % 10);
      this.#receive(encodeState(BigInt(known.stateNumber++), text), known);
      this.#advance();
      this.#drain();
    }
  }

  /** Of any length; often one with which the snapshot just fits into a datagram, or just not. */
  #largeStateOf(known: Known): Uint8Array {
    const random = this.#random;
    if (random() < 0.5) return this.#stateOf(known, random() * STATE_BYTES_MAX);
    const room = DATAGRAM_BYTES_MAX - this.#server.census().snapshotBytes;
    const text = new Uint8Array(Math.max(0, room - Math.floor(random() * 16))).fill(0x78);
    return encodeState(BigInt(known.stateNumber++), text);
  }

  /** Follows the deadlines for a while, on time or late. */
  #wait(): void {
    const random = this.#random;
    const end = this.#now + random() * pick(random, [5, 500, 5_000, 50_000]);
    const lateMs = pick(random, [0, 0, 3, 2_000]);
    if (this.#getsStuck && random() < 0.3) this.#stuckUntil = this.#now + random() * 3_000;
    for (let calls = 0; calls < 300; calls++) {
      const deadline = this.#server.nextDeadline();
      if (deadline > end) break;
      this.#now = Math.max(this.#now, deadline) + random() * lateMs;
      this.#advance();
      this.#drain();
    }
    this.#now = Math.max(this.#now, end);
    if (random() < 0.5) this.#advance();
  }

  #advance(): void {
    this.#server.advance(this.#now, this);
    const deadline = this.#server.nextDeadline();
    assert(deadline > this.#now, `the next deadline is ${deadline} after advance(${this.#now})`);
  }

  /** What waits leaves; the host then calls `advance`. */
  #drain(): void {
    if (this.backlog === 0 || this.#now < this.#stuckUntil) return;
    this.#now += this.#random() * pick(this.#random, [0, 1, 100]);
    this.backlog = 0;
    this.#advance();
  }

  // ---- what the server says

  send(peer: Peer, bytes: Uint8Array): void {
    const known = this.#byPeer.get(peer)!;
    const message = decodeServerMessage(bytes);
    assert(message.kind === "idReply", `${message.kind} was sent to one address`);
    const id = Number(message.id);
    const owner = this.#byId.get(id);
    assert(owner === undefined || owner === known, `id ${id} has two owners`);
    this.#byId.set(id, known);
    known.id = id;
    if (known.isPlayer) return;
    known.bytesOut += bytes.length;
    const { bytesOut, bytesIn } = known;
    assert(bytesOut <= 2 * bytesIn, `no player, but ${bytesOut} bytes for ${bytesIn}`);
  }

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    assertEquals(this.backlog, 0, "the last slice still waits");
    const message = decodeServerMessage(bytes);
    assert(message.kind === "snapshot", `${message.kind} was broadcast`);
    this.#checkSnapshot(bytes, message.json);
    if (message.number > this.#lastNumber) this.#checkRate();
    this.#lastNumber = message.number;
    for (const peer of peers) {
      const known = this.#byPeer.get(peer)!;
      assert(known.isPlayer, `${peer.address} is no player`);
      assert(message.number > known.number, `${message.number} came after ${known.number}`);
      known.number = message.number;
      assert(++known.unheard <= this.#creditMax, `${known.unheard} snapshots without a sign`);
      this.backlog++;
    }
    assert(this.backlog > 0, "a broadcast to nobody");
  }

  emit(event: SyncEvent): void {
    if (event.kind === "lagging") return;
    const known = this.#byPeer.get(event.peer)!;
    switch (event.kind) {
      case "joined":
      case "returned":
        assert(!known.isPlayer, `${event.kind}, but was a player`);
        known.isPlayer = true;
        this.#players++;
        break;
      case "left":
        assert(known.isPlayer, "left, but was no player");
        known.isPlayer = false;
        known.bytesIn = known.bytesOut = 0;
        this.#players--;
        break;
      case "restarted":
        assert(known.isPlayer, "restarted, but was no player");
        break;
      case "refused":
        return;
      case "continued":
        throw new Error("nobody was here before");
      default:
        event satisfies never;
    }
    assertEquals(event.id, known.id, event.kind);
  }

  // ---- what is always true

  #checkSnapshot(bytes: Uint8Array, json: Uint8Array): void {
    assert(bytes.length <= DATAGRAM_BYTES_MAX, `a snapshot of ${bytes.length} bytes`);
    // Reading large ones takes most of the time: one of many is enough.
    if (bytes.length > 4_000 && this.#random() < 0.95) return;
    assert(json.every((byte) => byte < 0x80), "a snapshot that is not ASCII");
    const states = parseStates(json);
    assert(states, "a snapshot that is no dictionary");
    for (const [id, state] of states) {
      const owner = this.#byId.get(Number(id));
      assert(owner?.isPlayer && String(owner.id) === id, `id ${id} is no player's`);
      assert(owner.states.has(state), `id ${id} never sent its state`);
    }
  }

  #checkRate(): void {
    const { rateHz, eagerPacketsPerSecond } = this.#options;
    if (rateHz === 0 || eagerPacketsPerSecond !== 0) return;
    // After a pause it counts anew: rounds that were not needed are not saved up.
    if (this.#now - this.#roundAt > 2_000 / rateHz!) {
      this.#busySince = this.#now;
      this.#rounds = 0;
    }
    this.#roundAt = this.#now;
    this.#rounds++;
    const most = 2 + (this.#now - this.#busySince + TIMER_LATE_MS) * rateHz! / 1_000;
    assert(this.#rounds <= most, `${this.#rounds} rounds, at most ${most} were due`);
  }

  #checkCensus(): void {
    const { players, unverified, departed, snapshotBytes } = this.#server.census();
    const clientsMax = this.#options.clientsMax!;
    assertEquals(players, this.#players, "players");
    assert(players <= clientsMax, `${players} players`);
    assert(unverified <= clientsMax, `${unverified} unverified`);
    assert(departed <= clientsMax, `${departed} departed`);
    assert(snapshotBytes <= DATAGRAM_BYTES_MAX, `a snapshot of ${snapshotBytes} bytes`);
  }

  #checkRemembered(): void {
    const { players, unverified, departed } = this.#server.census();
    const remembered = this.#known.filter(({ peer }) => this.#server.remembers(peer));
    assertEquals(remembered.length, players + unverified + departed, "remembered");
    const perNetwork = new Map<string, number>();
    for (const { isPlayer, peer: { network } } of this.#known) {
      if (isPlayer) perNetwork.set(network, (perNetwork.get(network) ?? 0) + 1);
    }
    for (const count of perNetwork.values()) {
      assert(count <= this.#options.clientsPerNetworkMax!, `${count} players of one network`);
    }
  }

  /** Everybody is silent: the server comes to rest and holds nothing. */
  #checkSilence(): void {
    this.#stuckUntil = -Infinity;
    for (let calls = 0; this.#server.nextDeadline() < Infinity; calls++) {
      assert(calls < 100_000, "the server does not come to rest");
      this.#now = Math.max(this.#now, this.#server.nextDeadline());
      this.#advance();
      this.#drain();
    }
    const nothing = { players: 0, unverified: 0, departed: 0, snapshotBytes: 10 };
    assertEquals(this.#server.census(), nothing);
    this.#checkRemembered();
    this.#checkRoom();
  }

  /** Whoever left takes no place from those who come. */
  #checkRoom(): void {
    const { network } = this.#known[0]!.peer;
    const neighbours = this.#known.filter(({ peer }) => peer.network === network);
    const { clientsMax, clientsPerNetworkMax } = this.#options;
    const admitted = neighbours.slice(0, Math.min(clientsMax!, clientsPerNetworkMax!));
    for (const known of admitted) {
      this.#receive(encodeIdRequest(), known);
      assert(this.#server.remembers(known.peer), `no room for ${known.peer.address}`);
    }
  }
}

function optionsFrom(random: Random): SyncServerOptions {
  return {
    firstSnapshotNumber: pick(random, [1, 2 ** 53]),
    rateHz: pick(random, [0, 1, 20, 60, 1_000]),
    eagerPacketsPerSecond: pick(random, [0, 0, 4_000]),
    silenceMs: pick(random, [1, 500, 10_000, 10_000]),
    returnMs: pick(random, [0, 1, 60_000]),
    clientsMax: pick(random, [1, 4, 1_024]),
    clientsPerNetworkMax: pick(random, [1, 4, 64]),
    stateBytesMax: pick(random, [0, 16, undefined]),
  };
}

function creditMax({ rateHz, eagerPacketsPerSecond }: SyncServerOptions): number {
  if (rateHz === 0) return CREDIT_SNAPSHOTS_WITHOUT_RATE;
  const perSecond = Math.max(rateHz!, eagerPacketsPerSecond!);
  // Intervals are fractions, their sum may end just below the whole.
  return Math.max(CREDIT_SNAPSHOTS_MIN, Math.ceil((perSecond * CREDIT_MS) / 1_000)) + 1;
}

function knownFrom(peer: Peer): Known {
  return {
    peer,
    isPlayer: false,
    id: undefined,
    number: 0n,
    bytesIn: 0,
    bytesOut: 0,
    unheard: 0,
    stateNumber: 0,
    states: new Set(),
  };
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}
