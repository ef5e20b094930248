/**
 * netsync as a library: clients to play with, servers to embed, and the engines inside of both.
 *
 * It needs Deno 2.4 or later with `--allow-net`, and `"unstable": ["net"]` in deno.json for UDP. Nothing here
 * reads files, or talks to anybody before it is told to.
 *
 * | protocol | a client | a server in a few lines | the engine |
 * | --- | --- | --- | --- |
 * | sync: each sees everybody's state | {@linkcode SyncClient} | {@linkcode UdpHost} | {@linkcode createSyncServer} |
 * | rendezvous: players behind routers meet | {@linkcode RendezvousPeer} | {@linkcode UdpHost} | {@linkcode createRendezvousServer} |
 * | arena: players and bullets | {@linkcode ArenaClient} | {@linkcode UdpHost} | {@linkcode createArenaServer} |
 * | events of your own, by name | {@linkcode EventClient} | {@linkcode EventServer} | {@linkcode createEchoServer}, an example |
 * | messages with headers, over TCP | {@linkcode MessageClient} | {@linkcode MessageServer} | {@linkcode createMessageServer} |
 * | world: objects that others mirror | {@linkcode WorldClient} | {@linkcode WorldServer} | {@linkcode createWorldServer} |
 *
 * **Play.** Each client says what it hears by events:
 *
 * ```ts
 * import { SyncClient } from "@netsync/netsync";
 *
 * await using client = await SyncClient.connect("localhost:55555");
 * client.on("joined", ({ id, state }) => console.log(`player ${id} is here: ${state}`));
 * client.on("left", ({ id }) => console.log(`player ${id} is gone`));
 * client.send(JSON.stringify({ x: 17 }));
 * ```
 *
 * **Serve.** An engine decides, a host owns the socket and the clock:
 *
 * ```ts
 * import { createSyncServer, openUdp, UdpHost } from "@netsync/netsync";
 *
 * const engine = createSyncServer({ firstSnapshotNumber: Date.now() * 1_000, stateBytesMax: 1_000 });
 * const host = new UdpHost(engine, await openUdp({ port: 55_555 }), {
 *   onEvent: (event) => event.kind === "joined" && console.log(`player ${event.id}`),
 *   onFault: (error) => console.error(error),
 * });
 * Deno.addSignalListener("SIGINT", () => host.close());
 * ```
 *
 * **Mirror a world.** What `step` changes is told to whoever watches:
 *
 * ```ts
 * import { WorldServer } from "@netsync/netsync";
 *
 * const server = await WorldServer.listen({
 *   port: 25_005,
 *   tickRateHz: 30,
 *   step(world, seconds): void {
 *     if (world.objects.size === 0) world.spawn({ velocity: [seconds, 0, 0] });
 *   },
 * });
 * console.log(server.addresses);
 * ```
 *
 * **Engines.** Each is a state machine without sockets and clocks (see {@linkcode Engine}): datagrams, the time
 * and chance go in, datagrams and events come out. The same goes in, the same comes out, so an hour of play is a
 * loop in a test. What strangers send never throws: it is refused, with a reason out of a closed set, such as
 * {@linkcode SyncRefusal}. What may grow has a limit, which is an option with its default at it; a number in the
 * name of an option has its unit there (`silenceMs`, `stateBytesMax`, `rateHz`).
 *
 * None of the protocols encrypts, or knows who somebody is: SECURITY.md says what follows from that.
 *
 * @module
 */
