/**
 * The arena's server. Always true:
 *
 * - what is sent is a message of at most 1,200 bytes, all of its numbers are integers in range;
 * - a list, when it is written, names players who are in the game and nobody else; who left is told once for
 *   each player, and more often only under the same number;
 * - an address that was not let in yet is sent its WELCOME alone, three times at most; one that never acked
 *   what asked for it gets no more than the trial budget of its network;
 * - nothing is broadcast while the last slice still waits; nobody is sent anything by a server that goes on,
 *   before it is heard;
 * - players and those unproved stay within the limits, in all and of each network, and agree with the
 *   events; numbers rise and are never given twice.
 */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  type ArenaEvent,
  type ArenaRefusal,
  type ArenaServer,
  type ArenaServerOptions,
  createArenaServer,
} from "../../../lib/protocols/arena/server.ts";
import {
  decodeServerMessage,
  encodeClientMessage,
  type Numbered,
  SENT_BYTES_MAX,
} from "../../../lib/protocols/arena/wire.ts";
import type { Departure } from "../../../lib/protocols/events/hub.ts";
import type { Chance } from "../harness/chance.ts";
import { DatagramFuzzer, engineTarget, peersOf } from "../harness/engines.ts";
import { every, type Tally } from "../harness/reach.ts";

const WELCOME_SENDS_MAX = 3;
const SENDS_MAX = 10;
const BULLETS_MAX = 1_024;
const UNPROVED_PER_PLACE = 8;
/** As the server has it, for everything but what asks for an ack. */
const TRIAL_BURST = 16_000;
const TRIAL_PER_SECOND = 2_000;

/** What the test knows of an address. */
interface Known {
  readonly peer: Peer;
  /** The number of its player, if it is in the game. */
  number: number | undefined;
  /** It may have acked something. */
  hasAcked: boolean;
  /** What asks for an ack, by sequence number, and how often it was sent. */
  readonly asked: Map<number, number>;
  /** WELCOMEs since it was admitted. */
  welcomes: number;
  welcomedAs: number;
  /** A server that goes on has not heard it. */
  isAwaited: boolean;
}

