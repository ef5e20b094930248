/** netsync: the first word chooses a command; without one, the sync server runs. */
import * as arena from "./lib/commands/arena.ts";
import * as bots from "./lib/commands/bots.ts";
import * as chat from "./lib/commands/chat.ts";
import * as config from "./lib/commands/config.ts";
import * as echo from "./lib/commands/echo.ts";
import { CommandFailure, ConfigError, suggestionFor, UsageError } from "./lib/commands/options.ts";
import * as listen from "./lib/commands/listen.ts";
import * as messages from "./lib/commands/messages.ts";
import * as rendezvous from "./lib/commands/rendezvous.ts";
import * as replay from "./lib/commands/replay.ts";
import * as say from "./lib/commands/say.ts";
import { VERSION } from "./lib/commands/program.ts";
import * as serve from "./lib/commands/serve.ts";
import * as sync from "./lib/commands/sync.ts";
import { holdWindow } from "./lib/commands/terminal.ts";
import * as watch from "./lib/commands/watch.ts";
import * as world from "./lib/commands/world.ts";
import { ownProcess } from "./lib/home/privileges.ts";
import { flushOutput, printLine } from "./lib/observe/output.ts";
import { printable } from "./lib/observe/printable.ts";

type Command = { run: (words: readonly string[]) => Promise<void> };

const COMMANDS = new Map<string, Command>([
  ["sync", sync],
  ["watch", watch],
  ["bots", bots],
  ["rendezvous", rendezvous],
  ["chat", chat],
  ["arena", arena],
  ["echo", echo],
  ["messages", messages],
  ["say", say],
  ["listen", listen],
  ["world", world],
  ["serve", serve],
  ["config", config],
  ["replay", replay],
]);

/** Nobody reads more of an error. */
const LINE_CHARACTERS_MAX = 500;
/** A service ends within a second of being told, whoever reads what it says. */
const FLUSH_MS = 400;

const HELP = `usage: netsync [PORT] [options]      run the sync server, as netsync sync does
       netsync COMMAND [options]

commands
  sync [PORT]        players see each other's state: a SimpleNetSync server
  watch HOST[:PORT]  shows the states on a running sync server; watch arena, watch world: theirs
  bots HOST[:PORT]   plays many clients on one and measures what they see; bots arena: there
  rendezvous [PORT]  players behind routers find each other: a Holepunch server
  chat               two people talk directly; tells why when they cannot
  arena [PORT]       players move and fire in a small world: a udp-socket-server
  echo [PORT]        repeats what one client says to all of them, as its echo example
  messages [PORT]    clients send each other messages with headers: a SimpleServer
  say HOST[:PORT]    sends messages to one
  listen HOST[:PORT] prints its messages
  world [PORT]       objects that others mirror, by snapshots and diffs: a Sidereal
  serve              runs several of these in one process, as a config file says
  config check FILE  tells what is wrong with one
  replay FILE        what --record wrote down: into an engine, or to a server

netsync COMMAND --help tells the options of each; --version the version, --licenses whose code is in it.`;

/** Runs the command that the words name. Returns the exit status. */
async function main(words: readonly string[]): Promise<number> {
  try {
    const [first = "", ...rest] = words;
    if (first === "--help" || first === "-h" || first === "help") printLine(HELP);
    else if (first === "--version") printLine(`netsync ${VERSION}`);
    else if (first === "--licenses") {
      printLine((await import("./lib/commands/licenses.ts")).LICENSES);
    } else if (/^(-|\d|$)/.test(first)) await sync.run(words);
    else await commandNamed(first).run(rest);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      complain(error, error instanceof ConfigError ? "" : " (see netsync --help)");
      return 2;
    }
    if (error instanceof CommandFailure) {
      complain(error);
      return 1;
    }
    throw error;
  }
}

/** Parts of it may be from a file of somebody else's. */
function complain({ message }: Error, hint = ""): void {
  const lines = message.split("\n").map((line) => printable(line, LINE_CHARACTERS_MAX));
  console.error(`netsync: ${lines.join("\n")}${hint}`);
}

function commandNamed(name: string): Command {
  const command = COMMANDS.get(name);
  if (command) return command;
  throw new UsageError(`there is no command "${name}"${suggestionFor(name, [...COMMANDS.keys()])}`);
}

if (import.meta.main) {
  ownProcess();
  const status = await main(Deno.args);
  await flushOutput(FLUSH_MS);
  if (status !== 0) holdWindow();
  Deno.exit(status);
}
