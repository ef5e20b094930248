import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import { createSyncClient } from "../../../lib/protocols/sync/client.ts";
import { createSyncServer, type SyncServer } from "../../../lib/protocols/sync/server.ts";
import {
  DATAGRAM_BYTES_MAX,
  encodeIdReply,
  encodeIdRequest,
  encodeState,
} from "../../../lib/protocols/sync/wire.ts";
import type { Random } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { testEngineContract } from "../engine_suite.ts";
import { testResumption } from "../resume_suite.ts";

const CLIENTS_MAX = 6;
const utf8 = new TextEncoder();

testEngineContract("createSyncServer()", () => {
  const engine = createSyncServer({
    firstSnapshotNumber: 1,
    clientsMax: CLIENTS_MAX,
    clientsPerNetworkMax: 4,
  });
  return {
    engine,
    membership: engine,
    datagram: clientDatagram,
    peers: peersOf(12, 3),
    checkLimits: () => checkLimits(engine),
    endsInSilence: true,
  };
});

testResumption("createSyncServer()", {
  skipped: ["snapshotNumber", "nextId"],
  create: () =>
    createSyncServer({
      firstSnapshotNumber: 1,
      clientsMax: CLIENTS_MAX,
      clientsPerNetworkMax: 4,
    }),
  datagram: clientDatagram,
  peers: peersOf(12, 3),
  checkLimits,
});

testEngineContract("createSyncServer() without a rate", () => {
  const engine = createSyncServer({ firstSnapshotNumber: 1, rateHz: 0, stateBytesMax: 64 });
  return {
    engine,
    membership: engine,
    datagram: clientDatagram,
    peers: peersOf(8, 8),
    checkLimits(): void {
      // Escaped, a byte of text is six at most.
      assert(engine.census().snapshotBytes <= 10 + 8 * (6 * 64 + 10));
    },
    endsInSilence: true,
  };
});

testEngineContract("createSyncClient()", () => {
  const engine = createSyncClient();
  const peers = peersOf(4, 4);
  const servers = peers.slice(0, 2);
  return {
    engine,
    datagram: serverDatagram,
    peers,
    begin(now, out): void {
      engine.connect(servers, now);
      engine.setState(utf8.encode("here"), now, out);
    },
    checkLimits(): void {
      for (const peer of peers) {
        assert(engine.remembers(peer) === servers.includes(peer), "only servers are remembered");
      }
    },
    endsInSilence: false,
  };
});

testEngineContract("createSyncClient() before connect()", () => ({
  engine: createSyncClient(),
  datagram: serverDatagram,
  peers: peersOf(2, 2),
  checkLimits(): void {},
  endsInSilence: true,
}));

function checkLimits(server: SyncServer): void {
  const { players, unverified, departed, snapshotBytes } = server.census();
  assert(players <= CLIENTS_MAX, `${players} players`);
  assert(unverified <= 4 * CLIENTS_MAX, `${unverified} unverified`);
  assert(departed <= CLIENTS_MAX, `${departed} departed`);
  assert(snapshotBytes <= DATAGRAM_BYTES_MAX, `${snapshotBytes} bytes`);
  assertEquals(server.members().length, players);
}

function peersOf(count: number, networks: number): Peer[] {
  return Array.from(
    { length: count },
    (_, index) => peerAt(`192.0.2.${index % networks}:${5_000 + index}`),
  );
}

function clientDatagram(random: Random): Uint8Array {
  const kind = random();
  if (kind < 0.3) return encodeIdRequest();
  if (kind < 0.4) return encodeState(0n, new Uint8Array(0));
  const number = BigInt(Math.floor(random() * (kind < 0.9 ? 40 : 2 ** 53)));
  const length = kind < 0.95 ? random() * 40 : random() * 40_000;
  return encodeState(number, utf8.encode('x"\\é'.repeat(Math.ceil(length / 5))));
}

function serverDatagram(random: Random): Uint8Array {
  const kind = random();
  const number = BigInt(Math.floor(random() * (kind < 0.9 ? 1_000 : 2 ** 53)));
  if (kind < 0.3) return encodeIdReply(number);
  return encodeState(number, utf8.encode(`{"0":"${"y".repeat(random() * 50)}"}`));
}