export { type HostPort, parseHostPort } from "./hosts/address.ts";
export { openUdp, type UdpCounters, UdpHost, type UdpHostOptions } from "./hosts/udp.ts";
export type { PeerTraffic } from "./hosts/traffic.ts";
export { type UdpOptions, type UdpSocket } from "./hosts/udp.ts";
export { type BadNetwork, simulateNetwork } from "./hosts/simulate_network.ts";
export { type Impairment } from "./parts/impairment.ts";
export type { Overspent } from "./parts/budget.ts";
export { type PortOptions } from "./hosts/open_port.ts";
export { type OutboxCounters } from "./hosts/outbox.ts";
export type {
  Engine,
  Member,
  Membership,
  Outbox,
  Peer,
  Resumable,
  Saved,
  StreamEnd,
  StreamEngine,
  StreamOutbox,
} from "./protocols/engine.ts";
export {
  createSyncServer,
  type SyncCensus,
  type SyncDeparture,
  type SyncEvent,
  type SyncRefusal,
  type SyncServer,
  type SyncServerOptions,
} from "./protocols/sync/server.ts";
export { type WireRefusal } from "./protocols/sync/wire.ts";
export { ConnectTimeoutError, type SocketOptions } from "./clients/reach.ts";
export {
  SYNC_PORT,
  SyncClient,
  type SyncClientConnectOptions,
  type SyncClientEvents,
  type SyncClientListener,
} from "./clients/sync.ts";
export {
  createRendezvousServer,
  type RendezvousEvent,
  type RendezvousRefusal,
  type RendezvousServer,
  type RendezvousServerOptions,
} from "./protocols/rendezvous/server.ts";
export { type WireRefusal as RendezvousWireRefusal } from "./protocols/rendezvous/wire.ts";
export type { Dialect, Endpoint } from "./protocols/rendezvous/message.ts";
export type { LossReason, Path } from "./protocols/rendezvous/link.ts";
export { createPlayer } from "./protocols/rendezvous/peer.ts";
export type {
  EndReason,
  Player,
  PlayerEvent,
  PlayerOptions,
  PlayerRefusal,
  RemotePlayer,
} from "./protocols/rendezvous/player.ts";
export type { JsonObject } from "./parts/json.ts";
export {
  RENDEZVOUS_PORT,
  RendezvousError,
  RendezvousPeer,
  type RendezvousPeerEvents,
  type RendezvousPeerOptions,
} from "./clients/rendezvous.ts";
export {
  type ArenaCensus,
  type ArenaEvent,
  type ArenaRefusal,
  type ArenaServer,
  type ArenaServerOptions,
  createArenaServer,
} from "./protocols/arena/server.ts";
export { type Lagging as ArenaLagging } from "./protocols/arena/rounds.ts";
export type {
  BulletState,
  PlayerState,
  WireRefusal as ArenaWireRefusal,
} from "./protocols/arena/wire.ts";
export { Histogram } from "./parts/histogram.ts";
export {
  createEchoServer,
  type EchoEvent,
  type EchoRefusal,
  type EchoServer,
  type EchoServerOptions,
} from "./protocols/echo/server.ts";
export type {
  Client,
  Departure,
  Heartbeat,
  HubMessage,
  HubRefusal,
} from "./protocols/events/hub.ts";
export type {
  EventFormat,
  FormatRefusal,
  Incoming,
  NamedEvent,
  Outgoing,
  Payload,
  Welcome,
} from "./protocols/events/format.ts";
export { jsonFormat } from "./protocols/events/json.ts";
export { msgpackFormat } from "./protocols/events/packed.ts";
export type { EventRefusal } from "./protocols/events/server.ts";
export { EventServer, type EventServerOptions, type ServerHeard } from "./clients/event_server.ts";
export { type ClientHeard, EventClient, type EventClientOptions } from "./clients/event_client.ts";
export {
  ARENA_PORT,
  ArenaClient,
  type ArenaClientEvents,
  type ArenaClientOptions,
} from "./clients/arena.ts";
export { openTcp, type TcpCounters, TcpHost, type TcpHostOptions } from "./hosts/tcp.ts";
export { type TcpListener } from "./hosts/tcp.ts";
export { type TcpTraffic } from "./hosts/connection.ts";
export { type Header, NetworkMessage } from "./protocols/messages/message.ts";
export { type Sent } from "./protocols/messages/outgoing.ts";
export { type Framing } from "./protocols/messages/connection.ts";
export { type WireRefusal as MessageWireRefusal } from "./protocols/messages/wire.ts";
export {
  createMessageServer,
  type Disconnection,
  type MessageOutbox,
  type MessageRefusal,
  type MessageServerEngine,
  type MessageServerEngineOptions,
  type MessageServerEvent,
} from "./protocols/messages/server.ts";
export { type NetworkRefusal } from "./protocols/messages/networks.ts";
export { createMessageRelay } from "./protocols/messages/relay.ts";
export {
  type ClientEnd,
  createMessageClient,
  type MessageClientEngine,
  type MessageClientEngineOptions,
  type MessageClientEvent,
  type MessageClientOutbox,
} from "./protocols/messages/client.ts";
export {
  type ConnectedClient,
  MessageServer,
  type MessageServerOptions,
} from "./clients/message_server.ts";
export {
  type Connected,
  MessageClient,
  type MessageClientOptions,
  MESSAGES_PORT,
} from "./clients/message_client.ts";
export { type Signal, type SignalListener } from "./clients/signal.ts";
export type {
  PhysicalTraits,
  Quaternion,
  TraitChanges,
  Traits,
  Vector,
} from "./protocols/world/traits.ts";
export type { Json } from "./parts/json.ts";
export {
  type Changes as WorldChanges,
  type Entity as WorldEntity,
  type Part as WorldPart,
  type Told as WorldTold,
  World,
  type WorldOptions,
} from "./protocols/world/world.ts";
export { type Lagging as WorldLagging } from "./protocols/world/rounds.ts";
export { type Obstacle as WorldObstacle } from "./protocols/world/guests.ts";
export type { Pose } from "./protocols/world/motion.ts";
export type { Effect as WorldEffect } from "./protocols/world/mirror.ts";
export { type WireRefusal as WorldWireRefusal } from "./protocols/world/wire.ts";
export {
  createWorldServer,
  type WorldCensus,
  type WorldClientStatus,
  type WorldDeparture,
  type WorldRefusal,
  type WorldServerEngine,
  type WorldServerEvent,
  type WorldServerOptions,
} from "./protocols/world/server.ts";
export {
  createWorldClient,
  type WorldClientEngine,
  type WorldClientEngineOptions,
  type WorldClientEvent,
  type WorldClientRefusal,
} from "./protocols/world/client.ts";
export {
  WORLD_PORT,
  WorldServer,
  type WorldServerEvents,
  type WorldServerListenOptions,
} from "./clients/world_server.ts";
export {
  ServerFullError,
  WorldClient,
  type WorldClientEvents,
  type WorldClientOptions,
} from "./clients/world_client.ts";
