import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Json } from "../../../lib/parts/json.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import type { Update } from "../../../lib/protocols/world/messages.ts";
import { type Effect, Mirror } from "../../../lib/protocols/world/mirror.ts";
import {
  DEFAULT_TRAITS,
  type TraitChanges,
  type Traits,
  traitsFrom,
} from "../../../lib/protocols/world/traits.ts";
import { World } from "../../../lib/protocols/world/world.ts";
import { forEachSeed } from "../../support/seeds.ts";

const GONE_MAX = 16_384;

function whole(id: number, traits: TraitChanges = {}): Update {
  return { id, traits: traitsFrom(DEFAULT_TRAITS, traits), isWhole: true };
}

function part(id: number, traits: TraitChanges): Update {
  return { id, traits, isWhole: false };
}

/** An object with other traits than the default. */
function traitsOf(traits: TraitChanges): Traits {
  return traitsFrom(DEFAULT_TRAITS, traits);
}

/** A mirror in which object 1 has 3 hp as of tick 10. */
function mirrorWithOne(): Mirror {
  const mirror = new Mirror(100);
  mirror.apply(whole(1, { hp: 3 }), 10);
  return mirror;
}

/** An effect as an object with nothing but what it tells. */
function plain(effect: Effect | undefined): unknown {
  if (effect?.kind !== "changed") return effect && { ...effect };
  return { ...effect, changes: Object.entries(effect.changes) };
}

// ---- one object

Deno.test("Mirror shows an object when its snapshot has come, and says so", () => {
  const mirror = new Mirror(100);
  assertEquals([mirror.time, mirror.objects.size], [-1, 0]);
  assertEquals<unknown>(mirror.apply(whole(7, { hp: 3 }), 10), {
    kind: "spawned",
    id: 7,
    traits: traitsOf({ hp: 3 }),
  });
  assertEquals([...mirror.objects], [[7, traitsOf({ hp: 3 })]]);
  assertEquals(mirror.time, 10);
});

Deno.test("Mirror shows an object that has nothing but defaults", () => {
  const mirror = new Mirror(100);
  assertEquals(mirror.apply(whole(7), 0)?.kind, "spawned");
  assertEquals([...mirror.objects], [[7, DEFAULT_TRAITS]]);
  assertEquals(mirror.apply(whole(7), 0), undefined);
});

Deno.test("Mirror takes from a diff what is later, and says what is another", () => {
  const mirror = mirrorWithOne();
  const before = mirror.objects.get(1)!;
  assertEquals(plain(mirror.apply(part(1, { hp: 2, mass: 1, name: "Rock" }), 11)), {
    kind: "changed",
    id: 1,
    traits: traitsOf({ hp: 2, name: "Rock" }),
    changes: [["hp", 2], ["name", "Rock"]],
  });
  assertEquals(mirror.objects.get(1), traitsOf({ hp: 2, name: "Rock" }));
  assertEquals(before.hp, 3, "traits are replaced, never changed");
});

Deno.test("Mirror says nothing of news that change nothing, and keeps the same traits", () => {
  const mirror = mirrorWithOne();
  mirror.apply(part(1, { list: [1, { a: null }] }), 11);
  const before = mirror.objects.get(1)!;
  assertEquals(
    mirror.apply(part(1, { hp: 3, position: [0, 0, 0], list: [1, { a: null }] }), 12),
    undefined,
  );
  assertEquals(mirror.apply(whole(1, { hp: 3, list: [1, { a: null }] }), 13), undefined);
  assertEquals(mirror.apply(part(1, {}), 14), undefined);
  assertStrictEquals(mirror.objects.get(1), before);
  assertEquals(mirror.time, 14);
});

Deno.test("Mirror tells values apart that look alike", () => {
  const values: Json[] = [
    0,
    "0",
    false,
    null,
    "",
    [],
    {},
    [0],
    ["0"],
    [null],
    { 0: 0 },
    "[]",
    "null",
  ];
  const mirror = new Mirror(1);
  mirror.apply(whole(1, { a: "first" }), 0);
  let time = 0;
  for (const before of values) {
    for (const value of values) {
      mirror.apply(part(1, { a: before }), ++time);
      const effect = mirror.apply(part(1, { a: value }), ++time);
      assertEquals(effect === undefined, before === value, JSON.stringify([before, value]));
      assertEquals(mirror.objects.get(1)!.a, value);
    }
  }
});

