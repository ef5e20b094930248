/** `netsync say HOST[:PORT] [TEXT]`: sends messages to a message server. */
import { printable } from "../observe/printable.ts";
import { type MessageClient, MESSAGES_PORT } from "../clients/message_client.ts";
import { printLine } from "../observe/output.ts";
import { type Header, NetworkMessage } from "../protocols/messages/message.ts";
import { readServer } from "./join.ts";
import { pause } from "./load.ts";
import { connectedTo, type MessagePrinter, messagePrinter } from "./message_lines.ts";
import { CommandFailure, flagOption, listOption, numberOption, UsageError } from "./options.ts";
import { type Grammar, helpOf, readWords } from "./words.ts";
import { stopSignal } from "./stop_signal.ts";
import { typedLines } from "./terminal.ts";

const options = {
  header: listOption({
    placeholder: "NAME=VALUE",
    help: "a header; more than one, in this order; NAME alone has no value",
    read: readHeader,
  }),
  wait: numberOption({
    placeholder: "SECONDS",
    min: 0,
    max: 1_000_000,
    fallback: 0,
    help: "stay for so long and print what comes (0)",
  }),
  json: flagOption("print what comes as one JSON object a line"),
};

/** What the command takes. */
export const grammar: Grammar<typeof options> = {
  command: "netsync say",
  positionals: "HOST[:PORT] [TEXT]",
  positionalsMax: 2,
  about: `Sends a message to a server of netsync messages, or to a SimpleServer.
Without TEXT each line of the input is one. Exit status 0 means that all of it was handed over: the
protocol has no word for more.`,
  options,
  epilogue: 'A TEXT that begins with a dash comes behind two: netsync say localhost -- "-1 point"',
};

/** Between two lines: an original server reads what comes together as one. */
const GAP_MS = 10;
/** How much of a text is shown that could not be sent. */
const SHOWN_CHARACTERS_MAX = 60;

/** Sends the text, or line by line, and leaves. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { values: { header, wait, json }, positionals: [address, text] } = parsed;
  const server = readServer(address, "netsync say", MESSAGES_PORT);
  // No offer of frames: what is sent here is text, and is the same to every server.
  const client = await connectedTo(server, "never");
  const stop = stopSignal();
  try {
    const hearing = hearAll(client, wait > 0 ? messagePrinter(json) : undefined);
    await Promise.race([stop.received, sayAll(client, header, text)]);
    if (wait > 0) await Promise.race([stop.received, hearing, pause(1_000 * wait)]);
  } finally {
    await client.close();
    stop.ignore();
  }
}

async function sayAll(
  client: MessageClient,
  headers: readonly Header[],
  text: string | undefined,
): Promise<void> {
  if (text !== undefined) return say(client, headers, text);
  for await (const line of typedLines()) {
    say(client, headers, line);
    await pause(GAP_MS);
  }
}

function say(client: MessageClient, headers: readonly Header[], text: string): void {
  const message = new NetworkMessage(text);
  for (const { name, value } of headers) message.addHeader(name, value);
  const { ok, reason } = client.send(message);
  if (!ok) throw new CommandFailure(`"${printable(text, SHOWN_CHARACTERS_MAX)}": ${reason}`);
}

async function hearAll(client: MessageClient, print?: MessagePrinter): Promise<void> {
  for await (const message of client) await print?.(message);
}

/** `NAME=VALUE` or `NAME`. */
function readHeader(text: string, option: string): Header {
  const [, name = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(text)!;
  try {
    new NetworkMessage().addHeader(name, value);
    return { name, value };
  } catch (error) {
    throw new UsageError(`${option} ${text}: ${(error as Error).message}`);
  }
}
