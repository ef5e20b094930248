/**
 * A message with headers and a body, as text on the wire: `$`, then `name:value|` for each header, `%`,
 * the body. Nothing is escaped, so not every text can be a name, a value or, to an original peer, a body.
 */

import { decodeUtf8, encodeUtf8 } from "../../parts/utf8.ts";

/** One header of a {@link NetworkMessage}. */
export interface Header {
  /** Without `:`, `|`, `%` and, where it is written, `$`; it may be empty. */
  readonly name: string;
  /** `""` for a header without a value: on the wire they are the same. */
  readonly value: string;
}

/** Headers of one message at most. */
export const HEADERS_MAX = 1_024;
/** What an original peer reads at once, in bytes: what is longer reaches it in pieces. */
export const ORIGINAL_READ_BYTES = 1_024;

/**
 * A message with headers and a body.
 *
 * ```ts
 * import { NetworkMessage } from "@netsync/netsync";
 *
 * const message = new NetworkMessage("Hello server!");
 * message.addHeader("handshake");
 * message.addHeader("from", "ada");
 * message.hasHeader("handshake"); // true
 * message.getHeader("from")?.value; // "ada"
 * new TextDecoder().decode(message.encode()); // "$handshake:|from:ada|%Hello server!"
 * ```
 */
export class NetworkMessage {
  #headers: Header[] = [];
  #body: string | Uint8Array;

  /**
   * A message without headers.
   *
   * @param body As {@link NetworkMessage.setBody} takes it. Default: none.
   */
  constructor(body: string | Uint8Array = "") {
    this.#body = body;
  }

  /** All headers, in their order; a name may come more than once. */
  get headers(): readonly Header[] {
    return this.#headers;
  }

  /** The text of the body; `""` when there is none, or when it is {@link NetworkMessage.binary}. */
  get body(): string {
    return typeof this.#body === "string" ? this.#body : "";
  }

  /** The bytes of a body that is no text; undefined when it is text. */
  get binary(): Uint8Array | undefined {
    return typeof this.#body === "string" ? undefined : this.#body;
  }

  /**
   * Adds a header after those that are there.
   *
   * An original peer cuts a value at its first colon. It never finds a header by its name, so its
   * programs walk the list: the order matters to them.
   *
   * @param name Without `:`, `|`, `%` and `$`.
   * @param value Without `|` and `%`. Default: none, which is read as `""`.
   * @throws {TypeError} The wire has no form for it.
   * @throws {RangeError} There are 1,024 already.
   */
  addHeader(name: string, value = ""): this {
    checkHeader(name, value);
    this.#append({ name, value });
    return this;
  }

  /** Whether there is a header of this name. */
  hasHeader(name: string): boolean {
    return this.getHeader(name) !== undefined;
  }

  /** The first header of this name. */
  getHeader(name: string): Header | undefined {
    return this.#headers.find((header) => header.name === name);
  }

  /**
   * Sets the body.
   *
   * Text may be anything. An original peer reads it up to its first `%`; text that contains `$%`, or a
   * whole header block as in `$a:1|%`, reads as the start of another message, and so may text that ends
   * within such a block. Bytes reach only another
   * netsync, once the two have agreed on frames; they are not copied. For an original write them as base64.
   */
  setBody(body: string | Uint8Array): this {
    this.#body = body;
    return this;
  }

  /**
   * What an original peer will not read of this message as it is, in words; undefined when it will read
   * all of it.
   */
  get caution(): string | undefined {
    const losses: string[] = [];
    if (this.binary) losses.push("it cannot be sent a binary body");
    if (this.body.includes("%")) losses.push("it cuts the body at its first %");
    if (this.#headers.some(({ value }) => value.includes(":"))) {
      losses.push("it cuts a value at its first colon");
    }
    if (this.#headers.some(({ name }) => name.includes("$"))) {
      losses.push("it cannot be sent a name with $ in it");
    } else if (!this.binary && this.encode().length > ORIGINAL_READ_BYTES) {
      losses.push(`it loses what is beyond ${ORIGINAL_READ_BYTES} bytes`);
    }
    return losses.length === 0 ? undefined : losses.join("; ");
  }

  /**
   * The message as it is sent to an original peer. The bytes may be a view of a larger buffer.
   *
   * @throws {TypeError} The body is binary, or a header that was read has `$` in its name.
   */
  encode(): Uint8Array {
    return encodeUtf8(this.#text());
  }

  /**
   * Reads one whole message. A text that does not begin with `$` or has no `%` is a body without headers.
   *
   * Empty pieces between bars are skipped, a value keeps its colons, a header without a colon has an
   * empty value, and the body is everything after the first `%`.
   *
   * @throws {TypeError} The bytes are not UTF-8.
   * @throws {RangeError} There are more than 1,024 headers.
   */
  static decode(bytes: Uint8Array): NetworkMessage {
    return NetworkMessage.parse(decodeUtf8(bytes));
  }

  /** Reads one whole message that is text already, as {@link NetworkMessage.decode} does. */
  static parse(text: string): NetworkMessage {
    const bodyAt = text.charCodeAt(0) === DOLLAR ? text.indexOf("%") + 1 : 0;
    const message = new NetworkMessage(bodyAt === 0 ? text : text.slice(bodyAt));
    for (let at = 1; at < bodyAt;) {
      let end = text.indexOf("|", at);
      if (end < 0 || end >= bodyAt) end = bodyAt - 1; // The last bar may be missing.
      if (end > at) message.#append(parseHeader(text, at, end));
      at = end + 1;
    }
    return message;
  }

  #append(header: Header): void {
    if (this.#headers.length === HEADERS_MAX) {
      throw new RangeError(`a message has ${HEADERS_MAX} headers at most`);
    }
    this.#headers.push(header);
  }

  #text(): string {
    if (typeof this.#body !== "string") {
      throw new TypeError(
        "a binary body needs frames, which this connection does not have, or not yet: " +
          "send it as base64",
      );
    }
    let text = "$";
    for (const { name, value } of this.#headers) {
      // Such a name may have been read, but would not be found behind another message.
      if (name.includes("$")) checkHeader(name, value);
      text += `${name}:${value}|`;
    }
    return `${text}%${this.#body}`;
  }
}

const DOLLAR = 0x24;
const COLON = 0x3a;
const NOT_IN_NAME = /[:|%$]/;
const NOT_IN_VALUE = /[|%]/;

function parseHeader(text: string, start: number, end: number): Header {
  let colon = start; // To search by indexOf would be to search all that follows, for each header.
  while (colon < end && text.charCodeAt(colon) !== COLON) colon++;
  if (colon === end) return { name: text.slice(start, end), value: "" };
  return { name: text.slice(start, colon), value: text.slice(colon + 1, end) };
}

/**
 * Whether a header may be written.
 *
 * @throws {TypeError} It may not; the message says why.
 */
export function checkHeader(name: string, value: string): void {
  if (NOT_IN_NAME.test(name)) {
    throw new TypeError(`the header name "${name}" has one of : | % $ in it`);
  }
  if (NOT_IN_VALUE.test(value)) {
    throw new TypeError(`the value of the header "${name}" has one of | % in it`);
  }
}
