/** Clients of the arena and of the echo server that share no code with netsync. */
import { EventProgram, PYTHON } from "./programs.ts";

/** What an {@link ArenaPlayer} is started with. */
export interface ArenaPlayerWords {
  /** Which of the original clients it is like. Default `unity`: it does nothing unasked. */
  client?: "fake" | "unity";
  /** Seconds between the random inputs of a fake client; 0 for none. Default 0. */
  speed?: number;
  /** Further words. */
  words?: readonly string[];
}

/** A player as the programs print it, positions in thousandths. */
export interface Seen {
  number: number;
  x: number;
  y: number;
}

/** The Python player, which also judges what the server sends. */
export class ArenaPlayer extends EventProgram {
  /** The number of its first welcome. */
  number = 0;

  static start(
    port: number,
    { client = "unity", speed = 0, words = [] }: ArenaPlayerWords = {},
  ): ArenaPlayer {
    return new ArenaPlayer([PYTHON], [
      ...["tests/interop/arena_player.py", "127.0.0.1", String(port), "--client", client],
      ...(client === "fake" ? ["--speed", String(speed)] : []),
      ...words,
    ]);
  }

  /** Starts one and waits until it knows the world. */
  static async join(port: number, words: ArenaPlayerWords = {}): Promise<ArenaPlayer> {
    const player = ArenaPlayer.start(port, words);
    try {
      player.number = await player.event("welcome", ({ number }) => number as number);
      await player.event("world");
    } catch (error) {
      await player[Symbol.asyncDispose]();
      throw error;
    }
    return player;
  }

  async do(command: Record<string, unknown>): Promise<void> {
    await this.say(JSON.stringify(command));
  }

  async steer(dx: number, dy: number): Promise<void> {
    await this.do({ do: "input", dx, dy });
  }

  /** The first list from line `from` on in which a player is as `is` wants it. */
  async sees(
    what: string,
    number: number,
    is: (player: Seen) => boolean = (): boolean => true,
    from = 0,
  ): Promise<Seen> {
    return await this.next(`player ${number} ${what}`, (line) => {
      if (!line.includes('"players"')) return undefined;
      const { event, players } = JSON.parse(line) as { event: string; players: Seen[] };
      if (event !== "players") return undefined;
      return players.find((player) => player.number === number && is(player));
    }, { from });
  }
}

/** The Python client of the echo server. */
export class EchoPlayer extends EventProgram {
  /** Starts one and waits until its socket is open. */
  static async start(port: number, words: readonly string[] = []): Promise<EchoPlayer> {
    const client = new EchoPlayer([PYTHON], [
      ...["tests/interop/echo_client.py", "127.0.0.1", String(port)],
      ...words,
    ]);
    await client.event("bound");
    return client;
  }

  async do(command: Record<string, unknown>): Promise<void> {
    await this.say(JSON.stringify(command));
  }

  /** Waits until it gets this very text. */
  async hears(text: string): Promise<void> {
    await this.event("got", (facts) => facts.text === text || undefined);
  }
}
