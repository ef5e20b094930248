import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import type { Json } from "../../../lib/parts/json.ts";
import {
  DEFAULT_TRAITS,
  memberOf,
  PHYSICAL_NAMES,
  type TraitChanges,
  type Traits,
  traitsFrom,
} from "../../../lib/protocols/world/traits.ts";
import {
  type Changes,
  type Entity,
  TRAITS_BYTES_MAX,
  World,
} from "../../../lib/protocols/world/world.ts";
import { forEachSeed } from "../../support/seeds.ts";

/** What a tick changed, in short: `spawned 1`, `changed 1 mass hp`, `reshaped 1`, `removed 1`. */
function inShort({ spawned, changed, reshaped, removed }: Changes): string[] {
  return [
    ...spawned.map(({ id }) => `spawned ${id}`),
    ...changed.map(({ entity, names }) => `changed ${entity.id} ${names.join(" ")}`),
    ...reshaped.map(({ id }) => `reshaped ${id}`),
    ...removed.map(({ id }) => `removed ${id}`),
  ];
}

/** All traits of an object as they were told. */
function told({ texts }: Entity): Traits {
  const snapshot: Json[] = JSON.parse(texts.snapshot);
  return traitsFrom(
    Object.fromEntries(PHYSICAL_NAMES.map((name, at) => [name, snapshot[at]])),
    JSON.parse(`{${texts.others}}`),
  );
}

/** A world with one object, which was told. */
function worldWith(traits: TraitChanges): { world: World; id: number; entity: Entity } {
  const world = new World();
  const id = world.spawn(traits);
  world.tick();
  return { world, id, entity: world.entities.get(id)! };
}

// ---- making and changing

Deno.test("World.spawn() makes an object of the default and what is given, to be told at the next tick", () => {
  const world = new World();
  assertEquals([world.time, world.objects.size, world.entities.size], [0, 0, 0]);
  const id = world.spawn({ position: [1, 2, 3], name: "Rock" });
  assertEquals(
    world.objects.get(id),
    traitsFrom(DEFAULT_TRAITS, { position: [1, 2, 3], name: "Rock" }),
  );
  assertEquals(world.entities.size, 0, "before the tick nobody sees it");
  const changes = world.tick();
  assertEquals([world.time, changes.time], [1, 1]);
  assertEquals(inShort(changes), [`spawned ${id}`]);
  const entity = world.entities.get(id)!;
  assertStrictEquals(changes.spawned[0], entity);
  assertEquals(entity.id, id);
  assertEquals(entity.isRemoved, false);
  assertEquals(entity.texts, {
    snapshot: "[[0,0,0],[0,0,0],[1,0,0,0],[1,2,3],1]",
    others: '"name":"Rock"',
  });
  assertEquals([...entity.told.values()].map(({ changedAt }) => changedAt), new Array(6).fill(1));
});

Deno.test("World.spawn() gives ids from 0 on that no other object ever gets", () => {
  const world = new World();
  assertEquals([world.spawn(), world.spawn()], [0, 1]);
  world.remove(1);
  assertEquals(world.spawn(), 2);
  world.tick();
  world.remove(2);
  world.tick();
  assertThrows(() => world.spawn({ mass: NaN }), TypeError);
  assertEquals(world.spawn(), 3, "one that was not made takes none");
});

Deno.test("World.update() changes some traits and tells only those, once, as they are at the tick", () => {
  const { world, id, entity } = worldWith({ hp: 3, name: "Rock" });
  world.update(id, { hp: 2, mass: 5 });
  world.update(id, { hp: 1 });
  assertEquals(world.objects.get(id), traitsFrom(DEFAULT_TRAITS, { hp: 1, name: "Rock", mass: 5 }));
  assertEquals(
    entity.told.get("hp"),
    { text: "3", changedAt: 1 },
    "before the tick nobody sees it",
  );
  const changes = world.tick(4);
  assertEquals(inShort(changes), [`changed ${id} hp mass`]);
  assertEquals([changes.time, world.time], [5, 5]);
  assertEquals(entity.told.get("hp"), { text: "1", changedAt: 5 });
  assertEquals(entity.told.get("mass"), { text: "5", changedAt: 5 });
  assertEquals(entity.told.get("name"), { text: '"Rock"', changedAt: 1 });
  assertEquals(told(entity), world.objects.get(id)!);
  assertEquals(inShort(world.tick()), [], "it was told");
});

