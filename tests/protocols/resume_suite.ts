/**
 * What is asked of every server that goes on where another one was stopped, as one suite of tests.
 *
 * One server is played with, saved as JSON, and another one goes on from that, on a clock of its own. What
 * was saved is also changed at random: then it is refused as a whole, or the server is as sound as ever.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type {
  Engine,
  Member,
  Membership,
  Outbox,
  Peer,
  Resumable,
  Saved,
} from "../../lib/protocols/engine.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";
import { play, Recording, type Subject, testEngineContract } from "./engine_suite.ts";

type Server<Event> = Engine<Event> & Membership<Outbox<Event>> & Resumable<Outbox<Event>>;

/** One kind of server under test. */
export interface Resumption<Event, S extends Server<Event>> {
  /** A new one; nothing in it may depend on chance. */
  create: () => S;
  /** What arrives in ordinary play. */
  datagram: (random: Random) => Uint8Array;
  peers: readonly Peer[];
  /** Whether somebody who is not heard may be told what somebody else has asked for. */
  tellsUnheard?: boolean;
  /** Names in what is saved that go on further ahead: what was used after the last save is not used again. */
  skipped?: readonly string[];
  /** Throws when it holds more than it may. */
  checkLimits: (server: S) => void;
}

const SEEDS = 40;
const MUTATION_SEEDS = 300;
const MUTATED_STEPS = 40;
/** Longer than any server waits. */
const SILENCE_MS = 3_600_000;

/** Registers the tests. Their names begin with `name`. */
export function testResumption<Event, S extends Server<Event>>(
  name: string,
  kind: Resumption<Event, S>,
): void {
  const peerAt = (ip: string, port: number): Peer =>
    kind.peers.find((peer) => peer.ip === ip && peer.port === port) ?? newPeer(ip, port);
  const subjectOf = (engine: S): Subject<Event> => ({
    engine,
    membership: engine,
    datagram: kind.datagram,
    peers: kind.peers,
    checkLimits: () => kind.checkLimits(engine),
    endsInSilence: true,
  });
  /** A server that was played with, and what it saved. */
  const savedBy = (seed: number): { server: S; saved: Saved; random: Random } => {
    const [server, random] = [kind.create(), seededRandom(seed)];
    const said = play(subjectOf(server), random, { overwrite: true, steps: 100 + random() * 200 });
    return { server, saved: copyOf(server.save(said.now)), random };
  };
  const resumed = (saved: Saved, now: number): S => {
    const server = kind.create();
    const said = new Recording<Event>();
    server.resume(saved, now, peerAt, said);
    assertEquals(said.digest, new Recording<Event>().digest, "it says something");
    return server;
  };

  Deno.test(`${name} goes on with everybody whom an earlier one knew`, () => {
    let members = 0;
    forEachSeed(SEEDS, (seed) => {
      const { server, saved, random } = savedBy(seed);
      const now = random() < 0.5 ? 0 : random() * 1e9;
      const next = resumed(saved, now);
      assertEquals(next.members().map(inShort), server.members().map(inShort));
      for (const peer of kind.peers) assertEquals(next.remembers(peer), server.remembers(peer));
      const { skipped = [] } = kind;
      const without = (of: Saved): Saved =>
        Object.fromEntries(Object.entries(of).filter(([name]) => !skipped.includes(name)));
      assertEquals(roundedOf(without(next.save(now))), roundedOf(without(saved)));
      kind.checkLimits(next);
      members += next.members().length;
    });
    assert(members > SEEDS / 2, `there were ${members} members`);
  });

  Deno.test(`${name} that goes on says nothing to anybody who is not heard`, () => {
    let heard = 0;
    forEachSeed(SEEDS, (seed) => {
      const { saved, random } = savedBy(seed);
      const server = resumed(saved, 0);
      const said = new Recording<Event>();
      const [speaker] = server.members().map(({ peer }) => peer);
      for (let now = 0; now < SILENCE_MS;) {
        server.advance(now, said);
        said.drain();
        const deadline = server.nextDeadline();
        assert(deadline > now, `the next deadline is ${deadline} after advance(${now})`);
        // One of them is heard now and then; the others never are.
        now = speaker && now < 30_000 ? Math.min(deadline, now + 100 + random() * 200) : deadline;
        if (speaker && now < 30_000) server.receive(kind.datagram(random), speaker, now, said);
        kind.checkLimits(server);
      }
      for (const peer of kind.tellsUnheard ? [] : said.receivers) assertEquals(peer, speaker);
      heard += said.receivers.size;
      assertEquals(server.members(), []);
      assertEquals(server.nextDeadline(), Infinity);
    });
    assert(heard > 0, "nobody was ever told anything");
  });

  Deno.test(`${name} goes on under a host that forgets whom the engine does not remember`, () => {
    forEachSeed(SEEDS, (seed) => {
      const { saved } = savedBy(seed);
      const server = kind.create();
      const known = new Map<string, Peer>();
      // As a host does it, but at every opportunity.
      const forgetfulPeerAt = (ip: string, port: number): Peer => {
        for (const [key, peer] of known) if (!server.remembers(peer)) known.delete(key);
        const key = `${ip} ${port}`;
        const peer = known.get(key) ?? { ...peerAt(ip, port) };
        known.set(key, peer);
        return peer;
      };
      server.resume(saved, 0, forgetfulPeerAt, new Recording<Event>());
      for (const { peer } of server.members()) {
        assert(forgetfulPeerAt(peer.ip, peer.port) === peer, `${peer.address} was lost`);
      }
    });
  });

  Deno.test(`${name} goes on from nothing but what it saves, and before anything else`, () => {
    const { saved } = savedBy(1);
    const begun = resumed(withMembers(savedBy).saved, 0);
    const out = new Recording<Event>();
    assertThrows(() => begun.resume(saved, 0, peerAt, out), TypeError, "before anything else");
    const fresh = kind.create();
    for (const other of [null, [], "x", 7] as unknown as Saved[]) {
      assertThrows(
        () => fresh.resume(other, 0, peerAt, out),
        TypeError,
        "what was saved is an obj",
      );
    }
    for (const version of [undefined, 0, 2, "1", 1.5]) {
      const other = { ...saved, version };
      assertThrows(() => fresh.resume(other, 0, peerAt, out), TypeError, "version is ");
    }
    fresh.resume(saved, 0, peerAt, out);
  });

  Deno.test(`${name} refuses as a whole what was changed, or is as sound as ever`, () => {
    const outcomes = { fine: 0, refused: 0 };
    forEachSeed(MUTATION_SEEDS, (seed) => {
      const { saved, random } = savedBy(seed % SEEDS);
      const server = kind.create();
      const out = new Recording<Event>();
      const changed = mutated(saved, random);
      try {
        server.resume(changed, 0, peerAt, out);
        outcomes.fine++;
      } catch (error) {
        assert(error instanceof TypeError, `${error}`);
        assert(/^[\w[\].]+( .+)? is .+, not .+$/.test(error.message), error.message);
        assert(error.message.length < 200, error.message);
        outcomes.refused++;
        assertEquals([server.members(), server.nextDeadline()], [[], Infinity]);
        server.resume(saved, 0, peerAt, out);
      }
      kind.checkLimits(server);
      const said = play(subjectOf(server), random, { overwrite: true, steps: MUTATED_STEPS });
      resumed(copyOf(server.save(said.now)), 0);
    });
    assert(outcomes.fine > 10 && outcomes.refused > 50, JSON.stringify(outcomes));
  });

  const { saved } = withMembers(savedBy);
  testEngineContract(`${name} that goes on`, () => {
    const server = kind.create();
    return {
      ...subjectOf(server),
      begin: (now, out): void => server.resume(saved, now, peerAt, out),
    };
  });
}

