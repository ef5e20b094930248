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

/** Takes a sample each second, makes a report of it, and gives that to all who want it. */
export class Monitor implements Disposable {
  readonly #monitored: Monitored;
  readonly #listeners: ((report: Report) => void)[] = [];
  readonly #startedAt = performance.now();
  #sampledAt = performance.now();
  /** The same in ms since 1970. */
  #time = Date.now();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(monitored: Monitored) {
    this.#monitored = monitored;
  }

  /** Calls `listener` each second, and at once. */
  listen(listener: (report: Report) => void): void {
    this.#listeners.push(listener);
    this.#timer ??= setInterval(() => this.#tell(true), EVERY_MS);
    this.tell();
  }

  /** Reports now, by the last sample: something was done that people want to see. */
  tell(): void {
    this.#tell(false);
  }

  /** Whoever watches ends no service. */
  #tell(isSample: boolean): void {
    try {
      const report = this.#report(isSample);
      for (const tell of this.#listeners) tell(report);
    } catch (error) {
      this.#monitored.onProblem?.(
        `internal error: ${error instanceof Error ? error.stack : error}`,
      );
    }
  }

  #report(isSample: boolean): Report {
    const { version, services, bans } = this.#monitored;
    const now = performance.now();
    const seconds = isSample ? (now - this.#sampledAt) / 1_000 : undefined;
    if (isSample) {
      this.#sampledAt = now;
      this.#time = Date.now();
    }
    return {
      time: this.#time,
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

/** What JavaScript uses of it: objects that live, and those that are not collected yet. */
export function heapBytes(): number {
  return Deno.memoryUsage().heapUsed;
}

/** What the process holds; undefined where the system does not tell. */
export function memoryBytes(): number | undefined {
  try {
    return Deno.memoryUsage().rss || undefined;
  } catch {
    return undefined;
  }
}
