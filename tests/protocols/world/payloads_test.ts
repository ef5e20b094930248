import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Json, JsonObject } from "../../../lib/parts/json.ts";
import { readServerMessage, type ServerMessage } from "../../../lib/protocols/world/messages.ts";
import { type Payload, Payloads } from "../../../lib/protocols/world/payloads.ts";
import type { TraitChanges } from "../../../lib/protocols/world/traits.ts";
import {
  decodePacket,
  encodeMessage,
  PAYLOAD_BYTES_MAX,
  SENT_BYTES_MAX,
} from "../../../lib/protocols/world/wire.ts";
import { Entity, TRAITS_BYTES_MAX, World } from "../../../lib/protocols/world/world.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";

const UNIVERSE = 48_213;
const MOST = Number.MAX_SAFE_INTEGER;

/** A world whose objects were told, and what a server says about it. */
function told(
  ...objects: TraitChanges[]
): { world: World; payloads: Payloads; entities: Entity[] } {
  const world = new World();
  for (const traits of objects) world.spawn(traits);
  world.tick();
  return {
    world,
    payloads: new Payloads(world, UNIVERSE, 60),
    entities: [...world.entities.values()],
  };
}

function textOf(json: Uint8Array): string {
  return new TextDecoder().decode(json);
}

/** What a client understands of a message that fits into a datagram. */
function heard(json: Uint8Array): ServerMessage {
  assert(json.length <= PAYLOAD_BYTES_MAX, `${json.length} bytes of JSON`);
  const packet = decodePacket(encodeMessage(0, json));
  assert(packet.kind === "message", textOf(json));
  const message = readServerMessage(packet.message);
  assert(message.kind !== "refused", textOf(json));
  return message;
}

/** An entity under another id, of which the same was told. */
function under(id: number, { told }: Entity, time: number): Entity {
  const entity = new Entity(id);
  const texts = new Map(Array.from(told, ([name, { text }]) => [name, text]));
  entity.tell(texts.keys(), texts, time);
  return entity;
}

// ---- their form

Deno.test("Payloads.snap() tells all of an object as documented", () => {
  const { world, payloads, entities: [, entity] } = told({}, { position: [1, 2, 3], name: "Rock" });
  world.tick(123);
  assertEquals(
    textOf(payloads.snap(entity!, true)),
    '{"type":"snap","id":1,"time":124,"snapshot":[[0,0,0],[0,0,0],[1,0,0,0],[1,2,3],1],"total":2,' +
      '"initial":true,"traits":{"name":"Rock"},"universe":48213}',
  );
  assertEquals(
    textOf(payloads.snap(entity!, false)),
    '{"type":"snap","id":1,"time":124,"snapshot":[[0,0,0],[0,0,0],[1,0,0,0],[1,2,3],1],"total":2,' +
      '"traits":{"name":"Rock"},"universe":48213}',
  );
});

Deno.test("Payloads.snap() leaves out traits where there are none", () => {
  const { payloads, entities: [entity] } = told({});
  assertEquals(
    textOf(payloads.snap(entity!, false)),
    '{"type":"snap","id":0,"time":1,"snapshot":[[0,0,0],[0,0,0],[1,0,0,0],[0,0,0],1],"total":1,"universe":48213}',
  );
});

Deno.test("Payloads.snap() is written once a tick, and anew at the next", () => {
  const { world, payloads, entities } = told({ hp: 1 }, { hp: 2 });
  const [entity, other] = entities as [Entity, Entity];
  const [initial, later] = [payloads.snap(entity, true), payloads.snap(entity, false)];
  assertStrictEquals(payloads.snap(entity, true), initial);
  assertStrictEquals(payloads.snap(entity, false), later);
  assertEquals((JSON.parse(textOf(payloads.snap(other, true))) as JsonObject).id, 1);
  world.update(0, { hp: 3 });
  assertStrictEquals(payloads.snap(entity, true), initial, "before the tick nobody sees it");
  world.remove(1);
  world.tick();
  world.spawn(); // Nobody has been told of that one.
  for (const isInitial of [true, false]) {
    const json = payloads.snap(entity, isInitial);
    const snap = heard(json);
    assert(snap.kind === "updates");
    assertEquals([snap.time, snap.total], [2, 1]);
    const { initial } = JSON.parse(textOf(json)) as JsonObject;
    assertEquals(initial, isInitial ? true : undefined);
    assertEquals(snap.updates[0]!.traits.hp, 3);
  }
});

