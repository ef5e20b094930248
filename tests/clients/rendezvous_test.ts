import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  RendezvousError,
  RendezvousPeer,
  type RendezvousPeerOptions,
} from "../../lib/clients/rendezvous.ts";
import { openUdp, UdpHost } from "../../lib/hosts/udp.ts";
import { createRendezvousServer } from "../../lib/protocols/rendezvous/server.ts";
import { until, within } from "../support/wait.ts";

/** A rendezvous server on loopback. */
async function serve(hostname = "127.0.0.1"): Promise<{ address: string } & AsyncDisposable> {
  const socket = await openUdp({ port: 0, hostname });
  const host = new UdpHost(createRendezvousServer(), socket);
  return { address: socket.addresses[0]!, [Symbol.asyncDispose]: () => host.close() };
}

/** What arrives at a peer, as `from: JSON`. */
function messagesAt(peer: RendezvousPeer): string[] {
  const got: string[] = [];
  peer.on("message", ({ from, message }) => got.push(`${from}: ${JSON.stringify(message)}`));
  return got;
}

for (const dialect of [1, 2] as const) {
  Deno.test(`RendezvousPeer hosts, is joined and exchanges messages in dialect ${dialect}`, async () => {
    await using server = await serve();
    await using host = await RendezvousPeer.host(server.address, { name: "castle", dialect });
    const atHost = messagesAt(host);
    await using ada = await RendezvousPeer.join(server.address, {
      name: "ada",
      host: "castle",
      dialect,
    });
    const atAda = messagesAt(ada);
    assertEquals([host.isHost, ada.isHost, host.name, ada.name], [true, false, "castle", "ada"]);
    const { address, path } = ada.players.get("castle")!;
    assertEquals([address.ip, path], ["127.0.0.1", "local"]);
    await until("the host's side of it", () => host.players.has("ada"));
    for (const message of ["text", { deep: [1, 2.5, null, { é: "日本\u0000" }] }, 17, null, true]) {
      assertEquals(await within("a receipt", ada.sendReliable("castle", message)), true);
      assertEquals(atHost.at(-1), `ada: ${JSON.stringify(message)}`);
    }
    host.send("ada", ["unreliable"]);
    await until("an unreliable message", () => atAda.length > 0);
    assertEquals(atAda, ['castle: ["unreliable"]']);
  });
}

Deno.test("RendezvousPeer meets others over IPv6, also where the server has no IPv4", async () => {
  await using server = await serve("::1");
  await using host = await RendezvousPeer.host(server.address, { name: "castle" });
  const port = server.address.slice(server.address.lastIndexOf(":") + 1);
  await using ada = await RendezvousPeer.join(`localhost:${port}`, { name: "ada", host: "castle" });
  assertEquals(ada.players.get("castle")!.address.ip, "::1");
  assertEquals(await within("a receipt", ada.sendReliable("castle", "six")), true);
  assertEquals([...host.players.keys()], ["ada"]);
});

Deno.test("RendezvousPeer.join() with a password reaches all players of the game", async () => {
  await using server = await serve();
  const options = { dialect: 2, password: "sésame" } as const;
  await using host = await RendezvousPeer.host(server.address, { name: "castle", ...options });
  const join = (name: string): Promise<RendezvousPeer> =>
    RendezvousPeer.join(server.address, { name, host: "castle", ...options });
  await using ada = await join("ada");
  await using bob = await join("bob");
  await until("ada and bob to find each other", () => {
    return ada.players.has("bob") && bob.players.has("ada") && host.players.size === 2;
  });
  const lost: string[] = [];
  ada.on("lost", ({ name, reason }) => lost.push(`${name} ${reason}`));
  await bob.close();
  await until("bob's goodbye", () => lost.length > 0);
  assertMatch(lost[0]!, /^bob (left|removed)$/);
});

