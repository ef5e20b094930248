/** What a server says about its world, as JSON that fits into one datagram each. */
import { PAYLOAD_BYTES_MAX } from "./wire.ts";
import { memberOf } from "./traits.ts";
import type { Cargo } from "./debts.ts";
import type { Changes, Entity, Part, World } from "./world.ts";

/** Some JSON, and the things it is about. */
export interface Payload<Thing> {
  readonly json: Uint8Array;
  readonly things: readonly Thing[];
}

/** A message that is the same for every client, and what it is about. */
export interface SharedMessage {
  readonly json: Uint8Array;
  readonly cargo: Cargo;
}

/** A tick's changes, and the messages that tell whoever understands diffs. */
export interface News {
  readonly changes: Changes;
  readonly messages: readonly SharedMessage[];
  /** Of all messages together. */
  readonly bytes: number;
}

/** A snapshot that was written, and for which tick. */
interface Written {
  time: number;
  initial?: Uint8Array;
  later?: Uint8Array;
}

const encoder = new TextEncoder();

/** Writes the messages about one world. What many clients are told is written once. */
export class Payloads {
  readonly #world: World;
  readonly #universe: number;
  readonly #tickRateHz: number;
  readonly #written = new WeakMap<Entity, Written>();

  /**
   * @param universe Tells this server from every other.
   * @param tickRateHz 0 when ticks have no fixed rate.
   */
  constructor(world: World, universe: number, tickRateHz: number) {
    this.#world = world;
    this.#universe = universe;
    this.#tickRateHz = tickRateHz;
  }

  /** All of an object, as it is now. */
  snap(entity: Entity, isInitial: boolean): Uint8Array {
    const { time } = this.#world;
    let written = this.#written.get(entity);
    if (written?.time !== time) this.#written.set(entity, written = { time });
    return isInitial
      ? written.initial ??= this.#snap(entity, ',"initial":true')
      : written.later ??= this.#snap(entity, "");
  }

  /** What some traits are now. */
  diffs(parts: readonly Part[]): Payload<Part>[] {
    return this.#divided(parts, '"type":"diff"', '"diff":{', "}", ({ entity, names }) => {
      const members = names.map((name) => memberOf(name, entity.told.get(name)!.text));
      return `"${entity.id}":{${members.join(",")}}`;
    });
  }

  /** Which objects are gone. */
  removals(entities: readonly Entity[]): Payload<Entity>[] {
    return this.#divided(entities, '"type":"remove"', '"ids":[', "]", ({ id }) => String(id));
  }

  /** What a tick changed, for whoever was up to date before. */
  news(changes: Changes): News {
    const { spawned, changed, reshaped, removed, time } = changes;
    const messages: SharedMessage[] = [];
    for (const entity of [...spawned, ...reshaped]) {
      messages.push({ json: this.snap(entity, false), cargo: { kind: "snap", entity, time } });
    }
    for (const { json, things } of this.diffs(changed)) {
      messages.push({ json, cargo: { kind: "diff", parts: things, time } });
    }
    for (const { json, things } of this.removals(removed)) {
      messages.push({ json, cargo: { kind: "removal", entities: things } });
    }
    const bytes = messages.reduce((sum, { json }) => sum + json.length, 0);
    return { changes, messages, bytes };
  }

  /**
   * That the server is there.
   *
   * @param unixMs The time of day.
   * @param synced Of this tick or later, the client has a snapshot of every object.
   */
  heartbeat(unixMs: number, synced: number | undefined): Uint8Array {
    return encoder.encode(JSON.stringify({
      type: "heartbeat",
      time: unixMs / 1_000,
      tick: this.#world.time,
      tickRate: this.#tickRateHz,
      synced,
      universe: this.#universe,
    }));
  }

  #snap(entity: Entity, initial: string): Uint8Array {
    const { snapshot, others } = entity.texts;
    const total = this.#world.entities.size;
    const traits = others && `,"traits":{${others}}`;
    return encoder.encode(
      `{"type":"snap","id":${entity.id},"time":${this.#world.time},"snapshot":${snapshot},` +
        `"total":${total}${initial}${traits},"universe":${this.#universe}}`,
    );
  }

  /** A list in as many messages as it takes. Its members are ASCII and none is too long for one. */
  #divided<Thing>(
    all: readonly Thing[],
    type: string,
    before: string,
    after: string,
    write: (thing: Thing) => string,
  ): Payload<Thing>[] {
    const head = `{${type},"time":${this.#world.time},${before}`;
    const tail = `${after},"universe":${this.#universe}}`;
    const payloads: Payload<Thing>[] = [];
    let texts: string[] = [];
    let things: Thing[] = [];
    let bytes = 0;
    const end = (): void => {
      if (things.length === 0) return;
      payloads.push({ json: encoder.encode(head + texts.join(",") + tail), things });
      texts = [];
      things = [];
    };
    for (const thing of all) {
      const text = write(thing);
      if (things.length === 0 || bytes + 1 + text.length > PAYLOAD_BYTES_MAX) {
        end();
        bytes = head.length + tail.length - 1;
      }
      bytes += 1 + text.length;
      texts.push(text);
      things.push(thing);
    }
    end();
    return payloads;
  }
}
