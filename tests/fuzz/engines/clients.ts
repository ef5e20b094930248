/** The clients of sync, of the arena and of named events, each with what is always true of it. */
import { assert, assertEquals } from "@std/assert";
import {
  type ArenaClientEngine,
  type ArenaClientEvent,
  createArenaClient,
} from "../../../lib/protocols/arena/client.ts";
import {
  type ClientMessage,
  decodeClientMessage,
  decodeServerMessage,
  type WireRefusal,
} from "../../../lib/protocols/arena/wire.ts";
import {
  createEventClient,
  type EventClientEngine,
  type EventClientEvent,
} from "../../../lib/protocols/events/client.ts";
import type { EventFormat, FormatRefusal } from "../../../lib/protocols/events/format.ts";
import { jsonFormat } from "../../../lib/protocols/events/json.ts";
import { msgpackFormat } from "../../../lib/protocols/events/packed.ts";
import {
  createSyncClient,
  type SyncClientEngine,
  type SyncClientEvent,
} from "../../../lib/protocols/sync/client.ts";
import * as sync from "../../../lib/protocols/sync/wire.ts";
import type { Peer } from "../../../lib/protocols/engine.ts";
import { anyEvent, fromServer, writeServer } from "../decoders/arena.ts";
import type { Chance } from "../harness/chance.ts";
import { ClientFuzzer, SERVERS } from "../harness/clients.ts";
import { engineTarget } from "../harness/engines.ts";
import { every, type Tally } from "../harness/reach.ts";
import { joined, spoiltJson, utf8 } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";

