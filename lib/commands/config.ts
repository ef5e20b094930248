/** `netsync config check FILE`, `netsync config schema`: what may be in a config file. */
import { formatHostPort } from "../hosts/address.ts";
import type { FileNeed } from "../home/permission.ts";
import { keepFor } from "../home/privileges.ts";
import { printLine } from "../observe/output.ts";
import { type Config, configSchema, readConfig } from "./config_file.ts";
import { needFiles, orFail } from "./files.ts";
import { ConfigError, type Options, UsageError } from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";

const COMMAND = "netsync config check";

/** Problems that are told; of more, how many. */
const PROBLEMS_MAX = 20;
/** A longer file is no config. */
const FILE_BYTES_MAX = 2 ** 20;

/** What the command takes. */
export const grammar: Grammar<Options> = {
  command: "netsync config",
  positionals: "check FILE | schema",
  positionalsMax: 2,
  about: `check tells whether netsync serve can run a config file, or all that is wrong with it.
schema prints what may be in one, as JSON Schema, for editors.`,
  options: {},
};

/** Does what the first word says. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const [what, path, ...more] = parsed.positionals;
  if (what === "schema" && path === undefined) {
    return void printLine(JSON.stringify(configSchema(), null, 2));
  }
  if (what !== "check" || path === undefined || more.length > 0) {
    throw new UsageError("what of it? For example: netsync config check netsync.json");
  }
  keepFor([], [configNeed(path, COMMAND)]);
  const { plans, values: { dashboard } } = await readConfigFile(path, COMMAND);
  printLine(`${path} is right. It runs:`);
  for (const { kind, port } of plans) {
    printLine(`  ${kind.title} on ${kind.transport} port ${port === 0 ? "(a free one)" : port}`);
  }
  if (dashboard) {
    printLine(`  the dashboard at ${formatHostPort(dashboard.hostname, dashboard.port)}`);
  }
}

/**
 * Reads a config file.
 *
 * @param reader Who wants it, as it was typed.
 * @throws {ConfigError} Something in it is wrong; the message says all that is, in a line each.
 * @throws {CommandFailure} It cannot be read.
 */
export async function readConfigFile(path: string, reader: string): Promise<Config> {
  needFiles(configNeed(path, reader));
  const text = await orFail("", path, readText(path), "there is no such file");
  const read = readConfig(text);
  if (read.ok) return read.config;
  const [first, ...others] = read.problems;
  if (others.length === 0) throw new ConfigError(`${path}: ${first}`);
  const told = read.problems.slice(0, PROBLEMS_MAX);
  const more = read.problems.length - told.length;
  if (more > 0) told.push(`and ${more} more`);
  throw new ConfigError([`${path}:`, ...told].join("\n  "));
}

function configNeed(path: string, reader: string): FileNeed {
  return { option: reader, use: "read", paths: [path] };
}

async function readText(path: string): Promise<string> {
  const { isFile, size } = await Deno.stat(path);
  if (!isFile) throw new Error("it is no file");
  if (size > FILE_BYTES_MAX) throw new Error("it is too long to be a config file");
  return await Deno.readTextFile(path);
}
