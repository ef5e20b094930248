/** Whether what was measured again and again grows: a straight line through it, and how sure that line is. */

const HOUR_MS = 3_600_000;
/** Fewer say nothing about a line. */
const SAMPLES_MIN = 5;
/** A slope is one when it is so many of its standard errors from none. */
const ERRORS_MIN = 3;

/** Something that was measured once. */
export interface Sample {
  /** On any clock. */
  readonly atMs: number;
  readonly value: number;
}

/** What became of it, in its own unit. */
export interface Trend {
  readonly count: number;
  readonly first: number;
  readonly last: number;
  readonly min: number;
  readonly max: number;
  /** From the first to the last. */
  readonly spanMs: number;
  /** Of the line with the least squares; 0 when there is none. */
  readonly slopePerHour: number;
  /** The standard error of that; `Infinity` when there are too few. */
  readonly slopeErrorPerHour: number;
}

/** Whether it grows; `short` when too little was measured to tell. */
export type Verdict = "flat" | "grows" | "short";

/** A line through samples, in the order of their times; undefined when there are none. */
export function trendOf(samples: readonly Sample[]): Trend | undefined {
  const [first] = samples;
  const last = samples.at(-1);
  if (!first || !last) return undefined;
  const values = samples.map(({ value }) => value);
  return {
    ...{ count: samples.length, first: first.value, last: last.value },
    ...{ min: Math.min(...values), max: Math.max(...values), spanMs: last.atMs - first.atMs },
    ...slopeOf(samples, first.atMs),
  };
}

/** Times count from `zeroMs`: squares of large numbers are not exact. */
function slopeOf(
  samples: readonly Sample[],
  zeroMs: number,
): Pick<Trend, "slopePerHour" | "slopeErrorPerHour"> {
  const count = samples.length;
  const points = samples.map(({ atMs, value }) => ({ hours: (atMs - zeroMs) / HOUR_MS, value }));
  const meanHours = sumOf(points, ({ hours }) => hours) / count;
  const meanValue = sumOf(points, ({ value }) => value) / count;
  const spread = sumOf(points, ({ hours }) => (hours - meanHours) ** 2);
  if (spread === 0) return { slopePerHour: 0, slopeErrorPerHour: Infinity };
  const slope = sumOf(points, ({ hours, value }) => (hours - meanHours) * (value - meanValue)) /
    spread;
  const residue = sumOf(
    points,
    ({ hours, value }) => (value - meanValue - slope * (hours - meanHours)) ** 2,
  );
  const error = count > 2 ? Math.sqrt(residue / (count - 2) / spread) : Infinity;
  return { slopePerHour: slope, slopeErrorPerHour: error };
}

/** By how much the line rises from the first sample to the last; below 0 when it falls. */
export function riseOf({ slopePerHour, spanMs }: Trend): number {
  return slopePerHour * spanMs / HOUR_MS;
}

/**
 * It grows when the line rises by more than `riseMax` and that is no accident.
 *
 * @param riseMax In the unit of the samples, over all of their time.
 */
export function verdictOf(trend: Trend | undefined, riseMax: number): Verdict {
  if (!trend || trend.count < SAMPLES_MIN) return "short";
  const { slopePerHour, slopeErrorPerHour } = trend;
  const isSure = slopePerHour > ERRORS_MIN * slopeErrorPerHour;
  return riseOf(trend) > riseMax && isSure ? "grows" : "flat";
}

/** The smallest slope that would have been called growth: a short run sees only fast leaks. */
export function slopeSeenPerHour({ spanMs, slopeErrorPerHour }: Trend, riseMax: number): number {
  return Math.max(riseMax * HOUR_MS / spanMs, ERRORS_MIN * slopeErrorPerHour);
}

function sumOf<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + valueOf(item), 0);
}
