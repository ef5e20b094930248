import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Dictionary } from "../../../lib/protocols/sync/dictionary.ts";
import { createSyncServer, type SyncEvent } from "../../../lib/protocols/sync/server.ts";
import {
  decodeClientMessage,
  decodeServerMessage,
  encodeIdReply,
  encodeIdRequest,
  encodeState,
  parseStates,
  STATE_BYTES_MAX,
  writeNumber,
} from "../../../lib/protocols/sync/wire.ts";
import type { Peer } from "../../../lib/protocols/engine.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import {
  type Step,
  transcripts,
  type Vector,
  vectorBytes,
  vectors,
} from "../../support/vectors.ts";

fc.configureGlobal({ seed: 1 });

const utf8 = new TextEncoder();
const anyNumber = fc.bigInt(0n, 2n ** 63n - 1n);

Deno.test("vectors holds the long datagrams as they were recorded", async () => {
  const long = vectors.filter(({ sha256 }) => sha256 !== undefined);
  assertEquals(long.length, 3);
  for (const { name, bytes, length, sha256 } of long) {
    assertEquals(bytes.length, length, name);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)));
    assertEquals(Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""), sha256);
  }
});

// ---- what clients say

Deno.test("decodeClientMessage() reads every recorded datagram, and refuses where the original errs", () => {
  for (const { name, bytes, decoded } of vectors.filter(isToServer)) {
    const message = decodeClientMessage(bytes);
    if (bytes.length < 8) {
      assertEquals(message, { kind: "refused", reason: "short" }, name);
    } else if (decoded.packet_num === "-1") {
      assertEquals(message, { kind: "idRequest" }, name);
    } else if (decoded.packet_num.startsWith("-")) {
      assertEquals(message, { kind: "refused", reason: "number" }, name);
    } else {
      const state = payloadOf(decoded) ?? bytes.subarray(8);
      assertEquals(message, { kind: "state", number: BigInt(decoded.packet_num), state }, name);
    }
  }
});

Deno.test("encodeIdRequest() and encodeState() write the recorded datagrams", () => {
  assertEquals(encodeIdRequest(), vectorBytes("id_request"));
  let states = 0;
  for (const { name, bytes, decoded } of vectors.filter(isToServer)) {
    const payload = payloadOf(decoded);
    if (decoded.packet_num.startsWith("-") || decoded.error || !payload) continue;
    assertEquals(encodeState(BigInt(decoded.packet_num), payload), bytes, name);
    states++;
  }
  assertEquals(states, 13);
});

Deno.test("decodeClientMessage() reads the state that encodeState() wrote", () => {
  fc.assert(fc.property(anyNumber, fc.uint8Array({ maxLength: 40 }), (number, state) => {
    assertEquals(decodeClientMessage(encodeState(number, state)), { kind: "state", number, state });
  }));
});

Deno.test("decodeClientMessage() takes 65,507 bytes and refuses one more", () => {
  assertEquals(STATE_BYTES_MAX, 65_499);
  assertEquals(decodeClientMessage(new Uint8Array(65_507)).kind, "state");
  assertEquals(decodeClientMessage(new Uint8Array(65_508)), {
    kind: "refused",
    reason: "oversize",
  });
});

Deno.test("decodeClientMessage() refuses every negative number except -1", () => {
  fc.assert(fc.property(fc.bigInt(-(2n ** 63n), -2n), (number) => {
    const datagram = new Uint8Array(9);
    writeNumber(datagram, 0, number);
    assertEquals(decodeClientMessage(datagram), { kind: "refused", reason: "number" });
  }));
});

Deno.test("decodeClientMessage() ignores what stands behind an id request", () => {
  const tail = new Uint8Array(100).fill(0xff);
  assertEquals(decodeClientMessage(tail), { kind: "idRequest" });
});

// ---- what servers say

