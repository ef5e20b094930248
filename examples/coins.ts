import { type Client, EventServer, jsonFormat } from "@netsync/netsync";

// Coins: players step around a board; whoever steps on the coin has a point, and it lies elsewhere.
const WIDTH = 24;
const HEIGHT = 8;
const STEPS = new Map([["left", [-1, 0]], ["right", [1, 0]], ["up", [0, -1]], ["down", [0, 1]]]);

type Place = { x: number; y: number };
const players = new Map<Client, Place & { points: number }>();
let coin = anywhere();

const server = await EventServer.listen({
  format: jsonFormat(),
  port: Number(Deno.args[0] ?? 9_999),
});
console.log(`coins: listening on ${server.addresses.join(" and ")}`);

server.on("connected", ({ client }) => players.set(client, { ...anywhere(), points: 0 }));
server.on("disconnected", ({ client }) => players.delete(client));

server.on("step", ({ client, payload }) => {
  const [dx, dy] = STEPS.get(String(payload)) ?? [0, 0]; // Anybody may send anything.
  const player = players.get(client)!;
  player.x = Math.min(WIDTH - 1, Math.max(0, player.x + dx!));
  player.y = Math.min(HEIGHT - 1, Math.max(0, player.y + dy!));
  if (player.x !== coin.x || player.y !== coin.y) return;
  player.points++;
  coin = anywhere();
  // Nobody may miss this: it is sent until each of them says that it arrived.
  server.sendAll("scored", { player: client.number, points: player.points }, { reliable: true });
});

// A board that gets lost does not matter: the next one is on its way.
setInterval(() => {
  const places = Array.from(players, ([{ number }, { x, y }]) => ({ number, x, y }));
  server.sendAll("board", { width: WIDTH, height: HEIGHT, coin, places });
}, 50);

function anywhere(): Place {
  return { x: Math.floor(Math.random() * WIDTH), y: Math.floor(Math.random() * HEIGHT) };
}
