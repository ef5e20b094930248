/**
 * The message server, the relay and the message client, over streams. Always true:
 *
 * - connections stay within the limits, in all and of each network, and agree with the events;
 * - each is told once that it is over, and last; nothing is said to a connection that is over, nor heard of one
 *   that is not read;
 * - what is sent can be read by a peer of the same kind, as messages within the limit;
 * - what is not whole of all connections together is bounded by what they may begin;
 * - a connection that ended takes nothing along and leaves nothing behind: when all have, nothing is due.
 */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  type ClientEnd,
  createMessageClient,
  type MessageClientEngine,
  type MessageClientEvent,
} from "../../../lib/protocols/messages/client.ts";
import { createMessageRelay } from "../../../lib/protocols/messages/relay.ts";
import {
  createMessageServer,
  type Disconnection,
  type MessageRefusal,
  type MessageServerEngine,
  type MessageServerEngineOptions,
  type MessageServerEvent,
} from "../../../lib/protocols/messages/server.ts";
import { messageOf } from "../decoders/messages.ts";
import type { Chance } from "../harness/chance.ts";
import { engineTarget } from "../harness/engines.ts";
import { every, type Tally } from "../harness/reach.ts";
import { StreamFuzzer } from "../harness/streams.ts";

class ServerFuzzer extends StreamFuzzer<MessageServerEvent> {
  engine: MessageServerEngine;
  readonly #options: MessageServerEngineOptions;
  readonly #connected = new Set<Peer>();
  #isReading = true;

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    this.#options = {
      connectionsMax: chance.pick([1, 5, 64]),
      connectionsPerNetworkMax: chance.pick([2, 64]),
      messageBytesMax: this.messageBytesMax,
      queueBytesMax: chance.pick([500, 20_000]),
      idleMs: chance.pick([500, 60_000]),
      gapMs: chance.pick([0, 1 / 3, 20]),
      framing: chance.pick(["auto", "never"]),
      messagesHzMax: chance.pick([0.1, 3, 1_000]),
      bytesHzMax: chance.pick([5_000, 2 ** 23]),
      deliveriesHzMax: chance.pick([7, 40_000]),
    };
    this.engine = this.#create();
  }

  #create(): MessageServerEngine {
    if (this.chance.is(0.4)) return createMessageRelay(this.#options);
    const server: MessageServerEngine = createMessageServer({
      ...this.#options,
      onMessage: (peer, message, now, out): void => {
        assert(this.#connected.has(peer), "a message of somebody who is not connected");
        out.emit({ kind: "message", peer, message });
        if (message.body.length % 3 === 0) server.send(peer, message, now, out);
        if (message.body.length % 41 === 40) server.drop(peer, now, out);
      },
    });
    return server;
  }

  readonly actions = {
    ...this.streamActions,
    reading: (): void => {
      this.#isReading = !this.#isReading || this.chance.is(0.5);
      this.engine.setReading(this.#isReading, this.now, this);
    },
    program: (): void => {
      const message = messageOf(this.chance, this.chance.below(900));
      const { peer } = this.any();
      this.engine.send(peer, message, this.now, this);
      this.engine.isFramed(peer);
      if (this.chance.is(0.3)) this.engine.sendAll(this.engine.clients, message, this.now, this);
      if (this.chance.is(0.1)) {
        this.engine.drop(peer, this.now, this);
        assertEquals(this.engine.send(peer, message, this.now, this).failure, "gone");
      }
      if (this.chance.is(0.1)) this.engine.flush(this);
    },
  };

  protected onEvent(event: MessageServerEvent): void {
    switch (event.kind) {
      case "connected":
        assert(!this.#connected.has(event.peer), "connected twice");
        this.#connected.add(event.peer);
        return;
      case "message":
        return assert(this.#connected.has(event.peer), "a message behind the end");
      case "disconnected":
        return assert(this.#connected.delete(event.peer), "it was not connected");
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }

  protected check(): void {
    const { connectionsMax, connectionsPerNetworkMax } = this.#options;
    assertEquals(new Set(this.engine.clients), this.#connected);
    assert(this.engine.size <= connectionsMax!, `${this.engine.size} clients`);
    this.checkNetworks(this.engine.clients, connectionsPerNetworkMax!);
    assertEquals(new Set(this.remembered()), this.#connected);
    for (const peer of this.#connected) assert(this.lines.get(peer)!.isOpen, "in, but over");
  }

  protected finish(): void {
    this.engine.setReading(true, this.now, this);
    for (const line of this.lines.values()) {
      if (line.isOpen) this.engine.ended(line.peer, "closed", this.now, this);
      line.isOpen = false;
    }
    assertEquals([this.engine.size, this.engine.nextDeadline()], [0, Infinity]);
    this.check();
    // Whoever was here takes no place from those who come.
    this.now += 60_000;
    const { connectionsMax, connectionsPerNetworkMax } = this.#options;
    const { network } = this.peers[0]!;
    const neighbours = this.peers.filter((peer) => peer.network === network);
    for (const peer of neighbours.slice(0, Math.min(connectionsMax!, connectionsPerNetworkMax!))) {
      this.open(this.lines.get(peer)!);
      assert(this.engine.remembers(peer), `no room for ${peer.address}`);
    }
  }
}

class ClientFuzzer extends StreamFuzzer<MessageClientEvent> {
  engine: MessageClientEngine;
  #isConnected = false;
  #isLeaving = false;

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    this.engine = createMessageClient({
      messageBytesMax: this.messageBytesMax,
      queueBytesMax: chance.pick([500, 20_000]),
      gapMs: chance.pick([0, 10]),
      framing: chance.pick(["auto", "always", "never"]),
    });
  }

  readonly actions = {
    ...this.streamActions,
    send: (): void => {
      const message = messageOf(this.chance, this.chance.below(900));
      if (this.chance.is(0.2)) message.setBody(this.chance.noise(20));
      this.engine.send(message, this.now, this);
      if (this.chance.is(0.1)) this.engine.sendRaw("é", this.now, this);
    },
    reading: (): void => this.engine.setReading(this.chance.is(0.7), this.now, this),
    leave: (): void => {
      if (this.chance.is(0.7)) return;
      this.engine.leave(this);
      this.#isLeaving = this.#isConnected;
    },
    flush: (): void => this.engine.flush(this),
  };

  protected onEvent(event: MessageClientEvent): void {
    assertEquals(this.#isConnected, event.kind !== "connected", event.kind);
    if (event.kind === "message") return assert(!this.#isLeaving, "it leaves, and hears");
    this.#isConnected = event.kind === "connected";
    this.#isLeaving = false;
  }

  protected check(): void {
    const remembered = this.remembered();
    assertEquals(remembered.length, this.#isConnected ? 1 : 0, "connections");
  }

  protected finish(): void {
    for (const line of this.lines.values()) {
      if (line.isOpen) this.engine.ended(line.peer, "reset", this.now, this);
      line.isOpen = false;
    }
    assertEquals([this.#isConnected, this.engine.nextDeadline()], [false, Infinity]);
  }
}

/** The message server. */
export const MESSAGES_SERVER = engineTarget(
  "messages",
  "message server and relay",
  (chance, tally) => new ServerFuzzer(chance, tally),
  {
    reach: {
      kinds: [
        ...every<Exclude<MessageServerEvent["kind"], "disconnected" | "refused">>()(
          "connected message",
        ),
        ...every<Disconnection>("disconnected:")("closed reset idle slow refused dropped"),
        ...every<MessageRefusal>("refused:")(
          "utf8 too-long headers frame full-network rate busy full memory unsendable",
        ),
        ...["sent", "closed", "read", "not read"],
      ],
      never: {
        "refused:memory": "64 MiB have to be begun at once: tests/protocols/messages has that",
      },
    },
    seeds: 20,
    actions: 250,
  },
);

/** The message client. */
export const MESSAGES_CLIENT = engineTarget(
  "messages",
  "message client",
  (chance, tally) => new ClientFuzzer(chance, tally),
  {
    reach: {
      kinds: [
        ...every<Exclude<MessageClientEvent["kind"], "disconnected">>()("connected message"),
        ...every<ClientEnd>("disconnected:")("closed reset utf8 too-long headers frame left"),
        ...["sent", "closed", "read", "not read"],
      ],
    },
    seeds: 15,
    actions: 250,
  },
);