Deno.test("Mirror takes no value that is not later than the one it knows", () => {
  const mirror = mirrorWithOne();
  for (const time of [9, 10]) assertEquals(mirror.apply(part(1, { hp: 9 }), time), undefined);
  mirror.apply(part(1, { hp: 2 }), 12);
  for (const time of [11, 12]) {
    const effect = plain(mirror.apply(part(1, { hp: 9, mass: time }), time));
    assertEquals((effect as { changes: unknown }).changes, [["mass", time]]);
  }
  assertEquals(mirror.objects.get(1), traitsOf({ hp: 2, mass: 12 }));
});

Deno.test("Mirror takes from a snapshot what is not older, and keeps what is later", () => {
  const mirror = mirrorWithOne();
  mirror.apply(part(1, { hp: 2 }), 15);
  mirror.apply(part(1, { mass: 4, name: "Rock" }), 12);
  assertEquals(plain(mirror.apply(whole(1, { hp: 9, mass: 5, armor: 1 }), 12)), {
    kind: "changed",
    id: 1,
    traits: traitsOf({ hp: 2, mass: 5, armor: 1 }),
    changes: [["mass", 5], ["armor", 1], ["name", undefined]],
  });
  assertEquals(mirror.apply(whole(1, { hp: 9 }), 11), undefined, "an older one");
  assertEquals(mirror.apply(part(1, { name: "Rock" }), 12), undefined, "it is gone since");
  assertEquals(mirror.apply(part(1, { hp: 7 }), 14), undefined);
  assertEquals(mirror.objects.get(1), traitsOf({ hp: 2, mass: 5, armor: 1 }));
  mirror.apply(whole(1), 15);
  assertEquals(mirror.objects.get(1), DEFAULT_TRAITS, "of the same tick as a diff: it counts");
  mirror.apply(whole(1, { hp: 4 }), 15);
  assertEquals(
    mirror.objects.get(1),
    traitsOf({ hp: 4 }),
    "of the same tick as another: it counts",
  );
});

Deno.test("Mirror takes a trait that a snapshot lacks as gone, until a later diff", () => {
  const mirror = mirrorWithOne();
  const effect = plain(mirror.apply(whole(1), 11));
  assertEquals((effect as { changes: unknown }).changes, [["hp", undefined]]);
  assertEquals(Object.hasOwn(mirror.objects.get(1)!, "hp"), false);
  mirror.apply(part(1, { hp: 1 }), 11);
  assertEquals(Object.hasOwn(mirror.objects.get(1)!, "hp"), false);
  mirror.apply(part(1, { hp: 1 }), 12);
  assertEquals(mirror.objects.get(1)!.hp, 1);
});

Deno.test("Mirror keeps what a diff says of an object that it does not know yet", () => {
  const mirror = new Mirror(100);
  assertEquals(mirror.apply(part(1, { hp: 5, mass: 7 }), 12), undefined);
  assertEquals(mirror.apply(part(1, { hp: 9 }), 11), undefined);
  assertEquals([mirror.objects.size, mirror.time], [0, 12]);
  assertEquals<unknown>(mirror.apply(whole(1, { hp: 3, name: "Rock" }), 10), {
    kind: "spawned",
    id: 1,
    traits: traitsOf({ hp: 5, mass: 7, name: "Rock" }),
  });
  assertEquals(mirror.objects.get(1), traitsOf({ hp: 5, mass: 7, name: "Rock" }));
});

Deno.test("Mirror keeps a trait called __proto__ as any other", () => {
  const read = (text: string): TraitChanges => JSON.parse(text);
  const mirror = mirrorWithOne();
  mirror.apply(part(1, read('{"__proto__":{"hp":7}}')), 12);
  mirror.apply(whole(1, { mass: 2 }), 11);
  const traits = mirror.objects.get(1)!;
  assertEquals(Object.entries(traits).at(-1), ["__proto__", { hp: 7 }]);
  assertEquals([traits.hp, traits.mass], [undefined, 2]);
});

// ---- what is gone

Deno.test("Mirror.remove() takes an object away for good", () => {
  const mirror = mirrorWithOne();
  assertEquals(mirror.remove(1, 12), true);
  assertEquals(mirror.remove(1, 13), false);
  assertEquals([mirror.objects.size, mirror.time], [0, 13]);
  assertEquals(mirror.apply(whole(1), 20), undefined);
  assertEquals(mirror.apply(part(1, { hp: 1 }), 21), undefined);
  assertEquals([mirror.objects.size, mirror.time], [0, 21]);
});

