/** Players of the arena: everybody sees the same players at the same places, and numbers stay. */
import { ArenaClient } from "../../lib/clients/arena.ts";
import { type Address, homeAddress, Line } from "./line.ts";
import { Names, type Stage } from "./stage.ts";
import { type Player, Troupe } from "./troupe.ts";

/** A word to stand still may get lost: it is said again. */
const REST_EVERY_MS = 500;
const names = new Names();

class ArenaPlayer implements Player {
  readonly name = names.next("arena");
  readonly client: ArenaClient;
  readonly line: Line;
  mayChange = false;
  readonly #stage: Stage;
  #number: number;
  #restedAt = -Infinity;

  static async enter(stage: Stage, at?: Address): Promise<ArenaPlayer> {
    let line: Line | undefined;
    const client = await ArenaClient.connect(`127.0.0.1:${stage.ports.arena}`, {
      through(conn): Deno.DatagramConn {
        const { port } = conn.addr as Deno.NetAddr;
        line = new Line(conn, at ?? { hostname: homeAddress(stage.random), port });
        return stage.weather.around(line);
      },
    });
    return new ArenaPlayer(stage, client, line!);
  }

  private constructor(stage: Stage, client: ArenaClient, line: Line) {
    this.#stage = stage;
    this.client = client;
    this.line = line;
    this.#number = client.number;
    client.on("welcomed", ({ number }) => this.#onWelcomed(number));
  }

  play(): void {
    const { random } = this.#stage;
    if (random() < 0.3) this.client.fire();
    else this.client.steer(2 * random() - 1, 2 * random() - 1);
  }

  rest(): void {
    const now = performance.now();
    if (now - this.#restedAt < REST_EVERY_MS) return;
    this.#restedAt = now;
    this.client.steer(0, 0);
  }

  leave(): Promise<void> {
    return this.client.close();
  }

  #onWelcomed(number: number): void {
    this.#stage.book.checked("arena: a player is welcomed anew only when it must be");
    if (!this.mayChange) {
      this.#stage.book.violate(
        `arena: ${this.name} was number ${this.#number}, and is welcomed as ${number}`,
      );
    }
    this.#number = number;
  }
}

/** All players of the arena. */
export class ArenaTroupe extends Troupe<ArenaPlayer> {
  constructor(stage: Stage, size: number) {
    super("arena", stage, size);
  }

  protected override async enter(at?: Address): Promise<ArenaPlayer> {
    const player = await ArenaPlayer.enter(this.stage, at);
    player.client.on("left", ({ number }) => this.#onLeft(player, number));
    return player;
  }

  override disagreement(): string | undefined {
    const [first] = this.players;
    if (!first) return undefined;
    for (const viewer of this.players) {
      const { players } = viewer.client;
      for (const other of this.players) {
        const { number } = other.client;
        const [seen, expected] = [players.get(number), first.client.players.get(number)];
        if (!seen) return `${viewer.name} does not see ${other.name}, number ${number}`;
        if (seen.x !== expected?.x || seen.y !== expected.y) {
          return `${viewer.name} sees ${other.name} at ${seen.x},${seen.y}, ` +
            `${first.name} at ${expected?.x},${expected?.y}`;
        }
      }
      if (players.size !== this.players.size) {
        return `${viewer.name} sees the numbers ${[...players.keys()]}, ` +
          `there are ${Array.from(this.players, ({ client }) => client.number)}`;
      }
      if (viewer.client.bullets.length > 0) return `${viewer.name} still sees bullets`;
    }
    return undefined;
  }

  override settled(): void {
    super.settled();
    this.stage.book.checked("arena: all see all at one place", this.players.size ** 2);
  }

  /** Nobody is thrown out: not for a cut shorter than the time-out, nor for the server's own sleep. */
  #onLeft(viewer: ArenaPlayer, number: number): void {
    const { book } = this.stage;
    book.checked("arena: who left is gone");
    for (const { client, name, mayChange } of this.players) {
      if (client.number !== number || mayChange) continue;
      book.violate(`arena: ${viewer.name} is told that number ${number} left, who is ${name}`);
    }
  }
}