Deno.test("World.update() replaces traits: who kept them sees no change", () => {
  const { world, id } = worldWith({ hp: 3 });
  const before = world.objects.get(id)!;
  world.update(id, { hp: 2 });
  assertEquals([before.hp, world.objects.get(id)!.hp], [3, 2]);
});

Deno.test("World tells nothing of a trait that is written again as it was, or back before the tick", () => {
  const { world, id, entity } = worldWith({ hp: 3, list: [1] });
  world.update(id, { hp: 3, list: [1], mass: 1, position: [0, -0, 0] });
  assertEquals(inShort(world.tick()), []);
  world.update(id, { hp: 2 });
  world.update(id, { hp: undefined });
  world.update(id, { hp: 3 });
  assertEquals(inShort(world.tick()), []);
  assertEquals(entity.told.get("hp")!.changedAt, 1);
});

Deno.test("World.update() takes a trait away, which calls for the whole object", () => {
  const { world, id, entity } = worldWith({ hp: 3, name: "Rock" });
  world.update(id, { hp: undefined, mass: 2 });
  assertEquals(Object.hasOwn(world.objects.get(id)!, "hp"), false);
  assertEquals(inShort(world.tick()), [`reshaped ${id}`]);
  assertEquals(entity.told.has("hp"), false);
  assertEquals(told(entity), world.objects.get(id)!);
  world.update(id, { hp: undefined, none: undefined });
  assertEquals(inShort(world.tick()), [], "nothing was there to be taken");
  world.update(id, { name: undefined, none: undefined, mass: 2 });
  assertEquals(inShort(world.tick()), [`reshaped ${id}`], "one was there, and the next was not");
  world.update(id, { hp: undefined });
  world.update(id, { mass: 3 });
  assertEquals(inShort(world.tick()), [`changed ${id} mass`]);
});

Deno.test("World.update() throws for objects that are not there, and for physical traits taken away", () => {
  const { world, id } = worldWith({});
  for (const name of PHYSICAL_NAMES) {
    assertThrows(() => world.update(id, { [name]: undefined }), TypeError, `has a ${name}`);
  }
  for (const none of [-1, id + 1, NaN]) {
    assertThrows(() => world.update(none, {}), RangeError, `there is no object ${none}`);
  }
  world.remove(id);
  assertThrows(() => world.update(id, {}), RangeError, "there is no object");
});

Deno.test("World.update() and World.spawn() do all of it or nothing", () => {
  const { world, id } = worldWith({ hp: 3 });
  const before = world.objects.get(id)!;
  const wrong: [TraitChanges, new (message: string) => Error][] = [
    [{ hp: 2, mass: NaN }, TypeError],
    [{ hp: 2, position: [1, 2] as unknown as [1, 2, 3] }, TypeError],
    [{ hp: 2, ["n".repeat(65)]: 1 }, TypeError],
    [{ hp: 2, text: "x".repeat(1_000) }, RangeError],
    [{ hp: 2, fun: (() => 1) as unknown as Json }, TypeError],
  ];
  for (const [changes, error] of wrong) {
    assertThrows(() => world.update(id, changes), error);
    assertThrows(() => world.spawn(changes), error);
    assertStrictEquals(world.objects.get(id), before);
    assertEquals(inShort(world.tick()), []);
  }
  assertThrows(() => world.update(id, { hp: undefined, mass: undefined }), TypeError);
  assertEquals(inShort(world.tick()), []);
  assertEquals(world.objects.size, 1);
});

