/**
 * Random sequences of everything that can happen to the servers of named events, in both formats, and of
 * echo. Always true:
 *
 * - nothing throws, and after `advance` the next deadline is later;
 * - clients stay within the limits, in all and of each network, and agree with the events;
 * - an address that only says joins and heartbeats, or rubbish, is sent three datagrams at most until it
 *   is forgotten; rubbish alone is never answered;
 * - what is sent reliably is settled once;
 * - when all are silent nobody is remembered, and no deadline is left.
 *
 * Whole kinds of action are missing in some seeds. FUZZ_SECONDS=60 plays longer, SEED=17 one seed.
 */
import { assert, assertEquals } from "@std/assert";
import type { Engine, Outbox, Peer } from "../../lib/protocols/engine.ts";
import { createEchoServer, type EchoEvent } from "../../lib/protocols/echo/server.ts";
import type { EventFormat, Payload } from "../../lib/protocols/events/format.ts";
import type { Client } from "../../lib/protocols/events/hub.ts";
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { msgpackFormat } from "../../lib/protocols/events/packed.ts";
import {
  createEventServer,
  type EventServerEngine,
  type EventServerEvent,
} from "../../lib/protocols/events/server.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { mutated, noise } from "../protocols/engine_suite.ts";
import { peerAt } from "../support/recorder.ts";
import { seeds, withSeed } from "../support/seeds.ts";

const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 0.6);
const ACTIONS = 500;
const PER_NETWORK_MAX = 3;
const STRANGERS = 16;
/** Enough for all of them. */
const CLIENTS_MANY = 64;

const FORMATS: Record<string, EventFormat> = {
  JSON: jsonFormat(),
  MessagePack: msgpackFormat({ message: 4, say: 5 }),
};

function playSeeds(body: (random: Random) => void): void {
  const end = performance.now() + SECONDS * 1_000;
  for (const seed of seeds(Infinity)) {
    withSeed(seed, () => body(seededRandom(seed)));
    if (performance.now() > end) break;
  }
}

for (const [label, format] of Object.entries(FORMATS)) {
  Deno.test(`createEventServer() keeps its promises whatever happens, in ${label}`, () => {
    playSeeds((random) => new Fuzzer(random, format).run());
  });
}

Deno.test("createEchoServer() keeps its promises whatever happens", () => {
  playSeeds((random) => new Fuzzer(random, jsonFormat(), "echo").run());
});

const ACTION_KINDS = ["say", "join", "ack", "spoilt", "noise", "program", "wait"] as const;
type Action = (typeof ACTION_KINDS)[number];
type Event = EventServerEvent | EchoEvent;

class Fuzzer implements Outbox<Event> {
  readonly backlog = 0;
  readonly unsent = 0;
  readonly #random: Random;
  readonly #format: EventFormat;
  readonly #clientsMax: number;
  readonly #server: EventServerEngine | undefined;
  readonly #engine: Engine<Event> & { readonly clients: ReadonlySet<Client> };
  readonly #actions: readonly Action[];
  readonly #strangers: readonly Peer[];
  /** Who only ever joins, and who only ever talks rubbish. */
  readonly #victim = peerAt("203.0.113.1:1");
  readonly #babbler = peerAt("203.0.113.2:1");
  /** Who is connected, as the events tell. */
  readonly #connected = new Set<Peer>();
  /** Sequence numbers that each was sent. */
  readonly #sequences = new Map<Peer, number[]>();
  readonly #settled: number[] = [];
  #sentToVictim: number[] = [];
  #now: number;

