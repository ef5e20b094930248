/** `netsync messages`, `netsync say` and `netsync listen`, as a person types them. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MessageClient } from "../../lib/clients/message_client.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import {
  DENO_RUN,
  EventProgram,
  objectOf,
  output,
  Program,
  ServerProgram,
} from "../interop/programs.ts";
import { within } from "../support/wait.ts";
import { HOSTING_NAMES } from "../support/hosting.ts";

/** Not to be had there: Deno ends a process on Windows instead of sending it a signal. */
const WITHOUT_SIGNALS = Deno.build.os === "windows";

const netsync = (...words: string[]): ReturnType<typeof output> => output(DENO_RUN, words);

function startMessages(...words: string[]): Promise<ServerProgram> {
  return ServerProgram.start([...DENO_RUN, "messages"], { words });
}

/** `netsync listen` on a server that knows of it. */
async function startListen(server: ServerProgram, ...words: string[]): Promise<EventProgram> {
  const from = server.lines.length;
  const listen = new EventProgram([...DENO_RUN, "listen"], [`127.0.0.1:${server.port}`, ...words]);
  try {
    await server.event("connected", undefined, { from });
  } catch (error) {
    await listen[Symbol.asyncDispose]();
    throw error;
  }
  return listen;
}

/** A client of the library on a server that knows of it. */
async function connect(server: ServerProgram, client: MessageClient): Promise<MessageClient> {
  const from = server.lines.length;
  assertEquals(await client.connect("127.0.0.1", server.port), { ok: true });
  await server.event("connected", undefined, { from });
  return client;
}

async function nextOf(client: MessageClient): Promise<NetworkMessage> {
  const messages = client[Symbol.asyncIterator]();
  const { value } = await within("a message", messages.next());
  return value;
}

