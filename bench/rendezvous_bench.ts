/** What a request costs the rendezvous server, with few hosts registered and with many. */
import type { Outbox, Peer } from "../lib/protocols/engine.ts";
import type { Dialect, Message } from "../lib/protocols/rendezvous/message.ts";
import {
  createRendezvousServer,
  type RendezvousEvent,
} from "../lib/protocols/rendezvous/server.ts";
import { encode, SERVER_NAME } from "../lib/protocols/rendezvous/wire.ts";

const nobody: Outbox<RendezvousEvent> = {
  send(): void {},
  broadcast(): void {},
  emit(): void {},
  backlog: 0,
  unsent: 0,
};
const local = { ip: "192.168.1.5", port: 4_001 };
const password = "NEXSqy5e7d";

function peer(number: number): Peer {
  const ip = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
  return { ip, port: 4_001, address: `${ip}:4001`, network: ip };
}

function datagram(dialect: Dialect, sender: string, message: Message): Uint8Array {
  return encode(message, { dialect, sender, recipient: SERVER_NAME, to: peer(0), password });
}

for (const dialect of [1, 2] as const) {
  const requests = dialect === 1 ? "registering again" : "refreshing";
  for (const hosts of [10, 10_000]) {
    const server = createRendezvousServer();
    const peers = Array.from({ length: hosts }, (_, number) => peer(number));
    const registration = { kind: "register", local, validSeconds: 60, password } as const;
    const register = { ...registration, passwordRequired: false };
    const refresh: Message = dialect === 1 ? register : { kind: "refresh", validSeconds: 60 };
    peers.forEach((peer, number) =>
      server.receive(datagram(dialect, `host ${number}`, register), peer, 0, nobody)
    );
    if (server.registrations !== hosts) throw new Error("not everybody was registered");
    const refreshes = peers.map((_, number) => datagram(dialect, `host ${number}`, refresh));
    let turn = 0;
    let now = 0;
    Deno.bench(
      `${requests}, ${hosts} hosts`,
      { group: `dialect ${dialect}`, baseline: hosts === 10 },
      () => {
        const number = turn++ % hosts;
        now += 15_000 / hosts; // Each host every 15 s.
        server.receive(refreshes[number]!, peers[number]!, now, nobody);
        if (now >= server.nextDeadline()) server.advance(now, nobody);
      },
    );
    const joins = peers.map((_, number) =>
      datagram(dialect, "ada", { kind: "join", local, host: `host ${number}`, password })
    );
    const players = peers.map((_, number) => peer(100_000 + number));
    Deno.bench(
      `the same and a player joining, ${hosts} hosts`,
      { group: `dialect ${dialect}` },
      () => {
        const number = turn++ % hosts;
        now += 15_000 / hosts;
        server.receive(refreshes[number]!, peers[number]!, now, nobody);
        server.receive(joins[number]!, players[number]!, now, nobody);
        if (now >= server.nextDeadline()) server.advance(now, nobody);
      },
    );
  }
}
