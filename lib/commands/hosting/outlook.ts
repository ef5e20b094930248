/**
 * What a process of services finds out about its computer at the start: all that needs permissions which are
 * given back before a port is open.
 */
import { isInBackground } from "../../home/console/foreground.ts";
import { type FirewallSigns, firewallSigns } from "../../home/firewall.ts";
import type { Feature } from "../../home/privileges.ts";
import { localAddresses } from "../../hosts/local_addresses.ts";
import type { Transport } from "./open_failure.ts";
import type { HostingValues } from "./options.ts";

/** What was found. */
export interface Outlook {
  /** The addresses at which others of the same network find this computer; undefined: nobody may know. */
  readonly near: readonly string[] | undefined;
  readonly firewall: Omit<FirewallSigns, "ports">;
  /** Whether it was started as a job in the background of a terminal. */
  readonly isInBackground: boolean;
}

/** Looks around, as far as Deno allows. */
export function lookAround(): Outlook {
  return {
    near: localAddresses(),
    firewall: firewallSigns([]),
    isInBackground: isInBackground(),
  };
}

/** Whether there is to be a live view: not where lines were asked for, nor without a terminal. */
export function hasConsole({ json, plain }: HostingValues, { isInBackground }: Outlook): boolean {
  const hasTerminal = Deno.stdout.isTerminal() && Deno.stdin.isTerminal();
  return !json && !plain && hasTerminal && !isInBackground;
}

/** The parts of the program that are at work until the end. */
export function featuresOf(
  transports: readonly Transport[],
  values: HostingValues,
  outlook: Outlook,
): Feature[] {
  const { dashboard, dashboardReadonly, upnp } = values;
  const isBanning = hasConsole(values, outlook) || (dashboard && !dashboardReadonly);
  return [
    ...transports.includes("UDP") ? ["udp" as const] : [],
    ...dashboard ? ["dashboard" as const] : [],
    ...upnp ? ["upnp" as const] : [],
    ...isBanning ? ["banning" as const] : [],
  ];
}
