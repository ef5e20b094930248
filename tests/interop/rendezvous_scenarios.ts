/** Players who find each other: netsync's command line, the Python peer, and recorded datagrams. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { mutated, noise } from "../protocols/engine_suite.ts";
import { within } from "../support/wait.ts";
import recording from "../vectors/rendezvous.json" with { type: "json" };
import { OriginalServer } from "./original_server.ts";
import { type Command, ServerProgram } from "./programs.ts";
import { Chat, OriginalPeer } from "./rendezvous_programs.ts";

const recorded = recording.vectors as unknown as { name: string; hex: string; decoded: unknown }[];

/** A socket of somebody who sends recorded datagrams. */
class Socket implements Disposable {
  readonly #conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly port = (this.#conn.addr as Deno.NetAddr).port;
  readonly #server: Deno.NetAddr;

  constructor(serverPort: number) {
    this.#server = { transport: "udp", hostname: "127.0.0.1", port: serverPort };
  }

  async send(datagram: Uint8Array): Promise<void> {
    await this.#conn.send(datagram, this.#server);
  }

  /** The next answer as an object. */
  async answer(timeoutMs?: number): Promise<Record<string, unknown>> {
    const [datagram] = await within("an answer", this.#conn.receive(), timeoutMs);
    return JSON.parse(new TextDecoder().decode(datagram));
  }

  async ask(name: string): Promise<Record<string, unknown>> {
    await this.send(bytesOf(name));
    return await this.answer();
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // It was closed before.
    }
  }
}

