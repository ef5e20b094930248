/** The door with real services behind real sockets: what the others see of who is sent away. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { MessageClient } from "../../lib/clients/message_client.ts";
import { SyncClient } from "../../lib/clients/sync.ts";
import { Door, type DoorDeed } from "../../lib/home/door.ts";
import type { Hosted } from "../../lib/home/hosted.ts";
import { BanList } from "../../lib/parts/ban_list.ts";
import { until } from "../support/wait.ts";
import { rosterOf, run } from "./running.ts";

/** How long a client that gets no answer is waited for. */
const NO_ANSWER_MS = 300;

/** A door, and what it told. */
class House implements AsyncDisposable {
  readonly bans = new BanList();
  readonly services: (Hosted & AsyncDisposable)[] = [];
  readonly done: DoorDeed[] = [];
  changes = 0;
  readonly door: Door = new Door({
    bans: this.bans,
    services: this.services,
    onBansChanged: () => this.changes++,
    onDone: (done) => this.done.push(done),
  });

  async open(kind: string, name = kind): Promise<Hosted> {
    const service = await run(kind, { name, isShutOut: this.door.isShutOut });
    this.services.push(service);
    return service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.services.map((service) => service[Symbol.asyncDispose]()));
  }
}

/** A player who is in. */
async function join(service: Hosted, state: string, host = "127.0.0.1"): Promise<SyncClient> {
  const client = await SyncClient.connect(`${host}:${service.port}`, { reconnect: false });
  client.send(state);
  await until(`${state} to be in`, () => rosterOf(service).has(client.id));
  return client;
}

function addressOf(service: Hosted, name: string): string {
  return rosterOf(service).get(name)!.address;
}

Deno.test("Door.kick() sends one away at once: it is gone for the others, and hears nothing more", async () => {
  await using house = new House();
  const sync = await house.open("sync");
  await using ada = await join(sync, "ada");
  await using bob = await join(sync, "bob");
  await until("each other", () => ada.states.size === 2 && bob.states.size === 2);
  const address = addressOf(sync, bob.id);
  assert(house.door.kick("sync", address));
  await until("bob to be gone", () => !ada.states.has(bob.id), 1_000);
  assertEquals(house.done, [{ kind: "kicked", address, service: "sync" }]);
  assertEquals([...rosterOf(sync).keys()], [ada.id]);
  // He goes on sending, and is not heard.
  const { shutOut } = sync.counters;
  bob.send("let me in");
  await until("his state to be refused", () => sync.counters.shutOut > shutOut);
  assertEquals([...rosterOf(sync).keys()], [ada.id]);
  // From another port of the same address he is welcome.
  await using bobAgain = await join(sync, "bob again");
  await until("him to be seen", () => ada.states.get(bobAgain.id) === "bob again");
});

Deno.test("Door.kick() holds an address off for 30 seconds, and no other", async () => {
  await using house = new House();
  const sync = await house.open("sync");
  await using ada = await join(sync, "ada");
  const address = addressOf(sync, ada.id);
  const port = Number(address.split(":")[1]);
  using time = new Clock();
  assert(!house.door.isShutOut("127.0.0.1", port));
  assert(house.door.kick("sync", address));
  const isShutOut = (): boolean[] => [
    house.door.isShutOut("127.0.0.1", port),
    house.door.isShutOut("::ffff:127.0.0.1", port),
    house.door.isShutOut("127.0.0.1", port - 1),
    house.door.isShutOut("127.0.0.2", port),
  ];
  assertEquals(isShutOut(), [true, true, false, false]);
  time.aheadMs = 29_900;
  assertEquals(isShutOut(), [true, true, false, false]);
  time.aheadMs = 30_100;
  assertEquals(isShutOut(), [false, false, false, false]);
});

Deno.test("Door.kick() does nothing to who is not in, at no service, and at another one", async () => {
  await using house = new House();
  const [sync, other] = [await house.open("sync", "sync:1"), await house.open("sync", "sync:2")];
  await using ada = await join(sync, "ada");
  const address = addressOf(sync, ada.id);
  assertEquals(
    [
      house.door.kick("sync:2", address),
      house.door.kick("sync", address),
      house.door.kick("sync:1", "127.0.0.1:1"),
      house.door.kick("sync:1", "127.0.0.1"),
      house.door.kick("sync:1", ""),
    ],
    [false, false, false, false, false],
  );
  assertEquals([house.done, rosterOf(sync).size, rosterOf(other).size], [[], 1, 0]);
  assert(!house.door.isShutOut("127.0.0.1", Number(address.split(":")[1])));
});

