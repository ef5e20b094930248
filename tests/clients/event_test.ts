/** EventServer and EventClient over real sockets, in both formats. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { EventClient } from "../../lib/clients/event_client.ts";
import { EventServer, type EventServerOptions } from "../../lib/clients/event_server.ts";
import { ConnectTimeoutError } from "../../lib/clients/reach.ts";
import type { EventFormat, Payload } from "../../lib/protocols/events/format.ts";
import type { Client } from "../../lib/protocols/events/hub.ts";
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { msgpackFormat } from "../../lib/protocols/events/packed.ts";
import { until, within } from "../support/wait.ts";

const FORMATS: Record<string, EventFormat> = {
  json: jsonFormat(),
  msgpack: msgpackFormat({ say: 4, said: 5, where: 6 }),
};

function listen(options: Partial<EventServerOptions> = {}): Promise<EventServer> {
  return EventServer.listen({ format: jsonFormat(), port: 0, hostname: "127.0.0.1", ...options });
}

function connect(server: EventServer, format: EventFormat = jsonFormat()): Promise<EventClient> {
  return EventClient.connect({ hostname: "127.0.0.1", port: server.port }, { format });
}

/** Collects what `object` hears of an event. */
function heard<T>(
  object: { on(event: string, listener: (what: { payload: Payload }) => void): () => void },
  event: string,
): T[] {
  const payloads: T[] = [];
  object.on(event, ({ payload }) => payloads.push(payload as T));
  return payloads;
}

for (const [name, format] of Object.entries(FORMATS)) {
  Deno.test(`EventServer and EventClient tell each other events in ${name}`, async () => {
    await using server = await listen({ format });
    const came: number[] = [];
    server.on("connected", ({ client }) => came.push(client.number));
    server.on("say", ({ client, payload }) => {
      server.sendAll("said", { by: client.number, payload }, { except: client });
    });
    await using ada = await connect(server, format);
    await using bob = await connect(server, format);
    await until("both to be there", () => server.clients.size === 2);
    assertEquals([ada.number, bob.number, came], [1, 2, [1, 2]]);
    const [toAda, toBob] = [heard(ada, "said"), heard(bob, "said")];
    const payloads = [null, true, -7, 0.5, "é", [1, [2]], { x: { y: [] } }];
    for (const payload of payloads) ada.send("say", payload);
    await until("bob to have heard", () => toBob.length === payloads.length);
    assertEquals(toBob, payloads.map((payload) => ({ by: 1, payload })));
    assertEquals(toAda, []);
  });

  Deno.test(`EventServer.sendReliable() tells whether it arrived, in ${name}`, async () => {
    await using server = await listen({ format });
    const ada = await connect(server, format);
    const toAda = heard(ada, "said");
    const client = await firstClient(server);
    assertEquals(await within("the ack", server.sendReliable(client, "said", 1)), true);
    assertEquals(toAda, [1]);
    await ada.close();
    const lost = server.sendReliable(client, "said", 2);
    server.disconnect(client);
    assertEquals(await within("the loss", lost), false);
    assertEquals(await server.sendReliable(client, "said", 3), false);
  });
}

/** The client that came first. */
async function firstClient(server: EventServer): Promise<Client> {
  await until("a client", () => server.clients.size > 0);
  return [...server.clients][0]!;
}

Deno.test("EventServer lets clients of any language in, by the bare text of a message", async () => {
  await using server = await listen();
  const said = heard(server, "say");
  const conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    const to = { transport: "udp", hostname: "127.0.0.1", port: server.port } as const;
    await conn.send(new TextEncoder().encode('{"t": "say", "p": "hello"}'), to);
    await until("the event", () => said.length === 1);
    assertEquals(said, ["hello"]);
    server.sendAll("said", { "ü": [1.5] });
    const texts: string[] = [];
    while (texts.length < 2) {
      const [datagram] = await within("what the server says", conn.receive());
      texts.push(new TextDecoder().decode(datagram));
    }
    assert(/^\{"t": "welcome", "p": \[1, \d+\], "s": \d+\}\n$/.test(texts[0]!), texts[0]);
    assertEquals(texts[1], '{"t": "said", "p": {"\\u00fc": [1.5]}}\n');
  } finally {
    conn.close();
  }
});

