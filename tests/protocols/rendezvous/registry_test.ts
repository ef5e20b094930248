import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import { type Registration, Registry } from "../../../lib/protocols/rendezvous/registry.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { forEachSeed } from "../../support/seeds.ts";

const PEERS = ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1", "[2001:db8::1]:1"].map(peerAt);
/** Names that would meet each other if dialect and name were one text. */
const NAMES = ["a", "A", "1a", "2a", "", "1", "2", "11", "constructor", "__proto__", "é", "b", "c"];

function registration(dialect: 1 | 2, name: string, peer = PEERS[0]!): Registration {
  const local = { ip: "10.0.0.1", port: 1 };
  return { dialect, name, peer, local, password: "k", passwordRequired: false, heardAt: 0 };
}

/** What a registry is, without anything that makes it fast. */
class Model {
  entries: { registration: Registration; until: number }[] = [];

  find(dialect: 1 | 2, name: string): Registration | undefined {
    return this.#entry(dialect, name)?.registration;
  }

  set(registration: Registration, until: number): void {
    const entry = this.#entry(registration.dialect, registration.name);
    if (entry) Object.assign(entry, { registration, until });
    else this.entries.push({ registration, until });
  }

  remove(registration: Registration): void {
    this.entries = this.entries.filter((entry) => entry.registration !== registration);
  }

  count(is: (peer: Peer) => boolean): number {
    return this.entries.filter(({ registration }) => is(registration.peer)).length;
  }

  get nextExpiry(): number {
    return Math.min(Infinity, ...this.entries.map(({ until }) => until));
  }

  #entry(dialect: 1 | 2, name: string): { registration: Registration; until: number } | undefined {
    return this.entries.find(({ registration }) => {
      return registration.dialect === dialect && registration.name === name;
    });
  }
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}

/** Takes what has expired; the registry may give those of one time in any order. */
function expire(registry: Registry, model: Model, now: number): void {
  for (let taken; (taken = registry.takeExpired(now));) {
    const { nextExpiry } = model;
    const entry = model.entries.find(({ registration }) => registration === taken);
    assert(entry && entry.until === nextExpiry && nextExpiry <= now, `${taken.name} was not due`);
    model.remove(taken);
  }
  assert(model.nextExpiry > now, "something is due still");
}

function assertSame(registry: Registry, model: Model): void {
  assertEquals(registry.size, model.entries.length);
  assertEquals(registry.nextExpiry(), model.nextExpiry);
  for (const peer of PEERS) {
    assertEquals(registry.has(peer), model.count((other) => other === peer) > 0, peer.address);
    const count = model.count(({ network }) => network === peer.network);
    assertEquals(registry.countOf(peer.network), count, peer.network);
  }
  for (const name of NAMES) {
    assertEquals(registry.get(1, name), model.find(1, name), name);
    assertEquals(registry.get(2, name), model.find(2, name), name);
  }
  const listed = new Set<Registration>();
  registry.list((registration) => listed.size < listed.add(registration).size);
  const expected = model.entries.map(({ registration }) => registration);
  assertEquals(listed, new Set(expected.filter(({ dialect }) => dialect === 2)));
}

Deno.test("Registry does what a list of registrations would do", () => {
  forEachSeed(40, (seed) => {
    const random = seededRandom(seed);
    const [registry, model] = [new Registry(), new Model()];
    for (let now = 0; now < 500; now++) {
      const [dialect, name] = [pick(random, [1, 2] as const), pick(random, NAMES)];
      const known = registry.get(dialect, name);
      if (random() < 0.7) {
        const set = registration(dialect, name, pick(random, PEERS));
        const until = now + 1 + Math.floor(random() * pick(random, [3, 30, 300]));
        registry.set(set, until);
        model.set(set, until);
      } else if (known) {
        registry.remove(known);
        model.remove(known);
      }
      if (random() < 0.3) registry.list(() => random() < 0.8);
      if (random() < 0.3) expire(registry, model, now);
      assertSame(registry, model);
    }
    expire(registry, model, 1_000);
    assertSame(registry, model);
    assertEquals([registry.size, registry.nextExpiry()], [0, Infinity]);
  });
});

/** The names that one list shows when so many fit. */
function namesOf(registry: Registry, fitting: number): string[] {
  const names: string[] = [];
  registry.list(({ name }) => names.length < fitting && names.push(name) > 0);
  return names;
}

Deno.test("Registry lists what did not fit first the next time", () => {
  const registry = new Registry();
  for (const name of "abcde") {
    registry.set(registration(2, name), 1);
    registry.set(registration(1, name), 1);
  }
  const lists = [2, 2, 2, 5, 2, 9, 1, 0, 4].map((fitting) => namesOf(registry, fitting).join(""));
  // What all fit into begins anew, and so does the next one.
  assertEquals(lists, ["ab", "cd", "ea", "bcdea", "ab", "cdeab", "a", "", "bcde"]);
});

Deno.test("Registry lists everybody in turn while others come and go", () => {
  forEachSeed(20, (seed) => {
    const random = seededRandom(seed);
    const registry = new Registry();
    const steady = Array.from({ length: 30 }, (_, index) => `steady ${index}`);
    for (const name of steady) registry.set(registration(2, name), 1);
    const shown = new Set<string>();
    for (let lists = 0; lists < 200; lists++) {
      const guest = registration(2, `guest ${Math.floor(random() * 10)}`);
      const known = registry.get(2, guest.name);
      if (known) registry.remove(known);
      else registry.set(guest, 1);
      const names = namesOf(registry, 3);
      assertEquals(new Set(names).size, 3);
      for (const name of names) shown.add(name);
    }
    for (const name of steady) assert(shown.has(name), `${name} is never shown`);
  });
});

Deno.test("Registry lists nobody when there is nobody", () => {
  const registry = new Registry();
  assertEquals(namesOf(registry, 1), []);
  registry.set(registration(2, "a"), 1);
  assertEquals(namesOf(registry, 0), []);
  registry.remove(registry.get(2, "a")!);
  assertEquals(namesOf(registry, 1), []);
});

Deno.test("Registry keeps one registration a name, the newest", () => {
  const registry = new Registry();
  const [older, newer] = [registration(2, "a"), registration(2, "a", PEERS[3])];
  registry.set(older, 5);
  registry.set(newer, 3);
  assertEquals([registry.size, registry.get(2, "a"), registry.nextExpiry()], [1, newer, 3]);
  assertNotEquals(registry.get(2, "a"), older);
  assertEquals(PEERS.map((peer) => registry.has(peer)), [false, false, false, true]);
  assertEquals([registry.takeExpired(2), registry.takeExpired(3)], [undefined, newer]);
  assertEquals([registry.takeExpired(5), registry.size], [undefined, 0]);
});
