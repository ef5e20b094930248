/**
 * The floor of the world: what a machine needs just to send, and to receive an ACK for each datagram.
 * Nothing can do either for less without another system call.
 *
 *     deno run --allow-net bench/world_floor.ts send BYTES DATAGRAMS_HZ PORT...
 *     deno run --allow-net bench/world_floor.ts answer COUNT
 *
 * The one awaits the same bytes to each port in turn, so many together as the server sends, and awaits
 * what comes; for each line it reads it prints what it did. The other prints the ports of as many sockets,
 * which answer whatever comes. Both go on until they are killed.
 */
import { encodeAck } from "../lib/protocols/world/wire.ts";

/** So many leave at once: their ACKs find room in the receive queue. */
const AT_ONCE = 64;

const [kind, ...words] = Deno.args;
const [first, ...rest] = words.map(Number) as [number, ...number[]];
await (kind === "send" ? send(first, rest[0]!, rest.slice(1)) : answer(first));

async function send(bytes: number, hz: number, ports: readonly number[]): Promise<never> {
  const socket = open();
  let sent = 0;
  let received = 0;
  receive(socket, () => received++);
  report(() => ({ sent, received }));
  const datagram = new Uint8Array(bytes);
  const targets = ports.map((port) => ({ transport: "udp" as const, hostname: "127.0.0.1", port }));
  for (const startedAt = performance.now();;) {
    for (const end = sent + AT_ONCE; sent < end; sent++) {
      await socket.send(datagram, targets[sent % targets.length]!);
    }
    const waitMs = startedAt + (1_000 * sent) / hz - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
  }
}

async function answer(count: number): Promise<void> {
  const ack = encodeAck(0);
  const sockets = Array.from({ length: count }, open);
  console.log(JSON.stringify(sockets.map(({ addr }) => (addr as Deno.NetAddr).port)));
  await Promise.all(sockets.map((socket) => receive(socket, (from) => socket.send(ack, from))));
}

async function receive(
  socket: Deno.DatagramConn,
  onReceived: (from: Deno.Addr) => unknown,
): Promise<never> {
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const [, from] = await socket.receive(buffer);
    await onReceived(from);
  }
}

async function report(counters: () => Record<string, number>): Promise<void> {
  for await (const _ of Deno.stdin.readable) {
    console.log(JSON.stringify({ event: "counters", ...counters() }));
  }
}

function open(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}
