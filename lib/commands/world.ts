/** `netsync world [PORT]`: a Sidereal server, with bodies that fall around a sun. */
import { WORLD_PORT } from "../clients/world_server.ts";
import { WorldObserver } from "../observe/world.ts";
import { createWorldServer, type WorldServerEvent } from "../protocols/world/server.ts";
import { World } from "../protocols/world/world.ts";
import { Gravity } from "./gravity.ts";
import { countOption, numberOption } from "./options.ts";
import { PROGRAM } from "./program.ts";
import { commandOf, STATISTICS_OPTIONS } from "./service.ts";
import { udpKind, type UdpMade } from "./hosting/service_kind.ts";

/** Finer than any screen: what is told of the bodies is rounded to so many decimals. */
const DECIMALS = 3;
const KIB_256 = 2 ** 18;

const options = {
  bodies: numberOption({
    placeholder: "N",
    min: 0,
    max: 5_000,
    integer: true,
    fallback: 12,
    help: "so many bodies fall around a sun; 0: an empty world (12)",
  }),
  seed: numberOption({
    placeholder: "N",
    min: 0,
    max: 2 ** 32 - 1,
    integer: true,
    fallback: 1,
    help: "chooses their orbits (1)",
  }),
  tickRate: numberOption({
    placeholder: "HZ",
    min: 1,
    max: 1_000,
    fallback: 100,
    help: "ticks of the world a second; at each, clients are told what changed (100)",
  }),
  keyframe: numberOption({
    placeholder: "SECONDS",
    min: 0,
    max: 86_400,
    fallback: 10,
    help: "every object is told whole again this often; 0: never (10)",
  }),
  timeout: numberOption({
    placeholder: "SECONDS",
    min: 0.1,
    max: 86_400,
    fallback: 10,
    help: "a client that acks nothing for so long is gone (10)",
  }),
  maxClients: countOption(512, "clients at most"),
  maxPerIp: countOption(64, "clients of one IPv4 address or IPv6 /64 network at most"),
  maxBytes: numberOption({
    placeholder: "BYTES",
    min: 1_200,
    max: 1_000_000_000,
    integer: true,
    fallback: KIB_256,
    help:
      `bytes a second to one client; what finds no room leaves later, as it is then (${KIB_256})`,
  }),
  ...STATISTICS_OPTIONS,
};

/** The world service. */
export const kind = udpKind({
  name: "world",
  title: "world (Sidereal)",
  defaultPort: WORLD_PORT,
  about: "A world that clients mirror by snapshots, diffs and acks: a Sidereal server, on UDP.",
  options,
  make(values, { logger, random, unixMs, now }): UdpMade<WorldServerEvent> {
    const world = new World({ decimals: DECIMALS });
    const gravity = new Gravity(world, values.bodies, values.seed);
    const engine = createWorldServer({
      world,
      tickRateHz: values.tickRate,
      step: (world, seconds) => gravity.step(world, seconds),
      keyframeMs: 1_000 * values.keyframe,
      silenceMs: 1_000 * values.timeout,
      clientsMax: values.maxClients,
      clientsPerNetworkMax: values.maxPerIp,
      bytesPerSecond: values.maxBytes,
      unixMs,
      random,
    });
    return {
      engine,
      observer: new WorldObserver(logger, engine, now),
      figures(): [string, string][] {
        const { objects, time, unproved } = engine.census();
        return [
          ["objects", `${objects}`],
          ["tick", `${time}`],
          ["knocked only", `${unproved}`],
        ];
      },
      rows: (near) => [["see the world", `${PROGRAM} watch world ${near}`]],
      sayFarewell: (now, out) => engine.close(now, out),
      stopped: "stopped: {joined} clients were here, {received} datagrams received, {sent} sent",
    };
  },
});

/** What the command takes, and running it. */
export const { grammar, run } = commandOf(kind);
