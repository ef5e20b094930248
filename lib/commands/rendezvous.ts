/** `netsync rendezvous [PORT]`: players behind routers find each other. */
import { RENDEZVOUS_PORT } from "../clients/rendezvous.ts";
import { RendezvousObserver } from "../observe/rendezvous.ts";
import { createRendezvousServer, type RendezvousEvent } from "../protocols/rendezvous/server.ts";
import { numberOption } from "./options.ts";
import { PROGRAM } from "./program.ts";
import { commandOf } from "./service.ts";
import { udpKind, type UdpMade } from "./hosting/service_kind.ts";

const count = { placeholder: "N", min: 1, max: 1_000_000, integer: true } as const;

const options = {
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
};

/** The rendezvous service. */
export const kind = udpKind({
  name: "rendezvous",
  title: "rendezvous (Holepunch)",
  defaultPort: RENDEZVOUS_PORT,
  about: `Tells players behind routers where the others are, so that they can talk directly: a
handshake server for Holepunch.gd, both dialects, on UDP. It needs an address that all players
reach.`,
  options,
  isResumable: true,
  make(values, { logger, now }): UdpMade<RendezvousEvent> {
    const engine = createRendezvousServer({
      registrationsMax: values.maxHosts,
      registrationsPerNetworkMax: values.maxPerIp,
      requestsPerSecond: values.maxRequests,
      introductionsPerSecond: values.maxJoins,
      validSecondsMax: values.maxExpiry,
    });
    const observer = new RendezvousObserver(logger, () => engine.registrations, now);
    return {
      engine,
      observer,
      figures: () => [["introductions", `${observer.counts.introduced}`]],
      rows: (near) => [
        ["try it", `${PROGRAM} chat --rendezvous ${near} --name castle --host`],
        ["and beside it", `${PROGRAM} chat --rendezvous ${near} --name ada --join castle`],
      ],
      stopped: "stopped: {visitors} hosts were here, {introduced} players were introduced",
    };
  },
});

/** What the command takes, and running it. */
export const { grammar, run } = commandOf(kind);
