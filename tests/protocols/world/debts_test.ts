import { assert, assertEquals } from "@std/assert";
import { type Cargo, Debts } from "../../../lib/protocols/world/debts.ts";
import type { TraitChanges } from "../../../lib/protocols/world/traits.ts";
import { type Entity, World } from "../../../lib/protocols/world/world.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";

const BACK_OFF_MS = 100;

/** A world with so many objects, and a client that is to be told of them. */
class Book {
  readonly world = new World();
  readonly debts: Debts;
  readonly entities: Entity[] = [];
  now = 0;

  constructor(objects: number, hasDiffs = true) {
    this.debts = new Debts(hasDiffs);
    for (let count = 0; count < objects; count++) this.world.spawn({ hp: 0 });
    this.tick();
    this.entities.push(...this.world.entities.values());
  }

  /** What was done is owed. */
  tick(): void {
    this.debts.owe(this.world.tick(), this.now);
  }

  update(id: number, changes: TraitChanges): void {
    this.world.update(id, changes);
    this.tick();
  }

  /** The snapshot of an object leaves. */
  sendSnap(id: number): Cargo {
    const entity = this.entities[id]!;
    this.debts.onSnapSent(entity, this.world.time);
    return { kind: "snap", entity, time: this.world.time };
  }

  /** All traits that are owed leave in one packet. */
  sendDiff(): Cargo {
    const parts = [...this.debts.traits].map(([entity, names]) => ({ entity, names: [...names] }));
    this.debts.traits.clear();
    return { kind: "diff", parts, time: this.world.time };
  }

  /** Every object is sent, and arrives. */
  settle(): this {
    for (const { id } of this.entities) this.debts.onArrived(this.sendSnap(id));
    return this;
  }

  lose(cargo: Cargo): void {
    this.debts.onLost(cargo, this.now, BACK_OFF_MS);
  }

  /** What is owed: `snap 0@100`, `traits 1 hp mass`, `gone 2`, `keyframe 3`. */
  get owed(): string[] {
    const { snaps, traits, removals, keyframes } = this.debts;
    return [
      ...Array.from(snaps, ([{ id }, at]) => `snap ${id}@${at}`),
      ...Array.from(traits, ([{ id }, names]) => `traits ${id} ${[...names].join(" ")}`),
      ...Array.from(removals, ({ id }) => `gone ${id}`),
      ...Array.from(keyframes, ({ id }) => `keyframe ${id}`),
    ];
  }
}

// ---- what is owed

Deno.test("Debts owes new objects whole, at once, in order", () => {
  const book = new Book(0);
  assert(book.debts.isClear);
  book.now = 70;
  book.world.spawn();
  book.world.spawn();
  book.tick();
  assertEquals(book.owed, ["snap 0@70", "snap 1@70"]);
  assert(!book.debts.isClear);
});

Deno.test("Debts owes whoever understands diffs the traits that changed, each once", () => {
  const book = new Book(2).settle();
  assertEquals(book.owed, []);
  book.update(1, { hp: 1 });
  book.update(0, { hp: 1 });
  book.update(1, { mass: 2, hp: 3 });
  assertEquals(book.owed, ["traits 1 hp mass", "traits 0 hp"]);
  assert(!book.debts.isClear);
});

Deno.test("Debts owes others a snapshot for each change", () => {
  const book = new Book(2, false).settle();
  book.now = 30;
  book.update(1, { hp: 1 });
  assertEquals(book.owed, ["snap 1@30"]);
  book.now = 40;
  book.update(1, { hp: 2 });
  assertEquals(book.owed, ["snap 1@30"], "it is owed since then");
});

Deno.test("Debts owes a whole object when it lost a trait, and its other traits with it", () => {
  const book = new Book(1).settle();
  book.update(0, { mass: 2 });
  assertEquals(book.owed, ["traits 0 mass"]);
  book.now = 50;
  book.update(0, { hp: undefined });
  assertEquals(book.owed, ["snap 0@50"]);
  book.update(0, { mass: 3 });
  assertEquals(book.owed, ["snap 0@50"], "the snapshot tells that too");
});

