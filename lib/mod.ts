/**
 * netsync as a library: protocol engines to embed, and clients to play with.
 *
 * @module
 */
export { type HostPort, parseHostPort } from "./hosts/address.ts";
export { openUdp, type UdpCounters, UdpHost, type UdpHostOptions } from "./hosts/udp.ts";
export { type UdpOptions, type UdpSocket } from "./hosts/udp.ts";
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
export {
  ConnectTimeoutError,
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
