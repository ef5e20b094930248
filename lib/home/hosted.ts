/** A service that runs in this process, as those see it who look after it. */
import type { PeerTraffic } from "../hosts/traffic.ts";
import type { Durations, RecentDurations } from "../observe/durations.ts";
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
  /** Called when the port is closed, whether that is said or not. */
  readonly onClosed?: () => void;
}

/** One service, without the types that only it knows. */
export interface Hosted extends Omit<HostedParts<never>, OnlyInside> {
  readonly counters: HostCounters;
  /** How many are in. */
  readonly members: number;
  /**
   * How it goes: who is in now, and what was measured by the last sample.
   *
   * @param sampleSeconds Takes a sample, of so much time since the one before. Default: none is taken.
   */
  report(sampleSeconds?: number): ServiceReport;
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

type OnlyInside = "engine" | "host" | "figures" | "sayFarewell" | "logStopped" | "onClosed";

/** Puts a service with its engine and its host into the hands of those who look after it. */
export function hostService<Out>(parts: HostedParts<Out>): Hosted {
  const { engine, host, figures, sayFarewell, logStopped, onClosed, ...known } = parts;
  const { name: service, title, transport, port, counts, lateness, roundTrips } = known;
  let closing: Promise<void> | undefined;
  const inAll = new Sampled();
  const byPeer = new Sampled();
  let lateMs: RecentDurations = { p50: 0, p99: 0, max: 0 };

  const sample = (members: readonly Member[], listed: readonly Member[], seconds: number): void => {
    for (const { roundTripMs } of members) {
      if (roundTripMs !== undefined) roundTrips.record(roundTripMs);
    }
    inAll.take([[host, host.counters]], seconds);
    byPeer.take(listed.map(({ peer }) => [peer, host.trafficOf(peer)]), seconds);
    lateMs = lateness.takeRecent();
  };

  const reportOf = (member: Member): MemberReport => {
    const { peer, name, stateBytes, roundTripMs } = member;
    const traffic = host.trafficOf(peer);
    const heardMs = performance.now() - traffic.heardAt;
    return {
      ...{ name, address: peer.address, ip: peer.ip, roundTripMs, stateBytes },
      heardMs: heardMs === Infinity ? undefined : heardMs,
      rates: byPeer.ratesOf(peer),
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
    report(sampleSeconds): ServiceReport {
      const members = engine.members();
      const listed = members.slice(0, MEMBERS_MAX);
      if (sampleSeconds !== undefined) sample(members, listed, sampleSeconds);
      const refused = Object.entries(counts.refused).filter(([, times]) => times > 0);
      return {
        ...{ service, title, transport, port },
        rates: inAll.ratesOf(host),
        lateMs,
        members: members.length,
        roster: listed.map(reportOf),
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
    onClosed?.();
    if (!isQuiet) logStopped();
  }
}

/** Turns counters that only grow into rates, between one sample and the next. */
class Sampled {
  #samples: ReadonlyMap<object, { counted: Counted; rates: Rates }> = new Map();

  /** Of whom there is none in the sample before there is no rate yet: what it did may be long ago. */
  take(all: readonly (readonly [key: object, counted: Counted])[], seconds: number): void {
    const before = this.#samples;
    this.#samples = new Map(all.map(([key, now]) => {
      const { received, receivedBytes, sent, sentBytes } = now; // What the host counts goes on.
      const then = before.get(key)?.counted;
      const rates = then ? ratesOf(then, now, seconds) : NO_RATES;
      return [key, { counted: { received, receivedBytes, sent, sentBytes }, rates }];
    }));
  }

  /** By the last sample. */
  ratesOf(key: object): Rates {
    return this.#samples.get(key)?.rates ?? NO_RATES;
  }
}

function ratesOf(then: Counted, now: Counted, seconds: number): Rates {
  const hz = (key: keyof Counted): number =>
    Math.round(100 * (now[key] - then[key]) / Math.max(0.001, seconds)) / 100;
  return {
    ...{ inHz: hz("received"), inBytesHz: hz("receivedBytes") },
    ...{ outHz: hz("sent"), outBytesHz: hz("sentBytes") },
  };
}

const NO_RATES: Rates = { inHz: 0, inBytesHz: 0, outHz: 0, outBytesHz: 0 };