class ArenaFuzzer extends DatagramFuzzer<ArenaEvent> {
  engine: ArenaServer;
  readonly peers: readonly Peer[];
  readonly #options: ArenaServerOptions;
  readonly #known: readonly Known[];
  readonly #byPeer = new Map<Peer, Known>();
  readonly #playing = new Set<number>();
  /** Bytes to networks on trial, and since when. */
  readonly #onTrial = new Map<string, { bytes: number; since: number }>();
  #highest = 0;

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    this.#options = {
      tickRateHz: chance.pick([1, 10, 60, 1_000]),
      silenceMs: chance.pick([500, 10_000, 35_000]),
      playersMax: chance.pick([1, 4, 512]),
      playersPerNetworkMax: chance.pick([1, 4, 64]),
      random: chance.random,
    };
    this.engine = this.create();
    this.peers = peersOf(chance.pick([2, 10, 60, 60]), chance.pick([1, 3, 40, 40]));
    this.#known = this.peers.map((peer) => ({
      ...{ peer, number: undefined, hasAcked: false, asked: new Map<number, number>() },
      ...{ welcomes: 0, welcomedAs: 0, isAwaited: false },
    }));
    for (const known of this.#known) this.#byPeer.set(known.peer, known);
  }

  protected override create(): ArenaServer {
    return createArenaServer(this.#options);
  }

  // ---- what happens

  readonly actions = {
    join: (): void => this.#hear(encodeClientMessage({ kind: "join" }), this.#any()),
    fire: (): void => this.#hear(encodeClientMessage({ kind: "fire" }), this.#any()),
    heartbeat: (): void => this.#hear(encodeClientMessage({ kind: "heartbeat" }), this.#any()),
    input: (): void => this.#hear(this.#input(), this.#any()),
    answer: (): void => {
      const known = this.#any();
      const sequences = [...known.asked.keys()];
      known.asked.clear();
      if (sequences.length > 0) known.hasAcked = true;
      this.#hear(encodeClientMessage({ kind: "ack", sequences }), known);
    },
    guess: (): void => {
      const known = this.#any();
      known.hasAcked = true;
      const sequences = this.chance.many(this.chance.whole(20), () => this.chance.whole(10_002));
      this.#hear(encodeClientMessage({ kind: "ack", sequences }), known);
    },
    mutated: (): void => {
      const known = this.#any();
      known.hasAcked = true;
      const ack = encodeClientMessage({ kind: "ack", sequences: [...known.asked.keys()] });
      this.#hear(this.chance.mutated(this.chance.is(0.5) ? ack : this.#input()), known);
    },
    noise: (): void => this.#hear(this.chance.noise(), this.#any()),
    volley: (): void => {
      const fire = encodeClientMessage({ kind: "fire" });
      for (const { peer } of this.#known) {
        for (let times = 0; times < 5; times++) this.receive(fire, peer);
      }
    },
    storm: (): void => this.storm(() => encodeClientMessage({ kind: "heartbeat" })),
  };

  #any(): Known {
    return this.chance.pick(this.#known);
  }

  #input(): Uint8Array {
    const { chance } = this;
    const axis = (): number => chance.is(0.8) ? chance.whole(3) - 1 : chance.below(2) - 1;
    return encodeClientMessage({ kind: "input", dx: axis(), dy: axis() });
  }

  #hear(datagram: Uint8Array, known: Known): void {
    this.receiveLater(datagram, known.peer);
  }

  protected override receive(datagram: Uint8Array, from: Peer): void {
    this.#byPeer.get(from)!.isAwaited = false;
    super.receive(datagram, from);
  }

  /** What asks for an ack is sent under other numbers, as often as it takes. */
  protected override onRestart(): void {
    this.#onTrial.clear();
    for (const known of this.#known) {
      known.isAwaited = true;
      known.asked.clear();
      known.welcomes = 0;
    }
  }

  // ---- what the server says

  protected onSent(peer: Peer, bytes: Uint8Array): void {
    this.#tell(this.#byPeer.get(peer)!, bytes, this.#read(bytes));
  }

  protected override onBroadcast(peers: readonly Peer[], bytes: Uint8Array): void {
    const message = this.#read(bytes);
    assert(message.kind === "updates" || message.kind === "bullets", message.kind);
    for (const peer of peers) this.#tell(this.#byPeer.get(peer)!, bytes, message);
  }

  #read(bytes: Uint8Array): Numbered {
    assert(bytes.length <= SENT_BYTES_MAX, `${bytes.length} bytes`);
    const message = decodeServerMessage(bytes);
    assert(message.kind !== "refused", "something that is no message");
    assert(message.sequence <= 10_000, `number ${message.sequence}`);
    this.saw(`sent ${message.kind}`);
    return message;
  }

  #tell(known: Known, bytes: Uint8Array, message: Numbered): void {
    assert(!known.isAwaited, `${known.peer.address} was not heard by this server`);
    if (message.needsAck) return this.#tellReliably(known, message);
    assert(known.number !== undefined, `${message.kind} to one who is not in the game`);
    if (message.kind === "updates") {
      for (const { number, x, y } of message.players) {
        assert(this.#playing.has(number), `player ${number} is not in the game`);
        assert(Math.abs(x) <= 19_000 && Math.abs(y) <= 9_000, `${number} is at ${x}, ${y}`);
      }
    }
    if (message.kind === "left") assert(!this.#playing.has(message.number));
    if (known.hasAcked) return;
    const { network } = known.peer;
    const trial = this.#onTrial.get(network) ?? { bytes: 0, since: this.now };
    this.#onTrial.set(network, trial);
    trial.bytes += bytes.length;
    const most = TRIAL_BURST + TRIAL_PER_SECOND * (this.now - trial.since) / 1_000;
    assert(trial.bytes <= most + 1, `${trial.bytes} bytes on trial, ${most} at most`);
  }

  #tellReliably(known: Known, message: Numbered): void {
    if (message.kind === "welcome") {
      const { number } = message.player;
      if (number !== known.welcomedAs) {
        assert(number > this.#highest, `number ${number} after ${this.#highest}`);
        this.#highest = number;
        known.welcomedAs = number;
        known.welcomes = 0;
        known.asked.clear();
      }
      known.welcomes++;
      const isForged = known.number === undefined && !known.hasAcked;
      if (isForged) assert(known.welcomes <= WELCOME_SENDS_MAX, `${known.welcomes} WELCOMEs`);
    } else {
      assert(known.number !== undefined, `${message.kind} to one who is not in the game`);
    }
    const sends = (known.asked.get(message.sequence) ?? 0) + 1;
    assert(sends <= SENDS_MAX, `${sends} times`);
    known.asked.set(message.sequence, sends);
  }

  protected onEvent(event: ArenaEvent): void {
    switch (event.kind) {
      case "joined": {
        const known = this.#byPeer.get(event.peer)!;
        assertEquals(known.number, undefined, "joined, but was in the game");
        assertEquals(known.welcomedAs, event.number);
        known.number = event.number;
        this.#playing.add(event.number);
        return;
      }
      case "left": {
        const known = this.#byPeer.get(event.peer)!;
        assertEquals(known.number, event.number);
        known.number = undefined;
        known.hasAcked = false;
        known.asked.clear();
        this.#playing.delete(event.number);
        return;
      }
      case "continued":
        return assertEquals(this.#byPeer.get(event.peer)!.number, event.number);
      case "stalled":
        return assert(event.lostMs > 0);
      case "lagging":
        return assert(event.hz > 0 && event.hz < event.tickRateHz);
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }

  // ---- what is always true

  protected check(): void {
    const { players, unproved, bullets } = this.engine.census();
    const { playersMax, playersPerNetworkMax } = this.#options;
    assertEquals(players, this.#playing.size, "players");
    assert(players <= playersMax!, `${players} players`);
    assert(unproved <= UNPROVED_PER_PLACE * playersMax!, `${unproved} unproved`);
    assert(bullets <= BULLETS_MAX, `${bullets} bullets`);
    const remembered = this.remembered();
    assertEquals(remembered.length, players + unproved, "remembered");
    for (const isIn of [true, false]) {
      const inPlace = remembered.filter((peer) =>
        isIn === (this.#byPeer.get(peer)!.number !== undefined)
      );
      this.checkNetworks(inPlace, playersPerNetworkMax!);
    }
    assertEquals(new Set(this.engine.players().map(({ number }) => number)), this.#playing);
  }

  protected finish(): void {
    // Most of the time it may be late, so that this does not take longer than all of the rest.
    this.rest(90_000, 100);
    const { players, unproved, bullets, undelivered } = this.engine.census();
    assertEquals([players, unproved, bullets, undelivered], [0, 0, 0, 0]);
    this.check();
  }
}

/** The arena's server. */
export const ARENA_SERVER = engineTarget(
  "arena",
  "arena server",
  (chance, tally) => new ArenaFuzzer(chance, tally),
  {
    reach: {
      kinds: [
        ...every<Exclude<ArenaEvent["kind"], "left" | "refused">>()(
          "joined continued lagging stalled",
        ),
        ...every<Departure>("left:")("silent closed displaced"),
        ...every<ArenaRefusal>("refused:")(
          "oversize syntax shape event payload full full-network stranger rate busy",
        ),
        ...every<Numbered["kind"]>("sent ")("welcome worldInfo updates left bullets"),
        ...["sent", "broadcast"],
      ],
    },
    seeds: 12,
    actions: 400,
  },
);
