/**
 * UTF-8 text as the inside of a JSON string in pure ASCII.
 *
 * The Python client reads snapshots as ASCII and its receiving thread dies on any other byte, so
 * everything else is escaped: `\"`, `\\`, `\b \f \n \r \t`, and `\u00xx` in lower-case hex for the other
 * controls, 0x7f and all characters above (as surrogate pairs from U+10000 up). The slash stands as
 * it is. These are the original server's own choices.
 */

/** Why text could not be escaped: it is not UTF-8, or it takes more room. */
export type EscapeFailure = "text" | "room";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = new TextEncoder().encode("0123456789abcdef");

/** For each ASCII byte: 0 as it is, 1 as `\u00xx`, otherwise the letter after the backslash. */
const ASCII_ESCAPES = Uint8Array.from({ length: 128 }, (_, byte) => {
  const short = "\b\f\n\r\t".indexOf(String.fromCharCode(byte));
  if (short >= 0) return "bfnrt".charCodeAt(short);
  if (byte === QUOTE || byte === BACKSLASH) return byte;
  return byte < 0x20 || byte === 0x7f ? 1 : 0;
});

/**
 * Writes the escaped text to the start of `target`, into its first `room` bytes.
 *
 * @returns The bytes written, or why it failed; after a failure what stands in `target` is undefined.
 */
export function escapeText(
  text: Uint8Array,
  target: Uint8Array,
  room: number,
): number | EscapeFailure {
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i]!;
    if (byte >= 0x80) {
      const codePoint = decodeCodePoint(text, i);
      if (codePoint < 0) return "text";
      const wide = codePoint > 0xffff;
      if (at + (wide ? 12 : 6) > room) return "room";
      if (wide) {
        at = writeHexEscape(target, at, 0xd7c0 + (codePoint >> 10));
        at = writeHexEscape(target, at, 0xdc00 + (codePoint & 0x3ff));
      } else {
        at = writeHexEscape(target, at, codePoint);
      }
      i += wide ? 3 : codePoint > 0x7ff ? 2 : 1;
      continue;
    }
    const escape = ASCII_ESCAPES[byte]!;
    if (at + (escape === 0 ? 1 : escape === 1 ? 6 : 2) > room) return "room";
    if (escape === 0) {
      target[at++] = byte;
    } else if (escape === 1) {
      at = writeHexEscape(target, at, byte);
    } else {
      target[at++] = BACKSLASH;
      target[at++] = escape;
    }
  }
  return at;
}

/**
 * The code point of the sequence of two to four bytes at `at`, or -1 where RFC 3629 allows none: a
 * stray or missing continuation, an overlong form, a surrogate, or above U+10FFFF.
 */
function decodeCodePoint(text: Uint8Array, at: number): number {
  const lead = text[at]!;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > text.length) return -1;
  let codePoint = lead & (0x7f >> length);
  for (let i = 1; i < length; i++) {
    const next = text[at + i]!;
    if ((next & 0xc0) !== 0x80) return -1;
    codePoint = (codePoint << 6) | (next & 0x3f);
  }
  if (length === 3 && (codePoint < 0x800 || (codePoint >= 0xd800 && codePoint < 0xe000))) return -1;
  if (length === 4 && (codePoint < 0x10000 || codePoint > 0x10ffff)) return -1;
  return codePoint;
}

function writeHexEscape(target: Uint8Array, at: number, unit: number): number {
  target[at] = BACKSLASH;
  target[at + 1] = 0x75; // u
  target[at + 2] = HEX[unit >> 12]!;
  target[at + 3] = HEX[(unit >> 8) & 15]!;
  target[at + 4] = HEX[(unit >> 4) & 15]!;
  target[at + 5] = HEX[unit & 15]!;
  return at + 6;
}
