/**
 * The servers of named events, in both formats, and of echo. Always true:
 *
 * - clients stay within the limits, in all and of each network, and agree with the events;
 * - an address that only says joins and heartbeats, or rubbish, is sent three datagrams at most until it
 *   is forgotten; rubbish alone is never answered;
 * - what is sent reliably is settled once;
 * - when all are silent nobody is remembered, and no deadline is left.
 */
import { assert, assertEquals } from "@std/assert";
import type { Engine, Membership, Outbox, Peer } from "../../../lib/protocols/engine.ts";
import {
  createEchoServer,
  type EchoEvent,
  type EchoRefusal,
} from "../../../lib/protocols/echo/server.ts";
import type { EventFormat, Outgoing, Payload } from "../../../lib/protocols/events/format.ts";
import type { Client, Departure } from "../../../lib/protocols/events/hub.ts";
import { jsonFormat } from "../../../lib/protocols/events/json.ts";
import { msgpackFormat } from "../../../lib/protocols/events/packed.ts";
import {
  createEventServer,
  type EventRefusal,
  type EventServerEngine,
  type EventServerEvent,
} from "../../../lib/protocols/events/server.ts";
import { peerAt } from "../../support/recorder.ts";
import type { Chance } from "../harness/chance.ts";
import { DatagramFuzzer, engineTarget } from "../harness/engines.ts";
import { every, type Reach, type Tally } from "../harness/reach.ts";
import { joined, spoiltJson } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";

const PER_NETWORK_MAX = 3;
const STRANGERS = 24;
/** Enough for all of them. */
const CLIENTS_MANY = 64;
const UNPROVED_PER_PLACE = 8;
/** So long an address is remembered that shows nothing, and so often it is welcomed. */
const UNPROVED_MS = 10_000;
const WELCOMES_MAX = 3;

type Event = EventServerEvent | EchoEvent;

class EventsFuzzer extends DatagramFuzzer<Event> {
  engine: Engine<Event> & Membership<Outbox<Event>> & { readonly clients: ReadonlySet<Client> };
  readonly peers: readonly Peer[];
  readonly #format: EventFormat;
  readonly #clientsMax: number;
  readonly #server: EventServerEngine | undefined;
  readonly #strangers: readonly Peer[];
  /** Who only ever joins, and who only ever talks rubbish. */
  readonly #victim = peerAt("203.0.113.1:1");
  readonly #babbler = peerAt("203.0.113.2:1");
  /** Who is connected, as the events tell. */
  readonly #connected = new Set<Peer>();
  /** Everybody who ever was. */
  readonly #all: Client[] = [];
  /** Sequence numbers that each was sent. */
  readonly #sequences = new Map<Peer, number[]>();
  readonly #settled: number[] = [];
  protected override readonly deadlinesMax = Infinity;
  #victimsNumber: number | undefined;
  #welcomedAt = -Infinity;
  #welcomes = 0;

  constructor(chance: Chance, tally: Tally, format: EventFormat, kind: "events" | "echo") {
    super(chance, tally);
    this.#format = format;
    this.#clientsMax = chance.pick([1, 4, 12, CLIENTS_MANY]);
    const limits = { clientsMax: this.#clientsMax, clientsPerNetworkMax: PER_NETWORK_MAX };
    if (kind === "echo") {
      this.engine = createEchoServer({ ...limits, messagesPerSecond: chance.pick([1, 1_000]) });
    } else {
      this.#server = createEventServer({ ...limits, format, random: chance.random });
      this.engine = this.#server;
    }
    const networks = chance.pick([2, 2, 5, STRANGERS]);
    this.#strangers = chance.many(STRANGERS, (index) => {
      const network = index % networks;
      return peerAt(
        network % 2 ? `10.0.0.${network}:${index}` : `[2001:db8:${network}::1]:${index}`,
      );
    });
    this.peers = [...this.#strangers, this.#victim, this.#babbler];
  }

