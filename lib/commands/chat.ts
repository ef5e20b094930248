/** `netsync chat`: people type to each other, through their routers; and why when they cannot. */
import { printable } from "../observe/printable.ts";
import {
  RENDEZVOUS_PORT,
  RendezvousPeer,
  type RendezvousPeerEvents,
} from "../clients/rendezvous.ts";
import { formatHostPort, type HostPort, isIpLiteral, parseHostPort } from "../hosts/address.ts";
import { printLine } from "../observe/output.ts";
import type { LossReason } from "../protocols/rendezvous/link.ts";
import type { Endpoint } from "../protocols/rendezvous/message.ts";
import type { EndReason, RemotePlayer } from "../protocols/rendezvous/player.ts";
import { isName, NAME_CHARACTERS_MAX } from "../protocols/rendezvous/wire.ts";
import { type Network, NETWORK_OPTIONS, openClientNetwork } from "./network.ts";
import {
  choiceOption,
  CommandFailure,
  flagOption,
  numberOption,
  textOption,
  under,
  UsageError,
  type Values,
} from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";
import { stopSignal } from "./stop_signal.ts";
import { typedLines } from "./terminal.ts";

const options = {
  rendezvous: textOption({ placeholder: "HOST[:PORT]", help: "the rendezvous server, needed" }),
  name: textOption({ placeholder: "ME", help: "your own name, needed; a host is joined by it" }),
  host: flagOption("wait for others to join"),
  join: textOption({ placeholder: "NAME", help: "join the host of this name" }),
  dialect: choiceOption({
    choices: ["1", "2"],
    fallback: "1",
    help: "2: with a password, and all players talk to each other (1)",
  }),
  password: textOption({ placeholder: "TEXT", help: "what the players of dialect 2 know" }),
  port: numberOption({
    placeholder: "PORT",
    min: 1,
    max: 65_535,
    integer: true,
    fallback: undefined,
    help: "the local UDP port, for one that a router forwards (any)",
  }),
  localAddress: textOption({
    placeholder: "IP",
    help: "this computer's address on its own network (found out)",
  }),
  json: flagOption("print one JSON object a line"),
  ...under("network", NETWORK_OPTIONS),
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync chat",
  positionals: "--rendezvous HOST[:PORT] --name ME (--host | --join NAME)",
  positionalsMax: 0,
  about: `Talks to others directly, through routers too; the rendezvous server only introduces them.
Every line typed goes to everybody. When there is no way it tells which step failed.`,
  options,
};

/** Long messages are cut to this many characters. */
const MESSAGE_CHARACTERS_MAX = 2_000;
/** More often than games need it: the round-trip time is shown, and who leaves is missed soon. */
const CHECK_MS = 5_000;

const REASONS: Record<LossReason, string> = {
  inquiry: "could not be reached: nothing came back from its public or its local address",
  check: "does not answer any more",
  left: "left",
  removed: "left",
  restarted: "was started anew",
  dropped: "was dropped",
};

/** What `--json` calls the step at which it ended. */
const STEPS: Record<EndReason, string> = {
  "server": "server",
  "refused": "name",
  "inquiry": "inquiry",
  "host-lost": "check",
  "host-left": "left",
  "left": "left",
};

/** Talks until the input ends, the session does, or it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { values } = parsed;
  const server = serverOf(values);
  await using network = await openClientNetwork("rendezvous", values, values.rendezvous);
  const peer = await open(server, values, network);
  const print = values.json ? printJson : printText;
  const stop = stopSignal();
  const over = Promise.withResolvers<RendezvousPeerEvents["ended"]>();
  peer.on("ended", over.resolve);
  tellEverything(peer, values, print);
  try {
    await Promise.race([peer.ready.catch(() => {}), stop.received]);
    const end = await Promise.race([over.promise, stop.received, talk(peer, print)]);
    if (end) fail(end, values, print);
  } finally {
    await peer.close();
    stop.ignore();
  }
}

/** One thing to say: for programs the facts, for people the text. */
type Print = (event: string, facts: Record<string, unknown>, text: string) => void;

