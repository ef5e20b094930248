/** A kind of service, as the command of its name and `netsync serve` run it. */
import type { Logger } from "@logtape/logtape";
import { actOrThrow } from "../../hosts/act_or_throw.ts";
import { openTcp, TcpHost } from "../../hosts/tcp.ts";
import { openUdp, UdpHost } from "../../hosts/udp.ts";
import {
  type EventCounts,
  type HostCounters,
  type Hosted,
  hostService,
  type ServiceHost,
} from "../../home/hosted.ts";
import { Durations } from "../../observe/durations.ts";
import type {
  Engine,
  Membership,
  Outbox,
  Resumable,
  Saved,
  StreamEngine,
  StreamOutbox,
} from "../../protocols/engine.ts";
import { Incidents } from "./incidents.ts";
import { cannotOpen, faultLog, type Transport } from "./open_failure.ts";
import { CommandFailure, type Options, type Values } from "../options.ts";

/** What a service cannot know by itself. */
export interface Surroundings {
  logger: Logger;
  /** From 0 inclusive to 1 exclusive. */
  random: () => number;
  /** A monotonic clock in ms: that of its host. */
  now: () => number;
  /** The time of day in ms since 1970. */
  unixMs: () => number;
}

/** A service that was made of its options, and has no port yet. */
export interface Made<Event, ServerEngine, Out> {
  engine: ServerEngine & Membership<Out> & Partial<Resumable<Out>>;
  /** Turns events into log lines and counts, whose keys are metric labels. */
  observer: {
    observe(event: Event): void;
    readonly counts: object & { readonly refused: Readonly<Record<string, number>> };
    tellStatistics?(counters: HostCounters): void;
    /** How many were here, also before a restart; for the last line. */
    readonly visitors?: number;
  };
  /** More to be known about it at a moment: `["objects", "13"]`. */
  figures: () => [name: string, value: string][];
  /** More first lines: what they are about, and what to type; `near` is its address on this computer. */
  rows: (near: string) => [string, string][];
  /** Called at the end: time to tell peers. */
  sayFarewell?: (now: number, out: Out) => void;
  /** The last line of its log, with the counts and the traffic in braces. */
  stopped: string;
}

/** One over UDP. */
export type UdpMade<Event> = Made<Event, Engine<Event>, Outbox<Event>>;

/** One over TCP. */
export type TcpMade<Event> = Made<Event, StreamEngine<Event>, StreamOutbox<Event>>;

/** What a kind of service is defined by. */
interface Definition<O extends Options, Event, ServerEngine, Out> {
  /** What it is called on the command line, in a config file and in metrics. */
  name: string;
  /** The name with the original in brackets. */
  title: string;
  defaultPort: number;
  /** What it does, in a paragraph. */
  about: string;
  /** Those that only it has. */
  options: O;
  make: (values: Values<O>, surroundings: Surroundings) => Made<Event, ServerEngine, Out>;
}

/** Where and how a service is to run. */
export interface Opening extends Surroundings {
  /** Its name in this process. */
  name: string;
  port: number;
  hostname: string | undefined;
  /** Whether nothing is heard of an address. */
  isShutOut?: (ip: string, port: number) => boolean;
  /** Whether it is measured how long the engine takes for each datagram. */
  isMetered: boolean;
  /** Wraps the sockets: what goes through them is recorded, or suffers. */
  through?: (conn: Deno.DatagramConn) => Deno.DatagramConn;
  /** What another one of its kind saved. */
  saved?: Saved;
  /** Told when the engine begins, on the clock of `performance`. */
  onBegin?: (now: number) => void;
}

/** A service that runs, and its first lines. */
export interface Opened {
  hosted: Hosted;
  rows: (near: string) => [string, string][];
}

/** A kind of service, whatever its types are. */
export interface ServiceKind {
  readonly name: string;
  readonly title: string;
  readonly transport: Transport;
  readonly defaultPort: number;
  readonly about: string;
  readonly options: Options;
  /** Whether it can go on where another was stopped. */
  readonly isResumable: boolean;
  /**
   * Opens the port and serves.
   *
   * @throws {CommandFailure} The port cannot be had, or what was saved cannot be read.
   */
  open(values: Values<Options>, opening: Opening): Promise<Opened>;
  /** One without a port; undefined for a kind over TCP. */
  readonly make:
    | ((values: Values<Options>, surroundings: Surroundings) => UdpMade<unknown>)
    | undefined;
}

