/**
 * What `flood.c` does, where there is no C compiler: fewer datagrams, from fewer addresses.
 *
 *     deno run --allow-net bench/flood_sender.ts PORT SERVICE KIND SECONDS
 */
import { FLOODS } from "./flood_talks.ts";

const [port, service, kind, seconds] = Deno.args as [string, string, string, string];
const { addresses, inTurn = false, counts = false, holds = false, shapes } =
  FLOODS[service]![kind]!;
/** Each takes a socket. */
const ADDRESSES_MAX = 200;
const CONNECTIONS = 64;
const begun = performance.now();
const end = begun + 1_000 * Number(seconds);
let sent = 0;

async function sendDatagrams(): Promise<void> {
  const target = { transport: "udp", hostname: "127.0.0.1", port: Number(port) } as const;
  const conns = Array.from(
    { length: Math.min(addresses, ADDRESSES_MAX) },
    (_, index) =>
      Deno.listenDatagram({ transport: "udp", hostname: `127.1.0.${1 + index}`, port: 0 }),
  );
  const views = shapes.map(({ buffer }) => new DataView(buffer));
  for (let at = 0; performance.now() < end; sent++) {
    const index = sent % shapes.length;
    if (counts && index > 0) views[index]!.setBigInt64(0, BigInt(sent), true);
    await conns[at % conns.length]!.send(shapes[index]!, target).catch(() => {});
    if (!inTurn || index === shapes.length - 1) at++;
  }
}

/** All of one address. */
async function connect(): Promise<void> {
  while (performance.now() < end) {
    try {
      // Not the players' network.
      using conn = await Deno.connect({ hostname: "::1", port: Number(port) });
      sent++;
      while (performance.now() < end && holds) await new Promise((go) => setTimeout(go, 50));
      while (performance.now() < end && shapes.length > 0) {
        for (const shape of shapes) await conn.write(shape);
      }
    } catch {
      await new Promise((go) => setTimeout(go, 1)); // It was sent away.
    }
  }
}

if (service === "messages") {
  const over = new Promise((go) => setTimeout(go, end - performance.now() + 200));
  await Promise.race([over, Promise.all(Array.from({ length: CONNECTIONS }, connect))]);
} else {
  await sendDatagrams();
}
console.log(JSON.stringify({ event: "sent", sent, seconds: (performance.now() - begun) / 1_000 }));
Deno.exit(0);
