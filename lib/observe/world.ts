import type { Logger } from "@logtape/logtape";
import type {
  WorldRefusal,
  WorldServerEngine,
  WorldServerEvent,
} from "../protocols/world/server.ts";
import { RefusalLog } from "./refusals.ts";
import { logStall } from "./stall.ts";
import { type Counted, Traffic, trafficText } from "./traffic.ts";

/** How many times each thing happened; the keys are metric labels. */
export interface WorldCounts {
  joined: number;
  left: number;
  refused: Record<WorldRefusal, number>;
}

const LEFT_LINES = {
  stopped: "{address} left ({clients} clients)",
  silent: "{address} left: it acked nothing any more ({clients} clients)",
  expelled: "{address} was sent away ({clients} clients)",
} as const;

/** Turns the events of a world into log lines and counts, and its traffic into statistics. */
export class WorldObserver {
  /** What happened so far. */
  readonly counts: WorldCounts;
  readonly #logger: Logger;
  readonly #server: WorldServerEngine;
  readonly #refusals: RefusalLog<WorldRefusal>;
  readonly #traffic: Traffic;
  readonly #now: () => number;
  #before: { at: number; time: number };

  /** @param now A monotonic clock in ms. */
  constructor(logger: Logger, server: WorldServerEngine, now: () => number) {
    this.#logger = logger;
    this.#server = server;
    this.#now = now;
    this.#traffic = new Traffic(now);
    this.#before = { at: now(), time: server.census().time };
    this.#refusals = new RefusalLog(
      {
        short: { hint: "a datagram shorter than a header", level: "debug" },
        oversize: { hint: "a datagram above 8192 bytes", level: "debug" },
        length: { hint: "a datagram not as long as its header says", level: "debug" },
        digest: { hint: "a datagram whose header has another digest", level: "debug" },
        ack: { hint: "an ACK that says something else too", level: "debug" },
        json: { hint: "a datagram without a JSON object", level: "debug" },
        number: { hint: "a number too large for anybody", level: "debug" },
        shape: { hint: "a message with a field missing or wrong", level: "debug" },
        unknown: { hint: "a message of a type this server does not know", level: "debug" },
        stranger: { hint: "an ACK from an address that was sent nothing", level: "debug" },
        rate: { hint: "too many messages from one address", level: "warning" },
        busy: {
          hint: "too many messages from everywhere: a flood; clients are not touched",
          level: "warning",
        },
        full: { hint: "every place is taken; raise --max-clients for more", level: "warning" },
        "full-network": {
          hint: "too many clients from one address; raise --max-per-ip for more",
          level: "warning",
        },
      },
      logger,
      now,
    );
    this.counts = { joined: 0, left: 0, refused: this.#refusals.counts };
  }

  /** Takes one event. */
  observe(event: WorldServerEvent): void {
    const { clients } = this.#server.census();
    switch (event.kind) {
      case "joined": {
        const { peer: { address }, hasDiffs } = event;
        this.counts.joined++;
        return this.#logger.info(
          hasDiffs
            ? "{address} joined ({clients} clients)"
            : "{address} joined, and understands snapshots only ({clients} clients)",
          { event: "joined", address, hasDiffs, clients },
        );
      }
      case "left": {
        const { peer: { address }, reason } = event;
        this.counts.left++;
        return this.#logger.info(LEFT_LINES[reason], { event: "left", address, reason, clients });
      }
      case "refused":
        return this.#refusals.add(event.reason, event.peer);
      case "lagging":
        return this.#logger.warning(
          "sending takes too long: clients are told of {toldPercent} % of the ticks at once, and of " +
            "the others later; lower --tick-rate",
          { event: "lagging", toldPercent: Math.round(100 * event.toldShare) },
        );
      case "stalled":
        return logStall(this.#logger, event.lostMs);
      default:
        event satisfies never;
    }
  }

  /** Says what went through since the last time; nothing while nobody is there. */
  tellStatistics(counters: Counted): void {
    const { clients, objects, time } = this.#server.census();
    const traffic = this.#traffic.take(counters, clients);
    const at = this.#now();
    const seconds = Math.max(0.001, (at - this.#before.at) / 1_000);
    const { lateness } = this.#server;
    const all = this.#server.clients();
    const mean = (figures: number[]): number =>
      figures.reduce((sum, figure) => sum + figure, 0) / Math.max(1, figures.length);
    const figures = {
      objects,
      ticksHz: Math.round((time - this.#before.time) / seconds),
      tickLateMsP99: hundredths(lateness.percentile(0.99)),
      roundTripMs: hundredths(mean(all.flatMap(({ roundTripMs }) => roundTripMs ?? []))),
      lossPercent: hundredths(100 * mean(all.map(({ loss }) => loss))),
    };
    lateness.clear();
    this.#before = { at, time };
    if (clients === 0) return;
    const { ticksHz, tickLateMsP99, roundTripMs, lossPercent } = figures;
    this.#logger.info(
      `${clients} clients, ${objects} objects: ${trafficText(traffic)}; ${ticksHz} ticks/s, p99 ` +
        `${tickLateMsP99} ms late; round trip ${roundTripMs} ms, ${lossPercent} % not acked in time`,
      { event: "statistics", ...traffic, ...figures },
    );
  }
}

function hundredths(value: number): number {
  return Math.round(100 * value) / 100;
}