/** Snapshots come in the order of their numbers; states go out in theirs, and keep the newest one alive. */
class SyncClientFuzzer extends ClientFuzzer<SyncClientEvent> {
  engine: SyncClientEngine;
  #isConnected = false;
  #number = -1n;
  #said = 0n;
  #serverNumber = 0;
  readonly #states = new Set<string>([""]);

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    const silenceMs = chance.pick([500, 10_000]);
    this.engine = createSyncClient({ silenceMs, keepAliveMs: chance.pick([100, 1_000]) });
  }

  protected message(): Uint8Array {
    const id = this.chance.pick([0n, 7n, 2n ** 63n - 1n, -1n]);
    if (this.chance.is(0.3)) return sync.encodeIdReply(id);
    if (this.chance.is(0.05)) this.#serverNumber = this.chance.pick([0, 2 ** 53]);
    const bytes = joined(new Uint8Array(8), utf8(this.chance.pick(["{}", '{"0":"x"}', "["])));
    sync.writeNumber(bytes, 0, BigInt(this.#serverNumber++));
    return bytes;
  }

  protected connect(): void {
    this.engine.connect(SERVERS.slice(0, 1 + this.chance.whole(2)), this.now);
    this.#isConnected = false;
  }

  protected override act(): void {
    const state = this.chance.pick(["{}", "é", "x".repeat(2_000)]);
    this.#states.add(state);
    const bytes = utf8(state);
    this.engine.setState(bytes, this.now, this);
    bytes.fill(0);
  }

  protected onSaid(bytes: Uint8Array): void {
    const message = sync.decodeClientMessage(bytes);
    assert(message.kind !== "refused", "no message of a client");
    this.saw(`sent ${message.kind}`);
    assertEquals(message.kind === "state", this.#isConnected, message.kind);
    if (message.kind !== "state") return;
    const { number, state } = message;
    assert(this.#states.has(new TextDecoder().decode(state)), "a state that nobody set");
    assert(
      number > this.#said || number === 0n && state.length === 0,
      `${number} after ${this.#said}`,
    );
    if (number > 0n) this.#said = number;
  }

  protected onEvent(event: SyncClientEvent): void {
    switch (event.kind) {
      case "connected":
        assert(!this.#isConnected && SERVERS.includes(event.server));
        this.#isConnected = true;
        this.#number = -1n;
        return assertEquals(this.engine.id, event.id);
      case "disconnected":
        assert(this.#isConnected, "it was not connected");
        this.#isConnected = false;
        return;
      case "snapshot":
        assert(this.#isConnected && event.number > this.#number, `${event.number}`);
        this.#number = event.number;
        return;
      case "unanswered":
        return assert(!this.#isConnected && event.askedMs > 0);
      default:
        event satisfies never;
    }
  }

  protected override check(): void {
    assertEquals(this.engine.connected, this.#isConnected);
    assert(this.engine.nextDeadline() < Infinity, "it waits for nothing");
  }
}

/** It acks what asks for it and nothing else, and who is there agrees with what it told. */
class ArenaClientFuzzer extends ClientFuzzer<ArenaClientEvent> {
  engine: ArenaClientEngine = createArenaClient({ heartbeatMs: this.chance.pick([100, 2_000]) });
  #players = new Set<number>();
  #mayAck: number | undefined;

  protected message(): Uint8Array {
    return writeServer(fromServer(this.chance))!;
  }

  protected connect(): void {
    this.#players.clear();
    this.engine.connect(SERVERS, this.now, this);
  }

  protected override act(): void {
    this.engine.act(
      this.chance.pick([{ kind: "fire" }, { kind: "input", dx: 1, dy: 0 }]),
      this.now,
      this,
    );
  }

  protected override receive(datagram: Uint8Array, from: Peer): void {
    const message = decodeServerMessage(datagram);
    this.#mayAck = message.kind !== "refused" && message.needsAck ? message.sequence : undefined;
    super.receive(datagram, from);
    this.#mayAck = undefined;
  }

  protected onSaid(bytes: Uint8Array): void {
    const message = decodeClientMessage(bytes);
    assert(message.kind !== "refused", "no message of a client");
    this.saw(`sent ${message.kind}`);
    if (message.kind === "ack") assertEquals<unknown>(message.sequences, [this.#mayAck]);
  }

  protected onEvent(event: ArenaClientEvent): void {
    switch (event.kind) {
      case "welcomed":
        this.#players = new Set([event.player.number]);
        return assertEquals(this.engine.number, event.player.number);
      case "players":
        assert(event.players.length > 0, "news of nobody");
        for (const { number } of event.players) this.#players.add(number);
        return;
      case "left":
        this.#players.delete(event.number);
        return;
      case "bullets":
        return assertEquals(this.engine.bullets, event.bullets);
      case "world":
      case "repeated":
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }

  protected override check(): void {
    super.check();
    assertEquals(new Set(this.engine.players.keys()), this.#players);
    assert(this.engine.bullets.length <= 2_000, `${this.engine.bullets.length} bullets`);
    assert(this.engine.heardAt <= this.now);
  }
}

/** It acks what asks for it and nothing else, and is connected once before it is disconnected. */
class EventClientFuzzer extends ClientFuzzer<EventClientEvent> {
  engine: EventClientEngine;
  readonly #format: EventFormat;
  #isConnected = false;
  #mayAck: number | undefined;

  constructor(chance: Chance, tally: Tally, format: EventFormat) {
    super(chance, tally);
    this.#format = format;
    this.engine = createEventClient({ format, silenceMs: chance.pick([3_000, 10_000]) });
  }

  protected message(): Uint8Array {
    const bytes = this.#format.encode(anyEvent(this.chance, false));
    return this.chance.is(0.05) ? spoiltJson(this.chance, bytes) ?? bytes : bytes;
  }

  protected connect(): void {
    this.#isConnected = false;
    this.engine.connect(SERVERS, this.now, this);
  }

  protected override act(): void {
    this.engine.send("say", this.chance.pick([null, "é", [1]]), this.now, this);
  }

  protected override receive(datagram: Uint8Array, from: Peer): void {
    const message = this.#format.decode(datagram);
    this.#mayAck = "sequence" in message ? message.sequence : undefined;
    super.receive(datagram, from);
    this.#mayAck = undefined;
  }

  protected onSaid(bytes: Uint8Array): void {
    const message = this.#format.decode(bytes);
    assert(message.kind !== "refused" && message.kind !== "welcome", message.kind);
    this.saw(`sent ${message.kind}`);
    if (message.kind === "ack") assertEquals<unknown>(message.sequences, [this.#mayAck]);
  }

  protected onEvent(event: EventClientEvent): void {
    switch (event.kind) {
      case "connected":
        this.#isConnected = true;
        return assertEquals(this.engine.number, event.number);
      case "disconnected":
        assert(this.#isConnected, "it was not connected");
        this.#isConnected = false;
        return assertEquals(this.engine.number, undefined);
      case "event":
        return assert(this.#isConnected, "an event of a server that did not let it in");
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }
}

const HEARD = every<ClientMessage["kind"]>("sent ")("join heartbeat ack fire input");

function eventClient(name: string, format: EventFormat): Target {
  return engineTarget(
    "events",
    `event client in ${name}`,
    (chance, tally) => new EventClientFuzzer(chance, tally, format),
    {
      reach: {
        kinds: [
          ...every<Exclude<EventClientEvent["kind"], "refused">>()("connected disconnected event"),
          ...every<FormatRefusal | "stranger">("refused:")("oversize syntax shape event stranger"),
          ...["sent join", "sent heartbeat", "sent ack", "sent event", "sent"],
        ],
      },
      seeds: 12,
      actions: 250,
    },
  );
}

/** Those of datagrams, but for the world's and a player's. */
export const CLIENTS: readonly Target[] = [
  engineTarget("sync", "sync client", (chance, tally) => new SyncClientFuzzer(chance, tally), {
    reach: {
      kinds: [
        ...every<SyncClientEvent["kind"]>()("connected snapshot unanswered disconnected"),
        ...every<sync.ClientMessage["kind"]>("sent ")("idRequest state"),
        "sent",
      ],
    },
    seeds: 10,
    actions: 250,
  }),
  engineTarget("arena", "arena client", (chance, tally) => new ArenaClientFuzzer(chance, tally), {
    reach: {
      kinds: [
        ...every<Exclude<ArenaClientEvent["kind"], "refused">>()(
          "welcomed world players left bullets repeated",
        ),
        ...every<WireRefusal | "stranger">("refused:")(
          "oversize syntax shape event payload stranger",
        ),
        ...HEARD,
        "sent",
      ],
    },
    seeds: 12,
    actions: 250,
  }),
  eventClient("JSON", jsonFormat()),
  eventClient("MessagePack", msgpackFormat({ message: 4, say: 5 })),
];