/** A port on which nobody listens. */
function deadPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Printed JSON objects without their times, which each of them has. */
function timeless(lines: readonly string[]): Record<string, unknown>[] {
  return lines.map((line) => {
    const { time, ...facts } = objectOf(line)!;
    assertMatch(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    return facts;
  });
}

Deno.test("netsync messages, say and listen --help tell their options", async () => {
  const options = {
    messages: ["host", "max-connections", "max-per-ip", "max-message", "max-messages"]
      .concat(["max-bytes", "idle-timeout", "gap", "statistics", "help"], HOSTING_NAMES),
    say: ["header", "wait", "json", "help"],
    listen: ["count", "framed", "json", "help"],
  };
  await Promise.all(
    Object.entries(options).map(async ([command, names]) => {
      const { code, out, err } = await netsync(command, "--help");
      assertEquals([code, err], [0, []]);
      assertMatch(out[0]!, new RegExp(`^usage: netsync ${command} .*\\[options\\]$`));
      const told = out.flatMap((line) => /^ {2}--([a-z-]+)/.exec(line)?.[1] ?? []);
      assertEquals(told, names);
    }),
  );
});

Deno.test("netsync messages, say and listen end with status 2 and one line for bad words", async () => {
  const says: [words: string, right: RegExp][] = [
    ["messages x", /PORT must be a whole number from 0 to 65535, not "x"/],
    ["messages 0 1", /"1" is one word too many/],
    ["messages --max-mesage 5", /unknown option --max-mesage: did you mean --max-message\?/],
    ["messages --max-message 63", /--max-message must be a whole number from 64 to 67108864/],
    ["messages --max-connections 0", /--max-connections must be a whole number from 1 to 100000/],
    ["messages --idle-timeout -1", /-1 is negative: no number here may be/],
    ["messages --gap 1001", /--gap must be a number from 0 to 1000, not "1001"/],
    ["say", /which server\? For example: netsync say localhost:8080/],
    ["say a:b hello", /"a:b" is not HOST, HOST:PORT or \[IPv6\]:PORT/],
    ["say ::1 hello world", /"world" is one word too many/],
    ["say ::1 x --heder a=1", /unknown option --heder: did you mean --header\?/],
    ["say ::1 x --header", /--header needs a value: --header NAME=VALUE/],
    ["say ::1 x --header a=1 --header", /--header needs a value: --header NAME=VALUE/],
    ["say ::1 x --header a|b=c", /--header a\|b=c: the header name "a\|b" has one of : \| % \$/],
    ["say ::1 x --header a=1 --header b=2%", /--header b=2%: the value of the header "b" has/],
    ["say ::1 x --wait long", /--wait must be a number from 0 to 1000000, not "long"/],
    ["listen", /which server\? For example: netsync listen localhost:8080/],
    ["listen ::1 8080", /"8080" is one word too many/],
    ["listen ::1 --count 0", /--count must be a whole number from 1 to \d+, not "0"/],
    ["listen ::1 --frame", /unknown option --frame: did you mean --framed\?/],
    ["listn ::1", /no command "listn": did you mean listen\?/],
  ];
  const results = await Promise.all(says.map(([words]) => netsync(...words.split(" "))));
  for (const [index, { code, out, err }] of results.entries()) {
    const [words, right] = says[index]!;
    assertEquals([code, out, err.length], [2, [], 1], words);
    assertMatch(err[0]!, /^netsync: .*\(see netsync --help\)$/);
    assertMatch(err[0]!, right);
  }
});

Deno.test("netsync say and listen end with status 1 and one line where nobody listens", async () => {
  const port = deadPort();
  for (const [command, ...words] of [["say", "hello"], ["listen"]]) {
    assertEquals(await netsync(command!, `127.0.0.1:${port}`, ...words), {
      code: 1,
      out: [],
      err: [
        `netsync: nobody listens on TCP port ${port} of 127.0.0.1: is the server running?`,
      ],
    });
  }
});

Deno.test("netsync messages ends with status 1 and one line where its TCP port is in use", async () => {
  await using server = await startMessages();
  const { code, out, err } = await netsync("messages", String(server.port));
  assertEquals([code, out, err.length], [1, [], 1]);
  assertMatch(err[0]!, new RegExp(`^netsync: TCP port ${server.port} is in use, perhaps by `));
});

Deno.test("netsync messages first says where it listens, and how to hear and say something", async () => {
  await using server = new Program(DENO_RUN, ["messages", "0"]);
  await server.next(
    "the last of the first lines",
    (line) => /stop +Ctrl\+C/.exec(line) ?? undefined,
  );
  const [, port] = /runs messages \(SimpleServer\) on TCP port (\d+)$/.exec(server.lines[0]!)!;
  const text = server.lines.join("\n");
  assertMatch(text, new RegExp(`listening on +\\[::\\]:${port} and 0\\.0\\.0\\.0:${port}\n`));
  assertMatch(text, new RegExp(`from outside .*forwards TCP port ${port} `));
  assertMatch(text, new RegExp(`hear them all .*main\\.ts listen localhost:${port}\n`));
  assertMatch(text, new RegExp(`say something .*main\\.ts say localhost:${port} hello\n`));
  assert(!text.includes("UDP"), text);
  // And it is true.
  assertEquals(await netsync("say", `localhost:${port}`, "hello"), { code: 0, out: [], err: [] });
  const line = await server.next("that it left", (line) => / left /.exec(line)?.input);
  assertMatch(
    line,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO {4}client at \S+:\d+ left \(0 connected\)$/,
  );
});

Deno.test("netsync messages --json prints JSON objects only, each with time, level and event", async () => {
  await using server = await startMessages(
    ...["--log-level", "debug", "--statistics", "0.2", "--max-connections", "2"],
    ...["--max-message", "64"],
  );
  const { addresses, transport, version } = objectOf(server.lines[0]!)!;
  assertEquals(addresses, [`[::]:${server.port}`, `0.0.0.0:${server.port}`]);
  assertEquals([transport, typeof version], [undefined, "string"]);
  {
    await using ada = await connect(server, new MessageClient());
    await using bob = await connect(server, new MessageClient({ messageBytesMax: 1_000 }));
    const third = new MessageClient();
    await third.connect("127.0.0.1", server.port);
    assertEquals((await server.event("refused")).reason, "full");
    await third.close();
    assertEquals(ada.send(new NetworkMessage("é").addHeader("k")), { ok: true });
    assertEquals((await nextOf(bob)).body, "é");
    const said = await server.event("message");
    assertEquals([said.level, said.headers, said.length, said.clients], ["debug", 1, 1, 2]);
    await server.event(
      "statistics",
      (facts) =>
        facts.clients === 2 && Number(facts.inHz) > 0 && Number(facts.outHz) > 0 || undefined,
    );
    bob.send("x".repeat(100));
    const gone = await server.event("disconnected");
    assertEquals([gone.reason, gone.clients, gone.level], ["refused", 1, "info"]);
    const refused = server.events("refused")[1]!;
    assertEquals([refused.reason, refused.level], ["too-long", "warning"]);
    assertMatch(String(refused.message), /raise --max-message /);
  }
  await server.event("disconnected", ({ reason }) => reason === "closed" || undefined);
  if (!WITHOUT_SIGNALS) {
    server.kill("SIGTERM");
    assertEquals(await server.end(), 0);
    const stopped = objectOf(server.lines.at(-1)!)!;
    assertEquals([stopped.event, stopped.connected, stopped.disconnected], ["stopped", 2, 2]);
    assertEquals([stopped.messages, stopped.accepted, stopped.faults], [1, 3, 0]);
    assertMatch(String(stopped.message), /^stopped: 2 clients were here and said 1 messages$/);
  }
  for (const line of server.lines) {
    const facts = objectOf(line);
    const speaker = facts?.event === "permissions" ? "netsync" : "messages";
    assert(facts?.time && facts.level && facts.event && facts.service === speaker, line);
  }
  assertEquals(server.errorLines, []);
});

Deno.test("netsync say sends TEXT, with headers in their order", async () => {
  await using server = await startMessages();
  await using ada = await connect(server, new MessageClient());
  const headers = ["b=2", "--header", "a=x=y:z", "--header", "bare", "--header", "b=é"];
  const words = ["say", `127.0.0.1:${server.port}`, "50% off", "--header", ...headers];
  assertEquals(await netsync(...words), { code: 0, out: [], err: [] });
  const message = await nextOf(ada);
  assertEquals(message.body, "50% off");
  assertEquals(message.headers.map(({ name, value }) => `${name}=${value}`), [
    ...["b=2", "a=x=y:z", "bare=", "b=é"],
  ]);
});

Deno.test("netsync say sends each line of its input, also the last without an end", async () => {
  await using server = await startMessages();
  await using ada = await connect(server, new MessageClient());
  await using say = new Program([...DENO_RUN, "say"], [`127.0.0.1:${server.port}`]);
  await say.say("one\r");
  assertEquals((await nextOf(ada)).body, "one"); // Not only at the end.
  await say.say("two\n\nthree é 😀");
  await say.hangUp();
  for (const body of ["two", "", "three é 😀"]) assertEquals((await nextOf(ada)).body, body);
  assertEquals([await say.end(), say.lines, say.errorLines], [0, [], []]);
});

Deno.test("netsync say tells of a message that is too long", async () => {
  await using server = await startMessages();
  await using say = new Program([...DENO_RUN, "say"], [`127.0.0.1:${server.port}`]);
  await say.say("x".repeat(2 ** 20));
  assertEquals(await say.end(), 1);
  assertEquals([say.lines, say.errorLines.length], [[], 1]);
  assertMatch(say.errorLines[0]!.slice(-80), /": the message is longer than 1048576 /);
});

Deno.test("netsync say --wait prints what comes meanwhile, as text or as JSON", async () => {
  await using server = await startMessages();
  const words = [
    ...["say", `127.0.0.1:${server.port}`, "Hello server!"],
    ...["--header", "handshake", "--wait", "0.7"],
  ];
  const [text, json] = [await netsync(...words), await netsync(...words, "--json")];
  assertEquals(text, { code: 0, out: ["[handshake=example] Hello from the server!"], err: [] });
  assertEquals([json.code, timeless(json.out), json.err], [0, [{
    event: "message",
    headers: [["handshake", "example"]],
    body: "Hello from the server!",
  }], []]);
});

Deno.test("netsync listen prints each message in one line, and ends after --count", async () => {
  await using server = await startMessages();
  await using text = await startListen(server, "--count", "3");
  await using json = await startListen(server, "--count", "3", "--json");
  await using ada = await connect(server, new MessageClient());
  ada.send("a\x1b[2J\u202e\né");
  ada.send(new NetworkMessage("two").addHeader("from", "ada").addHeader("bare"));
  ada.send("3".repeat(3_000));
  ada.send("four");
  assertEquals([await text.end(), await json.end()], [0, 0]);
  assertEquals(text.lines, [
    "a\\x1b[2J\\u{202e}\\x0aé",
    "[from=ada bare] two",
    `${"3".repeat(2_000)}…`,
  ]);
  assertEquals(timeless(json.lines), [
    { event: "message", headers: [], body: "a\x1b[2J\u202e\né" },
    { event: "message", headers: [["from", "ada"], ["bare", ""]], body: "two" },
    { event: "message", headers: [], body: "3".repeat(3_000) },
  ]);
  assertEquals([...text.errorLines, ...json.errorLines], []);
});

Deno.test("netsync listen --framed prints binary messages too, --json in base64", async () => {
  await using server = await startMessages();
  await using text = await startListen(server, "--framed", "--count", "2");
  await using json = await startListen(server, "--framed", "--count", "2", "--json");
  await using plain = await startListen(server);
  await using ada = await connect(server, new MessageClient({ framing: "always" }));
  const bytes = Uint8Array.of(0, 255, 128, 36, 37);
  assertEquals(ada.send(new NetworkMessage(bytes).addHeader("k", "v")), { ok: true });
  assertEquals((await server.event("refused")).reason, "unsendable");
  ada.send("text");
  assertEquals([await text.end(), await json.end()], [0, 0]);
  await plain.next("what is text", (line) => line === "text" || undefined);
  assertEquals(text.lines, ["[k=v] 5 bytes", "text"]);
  assertEquals(timeless(json.lines), [
    { event: "message", headers: [["k", "v"]], binary: "AP+AJCU=" },
    { event: "message", headers: [], body: "text" },
  ]);
  assertEquals(plain.lines, ["text"]);
});

Deno.test("netsync listen ends with status 1 and one line when the server ends it", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const says: [sent: Uint8Array, right: string][] = [
    [Uint8Array.of(), "the server ended the connection"],
    [
      Uint8Array.of(0xc3, 0x28),
      "the server sent something that is not UTF-8: is it a message server?",
    ],
  ];
  for (const [sent, right] of says) {
    await using listen = new Program(DENO_RUN, ["listen", `127.0.0.1:${listener.addr.port}`]);
    using conn = await listener.accept();
    if (sent.length > 0) await conn.write(sent);
    else await conn.closeWrite();
    assertEquals(await listen.end(), 1);
    assertEquals([listen.lines, listen.errorLines], [[], [`netsync: ${right}`]]);
  }
});

Deno.test("netsync listen --count ends with status 0 also when the server leaves after the last one", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  await using listen = new Program(DENO_RUN, ["listen", address, "--count", "2"]);
  using conn = await listener.accept();
  await conn.write(new TextEncoder().encode("$%one$%two"));
  await conn.closeWrite();
  assertEquals(await listen.end(), 0);
  assertEquals([listen.lines, listen.errorLines], [["one", "two"], []]);
});

Deno.test("netsync listen and say --wait end with status 0 on SIGINT", {
  ignore: WITHOUT_SIGNALS,
}, async () => {
  await using server = await startMessages();
  await using listen = await startListen(server);
  await using say = new Program(DENO_RUN, [
    ...["say", `127.0.0.1:${server.port}`, "hello", "--wait", "60"],
  ]);
  await listen.next("the message", (line) => line === "hello" || undefined);
  for (const program of [listen, say]) {
    program.kill("SIGINT");
    assertEquals([await program.end(), program.errorLines], [0, []]);
  }
});