Deno.test("Mirror.remove() also counts for an object of which nothing has come, or no snapshot", () => {
  const mirror = new Mirror(100);
  mirror.apply(part(2, { hp: 1 }), 10);
  for (const id of [1, 2]) {
    assertEquals(mirror.remove(id, 11), false);
    assertEquals(mirror.apply(whole(id), 9), undefined);
  }
  assertEquals(mirror.objects.size, 0);
});

Deno.test("Mirror.time never runs back", () => {
  const mirror = mirrorWithOne();
  mirror.apply(part(1, { hp: 1 }), 5);
  mirror.apply(whole(2), 6);
  mirror.remove(3, 7);
  assertEquals(mirror.time, 10);
});

Deno.test("Mirror remembers 16,384 objects that are gone", () => {
  const mirror = new Mirror(10);
  for (let id = 0; id <= GONE_MAX; id++) mirror.remove(id, 1);
  assertEquals(mirror.apply(whole(1), 2), undefined);
  assertEquals(mirror.apply(whole(0), 2)?.kind, "spawned", "the first of one too many");
});

Deno.test("Mirror.settle() takes away what has been told neither whole nor in part since", () => {
  const mirror = new Mirror(100);
  for (const [id, time] of [[1, 9], [2, 10], [3, 11], [4, 5], [5, 5]] as const) {
    mirror.apply(whole(id), time);
  }
  mirror.apply(part(4, { hp: 1 }), 9);
  mirror.apply(part(5, { hp: 1 }), 10);
  mirror.apply(part(5, { mass: 2 }), 7);
  mirror.apply(part(6, { mass: 2 }), 9);
  mirror.apply(part(7, { mass: 2 }), 10);
  assertEquals(mirror.settle(10), [1, 4]);
  assertEquals([...mirror.objects.keys()], [2, 3, 5]);
  assertEquals(mirror.settle(10), []);
  const late = mirror.apply(whole(6), 12);
  assert(late?.kind === "spawned" && late.traits.mass === 1, "what was known of it is gone");
  const kept = mirror.apply(whole(7), 9);
  assert(kept?.kind === "spawned" && kept.traits.mass === 2, "what is later was kept");
  assertEquals(mirror.apply(whole(1), 12)?.kind, "spawned", "not gone for good");
});

Deno.test("Mirror.clear() begins anew, and says what was there", () => {
  const mirror = mirrorWithOne();
  mirror.apply(whole(2), 10);
  mirror.apply(part(3, { hp: 1, mass: 3 }), 10);
  mirror.remove(2, 11);
  assertEquals(mirror.clear(), [1]);
  assertEquals([mirror.time, mirror.objects.size], [-1, 0]);
  assertEquals(mirror.clear(), []);
  for (const id of [1, 2, 3]) {
    assertEquals<unknown>(mirror.apply(whole(id), 0), {
      kind: "spawned",
      id,
      traits: DEFAULT_TRAITS,
    });
  }
});

Deno.test("Mirror takes no news of strangers from before the tick at which all was settled", () => {
  const mirror = mirrorWithOne();
  mirror.settle(12);
  mirror.settle(11);
  for (const update of [whole(1), part(1, { hp: 1 })]) {
    assertEquals(mirror.apply(update, 11), undefined);
  }
  assert(mirror.apply(whole(1), 12)?.kind === "spawned");
  assert(mirror.apply(whole(2, { hp: 3 }), 13)?.kind === "spawned");
  assertEquals(mirror.objects.get(1), DEFAULT_TRAITS, "nothing was kept of that");
  mirror.settle(13);
  mirror.clear();
  assertEquals(mirror.apply(whole(1), 0)?.kind, "spawned", "another world");
});

// ---- limits

Deno.test("Mirror.hasRoomFor() as many objects as it may have, with those that are not shown yet", () => {
  const mirror = new Mirror(3);
  mirror.apply(whole(1), 10);
  mirror.apply(part(2, { hp: 1 }), 10);
  assert(mirror.hasRoomFor(whole(3)) && mirror.hasRoomFor(part(3, {})));
  mirror.apply(whole(3), 10);
  for (const update of [whole(4), part(4, {})]) assert(!mirror.hasRoomFor(update));
  for (const id of [1, 2, 3]) assert(mirror.hasRoomFor(whole(id)), "it is known");
  for (const id of [1, 2, 3]) assert(mirror.hasRoomFor(part(id, { hp: 1 })), "it is known");
  mirror.remove(9, 10);
  assert(mirror.hasRoomFor(whole(9)), "what is gone needs none");
  mirror.remove(2, 10);
  assert(mirror.hasRoomFor(whole(4)));
  mirror.apply(whole(4), 10);
  assert(!mirror.hasRoomFor(whole(5)));
  mirror.settle(11);
  assert(mirror.hasRoomFor(whole(5)));
  for (const id of [5, 6, 7]) mirror.apply(whole(id), 11);
  assert(!mirror.hasRoomFor(whole(8)));
  mirror.clear();
  assert(mirror.hasRoomFor(whole(8)));
});

