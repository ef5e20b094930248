/**
 * The world's server. Always true:
 *
 * - nothing throws but a step that does;
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
 */
import { assert, assertEquals } from "@std/assert";
import type { Outbox, Peer } from "../../../lib/protocols/engine.ts";
import {
  createWorldClient,
  type WorldClientEngine,
  type WorldClientEvent,
} from "../../../lib/protocols/world/client.ts";
import {
  createWorldServer,
  type WorldDeparture,
  type WorldRefusal,
  type WorldServerEngine,
  type WorldServerEvent,
  type WorldServerOptions,
} from "../../../lib/protocols/world/server.ts";
import { decodePacket, encodeAck, encodeMessage } from "../../../lib/protocols/world/wire.ts";
import { World } from "../../../lib/protocols/world/world.ts";
import { peerAt } from "../../support/recorder.ts";
import type { Chance } from "../harness/chance.ts";
import { DatagramFuzzer, engineTarget, peersOf } from "../harness/engines.ts";
import { every, type Tally } from "../harness/reach.ts";
import { utf8 } from "../harness/spoil.ts";
import { checkMirror, type Known, limitsFrom, live, Tellings } from "./world_tellings.ts";

const SENT_BYTES_MAX = 1_200;
const RECEIVED_BYTES_MAX = 512;
const STEP_BUG = "a bug in the game";
const SERVER = peerAt("192.0.2.100:25005");

function say(sequence: number, message: unknown): Uint8Array {
  return encodeMessage(sequence, utf8(JSON.stringify(message)));
}