Deno.test("decodeServerMessage() reads every recorded datagram", () => {
  for (const { name, bytes, decoded } of vectors.filter((vector) => !isToServer(vector))) {
    const message = decodeServerMessage(bytes);
    if (decoded.packet_num !== "-1") {
      const json = bytes.subarray(8);
      assertEquals(message, { kind: "snapshot", number: BigInt(decoded.packet_num), json }, name);
      const states = decoded.error ? undefined : statesOf(decoded);
      assertEquals(parseStates(json), states, name);
    } else if (decoded.error) {
      assertEquals(message, { kind: "refused", reason: "short" }, name);
    } else {
      assertEquals(message, { kind: "idReply", id: BigInt(decoded.client_id!) }, name);
    }
  }
});

Deno.test("encodeIdReply() and Dictionary.encodeSnapshot() write the recorded datagrams", () => {
  const written = new Set<string>();
  for (const { name, bytes, decoded } of vectors.filter((vector) => !isToServer(vector))) {
    if (decoded.error) continue;
    if (decoded.client_id !== undefined) {
      assertEquals(encodeIdReply(BigInt(decoded.client_id)), bytes, name);
    } else {
      const dictionary = new Dictionary<string>();
      for (const [id, state] of statesOf(decoded)) {
        assertEquals(dictionary.set(id, Number(id), utf8.encode(state)), undefined, name);
      }
      assertEquals(dictionary.encodeSnapshot(BigInt(decoded.packet_num)), bytes, name);
    }
    written.add(name);
  }
  assertEquals(written.size, 11);
  assert(written.has("snapshot_largest_ipv4"));
});

Deno.test("decodeServerMessage() reads the id that encodeIdReply() wrote", () => {
  fc.assert(fc.property(anyNumber, (id) => {
    assertEquals(decodeServerMessage(encodeIdReply(id)), { kind: "idReply", id });
  }));
});

Deno.test("decodeServerMessage() reads the snapshot that Dictionary.encodeSnapshot() wrote", () => {
  const states = fc.uniqueArray(fc.tuple(fc.nat(), fc.string({ unit: "grapheme", maxLength: 9 })), {
    maxLength: 9,
    selector: ([id]) => id,
  });
  fc.assert(fc.property(anyNumber, states, (number, states) => {
    const dictionary = new Dictionary<number>();
    for (const [id, state] of states) dictionary.set(id, id, utf8.encode(state));
    const message = decodeServerMessage(dictionary.encodeSnapshot(number));
    assert(message.kind === "snapshot");
    assertEquals(message.number, number);
    const expected = new Map(states.map(([id, state]) => [String(id), state]));
    assertEquals(parseStates(message.json), expected);
  }));
});

Deno.test("decodeServerMessage() takes an id reply of 16 bytes only, with an id that is not negative", () => {
  const reply = encodeIdReply(5n);
  assertEquals(decodeServerMessage(reply.subarray(0, 15)), { kind: "refused", reason: "short" });
  const longer = Uint8Array.of(...reply, 0);
  assertEquals(decodeServerMessage(longer), { kind: "refused", reason: "oversize" });
  assertEquals(decodeServerMessage(encodeIdReply(-1n)), { kind: "refused", reason: "number" });
  assertEquals(decodeServerMessage(encodeIdReply(-(2n ** 63n))), {
    kind: "refused",
    reason: "number",
  });
});

Deno.test("decodeServerMessage() refuses every negative number except -1", () => {
  fc.assert(fc.property(fc.bigInt(-(2n ** 63n), -2n), fc.nat(20), (number, tail) => {
    const datagram = new Uint8Array(8 + tail);
    writeNumber(datagram, 0, number);
    assertEquals(decodeServerMessage(datagram), { kind: "refused", reason: "number" });
  }));
});

Deno.test("decodeServerMessage() reads a number and nothing behind it as a snapshot without JSON", () => {
  const message = decodeServerMessage(encodeState(5n, new Uint8Array(0)));
  assertEquals(message, { kind: "snapshot", number: 5n, json: new Uint8Array(0) });
});

