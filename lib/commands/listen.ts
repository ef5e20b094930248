/** `netsync listen HOST[:PORT]`: prints what a message server sends. */
import { MessageClient, MESSAGES_PORT } from "../clients/message_client.ts";
import type { HostPort } from "../hosts/address.ts";
import { printLine } from "../observe/output.ts";
import type { ClientEnd } from "../protocols/messages/client.ts";
import type { NetworkMessage } from "../protocols/messages/message.ts";
import { CONNECT_TIMEOUT_MS, readServer } from "./join.ts";
import {
  CommandFailure,
  flagOption,
  type Grammar,
  helpOf,
  numberOption,
  readWords,
} from "./options.ts";
import { stopSignal } from "./running.ts";
import { printable } from "./terminal.ts";

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

/** Prints one message. */
export type MessagePrinter = (message: NetworkMessage) => void;

/** Long bodies are cut to this many characters. */
const BODY_CHARACTERS_MAX = 2_000;

const ENDS: Record<Exclude<ClientEnd, "left">, string> = {
  closed: "the server ended the connection",
  reset: "the connection broke off",
  slow: "the server does not read what is sent to it",
  utf8: "the server sent something that is not UTF-8: is it a message server?",
  "too-long": "the server sent a message that is too long",
  frame: "the server sent a frame that this version does not know: is it a newer netsync?",
};

/** Prints until it was enough, the server ends it, or it is told to stop. */
export async function run(words: readonly string[]): Promise<void> {
  const parsed = readWords(words, grammar);
  if (parsed.help) return void printLine(helpOf(grammar));
  const { values: { count, framed, json }, positionals: [address] } = parsed;
  const server = readServer(address, "netsync listen", MESSAGES_PORT);
  const client = new MessageClient({
    framing: framed ? "always" : "never",
    timeoutMs: CONNECT_TIMEOUT_MS,
  });
  let end: ClientEnd = "left";
  client.onDisconnect.addListener((reason) => end = reason);
  await connectedTo(server, client);
  const stop = stopSignal();
  try {
    const isEnough = await Promise.race([
      stop.received.then(() => true),
      printSome(client, count, json ? printMessageJson : printMessage),
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
    print(message);
    if (--left <= 0) return true;
  }
  return false;
}

/**
 * Connects a client.
 *
 * @throws {CommandFailure} It could not be.
 */
export async function connectedTo(
  { hostname, port }: HostPort,
  client: MessageClient,
): Promise<MessageClient> {
  const { ok, reason } = await client.connect(hostname, port);
  if (!ok) throw new CommandFailure(reason);
  return client;
}

/** `[from=ada] hello`. */
export function printMessage({ headers, body, binary }: NetworkMessage): void {
  const shown = headers.map(({ name, value }) => value === "" ? name : `${name}=${value}`);
  const head = headers.length === 0 ? "" : `[${shown.join(" ")}] `;
  printLine(printable(head + (binary ? `${binary.length} bytes` : body), BODY_CHARACTERS_MAX));
}

/** The whole of it: `{"time":"...","event":"message","headers":[["from","ada"]],"body":"hello"}`, a binary body in base64. */
export function printMessageJson({ headers, body, binary }: NetworkMessage): void {
  const content = binary ? { binary: base64Of(binary) } : { body };
  printLine(JSON.stringify({
    time: new Date().toISOString(),
    event: "message",
    headers: headers.map(({ name, value }) => [name, value]),
    ...content,
  }));
}

function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
