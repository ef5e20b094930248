/**
 * The world's client, whatever a server says. Always true: it has no more objects than it may, its time never
 * runs back in one universe, each of its objects has the five traits, what it tells adds up to what it has, and
 * it sends knocks, pings and ACKs of what it was sent and nothing else.
 */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createWorldClient,
  type WorldClientEngine,
  type WorldClientEvent,
  type WorldClientRefusal,
} from "../../../lib/protocols/world/client.ts";
import { decodePacket, encodeAck, encodeMessage } from "../../../lib/protocols/world/wire.ts";
import { packetOf, serverMessage } from "../decoders/world.ts";
import type { Chance } from "../harness/chance.ts";
import { ClientFuzzer, SERVERS } from "../harness/clients.ts";
import { engineTarget } from "../harness/engines.ts";
import { every, type Tally } from "../harness/reach.ts";
import { utf8 } from "../harness/spoil.ts";

class WorldClientFuzzer extends ClientFuzzer<WorldClientEvent> {
  engine: WorldClientEngine;
  readonly #objectsMax: number;
  readonly #universes: readonly (number | undefined)[];
  /** What it told of. */
  readonly #objects = new Map<number, unknown>();
  #sequence: number | undefined;
  /** Of the message that is handed over at this moment. */
  #mayAck: number | undefined;
  #isConnected = false;

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    this.#objectsMax = chance.pick([1, 10, 1_000]);
    this.#universes = chance.pick([[7], [undefined], [7, 7, 7, 8, 9, undefined]]);
    this.engine = createWorldClient({
      random: chance.random,
      objectsMax: this.#objectsMax,
      silenceMs: chance.pick([500, 7_000]),
      drawDelayMs: chance.pick([0, 100]),
    });
  }

  /** To another server, as far as the client knows: its numbers begin anew. */
  protected connect(): void {
    this.#sequence = undefined;
    this.engine.connect(SERVERS, this.now, this);
  }

  protected message(): Uint8Array {
    const kind = this.chance.random();
    if (kind < 0.1) return encodeAck(this.#sequence!);
    const packet = packetOf(this.chance, serverMessage(this.chance, this.#universes));
    if (kind > 0.99) packet.set(utf8("[1"), packet.length - 2);
    if (kind > 0.985 && kind < 0.99) {
      return encodeMessage(7, utf8('{"type":"heartbeat","time":1e999}'));
    }
    return packet;
  }

  protected override act(): void {
    if (this.engine.isConnected && this.chance.is(0.1)) return this.engine.leave(this.now, this);
    const ack = encodeAck(this.#sequence!);
    ack.set(utf8("[]"), ack.length - 2);
    this.receive(ack, SERVERS[0]!);
  }

  protected override receive(datagram: Uint8Array, from: Peer): void {
    const packet = decodePacket(datagram);
    this.#mayAck = packet.kind === "message" ? packet.sequence : undefined;
    const { time } = this.engine;
    const objects = new Set(this.engine.objects.keys());
    super.receive(datagram, from);
    this.#mayAck = undefined;
    // Back only in another universe: nothing of the last one is there any more.
    if (this.engine.time >= time) return;
    assert(packet.kind === "message");
    const told = new Set([packet.message.id as number, ...Object.keys(packet.message.diff ?? {})]);
    for (const id of this.engine.objects.keys()) {
      assert(!objects.has(id) || told.has(id) || told.has(String(id)), `${id} is from before`);
    }
  }

  protected onSaid(bytes: Uint8Array): void {
    const packet = decodePacket(bytes);
    assert(packet.kind !== "refused");
    if (packet.kind === "ack") {
      assertEquals(packet.sequence, this.#mayAck, "an ACK of something that was not there");
      this.#mayAck = undefined;
      return;
    }
    const { type } = packet.message;
    assert(type === "knock" || type === undefined || type === "stop", `${type}`);
    const isSame = packet.sequence === this.#sequence && type === "knock"; // At another address.
    if (this.#sequence !== undefined && !isSame) {
      assertEquals(packet.sequence, (this.#sequence + 1) % 65_536);
    }
    this.#sequence = packet.sequence;
  }

  protected onEvent(event: WorldClientEvent): void {
    switch (event.kind) {
      case "spawned":
        assert(!this.#objects.has(event.id), `${event.id} was there`);
        this.#objects.set(event.id, event.traits);
        return;
      case "changed":
        assert(this.#objects.has(event.id), `${event.id} was not there`);
        assert(Object.keys(event.changes).length > 0, "a change of nothing");
        this.#objects.set(event.id, event.traits);
        return;
      case "removed":
        assert(this.#objects.delete(event.id), `${event.id} was not there`);
        return;
      case "connected":
        this.#isConnected = true;
        return assert(SERVERS.includes(event.server));
      case "disconnected":
        assert(this.#isConnected, "it was not connected");
        this.#isConnected = false;
        return;
      case "latency":
        return assert(event.roundTripMs >= 0 && event.roundTripMs <= 3_000, `${event.roundTripMs}`);
      case "synced":
        return assertEquals(event.objects, this.#objects.size);
      case "heartbeat":
        return assert(Number.isFinite(event.unixSeconds));
      case "full":
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }

  protected override check(): void {
    super.check();
    const { objects, time, loss, total, isConnected, isSynced, heardAt } = this.engine;
    assert(objects.size <= this.#objectsMax, `${objects.size} objects`);
    assertEquals(new Map(objects), this.#objects);
    for (const [id, traits] of objects) {
      assert(Number.isSafeInteger(id) && id >= 0, `object ${id}`);
      const { velocity, angularVelocity, quaternion, position, mass } = traits;
      const numbers = [...velocity, ...angularVelocity, ...quaternion, ...position, mass];
      assertEquals(numbers.length, 14);
      assert(numbers.every(Number.isFinite), `object ${id}`);
      const pose = this.engine.poseOf(id, this.now);
      assertEquals([pose?.position.length, pose?.quaternion.length], [3, 4]);
    }
    assert(Number.isSafeInteger(time) && time >= -1, `time ${time}`);
    assert(loss === undefined || loss >= 0 && loss <= 1, `loss ${loss}`);
    assert(total === undefined || Number.isSafeInteger(total), `total ${total}`);
    assert(!isSynced || isConnected, "synced, but not connected");
    assert(heardAt <= this.now);
  }
}

/** The world's client. */
export const WORLD_CLIENT = engineTarget(
  "world",
  "world client",
  (chance, tally) => new WorldClientFuzzer(chance, tally),
  {
    reach: {
      kinds: [
        ...every<Exclude<WorldClientEvent["kind"], "refused">>()(
          "connected disconnected spawned changed removed synced heartbeat latency full",
        ),
        ...every<WorldClientRefusal>("refused:")(
          "short oversize length digest ack json number unknown shape stranger too-many",
        ),
        "sent",
      ],
    },
    seeds: 30,
    actions: 250,
  },
);
