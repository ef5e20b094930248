/** Where one message of the original's form ends: at the `$` of the next one. */

/** What is found: the position of the boundary; undefined when there is none yet. */
export type Scanned = number | "too-long" | undefined;

const PERCENT = 0x25;
const DOLLAR = 0x24;
const COLON = 0x3a;
const BAR = 0x7c;

/**
 * Looks for the end of one message's headers, then for the boundary behind its body, and never twice at
 * the same byte.
 *
 * Only the leftmost `$` that may still be a boundary is remembered. A later one, within a value of its
 * block, can only be one where the first is none if it stands right before the `%`.
 */
export class BoundaryScan {
  /** Where the body begins; undefined while the headers have no end. */
  bodyAt: number | undefined;
  #at = 0;
  /** The `$` of what may be the next message. */
  #candidate: number | undefined;
  /** Where the name or value begins at which the scan is. */
  #pieceAt = 0;
  #isInValue = false;

  /** Another message begins. */
  restart(): void {
    this.bodyAt = undefined;
    this.#at = 0;
    this.#candidate = undefined;
  }

  /**
   * Goes on.
   *
   * @param text The message from its first byte, and what is behind it.
   * @param bytesMax The longest message.
   */
  scan(text: Uint8Array, bytesMax: number): Scanned {
    if (this.bodyAt === undefined) {
      if (text.length > 0 && text[0] !== DOLLAR) {
        this.bodyAt = 0;
      } else {
        const percent = text.indexOf(PERCENT, this.#at);
        this.#at = percent < 0 ? text.length : percent + 1;
        if (this.#at > bytesMax) return "too-long";
        if (percent < 0) return undefined;
        this.bodyAt = percent + 1;
      }
    }
    while (this.#at < text.length) {
      if (this.#candidate === undefined) {
        const dollar = text.indexOf(DOLLAR, this.#at);
        this.#at = dollar < 0 ? text.length : dollar;
        if (dollar >= 0) this.#begin(dollar);
      } else {
        const boundary = this.#scanBlock(text, this.#candidate);
        // A block longer than a message may be is too long, whichever message it turns out to belong to.
        if (this.#at - (this.#candidate ?? this.#at) > bytesMax) return "too-long";
        if (boundary !== undefined) return boundary;
      }
      if ((this.#candidate ?? this.#at) > bytesMax) return "too-long";
    }
    return undefined;
  }

  #begin(dollar: number): void {
    this.#candidate = dollar;
    this.#isInValue = false;
    this.#at = this.#pieceAt = dollar + 1;
  }

  /** Until the candidate is a boundary, or none, or the text ends. */
  #scanBlock(text: Uint8Array, candidate: number): number | undefined {
    for (; this.#at < text.length; this.#at++) {
      const byte = text[this.#at]!;
      if (byte === PERCENT) {
        if (!this.#isInValue && this.#at === this.#pieceAt) return candidate;
        this.#candidate = undefined;
        // Of what was within a value, "$%" alone is whole.
        return text[this.#at - 1] === DOLLAR ? this.#at - 1 : undefined;
      }
      if (this.#isInValue) {
        if (byte !== BAR) continue;
        this.#isInValue = false;
        this.#pieceAt = this.#at + 1;
      } else if (byte === COLON) {
        this.#isInValue = true;
      } else if (byte === BAR) {
        this.#candidate = undefined; // A name without a value is in no canonical block.
        return undefined;
      } else if (byte === DOLLAR) {
        this.#begin(this.#at);
        return undefined;
      }
    }
    return undefined;
  }
}
