/** What the tests of the world's programs have in common: what a mirror should be, and when it is. */
import { assert, assertEquals } from "@std/assert";
import { Gravity } from "../../lib/commands/gravity.ts";
import type { Traits } from "../../lib/protocols/world/traits.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { until } from "../support/wait.ts";
import type { MirroredObject, PythonMirror, WorldPeer } from "./world_programs.ts";

/** Many programs run side by side here. */
const MIRROR_PATIENCE_MS = 30_000;

/** What the pages do not allow, as the judges noticed. */
export function assertNoComplaints(...peers: readonly WorldPeer[]): void {
  for (const peer of peers) {
    assertEquals(peer.events("violation"), []);
    assertEquals(peer.events("refused"), []);
    assertEquals(peer.errorLines, []);
  }
}

/** Runs tests that take long side by side, each with a name of its own. */
export function testTogether(name: string, scenarios: Record<string, () => Promise<void>>): void {
  // A step with sanitizers waits for the others. The test around all of them keeps its own.
  const alone = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };
  Deno.test(name, async (t) => {
    const steps = Object.entries(scenarios).map(([name, fn]) => t.step({ name, fn, ...alone }));
    await Promise.all(steps);
  });
}

/** The bodies of `netsync world`, as they must be at each tick. */
export class Orbits {
  readonly #world = new World();
  readonly #gravity: Gravity;
  readonly #tickSeconds: number;
  /** By tick. */
  readonly #objects: Record<string, MirroredObject>[] = [];

  constructor({ bodies, seed = 1, hz }: { bodies: number; seed?: number; hz: number }) {
    this.#gravity = new Gravity(this.#world, bodies, seed);
    this.#tickSeconds = 1_000 / hz / 1_000;
    this.#objects.push(mirrorOf(this.#world, thousandths));
  }

  at(tick: number): Record<string, MirroredObject> {
    while (this.#objects.length <= tick) {
      this.#gravity.step(this.#world, this.#tickSeconds);
      this.#objects.push(mirrorOf(this.#world, thousandths));
    }
    return this.#objects[tick]!;
  }

  /** How many ticks ago the things in a mirror were where it has them; nothing is where it never was. */
  lags({ objects, time }: PythonMirror): number[] {
    return Object.entries(objects).map(([id, { position }]) => {
      let at = time!;
      while (at >= 0 && !isSame(this.at(at)[id]!.position, position)) at--;
      assert(at >= 0, `${id} was never at ${position}, up to tick ${time}`);
      return time! - at;
    });
  }
}

/** A world as a Python client should have it. */
export function mirrorOf(
  { objects }: { objects: ReadonlyMap<number, Traits> },
  told: (number: number) => number = (number) => number + 0,
): Record<string, MirroredObject> {
  const entries = Array.from(objects, ([id, object]) => {
    const { velocity, angularVelocity, quaternion, position, mass, ...traits } = object;
    const vectors = { velocity, angularVelocity, quaternion, position };
    const written = Object.entries(vectors).map(([name, vector]) => [name, vector.map(told)]);
    return [id, { ...Object.fromEntries(written), mass, traits }];
  });
  return Object.fromEntries(entries);
}

/** As `netsync world` rounds what it tells. */
export function thousandths(number: number): number {
  return Math.round(number * 1_000) / 1_000 + 0;
}

/** As JSON that does not depend on the order of names. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part) => {
    const isObject = typeof part === "object" && part !== null && !Array.isArray(part);
    return isObject ? Object.fromEntries(Object.entries(part).sort()) : part;
  });
}

/** Whether two values have the same JSON. */
export function isSame(one: unknown, other: unknown): boolean {
  return textOf(one) === textOf(other);
}

/** Waits until a Python client's mirror is as it should be. */
export async function mirrors(
  what: string,
  peer: WorldPeer,
  is: (mirror: PythonMirror) => boolean,
): Promise<PythonMirror> {
  let mirror = await peer.mirror();
  await until(what, async () => {
    if (is(mirror)) return true;
    mirror = await peer.mirror();
    return false;
  }, MIRROR_PATIENCE_MS);
  return mirror;
}

/** Waits until a client with diffs has exactly what there is at the tick it knows of. */
export function followsExactly(
  peer: WorldPeer,
  orbits: Orbits,
  afterTick = 0,
): Promise<PythonMirror> {
  return mirrors("the mirror to be the world", peer, ({ objects, time }) => {
    return time !== null && time > afterTick && isSame(objects, orbits.at(time));
  });
}
