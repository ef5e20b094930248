/** Log lines of something that was, with the time at which it was. */
import { configureSync, type LogRecord } from "@logtape/logtape";
import type { LogLevel } from "../../observe/log.ts";

/** What a replay says: at a time in ms since 1970, for people, or with what programs want to know. */
export type Say = (unixMs: number, text: string, facts: object) => void;

/** Gives all log lines from `level` up to `say`, with the time that `unixMs` says it is. */
export function configureReplayLog(level: LogLevel, unixMs: () => number, say: Say): void {
  const sink = ({ level, category, message, properties }: LogRecord): void => {
    const text = message.map(String).join("");
    const facts = { level, service: category.at(-1), ...properties, message: text };
    say(unixMs(), `${level.toUpperCase().padEnd(7)} ${text}`, facts);
  };
  configureSync({
    reset: true,
    sinks: { replay: sink },
    loggers: [
      { category: "netsync", lowestLevel: level, sinks: ["replay"] },
      // Errors of the logging itself.
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["replay"] },
    ],
  });
}
