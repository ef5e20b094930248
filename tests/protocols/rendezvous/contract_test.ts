import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import type { Message } from "../../../lib/protocols/rendezvous/message.ts";
import {
  createRendezvousServer,
  type RendezvousServer,
} from "../../../lib/protocols/rendezvous/server.ts";
import { encode } from "../../../lib/protocols/rendezvous/wire.ts";
import type { Random } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { testEngineContract } from "../engine_suite.ts";
import { testResumption } from "../resume_suite.ts";

const REGISTRATIONS_MAX = 6;
const NAMES = ["a", "b", "c", "d", "é", "f", "g", "h", "i"];
const LOCAL = { ip: "10.0.0.1", port: 4001 };
const PEERS = peersOf(12, 3);

testEngineContract("createRendezvousServer()", () => {
  const engine = createRendezvousServer({
    registrationsMax: REGISTRATIONS_MAX,
    registrationsPerNetworkMax: 4,
  });
  return {
    engine,
    membership: engine,
    datagram: requestDatagram,
    peers: PEERS,
    checkLimits: () => checkLimits(engine),
    endsInSilence: true,
  };
});

testResumption("createRendezvousServer()", {
  create: () =>
    createRendezvousServer({
      registrationsMax: REGISTRATIONS_MAX,
      registrationsPerNetworkMax: 4,
    }),
  datagram: requestDatagram,
  peers: PEERS,
  tellsUnheard: true,
  checkLimits,
});

testEngineContract("createRendezvousServer() with little patience", () => {
  const engine = createRendezvousServer({
    requestsPerSecond: 1,
    introductionsPerSecond: 1,
    validSecondsMax: 1,
  });
  return {
    engine,
    membership: engine,
    datagram: requestDatagram,
    peers: peersOf(4, 2),
    checkLimits: () => assert(engine.registrations <= 2 * NAMES.length),
    endsInSilence: true,
  };
});

function checkLimits(server: RendezvousServer): void {
  const { registrations } = server;
  const members = server.members();
  assert(registrations <= REGISTRATIONS_MAX, `${registrations} names`);
  assertEquals(members.length, registrations);
  const networks = members.map(({ peer }) => peer.network);
  for (const network of networks) {
    assert(networks.filter((other) => other === network).length <= 4, `too many of ${network}`);
  }
  const remembered = new Set(PEERS.filter((peer) => server.remembers(peer)));
  // What was changed in a file may name others.
  for (const { peer } of members) assert(remembered.delete(peer) || server.remembers(peer));
  assertEquals(remembered.size, 0);
}

function peersOf(count: number, networks: number): Peer[] {
  return Array.from({ length: count }, (_, index) => {
    const ip = index % 2 === 0
      ? `192.0.2.${index % networks}`
      : `[2001:db8:0:${index % networks}::1]`;
    return peerAt(`${ip}:${5_000 + index}`);
  });
}

function requestDatagram(random: Random): Uint8Array {
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  const [sender, other, password] = [pick(NAMES), pick(NAMES), pick(["key", "other"])];
  const [dialect, validSeconds] = [pick([1, 2] as const), random() * 100];
  const shared: Message[] = [
    { kind: "register", local: LOCAL, validSeconds, password, passwordRequired: true },
    { kind: "join", local: LOCAL, host: other, password },
  ];
  const later: Message[] = [
    { kind: "refresh", validSeconds },
    { kind: "list", password },
    { kind: "drop", name: sender },
    { kind: "check" },
  ];
  const message = pick(dialect === 1 ? shared : [...shared, ...later]);
  return encode(message, { dialect, sender, recipient: "", to: LOCAL, password });
}
