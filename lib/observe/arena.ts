import type { Logger } from "@logtape/logtape";
import type { ArenaEvent, ArenaRefusal, ArenaServer } from "../protocols/arena/server.ts";
import { EVENT_REFUSALS } from "./events.ts";
import { RefusalLog } from "./refusals.ts";
import { logStall } from "./stall.ts";
import { type Counted, Traffic, trafficText } from "./traffic.ts";

/** How many times each thing happened; the keys are metric labels. */
export interface ArenaCounts {
  joined: number;
  continued: number;
  left: number;
  refused: Record<ArenaRefusal, number>;
}

const LEFT_LINES = {
  silent: "player {number} left: nothing heard from {address} ({players} playing)",
  closed: "player {number} at {address} was sent away ({players} playing)",
  displaced:
    "player {number} at {address}, who never acked anything, made room ({players} playing)",
} as const;

const HERE_LINES = {
  joined: "player {number} joined from {address} ({players} playing)",
  continued: "player {number} goes on from {address} ({players} playing)",
} as const;

/** Turns the events of an arena into log lines and counts, and its traffic into statistics. */
export class ArenaObserver {
  /** What happened so far. */
  readonly counts: ArenaCounts;
  readonly #logger: Logger;
  readonly #arena: ArenaServer;
  readonly #refusals: RefusalLog<ArenaRefusal>;
  readonly #traffic: Traffic;
  readonly #now: () => number;
  #before: { at: number; steps: number; rounds: number; resends: number };

  /** @param now A monotonic clock in ms. */
  constructor(logger: Logger, arena: ArenaServer, now: () => number) {
    this.#logger = logger;
    this.#arena = arena;
    this.#now = now;
    this.#traffic = new Traffic(now);
    this.#before = { at: now(), steps: 0, rounds: 0, resends: 0 };
    this.#refusals = new RefusalLog(
      {
        ...EVENT_REFUSALS,
        payload: { hint: "a message that does not carry what it should", level: "warning" },
      },
      logger,
      now,
    );
    this.counts = { joined: 0, continued: 0, left: 0, refused: this.#refusals.counts };
  }

  /** How many were here, those included who were here before this server and went on. */
  get visitors(): number {
    return this.counts.joined + this.counts.continued;
  }

  /** Takes one event. */
  observe(event: ArenaEvent): void {
    switch (event.kind) {
      case "joined":
      case "continued":
      case "left": {
        // Only here: to count everything is too much work for each datagram of a flood.
        const { players } = this.#arena.census();
        const { kind, peer: { address }, ...facts } = event;
        this.counts[kind]++;
        const line = event.kind === "left" ? LEFT_LINES[event.reason] : HERE_LINES[event.kind];
        return this.#logger.info(line, { event: kind, address, players, ...facts });
      }
      case "refused":
        return this.#refusals.add(event.reason, event.peer);
      case "lagging":
        return this.#logger.warning(
          "sending takes longer than a tick: players are told {hz} times a second what moved " +
            "instead of {tickRate}; the ticks stay on time",
          { event: "lagging", hz: rateOf(event.hz), tickRate: event.tickRateHz },
        );
      case "stalled":
        return logStall(this.#logger, event.lostMs);
      default:
        event satisfies never;
    }
  }

  /** Says what went through since the last time; nothing while nobody plays. */
  tellStatistics(counters: Counted): void {
    const { players, bullets, steps, rounds, resends } = this.#arena.census();
    const traffic = this.#traffic.take(counters, players);
    const at = this.#now();
    const seconds = Math.max(0.001, (at - this.#before.at) / 1_000);
    const hz = (count: number): number => Math.round(count / seconds);
    const { lateness } = this.#arena;
    const figures = {
      bullets,
      ticksHz: hz(steps - this.#before.steps),
      tickLateMsP99: Math.round(100 * lateness.percentile(0.99)) / 100,
      roundsHz: hz(rounds - this.#before.rounds),
      resends: resends - this.#before.resends,
    };
    lateness.clear();
    this.#before = { at, steps, rounds, resends };
    if (players === 0) return;
    const { ticksHz, tickLateMsP99, roundsHz } = figures;
    this.#logger.info(
      `${players} players: ${trafficText(traffic)}; ${ticksHz} ticks/s, p99 ${tickLateMsP99} ms ` +
        `late, ${roundsHz} told/s, ${figures.resends} resends`,
      { event: "statistics", ...traffic, ...figures },
    );
  }
}

/** A whole number, unless little would be left of it. */
function rateOf(hz: number): number {
  return hz < 10 ? Math.round(10 * hz) / 10 : Math.round(hz);
}
