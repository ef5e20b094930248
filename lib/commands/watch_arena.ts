/** `netsync watch arena HOST[:PORT]`: the world of a running arena, live. */
import { ARENA_PORT, ArenaClient } from "../clients/arena.ts";
import { printEvent, printLine } from "../observe/output.ts";
import type { PlayerState } from "../protocols/arena/wire.ts";
import type { Grammar } from "./words.ts";
import { Screen } from "../observe/screen.ts";
import { watch, WATCH_OPTIONS } from "./watching.ts";
import { drawArena } from "./arena_picture.ts";

/** What the command takes. */
export const grammar: Grammar<typeof WATCH_OPTIONS> = {
  command: "netsync watch arena",
  positionals: "HOST[:PORT]",
  positionalsMax: 1,
  about: `Draws the world of an arena in a terminal; otherwise prints who comes and goes.
The protocol knows no spectators: to the others, the watcher is a player who stands still.`,
  options: WATCH_OPTIONS,
};

const REDRAW_MS = 50;
const SUMMARY_MS = 1_000;
/** netsync's own server repeats everything every two seconds. */
const SILENCE_MS = 5_000;

/** Watches until it is told to stop. */
export function run(words: readonly string[]): Promise<void> {
  return watch(words, {
    service: "arena",
    grammar,
    defaultPort: ARENA_PORT,
    connect: ArenaClient.connect,
    picture: drawArenaOf,
    lines: printChanges,
    everything: printEverything,
  });
}

function printEverything(client: ArenaClient): () => void {
  printEvent("watching", { number: client.number });
  client.on("welcomed", ({ number }) => printEvent("watching", { number }));
  client.on("players", (players) => printEvent("players", { players }));
  client.on("left", ({ number }) => printEvent("left", { number }));
  client.on("bullets", (bullets) => printEvent("bullets", { bullets }));
  return (): void => {};
}

function printChanges(client: ArenaClient): () => void {
  const print = (text: string): void =>
    void printLine(`${new Date().toISOString().slice(11, 23)} ${text}`);
  const seen = new Set<number>([client.number]);
  const moved = new Set<number>();
  print(`watching as player ${client.number}`);
  client.on("players", (players) => {
    for (const player of players) {
      const { number } = player;
      if (!seen.has(number)) print(`player ${number} is at ${positionOf(player)}`);
      else if (number !== client.number) moved.add(number);
      seen.add(number);
    }
  });
  client.on("left", ({ number }) => {
    if (seen.delete(number)) print(`player ${number} left`);
  });
  const timer = setInterval(() => {
    if (moved.size > 0) print(`${moved.size} of ${client.players.size - 1} players were told of`);
    moved.clear();
  }, SUMMARY_MS);
  return (): void => clearInterval(timer);
}

function positionOf({ x, y }: PlayerState): string {
  return `${(x / 1_000).toFixed(1)} ${(y / 1_000).toFixed(1)}`;
}

function drawArenaOf(client: ArenaClient, address: string): () => void {
  const screen = new Screen();
  let lists = 0;
  let listsHz = 0;
  let countedAt = performance.now();
  client.on("players", () => lists++);
  const draw = (): void => {
    const now = performance.now();
    if (now - countedAt >= SUMMARY_MS) {
      listsHz = (1_000 * lists) / (now - countedAt);
      lists = 0;
      countedAt = now;
    }
    const { columns, rows } = screen.size;
    const { players, bullets, silentMs, number } = client;
    const status = silentMs > SILENCE_MS
      ? `nothing heard for ${Math.floor(silentMs / 1_000)} s`
      : `${players.size - 1} players, ${bullets.length} bullets, ${
        listsHz.toFixed(0)
      } lists a second`;
    const title = `netsync watch arena ${address}   ${status}   you are ${number}   Ctrl+C to stop`;
    const picture = drawArena({
      ...{ columns, rows: rows - 1, inColor: !Deno.noColor, own: number },
      ...{ width: 1_000 * client.world.width, height: 1_000 * client.world.height },
      ...{ players: [...players.values()], bullets },
    });
    screen.draw([title.slice(0, columns), ...picture]);
  };
  const timer = setInterval(draw, REDRAW_MS);
  draw();
  return (): void => {
    clearInterval(timer);
    screen.close();
  };
}
