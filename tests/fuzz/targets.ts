/** Everything that is fuzzed. */
import { ARENA_DECODERS } from "./decoders/arena.ts";
import { HOME_DECODERS } from "./decoders/home.ts";
import { MESSAGES_DECODERS } from "./decoders/messages.ts";
import { MSGPACK_DECODERS } from "./decoders/msgpack.ts";
import { PARTS_DECODERS } from "./decoders/parts.ts";
import { RENDEZVOUS_DECODERS } from "./decoders/rendezvous.ts";
import { ROUTER_DECODERS } from "./decoders/routers.ts";
import { SAVED_DECODERS } from "./decoders/saved.ts";
import { STREAM_DECODERS } from "./decoders/streams.ts";
import { SYNC_DECODERS } from "./decoders/sync.ts";
import { WORLD_DECODERS } from "./decoders/world.ts";
import { ARENA_SERVER } from "./engines/arena.ts";
import { CLIENTS } from "./engines/clients.ts";
import { EVENTS_SERVERS } from "./engines/events.ts";
import { MESSAGES_CLIENT, MESSAGES_SERVER } from "./engines/messages.ts";
import { PLAYER } from "./engines/player.ts";
import { RENDEZVOUS_SERVER } from "./engines/rendezvous.ts";
import { SYNC_SERVER } from "./engines/sync.ts";
import { WORLD_SERVER } from "./engines/world.ts";
import { WORLD_CLIENT } from "./engines/world_client.ts";
import type { Target } from "./harness/target.ts";

/** Whatever reads bytes or texts from strangers. */
export const DECODERS: readonly Target[] = [
  ...SYNC_DECODERS,
  ...RENDEZVOUS_DECODERS,
  ...ARENA_DECODERS,
  ...WORLD_DECODERS,
  ...MESSAGES_DECODERS,
  ...STREAM_DECODERS,
  ...SAVED_DECODERS,
  ...PARTS_DECODERS,
  ...MSGPACK_DECODERS,
  ...HOME_DECODERS,
  ...ROUTER_DECODERS,
];

/** Whoever remembers what strangers said. */
export const SERVERS: readonly Target[] = [
  ...[SYNC_SERVER, RENDEZVOUS_SERVER, ARENA_SERVER, ...EVENTS_SERVERS],
  ...[WORLD_SERVER, MESSAGES_SERVER],
];

/** Whoever listens to a server. */
export const PEERS: readonly Target[] = [...CLIENTS, WORLD_CLIENT, PLAYER, MESSAGES_CLIENT];

/** All of them. */
export const TARGETS: readonly Target[] = [...DECODERS, ...SERVERS, ...PEERS];
