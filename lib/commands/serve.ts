/** `netsync serve --config FILE`: several services in one process. */
import { printLine } from "../observe/output.ts";
import { readConfigFile } from "./config.ts";
import { host } from "./hosting/host.ts";
import { textOption, UsageError } from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";

const options = {
  config: textOption({ placeholder: "FILE", help: "what to run: see netsync.example.json" }),
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync serve",
  positionals: "",
  positionalsMax: 0,
  about: `Runs several services in one process, as a JSON file says. Its keys are the options of the
services, as in "maxClients" for --max-clients. netsync config check FILE tells what is wrong with one.`,
  options,
};

/** Runs the services until it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { config: path } = parsed.values;
  if (path === undefined) {
    throw new UsageError("which config file? For example: netsync serve --config netsync.json");
  }
  const { plans, values } = await readConfigFile(path, "--config");
  await host(plans, values);
}