Deno.test("Debts owes a removal, and nothing else of what is gone", () => {
  const book = new Book(4);
  book.debts.onArrived(book.sendSnap(1));
  book.debts.onArrived(book.sendSnap(2));
  book.update(1, { hp: 1 });
  book.debts.keyframes.add(book.entities[2]!);
  assertEquals(book.owed, ["snap 0@0", "snap 3@0", "traits 1 hp", "keyframe 2"]);
  for (const id of [0, 1, 2]) book.world.remove(id);
  book.tick();
  assertEquals(book.owed, ["snap 3@0", "gone 0", "gone 1", "gone 2"]);
});

Deno.test("Debts.isClear without keyframes, and only when nothing else is owed", () => {
  const book = new Book(1).settle();
  book.debts.keyframes.add(book.entities[0]!);
  assert(book.debts.isClear);
  book.update(0, { hp: 1 });
  assert(!book.debts.isClear, "traits");
  book.sendDiff();
  assert(book.debts.isClear);
  book.world.remove(0);
  book.tick();
  assert(!book.debts.isClear, "a removal");
});

Deno.test("Debts.onSnapSent() settles all that is owed of an object", () => {
  const book = new Book(2).settle();
  book.update(0, { hp: 1 });
  book.update(1, { hp: 1 });
  book.debts.keyframes.add(book.entities[0]!).add(book.entities[1]!);
  book.sendSnap(0);
  assertEquals(book.owed, ["traits 1 hp", "keyframe 1"]);
  book.debts.snaps.set(book.entities[1]!, 5);
  book.sendSnap(1);
  assertEquals(book.owed, []);
});

Deno.test("Debts.oweAll() owes everything whole, and forgets what the client had", () => {
  const book = new Book(2).settle();
  book.update(1, { hp: 1 });
  book.debts.keyframes.add(book.entities[0]!);
  book.now = 90;
  book.debts.oweAll(book.world.entities.values(), book.now);
  assertEquals(book.owed, ["snap 0@90", "snap 1@90"]);
});

Deno.test("Debts.oweAll() owes once more what is lost after it, though the client had it before", () => {
  const book = new Book(1);
  const before = book.sendSnap(0);
  book.debts.onArrived(before);
  book.debts.oweAll(book.world.entities.values(), book.now);
  book.lose(book.sendSnap(0));
  assertEquals(book.owed, ["snap 0@0"], "of the same tick as the one it had");
});

Deno.test("Debts.oweAll() forgets how often snapshots were lost", () => {
  const book = new Book(1);
  for (let times = 0; times < 5; times++) book.lose(book.sendSnap(0));
  book.debts.oweAll(book.world.entities.values(), book.now);
  book.lose(book.sendSnap(0));
  assertEquals(book.owed, ["snap 0@0"]);
});

// ---- what was lost

Deno.test("Debts.onLost() owes a snapshot again, at once, and then later each time up to 1 s", () => {
  const book = new Book(1);
  const waits: number[] = [];
  for (let times = 0; times < 9; times++) {
    book.now += 10_000;
    book.lose(book.sendSnap(0));
    waits.push(book.debts.snaps.get(book.entities[0]!)! - book.now);
  }
  assertEquals(waits, [0, 100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000]);
  book.debts.onArrived(book.sendSnap(0));
  book.update(0, { hp: undefined });
  book.lose(book.sendSnap(0));
  assertEquals(book.debts.snaps.get(book.entities[0]!), book.now, "one arrived between");
});

Deno.test("Debts.owe() lets a snapshot that waits to be sent again wait no more when the object changes", () => {
  for (const hasDiffs of [true, false]) {
    const book = new Book(2, hasDiffs);
    for (let times = 0; times < 3; times++) book.lose(book.sendSnap(0));
    assertEquals(book.owed, ["snap 1@0", "snap 0@200"]);
    book.now = 20;
    book.update(0, { hp: 1 });
    assertEquals(book.owed, ["snap 1@0", "snap 0@20"]);
    book.update(1, { hp: 1 });
    assertEquals(book.owed, ["snap 1@0", "snap 0@20"], "what was due before stays due");
    book.now = 30;
    book.update(0, { hp: 2 });
    assertEquals(book.owed, ["snap 1@0", "snap 0@20"]);
  }
});

