/** What hosts, players and strangers say to a rendezvous server: nothing here is of our encoder. */
import type { Peer } from "../../../lib/protocols/engine.ts";
import type { RendezvousServerOptions } from "../../../lib/protocols/rendezvous/server.ts";
import { bytesOf, type Fields, signed } from "../../protocols/rendezvous/datagrams.ts";
import type { Chance } from "../harness/chance.ts";

/** Where a request counts for little, there may be strangers in the networks of the owners. */
export const MANY_REQUESTS = 1e4;

/** Limits of a server. */
export function limitsFrom(chance: Chance): Required<RendezvousServerOptions> {
  return {
    registrationsMax: chance.pick([4, 8, 16_384]),
    registrationsPerNetworkMax: chance.pick([1, 2, 64]),
    requestsPerSecond: chance.pick([2, 30, MANY_REQUESTS]),
    introductionsPerSecond: chance.pick([1, 20, MANY_REQUESTS]),
    validSecondsMax: chance.pick([60, 3_600]),
  };
}

/** Somebody who has a name and keeps it. */
export interface Owner {
  readonly peer: Peer;
  readonly dialect: 1 | 2;
  readonly name: string;
  readonly key: string;
}

const TYPES = ["registering-server", "requesting-to-join-server", "no-such-type", "peer-check"];
const TYPES_2 = ["refreshing-server-registration", "requesting-server-list", "drop-me"];

/** What a stranger says who knows how to, but not the owners' keys. */
export function anything(chance: Chance, owners: readonly string[]): Uint8Array {
  const names = [...owners, "a", "b", "c", "d", "e", "f"];
  if (chance.is(0.02)) return bytesOf({ sender: chance.pick(names) });
  const local = ["10.0.0.1", chance.pick([1, 4_001, 0, "1"])];
  const key = chance.pick(["key", "guess", 7]);
  const sender = chance.pick([...names, null]);
  const fields: Fields = { "local-address": local };
  if (chance.is(0.9)) fields["seconds-before-expiry"] = chance.pick([0, 1, 60, 1e9, "60"]);
  if (chance.is(0.9)) fields["server-name"] = chance.pick(names);
  if (chance.is(0.2)) fields["padding"] = "x".repeat(chance.below(3_000));
  if (chance.is(0.5)) {
    const from = sender === null ? {} : { sender };
    return bytesOf({ type: chance.pick(TYPES), ...from, ...fields });
  }
  Object.assign(fields, { "name": chance.pick(names), "password-required": chance.is(0.5) });
  if (chance.is(0.7)) fields["password"] = key;
  Object.assign(fields, { "__type": chance.pick([...TYPES, ...TYPES_2]) });
  Object.assign(fields, { "__sender-name": sender, "__destination-name": "_HANDSHAKE_SERVER" });
  return bytesOf(signed({ ...fields, "__destination-address": local }, String(key)));
}

/** Bytes are changed, or a value is another one. */
export function spoiltWord(chance: Chance, datagram: Uint8Array): Uint8Array {
  const fields = chance.is(0.5) ? objectIn(datagram) : undefined;
  if (!fields) return chance.mutated(datagram);
  const values = [null, 7, "", "one", "key", [], ["10.0.0.1", 1], {}, true, "x".repeat(70)];
  const key = chance.pick([...Object.keys(fields), "password"]);
  return bytesOf({ ...fields, [key]: chance.pick(values) });
}

/** An owner refreshes, or registers anew, as it always does in dialect 1. */
export function refreshOf({ dialect, name, key }: Owner, isKnown: boolean): Uint8Array {
  const body = { "local-address": ["10.0.0.1", 4_001], "seconds-before-expiry": 60 };
  if (dialect === 1) return bytesOf({ "type": "registering-server", "sender": name, ...body });
  const envelope = { "__sender-name": name, "__destination-name": "", "__destination-address": 0 };
  const own = { "password": key, "password-required": true };
  const fields = isKnown
    ? { "__type": "refreshing-server-registration", "seconds-before-expiry": 60 }
    : { "__type": "registering-server", ...body, ...own };
  return bytesOf(signed({ ...fields, ...envelope }, key));
}

/** Somebody asks for a host. */
export function joinOf(dialect: 1 | 2, host: string): Uint8Array {
  const body = { "local-address": ["10.0.0.1", 4_002], "server-name": host };
  const type = "requesting-to-join-server";
  if (dialect === 1) return bytesOf({ type, "sender": "finder", ...body });
  const envelope = { "__sender-name": "finder", "__destination-name": "", "password": "k" };
  return bytesOf(signed({ "__type": type, ...envelope, "__destination-address": 0, ...body }, "k"));
}

/** The JSON object that a datagram is, if it is one. */
export function objectIn(datagram: Uint8Array): Fields | undefined {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(datagram));
    return value instanceof Object && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A name, which both dialects may have. */
export function keyOf({ dialect, name }: { dialect: 1 | 2; name: string }): string {
  return `${dialect} ${name}`;
}
