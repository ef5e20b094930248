import { type World, WorldServer } from "@netsync/netsync";

// Balls in a box bounce, and whoever watches sees it. After ten bounces one bursts, and another one comes.
const BOX = 10;
const COLORS = ["red", "green", "blue"];

const server = await WorldServer.listen({
  port: Number(Deno.args[0] ?? 25_005),
  tickRateHz: 30,
  step(world, seconds): void {
    while (world.objects.size < 5) throwBall(world);
    for (const id of world.objects.keys()) moveBall(world, id, seconds);
  },
});
console.log(`balls: listening on ${server.addresses.join(" and ")}`);

function throwBall(world: World): void {
  const speed = (): number => 20 * Math.random() - 10;
  const color = COLORS[Math.floor(Math.random() * COLORS.length)]!;
  world.spawn({ velocity: [speed(), speed(), 0], color, bounces: 0 });
}

function moveBall(world: World, id: number, seconds: number): void {
  const { position: [x, y], velocity: [vx, vy], bounces } = world.objects.get(id)!;
  world.update(id, { position: [x + vx * seconds, y + vy * seconds, 0] });
  const hitsX = Math.abs(x) > BOX && x * vx > 0;
  const hitsY = Math.abs(y) > BOX && y * vy > 0;
  if (!hitsX && !hitsY) return;
  if (Number(bounces) === 10) return void world.remove(id);
  // Only what changed is told: position at each tick, these two when it bounces, the color once.
  const velocity = [hitsX ? -vx : vx, hitsY ? -vy : vy, 0] as const;
  world.update(id, { velocity, bounces: Number(bounces) + 1 });
}