/** A kind of service over UDP. */
export function udpKind<O extends Options, Event>(
  definition: Definition<O, Event, Engine<Event>, Outbox<Event>> & { isResumable?: boolean },
): ServiceKind {
  const { make } = definition;
  return {
    ...{ isResumable: false, ...definition, transport: "UDP" },
    make: (values, surroundings) =>
      make(values as Values<O>, surroundings) as unknown as UdpMade<unknown>,
    async open(values, opening): Promise<Opened> {
      const { port, hostname, through, logger, saved, isShutOut } = opening;
      const made = make(values as Values<O>, opening);
      const meters = metersOf(opening);
      const socket = await openUdp({ port, hostname, through }).catch((error) => {
        throw new CommandFailure(cannotOpen(error, "UDP", port, hostname));
      });
      const incidents = new Incidents(logger, () => host.counters);
      const { onSendFailure, onReceiveFailure } = incidents;
      const host: UdpHost<Event> = new UdpHost(made.engine, socket, {
        onEvent: (event) => made.observer.observe(event),
        onFault: faultLog(logger),
        ...{ onSendFailure, onReceiveFailure },
        isShutOut,
        ...meters.listeners,
      });
      if (saved) await resume(host, made.engine, saved);
      host.act((now, out) => {
        opening.onBegin?.(now);
        made.engine.advance(now, out);
      });
      const { transport } = this;
      const { addresses } = socket;
      return openedOf({ ...definition, transport, addresses, port: socket.port }, made, host, {
        ...opening,
        ...{ meters, incidents },
      });
    },
  };
}

/** A kind of service over TCP. */
export function tcpKind<O extends Options, Event>(
  definition: Definition<O, Event, StreamEngine<Event>, StreamOutbox<Event>>,
): ServiceKind {
  const { make } = definition;
  return {
    ...definition,
    transport: "TCP",
    isResumable: false,
    make: undefined,
    async open(values, opening): Promise<Opened> {
      const { port, hostname, logger, isShutOut } = opening;
      const made = make(values as Values<O>, opening);
      const meters = metersOf(opening);
      const listener = await openTcp({ port, hostname }).catch((error) => {
        throw new CommandFailure(cannotOpen(error, "TCP", port, hostname));
      });
      const incidents = new Incidents(logger, () => host.counters);
      const host: TcpHost<Event> = new TcpHost(made.engine, {
        onEvent: (event) => made.observer.observe(event),
        onFault: faultLog(logger),
        onAcceptFailure: incidents.onAcceptFailure,
        isShutOut,
        ...meters.listeners,
      });
      host.listen(listener);
      const { transport } = this;
      const { addresses } = listener;
      return openedOf({ ...definition, transport, addresses, port: listener.port }, made, host, {
        ...opening,
        ...{ meters, incidents },
      });
    },
  };
}

interface Meters {
  lateness: Durations;
  handling: Durations | undefined;
  roundTrips: Durations;
  /** What fills them. */
  listeners: { onLate: (ms: number) => void; onHandled?: (ms: number) => void };
}

function metersOf({ isMetered }: Opening): Meters {
  const [lateness, roundTrips] = [new Durations(), new Durations()];
  const handling = isMetered ? new Durations() : undefined;
  return {
    ...{ lateness, handling, roundTrips },
    listeners: {
      onLate: (ms) => lateness.record(ms),
      onHandled: handling && ((ms): void => handling.record(ms)),
    },
  };
}

/** Lets an engine go on from what was saved, or gives the port back. */
async function resume<Event>(
  host: UdpHost<Event>,
  engine: Partial<Resumable<Outbox<Event>>>,
  saved: Saved,
): Promise<void> {
  try {
    actOrThrow(host, (now, out) => {
      engine.resume?.(saved, now, (ip, port) => host.peerAt(ip, port), out);
    });
  } catch (error) {
    await host.close();
    throw error;
  }
}

function openedOf<Event, ServerEngine, Out>(
  known: Pick<Hosted, "title" | "transport" | "port" | "addresses"> & { name: string },
  made: Made<Event, ServerEngine, Out>,
  host: ServiceHost<Out>,
  { name, logger, meters, incidents }: Opening & { meters: Meters; incidents: Incidents },
): Opened {
  const { observer, engine, figures, sayFarewell, stopped, rows } = made;
  const { title, transport, port, addresses } = known;
  const counts: EventCounts = {
    refused: observer.counts.refused,
    get happened(): Record<string, number> {
      const { refused: _, ...happened } = observer.counts;
      return happened as Record<string, number>;
    },
  };
  const { lateness, handling, roundTrips } = meters;
  const hosted = hostService({
    ...{ name, kind: known.name, title, transport, port, addresses },
    ...{ engine, host, counts, lateness, handling, roundTrips, figures, sayFarewell },
    tellStatistics: observer.tellStatistics &&
      ((): void => observer.tellStatistics!(host.counters)),
    logStopped(): void {
      const { visitors, counts } = observer;
      logger.info(stopped, { event: "stopped", visitors, ...counts, ...host.counters });
    },
    onClosed: () => incidents[Symbol.dispose](),
  });
  return { hosted, rows };
}
