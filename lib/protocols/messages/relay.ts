/** The message service: passes what one client says to everyone else, and answers a handshake. */
import type { Peer } from "../engine.ts";
import { NetworkMessage } from "./message.ts";
import {
  createMessageServer,
  type MessageServerEngine,
  type MessageServerEngineOptions,
} from "./server.ts";

/** The answer to a header `handshake`, as in the example of the original's documentation. */
const HANDSHAKE = new NetworkMessage("Hello from the server!").addHeader("handshake", "example");

/** A message server that passes each message on; its events are those of any other. */
export function createMessageRelay(
  options: Omit<MessageServerEngineOptions, "onMessage"> = {},
): MessageServerEngine {
  const server = createMessageServer({
    ...options,
    onMessage(peer, message, now, out): void {
      out.emit({ kind: "message", peer, message });
      if (message.hasHeader("handshake")) server.send(peer, HANDSHAKE, now, out);
      const sent = server.sendAll(others(server.clients, peer), message, now, out);
      if (sent.failure !== "unsendable") return;
      out.emit({ kind: "refused", peer, reason: sent.failure });
    },
  });
  return server;
}

function* others(peers: Iterable<Peer>, not: Peer): Generator<Peer> {
  for (const peer of peers) if (peer !== not) yield peer;
}