Deno.test("Door.kick() ends a connection over TCP, and takes another one", async () => {
  await using house = new House();
  const messages = await house.open("messages");
  await using client = new MessageClient();
  assert((await client.connect("::1", messages.port)).ok);
  await until("it to be in", () => messages.members === 1);
  const { address } = [...rosterOf(messages).values()][0]!;
  assertMatch(address, /^\[::1\]:\d+$/);
  assert(house.door.kick("messages", address));
  await until("the end", () => !client.isConnected);
  assertEquals(messages.members, 0);
  assert((await client.connect("::1", messages.port)).ok);
  await until("it to be in again", () => messages.members === 1);
});

Deno.test("Door.ban() sends away all of a network at all services, and lets nobody in from there", async () => {
  await using house = new House();
  const [sync, other] = [await house.open("sync", "sync:1"), await house.open("sync", "sync:2")];
  const messages = await house.open("messages");
  await using _ada = await join(sync, "ada");
  await using _bob = await join(other, "bob");
  await using carl = await join(sync, "carl", "[::1]");
  await using client = new MessageClient();
  assert((await client.connect("127.0.0.1", messages.port)).ok);
  await until("the connection", () => messages.members === 1);
  assertEquals(house.door.ban("127.0.0.99/8"), undefined);
  assertEquals(house.done, [{ kind: "banned", ban: "127.0.0.0/8", expelled: 3 }]);
  assertEquals([house.changes, [...house.bans]], [1, ["127.0.0.0/8"]]);
  assertEquals([[...rosterOf(sync).keys()], rosterOf(other).size], [[carl.id], 0]);
  await until("the end of the connection", () => !client.isConnected);
  for (const service of [sync, other]) {
    const { shutOut } = service.counters;
    await assertRejects(() =>
      SyncClient.connect(`127.0.0.1:${service.port}`, { timeoutMs: NO_ANSWER_MS })
    );
    assert(service.counters.shutOut > shutOut);
  }
  await client.connect("127.0.0.1", messages.port);
  await until("it to be cut", () => messages.counters.shutOut === 1 && !client.isConnected);
  assertEquals(messages.members, 0);
  // Who is elsewhere plays on.
  await until("carl alone", () => carl.states.size === 1);
  assert(house.door.unban(" 127.1.2.3/8"));
  assertEquals(house.done.at(-1), { kind: "unbanned", ban: "127.0.0.0/8" });
  assertEquals([house.changes, house.bans.size], [2, 0]);
  await using adaAgain = await join(sync, "ada");
  await until("her to be seen", () => carl.states.has(adaAgain.id));
});

Deno.test("Door.ban() of ::1 lets 127.0.0.1 in, and shuts ::1 out", async () => {
  await using house = new House();
  const sync = await house.open("sync");
  await using _carl = await join(sync, "carl", "[::1]");
  assertEquals(house.door.ban("::1/128"), undefined);
  assertEquals(rosterOf(sync).size, 0);
  await assertRejects(() => SyncClient.connect(`[::1]:${sync.port}`, { timeoutMs: NO_ANSWER_MS }));
  await using ada = await join(sync, "ada");
  assert(ada.connected);
});

Deno.test("Door.ban() says what is wrong, and changes nothing then; a ban that is there is no change", async () => {
  await using house = new House();
  await house.open("sync");
  for (const text of ["", "localhost", "127.0.0.1:5000", "0.0.0.0/0", "::/0", "1.2.3.4/33"]) {
    const reason = house.door.ban(text);
    assert(reason !== undefined && !reason.includes("\n"), text);
  }
  assertEquals([house.changes, house.done, house.bans.size], [0, [], 0]);
  assertEquals([house.door.ban("192.0.2.7"), house.door.ban(" 192.0.2.7 ")], [
    undefined,
    undefined,
  ]);
  assertEquals([house.changes, house.bans.size], [1, 1]);
});

Deno.test("Door.unban() says whether it was banned", async () => {
  await using house = new House();
  house.door.ban("192.0.2.7");
  assertEquals([house.door.unban("192.0.2.8"), house.door.unban("192.0.2.7")], [false, true]);
  assertEquals([house.door.unban("192.0.2.7"), house.changes], [false, 2]);
  assert(!house.door.isShutOut("192.0.2.7", 1));
});

/** `performance.now()`, so much ahead. */
class Clock implements Disposable {
  aheadMs = 0;
  readonly #now = performance.now;

  constructor() {
    performance.now = () => this.#now.call(performance) + this.aheadMs;
  }

  [Symbol.dispose](): void {
    performance.now = this.#now;
  }
}
