/** `netsync [PORT]`, `netsync sync [PORT]`: the SimpleNetSync server. */
import { SYNC_PORT } from "../clients/sync.ts";
import { SyncObserver } from "../observe/sync.ts";
import { createSyncServer, type SyncEvent } from "../protocols/sync/server.ts";
import { countOption, numberOption } from "./options.ts";
import { PROGRAM } from "./program.ts";
import { commandOf } from "./service.ts";
import { udpKind, type UdpMade } from "./hosting/service_kind.ts";

const options = {
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
};

/** The sync service. */
export const kind = udpKind({
  name: "sync",
  title: "sync (SimpleNetSync)",
  defaultPort: SYNC_PORT,
  about: "Lets the players of a game see each other's state: a SimpleNetSync server on UDP.",
  options,
  isResumable: true,
  make(values, { logger, unixMs, now }): UdpMade<SyncEvent> {
    const engine = createSyncServer({
      firstSnapshotNumber: unixMs() * 1_000,
      rateHz: values.rate,
      // Who names a rate means it.
      eagerPacketsPerSecond: values.rate === undefined ? undefined : 0,
      silenceMs: values.timeout * 1_000,
      clientsMax: values.maxClients,
      clientsPerNetworkMax: values.maxPerIp,
      stateBytesMax: values.maxState,
    });
    return {
      engine,
      observer: new SyncObserver(logger, () => engine.census().players, now),
      figures(): [string, string][] {
        const { snapshotBytes, unverified, departed } = engine.census();
        return [
          ["snapshot", `${snapshotBytes} bytes`],
          ["asked for an id only", `${unverified}`],
          ["may come back", `${departed}`],
        ];
      },
      rows: (near) => [["see the players", `${PROGRAM} watch ${near}`]],
      stopped: "stopped: {visitors} players were here, {received} datagrams received, {sent} sent",
    };
  },
});

/** What the command takes, and running it. */
export const { grammar, run } = commandOf(kind);