Deno.test("parseStates() refuses what is not an object of strings in UTF-8", () => {
  const table = [
    "",
    "{",
    "[]",
    '["a"]',
    "null",
    "1",
    '"a"',
    '{"0":1}',
    '{"0":"a","1":null}',
    '{"0":{}}',
    "\ufeff{}",
  ];
  for (const json of table) assertEquals(parseStates(utf8.encode(json)), undefined, json);
  const notUtf8 = Uint8Array.of(...utf8.encode('{"0":"'), 0xff, ...utf8.encode('"}'));
  assertEquals(parseStates(notUtf8), undefined);
});

Deno.test("parseStates() reads any equal JSON", () => {
  const json = utf8.encode(' { "7" : "\\u00e9\\/" ,\n"1":"é" } ');
  assertEquals(parseStates(json), new Map([["7", "é/"], ["1", "é"]]));
});

// ---- what nobody says

Deno.test("decodeClientMessage() and decodeServerMessage() read a datagram in the middle of a buffer", () => {
  for (const { name, bytes } of vectors.filter(({ bytes }) => bytes.length < 1_000)) {
    const buffer = new Uint8Array(bytes.length + 20).fill(0xee);
    buffer.set(bytes, 7);
    const view = buffer.subarray(7, 7 + bytes.length);
    assertEquals(decodeClientMessage(view), decodeClientMessage(bytes), name);
    assertEquals(decodeServerMessage(view), decodeServerMessage(bytes), name);
  }
});

Deno.test("decodeClientMessage() and decodeServerMessage() never throw, whatever the bytes are", () => {
  const short = vectors.filter(({ bytes }) => bytes.length < 1_000);
  for (const { bytes } of short) {
    for (let length = 0; length <= bytes.length; length++) decodeBoth(bytes.subarray(0, length));
  }
  const damaged = fc.tuple(fc.constantFrom(...short), fc.nat(), fc.nat(255)).map(
    ([{ bytes }, at, byte]) => {
      const changed = bytes.slice();
      if (bytes.length > 0) changed[at % bytes.length] = byte;
      return changed;
    },
  );
  const anyBytes = fc.oneof(damaged, fc.uint8Array({ maxLength: 40 }));
  fc.assert(fc.property(anyBytes, decodeBoth), { numRuns: 1_000 });
});

/** Throws nothing, and below 8 bytes finds nothing. */
function decodeBoth(bytes: Uint8Array): void {
  const fromClient = decodeClientMessage(bytes);
  const fromServer = decodeServerMessage(bytes);
  assertEquals(fromClient.kind === "refused" && fromClient.reason === "short", bytes.length < 8);
  if (bytes.length < 8) assertEquals(fromServer, { kind: "refused", reason: "short" });
  if (fromServer.kind === "snapshot") parseStates(fromServer.json);
}

// ---- whole conversations

Deno.test("createSyncServer() plays the recorded conversation of two clients", () => {
  const replay = new Replay();
  replay.play("handshake_and_sync");
  assertEquals(replay.idsGiven("client0"), [0n]);
  assertEquals(replay.idsGiven("client1"), [1n, 1n]); // The original does not answer the second one.
  replay.assertAllSawRecorded("handshake_and_sync");
});

Deno.test("createSyncServer() takes the recorded first state that the original loses to a keep-alive", () => {
  const replay = new Replay();
  replay.play("handshake_and_sync");
  replay.play("keepalive_before_first_send");
  assertEquals(replay.idsGiven("client2"), [2n, 2n]);
  replay.assertAllSawRecorded("keepalive_before_first_send");
  const seen = replay.snapshotsTo("client0").map((states) => states.get("2"));
  assert(seen.includes("lost"), `${seen}`);
});

Deno.test("createSyncServer() keeps the recorded idle clients connected", () => {
  const replay = new Replay();
  replay.play("handshake_and_sync");
  replay.play("keepalive_before_first_send");
  replay.takeAll();
  replay.play("idle_players_are_never_answered");
  for (const client of ["client0", "client1", "client2"]) {
    const count = replay.snapshotsTo(client).length;
    assert(count >= 2, `${client} got ${count} snapshots in 3.3 s`);
  }
});

