/** WorldServer and WorldClient over real sockets. */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { ConnectTimeoutError } from "../../lib/clients/reach.ts";
import {
  ServerFullError,
  WorldClient,
  type WorldClientEvents,
} from "../../lib/clients/world_client.ts";
import { WorldServer, type WorldServerListenOptions } from "../../lib/clients/world_server.ts";
import { jsonOf } from "../../lib/protocols/world/messages.ts";
import type { TraitChanges, Traits } from "../../lib/protocols/world/traits.ts";
import { decodePacket, encodeAck, encodeMessage } from "../../lib/protocols/world/wire.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { until, within } from "../support/wait.ts";

type Options = Parameters<typeof WorldClient.connect>[1];

const LOOPBACK = { port: 0, hostname: "127.0.0.1" };

/** A server, and unless its ticks are made by hand it has begun: what was in its world can be seen. */
async function listen(options: WorldServerListenOptions = {}): Promise<WorldServer> {
  const server = await WorldServer.listen({ ...LOOPBACK, ...options });
  if (options.tickRateHz !== 0) await until("the first tick", () => server.world.time > 0);
  return server;
}

function worldOf(...objects: TraitChanges[]): World {
  const world = new World();
  for (const traits of objects) world.spawn(traits);
  return world;
}

function connect(server: WorldServer, options?: Options): Promise<WorldClient> {
  return WorldClient.connect({ hostname: "127.0.0.1", port: server.port }, options);
}

/** Waits until a mirror is the world. */
async function mirrored(client: WorldClient, { objects }: World): Promise<void> {
  await until("the mirror to be the world", () => textOf(client.objects) === textOf(objects));
  assertEquals(client.objects, objects);
}

/** Whatever the order of objects and traits. */
function textOf(objects: ReadonlyMap<number, Traits>): string {
  const sorted = [...objects].sort(([one], [other]) => one - other);
  return JSON.stringify(sorted.map(([id, traits]) => [id, Object.entries(traits).sort()]));
}

/** Everything that a client or a server tells of one kind, from now on. */
function heard<Kind extends keyof WorldClientEvents>(
  client: WorldClient,
  kind: Kind,
): WorldClientEvents[Kind][] {
  const events: WorldClientEvents[Kind][] = [];
  client.on(kind, (event) => events.push(event));
  return events;
}

Deno.test("WorldClient mirrors what a WorldServer spawns, changes and removes", async () => {
  const world = new World();
  const rock = world.spawn({ position: [1, -2.5, 1e-7], mass: 7 });
  const moon = world.spawn();
  await using server = await listen({ world });
  await using client = await connect(server);
  await mirrored(client, world);
  world.update(rock, { velocity: [0.1, 0, -0], quaternion: [0, 1, 0, 0] });
  world.update(moon, { angularVelocity: [0, 0, 3], mass: 0 });
  const comet = world.spawn({ position: [1e9, -1e-9, 5] });
  await mirrored(client, world);
  world.remove(moon);
  world.update(comet, { mass: 2 });
  await mirrored(client, world);
  assertEquals([...client.objects.keys()].sort(), [rock, comet]);
});

Deno.test("WorldClient has all objects of a large world, and says when it has", async () => {
  const world = new World();
  for (let number = 0; number < 500; number++) world.spawn({ position: [number, 0, 0], number });
  await using server = await listen({ world });
  await using client = await connect(server);
  const synced = heard(client, "synced");
  await until("all of them", () => client.isSynced);
  assertEquals([synced, client.total], [[{ objects: 500 }], 500]);
  await mirrored(client, world);
});

Deno.test("WorldClient.connect() lets listeners that are added at once miss nothing", async () => {
  await using server = await listen({ world: worldOf({ name: "Rock" }) });
  await using client = await connect(server);
  const events: string[] = [];
  for (const kind of ["connected", "spawned", "synced", "disconnected"] as const) {
    client.on(kind, () => events.push(kind));
  }
  await until("all of them", () => events.length >= 2);
  assertEquals(events, ["spawned", "synced"]);
});