class WorldFuzzer extends DatagramFuzzer<WorldServerEvent> {
  readonly engine: WorldServerEngine;
  readonly peers: readonly Peer[];
  protected override readonly deadlinesMax = 40;
  readonly #options: WorldServerOptions;
  readonly #world: World;
  readonly #known: readonly Known[];
  readonly #byPeer = new Map<Peer, Known>();
  /** Ids that were there once. */
  readonly #ever = new Set<number>();
  readonly #deliveries: [WorldClientEngine, Uint8Array, Peer][] = [];
  readonly #tellings: Tellings;
  readonly #mayThrow: boolean;
  #isAtRest = false;

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    const objectsMax = chance.pick([1, 20, 300]);
    this.#world = new World({ objectsMax, decimals: 3 });
    this.#options = {
      ...limitsFrom(chance, objectsMax),
      world: this.#world,
      unixMs: () => 1_795_230_171_890 + this.now,
      random: chance.random,
      step: (_, seconds): void => this.#step(seconds),
    };
    this.engine = createWorldServer(this.#options);
    this.#tellings = new Tellings(this.#world, this.#ever, this.#options.tickRateHz!);
    this.#mayThrow = chance.is(0.3);
    const listens = chance.is(0.8) ? 3 : Infinity;
    this.peers = peersOf(chance.pick([2, 8, 40, 40]), chance.pick([1, 3, 40, 40]));
    this.#known = this.peers.map((peer, index) => ({
      ...{ peer, hasJoined: false, bytes: 0, hasAcked: false, unacked: 0, sequence: undefined },
      ...{ waiting: [], toldTime: 0, gone: new Set<number>() },
      client: index % listens === 1 ? createWorldClient({ random: chance.random }) : undefined,
    }));
    for (const known of this.#known) this.#byPeer.set(known.peer, known);
  }

  #step(seconds: number): void {
    assertEquals(seconds, 1 / this.#options.tickRateHz!);
    if (this.#isAtRest || this.chance.is(0.7)) return;
    live(this.chance, this.#world, this.#ever);
    if (this.#mayThrow && this.chance.is(0.1)) throw new Error(STEP_BUG);
  }

  // ---- what happens

  readonly actions = {
    knock: (): void => {
      const known = this.#any();
      const knock = { type: "knock", diffs: this.chance.is(0.5) };
      if (!known.client) return this.#hear(say(this.#number(), knock), known);
      known.client.connect([SERVER], this.now, this.#clientOut(known));
      this.#deliver();
    },
    answer: (): void =>
      this.#asOther((known) => {
        if (known.waiting.length > 0) known.hasAcked = true;
        for (const sequence of known.waiting.splice(0)) this.#hear(encodeAck(sequence), known);
      }),
    guess: (): void =>
      this.#asOther((known) => {
        known.hasAcked = true;
        const near = known.sequence ?? this.#number();
        const guessed = (near + this.chance.whole(5) + 65_534) % 65_536;
        this.#hear(encodeAck(this.chance.is(0.5) ? guessed : this.#number()), known);
      }),
    stop: (): void => this.#hear(say(this.#number(), { type: "stop" }), this.#any()),
    long: (): void => {
      const text = "x".repeat(this.chance.below(this.chance.pick([500, 9_000])));
      this.#hear(say(this.#number(), { type: "knock", text }), this.#any());
    },
    mutated: (): void =>
      this.#asOther((known) => {
        known.hasAcked = true;
        const ack = encodeAck(this.chance.pick([...known.waiting, this.#number()]));
        const knock = say(this.#number(), { type: "knock" });
        this.#hear(this.chance.mutated(this.chance.is(0.5) ? ack : knock), known);
      }),
    noise: (): void => this.#hear(this.chance.noise(), this.#any()),
    words: (): void => {
      const right = ["{}", '{"type":"x"}', '{"type":"heartbeat"}', '{"type":"knock","diffs":3}'];
      const json = this.chance.pick([...right, "[]", "{", '{"a":1e999}']);
      this.#hear(encodeMessage(this.#number(), utf8(json)), this.#any());
      const ack = encodeAck(this.#number());
      ack.set(utf8("[]"), ack.length - 2);
      this.#hear(ack, this.#any());
    },
    flood: (): void => {
      const knocks = [1, 2, 3, 4, 5].map((number) => say(number, { type: "knock" }));
      for (const each of this.#known) knocks.forEach((knock) => this.#hear(knock, each));
    },
    storm: (): void =>
      this.storm((peer) => {
        this.#byPeer.get(peer)!.unacked++;
        return say(this.#number(), {});
      }),
    live: (): void => {
      live(this.chance, this.#world, this.#ever);
      if (this.#options.tickRateHz === 0) this.engine.tick(this.now, this);
      this.#deliver();
    },
  };

  #any(): Known {
    return this.chance.pick(this.#known);
  }

  /** Who acks what it has not heard has itself to blame: clients with an engine do not. */
  #asOther(act: (known: Known) => void): void {
    const known = this.#any();
    if (!known.client) act(known);
  }

  #number(): number {
    return this.chance.whole(65_536);
  }

  #hear(datagram: Uint8Array, known: Known): void {
    if (this.chance.is(0.3)) this.now += this.chance.below(20);
    this.#hand(datagram, known);
    this.#deliver();
  }

  #hand(datagram: Uint8Array, known: Known): void {
    const packet = decodePacket(datagram);
    const isTooLong = packet.kind === "message" && datagram.length > RECEIVED_BYTES_MAX;
    const kind = isTooLong ? "refused" : packet.kind;
    const wasRemembered = this.engine.remembers(known.peer);
    if (kind === "ack") known.hasAcked = true;
    else if (kind === "message") known.unacked++;
    this.receive(datagram, known.peer);
    if (kind === "message") known.unacked = 0;
    if (this.engine.remembers(known.peer) && !wasRemembered) {
      known.hasAcked = false;
      known.bytes = 0;
      known.sequence = undefined;
    }
    if (!this.engine.remembers(known.peer)) known.waiting = [];
  }

  /** What was sent to clients with an engine reaches them, or is lost. */
  #deliver(): void {
    for (let delivery; (delivery = this.#deliveries.shift());) {
      const [client, bytes, to] = delivery;
      if (!this.#isAtRest && this.chance.is(0.2)) continue;
      client.receive(bytes, SERVER, this.now, this.#clientOut(this.#byPeer.get(to)!));
    }
  }

  #clientOut(known: Known): Outbox<WorldClientEvent> {
    return {
      ...{ broadcast(): void {}, emit(): void {}, backlog: 0, unsent: 0 },
      send: (_, bytes): void => this.#hand(bytes, known),
    };
  }

  protected override nextDeadline(): number {
    const clients = this.#known.flatMap(({ client }) => client ? [client.nextDeadline()] : []);
    return Math.min(this.engine.nextDeadline(), ...clients);
  }

  protected override tellTime(): void {
    try {
      super.tellTime();
    } catch (error) {
      if (!(error instanceof Error && error.message === STEP_BUG)) throw error;
    }
  }

  protected override advance(): void {
    if (this.now >= this.stuckUntil) this.unsent = 0;
    super.advance();
    this.#deliver();
    for (const known of this.#known) known.client?.advance(this.now, this.#clientOut(known));
    this.#deliver();
  }

  // ---- what the server says

  protected onSent(peer: Peer, bytes: Uint8Array): void {
    assert(bytes.length <= SENT_BYTES_MAX, `${bytes.length} bytes`);
    const known = this.#byPeer.get(peer)!;
    const packet = decodePacket(bytes);
    assert(packet.kind !== "refused", "something that is no packet");
    if (packet.kind === "ack") {
      assert(known.unacked-- > 0, "an ACK too many");
      this.saw("sent ack");
    } else if (packet.message.type === "full") {
      assert(!this.engine.remembers(peer) || known.hasAcked, "full, though it has a place");
      this.saw("sent full");
    } else {
      this.saw(`sent ${packet.message.type}`);
      assert(this.engine.remembers(peer), "something for an address that is gone");
      this.#tellings.take(known, packet, bytes.length);
    }
    if (known.client) this.#deliveries.push([known.client, bytes, peer]);
  }

  protected onEvent(event: WorldServerEvent): void {
    switch (event.kind) {
      case "joined":
      case "left": {
        const known = this.#byPeer.get(event.peer)!;
        const isIn = event.kind === "joined";
        assert(known.hasJoined !== isIn, `${event.kind} twice`);
        known.hasJoined = isIn;
        return assert(isIn ? known.hasAcked : !this.engine.remembers(event.peer), event.kind);
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

  protected check(): void {
    const { clients, unproved, objects, time } = this.engine.census();
    const { clientsMax, unprovedMax, clientsPerNetworkMax } = this.#options;
    assertEquals([objects, time], [this.#world.entities.size, this.#world.time]);
    const joined = this.#known.filter(({ hasJoined }) => hasJoined).map(({ peer }) => peer);
    const told = this.engine.clients().map(({ peer }) => peer);
    assertEquals([new Set(told), clients], [new Set(joined), joined.length]);
    assert(clients <= clientsMax!, `${clients} clients`);
    assert(unproved <= unprovedMax!, `${unproved} unproved`);
    const remembered = this.remembered();
    assertEquals(remembered.length, clients + unproved, "remembered");
    this.checkNetworks(joined, clientsPerNetworkMax!);
    const others = remembered.filter((peer) => !this.#byPeer.get(peer)!.hasJoined);
    this.checkNetworks(others, clientsPerNetworkMax!);
  }

  protected finish(): void {
    this.#checkMirrors();
    this.engine.close(this.now, this);
    for (const known of this.#known) known.client = undefined;
    this.#follow(this.now + 11_000);
    assertEquals(this.remembered(), []);
    this.check();
    if (this.#options.tickRateHz === 0) assertEquals(this.engine.nextDeadline(), Infinity);
  }

  /** Nothing changes and nothing is lost any more: clients that ack everything have what there is. */
  #checkMirrors(): void {
    this.#isAtRest = true;
    if (this.#options.tickRateHz === 0) this.engine.tick(this.now, this);
    this.#follow(this.now + (this.#options.bytesPerSecond === 1_200 ? 180_000 : 12_000));
    for (const { client, hasJoined } of this.#known) {
      if (!client?.isSynced || !hasJoined) continue;
      checkMirror(client, this.#world);
    }
  }

  #follow(end: number): void {
    for (let deadline; (deadline = this.nextDeadline()) <= end;) {
      // Most of the time it may be late, so that this does not take longer than all of the rest.
      this.now = Math.max(this.now + 45, deadline);
      this.advance();
    }
    this.now = Math.max(this.now, end);
  }
}

/** The world's server. */
export const WORLD_SERVER = engineTarget(
  "world",
  "world server",
  (chance, tally) => new WorldFuzzer(chance, tally),
  {
    reach: {
      kinds: [
        ...every<Exclude<WorldServerEvent["kind"], "left" | "refused">>()(
          "joined lagging stalled",
        ),
        ...every<WorldDeparture>("left:")("stopped silent expelled"),
        ...every<WorldRefusal>("refused:")(
          "short oversize length digest ack json number unknown shape stranger rate busy full full-network",
        ),
        ...["snap", "diff", "remove", "heartbeat", "stop", "ack", "full"].map((type) =>
          `sent ${type}`
        ),
        "sent",
      ],
      never: { "refused:shape": "a client says nothing that could have a wrong field" },
    },
    seeds: 12,
    actions: 250,
  },
);
