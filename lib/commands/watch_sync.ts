/** `netsync watch [sync] HOST[:PORT]`: the states on a running sync server, live. */
import { printable } from "../observe/printable.ts";
import { SYNC_PORT, SyncClient } from "../clients/sync.ts";
import { printEvent, printLine } from "../observe/output.ts";
import { CONNECT_TIMEOUT_MS, joined, readServer } from "./join.ts";
import { NETWORK_OPTIONS, openClientNetwork } from "./network.ts";
import { flagOption, under } from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";
import { Screen } from "../observe/screen.ts";
import { stopSignal } from "./stop_signal.ts";

const options = {
  json: flagOption("print one JSON object a line for every change"),
  ...under("network", NETWORK_OPTIONS),
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync watch",
  positionals: "HOST[:PORT]",
  positionalsMax: 1,
  about: `Shows the states on a sync server: a live table in a terminal, otherwise a line a change.
The protocol knows no spectators: to the others, the watcher is a player whose state is empty.`,
  options,
};

/** Long states are cut to this many characters outside a terminal; the table cuts to its width. */
const STATE_CHARACTERS_MAX = 200;
const REDRAW_MS = 100;
const NOTE_MS = 2_000;

/** Watches until it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { positionals: [address], values } = parsed;
  const { json } = values;
  const server = readServer(address, "netsync watch", SYNC_PORT);
  await using network = await openClientNetwork("sync", values, address);
  const { through } = network;
  const options = { timeoutMs: CONNECT_TIMEOUT_MS, through };
  const client = await joined(SyncClient.connect(server, options));
  const stop = stopSignal(); // Until now a signal ends this at once.
  client.send("");
  const screen = Deno.stdout.isTerminal() && !json ? new Table(client, address!) : undefined;
  if (!screen) printChanges(client, json);
  await stop.received;
  screen?.close();
  await client.close();
  stop.ignore();
}

function printChanges(client: SyncClient, json: boolean): void {
  const print = (event: string, id: string, state?: string): void => {
    if (json) return void printEvent(event, { id, state });
    const time = new Date().toISOString();
    const text = state === undefined ? "" : ` ${printable(state, STATE_CHARACTERS_MAX)}`;
    printLine(`${time.slice(11, 23)} ${id} ${event}${text}`);
  };
  print("watching", client.id);
  client.on("joined", ({ id, state }) => id === client.id || print("joined", id, state));
  client.on("changed", ({ id, state }) => print("changed", id, state));
  client.on("left", ({ id }) => print("left", id));
  client.on("disconnected", () => print("disconnected", client.id));
  client.on("reconnected", ({ id }) => print("reconnected", id));
}

/** A table of the states on the alternate screen. */
class Table {
  readonly #client: SyncClient;
  readonly #address: string;
  readonly #screen = new Screen();
  readonly #changedAt = new Map<string, number>();
  readonly #timer: number | ReturnType<typeof setInterval>;
  #snapshots = 0;
  #rate = 0;
  #rateAt = performance.now();

  constructor(client: SyncClient, address: string) {
    this.#client = client;
    this.#address = address;
    const touch = ({ id }: { id: string }): void => void this.#changedAt.set(id, performance.now());
    client.on("joined", touch);
    client.on("changed", touch);
    client.on("left", ({ id }) => this.#changedAt.delete(id));
    client.on("states", () => this.#snapshots++);
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#draw();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#screen.close();
  }

  #draw(): void {
    const { columns, rows } = this.#screen.size;
    const now = performance.now();
    if (now - this.#rateAt >= 1_000) {
      this.#rate = (1_000 * this.#snapshots) / (now - this.#rateAt);
      this.#snapshots = 0;
      this.#rateAt = now;
    }
    const { states, id: own, connected } = this.#client;
    const players = [...states].filter(([id]) => id !== own);
    const status = connected
      ? `${players.length} players, ${this.#rate.toFixed(0)} snapshots a second`
      : "connection lost, trying again";
    const lines = [
      `netsync watch ${this.#address}   ${status}   Ctrl+C to stop`,
      "",
      `${"id".padStart(6)}  ${"changed".padStart(8)}  state`,
    ];
    const shown = players.slice(0, Math.max(0, rows - lines.length - 1));
    for (const [id, state] of shown) {
      const agoMs = now - (this.#changedAt.get(id) ?? now);
      const ago = agoMs < NOTE_MS ? "now" : `${Math.floor(agoMs / 1_000)} s`;
      lines.push(`${id.padStart(6)}  ${ago.padStart(8)}  ${printable(state, columns)}`);
    }
    if (shown.length < players.length) {
      lines.push(`   and ${players.length - shown.length} more`);
    }
    this.#screen.draw(lines.map((line) => line.slice(0, columns)));
  }
}
