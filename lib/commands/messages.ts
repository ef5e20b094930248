/** `netsync messages [PORT]`: a SimpleServer that passes messages on. */
import { MESSAGES_PORT } from "../clients/message_client.ts";
import { MessagesObserver } from "../observe/messages.ts";
import { createMessageRelay } from "../protocols/messages/relay.ts";
import type { MessageServerEvent } from "../protocols/messages/server.ts";
import { countOption, numberOption } from "./options.ts";
import { PROGRAM } from "./program.ts";
import { commandOf, STATISTICS_OPTIONS } from "./service.ts";
import { tcpKind, type TcpMade } from "./hosting/service_kind.ts";

const MIB = 2 ** 20;
/** What one network says goes to everybody else, over lines as they have them at home. */
const KIB_256 = 2 ** 18;

const options = {
  maxConnections: countOption(1_024, "clients at most; more are sent away"),
  maxPerIp: countOption(64, "clients of one IPv4 address or IPv6 /64 network at most"),
  maxMessage: numberOption({
    placeholder: "BYTES",
    min: 64,
    max: 64 * MIB,
    integer: true,
    fallback: MIB,
    help: `longest message, headers included; who sends a longer one is sent away (${MIB})`,
  }),
  maxMessages: numberOption({
    placeholder: "HZ",
    min: 0.1,
    max: 100_000,
    fallback: 200,
    help: "messages a second from one client; what comes faster has to wait (200)",
  }),
  maxBytes: numberOption({
    placeholder: "BYTES",
    min: 1_000,
    max: 1_000_000_000,
    integer: true,
    fallback: KIB_256,
    help: `bytes a second from one such network; what comes faster has to wait (${KIB_256})`,
  }),
  idleTimeout: numberOption({
    placeholder: "SECONDS",
    min: 0,
    max: 1_000_000,
    fallback: 0,
    help: "a client not heard for so long is sent away; 0: never (0)",
  }),
  gap: numberOption({
    placeholder: "MS",
    min: 0,
    max: 1_000,
    fallback: 20,
    help: "between two messages to one original client, which would read them as one (20)",
  }),
  ...STATISTICS_OPTIONS,
};

/** The messages service. */
export const kind = tcpKind({
  name: "messages",
  title: "messages (SimpleServer)",
  defaultPort: MESSAGES_PORT,
  about: "Passes each message to everyone else, and answers a handshake: a SimpleServer, on TCP.",
  options,
  make(values, { logger, now }): TcpMade<MessageServerEvent> {
    const { maxMessage, idleTimeout } = values;
    const engine = createMessageRelay({
      connectionsMax: values.maxConnections,
      connectionsPerNetworkMax: values.maxPerIp,
      messageBytesMax: maxMessage,
      queueBytesMax: 4 * Math.max(MIB, maxMessage),
      idleMs: idleTimeout === 0 ? Infinity : 1_000 * idleTimeout,
      gapMs: values.gap,
      messagesHzMax: values.maxMessages,
      bytesHzMax: values.maxBytes,
    });
    const observer = new MessagesObserver(logger, () => engine.size, now);
    return {
      engine,
      observer,
      figures: () => [["messages", `${observer.counts.messages}`]],
      rows: (near) => [
        ["hear them all", `${PROGRAM} listen ${near}`],
        ["say something", `${PROGRAM} say ${near} hello`],
      ],
      stopped: "stopped: {connected} clients were here and said {messages} messages",
    };
  },
});

/** What the command takes, and running it. */
export const { grammar, run } = commandOf(kind);