// ---- removing

Deno.test("World.remove() takes an object away, to be told at the next tick", () => {
  const { world, id, entity } = worldWith({ hp: 3 });
  world.update(id, { hp: 2 });
  assertEquals(world.remove(id), true);
  assertEquals(world.remove(id), false);
  assertEquals(world.objects.size, 0);
  assertEquals([world.entities.size, entity.isRemoved], [1, false]);
  const changes = world.tick();
  assertEquals(inShort(changes), [`removed ${id}`]);
  assertStrictEquals(changes.removed[0], entity);
  assertEquals([world.entities.size, entity.isRemoved], [0, true]);
  assertEquals(inShort(world.tick()), []);
});

Deno.test("World.remove() leaves nothing of an object that nobody saw", () => {
  const world = new World();
  const id = world.spawn();
  assertEquals(world.remove(id), true);
  assertEquals(inShort(world.tick()), []);
  assertEquals(world.remove(7), false);
  assertEquals([world.objects.size, world.entities.size], [0, 0]);
});

// ---- limits and options

Deno.test("World.spawn() throws when the world is full, until something is removed", () => {
  const world = new World({ objectsMax: 2 });
  world.spawn();
  const id = world.spawn();
  assertThrows(() => world.spawn(), RangeError, "the world is full: it has 2 objects");
  world.tick();
  assertThrows(() => world.spawn(), RangeError, "full");
  world.remove(id);
  assertEquals(world.spawn(), 2);
  assertThrows(() => world.spawn(), RangeError, "full");
});

Deno.test("World has a place for 10,000 objects unless it is told otherwise", () => {
  const world = new World();
  for (let count = 0; count < 10_000; count++) world.spawn();
  assertThrows(() => world.spawn(), RangeError, "10000");
});

Deno.test("World limits the traits of an object to 1,000 bytes with names, and says how many there are", () => {
  const world = new World();
  const bytesOf = (traits: Traits): number =>
    Object.entries(traits).reduce(
      (sum, [name, value]) => sum + memberOf(name, JSON.stringify(value)).length + 1,
      0,
    );
  assertEquals(TRAITS_BYTES_MAX, 1_000);
  const room = 1_000 - bytesOf(traitsFrom(DEFAULT_TRAITS, { text: "" }));
  const id = world.spawn({ text: "x".repeat(room) });
  assertEquals(bytesOf(world.objects.get(id)!), 1_000);
  assertThrows(
    () => world.spawn({ text: "x".repeat(room + 1) }),
    RangeError,
    "the traits of object 1 take 1001 bytes in JSON, and 1000 are the most",
  );
  assertThrows(() => world.update(id, { mass: 10 }), RangeError, "object 0 take 1001 bytes");
  world.update(id, { mass: 2 });
  world.update(id, { text: "x".repeat(room - 1), mass: 10 });
  assertThrows(() => world.update(id, { mass: 100 }), RangeError, "1001 bytes");
  world.update(id, { text: undefined });
  world.update(id, { other: "x".repeat(room - 3), mass: 100 });
  assertThrows(() => world.update(id, { mass: 1_000 }), RangeError);
  world.tick();
  assertThrows(() => world.update(id, { mass: 1_000 }), RangeError, "1001 bytes");
});

Deno.test("World counts what a character takes in JSON", () => {
  const world = new World();
  assertThrows(() => world.spawn({ text: "é".repeat(160) }), RangeError);
  assertThrows(() => world.spawn({ text: "\0".repeat(160) }), RangeError);
  world.spawn({ text: "é".repeat(120) });
  world.spawn({ text: "x".repeat(720) });
});

