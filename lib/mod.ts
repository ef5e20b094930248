/**
 * netsync as a library: protocol engines to embed, and clients to play with.
 *
 * @module
 */
export { type HostPort, parseHostPort } from "./hosts/address.ts";
export { openUdp, type UdpCounters, UdpHost, type UdpHostOptions } from "./hosts/udp.ts";
export { type UdpSocket } from "./hosts/udp.ts";
export { type PortOptions } from "./hosts/open_port.ts";
export { type OutboxCounters } from "./hosts/outbox.ts";
export type { Engine, Outbox, Peer } from "./protocols/engine.ts";
export {
  createSyncServer,
  type SyncCensus,
  type SyncEvent,
  type SyncRefusal,
  type SyncServer,
  type SyncServerOptions,
} from "./protocols/sync/server.ts";
export { type WireRefusal } from "./protocols/sync/wire.ts";
export { ConnectTimeoutError } from "./clients/reach.ts";
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
export type { Client, Departure, HubMessage, HubRefusal } from "./protocols/events/hub.ts";
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
