/**
 * Sockets that read and forget, for the floor to send to.
 *
 *     deno run --allow-net bench/sinks.ts COUNT
 *
 * Prints the ports; a line with the datagrams and bytes received so far for every line it reads.
 */
const count = Number(Deno.args[0]);
let datagrams = 0;
let bytes = 0;
const sockets = Array.from(
  { length: count },
  () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }),
);
for (const socket of sockets) {
  (async (): Promise<void> => {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const [datagram] = await socket.receive(buffer);
      datagrams++;
      bytes += datagram.length;
    }
  })();
}
console.log(JSON.stringify(sockets.map((socket) => (socket.addr as Deno.NetAddr).port)));
for await (const _ of Deno.stdin.readable) console.log(JSON.stringify({ datagrams, bytes }));
