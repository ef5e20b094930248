/**
 * The form in which two netsync ends write messages to each other. An original peer never sees it.
 *
 * A client's first message, in the form of the original, begins with {@link OFFER_BARS} bars between `$`
 * and its headers: empty pieces, which every reader skips. A server that knows them answers with the two
 * bytes of {@link SWITCH} and writes frames from then on; so does the client as soon as it reads them. The
 * first of the two bytes is never part of UTF-8, so it cannot be mistaken for text.
 *
 * A frame, all numbers big-endian:
 *
 *     u32 length of what follows   u8 flags   u16 number of headers   headers   body
 *     header: u32 length   name   u32 length   value
 *
 * Names, values, and a body without the flag "binary" are UTF-8.
 */
import { decodeUtf8, encodeUtf8 } from "../../parts/utf8.ts";
import { checkHeader, HEADERS_MAX, NetworkMessage } from "./message.ts";

/** How many bars a client puts before the headers of its first message to say that it knows frames. */
export const OFFER_BARS = 7;
/** What stands before the first frame: a byte that is no UTF-8, and the version. */
export const SWITCH: Readonly<Uint8Array> = Uint8Array.of(0xff, 1);
/** Bytes before the payload of a frame: its length. */
export const LENGTH_BYTES = 4;
/** Bytes up to the headers: with them it is known how long a frame may be. */
const HEAD_BYTES = 7;

const FLAG_BINARY = 1;
/** Flags and number of headers. */
const FIXED_BYTES = HEAD_BYTES - LENGTH_BYTES;
/** A header takes at least its two lengths. */
const HEADER_BYTES_MIN = 8;

/**
 * A message as a frame, its length included.
 *
 * @throws {TypeError} It has a header that may not be written.
 */
export function encodeFrame(message: NetworkMessage): Uint8Array {
  const { headers, binary } = message;
  const body = binary ?? encodeUtf8(message.body);
  const texts: Uint8Array[] = [];
  let length = FIXED_BYTES + body.length;
  for (const header of headers) {
    checkHeader(header.name, header.value);
    const name = encodeUtf8(header.name);
    const value = encodeUtf8(header.value);
    texts.push(name, value);
    length += HEADER_BYTES_MIN + name.length + value.length;
  }
  const frame = new Uint8Array(LENGTH_BYTES + length);
  const view = viewOf(frame);
  view.setUint32(0, length);
  view.setUint8(4, binary ? FLAG_BINARY : 0);
  view.setUint16(5, headers.length);
  let at = LENGTH_BYTES + FIXED_BYTES;
  for (let index = 0; index < texts.length; index += 2) {
    const [name, value] = [texts[index]!, texts[index + 1]!];
    view.setUint32(at, name.length);
    frame.set(name, at + 4);
    at += 4 + name.length;
    view.setUint32(at, value.length);
    frame.set(value, at + 4);
    at += 4 + value.length;
  }
  frame.set(body, at);
  return frame;
}

/**
 * How long the frame is at the beginning of these bytes; undefined while they do not say, "frame" when
 * there is none.
 *
 * @param textBytesMax How long its message may be as text: one that is not too long in one form is not in
 * the other.
 */
export function frameBytesOf(
  bytes: Uint8Array,
  textBytesMax: number,
): number | "too-long" | "frame" | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const view = viewOf(bytes);
  const frameBytes = LENGTH_BYTES + view.getUint32(0);
  if (frameBytes < HEAD_BYTES) return "frame";
  if (bytes.length < HEAD_BYTES) return undefined;
  const headers = view.getUint16(5);
  if (headers > HEADERS_MAX || HEAD_BYTES + headers * HEADER_BYTES_MIN > frameBytes) return "frame";
  return isFrameWithin(bytes, frameBytes, textBytesMax) ? frameBytes : "too-long";
}

/** Whether a frame of so many bytes, of which these are the first, is short enough as text. */
export function isFrameWithin(
  bytes: Uint8Array,
  frameBytes: number,
  textBytesMax: number,
): boolean {
  const headers = viewOf(bytes).getUint16(5);
  // The head against "$" and "%"; two lengths against two signs.
  const textBytes = frameBytes - (HEAD_BYTES - 2) - headers * (HEADER_BYTES_MIN - 2);
  return textBytes <= textBytesMax;
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

/**
 * Reads what follows a frame's length.
 *
 * @returns undefined when it is none: cut, not UTF-8, with too many headers or one that may not be written.
 * A binary body is a copy.
 */
export function decodeFrame(payload: Uint8Array): NetworkMessage | undefined {
  if (payload.length < FIXED_BYTES || payload[0]! > FLAG_BINARY) return undefined;
  const view = viewOf(payload);
  const message = new NetworkMessage();
  let at = FIXED_BYTES;
  try {
    for (let left = view.getUint16(1); left > 0; left--) {
      const nameAt = at + 4;
      const valueAt = nameAt + view.getUint32(at) + 4;
      at = valueAt + view.getUint32(valueAt - 4);
      if (at > payload.length) return undefined;
      const name = decodeUtf8(payload.subarray(nameAt, valueAt - 4));
      message.addHeader(name, decodeUtf8(payload.subarray(valueAt, at)));
    }
    const isBinary = payload[0] === FLAG_BINARY;
    return message.setBody(isBinary ? payload.slice(at) : decodeUtf8(payload.subarray(at)));
  } catch {
    return undefined; // Beyond the end, not UTF-8, no header, or too many.
  }
}
