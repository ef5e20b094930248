/** `--upnp`: the router is asked to let players in. */
import { PortMapper } from "../../home/port_mapping/port_mapper.ts";
import { explainVerdict, type Verdict } from "../../home/port_mapping/verdict.ts";
import { formatHostPort } from "../../hosts/address.ts";
import { FROM_OUTSIDE, isOpenToAll } from "./announce.ts";
import type { House } from "./house.ts";

/** Begins to ask, if it is to; what comes of it is said later. */
export function openRouter({ values, services, rows, logger }: House): PortMapper | undefined {
  const open = services.filter(isOpenToAll);
  if (!values.upnp || open.length === 0) return undefined;
  rows.set(FROM_OUTSIDE, "the router is asked to let players in ...");
  const verdicts = new Map<string, Verdict>();
  return new PortMapper(open, {
    onVerdict(verdict): void {
      const sentence = explainVerdict(verdict);
      const level = GOOD.has(verdict.kind) ? "info" : "warning";
      logger[level]("{sentence}", { event: "router", ...verdict, sentence });
      verdicts.set("port" in verdict ? `${verdict.transport} ${verdict.port}` : "", verdict);
      rows.set(FROM_OUTSIDE, [...verdicts.values()].map(inShort).join("  "));
    },
  });
}

const GOOD: ReadonlySet<Verdict["kind"]> = new Set(["mapped", "no-nat", "removed"]);

/** For the row: the address that friends type, or the sentence. */
function inShort(verdict: Verdict): string {
  if (verdict.kind !== "mapped" || verdict.externalIp === undefined) return explainVerdict(verdict);
  const { externalIp, externalPort, transport } = verdict;
  return `${formatHostPort(externalIp, externalPort)} (the router lets ${transport} in)`;
}
