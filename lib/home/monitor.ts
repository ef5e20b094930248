/** Looks after the services of a process once a second, for those who watch. */
import type { Report } from "../observe/report.ts";
import type { Hosted } from "./hosted.ts";

const EVERY_MS = 1_000;

/** What a {@link Monitor} reports of. */
export interface Monitored {
  version: string;
  services: readonly Hosted[];
  /** Addresses and networks that are not let in. */
  bans: () => string[];
  /** Told in words when no report could be made: a bug. Default: it is left out. */
  onProblem?: (problem: string) => void;
}

/** Makes a report each second, and gives it to all who want it. */
export class Monitor implements Disposable {
  readonly #monitored: Monitored;
  readonly #listeners: ((report: Report) => void)[] = [];
  readonly #startedAt = performance.now();
  #reportedAt = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(monitored: Monitored) {
    this.#monitored = monitored;
  }

  /** Calls `listener` each second, and at once. */
  listen(listener: (report: Report) => void): void {
    this.#listeners.push(listener);
    this.#timer ??= setInterval(() => this.tell(), EVERY_MS);
    this.tell();
  }

  /** Reports now: something was done that people want to see. Whoever watches ends no service. */
  tell(): void {
    try {
      const report = this.#report();
      for (const tell of this.#listeners) tell(report);
    } catch (error) {
      this.#monitored.onProblem?.(
        `internal error: ${error instanceof Error ? error.stack : error}`,
      );
    }
  }

  #report(): Report {
    const { version, services, bans } = this.#monitored;
    const now = performance.now();
    const seconds = (now - this.#reportedAt) / 1_000;
    this.#reportedAt = now;
    return {
      time: Date.now(),
      version,
      uptimeMs: now - this.#startedAt,
      memoryBytes: memoryBytes(),
      services: services.map((service) => service.report(seconds)),
      bans: bans(),
    };
  }

  /** Ends it. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** What the process holds; undefined where the system does not tell. */
export function memoryBytes(): number | undefined {
  try {
    return Deno.memoryUsage().rss || undefined;
  } catch {
    return undefined;
  }
}
