/**
 * Players who meet through real routers: the address translation of the Linux kernel, in network
 * namespaces that end with each test.
 *
 * That takes Linux with `ip`, `nft` and util-linux, and root or a system that lets everybody have user
 * namespaces (Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0).
 */
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { Chat } from "../interop/rendezvous_programs.ts";
import { Homes, type HomesOptions, ROUTER_A, ROUTER_B, whyNot } from "./homes.ts";

const reason = await whyNot();
const ignore = reason !== undefined;
if (ignore) console.warn(`tests through real routers are skipped: ${reason}`);

/** Inquiries go out for five seconds before a player is given up. */
const GIVEN_UP_MS = 20_000;

let lines = 0;

/** Both say what the other one hears, and never the same twice: an old line proves nothing. */
async function talkBothWays(one: Chat, other: Chat): Promise<void> {
  await one.tells(other, `is anybody there? (${++lines})`);
  await other.tells(one, `somebody is (${++lines})`);
}

Deno.test({
  name: "chat connects two homes by their routers' public addresses",
  ignore,
  async fn(): Promise<void> {
    await using homes = await Homes.build();
    await using castle = await homes.host("a1", "castle");
    await using ada = homes.chat("b1", "ada", ["--join", "castle"]);
    const [toCastle, toAda] = await Promise.all([ada.connects("castle"), castle.connects("ada")]);
    assertEquals(toCastle.path, "global");
    assertEquals(toAda.path, "global");
    assertMatch(toCastle.address, new RegExp(`^${ROUTER_A}:\\d+$`));
    assertMatch(toAda.address, new RegExp(`^${ROUTER_B}:\\d+$`));
    const { global, local } = await ada.event("introduced");
    assertEquals(global, toCastle.address);
    assertMatch(String(local), /^192\.168\.1\.11:\d+$/);
    await talkBothWays(castle, ada);
    await ada.hangUp();
    assertEquals(await ada.end(), 0);
  },
});

Deno.test({
  name: "chat connects two players of one home by their local addresses",
  ignore,
  async fn(): Promise<void> {
    await using homes = await Homes.build();
    await using castle = await homes.host("a1", "castle");
    await using ada = homes.chat("a2", "ada", ["--join", "castle"]);
    const [toCastle, toAda] = await Promise.all([ada.connects("castle"), castle.connects("ada")]);
    assertEquals(toCastle.path, "local");
    assertEquals(toAda.path, "local");
    assertMatch(toCastle.address, /^192\.168\.1\.11:\d+$/);
    assertMatch(toAda.address, /^192\.168\.1\.12:\d+$/);
    await talkBothWays(castle, ada);
  },
});

Deno.test({
  name: "chat connects everybody in two homes in dialect 2, with a password",
  ignore,
  async fn(): Promise<void> {
    const words = ["--dialect", "2", "--password", "sésame"];
    await using homes = await Homes.build();
    await using castle = await homes.host("a1", "castle", words);
    await using ada = homes.chat("b1", "ada", ["--join", "castle", ...words]);
    await using bob = homes.chat("b2", "bob", ["--join", "castle", ...words]);
    assertEquals((await ada.connects("castle")).path, "global");
    await using cat = homes.chat("a2", "cat", ["--join", "castle", ...words]);
    assertEquals((await bob.connects("castle")).path, "global");
    assertEquals((await cat.connects("castle")).path, "local");
    // The host told them of each other, and not only where it reaches them itself.
    assertEquals((await ada.connects("bob")).path, "local");
    assertEquals((await ada.connects("cat")).path, "global");
    assertEquals((await cat.connects("ada")).path, "global");
    await talkBothWays(castle, ada);
  },
});

Deno.test({
  name: "chat finds the port that a router chose for it alone, if there is no other router",
  ignore,
  async fn(): Promise<void> {
    await using homes = await Homes.build({ portsA: "random" });
    await using castle = await homes.host("a1", "castle");
    await using ada = homes.chat("c", "ada", ["--join", "castle"]);
    const { global } = await ada.event("introduced");
    const [toCastle] = await Promise.all([ada.connects("castle"), castle.connects("ada")]);
    assertEquals(toCastle.path, "global");
    assertNotEquals(toCastle.address, global);
    await talkBothWays(castle, ada);
  },
});

