import type { Logger } from "@logtape/logtape";
import type { RendezvousEvent, RendezvousRefusal } from "../protocols/rendezvous/server.ts";
import { type RefusalHint, RefusalLog } from "./refusals.ts";

/** How many times each thing happened; the keys are metric labels. */
export interface RendezvousCounts {
  registered: number;
  continued: number;
  moved: number;
  expired: number;
  dropped: number;
  expelled: number;
  introduced: number;
  refused: Record<RendezvousRefusal, number>;
}

const REFUSALS: Record<RendezvousRefusal, RefusalHint> = {
  oversize: { hint: "a datagram above 8192 bytes", level: "debug" },
  json: { hint: "a datagram that is no JSON object", level: "debug" },
  type: { hint: "a message of a type this protocol does not have", level: "debug" },
  fields: {
    hint: "a message in which something is missing or of the wrong kind",
    level: "warning",
  },
  name: {
    hint: "a name that is not 1 to 64 characters, has control characters or is reserved",
    level: "warning",
  },
  address: {
    hint: "a local address that is not an IP address of one host and a port from 1 to 65535",
    level: "warning",
  },
  "no-request": { hint: "a message that is not for a server", level: "debug" },
  hash: { hint: "a hash that was not made with the password", level: "warning" },
  unknown: {
    hint: "a refresh of a name that is not registered, or not any more",
    level: "warning",
  },
  taken: { hint: "a name that another host has", level: "warning" },
  "not-found": { hint: "a player asked for a name that is not registered", level: "warning" },
  incomplete: { hint: "a request without a key it needs", level: "warning" },
  elsewhere: { hint: "a refresh from another address than the host's", level: "warning" },
  self: { hint: "a player asked for itself", level: "warning" },
  rate: { hint: "too many requests from one address; raise --max-requests", level: "warning" },
  busy: {
    hint: "too many requests from everywhere: a flood; hosts are not touched",
    level: "warning",
  },
  "host-rate": {
    hint: "too many players ask for one host at once; raise --max-joins",
    level: "warning",
  },
  full: { hint: "no more names can be registered; raise --max-hosts", level: "warning" },
  "full-network": {
    hint: "too many names from one address; raise --max-per-ip for more",
    level: "warning",
  },
  short: { hint: "a request that is short beside its answer", level: "debug" },
};

const LINES = {
  registered: 'host "{name}" registered from {address} ({hosts} registered)',
  continued: 'host "{name}" goes on from {address} ({hosts} registered)',
  moved: 'host "{name}" moved to {address} ({hosts} registered)',
  expired: 'host "{name}" at {address} was not heard any more ({hosts} registered)',
  dropped: 'host "{name}" at {address} ended ({hosts} registered)',
  expelled: 'host "{name}" at {address} was sent away ({hosts} registered)',
  introduced: 'player "{name}" at {address} was introduced to "{host}"',
} as const;

/** Turns the events of a rendezvous server into log lines and counts. */
export class RendezvousObserver {
  /** What happened so far. */
  readonly counts: RendezvousCounts;
  readonly #logger: Logger;
  readonly #hosts: () => number;
  readonly #refusals: RefusalLog<RendezvousRefusal>;

  /**
   * @param hosts How many there are now.
   * @param now A monotonic clock in ms.
   */
  constructor(logger: Logger, hosts: () => number, now: () => number) {
    this.#logger = logger;
    this.#hosts = hosts;
    this.#refusals = new RefusalLog(REFUSALS, logger, now);
    this.counts = {
      ...{
        registered: 0,
        continued: 0,
        moved: 0,
        expired: 0,
        dropped: 0,
        expelled: 0,
        introduced: 0,
      },
      refused: this.#refusals.counts,
    };
  }

  /** How many were here, those included who were here before this server and went on. */
  get visitors(): number {
    return this.counts.registered + this.counts.continued;
  }

  /** Takes one event. */
  observe(event: RendezvousEvent): void {
    if (event.kind === "refused") {
      return this.#refusals.add(event.reason, event.peer);
    }
    const { kind, peer, ...facts } = event;
    this.counts[kind]++;
    this.#logger.info(LINES[kind], {
      event: kind,
      address: peer.address,
      hosts: this.#hosts(),
      ...facts,
    });
  }
}
