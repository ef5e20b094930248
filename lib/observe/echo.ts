import type { Logger } from "@logtape/logtape";
import type { EchoEvent, EchoRefusal } from "../protocols/echo/server.ts";
import { EVENT_REFUSALS } from "./events.ts";
import { RefusalLog } from "./refusals.ts";
import { type Counted, Traffic, trafficText } from "./traffic.ts";

/** How many times each thing happened; the keys are metric labels. */
export interface EchoCounts {
  joined: number;
  echoed: number;
  left: number;
  refused: Record<EchoRefusal, number>;
}

/** Turns the events of an echo server into log lines and counts, and its traffic into statistics. */
export class EchoObserver {
  /** What happened so far. */
  readonly counts: EchoCounts;
  readonly #logger: Logger;
  readonly #clients: () => number;
  readonly #refusals: RefusalLog<EchoRefusal>;
  readonly #traffic: Traffic;

  /**
   * @param clients How many there are now.
   * @param now A monotonic clock in ms.
   */
  constructor(logger: Logger, clients: () => number, now: () => number) {
    this.#logger = logger;
    this.#clients = clients;
    this.#traffic = new Traffic(now);
    this.#refusals = new RefusalLog(
      {
        ...EVENT_REFUSALS,
        full: { hint: "every place is taken; raise --max-clients for more", level: "warning" },
        rate: {
          hint: "too many messages from one address, or for all listeners together; " +
            "raise --max-messages for more from one",
          level: "warning",
        },
        "too-long": { hint: "a message whose echo would be above 8192 bytes", level: "warning" },
      },
      logger,
      now,
    );
    this.counts = { joined: 0, echoed: 0, left: 0, refused: this.#refusals.counts };
  }

  /** Takes one event. */
  observe(event: EchoEvent): void {
    if (event.kind === "refused") return this.#refusals.add(event.reason, event.peer);
    const { kind, peer: { address }, ...facts } = event;
    this.counts[kind]++;
    const properties = { event: kind, address, clients: this.#clients(), ...facts };
    if (event.kind === "echoed") this.#logger.debug(LINES.echoed, properties);
    else if (event.kind === "left") this.#logger.info(LEFT_LINES[event.reason], properties);
    else this.#logger.info(LINES.joined, properties);
  }

  /** Says what went through since the last time; nothing while nobody is there. */
  tellStatistics(counters: Counted): void {
    const clients = this.#clients();
    const traffic = this.#traffic.take(counters, clients);
    if (clients === 0) return;
    this.#logger.info(`${clients} clients: ${trafficText(traffic)}`, {
      event: "statistics",
      ...traffic,
    });
  }
}

const LINES = {
  joined: "client {number} is here from {address} ({clients} connected)",
  echoed: "client {number} at {address} was repeated to {listeners}",
} as const;

const LEFT_LINES = {
  silent: "client {number} left: nothing heard from {address} ({clients} connected)",
  closed: "client {number} at {address} was sent away ({clients} connected)",
  displaced: "client {number} at {address} made room ({clients} connected)",
} as const;
