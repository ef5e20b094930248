/**
 * The arena itself: players who move between walls, and the bullets they fire. Time goes in steps of
 * one length; the same inputs at the same steps make the same world.
 */

/** Half the world's width and height: it spans from -20 to 20 and from -10 to 10. */
export const WORLD_WIDTH = 20;
export const WORLD_HEIGHT = 10;
/** Players stop this far before a wall. */
const WALL_DISTANCE = 1;
/** So far from the middle a player can be. */
export const REACH_X: number = WORLD_WIDTH - WALL_DISTANCE;
export const REACH_Y: number = WORLD_HEIGHT - WALL_DISTANCE;
/** Units a second. */
const PLAYER_SPEED = 10;
const BULLET_SPEED = 8;
/** So long a bullet flies. */
export const BULLET_SECONDS = 2;
/** So far from the middle a player appears, on both axes. */
const START_DISTANCE = 10;
/** Bullets in the world: the oldest go when there are more. */
const BULLETS_MAX = 1_024;
/** What a player may have in the air: about one every 0.1 s. */
const BULLETS_PER_PLAYER_MAX = 20;

/** A player in the arena. */
export interface Body {
  readonly number: number;
  /** Each from 0 to 255. */
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  x: number;
  y: number;
  /** Its input, each from -1 to 1, kept until the next one. */
  dx: number;
  dy: number;
  /** The last input that was a movement: where it looks, and fires. */
  facingX: number;
  facingY: number;
  bullets: number;
}

/** A bullet in the air. */
export interface Bullet {
  readonly by: Body;
  x: number;
  y: number;
  readonly vx: number;
  readonly vy: number;
  /** In radians, 0 to the right. */
  readonly rotation: number;
  /** At which step it is gone. */
  readonly endsAt: number;
}

/** The players and bullets. */
export class World {
  readonly #random: () => number;
  readonly #stepSeconds: number;
  readonly #bodies = new Set<Body>();
  readonly #moving = new Set<Body>();
  /** The oldest first. */
  #bullets: Bullet[] = [];
  #steps = 0;

  /**
   * @param stepSeconds How much time passes in a step.
   * @param random From 0 inclusive to 1 exclusive: for colors and where players appear.
   */
  constructor(stepSeconds: number, random: () => number) {
    this.#stepSeconds = stepSeconds;
    this.#random = random;
  }

  /** All players. */
  get bodies(): ReadonlySet<Body> {
    return this.#bodies;
  }

  /** Those whose last input was a movement, even if a wall stops them. */
  get moving(): ReadonlySet<Body> {
    return this.#moving;
  }

  /** Whether steps change nothing. */
  get isStill(): boolean {
    return this.#moving.size === 0 && this.#bullets.length === 0;
  }

  /** What is in the air, the oldest first. */
  get bullets(): readonly Bullet[] {
    return this.#bullets;
  }

  /** Puts a player somewhere near the middle, in any color. */
  add(number: number): Body {
    const color = (): number => Math.floor(this.#random() * 256);
    const place = (limit: number): number =>
      (2 * this.#random() - 1) * Math.min(START_DISTANCE, limit - WALL_DISTANCE);
    const body = {
      number,
      red: color(),
      green: color(),
      blue: color(),
      x: place(WORLD_WIDTH),
      y: place(WORLD_HEIGHT),
      dx: 0,
      dy: 0,
      facingX: 1,
      facingY: 0,
      bullets: 0,
    };
    this.#bodies.add(body);
    return body;
  }

  /** Puts a player where it was in another world, on its way. */
  restore(body: Body): void {
    this.#bodies.add(body);
    if (body.dx !== 0 || body.dy !== 0) this.#moving.add(body);
  }

  /** Takes a player out. Its bullets fly on. */
  remove(body: Body): void {
    this.#bodies.delete(body);
    this.#moving.delete(body);
  }

  /** What a player wants from now on. */
  steer(body: Body, dx: number, dy: number): void {
    body.dx = dx;
    body.dy = dy;
    if (dx === 0 && dy === 0) return void this.#moving.delete(body);
    this.#moving.add(body);
    body.facingX = dx;
    body.facingY = dy;
  }

  /** Fires where a player looks. */
  fire(body: Body): void {
    if (body.bullets >= BULLETS_PER_PLAYER_MAX) return;
    if (this.#bullets.length >= BULLETS_MAX) this.#bullets.shift()!.by.bullets--;
    const rotation = Math.atan2(body.facingY, body.facingX);
    body.bullets++;
    this.#bullets.push({
      by: body,
      x: body.x,
      y: body.y,
      vx: Math.cos(rotation) * BULLET_SPEED,
      vy: Math.sin(rotation) * BULLET_SPEED,
      rotation,
      endsAt: this.#steps + Math.round(BULLET_SECONDS / this.#stepSeconds),
    });
  }

  /** Time passes by one step. */
  step(): void {
    this.#steps++;
    const seconds = this.#stepSeconds;
    for (const body of this.#moving) {
      body.x = clamp(body.x + body.dx * PLAYER_SPEED * seconds, REACH_X);
      body.y = clamp(body.y + body.dy * PLAYER_SPEED * seconds, REACH_Y);
    }
    for (const bullet of this.#bullets) {
      bullet.x += bullet.vx * seconds;
      bullet.y += bullet.vy * seconds;
    }
    // All live equally long, so those that end stand in front.
    let ended = 0;
    while (ended < this.#bullets.length && this.#bullets[ended]!.endsAt <= this.#steps) {
      this.#bullets[ended++]!.by.bullets--;
    }
    if (ended > 0) this.#bullets = this.#bullets.slice(ended);
  }
}

function clamp(value: number, limit: number): number {
  return Math.min(limit, Math.max(-limit, value));
}
