/** Running an engine as a service: until a signal says stop. */
import type { Logger } from "@logtape/logtape";
import config from "../../deno.json" with { type: "json" };
import { formatHostPort } from "../hosts/address.ts";
import { localAddresses } from "../hosts/local_addresses.ts";
import { openUdp, type UdpCounters, UdpHost, type UdpSocket } from "../hosts/udp.ts";
import { configureLog, LOG_LEVELS, loggerOf } from "../observe/log.ts";
import { printLine } from "../observe/output.ts";
import type { Engine } from "../protocols/engine.ts";
import {
  choiceOption,
  CommandFailure,
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

/** What {@link runUdpService} needs. */
export interface UdpService<Event> {
  engine: Engine<Event>;
  port: number;
  hostname: string | undefined;
  logger: Logger;
  onEvent: (event: Event) => void;
  /** Called once the port is open: time for the first lines. */
  onListening: (socket: UdpSocket) => void;
  /** What to tell now and then. */
  statistics?: { everySeconds: number; tell: (counters: UdpCounters) => void };
}

const SEND_FAILURE_LINE_EVERY_MS = 10_000;
/** The most that macOS sends in one datagram unless told otherwise: `net.inet.udp.maxdgram`. */
const MACOS_DATAGRAM_BYTES_MAX = 9_216;

/** The signals that end a service. A system that does not know one has the others. */
const STOP_SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGBREAK"];

/**
 * Opens the port and serves until the first stop signal; a second one ends the process at once.
 *
 * @returns What was received and sent.
 * @throws {CommandFailure} The port cannot be had.
 */
export async function runUdpService<Event>(service: UdpService<Event>): Promise<UdpCounters> {
  const stop = stopSignal();
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    const socket = await openPort(service.port, service.hostname);
    const { engine, logger, onEvent } = service;
    const host = new UdpHost(engine, socket, {
      onEvent,
      onFault: (error) => logger.error("internal error: {error}", { event: "fault", error }),
      onSendFailure: sendFailureLog(logger),
    });
    service.onListening(socket);
    const { everySeconds = 0, tell } = service.statistics ?? {};
    if (everySeconds > 0) timer = setInterval(() => tell!(host.counters), 1_000 * everySeconds);
    await stop.received;
    await host.close();
    return host.counters;
  } finally {
    clearInterval(timer);
    stop.ignore();
  }
}

/** What the first lines of a service say besides its addresses. */
export interface Announcement {
  service: string;
  /** The service with the original in brackets. */
  title: string;
  json: boolean;
  /** More rows: what they are about, and what to type; `near` is its address on this computer. */
  rows: (near: string) => [string, string][];
}

/** Says that a service listens, and where. */
export function announce(socket: UdpSocket, announcement: Announcement): void {
  const { port, addresses } = socket;
  const { service, json } = announcement;
  if (!json) return firstLines(socket, announcement).forEach((line) => void printLine(line));
  const time = new Date().toISOString();
  const facts = { service, event: "listening", version: VERSION, port, addresses };
  printLine(JSON.stringify({ time, level: "info", ...facts }));
}

function firstLines({ port, addresses }: UdpSocket, { title, rows: more }: Announcement): string[] {
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
      `your public address, once your router forwards UDP port ${port} to this computer`,
    ]);
  }
  rows.push(...more(isOpen ? `localhost:${port}` : addresses[0]!), ["stop", "Ctrl+C"]);
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    `netsync ${VERSION} runs ${title} on UDP port ${port}`,
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
  ];
}

/** Says why datagrams are not sent: one line per interval. */
function sendFailureLog(logger: Logger): (error: unknown, bytes: number) => void {
  let loggedAt = -Infinity;
  return (error, bytes) => {
    if (performance.now() - loggedAt < SEND_FAILURE_LINE_EVERY_MS) return;
    loggedAt = performance.now();
    const reason = error instanceof Error ? error.message : String(error);
    const isTooLarge = Deno.build.os === "darwin" && bytes > MACOS_DATAGRAM_BYTES_MAX;
    const hint = isTooLarge ? "; allow it: sudo sysctl -w net.inet.udp.maxdgram=65535" : "";
    logger.warning(
      "a datagram of {bytes} bytes could not be sent: {reason}{hint}",
      { event: "send-failed", bytes, reason, hint },
    );
  };
}

/** The first stop signal as a promise. A second one ends the process with status 130. */
export function stopSignal(): { received: Promise<void>; ignore: () => void } {
  const { promise: received, resolve } = Promise.withResolvers<void>();
  let signals = 0;
  const onSignal = (): void => {
    if (++signals > 1) Deno.exit(130);
    resolve();
  };
  const known = STOP_SIGNALS.filter((signal) => {
    try {
      Deno.addSignalListener(signal, onSignal);
      return true;
    } catch {
      return false; // This system does not have it.
    }
  });
  const ignore = (): void => known.forEach((name) => Deno.removeSignalListener(name, onSignal));
  return { received, ignore };
}

async function openPort(port: number, hostname: string | undefined): Promise<UdpSocket> {
  try {
    return await openUdp({ port, hostname });
  } catch (error) {
    throw new CommandFailure(explain(error, port, hostname));
  }
}

function explain(error: unknown, port: number, hostname: string | undefined): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `UDP port ${port} is in use, perhaps by another netsync: ` +
      `stop that, or choose another port, for example ${port < 65_535 ? port + 1 : port - 1}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `this system does not let you open UDP port ${port}: choose one from 1024 up`;
  }
  if (error instanceof Deno.errors.NotCapable) {
    return "netsync may not use the network: start it with deno run --allow-net main.ts";
  }
  if (hostname !== undefined) {
    return `--host ${hostname} is not an address of this computer: leave it out to listen on all`;
  }
  return `UDP port ${port} cannot be opened: ${error instanceof Error ? error.message : error}`;
}
