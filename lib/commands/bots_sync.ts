/** `netsync bots [sync] HOST[:PORT]`: many players on a sync server, and what they see. */
import { SYNC_PORT } from "../clients/sync.ts";
import { BOT_STATE_BYTES_MIN, SyncBots, type SyncBotsReport } from "../clients/sync_bots.ts";
import { printLine } from "../observe/output.ts";
import { joined, readServer } from "./join.ts";
import { LOAD_OPTIONS, pause, roundedFigures, summaryRow, WARM_UP_MS } from "./load.ts";
import { NETWORK_OPTIONS, openClientNetwork } from "./network.ts";
import { CommandFailure, numberOption, under } from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";
import { stopSignal } from "./stop_signal.ts";

const options = {
  ...LOAD_OPTIONS,
  rate: numberOption({
    placeholder: "HZ",
    min: 0.1,
    max: 1_000,
    fallback: 20,
    help: "states a second from each (20)",
  }),
  size: numberOption({
    placeholder: "BYTES",
    min: BOT_STATE_BYTES_MIN,
    max: 65_000,
    integer: true,
    fallback: 50,
    help: "length of a state (50)",
  }),
  ...under("network", NETWORK_OPTIONS),
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync bots",
  positionals: "HOST[:PORT]",
  positionalsMax: 1,
  about: `Plays many clients on a sync server and measures what they see.
A server lets in 64 clients of one address unless --max-per-ip says more.`,
  options,
};

/** Plays for the time given, or until it is told to stop, and prints a summary. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { positionals: [address], values } = parsed;
  const { count, rate, size, seconds, json } = values;
  const server = readServer(address, "netsync bots", SYNC_PORT);
  await using network = await openClientNetwork("sync", values, address);
  const { through } = network;
  const bots = await connect({ server, count, rateHz: rate, stateBytes: size, through });
  const stop = stopSignal(); // Until now a signal ends this at once.
  const say = (line: string): void => json ? undefined : void printLine(line);
  const tell = (event: string, facts: Record<string, number>): void =>
    json ? void printLine(JSON.stringify({ event, ...facts })) : undefined;
  try {
    say(`${bots.players} of ${count} players are in`);
    tell("playing", { players: bots.players });
    if (bots.players < count) {
      say("the server has no more places for this address: raise --max-per-ip or --max-clients");
    }
    await Promise.race([stop.received, pause(WARM_UP_MS)]);
    bots.startMeasuring();
    tell("measuring", { seconds });
    await Promise.race([stop.received, pause(1_000 * seconds)]);
    const report = bots.report();
    tell("summary", roundedFigures(report));
    summary(report).forEach(say);
  } finally {
    await bots.close();
    stop.ignore();
  }
}

async function connect(options: Parameters<typeof SyncBots.connect>[0]): Promise<SyncBots> {
  const bots = await joined(SyncBots.connect(options));
  if (bots.players > 0) return bots;
  const { hostname, port } = options.server;
  throw new CommandFailure(
    `no answer from ${hostname} on UDP port ${port}: is the server running and not full?`,
  );
}

function summary(report: SyncBotsReport): string[] {
  const perPlayer = report.players * report.seconds || 1;
  return [
    summaryRow("states sent", report.statesSent / report.seconds, 0, "a second"),
    summaryRow("updates seen", report.updatesSeenHz, 0, "a second by each player"),
    summaryRow("", report.updatesSeenPercent, 1, "% of those sent by others"),
    summaryRow("latency p50", report.latencyMsP50, 2, "ms from one player to another"),
    summaryRow("latency p99", report.latencyMsP99, 2, "ms"),
    summaryRow("snapshots", report.snapshots / perPlayer, 1, "a second to each player"),
    summaryRow("loss", report.lossPercent, 2, "% of the snapshots"),
    summaryRow(
      "download",
      report.snapshotBytes / perPlayer / 1_000,
      1,
      "kB a second for each player",
    ),
    summaryRow("largest snapshot", report.snapshotBytesMax, 0, "bytes"),
    summaryRow(
      "own lateness p99",
      report.lateMsP99,
      2,
      "ms: above a few, the bots are the bottleneck",
    ),
  ];
}
