/** The last minutes of each service, for those who open the page only now. */
import type { Report, ServiceReport } from "../../observe/report.ts";

/** One second of a service: the columns of {@link POINT_COLUMNS}. */
export type Point = readonly number[];

/** What the numbers of a {@link Point} are. The page's charts know them by this order. */
export const POINT_COLUMNS = [
  ...["time", "members", "inHz", "outHz", "inBytesHz", "outBytesHz", "p99Ms", "maxMs"],
] as const;

/** Five minutes of a report a second. */
const POINTS_MAX = 300;

/** Keeps {@link POINTS_MAX} points of each service. */
export class History {
  readonly #points = new Map<string, Point[]>();
  #time: number | undefined;

  /** Takes what a report says of each service, unless another one told of the same second. */
  add(report: Report): void {
    if (report.time === this.#time) return;
    this.#time = report.time;
    const reported = new Set(report.services.map(({ service }) => service));
    for (const service of this.#points.keys()) {
      if (!reported.has(service)) this.#points.delete(service);
    }
    for (const service of report.services) {
      const points = this.#points.get(service.service) ?? [];
      this.#points.set(service.service, points);
      // The clock was set back: what was before is not of this time.
      if ((points.at(-1)?.[0] ?? -Infinity) > report.time) points.length = 0;
      points.push(pointOf(report.time, service));
      if (points.length > POINTS_MAX) points.shift();
    }
  }

  /** All of it, the oldest first. */
  toJSON(): Record<string, Point[]> {
    return Object.fromEntries(this.#points);
  }
}

function pointOf(time: number, { members, rates, lateMs }: ServiceReport): Point {
  const { inHz, outHz, inBytesHz, outBytesHz } = rates;
  return [time, members, inHz, outHz, inBytesHz, outBytesHz, lateMs.p99, lateMs.max]
    .map((value) => Math.round(value * 1_000) / 1_000);
}
