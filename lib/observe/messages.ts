import type { Logger } from "@logtape/logtape";
import type { MessageRefusal, MessageServerEvent } from "../protocols/messages/server.ts";
import { type RefusalHint, RefusalLog } from "./refusals.ts";
import { type Counted, Traffic, trafficText } from "./traffic.ts";

/** How many times each thing happened; the keys are metric labels. */
export interface MessagesCounts {
  connected: number;
  messages: number;
  disconnected: number;
  refused: Record<MessageRefusal, number>;
}

const REFUSALS: Record<MessageRefusal, RefusalHint> = {
  utf8: { hint: "a message that is not UTF-8", level: "warning" },
  "too-long": {
    hint: "a message that is too long; raise --max-message for longer ones",
    level: "warning",
  },
  headers: { hint: "a message with more than 1024 headers", level: "warning" },
  frame: { hint: "a frame that netsync does not know", level: "warning" },
  full: { hint: "every place is taken; raise --max-connections for more", level: "warning" },
  "full-network": {
    hint: "too many clients from one address; raise --max-per-ip for more",
    level: "warning",
  },
  rate: { hint: "too many new connections from one address in a short time", level: "warning" },
  busy: {
    hint: "too many new connections from everywhere: a flood; clients are not touched",
    level: "warning",
  },
  memory: {
    hint: "too much of messages that are not whole, of all clients together",
    level: "warning",
  },
  unsendable: {
    hint: "a message that not everybody can be sent: binary, with $ in a header's name, " +
      "or too long once each header is written in full",
    level: "warning",
  },
};

const END_LINES = {
  closed: "client at {address} left ({clients} connected)",
  reset: "client at {address} is gone without a word ({clients} connected)",
  idle: "client at {address} was sent away: it said nothing for too long ({clients} connected)",
  slow: "client at {address} was dropped: it does not read what it is sent ({clients} connected)",
  refused: "client at {address} was sent away for what it sent ({clients} connected)",
  dropped: "client at {address} was sent away ({clients} connected)",
} as const;

/** Turns the events of a message server into log lines and counts, and its traffic into statistics. */
export class MessagesObserver {
  /** What happened so far. */
  readonly counts: MessagesCounts;
  readonly #logger: Logger;
  readonly #clients: () => number;
  readonly #refusals: RefusalLog<MessageRefusal>;
  readonly #traffic: Traffic;

  /**
   * @param clients How many there are now.
   * @param now A monotonic clock in ms.
   */
  constructor(logger: Logger, clients: () => number, now: () => number) {
    this.#logger = logger;
    this.#clients = clients;
    this.#traffic = new Traffic(now);
    this.#refusals = new RefusalLog(REFUSALS, logger, now);
    this.counts = { connected: 0, messages: 0, disconnected: 0, refused: this.#refusals.counts };
  }

  /** Takes one event. */
  observe(event: MessageServerEvent): void {
    const { kind, peer: { address } } = event;
    const clients = this.#clients();
    switch (kind) {
      case "connected":
        this.counts.connected++;
        return this.#logger.info("client connected from {address} ({clients} connected)", {
          event: kind,
          address,
          clients,
        });
      case "message": {
        this.counts.messages++;
        const { headers, body, binary } = event.message;
        const length = binary?.length ?? body.length;
        return this.#logger.debug(
          "client at {address} says something: {headers} headers, a body of {length}",
          { event: kind, address, clients, headers: headers.length, length },
        );
      }
      case "disconnected": {
        this.counts.disconnected++;
        const { reason } = event;
        return this.#logger.info(END_LINES[reason], { event: kind, address, clients, reason });
      }
      case "refused":
        return this.#refusals.add(event.reason, event.peer);
      default:
        event satisfies never;
    }
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
