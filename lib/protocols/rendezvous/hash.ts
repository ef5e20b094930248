/** The hash by which dialect 2 proves that a sender knows a password. */
import { sha256 } from "@noble/hashes/sha2";

const utf8 = new TextEncoder();

/** The field that carries the hash and is no part of it. */
export const HASH_FIELD = "__hash-string";

/** SHA-256 in lower-case hexadecimal of {@link hashInput}. */
export function hashOf(fields: Readonly<Record<string, unknown>>, password: string): string {
  let hex = "";
  for (const byte of sha256(utf8.encode(hashInput(fields, password)))) {
    hex += byte.toString(16).padStart(2, "0");
  }
  return hex;
}

/**
 * All keys in the order of their code points, then all values that are texts, in theirs. Numbers,
 * lists and objects count by their key only: addresses are not protected.
 *
 * @param password Counts as the field `password` where there is none.
 */
export function hashInput(fields: Readonly<Record<string, unknown>>, password: string): string {
  const keys = Object.keys(fields).filter((key) => key !== HASH_FIELD);
  const texts = keys.map((key) => fields[key]).filter((value) => typeof value === "string");
  if (!Object.hasOwn(fields, "password")) {
    keys.push("password");
    texts.push(password);
  }
  return keys.sort(byCodePoint).concat(texts.sort(byCodePoint)).join("");
}

/** Unlike `<`, which puts U+10000, two UTF-16 units from 0xD800 up, before U+E000. */
function byCodePoint(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const difference = one.charCodeAt(at) - other.charCodeAt(at);
    if (difference !== 0) return one.codePointAt(at)! - other.codePointAt(at)!;
  }
  return one.length - other.length;
}
