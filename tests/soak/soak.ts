/**
 * The run: bad times and quiet times in turn. In bad ones everything happens at once; in each quiet one all that
 * was promised has to become true within a bound, and then it is measured what the processes hold.
 *
 * The server may end and begin again only in the first part of a run and in its last round: between them one
 * process lives as long as possible, for what grows slowly.
 */
import { seededRandom } from "../../lib/parts/random.ts";
import { portToOpenTwice } from "../interop/programs.ts";
import { within } from "../support/wait.ts";
import { ArenaTroupe } from "./arena.ts";
import { Book } from "./book.ts";
import { Chaos } from "./chaos.ts";
import type { FakeClock } from "./clock.ts";
import { EchoTroupe } from "./echo.ts";
import { EventsTroupe } from "./events.ts";
import { Weather } from "./line.ts";
import { type Held, measure } from "./measure.ts";
import { MessagesTroupe } from "./messages.ts";
import { disagreementIn, isFull } from "./quiet.ts";
import { RendezvousTroupe } from "./rendezvous.ts";
import { type Ports, Server } from "./server.ts";
import type { Stage } from "./stage.ts";
import { Strangers } from "./strangers.ts";
import { SyncTroupe } from "./sync.ts";
import type { Player, Troupe } from "./troupe.ts";
import { DashboardViewers } from "./viewers.ts";
import { WorldTroupe } from "./world.ts";

const BEAT_MS = 250;
/** Whoever was on the way in has got there by then, or given up. */
const CALM_MS = 90_000;
/** The server may end in this share of the time, at the beginning. */
const RESTARTS_SHARE = 0.2;
const TICK_RATE_HZ = 20;
const BODIES = 12;

/** How a run is to be. */
export interface SoakOptions {
  /** Of its own. */
  folder: string;
  seed: number;
  /** About: rounds are not cut short, and there is one at least. */
  durationMs: number;
  /** How long bad times last. */
  roughMs: number;
  /** A player not heard for so long has left. */
  timeoutSeconds: number;
  /** Whether the server ends and begins, at the beginning of the run and in its last round. */
  restarts: boolean;
  /** Players of each service. */
  players: number;
  clock: FakeClock | undefined;
  /** Told what goes on. */
  log: (text: string) => void;
  /** Ends the run before its time. */
  signal?: AbortSignal;
}

/** What was measured in a quiet time. */
export interface Measured extends Held {
  atMs: number;
  /** Which life of the server it was. */
  epoch: number;
}

/** What became of it. */
export interface SoakResult {
  book: Book;
  measured: Measured[];
  durationMs: number;
  rounds: number;
  datagrams: { received: number; sent: number };
  hasClock: boolean;
  /** It was not interrupted. */
  isWhole: boolean;
}

