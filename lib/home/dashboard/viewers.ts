/** Those who have the page open: each gets a stream of server-sent events. */
import type { LogLine } from "../../observe/log.ts";
import type { Report } from "../../observe/report.ts";
import { History } from "./history.ts";

/** More pages at a time get no stream. */
export const VIEWERS_MAX = 16;
/** Log lines that wait for the next report; the oldest are given up first. */
export const LOG_LINES_MAX = 200;
/** Who did not take a single report out of so many, half a minute's worth, is gone or asleep. */
export const SKIPS_MAX = 30;
/** How long a browser waits before it connects again. */
const RETRY_MS = 2_000;

const utf8 = new TextEncoder();

/** Everybody who watches. Log lines travel with the report that follows them. */
export class Viewers {
  readonly #history = new History();
  readonly #viewers = new Set<Viewer>();
  #report: Report | undefined;

  /** How many there are. */
  get count(): number {
    return this.#viewers.size;
  }

  /** Whether there are {@link VIEWERS_MAX} already. */
  get isFull(): boolean {
    return this.#viewers.size >= VIEWERS_MAX;
  }

  /**
   * One more, who is first told what is known already. To be called unless {@link isFull}.
   *
   * @param hello What else to tell it.
   */
  open(hello: Record<string, unknown>): ReadableStream<Uint8Array> {
    const greeting = eventBytes("hello", { ...hello, history: this.#history }, RETRY_MS);
    const viewer: Viewer = new Viewer(greeting, () => this.#viewers.delete(viewer));
    this.#viewers.add(viewer);
    if (this.#report) viewer.offer(eventBytes("report", this.#report));
    return viewer.stream;
  }

  /** Tells everybody. Whoever has not taken the one before gets only this one. */
  publish(report: Report): void {
    this.#history.add(report);
    this.#report = report;
    if (this.#viewers.size === 0) return;
    const bytes = eventBytes("report", report); // Once, however many there are.
    for (const viewer of this.#viewers) viewer.offer(bytes);
  }

  /** Takes a line for the next report. */
  log(line: LogLine): void {
    for (const viewer of this.#viewers) viewer.log(line);
  }
}

/** One stream. What its connection has no room for waits here: at most one report. */
class Viewer {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #onEnd: () => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #hasRoom = false;
  #greeting: Uint8Array | undefined;
  #report: Uint8Array | undefined;
  #lines: LogLine[] = [];
  #linesLost = 0;
  #skips = 0;

  constructor(greeting: Uint8Array, onEnd: () => void) {
    this.#greeting = greeting;
    this.#onEnd = onEnd;
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller): void => {
        this.#controller = controller;
      },
      pull: (): void => {
        this.#hasRoom = true;
        this.#flush();
      },
      cancel: onEnd,
    }, { highWaterMark: 0 }); // No queue in between: it pulls only what it can pass on.
  }

  offer(report: Uint8Array): void {
    if (this.#report && ++this.#skips > SKIPS_MAX) return this.#cut();
    this.#report = report;
    this.#flush();
  }

  log(line: LogLine): void {
    this.#lines.push(line);
    if (this.#lines.length <= LOG_LINES_MAX) return;
    this.#lines.shift();
    this.#linesLost++;
  }

  /** Closed, not failed: Deno would print the failure. A browser that awakes connects again. */
  #cut(): void {
    this.#onEnd();
    this.#controller.close();
  }

  #flush(): void {
    const bytes = this.#hasRoom ? this.#take() : undefined;
    if (!bytes) return;
    this.#hasRoom = false;
    this.#skips = 0;
    this.#controller.enqueue(bytes);
  }

  /** The oldest thing that waits. */
  #take(): Uint8Array | undefined {
    if (this.#greeting) {
      const greeting = this.#greeting;
      this.#greeting = undefined;
      return greeting;
    }
    if (!this.#report) return undefined;
    if (this.#lines.length > 0) {
      const log = eventBytes("log", { lines: this.#lines, lost: this.#linesLost });
      this.#lines = [];
      this.#linesLost = 0;
      return log;
    }
    const report = this.#report;
    this.#report = undefined;
    return report;
  }
}

/** JSON has no line break in it, so one `data` line carries it. */
function eventBytes(name: string, data: unknown, retryMs?: number): Uint8Array {
  const retry = retryMs === undefined ? "" : `retry: ${retryMs}\n`;
  return utf8.encode(`${retry}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}
