/** What the commands for people and scripts that talk to a message server have in common. */
import { printable } from "../observe/printable.ts";
import { MessageClient } from "../clients/message_client.ts";
import type { HostPort } from "../hosts/address.ts";
import { keepFor } from "../home/privileges.ts";
import { printLine, writtenOutput } from "../observe/output.ts";
import type { ClientEnd } from "../protocols/messages/client.ts";
import type { Framing } from "../protocols/messages/connection.ts";
import type { NetworkMessage } from "../protocols/messages/message.ts";
import { CONNECT_TIMEOUT_MS } from "./join.ts";
import { CommandFailure } from "./options.ts";

/** Prints one message, and waits until it is written: a slow reader gets all of them, later. */
export type MessagePrinter = (message: NetworkMessage) => Promise<void>;

/** Long bodies are cut to this many characters. */
const BODY_CHARACTERS_MAX = 2_000;

/**
 * Connects to a message server.
 *
 * @throws {CommandFailure} It could not be reached.
 */
export async function connectedTo(
  { hostname, port }: HostPort,
  framing: Framing,
  onDisconnect: (reason: ClientEnd) => void = (): void => {},
): Promise<MessageClient> {
  const client = new MessageClient({ framing, timeoutMs: CONNECT_TIMEOUT_MS });
  client.onDisconnect.addListener(onDisconnect);
  keepFor(["opening"]);
  const { ok, reason } = await client.connect(hostname, port);
  keepFor([]);
  if (!ok) throw new CommandFailure(reason);
  return client;
}

/** Prints for people, or for programs. */
export function messagePrinter(json: boolean): MessagePrinter {
  return (message) => {
    printLine(json ? jsonOf(message) : textOf(message));
    return writtenOutput();
  };
}

/** `[from=ada] hello`. */
function textOf({ headers, body, binary }: NetworkMessage): string {
  const shown = headers.map(({ name, value }) => value === "" ? name : `${name}=${value}`);
  const head = headers.length === 0 ? "" : `[${shown.join(" ")}] `;
  return printable(head + (binary ? `${binary.length} bytes` : body), BODY_CHARACTERS_MAX);
}

/** `{"time":"...","event":"message","headers":[["from","ada"]],"body":"hello"}`, bytes in base64. */
function jsonOf({ headers, body, binary }: NetworkMessage): string {
  return JSON.stringify({
    time: new Date().toISOString(),
    event: "message",
    headers: headers.map(({ name, value }) => [name, value]),
    ...(binary ? { binary: base64Of(binary) } : { body }),
  });
}

function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
