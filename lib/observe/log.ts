/** Log lines: for people, or one JSON object a line for programs. */
import { configureSync, getLogger, type Logger, type LogRecord } from "@logtape/logtape";
import { printLine } from "./output.ts";

/** The levels of `--log-level`, from most to fewest lines. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Sends all log lines from `level` up to the standard output. */
export function configureLog(level: LogLevel, json: boolean): void {
  const format = json ? formatJson : formatText;
  let lost = 0;
  const output = (record: LogRecord): void => {
    if (lost > 0 && printLine(format(lostLines(record, lost)))) lost = 0;
    if (!printLine(format(record))) lost++;
  };
  configureSync({
    reset: true,
    sinks: { output },
    loggers: [
      { category: "netsync", lowestLevel: level, sinks: ["output"] },
      // Errors of the logging itself.
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["output"] },
    ],
  });
}

/** The logger of a service. */
export function loggerOf(service: string): Logger {
  return getLogger(["netsync", service]);
}

/** What is said instead of the lines that the output did not take. */
function lostLines({ category, timestamp }: LogRecord, lost: number): LogRecord {
  const message = [`${lost} lines were lost: the output did not take them`];
  const properties = { event: "lines-lost", lost };
  return { category, timestamp, level: "warning", message, rawMessage: message[0]!, properties };
}

function formatText(record: LogRecord): string {
  const time = new Date(record.timestamp).toLocaleString("sv-SE"); // Local, year first.
  return `${time} ${record.level.toUpperCase().padEnd(7)} ${messageOf(record)}`;
}

function formatJson(record: LogRecord): string {
  return JSON.stringify({
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    service: record.category.at(-1),
    ...record.properties,
    message: messageOf(record),
  });
}

function messageOf(record: LogRecord): string {
  return record.message.map(String).join("");
}