Deno.test("Debts.onLost() owes of a lost snapshot only what changed since the one that the client has", () => {
  const book = new Book(2).settle();
  book.lose(book.sendSnap(0));
  assertEquals(book.owed, [], "nothing did");
  book.update(0, { hp: 1 });
  book.sendDiff();
  book.update(0, { name: "Rock" });
  const lost = book.sendSnap(0);
  book.lose(lost);
  assertEquals(book.owed, ["traits 0 hp name"]);
  book.sendDiff();
  book.update(0, { hp: 2 });
  book.sendDiff();
  book.lose(lost);
  assertEquals(book.owed, ["traits 0 name"], "its hp left since in another packet");
  book.update(0, { mass: 2 });
  assertEquals(book.owed, ["traits 0 name mass"], "it does not wait");
});

Deno.test("Debts.onLost() owes a lost snapshot whole when the one the client has is from before a trait was lost", () => {
  const book = new Book(1).settle();
  book.update(0, { hp: undefined });
  book.lose(book.sendSnap(0));
  assertEquals(book.owed, ["snap 0@0"], "no diff could tell that");
  book.debts.onArrived(book.sendSnap(0));
  book.update(0, { mass: 2 });
  book.lose(book.sendSnap(0));
  assertEquals(book.owed, ["traits 0 mass"], "it knows that by now");
});

Deno.test("Debts.onLost() owes a lost snapshot whole to clients without diffs", () => {
  const book = new Book(1, false).settle();
  book.update(0, { hp: 1 });
  book.lose(book.sendSnap(0));
  assertEquals(book.owed, ["snap 0@0"]);
});

Deno.test("Debts owes a client that understands diffs all of a sudden traits from then on", () => {
  const book = new Book(1, false).settle();
  book.debts.hasDiffs = true;
  book.update(0, { hp: 1 });
  assertEquals(book.owed, ["traits 0 hp"]);
  book.debts.hasDiffs = false;
  book.update(0, { hp: 2 });
  assertEquals(book.owed, ["snap 0@0"]);
});

Deno.test("Debts.onLost() owes no snapshot that is owed already, or was overtaken by another", () => {
  const book = new Book(1);
  const old = book.sendSnap(0);
  book.update(0, { hp: undefined });
  book.now = 20;
  book.lose(old);
  assertEquals(book.owed, ["snap 0@0"], "due as it was");
  book.debts.onArrived(book.sendSnap(0));
  book.lose(old);
  assertEquals(book.owed, []);
  const same = book.sendSnap(0);
  book.lose(same);
  assertEquals(book.owed, [], "of the tick that arrived");
  book.update(0, { mass: 2 });
  book.debts.onArrived(old);
  book.lose(book.sendSnap(0));
  assertEquals(book.owed, ["traits 0 mass"], "newer than what arrived");
});

Deno.test("Debts.onArrived() takes no older snapshot as the newest", () => {
  const book = new Book(1);
  const old = book.sendSnap(0);
  book.update(0, { hp: 1 });
  const newer = book.sendSnap(0);
  book.debts.onArrived(newer);
  book.debts.onArrived(old);
  book.lose(newer);
  assertEquals(book.owed, []);
});

Deno.test("Debts.onLost() owes the traits of a diff again, apart from those that changed since", () => {
  const book = new Book(2).settle();
  book.update(0, { hp: 1, mass: 2 });
  book.update(1, { hp: 1 });
  const lost = book.sendDiff();
  book.update(0, { mass: 3 });
  const later = book.sendDiff();
  book.lose(lost);
  assertEquals(book.owed, ["traits 0 hp", "traits 1 hp"]);
  book.lose(later);
  assertEquals(book.owed, ["traits 0 hp mass", "traits 1 hp"]);
});

Deno.test("Debts.onLost() owes no trait that a snapshot has told", () => {
  const book = new Book(2).settle();
  book.world.update(0, { hp: 1 });
  book.update(1, { hp: 1 });
  const lost = book.sendDiff();
  book.debts.onArrived(book.sendSnap(0)); // Of the same tick.
  book.lose(lost);
  assertEquals(book.owed, ["traits 1 hp"]);
  book.sendDiff();
  book.debts.snaps.set(book.entities[1]!, 7);
  book.lose(lost);
  assertEquals(book.owed, ["snap 1@7"], "one that is owed will tell it");
});

