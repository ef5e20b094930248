/**
 * Recordings of what came to a socket and left it: JSON Lines, in ASCII. The first line says what was
 * recorded; then each datagram has one:
 *
 * ```
 * {"netsync":"recording","format":1,"service":"sync","role":"server","version":"0.1.0",...}
 * {"t":12.503,"in":"192.0.2.7:5000","data":"aGk="}
 * {"t":12.511,"out":"192.0.2.7:5000","data":"aGkh"}
 * {"t":15.020,"missing":3}
 * {"t":90.000,"end":"..."}
 * ```
 *
 * `t` is in ms since the start and never goes back; `data` is base64. `missing` counts datagrams that
 * found no room on their way to the disk. After `end` nothing was recorded any more.
 */
import { asciiJson, type JsonObject, parseJsonObject } from "./json.ts";

/** The format that is written. */
export const RECORDING_FORMAT = 1;
/** No line is longer, in characters: the largest datagram fits, and 10 kB of options. */
export const RECORDING_LINE_MAX = 100_000;
const DATAGRAM_BYTES_MAX = 65_507;
const HEADER_DEPTH_MAX = 8;

/** What was recorded. */
export interface RecordingHeader {
  /** Its name: `sync`. */
  service: string;
  role: "server" | "client";
  /** Of the program that recorded it. */
  version: string;
  /** The time of day, in ISO 8601. */
  startedAt: string;
  /** The options it ran with. */
  options: JsonObject;
  /** What its random numbers came from, where they came from a seed. */
  seed: number | undefined;
  /** The system it ran on: `linux x86_64`. */
  os: string;
}

/** A line after the first. Times are in ms since the start. */
export type RecordingEntry =
  | { kind: "in" | "out"; timeMs: number; address: string; data: Uint8Array }
  | { kind: "missing"; timeMs: number; datagrams: number }
  | { kind: "end"; timeMs: number; reason: string };

/** A text is no recording; the message says in which line, and why. */
export class RecordingError extends Error {
  /** The name of the class. */
  override readonly name = "RecordingError";
}

/**
 * The first line, with its end.
 *
 * @throws {RangeError} It is longer than {@link RECORDING_LINE_MAX}.
 */
export function headerLine(header: RecordingHeader): string {
  const facts = { netsync: "recording", format: RECORDING_FORMAT, ...header };
  const line = asciiJson(JSON.stringify(facts));
  if (line.length > RECORDING_LINE_MAX) {
    throw new RangeError("the header of a recording is too long");
  }
  return `${line}\n`;
}

/** Any other line, with its end. */
export function entryLine(entry: RecordingEntry): string {
  const t = `{"t":${entry.timeMs.toFixed(3)}`;
  switch (entry.kind) {
    case "missing":
      return `${t},"missing":${entry.datagrams}}\n`;
    case "end":
      return `${t},"end":${asciiJson(JSON.stringify(entry.reason))}}\n`;
    default: {
      const address = JSON.stringify(entry.address);
      return `${t},"${entry.kind}":${address},"data":"${base64(entry.data)}"}\n`;
    }
  }
}

/** Reads a recording from pieces of text, as they come from a file. */
export class RecordingReader {
  #header: RecordingHeader | undefined;
  /** The beginning of a line whose end has not come. */
  #rest = "";
  #line = 0;
  #timeMs = 0;
  #isCut = false;

  /** What was recorded, once its line was read. */
  get header(): RecordingHeader | undefined {
    return this.#header;
  }

