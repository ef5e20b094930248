/** `netsync watch world HOST[:PORT]`: the world on a running server, live. */
import { printable } from "../observe/printable.ts";
import { WorldClient } from "../clients/world_client.ts";
import { WORLD_PORT } from "../clients/world_server.ts";
import { printEvent, printLine } from "../observe/output.ts";
import type { Grammar } from "./words.ts";
import { Screen } from "../observe/screen.ts";
import { watch, WATCH_OPTIONS } from "./watching.ts";
import { colorOf, type DrawnObject, drawWorld, reachOf } from "./world_picture.ts";

/** What the command takes. */
export const grammar: Grammar<typeof WATCH_OPTIONS> = {
  command: "netsync watch world",
  positionals: "HOST[:PORT]",
  positionalsMax: 1,
  about:
    `Draws a world from above in a terminal, with latency and loss; otherwise prints what comes and
goes. Traits called name and color, [red, green, blue], are shown.`,
  options: WATCH_OPTIONS,
};

const REDRAW_MS = 50;
const SUMMARY_MS = 1_000;
/** A server sends a heartbeat each two seconds. */
const SILENCE_MS = 5_000;
const LABEL_LENGTH_MAX = 16;

/** Watches until it is told to stop. */
export function run(words: readonly string[]): Promise<void> {
  return watch(words, {
    service: "world",
    grammar,
    defaultPort: WORLD_PORT,
    connect: WorldClient.connect,
    picture: drawObjectsOf,
    lines: printChanges,
    everything: printEverything,
  });
}

function printEverything(client: WorldClient): () => void {
  printEvent("watching", { objects: client.objects.size });
  client.on("spawned", (what) => printEvent("spawned", what));
  client.on("changed", ({ id, changes }) => {
    const gone = Object.keys(changes).filter((name) => changes[name] === undefined);
    printEvent("changed", { id, changes, ...gone.length > 0 && { gone } });
  });
  client.on("removed", (what) => printEvent("removed", what));
  client.on("synced", (what) => printEvent("synced", what));
  client.on("heartbeat", (what) => printEvent("heartbeat", { ...what, tick: client.time }));
  client.on("latency", (what) => printEvent("latency", { ...what, loss: client.loss }));
  client.on("disconnected", (what) => printEvent("disconnected", what));
  client.on("connected", (what) => printEvent("connected", what));
  return (): void => {};
}

function printChanges(client: WorldClient): () => void {
  const print = (text: string): void =>
    void printLine(`${new Date().toISOString().slice(11, 23)} ${text}`);
  let changes = 0;
  print("watching");
  client.on("synced", ({ objects }) => print(`all ${objects} objects are here`));
  client.on("spawned", ({ id, traits }) => {
    // The first ones come all together, unless it is the original: it does not say how many there are.
    if (client.isSynced || client.total === undefined) {
      print(`object ${id} is at ${traits.position.join(" ")}`);
    }
  });
  client.on("removed", ({ id }) => print(`object ${id} is gone`));
  client.on("disconnected", () => print("nothing heard any more"));
  client.on("connected", () => print("the server is back"));
  client.on("changed", () => changes++);
  const timer = setInterval(() => {
    if (changes > 0) print(`${changes} changes; ${pathOf(client)}`);
    changes = 0;
  }, SUMMARY_MS);
  return (): void => clearInterval(timer);
}

/** How long it takes and how much is lost, as far as it is known. */
function pathOf({ roundTripMs, loss }: WorldClient): string {
  const figures = [
    roundTripMs === undefined ? [] : `round trip ${roundTripMs.toFixed(1)} ms`,
    loss === undefined ? [] : `${(100 * loss).toFixed(1)} % lost`,
  ];
  return figures.flat().join(", ");
}

function drawObjectsOf(client: WorldClient, address: string): () => void {
  const screen = new Screen();
  let changes = 0;
  let changesHz = 0;
  let countedAt = performance.now();
  let reach = 0;
  client.on("changed", () => changes++);
  const draw = (): void => {
    const now = performance.now();
    if (now - countedAt >= SUMMARY_MS) {
      changesHz = (1_000 * changes) / (now - countedAt);
      changes = 0;
      countedAt = now;
    }
    const { columns, rows } = screen.size;
    const objects = drawnObjects(client);
    reach = reachOf(objects, reach);
    const status = !client.isConnected
      ? "the server is gone"
      : client.silentMs > SILENCE_MS
      ? `nothing heard for ${Math.floor(client.silentMs / 1_000)} s`
      : [
        `${objects.length} objects`,
        `${changesHz.toFixed(0)} changes/s`,
        pathOf(client) || [],
      ].flat().join(", ");
    const title = `netsync watch world ${address}   ${status}   Ctrl+C to stop`;
    const picture = drawWorld({ columns, rows: rows - 1, objects, reach, inColor: !Deno.noColor });
    screen.draw([title.slice(0, columns), ...picture]);
  };
  const timer = setInterval(draw, REDRAW_MS);
  draw();
  return (): void => {
    clearInterval(timer);
    screen.close();
  };
}

function drawnObjects(client: WorldClient): DrawnObject[] {
  return Array.from(client.objects, ([id, { mass, name, color, position }]) => {
    const [x, y] = client.poseOf(id)?.position ?? position;
    const label = typeof name === "string" ? printable(name, LABEL_LENGTH_MAX) : String(id);
    return { x, y, mass, label, color: colorOf(color) };
  });
}