  constructor(random: Random, format: EventFormat, kind: "events" | "echo" = "events") {
    this.#random = random;
    this.#format = format;
    this.#clientsMax = pick(random, [1, 4, 12, CLIENTS_MANY]);
    const limits = { clientsMax: this.#clientsMax, clientsPerNetworkMax: PER_NETWORK_MAX };
    if (kind === "echo") {
      this.#engine = createEchoServer({ ...limits, messagesPerSecond: pick(random, [1, 1_000]) });
    } else {
      this.#server = createEventServer({ ...limits, format, random });
      this.#engine = this.#server;
    }
    this.#actions = ACTION_KINDS.filter((kind) => kind === "join" || random() < 0.7);
    this.#now = pick(random, [0, 1.5, 2 ** 40]);
    this.#strangers = Array.from({ length: STRANGERS }, (_, index) => {
      return peerAt(
        index % 2 ? `10.0.0.${index % 5}:${index}` : `[2001:db8:${index % 3}::1]:${index}`,
      );
    });
  }

  run(): void {
    for (let action = 0; action < ACTIONS; action++) {
      this.#act(pick(this.#random, this.#actions));
      this.#pass(this.#random() * pick(this.#random, [0, 10, 300]));
      this.#checkLimits();
    }
    this.#checkSilence();
  }

  // ---- what happens

  #act(action: Action): void {
    const random = this.#random;
    const stranger = pick(random, this.#strangers);
    switch (action) {
      case "say":
        return this.#receive(this.#event(), stranger);
      case "join": {
        const word = this.#format.encode({ kind: pick(random, ["join", "heartbeat"]) });
        this.#receive(word, this.#victim);
        return this.#receive(word, stranger);
      }
      case "ack": {
        const known = this.#sequences.get(stranger) ?? [];
        const guess = Math.floor(random() * 10_001);
        const sequences = [guess, ...known.filter(() => random() < 0.7)].slice(0, 1_000);
        return this.#receive(this.#format.encode({ kind: "ack", sequences }), stranger);
      }
      case "spoilt":
        return this.#receive(mutated(random, this.#event()), stranger);
      case "noise": {
        const bytes = noise(random, random() * pick(random, [8, 64, 9_000]));
        if (this.#format.decode(bytes).kind === "refused") this.#receive(bytes, this.#babbler);
        return this.#receive(bytes, stranger);
      }
      case "program":
        return this.#program();
      case "wait":
        return this.#pass(random() * pick(random, [500, 5_000, 40_000]));
      default:
        action satisfies never;
    }
  }

  #event(): Uint8Array {
    const random = this.#random;
    const payload: Payload = pick(random, [1, "é", [null, { a: [true] }], "x".repeat(1_000)]);
    return this.#format.encode({ kind: "event", name: pick(random, ["message", "say"]), payload });
  }

  /** The program that runs the server does something. */
  #program(): void {
    const random = this.#random;
    const server = this.#server;
    const [client] = server?.clients ?? [];
    if (!server || !client) return;
    if (random() < 0.1) return server.disconnect(client, this.#now, this);
    const letter = this.#settled.push(0) - 1;
    const settled = (): void => {
      this.#settled[letter]!++;
      if (this.#random() < 0.05) server.disconnect(client, this.#now, this);
    };
    server.send(client, "say", "one", this.#now, this, { reliable: true, settled });
    server.sendAll("say", "all", this.#now, this, { reliable: random() < 0.5, except: client });
  }

  #receive(datagram: Uint8Array, from: Peer): void {
    const copy = datagram.slice();
    this.#engine.receive(copy, from, this.#now, this);
    copy.fill(0x5a);
  }

  /** Time passes. */
  #pass(ms: number): void {
    const end = this.#now + ms;
    for (let at = this.#engine.nextDeadline(); at <= end; at = this.#engine.nextDeadline()) {
      this.#now = Math.max(this.#now, at);
      this.#engine.advance(this.#now, this);
      const deadline = this.#engine.nextDeadline();
      assert(deadline > this.#now, `the next deadline is ${deadline} after advance(${this.#now})`);
    }
    this.#now = end;
  }

  // ---- what the server says

  send(peer: Peer, bytes: Uint8Array): void {
    assert(peer !== this.#babbler, "rubbish was answered");
    const message = this.#format.decode(bytes);
    assert(message.kind !== "refused", "what was sent cannot be read");
    if ("sequence" in message && message.sequence !== undefined) {
      const sequences = this.#sequences.get(peer) ?? [];
      this.#sequences.set(peer, [...sequences.slice(-50), message.sequence]);
    }
    if (peer !== this.#victim) return;
    this.#sentToVictim = this.#sentToVictim.filter((at) => at > this.#now - 9_999);
    // A place is lost to newcomers when many come: then it begins anew.
    if (this.#clientsMax < CLIENTS_MANY && this.#sentToVictim.length >= 3) this.#sentToVictim = [];
    this.#sentToVictim.push(this.#now);
    assert(message.kind === "welcome" && this.#sentToVictim.length <= 3, "too much for a victim");
  }

  broadcast(): void {
    throw new Error("there are no broadcasts");
  }

  emit(event: Event): void {
    switch (event.kind) {
      case "connected":
      case "joined":
        return this.#comes("client" in event ? event.client.peer : event.peer);
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

  #checkLimits(): void {
    const peers = Array.from(this.#engine.clients, ({ peer }) => peer);
    assertEquals(new Set(peers), this.#connected);
    assert(peers.length <= this.#clientsMax, `${peers.length} clients`);
    const remembered = this.#strangers.filter((peer) => this.#engine.remembers(peer));
    assert(remembered.length <= 2 * this.#clientsMax, `${remembered.length} are remembered`);
    const networks = Map.groupBy(remembered, ({ network }) => network);
    for (const [network, { length }] of networks) {
      assert(length <= PER_NETWORK_MAX, `${length} clients of ${network}`);
    }
    for (const count of this.#settled) assert(count <= 1, `settled ${count} times`);
  }

  #checkSilence(): void {
    this.#pass(60_000);
    assertEquals([this.#engine.nextDeadline(), this.#connected.size], [Infinity, 0]);
    for (const peer of [...this.#strangers, this.#victim, this.#babbler]) {
      assert(!this.#engine.remembers(peer), `${peer.address} is remembered`);
    }
    assert(this.#settled.every((count) => count === 1), "something was never settled");
  }
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}
