/**
 * What a spoofed source can be sent: no receiver ever gets more than three times the bytes of the
 * request that is the reason, repeats included. Requests are as short and as long as they can be.
 */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createRendezvousServer,
  type RendezvousEvent,
  type RendezvousServerOptions,
} from "../../../lib/protocols/rendezvous/server.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import { bytesOf, type Fields, signed } from "./datagrams.ts";

const AMPLIFICATION_MAX = 3;
const DATAGRAM_BYTES_MAX = 8_192;
const KEY = "k";
const NAMES = ["h", "h".repeat(64), "\u{1f600}".repeat(64), '"'.repeat(64)];
const LOCALS = [["::", 1], ["2001:db8:1111:2222:3333:4444:255.255.255.254", 65_535]];
const ADDRESSES = ["1.1.1.1:1", "[2001:db8:1111:2222:3333:4444:5555:6666]:65535"];

const utf8 = new TextEncoder();

function d2(type: string, sender: string | null, body: Fields): Fields {
  const envelope = { "__destination-name": null, "__destination-address": 0 };
  return signed({ "__type": type, "__sender-name": sender, ...envelope, ...body }, KEY);
}

function register(name: string, local: unknown): Fields[] {
  const body = { "local-address": local, "seconds-before-expiry": 60 };
  const own = { "password": KEY, "password-required": false };
  return [
    { "type": "registering-server", "sender": name, ...body },
    d2("registering-server", name, { ...body, ...own }),
  ];
}

function join(name: string, host: string, local: unknown): Fields[] {
  const body = { "local-address": local, "server-name": host };
  const [ip, port] = local as unknown[];
  const documented = { "local-ip": ip, "local-port": port, "server-name": host };
  return [
    { "type": "requesting-to-join-server", "sender": name, ...body },
    { "type": "requesting-to-join-server", "sender": name, ...documented },
    d2("requesting-to-join-server", name, { ...body, "password": KEY }),
  ];
}

/** Requests without what a server needs to do anything, and what is no request. */
function incomplete(name: string, local: unknown): Fields[] {
  const types = ["", "x", "registering-server", "requesting-to-join-server", "server-error"];
  return [
    {},
    { "sender": name },
    { "sender": name, "local-address": local },
    ...types.flatMap((type): Fields[] => [
      { type },
      { type, "sender": name },
      { type, "sender": name, "local-address": local },
      { "__type": type, "__sender-name": name },
    ]),
    ...["peer-check", "server-error", "providing-server-list", "update-peer-list"].map((type) => {
      const body = { "servers": [], "action": "add", "peer-infos": {}, "message": "" };
      return d2(type, name, body);
    }),
  ];
}

/** Everything that can be asked, each in every form. */
function* requests(): Generator<Fields> {
  yield d2("requesting-server-list", null, { "password": KEY });
  yield d2("requesting-server-list", null, { "password": "k".repeat(64) });
  for (const name of [...NAMES, "p"]) {
    yield d2("requesting-server-list", name, { "password": KEY });
    yield d2("refreshing-server-registration", name, { "seconds-before-expiry": 1 });
    yield d2("drop-me", "p", { name });
    for (const local of LOCALS) {
      yield* register(name, local);
      yield* incomplete(name, local);
      for (const host of [...NAMES, "nobody"]) yield* join(name, host, local);
    }
  }
}

/** As short as can be, filled up to a few lengths, and as long as can be. */
function* formsOf(fields: Fields): Generator<Uint8Array> {
  const plain = bytesOf(fields);
  yield plain;
  for (const length of [plain.length + 1, 300, 600, 1_400, DATAGRAM_BYTES_MAX]) {
    // White space outside of all texts: the hash does not count it.
    if (length > plain.length) yield utf8.encode(JSON.stringify(fields).padEnd(length));
  }
}

function bytesPerReceiver(play: Play<RendezvousEvent>): Map<Peer, number> {
  const sums = new Map<Peer, number>();
  for (const { to, bytes } of play.out.takeSent()) sums.set(to, (sums.get(to) ?? 0) + bytes.length);
  return sums;
}

/** A host of every name in both dialects registers, and many more names. */
function crowd(play: Play<RendezvousEvent>, host: Peer, local: unknown): void {
  const more = Array.from({ length: 60 }, (_, index) => `one of many ${index}`);
  for (const name of [...NAMES, ...more]) {
    for (const fields of register(name, local)) {
      play.receive(bytesOf(fields), host);
    }
  }
  assertEquals(play.out.takeSent().length, 2 * (NAMES.length + more.length));
}

function crowded(hostAt: string, local: unknown): { play: Play<RendezvousEvent>; host: Peer } {
  const options = { requestsPerSecond: 1e6, registrationsPerNetworkMax: 1e3 };
  const play = new Play(createRendezvousServer(options));
  const host = peerAt(hostAt);
  crowd(play, host, local);
  return { play, host };
}

