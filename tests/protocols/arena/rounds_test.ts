/** What leaves in which round: lists that fit, nobody who is gone, bullets that wait, sending that yields. */
import { assert, assertEquals } from "@std/assert";
import type { Outbox, Peer } from "../../../lib/protocols/engine.ts";
import type { Client } from "../../../lib/protocols/events/hub.ts";
import { type Lagging, Rounds, thousandths } from "../../../lib/protocols/arena/rounds.ts";
import { type Body, World } from "../../../lib/protocols/arena/world.ts";
import { BULLETS_PER_LIST, SENT_BYTES_MAX } from "../../../lib/protocols/arena/wire.ts";
import { type Random, seededRandom } from "../../../lib/parts/random.ts";
import { peerAt, Recorder } from "../../support/recorder.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { type Heard, heardIn, inShort, namesIn, Table } from "./table.ts";

// ---- rounds on their own

/** Rounds for clients and a world that the test makes as it likes. */
class Stage {
  readonly out = new Recorder<Lagging>();
  readonly world: World;
  readonly rounds: Rounds;
  readonly bodies = new Map<Client, Body>();
  readonly clients = new Set<Client>();
  sequence = 0;
  maySend = (_client: Client, _bytes: number): boolean => true;

  constructor(hz: number, random: Random = (): number => 0.5) {
    this.world = new World(1 / hz, random);
    const hub = {
      clients: this.clients,
      maySend: (client: Client, bytes: number): boolean => this.maySend(client, bytes),
      nextSequence: (): number => this.sequence++ % 10_001,
    };
    this.rounds = new Rounds(hub, this.world, (client) => this.bodies.get(client)!, hz);
  }

  add(number: number): Client {
    const peer = peerAt(`10.0.${number >> 8 & 255}.${number & 255}:5000`);
    const client = { peer, number, isPresent: true };
    this.bodies.set(client, this.world.add(number));
    this.clients.add(client);
    return client;
  }

  remove(client: Client): void {
    this.clients.delete(client);
    const body = this.bodies.get(client)!;
    this.world.remove(body);
    this.rounds.onRemoved(body);
  }

  changeAll(): void {
    for (const body of this.bodies.values()) this.rounds.onAdded(body);
  }

  step(): void {
    this.world.step();
    this.rounds.onStep();
  }

  /** What leaves at this time, each datagram once. */
  send(now: number): Heard[] {
    this.rounds.sendDue(now, this.out as Outbox<Lagging>);
    const sent = this.out.takeSent();
    for (const { bytes } of sent) assert(bytes.length <= SENT_BYTES_MAX, `${bytes.length} bytes`);
    return [...new Set(sent.map(({ bytes }) => bytes))].map((bytes) => ({
      at: now,
      ...heardIn(bytes),
    }));
  }
}

Deno.test("Rounds lists everybody within 1,200 bytes a list, whatever numbers and positions", () => {
  forEachSeed(50, (seed) => {
    const random = seededRandom(seed);
    const stage = new Stage(60, random);
    stage.sequence = Math.floor(random() * 10_001);
    const numberMax = [127, 300, 70_000, 2 ** 33, 2 ** 53][seed % 5]!;
    const count = 1 + Math.floor(random() * 120);
    const numbers = new Set<number>();
    while (numbers.size < count) {
      const number = 1 + Math.floor(random() * (numberMax - 1));
      if (!numbers.has(number)) stage.add(number);
      numbers.add(number);
    }
    for (const body of stage.bodies.values()) {
      body.x = (random() < 0.5 ? 1 : -1) * 19 * (random() < 0.5 ? 1 : random());
      body.y = (random() < 0.5 ? 1 : -1) * 9 * (random() < 0.5 ? 1 : random());
    }
    stage.changeAll();
    const lists = [...stage.send(0), ...stage.send(100)];
    assertEquals(new Set(lists.flatMap(namesIn)), numbers);
    assertEquals(lists.flatMap(namesIn).length, numbers.size);
    const full = lists.slice(0, -1).filter((list) => namesIn(list).length < 16);
    assertEquals(full.length, 0, "a list that is not full, and not the last");
  });
});

Deno.test("Rounds fills a list as far as coordinates of any length allow", () => {
  const stage = new Stage(60, () => 0.999); // Colors of two bytes: 59 bytes for each player.
  for (let number = 1; number <= 21; number++) stage.add(number);
  for (const body of stage.bodies.values()) [body.x, body.y] = [-19, 9];
  stage.changeAll();
  const lists = [...stage.send(0), ...stage.send(100)];
  assertEquals(lists.map((list) => namesIn(list).length), [20, 1]);
});

