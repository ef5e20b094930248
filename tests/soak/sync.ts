/** Players of sync: everybody sees everybody's newest state, never an older one, and ids stay. */
import { SyncClient } from "../../lib/clients/sync.ts";
import { type Address, homeAddress, Line } from "./line.ts";
import { Names, type Stage } from "./stage.ts";
import { type Player, Troupe } from "./troupe.ts";

/** A client that hears nothing for so long asks for an id again. */
const SILENCE_MS = 5_000;
const names = new Names();

class SyncPlayer implements Player {
  readonly name = names.next("sync");
  readonly client: SyncClient;
  line: Line;
  mayChange = false;
  /** The last one that was said. */
  state = "";
  #id: string;
  #count = 0;
  readonly #stage: Stage;
  /** By player, the highest count that was seen; of one life of the server. */
  readonly #seen = new Map<string, number>();
  #epoch: number;

  static async enter(stage: Stage, at?: Address): Promise<SyncPlayer> {
    const ways: { line?: Line; player?: SyncPlayer } = {};
    const client = await SyncClient.connect(`127.0.0.1:${stage.ports.sync}`, {
      silenceMs: SILENCE_MS,
      through(conn): Deno.DatagramConn {
        const { port } = conn.addr as Deno.NetAddr;
        // Once more it is for a way from another port: then it may be another one.
        const { player } = ways;
        const hostname = homeAddress(stage.random);
        const line = new Line(conn, player ? { hostname, port } : at ?? { hostname, port });
        if (player) Object.assign(player, { line, mayChange: true });
        ways.line = line;
        return stage.weather.around(line);
      },
    });
    return ways.player = new SyncPlayer(stage, client, ways.line!);
  }

  private constructor(stage: Stage, client: SyncClient, line: Line) {
    this.#stage = stage;
    this.client = client;
    this.line = line;
    this.#id = client.id;
    this.#epoch = stage.server.epoch;
    client.on("joined", ({ state }) => this.#see(state));
    client.on("changed", ({ state }) => this.#see(state));
    client.on("malformed", () => stage.book.violate(`${this.name} got a malformed snapshot`));
  }

  play(): void {
    this.#checkId();
    this.state = JSON.stringify({ player: this.name, count: ++this.#count });
    this.client.send(this.state);
  }

  rest(): void {
    this.#checkId();
  }

  leave(): Promise<void> {
    return this.client.close();
  }

  /** Only who is still there is remembered. */
  forgetOthers(known: ReadonlySet<string>): void {
    for (const name of this.#seen.keys()) if (!known.has(name)) this.#seen.delete(name);
  }

  #checkId(): void {
    const { id } = this.client;
    if (id === this.#id) return;
    if (!this.mayChange) {
      this.#stage.book.violate(`sync: the id of ${this.name} changed from ${this.#id} to ${id}`);
    }
    this.#id = id;
  }

  #see(state: string): void {
    const { book, server } = this.#stage;
    if (this.#epoch !== server.epoch) this.#seen.clear();
    this.#epoch = server.epoch;
    const said = readState(state);
    if (!said) return; // A stranger's.
    const before = this.#seen.get(said.player) ?? 0;
    book.checked("sync: a state is not older than the one before");
    if (said.count < before && server.wellSince < Infinity) {
      book.violate(`sync: ${this.name} saw ${said.player} go back from ${before} to ${said.count}`);
    }
    this.#seen.set(said.player, said.count);
  }
}

function readState(state: string): { player: string; count: number } | undefined {
  try {
    const { player, count } = JSON.parse(state);
    return typeof player === "string" && typeof count === "number" ? { player, count } : undefined;
  } catch {
    return undefined;
  }
}

/** All players of sync. */
export class SyncTroupe extends Troupe<SyncPlayer> {
  constructor(stage: Stage, size: number) {
    super("sync", stage, size);
  }

  protected override enter(at?: Address): Promise<SyncPlayer> {
    return SyncPlayer.enter(this.stage, at);
  }

  override disagreement(): string | undefined {
    for (const viewer of this.players) {
      const { states, connected } = viewer.client;
      if (!connected) return `${viewer.name} is not connected`;
      for (const other of this.players) {
        const seen = states.get(other.client.id);
        if (seen !== other.state) {
          return `${viewer.name} sees ${seen} of ${other.name}, who is ${other.state}`;
        }
      }
      if (states.size !== this.players.size) {
        return `${viewer.name} sees ${states.size} players, not ${this.players.size}`;
      }
    }
    return undefined;
  }

  override settled(): void {
    super.settled();
    const known = new Set(Array.from(this.players, ({ name }) => name));
    for (const player of this.players) player.forgetOthers(known);
    this.stage.book.checked("sync: all see all, each at its newest", this.players.size ** 2);
  }
}
