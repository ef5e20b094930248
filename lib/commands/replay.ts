/** `netsync replay FILE [HOST[:PORT]]`: what `--record` wrote down, once more. */
import { keepFor } from "../home/privileges.ts";
import { RecordingFile } from "../home/replay/recording_file.ts";
import { formatHostPort, type HostPort } from "../hosts/address.ts";
import { LOG_LEVELS } from "../observe/log.ts";
import { printLine } from "../observe/output.ts";
import { printable } from "../observe/printable.ts";
import { RecordingError, type RecordingHeader } from "../parts/recording.ts";
import { needFiles, orFail } from "./files.ts";
import { readServer } from "./join.ts";
import {
  choiceOption,
  CommandFailure,
  flagOption,
  numberOption,
  UsageError,
  type Values,
} from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";
import { kindOf, replayIntoEngine } from "./replay_engine.ts";
import { replayToServer } from "./replay_live.ts";
import { printRecording } from "./replay_print.ts";
import { ReplaySession } from "./replay_session.ts";

const COMMAND = "netsync replay";

const options = {
  print: flagOption("print every datagram instead"),
  speed: numberOption({
    placeholder: "N",
    min: 0.1,
    max: 1_000,
    fallback: undefined,
    help: "to a server: so many times as fast as it was (1)",
  }),
  logLevel: choiceOption({
    choices: LOG_LEVELS,
    fallback: "info",
    help: "into an engine: which lines to print (info)",
  }),
  json: flagOption("print one JSON object a line; the last one is the summary"),
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: COMMAND,
  positionals: "FILE [HOST[:PORT]]",
  positionalsMax: 2,
  about: `Replays what --record wrote down.
Without HOST what a server heard goes into an engine like the one it had, at once and without a network:
its log lines come again, the same for the same file. What happened besides datagrams, such as somebody
being sent away, is not in a recording.
With HOST it is sent to a server that runs: from a socket for each client if a server was recorded, from
one socket if a client was. Send it to your own servers only.`,
  options,
  epilogue:
    `A server gives other numbers than the recorded one did. With sync that matters little if it was
started anew for the replay; what acks what came, or tells random numbers back, as in arena and world, is
answered in part only.`,
};

/** Replays until the end of the file, or until it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { values, positionals: [path, address] } = parsed;
  if (path === undefined) throw new UsageError(`which file? For example: ${COMMAND} game.jsonl`);
  if (address !== undefined && values.print) {
    throw new UsageError("either --print what is in the file, or send it to a HOST");
  }
  if (address === undefined && values.speed !== undefined) {
    throw new UsageError("--speed is for a server: without HOST nothing is waited for");
  }
  const file = await openFile(path);
  keepFor(address === undefined ? [] : ["udp"]); // What is open is read without leave.
  try {
    await replay(file, values, address);
  } finally {
    await file.close();
  }
  const { damage } = file.end;
  if (damage !== undefined) {
    throw new CommandFailure(
      `${path}: damaged, so that only what stands before was replayed: ${damage}`,
    );
  }
}

async function replay(
  file: RecordingFile,
  { print, speed = 1, logLevel, json }: Values<typeof options>,
  address: string | undefined,
): Promise<void> {
  const server = address === undefined ? undefined : serverOf(address, file.header);
  using session = new ReplaySession(file, json);
  if (server || print) {
    session.tellHeader(kindOf(file.header)?.title ?? printable(file.header.service, 40));
  }
  try {
    if (server) await replayToServer(session, server, speed);
    else if (print) await printRecording(session);
    else await replayIntoEngine(session, logLevel);
  } finally {
    session.tellGaps();
    await session.breathe();
  }
}

/** @throws {UsageError} It is no address, or has no port where none is known. */
function serverOf(address: string, header: RecordingHeader): HostPort {
  const port = kindOf(header)?.defaultPort;
  if (port !== undefined) return readServer(address, COMMAND, port);
  const server = readServer(address, COMMAND, 1);
  const isPortGiven = readServer(address, COMMAND, 2).port === server.port;
  if (isPortGiven) return server;
  throw new UsageError(
    `which port? For example: ${COMMAND} FILE ${formatHostPort(server.hostname, 55_555)}`,
  );
}

/** @throws {CommandFailure} It cannot be read, or is no recording. */
async function openFile(path: string): Promise<RecordingFile> {
  needFiles({ option: COMMAND, use: "read", paths: [path] });
  return await orFail("", path, open(path), "there is no such file");
}

async function open(path: string): Promise<RecordingFile> {
  try {
    return await RecordingFile.open(path);
  } catch (error) {
    if (error instanceof RecordingError) throw new CommandFailure(`${path}: ${error.message}`);
    throw error;
  }
}
