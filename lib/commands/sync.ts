/** `netsync [PORT]`, `netsync sync [PORT]`: the SimpleNetSync server. */
import { SYNC_PORT } from "../clients/sync.ts";
import { SyncObserver } from "../observe/sync.ts";
import { createSyncServer } from "../protocols/sync/server.ts";
import { countOption, type Grammar, numberOption } from "./options.ts";
import { runUdpService } from "./running.ts";
import { announce, LISTEN_OPTIONS, LOG_OPTIONS, PROGRAM, readService } from "./service.ts";

const options = {
  ...LISTEN_OPTIONS,
  rate: numberOption({
    placeholder: "HZ",
    min: 0,
    max: 1_000,
    integer: true,
    fallback: undefined,
    help: "snapshots a second to each player at most; 0: one for every state received\n" +
      "(60, and more to a small group, as often as 4000 packets a second allow)",
  }),
  timeout: numberOption({
    placeholder: "SECONDS",
    min: 0.1,
    max: 86_400,
    fallback: 10,
    help: "a player not heard for so long has left (10)",
  }),
  maxClients: countOption(1_024, "players at most; more get no answer until one leaves"),
  maxPerIp: countOption(64, "players of one IPv4 address or IPv6 /64 network at most"),
  maxState: numberOption({
    placeholder: "BYTES",
    min: 1,
    max: 65_491,
    integer: true,
    fallback: 65_491,
    help: "longest state of a player; longer ones are refused (65491)",
  }),
  ...LOG_OPTIONS,
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync sync",
  positionals: "[PORT]",
  positionalsMax: 1,
  about: `Lets the players of a game see each other's state: a SimpleNetSync server on UDP.
PORT is ${SYNC_PORT} unless given; 0 takes a free one.`,
  options,
};

/** Runs the server until it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const start = readService(words, grammar, "sync", SYNC_PORT);
  if (!start) return;
  const { values, port, logger } = start;
  const engine = createSyncServer({
    firstSnapshotNumber: Date.now() * 1_000,
    rateHz: values.rate,
    // Who names a rate means it.
    eagerPacketsPerSecond: values.rate === undefined ? undefined : 0,
    silenceMs: values.timeout * 1_000,
    clientsMax: values.maxClients,
    clientsPerNetworkMax: values.maxPerIp,
    stateBytesMax: values.maxState,
  });
  const observer = new SyncObserver(
    logger,
    () => engine.census().players,
    () => performance.now(),
  );
  const counters = await runUdpService({
    engine,
    port,
    hostname: values.host,
    logger,
    onEvent: (event) => observer.observe(event),
    onListening: (socket) =>
      announce(socket, {
        service: "sync",
        title: "sync (SimpleNetSync)",
        json: values.json,
        rows: (near) => [["see the players", `${PROGRAM} watch ${near}`]],
      }),
  });
  logger.info(
    "stopped: {joined} players were here, {received} datagrams received, {sent} sent",
    { event: "stopped", ...observer.counts, ...counters },
  );
}