/** Each of these routers lets in only what it was the first to send to; two cannot both be first. */
const HOPELESS: HomesOptions[] = [
  { portsA: "random", portsB: "random" },
  { portsA: "random" },
  { portsB: "random" },
];

async function findsNoWay({ portsA = "kept", portsB = "kept" }: HomesOptions): Promise<void> {
  const what = `the host's ports are ${portsA}, the joiner's ${portsB}`;
  await using homes = await Homes.build({ portsA, portsB });
  await using castle = await homes.host("a1", "castle");
  await using ada = homes.chat("b1", "ada", ["--join", "castle"]);
  const [status, lost] = await Promise.all([
    ada.end(GIVEN_UP_MS),
    castle.event("lost", undefined, { timeoutMs: GIVEN_UP_MS }),
  ]);
  assertEquals(status, 1, what);
  assertEquals(ada.events("connected"), [], what);
  assertEquals(ada.events("failed").map(({ step }) => step), ["inquiry"], what);
  assertEquals([lost.peer, lost.reason], ["ada", "inquiry"], what);

  // The host goes on, and its own network needs no router.
  await using bob = homes.chat("a2", "bob", ["--join", "castle"]);
  assertEquals((await bob.connects("castle")).path, "local", what);
  assertEquals((await castle.connects("bob")).path, "local", what);
  await talkBothWays(castle, bob);
}

Deno.test({
  name: "chat tells that there is no way where one router or both choose ports at random",
  ignore,
  async fn(): Promise<void> {
    // All at once, for it is waiting that takes the time. The first failure waits for the others.
    const outcomes = await Promise.allSettled(HOPELESS.map(findsNoWay));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  },
});

Deno.test({
  name: "chat takes no stranger who has the host's local address in another home",
  ignore,
  async fn(): Promise<void> {
    await using homes = await Homes.build({ lanB: "192.168.1" });
    await using castle = await homes.host("a1", "castle", ["--port", "5000"]);
    await using stranger = await homes.host("b1", "stranger", ["--port", "5000"]);
    await using ada = homes.chat("b2", "ada", ["--join", "castle"]);
    const [toCastle, toAda] = await Promise.all([ada.connects("castle"), castle.connects("ada")]);
    assertEquals((await ada.event("introduced")).local, "192.168.1.11:5000");
    assertEquals(toCastle, { path: "global", address: `${ROUTER_A}:5000` });
    assertEquals(toAda.path, "global");
    await talkBothWays(castle, ada);
    assertEquals(stranger.events("introduced"), []);
    assertEquals(stranger.events("connected"), []);

    // The one beside it is found all the same, although the host has that address, too.
    await using bob = homes.chat("b2", "bob", ["--join", "stranger"]);
    assertEquals(await bob.connects("stranger"), { path: "local", address: "192.168.1.11:5000" });
  },
});

Deno.test({
  name: "chat is not mistaken when the host's local address is its own one",
  ignore,
  async fn(): Promise<void> {
    await using homes = await Homes.build({ lanB: "192.168.1" });
    await using castle = await homes.host("a1", "castle", ["--port", "5000"]);
    await using ada = homes.chat("b1", "ada", ["--join", "castle", "--port", "5000"]);
    const [toCastle, toAda] = await Promise.all([ada.connects("castle"), castle.connects("ada")]);
    assertEquals(toCastle, { path: "global", address: `${ROUTER_A}:5000` });
    assertEquals(toAda, { path: "global", address: `${ROUTER_B}:5000` });
    await talkBothWays(castle, ada);
  },
});

/** Waits until a chat is connected and no check of its own is under way, which might get lost. */
async function isAtRest(chat: Chat): Promise<void> {
  const { roundTripMs } = await chat.event("connected");
  if (roundTripMs === null) await chat.event("roundTrip");
}

Deno.test({
  name: "chat goes on after a router forgot its ways",
  ignore,
  async fn(): Promise<void> {
    await using homes = await Homes.build();
    await using castle = await homes.host("a1", "castle");
    await using ada = homes.chat("b1", "ada", ["--join", "castle"]);
    await Promise.all([isAtRest(ada), isAtRest(castle)]);
    await homes.reconnect("router-a");
    await talkBothWays(castle, ada);
    await homes.reconnect("router-b");
    // Nothing comes in until the one behind that router has sent something, if only a check.
    await talkBothWays(castle, ada);
    assertEquals([castle, ada].flatMap((chat) => chat.events("lost")), []);
  },
});
