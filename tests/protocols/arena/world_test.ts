import { assert, assertEquals } from "@std/assert";
import { type Body, World, WORLD_HEIGHT, WORLD_WIDTH } from "../../../lib/protocols/arena/world.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";

/** As the arena has it. */
const PLAYER_SPEED = 10;
const BULLET_SPEED = 8;
const BULLET_SECONDS = 2;
const BULLETS_PER_PLAYER_MAX = 20;
const BULLETS_MAX = 1_024;

/** A world in which everybody begins in the middle. */
function worldOf(hz: number, random: Random = (): number => 0.5): World {
  return new World(1 / hz, random);
}

function run(world: World, steps: number): void {
  for (let step = 0; step < steps; step++) world.step();
}

function assertAt(body: { x: number; y: number }, x: number, y: number, what?: string): void {
  const isThere = Math.abs(body.x - x) < 1e-9 && Math.abs(body.y - y) < 1e-9;
  assert(isThere, `at ${body.x}, ${body.y} instead of ${x}, ${y}: ${what ?? ""}`);
}

// ---- players

Deno.test("World.add() puts a player up to 10 from the middle, in front of the walls, in any color", () => {
  forEachSeed(20, (seed) => {
    const world = worldOf(60, seededRandom(seed));
    const seen = { left: 0, right: 0, down: 0, up: 0 };
    for (let number = 1; number <= 200; number++) {
      const { x, y, red, green, blue } = world.add(number);
      assert(Math.abs(x) <= 10, `x is ${x}`);
      assert(Math.abs(y) <= WORLD_HEIGHT - 1, `y is ${y}`);
      for (const color of [red, green, blue]) {
        assert(Number.isInteger(color) && color >= 0 && color <= 255, `a color is ${color}`);
      }
      if (x < -8) seen.left++;
      if (x > 8) seen.right++;
      if (y < -7) seen.down++;
      if (y > 7) seen.up++;
    }
    for (const [where, count] of Object.entries(seen)) assert(count > 0, `nobody ${where}`);
  });
});

Deno.test("World.add() reaches the ends of all ranges and no further", () => {
  const lowest = worldOf(60, () => 0).add(1);
  assertEquals([lowest.red, lowest.green, lowest.blue], [0, 0, 0]);
  assertEquals([lowest.x, lowest.y], [-10, -9]);
  const highest = worldOf(60, () => 1 - 2 ** -32).add(1);
  assertEquals([highest.red, highest.green, highest.blue], [255, 255, 255]);
  assert(highest.x < 10 && highest.x > 9.99 && highest.y < 9 && highest.y > 8.99);
});

Deno.test("World.add() makes a player that stands still and looks to the right", () => {
  const world = worldOf(60);
  const body = world.add(7);
  assertEquals(body.number, 7);
  assertEquals([body.dx, body.dy, body.facingX, body.facingY, body.bullets], [0, 0, 1, 0, 0]);
  assert(world.isStill);
  assertEquals([...world.bodies], [body]);
  assertEquals([...world.moving], []);
});

Deno.test("World.step() moves players by 10 units a second on each axis, whatever a step is", () => {
  for (const hz of [1, 7, 10, 60, 1_000]) {
    const world = worldOf(hz);
    const [one, other] = [world.add(1), world.add(2)];
    world.steer(one, 1, -0.5);
    world.steer(other, -0.25, 0);
    run(world, hz);
    assertAt(one, PLAYER_SPEED, -PLAYER_SPEED / 2, `${hz} Hz`);
    assertAt(other, -PLAYER_SPEED / 4, 0, `${hz} Hz`);
  }
});

Deno.test("World.steer() counts until the next one, and [0, 0] stops", () => {
  const world = worldOf(10);
  const body = world.add(1);
  world.steer(body, 1, 0);
  run(world, 5);
  assertAt(body, 5, 0);
  world.steer(body, 0, 1);
  run(world, 3);
  assertAt(body, 5, 3);
  world.steer(body, 0, 0);
  assert(world.isStill);
  run(world, 100);
  assertAt(body, 5, 3);
});