  protected override get expellable(): readonly Peer[] {
    return this.#strangers;
  }

  // ---- what happens

  readonly actions = {
    join: (): void => {
      const word = this.#format.encode({ kind: this.chance.pick(["join", "heartbeat"]) });
      this.receive(word, this.#victim);
      this.receive(word, this.#stranger());
    },
    say: (): void => this.receive(this.#event(), this.#stranger()),
    ack: (): void => {
      const stranger = this.#stranger();
      const known = this.#sequences.get(stranger) ?? [];
      const sequences = [this.chance.whole(10_001), ...known.filter(() => this.chance.is(0.7))];
      const ack = { kind: "ack", sequences: sequences.slice(0, 1_000) } as const;
      this.receive(this.#format.encode(ack), stranger);
    },
    // What servers say comes back to one.
    server: (): void => {
      const welcome = { kind: "welcome", number: 1, server: 2 } as const;
      const answer = { kind: "heartbeat", isAnswer: true } as const;
      const word = this.#format.encode(this.chance.pick<Outgoing>([welcome, answer]));
      this.receive(word, this.chance.pick([...this.#strangers, this.#victim]));
    },
    spoilt: (): void => {
      const event = this.#event();
      const spoilt = this.chance.is(0.5) ? spoiltJson(this.chance, event) : undefined;
      const padding = new Uint8Array(this.chance.is(0.05) ? 9_000 : 0).fill(0x20);
      this.receive(joined(spoilt ?? this.chance.mutated(event), padding), this.#stranger());
    },
    noise: (): void => {
      const bytes = this.chance.noise();
      if (this.#format.decode(bytes).kind === "refused") this.receive(bytes, this.#babbler);
      this.receive(bytes, this.#stranger());
    },
    program: (): void => this.#program(),
    storm: (): void =>
      this.storm(() => this.#format.encode({ kind: "heartbeat" }), this.#strangers),
  };

  #stranger(): Peer {
    return this.chance.pick(this.#strangers);
  }

  #event(): Uint8Array {
    const { chance } = this;
    const quotes = '"'.repeat(chance.is(0.1) ? 2_500 : 10);
    const payload = chance.pick<Payload>([
      1,
      "é",
      [null, { a: [true] }],
      "x".repeat(1_000),
      quotes,
    ]);
    return this.#format.encode({ kind: "event", name: chance.pick(["message", "say"]), payload });
  }

  /** The program that runs the server does something. */
  #program(): void {
    const server = this.#server;
    // Also to somebody who may be gone.
    const client = this.chance.is(0.1)
      ? this.chance.pick(this.#all)
      : [...server?.clients ?? []][0];
    if (!server || !client) return;
    if (this.chance.is(0.1)) return server.disconnect(client, this.now, this);
    const letter = this.#settled.push(0) - 1;
    const settled = (): void => {
      this.#settled[letter]!++;
      if (this.chance.is(0.05)) server.disconnect(client, this.now, this);
    };
    server.send(client, "say", "one", this.now, this, { reliable: true, settled });
    const options = { reliable: this.chance.is(0.5), except: client };
    server.sendAll("say", "all", this.now, this, options);
  }

  /** Time passes after each action. */
  protected override drain(): void {
    this.unsent = 0;
    const end = this.now + this.chance.below(this.chance.pick([0, 0, 0, 10, 300]));
    for (let at = this.engine.nextDeadline(); at <= end; at = this.engine.nextDeadline()) {
      this.now = Math.max(this.now, at);
      this.advance();
    }
    this.now = end;
  }

  // ---- what the server says

  protected onSent(peer: Peer, bytes: Uint8Array): void {
    assert(peer !== this.#babbler, "rubbish was answered");
    const message = this.#format.decode(bytes);
    assert(message.kind !== "refused", "what was sent cannot be read");
    if ("sequence" in message && message.sequence !== undefined) {
      const sequences = this.#sequences.get(peer) ?? [];
      this.#sequences.set(peer, [...sequences.slice(-50), message.sequence]);
    }
    if (peer !== this.#victim) return;
    assert(message.kind === "welcome", `${message.kind} for a victim`);
    if (message.number !== this.#victimsNumber) {
      // Others may need its place when there are few, and then it begins anew.
      const isSoon = this.now < this.#welcomedAt + UNPROVED_MS && this.#clientsMax === CLIENTS_MANY;
      assert(!isSoon, "let in again before it was forgotten");
      this.#victimsNumber = message.number;
      this.#welcomedAt = this.now;
      this.#welcomes = 0;
    }
    assert(++this.#welcomes <= WELCOMES_MAX, "too much for a victim");
  }

  protected onEvent(event: Event): void {
    switch (event.kind) {
      case "connected":
        this.#all.push(event.client);
        return this.#comes(event.client.peer);
      case "joined":
        return this.#comes(event.peer);
      case "disconnected":
      case "left": {
        const { peer } = "client" in event ? event.client : event;
        return assert(this.#connected.delete(peer), `${peer.address} was not there`);
      }
      case "event":
        return assert(this.#connected.has(event.client.peer), "a stranger's event");
      case "echoed":
        return assertEquals(event.listeners, this.#connected.size);
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }

  #comes(peer: Peer): void {
    assert(!this.#connected.has(peer), `${peer.address} came twice`);
    assert(peer !== this.#victim && peer !== this.#babbler, "nobody came");
    this.#connected.add(peer);
  }

  // ---- what is always true

  protected check(): void {
    const peers = Array.from(this.engine.clients, ({ peer }) => peer);
    assertEquals(new Set(peers), this.#connected);
    assert(peers.length <= this.#clientsMax, `${peers.length} clients`);
    const remembered = this.remembered();
    const most = (1 + UNPROVED_PER_PLACE) * this.#clientsMax;
    assert(remembered.length <= most, `${remembered.length} are remembered`);
    this.checkNetworks(this.#connected, PER_NETWORK_MAX);
    this.checkNetworks(remembered.filter((peer) => !this.#connected.has(peer)), PER_NETWORK_MAX);
    for (const count of this.#settled) assert(count <= 1, `settled ${count} times`);
  }

  protected finish(): void {
    this.rest(120_000);
    assertEquals([this.#connected.size, this.remembered()], [0, []]);
    assert(this.#settled.every((count) => count === 1), "something was never settled");
  }
}

const HUB = "full full-network stranger rate busy";
const ECHO: Reach = {
  kinds: [
    ...every<Exclude<EchoEvent["kind"], "left" | "refused">>()("joined echoed"),
    ...every<Departure>("left:")("silent closed displaced"),
    ...every<EchoRefusal>("refused:")(`oversize syntax shape event too-long ${HUB}`),
    "sent",
  ],
  never: {
    "left:displaced": "nobody acks anything, so nobody is on trial",
    "refused:stranger": "an ack is no message of this protocol",
  },
};
const EVENTS: Reach = {
  kinds: [
    ...every<Exclude<EventServerEvent["kind"], "disconnected" | "refused">>()("connected event"),
    ...every<Departure>("disconnected:")("silent closed displaced"),
    ...every<EventRefusal>("refused:")(`oversize syntax shape event ${HUB}`),
    "sent",
  ],
};

function target(service: "events" | "echo", name: string, format: EventFormat): Target {
  const reach = service === "echo" ? ECHO : EVENTS;
  return engineTarget(
    service,
    name,
    (chance, tally) => new EventsFuzzer(chance, tally, format, service),
    { reach, seeds: service === "echo" ? 20 : 12, actions: 400 },
  );
}

/** The servers of named events, and of echo. */
export const EVENTS_SERVERS: readonly Target[] = [
  target("events", "event server in JSON", jsonFormat()),
  target("events", "event server in MessagePack", msgpackFormat({ message: 4, say: 5 })),
  target("echo", "echo server", jsonFormat()),
];
