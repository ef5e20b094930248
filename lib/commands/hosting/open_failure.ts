/** What goes wrong between a service and its system, in plain words. */
import type { Logger } from "@logtape/logtape";
import { nowAndThen } from "../../hosts/now_and_then.ts";

/** How a service is reached. */
export type Transport = "UDP" | "TCP";

/** The most that macOS sends in one datagram unless told otherwise: `net.inet.udp.maxdgram`. */
const MACOS_DATAGRAM_BYTES_MAX = 9_216;

/**
 * Why a port cannot be had, and what to do about it.
 *
 * @param option By which `hostname` was given; it can be left out.
 */
export function cannotOpen(
  error: unknown,
  transport: Transport,
  port: number,
  hostname: string | undefined,
  option = `--host ${hostname}`,
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
    return `${option} is not an address of this computer: leave it out to listen on ${
      option.startsWith("--host") ? "all" : "the usual one"
    }`;
  }
  return `${transport} port ${port} cannot be opened: ${reasonOf(error)}`;
}

/** Says that netsync has a bug. */
export function faultLog(logger: Logger): (error: unknown) => void {
  return (error) => logger.error("internal error: {error}", { event: "fault", error });
}

/** Says why datagrams are not sent. */
export function sendFailureLog(logger: Logger): (error: unknown, bytes: number) => void {
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
export function acceptFailureLog(logger: Logger): (error: unknown) => void {
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
