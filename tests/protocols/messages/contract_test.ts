import { assert, assertEquals } from "@std/assert";
import type {
  Engine,
  Member,
  Membership,
  Outbox,
  Peer,
  StreamEngine,
  StreamOutbox,
} from "../../../lib/protocols/engine.ts";
import {
  createMessageClient,
  type MessageClientEngine,
  type MessageClientOutbox,
} from "../../../lib/protocols/messages/client.ts";
import {
  encodeFrame,
  LENGTH_BYTES,
  OFFER_BARS,
  SWITCH,
} from "../../../lib/protocols/messages/frame.ts";
import { NetworkMessage } from "../../../lib/protocols/messages/message.ts";
import { createMessageRelay } from "../../../lib/protocols/messages/relay.ts";
import {
  createMessageServer,
  type MessageOutbox,
  type MessageServerEngine,
  type MessageServerEngineOptions,
} from "../../../lib/protocols/messages/server.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { StreamRecorder } from "../../support/stream_recorder.ts";
import { testEngineContract } from "../engine_suite.ts";

const utf8 = new TextEncoder();
const LIMITS: MessageServerEngineOptions = {
  connectionsMax: 5,
  connectionsPerNetworkMax: 2,
  messageBytesMax: 3_000,
  queueBytesMax: 20_000,
  idleMs: 60_000,
};

/** What an engine over TCP does, as events, so that all of it counts in what it said. */
type Deed<Event> =
  | { kind: "event"; event: Event; message?: unknown }
  | { kind: "close"; peer: Peer }
  | { kind: "reading"; peer: Peer; isReading: boolean };

/**
 * An engine over TCP as one over datagrams: each is a chunk, a stranger's opens a connection first, and
 * an empty one, which no stream has, ends it. What is sent has left whenever the time is told.
 */
