/** Running an engine as a service: until a signal says stop. */
import type { Logger } from "@logtape/logtape";
import { nowAndThen } from "../clients/now_and_then.ts";
import type { PortOptions } from "../hosts/open_port.ts";
import { openTcp, type TcpCounters, TcpHost, type TcpListener } from "../hosts/tcp.ts";
import { openUdp, type UdpCounters, UdpHost, type UdpSocket } from "../hosts/udp.ts";
import type { Engine, Outbox, StreamEngine } from "../protocols/engine.ts";
import { CommandFailure } from "./options.ts";
import type { Transport } from "./service.ts";

/** What every service needs to run. */
interface Service<Opened, Counters> {
  port: number;
  hostname: string | undefined;
  logger: Logger;
  /** Called once the port is open: time for the first lines. */
  onListening: (opened: Opened) => void;
  /** What to tell now and then. */
  statistics?: { everySeconds: number; tell: (counters: Counters) => void };
}

/** What {@link runUdpService} needs. */
export interface UdpService<Event> extends Service<UdpSocket, UdpCounters> {
  engine: Engine<Event>;
  onEvent: (event: Event) => void;
  /** Called at the end: time to tell peers. */
  onStopping?: (now: number, out: Outbox<Event>) => void;
}

/** What {@link runTcpService} needs. */
export interface TcpService<Event> extends Service<TcpListener, TcpCounters> {
  engine: StreamEngine<Event>;
  onEvent: (event: Event) => void;
}

/** The most that macOS sends in one datagram unless told otherwise: `net.inet.udp.maxdgram`. */
const MACOS_DATAGRAM_BYTES_MAX = 9_216;

/** The signals that end a service. A system that does not know one has the others. */
const STOP_SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGBREAK"];

/**
 * Opens a UDP port and serves until the first stop signal; a second one ends the process at once.
 *
 * @returns What was received and sent.
 * @throws {CommandFailure} The port cannot be had.
 */
export function runUdpService<Event>(service: UdpService<Event>): Promise<UdpCounters> {
  const { engine, logger, onEvent, onStopping } = service;
  return run("UDP", service, openUdp, (socket) => {
    const host = new UdpHost(engine, socket, {
      onEvent,
      onFault: faultLog(logger),
      onSendFailure: sendFailureLog(logger),
    });
    return {
      get counters(): UdpCounters {
        return host.counters;
      },
      close(): Promise<void> {
        if (onStopping) host.act(onStopping);
        return host.close();
      },
    };
  });
}

/** The same with a TCP port. */
export function runTcpService<Event>(service: TcpService<Event>): Promise<TcpCounters> {
  const { engine, logger, onEvent } = service;
  return run("TCP", service, openTcp, (listener) => {
    const host = new TcpHost(engine, {
      onEvent,
      onFault: faultLog(logger),
      onAcceptFailure: acceptFailureLog(logger),
    });
    host.listen(listener);
    return host;
  });
}

async function run<Opened, Counters>(
  transport: Transport,
  service: Service<Opened, Counters>,
  open: (options: PortOptions) => Promise<Opened>,
  serve: (opened: Opened) => { readonly counters: Counters; close(): Promise<void> },
): Promise<Counters> {
  const stop = stopSignal();
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    const { port, hostname } = service;
    const opened = await open({ port, hostname }).catch((error) => {
      throw new CommandFailure(explain(error, transport, port, hostname));
    });
    const host = serve(opened);
    service.onListening(opened);
    const { everySeconds = 0, tell } = service.statistics ?? {};
    if (everySeconds > 0) timer = setInterval(() => tell!(host.counters), 1_000 * everySeconds);
    await stop.received;
    await host.close();
    return host.counters;
  } finally {
    clearInterval(timer);
    stop.ignore();
  }
}

function faultLog(logger: Logger): (error: unknown) => void {
  return (error) => logger.error("internal error: {error}", { event: "fault", error });
}

/** Says why datagrams are not sent. */
function sendFailureLog(logger: Logger): (error: unknown, bytes: number) => void {
  return nowAndThen((error: unknown, bytes: number) => {
    const reason = reasonOf(error);
    const isTooLarge = Deno.build.os === "darwin" && bytes > MACOS_DATAGRAM_BYTES_MAX;
    const hint = isTooLarge ? "; allow it: sudo sysctl -w net.inet.udp.maxdgram=65535" : "";
    logger.warning(
      "a datagram of {bytes} bytes could not be sent: {reason}{hint}",
      { event: "send-failed", bytes, reason, hint },
    );
  });
}

/** Says why connections are not taken. */
function acceptFailureLog(logger: Logger): (error: unknown) => void {
  return nowAndThen((error: unknown) =>
    logger.warning(
      "the system gives no more connections: {reason}; who is connected stays",
      { event: "accept-failed", reason: reasonOf(error) },
    )
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The first stop signal as a promise. A second one ends the process with status 130. */
export function stopSignal(): { received: Promise<void>; ignore: () => void } {
  const { promise: received, resolve } = Promise.withResolvers<void>();
  let signals = 0;
  const onSignal = (): void => {
    if (++signals > 1) Deno.exit(130);
    resolve();
  };
  const known = STOP_SIGNALS.filter((signal) => {
    try {
      Deno.addSignalListener(signal, onSignal);
      return true;
    } catch {
      return false; // This system does not have it.
    }
  });
  const ignore = (): void => known.forEach((name) => Deno.removeSignalListener(name, onSignal));
  return { received, ignore };
}

function explain(
  error: unknown,
  transport: Transport,
  port: number,
  hostname: string | undefined,
): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `${transport} port ${port} is in use, perhaps by another netsync: ` +
      `stop that, or choose another port, for example ${port < 65_535 ? port + 1 : port - 1}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `this system does not let you open ${transport} port ${port}: choose one from 1024 up`;
  }
  if (error instanceof Deno.errors.NotCapable) {
    return "netsync may not use the network: start it with deno run --allow-net main.ts";
  }
  if (hostname !== undefined) {
    return `--host ${hostname} is not an address of this computer: leave it out to listen on all`;
  }
  return `${transport} port ${port} cannot be opened: ${reasonOf(error)}`;
}
