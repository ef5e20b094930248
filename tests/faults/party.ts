/** Four services in one real process, and players of all of them in another one. */
import { assertEquals } from "@std/assert";
import { type Command, DENO_RUN, EventProgram } from "../interop/programs.ts";
import { PATIENCE_MS, until } from "../support/wait.ts";
import { warningsOf, WITH_FILES } from "./programs.ts";

/** In the order in which the players are told their ports. */
export const SERVICES = ["sync", "arena", "world", "messages"] as const;

/** What a player is silent for at most: heartbeats are two seconds apart. */
export const TIMEOUT_SECONDS = 3;

const PLAYERS = "tests/faults/fixtures/players.ts";

/** Options of a {@link Party}. */
export interface PartyOptions {
  /** Where the config file is to be. */
  folder: string;
  /** How programs are started on the server's computer, and on the players'. Default: as they are. */
  serverCommand?: Command;
  playersCommand?: Command;
  /** Where the players find the server. Default `127.0.0.1`. */
  host?: string;
  /** Players who are silent for so long are gone. Default {@link TIMEOUT_SECONDS}. */
  timeoutSeconds?: number;
}

/** All of them. */
export class Party implements AsyncDisposable {
  readonly server: EventProgram;
  readonly players: EventProgram;

  private constructor(server: EventProgram, players: EventProgram) {
    this.server = server;
    this.players = players;
  }

  /** Returns when everybody plays. */
  static async begin(options: PartyOptions): Promise<Party> {
    const { folder, serverCommand = [], playersCommand = [], host = "127.0.0.1" } = options;
    const { timeoutSeconds: timeout = TIMEOUT_SECONDS } = options;
    const services = SERVICES.map((service) => ({
      ...{ service, port: 0 },
      ...service === "messages" ? { idleTimeout: timeout } : { timeout },
    }));
    const path = `${folder}/netsync.json`;
    await Deno.writeTextFile(path, JSON.stringify({ services, json: true }));
    const server = new EventProgram([...serverCommand, ...WITH_FILES], ["serve", "--config", path]);
    let players: EventProgram | undefined;
    try {
      const listens = (): Record<string, unknown>[] => server.events("listening");
      await until("the services", () => listens().length === SERVICES.length);
      const ports = SERVICES.map((name) => listens().find(({ service }) => service === name)!.port);
      const program = [...DENO_RUN.slice(0, -1), "--cached-only", PLAYERS];
      players = new EventProgram([...playersCommand, ...program], [host, ...ports.map(String)]);
      const party = new Party(server, players);
      await party.playsOn(0);
      return party;
    } catch (error) {
      await Promise.all([server, players].map((each) => each?.[Symbol.asyncDispose]()));
      throw error;
    }
  }

  /** Waits until every player has played since a line of theirs. Default: since now. */
  async playsOn(from = this.players.lines.length): Promise<void> {
    await Promise.all(SERVICES.map((name) => this.plays(name, from)));
  }

  /** Waits until the player of one service has played since then. */
  async plays(name: string, from = this.players.lines.length): Promise<void> {
    const isHers = ({ service }: Record<string, unknown>): true | undefined =>
      service === name || undefined;
    const options = { from, timeoutMs: 3 * PATIENCE_MS };
    await this.players.event("plays", isHers, options).catch((error) => {
      throw new Error(`${name}: ${error}\n${this.server.lines.slice(-8).join("\n")}`);
    });
  }

  /** What the server said of those who are gone: nothing, if nobody is. */
  get departures(): string[] {
    return ["left", "disconnected"].flatMap((kind) => this.server.events(kind))
      .map(({ service, message }) => `${service}: ${message}`);
  }

  /** Who the players are to the services that number them: the same as before, or others. */
  numbers(service: "sync" | "arena"): Set<unknown> {
    const all = this.players.events("plays").filter((event) => event.service === service);
    return new Set(all.map(({ who }) => who));
  }

  /** Warnings of the server, as their messages. */
  get warnings(): string[] {
    return warningsOf(this.server);
  }

  /** Nobody has left, and nobody had to come again. */
  checkNobodyWasOut(): void {
    assertEquals(this.departures, []);
    for (const service of ["sync", "arena"] as const) assertEquals(this.numbers(service).size, 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.server, this.players].map((each) => each[Symbol.asyncDispose]()));
  }
}