Deno.test("WorldClient takes traits of any name and kind, and notices when one is taken away", async () => {
  await using server = await listen();
  const { world } = server;
  const name = 'Rock "é" \u{1f30d}\n';
  const nested = { list: [1, [2.5, null], { deep: true }], empty: {}, none: [] };
  const rock = world.spawn({ name, hp: 3, nested, ["__proto__"]: 1, "": false });
  await using client = await connect(server);
  await mirrored(client, world);
  const traits = (): Traits => client.objects.get(rock)!;
  assertEquals([traits().name, traits()["__proto__"]], [name, 1]);
  const changed = heard(client, "changed");
  world.update(rock, { hp: undefined, nested: { list: [] } });
  await mirrored(client, world);
  assert(!("hp" in traits()));
  assertEquals(changed.map(({ changes }) => changes), [{ nested: { list: [] }, hp: undefined }]);
  world.update(rock, { hp: 4 });
  await mirrored(client, world);
});

Deno.test("WorldClient tells of each object what became of it", async () => {
  await using server = await listen();
  const { world } = server;
  await using client = await connect(server);
  await until("the empty world to be complete", () => client.isSynced);
  const events: unknown[] = [];
  client.on("spawned", ({ id, traits }) => events.push(["spawned", id, traits.name]));
  client.on("changed", ({ id, traits, changes }) => {
    events.push(["changed", id, changes, traits.mass]);
  });
  const end = client.on("removed", ({ id }) => events.push(["removed", id]));
  const rock = world.spawn({ name: "Rock", mass: 2 });
  await until("the rock", () => events.length === 1);
  world.update(rock, { position: [1, 0, 0], hp: 5, mass: 2 });
  await until("the change", () => events.length === 2);
  world.remove(rock);
  await until("the end", () => events.length === 3);
  assertEquals(events, [
    ["spawned", rock, "Rock"],
    ["changed", rock, { position: [1, 0, 0], hp: 5 }, 2],
    ["removed", rock],
  ]);
  end();
  world.remove(world.spawn()); // Nobody ever hears of that one.
  const next = world.spawn({ name: "next" });
  await until("the next one", () => client.objects.has(next));
  world.remove(next);
  await until("its end", () => client.objects.size === 0);
  assertEquals(events.slice(3), [["spawned", next, "next"]]);
});

Deno.test("WorldClient knows the server's time, and how long the way is", async () => {
  await using server = await listen({ tickRateHz: 50, world: worldOf({}) });
  await using client = await connect(server);
  const [heartbeats, latencies] = [heard(client, "heartbeat"), heard(client, "latency")];
  await until("both, and the object", () => {
    return heartbeats.length > 0 && latencies.length > 0 && client.objects.size > 0;
  });
  assert(Math.abs(heartbeats[0]!.unixSeconds - Date.now() / 1_000) < 60);
  assertEquals(client.tickRateHz, 50);
  assert(latencies[0]!.roundTripMs > 0 && latencies[0]!.roundTripMs < 5_000);
  assert(client.roundTripMs! > 0 && client.silentMs < 5_000);
  assertEquals(client.loss, 0);
  assert(client.time >= 0 && client.time <= server.world.time);
});

Deno.test("WorldServer tells who is there, and who said that they leave", async () => {
  await using server = await listen();
  const events: string[] = [];
  server.on("joined", ({ address, hasDiffs }) => events.push(`joined ${address} ${hasDiffs}`));
  server.on("left", ({ address, reason }) => events.push(`left ${address} ${reason}`));
  const ada = await connect(server);
  await until("her", () => server.clients.length === 1);
  const bob = await connect(server);
  await until("both to be complete", () => {
    const { clients } = server;
    return clients.length === 2 && clients.every(({ isSynced }) => isSynced);
  });
  const [first, second] = server.clients.map(({ peer }) => peer.address);
  assert(server.clients.every(({ hasDiffs, loss }) => hasDiffs && loss === 0));
  assert(server.clients.every(({ roundTripMs }) => roundTripMs! > 0));
  await ada.close();
  await until("her to be gone", () => server.clients.length === 1);
  await bob.close();
  await until("both to be gone", () => server.clients.length === 0);
  assertEquals(events, [
    `joined ${first} true`,
    `joined ${second} true`,
    `left ${first} stopped`,
    `left ${second} stopped`,
  ]);
});

