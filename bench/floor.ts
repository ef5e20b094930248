/**
 * The floors: what a machine needs just to send, and just to receive. Nothing can do either for less
 * without another system call.
 *
 *     deno run --allow-net bench/floor.ts send BYTES HZ PORT...
 *     deno run --allow-net bench/floor.ts receive
 *
 * The one is a bare loop that awaits the same bytes to as many sockets as the server has players, as
 * often, on 127.0.0.1. The other is a bare loop that awaits what players send, on a socket like the
 * server's; it only tells each of them an id, and shows it once that it is in, so that they play. Both go on until they are killed.
 */
import { encodeIdReply, encodeIdRequest } from "../lib/protocols/sync/wire.ts";

const [kind, ...words] = Deno.args;
await (kind === "send" ? send(words.map(Number)) : receive());

async function send([bytes, hz, ...ports]: number[]): Promise<never> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  const datagram = new Uint8Array(bytes!);
  const targets = ports.map((port) => ({ transport: "udp" as const, hostname: "127.0.0.1", port }));
  console.log("sending");
  for (let round = 1, startedAt = performance.now();; round++) {
    for (const target of targets) await socket.send(datagram, target);
    const waitMs = startedAt + (round * 1_000) / hz! - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

async function receive(): Promise<never> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "::", port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  console.log(JSON.stringify({ event: "listening", port }));
  const requestBytes = encodeIdRequest().length;
  const snapshot = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d); // Number 1, and "{}".
  const buffer = new Uint8Array(65_536);
  for (let id = 0n;;) {
    const [datagram, from] = await socket.receive(buffer);
    if (datagram.length !== requestBytes) continue;
    await socket.send(encodeIdReply(id++), from);
    await socket.send(snapshot, from);
  }
}
