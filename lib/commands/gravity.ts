/** A small solar system, to have something to look at. */
import { type Random, seededRandom } from "../parts/random.ts";
import type { Vector } from "../protocols/world/traits.ts";
import type { World } from "../protocols/world/world.ts";

/** What pulls, in units³/s²: the sun's mass times the constant of gravity. */
const PULL = 4_000;
const SUN_MASS = 1_000;
/** How far from the sun bodies begin. */
const DISTANCE_MIN = 8;
const DISTANCE_MAX = 40;
/** How much faster or slower than on a circle. */
const SPEED_SPREAD = 0.15;
/** How far orbits are inclined to each other, in radians. */
const INCLINATION_MAX = 0.2;

/** In longer steps bodies that pass close to the sun would be thrown out. */
const STEP_SECONDS_MAX = 0.02;

/** One that moves. */
interface Body {
  readonly id: number;
  position: Vector;
  velocity: Vector;
}

/** Bodies that fall around a sun. The same seed, number and steps make the same orbits everywhere. */
export class Gravity {
  readonly #bodies: Body[] = [];

  /**
   * Puts a sun and bodies into a world.
   *
   * @param count Bodies besides the sun.
   */
  constructor(world: World, count: number, seed: number) {
    if (count === 0) return;
    const random = seededRandom(seed);
    world.spawn({ mass: SUN_MASS, name: "sun", color: [255, 210, 80] });
    for (let number = 1; number <= count; number++) {
      const { position, velocity } = orbit(random);
      const color = [random(), random(), random()].map((share) => Math.floor(256 * share));
      const id = world.spawn({ position, velocity, mass: 1, name: String(number), color });
      this.#bodies.push({ id, position, velocity });
    }
  }

  /** All bodies fall for so long. */
  step(world: World, seconds: number): void {
    const steps = Math.ceil(seconds / STEP_SECONDS_MAX);
    for (const body of this.#bodies) {
      for (let step = 0; step < steps; step++) fall(body, seconds / steps);
      world.update(body.id, { position: body.position, velocity: body.velocity });
    }
  }
}

/** Semi-implicit Euler: first the speed, then the place by the new speed. So orbits stay closed. */
function fall(body: Body, seconds: number): void {
  const pull = -PULL * seconds / Math.hypot(...body.position) ** 3;
  body.velocity = sum(body.velocity, body.position, pull);
  body.position = sum(body.position, body.velocity, seconds);
}

/** Somewhere around the sun, and about as fast as it takes to stay there. */
function orbit(random: Random): { position: Vector; velocity: Vector } {
  const distance = DISTANCE_MIN + (DISTANCE_MAX - DISTANCE_MIN) * random();
  const angle = 2 * Math.PI * random();
  const inclination = INCLINATION_MAX * (2 * random() - 1);
  const speed = Math.sqrt(PULL / distance) * (1 + SPEED_SPREAD * (2 * random() - 1));
  return {
    position: [distance * Math.cos(angle), distance * Math.sin(angle), 0],
    velocity: [
      -speed * Math.sin(angle) * Math.cos(inclination),
      speed * Math.cos(angle) * Math.cos(inclination),
      speed * Math.sin(inclination),
    ],
  };
}

function sum([x, y, z]: Vector, [dx, dy, dz]: Vector, factor: number): Vector {
  return [x + factor * dx, y + factor * dy, z + factor * dz];
}