const printText: Print = (_event, _facts, text) => void (text !== "" && printLine(text));

const printJson: Print = (event, facts) => {
  printLine(JSON.stringify({ time: new Date().toISOString(), event, ...facts }));
};

/**
 * The rendezvous server, once all options are right.
 *
 * @throws {UsageError} They are not.
 */
function serverOf(values: Values<typeof options>): HostPort {
  const { rendezvous, name, host, join, dialect, password, localAddress } = values;
  if (rendezvous === undefined) {
    throw new UsageError("which server? For example: --rendezvous rendezvous.example:5160");
  }
  const server = parseHostPort(rendezvous, RENDEZVOUS_PORT);
  if (!server) {
    throw new UsageError(
      `--rendezvous is HOST, HOST:PORT or [IPv6]:PORT with a port from 1 to 65535, not "${rendezvous}"`,
    );
  }
  for (const [option, text] of [["--name", name], ["--join", join ?? name]] as const) {
    if (text === undefined) throw new UsageError("who are you? For example: --name ada");
    if (!isName(text)) {
      throw new UsageError(
        `${option} is 1 to ${NAME_CHARACTERS_MAX} characters without control characters, not "${
          printable(text, NAME_CHARACTERS_MAX)
        }"`,
      );
    }
  }
  if (host === (join !== undefined)) {
    throw new UsageError("either wait for others with --host or join one with --join NAME");
  }
  if (join === name) {
    throw new UsageError("you cannot join yourself: --name and --join are the same");
  }
  if (password !== undefined && dialect === "1") {
    throw new UsageError("--password needs --dialect 2, also for everybody else in the game");
  }
  if (localAddress !== undefined && !isIpLiteral(localAddress)) {
    throw new UsageError(`--local-address is an IP address, not "${localAddress}"`);
  }
  return server;
}

async function open(
  server: HostPort,
  { name, join, dialect, password, port, localAddress }: Values<typeof options>,
  { through }: Network,
): Promise<RendezvousPeer> {
  try {
    return await RendezvousPeer.open(server, {
      name: name!,
      host: join,
      dialect: dialect === "2" ? 2 : 1,
      password,
      port,
      localAddress,
      checkMs: CHECK_MS,
      through,
    });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new CommandFailure(`UDP port ${port} is in use: choose another --port, or none`);
    }
    throw new CommandFailure(error instanceof Error ? error.message : String(error));
  }
}

