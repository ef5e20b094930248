/** `netsync arena [PORT]`: the msgpack game server of udp-socket-server. */
import { ARENA_PORT } from "../clients/arena.ts";
import { ArenaObserver } from "../observe/arena.ts";
import { createArenaServer } from "../protocols/arena/server.ts";
import { countOption, type Grammar, numberOption } from "./options.ts";
import { runUdpService } from "./running.ts";
import {
  announce,
  LISTEN_OPTIONS,
  LOG_OPTIONS,
  PROGRAM,
  readService,
  STATISTICS_OPTIONS,
} from "./service.ts";

const options = {
  ...LISTEN_OPTIONS,
  tickRate: numberOption({
    placeholder: "HZ",
    min: 1,
    max: 1_000,
    fallback: 60,
    help: "steps of the world a second; as often, at most, players are told what moved (60)",
  }),
  timeout: numberOption({
    placeholder: "SECONDS",
    min: 0.1,
    max: 86_400,
    fallback: 35,
    help: "a player not heard for so long has left; Unity clients are silent for 30 s (35)",
  }),
  maxPlayers: countOption(512, "players at most; more get no answer until one leaves"),
  maxPerIp: countOption(64, "players of one IPv4 address or IPv6 /64 network at most"),
  ...STATISTICS_OPTIONS,
  ...LOG_OPTIONS,
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync arena",
  positionals: "[PORT]",
  positionalsMax: 1,
  about: `A small arena that players move and fire in: the game server of udp-socket-server, on UDP.
PORT is ${ARENA_PORT} unless given; 0 takes a free one.`,
  options,
};

/** Runs the server until it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const start = readService(words, grammar, "arena", ARENA_PORT);
  if (!start) return;
  const { values, port, logger } = start;
  const engine = createArenaServer({
    tickRateHz: values.tickRate,
    silenceMs: values.timeout * 1_000,
    playersMax: values.maxPlayers,
    playersPerNetworkMax: values.maxPerIp,
    random: Math.random,
  });
  const observer = new ArenaObserver(logger, engine, () => performance.now());
  const counters = await runUdpService({
    engine,
    port,
    hostname: values.host,
    logger,
    onEvent: (event) => observer.observe(event),
    onListening: (socket) =>
      announce(socket, {
        service: "arena",
        title: "arena (udp-socket-server)",
        json: values.json,
        rows: (near) => [
          ["see the world", `${PROGRAM} watch arena ${near}`],
          ["fill it", `${PROGRAM} bots arena ${near} --count 20`],
        ],
      }),
    statistics: {
      everySeconds: values.statistics,
      tell: (counters) => observer.tellStatistics(counters),
    },
  });
  logger.info(
    "stopped: {joined} players were here, {received} datagrams received, {sent} sent",
    { event: "stopped", ...observer.counts, ...counters },
  );
}
