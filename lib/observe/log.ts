/** Log lines: for people, or one JSON object a line for programs. */
import { configureSync, getLogger, type Logger, type LogRecord, type Sink } from "@logtape/logtape";
import { asciiJson } from "../parts/json.ts";
import { printText } from "./output.ts";
import { printable } from "./printable.ts";

/** The levels of `--log-level`, from most to fewest lines. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Takes a line with its end, some time soon. False: there was no room, and it is lost. */
export type TakeText = (text: string) => boolean;

/** A line as others show it. */
export interface LogLine {
  /** In ms since 1970. */
  readonly time: number;
  readonly level: LogLevel;
  readonly service: string;
  readonly message: string;
}

/** Where lines go. */
export interface LogOutputs {
  /** Whether to the standard output. Default true. */
  output?: boolean;
  /** Whether lines for people say which service they are of. Default false. */
  namesServices?: boolean;
  /** Also there, in the same format: a log file's `write`. */
  file?: TakeText;
  /** Told of each line as well. */
  tail?: (line: LogLine) => void;
}

/** Sends all log lines from `level` up to the standard output, or where it is told. */
export function configureLog(level: LogLevel, json: boolean, outputs: LogOutputs = {}): void {
  const { output = true, namesServices = false, file, tail } = outputs;
  const format = json
    ? formatJson
    : (record: LogRecord): string => formatText(record, namesServices);
  const sinks: Record<string, Sink> = {};
  if (output) sinks.output = textSink(format, printText, "the output");
  if (file) sinks.file = textSink(format, file, "the log file");
  if (tail) sinks.tail = (record) => tail(lineOf(record));
  const names = Object.keys(sinks);
  configureSync({
    reset: true,
    sinks,
    loggers: [
      { category: "netsync", lowestLevel: level, sinks: names },
      // Errors of the logging itself. A tail that fails is not told of it.
      {
        category: ["logtape", "meta"],
        lowestLevel: "error",
        sinks: names.filter((name) => name !== "tail"),
      },
    ],
  });
}

/** Gives lines away, and says how many were not taken once one is again. */
function textSink(format: (record: LogRecord) => string, take: TakeText, taker: string): Sink {
  let lost = 0;
  return (record) => {
    if (lost > 0 && take(`${format(lostLines(record, lost, taker))}\n`)) lost = 0;
    if (!take(`${format(record)}\n`)) lost++;
  };
}

/** The logger of a service. */
export function loggerOf(service: string): Logger {
  return getLogger(["netsync", service]);
}

/** What is said instead of the lines that were not taken. */
function lostLines({ category, timestamp }: LogRecord, lost: number, taker: string): LogRecord {
  const message = [`${lost} lines were lost: ${taker} did not take them`];
  const properties = { event: "lines-lost", lost };
  return { category, timestamp, level: "warning", message, rawMessage: message[0]!, properties };
}

function formatText(record: LogRecord, namesService: boolean): string {
  const time = new Date(record.timestamp).toLocaleString("sv-SE"); // Local, year first.
  const service = namesService ? `${record.category.at(-1)}: ` : "";
  return `${time} ${record.level.toUpperCase().padEnd(7)} ${service}${
    printable(messageOf(record))
  }`;
}

function formatJson(record: LogRecord): string {
  const facts = {
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    service: record.category.at(-1),
    ...record.properties,
    message: messageOf(record),
  };
  return asciiJson(JSON.stringify(facts)); // What came from anywhere does nothing to a terminal.
}

function lineOf(record: LogRecord): LogLine {
  const { timestamp, level, category } = record;
  // A service uses no others than these levels.
  const service = category.at(-1) ?? "netsync";
  return { time: timestamp, level: level as LogLevel, service, message: messageOf(record) };
}

function messageOf(record: LogRecord): string {
  return record.message.map(String).join("");
}
