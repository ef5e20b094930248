/** JSON from strangers. */

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const [QUOTE, BACKSLASH, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [
  ...[0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d],
];

const WHITE_SPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** A JSON object as it was read: the names come from outside, so ask with `Object.hasOwn`. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads a JSON object in strict UTF-8.
 *
 * Deeper nesting than `depthMax` is refused before anything is built: what can be read could otherwise
 * overflow the stack of whoever writes it again.
 *
 * @returns undefined for anything else.
 */
export function parseJsonObject(utf8: Uint8Array, depthMax: number): JsonObject | undefined {
  if (isDeeper(utf8, depthMax)) return undefined;
  try {
    const value: unknown = JSON.parse(strictUtf8.decode(utf8));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as JsonObject
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether bytes may be a JSON object, by the first of them: cheaper than to read them. */
export function mayBeJsonObject(utf8: Uint8Array): boolean {
  const [first] = utf8;
  return first === OPEN_BRACE || (first !== undefined && WHITE_SPACE.has(first));
}

/** Counts brackets outside of texts. For bytes that are no JSON the answer means nothing. */
function isDeeper(utf8: Uint8Array, depthMax: number): boolean {
  let depth = 0;
  for (let at = 0; at < utf8.length; at++) {
    switch (utf8[at]) {
      case OPEN_BRACKET:
      case OPEN_BRACE:
        if (++depth > depthMax) return true;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth--;
        break;
      case QUOTE:
        at = endOfText(utf8, at + 1);
    }
  }
  return false;
}

function endOfText(utf8: Uint8Array, start: number): number {
  let at = start;
  while (at < utf8.length && utf8[at] !== QUOTE) at += utf8[at] === BACKSLASH ? 2 : 1;
  return at;
}

/** What JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/** Whether no number in what was read is too large for a double: it could not be written again. */
export function isFiniteThroughout(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null ||
    Object.values(value).every(isFiniteThroughout);
}

/**
 * A value as JSON text of nothing but ASCII: old readers and terminals take it.
 *
 * @param options `depthMax`: the deepest nesting; `space`: what follows each `:` and `,`, nothing by default.
 * @throws {TypeError} Something in it has no form in JSON: bytes, undefined, or a number that is not finite.
 * @throws {RangeError} It is nested deeper than `depthMax`.
 */
export function writeJson(
  value: unknown,
  options: { depthMax: number; space?: string },
  depth = 0,
): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") {
    if (Number.isFinite(value)) return String(value);
    throw new TypeError(`${value} has no form in JSON`);
  }
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value !== "object") throw new TypeError(`${typeof value} has no form in JSON`);
  if (value instanceof Uint8Array) throw new TypeError("bytes have no form in JSON");
  if (depth === options.depthMax) throw new RangeError(`nested deeper than ${depth}`);
  const { space = "" } = options;
  if (Array.isArray(value)) {
    // Gaps count: `map` would leave them out.
    const entries = Array.from(value, (entry) => writeJson(entry, options, depth + 1));
    return `[${entries.join(`,${space}`)}]`;
  }
  const entries = Object.entries(value).map(([name, entry]) =>
    `${quoted(name)}:${space}${writeJson(entry, options, depth + 1)}`
  );
  return `{${entries.join(`,${space}`)}}`;
}

/** JSON text with every code unit past ASCII as an escape. */
export function asciiJson(json: string): string {
  return json.replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function quoted(text: string): string {
  return asciiJson(JSON.stringify(text));
}