Deno.test("createSyncServer() repeats the recorded lost reply and goes by the numbers", () => {
  const replay = new Replay();
  replay.play("lost_reply_and_numbers");
  assertEquals(replay.idsGiven("client0"), [0n, 0n, 0n, 0n]);
  const seen = replay.snapshotsTo("client0").map((states) => states.get("0"));
  const changes = seen.filter((state, index) => state !== seen[index - 1]);
  assertEquals(changes, ["seven", "eight", "", "max"]);
});

Deno.test("createSyncServer() answers the recorded strangers that send a whole id request", () => {
  const replay = new Replay();
  replay.play("stranger_first_datagrams");
  const answered = new Set(replay.sent.map(({ to }) => to));
  assertEquals([...answered], ["client4", "client5"]);
  assertEquals(replay.idsGiven("client4"), [0n]);
  assertEquals(replay.idsGiven("client5"), [1n]);
});

Deno.test("createSyncServer() gives the recorded silent clients their ids back", () => {
  const replay = new Replay();
  replay.play("timeout_and_zombies");
  assertEquals(replay.idsGiven("client0"), [0n, 0n]);
  const last = { 0: "5", 1: "B", 2: "CC" };
  for (const client of ["client0", "client1", "client2"]) {
    assertEquals(Object.fromEntries(replay.snapshotsTo(client).at(-1)!), last, client);
  }
});

/** Plays transcripts to a server, one after the other, and keeps what it says. */
class Replay {
  readonly sent: { to: string; bytes: Uint8Array }[] = [];
  readonly #play: Play<SyncEvent> = new Play(createSyncServer({ firstSnapshotNumber: 1 }));
  readonly #peers = new Map<string, Peer>();

  play(name: string): void {
    const begin = this.#play.now;
    for (const { at, from, bytes } of stepsOf(name)) {
      if (from === "server") continue;
      this.#play.waitUntil(begin + at);
      this.#play.receive(bytes, this.#peer(from));
    }
    this.#play.wait(100);
    const names = new Map(Array.from(this.#peers, ([client, peer]) => [peer, client]));
    for (const { to, bytes } of this.#play.out.takeSent()) {
      this.sent.push({ to: names.get(to)!, bytes });
    }
  }

  takeAll(): void {
    this.sent.splice(0);
  }

  idsGiven(client: string): bigint[] {
    return this.#to(client).flatMap((message) => message.kind === "idReply" ? [message.id] : []);
  }

  snapshotsTo(client: string): Map<string, string>[] {
    return this.#to(client).flatMap((message) =>
      message.kind === "snapshot" ? [parseStates(message.json)!] : []
    );
  }

  /** What the original sent last to each client is what each client got last. */
  assertAllSawRecorded(name: string): void {
    const recorded = new Map(
      stepsOf(name).filter(({ from }) => from === "server").map(({ to, bytes }) => [to, bytes]),
    );
    assert(recorded.size >= 2);
    for (const [client, bytes] of recorded) {
      const states = parseStates(bytes.subarray(8));
      assertEquals(this.snapshotsTo(client).at(-1), states, client);
    }
  }

  #to(client: string): ReturnType<typeof decodeServerMessage>[] {
    return this.sent.filter(({ to }) => to === client).map(({ bytes }) =>
      decodeServerMessage(bytes)
    );
  }

  #peer(client: string): Peer {
    const peer = this.#peers.get(client) ?? peerAt(`192.0.2.1:${5_000 + this.#peers.size}`);
    this.#peers.set(client, peer);
    return peer;
  }
}

function stepsOf(name: string): Step[] {
  const steps = transcripts.get(name);
  assert(steps, name);
  return steps;
}

function isToServer({ direction }: Vector): boolean {
  return direction === "client->server";
}

function payloadOf({ payload, payload_length, payload_char }: Vector["decoded"]):
  | Uint8Array
  | undefined {
  if (payload_length !== undefined) return utf8.encode(payload_char!.repeat(payload_length));
  return payload === undefined ? undefined : utf8.encode(payload);
}

function statesOf({ states, states_lengths }: Vector["decoded"]): Map<string, string> {
  if (states) return new Map(Object.entries(states));
  return new Map(Object.entries(states_lengths!).map(([id, length]) => [id, "y".repeat(length)]));
}