Deno.test("Rounds sends all bullets in frames of 36 that go on, and a shorter one that ends", () => {
  for (const count of [1, 35, 36, 37, 72, 100]) {
    const stage = new Stage(60);
    for (let number = 1; number <= 6; number++) stage.add(number);
    const bodies = [...stage.bodies.values()];
    for (let fired = 0; fired < count; fired++) stage.world.fire(bodies[fired % 6]!);
    stage.step();
    const frames = stage.send(0).filter(({ kind }) => kind === "bullets");
    const whole = Math.floor(count / BULLETS_PER_LIST);
    const expected = [...new Array(whole).fill("bullets 36"), `bullets ${count % 36}`];
    assertEquals(inShort(frames), expected);
  }
});

Deno.test("Rounds sends one empty list of bullets when the last has ended", () => {
  const stage = new Stage(10);
  stage.add(1);
  stage.world.fire([...stage.bodies.values()][0]!);
  const seen: string[] = [];
  for (let step = 0; step < 40; step++) {
    stage.step();
    seen.push(...inShort(stage.send(100 * step)));
  }
  assertEquals(seen, [...new Array(19).fill("bullets 1"), "bullets 0"]);
  assertEquals(stage.rounds.nextSendAt(), Infinity);
});

Deno.test("Rounds never gives bullets more than half of what is sent while players move", () => {
  const stage = new Stage(60);
  for (let number = 1; number <= 50; number++) stage.add(number);
  const clients = [...stage.clients];
  const [first, ...others] = [...stage.bodies.values()];
  const { out, rounds } = stage;
  rounds.introduce(clients[0]!, 0, out);
  out.takeSent();
  let [players, bullets, most] = [0, 0, 0];
  for (let step = 0; step < 1_200; step++) {
    for (const body of others) stage.world.fire(body);
    rounds.onAdded(first!);
    stage.step();
    for (const { kind } of stage.send((step * 1_000) / 60)) {
      if (kind === "bullets") bullets++;
      else players++;
    }
    if (step > 60) most = Math.max(most, bullets / (players + bullets));
  }
  assert(bullets > 0.3 * players, `${bullets} lists of bullets, ${players} of players`);
  assert(most <= 0.5 + 1e-9, `bullets took ${most} of what was sent`);
});

Deno.test("Rounds lets no many bullets keep players waiting: each round tells who moved", () => {
  const stage = new Stage(60);
  for (let number = 1; number <= 30; number++) stage.add(number);
  for (let step = 0; step < 300; step++) {
    for (const body of stage.bodies.values()) stage.world.fire(body);
    stage.rounds.onAdded([...stage.bodies.values()][0]!);
    stage.step();
    const kinds = stage.send((step * 1_000) / 60).map(({ kind }) => kind);
    assert(kinds.includes("updates"), `round ${step} told of nobody`);
  }
});

Deno.test("Rounds sends no datagram beyond what the trial budget allows", () => {
  const stage = new Stage(60);
  const [a, b] = [stage.add(1), stage.add(2)];
  stage.maySend = (client): boolean => client !== b;
  stage.changeAll();
  stage.rounds.sendDue(0, stage.out);
  stage.rounds.introduce(b, 0, stage.out);
  const peers = stage.out.takeSent().map(({ to }) => to);
  assertEquals(peers, [a.peer]);
  stage.maySend = (): boolean => false;
  stage.changeAll();
  stage.rounds.sendDue(1_000, stage.out);
  assertEquals(stage.out.takeSent(), []);
  assert(stage.rounds.nextSendAt() > 1_000);
});

