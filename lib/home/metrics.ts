/** What goes on in a process of services, for Prometheus: its text format, version 0.0.4. */
import type { TcpCounters } from "../hosts/tcp.ts";
import type { UdpCounters } from "../hosts/udp.ts";
import { BOUNDS_SECONDS, type Durations } from "../observe/durations.ts";
import type { HostCounters, Hosted } from "./hosted.ts";

/** What of a service is told. All of it only grows, but for the members. */
export type Metered =
  & Pick<Hosted, "name" | "kind" | "transport" | "port" | "members" | "counters" | "counts">
  & Pick<Hosted, "lateness" | "handling" | "roundTrips">;

/** The process that they run in. */
export interface ProcessFacts {
  /** Of netsync. */
  version: string;
  /** The version of Deno. */
  deno: string;
  /** `linux`. */
  os: string;
  /** `x86_64`. */
  arch: string;
  /** When it was started, in ms since 1970. */
  startedAt: number;
  /** What it holds of memory; undefined where the system does not tell. */
  memoryBytes: number | undefined;
  /** What JavaScript uses of it; undefined or left out where nobody looked. */
  heapBytes?: number;
}

/**
 * The text of `/metrics`. Counters are read as they stand, so that each page is whole by itself; a reason or an
 * event that never came is there with 0.
 */
export function metricsText(services: readonly Metered[], facts: ProcessFacts): string {
  return [
    ...aboutProcess(facts),
    ...aboutServices(services),
    ...countersOf(services),
    ...countsOf(services),
    ...DURATIONS.map((durations) => histogram(services, durations)),
  ].map(familyText).join("");
}

type Labels = Readonly<Record<string, string>>;

interface Sample {
  /** What follows the name of its family: `_bucket`. */
  suffix?: string;
  labels: Labels;
  value: number;
}

/** All of one name, which the format wants in one place. */
interface Family {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  samples: Sample[];
}

function aboutProcess(facts: ProcessFacts): Family[] {
  const { version, deno, os, arch, startedAt, memoryBytes, heapBytes } = facts;
  const gauge = (name: string, help: string, value: number, labels: Labels = {}): Family => ({
    ...{ name, type: "gauge", help },
    samples: [{ labels, value }],
  });
  const build = { version, deno, os, arch };
  const since = "Start time of the process since unix epoch in seconds.";
  return [
    gauge("netsync_build_info", "The version of netsync, and what it runs on; always 1.", 1, build),
    gauge("process_start_time_seconds", since, startedAt / 1_000),
    ...memoryBytes === undefined
      ? []
      : [gauge("process_resident_memory_bytes", "Resident memory size in bytes.", memoryBytes)],
    ...heapBytes === undefined
      ? []
      : [gauge("netsync_heap_bytes", "What JavaScript uses of the memory, in bytes.", heapBytes)],
  ];
}

function aboutServices(services: readonly Metered[]): Family[] {
  return [
    {
      ...{ name: "netsync_service_info", type: "gauge" },
      help: "A service that runs, and where it listens; always 1.",
      samples: services.map(({ name: service, kind, transport, port }) => ({
        labels: { service, kind, transport: transport.toLowerCase(), port: `${port}` },
        value: 1,
      })),
    },
    {
      ...{ name: "netsync_members", type: "gauge" },
      help: "Who is in now: players, clients, connections.",
      samples: services.map(({ name: service, members }) => ({
        labels: { service },
        value: members,
      })),
    },
  ];
}

/** What any host counts, by its name there. */
const COUNTERS: Record<keyof UdpCounters | keyof TcpCounters, [name: string, help: string]> = {
  received: ["received_packets", "Datagrams, or pieces over TCP, that came."],
  receivedBytes: ["received_bytes", "Bytes in what came."],
  sent: ["sent_packets", "Datagrams, or pieces over TCP, that the system took to send."],
  sentBytes: ["sent_bytes", "Bytes in what was sent."],
  failed: ["send_errors", "Datagrams, or pieces over TCP, that could not be sent."],
  dropped: ["send_dropped", "Datagrams that were not sent since too many others waited."],
  replaced: ["broadcasts_replaced", "Broadcasts that a newer one overtook before they were sent."],
  shutOut: ["shut_out", "Datagrams or connections from addresses that are not let in."],
  accepted: ["accepted_connections", "Connections that were accepted."],
  receiveErrors: ["receive_errors", "Times that the system failed to receive."],
  acceptErrors: ["accept_errors", "Times that the system gave no connection."],
  faults: ["faults", "Errors inside of netsync, each of them a bug."],
};

function countersOf(services: readonly Metered[]): Family[] {
  return Object.entries(COUNTERS).map(([key, [name, help]]) => ({
    ...{ name: `netsync_${name}_total`, type: "counter", help },
    samples: services.flatMap(({ name: service, counters }) => {
      const value = (counters as HostCounters & Partial<Record<string, number>>)[key];
      return value === undefined ? [] : [{ labels: { service }, value }];
    }),
  }));
}

function countsOf(services: readonly Metered[]): Family[] {
  const samples = (label: "event" | "reason", countsOfOne: (of: Metered) => Counts): Sample[] =>
    services.flatMap((one) =>
      Object.entries(countsOfOne(one))
        .map(([what, value]) => ({ labels: { service: one.name, [label]: what }, value }))
    );
  return [
    {
      ...{ name: "netsync_events_total", type: "counter" },
      help: "What happened at a service.",
      samples: samples("event", ({ counts }) => counts.happened),
    },
    {
      ...{ name: "netsync_refused_total", type: "counter" },
      help: "What came and had no effect, by reason.",
      samples: samples("reason", ({ counts }) => counts.refused),
    },
  ];
}

type Counts = Readonly<Record<string, number>>;

interface DurationsMeant {
  name: string;
  help: string;
  of: (service: Metered) => Durations | undefined;
}

const DURATIONS: readonly DurationsMeant[] = [
  {
    name: "netsync_tick_lateness_seconds",
    help: "How late what was due was done; a timer is good for 1 ms.",
    of: ({ lateness }) => lateness,
  },
  {
    name: "netsync_handling_seconds",
    help: "How long one datagram, or one piece over TCP, took.",
    of: ({ handling }) => handling,
  },
  {
    name: "netsync_round_trip_seconds",
    help: "Round trips to all members, as they were once a second.",
    of: ({ roundTrips }) => roundTrips,
  },
];

function histogram(services: readonly Metered[], { name, help, of }: DurationsMeant): Family {
  const samples = services.flatMap((service) => {
    const durations = of(service);
    return durations ? samplesOf(durations, { service: service.name }) : [];
  });
  return { name, type: "histogram", help, samples };
}

function samplesOf({ buckets, count, sumSeconds }: Durations, labels: Labels): Sample[] {
  let upTo = 0;
  const cumulative = [...BOUNDS_SECONDS, Infinity].map((bound, index) => {
    upTo += buckets[index]!;
    return { suffix: "_bucket", labels: { ...labels, le: numberText(bound) }, value: upTo };
  });
  return [
    ...cumulative,
    { suffix: "_sum", labels, value: sumSeconds },
    { suffix: "_count", labels, value: count },
  ];
}

/** A family of which there is nothing is left out. */
function familyText({ name, type, help, samples }: Family): string {
  if (samples.length === 0) return "";
  const lines = samples.map(({ suffix = "", labels, value }) =>
    `${name}${suffix}${labelsText(labels)} ${numberText(value)}\n`
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelsText(labels: Labels): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return texts.length === 0 ? "" : `{${texts.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  return value === Infinity ? "+Inf" : `${value}`;
}
