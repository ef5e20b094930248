/** `--simulate` and `--record`: what the datagrams of a service or a client go through. */
import { Recorder } from "../hosts/recorder.ts";
import { anySeed, simulateNetwork } from "../hosts/simulate_network.ts";
import { FileWriter } from "../observe/file_writer.ts";
import { keepFor } from "../home/privileges.ts";
import { printEvent, printLine } from "../observe/output.ts";
import { type Impairment, LAG_MS_MAX } from "../parts/impairment.ts";
import type { JsonObject } from "../parts/json.ts";
import type { FileNeed } from "../home/permission.ts";
import { needFiles, orFail } from "./files.ts";
import { suggestionFor, textOption, UsageError, type Values } from "./options.ts";
import { VERSION } from "./program.ts";

/** A bad network to be simulated. */
export interface Simulation extends Impairment {
  /** The same seed makes the same fates; undefined for any. */
  readonly seed: number | undefined;
}

/** Options of all that talk UDP. */
export const NETWORK_OPTIONS = {
  simulate: textOption({
    placeholder: "NETWORK",
    help: "feel a bad network: loss=5%,lag=80ms,jitter=20ms,duplicate=1%,seed=7, or some of it;\n" +
      "for each datagram in each direction, so a round trip takes twice the lag",
    read: readSimulation,
  }),
  record: textOption({
    placeholder: "FILE",
    help:
      "write down every datagram, for netsync replay and bug reports; of FOLDER/ a new file in it",
  }),
};

type Reading = (text: string) => number | undefined;

const PARTS: Record<string, { right: string; read: Reading }> = {
  loss: { right: "from 0% to 100%, like loss=5%", read: readShare },
  lag: { right: `from 0ms to ${LAG_MS_MAX}ms, like lag=80ms`, read: readMs },
  jitter: { right: `from 0ms to ${LAG_MS_MAX}ms, like jitter=20ms`, read: readMs },
  duplicate: { right: "from 0% to 100%, like duplicate=1%", read: readShare },
  seed: { right: `a whole number from 0 to ${2 ** 32 - 1}, like seed=7`, read: readSeed },
};

/** Reads `loss=5%,lag=80ms,jitter=20ms,duplicate=1%,seed=7`, or some of it. */
export function readSimulation(text: string, name: string): Simulation {
  const given = new Map<string, number>();
  for (const part of text.split(",")) {
    const [key = "", value = ""] = part.trim().split("=");
    const known = Object.hasOwn(PARTS, key) ? PARTS[key] : undefined;
    if (!known) {
      const names = Object.keys(PARTS);
      throw new UsageError(
        `${name} knows ${names.join(", ")}, but no "${key}"${suggestionFor(key, names)}`,
      );
    }
    const number = known.read(value);
    if (number === undefined) throw new UsageError(`${key} of ${name} is ${known.right}`);
    if (given.has(key)) throw new UsageError(`${key} is in ${name} twice`);
    given.set(key, number);
  }
  return {
    lossShare: given.get("loss") ?? 0,
    lagMs: given.get("lag") ?? 0,
    jitterMs: given.get("jitter") ?? 0,
    duplicateShare: given.get("duplicate") ?? 0,
    seed: given.get("seed"),
  };
}

function readShare(text: string): number | undefined {
  const [, digits] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? [];
  return digits !== undefined && Number(digits) <= 100 ? Number(digits) / 100 : undefined;
}

function readMs(text: string): number | undefined {
  const [, digits] = /^(\d+(?:\.\d+)?)ms$/.exec(text) ?? [];
  return digits !== undefined && Number(digits) <= LAG_MS_MAX ? Number(digits) : undefined;
}

function readSeed(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : undefined;
}

/** What is to be simulated and recorded, and of whom. */
export interface NetworkPlan {
  simulate: Simulation | undefined;
  record: string | undefined;
  /** `sync` */
  service: string;
  role: "server" | "client";
  /** What it ran with, for whoever replays it. */
  options: JsonObject;
  /** What its random numbers come from. */
  seed?: number;
}

/** What sockets are put behind. Disposing it ends the recording: the sockets are to be closed before. */
export interface Network extends AsyncDisposable {
  /** Undefined when datagrams are left alone. */
  readonly through: ((conn: Deno.DatagramConn) => Deno.DatagramConn) | undefined;
  /** To be told when the engine begins, on the clock of `performance`: a recording counts from then. */
  readonly begin: (now: number) => void;
  /** What is simulated, with the seed that was taken if none was given. */
  readonly simulation: Required<Simulation> | undefined;
}

/** Who is told of a recording that is not whole. */
export interface RecordingTalk {
  /** In words; and whether it is tried again. */
  onProblem: (problem: string, isTriedAgain: boolean) => void;
  /** Told its path when it could be written again. */
  onMended?: (path: string) => void;
}

