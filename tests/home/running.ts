/** Services that run in the test itself: real engines behind real sockets. */
import type { Opening } from "../../lib/commands/hosting/service_kind.ts";
import type { Options } from "../../lib/commands/options.ts";
import { optionsOf } from "../../lib/commands/hosting/options.ts";
import { SERVICES } from "../../lib/commands/services.ts";
import type { Hosted } from "../../lib/home/hosted.ts";
import { loggerOf } from "../../lib/observe/log.ts";
import type { MemberReport, ServiceReport } from "../../lib/observe/report.ts";

/** What a {@link run} may be told besides the kind. */
export interface Running extends Partial<Opening> {
  /** Its options, where they are not what they are when left out. */
  values?: Record<string, unknown>;
}

/** Runs a service of this kind on a free port of both address families. */
export async function run(
  kindName: string,
  { values = {}, ...opening }: Running = {},
): Promise<Hosted & AsyncDisposable> {
  const kind = SERVICES.get(kindName)!;
  const name = opening.name ?? kindName;
  const { hosted } = await kind.open({ ...fallbacksOf(optionsOf(kind)), ...values }, {
    ...{ name, port: 0, hostname: undefined, isMetered: true, logger: loggerOf(name) },
    ...{ random: Math.random, now: () => performance.now(), unixMs: () => Date.now() },
    ...opening,
  });
  return Object.defineProperty(hosted, Symbol.asyncDispose, {
    value: () => hosted.close(),
  }) as Hosted & AsyncDisposable;
}

function fallbacksOf(options: Options): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([key, { fallback }]) => [key, fallback]));
}

/** Those who are in, by name. */
export function rosterOf(service: Hosted, seconds = 1): Map<string, MemberReport> {
  const report: ServiceReport = service.report(seconds);
  return new Map(report.roster.map((member) => [member.name, member]));
}
