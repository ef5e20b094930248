/**
 * The sync server. Always true:
 *
 * - a snapshot is ASCII JSON of at most one IPv4 datagram, its ids are those of the players of this
 *   moment, its states were sent from the address that has the id;
 * - snapshot numbers rise for every address; rounds keep to the rate; nothing is broadcast while the
 *   last slice still waits;
 * - players, unverified and departed addresses stay within the limits, in all and of each network, and
 *   agree with the events and with `remembers`;
 * - an address is not sent more than its credit without being heard; one that is no player gets at
 *   most two bytes for each byte it sent; nobody is sent anything by a server that goes on, before it is heard.
 */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createSyncServer,
  type SyncDeparture,
  type SyncEvent,
  type SyncRefusal,
  type SyncServer,
  type SyncServerOptions,
} from "../../../lib/protocols/sync/server.ts";
import {
  DATAGRAM_BYTES_MAX,
  decodeClientMessage,
  decodeServerMessage,
  encodeIdRequest,
  encodeState,
  parseStates,
  STATE_BYTES_MAX,
} from "../../../lib/protocols/sync/wire.ts";
import type { Chance } from "../harness/chance.ts";
import { DatagramFuzzer, engineTarget, peersOf } from "../harness/engines.ts";
import { every, type Tally } from "../harness/reach.ts";
import { utf8 } from "../harness/spoil.ts";

/** What an address is sent without being heard, as the server has it. */
const CREDIT_MS = 3_000;
const CREDIT_SNAPSHOTS_MIN = 10;
const CREDIT_SNAPSHOTS_WITHOUT_RATE = 600;
/** A round that is late by so much may be followed by the next one at its time. */
const TIMER_LATE_MS = 4;
const UNVERIFIED_PER_PLACE = 4;
const ACTIONS = 400;

