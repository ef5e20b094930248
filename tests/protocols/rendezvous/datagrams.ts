/** Datagrams of the rendezvous protocol as its page describes them: nothing here is of our encoder. */
import { sha256 } from "@noble/hashes/sha2";

/** A JSON object that is, or is to be, a datagram. */
export type Fields = Record<string, unknown>;

const utf8 = new TextEncoder();

/** The datagram. */
export function bytesOf(fields: Fields): Uint8Array {
  return utf8.encode(JSON.stringify(fields));
}

/** With the hash that dialect 2 wants. */
export function signed(fields: Fields, password: string): Fields {
  const { "__hash-string": _, ...counted }: Fields = { password, ...fields };
  const texts = Object.values(counted).filter((value) => typeof value === "string") as string[];
  const keys = Object.keys(counted).sort(byCodePoint);
  const text = keys.join("") + texts.sort(byCodePoint).join("");
  return { ...fields, "__hash-string": hex(sha256(utf8.encode(text))) };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** UTF-8 is in the order of code points; what is none is written as U+FFFD. */
function byCodePoint(one: string, other: string): number {
  const [ones, others] = [one.toWellFormed(), other.toWellFormed()];
  for (let at = 0; at < Math.min(ones.length, others.length); at++) {
    const difference = ones.codePointAt(at)! - others.codePointAt(at)!;
    if (difference !== 0) return difference;
  }
  return ones.length - others.length;
}
