/** What came of the wish to be reached from outside, for programs and for people. */
import { kindOfAddress } from "./addresses.ts";
import type { MappingMethod, PortRequest, RouterName } from "./gateway.ts";

/** A port that a router leads to this machine. */
export interface MappedPort extends PortRequest {
  /** How the router was told. */
  method: MappingMethod;
  /** Which one. */
  router: RouterName;
  /** The router's port: where others have to connect to. */
  externalPort: number;
  /** The router's address on its other side; undefined when it does not tell it. */
  externalIp?: string;
  /** This machine's address in the router's network, where it is known. */
  localIp?: string;
  /** It is renewed long before; 0: the router keeps it until it is removed. */
  leaseSeconds: number;
}

/** Why a router refuses, as far as that decides what can be done. */
export type RefusalCause =
  /** The router is not reached from the Internet itself, so it maps nothing. */
  | "no-public-address"
  /** The port leads elsewhere already. */
  | "taken"
  /** The reason says it. */
  | "other";

/** A port that a router does not lead here. */
export interface RefusedPort extends PortRequest {
  /** How the router was asked. */
  method: MappingMethod;
  /** Which one. */
  router: RouterName;
  /** What decides on the advice. */
  cause: RefusalCause;
  /** A sentence for people without its beginning ("The router ... does not forward ...:") and full stop. */
  reason: string;
}

/** What is known of one port, or (`no-nat`, `no-router`) of all. */
export type Verdict =
  /** Whoever connects to the external address and port gets here. */
  | { kind: "mapped" } & MappedPort
  /** Mapped, but the router has a private address itself. */
  | { kind: "double-nat" } & MappedPort
  /** Mapped, but the router has an address that its provider shares out (100.64.0.0/10). */
  | { kind: "carrier-nat" } & MappedPort
  /** This machine has a public address itself: nothing was mapped. */
  | { kind: "no-nat"; address: string }
  /** Nobody answered. It is looked for again every few minutes. */
  | { kind: "no-router" }
  /** The router said no. It is asked again every few minutes. */
  | { kind: "refused" } & RefusedPort
  /** The router does not answer any more. It is looked for again. */
  | { kind: "lost" } & MappedPort
  /** At the end, as it should be. */
  | { kind: "removed" } & MappedPort;

/** Which kind of mapped port this is, by the router's address on its other side. */
export function mappedKind(
  externalIp: string | undefined,
): "mapped" | "double-nat" | "carrier-nat" {
  if (externalIp === undefined) return "mapped";
  const kind = kindOfAddress(externalIp);
  if (kind === "carrier") return "carrier-nat";
  return kind === "public" ? "mapped" : "double-nat";
}

/** What happened and what can be done, in one to three sentences. */
export function explainVerdict(verdict: Verdict): string {
  switch (verdict.kind) {
    case "mapped":
      return `${mappedSentence(verdict)} ${invitation(verdict)}`;
    case "double-nat":
      return `${mappedSentence(verdict)} But that does not reach the Internet: its own address ` +
        `${verdict.externalIp} is no public one, your router is itself behind another router. Forward ` +
        `${
          named(verdict)
        } there too, to ${verdict.externalIp}, or set one of the two to bridge mode.`;
    case "carrier-nat":
      return `${mappedSentence(verdict)} But that does not reach the Internet: with the address ` +
        `${verdict.externalIp} your provider shares one public address among its customers. Ask the ` +
        "provider for a public IPv4 address, use IPv6, or run netsync on a rented server.";
    case "no-nat":
      return `This machine has the public address ${verdict.address} itself: no port mapping is ` +
        "needed. If nobody gets through, a firewall is in the way.";
    case "no-router":
      return "No router answers to UPnP or NAT-PMP. It may be switched off in the router's settings: " +
        "switch it on there, or forward the port to this machine by hand.";
    case "refused":
      return `${theRouter(verdict.router)} does not forward ${
        named(verdict)
      }: ${verdict.reason}. ` +
        advice(verdict);
    case "lost":
      return `${theRouter(verdict.router)} does not answer any more, so ${
        named(verdict)
      } may not be ` +
        "reached from outside. It is looked for again.";
    case "removed":
      return `${theRouter(verdict.router)} no longer forwards ${named(verdict)}.`;
  }
}

function mappedSentence(mapped: MappedPort): string {
  const { externalPort, port, localIp } = mapped;
  const from = externalPort === port
    ? named(mapped)
    : `${named(mapped)}, from outside ${externalPort},`;
  const to = localIp === undefined ? "this machine" : `this machine, ${localIp}`;
  return `${theRouter(mapped.router)} forwards ${from} to ${to} (${mapped.method}).`;
}

function invitation({ externalIp, externalPort, port }: MappedPort): string {
  if (externalIp !== undefined) {
    return `From outside it is reached at ${externalIp}:${externalPort}.`;
  }
  const other = externalPort === port ? "" : ` and port ${externalPort}`;
  return `From outside it is reached at your public address${other}, which the router does not tell.`;
}

function advice(refused: RefusedPort): string {
  if (refused.cause === "taken") {
    return "Start with another port, or remove that entry in the router's settings.";
  }
  if (refused.cause === "other") {
    return `Forward ${named(refused)} by hand in the router's settings.`;
  }
  return "If it is connected, it is behind another router, which can be set to bridge mode, or its provider " +
    "shares one address among its customers: ask for a public IPv4 address, use IPv6, or run netsync on a " +
    "rented server.";
}

function named({ transport, port }: PortRequest): string {
  return `${transport} port ${port}`;
}

function theRouter({ name, address }: RouterName): string {
  return name === "" ? `The router ${address}` : `The router "${name}" (${address})`;
}