/** What the test knows of an address. */
interface Known {
  readonly peer: Peer;
  isPlayer: boolean;
  /** A player of an earlier server, of whom this one has not heard. */
  isAwaited: boolean;
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

class SyncFuzzer extends DatagramFuzzer<SyncEvent> {
  engine: SyncServer;
  readonly peers: readonly Peer[];
  readonly #options: SyncServerOptions;
  readonly #known: readonly Known[];
  readonly #byPeer = new Map<Peer, Known>();
  readonly #byId = new Map<number, Known>();
  protected override readonly deadlinesMax = 300;
  #roundAt = -Infinity;
  #busySince = 0;
  #players = 0;
  #rounds = 0;
  #lastNumber = 0n;
  #checks = 0;

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    this.#options = {
      firstSnapshotNumber: chance.pick([1, 2 ** 53]),
      rateHz: chance.pick([0, 1, 20, 60, 1_000]),
      eagerPacketsPerSecond: chance.pick([0, 0, 4_000]),
      silenceMs: chance.pick([1, 500, 10_000, 10_000]),
      returnMs: chance.pick([0, 1, 60_000]),
      clientsMax: chance.pick([1, 4, 1_024]),
      clientsPerNetworkMax: chance.pick([1, 4, 64]),
      stateBytesMax: chance.pick([0, 16, undefined]),
    };
    this.engine = this.create();
    this.peers = peersOf(chance.pick([2, 10, 60, 200]), chance.pick([1, 3, 20]));
    this.#known = this.peers.map((peer) => ({
      ...{ peer, isPlayer: false, isAwaited: false, id: undefined, number: 0n, bytesIn: 0 },
      ...{ bytesOut: 0, unheard: 0, stateNumber: 0, states: new Set<string>() },
    }));
    for (const known of this.#known) this.#byPeer.set(known.peer, known);
  }

  protected override create(): SyncServer {
    return createSyncServer(this.#options);
  }

  // ---- what happens

  readonly actions = {
    state: (): void => {
      const known = this.#any();
      // Players come into being by an id request and a state, so they come in pairs at times.
      if (this.chance.is(0.3)) this.#hear(encodeIdRequest(), known);
      this.#hear(this.#stateOf(known, this.chance.below(30)), known);
    },
    idRequest: (): void => this.#hear(encodeIdRequest(), this.#any()),
    keepAlive: (): void => this.#hear(encodeState(0n, new Uint8Array(0)), this.#any()),
    mutated: (): void => {
      const known = this.#any();
      this.#hear(this.chance.mutated(this.#stateOf(known, this.chance.below(30))), known);
    },
    noise: (): void => this.#hear(this.chance.noise(), this.#any()),
    flood: (): void => {
      const known = this.#any();
      for (let count = 0; count < 100; count++) {
        this.#hear(this.chance.is(0.5) ? encodeIdRequest() : this.#stateOf(known, 5), known);
      }
    },
    storm: (): void =>
      this.storm((peer) => {
        const known = this.#byPeer.get(peer)!;
        known.unheard = 0;
        known.bytesIn += known.isPlayer ? 0 : encodeIdRequest().length;
        return encodeIdRequest();
      }),
    large: (): void => this.#hear(this.#largeStateOf(), this.#any()),
    chatter: (): void => this.chance.is(0.05) ? this.#chatter(this.#any()) : undefined,
  };

  #any(): Known {
    return this.chance.pick(this.#known);
  }

  #hear(datagram: Uint8Array, known: Known): void {
    const message = decodeClientMessage(datagram);
    if (message.kind !== "refused") known.unheard = 0;
    if (message.kind === "state") known.states.add(new TextDecoder().decode(message.state));
    if (!known.isPlayer) known.bytesIn += datagram.length;
    this.receiveLater(datagram, known.peer);
  }

  #stateOf(known: Known, length: number): Uint8Array {
    // Mostly rising numbers; some old ones, some from the far end.
    const kind = this.chance.random();
    if (kind < 0.01) known.stateNumber = 0;
    const number = kind > 0.999 ? 2n ** 63n - 1n : BigInt(known.stateNumber++);
    const unit = this.chance.pick(["x", '"', "\u0000", "é", "€", "😀"]);
    // Cut inside a letter it is no text.
    return encodeState(number, utf8(unit.repeat(length)).subarray(0, Math.floor(length)));
  }

  /** One is busy while all the others are silent. */
  #chatter(known: Known): void {
    const stepMs = this.chance.below(30);
    this.#hear(encodeIdRequest(), known);
    for (let count = 0; count < 700; count++) {
      this.now += stepMs;
      this.#hear(encodeState(BigInt(known.stateNumber++), Uint8Array.of(0x30 + count % 10)), known);
      this.advance();
      this.drain();
    }
  }

  /** Of any length; often one with which the snapshot just fits into a datagram, or just not. */
  #largeStateOf(): Uint8Array {
    const known = this.#any();
    if (this.chance.is(0.5)) return this.#stateOf(known, this.chance.below(STATE_BYTES_MAX));
    const room = DATAGRAM_BYTES_MAX - this.engine.census().snapshotBytes;
    const text = new Uint8Array(Math.max(0, room - this.chance.whole(16))).fill(0x78);
    return encodeState(BigInt(known.stateNumber++), text);
  }

  protected override onRestart(): void {
    for (const known of this.#known) known.isAwaited = known.isPlayer;
  }

  // ---- what the server says

  protected onSent(peer: Peer, bytes: Uint8Array): void {
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

  protected override onBroadcast(peers: readonly Peer[], bytes: Uint8Array): void {
    const message = decodeServerMessage(bytes);
    assert(message.kind === "snapshot", `${message.kind} was broadcast`);
    this.#checkSnapshot(bytes, message.json);
    if (message.number > this.#lastNumber) this.#checkRate();
    this.#lastNumber = message.number;
    const most = creditMax(this.#options);
    for (const peer of peers) {
      const known = this.#byPeer.get(peer)!;
      assert(known.isPlayer, `${peer.address} is no player`);
      assert(!known.isAwaited, `${peer.address} was not heard by this server`);
      assert(message.number > known.number, `${message.number} came after ${known.number}`);
      known.number = message.number;
      assert(++known.unheard <= most, `${known.unheard} snapshots without a sign`);
    }
  }

  protected onEvent(event: SyncEvent): void {
    if (event.kind === "lagging" || event.kind === "refused") return;
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
        known.isPlayer = known.isAwaited = false;
        known.bytesIn = known.bytesOut = 0;
        this.#players--;
        break;
      case "restarted":
        assert(known.isPlayer && !known.isAwaited, "restarted, but was no player");
        break;
      case "continued":
        // A departed one of before that is heard in time is a player from then on.
        if (!known.isPlayer) this.#players++;
        known.isPlayer = true;
        known.isAwaited = false;
        break;
      default:
        event satisfies never;
    }
    assertEquals(event.id, known.id, event.kind);
  }

  // ---- what is always true

  #checkSnapshot(bytes: Uint8Array, json: Uint8Array): void {
    assert(bytes.length <= DATAGRAM_BYTES_MAX, `a snapshot of ${bytes.length} bytes`);
    // Reading large ones takes most of the time: one of many is enough.
    if (bytes.length > 4_000 && this.chance.is(0.95)) return;
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
    if (this.now - this.#roundAt > 2_000 / rateHz!) {
      this.#busySince = this.now;
      this.#rounds = 0;
    }
    this.#roundAt = this.now;
    this.#rounds++;
    const most = 2 + (this.now - this.#busySince + TIMER_LATE_MS) * rateHz! / 1_000;
    assert(this.#rounds <= most, `${this.#rounds} rounds, at most ${most} were due`);
  }

  protected check(): void {
    const { players, unverified, departed, snapshotBytes } = this.engine.census();
    const clientsMax = this.#options.clientsMax!;
    assertEquals(players, this.#players, "players");
    assert(players <= clientsMax, `${players} players`);
    assert(unverified <= UNVERIFIED_PER_PLACE * clientsMax, `${unverified} unverified`);
    assert(departed <= clientsMax, `${departed} departed`);
    assert(snapshotBytes <= DATAGRAM_BYTES_MAX, `a snapshot of ${snapshotBytes} bytes`);
    if (this.#checks++ % 50 !== 0) return;
    assertEquals(this.remembered().length, players + unverified + departed, "remembered");
    const inPlace = this.#known.filter(({ isPlayer }) => isPlayer).map(({ peer }) => peer);
    this.checkNetworks(inPlace, this.#options.clientsPerNetworkMax!);
  }

  /** Whoever left takes no place from those who come. */
  protected finish(): void {
    this.rest(Infinity);
    const nothing = { players: 0, unverified: 0, departed: 0, snapshotBytes: 10 };
    assertEquals([this.engine.census(), this.remembered()], [nothing, []]);
    const { network } = this.peers[0]!;
    const neighbours = this.#known.filter(({ peer }) => peer.network === network);
    const { clientsMax, clientsPerNetworkMax } = this.#options;
    for (const known of neighbours.slice(0, Math.min(clientsMax!, clientsPerNetworkMax!))) {
      this.#hear(encodeIdRequest(), known);
      assert(this.engine.remembers(known.peer), `no room for ${known.peer.address}`);
    }
  }
}

function creditMax({ rateHz, eagerPacketsPerSecond }: SyncServerOptions): number {
  if (rateHz === 0) return CREDIT_SNAPSHOTS_WITHOUT_RATE;
  const perSecond = Math.max(rateHz!, eagerPacketsPerSecond!);
  // Intervals are fractions, their sum may end just below the whole.
  return Math.max(CREDIT_SNAPSHOTS_MIN, Math.ceil((perSecond * CREDIT_MS) / 1_000)) + 1;
}

/** The sync server. */
export const SYNC_SERVER = engineTarget(
  "sync",
  "sync server",
  (chance, tally) => new SyncFuzzer(chance, tally),
  {
    reach: {
      kinds: [
        ...every<Exclude<SyncEvent["kind"], "left" | "refused">>()(
          "joined continued returned restarted lagging",
        ),
        ...every<SyncDeparture>("left:")("silent expelled"),
        ...every<SyncRefusal>("refused:")(
          "short number oversize stranger text state-size world-full full full-network rate busy",
        ),
        ...["sent", "broadcast"],
      ],
    },
    seeds: 12,
    actions: ACTIONS,
  },
);