/** Somebody who knows no more than the wire. */
class Bare implements Disposable {
  readonly #conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #server: Deno.NetAddr;

  constructor({ port }: WorldServer) {
    this.#server = { transport: "udp", hostname: "127.0.0.1", port };
  }

  async send(datagram: Uint8Array): Promise<void> {
    await this.#conn.send(datagram, this.#server);
  }

  /** The next message, acknowledged if it is one of these. */
  async hears(...acked: string[]): Promise<Record<string, unknown>> {
    for (;;) {
      const [datagram] = await within("a datagram", this.#conn.receive());
      const packet = decodePacket(datagram);
      if (packet.kind !== "message") continue;
      const { sequence, message } = packet;
      if (acked.includes(String(message.type))) await this.send(encodeAck(sequence));
      return message;
    }
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

Deno.test("WorldServer tells of clients that ack nothing any more, and of datagrams without effect", async () => {
  const refused: string[] = [];
  await using server = await listen({
    world: worldOf({}),
    silenceMs: 300,
    onRefused: (reason, address) => refused.push(`${reason} ${address.split(":")[0]}`),
  });
  const events: string[] = [];
  server.on("joined", ({ hasDiffs }) => events.push(`joined ${hasDiffs}`));
  server.on("left", ({ reason }) => events.push(`left ${reason}`));
  using bare = new Bare(server);
  await bare.send(encodeMessage(0, jsonOf({ type: "knock" })));
  assertEquals((await bare.hears("snap")).type, "snap");
  await until("it to be gone", () => events.length === 2);
  assertEquals(events, ["joined false", "left silent"]);
  await bare.send(new Uint8Array(20));
  await bare.send(encodeMessage(1, jsonOf({ type: "nonsense" })));
  await bare.send(encodeAck(7));
  await until("the refusals", () => refused.length === 3);
  assertEquals(refused, ["short 127.0.0.1", "unknown 127.0.0.1", "stranger 127.0.0.1"]);
});

Deno.test("WorldClient.poseOf() is on the way between places, and nowhere for what is not there", async () => {
  const world = new World();
  const rock = world.spawn({ position: [0, 2, 0] });
  const step = (_: World, __: number, time: number): void => {
    world.update(rock, { position: [time, 2, -time], quaternion: [time, 0, 0, 0] });
  };
  await using server = await listen({ world, step, tickRateHz: 50 });
  await using client = await connect(server, { drawDelayMs: 60 });
  assertEquals(client.poseOf(99), undefined);
  await until("it to be there", () => client.objects.has(rock));
  await until("it to be between two ticks", () => {
    const { position: [x, y, z], quaternion } = client.poseOf(rock)!;
    const known = client.objects.get(rock)!.position[0];
    assert(x >= 0 && x <= known, `drawn at ${x}, told of ${known}`);
    assertEquals(y, 2);
    assert(Math.abs(z + x) < 1e-9);
    assertEquals(quaternion.map((value) => value + 0), [1, 0, 0, 0]);
    return !Number.isInteger(x) && known > 10;
  });
});

Deno.test("WorldServer.tick() makes the ticks where nobody else does", async () => {
  await using server = await listen({ tickRateHz: 0 });
  const { world } = server;
  const rock = world.spawn({ mass: 2 });
  server.tick();
  await using ada = await connect(server);
  await mirrored(ada, world);
  world.update(rock, { mass: 3 });
  const moon = world.spawn();
  // Whoever comes now is told what the last tick made so.
  await using bob = await connect(server);
  await until("him to have everything", () => bob.isSynced);
  assertEquals([...bob.objects.keys()], [rock]);
  for (const client of [ada, bob]) assertEquals(client.objects.get(rock)!.mass, 2);
  assertEquals([world.time, bob.tickRateHz], [1, 0]);
  server.tick();
  for (const client of [ada, bob]) await mirrored(client, world);
  assertEquals([world.time, ada.objects.has(moon)], [2, true]);
  assertEquals(ada.poseOf(rock)!.position, [0, 0, 0]);
});

Deno.test("WorldServer.tick() throws where the server makes its ticks itself", async () => {
  await using server = await listen();
  assertThrows(() => server.tick(), TypeError, "give it a tick rate of 0");
});

Deno.test("WorldServer gives its step the seconds and the number of the tick", async () => {
  const calls: [World, number, number][] = [];
  await using server = await listen({
    tickRateHz: 200,
    step: (...args) => calls.push(args),
  });
  await until("ten ticks", () => calls.length >= 10);
  assert(calls.every(([world, seconds]) => world === server.world && seconds === 1 / 200));
  assertEquals(calls.map(([, , time]) => time), calls.map((_, index) => index + 1));
});

Deno.test("WorldServer goes on when its step or a listener throws, and hands over what", async () => {
  const errors = new Set<unknown>();
  const [ofStep, ofListener] = [new Error("of the step"), new Error("of a listener")];
  const world = new World();
  const rock = world.spawn();
  await using server = await listen({
    world,
    step(world, _, time): void {
      world.update(rock, { position: [time, 0, 0] });
      if (time % 2 === 0) throw ofStep;
    },
    onError: (error) => errors.add(error),
  });
  server.on("joined", () => {
    throw ofListener;
  });
  const joined: string[] = [];
  server.on("joined", ({ address }) => joined.push(address));
  await using client = await connect(server);
  const seen = new Set<number>();
  client.on("changed", ({ traits }) => seen.add(traits.position[0]));
  // What a step did before it failed is told too.
  await until("movement", () => [...seen].filter((x) => x % 2 === 0).length > 3 && seen.size > 8);
  assertEquals([errors, joined.length], [new Set([ofStep, ofListener]), 1]);
  assert(server.counters.faults > 0);
});

Deno.test("WorldServer rounds what it tells, and not the world, where the world says so", async () => {
  const world = new World({ decimals: 2 });
  const rock = world.spawn({ position: [1 / 3, -2 / 3, 0.001], exact: 1 / 3 });
  await using server = await listen({ world });
  await using client = await connect(server);
  await until("the rock", () => client.objects.has(rock));
  const { position, exact } = client.objects.get(rock)!;
  assertEquals([position, exact], [[0.33, -0.67, 0], 1 / 3]);
  assertStrictEquals(world.objects.get(rock)!.position[0], 1 / 3);
});

for (
  const [option, reason] of [
    ["clientsMax", "full"],
    ["clientsPerNetworkMax", "full-network"],
  ] as const
) {
  Deno.test(`WorldClient.connect() throws when the server has no place left by ${option}`, async () => {
    const refused: string[] = [];
    await using server = await listen({
      [option]: 1,
      onRefused: (reason) => refused.push(reason),
    });
    const ada = await connect(server);
    await until("her to have her place", () => server.clients.length === 1);
    await assertRejects(() => connect(server), ServerFullError, "no free place");
    assertEquals(refused, [reason]);
    await ada.close();
    await until("the place to be free", () => server.clients.length === 0);
    await using _bob = await connect(server);
  });
}

Deno.test("WorldClient.connect() throws where nobody answers, or at what is no address", async () => {
  const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  await assertRejects(
    () => WorldClient.connect(`127.0.0.1:${port}`, { timeoutMs: 100 }),
    ConnectTimeoutError,
    `no answer from 127.0.0.1 on UDP port ${port} within 0.1 s`,
  );
  silent.close();
  await assertRejects(() => WorldClient.connect("a:b"), TypeError, "localhost:25005");
});

Deno.test("WorldServer.listen() refuses options out of their range, and a port that is taken", async () => {
  const impossible: WorldServerListenOptions[] = [
    ...[-1, 1_001, NaN, Infinity].map((tickRateHz) => ({ tickRateHz })),
    ...[-1, NaN].map((keyframeMs) => ({ keyframeMs })),
    ...[0, -1, NaN].map((silenceMs) => ({ silenceMs })),
    ...[0, -1, NaN].map((clientsMax) => ({ clientsMax })),
    ...[0, NaN].map((clientsPerNetworkMax) => ({ clientsPerNetworkMax })),
    ...[0, NaN].map((bytesPerSecond) => ({ bytesPerSecond })),
  ];
  for (const options of impossible) {
    const opened = WorldServer.listen({ ...LOOPBACK, ...options }).then((server) => server.close());
    const outcome = await opened.catch((error) => error);
    assert(outcome instanceof RangeError, `${Deno.inspect(options)}: ${outcome}`);
  }
  await using server = await listen();
  await assertRejects(() => listen({ port: server.port }), Deno.errors.AddrInUse);
});

Deno.test("WorldClient comes back to the next server at the port, and to a new world", async () => {
  /** A world in which something always moves, so that a server is soon missed. */
  const lively = (port: number, name: string): Promise<WorldServer> => {
    const world = new World();
    const clock = world.spawn({ name });
    const step = (_: World, __: number, time: number): void => world.update(clock, { time });
    return listen({ port, world, step });
  };
  const first = await lively(0, "first");
  first.world.spawn({ name: "second thing" });
  await using client = await connect(first, { silenceMs: 400 });
  await until("the first world", () => client.isSynced && client.objects.size === 2);
  const events: string[] = [];
  client.on("disconnected", () => events.push("disconnected"));
  client.on("connected", () => events.push("connected"));
  client.on("removed", ({ id }) => events.push(`removed ${id}`));
  client.on("spawned", ({ id, traits }) => events.push(`spawned ${id} ${traits.name}`));
  client.on("synced", ({ objects }) => events.push(`synced ${objects}`));
  await first.close();
  await until("the loss", () => events.length > 0);
  assertEquals([events, client.objects.size, client.isSynced], [["disconnected"], 2, false]);
  await using second = await lively(first.port, "next");
  await until("the return", () => client.isSynced);
  assertEquals(events, [
    ...["disconnected", "connected", "removed 0", "removed 1", "spawned 0 next", "synced 1"],
  ]);
  const timeNow = client.time;
  await until("time to go on", () => client.time > timeNow + 3);
  assertEquals(client.objects.get(0)!.name, "next");
  assertEquals(second.clients.length, 1);
});

Deno.test("WorldClient hears at once that the server closes, and that the next one is full", async () => {
  const first = await listen();
  const { port } = first;
  await using client = await connect(first);
  assert(client.isConnected);
  const events: string[] = [];
  for (const kind of ["connected", "disconnected", "full"] as const) {
    client.on(kind, () => events.push(kind));
  }
  await until("its place", () => first.clients.length === 1);
  const begin = performance.now();
  await first.close();
  await until("the end", () => !client.isConnected);
  // Silence would take 7 s.
  assert(performance.now() - begin < 6_000);
  await using second = await listen({ port, clientsMax: 1 });
  const other = await connect(second);
  await until("the next server to be full", () => events.includes("full"));
  assert(!client.isConnected);
  await other.close();
  await until("it to be back", () => client.isConnected);
  assertEquals(events.filter((event) => event !== "full"), ["disconnected", "connected"]);
});

Deno.test("WorldClient.connect() lets listeners hear also what came in the very datagram that connected it", async () => {
  for (let times = 0; times < 10; times++) {
    await using server = await listen({ world: worldOf({}, {}, {}) });
    await using client = await connect(server);
    const spawned = heard(client, "spawned");
    await until("all of them", () => client.isSynced);
    await until("all to be told", () => spawned.length >= 3);
    assertEquals(spawned.map(({ id }) => id).sort(), [0, 1, 2]);
  }
});

Deno.test("WorldServer says that it stood still", async () => {
  let isBusy = false;
  await using server = await listen({
    step(): void {
      if (!isBusy) return;
      isBusy = false;
      for (const end = performance.now() + 500; performance.now() < end;);
    },
  });
  const stalls: number[] = [];
  server.on("stalled", ({ lostMs }) => stalls.push(lostMs));
  isBusy = true;
  await until("word of it", () => stalls.length > 0);
  assert(stalls[0]! > 100, `${stalls}`);
});

Deno.test("World.tick() throws where a WorldServer makes the ticks", async () => {
  await using server = await listen({ tickRateHz: 0 });
  assertThrows(() => server.world.tick(), TypeError, "call its tick instead");
  server.tick();
  assertEquals(server.world.time, 1);
});

Deno.test("WorldServer.listen() and WorldClient.connect() take undefined for left out", async () => {
  await using server = await listen({
    tickRateHz: undefined,
    keyframeMs: undefined,
    silenceMs: undefined,
    clientsMax: undefined,
    clientsPerNetworkMax: undefined,
    bytesPerSecond: undefined,
  });
  await using client = await connect(server, {
    timeoutMs: undefined,
    drawDelayMs: undefined,
    objectsMax: undefined,
    silenceMs: undefined,
  });
  await until("it to be complete", () => client.isSynced);
});

Deno.test("WorldServer and WorldClient speak IPv6", async () => {
  await using server = await listen({ hostname: "::1", world: worldOf({ name: "Rock" }) });
  assertEquals(server.addresses, [`[::1]:${server.port}`]);
  await using client = await WorldClient.connect(`[::1]:${server.port}`);
  await mirrored(client, server.world);
  await until("it to be here", () => server.clients.length === 1);
  assert(server.clients[0]!.peer.address.startsWith("[::1]:"));
});

Deno.test("WorldServer listens on both families unless it is told an address", async () => {
  await using server = await WorldServer.listen({ port: 0 });
  const { port, addresses } = server;
  assertEquals(addresses, [`[::]:${port}`, `0.0.0.0:${port}`]);
  await using _ada = await WorldClient.connect(`[::1]:${port}`);
  await using _bob = await WorldClient.connect(`127.0.0.1:${port}`);
  await until("both", () => server.clients.length === 2);
});

Deno.test("WorldServer counts what came and what it sent", async () => {
  await using server = await listen({ tickRateHz: 0 });
  assertEquals([server.counters.received, server.counters.sent], [0, 0]);
  server.world.spawn();
  server.tick();
  {
    await using client = await connect(server);
    await until("it to have everything", () => client.isSynced);
  }
  await until("its end", () => server.clients.length === 0);
  await until("the last ACK", () => server.counters.sent >= 5);
  const { received, receivedBytes, sent, sentBytes, failed, dropped, faults } = server.counters;
  // A knock, ACKs of a snap or two and of heartbeats, a stop; and the other way round.
  assert(received >= 4 && received <= 10, `${received} received`);
  assert(receivedBytes >= received * 23 && receivedBytes < received * 60);
  assert(sent >= 5 && sent <= 11, `${sent} sent`);
  assert(sentBytes > sent * 23 && sentBytes < sent * 400);
  assertEquals([failed, dropped, faults], [0, 0, 0]);
});

Deno.test("WorldServer closes once, and may be asked to again", async () => {
  const server = await listen();
  await Promise.all([server.close(), server.close()]);
  await server.close();
  server.world.spawn();
});