/** The first play at whose end somebody is in. */
function withMembers<Event>(
  savedBy: (seed: number) => { server: Membership<Outbox<Event>>; saved: Saved },
): { saved: Saved } {
  for (let seed = 1;; seed++) {
    const { server, saved } = savedBy(seed);
    if (server.members().length > 2) return { saved };
  }
}

function newPeer(ip: string, port: number): Peer {
  const address = `${ip}:${port}`;
  return { ip, port, address, network: ip };
}

function inShort({ peer, name, stateBytes }: Member): string {
  return `${peer.address} ${name} ${stateBytes}`;
}

/** As a file gives it back. */
function copyOf(saved: Saved): Saved {
  return JSON.parse(JSON.stringify(saved));
}

/** Durations are differences of times, and not exact; and snapshots have higher numbers than before. */
function roundedOf(saved: Saved): Saved {
  const round = (name: string, value: unknown): unknown =>
    name.endsWith("Ms") && typeof value === "number" ? Math.round(value) : value;
  return JSON.parse(JSON.stringify(saved, round)) as Saved;
}

/** What anybody may have made of a file: some values replaced, exchanged, repeated or taken out. */
function mutated(saved: Saved, random: Random): Saved {
  const copy = copyOf(saved);
  for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) {
    const places = placesIn(copy);
    const pick = (): Place => places[Math.floor(random() * places.length)]!;
    const [one, other] = [pick(), pick()];
    const kind = random();
    if (kind < 0.5) one.holder[one.key] = anyValue(random);
    else if (kind < 0.7) one.holder[one.key] = structuredClone(other.holder[other.key]);
    else if (kind < 0.85) delete one.holder[one.key];
    else if (Array.isArray(one.holder)) one.holder.push(structuredClone(one.holder[0]));
    else one.holder[`${one.key}2`] = one.holder[one.key];
  }
  return copyOf(copy);
}

/** Where a value stands. */
interface Place {
  // An array is meant too.
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesIn(holder[key])]);
}

function anyValue(random: Random): unknown {
  const choices: unknown[] = [
    ...[null, true, false, "", "x", "é\ud800", "9".repeat(30), "-1", "1e5", "255.255.255.255"],
    ...[-1, 0, 1, 1.5, 255, 65_536, 2 ** 31, 2 ** 53, 1e308, -1e-9, [], {}, [[]], [1, "2"]],
    ...["x".repeat(70_000), Object.create(null), { length: 3 }, nested(1_000)],
  ];
  return choices[Math.floor(random() * choices.length)];
}

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}