Deno.test("Mirror.apply() leaves out what has no room, and takes the rest", () => {
  const mirror = new Mirror(1);
  mirror.apply(whole(1, { hp: 3 }), 10);
  for (const update of [whole(2), part(2, { hp: 1 })]) {
    assertEquals(mirror.apply(update, 11), undefined);
  }
  assertEquals([...mirror.objects.keys()], [1]);
  assertEquals(mirror.time, 11, "that it is so late is true anyway");
  assertEquals(mirror.apply(part(1, { hp: 2 }), 12)?.kind, "changed");
  mirror.remove(1, 13);
  const spawned = mirror.apply(whole(2), 10);
  assertEquals<unknown>(spawned, { kind: "spawned", id: 2, traits: DEFAULT_TRAITS });
});

Deno.test("Mirror.hasRoomFor() no more than 4,096 objects of which there was no snapshot", () => {
  const mirror = new Mirror(65_536);
  mirror.apply(whole(0), 1);
  for (let id = 1; id <= 4_096; id++) {
    assert(mirror.hasRoomFor(part(id, { hp: 1 })), `object ${id}`);
    mirror.apply(part(id, { hp: 1 }), 1);
  }
  assert(!mirror.hasRoomFor(part(5_000, { hp: 1 })));
  assert(mirror.hasRoomFor(part(1, { hp: 1 })), "it is one of them");
  assert(mirror.hasRoomFor(whole(5_000)));
  mirror.apply(whole(5_000), 1);
  assert(!mirror.hasRoomFor(part(6_000, { hp: 1 })));
  mirror.apply(whole(1), 1);
  assert(mirror.hasRoomFor(part(6_000, { hp: 1 })), "one of them is shown now");
});

/** So many traits of 1,000 bytes each. */
function bulky(from: number, count: number): TraitChanges {
  const names = Array.from({ length: count }, (_, at) => `t${from + at}`);
  return Object.fromEntries(names.map((name) => [name, "x".repeat(1_000)]));
}

Deno.test("Mirror lets no object grow beyond about 8 kB, and leaves it as it was then", () => {
  for (const isShown of [true, false]) {
    const mirror = new Mirror(10);
    if (isShown) mirror.apply(whole(1), 1);
    for (let time = 2; time < 100; time++) mirror.apply(part(1, bulky(time, 1)), time);
    if (!isShown) mirror.apply(whole(1), 1);
    const { length } = JSON.stringify(mirror.objects.get(1));
    assert(length > 6_000 && length < 8_500, `${length} bytes`);
    mirror.apply(part(1, { mass: 7, position: [1, 2, 3] }), 100);
    assertEquals(mirror.objects.get(1)!.mass, 7, "what takes no more room is told");
    mirror.apply(whole(1, { hp: 3 }), 101);
    mirror.apply(part(1, bulky(0, 1)), 102);
    assertEquals(mirror.objects.get(1), traitsOf({ hp: 3, ...bulky(0, 1) }));
  }
});

Deno.test("Mirror takes new values of an object as large as the largest for ever", () => {
  const mirror = new Mirror(10);
  mirror.apply(whole(1), 1);
  for (let time = 2; time < 1_000; time++) {
    const traits = { trait: String(time).padEnd(900) };
    assertEquals(mirror.apply(part(1, traits), time)?.kind, "changed", `at tick ${time}`);
    assertEquals(mirror.objects.get(1)!.trait, traits.trait);
  }
});

Deno.test("Mirror counts what it holds, not what it was told", () => {
  const mirror = new Mirror(65_536);
  const [one, other] = ["x".repeat(4_000), "y".repeat(4_000)];
  // 34 MB, told three times.
  for (let id = 0; id < 8_500; id++) {
    mirror.apply(whole(id, { text: one }), 1);
    mirror.apply(part(id, { text: other }), 2);
    mirror.apply(part(id, { text: one }), 3);
  }
  assert(mirror.hasRoomFor(whole(8_500)));
  assertEquals(mirror.apply(part(0, { text: other }), 4)?.kind, "changed");
});