/** Registers the tests for one way to start netsync. */
export function testRendezvous(name: string, command: Command): void {
  const serve = (words: readonly string[] = []): Promise<ServerProgram> =>
    ServerProgram.start([...command, "rendezvous"], { words });

  Deno.test(`${name} rendezvous answers recorded requests of dialect 1 as recorded`, async () => {
    await using server = await serve();
    using host = new Socket(server.port);
    using alice = new Socket(server.port);
    using carl = new Socket(server.port);
    assertEquals(await host.ask("d1_register"), decodedOf("d1_confirm"));
    assertEquals(await carl.ask("d1_register"), decodedOf("d1_error_exists"));
    await alice.send(bytesOf("d1_join"));
    // The recorded ports are those of another day; what was sent as local address is passed on.
    const toHost = { ...decodedOf("d1_info_to_host"), "global-address": ["127.0.0.1", alice.port] };
    const toAlice = {
      ...decodedOf("d1_info_to_client"),
      "global-address": ["127.0.0.1", host.port],
    };
    assertEquals([await host.answer(), await host.answer()], [toHost, toHost]);
    assertEquals([await alice.answer(), await alice.answer()], [toAlice, toAlice]);
    const [missing, documented] = ["d1_register_missing_expiry", "d1_register_doc_fields"];
    assertEquals(await carl.ask(missing), decodedOf("d1_error_missing_seconds_before_expiry"));
    const confirmed = { ...decodedOf("d1_confirm"), "intended-recipient": "H" };
    assertEquals(await carl.ask(documented), confirmed);
  });

  Deno.test(`${name} rendezvous answers recorded requests of dialect 2 as recorded`, async () => {
    await using server = await serve();
    using host = new Socket(server.port);
    using alice = new Socket(server.port);
    using bob = new Socket(server.port);
    // No address counts for the hash: with other ports it is the recorded one.
    const at = (name: string, { port }: Socket): Record<string, unknown> => ({
      ...decodedOf(name),
      "__destination-address": ["127.0.0.1", port],
    });
    assertEquals(await host.ask("d2_register"), at("d2_confirm", host));
    assertEquals(await host.ask("d2_refresh"), at("d2_refresh_confirm", host));
    await alice.send(bytesOf("d2_join"));
    const globalOf = ({ port }: Socket): Record<string, unknown> => ({
      "global-address": ["127.0.0.1", port],
    });
    const toHost = { ...at("d2_info_to_host", host), ...globalOf(alice) };
    const toAlice = { ...at("d2_info_to_client", alice), ...globalOf(host) };
    assertEquals([await host.answer(), await host.answer()], [toHost, toHost]);
    assertEquals([await alice.answer(), await alice.answer()], [toAlice, toAlice]);
    const list = { servers: [{ "name": "host", "password-required": true }] };
    assertEquals(await bob.ask("d2_list_request"), { ...at("d2_list_reply", bob), ...list });
  });

  Deno.test(`${name} rendezvous introduces original peers of dialect 1`, async () => {
    await using server = await serve();
    await using host = await OriginalPeer.host(server.port, "été castle");
    await using ada = await OriginalPeer.start(server.port, "ada", { join: "été castle" });
    await using bob = await OriginalPeer.start(server.port, "bob", {
      join: "été castle",
      words: ["--documented"],
    });
    for (const joiner of [ada, bob]) await joiner.confirms("été castle");
    for (const joiner of ["ada", "bob"]) await host.confirms(joiner);
    await ada.do({ do: "reliable", to: "été castle", message: { hp: 10, n: "é" } });
    assertEquals((await host.hears({ hp: 10, n: "é" })).from, "ada");
    await ada.event("receipt");
    await host.do({ do: "send", to: "bob", message: [1, 2.5, null] });
    await bob.hears([1, 2.5, null]);
    // The introductions came twice; nobody was confirmed twice.
    assertEquals(host.events("peer_confirmed").length, 2);
    const { name: registered } = await server.event("registered");
    assertEquals(registered, "été castle");
  });

  Deno.test(`${name} rendezvous tells original peers what ends their session`, async () => {
    await using server = await serve();
    await using _host = await OriginalPeer.host(server.port, "castle");
    await using lost = await OriginalPeer.start(server.port, "ada", { join: "castel" });
    await using second = await OriginalPeer.start(server.port, "castle");
    assertEquals((await lost.event("server_error")).message, "castel not found");
    assertEquals((await second.event("server_error")).message, "server already exists");
    for (const peer of [lost, second]) await peer.event("connection_terminated");
  });

  Deno.test(`${name} rendezvous introduces original peers of dialect 2, lists and drops hosts`, async () => {
    await using server = await serve();
    const words = { dialect: 2, password: "s3cret" } as const;
    await using host = await OriginalPeer.host(server.port, "castle", words);
    await using _open = await OriginalPeer.host(server.port, "open game", { dialect: 2 });
    await using ada = await OriginalPeer.start(server.port, "ada", { ...words, join: "castle" });
    await using bob = await OriginalPeer.start(server.port, "bob", { ...words, join: "castle" });
    for (const joiner of [ada, bob]) await joiner.confirms("castle");
    await Promise.all([ada.confirms("bob"), bob.confirms("ada")]);
    await bob.do({ do: "send", to: "ada", message: "hello" });
    await ada.hears("hello");
    await ada.do({ do: "list" });
    const servers = await ada.event("servers");
    assertEquals(servers.servers, [
      { "name": "castle", "password-required": true },
      { "name": "open game", "password-required": false },
    ]);
    await host.do({ do: "leave" });
    assertEquals((await server.event("dropped")).name, "castle");
  });

  for (const dialect of [1, 2] as const) {
    const words = ["--dialect", String(dialect)];

    Deno.test(`${name} chat joins an original host of dialect ${dialect}`, async () => {
      await using server = await serve();
      await using host = await OriginalPeer.host(server.port, "castle", { dialect });
      await using ada = Chat.start(command, server.port, "ada", [...words, "--join", "castle"]);
      assertEquals((await ada.connects("castle")).address, `127.0.0.1:${host.port}`);
      await host.confirms("ada");
      await ada.say("hello, été");
      await host.hears("hello, été");
      assertEquals((await ada.event("delivered")).to, "castle");
      await host.do({ do: "reliable", to: "ada", message: { x: [1] } });
      await ada.hears({ x: [1] });
      await host.event("receipt");
      // The original sends everything reliable three times.
      if (dialect === 1) await host.event("reliable_message_timeout");
      assertEquals(ada.events("message").length, 1);
    });

    Deno.test(`${name} chat is joined by original peers of dialect ${dialect}`, async () => {
      await using server = await serve();
      await using castle = Chat.start(command, server.port, "castle", [...words, "--host"]);
      await castle.event("registered");
      await using ada = await OriginalPeer.start(server.port, "ada", { join: "castle", dialect });
      await using bob = await OriginalPeer.start(server.port, "bob", { join: "castle", dialect });
      for (const joiner of ["ada", "bob"]) await castle.connects(joiner);
      for (const joiner of [ada, bob]) await joiner.confirms("castle");
      if (dialect === 2) await Promise.all([ada.confirms("bob"), bob.confirms("ada")]);
      await castle.say("welcome");
      for (const joiner of [ada, bob]) await joiner.hears("welcome");
      await bob.do({ do: "reliable", to: "castle", message: "thanks" });
      assertEquals((await castle.hears("thanks")).from, "bob");
      await ada.do({ do: dialect === 2 ? "leave" : "quit" });
      // In dialect 1 nobody says so: the next check and its repeats take 10 s.
      const lost = await castle.event("lost", undefined, { timeoutMs: 30_000 });
      assertEquals([lost.peer, lost.reason], ["ada", dialect === 2 ? "left" : "check"]);
    });

    Deno.test(`${name} chat meets another over the original server in dialect ${dialect}`, async () => {
      await using server = await OriginalServer.start(["0"], "original_rendezvous_server.py");
      await using castle = Chat.start(command, server.port, "castle", [...words, "--host"]);
      await castle.event("registered");
      await using ada = Chat.start(command, server.port, "ada", [...words, "--join", "castle"]);
      await ada.connects("castle");
      await castle.connects("ada");
      await castle.say("hello");
      assertEquals((await ada.hears("hello")).from, "castle");
    });
  }

  Deno.test(`${name} rendezvous stands 100,000 datagrams of rubbish without an answer`, async () => {
    await using server = await serve(["--log-level", "error"]);
    // In real time: three refreshes in a third of a second may all be lost in the flood.
    const words = ["--tick", "1"];
    await using host = await OriginalPeer.host(server.port, "castle", { words });
    await using hosted = await OriginalPeer.host(server.port, "hall", { dialect: 2, words });
    const before = await server.memoryMbMax();
    const seed = 1;
    const random = seededRandom(seed);
    using stranger = new Socket(server.port);
    const listening = stranger.answer(60_000).then(
      (answer) => answer, // The first one is one too many.
      () => undefined,
    );
    // Answers, and what peers say to each other.
    const replayed = recorded.filter(({ name }) =>
      !/register|join|refresh$|list_request/.test(name)
    );
    for (let count = 0; count < 100_000; count++) {
      const kind = random();
      const { name } = recorded[Math.floor(random() * recorded.length)]!;
      const some = kind < 0.5 ? noise(random, random() * 300) : mutated(random, bytesOf(name));
      // What can still be read may be a request.
      const isRubbish = kind < 0.8 && !isJson(some);
      await stranger.send(isRubbish ? some : bytesOf(replayed[count % replayed.length]!.name));
      // So that the server gets to read them all.
      if (count % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await using ada = await OriginalPeer.start(server.port, "ada", { join: "castle" });
    await using bob = await OriginalPeer.start(server.port, "bob", { join: "hall", dialect: 2 });
    await Promise.all([ada.confirms("castle"), bob.confirms("hall")]);
    assertEquals([host, hosted].flatMap((peer) => peer.events("server_error")), []);
    const after = await server.memoryMbMax();
    if (before !== undefined) assert(after! < before + 40, `${before} MB became ${after}`);
    stranger[Symbol.dispose]();
    assertEquals(await listening, undefined, `seed ${seed}: an answer to rubbish`);
  });

  Deno.test(`${name} chat says why it failed, with status 1`, async () => {
    await using server = await serve();
    await using nobody = Chat.start(command, server.port, "ada", ["--join", "nobody"]);
    assertEquals((await nobody.event("failed")).step, "host");
    assertEquals(await nobody.end(), 1);
    assertMatch(nobody.errorLines.join("\n"), /netsync: no host called "nobody" is registered/);
    await using host = Chat.start(command, server.port, "castle", ["--host"]);
    await host.event("registered");
    await using second = Chat.start(command, server.port, "castle", ["--host"]);
    assertEquals((await second.event("failed")).step, "name");
    assertEquals(await second.end(), 1);
  });
}

function isJson(datagram: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(datagram));
    return true;
  } catch {
    return false;
  }
}

function decodedOf(name: string): Record<string, unknown> {
  return recorded.find((vector) => vector.name === name)!.decoded as Record<string, unknown>;
}

function bytesOf(name: string): Uint8Array {
  const { hex } = recorded.find((vector) => vector.name === name)!;
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
