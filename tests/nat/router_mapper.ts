/**
 * A program that wants to be reached from outside: echoes datagrams and what comes by TCP, and has its port
 * mapped. It takes no more than `--allow-net`.
 *
 *     deno run --unstable-net --allow-net router_mapper.ts PORT [OPTIONS AS JSON]
 *
 * It prints a line of JSON for each verdict. A line of input ends the mapping, the end of input everything.
 */
import { PortMapper, type PortMapperOptions } from "../../lib/home/port_mapping/port_mapper.ts";
import { explainVerdict } from "../../lib/home/port_mapping/verdict.ts";

const port = Number(Deno.args[0]);
const options = JSON.parse(Deno.args[1] ?? "{}") as Partial<PortMapperOptions>;

const udp = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port });
const tcp = Deno.listen({ hostname: "0.0.0.0", port });

async function echoDatagrams(): Promise<void> {
  for await (const [datagram, from] of udp) await udp.send(datagram, from);
}

async function echoConnections(): Promise<void> {
  for await (const conn of tcp) {
    conn.readable.pipeTo(conn.writable).catch(() => {});
  }
}

function print(event: string, facts: object = {}): void {
  console.log(JSON.stringify({ event, ms: Math.round(performance.now() - startedAt), ...facts }));
}

async function close(): Promise<void> {
  const closingAt = performance.now();
  await mapper.close();
  print("closed", { tookMs: Math.round(performance.now() - closingAt) });
}

const echoing = [echoDatagrams(), echoConnections()];
const startedAt = performance.now();
const requests = [{ transport: "UDP", port }, { transport: "TCP", port }] as const;
const mapper = new PortMapper(requests, {
  ...options,
  onVerdict: (verdict) => print("verdict", { ...verdict, text: explainVerdict(verdict) }),
  onFault: (error) => print("fault", { error: String(error) }),
});
print("started");
for await (const _ of Deno.stdin.readable) {
  await close(); // It goes on to answer to whoever gets through.
}
await close();
udp.close();
tcp.close();
await Promise.all(echoing);
