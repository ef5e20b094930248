import type { Logger } from "@logtape/logtape";
import type { SyncEvent, SyncRefusal } from "../protocols/sync/server.ts";
import { type RefusalHint, RefusalLog } from "./refusals.ts";

/** How many times each thing happened; the keys are metric labels. */
export interface SyncCounts {
  joined: number;
  continued: number;
  left: number;
  returned: number;
  restarted: number;
  refused: Record<SyncRefusal, number>;
}

const REFUSALS: Record<SyncRefusal, RefusalHint> = {
  short: { hint: "a datagram too short for this protocol", level: "debug" },
  number: { hint: "a datagram with a number that means nothing", level: "debug" },
  oversize: { hint: "a datagram above 65507 bytes", level: "warning" },
  stranger: {
    hint: "a state from an address without an id; a client from before a restart must start anew",
    level: "warning",
  },
  text: { hint: "a state that is not UTF-8; the previous one stands", level: "warning" },
  "state-size": {
    hint: "a state above --max-state; the previous one stands",
    level: "warning",
  },
  "world-full": {
    hint: "all states together would not fit into one datagram; the previous one stands. " +
      "Send shorter states or play with fewer",
    level: "warning",
  },
  full: { hint: "every place is taken; raise --max-clients for more", level: "warning" },
  "full-network": {
    hint: "too many clients from one address; raise --max-per-ip for more",
    level: "warning",
  },
  rate: { hint: "too many id requests from one address", level: "warning" },
  busy: {
    hint: "too many id requests from everywhere: a flood; those who play are not touched",
    level: "warning",
  },
};

/** Turns the events of a sync server into log lines and counts. */
export class SyncObserver {
  /** What happened so far. */
  readonly counts: SyncCounts;
  readonly #logger: Logger;
  readonly #players: () => number;
  readonly #refusals: RefusalLog<SyncRefusal>;

  /**
   * @param players How many there are now.
   * @param now A monotonic clock in ms.
   */
  constructor(logger: Logger, players: () => number, now: () => number) {
    this.#logger = logger;
    this.#players = players;
    this.#refusals = new RefusalLog(REFUSALS, logger, now);
    this.counts = {
      joined: 0,
      continued: 0,
      left: 0,
      returned: 0,
      restarted: 0,
      refused: this.#refusals.counts,
    };
  }

  /** How many were here, those included who were here before this server and went on. */
  get visitors(): number {
    return this.counts.joined + this.counts.continued;
  }

  /** Takes one event. */
  observe(event: SyncEvent): void {
    switch (event.kind) {
      case "joined":
      case "continued":
      case "left":
      case "returned":
      case "restarted":
        return this.#tell(event);
      case "refused":
        return this.#refusals.add(event.reason, event.peer);
      case "lagging":
        return this.#logger.warning(
          "sending takes longer than the rate allows: players get about {hz} snapshots a second " +
            "instead of {rate}",
          {
            event: "lagging",
            hz: Math.round(1_000 / event.roundMs),
            rate: Math.round(1_000 / event.intervalMs),
          },
        );
      default:
        event satisfies never;
    }
  }

  #tell(event: Exclude<SyncEvent, { kind: "refused" | "lagging" }>): void {
    const { kind, peer: { address }, ...facts } = event;
    this.counts[kind]++;
    const line = event.kind === "left" ? LEFT_LINES[event.reason] : PLAYER_LINES[event.kind];
    this.#logger.info(line, { event: kind, ...facts, address, players: this.#players() });
  }
}

const LEFT_LINES = {
  silent: "player {id} left: nothing heard from {address} ({players} playing)",
  expelled: "player {id} at {address} was sent away ({players} playing)",
} as const;

const PLAYER_LINES = {
  joined: "player {id} joined from {address} ({players} playing)",
  continued: "player {id} goes on from {address} ({players} playing)",
  returned: "player {id} is back from {address} ({players} playing)",
  restarted: "player {id} started anew at {address} ({players} playing)",
} as const;