Deno.test("EventServer goes on when a listener throws, and hands over what", async () => {
  const errors: unknown[] = [];
  await using server = await listen({ onError: (error) => errors.push(error) });
  const fault = new Error("of a listener");
  server.on("say", () => {
    throw fault;
  });
  const said = heard(server, "say");
  await using ada = await connect(server);
  ada.send("say", 1);
  ada.send("say", 2);
  await until("both events", () => said.length === 2);
  assertEquals(errors, [fault, fault]);
});

Deno.test("EventServer tells of clients that fall silent, and of datagrams that mean nothing", async () => {
  const refused: string[] = [];
  await using server = await listen({
    silenceMs: 300,
    onRefused: (reason, address) => refused.push(`${reason} ${address.split(":")[0]}`),
  });
  const gone: string[] = [];
  server.on("disconnected", ({ client, reason }) => gone.push(`${client.number} ${reason}`));
  const ada = await connect(server);
  await ada.close();
  await until("her to be gone", () => gone.length === 1);
  assertEquals([gone, server.clients.size], [["1 silent"], 0]);
  const conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  await conn.send(new Uint8Array(9), {
    transport: "udp",
    hostname: "127.0.0.1",
    port: server.port,
  });
  await until("the refusal", () => refused.length === 1);
  conn.close();
  assertEquals(refused, ["syntax 127.0.0.1"]);
});

Deno.test("EventClient notices that the server is gone, and joins the next one at its port", async () => {
  const first = await listen();
  const { port } = first;
  await using ada = await EventClient.connect(`127.0.0.1:${port}`, {
    format: jsonFormat(),
    silenceMs: 200,
    heartbeatMs: 50,
  });
  const events: string[] = [];
  ada.on("disconnected", () => events.push("disconnected"));
  ada.on("connected", ({ number }) => events.push(`connected ${number}`));
  await first.close();
  await until("the loss", () => events.length === 1);
  assertEquals(ada.number, undefined);
  ada.send("say", "to nobody");
  await using second = await listen({ port });
  await until("the return", () => events.length === 2 && second.clients.size === 1);
  assertEquals(events, ["disconnected", "connected 1"]);
});

Deno.test("EventClient.connect() throws where nobody answers, or at what is no address", async () => {
  const conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = conn.addr as Deno.NetAddr;
  const options = { format: jsonFormat(), timeoutMs: 100 };
  await assertRejects(
    () => EventClient.connect(`127.0.0.1:${port}`, options),
    ConnectTimeoutError,
    `no answer from 127.0.0.1 on UDP port ${port} within 0.1 s`,
  );
  conn.close();
  await assertRejects(() => EventClient.connect("a:b", options), TypeError, "localhost:9999");
});

Deno.test("EventServer and EventClient refuse what no datagram can carry", async () => {
  await using server = await listen();
  await using ada = await connect(server);
  const long = "x".repeat(8_192);
  assertThrows(() => ada.send("say", long), RangeError, "no more than 8192");
  assertThrows(() => server.sendAll("said", long), RangeError, "no more than 8192");
  assertThrows(() => ada.send("say", Uint8Array.of(1)), TypeError, "bytes have no form in JSON");
  assertThrows(() => ada.send("say", NaN), TypeError, "NaN has no form in JSON");
  const packed = FORMATS.msgpack!;
  await using other = await listen({ format: packed });
  await using bob = await connect(other, packed);
  assertThrows(() => bob.send("shout", 1), TypeError, '"shout" has no number');
  const bytes = heard(other, "where");
  bob.send("where", Uint8Array.of(1, 2));
  await until("the bytes", () => bytes.length === 1);
  assertEquals(bytes, [Uint8Array.of(1, 2)]);
});
