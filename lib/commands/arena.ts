/** `netsync arena [PORT]`: the msgpack game server of udp-socket-server. */
import { ARENA_PORT } from "../clients/arena.ts";
import { ArenaObserver } from "../observe/arena.ts";
import { type ArenaEvent, createArenaServer } from "../protocols/arena/server.ts";
import { countOption, numberOption } from "./options.ts";
import { PROGRAM } from "./program.ts";
import { commandOf, STATISTICS_OPTIONS } from "./service.ts";
import { udpKind, type UdpMade } from "./hosting/service_kind.ts";

const options = {
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
};

/** The arena service. */
export const kind = udpKind({
  name: "arena",
  title: "arena (udp-socket-server)",
  defaultPort: ARENA_PORT,
  about:
    "A small arena that players move and fire in: the game server of udp-socket-server, on UDP.",
  options,
  isResumable: true,
  make(values, { logger, random, now }): UdpMade<ArenaEvent> {
    const engine = createArenaServer({
      tickRateHz: values.tickRate,
      silenceMs: values.timeout * 1_000,
      playersMax: values.maxPlayers,
      playersPerNetworkMax: values.maxPerIp,
      random,
    });
    return {
      engine,
      observer: new ArenaObserver(logger, engine, now),
      figures(): [string, string][] {
        const { bullets, undelivered, resends } = engine.census();
        return [
          ["bullets", `${bullets}`],
          ["messages not acked yet", `${undelivered}`],
          ["sent again", `${resends}`],
        ];
      },
      rows: (near) => [
        ["see the world", `${PROGRAM} watch arena ${near}`],
        ["fill it", `${PROGRAM} bots arena ${near} --count 20`],
      ],
      stopped: "stopped: {visitors} players were here, {received} datagrams received, {sent} sent",
    };
  },
});

/** What the command takes, and running it. */
export const { grammar, run } = commandOf(kind);