Deno.test("Debts.onLost() owes no trait that is gone, and nothing that is gone", () => {
  const book = new Book(2).settle();
  book.update(0, { hp: 1, mass: 2 });
  book.update(1, { hp: 1 });
  const diff = book.sendDiff();
  const snap = book.sendSnap(1);
  book.update(0, { hp: undefined });
  book.sendSnap(0);
  book.world.remove(1);
  book.tick();
  book.debts.removals.clear();
  book.lose(diff);
  book.lose(snap);
  assertEquals(book.owed, ["traits 0 mass"]);
  book.debts.onArrived(snap);
  assertEquals(book.owed, ["traits 0 mass"]);
});

Deno.test("Debts.onLost() owes removals again, and no heartbeat", () => {
  const book = new Book(3).settle();
  const entities = book.entities.slice(1);
  book.lose({ kind: "heartbeat" });
  assertEquals(book.owed, []);
  book.lose({ kind: "removal", entities });
  assertEquals(book.owed, ["gone 1", "gone 2"]);
  book.debts.onArrived({ kind: "heartbeat" });
  book.debts.onArrived({ kind: "removal", entities });
  assertEquals(book.owed, ["gone 1", "gone 2"]);
});

// ---- too much of it

Deno.test("Debts.isOverdrawn when more than 2,048 are gone, until they are told", () => {
  const book = new Book(2_049).settle();
  for (let id = 0; id < 2_048; id++) book.world.remove(id);
  book.tick();
  assert(!book.debts.isOverdrawn);
  book.world.remove(2_048);
  book.tick();
  assert(book.debts.isOverdrawn);
  book.debts.oweAll(book.world.entities.values(), book.now);
  assert(!book.debts.isOverdrawn);
  assertEquals(book.owed, []);
  book.lose({ kind: "removal", entities: book.entities });
  assert(book.debts.isOverdrawn, "also by what was lost");
});

// ---- clients that take for the newest what comes last

Deno.test("Debts.maySnap() only when it is due; and to a client without diffs one at a time", () => {
  for (const hasDiffs of [true, false]) {
    const book = new Book(2, hasDiffs);
    const [entity, other] = book.entities as [Entity, Entity];
    book.debts.snaps.set(entity, 10);
    assertEquals([9, 10].map((now) => book.debts.maySnap(entity, now)), [false, true]);
    const cargo = book.sendSnap(0);
    assertEquals(book.debts.maySnap(entity, 20), hasDiffs, "a keyframe");
    book.debts.snaps.set(entity, 10);
    assertEquals(book.debts.maySnap(entity, 20), hasDiffs);
    assert(book.debts.maySnap(other, 20));
    book.debts.onArrived(cargo);
    assert(book.debts.maySnap(entity, 20));
    book.lose(book.sendSnap(0));
    assert(book.debts.maySnap(entity, 20));
  }
});

Deno.test("Debts.onLate() owes a snapshot after an older one that came late, if the client has no diffs", () => {
  for (const hasDiffs of [true, false]) {
    const book = new Book(1, hasDiffs);
    const older = book.sendSnap(0);
    book.debts.onArrived(older);
    book.debts.onLate(older, book.now);
    assertEquals(book.owed, [], "it is the newest");
    book.update(0, { hp: 1 });
    const newer = book.sendSnap(0);
    book.debts.traits.clear();
    book.now = 50;
    book.debts.onLate({ kind: "heartbeat" }, book.now);
    book.debts.onLate({ kind: "removal", entities: [...book.entities] }, book.now);
    book.debts.onLate(newer, book.now);
    assertEquals(book.owed, []);
    book.debts.onLate(older, book.now);
    assertEquals(book.owed, hasDiffs ? [] : ["snap 0@50"]);
    book.world.remove(0);
    book.tick();
    book.debts.onLate(older, book.now);
    assertEquals(book.owed, ["gone 0"]);
  }
});

// ---- all together

/** What a client makes of packets, in the simplest way: whatever is newest of each trait. */
class Reader {
  readonly traits = new Map<Entity, Map<string, { text: string; at: number }>>();
  readonly wholeAt = new Map<Entity, number>();

  /** What the packet said is as it was when it left. */
  read(cargo: Cargo, texts: ReadonlyMap<Entity, ReadonlyMap<string, string>>): void {
    if (cargo.kind === "removal") {
      for (const entity of cargo.entities) {
        this.traits.delete(entity);
      }
    }
    if (cargo.kind !== "snap" && cargo.kind !== "diff") return;
    for (const [entity, told] of texts) {
      const known = this.traits.get(entity) ?? new Map<string, { text: string; at: number }>();
      this.traits.set(entity, known);
      const { time } = cargo;
      if (cargo.kind === "snap" && time >= (this.wholeAt.get(entity) ?? 0)) {
        for (const [name, { at }] of known) if (at <= time) known.delete(name);
        this.wholeAt.set(entity, time);
      }
      for (const [name, text] of told) {
        const at = known.get(name)?.at ?? this.wholeAt.get(entity) ?? -1;
        if (time >= at) known.set(name, { text, at: time });
      }
    }
  }
}

