/** `netsync echo [PORT]`: the JSON echo server of udp-socket-server. */
import { ARENA_PORT } from "../clients/arena.ts";
import { EchoObserver } from "../observe/echo.ts";
import { createEchoServer } from "../protocols/echo/server.ts";
import { countOption, type Grammar, numberOption } from "./options.ts";
import { runUdpService } from "./running.ts";
import {
  announce,
  LISTEN_OPTIONS,
  LOG_OPTIONS,
  readService,
  STATISTICS_OPTIONS,
} from "./service.ts";

const options = {
  ...LISTEN_OPTIONS,
  timeout: numberOption({
    placeholder: "SECONDS",
    min: 0.1,
    max: 86_400,
    fallback: 30,
    help: "a client not heard for so long is forgotten (30)",
  }),
  maxClients: countOption(512, "clients at most; more get no answer until one leaves"),
  maxPerIp: countOption(64, "clients of one IPv4 address or IPv6 /64 network at most"),
  maxMessages: numberOption({
    placeholder: "HZ",
    min: 0.1,
    max: 100_000,
    fallback: 100,
    help: "messages a second from one such network at most (100)",
  }),
  ...STATISTICS_OPTIONS,
  ...LOG_OPTIONS,
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync echo",
  positionals: "[PORT]",
  positionalsMax: 1,
  about:
    `Repeats what one client says to all of them: the echo example of udp-socket-server, on UDP.
PORT is ${ARENA_PORT} unless given; 0 takes a free one.`,
  options,
};

/** Runs the server until it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const start = readService(words, grammar, "echo", ARENA_PORT);
  if (!start) return;
  const { values, port, logger } = start;
  const engine = createEchoServer({
    silenceMs: values.timeout * 1_000,
    clientsMax: values.maxClients,
    clientsPerNetworkMax: values.maxPerIp,
    messagesPerSecond: values.maxMessages,
  });
  const observer = new EchoObserver(logger, () => engine.clients.size, () => performance.now());
  const counters = await runUdpService({
    engine,
    port,
    hostname: values.host,
    logger,
    onEvent: (event) => observer.observe(event),
    onListening: (socket) =>
      announce(socket, {
        service: "echo",
        title: "echo (udp-socket-server)",
        json: values.json,
        rows: () => [["a message", '{"t": "message", "p": "\\"hello\\""}']],
      }),
    statistics: {
      everySeconds: values.statistics,
      tell: (counters) => observer.tellStatistics(counters),
    },
  });
  logger.info(
    "stopped: {joined} clients were here, {echoed} messages were repeated",
    { event: "stopped", ...observer.counts, ...counters },
  );
}
