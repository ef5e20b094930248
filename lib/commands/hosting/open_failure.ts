/** Why a service cannot begin, in plain words. */
import type { Logger } from "@logtape/logtape";
import { isOutOfFiles } from "../../hosts/open_port.ts";

/** How a service is reached. */
export type Transport = "UDP" | "TCP";

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
      `stop that, or choose another port, for example ${port < 65_535 ? port + 1 : port - 1}; ` +
      `who has it: ${whoHas(transport, port)}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `this system does not let you open ${transport} port ${port}: choose one from 1024 up`;
  }
  if (error instanceof Deno.errors.NotCapable) {
    return "netsync may not use the network: start it with deno run --allow-net main.ts";
  }
  if (hostname !== undefined && !isOutOfFiles(error)) {
    return `${option} is not an address of this computer: leave it out to listen on ${
      option.startsWith("--host") ? "all" : "the usual one"
    }`;
  }
  const hint = isOutOfFiles(error) ? "; start netsync after: ulimit -n 4096" : "";
  return `${transport} port ${port} cannot be opened: ${reasonOf(error)}${hint}`;
}

/** What a user types to see which program has a port. */
export function whoHas(transport: Transport, port: number, os: string = Deno.build.os): string {
  switch (os) {
    case "windows":
      return `netstat -ano | findstr :${port}`; // The last column is a number that tasklist names.
    case "linux":
      return `sudo ss -Hlp${transport === "UDP" ? "u" : "t"}n sport = :${port}`;
    default:
      return `sudo lsof -nP -i ${transport}:${port}`;
  }
}

/** Says that netsync has a bug. */
export function faultLog(logger: Logger): (error: unknown) => void {
  return (error) => logger.error("internal error: {error}", { event: "fault", error });
}

/** What the system says, in its words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