interface Packet {
  cargo: Cargo;
  texts: Map<Entity, Map<string, string>>;
}

Deno.test("Debts leaves nobody without what was lost, whatever is lost and in which order it is told", () => {
  forEachSeed(150, (seed) => {
    const random = seededRandom(seed);
    const hasDiffs = random() < 0.7;
    const lossShare = random() * 0.8;
    const world = new World();
    const debts = new Debts(hasDiffs);
    const reader = new Reader();
    const onTheWay: Packet[] = [];
    let now = 0;
    const send = (cargo: Cargo, told: Iterable<[Entity, Iterable<string>]>): void => {
      const texts = new Map(Array.from(told, ([entity, names]) => [
        entity,
        new Map(Array.from(names, (name) => [name, entity.told.get(name)!.text])),
      ]));
      onTheWay.push({ cargo, texts });
    };
    const pay = (): void => {
      const { time } = world;
      const gone = [...debts.removals];
      if (gone.length > 0) send({ kind: "removal", entities: gone }, []);
      debts.removals.clear();
      for (const [entity, at] of debts.snaps) {
        assertEquals(hasDiffs && debts.maySnap(entity, now), hasDiffs && at <= now);
        if (!debts.maySnap(entity, now)) continue;
        debts.onSnapSent(entity, time);
        send({ kind: "snap", entity, time }, [[entity, entity.told.keys()]]);
      }
      const parts = Array.from(debts.traits, ([entity, names]) => ({
        entity,
        names: [...names].filter((name) => entity.told.has(name)),
      }));
      debts.traits.clear();
      const told = parts.map(({ entity, names }): [Entity, string[]] => [entity, names]);
      if (parts.length > 0) send({ kind: "diff", parts, time }, told);
    };
    const deliver = (share: number): void => {
      const at = Math.floor(random() * onTheWay.length);
      const { cargo, texts } = onTheWay.splice(at, 1)[0]!;
      if (random() < share) return debts.onLost(cargo, now, BACK_OFF_MS);
      reader.read(cargo, texts);
      // Its ACK may be lost as well.
      if (random() < share) debts.onLost(cargo, now, BACK_OFF_MS);
      else debts.onArrived(cargo);
    };
    for (let step = 0; step < 120; step++) {
      now += 20;
      for (let actions = Math.floor(random() * 3); actions > 0; actions--) act(world, random);
      debts.owe(world.tick(), now);
      if (random() < 0.01) debts.oweAll(world.entities.values(), now);
      if (random() < 0.7) pay();
      while (onTheWay.length > 5 * random() * 3) deliver(lossShare);
    }
    for (let rounds = 0; rounds < 20 && !(debts.isClear && onTheWay.length === 0); rounds++) {
      now += 5_000;
      pay();
      while (onTheWay.length > 0) deliver(0);
    }
    assert(debts.isClear, "it ends");
    for (const entity of world.entities.values()) {
      const expected = Array.from(entity.told, ([name, { text }]) => `${name} ${text}`).sort();
      const known = Array.from(reader.traits.get(entity)!, ([name, { text }]) => `${name} ${text}`);
      assertEquals(known.sort(), expected, `object ${entity.id}`);
    }
  });
});

/** Something that a program may do with its world. */
function act(world: World, random: Random): void {
  const ids = [...world.objects.keys()];
  const id = ids[Math.floor(random() * ids.length)];
  const kind = random();
  if (id === undefined || (kind < 0.1 && ids.length < 5)) world.spawn({ hp: 0 });
  else if (kind < 0.15) world.remove(id);
  else if (kind < 0.3) world.update(id, { [random() < 0.5 ? "hp" : "name"]: undefined });
  else if (kind < 0.6) world.update(id, { hp: Math.floor(random() * 4) });
  else world.update(id, { mass: Math.floor(random() * 4), name: Math.floor(random() * 4) });
}
