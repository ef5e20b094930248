/**
 * What a UPnP router is asked and what it answers, as texts: its description, and SOAP.
 *
 * Names, arguments and error codes are those of UPnP Forum's WANIPConnection:1 (IGD v1) and
 * WANIPConnection:2 (IGD v2); WANPPPConnection:1 has the same ones.
 */
import { plainText } from "./plain_text.ts";
import { elementsOf, escapeXml } from "./xml.ts";

/** A service that can map ports. */
export interface IgdService {
  /** `urn:schemas-upnp-org:service:WANIPConnection:1`. */
  type: string;
  /** Where its actions go. */
  control: URL;
}

/** What a router's description says. */
export interface IgdDescription {
  /** What the router calls itself; may be empty. */
  name: string;
  services: readonly IgdService[];
}

/** No router has more, and each one costs a question. */
const SERVICES_MAX = 4;
const MAPPING_SERVICE = /^urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:[1-9]$/;

/**
 * Reads a description. Services that are to be controlled on another host are left out.
 *
 * @param location Where it came from.
 */
export function parseDescription(xml: string, location: URL): IgdDescription {
  let name = "";
  let base = location;
  let [type, control] = ["", ""];
  const found: { type: string; control: string }[] = [];
  for (const { name: element, text } of elementsOf(xml)) {
    if (element === "friendlyName") name ||= plainText(text ?? "");
    if (element === "URLBase" && text) base = URL.parse(text) ?? location;
    if (element === "serviceType") type = text ?? "";
    if (element === "controlURL") control = text ?? "";
    if (element !== "service") continue;
    if (MAPPING_SERVICE.test(type) && control !== "") found.push({ type, control });
    [type, control] = ["", ""];
    if (found.length === SERVICES_MAX) break;
  }
  const services = found.flatMap(({ type, control }) => {
    const url = URL.parse(control, base);
    return url && isOnHostOf(location, url) ? [{ type, control: url }] : [];
  });
  return { name, services };
}

function isOnHostOf(location: URL, url: URL): boolean {
  return url.protocol === "http:" && url.hostname === location.hostname && !url.username &&
    !url.password;
}

/** An action's arguments in the order of the standard, which some routers insist on. */
export type IgdArguments = readonly (readonly [name: string, value: string | number])[];

/** The body of a call (UPnP Device Architecture, Control). */
export function encodeAction(type: string, action: string, args: IgdArguments): string {
  const values = args.map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`);
  return '<?xml version="1.0"?>\r\n' +
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${escapeXml(type)}">${values.join("")}</u:${action}>` +
    "</s:Body></s:Envelope>\r\n";
}

/** What came back of a call. */
export type IgdAnswer =
  | { ok: true; values: ReadonlyMap<string, string> }
  /** `code` 0: the router named none. */
  | { ok: false; code: number; text: string };

/** An answer has fewer values. */
const VALUES_MAX = 32;

/** Reads the answer to a call; undefined for what is none, such as a page for people. */
export function parseActionAnswer(
  status: number,
  xml: string,
  action: string,
): IgdAnswer | undefined {
  const values = new Map<string, string>();
  let isAnswer = false;
  for (const { name, text } of elementsOf(xml)) {
    if (text !== undefined && values.size < VALUES_MAX) values.set(name, text);
    if (name === `${action}Response`) isAnswer = true;
  }
  if (isAnswer) return status === 200 ? { ok: true, values } : undefined;
  const code = values.get("errorCode");
  if (code === undefined && !values.has("faultcode") && !values.has("faultstring")) {
    return undefined;
  }
  const text = plainText(values.get("errorDescription") ?? values.get("faultstring") ?? "");
  return { ok: false, code: /^\d{1,5}$/.test(code ?? "") ? Number(code) : 0, text };
}
