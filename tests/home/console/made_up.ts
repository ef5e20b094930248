/** Made-up services and members, for what is shown of them. */
import type { LogLine } from "../../../lib/observe/log.ts";
import type { MemberReport, Rates, Report, ServiceReport } from "../../../lib/observe/report.ts";
import type { Facts } from "../../../lib/home/console/state.ts";

const RATES: Rates = { inHz: 20, inBytesHz: 1_234, outHz: 60, outBytesHz: 98_765 };

/** The member with this number. */
export function member(id: number, more: Partial<MemberReport> = {}): MemberReport {
  const ip = `192.0.2.${id % 250}`;
  const address = `${ip}:${50_000 + id}`;
  return {
    ...{ name: `player ${id}`, address, ip, heardMs: 40, roundTripMs: undefined, stateBytes: 86 },
    ...{ rates: RATES, ...more },
  };
}

/** A service with these members. */
export function service(
  name: string,
  roster: MemberReport[],
  more: Partial<ServiceReport> = {},
): ServiceReport {
  return {
    ...{ service: name, title: `${name} (Original)`, transport: "UDP", port: 55_555, roster },
    ...{ members: roster.length, rates: RATES, lateMs: { p50: 0.1, p99: 1.25, max: 12.5 } },
    figures: [["snapshot", "2899 bytes"], ["rounds", "20/s"]],
    refused: { short: 3, stranger: 12 },
    ...more,
  };
}

/** A report of them. */
export function reportOf(services: ServiceReport[], more: Partial<Report> = {}): Report {
  return {
    ...{ time: 0, version: "1.2.3", uptimeMs: 7_500_000, memoryBytes: 58_100_000, bans: [] },
    ...{ services, ...more },
  };
}

/** A log line at noon, so many seconds later, in this time zone. */
export function logLine(seconds: number, more: Partial<LogLine> = {}): LogLine {
  const time = new Date(2026, 0, 31, 12, 0, seconds).getTime();
  return { time, level: "info", service: "sync", message: `line ${seconds}`, ...more };
}

/** What a console knows of these services. */
export function factsOf(services: ServiceReport[], more: Partial<Facts> = {}): Facts {
  return {
    ...{ version: "1.2.3", report: reportOf(services), logDropped: 0, hasKeys: true, now: 0 },
    rows: [
      ["listening on", "[::]:55555"],
      ["on this computer", "localhost:55555"],
      ["on your network", "192.168.1.5:55555"],
      ["from outside", "203.0.113.9:55555, the router forwards UDP port 55555"],
      ["dashboard", "http://127.0.0.1:8000/"],
    ],
    log: [logLine(1), logLine(2, { level: "warning", message: "beware" }), logLine(3)],
    ...more,
  };
}
