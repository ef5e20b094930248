/** That everything that opens UDP sockets puts them behind what it is told to. */
import { assert, assertEquals } from "@std/assert";
import { ArenaBots } from "../../lib/clients/arena_bots.ts";
import { ArenaClient } from "../../lib/clients/arena.ts";
import { EventClient } from "../../lib/clients/event_client.ts";
import { EventServer } from "../../lib/clients/event_server.ts";
import { RendezvousPeer } from "../../lib/clients/rendezvous.ts";
import { SyncBots } from "../../lib/clients/sync_bots.ts";
import { SyncClient } from "../../lib/clients/sync.ts";
import { WorldClient } from "../../lib/clients/world_client.ts";
import { WorldServer } from "../../lib/clients/world_server.ts";
import { openUdp, UdpHost } from "../../lib/hosts/udp.ts";
import { WrappedConn } from "../../lib/hosts/wrapped_conn.ts";
import { createArenaServer } from "../../lib/protocols/arena/server.ts";
import type { Engine } from "../../lib/protocols/engine.ts";
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { createRendezvousServer } from "../../lib/protocols/rendezvous/server.ts";
import { createSyncServer } from "../../lib/protocols/sync/server.ts";

const hostname = "127.0.0.1";

/** Counts the sockets that are put behind it, and the datagrams that these take from their host. */
class Counter {
  sockets = 0;
  closed = 0;
  sent = 0;

  readonly through = (conn: Deno.DatagramConn): Deno.DatagramConn => {
    this.sockets++;
    return new CountedConn(conn, this);
  };
}

class CountedConn extends WrappedConn {
  readonly #counter: Counter;

  constructor(inner: Deno.DatagramConn, counter: Counter) {
    super(inner);
    this.#counter = counter;
  }

  override send(bytes: Uint8Array, to: Deno.Addr): Promise<number> {
    this.#counter.sent++;
    return super.send(bytes, to);
  }

  override close(): void {
    this.#counter.closed++;
    super.close();
  }
}

/** A server's engine on loopback. */
async function serve<E>(engine: Engine<E>): Promise<{ port: number } & Closing> {
  const socket = await openUdp({ port: 0, hostname });
  const host = new UdpHost(engine, socket);
  return { port: socket.port, close: () => host.close() };
}

type Closing = { close(): Promise<void> };

/** Each makes a client and a server of which one has a socket behind `through`; the one tested first. */
const CLIENTS: Record<string, (through: Counter["through"]) => Promise<Closing[]>> = {
  async SyncClient(through): Promise<Closing[]> {
    const server = await serve(createSyncServer({ firstSnapshotNumber: 1 }));
    const client = await SyncClient.connect({ hostname, port: server.port }, { through });
    return [client, server];
  },
  async SyncBots(through): Promise<Closing[]> {
    const server = await serve(createSyncServer({ firstSnapshotNumber: 1 }));
    const { port } = server;
    const options = { count: 1, rateHz: 10, stateBytes: 12, through };
    const bots = await SyncBots.connect({ server: { hostname, port }, ...options });
    return [bots, server];
  },
  async ArenaClient(through): Promise<Closing[]> {
    const server = await serve(createArenaServer({ random: Math.random }));
    const client = await ArenaClient.connect({ hostname, port: server.port }, { through });
    return [client, server];
  },
  async ArenaBots(through): Promise<Closing[]> {
    const server = await serve(createArenaServer({ random: Math.random }));
    const { port } = server;
    const options = { count: 1, turnSeconds: 1, through };
    const bots = await ArenaBots.connect({ server: { hostname, port }, ...options });
    return [bots, server];
  },
  async RendezvousPeer(through): Promise<Closing[]> {
    const server = await serve(createRendezvousServer());
    const options = { name: "castle", through };
    const peer = await RendezvousPeer.host({ hostname, port: server.port }, options);
    return [peer, server];
  },
  async EventClient(through): Promise<Closing[]> {
    const server = await EventServer.listen({ format: jsonFormat(), port: 0, hostname });
    const options = { format: jsonFormat(), through };
    return [await EventClient.connect({ hostname, port: server.port }, options), server];
  },
  async EventServer(through): Promise<Closing[]> {
    const server = await EventServer.listen({ format: jsonFormat(), port: 0, hostname, through });
    const { port } = server;
    return [server, await EventClient.connect({ hostname, port }, { format: jsonFormat() })];
  },
  async WorldClient(through): Promise<Closing[]> {
    const server = await WorldServer.listen({ port: 0, hostname });
    return [await WorldClient.connect({ hostname, port: server.port }, { through }), server];
  },
  async WorldServer(through): Promise<Closing[]> {
    const server = await WorldServer.listen({ port: 0, hostname, through });
    return [server, await WorldClient.connect({ hostname, port: server.port })];
  },
};

for (const [name, open] of Object.entries(CLIENTS)) {
  Deno.test(`${name} puts its socket behind what it is told to`, async () => {
    const counter = new Counter();
    for (const end of await open(counter.through)) await end.close();
    assertEquals([counter.sockets, counter.closed], [1, 1]);
    assert(counter.sent > 0);
  });
}

Deno.test("SyncClient puts the socket of its next try behind the same", async () => {
  const server = await serve(createSyncServer({ firstSnapshotNumber: 1 }));
  const { port } = server;
  const counter = new Counter();
  const seen: number[] = [];
  const through = (conn: Deno.DatagramConn): Deno.DatagramConn => {
    seen.push((conn.addr as Deno.NetAddr).port);
    // Whoever asks from the first one gets no answer.
    return counter.through(seen.length === 1 ? new Void(conn) : conn);
  };
  const client = await SyncClient.connect({ hostname, port }, { through });
  await client.close();
  await server.close();
  assertEquals([counter.sockets, new Set(seen).size], [2, 2]);
});

/** Sends nothing. */
class Void extends WrappedConn {
  override send(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
  }
}
