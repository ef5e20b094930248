/** What a message costs, from text to bytes and back, and out of a stream. */
import { Framer } from "../lib/protocols/messages/wire.ts";
import { decodeFrame, encodeFrame, LENGTH_BYTES } from "../lib/protocols/messages/frame.ts";
import { NetworkMessage } from "../lib/protocols/messages/message.ts";

const message = new NetworkMessage("x".repeat(150))
  .addHeader("type", "chat")
  .addHeader("from", "ada")
  .addHeader("room", "castle");
const bytes = message.encode();
const frame = encodeFrame(message);
const payload = frame.subarray(LENGTH_BYTES);

Deno.bench(`encode ${bytes.length} bytes, 3 headers`, () => {
  message.encode();
});
Deno.bench("decode the same", () => {
  NetworkMessage.decode(bytes);
});
Deno.bench(`encode a frame of ${frame.length} bytes`, () => {
  encodeFrame(message);
});
Deno.bench("decode the same frame", () => {
  decodeFrame(payload);
});

const framer = new Framer({ messageBytesMax: 2 ** 20, frames: true });
Deno.bench("out of a stream, alone in its segment", () => {
  framer.push(bytes, 0);
  framer.next();
  framer.settle(0);
  framer.next();
});

const hundred = new Uint8Array(100 * bytes.length);
for (let at = 0; at < hundred.length; at += bytes.length) hundred.set(bytes, at);
Deno.bench("100 of them in one segment", () => {
  framer.push(hundred, 0);
  while (framer.next());
  framer.finish();
  framer.next();
});
