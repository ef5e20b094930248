/**
 * What engines saved, as anybody may have changed it since. It is refused as a whole, in words that say what
 * is wrong; or the engine that goes on from it is sound, saves the same again, and comes to rest.
 */
import { assert, assertEquals } from "@std/assert";
import type { Engine, Membership, Outbox, Peer, Resumable } from "../../../lib/protocols/engine.ts";
import { createArenaServer } from "../../../lib/protocols/arena/server.ts";
import { encodeClientMessage } from "../../../lib/protocols/arena/wire.ts";
import { createRendezvousServer } from "../../../lib/protocols/rendezvous/server.ts";
import { encode } from "../../../lib/protocols/rendezvous/wire.ts";
import { createSyncServer } from "../../../lib/protocols/sync/server.ts";
import { encodeIdRequest, encodeState } from "../../../lib/protocols/sync/wire.ts";
import { peerAt } from "../../support/recorder.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget } from "../harness/decoders.ts";
import { utf8 } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";

type Server = Engine<unknown> & Membership<Outbox<unknown>> & Resumable<Outbox<unknown>>;

/** As much of a server as is needed to have something to save. */
interface Kind {
  readonly service: string;
  /** @param places How many may be in. */
  create(places: number): Server;
  datagram(chance: Chance): Uint8Array;
  /** Names of what goes on further ahead: what was used after the last save is not used again. */
  readonly skipped: readonly string[];
}

const SILENT: Outbox<unknown> = {
  ...{ send(): void {}, broadcast(): void {}, emit(): void {} },
  ...{ backlog: 0, unsent: 0 },
};
const QUIET: Outbox<unknown> = {
  ...SILENT,
  send: () => assert(false, "something is sent to somebody who was not heard"),
};
const text = new TextDecoder();
const DURATION = /"(?:leftMs|validMs)":[\d.e+-]+/g;

function savedBy(chance: Chance, { create, datagram }: Kind): Uint8Array {
  const server = create(64);
  const peers = chance.many(9, (index) => peerAt(`192.0.2.${index % 3}:${5_000 + index}`));
  let now = 0;
  for (let count = chance.whole(60); count > 0; count--) {
    server.receive(datagram(chance), chance.pick(peers), now += chance.below(900), SILENT);
    server.advance(now, SILENT);
  }
  return utf8(JSON.stringify(server.save(now)));
}

/** Loopback addresses need not prove anything, so what they are told is told at once. */
function resumedFrom(kind: Kind, bytes: Uint8Array): { saved?: string; reason?: string } {
  // With fewer places than those who were in.
  const server = kind.create(4);
  const peers = new Map<string, Peer>();
  const at = (ip: string, port: number): Peer => {
    const address = `${ip}:${port}`;
    const peer = peers.get(address) ?? { ip, port, address, network: ip };
    peers.set(address, peer);
    return peer;
  };
  let json: unknown;
  try {
    json = JSON.parse(text.decode(bytes));
  } catch {
    return { reason: "json" };
  }
  try {
    server.resume(json as Record<string, unknown>, 0, at, QUIET);
  } catch (error) {
    assert(error instanceof TypeError, `${error}`);
    assert(/^[\w[\]. ]+ is .+, not .+$/s.test(error.message), error.message);
    assert(error.message.length < 250, error.message);
    assertEquals([server.members(), server.nextDeadline()], [[], Infinity], "half of it was done");
    return { reason: "changed" };
  }
  for (const { peer, name } of server.members()) {
    assert(server.remembers(peer), `${peer.address} is in, but not remembered`);
    assert(name !== "", `${peer.address} has no name`);
  }
  const names = server.members().map(({ name }) => name);
  const isUnique = new Set(names).size === names.length;
  assert(isUnique || kind.service === "rendezvous", `the same twice: ${names}`);
  const { version: _, ...saved } = server.save(0);
  for (const name of kind.skipped) delete (saved as Record<string, unknown>)[name];
  return { saved: JSON.stringify(saved).replace(DURATION, "") };
}

function savedDecoder(kind: Kind): Target {
  return decoderTarget({
    service: kind.service,
    name: `${kind.service}: what was saved`,
    real: (chance) => savedBy(chance, kind),
    read: (bytes) => resumedFrom(kind, bytes),
    nameOf: ({ reason }) => reason ?? "resumed",
    // What was left out for want of places, or moved to where it may be, is the same from then on.
    check: (value, bytes) => {
      if (value.saved !== undefined) assertEquals(resumedFrom(kind, bytes).saved, value.saved);
    },
    reach: { kinds: ["resumed", "json", "changed"] },
    seeds: 5,
    inputs: 100,
  });
}

const NAMES = ["one", "two", "\u{1f600}", "a", "b", "c", "d"];

/** Of sync, the arena and rendezvous. */
export const SAVED_DECODERS: readonly Target[] = [
  savedDecoder({
    service: "sync",
    create: (clientsMax) =>
      createSyncServer({ firstSnapshotNumber: 1, clientsMax, silenceMs: 3_000 }),
    datagram: (chance) => {
      const state = utf8(chance.pick(["", "é", "{}"]));
      return chance.is(0.5) ? encodeIdRequest() : encodeState(BigInt(chance.whole(9)), state);
    },
    skipped: ["nextId", "snapshotNumber"],
  }),
  savedDecoder({
    service: "arena",
    create: (playersMax) => createArenaServer({ playersMax, random: () => 0.5 }),
    datagram: (chance) =>
      encodeClientMessage(
        chance.pick([{ kind: "join" }, { kind: "input", dx: 1, dy: 0.1 }, { kind: "fire" }, {
          kind: "ack",
          sequences: [0, 1, 2],
        }]),
      ),
    skipped: ["sequence"],
  }),
  savedDecoder({
    service: "rendezvous",
    create: (registrationsMax) => createRendezvousServer({ registrationsMax }),
    datagram: (chance) => {
      const dialect = chance.pick([1, 2] as const);
      const message = {
        ...{ kind: "register", local: { ip: "10.0.0.1", port: 7 }, validSeconds: 60 } as const,
        ...dialect === 2 && { password: "key", passwordRequired: chance.is(0.5) },
      };
      const to = { ip: "192.0.2.1", port: 5_160 };
      const sender = chance.pick(NAMES);
      return encode(message, { dialect, sender, recipient: "", to, password: "key" });
    },
    skipped: [],
  }),
];
