/** `netsync listen HOST[:PORT]`: prints what a message server sends. */
import { type MessageClient, MESSAGES_PORT } from "../clients/message_client.ts";
import { printLine } from "../observe/output.ts";
import type { ClientEnd } from "../protocols/messages/client.ts";
import { readServer } from "./join.ts";
import { connectedTo, type MessagePrinter, messagePrinter } from "./message_lines.ts";
import { CommandFailure, flagOption, numberOption } from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";
import { stopSignal } from "./stop_signal.ts";

const options = {
  count: numberOption({
    placeholder: "N",
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    integer: true,
    fallback: Infinity,
    help: "end after so many messages",
  }),
  framed: flagOption("the server is netsync: take binary messages too, and long ones at once"),
  json: flagOption("print one JSON object a line"),
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync listen",
  positionals: "HOST[:PORT]",
  positionalsMax: 1,
  about: "Prints the messages of a server of netsync messages, or of a SimpleServer.",
  options,
};

const ENDS: Record<Exclude<ClientEnd, "left">, string> = {
  closed: "the server ended the connection",
  reset: "the connection broke off",
  utf8: "the server sent something that is not UTF-8: is it a message server?",
  "too-long": "the server sent a message that is too long",
  headers: "the server sent a message with too many headers",
  frame: "the server sent a frame that this version does not know: is it a newer netsync?",
};

/** Prints until it was enough, the server ends it, or it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { values: { count, framed, json }, positionals: [address] } = parsed;
  const server = readServer(address, "netsync listen", MESSAGES_PORT);
  let end: ClientEnd = "left";
  const client = await connectedTo(server, framed ? "always" : "never", (reason) => end = reason);
  const stop = stopSignal();
  try {
    const isEnough = await Promise.race([
      stop.received.then(() => true),
      printSome(client, count, messagePrinter(json)),
    ]);
    const why: ClientEnd = end;
    if (!isEnough && why !== "left") throw new CommandFailure(ENDS[why]);
  } finally {
    await client.close();
    stop.ignore();
  }
}

/** Whether so many came. */
async function printSome(
  client: MessageClient,
  count: number,
  print: MessagePrinter,
): Promise<boolean> {
  let left = count;
  for await (const message of client) {
    await print(message);
    if (--left <= 0) return true;
  }
  return false;
}
