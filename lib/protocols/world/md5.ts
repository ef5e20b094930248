/** MD5 of short messages (RFC 1321): each datagram has one, and each ACK, so it has to be cheap. */

/** What fits into one block, with the mark of its end and its length. */
export const MD5_BYTES_MAX = 55;

const END_MARK = 0x80;
const LENGTH_AT = 56;
const STEPS = 64;
const STEPS_PER_ROUND = 16;

/** What the state begins with. All numbers here are signed, of 32 bits: V8 computes with those directly. */
const [A, B, C, D] = [0x6745_2301, -0x1032_5477, -0x6745_2302, 0x1032_5476] as const;
const SINES = Int32Array.from(
  { length: STEPS },
  (_, step) => Math.floor(2 ** 32 * Math.abs(Math.sin(step + 1))),
);
/** By how many bits a step rotates: four in turn, others in each round. */
const ROTATIONS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]].flatMap(
  (bits) => [...bits, ...bits, ...bits, ...bits],
);

// One of each for all messages: to make them anew costs more than the digest.
const block = new Uint8Array(64);
const words = new DataView(block.buffer);
const digest = new Uint8Array(16);
const digestWords = new DataView(digest.buffer);

/**
 * The MD5 of at most {@link MD5_BYTES_MAX} bytes.
 *
 * @returns 16 bytes, which last until the next call.
 */
export function md5(message: Uint8Array): Uint8Array {
  const { length } = message;
  block.set(message);
  block[length] = END_MARK;
  block.fill(0, length + 1, LENGTH_AT);
  words.setUint32(LENGTH_AT, 8 * length, true);
  digestBlock();
  return digest;
}

function digestBlock(): void {
  let [a, b, c, d]: [number, number, number, number] = [A, B, C, D];
  for (let step = 0; step < STEPS; step++) {
    let mixed: number;
    let word: number;
    switch (Math.floor(step / STEPS_PER_ROUND)) {
      case 0:
        mixed = (b & c) | (~b & d);
        word = step;
        break;
      case 1:
        mixed = (d & b) | (~d & c);
        word = 5 * step + 1;
        break;
      case 2:
        mixed = b ^ c ^ d;
        word = 3 * step + 5;
        break;
      default:
        mixed = c ^ (b | ~d);
        word = 7 * step;
    }
    const sum = (a + mixed + SINES[step]! + words.getInt32(4 * (word % 16), true)) | 0;
    [a, b, c, d] = [d, (b + rotated(sum, ROTATIONS[step]!)) | 0, b, c];
  }
  digestWords.setInt32(0, A + a, true);
  digestWords.setInt32(4, B + b, true);
  digestWords.setInt32(8, C + c, true);
  digestWords.setInt32(12, D + d, true);
}

/** The lowest 32 bits of an integer, rotated to the left. */
function rotated(bits: number, by: number): number {
  return (bits << by) | (bits >>> (32 - by));
}
