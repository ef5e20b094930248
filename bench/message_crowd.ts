/**
 * Clients of a message server that hear what one of them says, and how late.
 *
 *     deno run --allow-net bench/message_crowd.ts PORT LISTENERS HZ SECONDS [TROUBLE...]
 *
 * Troubles come from further connections, of another address: `idle` ones, 1,000; `endless` headers, at
 * 3 MB a second each; `resets`, 4 at a time; `messages`, as many as the server takes of 64 clients.
 */
import { Histogram } from "../lib/parts/histogram.ts";

const [port, listeners, hz, seconds] = Deno.args.slice(0, 4).map(Number) as [
  number,
  number,
  number,
  number,
];
const troubles = Deno.args.slice(4);
const BYTES = 200;
const IDLE = 1_000;
const utf8 = new TextEncoder();
const latencyMs = new Histogram();
let heard = 0;
let startedAt = Infinity;

const connect = (hostname = "127.0.0.1"): Promise<Deno.TcpConn> => Deno.connect({ hostname, port });

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** `$t:1234.567|%xxx`, always as long. */
function message(): Uint8Array {
  const head = `$t:${performance.now().toFixed(3).padStart(12, "0")}|%`;
  return utf8.encode(head.padEnd(BYTES, "x"));
}

async function listen(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  const ascii = new TextDecoder();
  let rest = "";
  for (;;) {
    const read = await conn.read(buffer);
    if (read === null) throw new Error("the server sent a listener away");
    const now = performance.now();
    const text = rest + ascii.decode(buffer.subarray(0, read));
    let end = 0;
    for (const found of text.matchAll(/\$t:(\d+\.\d+)\|%/g)) {
      end = found.index + found[0].length;
      const sentAt = Number(found[1]);
      if (sentAt < startedAt) continue;
      heard++;
      latencyMs.record(now - sentAt);
    }
    rest = text.slice(Math.max(end, text.length - BYTES));
  }
}

/** Keeps `count` connections that `behave`, opening another for each that ends. */
async function keep(count: number, behave: (conn: Deno.TcpConn) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, async () => {
    for (;;) {
      const conn = await connect("::1");
      await behave(conn).catch(() => {});
      await pause(1);
      try {
        conn.close();
      } catch {
        // The server was faster.
      }
    }
  }));
}

/** Reads, and forgets, until the server ends the connection. */
async function drain(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  while (await conn.read(buffer) !== null);
}

const TROUBLES: Record<string, () => Promise<void>> = {
  idle: () => keep(IDLE, drain),
  endless: () =>
    keep(4, async (conn) => {
      const chunk = new Uint8Array(65_536).fill(0x61);
      await conn.write(utf8.encode("$"));
      for (;;) await Promise.all([conn.write(chunk), pause(20)]);
    }),
  // Closed with something unread, it is a reset.
  resets: () =>
    keep(4, async (conn) => {
      await conn.write(utf8.encode("$handshake:|%".padEnd(BYTES, "x")));
      await conn.read(new Uint8Array(1));
    }),
  messages: () =>
    keep(64, async (conn) => {
      void drain(conn).catch(() => {});
      for (;;) await conn.write(utf8.encode("$t:x|%nothing".padEnd(BYTES, "x")));
    }),
};

const conns = await Promise.all(Array.from({ length: listeners }, () => connect()));
for (const conn of conns) void listen(conn);
const speaker = await connect();
speaker.setNoDelay(true);
for (const trouble of troubles) void TROUBLES[trouble]!();
console.log(JSON.stringify({ event: "connected" }));
await pause(2_000);

console.log(JSON.stringify({ event: "measuring" }));
const lateMs = new Histogram();
startedAt = performance.now();
for (let turn = 0; turn < hz * seconds; turn++) {
  const dueAt = startedAt + 1_000 * turn / hz;
  const waitMs = dueAt - performance.now();
  if (waitMs > 0) await pause(waitMs);
  lateMs.record(Math.max(0, performance.now() - dueAt));
  await speaker.write(message());
}
await pause(500);
console.log(JSON.stringify({
  event: "summary",
  heardPercent: 100 * heard / (hz * seconds * listeners),
  latencyMsP50: latencyMs.percentile(0.5),
  latencyMsP99: latencyMs.percentile(0.99),
  lateMsP99: lateMs.percentile(0.99),
}));
Deno.exit(0);
