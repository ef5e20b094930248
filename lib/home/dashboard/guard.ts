/** Who is let in: by the name they asked for, and by the token. */
import { canonicalIp } from "../../parts/ip.ts";

/** A shorter token could be guessed. */
export const TOKEN_LENGTH_MIN = 16;
const TOKEN_BYTES = 16;
/** What may follow a name in a Host header, and what stands around an IPv6 address. */
const HOST_HEADER = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{0,5})?$/;

/** A secret of 128 random bits that needs no escaping in a URL. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Whether a Host header names this server: `localhost`, an IP address, or one of `hostnames`; the port
 * does not matter. A page of a stranger whose own name was pointed at this machine (DNS rebinding) sends
 * that name.
 */
export function isHostAllowed(header: string | null, hostnames: readonly string[]): boolean {
  const [, bracketed, plain = ""] = HOST_HEADER.exec(header ?? "") ?? [];
  if (bracketed !== undefined) return canonicalIp(bracketed) !== undefined;
  const name = comparable(plain);
  if (name === "localhost" || canonicalIp(name) !== undefined) return true;
  return name !== "" && hostnames.some((hostname) => comparable(hostname) === name);
}

function comparable(hostname: string): string {
  return hostname.toLowerCase().replace(/\.$/, "");
}

/** The token in the Authorization header, if there is one. */
export function bearerOf(request: Request): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

/** The token of a request: from its header, or else from its address. */
export function tokenOf(request: Request, url: URL): string | undefined {
  return bearerOf(request) ?? url.searchParams.get("token") ?? undefined;
}

/** Compares in a time that says nothing about where the two differ. */
export function isSameToken(given: string | undefined, token: string): boolean {
  const text = given ?? "";
  let difference = text.length ^ token.length;
  for (let at = 0; at < token.length; at++) {
    difference |= text.charCodeAt(at) ^ token.charCodeAt(at); // NaN past the end counts as 0.
  }
  return difference === 0;
}