Deno.test("Payloads.diffs() tells some traits of several objects as documented", () => {
  const { world, payloads, entities: [one, other] } = told({}, {});
  world.update(0, { position: [1, 2, 3], hp: 2 });
  world.update(1, { mass: 4 });
  world.tick(124);
  const parts = [
    { entity: one!, names: ["position", "hp"] },
    { entity: other!, names: ["mass"] },
  ];
  const payloadsMade = payloads.diffs(parts);
  assertEquals(payloadsMade.map(({ json }) => textOf(json)), [
    '{"type":"diff","time":125,"diff":{"0":{"position":[1,2,3],"hp":2},"1":{"mass":4}},"universe":48213}',
  ]);
  assertEquals(payloadsMade[0]!.things, parts);
});

Deno.test("Payloads.removals() tells who is gone as documented", () => {
  const { payloads, entities } = told({}, {}, {});
  const made = payloads.removals([entities[2]!, entities[0]!]);
  assertEquals(made.map(({ json }) => textOf(json)), [
    '{"type":"remove","time":1,"ids":[2,0],"universe":48213}',
  ]);
  assertEquals(made[0]!.things.map(({ id }) => id), [2, 0]);
});

Deno.test("Payloads says nothing where there is nothing to say", () => {
  const { payloads } = told({});
  assertEquals([payloads.diffs([]), payloads.removals([])], [[], []]);
});

Deno.test("Payloads.heartbeat() says the times as documented, and `synced` only when it is", () => {
  const { world, payloads } = told({});
  world.tick(125);
  assertEquals(
    textOf(payloads.heartbeat(1_795_230_171_890, 120)),
    '{"type":"heartbeat","time":1795230171.89,"tick":126,"tickRate":60,"synced":120,"universe":48213}',
  );
  assertEquals(
    textOf(payloads.heartbeat(1_795_230_171_890, undefined)),
    '{"type":"heartbeat","time":1795230171.89,"tick":126,"tickRate":60,"universe":48213}',
  );
  assertEquals((JSON.parse(textOf(payloads.heartbeat(0, 0))) as JsonObject).synced, 0);
});

Deno.test("Payloads.news() tells what a tick changed, with what each message brings", () => {
  const { world, payloads, entities } = told({ hp: 1 }, { hp: 2 }, { hp: 3 });
  world.update(0, { hp: 9 });
  world.update(1, { hp: undefined });
  world.remove(2);
  world.spawn();
  const changes = world.tick();
  const news = payloads.news(changes);
  const [spawned, other] = [world.entities.get(3)!, entities[1]!];
  assertStrictEquals(news.changes, changes);
  assertEquals(news.messages.map(({ cargo }) => cargo), [
    { kind: "snap", entity: spawned, time: 2 },
    { kind: "snap", entity: other, time: 2 },
    { kind: "diff", parts: [{ entity: entities[0]!, names: ["hp"] }], time: 2 },
    { kind: "removal", entities: [entities[2]!] },
  ]);
  assertEquals(news.messages.map(({ json }) => textOf(json)), [
    textOf(payloads.snap(spawned, false)),
    textOf(payloads.snap(other, false)),
    '{"type":"diff","time":2,"diff":{"0":{"hp":9}},"universe":48213}',
    '{"type":"remove","time":2,"ids":[2],"universe":48213}',
  ]);
  assertEquals(news.bytes, news.messages.map(({ json }) => textOf(json)).join("").length);
  const nothing = payloads.news(world.tick());
  assertEquals([nothing.messages, nothing.bytes], [[], 0]);
});

// ---- their size

