/** What all servers have in common that go on from what another one saved. */
import { canonicalIp, isUnicast } from "../parts/ip.ts";
import { Reading } from "../parts/reading.ts";
import type { Peer, Saved } from "./engine.ts";

/** Finds the peer at an IP address and port. */
export type PeerAt = (ip: string, port: number) => Peer;

/** An IP address, perhaps with the name of its interface. */
const SCOPED = /^([^%]*)(%[\w.-]{1,32})?$/;
const IP_CHARACTERS_MAX = 80;
const PORT_MAX = 65_535;

/**
 * What was saved, ready to be read.
 *
 * @param version Of the layout that this program knows.
 * @throws {TypeError} It is of another version, or no object at all.
 */
export function readSaved(saved: Saved, version: number): Reading {
  new Reading(saved, "what was saved");
  const reading = new Reading(saved, "");
  const found = reading.integer("version", 0, Number.MAX_SAFE_INTEGER);
  if (found !== version) reading.refuse("version", `${version} in what this program reads`);
  return reading;
}

/**
 * Refuses to go on from anything in the middle of things.
 *
 * @throws {TypeError} The server knows somebody.
 */
export function checkUnused(isUnused: boolean): void {
  if (!isUnused) throw new TypeError("a server goes on from what was saved before anything else");
}

/** Where a peer was. */
export interface Address {
  readonly ip: string;
  readonly port: number;
}

/** As it is saved. */
export function writeAddress({ ip, port }: Address): { ip: string; port: number } {
  return { ip, port };
}

/**
 * The address of something that was saved.
 *
 * @param seen Those before it, in one spelling, which this one must not be; it is added. Default: it may be.
 * @throws {TypeError} It has none, or one that is taken.
 */
export function readAddress(reading: Reading, seen?: Set<string>): Address {
  const ip = reading.text("ip", IP_CHARACTERS_MAX);
  const [, bare = "", scope = ""] = SCOPED.exec(ip) ?? [];
  const canonical = canonicalIp(bare);
  if (canonical === undefined || !isUnicast(canonical)) {
    return reading.refuse("ip", "the IP address of one host");
  }
  const port = reading.integer("port", 0, PORT_MAX);
  const key = `${canonical}${scope} ${port}`;
  if (seen?.has(key)) return reading.refuse("ip", "of an address that no other has");
  seen?.add(key);
  return { ip, port };
}

/**
 * A number that nothing before it has.
 *
 * @param seen Those before it; this one is added.
 * @throws {TypeError} It is none, or taken.
 */
export function uniqueInteger(
  reading: Reading,
  name: string,
  [min, max]: readonly [min: number, max: number],
  seen: Set<number>,
): number {
  const number = reading.integer(name, min, max);
  if (seen.has(number)) return reading.refuse(name, "a number that no other has");
  seen.add(number);
  return number;
}