Deno.test("Mirror takes new values of what it knows though it is full, as long as they are no longer", () => {
  const mirror = new Mirror(65_536);
  const text = "x".repeat(7_900);
  let id = 0;
  while (id < 65_536 && mirror.hasRoomFor(whole(id))) mirror.apply(whole(id++, { text }), 1);
  const other = "y".repeat(7_900);
  assertEquals(mirror.apply(part(0, { text: other, mass: 7 }), 2)?.kind, "changed");
  assertEquals(mirror.apply(whole(1, { text: other }), 2)?.kind, "changed");
  assertEquals(mirror.apply(part(2, { text: other + "y" }), 2), undefined);
  assertEquals(mirror.apply(whole(3, { text: other, hp: 1 }), 2), undefined);
  for (const known of [2, 3]) assertEquals(mirror.objects.get(known)!.text, text);
  for (const known of [0, 1]) mirror.apply(whole(known), 3);
  assertEquals(mirror.apply(whole(3, { text: other, hp: 1 }), 4)?.kind, "changed", "room again");
});

Deno.test("Mirror has room for 64 MB of traits, and again when some are gone", () => {
  const mirror = new Mirror(65_536);
  // What came and went leaves nothing behind, also not room that is not there.
  for (let gone = 1_000_000; gone < 1_060_000; gone++) {
    mirror.apply(whole(gone), 1);
    mirror.remove(gone, 1);
  }
  const text = "x".repeat(8_000);
  let id = 0;
  while (id < 65_536 && mirror.hasRoomFor(whole(id))) mirror.apply(whole(id++, { text }), 1);
  assert(id * 8_000 > 64e6 && id * 8_000 < 70e6, `${id} objects`);
  for (const update of [whole(id), part(id, { hp: 1 })]) {
    assertEquals(mirror.apply(update, 2), undefined);
  }
  assertEquals(mirror.objects.size, id);
  for (const gone of [0, 1]) assert(mirror.remove(gone, 2));
  assertEquals(mirror.apply(whole(id), 2)?.kind, "spawned");
  mirror.clear();
  assertEquals(mirror.apply(whole(0, { text }), 0)?.kind, "spawned");
});

// ---- any order

type News = { time: number } & ({ update: Update } | { removed: number });

/** What happened in a world: in the order in which it was told, and how it ended. */
interface History {
  news: News[];
  final: Map<number, Traits>;
}

const NAMES = ["mass", "position", "hp", "name"];

function valueOf(name: string, time: number): Json {
  return name === "position" ? [time, -time, 0] : name === "name" ? { at: [time] } : time;
}

/** When a value of {@link valueOf} was made. */
function timeOf(value: Json): number {
  return Number(JSON.stringify(value).match(/\d+/)![0]);
}

/**
 * A history of a world in which each value is the tick at which it came about. Some news are told late, as
 * they are then, and some more than once; in the end everything was told.
 */
function historyOf(random: Random): History {
  const world = new World();
  const news: News[] = [];
  const owedTraits = new Map<number, Set<string>>();
  const owedWhole = new Set<number>();
  const tell = (share: number): void => {
    const { time } = world;
    for (const id of owedWhole) {
      if (random() >= share) continue;
      owedWhole.delete(id);
      owedTraits.delete(id);
      news.push({ time, update: { id, traits: world.objects.get(id)!, isWhole: true } });
    }
    for (const [id, names] of owedTraits) {
      if (random() >= share) continue;
      const traits = world.objects.get(id)!;
      const known = [...names].filter((name) => traits[name] !== undefined);
      owedTraits.delete(id);
      const changes = Object.fromEntries(known.map((name) => [name, traits[name]!]));
      news.push({ time, update: part(id, changes) });
    }
  };
  for (let step = 0; step < 25; step++) {
    const time = world.time + 1;
    for (const id of [...world.objects.keys()]) {
      const traits = world.objects.get(id)!;
      const changed = NAMES.filter(() => random() < 0.2);
      const lost = ["hp", "name"].find((name) => traits[name] !== undefined && random() < 0.05);
      world.update(id, Object.fromEntries(changed.map((name) => [name, valueOf(name, time)])));
      // Also what did not change may be told again, and an object be told whole at any time.
      const told = [
        ...changed,
        ...NAMES.filter((name) => traits[name] !== undefined && random() < 0.1),
      ];
      if (told.length > 0) {
        const owed = owedTraits.get(id) ?? new Set();
        owedTraits.set(id, owed);
        for (const name of told) owed.add(name);
      }
      if (lost) world.update(id, { [lost]: undefined });
      if (lost || random() < 0.05) owedWhole.add(id);
      if (random() < 0.03) {
        world.remove(id);
        owedTraits.delete(id);
        owedWhole.delete(id);
        news.push({ time, removed: id });
      }
    }
    if (world.objects.size < 4 && random() < 0.5) {
      const changes = NAMES.filter((name) => name !== "hp" || random() < 0.5);
      owedWhole.add(
        world.spawn(Object.fromEntries(changes.map((name) => [name, valueOf(name, time)]))),
      );
    }
    world.tick();
    tell(0.6);
  }
  tell(1);
  return { news, final: new Map(world.objects) };
}

