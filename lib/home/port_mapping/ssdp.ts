/**
 * Which machines of the network say that they are a router: SSDP, as UPnP Device Architecture has it (Discovery).
 *
 * The question goes to a multicast group, the answers come to whoever asked: a plain socket is enough.
 */
import { canonicalIp } from "../../parts/ip.ts";
import { decodeUtf8, encodeUtf8 } from "../../parts/utf8.ts";
import { isLanAddress } from "./addresses.ts";

/** Where SSDP listens in every network (UPnP Device Architecture, Discovery). */
export const SSDP_HOST = "239.255.255.250";
/** Its port. */
export const SSDP_PORT = 1_900;

/** A longer answer is none that an honest router sends. */
const ANSWER_BYTES_MAX = 2_048;

/**
 * What is asked for: the device of UPnP IGD v1 and v2, and the services that can map ports, for routers
 * that only answer for those.
 */
export const SEARCH_TARGETS: readonly string[] = [
  "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
  "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
  "urn:schemas-upnp-org:service:WANIPConnection:1",
  "urn:schemas-upnp-org:service:WANIPConnection:2",
  "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/** Answers come within so many seconds, spread by chance (`MX`). */
const ANSWER_WITHIN_S = 1;

/** The question for one search target. */
export function encodeSearch(searchTarget: string): Uint8Array {
  return encodeUtf8(
    "M-SEARCH * HTTP/1.1\r\n" +
      `HOST: ${SSDP_HOST}:${SSDP_PORT}\r\n` +
      'MAN: "ssdp:discover"\r\n' +
      `MX: ${ANSWER_WITHIN_S}\r\n` +
      `ST: ${searchTarget}\r\n\r\n`,
  );
}

/** Why an answer to a search is not followed. */
export type SsdpRefusal = "size" | "text" | "status" | "target" | "location" | "host" | "sender";

/** Where a router describes itself, or why this answer does not say it. */
export type SsdpAnswer = { ok: true; location: URL } | { ok: false; refusal: SsdpRefusal };

/**
 * Reads the answer to a search.
 *
 * Only what a router says of itself counts: whoever answers would otherwise choose whom this machine
 * connects to, and as what.
 *
 * @param senderIp Who answered, in its canonical spelling.
 * @param isRouter Whether an address may be a router's. Default: those of private networks.
 */
export function parseSearchAnswer(
  datagram: Uint8Array,
  senderIp: string,
  isRouter: (ip: string) => boolean = isLanAddress,
): SsdpAnswer {
  if (!isRouter(senderIp)) return refuse("sender");
  if (datagram.length > ANSWER_BYTES_MAX) return refuse("size");
  let text: string;
  try {
    text = decodeUtf8(datagram);
  } catch {
    return refuse("text");
  }
  const [status = "", ...lines] = text.split(/\r?\n/);
  if (!/^HTTP\/1\.[01] 200(?: |$)/.test(status)) return refuse("status");
  const headers = headersOf(lines);
  const target = headers.get("st") ?? "";
  if (!/:(?:InternetGatewayDevice|WANIPConnection|WANPPPConnection):/.test(target)) {
    return refuse("target");
  }
  const location = URL.parse(headers.get("location") ?? "");
  if (location?.protocol !== "http:" || location.username || location.password) {
    return refuse("location");
  }
  return canonicalIp(location.hostname) === senderIp ? { ok: true, location } : refuse("host");
}

function headersOf(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) {
      headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
    }
  }
  return headers;
}

function refuse(refusal: SsdpRefusal): SsdpAnswer {
  return { ok: false, refusal };
}
