/** `netsync bots arena HOST[:PORT]`: many players in an arena, and what they see. */
import { ARENA_PORT } from "../clients/arena.ts";
import { ArenaBots, type ArenaBotsOptions, type ArenaBotsReport } from "../clients/arena_bots.ts";
import { printLine } from "../observe/output.ts";
import { joined, readServer } from "./join.ts";
import { LOAD_OPTIONS, pause, roundedFigures, summaryRow, WARM_UP_MS } from "./load.ts";
import { NETWORK_OPTIONS, openClientNetwork } from "./network.ts";
import { CommandFailure, flagOption, numberOption, under } from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";
import { ProgressLine } from "../observe/screen.ts";
import { stopSignal } from "./stop_signal.ts";

const options = {
  ...LOAD_OPTIONS,
  speed: numberOption({
    placeholder: "SECONDS",
    min: 0.02,
    max: 3_600,
    fallback: 1,
    help: "how long each moves in one direction (1)",
  }),
  fire: flagOption("each fires whenever it turns"),
  ...under("network", NETWORK_OPTIONS),
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync bots arena",
  positionals: "HOST[:PORT]",
  positionalsMax: 1,
  about: `Plays many clients in an arena and measures what they see.
A server lets in 64 players of one address unless --max-per-ip says more.`,
  options,
};

const PROGRESS_MS = 1_000;

/** Plays for the time given, or until it is told to stop, and prints a summary. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { positionals: [address], values } = parsed;
  const { count, speed, fire, seconds, json } = values;
  const server = readServer(address, "netsync bots arena", ARENA_PORT);
  await using network = await openClientNetwork("arena", values, address);
  const { through } = network;
  const progress = new Progress(json);
  const bots = await connect(
    { server, count, turnSeconds: speed, fires: fire, through },
    (players) => progress.show(`${players} of ${count} players are in`),
  );
  const stop = stopSignal(); // Until now a signal ends this at once.
  try {
    progress.say("playing", `${bots.players} of ${count} players are in`, {
      players: bots.players,
    });
    if (bots.players < count && !json) {
      printLine("the server has no more places: raise --max-per-ip or --max-players there");
    }
    await Promise.race([stop.received, pause(WARM_UP_MS)]);
    bots.startMeasuring();
    progress.start(bots, seconds);
    await Promise.race([stop.received, pause(1_000 * seconds)]);
    progress.stop();
    const report = bots.report();
    if (json) printLine(JSON.stringify({ event: "summary", ...roundedFigures(report) }));
    else summary(report).forEach((line) => void printLine(line));
  } finally {
    progress.stop();
    await bots.close();
    stop.ignore();
  }
}

async function connect(
  options: ArenaBotsOptions,
  onProgress: (players: number) => void,
): Promise<ArenaBots> {
  const bots = await joined(ArenaBots.connect(options, onProgress));
  if (bots.players > 0) return bots;
  const { hostname, port } = options.server;
  throw new CommandFailure(
    `no answer from ${hostname} on UDP port ${port}: is the server running and not full?`,
  );
}

/** What is said on the way: a line that changes in a terminal, JSON lines for programs. */
class Progress {
  readonly #json: boolean;
  readonly #line = new ProgressLine();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(json: boolean) {
    this.#json = json;
  }

  show(text: string): void {
    if (!this.#json) this.#line.show(text);
  }

  say(event: string, text: string, facts: object): void {
    if (!this.#json) this.#line.clear();
    printLine(this.#json ? JSON.stringify({ event, ...facts }) : text);
  }

  start(bots: ArenaBots, seconds: number): void {
    const tell = (): void => {
      const report = bots.report();
      const { seconds: passed, listsHz, latencyMsP50, latencyMsP99 } = report;
      if (this.#json) {
        return void printLine(JSON.stringify({ event: "progress", ...roundedFigures(report) }));
      }
      this.show(
        `${passed.toFixed(0)} of ${seconds} s: ${listsHz.toFixed(1)} lists a second to each, ` +
          `latency p50 ${latencyMsP50.toFixed(1)} p99 ${latencyMsP99.toFixed(1)} ms`,
      );
    };
    this.#timer = setInterval(tell, PROGRESS_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    if (!this.#json) this.#line.clear();
  }
}

function summary(report: ArenaBotsReport): string[] {
  const { players, seconds, lossPercent } = report;
  const perPlayer = players * seconds || 1;
  return [
    summaryRow("welcomes", report.welcomes, 0, `for ${players} players`),
    summaryRow("inputs", report.inputs / (seconds || 1), 1, "a second from all"),
    summaryRow("updates", report.listsHz, 1, "lists a second to each player"),
    summaryRow("", report.ownUpdatesHz, 1, "a second in which it finds itself"),
    summaryRow("latency p50", report.latencyMsP50, 2, "ms from input to own movement"),
    summaryRow("latency p99", report.latencyMsP99, 2, "ms"),
    summaryRow("unseen", report.inputsUnseen, 0, "inputs without a movement before the next one"),
    summaryRow("resends", report.resends, 0, "messages that came again"),
    lossPercent === undefined
      ? `  ${"loss".padEnd(22)}${
        "-".padStart(10)
      } unknown: too short, or each list went to one player`
      : summaryRow("loss", lossPercent, 2, "% of the lists"),
    summaryRow("download", report.bytes / perPlayer / 1_000, 1, "kB a second for each player"),
    summaryRow("largest datagram", report.bytesMax, 0, "bytes"),
    summaryRow(
      "own lateness p99",
      report.lateMsP99,
      2,
      "ms: above a few, the bots are the bottleneck",
    ),
  ];
}