Deno.test("World rounds what is told, and goes on with what it was given", () => {
  const world = new World({ decimals: 2 });
  const id = world.spawn({ position: [0.123, 0.126, -0.001], hp: 0.123 });
  world.tick();
  assertEquals(world.objects.get(id)!.position, [0.123, 0.126, -0.001]);
  assertEquals(told(world.entities.get(id)!).position, [0.12, 0.13, 0]);
  assertEquals(told(world.entities.get(id)!).hp, 0.123);
  world.update(id, { position: [0.124, 0.126, 0.001] });
  assertEquals(inShort(world.tick()), [], "nobody would see a difference");
  world.update(id, { position: [0.126, 0.126, 0] });
  assertEquals(inShort(world.tick()), [`changed ${id} position`]);
});

Deno.test("World refuses decimals that are no whole number from 0 to 15", () => {
  for (const decimals of [-1, 16, 0.5, NaN, Infinity, "2" as unknown as number]) {
    assertThrows(
      () => new World({ decimals }),
      RangeError,
      "decimals is a whole number from 0 to 15",
    );
  }
  for (const decimals of [0, 15, undefined]) new World({ decimals });
});

// ---- all together

function pick<T>(random: Random, all: readonly T[]): T {
  return all[Math.floor(random() * all.length)]!;
}

Deno.test("World tells of every tick exactly what it changed", () => {
  forEachSeed(30, (seed) => {
    const random = seededRandom(seed);
    const world = new World({ objectsMax: 6 });
    /** As told up to the last tick: every trait as text, and when it became that. */
    let before = new Map<number, Map<string, { text: string; changedAt: number }>>();
    for (let step = 0; step < 80; step++) {
      for (let actions = Math.floor(random() * 6); actions > 0; actions--) act(world, random);
      const objects = new Map([...world.objects].map(([id, traits]) => [id, { ...traits }]));
      const changes = world.tick(1 + Math.floor(random() * 2));
      const after: typeof before = new Map();
      const expected: string[][] = [[], [], [], []];
      for (const [id, traits] of objects) {
        const known = before.get(id);
        const now = new Map<string, { text: string; changedAt: number }>();
        for (const [name, value] of Object.entries(traits)) {
          const text = JSON.stringify(value);
          const same = known?.get(name);
          now.set(name, same?.text === text ? same : { text, changedAt: world.time });
        }
        after.set(id, now);
        const names = [...now.keys()].filter((name) => now.get(name) !== known?.get(name)).sort();
        const isReshaped = known && [...known.keys()].some((name) => !now.has(name));
        if (!known) expected[0]!.push(`spawned ${id}`);
        else if (isReshaped) expected[2]!.push(`reshaped ${id}`);
        else if (names.length > 0) expected[1]!.push(`changed ${id} ${names.join(" ")}`);
      }
      for (const id of before.keys()) if (!after.has(id)) expected[3]!.push(`removed ${id}`);
      const changed = changes.changed.map(({ entity, names }) => ({
        entity,
        names: names.toSorted(),
      }));
      const actual = inShort({ ...changes, changed });
      assertEquals(actual.sort(), expected.flat().sort(), `step ${step}`);
      assertEquals([...world.entities.keys()], [...after.keys()].sort((a, b) => a - b));
      for (const entity of world.entities.values()) {
        assertEquals(new Map(entity.told), after.get(entity.id)!, `object ${entity.id}`);
        assertEquals(told(entity), objects.get(entity.id)! as Traits);
        assertEquals(entity.isRemoved, false);
      }
      before = after;
    }
  });
});

/** Something that a program may do with its world. */
function act(world: World, random: Random): void {
  const ids = [...world.objects.keys()];
  const kind = random();
  if (kind < 0.2 && ids.length < 6) world.spawn(someTraits(random));
  else if (ids.length === 0) return;
  else if (kind < 0.3) world.remove(pick(random, ids));
  else if (kind < 0.4) world.update(pick(random, ids), { [pick(random, ["a", "b"])]: undefined });
  else world.update(pick(random, ids), someTraits(random));
}

