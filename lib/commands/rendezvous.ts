/** `netsync rendezvous [PORT]`: players behind routers find each other. */
import { RENDEZVOUS_PORT } from "../clients/rendezvous.ts";
import { RendezvousObserver } from "../observe/rendezvous.ts";
import { createRendezvousServer } from "../protocols/rendezvous/server.ts";
import { type Grammar, numberOption } from "./options.ts";
import { runUdpService } from "./running.ts";
import { announce, LISTEN_OPTIONS, LOG_OPTIONS, PROGRAM, readService } from "./service.ts";

const count = { placeholder: "N", min: 1, max: 1_000_000, integer: true } as const;

const options = {
  ...LISTEN_OPTIONS,
  maxHosts: numberOption({
    ...count,
    fallback: 16_384,
    help: "names at most; more get no answer until one expires (16384)",
  }),
  maxPerIp: numberOption({
    ...count,
    fallback: 64,
    help: "names of one IPv4 address or IPv6 /64 network at most (64)",
  }),
  maxRequests: numberOption({
    ...count,
    fallback: 30,
    help: "requests a second of one address or network, three times as many at once (30)",
  }),
  maxJoins: numberOption({
    ...count,
    fallback: 20,
    help: "players a second introduced to one host's address, three times as many at once (20)",
  }),
  maxExpiry: numberOption({
    placeholder: "SECONDS",
    min: 1,
    max: 86_400,
    fallback: 3_600,
    help: "longest time a name is kept without a refresh, whatever its host asks for (3600)",
  }),
  ...LOG_OPTIONS,
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync rendezvous",
  positionals: "[PORT]",
  positionalsMax: 1,
  about: `Tells players behind routers where the others are, so that they can talk directly: a
handshake server for Holepunch.gd, both dialects, on UDP. It needs an address that all players
reach. PORT is ${RENDEZVOUS_PORT} unless given; 0 takes a free one.`,
  options,
};

/** Runs the server until it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const start = readService(words, grammar, "rendezvous", RENDEZVOUS_PORT);
  if (!start) return;
  const { values, port, logger } = start;
  const engine = createRendezvousServer({
    registrationsMax: values.maxHosts,
    registrationsPerNetworkMax: values.maxPerIp,
    requestsPerSecond: values.maxRequests,
    introductionsPerSecond: values.maxJoins,
    validSecondsMax: values.maxExpiry,
  });
  const observer = new RendezvousObserver(
    logger,
    () => engine.registrations,
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
        service: "rendezvous",
        title: "rendezvous (Holepunch)",
        json: values.json,
        rows: (near) => [
          ["try it", `${PROGRAM} chat --rendezvous ${near} --name castle --host`],
          ["and beside it", `${PROGRAM} chat --rendezvous ${near} --name ada --join castle`],
        ],
      }),
  });
  logger.info(
    "stopped: {registered} hosts were here, {introduced} players were introduced",
    { event: "stopped", ...observer.counts, ...counters },
  );
}
