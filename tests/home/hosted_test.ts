/** What those see of a service who look after it: real engines behind real sockets. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MessageClient } from "../../lib/clients/message_client.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import { RendezvousPeer } from "../../lib/clients/rendezvous.ts";
import { SyncClient } from "../../lib/clients/sync.ts";
import { WorldClient } from "../../lib/clients/world_client.ts";
import { SERVICES } from "../../lib/commands/services.ts";
import { type HostCounters, type HostedParts, hostService } from "../../lib/home/hosted.ts";
import type { PeerTraffic } from "../../lib/hosts/traffic.ts";
import { Durations } from "../../lib/observe/durations.ts";
import { MEMBERS_MAX } from "../../lib/observe/report.ts";
import type { Member, Peer } from "../../lib/protocols/engine.ts";
import { LogBook } from "../support/log.ts";
import { until } from "../support/wait.ts";
import { rosterOf, run } from "./running.ts";

Deno.test("Hosted.report() tells who is in: since when it was heard, states, and traffic", async () => {
  await using sync = await run("sync");
  await using ada = await SyncClient.connect(`127.0.0.1:${sync.port}`);
  await using bob = await SyncClient.connect(`[::1]:${sync.port}`);
  ada.send("12345");
  await until("ada", () => sync.members === 1);
  bob.send("1234567890");
  await until("both", () => sync.members === 2 && ada.states.size === 2);
  sync.report(1);
  ada.send("54321");
  bob.send("0987654321");
  const hears = (client: SyncClient): boolean =>
    client.states.get(ada.id) === "54321" && client.states.get(bob.id) === "0987654321";
  await until("news for both", () => hears(ada) && hears(bob));
  const report = sync.report(0.5);
  const { service, title, transport, port, members, roster, refused } = report;
  assertEquals(
    { service, title, transport, port, members, refused },
    {
      ...{ service: "sync", title: "sync (SimpleNetSync)", transport: "UDP", port: sync.port },
      ...{ members: 2, refused: {} },
    },
  );
  assertEquals(
    roster.map(({ name, ip, stateBytes, roundTripMs }) => [name, ip, stateBytes, roundTripMs]),
    [
      [ada.id, "127.0.0.1", 5, undefined],
      [bob.id, "::1", 10, undefined],
    ],
  );
  for (const { heardMs, address, rates } of roster) {
    assert(heardMs !== undefined && heardMs >= 0 && heardMs < 5_000, `${heardMs}`);
    assert(/^(127\.0\.0\.1|\[::1\]):\d+$/.test(address), address);
    assert(rates.inHz >= 2 && rates.outHz >= 2, JSON.stringify(rates));
    assert(rates.inBytesHz > rates.inHz && rates.outBytesHz > rates.outHz);
  }
  assertEquals(report.figures.find(([name]) => name === "may come back")?.[1], "0");
  assert(/^[1-9]\d* bytes$/.test(report.figures[0]![1]), report.figures[0]![1]);
  for (const ms of Object.values(report.lateMs)) assert(ms >= 0 && ms < 5_000, `${ms} ms late`);
});

Deno.test("Hosted.report() tells rates by the last two samples, of all and of each", () => {
  const parts = new Parts();
  const service = hostService(parts.all);
  const [ada, bob] = [parts.join("ada"), parts.join("bob")];
  const none = { inHz: 0, inBytesHz: 0, outHz: 0, outBytesHz: 0 };
  assertEquals(service.report().rates, none);
  service.report(1);
  Object.assign(parts.counters, { received: 10, receivedBytes: 100, sent: 20, sentBytes: 400 });
  Object.assign(ada.traffic, { received: 4, receivedBytes: 8, sent: 2, sentBytes: 6 });
  const first = service.report(2);
  assertEquals(first.rates, { inHz: 5, inBytesHz: 50, outHz: 10, outBytesHz: 200 });
  assertEquals(first.roster.map(({ rates }) => rates), [
    { inHz: 2, inBytesHz: 4, outHz: 1, outBytesHz: 3 },
    none,
  ]);
  Object.assign(parts.counters, { received: 11 });
  Object.assign(bob.traffic, { sent: 5, sentBytes: 5 });
  const second = service.report(0.5);
  assertEquals(second.rates, { inHz: 2, inBytesHz: 0, outHz: 0, outBytesHz: 0 });
  assertEquals(second.roster.map(({ rates }) => rates.outHz), [0, 10]);
  // No time at all is no reason for a rate that is no number.
  Object.assign(parts.counters, { received: 12 });
  const third = service.report(0);
  assert(Number.isFinite(third.rates.inHz) && third.rates.inHz > 0, `${third.rates.inHz}`);
});

Deno.test("Hosted.report() between two samples has their rates, but those who are in now", () => {
  const parts = new Parts();
  const service = hostService(parts.all);
  const ada = parts.join("ada", { roundTripMs: 20 });
  service.report(1);
  Object.assign(parts.counters, { received: 10 });
  ada.traffic.received = 10;
  parts.all.lateness.record(3);
  const sampled = service.report(1);
  Object.assign(parts.counters, { received: 11 });
  ada.traffic.received = 11;
  parts.all.lateness.record(7);
  const bob = parts.join("bob");
  bob.traffic.received = 1_000;
  const { rates, lateMs, roster, members } = service.report();
  assertEquals([rates, lateMs, members], [sampled.rates, sampled.lateMs, 2]);
  assertEquals(roster.map(({ name, rates }) => [name, rates.inHz]), [["ada", 10], ["bob", 0]]);
  // And nothing is lost of the next second, nor counted twice.
  const next = service.report(1);
  assertEquals([next.rates.inHz, next.lateMs.max, service.roundTrips.count], [1, 7, 3]);
  assertEquals(next.roster.map(({ rates }) => rates.inHz), [1, 0]);
});

Deno.test("Hosted.report() has the same rates for each name of one address", () => {
  const parts = new Parts();
  const service = hostService(parts.all);
  const { traffic } = parts.join("castle");
  parts.members.push({ ...parts.members[0]!, name: "tower" });
  service.report(1);
  traffic.received += 5;
  assertEquals(service.report(1).roster.map(({ rates }) => rates.inHz), [5, 5]);
});

Deno.test("Hosted.report() leaves out reasons that never came, and asks for figures anew", () => {
  const parts = new Parts();
  const service = hostService(parts.all);
  assertEquals(service.report(1).refused, {});
  parts.refused.short = 2;
  parts.figure = "2";
  const { refused, figures } = service.report(1);
  assertEquals([refused, figures], [{ short: 2 }, [["figure", "2"]]]);
});

Deno.test("Hosted.report() tells when somebody was heard, or that it was not since a restart", () => {
  const parts = new Parts();
  const service = hostService(parts.all);
  const [ada, bob] = [parts.join("ada"), parts.join("bob")];
  ada.traffic.heardAt = performance.now() - 1_000;
  bob.traffic.heardAt = -Infinity;
  const [adas, bobs] = service.report(1).roster;
  assert(adas!.heardMs! >= 1_000 && adas!.heardMs! < 2_000, `${adas!.heardMs}`);
  assertEquals(bobs!.heardMs, undefined);
});

Deno.test("Hosted.report() ranks lateness since the last call, and keeps round trips of all", () => {
  const parts = new Parts();
  const service = hostService(parts.all);
  parts.join("ada", { roundTripMs: 20 });
  parts.join("bob", { roundTripMs: undefined });
  parts.join("carl", { roundTripMs: 40 });
  parts.all.lateness.record(3);
  assertEquals(service.report(1).lateMs, { p50: 3, p99: 3, max: 3 });
  assertEquals(service.report(1).lateMs, { p50: 0, p99: 0, max: 0 });
  assertEquals(service.roundTrips.count, 4);
  assertEquals(service.roundTrips.takeRecent(), { p50: 20, p99: 40, max: 40 });
  assertEquals(service.report(1).roster.map(({ roundTripMs }) => roundTripMs), [20, undefined, 40]);
});

Deno.test("Hosted.report() counts all members, and lists the first thousand", () => {
  const parts = new Parts();
  const service = hostService(parts.all);
  for (let number = 0; number < MEMBERS_MAX + 5; number++) parts.join(`${number}`);
  const { members, roster } = service.report(1);
  assertEquals([members, service.members, roster.length], [1_005, 1_005, 1_000]);
  assertEquals([roster[0]!.name, roster.at(-1)!.name], ["0", "999"]);
});

Deno.test("Hosted.report() tells no rate of what happened before somebody was listed", () => {
  const parts = new Parts();
  const service = hostService(parts.all);
  for (let number = 0; number < MEMBERS_MAX; number++) parts.join(`${number}`);
  const late = parts.join("late");
  for (let second = 1; second <= 100; second++) {
    late.traffic.received += 10;
    service.report(1);
  }
  parts.members.shift();
  for (const rate of [0, 10]) {
    late.traffic.received += 10;
    const { roster } = service.report(1);
    assertEquals([roster.at(-1)!.name, roster.at(-1)!.rates.inHz], ["late", rate]);
  }
  // Nor of what happened while it was not listed any more.
  const { peer } = parts.members.pop()!;
  service.report(1);
  late.traffic.received += 1_000;
  parts.members.push({ peer, name: "late" });
  assertEquals(service.report(1).roster.at(-1)!.rates.inHz, 0);
});

Deno.test("A service measures how late it is, and how long it takes if it is told to", async () => {
  for (const isMetered of [true, false]) {
    await using sync = await run("sync", { isMetered, values: { rate: 20 } });
    await using client = await SyncClient.connect(`127.0.0.1:${sync.port}`);
    let states = 0;
    await until("something to be due", () => {
      client.send(`${states++}`);
      return sync.lateness.count > 0;
    });
    await using messages = await run("messages", { isMetered });
    await using sender = new MessageClient();
    assert((await sender.connect("127.0.0.1", messages.port)).ok);
    sender.send(new NetworkMessage("hello"));
    await until("the message", () => messages.counters.received > 0);
    for (const { handling, counters } of [sync, messages]) {
      assertEquals(handling !== undefined, isMetered);
      if (handling) await until("all of it", () => handling.count === counters.received);
    }
  }
});

Deno.test("Hosted.expel() sends away whom it is told, says how many, and only those", async () => {
  await using sync = await run("sync");
  const clients: SyncClient[] = [];
  for (const name of ["ada", "bob", "carl"]) {
    const client = await SyncClient.connect(`127.0.0.1:${sync.port}`, { reconnect: false });
    clients.push(client);
    client.send(name);
    await until(name, () => sync.members === clients.length);
  }
  const bobs = rosterOf(sync).get(clients[1]!.id)!.address;
  assertEquals(sync.expel(() => false), 0);
  assertEquals(sync.expel(({ address }) => address === bobs), 1);
  // Nothing shuts him out here: what he says next lets him in again, in place of an older one.
  assertEquals(sync.members, 2);
  assertEquals(sync.expel(() => true), 2);
  assertEquals([sync.members, rosterOf(sync).size], [0, 0]);
  await Promise.all(clients.map((client) => client.close()));
});

Deno.test("Hosted.close() frees the port, says so once, and may be called again", async () => {
  const book = new LogBook();
  const services = await Promise.all([...SERVICES.keys()].map((kind) => run(kind)));
  for (const service of services) {
    const stopped = (): number =>
      book.records.filter(({ category, properties }) =>
        category.at(-1) === service.name && properties.event === "stopped"
      ).length;
    const both = [service.close(), service.close()];
    await Promise.all(both);
    await service.close();
    assertEquals(stopped(), 1, service.name);
    const { port } = service;
    if (service.transport === "TCP") Deno.listen({ hostname: "::", port }).close();
    else Deno.listenDatagram({ transport: "udp", hostname: "::", port }).close();
    assertEquals(service.expel(() => true), 0);
  }
});

Deno.test("Hosted.close() tells the players of a world at once that it is over", async () => {
  const world = await run("world");
  await using client = await WorldClient.connect(`127.0.0.1:${world.port}`);
  await until("it to be in", () => world.members === 1);
  await world.close();
  await until("it to know", () => !client.isConnected, 1_500);
});

Deno.test("Hosted.save() is for those who keep something, and undefined for the others", async () => {
  for (const [name, kind] of SERVICES) {
    await using service = await run(name);
    const saved = service.save();
    assertEquals(saved !== undefined, kind.isResumable, name);
    if (saved) assertEquals(JSON.parse(JSON.stringify(saved)), saved);
  }
});

Deno.test("A service goes on where another one was stopped: its members are in, not heard yet", async () => {
  await using sync = await run("sync");
  await using client = await SyncClient.connect(`127.0.0.1:${sync.port}`);
  client.send("here");
  await until("it to be in", () => sync.members === 1);
  const saved = sync.save()!;
  await using other = await run("sync", { name: "other", saved });
  const member = rosterOf(other).get(client.id)!;
  assertEquals([member.stateBytes, member.heardMs], [4, undefined]);
  assertEquals(member.address, rosterOf(sync).get(client.id)!.address);
});

Deno.test("A service that cannot go on from what was saved gives its port back", async () => {
  const { listenDatagram } = Deno;
  const ports: number[] = [];
  Deno.listenDatagram = ((options: Deno.UdpListenOptions & { transport: "udp" }) => {
    const conn = listenDatagram(options);
    ports.push((conn.addr as Deno.NetAddr).port);
    return conn;
  }) as typeof Deno.listenDatagram;
  try {
    for (const [name, kind] of SERVICES) {
      if (!kind.isResumable) continue;
      for (const saved of [{}, { version: 0 }, { version: 1, nonsense: true }]) {
        await assertRejects(() => run(name, { saved }), TypeError);
      }
    }
  } finally {
    Deno.listenDatagram = listenDatagram;
  }
  for (const port of ports.filter((port) => port !== 0)) {
    listenDatagram({ transport: "udp", hostname: "::", port }).close();
  }
  assert(ports.length >= 9);
});

Deno.test("Hosted.report() tells of the members of each kind of service by their names", async () => {
  await using rendezvous = await run("rendezvous");
  await using messages = await run("messages");
  await using _castle = await RendezvousPeer.host(`127.0.0.1:${rendezvous.port}`, {
    name: "castle",
  });
  await using client = new MessageClient();
  assert((await client.connect("127.0.0.1", messages.port)).ok);
  await until("the connection", () => messages.members === 1);
  assertEquals([...rosterOf(rendezvous).keys()], ["castle"]);
  const [member] = [...rosterOf(messages).values()];
  assertEquals(member!.name, member!.address);
});

/** A service that is made up, as far as {@link hostService} looks at it. */
class Parts {
  readonly members: Member[] = [];
  readonly refused: Record<string, number> = { short: 0, text: 0 };
  readonly counters: HostCounters = {
    ...{ received: 0, receivedBytes: 0, sent: 0, sentBytes: 0, shutOut: 0, failed: 0, faults: 0 },
  };
  figure = "1";
  readonly all: HostedParts<null> = {
    ...{ name: "sync", kind: "sync", title: "sync (SimpleNetSync)", transport: "UDP", port: 5_000 },
    ...{ addresses: ["[::]:5000"], counts: { refused: this.refused, happened: {} } },
    ...{ lateness: new Durations(), handling: undefined, roundTrips: new Durations() },
    engine: { members: () => [...this.members], expel: () => {} },
    host: {
      counters: this.counters,
      act: (call) => call(performance.now(), null),
      trafficOf: (peer) => peer as Peer & PeerTraffic,
      close: () => Promise.resolve(),
    },
    figures: () => [["figure", this.figure]],
    ...{ tellStatistics: undefined, sayFarewell: undefined, logStopped: () => {} },
  };

  join(
    name: string,
    facts: Partial<Member> = {},
  ): { traffic: { -readonly [K in keyof PeerTraffic]: PeerTraffic[K] } } {
    const address = { ip: "192.0.2.7", port: 1, address: "192.0.2.7:1", network: "192.0.2.7" };
    const traffic = { heardAt: 0, received: 0, receivedBytes: 0, sent: 0, sentBytes: 0 };
    const peer = Object.assign(traffic, address);
    this.members.push({ peer, name, ...facts });
    return { traffic };
  }
}
