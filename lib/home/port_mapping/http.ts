/**
 * HTTP/1.1 with a router: one request, one answer, one connection.
 *
 * Not `fetch`: that follows redirects, asks a proxy, does not say which address this machine has towards the
 * router, and takes an answer of any length. And routers exist that only know header names as written here.
 */
import { normalizeIp } from "../../parts/ip.ts";
import { encodeUtf8 } from "../../parts/utf8.ts";
import { closeQuietly } from "../within.ts";

/** What is asked. */
export interface HttpRequest {
  method: "GET" | "POST";
  /** `http:` with an IP address. */
  url: URL;
  /** Without Host, Content-Length and Connection. */
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** The most bytes of an answer, with its header. */
  bytesMax: number;
}

/** What was answered. */
export interface HttpAnswer {
  status: number;
  /** UTF-8; what is none is replaced. */
  body: string;
  /** The address of this machine that the router sees. */
  localIp: string;
}

/** A router answered something that is no use. */
export class HttpError extends Error {
  /** The name of the class. */
  override readonly name = "HttpError";
}

/**
 * Asks, and waits for the whole answer.
 *
 * @throws {HttpError} The answer is too long, or none.
 * @throws The reason of `signal`, or what the system says of a connection that fails.
 */
export async function ask(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
  const { hostname, port } = request.url;
  signal.throwIfAborted();
  const conn = await Deno.connect({ hostname, port: Number(port || 80), signal });
  const abort = (): void => closeQuietly(conn);
  signal.addEventListener("abort", abort);
  try {
    await writeAll(conn, encodeRequest(request));
    const answer = await readAnswer(conn, request.bytesMax);
    return { ...answer, localIp: normalizeIp((conn.localAddr as Deno.NetAddr).hostname) };
  } catch (error) {
    signal.throwIfAborted(); // Closing it from here looks like any other failure.
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    closeQuietly(conn);
  }
}

/** Header and body in one piece: some routers read no further than the first segment. */
function encodeRequest({ method, url, headers = {}, body = "" }: HttpRequest): Uint8Array {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`, `Host: ${url.host}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (method === "POST") lines.push(`Content-Length: ${encodeUtf8(body).length}`);
  return encodeUtf8([...lines, "Connection: close", "", body].join("\r\n"));
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  while (bytes.length > 0) bytes = bytes.subarray(await conn.write(bytes));
}

async function readAnswer(
  conn: Deno.Conn,
  bytesMax: number,
): Promise<{ status: number; body: string }> {
  const buffer = new Uint8Array(bytesMax + 1);
  let used = 0;
  while (true) {
    const read = await conn.read(buffer.subarray(used));
    used += read ?? 0;
    const answer = parseHttpAnswer(buffer.subarray(0, used), read === null, bytesMax);
    if (answer) return answer;
    if (used > bytesMax) throw new HttpError(`answers with more than ${bytesMax} bytes`);
    if (read === null) throw new HttpError("ends its answer too early");
  }
}

/** A header has an end by then. */
const HEADER_BYTES_MAX = 8_192;
const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder();

/**
 * Reads what came so far of an answer.
 *
 * @param isAll The connection ended.
 * @param interimMax So many answers of status 1xx may stand before the one that counts.
 * @returns undefined when it is not the whole answer yet.
 * @throws {HttpError} It is no answer, or will be longer than `bytesMax`.
 */
export function parseHttpAnswer(
  bytes: Uint8Array,
  isAll: boolean,
  bytesMax: number,
  interimMax: number = 1,
): { status: number; body: string } | undefined {
  const head = latin1.decode(bytes.subarray(0, HEADER_BYTES_MAX));
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?:[ \r])/.exec(head)?.[1];
  if (status === undefined && head.length > 16) throw new HttpError("does not speak HTTP");
  const end = head.indexOf("\r\n\r\n");
  if (end === -1 && bytes.length >= HEADER_BYTES_MAX) {
    throw new HttpError("sends an endless header");
  }
  if (end === -1 || status === undefined) return undefined;
  const header = head.slice(0, end + 2);
  const body = bytes.subarray(end + 4);
  // Nobody asked for an interim answer, but old servers send one; what follows it counts.
  if (status.startsWith("1") && interimMax > 0) {
    return parseHttpAnswer(body, isAll, bytesMax, interimMax - 1);
  }
  const whole = wholeBody(header, body, isAll, bytesMax);
  return whole && { status: Number(status), body: utf8.decode(whole) };
}

function wholeBody(
  header: string,
  body: Uint8Array,
  isAll: boolean,
  bytesMax: number,
): Uint8Array | undefined {
  if (/\r\nTransfer-Encoding:[ \t]*chunked[ \t]*\r\n/i.test(header)) {
    return isAll || endsLikeChunks(body) ? joinChunks(body) : undefined;
  }
  const length = /\r\nContent-Length:[ \t]*(\d{1,15})[ \t]*\r\n/i.exec(header)?.[1];
  if (length === undefined) return isAll ? body : undefined;
  if (Number(length) > bytesMax) throw new HttpError(`announces ${length} bytes, too many`);
  return body.length >= Number(length) ? body.subarray(0, Number(length)) : undefined;
}

/** Only then it is worth a look: a byte at a time would otherwise cost the square of their number. */
function endsLikeChunks(body: Uint8Array): boolean {
  return latin1.decode(body.subarray(-4)) === "\r\n\r\n";
}

/** Undefined when the last chunk is not there. */
function joinChunks(body: Uint8Array): Uint8Array | undefined {
  const joined = new Uint8Array(body.length);
  let used = 0;
  for (let at = 0; at < body.length;) {
    const line = latin1.decode(body.subarray(at, at + 64));
    const [header, size] = /^([0-9a-f]{1,6})[ \t]*(?:;[^\r\n]*)?\r\n/i.exec(line) ?? [];
    if (header === undefined) throw new HttpError("sends chunks that are none");
    const length = parseInt(size!, 16);
    if (length === 0) return joined.subarray(0, used);
    const from = at + header.length;
    joined.set(body.subarray(from, from + length), used);
    used += Math.min(length, body.length - from);
    at = from + length + 2;
  }
  return undefined;
}