Deno.test("Rounds names nobody who left, wherever in a round it was", () => {
  forEachSeed(8, (seed) => {
    const random = seededRandom(seed);
    const stage = new Stage(20, random);
    const clients = Array.from({ length: 200 }, (_, index) => stage.add(index + 1));
    stage.rounds.introduce(clients[0]!, 0, stage.out);
    const gone = new Set<number>();
    let slices = 0;
    for (let now = 0; now < 4_000; now += 1 + random() * 4) {
      stage.changeAll();
      if (random() < 0.05) stage.world.fire([...stage.world.bodies][0]!);
      stage.step();
      if (random() < 0.04) {
        const client = clients.splice(Math.floor(random() * clients.length), 1)[0]!;
        stage.remove(client);
        gone.add(client.number);
      }
      stage.rounds.sendDue(now, stage.out);
      for (const { to, bytes } of stage.out.takeSent()) {
        slices++;
        assert(clients.some(({ peer }) => peer === to), "somebody who left was told something");
        for (const number of namesIn(heardIn(bytes))) assert(!gone.has(number), `${number} left`);
        if (slices % 50 !== 0) break; // Reading them all takes long, and they are the same.
      }
    }
    assert(slices > 200);
  });
});

Deno.test("Rounds reaches everybody who stays once with each part, though others leave in the middle", () => {
  forEachSeed(3, (seed) => {
    const random = seededRandom(seed);
    const stage = new Stage(10, random);
    const clients = Array.from({ length: 400 }, (_, index) => stage.add(index + 1));
    stage.changeAll();
    const got = new Map<Peer, Set<number>>();
    const stays = new Set(clients);
    for (let now = 0; now < 99; now++) {
      stage.rounds.sendDue(now, stage.out);
      for (const { to, bytes } of stage.out.takeSent()) {
        const names = got.get(to) ?? new Set();
        got.set(to, names);
        for (const name of namesIn(heardIn(bytes))) {
          assert(!names.has(name), `${name} twice`);
          names.add(name);
        }
      }
      const leaves = clients[Math.floor(random() * clients.length)]!;
      if (random() < 0.5 && stays.delete(leaves)) stage.remove(leaves);
    }
    for (const client of stays) {
      const names = got.get(client.peer)!;
      for (const { number } of stays) {
        assert(names.has(number), `${client.number} misses ${number}`);
      }
    }
  });
});

Deno.test("Rounds spreads what it sends over the interval", () => {
  const stage = new Stage(10);
  for (let number = 1; number <= 500; number++) stage.add(number);
  stage.changeAll();
  const most = { sent: 0 };
  let total = 0;
  for (let now = 0; now < 100; now++) {
    stage.rounds.sendDue(now, stage.out);
    const { length } = stage.out.takeSent();
    most.sent = Math.max(most.sent, length);
    total += length;
  }
  assert(total >= 500 * 26, `${total} datagrams`);
  // 103 slices in 100 ms.
  assert(most.sent <= 3 * 128, `${most.sent} at once`);
});

Deno.test("Rounds tells where players are when their list is written, not when the round began", () => {
  const stage = new Stage(10);
  for (let number = 1; number <= 300; number++) stage.add(number);
  stage.changeAll();
  const lists: Heard[] = [];
  for (let now = 0; now < 99; now++) {
    for (const body of stage.bodies.values()) body.x = now / 10;
    lists.push(...stage.send(now));
  }
  const written = new Map<number, Heard>();
  for (const list of lists) if (!written.has(list.sequence)) written.set(list.sequence, list);
  for (const list of written.values()) {
    assert(list.kind === "updates");
    assertEquals(new Set(list.players.map(({ x }) => x)), new Set([100 * list.at]));
  }
  assert(new Set(lists.map(({ at }) => at)).size > 10);
});

Deno.test("Rounds sends nothing more while a datagram of its has not left", () => {
  const stage = new Stage(60);
  stage.add(1);
  stage.changeAll();
  stage.out.backlog = 1;
  assertEquals(stage.send(0).length, 1);
  for (let now = 1; now < 1_000; now++) {
    stage.changeAll();
    assertEquals(stage.rounds.nextSendAt(), Infinity);
    assertEquals(stage.send(now).length, 0);
  }
  stage.out.backlog = 0;
  stage.send(1_000);
  assert(stage.rounds.nextSendAt() < 2_000);
  assertEquals(stage.send(2_000).length, 1);
});

/** A round that has begun and waits for the queue, in a crowd of which those with even numbers move. */
function inRound(count: number, hz: number): { stage: Stage; clients: Client[] } {
  const stage = new Stage(hz);
  const clients = Array.from({ length: count }, (_, index) => stage.add(index + 1));
  for (const [client, body] of stage.bodies) {
    if (client.number % 2 === 0) stage.world.steer(body, 1, 0);
  }
  stage.changeAll();
  stage.out.backlog = 1;
  stage.send(0);
  return { stage, clients };
}