Deno.test("World.step() stops players 1 before the walls, and lets them slide and turn back", () => {
  const world = worldOf(60);
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, 1]] as const) {
    const body = world.add(1);
    world.steer(body, dx, dy);
    run(world, 600);
    assertEquals(body.x, dx * (WORLD_WIDTH - 1) + 0);
    assertEquals(body.y, dy * (WORLD_HEIGHT - 1) + 0);
    assert(world.moving.has(body), "a wall stops, but the input counts");
    world.steer(body, -dx, -dy);
    world.step();
    assert(Math.abs(body.x) <= WORLD_WIDTH - 1.1 || dx === 0);
    assert(Math.abs(body.y) <= WORLD_HEIGHT - 1.1 || dy === 0);
    world.remove(body);
  }
  const sliding = world.add(2);
  world.steer(sliding, 1, 0.1);
  run(world, 180);
  assertEquals(sliding.x, WORLD_WIDTH - 1);
  assertAt(sliding, WORLD_WIDTH - 1, 3);
});

Deno.test("World.step() keeps everybody between the walls with a step of a second", () => {
  const world = worldOf(1);
  const body = world.add(1);
  world.steer(body, 1, 1);
  for (let step = 0; step < 5; step++) {
    world.step();
    assert(body.x <= 19 && body.y <= 9);
  }
});

Deno.test("World.remove() takes a player out of everything", () => {
  const world = worldOf(60);
  const body = world.add(1);
  world.steer(body, 1, 0);
  world.remove(body);
  assertEquals([world.bodies.size, world.moving.size, world.isStill], [0, 0, true]);
  world.step();
  assertAt(body, 0, 0);
});

// ---- bullets

Deno.test("World.fire() begins where the player is, and neither drags the other along", () => {
  const world = worldOf(60);
  const body = world.add(1);
  world.steer(body, 0, 1);
  run(world, 6);
  world.steer(body, 0, 0);
  world.fire(body);
  const bullet = world.bullets[0]!;
  assertAt(bullet, 0, 1);
  run(world, 30);
  assertAt(body, 0, 1);
  assertAt(bullet, 0, 1 + BULLET_SPEED / 2);
  world.steer(body, -1, 0);
  run(world, 30);
  assertAt(bullet, 0, 1 + BULLET_SPEED);
});

Deno.test("World.fire() flies along the facing with speed 8, however slow the input was", () => {
  const table: [dx: number, dy: number, rotation: number][] = [
    [1, 0, 0],
    [0, 1, Math.PI / 2],
    [-1, 0, Math.PI],
    [0, -1, -Math.PI / 2],
    [1, 1, Math.PI / 4],
    [-1, -1, -3 * Math.PI / 4],
    [0.01, 0, 0],
    [-0.1, 0.1, 3 * Math.PI / 4],
  ];
  for (const [dx, dy, rotation] of table) {
    const world = worldOf(60);
    const body = world.add(1);
    world.steer(body, dx, dy);
    world.steer(body, 0, 0);
    world.fire(body);
    const bullet = world.bullets[0]!;
    assertEquals(bullet.rotation, rotation);
    run(world, 60);
    const [x, y] = [BULLET_SPEED * Math.cos(rotation), BULLET_SPEED * Math.sin(rotation)];
    assertAt(bullet, x, y, `${dx}, ${dy}`);
  }
});

Deno.test("World.fire() of a player that never moved goes to the right", () => {
  const world = worldOf(60);
  world.fire(world.add(1));
  run(world, 60);
  assertAt(world.bullets[0]!, BULLET_SPEED, 0);
});

Deno.test("World.fire() goes where the player looked last, not where it turns afterwards", () => {
  const world = worldOf(10);
  const body = world.add(1);
  world.steer(body, 0, -1);
  world.steer(body, 0, 0);
  world.fire(body);
  world.steer(body, 1, 0);
  run(world, 10);
  assertAt(world.bullets[0]!, 0, -BULLET_SPEED);
  assertAt(body, PLAYER_SPEED, 0);
});

Deno.test("World.step() ends a bullet after 2.0 s, whatever a step is", () => {
  for (const hz of [1, 10, 60, 1_000]) {
    const world = worldOf(hz);
    run(world, 3);
    world.fire(world.add(1));
    run(world, BULLET_SECONDS * hz - 1);
    assertEquals(world.bullets.length, 1, `${hz} Hz`);
    assert(!world.isStill);
    world.step();
    assertEquals(world.bullets.length, 0, `${hz} Hz`);
    assert(world.isStill);
  }
});