  /** Whether the last line had no end, as after a crash, and was left out. Known after {@link end}. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /**
   * Takes the next piece.
   *
   * @returns What was in its lines.
   * @throws {RecordingError} A line is wrong. Nothing more can be read then.
   */
  push(text: string): RecordingEntry[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    const entries = lines.flatMap((line) => this.#read(line) ?? []);
    if (this.#rest.length > RECORDING_LINE_MAX) this.#fail(this.#line + 1, TOO_LONG);
    return entries;
  }

  /**
   * There is no more.
   *
   * @returns What was in the last line, if that had no end and is whole nevertheless.
   * @throws {RecordingError} There was not even a first line.
   */
  end(): RecordingEntry[] {
    const rest = this.#rest;
    this.#rest = "";
    if (!this.#header) {
      this.#read(rest); // Or it throws: without this line it is none.
      return [];
    }
    if (rest === "") return [];
    try {
      const entry = this.#read(rest);
      return entry ? [entry] : [];
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      this.#isCut = true;
      return [];
    }
  }

  #read(line: string): RecordingEntry | undefined {
    this.#line++;
    if (line.length > RECORDING_LINE_MAX) this.#fail(this.#line, TOO_LONG);
    const problemOrValue = this.#header ? readEntry(line) : readHeader(line);
    if (typeof problemOrValue === "string") this.#fail(this.#line, problemOrValue);
    if (!("kind" in problemOrValue)) {
      this.#header = problemOrValue;
      return undefined;
    }
    const { timeMs } = problemOrValue;
    if (timeMs < this.#timeMs) {
      const [from, to] = [this.#timeMs.toFixed(3), timeMs.toFixed(3)];
      this.#fail(this.#line, `time goes back, from ${from} to ${to} ms`);
    }
    this.#timeMs = timeMs;
    return problemOrValue;
  }

  #fail(line: number, problem: string): never {
    throw new RecordingError(`line ${line}: ${problem}`);
  }
}

const TOO_LONG = `longer than ${RECORDING_LINE_MAX} characters`;
const NO_RECORDING = "this is no recording of netsync: the first line of one says so";
/** The longest IPv6 address with the longest name of an interface, and its port. */
const ADDRESS_CHARACTERS_MAX = 80;
const ADDRESS = /^(?:\[[0-9a-f:.]+(?:%[\w.-]+)?\]|[\w.-]+):(\d{1,5})$/i;

const utf8 = new TextEncoder();

/** The header in a line, or what is wrong with it. */
function readHeader(line: string): RecordingHeader | string {
  const facts = parseJsonObject(utf8.encode(line), HEADER_DEPTH_MAX);
  if (facts?.netsync !== "recording") return NO_RECORDING;
  const { format, service, role, version, startedAt, options, seed, os } = facts;
  if (typeof format !== "number" || format < 1) {
    return `a recording has a format, not ${text(format)}`;
  }
  if (format !== RECORDING_FORMAT) {
    return `a recording of format ${format}; this program reads format ${RECORDING_FORMAT}: ` +
      "take a newer netsync";
  }
  for (const [name, value] of Object.entries({ service, version, startedAt, os })) {
    if (typeof value !== "string") return `${name} is a text, not ${text(value)}`;
  }
  if (role !== "server" && role !== "client") return `role is server or client, not ${text(role)}`;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    return `options are an object, not ${text(options)}`;
  }
  if (seed !== undefined && typeof seed !== "number") return `seed is a number, not ${text(seed)}`;
  return { service, role, version, startedAt, options, seed, os } as RecordingHeader;
}

/** The entry in a line, or what is wrong with it. */
function readEntry(line: string): RecordingEntry | string {
  let facts: unknown;
  try {
    facts = JSON.parse(line);
  } catch {
    return "not JSON";
  }
  if (typeof facts !== "object" || facts === null) return `not an object, but ${text(facts)}`;
  const { t, in: from, out: to, data, missing, end } = facts as Record<string, unknown>;
  if (typeof t !== "number" || !(t >= 0 && t < Infinity)) {
    return `t is a number of ms from 0, not ${text(t)}`;
  }
  if (typeof end === "string") return { kind: "end", timeMs: t, reason: end };
  if (missing !== undefined) {
    if (!Number.isSafeInteger(missing)) return `missing is a whole number, not ${text(missing)}`;
    return { kind: "missing", timeMs: t, datagrams: missing as number };
  }
  if ((from === undefined) === (to === undefined)) {
    return "a datagram came in or went out: one of the two is to be there";
  }
  const address = from ?? to;
  if (typeof address !== "string" || !isAddress(address)) {
    return `an address is like 192.0.2.7:5000 or [2001:db8::7]:5000, not ${text(address)}`;
  }
  const bytes = typeof data === "string" ? fromBase64(data) : undefined;
  if (!bytes) return `data is base64, not ${text(data)}`;
  if (bytes.length > DATAGRAM_BYTES_MAX) return `no datagram has ${bytes.length} bytes`;
  return { kind: from === undefined ? "out" : "in", timeMs: t, address, data: bytes };
}

function isAddress(text: string): boolean {
  if (text.length > ADDRESS_CHARACTERS_MAX) return false;
  const port = Number(ADDRESS.exec(text)?.[1] ?? NaN);
  return port <= 65_535;
}

/** A value for a message, in short. */
function text(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > 40 ? `${json.slice(0, 40)}...` : json;
}

/** The ASCII codes of the digits. */
const DIGITS = new TextEncoder().encode(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
);
const PADDING = 0x3d;
const ascii = new TextDecoder();

/** `btoa` would need a text of the bytes first, which takes ten times as long. */
function base64(bytes: Uint8Array): string {
  const codes = new Uint8Array(4 * Math.ceil(bytes.length / 3)).fill(PADDING);
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
    const left = bytes.length - from;
    const [first, second, third] = [bytes[from]!, bytes[from + 1] ?? 0, bytes[from + 2] ?? 0];
    codes[to] = DIGITS[first >> 2]!;
    codes[to + 1] = DIGITS[(first & 3) << 4 | second >> 4]!;
    if (left > 1) codes[to + 2] = DIGITS[(second & 15) << 2 | third >> 6]!;
    if (left > 2) codes[to + 3] = DIGITS[third & 63]!;
  }
  return ascii.decode(codes);
}

/** Strict: `atob` takes blanks, and texts without their padding. */
function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || /[^A-Za-z0-9+/=]/.test(text)) return undefined;
  try {
    return Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0));
  } catch {
    return undefined;
  }
}
