/** UTF-8, strict when reading and cheap when writing. */

/** Many short texts share one buffer: making one for each costs more than to encode it. */
const SLAB_BYTES = 4_096;
/** Longer texts get a buffer of their own. */
const SHARED_CHARACTERS_MAX = 256;
/** The most bytes that one UTF-16 code unit takes. */
const BYTES_A_CHARACTER_MAX = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
let slab = new Uint8Array(SLAB_BYTES);
let used = 0;

/** A text as UTF-8. The bytes may be a view of a larger buffer, of which they are never used again. */
export function encodeUtf8(text: string): Uint8Array {
  if (text.length > SHARED_CHARACTERS_MAX) return encoder.encode(text);
  if (used + BYTES_A_CHARACTER_MAX * text.length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    used = 0;
  }
  const start = used;
  used += encoder.encodeInto(text, start === 0 ? slab : slab.subarray(start)).written;
  return slab.subarray(start, used);
}

/**
 * UTF-8 as text; nothing is replaced or left out, also not a byte order mark.
 *
 * @throws {TypeError} The bytes are not UTF-8.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Whether bytes end within a character: what is there may be right, but something is to come. */
export function endsWithinCharacter(bytes: Uint8Array): boolean {
  // A character's first byte says how many there are, up to 4; the others have the form 10xxxxxx.
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte >= 0x80 && byte < 0xc0) continue;
    return back < lengthBeginningWith(byte);
  }
  return false;
}

/** How long a character is by its first byte; 0 when none begins with it. */
function lengthBeginningWith(byte: number): number {
  if (byte < 0x80) return 1;
  if (byte < 0xc2 || byte > 0xf4) return 0;
  return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}
