/**
 * What a message server needs to pass on what one client says, and when the others hear it.
 *
 *     deno run -A bench/messages_capacity.ts [SECONDS]
 *
 * Starts the real server (`main.ts messages`) on one core and its clients on the other. Prints Markdown.
 * CPU and memory are read on Linux only.
 */
import { Program } from "./processes.ts";

const SECONDS = Number(Deno.args[0] ?? 10);
const SERVER_CORE = 0;
const CLIENTS_CORE = 1;

interface Load {
  listeners: number;
  hz: number;
  troubles?: string[];
}

async function measure({ listeners, hz, troubles = [] }: Load): Promise<string[]> {
  // With troubles the limits are what they are unless told, but for those that are the trouble.
  const isOpen = troubles.length === 0 || troubles.includes("idle");
  await using server = new Program(
    ["run", "--allow-net", "main.ts", "messages", "0", "--json", "--log-level", "error"]
      .concat(isOpen ? ["--max-connections", "10000", "--max-per-ip", "10000"] : []),
    SERVER_CORE,
  );
  const { port } = await server.event("listening");
  await using clients = new Program(
    ["run", "--allow-net", "bench/message_crowd.ts", ...[port!, listeners, hz, SECONDS].map(String)]
      .concat(troubles),
    CLIENTS_CORE,
  );
  await clients.event("measuring");
  const before = server.use();
  const summary = await clients.event("summary");
  const after = server.use();
  return [
    troubles.length === 0 ? `${listeners}` : `${listeners}, ${troubles.join(", ")}`,
    String(hz),
    String(listeners * hz),
    summary.latencyMsP50!.toFixed(1),
    summary.latencyMsP99!.toFixed(1),
    summary.heardPercent!.toFixed(2),
    ((after.cpuSeconds - before.cpuSeconds) / SECONDS).toFixed(2),
    after.residentMb.toFixed(0),
    summary.lateMsP99!.toFixed(1),
  ];
}

const head = [
  "listeners",
  "messages/s",
  "deliveries/s",
  "p50 ms",
  "p99 ms",
  "heard %",
  "server cores",
  "server MB",
  "speaker late p99 ms",
];
const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
console.log(line(head));
console.log(line(head.map(() => "---:")));
const loads: Load[] = [
  { listeners: 100, hz: 20 },
  { listeners: 500, hz: 20 },
  { listeners: 1_000, hz: 20 },
  { listeners: 60, hz: 20 },
  { listeners: 60, hz: 20, troubles: ["idle"] },
  { listeners: 60, hz: 20, troubles: ["endless"] },
  { listeners: 60, hz: 20, troubles: ["resets"] },
  { listeners: 60, hz: 20, troubles: ["messages"] },
];
for (const load of loads) console.log(line(await measure(load)));
