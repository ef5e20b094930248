/** `--upnp`: the router is asked to let players in. */
import type { Hosted } from "../../home/hosted.ts";
import { PortMapper } from "../../home/port_mapping/port_mapper.ts";
import { explainVerdict, type Verdict } from "../../home/port_mapping/verdict.ts";
import { formatHostPort } from "../../hosts/address.ts";
import { FROM_OUTSIDE, isForwardable, isOpenToOthers } from "./announce.ts";
import type { House } from "./house.ts";

/** Begins to ask, if it is to; what comes of it is said later. */
export function openRouter({ values, services, rows, logger }: House): PortMapper | undefined {
  if (!values.upnp) return undefined;
  const open = services.filter(isForwardable);
  if (open.length === 0) {
    const why = whyNot(services);
    logger.warning("--upnp does nothing: {why}", { event: "router", kind: "not-asked", why });
    return undefined;
  }
  rows.set(FROM_OUTSIDE, "the router is asked to let players in ...");
  const verdicts = new Map<string, Verdict>();
  return new PortMapper(open, {
    onVerdict(verdict): void {
      const sentence = explainVerdict(verdict);
      const level = GOOD.has(verdict.kind) ? "info" : "warning";
      logger[level]("{sentence}", { event: "router", ...verdict, sentence });
      keep(verdicts, verdict);
      rows.set(FROM_OUTSIDE, [...verdicts.values()].map((one) => inShort(one, open)).join("  "));
    },
  });
}

const GOOD: ReadonlySet<Verdict["kind"]> = new Set(["mapped", "no-nat", "removed"]);

function whyNot(services: readonly Hosted[]): string {
  const who = services.length === 1 ? "the service listens" : "all services listen";
  return services.some(isOpenToOthers)
    ? `${who} to IPv6 only, and what routers forward is IPv4`
    : `${who} to this computer only`;
}

/** One for each port, or one for all of them: what was said last holds. */
function keep(verdicts: Map<string, Verdict>, verdict: Verdict): void {
  if (!("port" in verdict)) verdicts.clear();
  else verdicts.delete("");
  verdicts.set("port" in verdict ? `${verdict.transport} ${verdict.port}` : "", verdict);
}

/** For the row: the address that friends type, or the sentence. */
function inShort(verdict: Verdict, services: readonly Hosted[]): string {
  if (verdict.kind !== "mapped" || verdict.externalIp === undefined) return explainVerdict(verdict);
  const { externalIp, externalPort, transport, port } = verdict;
  const address = formatHostPort(externalIp, externalPort);
  if (services.length === 1) return `${address} (the router lets ${transport} in)`;
  const service = services.find((one) => one.transport === transport && one.port === port);
  return `${service?.name} ${address}`;
}