Deno.test("createRendezvousServer() sends nobody more than three times the bytes of a request", () => {
  let answered = 0;
  for (const hostAt of ADDRESSES) {
    for (const hostLocal of LOCALS) {
      const { play, host } = crowded(hostAt, hostLocal);
      let port = 10_000; // From here on five digits.
      for (const fields of requests()) {
        for (const datagram of formsOf(fields)) {
          for (const network of ["192.0.2.1", "[2001:db8:1111:2222:3333:4444:5555:7777]"]) {
            const fresh = peerAt(`${network}:${port++}`);
            play.receive(datagram, fresh);
            play.wait(1_000);
            const what = JSON.stringify(fields);
            for (const [receiver, bytes] of bytesPerReceiver(play)) {
              assert(receiver === fresh || receiver === host, `a third one hears of ${what}`);
              const most = AMPLIFICATION_MAX * datagram.length;
              assert(bytes <= most, `${bytes} bytes for ${datagram.length}: ${what}`);
              answered++;
            }
          }
          if (port % 40 === 0) crowd(play, host, hostLocal); // Before they expire.
        }
      }
    }
  }
  assert(answered > 1_000, `${answered} answers show nothing`);
});

Deno.test("createRendezvousServer() sends a host nothing for a join in the host's own name", () => {
  for (const hostAt of ADDRESSES) {
    const { play, host } = crowded(hostAt, LOCALS[1]);
    for (const fields of join("p", "h", LOCALS[1])) {
      for (const datagram of formsOf(fields)) {
        play.receive(datagram, host);
        play.wait(1_000);
        assertEquals(play.out.takeSent(), []);
      }
    }
  }
});

Deno.test("createRendezvousServer() sends no errors for errors, and nothing for rubbish", () => {
  const { play } = crowded(ADDRESSES[0]!, LOCALS[0]);
  const victim = peerAt("192.0.2.1:9");
  const asked = [{ "sender": "alice", "local-address": LOCALS[0], "x": "x".repeat(50) }];
  for (const fields of [...asked, ...join("p", "nobody", LOCALS[0])]) {
    play.receive(bytesOf(fields), victim);
  }
  const errors = play.out.takeSent();
  assertEquals(errors.length, 4);
  for (const { bytes } of errors) play.receive(bytes, victim);
  for (const { bytes } of errors) play.receive(bytes.slice(1), victim);
  play.wait(1_000);
  assertEquals(play.out.takeSent(), []);
});

Deno.test("createRendezvousServer() answers what is exactly a third as long, nothing shorter", () => {
  const play = new Play(createRendezvousServer());
  const from = peerAt("192.0.2.1:9");
  const request = JSON.stringify({ "sender": "carolyn" }); // The error is 102 bytes long.
  const sizes = [35, 34, 33].map((length) => {
    play.receive(utf8.encode(request.padEnd(length)), from);
    return play.out.takeSent().map(({ bytes }) => bytes.length);
  });
  assertEquals(sizes, [[102], [102], []]);
});

/** So many joins a second from as many networks, all at one host, for ten seconds. */
function flood(perSecond: number, options: RendezvousServerOptions = {}): number {
  const play = new Play(createRendezvousServer(options));
  const host = peerAt("203.0.113.5:4001");
  for (const fields of register("h", LOCALS[1])) {
    play.receive(bytesOf(fields), host);
  }
  play.out.takeSent();
  const datagrams = join("p", "h", LOCALS[0]).flatMap((fields) => [...formsOf(fields)]);
  for (let count = 0; count < 10 * perSecond; count++) {
    const source = peerAt(`10.${count >> 16}.${(count >> 8) & 255}.${count & 255}:1`);
    play.receive(datagrams[count % datagrams.length]!, source);
    play.wait(1_000 / perSecond);
  }
  play.wait(1_000);
  return play.out.takeSentTo(host).length;
}

Deno.test("createRendezvousServer() sends a host so much at most, however many ask for it", () => {
  // At once 60, then 20 a second, each of them twice.
  const most = 2 * (60 + 10 * 20);
  for (const perSecond of [100, 1_000]) {
    const sent = flood(perSecond);
    assert(sent <= most && sent > most / 2, `${sent} datagrams, at most ${most}`);
  }
  assert(flood(100, { introductionsPerSecond: 1 }) <= 2 * (3 + 10));
});

Deno.test("createRendezvousServer() sends a source so much at most, however much is said in its name", () => {
  const { play } = crowded(ADDRESSES[0]!, LOCALS[0]);
  const limited = new Play(createRendezvousServer());
  const victim = peerAt("192.0.2.1:9");
  const datagram = utf8.encode(JSON.stringify(join("p", "nobody", LOCALS[0])[0]));
  for (let count = 0; count < 10_000; count++) {
    for (const each of [play, limited]) {
      each.receive(datagram, victim);
      each.wait(1);
    }
  }
  assertEquals(play.out.takeSent().length, 10_000); // A server whose limit is far.
  const sent = limited.out.takeSent().length;
  assert(sent <= 90 + 10 * 30, `${sent} answers in ten seconds`);
});
