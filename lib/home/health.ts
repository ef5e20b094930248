/** Whether the services of a process keep up, for those who ask it now and then. */
import type { Report } from "../observe/report.ts";
import type { Hosted } from "./hosted.ts";

/** Players notice much less. */
const LATE_MS_MAX = 1_000;
/** Reports come this often. */
const REPORT_EVERY_MS = 1_000;
/** So long after the last error inside of netsync. */
const FAULT_MS = 60_000;

/** What a {@link HealthWatch} looks at. */
export type Watched = Pick<Hosted, "name" | "counters">;

/** Looks at each report, and at faults. Times in ms on one clock that never runs back. */
export class HealthWatch {
  readonly #services: readonly Watched[];
  /** Of each service that had any: how many, and since when. */
  readonly #faults = new Map<string, { faults: number; at: number }>();
  #report: Report | undefined;
  #reportedAt = Infinity;
  /** How much later than it was due the last report with new measurements came. */
  #lateMs = 0;

  /** @param services More may come. */
  constructor(services: readonly Watched[]) {
    this.#services = services;
  }

  /** Takes a report. */
  look(report: Report, now: number): void {
    this.#lookForFaults(now);
    if (report.time === this.#report?.time) return;
    this.#report = report;
    this.#lateMs = now - this.#reportedAt - REPORT_EVERY_MS;
    this.#reportedAt = now;
  }

  /** What is wrong, in words; nothing when all is well. */
  troubles(now: number): string[] {
    this.#lookForFaults(now);
    const late = (this.#report?.services ?? []).map((
      { service, lateMs },
    ): Lateness => [service, lateMs.max]);
    return [
      ...([["the process", this.#lateMs], ...late] as Lateness[])
        .filter(([, ms]) => ms > LATE_MS_MAX)
        .map(([who, ms]) => `${who} was ${(ms / 1_000).toFixed(1)} s late`),
      ...this.#services
        .filter(({ name }) => now - (this.#faults.get(name)?.at ?? -Infinity) < FAULT_MS)
        .map(({ name }) => `${name} had an internal error: see the log`),
    ];
  }

  #lookForFaults(now: number): void {
    for (const { name, counters: { faults } } of this.#services) {
      if (faults > (this.#faults.get(name)?.faults ?? 0)) {
        this.#faults.set(name, { faults, at: now });
      }
    }
  }
}

type Lateness = readonly [who: string, ms: number];
