/** What all services have in common: their options, and their first lines. */
import type { Logger } from "@logtape/logtape";
import config from "../../deno.json" with { type: "json" };
import { formatHostPort } from "../hosts/address.ts";
import { localAddresses } from "../hosts/local_addresses.ts";
import { configureLog, LOG_LEVELS, loggerOf } from "../observe/log.ts";
import { printLine } from "../observe/output.ts";
import {
  choiceOption,
  flagOption,
  type Grammar,
  helpOf,
  numberOption,
  type Options,
  readPort,
  readWords,
  textOption,
  type Values,
} from "./options.ts";

/** The version of netsync. */
export const VERSION: string = config.version;

/** How this program is called on this machine. */
export const PROGRAM: string = Deno.build.standalone ? "netsync" : "deno run --allow-net main.ts";

/** Where a service listens. */
export const LISTEN_OPTIONS = {
  host: textOption({ placeholder: "ADDRESS", help: "listen on one local IP address (all)" }),
};

/** What a service prints. */
export const LOG_OPTIONS = {
  logLevel: choiceOption({
    choices: LOG_LEVELS,
    fallback: "info",
    help: "which lines to print (info)",
  }),
  json: flagOption("print one JSON object a line"),
};

/** What every service takes. */
type ServiceOptions = typeof LISTEN_OPTIONS & typeof LOG_OPTIONS;

/**
 * Reads the words of a service, `[PORT]` and options, and makes ready to log.
 *
 * @returns undefined when they asked for help, which was given.
 * @throws {UsageError} As `readWords`; or the port is none.
 */
export function readService<O extends ServiceOptions & Options>(
  words: readonly string[],
  grammar: Grammar<O>,
  service: string,
  defaultPort: number,
): { values: Values<O>; port: number; logger: Logger } | undefined {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { values, positionals: [portText] } = parsed;
  const port = portText === undefined ? defaultPort : readPort(portText);
  const { logLevel, json } = values as Values<ServiceOptions>;
  configureLog(logLevel, json);
  return { values, port, logger: loggerOf(service) };
}

/** How often a service says what goes through it. */
export const STATISTICS_OPTIONS = {
  statistics: numberOption({
    placeholder: "SECONDS",
    min: 0,
    max: 86_400,
    fallback: 10,
    help: "say every so often what goes through, while somebody is there; 0: never (10)",
  }),
};

/** How a service is reached. */
export type Transport = "UDP" | "TCP";

/** A port that is open. */
interface Listening {
  readonly port: number;
  readonly addresses: readonly string[];
}

/** What the first lines of a service say besides its addresses. */
export interface Announcement {
  service: string;
  /** The service with the original in brackets. */
  title: string;
  /** Default UDP. */
  transport?: Transport;
  json: boolean;
  /** More rows: what they are about, and what to type; `near` is its address on this computer. */
  rows: (near: string) => [string, string][];
}

/** Says that a service listens, and where. */
export function announce(listening: Listening, announcement: Announcement): void {
  const { port, addresses } = listening;
  const { service, json } = announcement;
  if (!json) return firstLines(listening, announcement).forEach((line) => void printLine(line));
  const time = new Date().toISOString();
  const facts = { service, event: "listening", version: VERSION, port, addresses };
  printLine(JSON.stringify({ time, level: "info", ...facts }));
}

function firstLines(
  { port, addresses }: Listening,
  { title, transport = "UDP", rows: more }: Announcement,
): string[] {
  const isOpen = addresses.some((address) => /^(\[::\]|0\.0\.0\.0):/.test(address));
  const rows: [string, string][] = [["listening on", addresses.join(" and ")]];
  if (isOpen) {
    const near = localAddresses();
    rows.push(["on this computer", `localhost:${port}`]);
    rows.push([
      "on your network",
      near === undefined || near.length === 0
        ? `this computer's address, port ${port}`
        : near.map((address) => formatHostPort(address, port)).join("  "),
    ]);
    rows.push([
      "from outside",
      `your public address, once your router forwards ${transport} port ${port} to this computer`,
    ]);
  }
  rows.push(...more(isOpen ? `localhost:${port}` : addresses[0]!), ["stop", "Ctrl+C"]);
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    `netsync ${VERSION} runs ${title} on ${transport} port ${port}`,
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
  ];
}