Deno.test("World.step() lets bullets fly through walls and over players", () => {
  const world = worldOf(60);
  const [body, other] = [world.add(1), world.add(2)];
  world.steer(body, 1, 0);
  run(world, 300);
  world.fire(body);
  run(world, 60);
  assertAt(world.bullets[0]!, WORLD_WIDTH - 1 + BULLET_SPEED, 0);
  assertAt(other, 0, 0);
});

Deno.test("World.fire() lets a player have 20 bullets in the air, and another when one has ended", () => {
  const world = worldOf(60);
  const [body, other] = [world.add(1), world.add(2)];
  for (let count = 0; count < 30; count++) world.fire(body);
  assertEquals(world.bullets.length, BULLETS_PER_PLAYER_MAX);
  assertEquals(body.bullets, BULLETS_PER_PLAYER_MAX);
  world.fire(other);
  assertEquals(world.bullets.length, BULLETS_PER_PLAYER_MAX + 1);
  run(world, 119);
  world.fire(body);
  assertEquals(world.bullets.length, BULLETS_PER_PLAYER_MAX + 1);
  world.step();
  assertEquals([world.bullets.length, body.bullets, other.bullets], [0, 0, 0]);
  world.fire(body);
  assertEquals(world.bullets.length, 1);
});

Deno.test("World.fire() drops the oldest bullet when there are 1,024 in the air", () => {
  const world = worldOf(60);
  const bodies = Array.from({ length: 52 }, (_, index) => world.add(index));
  const first = bodies[0]!;
  world.fire(first);
  const eldest = world.bullets[0]!;
  world.step();
  for (const body of bodies) {
    while (body.bullets < BULLETS_PER_PLAYER_MAX && world.bullets.length < BULLETS_MAX) {
      world.fire(body);
    }
  }
  const last = bodies.at(-1)!;
  assertEquals(world.bullets.length, BULLETS_MAX);
  assert(world.bullets.includes(eldest));
  world.fire(last);
  assertEquals(world.bullets.length, BULLETS_MAX);
  assert(!world.bullets.includes(eldest));
  assertEquals(first.bullets, BULLETS_PER_PLAYER_MAX - 1);
  run(world, 200);
  for (const body of bodies) assertEquals(body.bullets, 0, `player ${body.number}`);
});

Deno.test("World.remove() leaves a player's bullets in the air", () => {
  const world = worldOf(60);
  const body = world.add(1);
  world.fire(body);
  world.remove(body);
  assert(!world.isStill);
  run(world, 60);
  assertAt(world.bullets[0]!, BULLET_SPEED, 0);
  run(world, 60);
  assert(world.isStill);
});

// ---- all of it

/** Plays random inputs at random steps; returns everything there is at each step. */
function history(seed: number): unknown[] {
  const random = seededRandom(seed);
  const world = worldOf(60, random);
  const bodies: Body[] = [];
  const seen: unknown[] = [];
  for (let step = 0; step < 400; step++) {
    if (random() < 0.05) bodies.push(world.add(bodies.length + 1));
    const body = bodies[Math.floor(random() * bodies.length)];
    if (body && random() < 0.2) {
      world.steer(body, Math.floor(random() * 3) - 1, Math.floor(random() * 3) - 1);
    }
    if (body && random() < 0.2) world.fire(body);
    if (body && random() < 0.01) world.remove(body);
    world.step();
    seen.push(
      Array.from(world.bodies, ({ number, x, y }) => [number, x, y]),
      world.bullets.map(({ x, y, rotation }) => [x, y, rotation]),
    );
  }
  return seen;
}

Deno.test("World is the same after the same inputs at the same steps", () => {
  forEachSeed(5, (seed) => assertEquals(history(seed), history(seed)));
});

Deno.test("World counts each player's bullets right, whatever happens", () => {
  forEachSeed(20, (seed) => {
    const random = seededRandom(seed);
    const world = worldOf(10, random);
    const bodies = Array.from({ length: 60 }, (_, index) => world.add(index));
    for (let step = 0; step < 200; step++) {
      for (const body of bodies) if (random() < 0.6) world.fire(body);
      if (random() < 0.8) world.step();
      assert(world.bullets.length <= BULLETS_MAX);
      const counts = new Map<Body, number>();
      for (const { by } of world.bullets) counts.set(by, (counts.get(by) ?? 0) + 1);
      for (const body of bodies) assertEquals(body.bullets, counts.get(body) ?? 0);
    }
  });
});
