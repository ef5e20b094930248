/** Mirrors of the world: each object is where the server's own is, which falls here once more. */
import { WorldClient } from "../../lib/clients/world_client.ts";
import { Gravity } from "../../lib/commands/gravity.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { type Address, homeAddress, Line } from "./line.ts";
import { Names, type Stage } from "./stage.ts";
import { type Player, Troupe } from "./troupe.ts";

/** As `netsync world` rounds. */
const DECIMALS = 3;
/** So many ticks are remembered; at 20 Hz a minute. */
const TICKS_KEPT = 1_200;
/** The server may be started twice before a player finds its first one silent. */
const TWINS_KEPT = 4;
/** A twin is made so long after the server was started, at most. */
const STARTED_BEFORE_MS = 10_000;
/** Between two looks at all objects of a mirror. */
const LOOK_EVERY_MS = 1_000;
const SILENCE_MS = 5_000;
const names = new Names();

/** The server's world once more: the same seed and steps make the same orbits. */
export class Twin {
  readonly #world = new World({ decimals: DECIMALS });
  readonly #gravity: Gravity;
  readonly #tickSeconds: number;
  /** By tick, the places of all objects as JSON, by id. */
  readonly #places = new Map<number, ReadonlyMap<number, string>>();
  readonly #bornAt = performance.now();
  #time = 0;

  constructor(bodies: number, seed: number, tickRateHz: number) {
    this.#world.own(this);
    this.#gravity = new Gravity(this.#world, bodies, seed);
    this.#tickSeconds = 1 / tickRateHz;
  }

  /** The newest tick, not after `until`, at which an object was at this place; undefined when never lately. */
  tickOf(id: number, place: string, until: number): number | undefined {
    const age = (performance.now() - this.#bornAt + STARTED_BEFORE_MS) / 1_000;
    // No server can be there yet: what is asked for is of one before.
    if (until * this.#tickSeconds > age) return undefined;
    this.#goTo(until);
    for (let tick = until; tick > until - TICKS_KEPT && tick > 0; tick--) {
      if (this.#places.get(tick)?.get(id) === place) return tick;
    }
    return undefined;
  }

  #goTo(time: number): void {
    while (this.#time < time) {
      this.#gravity.step(this.#world, this.#tickSeconds);
      this.#world.tick(1, this);
      this.#time++;
      const places = new Map<number, string>();
      for (const [id, { told }] of this.#world.entities) places.set(id, told.get("position")!.text);
      this.#places.set(this.#time, places);
      this.#places.delete(this.#time - TICKS_KEPT);
    }
  }
}

class WorldPlayer implements Player {
  readonly name = names.next("world");
  readonly client: WorldClient;
  readonly line: Line;
  mayChange = false;
  #lookedAt = -Infinity;
  readonly #onLook: (player: WorldPlayer) => void;

  static async enter(
    stage: Stage,
    at: Address | undefined,
    onLook: (player: WorldPlayer) => void,
  ): Promise<WorldPlayer> {
    let line: Line | undefined;
    const client = await WorldClient.connect(`127.0.0.1:${stage.ports.world}`, {
      silenceMs: SILENCE_MS,
      through(conn): Deno.DatagramConn {
        const { port } = conn.addr as Deno.NetAddr;
        line = new Line(conn, at ?? { hostname: homeAddress(stage.random), port });
        return stage.weather.around(line);
      },
    });
    return new WorldPlayer(client, line!, onLook);
  }

  private constructor(client: WorldClient, line: Line, onLook: (player: WorldPlayer) => void) {
    this.client = client;
    this.line = line;
    this.#onLook = onLook;
  }

  play(): void {
    if (performance.now() - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = performance.now();
    this.#onLook(this);
  }

  rest(): void {
    this.play();
  }

  leave(): Promise<void> {
    return this.client.close();
  }
}

/** All mirrors of the world. */
export class WorldTroupe extends Troupe<WorldPlayer> {
  readonly #make: () => Twin;
  readonly #objects: number;
  readonly #tickRateHz: number;
  /** Of the server that runs, and of those before: some may not know yet that they are gone. */
  #twins: Twin[] = [];
  #epoch = 0;

  constructor(
    stage: Stage,
    size: number,
    world: { bodies: number; seed: number; tickRateHz: number },
  ) {
    super("world", stage, size);
    const { bodies, seed, tickRateHz } = world;
    this.#make = () => new Twin(bodies, seed, tickRateHz);
    this.#objects = bodies + 1; // The sun.
    this.#tickRateHz = tickRateHz;
  }

  protected override enter(at?: Address): Promise<WorldPlayer> {
    return WorldPlayer.enter(this.stage, at, (player) => this.#look(player));
  }

  override disagreement(): string | undefined {
    const newest = Math.max(...Array.from(this.players, ({ client }) => client.time));
    for (const { name, client } of this.players) {
      const { objects, time, isConnected, isSynced } = client;
      if (!isConnected || !isSynced) return `${name} is not connected, or has not everything`;
      if (objects.size !== this.#objects) {
        return `${name} has ${objects.size} objects of ${this.#objects}`;
      }
      if (time < newest - this.#tickRateHz) return `${name} is at tick ${time}, not ${newest}`;
      for (const [id, { position }] of objects) {
        const tick = this.#current.tickOf(id, JSON.stringify(position), time);
        // The sun never moves: it is where it was at any tick.
        if (tick === undefined || tick < time - this.#tickRateHz) {
          return `${name} has object ${id} at ${position} at tick ${time}: that was at tick ${tick}`;
        }
      }
    }
    return undefined;
  }

  override settled(): void {
    super.settled();
    const count = this.players.size * this.#objects;
    this.stage.book.checked("world: all objects are at the newest place", count);
  }

  get #current(): Twin {
    this.#keepUp();
    return this.#twins[0]!;
  }

  #keepUp(): void {
    const { epoch } = this.stage.server;
    if (this.#epoch === epoch && this.#twins.length > 0) return;
    this.#epoch = epoch;
    this.#twins = [this.#make(), ...this.#twins].slice(0, TWINS_KEPT);
  }

  /** At any time: an object may be seen late, but never where it was not. */
  #look({ name, client }: WorldPlayer): void {
    this.#keepUp();
    const { time, objects } = client;
    for (const [id, { position }] of objects) {
      const place = JSON.stringify(position);
      this.stage.book.checked("world: an object is where the server's was");
      if (this.#twins.some((twin) => twin.tickOf(id, place, time) !== undefined)) continue;
      this.stage.book.violate(
        `world: ${name} has object ${id} at ${place} at tick ${time}: it never was there`,
      );
    }
  }
}
