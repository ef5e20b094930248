/**
 * No answer to an answer: two programs that take each other for a client, because a stranger wrote to each
 * in the name of the other, fall silent. What one sends is what the other hears, and time goes on.
 */
import { assert, assertEquals } from "@std/assert";
import { decodePacket, encodeAck } from "../../lib/protocols/world/wire.ts";
import { HEADERS_BYTES } from "./ledger.ts";
import { type Exchange, ONE, OTHER, Pair, type Reflex } from "./pair.ts";
import { type Speaker, SPEAKERS, state } from "./speakers.ts";

/** So long nothing new is said by anybody but the two. */
const WATCHED_MS = 90_000;
const SILENT_MS = 20_000;
/** An arena tells who plays there 60 times a second, while it believes the address and within its budget. */
const DATAGRAMS_MAX = 6_000;
/** When neither is an arena. */
const DATAGRAMS_MAX_OF_OTHERS = 250;
const DELAY_MS = 20;
const PAUSE_MS = 7;

function assertSilent({ datagrams, lastAt }: Exchange, pair: Pair, what: string): void {
  const silentMs = pair.network.now - lastAt;
  assert(silentMs >= SILENT_MS, `${what}: ${datagrams} datagrams, the last ${silentMs} ms ago`);
}

function pairOf(one: Speaker, other: Speaker, what: string): Pair {
  const isArena = one.name === "arena" || other.name === "arena";
  const pair = new Pair(DELAY_MS, isArena ? DATAGRAMS_MAX : DATAGRAMS_MAX_OF_OTHERS, what);
  pair.serve(ONE, one.make());
  pair.serve(OTHER, other.make());
  return pair;
}

/** Everything that can be said to both, three times over. */
function forgeAll(pair: Pair, one: Speaker, other: Speaker): void {
  for (let times = 0; times < 3; times++) {
    for (const word of Object.values(one.words)) {
      pair.forge(word, OTHER, ONE);
      pair.wait(PAUSE_MS);
    }
    for (const word of Object.values(other.words)) {
      pair.forge(word, ONE, OTHER);
      pair.wait(PAUSE_MS);
    }
    pair.wait(500);
  }
}

for (const one of SPEAKERS) {
  Deno.test(`${one.name} and any other service fall silent after one forged datagram`, () => {
    for (const other of SPEAKERS) {
      for (const [name, word] of Object.entries(one.words)) {
        const what = `${name} to ${one.name} in the name of ${other.name}`;
        const pair = pairOf(one, other, what);
        pair.forge(word, OTHER, ONE);
        pair.wait(WATCHED_MS / 2);
        assertSilent(pair.exchange, pair, what);
      }
    }
  });

  Deno.test(`${one.name} and any other service fall silent after all that can be forged`, () => {
    for (const other of SPEAKERS) {
      const what = `all between ${one.name} and ${other.name}`;
      const pair = pairOf(one, other, what);
      forgeAll(pair, one, other);
      pair.wait(WATCHED_MS);
      assertSilent(pair.exchange, pair, what);
      assert(pair.exchange.datagrams > 0, `${what}: nothing was answered`);
    }
  });
}

// ---- what was endless once

function speaker(name: string): Speaker {
  return SPEAKERS.find((speaker) => speaker.name === name)!;
}

/** What two of a kind say to each other after these words, to one of them or to both in turn. */
function exchangeOf(name: string, words: readonly string[], isToBoth: boolean): Exchange {
  const one = speaker(name);
  const pair = pairOf(one, one, name);
  for (const word of words) {
    pair.forge(one.words[word]!, OTHER, ONE);
    if (isToBoth) pair.forge(one.words[word]!, ONE, OTHER);
    pair.wait(2 * DELAY_MS);
  }
  pair.wait(WATCHED_MS);
  assertSilent(pair.exchange, pair, name);
  return pair.exchange;
}

Deno.test("createSyncServer() takes no id reply for an id request", () => {
  assertEquals(exchangeOf("sync", ["id request"], false).datagrams, 1);
  assertEquals(exchangeOf("sync", ["id request", "id request"], true).datagrams, 4);
});

Deno.test("createSyncServer() takes no snapshot of another server for a state", () => {
  const { datagrams } = exchangeOf("sync", ["id request", "state"], true);
  assert(datagrams < 20, `${datagrams} datagrams`);
});

Deno.test("createWorldServer() acks nothing that only servers say", () => {
  const { datagrams } = exchangeOf("world", ["knock"], false);
  assert(datagrams < 10, `${datagrams} datagrams`);
});

Deno.test("createEventServer() answers no answer to a heartbeat", () => {
  for (const name of ["events (JSON)", "events (MessagePack)"]) {
    const { datagrams } = exchangeOf(name, ["event 3", "heartbeat 1"], true);
    assert(datagrams < 30, `${datagrams} datagrams`);
  }
});

// ---- what is older than all of them

const CHARGEN = new TextEncoder().encode(
  Array.from({ length: 512 }, (_, at) => String.fromCharCode(33 + at % 90)).join(""),
);

const CLASSICS: Record<string, Reflex> = {
  "echo (port 7)": (bytes) => [bytes.slice()],
  "chargen (port 19)": () => [CHARGEN],
  "somebody who says everything twice": (bytes) => [bytes.slice(), bytes.slice()],
};

/** Other players go on, so that there is always something to tell. */
function letPlay(pair: Pair, { name }: Speaker): void {
  if (name !== "sync") return;
  let number = 0;
  const say = (): void => {
    const word = number === 0 ? speaker("sync").words["id request"]! : state(number, `${number}`);
    number++;
    pair.network.transmit(word, "198.51.100.9:9", ONE);
    pair.network.at(pair.network.now + 50, say);
  };
  say();
}

for (const [name, reflex] of Object.entries(CLASSICS)) {
  Deno.test(`every service falls silent before ${name}, or says no more than its budget`, () => {
    for (const one of SPEAKERS) {
      const most = one.name === "arena" ? DATAGRAMS_MAX : 100_000;
      const pair = new Pair(DELAY_MS, most, `${one.name} and ${name}`);
      pair.serve(ONE, one.make());
      pair.reflect(OTHER, reflex);
      letPlay(pair, one);
      for (const word of Object.values(one.words)) {
        pair.forge(word, OTHER, ONE);
        pair.wait(PAUSE_MS);
      }
      pair.wait(WATCHED_MS);
      // Whatever it hears is a sign of life for sync: it goes on as to any player who does nothing.
      const isHeard = one.name === "sync" && name.startsWith("chargen");
      if (!isHeard) assertSilent(pair.exchange, pair, `${one.name} and ${name}`);
      const perSecond = pair.said.get(ONE)! / (pair.network.now / 1_000);
      assert(perSecond <= 70, `${one.name}: ${perSecond} datagrams a second to ${name}`);
    }
  });
}

Deno.test("createWorldServer() sends the original's server, which acks all it hears, no more than a client", () => {
  const one = speaker("world");
  const pair = new Pair(DELAY_MS, 100_000, "the original");
  pair.serve(ONE, one.make());
  pair.reflect(OTHER, (bytes) => {
    const decoded = decodePacket(bytes);
    return decoded.kind === "message" ? [encodeAck(decoded.sequence)] : [];
  });
  pair.forge(one.words["knock of an original"]!, OTHER, ONE);
  pair.wait(10_000);
  const perSecond = (pair.exchange.bytes + HEADERS_BYTES * pair.exchange.datagrams) / 10;
  assert(perSecond > 1_000, "it was not taken for a client");
  assert(perSecond <= 262_144, `${perSecond} bytes a second`);
});
