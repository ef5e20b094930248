/** `--dashboard`: a page in a browser, and what scrapers read. */
import type { Dashboard } from "../../home/dashboard/dashboard.ts";
import { memoryBytes } from "../../home/monitor.ts";
import { CommandFailure } from "../options.ts";
import { VERSION } from "../program.ts";
import type { House } from "./house.ts";
import { cannotOpen } from "./open_failure.ts";

const FACTS = {
  version: VERSION,
  deno: Deno.version.deno,
  os: Deno.build.os,
  arch: Deno.build.arch,
  startedAt: performance.timeOrigin,
};

/** A dashboard that is open. */
interface OpenDashboard extends AsyncDisposable {
  /** What to open in a browser, with the token. */
  readonly url: string;
  /** Ends all connections. Calling it again is harmless. */
  close(): Promise<void>;
}

/**
 * Opens the dashboard, if there is to be one. Its parts are read only then: others start without them.
 *
 * @throws {CommandFailure} Its port cannot be had.
 */
export async function openDashboard(house: House): Promise<OpenDashboard | undefined> {
  const { dashboard: address, dashboardReadonly: isReadonly, dashboardToken } = house.values;
  if (!address) return undefined;
  const { openDashboard } = await import("../../home/dashboard/dashboard.ts");
  const { newToken } = await import("../../home/dashboard/guard.ts");
  const { metricsText } = await import("../../home/metrics.ts");
  let dashboard: Dashboard;
  const { tail, door, monitor, services, rows } = house;
  try {
    dashboard = openDashboard({
      ...address,
      ...{ isReadonly, controls: door, logTail: () => tail.lines },
      token: dashboardToken ?? newToken(),
      health: () => ({ ok: true, version: VERSION, services: services.map(({ name }) => name) }),
      metrics: () => metricsText(services, { ...FACTS, memoryBytes: memoryBytes() }),
    });
  } catch (error) {
    const { hostname, port } = address;
    const option = `the address ${hostname}`;
    throw new CommandFailure(`--dashboard: ${cannotOpen(error, "TCP", port, hostname, option)}`);
  }
  tail.listen((line) => dashboard.log(line));
  monitor.listen((report) => dashboard.publish(report));
  rows.set("dashboard", dashboard.url);
  return {
    url: dashboard.url,
    close: () => dashboard.close(),
    [Symbol.asyncDispose]: () => dashboard.close(),
  };
}
