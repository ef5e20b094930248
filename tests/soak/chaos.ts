/** What happens to the server and to the network of everybody, one thing after the other. */
import type { FakeClock } from "./clock.ts";
import type { Impairment } from "../../lib/parts/impairment.ts";
import { pick } from "./pick.ts";
import type { Server } from "./server.ts";
import type { Stage } from "./stage.ts";
import type { Player, Troupe } from "./troupe.ts";

/** So long after one thing the next one comes. */
const PAUSE_MS = { min: 2_000, max: 6_000 };
const SLEEP_MS = { min: 1_500, max: 7_000 };
const DOWN_MS_MAX = 2_000;
/** A crash this soon after the clock was set would find what was kept too old. */
const CLOCK_MS = 5_000;

const WEATHERS: readonly Impairment[] = [
  { lossShare: 0.05, lagMs: 20, jitterMs: 20, duplicateShare: 0.02 },
  { lossShare: 0.2, lagMs: 50, jitterMs: 30, duplicateShare: 0.05 },
  { lossShare: 0.02, lagMs: 150, jitterMs: 140, duplicateShare: 0.3 },
];

type Turn = "weather" | "sleep" | "clock" | "stop" | "crash";

/** What may happen. */
export interface ChaosOptions {
  /** The server may end and begin: only then. */
  restarts: boolean;
  clock: FakeClock | undefined;
}

/** Plays bad luck with a server. */
export class Chaos {
  readonly #stage: Stage;
  readonly #server: Server;
  readonly #troupes: readonly Troupe<Player>[];
  #clockSetAt = -Infinity;

  constructor(stage: Stage, server: Server, troupes: readonly Troupe<Player>[]) {
    this.#stage = stage;
    this.#server = server;
    this.#troupes = troupes;
  }

  /** Goes on until it is time. */
  async play(untilMs: number, options: ChaosOptions): Promise<void> {
    const { random } = this.#stage;
    const turns = turnsOf(options);
    for (;;) {
      const pauseMs = PAUSE_MS.min + random() * (PAUSE_MS.max - PAUSE_MS.min);
      const leftMs = untilMs - performance.now();
      await sleep(Math.max(0, Math.min(pauseMs, leftMs)));
      if (leftMs <= pauseMs) return;
      await this.#happen(pick(random, turns)!, options);
    }
  }

  async #happen(turn: Turn, { clock }: ChaosOptions): Promise<void> {
    const { random, book } = this.#stage;
    switch (turn) {
      case "weather":
        return this.#changeWeather();
      case "sleep":
        book.fault("the server's computer sleeps for up to 7 s");
        return await this.#server.pause(SLEEP_MS.min + random() * (SLEEP_MS.max - SLEEP_MS.min));
      case "clock": {
        const step = clock!.step(random);
        this.#clockSetAt = performance.now();
        return book.fault(`the clock is set ${step > 0 ? "forth" : "back"} by up to a day`);
      }
      case "stop":
        return await this.restart();
      case "crash":
        return await this.crash();
    }
  }

  /** Stops the server and starts it again. */
  async restart(): Promise<void> {
    this.#stage.book.fault("the server is stopped and started");
    await this.#server.stop();
    await sleep(this.#stage.random() * DOWN_MS_MAX);
    await this.#server.start();
  }

  /** Kills the server and starts it again. */
  async crash(): Promise<void> {
    await sleep(Math.max(0, this.#clockSetAt + CLOCK_MS - performance.now()));
    this.#stage.book.fault("the server is killed and started");
    await this.#server.crash();
    for (const troupe of this.#troupes) troupe.crashed();
    await sleep(this.#stage.random() * DOWN_MS_MAX);
    await this.#server.start();
  }

  #changeWeather(): void {
    const { random, book, weather } = this.#stage;
    if (weather.isRough) return weather.clear();
    const { lossShare, lagMs, jitterMs, duplicateShare } = pick(random, WEATHERS)!;
    const [loss, twice] = [lossShare, duplicateShare].map((share) => `${100 * share} %`);
    book.fault(`bad weather: ${loss} lost, ${lagMs} ± ${jitterMs} ms, ${twice} twice`);
    weather.roughen({ lossShare, lagMs, jitterMs, duplicateShare });
  }
}

function turnsOf({ restarts, clock }: ChaosOptions): Turn[] {
  const turns: Turn[] = ["weather", "weather", "weather", "sleep"];
  if (clock) turns.push("clock");
  if (restarts) turns.push("stop", "crash");
  return turns;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
