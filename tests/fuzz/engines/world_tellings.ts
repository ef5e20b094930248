/** What the world's server tells its clients, against the world as it is; and how the world changes. */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import type { WorldClientEngine } from "../../../lib/protocols/world/client.ts";
import type { WorldServerOptions } from "../../../lib/protocols/world/server.ts";
import type { TraitChanges } from "../../../lib/protocols/world/traits.ts";
import type { Packet } from "../../../lib/protocols/world/wire.ts";
import type { World } from "../../../lib/protocols/world/world.ts";
import type { Chance } from "../harness/chance.ts";

const OVERHEAD_BYTES = 28;
const ACK_BYTES = 23;
const UNPROVED_BYTES_MAX = 2_000;

/** Limits of a server. */
export function limitsFrom(
  chance: Chance,
  objectsMax: number,
): Omit<WorldServerOptions, "world" | "unixMs" | "random"> {
  return {
    tickRateHz: chance.pick([0, 0.5, 10, 100, 1_000]),
    keyframeMs: chance.pick([0, 50, 10_000]),
    silenceMs: chance.pick([400, 3_000, 10_000]),
    clientsMax: chance.pick([1, 4, 512, 512]),
    unprovedMax: chance.pick([1, 4, 512]),
    clientsPerNetworkMax: chance.pick([1, 2, 64]),
    // A big world would take minutes at the least of them.
    bytesPerSecond: chance.pick([objectsMax > 100 ? 20_000 : 1_200, 50_000, 262_144]),
  };
}

/** The world changes: things come, change, lose traits and go. */
export function live(chance: Chance, world: World, ever: Set<number>): void {
  for (let deeds = 1 + chance.below(chance.pick([1, 3, 30])); deeds > 1; deeds--) {
    const id = chance.pick([...world.objects.keys()]);
    const kind = chance.random();
    try {
      if (id === undefined || kind < 0.3) ever.add(world.spawn(traits(chance)));
      else if (kind < 0.85) world.update(id, traits(chance));
      else world.remove(id);
    } catch (error) {
      assert(error instanceof RangeError, "full, or too much in one object");
    }
  }
}

function traits(chance: Chance): TraitChanges {
  const changes: Record<string, unknown> = {};
  if (chance.is(0.5)) changes.position = [chance.below(1e6), -chance.below(1), chance.whole(3)];
  if (chance.is(0.3)) changes.mass = chance.whole(5);
  if (chance.is(0.3)) changes.name = "é".repeat(chance.below(chance.pick([3, 160])));
  if (chance.is(0.2)) changes.hp = chance.is(0.5) ? undefined : { now: chance.random(), of: [1] };
  return changes as TraitChanges;
}

/** What the test knows of an address. */
export interface Known {
  readonly peer: Peer;
  /** The server said that it joined, and not that it left. */
  hasJoined: boolean;
  /** Since it came, if it is remembered: what it cost and got, and whether it may have acked. */
  bytes: number;
  hasAcked: boolean;
  /** Its packets that were not acked yet. */
  unacked: number;
  /** Of the last packet it was sent. */
  sequence: number | undefined;
  /** What it could ack. */
  waiting: number[];
  /** The newest tick it was told of. */
  toldTime: number;
  /** What it was told to be gone. */
  readonly gone: Set<number>;
  /** Has an engine of its own that acks all. */
  client: WorldClientEngine | undefined;
}

/** A client that acked everything has what there is. */
export function checkMirror({ objects }: WorldClientEngine, world: World): void {
  assertEquals(new Set(objects.keys()), new Set(world.objects.keys()));
  for (const [id, { position: seen, ...othersSeen }] of objects) {
    const { position, ...others } = world.objects.get(id)!;
    assertEquals({ ...othersSeen }, others);
    for (const [axis, value] of position.entries()) {
      assert(Math.abs(seen[axis]! - value) < 0.001, `${id} is at ${seen}, not ${position}`);
    }
  }
}

/** Everything that one server tells. */
export class Tellings {
  readonly #world: World;
  readonly #ever: ReadonlySet<number>;
  readonly #tickRateHz: number;
  #universe: unknown;

  /** @param ever Ids that were there once. */
  constructor(world: World, ever: ReadonlySet<number>, tickRateHz: number) {
    this.#world = world;
    this.#ever = ever;
    this.#tickRateHz = tickRateHz;
  }

  /** The next packet to somebody. */
  take(known: Known, { sequence, message }: Packet & { kind: "message" }, bytes: number): void {
    if (known.sequence !== undefined) assertEquals(sequence, (known.sequence + 1) % 65_536);
    known.sequence = sequence;
    known.waiting.push(sequence);
    const { time } = this.#world;
    if (message.type !== "stop") {
      assertEquals(message.universe, this.#universe ??= message.universe);
    }
    switch (message.type) {
      case "snap":
        this.#checkNews(known, [message.id as number], message.time as number, false);
        break;
      case "diff": {
        const ids = Object.keys(message.diff as object).map(Number);
        this.#checkNews(known, ids, message.time as number, false);
        break;
      }
      case "remove":
        this.#checkNews(known, message.ids as number[], message.time as number, true);
        break;
      case "heartbeat":
        assertEquals(message.tick, time);
        assertEquals(message.tickRate, this.#tickRateHz);
        assert((message.synced as number | undefined ?? 0) <= time, `synced ${message.synced}`);
        break;
      case "stop": // To whom the server sends away.
        assert(known.hasJoined, "it was told to stop, and had not joined");
        break;
      default:
        throw new Error(`a message of type ${message.type}`);
    }
    if (known.hasJoined) return;
    assert(message.type === "snap" || message.type === "heartbeat", `${message.type}`);
    known.bytes += bytes + OVERHEAD_BYTES;
    const withAck = known.bytes + ACK_BYTES + OVERHEAD_BYTES;
    assert(withAck < UNPROVED_BYTES_MAX, `${withAck} bytes with an ACK`);
  }

  /** News are of now, or of the tick that is being told at the moment. */
  #checkNews(known: Known, ids: readonly number[], time: number, areGone: boolean): void {
    assert(ids.length > 0);
    assert(time <= this.#world.time && time >= known.toldTime, `${time} after ${known.toldTime}`);
    known.toldTime = time;
    for (const id of ids) {
      assert(this.#ever.has(id), `object ${id} never was`);
      const isThere = this.#world.entities.has(id);
      if (areGone) {
        assert(!isThere, `object ${id} is there`);
        known.gone.add(id);
      } else {
        assert(isThere || time < this.#world.time, `object ${id} is gone`);
        assert(!known.gone.has(id), `object ${id} was told to be gone`);
      }
    }
  }
}
