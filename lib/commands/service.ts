/** What all services have in common: their options, and their command. */
import { printLine } from "../observe/output.ts";
import { host } from "./hosting/host.ts";
import { HOSTING_OPTIONS, type HostingValues, optionsOf, problemOf } from "./hosting/options.ts";
import { kebab, numberOption, type Options, readPort, under, UsageError } from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";
import type { ServiceKind } from "./hosting/service_kind.ts";

/** How often a service says what goes through it. */
export const STATISTICS_OPTIONS = {
  statistics: numberOption({
    placeholder: "SECONDS",
    min: 0,
    max: 86_400,
    fallback: 10,
    help: "say every so often what goes through, while somebody is there; 0: never (10)",
  }),
};

/** The command that runs one service. */
export function commandOf(
  kind: ServiceKind,
): { grammar: Grammar<Options>; run: (words: readonly string[]) => Promise<void> } {
  const grammar: Grammar<Options> = {
    command: `netsync ${kind.name}`,
    positionals: "[PORT]",
    positionalsMax: 1,
    about: `${kind.about}\nPORT is ${kind.defaultPort} unless given; 0 takes a free one.`,
    options: { ...optionsOf(kind), ...under("of every service", HOSTING_OPTIONS) },
  };
  return {
    grammar,
    async run(words): Promise<void> {
      const parsed = readWords(words, grammar);
      if (parsed.help) return void printLine(helpOf(grammar));
      const { values, positionals: [portText] } = parsed;
      const port = portText === undefined ? kind.defaultPort : readPort(portText);
      const hosting = values as HostingValues;
      const problem = problemOf(hosting, (key) => `--${kebab(key)}`);
      if (problem !== undefined) throw new UsageError(problem);
      await host([{ kind, port, values }], hosting);
    },
  };
}