/** Plays for as long as it is told. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  await using run = await Run.begin(options);
  return await run.play();
}

class Run implements AsyncDisposable {
  readonly #options: SoakOptions;
  readonly #stage: Stage;
  readonly #server: Server;
  readonly #troupes: readonly Troupe<Player>[];
  readonly #strangers: Strangers;
  readonly #viewers: DashboardViewers;
  readonly #chaos: Chaos;
  readonly #startedAt = performance.now();
  readonly #measured: Measured[] = [];
  #rounds = 0;
  readonly #onError: (event: ErrorEvent | PromiseRejectionEvent) => void;

  static async begin(options: SoakOptions): Promise<Run> {
    const { folder, seed, timeoutSeconds, clock, log } = options;
    const book = new Book((text) => log(`VIOLATION ${text}`));
    const random = seededRandom(seed);
    const [ports, worldSeed] = [freePorts(), Math.floor(random() * 1_000)];
    const world = { bodies: BODIES, tickRateHz: TICK_RATE_HZ };
    const server = new Server({ folder, ports, timeoutSeconds, ...world, worldSeed, clock, book });
    const stage: Stage = {
      ...{ book, random, server, ports, isCalm: false, timeoutMs: 1_000 * timeoutSeconds },
      weather: new Weather(seededRandom(seed + 1)),
    };
    const size = options.players;
    const troupes = [
      new SyncTroupe(stage, size),
      new RendezvousTroupe(stage, size),
      new ArenaTroupe(stage, size),
      new EchoTroupe(stage, size),
      await EventsTroupe.open(stage, size),
      new MessagesTroupe(stage, size),
      new WorldTroupe(stage, size, { ...world, seed: worldSeed }),
    ];
    const run = new Run(options, stage, server, troupes);
    try {
      await server.start();
      return run;
    } catch (error) {
      await run[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(
    options: SoakOptions,
    stage: Stage,
    server: Server,
    troupes: readonly Troupe<Player>[],
  ) {
    this.#options = options;
    this.#stage = stage;
    this.#server = server;
    this.#troupes = troupes;
    this.#strangers = new Strangers(stage);
    this.#viewers = new DashboardViewers(stage);
    this.#chaos = new Chaos(stage, server, troupes);
    this.#onError = (event): void => {
      event.preventDefault();
      const error: unknown = "reason" in event ? event.reason : event.error;
      const text = error instanceof Error ? error.stack : String(error);
      stage.book.violate(`a client of the library fails: ${text}`);
    };
    addEventListener("error", this.#onError);
    addEventListener("unhandledrejection", this.#onError);
  }

  /** Whatever breaks it off, there is a result. */
  async play(): Promise<SoakResult> {
    const { book } = this.#stage;
    const { signal } = this.#options;
    try {
      await Promise.race([this.#playAll(), this.#interruption()]);
    } catch (error) {
      if (!signal?.aborted) book.violate(`the run broke off: ${error}`);
    }
    return {
      ...{ book, rounds: this.#rounds, measured: this.#measured },
      datagrams: { ...this.#server.traffic },
      durationMs: performance.now() - this.#startedAt,
      hasClock: this.#options.clock !== undefined,
      isWhole: !signal?.aborted,
    };
  }

  async #playAll(): Promise<void> {
    await this.#playRounds();
    for (const troupe of this.#troupes) await troupe.end();
    await this.#server.stop();
  }

  /** Fails when the run is to end before its time. */
  #interruption(): Promise<never> {
    return new Promise((_, reject) => {
      this.#options.signal?.addEventListener("abort", () => {
        this.#server.expectEnd();
        reject(new Error("interrupted"));
      });
    });
  }

  async #playRounds(): Promise<void> {
    const { durationMs, roughMs, clock, log } = this.#options;
    const { book } = this.#stage;
    for (let isLast = false; !isLast;) {
      const spentMs = performance.now() - this.#startedAt;
      const roundMs = this.#rounds === 0 ? roughMs : spentMs / this.#rounds;
      isLast = spentMs + 2 * roundMs > durationMs;
      const restarts = this.#options.restarts && spentMs < RESTARTS_SHARE * durationMs;
      await this.#roughTimes({ restarts, clock }, isLast);
      await this.#quietTimes();
      this.#rounds++;
      log(
        `round ${this.#rounds} at ${book.seconds.toFixed(0)} s: ${book.violationCount} violations`,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#troupes.map((troupe) => troupe.end()));
    await this.#viewers.calmDown();
    await this.#strangers.end();
    await this.#server[Symbol.asyncDispose]();
    removeEventListener("error", this.#onError);
    removeEventListener("unhandledrejection", this.#onError);
  }

  /** Everything at once. The last round has a stop and a crash, whatever else it has. */
  async #roughTimes(
    options: { restarts: boolean; clock?: FakeClock },
    isLast: boolean,
  ): Promise<void> {
    this.#stage.isCalm = false;
    const beats = setInterval(() => this.#beat(), BEAT_MS);
    try {
      const until = performance.now() + this.#options.roughMs;
      await this.#chaos.play(until, { clock: undefined, ...options });
      if (!isLast || !this.#options.restarts) return;
      await this.#chaos.restart();
      await this.#chaos.crash();
    } finally {
      clearInterval(beats);
    }
  }

  #beat(): void {
    for (const troupe of this.#troupes) troupe.beat();
    this.#strangers.beat();
    this.#viewers.beat();
  }

  /** All becomes well, all agree, and it is measured. */
  async #quietTimes(): Promise<void> {
    const { weather, book } = this.#stage;
    weather.clear();
    await within("the viewers to leave", this.#viewers.calmDown(), CALM_MS);
    await Promise.all(this.#troupes.map((troupe) => {
      return within(`${troupe.service} to calm down`, troupe.calmDown(), CALM_MS);
    }));
    this.#stage.isCalm = true;
    this.#strangers.calmDown();
    const troupes = this.#troupes;
    const problem = await disagreementIn(troupes, this.#server, () => isFull(troupes));
    if (problem !== undefined) book.violate(`it does not become quiet: ${problem}`);
    for (const troupe of troupes) troupe.settled();
    const held = await measure(this.#server);
    this.#measured.push({ ...held, atMs: performance.now(), epoch: this.#server.epoch });
  }
}

function freePorts(): Ports {
  const names = ["sync", "rendezvous", "arena", "echo", "messages", "world", "dashboard"] as const;
  const ports = new Set<number>();
  while (ports.size < names.length) ports.add(portToOpenTwice());
  const found = [...ports];
  return Object.fromEntries(names.map((name, index) => [name, found[index]])) as unknown as Ports;
}