class OverDatagrams<Event extends { kind: string }>
  implements Engine<Deed<Event>>, Membership<Outbox<Deed<Event>>> {
  readonly #engine: StreamEngine<Event>;
  readonly #unsent = new Map<Peer, number>();

  constructor(engine: StreamEngine<Event>) {
    this.#engine = engine;
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<Deed<Event>>): void {
    const stream = this.#streamOf(out);
    if (datagram.length === 0) return this.#engine.ended(from, "closed", now, stream);
    if (!this.#engine.remembers(from)) this.#engine.opened(from, now, stream);
    this.#engine.receive(datagram, from, now, stream);
  }

  advance(now: number, out: Outbox<Deed<Event>>): void {
    this.#unsent.clear();
    this.#engine.advance(now, this.#streamOf(out));
  }

  nextDeadline(): number {
    return this.#engine.nextDeadline();
  }

  remembers(peer: Peer): boolean {
    return this.#engine.remembers(peer);
  }

  members(): Member[] {
    return (this.#engine as unknown as MessageServerEngine).members();
  }

  expel(peer: Peer, now: number, out: Outbox<Deed<Event>>): void {
    const server = this.#engine as unknown as MessageServerEngine;
    server.expel(peer, now, this.#streamOf(out) as unknown as MessageOutbox);
  }

  /** Says something of its own accord, if it is a client. */
  say(message: NetworkMessage, now: number, out: Outbox<Deed<Event>>): void {
    const client = this.#engine as unknown as MessageClientEngine;
    client.send(message, now, this.#streamOf(out) as unknown as MessageClientOutbox);
  }

  #streamOf(out: Outbox<Deed<Event>>): StreamOutbox<Event> {
    return {
      send: (peer, bytes): void => {
        this.#unsent.set(peer, this.#unsentBytes(peer) + bytes.length);
        out.send(peer, bytes);
      },
      unsentBytes: (peer) => this.#unsentBytes(peer),
      setReading: (peer, isReading) => out.emit({ kind: "reading", peer, isReading }),
      close: (peer) => out.emit({ kind: "close", peer }),
      emit: (event): void => {
        // What a message holds is private to it: it would not be written down.
        const { message } = event as { message?: NetworkMessage };
        const what = message && [message.headers, message.body, message.binary];
        out.emit({ kind: "event", event, message: what });
      },
    };
  }

  #unsentBytes(peer: Peer): number {
    return this.#unsent.get(peer) ?? 0;
  }
}

testEngineContract("createMessageServer()", () => {
  const answers: MessageServerEngine = createMessageServer({
    ...LIMITS,
    onMessage(peer, message, now, out): void {
      out.emit({ kind: "message", peer, message });
      if (message.body.length % 3 === 0) answers.send(peer, message, now, out);
      if (message.body.length % 41 === 40) answers.drop(peer, now, out);
    },
  });
  return serverSubject(answers);
});

testEngineContract(
  "createMessageServer() at low rates",
  () => serverSubject(createMessageServer({ ...LIMITS, messagesHzMax: 3, bytesHzMax: 5_000 })),
);

testEngineContract(
  "createMessageServer() that makes room",
  () => serverSubject(createMessageServer({ ...LIMITS, messagesHzMax: 0.1 })),
);

testEngineContract(
  "createMessageRelay() whose networks share little",
  () => serverSubject(createMessageRelay({ ...LIMITS, deliveriesHzMax: 7, queueBytesMax: 500 })),
);

testEngineContract(
  "createMessageServer() without frames",
  () => serverSubject(createMessageServer({ ...LIMITS, framing: "never", gapMs: 1 / 3 })),
);

testEngineContract("createMessageRelay()", () => serverSubject(createMessageRelay(LIMITS)));

testEngineContract("createMessageClient()", () => {
  const client = createMessageClient({ messageBytesMax: 3_000, queueBytesMax: 20_000 });
  const peers = peersOf(2, 2);
  const engine = new OverDatagrams(client);
  return {
    engine,
    datagram: anyChunk,
    peers,
    begin(now, out): void {
      engine.receive(utf8.encode("$%hello"), peers[0]!, now, out);
      engine.say(new NetworkMessage("first"), now, out);
    },
    checkLimits(): void {
      assert(peers.filter((peer) => engine.remembers(peer)).length <= 1, "two connections");
    },
    endsInSilence: false,
  };
});

Deno.test("createMessageClient() waits for nothing when nobody says anything", () => {
  forEachSeed(200, (seed) => {
    const random = seededRandom(seed);
    const [engine, out] = [createMessageClient(), new StreamRecorder<unknown>()];
    const [server] = peersOf(1, 1) as [Peer];
    let now = random() * 1e9;
    engine.opened(server, now, out);
    for (let step = 0; step < 50; step++, now += random() * 30) {
      engine.receive(anyChunk(random), server, now, out);
      if (random() < 0.5) engine.send(new NetworkMessage("x".repeat(random() * 50)), now, out);
    }
    for (let turns = 0; engine.nextDeadline() < Infinity; turns++) {
      now = Math.max(now, engine.nextDeadline());
      engine.advance(now, out);
      assert(engine.nextDeadline() > now, `${engine.nextDeadline()} after advance(${now})`);
      assert(turns < 100, "there is always something left to do");
    }
    assertEquals(out.afterEnd, []);
  });
});

function serverSubject(
  engine: MessageServerEngine,
): ReturnType<Parameters<typeof testEngineContract<Deed<{ kind: string }>>>[1]> {
  const overDatagrams = new OverDatagrams<{ kind: string }>(
    engine as StreamEngine<{ kind: string }>,
  );
  return {
    engine: overDatagrams,
    membership: overDatagrams,
    datagram: anyChunk,
    peers: peersOf(12, 4),
    checkLimits(): void {
      assert(engine.size <= LIMITS.connectionsMax!, `${engine.size} clients`);
      const networks = new Map<string, number>();
      for (const { network } of engine.clients) {
        networks.set(network, (networks.get(network) ?? 0) + 1);
      }
      assert([...networks.values()].every((count) => count <= 2), "too many of one network");
    },
    endsInSilence: true,
  };
}

function peersOf(count: number, networks: number): Peer[] {
  return Array.from(
    { length: count },
    (_, index) => peerAt(`192.0.2.${index % networks}:${5_000 + index}`),
  );
}

/** Some of a stream of real traffic: whole messages, several of them, pieces, and frames. */
function anyChunk(random: Random): Uint8Array {
  const kind = random();
  if (kind < 0.4) return anyMessage(random).encode();
  if (kind < 0.5) return concat([anyMessage(random).encode(), anyMessage(random).encode()]);
  if (kind < 0.6) {
    const whole = anyMessage(random).encode();
    return whole.slice(random() * whole.length);
  }
  if (kind < 0.7) return utf8.encode(`$${"|".repeat(OFFER_BARS)}%hi`);
  if (kind < 0.8) return new NetworkMessage("long ".repeat(220 + random() * 500)).encode();
  if (kind < 0.85) return utf8.encode("raw text é");
  const frame = encodeFrame(anyMessage(random));
  if (kind < 0.9) return concat([SWITCH as Uint8Array, frame]);
  return kind < 0.97 ? frame : frame.slice(0, LENGTH_BYTES + random() * frame.length);
}

function anyMessage(random: Random): NetworkMessage {
  const message = new NetworkMessage("é$%|:a1".repeat(random() * 8).slice(random() * 7));
  for (let headers = random() * 4; headers > 1; headers--) {
    message.addHeader(["handshake", "a", "", "é"][Math.floor(random() * 4)]!, "v:".repeat(headers));
  }
  return message;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