/** The numbers of those who are told of themselves. */
function toldOwn(stage: Stage, now: number): number[] {
  stage.rounds.tellOwn(now, stage.out);
  return stage.out.takeSent().map(({ to, bytes }) => {
    const [client] = [...stage.bodies.keys()].filter(({ peer }) => peer === to);
    assert(namesIn(heardIn(bytes)).includes(client!.number), "a list without its recipient");
    return client!.number;
  });
}

Deno.test("Rounds.tellOwn() tells those who move of themselves while a round takes long, in turn", () => {
  const { stage } = inRound(300, 180); // A third of them at a time.
  const told = [1, 2, 3].map((now) => toldOwn(stage, now));
  assertEquals(told.map(({ length }) => length), [50, 50, 50]);
  const even = Array.from({ length: 150 }, (_, index) => 2 * index + 2);
  assertEquals(told.flat().sort((one, other) => one - other), even);
  assertEquals(toldOwn(stage, 4), told[0]);
});

Deno.test("Rounds.tellOwn() says nothing between rounds, nor beyond the trial budget", () => {
  const { stage } = inRound(300, 60);
  stage.maySend = (client): boolean => client.number === 4;
  assertEquals(toldOwn(stage, 1), [4]);
  const still = new Stage(60);
  still.world.steer(still.bodies.get(still.add(1))!, 1, 0);
  assertEquals(toldOwn(still, 0), []);
});

Deno.test("Rounds.tellOwn() goes on in turn when everybody left in the middle of a round", () => {
  const { stage, clients } = inRound(300, 180);
  for (const client of clients) stage.remove(client);
  assertEquals(toldOwn(stage, 1), []);
  for (let number = 301; number <= 600; number++) {
    stage.world.steer(stage.bodies.get(stage.add(number))!, 1, 0);
  }
  const told = [2, 3, 4].flatMap((now) => toldOwn(stage, now));
  assertEquals(new Set(told).size, 300);
});

Deno.test("Rounds sends the full list in its time, however often somebody comes", () => {
  const stage = new Stage(10);
  const first = stage.add(1);
  stage.rounds.introduce(first, 0, stage.out);
  for (let now = 100; now < 2_000; now += 100) {
    const client = stage.add(1 + now / 100);
    stage.rounds.introduce(client, now, stage.out);
    stage.out.takeSent();
  }
  assertEquals(stage.rounds.nextSendAt(), 2_000);
  assertEquals(stage.send(2_000).flatMap(namesIn).length, 20);
});

Deno.test("Rounds waits for nobody: without clients there is no time for a round", () => {
  const stage = new Stage(60);
  assertEquals(stage.rounds.nextSendAt(), Infinity);
  const client = stage.add(1);
  stage.rounds.introduce(client, 0, stage.out);
  assertEquals(stage.rounds.nextSendAt(), 2_000);
  stage.changeAll();
  stage.remove(client);
  assertEquals(stage.rounds.nextSendAt(), Infinity);
  assertEquals(stage.rounds.count, 0);
});

Deno.test("thousandths() cuts towards zero, and knows no -0", () => {
  const table: [number, number][] = [
    [0.0004, 0],
    [-0.0004, 0],
    [-0, 0],
    [1.9999, 1_999],
    [-1.9999, -1_999],
    [19, 19_000],
    [-9.0005, -9_000],
  ];
  for (const [value, expected] of table) {
    assert(Object.is(thousandths(value), expected), `${value} became ${thousandths(value)}`);
  }
});

// ---- rounds of a server whose sending takes time

/** 10 s in which each broadcast takes so long to leave for each recipient. */
function playSlowly(
  table: Table,
  players: readonly Peer[],
  sendMs: number,
): { share: number; rounds: number } {
  const before = table.server.census().rounds;
  let [busyMs, leavesAt] = [0, Infinity];
  table.out.broadcast = (peers): void => {
    const ms = [...peers].length * sendMs;
    table.out.backlog = 1;
    busyMs += ms;
    leavesAt = table.now + ms;
  };
  const end = table.now + 10_000;
  for (let times = 0; table.now < end; times++) {
    if (times % 20 === 0) { for (const peer of players) table.steer(peer, times % 40 ? 1 : -1, 0); }
    table.wait(0.5);
    if (table.now < leavesAt) continue;
    table.out.backlog = 0;
    leavesAt = Infinity;
    table.play.advance(table.now);
  }
  table.out.backlog = 0;
  table.play.advance(table.now);
  return { share: busyMs / 10_000, rounds: table.server.census().rounds - before };
}

