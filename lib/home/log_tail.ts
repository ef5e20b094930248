import type { LogLine } from "../observe/log.ts";

/** What a page or a console that is opened later begins with. */
const LINES_MAX = 200;

/** The last lines of the log, and whoever wants the next ones. */
export class LogTail {
  readonly #lines: LogLine[] = [];
  readonly #listeners = new Set<(line: LogLine) => void>();

  /** The oldest first. */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** Takes a line. */
  add(line: LogLine): void {
    this.#lines.push(line);
    if (this.#lines.length > LINES_MAX) this.#lines.shift();
    for (const tell of this.#listeners) tell(line);
  }

  /** Calls `listener` for each line from now on. */
  listen(listener: (line: LogLine) => void): void {
    this.#listeners.add(listener);
  }
}
