/**
 * Random sequences of everything that can happen to the arena's server. Always true:
 *
 * - nothing throws, and after `advance` the next deadline is later;
 * - what is sent is a message of at most 1,200 bytes, all of its numbers are integers in range;
 * - a list, when it is written, names players who are in the game and nobody else; who left is told once for
 *   each player, and more often only under the same number;
 * - an address that was not let in yet is sent its WELCOME alone, three times at most; one that never acked
 *   what asked for it gets no more than the trial budget of its network;
 * - nothing is broadcast while the last slice still waits;
 * - players and those unproved stay within the limits, in all and of each network, and agree with the
 *   events; numbers rise and are never given twice.
 *
 * Whole kinds of action are missing in some seeds. FUZZ_SECONDS=60 plays longer, SEED=17 one seed.
 */
import { assert, assertEquals } from "@std/assert";
import type { Outbox, Peer } from "../../lib/protocols/engine.ts";
import {
  type ArenaEvent,
  type ArenaServer,
  type ArenaServerOptions,
  createArenaServer,
} from "../../lib/protocols/arena/server.ts";
import {
  decodeServerMessage,
  encodeClientMessage,
  type Numbered,
  SENT_BYTES_MAX,
} from "../../lib/protocols/arena/wire.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { mutated, noise } from "../protocols/engine_suite.ts";
import { peerAt } from "../support/recorder.ts";
import { seeds, withSeed } from "../support/seeds.ts";

const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 2);
const ACTIONS = 400;
const WELCOME_SENDS_MAX = 3;
const SENDS_MAX = 10;
const BULLETS_MAX = 1_024;
/** As the server has it, for everything but what asks for an ack. */
const TRIAL_BURST = 16_000;
const TRIAL_PER_SECOND = 2_000;

Deno.test("createArenaServer() keeps its promises whatever happens", () => {
  const end = performance.now() + SECONDS * 1_000;
  for (const seed of seeds(Infinity)) {
    withSeed(seed, () => new Fuzzer(seededRandom(seed)).run());
    if (performance.now() > end) break;
  }
});

const ACTION_KINDS = [
  "join",
  "answer",
  "guess",
  "input",
  "fire",
  "heartbeat",
  "mutated",
  "noise",
  "volley",
  "wait",
] as const;
type Action = (typeof ACTION_KINDS)[number];

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
}