/** The longest text that leaves room for the others, among these traits. */
function filled(traits: TraitChanges, character: string): { world: World; entity: Entity } {
  const world = new World();
  for (let length = TRAITS_BYTES_MAX; length >= 0; length--) {
    try {
      world.spawn({ ...traits, t: character.repeat(length) });
      world.tick();
      return { world, entity: world.entities.get(0)! };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw new Error("no text is short enough");
}

Deno.test("Payloads fits an object of 1,000 bytes into 1,200, whole or as a diff, whatever the numbers", () => {
  const long = -1.2345678901234567e-300;
  const worst: [string, TraitChanges][] = [
    ["short numbers", {}],
    ["long numbers", {
      velocity: [long, long, long],
      angularVelocity: [long, long, long],
      quaternion: [long, long, long, long],
      position: [long, long, long],
      mass: long,
    }],
    ["many traits", Object.fromEntries(Array.from({ length: 100 }, (_, at) => [String(at), 1]))],
    ["long names", Object.fromEntries([1, 2, 3].map((at) => ["é".repeat(29) + at, 1]))],
  ];
  for (const [what, traits] of worst) {
    const { world, entity } = filled(traits, "x");
    const bytes = Array.from(entity.told, ([name, { text }]) => `"${name}":${text},`).join("");
    if (what !== "long names") assertEquals(bytes.length, TRAITS_BYTES_MAX, what);
    const big = under(MOST, entity, MOST);
    world.tick(MOST - world.time);
    const payloads = new Payloads(world, MOST, 60);
    for (const isInitial of [true, false]) {
      const snap = heard(payloads.snap(big, isInitial));
      assert(snap.kind === "updates" && snap.total === 1);
      assertEquals([snap.time, snap.updates[0]!.id, snap.universe], [MOST, MOST, MOST]);
      assertEquals(snap.updates[0]!.traits, world.objects.get(0)!, what);
      // With the most objects that can be counted.
      const more = String(MOST).length - String(snap.total).length;
      const { length } = encodeMessage(0, payloads.snap(big, isInitial));
      assert(length + more <= SENT_BYTES_MAX, `${what}: ${length} and ${more}`);
    }
    const diffs = payloads.diffs([{ entity: big, names: [...big.told.keys()] }]);
    assertEquals(diffs.length, 1);
    const diff = heard(diffs[0]!.json);
    assert(diff.kind === "updates");
    assertEquals([diff.time, diff.updates[0]!.id, diff.universe], [MOST, MOST, MOST]);
    assertEquals<unknown>(diff.updates[0]!.traits, world.objects.get(0)!, what);
  }
});

Deno.test("Payloads.heartbeat() fits with the longest numbers", () => {
  const world = new World();
  world.tick(MOST);
  const json = new Payloads(world, MOST, 1 / 3).heartbeat(MOST / 3, MOST);
  assert(json.length <= 200, `${json.length}`);
  assertEquals(heard(json).kind, "heartbeat");
});

/** Checks that lists are as long as they can be, in order, and that nothing is left out or said twice. */
function assertWellDivided<Thing>(
  payloads: readonly Payload<Thing>[],
  all: readonly Thing[],
  say: (things: readonly Thing[]) => number,
): void {
  assertEquals(payloads.flatMap(({ things }) => things).length, all.length);
  payloads.flatMap(({ things }) => things).forEach((thing, at) =>
    assertStrictEquals(thing, all[at])
  );
  for (const [at, { json, things }] of payloads.entries()) {
    assert(things.length > 0);
    assertEquals(json.length, say(things));
    assert(json.length <= PAYLOAD_BYTES_MAX, `${json.length} bytes`);
    const next = payloads[at + 1]?.things[0];
    if (next) {
      assert(say([...things, next]) > PAYLOAD_BYTES_MAX, `list ${at} has room for one more`);
    }
  }
}

/** The objects of a message, with all of what was said of each. */
function updatesIn(json: Uint8Array): [number, unknown][] {
  const message = heard(json);
  assert(message.kind === "updates");
  return message.updates.map(({ id, traits }) => [id, traits]);
}

function anyTraits(random: Random): TraitChanges {
  const digits = (): number => Math.floor(random() * 4);
  const text = (): string =>
    String.fromCharCode(32 + Math.floor(random() ** 4 * 9_000)).repeat(digits() * 9);
  const number = (): number => (random() - 0.5) * 10 ** Math.floor(random() * 20 - 8);
  const all: [string, Json][] = [
    ["position", [number(), number(), number()]],
    ["quaternion", [number(), number(), number(), number()]],
    ["mass", number()],
    [text(), digits()],
    ["name", text()],
    ["list", [text(), { [text()]: digits() }]],
  ];
  return Object.fromEntries(all.filter(([name]) => name.length <= 64 && random() < 0.5));
}

Deno.test("Payloads.diffs() divides what is too long for one, in order, and fills each", () => {
  let most = 0;
  forEachSeed(60, (seed) => {
    const random = seededRandom(seed);
    const world = new World();
    for (let count = Math.floor(random() * 60); count > 0; count--) world.spawn(anyTraits(random));
    world.tick(1 + Math.floor(random() * 10 ** Math.floor(random() * 15)));
    const payloads = new Payloads(world, Math.floor(random() * 2 ** 32), 0);
    const parts = Array.from(world.entities.values(), (entity) => {
      const names = [...entity.told.keys()].filter(() => random() < 0.7);
      return { entity, names: names.length > 0 ? names : ["mass"] };
    });
    const made = payloads.diffs(parts);
    most = Math.max(most, made.length);
    const overhead = payloads.diffs([{ entity: new Entity(0), names: [] }])[0]!.json.length - 6;
    assertWellDivided(made, parts, (things) => {
      const said = Object.fromEntries(things.map(({ entity, names }) => [
        entity.id,
        Object.fromEntries(names.map((name) => [name, entity.told.get(name)!.text])),
      ]));
      const texts = Object.entries(said).map(([id, traits]) =>
        `"${id}":{${Object.entries(traits).map(([n, text]) => `${ascii(n)}:${text}`).join(",")}}`
      );
      return overhead + texts.join(",").length;
    });
    const expected = parts.map(({ entity: { id }, names }): [number, unknown] => [
      id,
      JSON.parse(JSON.stringify(world.objects.get(id)!, names)),
    ]);
    const actual = made.flatMap(({ json }) => updatesIn(json)).map(([id, traits]) => [
      id,
      JSON.parse(JSON.stringify(traits, [...parts.find((part) => part.entity.id === id)!.names])),
    ]);
    assertEquals<unknown>(actual, expected);
  });
  assert(most > 3, `${most} at most: nothing was divided`);
});

/** A name as it is written. */
function ascii(name: string): string {
  return JSON.stringify(name).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

Deno.test("Payloads.removals() divides what is too long for one, in order, and fills each", () => {
  for (const [count, step] of [[1, 1], [284, 1], [1_000, 1], [3_000, 999_999_999_999]] as const) {
    const { payloads } = told({});
    const all = Array.from({ length: count }, (_, at) => new Entity(at * step));
    const made = payloads.removals(all);
    const ids = made.flatMap(({ json }) => {
      const message = heard(json);
      assert(message.kind === "remove");
      return message.ids;
    });
    assertEquals(ids, all.map(({ id }) => id));
    assertWellDivided(made, all, (things) => {
      const list = things.map(({ id }) => id);
      return JSON.stringify({ type: "remove", time: 1, ids: list, universe: UNIVERSE }).length;
    });
  }
});

Deno.test("Payloads.snap() tells a client exactly what the world has", () => {
  forEachSeed(100, (seed) => {
    const random = seededRandom(seed);
    const { world, payloads, entities } = told(anyTraits(random), anyTraits(random));
    for (const entity of entities) {
      const [[id, traits]] = updatesIn(payloads.snap(entity, random() < 0.5)) as [
        [number, unknown],
      ];
      assertEquals<unknown>([id, traits], [entity.id, world.objects.get(entity.id)]);
    }
  });
});