function someTraits(random: Random): TraitChanges {
  const digit = (): number => Math.floor(random() * 3);
  const all: [string, Json][] = [
    ["mass", digit()],
    ["position", [digit(), 0, 0]],
    ["a", digit()],
    ["b", { c: [digit()] }],
  ];
  return Object.fromEntries(all.filter(() => random() < 0.4));
}

Deno.test("World.spawn() refuses to go without a physical trait", () => {
  const world = new World();
  assertThrows(() => world.spawn({ position: undefined }), TypeError, "each object has a position");
  assertEquals(world.objects.size, 0);
  assertEquals(Object.hasOwn(world.objects.get(world.spawn({ hp: undefined }))!, "hp"), false);
});

Deno.test("World keeps traits of its own", () => {
  const world = new World();
  const position: [number, number, number] = [1, 2, 3];
  // A name that objects have by themselves is one like any other.
  const bag = { coins: [1], ["__proto__"]: { worn: true } };
  const spawned = world.spawn({ position, bag });
  const updated = world.spawn();
  world.update(updated, { position, bag });
  position[0] = 9;
  bag.coins.push(9);
  bag["__proto__"].worn = false;
  for (const id of [spawned, updated]) {
    const traits = world.objects.get(id)!;
    assertEquals(traits.position, [1, 2, 3]);
    assertEquals(JSON.stringify(traits.bag), '{"coins":[1],"__proto__":{"worn":true}}');
  }
});

Deno.test("World.tick() goes forward, by whole ticks", () => {
  const world = new World();
  for (const ticks of [0, -1, 0.5, NaN]) assertThrows(() => world.tick(ticks), RangeError);
  assertEquals(world.tick(7).time, 7);
});

// ---- who ticks

Deno.test("World.tick() is for its server alone once it has one", () => {
  const world = new World();
  const server = {};
  world.own(server);
  const id = world.spawn();
  for (const owner of [undefined, {}]) {
    assertThrows(() => world.tick(1, owner), TypeError, "a world with a server is ticked by that");
  }
  assertEquals([world.time, world.entities.size], [0, 0], "nothing has happened");
  assertEquals(inShort(world.tick(1, server)), [`spawned ${id}`], "nothing was lost");
  world.update(id, { mass: 2 });
  assertEquals(inShort(world.tick(2, server)), [`changed ${id} mass`]);
  assertEquals(world.time, 3);
});

Deno.test("World.own() gives the world to the next server, and the one before ticks no longer", () => {
  const world = new World();
  const [before, next] = [{ name: "before" }, { name: "next" }];
  world.own(before);
  world.tick(1, before);
  world.own(next);
  assertThrows(() => world.tick(1, before), TypeError);
  assertThrows(() => world.tick(), TypeError);
  assertEquals(world.tick(1, next).time, 2);
});

Deno.test("World.tick() takes nobody for the server of a world that has none", () => {
  const world = new World();
  assertThrows(() => world.tick(1, {}), TypeError);
  assertEquals(world.tick().time, 1);
});

Deno.test("World knows when an object lost a trait last, and nothing else as such", () => {
  const { world, id, entity } = worldWith({ hp: 3, name: "Rock" });
  world.tick(4);
  const atFirst = entity.reshapedAt;
  assert(atFirst <= 1, "not after it came");
  world.update(id, { hp: 2, extra: 1 });
  world.tick();
  world.update(id, { hp: undefined });
  world.update(id, { hp: 7 });
  world.tick();
  assertEquals(entity.reshapedAt, atFirst, "it is there at the tick");
  world.update(id, { hp: undefined });
  world.tick();
  assertEquals(entity.reshapedAt, 8);
  world.update(id, { mass: 2 });
  world.tick();
  assertEquals(entity.reshapedAt, 8);
  world.update(id, { name: undefined });
  world.tick(10);
  assertEquals(entity.reshapedAt, 19);
});