/** Says what happens. */
function tellEverything(
  peer: RendezvousPeer,
  { rendezvous, join, name }: Values<typeof options>,
  print: Print,
): void {
  const local = addressOf(peer.local);
  print(
    "asking",
    { server: rendezvous, host: join ?? null, local },
    join === undefined
      ? `asking ${rendezvous} to keep the name "${name}"`
      : `asking ${rendezvous} for "${join}"`,
  );
  if (/^(0\.0\.0\.0|::)$/.test(peer.local.ip)) {
    printText(
      "",
      {},
      "your local address is not known: for players on your own network give it " +
        "with --local-address, or run with --allow-sys=networkInterfaces",
    );
  }
  let isKnown = false;
  peer.on("registered", ({ server }) => {
    isKnown = true;
    print(
      "registered",
      { name, server },
      `registered at ${server}; others join with --rendezvous ${rendezvous} --join ${name}`,
    );
  });
  peer.on("introduced", ({ name, globalAddress, localAddress }) =>
    print(
      "introduced",
      { peer: name, global: addressOf(globalAddress), local: addressOf(localAddress) },
      `${printable(name, NAME_CHARACTERS_MAX)} is at ${
        addressOf(globalAddress)
      }, on its own network at ` +
        `${addressOf(localAddress)}: knocking at both`,
    ));
  peer.on("confirmed", (player) =>
    print(
      "connected",
      factsOf(player),
      `connected to ${shown(player.name)} at ${
        addressOf(player.address)
      }, its ${player.path} address` +
        (player.roundTripMs === undefined ? "" : `, round trip ${roundTripOf(player)}`),
    ));
  const measured = new Set<string>();
  peer.on("roundTrip", (player) => {
    print(
      "roundTrip",
      factsOf(player),
      measured.has(player.name)
        ? ""
        : `round trip to ${shown(player.name)}: ${roundTripOf(player)}`,
    );
    measured.add(player.name);
  });
  peer.on(
    "message",
    ({ from, message, reliable }) =>
      print("message", { from, message, reliable }, `${shown(from)}: ${textOf(message)}`),
  );
  peer.on("receipt", ({ to, message }) => print("delivered", { to, message }, ""));
  peer.on(
    "undelivered",
    ({ to, message }) =>
      print("undelivered", { to, message }, `did not arrive at ${shown(to)}: ${textOf(message)}`),
  );
  peer.on("lost", ({ name, reason }) => {
    measured.delete(name);
    print("lost", { peer: name, reason }, `${shown(name)} ${REASONS[reason]}`);
  });
  peer.on(
    "serverError",
    // Otherwise this ends it, and the end says more.
    ({ message }) =>
      print(
        "serverError",
        { message },
        isKnown || peer.players.size > 0
          ? `the rendezvous server says: ${printable(message, 200)}`
          : "",
      ),
  );
  peer.on(
    "serverLost",
    () => print("serverLost", {}, "the rendezvous server does not answer: nobody new can join"),
  );
}

/** Sends what is typed, until the input ends; then waits for what is on its way. */
async function talk(peer: RendezvousPeer, print: Print): Promise<void> {
  if (peer.players.size === 0 && !peer.isHost) return await new Promise(() => {}); // It has ended.
  let underway: Promise<boolean>[] = [];
  for await (const line of typedLines()) {
    if (line === "/quit") break;
    if (line === "/who") {
      for (const player of peer.players.values()) {
        print("connected", factsOf(player), lineOf(player));
      }
    } else if (line !== "") {
      const names = [...peer.players.keys()];
      if (names.length === 0) print("nobody", {}, "nobody is here yet");
      underway = names.map((name) => send(peer, name, line, print));
    }
  }
  await Promise.all(underway);
}

async function send(
  peer: RendezvousPeer,
  to: string,
  line: string,
  print: Print,
): Promise<boolean> {
  try {
    return await peer.sendReliable(to, line);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    print("refused", { to, reason: error.message }, error.message);
    return false;
  }
}

function fail(
  { reason, message }: RendezvousPeerEvents["ended"],
  { join }: Values<typeof options>,
  print: Print,
): never | void {
  if (reason === "host-left") return print("ended", { reason }, message);
  const step = reason === "refused" && join !== undefined ? "host" : STEPS[reason];
  print("failed", { step, message }, "");
  throw new CommandFailure(message);
}

function factsOf({ name, address, path, roundTripMs }: RemotePlayer): Record<string, unknown> {
  return { peer: name, path, address: addressOf(address), roundTripMs: roundTripMs ?? null };
}

function lineOf(player: RemotePlayer): string {
  return `${shown(player.name)} at ${
    addressOf(player.address)
  }, its ${player.path} address, round trip ` +
    roundTripOf(player);
}

/** A name from anybody. */
function shown(name: string): string {
  return printable(name, 2 * NAME_CHARACTERS_MAX);
}

function addressOf({ ip, port }: Endpoint): string {
  return formatHostPort(ip, port);
}

function roundTripOf({ roundTripMs }: RemotePlayer): string {
  return roundTripMs === undefined ? "unknown" : `${roundTripMs.toFixed(1)} ms`;
}

function textOf(message: unknown): string {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  return printable(text, MESSAGE_CHARACTERS_MAX);
}
