import { createSyncServer, openUdp, UdpHost } from "@netsync/netsync";

// The server inside a program of your own: the engine decides, the host owns the socket.
const engine = createSyncServer({ firstSnapshotNumber: Date.now() * 1_000, rateHz: 30 });
const socket = await openUdp({ port: Number(Deno.args[0] ?? 55_555) });
const host = new UdpHost(engine, socket, {
  onEvent: (event) => {
    if (event.kind === "joined") console.log(`player ${event.id} from ${event.peer.address}`);
    if (event.kind === "left") console.log(`player ${event.id} left`);
  },
  onFault: (error) => console.error(error),
});
console.log(`listening on ${socket.addresses.join(" and ")}`);

Deno.addSignalListener("SIGINT", async () => {
  await host.close();
  Deno.exit(0);
});
