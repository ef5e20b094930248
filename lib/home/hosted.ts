/** A service that runs in this process, as those see it who look after it. */
import type { PeerTraffic } from "../hosts/traffic.ts";
import type { Durations } from "../observe/durations.ts";
import {
  type MemberReport,
  MEMBERS_MAX,
  type Rates,
  type ServiceReport,
} from "../observe/report.ts";
import type { Counted } from "../observe/traffic.ts";
import type { Member, Membership, Peer, Resumable, Saved } from "../protocols/engine.ts";

/** What every host counts. */
export interface HostCounters extends Counted {
  /** Not shown to the engine, since their address is not let in. */
  shutOut: number;
  /** Lost on the way out. */
  failed: number;
  /** Errors thrown by the engine: bugs. */
  faults: number;
}

/** What is needed of a host, over UDP or TCP. */
export interface ServiceHost<Out> {
  readonly counters: HostCounters;
  act(call: (now: number, out: Out) => void): void;
  trafficOf(peer: Peer): PeerTraffic;
  close(): Promise<void>;
}

/** How many times each thing happened, and datagrams were refused, by reason; the keys are metric labels. */
export interface EventCounts {
  readonly refused: Readonly<Record<string, number>>;
  readonly happened: Readonly<Record<string, number>>;
}

/** What a {@link HostedService} is made of. */
export interface HostedParts<Out> {
  /** A name in this process: `sync`, or `sync:55556` beside another. */
  readonly name: string;
  /** `sync`. */
  readonly kind: string;
  /** `sync (SimpleNetSync)`. */
  readonly title: string;
  readonly transport: "UDP" | "TCP";
  readonly port: number;
  /** Where it listens: `[::]:55555`. */
  readonly addresses: readonly string[];
  readonly engine: Membership<Out> & Partial<Resumable<Out>>;
  readonly host: ServiceHost<Out>;
  /** What happened so far; the keys are metric labels. */
  readonly counts: EventCounts;
  /** How late what was due was done. */
  readonly lateness: Durations;
  /** How long the engine took for a datagram; undefined when nobody asked. */
  readonly handling: Durations | undefined;
  /** Round trips as they were once a second, of all members. */
  readonly roundTrips: Durations;
  /** More to be known about it. */
  readonly figures: () => [name: string, value: string][];
  /** Says what goes through now and then; undefined for a service that does not. */
  readonly tellStatistics: (() => void) | undefined;
  /** Called at the end, once the port is still open: time to tell peers. */
  readonly sayFarewell: ((now: number, out: Out) => void) | undefined;
  /** The last line. */
  readonly logStopped: () => void;
}

/** One service, without the types that only it knows. */
export interface Hosted extends Omit<HostedParts<never>, OnlyInside> {
  readonly counters: HostCounters;
  /** How many are in. */
  readonly members: number;
  /** How it goes since the last call, which was so long ago. */
  report(seconds: number): ServiceReport;
  /** Sends away whom this picks. Returns how many. */
  expel(isMeant: (peer: Peer) => boolean): number;
  /** What to keep across a restart; undefined for a service that keeps nothing. */
  save(): Saved | undefined;
  /**
   * Tells peers, sends what is queued, and closes the port. Calling it again is harmless.
   *
   * @param options `isQuiet`: nothing is logged; it never really began.
   */
  close(options?: { isQuiet?: boolean }): Promise<void>;
}

type OnlyInside = "engine" | "host" | "figures" | "sayFarewell" | "logStopped";

/** Puts a service with its engine and its host into the hands of those who look after it. */
export function hostService<Out>(parts: HostedParts<Out>): Hosted {
  const { engine, host, figures, sayFarewell, logStopped, ...known } = parts;
  const { name: service, title, transport, port, counts, lateness, roundTrips } = known;
  let closing: Promise<void> | undefined;
  const inAll = new Since();
  const byPeer = new Since();

  const reportOf = (member: Member, seconds: number): MemberReport => {
    const { peer, name, stateBytes, roundTripMs } = member;
    const traffic = host.trafficOf(peer);
    const heardMs = performance.now() - traffic.heardAt;
    return {
      ...{ name, address: peer.address, ip: peer.ip, roundTripMs, stateBytes },
      heardMs: heardMs === Infinity ? undefined : heardMs,
      rates: byPeer.ratesOf(peer, traffic, seconds),
    };
  };

  return {
    ...known,
    get counters(): HostCounters {
      return host.counters;
    },
    get members(): number {
      return engine.members().length;
    },
    report(seconds): ServiceReport {
      const members = engine.members();
      for (const { roundTripMs } of members) {
        if (roundTripMs !== undefined) roundTrips.record(roundTripMs);
      }
      const refused = Object.entries(counts.refused).filter(([, times]) => times > 0);
      return {
        ...{ service, title, transport, port },
        rates: inAll.ratesOf(host, host.counters, seconds),
        lateMs: lateness.takeRecent(),
        members: members.length,
        // Of all, so that who is listed one day has rates at once.
        roster: members.map((member) => reportOf(member, seconds)).slice(0, MEMBERS_MAX),
        figures: figures(),
        refused: Object.fromEntries(refused),
      };
    },
    expel(isMeant): number {
      if (closing) return 0;
      const meant = engine.members().filter(({ peer }) => isMeant(peer));
      host.act((now, out) => meant.forEach(({ peer }) => engine.expel(peer, now, out)));
      return meant.length;
    },
    save: () => engine.save?.(performance.now()),
    close: ({ isQuiet = false } = {}) => closing ??= close(isQuiet),
  };

  async function close(isQuiet: boolean): Promise<void> {
    if (sayFarewell) host.act(sayFarewell);
    await host.close();
    if (!isQuiet) logStopped();
  }
}

/** Turns counters that only grow into rates. */
class Since {
  readonly #before = new WeakMap<object, Counted>();

  ratesOf(
    key: object,
    { received, receivedBytes, sent, sentBytes }: Counted,
    seconds: number,
  ): Rates {
    const before = this.#before.get(key) ?? NOTHING;
    this.#before.set(key, { received, receivedBytes, sent, sentBytes });
    const hz = (now: number, then: number): number =>
      Math.round(100 * (now - then) / Math.max(0.001, seconds)) / 100;
    return {
      inHz: hz(received, before.received),
      inBytesHz: hz(receivedBytes, before.receivedBytes),
      outHz: hz(sent, before.sent),
      outBytesHz: hz(sentBytes, before.sentBytes),
    };
  }
}

const NOTHING: Counted = { received: 0, receivedBytes: 0, sent: 0, sentBytes: 0 };
