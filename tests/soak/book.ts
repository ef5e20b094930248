/** What happened in a run: who came and went, which faults were made, and what was not as promised. */

/** So many violations are kept in words, and of those that differ only in numbers so many; all are counted. */
const VIOLATIONS_KEPT = 40;
const ALIKE_KEPT = 3;

/** Who came and went at one service. */
export interface Attendance {
  /** Came, also again. */
  came: number;
  /** Left, in whatever way. */
  went: number;
  /** Did not get in while the network or the server was bad. */
  failed: number;
}

/** Counts and violations, filled from everywhere. */
export class Book {
  /** Faults by kind, in the order of their first time. */
  readonly faults = new Map<string, number>();
  /** Things that were looked at and found right, by kind. */
  readonly checks = new Map<string, number>();
  /** Things worth knowing that are no violation. */
  readonly notes = new Map<string, number>();
  readonly attendance = new Map<string, Attendance>();
  /** The first ones, in words, with the second in which they were found. */
  readonly violations: string[] = [];
  violationCount = 0;
  /** How many were kept of those that differ only in numbers. */
  readonly #alike = new Map<string, number>();
  readonly #startedAt = performance.now();
  readonly #onViolation: (text: string) => void;

  /** @param onViolation Told at once of each that is kept. */
  constructor(onViolation: (text: string) => void = (): void => {}) {
    this.#onViolation = onViolation;
  }

  /** Seconds since it was begun. */
  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1_000;
  }

  fault(kind: string, count = 1): void {
    add(this.faults, kind, count);
  }

  checked(kind: string, count = 1): void {
    add(this.checks, kind, count);
  }

  note(kind: string): void {
    add(this.notes, kind, 1);
  }

  attendanceOf(service: string): Attendance {
    let attendance = this.attendance.get(service);
    if (!attendance) this.attendance.set(service, attendance = { came: 0, went: 0, failed: 0 });
    return attendance;
  }

  /** Something is not as it was promised. */
  violate(what: string): void {
    this.violationCount++;
    const shape = what.replace(/[\d.]+/g, "0");
    const alike = this.#alike.get(shape) ?? 0;
    if (alike >= ALIKE_KEPT || this.violations.length >= VIOLATIONS_KEPT) return;
    this.#alike.set(shape, alike + 1);
    const text = `at ${this.seconds.toFixed(1)} s: ${what}`;
    this.violations.push(text);
    this.#onViolation(text);
  }
}

function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}
