/** Clients of an event server of the library: what is reliable arrives exactly once, to who it was said to. */
import { EventClient } from "../../lib/clients/event_client.ts";
import { EventServer } from "../../lib/clients/event_server.ts";
import type { Client } from "../../lib/protocols/events/hub.ts";
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { type Address, homeAddress, Line } from "./line.ts";
import { Names, type Stage } from "./stage.ts";
import { type Player, Troupe } from "./troupe.ts";

const SILENCE_MS = 5_000;
/** Ids of messages that a player remembers: more are not under way. */
const REMEMBERED_MAX = 2_000;
const names = new Names();
const format = jsonFormat();

class EventsPlayer implements Player {
  readonly name = names.next("events");
  readonly client: EventClient;
  readonly line: Line;
  mayChange = false;
  /** Ids of the messages that came, and under which number it was known then. */
  readonly got = new Map<number, number | undefined>();
  readonly #stage: Stage;

  static async enter(stage: Stage, port: number, at?: Address): Promise<EventsPlayer> {
    let line: Line | undefined;
    const client = await EventClient.connect(`127.0.0.1:${port}`, {
      format,
      silenceMs: SILENCE_MS,
      through(conn): Deno.DatagramConn {
        const { port } = conn.addr as Deno.NetAddr;
        line = new Line(conn, at ?? { hostname: homeAddress(stage.random), port });
        return stage.weather.around(line);
      },
    });
    return new EventsPlayer(stage, client, line!);
  }

  private constructor(stage: Stage, client: EventClient, line: Line) {
    this.#stage = stage;
    this.client = client;
    this.line = line;
    client.on("reliable", ({ payload }) => this.#onReliable(payload as number));
  }

  play(): void {
    this.client.send("hello", this.name);
  }

  rest(): void {}

  leave(): Promise<void> {
    return this.client.close();
  }

  #onReliable(id: number): void {
    this.#stage.book.checked("events: a reliable event comes once");
    const { number } = this.client;
    // Who was let in anew may be told once more what its old self did not ack.
    if (this.got.has(id) && this.got.get(id) === number) {
      this.#stage.book.violate(`events: ${this.name} got the reliable event ${id} twice`);
    }
    this.got.set(id, number);
    if (this.got.size <= REMEMBERED_MAX) return;
    for (const oldest of this.got.keys()) return void this.got.delete(oldest);
  }
}

/** All clients of an event server, which runs here: its network is bad, its process is not stopped. */
export class EventsTroupe extends Troupe<EventsPlayer> {
  readonly #server: EventServer;
  /** Ids that are on their way. */
  readonly #underWay = new Set<number>();
  #lastId = 0;

  static async open(stage: Stage, size: number): Promise<EventsTroupe> {
    const server = await EventServer.listen({
      ...{ format, port: 0, silenceMs: stage.timeoutMs },
      onError: (error) => stage.book.violate(`events: the server fails: ${error}`),
    });
    return new EventsTroupe(stage, size, server);
  }

  private constructor(stage: Stage, size: number, server: EventServer) {
    super("events", stage, size);
    this.#server = server;
  }

  /** It is not one of the process that is measured. */
  override get members(): undefined {
    return undefined;
  }

  protected override enter(at?: Address): Promise<EventsPlayer> {
    return EventsPlayer.enter(this.stage, this.#server.port, at);
  }

  override beat(): void {
    super.beat();
    this.#tellAll();
  }

  override async calmDown(): Promise<void> {
    await super.calmDown();
    this.#tellAll();
  }

  override disagreement(): string | undefined {
    const { size } = this.#server.clients;
    if (size !== this.players.size) {
      return `the server has ${size} clients, there are ${this.players.size}`;
    }
    if (this.#underWay.size > 0) return `${this.#underWay.size} reliable events are on their way`;
    for (const { client, name } of this.players) {
      if (client.number === undefined) return `${name} is not connected`;
    }
    return undefined;
  }

  override async end(): Promise<void> {
    await super.end();
    await this.#server.close();
  }

  #tellAll(): void {
    for (const client of this.#server.clients) void this.#tell(client);
  }

  async #tell(client: Client): Promise<void> {
    const id = ++this.#lastId;
    const player = [...this.players].find(({ client: { number } }) => number === client.number);
    this.#underWay.add(id);
    const hasArrived = await this.#server.sendReliable(client, "reliable", id);
    this.#underWay.delete(id);
    const { book } = this.stage;
    // Who left meanwhile may have taken it along.
    if (!player || !this.players.has(player)) return;
    if (hasArrived) {
      book.checked("events: what is said to have arrived did");
      if (!player.got.has(id)) {
        book.violate(`events: ${player.name} did not get ${id}, but acked it`);
      }
    } else if (!player.mayChange) {
      book.violate(`events: ${player.name} was not told ${id}, though it is there`);
    }
  }
}