Deno.test("createArenaServer() has fewer rounds, and as many steps, when sending takes long", () => {
  const table = new Table({ tickRateHz: 60 });
  const players = table.crowd(10);
  const steps = table.server.census().steps;
  const { share, rounds } = playSlowly(table, players, 5);
  assert(share > 0.6 && share <= 0.72, `sending took ${share} of the time`);
  assert(rounds > 120 && rounds < 150, `${rounds} rounds`);
  const made = table.server.census().steps - steps;
  assert(Math.abs(made - 600) <= 1, `${made} steps`);
});

Deno.test("createArenaServer() lags when rounds take a quarter longer than a step", () => {
  for (const [sendMs, lags] of [[1, false], [6, false], [10, true]] as const) {
    const table = new Table({ tickRateHz: 20 });
    playSlowly(table, table.crowd(5), sendMs); // An interval is 50 ms; 70 % of it is for sending.
    const lagging = table.out.takeEvents().filter(({ kind }) => kind === "lagging");
    assertEquals(lagging.length, lags ? 1 : 0, `${sendMs} ms`);
    for (const event of lagging) {
      assert(event.kind === "lagging");
      assertEquals(event.tickRateHz, 20);
      assert(event.hz > 12 && event.hz < 16, `${event.hz} Hz`);
    }
  }
});

Deno.test("createArenaServer() names nobody who left in the middle of a list", () => {
  const table = new Table({ tickRateHz: 10, silenceMs: 2_000 });
  const { out } = table;
  const [first, ...others] = table.crowd(300);
  table.steer(first!, 1, 0);
  table.wait(1_800);
  for (const peer of others) table.steer(peer, 1, 0);
  const broadcast = out.broadcast.bind(out);
  let lists = 0;
  out.broadcast = (peers, bytes): void => {
    broadcast(peers, bytes);
    // It is for 300, and this is the first slice; the others have to wait.
    if (table.now > 1_900 && namesIn(heardIn(bytes)).includes(1) && ++lists === 1) out.backlog = 1;
  };
  table.wait(400);
  assertEquals([lists, table.server.census().players], [1, 299]);
  out.takeSent();
  out.backlog = 0;
  table.play.advance(table.now);
  table.wait(300);
  const sent = new Set(out.takeSent().map(({ bytes }) => bytes));
  assert(sent.size > 10, `${sent.size} datagrams`);
  for (const bytes of sent) assert(!namesIn(heardIn(bytes)).includes(1), "1 left");
});

Deno.test("createArenaServer() tells each player of itself with every step while a round takes long", () => {
  const table = new Table({ tickRateHz: 10 });
  const players = table.crowd(50);
  for (const peer of players) table.steer(peer, 1, 0);
  table.wait(500);
  table.out.broadcast = (): void => void (table.out.backlog = 1);
  table.wait(100);
  for (const peer of players) table.take(peer);
  table.wait(500);
  for (const [index, peer] of players.entries()) {
    const lists = table.take(peer);
    assertEquals(lists.length, 5);
    for (const list of lists) assert(namesIn(list).includes(index + 1));
  }
});

Deno.test("createArenaServer() does not lag by late rounds that are not in a row", () => {
  const table = new Table({ tickRateHz: 20 });
  const players = table.crowd(5);
  let [rounds, leavesAt] = [0, Infinity];
  table.out.broadcast = (): void => {
    table.out.backlog = 1;
    leavesAt = table.now + (++rounds % 5 === 0 ? 1 : 60);
  };
  for (let times = 0; table.now < 10_000; times++) {
    if (times % 20 === 0) { for (const peer of players) table.steer(peer, times % 40 ? 1 : -1, 0); }
    table.wait(1);
    if (table.now < leavesAt) continue;
    [table.out.backlog, leavesAt] = [0, Infinity];
    table.play.advance(table.now);
  }
  assert(rounds > 80, `${rounds} rounds`);
  assert(!table.takeEvents().includes("lagging"));
});

Deno.test("createArenaServer() lags at most every 10 s, and not for a few late rounds", () => {
  const table = new Table({ tickRateHz: 20 });
  const players = table.crowd(5);
  playSlowly(table, players, 10);
  table.takeEvents();
  playSlowly(table, players, 10);
  assertEquals(table.takeEvents().filter((event) => event === "lagging").length, 1);
});
