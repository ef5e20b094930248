import { EventClient, jsonFormat } from "@netsync/netsync";

type Place = { x: number; y: number };
type Board = { width: number; height: number; coin: Place; places: (Place & { number: number })[] };
const KEYS = new Map([["w", "up"], ["a", "left"], ["s", "down"], ["d", "right"]]);

const client = await EventClient.connect(Deno.args[0] ?? "localhost:9999", {
  format: jsonFormat(),
});
let news = "w a s d to move, q to quit";

client.on("scored", ({ payload }) => {
  const { player, points } = payload as { player: number; points: number };
  news = player === client.number ? `you have ${points}` : `player ${player} has ${points}`;
});

client.on("board", ({ payload }) => {
  const { width, height, coin, places } = payload as Board;
  const rows = Array.from({ length: height }, () => new Array(width).fill("·"));
  for (const { number, x, y } of places) rows[y]![x] = number === client.number ? "@" : "&";
  rows[coin.y]![coin.x] = "$";
  console.log(`\x1b[H\x1b[J${rows.map((row) => row.join(" ")).join("\r\n")}\r\n${news}\r`);
});

if (Deno.stdin.isTerminal()) Deno.stdin.setRaw(true); // Keys at once, not line by line.
for await (const typed of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  for (const key of typed) {
    const step = KEYS.get(key);
    if (step) client.send("step", step);
    if (key === "q" || key === "\x03") Deno.exit(0); // \x03 is Ctrl+C in raw mode.
  }
}
await client.close();
