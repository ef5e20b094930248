/** Messages as they are sent: netsync's command line on one side, the original and a judge on the other. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MessageClient } from "../../lib/clients/message_client.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import {
  MessagesPeer,
  OriginalMessagesServer,
  resetStorm,
  SilentCrowd,
} from "./messages_programs.ts";
import { type Command, EventProgram, output, Program, ServerProgram } from "./programs.ts";
import { until } from "../support/wait.ts";

/** Not to be had there: Deno ends a process on Windows instead of sending it a signal. */
const WITHOUT_SIGNALS = Deno.build.os === "windows";

/** The handshake of the original's documentation, and its answer, as they are on the wire. */
const HANDSHAKE = "$handshake:|%Hello server!";
const ANSWER = "$handshake:example|%Hello from the server!";

/** How long clients may have to wait for each other's messages, whatever others do to the server. */
const SERVED_MS_MAX = 5_000;

/** What the page does not allow, as the judges noticed. */
function assertNoComplaints(...peers: readonly MessagesPeer[]): void {
  for (const peer of peers) {
    assertEquals(peer.events("violation"), []);
    assertEquals(peer.events("unsent"), []);
    assertEquals(peer.errorLines, []);
  }
}

/** One message in either direction; how long that took, in ms. */
async function exchange(ada: MessagesPeer, bob: MessagesPeer, body = "ping"): Promise<number> {
  const length = 2 + body.length;
  const start = performance.now();
  await ada.send(body);
  await bob.hearsBytes(length);
  await bob.send(body);
  await ada.hearsBytes(length);
  return performance.now() - start;
}

/** Does what depends on two programs being on time again, as on a busy computer they are not always. */
async function atLeastOnce(what: string, attempt: () => Promise<boolean>): Promise<void> {
  for (let left = 6; left > 0; left--) if (await attempt()) return;
  throw new Error(`never ${what}`);
}