/** What a recording, which may be shown to others, does not tell: secrets, and where files are. */
const UNTOLD: ReadonlySet<string> = new Set(["password", "record", "resume"]);

/**
 * Makes ready to simulate and to record.
 *
 * @param talk Told when the recording is not whole.
 * @throws {CommandFailure} The file cannot be had.
 */
export async function openNetwork(
  { simulate, record, options, ...about }: NetworkPlan,
  talk: RecordingTalk,
): Promise<Network> {
  const { service, role } = about;
  const file = record === undefined
    ? undefined
    : await openRecording(record, role === "server" ? service : `${service}-client`, talk);
  const told = Object.entries(options)
    .map(([name, value]) => [name, UNTOLD.has(name) ? "not told" : value]);
  const header = {
    ...about,
    version: VERSION,
    seed: about.seed,
    options: Object.fromEntries(told),
  };
  const recorder = file &&
    new Recorder(header, {
      write: (text) => file.write(text),
      onProblem: (problem) => talk.onProblem(problem, false),
    });
  const simulation = simulate && { ...simulate, seed: simulate.seed ?? anySeed() };
  const impaired = simulation && simulateNetwork(simulation);
  // What is recorded is what the engine hears and says, on whichever network.
  const through = (conn: Deno.DatagramConn): Deno.DatagramConn => {
    const near = impaired ? impaired(conn) : conn;
    return recorder ? recorder.through(near) : near;
  };
  return {
    through: impaired || recorder ? through : undefined,
    begin: (now) => recorder?.begin(now),
    simulation,
    async [Symbol.asyncDispose](): Promise<void> {
      recorder?.close();
      await file?.close();
    },
  };
}

/** The values of a client's command, those of {@link NETWORK_OPTIONS} among them. */
type ClientValues = Values<typeof NETWORK_OPTIONS> & { readonly json: boolean };

/**
 * The same for a command that is a client: says that a bad network is simulated, and what is wrong with
 * the recording.
 *
 * @param service `sync`
 * @param values Of all options of the command.
 * @param server Where it goes, as it was typed.
 * @throws {CommandFailure} The file cannot be had.
 */
export async function openClientNetwork(
  service: string,
  values: ClientValues,
  server: string | undefined,
): Promise<Network> {
  const { simulate, record, json } = values;
  keepFor(
    [service === "rendezvous" ? "chat" : "udp"],
    record === undefined ? [] : [recordingNeed(record)],
  );
  const problems: string[] = [];
  // Where a picture is shown, a line would be lost in it.
  const onProblem = (problem: string): void =>
    void (json ? printEvent("file-problem", { problem }) : problems.push(problem));
  const options = JSON.parse(JSON.stringify({ ...values, server })) as JsonObject;
  const plan: NetworkPlan = { simulate, record, service, role: "client", options };
  const network = await openNetwork(plan, { onProblem });
  if (network.simulation) tellSimulation(network.simulation, json);
  return {
    ...network,
    async [Symbol.asyncDispose](): Promise<void> {
      await network[Symbol.asyncDispose]();
      for (const problem of problems) console.error(`netsync: --record ${record}: ${problem}`);
    },
  };
}

function tellSimulation(simulation: Required<Simulation>, json: boolean): void {
  if (json) printEvent("simulating", simulation);
  else printLine(`simulates a bad network: ${simulationText(simulation)}`);
}

/** As it is typed after `--simulate`: `loss=5%,lag=80ms,jitter=0ms,duplicate=0%,seed=7`. */
export function simulationText(simulation: Required<Simulation>): string {
  const { lossShare, lagMs, jitterMs, duplicateShare, seed } = simulation;
  const percent = (share: number): string => `${Number((100 * share).toFixed(6))}%`;
  return `loss=${percent(lossShare)},lag=${lagMs}ms,jitter=${jitterMs}ms,` +
    `duplicate=${percent(duplicateShare)},seed=${seed}`;
}

/** @param what What is recorded, for the name of a new file in a folder: `sync`. */
async function openRecording(
  place: string,
  what: string,
  { onProblem, onMended }: RecordingTalk,
): Promise<FileWriter> {
  // Of a folder all of it must be allowed: the next name is another one.
  needFiles(recordingNeed(place));
  const path = /[/\\]$/.test(place) ? `${place}${newName(what)}` : place;
  const told = { onProblem, onMended: (): void => onMended?.(path) };
  return await orFail(
    "--record",
    path,
    FileWriter.open(path, { isNew: true, isPrivate: true, ...told }),
  );
}

/** What a recording takes. */
export function recordingNeed(place: string): FileNeed {
  return { option: "--record", use: "append", paths: [place] };
}

/** `sync-2026-01-02T03-04-05Z-9f3c07aa.jsonl`: in the order of their making, and nobody else's. */
function newName(what: string): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return `${what}-${time}Z-${anySeed().toString(16).padStart(8, "0")}.jsonl`;
}
