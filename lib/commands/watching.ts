/** What the commands that watch a service have in common. */
import type { SocketOptions } from "../clients/reach.ts";
import type { HostPort } from "../hosts/address.ts";
import { printLine } from "../observe/output.ts";
import { CONNECT_TIMEOUT_MS, joined, readServer } from "./join.ts";
import { NETWORK_OPTIONS, openClientNetwork } from "./network.ts";
import { flagOption, under } from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";
import { stopSignal } from "./stop_signal.ts";

/** The options of a command that watches. */
export const WATCH_OPTIONS = {
  json: flagOption("print one JSON object a line for everything the server tells"),
  ...under("network", NETWORK_OPTIONS),
};

/** Shows what a client sees until the function that it returns is called. */
export type View<Client> = (client: Client, address: string) => () => void;

/** A service to watch. */
export interface Watched<Client> {
  /** `arena` */
  service: string;
  grammar: Grammar<typeof WATCH_OPTIONS>;
  defaultPort: number;
  connect: (server: HostPort, options: SocketOptions & { timeoutMs: number }) => Promise<Client>;
  /** In a terminal; as lines; and as JSON. */
  picture: View<Client>;
  lines: View<Client>;
  everything: View<Client>;
}

/** Watches the server that the words name until it is told to stop. */
export async function watch<Client extends { close(): Promise<void> }>(
  words: readonly string[],
  { service, grammar, defaultPort, connect, picture, lines, everything }: Watched<Client>,
): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { positionals: [address], values } = parsed;
  const server = readServer(address, grammar.command, defaultPort);
  await using network = await openClientNetwork(service, values, address);
  const { through } = network;
  const client = await joined(connect(server, { timeoutMs: CONNECT_TIMEOUT_MS, through }));
  const stop = stopSignal(); // Until now a signal ends this at once.
  const view = values.json ? everything : Deno.stdout.isTerminal() ? picture : lines;
  const end = view(client, address!);
  await stop.received;
  end();
  await client.close();
  stop.ignore();
}