/** Registers the tests of the server for one way to start netsync. */
export function testMessages(name: string, command: Command): void {
  const start = (...words: string[]): Promise<ServerProgram> =>
    ServerProgram.start([...command, "messages"], { words });

  Deno.test(`${name} messages answers a handshake as the original's example does`, async () => {
    await using server = await start();
    await using judge = await MessagesPeer.join(server);
    await judge.write(HANDSHAKE);
    await judge.hears(ANSWER);
    // As the documentation has it, without a value.
    await judge.write("$handshake|%x");
    await judge.hears(ANSWER);
    await using ada = await MessagesPeer.join(server, { client: "original" });
    await ada.send("Hello server!", [["a", "1"], ["handshake", ""]]);
    assertEquals(await ada.reads(1), [
      { headers: [["handshake", "example"]], body: "Hello from the server!" },
    ]);
    await judge.hears("$a:1|handshake:|%Hello server!");
    assertNoComplaints(judge, ada);
  });

  Deno.test(`${name} messages passes each message on to everyone else, in canonical form`, async () => {
    await using server = await start();
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server);
    await using eve = await MessagesPeer.join(server);
    const passed: [written: string, heard: string][] = [
      ["$from:ada|%hello", "$from:ada|%hello"],
      ["$b:2|a:1|b:3|%order", "$b:2|a:1|b:3|%order"],
      ["$url:http://[::1]:80/|%x:y|z", "$url:http://[::1]:80/|%x:y|z"],
      ["$%50% off, 100% sure%", "$%50% off, 100% sure%"],
      ["$é:€|%größer 😀\n\r\0 $5 or 10%", "$é:€|%größer 😀\n\r\0 $5 or 10%"],
      ["$%", "$%"],
      ["$empty:|%", "$empty:|%"],
      [`$%${"x".repeat(1_022)}`, `$%${"x".repeat(1_022)}`],
      ["$a:1||bare|||%x", "$a:1|bare:|%x"],
      ["$a:1%x", "$a:1|%x"],
      ["$:v|%x", "$:v|%x"],
      ["hello, raw", "$%hello, raw"],
      ["50% é", "$%50% é"],
    ];
    for (const [written, heard] of passed) {
      await ada.write(written);
      await Promise.all([bob.hears(heard), eve.hears(heard)]);
    }
    await bob.send("done");
    await Promise.all([ada.hears("$%done"), eve.hears("$%done")]);
    assertEquals(ada.events("segment").length, 1);
    assertNoComplaints(ada, bob, eve);
  });

  Deno.test(`${name} messages lets originals talk to each other as if it were one`, async () => {
    await using server = await start();
    await using ada = await MessagesPeer.join(server, { client: "original" });
    await using bob = await MessagesPeer.join(server, { client: "original" });
    await ada.send("é 😀", [["from", "ada"], ["k", ""], ["from", "x"]]);
    assertEquals(await bob.reads(1), [
      { headers: [["from", "ada"], ["k", ""], ["from", "x"]], body: "é 😀" },
    ]);
    await bob.do({ do: "text", text: "raw" });
    assertEquals(await ada.reads(1), [{ headers: [], body: "raw" }]);
    // The server has it whole; it is this end that cuts.
    await bob.send("50% off", [["at", "12:30"]]);
    assertEquals(await ada.reads(1), [{ headers: [["at", "12"]], body: "50" }]);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages puts a message together that comes in pieces`, async () => {
    await using server = await start();
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server);
    const short = "$name:value|b:2|%größer";
    await ada.writeCut(short, [7]);
    await bob.hears(short);
    await ada.writeCut(short, [1, 5, 6, 12, 16], 0.03);
    await bob.hears(short);
    await ada.writeCut(short, [20], 0.05); // Within the ö.
    await bob.hears(short);
    // Each piece ends within a character, so that none can be taken for the end.
    const long = `$n:1|%${"é".repeat(1_700)}`;
    await ada.writeCut(long, [1_101, 1_501, 2_507, 3_401], 0.01);
    await bob.hears(long);
    await ada.write("$%next");
    await bob.hears("$%next");
    const longest = 300_000;
    await ada.send("x".repeat(longest));
    await bob.hearsBytes(2 + longest);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages tells messages apart that were written together`, async () => {
    await using server = await start("--gap", "300");
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server, { client: "original" });
    await using eve = await MessagesPeer.join(server);
    await ada.write("$a:1|%one$%$5 or 10 $b:|%three$c:x:y|d:|%4");
    const [one, two, three, four] = await bob.reads(4);
    assertEquals([one, two], [
      { headers: [["a", "1"]], body: "one" },
      { headers: [], body: "$5 or 10 " },
    ]);
    assertEquals([three, four], [
      { headers: [["b", ""]], body: "three" },
      { headers: [["c", "x"], ["d", ""]], body: "4" },
    ]);
    await eve.hears("$a:1|%one$%$5 or 10 $b:|%three$c:x:y|d:|%4");
    assertEquals(eve.events("segment").length, 4);
    // The same long, in one piece.
    const long = `$n:0|%${"x".repeat(1_500)}`;
    await ada.write(`${long}$n:1|%y`);
    await eve.hears(`${long}$n:1|%y`);
    assertEquals(eve.events("segment").length, 6);
    assertNoComplaints(ada, bob, eve);
  });

  Deno.test(`${name} messages keeps messages apart for an original that polls`, async () => {
    await using server = await start();
    await using ada = await MessagesPeer.join(server);
    for (const count of [2, 30]) {
      const bodies = Array.from({ length: count }, (_, number) => `b${number}`);
      await atLeastOnce(`${count} messages at an original client`, async () => {
        await using bob = await MessagesPeer.join(server, { client: "original" });
        await ada.write(bodies.map((body) => `$n:1|%${body}`).join(""));
        const closing = setInterval(() => void ada.send("end"), 100);
        try {
          await bob.event("message", ({ body }) => body === "end" || undefined);
        } finally {
          clearInterval(closing);
        }
        const read = bob.events("message").map(({ body }) => body);
        return read.slice(0, read.indexOf("end")).join() === bodies.join();
      });
    }
    assertNoComplaints(ada);
  });

  Deno.test(`${name} messages ends the connection of who sends rubbish, and no other`, async () => {
    await using server = await start("--max-message", "4096");
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server);
    const rubbish = [
      "2425c328",
      "c080",
      "ff02",
      "ff01" + "00000003" + "0900ff", // What announces frames, and what is none.
      "24" + "61".repeat(5_000),
      "2425" + "61".repeat(5_000),
    ];
    for (const hex of rubbish) {
      const from = server.lines.length;
      await using eve = await MessagesPeer.join(server);
      await eve.do({ do: "raw", hex });
      assert(["eof", "reset"].includes(await eve.ended()));
      const gone = await server.event(
        "disconnected",
        (facts) => eve.isAt(facts.address) ? facts : undefined,
        { from },
      );
      assertEquals([gone.reason, gone.clients], ["refused", 2]);
    }
    const refused = server.events("refused").map(({ reason }) => reason);
    // What keeps coming is not told each time.
    assertEquals(refused, ["utf8", "frame", "too-long"]);
    await ada.send("still here");
    await bob.hears("$%still here");
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages makes the best of a header without an end`, async () => {
    await using server = await start();
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server);
    await ada.write("$");
    await bob.send("meanwhile");
    await ada.hears("$%meanwhile");
    await ada.do({ do: "half_close" });
    assertEquals(await ada.ended(), "eof");
    const gone = await server.event("disconnected");
    assertEquals([gone.reason, gone.clients], ["closed", 1]);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages hears the last words of who leaves in any way`, async () => {
    await using server = await start();
    await using bob = await MessagesPeer.join(server);
    const ways = { half_close: "closed", close: "closed", reset: "reset" };
    for (const [way, reason] of Object.entries(ways)) {
      await using ada = await MessagesPeer.join(server);
      await ada.send(`by ${way}`);
      if (way === "reset") await bob.hears(`$%by ${way}`); // A reset takes back what was not read.
      await ada.do({ do: way });
      if (way !== "reset") await bob.hears(`$%by ${way}`);
      const gone = await server.event(
        "disconnected",
        (facts) => ada.isAt(facts.address) ? facts : undefined,
      );
      assertEquals(gone.reason, reason);
    }
    assertEquals(server.events("disconnected").length, 3);
    assertNoComplaints(bob);
  });

  Deno.test(`${name} messages --max-connections 2 sends the third away, until there is room`, async () => {
    await using server = await start("--max-connections", "2");
    await using ada = await MessagesPeer.join(server);
    {
      await using bob = await MessagesPeer.join(server);
      await using eve = await MessagesPeer.connect(server.port);
      assertEquals(await eve.ended(), "eof");
      assertEquals((await server.event("refused")).reason, "full");
      await exchange(ada, bob);
    }
    await server.event("disconnected");
    await using bob = await MessagesPeer.join(server);
    await exchange(ada, bob);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages --max-per-ip 1 sends the second of one address away, and no other`, async () => {
    await using server = await start("--max-per-ip", "1");
    await using ada = await MessagesPeer.join(server);
    await using eve = await MessagesPeer.connect(server.port);
    assertEquals(await eve.ended(), "eof");
    assertEquals((await server.event("refused")).reason, "full-network");
    await using bob = await MessagesPeer.join(server, { host: "::1" });
    await exchange(ada, bob);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages --idle-timeout sends away who says nothing, and no one else`, async () => {
    await using server = await start("--idle-timeout", "3");
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server);
    const talk = setInterval(() => void ada.send("x"), 50);
    try {
      assertEquals(await bob.ended(), "eof"); // It was sent something all the time.
      const gone = await server.event("disconnected");
      assertEquals([gone.reason, bob.isAt(gone.address)], ["idle", true]);
      assert(bob.events("segment").length >= 2);
    } finally {
      clearInterval(talk);
    }
    assertEquals(ada.events("ended"), []);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages drops a client that does not read, and serves the others meanwhile`, async () => {
    await using server = await start(
      ...["--max-message", "65536", "--gap", "1", "--max-bytes", "50000000"],
    );
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server);
    await using slow = await MessagesPeer.join(server, { words: ["--receive-buffer", "4096"] });
    await slow.do({ do: "stop_reading" });
    const much = `$%${"x".repeat(60_000)}`.repeat(10);
    const giveUpAt = performance.now() + 20_000;
    let slowest = 0;
    while (server.events("disconnected").length === 0 && performance.now() < giveUpAt) {
      const start = performance.now();
      await ada.write(much);
      await bob.hearsBytes(much.length);
      await exchange(ada, bob);
      slowest = Math.max(slowest, performance.now() - start);
    }
    const gone = await server.event("disconnected");
    assertEquals([gone.reason, slow.isAt(gone.address)], ["slow", true]);
    await exchange(ada, bob);
    assert(slowest < SERVED_MS_MAX, `twelve messages took ${slowest} ms`);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages --max-message lets a burst wait for those who read`, async () => {
    await using server = await start("--max-message", "1024");
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server);
    const message = `$n:1|%${"x".repeat(180)}`;
    await ada.write(message.repeat(30));
    await bob.hearsBytes(30 * message.length);
    await exchange(ada, bob);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages serves old clients and new ones through a storm of resets`, async () => {
    await using server = await start();
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server);
    let isOver = false;
    const storm = resetStorm(server.port, 200).finally(() => isOver = true);
    let slowest = 0;
    while (!isOver) slowest = Math.max(slowest, await exchange(ada, bob));
    await storm;
    const joiningAt = performance.now();
    // From elsewhere: where the storm came from, nobody may be let in for a while.
    await using eve = await MessagesPeer.join(server, { host: "::1" });
    const joinedMs = performance.now() - joiningAt;
    await ada.send("x");
    await Promise.all([bob, eve].map((peer) => peer.hears("$%x")));
    assert(slowest < SERVED_MS_MAX, `twelve messages took ${slowest} ms`);
    assert(joinedMs < SERVED_MS_MAX, `a new client waited ${joinedMs} ms`);
    assertNoComplaints(ada, bob, eve);
  });

  Deno.test(`${name} messages serves two among a thousand idle connections`, async () => {
    await using server = await start("--max-connections", "2000", "--max-per-ip", "2000");
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server);
    using crowd = new SilentCrowd();
    let isThere = false;
    const coming = crowd.grow(server.port, 1_000).finally(() => isThere = true);
    let slowest = 0;
    while (!isThere) slowest = Math.max(slowest, await exchange(ada, bob));
    await coming;
    await server.event("connected", ({ clients }) => clients === 1_002 || undefined);
    // All that is said is passed on to each of them.
    for (let round = 0; round < 5; round++) {
      slowest = Math.max(slowest, await exchange(ada, bob));
    }
    assert(slowest < SERVED_MS_MAX, `twelve messages took ${slowest} ms`);
    assertEquals(server.events("disconnected"), []);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages takes IPv4 and IPv6 together`, async () => {
    await using server = await start();
    await using ada = await MessagesPeer.join(server, { host: "127.0.0.1" });
    await using bob = await MessagesPeer.join(server, { host: "::1" });
    await exchange(ada, bob);
    const addresses = server.events("connected").map(({ address }) => address);
    assertEquals(addresses, [`127.0.0.1:${ada.port}`, `[::1]:${bob.port}`]);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} messages ends with status 0 when it is stopped, and says goodbye`, {
    ignore: WITHOUT_SIGNALS,
  }, async () => {
    await using server = await start();
    await using ada = await MessagesPeer.join(server);
    await using bob = await MessagesPeer.join(server, { client: "original" });
    await ada.send("last words");
    assertEquals((await bob.reads(1))[0]!.body, "last words");
    server.kill("SIGINT");
    assertEquals([await ada.ended(), await bob.ended()], ["eof", "eof"]);
    assertEquals(await server.end(), 0);
    assertEquals(server.errorLines, []);
    const stopped = await server.event("stopped");
    assertEquals([stopped.connected, stopped.messages], [2, 1]);
    assertNoComplaints(ada, bob);
  });
}

/** Registers the tests of netsync's own clients on the original server. */
export function testMessageClients(name: string, command: Command): void {
  const numbered = (count: number): string[] =>
    Array.from({ length: count }, (_, number) => `line ${number} é`);

  for (const socket of ["windows", "linux"] as const) {
    Deno.test(`${name} say sends an original server what it can read, with ${socket} sockets`, async () => {
      await using server = await OriginalMessagesServer.start(socket);
      const at = `127.0.0.1:${server.port}`;
      const words = ["say", at, "hello é", "--header", "a=1", "--header", "b"];
      assertEquals(await output(command, words), { code: 0, out: [], err: [] });
      const [first] = await server.reads(1);
      assertEquals(first, { headers: [["a", "1"], ["b", ""]], body: "hello é" });
      await server.event("disconnect");
      await atLeastOnce("all lines one by one", async () => {
        const from = server.lines.length;
        await using say = new Program([...command, "say"], [at]);
        for (const line of numbered(8)) await say.say(line);
        await say.hangUp();
        assertEquals(await say.end(), 0);
        const read = await server.readsUntilOneLeft(from);
        return read.map(({ body }) => body).join() === numbered(8).join();
      });
      assertEquals([server.events("died"), server.errorLines], [[], []]);
    });

    Deno.test(`${name} say --wait prints what an original server answers, with ${socket} sockets`, async () => {
      await using server = await OriginalMessagesServer.start(socket);
      await using say = new EventProgram([...command, "say"], [
        ...[`127.0.0.1:${server.port}`, "Hello server!", "--header", "handshake"],
        ...["--wait", "30", "--json"],
      ]);
      const answer = await say.event("message");
      assertEquals([answer.headers, answer.body], [
        [["handshake", "example"]],
        "Hello from the server!",
      ]);
      if (WITHOUT_SIGNALS) return;
      say.kill("SIGINT");
      assertEquals(await say.end(), 0);
    });
  }

  Deno.test(`${name} listen prints what an original server broadcasts, also in one piece`, async () => {
    await using server = await OriginalMessagesServer.start();
    await using listen = new Program([...command, "listen"], [`127.0.0.1:${server.port}`]);
    await server.event("connection");
    await server.do({
      do: "broadcast",
      headers: [["at", "12:30"], ["k", ""]],
      body: "50% off",
    });
    await listen.next("the message", (line) => line === "[at=12:30 k] 50% off" || undefined);
    await server.do({ do: "burst", count: 30 });
    await listen.next("the last one", (line) => line === "[n=29] b29" || undefined);
    assertEquals(listen.lines.slice(1), Array.from({ length: 30 }, (_, n) => `[n=${n}] b${n}`));
    await server.do({ do: "quit" });
    assertEquals(await listen.end(), 1);
    assertMatch(listen.errorLines.join("\n"), /^netsync: the (server ended|connection broke)/);
  });
}

/** Registers the tests of the client library on the original server. */
export function testMessageLibrary(): void {
  for (const socket of ["windows", "linux"] as const) {
    Deno.test(`examples/hello_client.ts greets an original server with ${socket} sockets`, async () => {
      await using server = await OriginalMessagesServer.start(socket);
      const hello = [Deno.execPath(), "run", "--allow-net", "examples/hello_client.ts"];
      assertEquals(await output(hello, [String(server.port)]), {
        code: 0,
        out: ["Server handshake received: Hello from the server!"],
        err: [],
      });
      assertEquals(await server.reads(1), [
        { headers: [["handshake", ""]], body: "Hello server!" },
      ]);
      await server.event("disconnect");
      assertEquals([server.events("died"), server.errorLines], [[], []]);
    });

    Deno.test(`MessageClient keeps messages apart for an original server with ${socket} sockets`, async () => {
      await using server = await OriginalMessagesServer.start(socket);
      const bodies = Array.from({ length: 10 }, (_, number) => `b${number}`);
      await atLeastOnce("all messages one by one", async () => {
        const from = server.lines.length;
        await using client = new MessageClient();
        assertEquals(await client.connect("127.0.0.1", server.port), { ok: true });
        for (const body of bodies) {
          assertEquals(client.send(new NetworkMessage(body).addHeader("a", "1")), { ok: true });
        }
        const closing = setInterval(() => client.send("end"), 100);
        const isEnd = ({ body }: Record<string, unknown>): true | undefined =>
          body === "end" || undefined;
        await server.event("message", isEnd, { from }).finally(() => clearInterval(closing));
        await client.close();
        const read = (await server.readsUntilOneLeft(from)).map(({ body }) => body);
        return read.slice(0, read.indexOf("end")).join() === bodies.join();
      });
      assertEquals([server.events("died"), server.errorLines], [[], []]);
    });
  }

  Deno.test("MessageClient sends an original server all of what it was told before it leaves", async () => {
    await using server = await OriginalMessagesServer.start();
    const bodies = Array.from({ length: 5 }, (_, number) => `b${number}`);
    await atLeastOnce("all messages one by one", async () => {
      const from = server.lines.length;
      const client = new MessageClient();
      assertEquals(await client.connect("127.0.0.1", server.port), { ok: true });
      for (const body of bodies) assertEquals(client.send(body), { ok: true });
      await client.close();
      const read = await server.readsUntilOneLeft(from);
      return read.map(({ body }) => body).join() === bodies.join();
    });
  });

  Deno.test("MessageClient talks to others through an original server, and never switches to frames", async () => {
    await using server = await OriginalMessagesServer.start();
    await using ada = new MessageClient();
    await using bob = new MessageClient();
    assertEquals(await ada.connect("127.0.0.1", server.port), { ok: true });
    assertEquals(await bob.connect("127.0.0.1", server.port), { ok: true });
    await until("both to be there", () => server.events("connection").length === 2);
    ada.send(new NetworkMessage("hello é").addHeader("broadcast").addHeader("from", "ada"));
    for await (const { headers, body } of bob) {
      assertEquals([headers.map(({ name }) => name), body], [["broadcast", "from"], "hello é"]);
      break;
    }
    assertEquals([ada.isFramed, bob.isFramed, ada.read()], [false, false, undefined]);
    assertEquals(server.events("died"), []);
  });
}
