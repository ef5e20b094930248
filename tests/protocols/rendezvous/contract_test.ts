import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import type { Message } from "../../../lib/protocols/rendezvous/message.ts";
import { createRendezvousServer } from "../../../lib/protocols/rendezvous/server.ts";
import { encode } from "../../../lib/protocols/rendezvous/wire.ts";
import type { Random } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { testEngineContract } from "../engine_suite.ts";

const REGISTRATIONS_MAX = 6;
const NAMES = ["a", "b", "c", "d", "é", "f", "g", "h", "i"];
const LOCAL = { ip: "10.0.0.1", port: 4001 };

testEngineContract("createRendezvousServer()", () => {
  const engine = createRendezvousServer({
    registrationsMax: REGISTRATIONS_MAX,
    registrationsPerNetworkMax: 4,
  });
  const peers = peersOf(12, 3);
  return {
    engine,
    datagram: requestDatagram,
    peers,
    checkLimits(): void {
      const remembered = peers.filter((peer) => engine.remembers(peer)).length;
      assert(engine.registrations <= REGISTRATIONS_MAX, `${engine.registrations} names`);
      assert(remembered <= engine.registrations, `${remembered} are remembered`);
      assertEquals(remembered > 0, engine.registrations > 0);
    },
    endsInSilence: true,
  };
});

testEngineContract("createRendezvousServer() with little patience", () => {
  const engine = createRendezvousServer({
    requestsPerSecond: 1,
    introductionsPerSecond: 1,
    validSecondsMax: 1,
  });
  return {
    engine,
    datagram: requestDatagram,
    peers: peersOf(4, 2),
    checkLimits: () => assert(engine.registrations <= 2 * NAMES.length),
    endsInSilence: true,
  };
});

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