class Fuzzer implements Outbox<ArenaEvent> {
  readonly #random: Random;
  readonly #options: ArenaServerOptions;
  readonly #server: ArenaServer;
  readonly #actions: Action[];
  readonly #known: Known[];
  readonly #byPeer = new Map<Peer, Known>();
  readonly #playing = new Set<number>();
  readonly #getsStuck: boolean;
  /** Bytes to networks on trial, and since when. */
  readonly #onTrial = new Map<string, { bytes: number; since: number }>();
  #now: number;
  #highest = 0;
  #stuckUntil = -Infinity;
  backlog = 0;
  readonly unsent = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#options = {
      tickRateHz: pick(random, [1, 10, 60, 1_000]),
      silenceMs: pick(random, [500, 10_000, 35_000]),
      playersMax: pick(random, [1, 4, 512]),
      playersPerNetworkMax: pick(random, [1, 4, 64]),
      random,
    };
    this.#server = createArenaServer(this.#options);
    this.#actions = ACTION_KINDS.filter((kind) => kind === "wait" || random() < 0.7);
    this.#getsStuck = random() < 0.5;
    this.#now = pick(random, [0, 1.5, 2 ** 40]);
    const networks = pick(random, [1, 3, 40]);
    this.#known = Array.from({ length: pick(random, [2, 10, 60]) }, (_, index): Known => ({
      peer: peerAt(`192.0.2.${index % networks}:${5_000 + index}`),
      number: undefined,
      hasAcked: false,
      asked: new Map(),
      welcomes: 0,
      welcomedAs: 0,
    }));
    for (const known of this.#known) this.#byPeer.set(known.peer, known);
  }

  run(): void {
    for (let action = 0; action < ACTIONS; action++) {
      this.#act(pick(this.#random, this.#actions));
      this.#drain();
      this.#checkCensus();
    }
    this.#checkSilence();
  }

  // ---- what happens

  #act(action: Action): void {
    const random = this.#random;
    const known = pick(random, this.#known);
    const axis = (): number => random() < 0.8 ? Math.floor(random() * 3) - 1 : 2 * random() - 1;
    switch (action) {
      case "join":
      case "fire":
      case "heartbeat":
        return this.#receive(encodeClientMessage({ kind: action }), known);
      case "input": {
        const input = { kind: "input", dx: axis(), dy: axis() } as const;
        return this.#receive(encodeClientMessage(input), known);
      }
      case "answer":
        return this.#answer(known);
      case "guess": {
        known.hasAcked = true;
        const sequences = Array.from(
          { length: random() * 20 },
          () => Math.floor(random() * 10_002),
        );
        return this.#receive(encodeClientMessage({ kind: "ack", sequences }), known);
      }
      case "mutated": {
        known.hasAcked = true;
        const sequences = [...known.asked.keys()];
        const ack = encodeClientMessage({ kind: "ack", sequences });
        const input = encodeClientMessage({ kind: "input", dx: axis(), dy: axis() });
        return this.#receive(mutated(random, random() < 0.5 ? ack : input), known);
      }
      case "noise":
        return this.#receive(noise(random, random() * pick(random, [8, 64, 9_000])), known);
      case "volley":
        for (const { peer } of this.#known) {
          const fire = encodeClientMessage({ kind: "fire" });
          for (let times = 0; times < 5; times++) this.#server.receive(fire, peer, this.#now, this);
        }
        return;
      case "wait":
        return this.#wait();
      default:
        action satisfies never;
    }
  }

  #answer(known: Known): void {
    const sequences = [...known.asked.keys()];
    known.asked.clear();
    if (sequences.length > 0) known.hasAcked = true;
    this.#receive(encodeClientMessage({ kind: "ack", sequences }), known);
  }

  #receive(datagram: Uint8Array, known: Known): void {
    if (this.#random() < 0.5) this.#now += this.#random() * 20;
    const copy = datagram.slice();
    this.#server.receive(copy, known.peer, this.#now, this);
    copy.fill(0x92);
  }

  /** Follows the deadlines for a while, on time or late. */
  #wait(): void {
    const random = this.#random;
    const end = this.#now + random() * pick(random, [5, 500, 5_000, 50_000]);
    const lateMs = pick(random, [0, 0, 3, 2_000]);
    if (this.#getsStuck && random() < 0.3) this.#stuckUntil = this.#now + random() * 3_000;
    for (let calls = 0; calls < 60; calls++) {
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
    this.#tell(this.#byPeer.get(peer)!, bytes, this.#read(bytes));
  }

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    assertEquals(this.backlog, 0, "the last slice still waits");
    const message = this.#read(bytes);
    assert(message.kind === "updates" || message.kind === "bullets", message.kind);
    for (const peer of peers) {
      this.#tell(this.#byPeer.get(peer)!, bytes, message);
      this.backlog++;
    }
    assert(this.backlog > 0, "a broadcast to nobody");
  }

  #read(bytes: Uint8Array): Numbered {
    assert(bytes.length <= SENT_BYTES_MAX, `${bytes.length} bytes`);
    const message = decodeServerMessage(bytes);
    assert(message.kind !== "refused", "something that is no message");
    assert(message.sequence <= 10_000, `number ${message.sequence}`);
    return message;
  }

  #tell(known: Known, bytes: Uint8Array, message: Numbered): void {
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
    const trial = this.#onTrial.get(network) ?? { bytes: 0, since: this.#now };
    this.#onTrial.set(network, trial);
    trial.bytes += bytes.length;
    const most = TRIAL_BURST + TRIAL_PER_SECOND * (this.#now - trial.since) / 1_000;
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

  emit(event: ArenaEvent): void {
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
      case "stalled":
        return assert(event.lostMs > 0);
      case "lagging":
        return assert(event.hz > 0 && event.hz < event.tickRateHz);
      case "refused":
        return;
      case "continued":
        throw new Error("nobody was here before");
      default:
        event satisfies never;
    }
  }

  // ---- what is always true

  #checkCensus(): void {
    const { players, unproved, bullets } = this.#server.census();
    const { playersMax, playersPerNetworkMax } = this.#options;
    assertEquals(players, this.#playing.size, "players");
    assert(players <= playersMax!, `${players} players`);
    assert(unproved <= playersMax!, `${unproved} unproved`);
    assert(bullets <= BULLETS_MAX, `${bullets} bullets`);
    const remembered = this.#known.filter(({ peer }) => this.#server.remembers(peer));
    assertEquals(remembered.length, players + unproved, "remembered");
    const perNetwork = new Map<string, number>();
    for (const { peer: { network } } of remembered) {
      perNetwork.set(network, (perNetwork.get(network) ?? 0) + 1);
    }
    for (const count of perNetwork.values()) {
      assert(count <= playersPerNetworkMax!, `${count} of one network`);
    }
    const numbers = this.#server.players().map(({ number }) => number);
    assertEquals(new Set(numbers), this.#playing);
  }

  /** Everybody is silent: the server comes to rest and holds nothing. */
  #checkSilence(): void {
    this.#stuckUntil = -Infinity;
    const end = this.#now + 60_000;
    for (let calls = 0; this.#server.nextDeadline() < Infinity; calls++) {
      assert(calls < 200_000 && this.#now < end, "the server does not come to rest");
      // Most of the time it may be late, so that this does not take longer than all of the rest.
      this.#now = Math.max(this.#now + 100, this.#server.nextDeadline());
      this.#advance();
      this.#drain();
    }
    const { players, unproved, bullets, undelivered } = this.#server.census();
    assertEquals([players, unproved, bullets, undelivered], [0, 0, 0, 0]);
    this.#checkCensus();
  }
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}
