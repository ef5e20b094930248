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
