/** What is kept of a rendezvous server across a restart: who can be joined, and for how long. */
import type { Reading } from "../../parts/reading.ts";
import type { Saved } from "../engine.ts";
import { type Address, readAddress, readSaved, writeAddress } from "../saved.ts";
import type { Dialect, Endpoint } from "./message.ts";
import type { Registration } from "./registry.ts";
import { endpointOf, isKey, isName } from "./wire.ts";

/** A host as it is kept. */
export interface SavedHost {
  address: Address;
  registration: Omit<Registration, "peer" | "heardAt">;
  /** For so long it holds without a refresh. */
  validMs: number;
}

const VERSION = 1;
/** Longer than any name or IP address. */
const TEXT_MAX = 128;
/** Longer than any registration holds. */
const VALID_MS_MAX = 1e12;

/** As plain data. Session keys are in it: not everybody should read it. */
export function writeHosts(hosts: Iterable<SavedHost>): Saved {
  return {
    version: VERSION,
    hosts: Array.from(hosts, ({ address, registration, validMs }) => {
      const { dialect, name, local, password, passwordRequired } = registration;
      return {
        ...{ dialect, name },
        ...writeAddress(address),
        local: { ip: local.ip, port: local.port },
        ...(dialect === 2 && { password, passwordRequired }),
        validMs: Math.min(Math.max(0, validMs), VALID_MS_MAX),
      };
    }),
  };
}

/**
 * Reads what {@link writeHosts} has made.
 *
 * @throws {TypeError} Something in it is wrong.
 */
export function readHosts(saved: Saved): SavedHost[] {
  const names = new Set<string>();
  return readSaved(saved, VERSION).objects("hosts").map((host) => {
    const dialect = host.integer("dialect", 1, 2) as Dialect;
    const name = host.text("name", TEXT_MAX);
    if (!isName(name)) host.refuse("name", "the name of a host");
    if (names.has(`${dialect}${name}`)) host.refuse("name", "a name that no other has");
    names.add(`${dialect}${name}`);
    const registration = {
      dialect,
      name,
      local: localOf(host.object("local")),
      password: dialect === 2 ? keyOf(host) : "",
      passwordRequired: dialect === 2 && host.flag("passwordRequired"),
    };
    // A host may have several names: others may have the same address.
    return {
      address: readAddress(host),
      registration,
      validMs: host.number("validMs", 0, VALID_MS_MAX),
    };
  });
}

function localOf(reading: Reading): Endpoint {
  const ip = reading.text("ip", TEXT_MAX);
  const local = endpointOf([ip, reading.integer("port", 1, 65_535)]);
  return local ?? reading.refuse("ip", "the IP address of one host");
}

function keyOf(host: Reading): string {
  const password = host.text("password", TEXT_MAX);
  return isKey(password) ? password : host.refuse("password", "a session key");
}
