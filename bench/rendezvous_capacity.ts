/**
 * What a rendezvous server needs for many hosts.
 *
 *     deno run -A bench/rendezvous_capacity.ts [SECONDS]
 *
 * Starts the real server (`main.ts`) on one core; the other registers hosts, refreshes each every 15 s, as
 * Holepunch does, and joins one of them 50 times a second. Prints Markdown. CPU and memory are read on
 * Linux only.
 */
import type { Message } from "../lib/protocols/rendezvous/message.ts";
import { encode } from "../lib/protocols/rendezvous/wire.ts";
import { Program, receiveDrops } from "./processes.ts";

const SECONDS = Number(Deno.args[0] ?? 30);
const REFRESH_SECONDS = 15;
const JOINS_PER_SECOND = 50;
const SERVER_CORE = 0;
const local = { ip: "192.168.1.5", port: 4_001 };

async function measure(hosts: number): Promise<string[]> {
  const most = String(10 * hosts + 1_000);
  await using server = new Program(
    ["run", "--allow-net", "main.ts", "rendezvous", "0", "--json", "--log-level", "error"]
      .concat(["--max-hosts", most, "--max-per-ip", most, "--max-requests", most])
      .concat(["--max-joins", most]),
    SERVER_CORE,
  );
  const { port } = await server.event("listening");
  const target = { transport: "udp", hostname: "127.0.0.1", port: port! } as const;
  const conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const player = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const answers = { host: 0, player: 0 };
  const count = async (conn: Deno.DatagramConn, kind: keyof typeof answers): Promise<void> => {
    for await (const _ of conn) answers[kind]++;
  };
  const counting = [count(conn, "host"), count(player, "player")];
  const send = (from: Deno.DatagramConn, sender: string, message: Message): Promise<number> =>
    from.send(
      encode(message, { dialect: 1, sender, recipient: "", to: local, password: "" }),
      target,
    );
  const register = (number: number): Promise<number> =>
    send(conn, `host ${number}`, { kind: "register", local, validSeconds: 60 });

  const empty = server.use().residentMb;
  // No faster than strangers may be, all of one network.
  for (let number = 0; number < hosts; number++) {
    await register(number);
    if (number % 20 === 19) await pause(10);
  }
  await pause(500);
  if (answers.host !== hosts) throw new Error(`${answers.host} of ${hosts} hosts got an answer`);
  const before = server.use();
  const droppedBefore = receiveDrops(port!);
  const begun = performance.now();
  const sent = { refreshes: 0, joins: 0 };
  Object.assign(answers, { host: 0, player: 0 });
  for (let seconds = 0; seconds < SECONDS; seconds = (performance.now() - begun) / 1_000) {
    for (; sent.refreshes < seconds * hosts / REFRESH_SECONDS; sent.refreshes++) {
      await register(sent.refreshes % hosts);
    }
    for (; sent.joins < seconds * JOINS_PER_SECOND; sent.joins++) {
      await send(player, "ada", { kind: "join", local, host: `host ${sent.joins % hosts}` });
    }
    await pause(2);
  }
  const seconds = (performance.now() - begun) / 1_000;
  const after = server.use();
  await pause(500);
  conn.close();
  player.close();
  await Promise.all(counting);
  return [
    String(hosts),
    (sent.refreshes / seconds).toFixed(0),
    ((100 * (answers.host - 2 * sent.joins)) / sent.refreshes).toFixed(1),
    ((100 * answers.player) / 2 / sent.joins).toFixed(1),
    ((after.cpuSeconds - before.cpuSeconds) / seconds).toFixed(3),
    after.residentMb.toFixed(0),
    empty.toFixed(0),
    String(receiveDrops(port!) - droppedBefore),
  ];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const head = [
  "hosts",
  "refreshes/s",
  "refreshes answered %",
  "joins answered %",
  "cores",
  "MB",
  "MB before",
  "queue drops",
];
const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
console.log(line(head));
console.log(line(head.map(() => "---:")));
for (const hosts of [10, 1_000, 10_000]) console.log(line(await measure(hosts)));
