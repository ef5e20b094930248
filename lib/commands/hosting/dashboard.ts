/** `--dashboard`: a page in a browser, and what scrapers read. */
import type { Dashboard, Health } from "../../home/dashboard/dashboard.ts";
import { formatHostPort } from "../../hosts/address.ts";
import { heapBytes, memoryBytes } from "../../home/monitor.ts";
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
  const { HealthWatch } = await import("../../home/health.ts");
  const { metricsText } = await import("../../home/metrics.ts");
  let dashboard: Dashboard;
  const { tail, door, monitor, services, rows, logger } = house;
  const watch = new HealthWatch(services);
  const health = (): Health => {
    const troubles = watch.troubles(performance.now());
    const names = services.map(({ name }) => name);
    return { ok: troubles.length === 0, version: VERSION, services: names, troubles };
  };
  try {
    dashboard = openDashboard({
      ...address,
      ...{ isReadonly, controls: door, logTail: () => tail.lines },
      token: dashboardToken ?? newToken(),
      onProblem: (problem) => logger.warning("{problem}", { event: "dashboard", problem }),
      onMended: () => logger.info("the dashboard is open again", { event: "dashboard-open" }),
      health,
      metrics: () =>
        metricsText(services, {
          ...FACTS,
          memoryBytes: memoryBytes(),
          heapBytes: heapBytes(),
        }),
    });
  } catch (error) {
    const { hostname, port } = address;
    const option = `the address ${hostname}`;
    throw new CommandFailure(`--dashboard: ${cannotOpen(error, "TCP", port, hostname, option)}`);
  }
  tail.listen((line) => dashboard.log(line));
  monitor.listen((report) => {
    watch.look(report, performance.now());
    dashboard.publish(report);
  });
  rows.set("dashboard", urlsOf(dashboard.url, address.hostname, house.outlook.near));
  return {
    url: dashboard.url,
    close: () => dashboard.close(),
    [Symbol.asyncDispose]: () => dashboard.close(),
  };
}

/** Where to open it; on all addresses also from other computers, and who is on the way can read along. */
function urlsOf(url: string, hostname: string, known: readonly string[] = []): string {
  if (/^(127\.|::1$)/.test(hostname)) return url;
  const { port } = new URL(url);
  const near = hostname === "0.0.0.0" || hostname === "::" ? known : [];
  const others = near.map((ip) =>
    url.replace(/\/\/[^/]+/, `//${formatHostPort(ip, Number(port))}`)
  );
  return `${[url, ...others].join("  ")} (not encrypted: for networks that you trust)`;
}