Deno.test("RendezvousPeer.join() says which step failed", async () => {
  await using server = await serve();
  await using _host = await RendezvousPeer.host(server.address, {
    ...{ name: "castle", dialect: 2, password: "one" },
  });
  const failure = async (
    address: string,
    options: Omit<RendezvousPeerOptions, "name"> & { host: string },
  ): Promise<RendezvousError> =>
    await assertRejects(
      () => RendezvousPeer.join(address, { name: "ada", ...options }),
      RendezvousError,
    );
  const closed = await openUdp({ port: 0, hostname: "127.0.0.1" });
  closed.conns.forEach((conn) => conn.close());
  const [unknown, wrong, silent] = await within(
    "three failures",
    Promise.all([
      failure(server.address, { host: "nowhere" }),
      failure(server.address, { host: "castle", dialect: 2, password: "other" }),
      failure(`127.0.0.1:${closed.port}`, { host: "castle" }),
    ]),
  );
  assertEquals([unknown.reason, wrong.reason, silent.reason], ["refused", "inquiry", "server"]);
  assertMatch(unknown.message, /no host called "nowhere" is registered at 127\.0\.0\.1:\d+/);
  assertMatch(wrong.message, /"castle" answers, but not with the same password/);
  assertMatch(silent.message, /no answer from the rendezvous server 127\.0\.0\.1:\d+/);
});

Deno.test("RendezvousPeer.host() refuses a taken name, and what is no name or address", async () => {
  await using server = await serve();
  await using _host = await RendezvousPeer.host(server.address, { name: "castle" });
  const taken = await assertRejects(
    () => RendezvousPeer.host(server.address, { name: "castle" }),
    RendezvousError,
  );
  assertMatch(taken.message, /the name "castle" is taken/);
  const wrong: [string, RendezvousPeerOptions, RegExp][] = [
    ["not an address:", { name: "ada" }, /is not an address/],
    [server.address, { name: "" }, /is no name/],
    [server.address, { name: "ada", host: "a\nb" }, /is no name/],
    [server.address, { name: "ada", host: "ada" }, /too: choose another name/],
    [server.address, { name: "ada", localAddress: "house" }, /localAddress is no IP address/],
  ];
  for (const [address, options, message] of wrong) {
    const error = await assertRejects(() => RendezvousPeer.open(address, options), Error);
    assertMatch(error.message, message);
  }
});

Deno.test("RendezvousPeer.sendReliable() settles for whoever is lost or left", async () => {
  await using server = await serve();
  await using host = await RendezvousPeer.host(server.address, { name: "castle" });
  const ada = await RendezvousPeer.join(server.address, { name: "ada", host: "castle" });
  await until("the host's side of it", () => host.players.has("ada"));
  await ada.close(); // Dialect 1 has no goodbye: the host does not know.
  const underway = host.sendReliable("ada", "into the void");
  host.drop("ada");
  assertEquals(await within("an answer", underway), false);
  assertThrows(() => host.send("ada", 1), RangeError, 'no player called "ada" is connected');
});

Deno.test("RendezvousPeer.close() ends a session that has not begun", async () => {
  await using server = await serve();
  const ada = await RendezvousPeer.open(server.address, { name: "ada", host: "nowhere" });
  const ended = Promise.withResolvers<string>();
  ada.on("ended", ({ reason }) => ended.resolve(reason));
  await ada.close();
  assertEquals(await within("its end", ended.promise), "left");
  await assertRejects(() => ada.ready, RendezvousError);
});

Deno.test("RendezvousPeer.leaveServer() lets nobody new in and keeps who is there", async () => {
  await using server = await serve();
  await using host = await RendezvousPeer.host(server.address, { name: "castle", dialect: 2 });
  await using ada = await RendezvousPeer.join(server.address, {
    ...{ name: "ada", host: "castle", dialect: 2 },
  });
  await until("the host's side of it", () => host.players.has("ada"));
  host.leaveServer();
  await until("the name to be gone", async () => {
    const late = await RendezvousPeer.open(server.address, {
      ...{ name: "bob", host: "castle", dialect: 2 },
    });
    const outcome = await late.ready.then(() => "joined", (error) => error.reason);
    await late.close();
    return outcome === "refused";
  });
  assert(await within("a receipt", ada.sendReliable("castle", "still here")));
});