/** The same news in another order, some of them more than once. */
function shuffled(random: Random, news: readonly News[]): News[] {
  const all = [...news, ...news.filter(() => random() < 0.3)];
  // From hardly at all to completely.
  const distance = random() < 0.3 ? all.length : 1 + random() * 10;
  return all.map((one, at): [number, News] => [at % news.length + random() * distance, one])
    .sort(([one], [other]) => one - other).map(([, one]) => one);
}

function apply(mirror: Mirror, news: News): Effect | boolean | undefined {
  if ("removed" in news) return mirror.remove(news.removed, news.time);
  return mirror.apply(news.update, news.time);
}

/** In any order of members. */
function sorted(objects: ReadonlyMap<number, Traits>): Map<number, Record<string, Json>> {
  return new Map(
    [...objects].sort(([one], [other]) => one - other).map(([id, traits]) => [id, { ...traits }]),
  );
}

Deno.test("Mirror ends up as the world is, in whatever order and however often it is told", () => {
  forEachSeed(150, (seed) => {
    const random = seededRandom(seed);
    const { news, final } = historyOf(random);
    assert(news.length > 20, "a history without history");
    for (const order of [news, ...[1, 2, 3, 4].map(() => shuffled(random, news))]) {
      const mirror = new Mirror(1_000);
      for (const one of order) apply(mirror, one);
      assertEquals(sorted(mirror.objects), sorted(final));
      assertEquals(mirror.time, Math.max(...news.map(({ time }) => time)));
    }
  });
});

Deno.test("Mirror never shows an older value of a trait after a newer one, nor what is gone", () => {
  forEachSeed(200, (seed) => {
    const random = seededRandom(seed);
    const mirror = new Mirror(1_000);
    const newest = new Map<string, number>();
    const gone = new Set<number>();
    for (const news of shuffled(random, historyOf(random).news)) {
      apply(mirror, news);
      if ("removed" in news) gone.add(news.removed);
      for (const [id, traits] of mirror.objects) {
        assert(!gone.has(id), `object ${id} is gone`);
        for (const name of NAMES) {
          const value = traits[name];
          if (value === undefined) continue;
          const time = timeOf(value);
          const before = newest.get(`${id} ${name}`) ?? -1;
          assert(time >= before, `${name} of ${id} ran back from ${before} to ${time}`);
          newest.set(`${id} ${name}`, time);
        }
      }
    }
  });
});

Deno.test("Mirror tells of every change what it takes to follow it", () => {
  forEachSeed(150, (seed) => {
    const random = seededRandom(seed);
    const mirror = new Mirror(1_000);
    const followed = new Map<number, Traits>();
    for (const news of shuffled(random, historyOf(random).news)) {
      const effect = apply(mirror, news);
      if (typeof effect === "boolean") {
        assertEquals(followed.delete((news as { removed: number }).removed), effect);
      } else if (effect?.kind === "spawned") {
        assert(!followed.has(effect.id));
        followed.set(effect.id, effect.traits);
      } else if (effect) {
        const before = followed.get(effect.id)!;
        const names = Object.keys(effect.changes);
        assert(names.length > 0, "a change of nothing");
        for (const name of names) {
          const [one, other] = [before[name], effect.changes[name]].map((value) =>
            JSON.stringify(value)
          );
          assert(one !== other, `${name} is what it was`);
        }
        followed.set(effect.id, traitsFrom(before, effect.changes));
        assertStrictEquals(mirror.objects.get(effect.id), effect.traits);
      }
      assertEquals(sorted(followed), sorted(mirror.objects));
    }
  });
});
