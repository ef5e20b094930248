/** What was logged, for tests. */
import { configureSync, type LogRecord } from "@logtape/logtape";

/** Log records from now on. */
export class LogBook {
  /** In order. */
  readonly records: LogRecord[] = [];

  constructor() {
    configureSync({
      reset: true,
      sinks: { records: (record) => this.records.push(record) },
      loggers: [
        { category: "netsync", lowestLevel: "debug", sinks: ["records"] },
        { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
      ],
    });
  }

  /** Each as its level and text. */
  get lines(): string[] {
    return this.records.map(({ level, message }) => `${level}: ${message.map(String).join("")}`);
  }
}
