/**
 * The floor: what a machine needs just to send. A bare loop that awaits the same bytes to as many
 * sockets as the server has players, as often. Nothing can send for less without another system call.
 *
 *     deno run --allow-net bench/floor.ts BYTES HZ PORT...
 *
 * Sends to 127.0.0.1 until it is killed.
 */
const [bytes, hz, ...ports] = Deno.args.map(Number);
const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
const datagram = new Uint8Array(bytes!);
const targets = ports.map((port) => ({ transport: "udp" as const, hostname: "127.0.0.1", port }));
console.log("sending");
for (let round = 1, startedAt = performance.now();; round++) {
  for (const target of targets) await socket.send(datagram, target);
  const waitMs = startedAt + (round * 1_000) / hz! - performance.now();
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
}
