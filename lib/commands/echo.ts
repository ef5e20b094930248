/** `netsync echo [PORT]`: the JSON echo server of udp-socket-server. */
import { ARENA_PORT } from "../clients/arena.ts";
import { EchoObserver } from "../observe/echo.ts";
import { createEchoServer, type EchoEvent } from "../protocols/echo/server.ts";
import { countOption, numberOption } from "./options.ts";
import { commandOf, STATISTICS_OPTIONS } from "./service.ts";
import { udpKind, type UdpMade } from "./hosting/service_kind.ts";

const options = {
  timeout: numberOption({
    placeholder: "SECONDS",
    min: 0.1,
    max: 86_400,
    fallback: 30,
    help: "a client not heard for so long is forgotten (30)",
  }),
  maxClients: countOption(512, "clients at most; more get no answer until one leaves"),
  maxPerIp: countOption(64, "clients of one IPv4 address or IPv6 /64 network at most"),
  maxMessages: numberOption({
    placeholder: "HZ",
    min: 0.1,
    max: 100_000,
    fallback: 100,
    help: "messages a second from one such network at most (100)",
  }),
  ...STATISTICS_OPTIONS,
};

/** The echo service. */
export const kind = udpKind({
  name: "echo",
  title: "echo (udp-socket-server)",
  defaultPort: ARENA_PORT,
  about:
    "Repeats what one client says to all of them: the echo example of udp-socket-server, on UDP.",
  options,
  make(values, { logger, now }): UdpMade<EchoEvent> {
    const engine = createEchoServer({
      silenceMs: values.timeout * 1_000,
      clientsMax: values.maxClients,
      clientsPerNetworkMax: values.maxPerIp,
      messagesPerSecond: values.maxMessages,
    });
    const observer = new EchoObserver(logger, () => engine.clients.size, now);
    return {
      engine,
      observer,
      figures: () => [["messages", `${observer.counts.echoed}`]],
      rows: () => [["a message", '{"t": "message", "p": "\\"hello\\""}']],
      stopped: "stopped: {joined} clients were here, {echoed} messages were repeated",
    };
  },
});

/** What the command takes, and running it. */
export const { grammar, run } = commandOf(kind);
