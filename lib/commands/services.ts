/** All kinds of services. */
import { kind as arena } from "./arena.ts";
import { kind as echo } from "./echo.ts";
import type { ServiceKind } from "./hosting/service_kind.ts";
import { kind as messages } from "./messages.ts";
import { kind as rendezvous } from "./rendezvous.ts";
import { kind as sync } from "./sync.ts";
import { kind as world } from "./world.ts";

/** Their kinds by name, in the order in which people are told of them. */
export const SERVICES: ReadonlyMap<string, ServiceKind> = new Map(
  [sync, rendezvous, arena, echo, messages, world].map((kind) => [kind.name, kind]),
);
