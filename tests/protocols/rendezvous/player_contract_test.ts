import { assert } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import type { Dialect, Message, PeerInfo } from "../../../lib/protocols/rendezvous/message.ts";
import { createPlayer } from "../../../lib/protocols/rendezvous/peer.ts";
import { encode } from "../../../lib/protocols/rendezvous/wire.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { testEngineContract } from "../engine_suite.ts";

const PLAYERS_MAX = 4;
const HOST = "castle";
const NAMES = [HOST, "ada", "bob", "cleo", "dora", "é", "f", "g"];

for (const dialect of [1, 2] as const) {
  for (const name of [HOST, "ada"]) {
    const host = name === HOST ? undefined : HOST;
    testEngineContract(
      `createPlayer() as ${host ? "joiner" : "host"} of dialect ${dialect}`,
      () => {
        const known = new Map<string, Peer>();
        const at = (ip: string, port: number): Peer => {
          const peer = known.get(`${ip}:${port}`) ?? peerAt(`${ip}:${port}`);
          known.set(peer.address, peer);
          return peer;
        };
        const engine = createPlayer({
          name,
          host,
          dialect,
          playersMax: PLAYERS_MAX,
          local: { ip: "10.0.0.200", port: 4_000 },
          checkMs: 2_000,
          random: seededRandom(7),
          peerAt: at,
        });
        const server = at("192.0.2.1", 5_160);
        const peers = [server, ...NAMES.map((_, index) => at(`203.0.113.${index + 1}`, 4_000))];
        // What the server says is hashed with the key that the player made up.
        const key = { text: "" };
        return {
          engine,
          datagram: (random) => datagramFor(name, dialect, random, key.text),
          peers,
          begin(now, out): void {
            engine.connect([server], now, {
              send(peer, bytes): void {
                const { password } = JSON.parse(new TextDecoder().decode(bytes));
                key.text = password ?? "";
                out.send(peer, bytes);
              },
              broadcast: (all, bytes) => out.broadcast(all, bytes),
              emit: (event) => out.emit(event),
              backlog: 0,
              unsent: 0,
            });
          },
          checkLimits(): void {
            assert(engine.players.size <= PLAYERS_MAX, `${engine.players.size} players`);
            const remembered = [...known.values()].filter((peer) => engine.remembers(peer)).length;
            // The server; and three addresses of each: global, local, and one its router chose.
            assert(remembered <= 1 + 3 * PLAYERS_MAX, `${remembered} are remembered`);
            assert(
              !engine.ended || engine.nextDeadline() === Infinity,
              "ended, and something is due",
            );
            assert(!engine.ended || remembered === 0, "ended, and somebody is remembered");
          },
          endsInSilence: false,
        };
      },
    );
  }
}

/** What the server or some player may say to `name`. */
function datagramFor(name: string, dialect: Dialect, random: Random, key: string): Uint8Array {
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  const sender = pick(NAMES);
  const id = Math.floor(random() * 4);
  const session = pick([undefined, 1, 2]);
  const usedGlobal = random() < 0.5;
  const fromServer: Message[] = [
    { kind: "registered" },
    { kind: "introduction", peer: pick(NAMES), ...infoOf(random) },
    { kind: "introduction", peer: pick([HOST, "bob"]), ...infoOf(random) },
    { kind: "error", message: "x" },
  ];
  const fromPlayers: Message[] = [
    { kind: "inquiry", usedGlobal },
    { kind: "inquiryResponse", usedGlobal },
    { kind: "inquiryResponse", usedGlobal },
    { kind: "check" },
    { kind: "checkResponse" },
    { kind: "unreliable", message: [id] },
    { kind: "reliable", id, message: "é", session },
    { kind: "reliableResponse", id, message: "é", session },
  ];
  if (dialect === 2) {
    const peers = new Map([1, 2, 3].map(() => [pick(NAMES), infoOf(random)]));
    fromServer.push({ kind: "refreshed" }, { kind: "servers", servers: [] });
    fromPlayers.push(
      { kind: "peerList", action: "add", peers, id },
      { kind: "peerList", action: "remove", peers, id: undefined },
      { kind: "peerListResponse", id: pick([id, undefined]) },
    );
    if (random() < 0.1) fromPlayers.push({ kind: "drop", name: sender });
  }
  const isServer = random() < 0.3;
  // Errors end a session: they are rare.
  const replies = random() < 0.05 ? fromServer : fromServer.filter(({ kind }) => kind !== "error");
  return encode(pick(isServer ? replies : fromPlayers), {
    dialect,
    sender: isServer ? null : sender,
    recipient: name,
    to: { ip: "10.0.0.200", port: 4_000 },
    password: isServer ? key : HOST,
  });
}

function infoOf(random: Random): PeerInfo {
  const number = 1 + Math.floor(random() * NAMES.length);
  return {
    globalAddress: { ip: `203.0.113.${number}`, port: 4_000 },
    localAddress: random() < 0.8
      ? { ip: `10.0.0.${number}`, port: 4_000 }
      : { ip: "0.0.0.0", port: 4_000 },
    usesGlobal: random() < 0.5,
  };
}
