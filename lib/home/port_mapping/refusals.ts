/** Why routers refuse, in plain words. The texts go on after "the router refuses: ". */
import type { MappingMethod } from "./gateway.ts";

/** Codes that decide what is done next (UPnP IGD v1 and v2: WANIPConnection:1 and :2, AddPortMapping). */
export const IGD_ERRORS = {
  invalidArgs: 402,
  noSuchEntry: 714,
  conflict: 718,
  onlyPermanent: 725,
} as const;

/** The router failed, or has no address on its other side: what both mean there is the same. */
const NO_ADDRESS: Readonly<Record<MappingMethod, number>> = { "UPnP": 501, "NAT-PMP": 3 };

/** UPnP Device Architecture (below 700), WANIPConnection:1 and :2. */
const IGD_REASONS: Readonly<Record<number, string>> = {
  401: "it does not know how to map ports, though it says so",
  402: "it does not understand what it was asked for",
  501: "it failed to do so",
  602: "it does not know how to map ports, though it says so",
  603: "it has no memory left for another mapping",
  604: "a person has to allow it in the router's settings first",
  606: "its settings do not allow that programs map ports",
  713: "its list of mappings is in disorder",
  714: "it has no such mapping",
  715: "it wants to know from which address people come, and they may come from any",
  716: "it does not take this external port",
  718: "another machine has this port already",
  724: "it wants the same port inside and outside",
  725: "it makes only mappings that stay for ever",
  727: "it maps either all ports or none",
  728: "it has no room for another mapping",
  729: "this port is taken by something else in the router",
};

/** RFC 6886, section 3.5. */
const NAT_PMP_REASONS: Readonly<Record<number, string>> = {
  1: "it speaks another version of NAT-PMP",
  2: "its settings do not allow that programs map ports",
  3: "it has no connection to the Internet, or no public address of its own",
  4: "it has no room for another mapping",
  5: "it does not know how to map ports, though it says so",
};

/**
 * A router's refusal as half a sentence.
 *
 * @param text What the router says itself, on one line; may be empty.
 */
export function explainRefusal(method: MappingMethod, code: number, text: string): string {
  const reasons = method === "UPnP" ? IGD_REASONS : NAT_PMP_REASONS;
  const reason = reasons[code] ?? "it does not say why";
  const detail = [code > 0 ? `${method} error ${code}` : "", text].filter(Boolean).join(", ");
  return detail === "" ? reason : `${reason} (${detail})`;
}

/**
 * Whether a router that knows no address of its own on the other side refuses because of that: so do many
 * that find a private one there.
 */
export function isForWantOfAddress(method: MappingMethod, code: number): boolean {
  return code === NO_ADDRESS[method];
}
