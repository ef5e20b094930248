/** Finding the router, within a few seconds, with nothing but `--allow-net`. */
import { canonicalIp } from "../../parts/ip.ts";
import { isLanAddress, likelyRouters } from "./addresses.ts";
import type { Gateway } from "./gateway.ts";
import { NatPmpGateway } from "./nat_pmp_gateway.ts";
import { encodeSearch, parseSearchAnswer, SEARCH_TARGETS, SSDP_HOST, SSDP_PORT } from "./ssdp.ts";
import { UpnpGateway } from "./upnp_gateway.ts";
import { closeQuietly, pause, withTimeLimit } from "../within.ts";

/** How the router is looked for. */
export interface SearchOptions {
  /** What the router is to write beside a mapping. Default `netsync`. */
  description?: string;
  /**
   * This machine's IPv4 addresses as far as they are known: the search goes out from each, and NAT-PMP is
   * tried with the likely router of each. At most {@link OWN_IPS_MAX} count.
   */
  ownIps?: readonly string[];
  /** How long the whole search may take. Default 5000. */
  searchMs?: number;
  /** Where SSDP is asked. Default 239.255.255.250:1900. */
  ssdp?: { hostname: string; port: number };
  /** Which routers are tried with NAT-PMP. Default: .1 and .254 of the networks of `ownIps`, and who answers to SSDP. */
  natPmpRouters?: readonly string[];
  /** Default 5351. */
  natPmpPort?: number;
  /** Which addresses a router and its network may have. Default: private and link-local ones. */
  isRouter?: (ip: string) => boolean;
}

/** More addresses are those of containers and virtual machines. */
export const OWN_IPS_MAX = 4;
const SEARCH_MS = 5_000;
/** When the question goes out: datagrams get lost, and WiFi loses most of those that go to a group. */
const ASK_AT_MS: readonly number[] = [0, 400, 1_200];
/** Answers are spread over a second, after the last question too. */
const ANSWERS_UNTIL_MS = 2_500;
/** UPnP is what most routers speak: the other protocol waits for so long. */
const NAT_PMP_AFTER_MS = 1_000;
/** So many machines that say they are a router are looked at. */
const LOCATIONS_MAX = 8;
/** One byte more than an answer may have, so that a longer one is noticed. */
const BUFFER_BYTES = 2_049;

/**
 * Looks for a router that maps ports: by UPnP, else by NAT-PMP.
 *
 * @returns undefined when none answers in time.
 */
export async function findGateway(
  options: SearchOptions,
  signal: AbortSignal,
): Promise<Gateway | undefined> {
  const enough = new AbortController();
  const either = AbortSignal.any([signal, enough.signal]);
  return await withTimeLimit(options.searchMs ?? SEARCH_MS, either, async (signal) => {
    const routers = new Set(options.natPmpRouters);
    const upnp = findUpnp(options, routers, signal);
    const natPmp = findNatPmp(options, routers, upnp, signal).catch(() => undefined);
    const found = await upnp ?? await natPmp;
    enough.abort();
    await natPmp;
    return found;
  });
}

/** The first router that answers and has something to map ports with. `routers` learns who says to be one. */
async function findUpnp(
  options: SearchOptions,
  routers: Set<string>,
  signal: AbortSignal,
): Promise<Gateway | undefined> {
  const { description = "netsync" } = options;
  const found = Promise.withResolvers<Gateway | undefined>();
  const enough = new AbortController();
  const either = AbortSignal.any([signal, enough.signal]);
  const opening: Promise<void>[] = [];
  const seen = new Set<string>();
  const open = async (location: URL): Promise<void> => {
    const gateway = await UpnpGateway.open(location, description, either).catch(() => undefined);
    if (gateway) found.resolve(gateway);
  };
  const listening = listenForRouters(options, either, (location) => {
    if (seen.has(location.href) || seen.size >= LOCATIONS_MAX) return;
    seen.add(location.href);
    routers.add(location.hostname);
    opening.push(open(location));
  });
  const nobody = listening.then(() => Promise.all(opening)).then(() => undefined);
  const gateway = await Promise.race([found.promise, nobody]);
  enough.abort();
  await Promise.allSettled([nobody]);
  return gateway;
}

/** Asks every network for its routers; ends when there is nothing more to wait for. */
async function listenForRouters(
  options: SearchOptions,
  signal: AbortSignal,
  onRouter: (location: URL) => void,
): Promise<void> {
  const { isRouter = isLanAddress, ownIps = [] } = options;
  const sources = ownIps.filter(isRouter).slice(0, OWN_IPS_MAX);
  if (sources.length === 0) sources.push("0.0.0.0"); // The system chooses.
  const sockets = sources.flatMap((hostname) => {
    try {
      return [Deno.listenDatagram({ transport: "udp", hostname, port: 0 })];
    } catch {
      return []; // The address is not this machine's any more.
    }
  });
  const receiving = sockets.map(async (socket) => {
    const buffer = new Uint8Array(BUFFER_BYTES);
    while (true) {
      const [datagram, from] = await socket.receive(buffer);
      const senderIp = canonicalIp((from as Deno.NetAddr).hostname) ?? "";
      const answer = parseSearchAnswer(datagram, senderIp, isRouter);
      if (answer.ok) onRouter(answer.location);
    }
  });
  const asking = sockets.map((socket) => askForRouters(socket, options, signal));
  await Promise.allSettled(asking);
  sockets.forEach(closeQuietly);
  await Promise.allSettled(receiving);
}

async function askForRouters(
  socket: Deno.DatagramConn,
  { ssdp = { hostname: SSDP_HOST, port: SSDP_PORT } }: SearchOptions,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const untilMs = (ms: number): Promise<void> => pause(startedAt + ms - performance.now(), signal);
  for (const askAtMs of ASK_AT_MS) {
    await untilMs(askAtMs);
    if (signal.aborted) return;
    for (const target of SEARCH_TARGETS) {
      // No network, or none just now: the next try may do better.
      await socket.send(encodeSearch(target), { transport: "udp", ...ssdp }).catch(() => {});
    }
  }
  await untilMs(ANSWERS_UNTIL_MS);
}

/** The first likely router that answers in NAT-PMP; none is asked when UPnP is quick. */
async function findNatPmp(
  options: SearchOptions,
  routers: Set<string>,
  upnp: Promise<Gateway | undefined>,
  signal: AbortSignal,
): Promise<Gateway | undefined> {
  const tooLate = new AbortController();
  const either = AbortSignal.any([signal, tooLate.signal]);
  void upnp.then((gateway) => gateway && tooLate.abort(), () => {});
  await pause(NAT_PMP_AFTER_MS, either);
  either.throwIfAborted();
  const ownIps = (options.ownIps ?? []).slice(0, OWN_IPS_MAX);
  if (!options.natPmpRouters) ownIps.flatMap(likelyRouters).forEach((ip) => routers.add(ip));
  const tries = [...routers].map((ip) => {
    const localIp = ownIps.find((ownIp) => likelyRouters(ownIp).includes(ip));
    return NatPmpGateway.open(ip, { port: options.natPmpPort, localIp }, either);
  });
  const first = await Promise.any(tries).catch(() => undefined);
  tooLate.abort();
  await Promise.allSettled(tries);
  return first;
}
