/** Games as they are played: netsync's command line on one side, Python clients on the other. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { type Command, output, Player, portToOpenTwice, Program } from "./programs.ts";
import { objectOf, PYTHON, ServerProgram } from "./programs.ts";

/** Not to be had there: Deno ends a process on Windows instead of sending it a signal. */
const WITHOUT_SIGNALS = Deno.build.os === "windows";

/** Players see each other. Registers the tests for one way to start netsync. */
export function testPlaying(name: string, command: Command): void {
  Deno.test(`${name} shows players over ::1 and 127.0.0.1 each other, the first states at once`, async () => {
    await using server = await ServerProgram.start(command);
    await using ada = await Player.join(server.port, { host: "::1" });
    await using bob = await Player.join(server.port, { host: "127.0.0.1" });
    assertEquals([ada.id, bob.id], ["0", "1"]);
    assertEquals([ada.welcome.reply_bytes, bob.welcome.reply_bytes], [16, 16]);
    await ada.send("first of ada");
    const alone = await ada.sees("ada's own first state", (s) => s[0] === "first of ada");
    assertEquals(alone.states, { 0: "first of ada" });
    const sentAt = performance.now();
    await bob.send("first of bob");
    const both = { 0: "first of ada", 1: "first of bob" };
    assertEquals((await ada.sees("bob's first state", (s) => s[1] === both[1])).states, both);
    assertEquals((await bob.sees("the first states", (s) => s[1] === both[1])).states, both);
    // With the state itself, not with the next repeat, 1.5 s after the last snapshot.
    assert(performance.now() - sentAt < 1_400, "the first state was not sent on at once");
    await ada.send("second of ada");
    await bob.sees("ada's next state", (states) => states[0] === "second of ada");
    const joined = await server.event("joined", (facts) => facts.id === 1 ? facts : undefined);
    assertMatch(String(joined.address), /^127\.0\.0\.1:\d+$/);
  });

  Deno.test(`${name} carries any text: quotes, controls, beyond ASCII, like JSON, none`, async () => {
    const texts = [
      `"quotes" and \\backslashes\\ and /slashes/`,
      "\b\f\n\r\t\0\u0001\u001f\u007f",
      "été, Ωμέγα, 日本語, \u{1f600}\u{10ffff}",
      "\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}",
      `{"x":1,"y":[2.5,null]}`,
      "17",
      "",
    ];
    await using server = await ServerProgram.start(command);
    await using ada = await Player.join(server.port);
    await using bob = await Player.join(server.port, { host: "127.0.0.1" });
    await bob.send("here");
    for (const text of texts) {
      const from = bob.lines.length;
      await ada.send(text);
      await bob.sees(JSON.stringify(text), (states) => states[ada.id] === text, { from });
    }
  });

  Deno.test(`${name} answers the documented minimal client on an IPv6 socket`, async () => {
    await using server = await ServerProgram.start(command);
    const minimal = [PYTHON, "tests/interop/minimal_client.py"];
    await using six = new Program(minimal, [String(server.port), "::1"]);
    await using four = new Program(minimal, [String(server.port), "::ffff:127.0.0.1"]);
    for (const program of [six, four]) {
      await program.next("both counting", (line) => {
        const states = objectOf(line)?.states as Record<string, string> | undefined;
        return Number(states?.[0]) >= 3 && Number(states?.[1]) >= 3 ? true : undefined;
      });
    }
  });

  Deno.test(`${name} gives a client whose id reply is lost the same id again`, async () => {
    await using server = await ServerProgram.start(command);
    await using ada = await Player.join(server.port, { ignoreReplies: 2 });
    assertEquals([ada.welcome.ignored_ids, ada.welcome.id], [[0, 0], 0]);
    await using bob = await Player.join(server.port);
    assertEquals(bob.id, "1");
    await ada.send("here");
    assertEquals((await ada.sees("its state", (s) => s[0] === "here")).states, { 0: "here" });
  });

  Deno.test(`${name} keeps players connected who only send keep-alives of either kind`, async () => {
    await using server = await ServerProgram.start(command);
    await using ada = await Player.join(server.port, { keepAlive: "python" });
    await using bob = await Player.join(server.port, { keepAlive: "godot" });
    await Promise.all([ada.send("ada"), bob.send("bob")]);
    for (const player of [ada, bob]) {
      const { number } = await player.sees(
        "both",
        (states) => ada.id in states && bob.id in states,
      );
      let count = 0;
      const idle = await player.sees(
        "three repeats",
        (_, other) => other > number && ++count === 3,
      );
      assertEquals(idle.states, { [ada.id]: "ada", [bob.id]: "bob" });
      const { gap_max, connected } = await player.report();
      // The page asks for 2 s; a busy machine is given more.
      assert(connected && gap_max < 5, `nothing for ${gap_max} s`);
    }
  });
}

/** Who leaves, comes back and starts anew. */
export function testComingAndGoing(name: string, command: Command): void {
  Deno.test(`${name} takes a departed player off the others' states`, async () => {
    await using server = await ServerProgram.start(command, { words: ["--timeout", "3"] });
    await using ada = await Player.join(server.port);
    await using bob = await Player.join(server.port);
    await ada.play("ada ");
    await bob.play("bob ");
    await ada.sees("bob", (states) => bob.id in states);
    await bob.hangUp();
    assertEquals(await bob.end(), 0);
    const { states } = await ada.sees("bob gone", (states) => !(bob.id in states), {
      from: ada.lines.length,
    });
    assertEquals(Object.keys(states), [ada.id]);
    await server.event("left", ({ id }) => id === 1 ? true : undefined);
    // Bob's id is not given again.
    assertEquals((await Player.join(server.port).then(leave)).id, "2");
  });

  Deno.test(`${name} hears a client that is started again on the same port`, async () => {
    const localPort = portToOpenTwice();
    await using server = await ServerProgram.start(command);
    await using ada = await Player.join(server.port);
    await ada.send("here");
    {
      await using bob = await Player.join(server.port, { localPort });
      await bob.play("old ", 0.005);
      // More states than the new one sends before it must have been heard.
      await ada.sees("bob for a while", (states) => Number(states[1]?.slice(4)) >= 300);
    }
    const from = ada.lines.length;
    await using bob = await Player.join(server.port, { localPort });
    assertEquals(bob.id, "1");
    const startedAt = performance.now();
    await bob.play("new ");
    await ada.sees("the new one", (states) => states[1]?.startsWith("new ") ?? false, { from });
    const heardAfterMs = performance.now() - startedAt;
    // Or when its numbers have passed those of the old one, after 15 s.
    assert(heardAfterMs < 8_000, `after ${heardAfterMs} ms`);
  });

  Deno.test(`${name} started again on its port goes on with a client that is still there`, async () => {
    const port = portToOpenTwice();
    await using ada = Player.start(port, { keepAlive: "godot", host: "127.0.0.1" });
    let highest = 0;
    {
      await using before = await ServerProgram.start(command, { port });
      await ada.connected();
      await ada.play("turn ");
      highest = (await ada.sees("ten turns", (states) => states[0] === "turn 10")).number;
      if (WITHOUT_SIGNALS) before.kill("SIGKILL");
      else before.kill("SIGTERM");
      await before.end();
      highest = Math.max(highest, ...ada.snapshots().map(({ number }) => number));
    }
    const from = ada.lines.length;
    await using _after = await ServerProgram.start(command, { port });
    // The keep-alive that looks like an id request makes it known; its number is not asked for.
    const { number } = await ada.sees("its turns again", (states) => "0" in states, { from });
    assert(number > highest, `${number} after ${highest}`);
    const { connected, old } = await ada.report();
    assertEquals([connected, old], [true, 0]);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const title = `${name} ends soon after ${signal}, status 0, also while people play`;
    Deno.test({ name: title, ignore: WITHOUT_SIGNALS }, async () => {
      await using server = await ServerProgram.start(command);
      await using bob = await Player.join(server.port, { host: "127.0.0.1" });
      await bob.play("bob ", 0.01);
      // Who has not played yet hears nothing: that must not be for as long as her patience.
      await using ada = await Player.join(server.port, { silence: 3 });
      await ada.play("ada ", 0.01);
      await ada.sees("both", (states) => ada.id in states && bob.id in states);
      server.kill(signal);
      assertEquals(await server.end(5_000), 0);
      assertEquals(objectOf(server.lines.at(-1)!)?.event, "stopped");
      assertEquals(server.errorLines, []);
      await ada.event("disconnected"); // By its own timer: nobody says good-bye.
    });
  }

  Deno.test(`${name} says in one line that its port is in use, and ends with status 1`, async () => {
    await using server = await ServerProgram.start(command);
    const { code, out, err } = await output(command, [String(server.port)]);
    assertEquals([code, out, err.length], [1, [], 1]);
    assertMatch(err[0]!, new RegExp(`\\b${server.port}\\b.* in use`));
    // The first one was not disturbed.
    assertEquals((await Player.join(server.port).then(leave)).id, "0");
  });
}

/** Rubbish and crowds. */
export function testRobustness(name: string, command: Command): void {
  Deno.test(`${name} survives 400 sockets and rubbish of every size, and two go on playing`, async () => {
    await using server = await ServerProgram.start(command, { words: ["--max-per-ip", "500"] });
    await using ada = await Player.join(server.port, { host: "::1" });
    await using bob = await Player.join(server.port, { host: "127.0.0.1" });
    await ada.play("ada ", 0.02);
    await bob.play("bob ", 0.02);
    await bothSeeEachOther(ada, bob);
    using crowd = new Crowd(400, server.port);
    await crowd.join();
    assertEquals(new Set(crowd.ids).size, 400);
    await bothSeeEachOther(ada, bob);
    await crowd.sendRubbish(seededRandom(7));
    await bothSeeEachOther(ada, bob);
    await crowd.sendEverySize(seededRandom(8));
    await bothSeeEachOther(ada, bob);
    for (const player of [ada, bob]) assertEquals((await player.report()).connected, true);
    const memoryMb = await server.memoryMbMax();
    assert(memoryMb === undefined || memoryMb < 150, `${memoryMb} MB`);
    assertEquals(server.errorLines, []);
  });
}

/** Each sees a turn of the other that was played after this call. */
async function bothSeeEachOther(ada: Player, bob: Player): Promise<void> {
  const turnOf = (states: Record<string, string>, { id }: Player): number =>
    Number(states[id]?.slice("ada ".length) ?? -1);
  for (const [one, other] of [[ada, bob], [bob, ada]] as const) {
    const newest = turnOf(other.snapshots().at(-1)?.states ?? {}, other);
    await one.sees("the other's turns", (states) => turnOf(states, other) > newest, {
      from: one.lines.length,
    });
  }
}

/** Many sockets that behave badly. */
class Crowd implements Disposable {
  readonly ids: bigint[] = [];
  readonly #server: Deno.NetAddr;
  /** Each becomes a player. */
  readonly #sockets: Deno.DatagramConn[];
  /** Never asks for an id. */
  readonly #stranger = openSocket();

  constructor(size: number, port: number) {
    this.#server = { transport: "udp", hostname: "127.0.0.1", port };
    this.#sockets = Array.from({ length: size }, openSocket);
  }

  /** All at once, and again until each has its id. */
  async join(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    const request = new Uint8Array(8).fill(0xff);
    await Promise.all(this.#sockets.map(async (socket) => {
      let isAsking = true;
      const reply = socket.receive(buffer.slice(0, 64)).finally(() => isAsking = false);
      while (isAsking) {
        await socket.send(request, this.#server);
        let timer: ReturnType<typeof setTimeout> | undefined;
        await Promise.race([reply, new Promise((wake) => timer = setTimeout(wake, 200))]);
        clearTimeout(timer);
      }
      const [datagram] = await reply;
      this.ids.push(new DataView(datagram.buffer).getBigInt64(8, true));
    }));
  }

  /** A state each; random bytes; text that is not UTF-8. */
  async sendRubbish(random: () => number): Promise<void> {
    for (const [index, socket] of this.#sockets.entries()) {
      await this.#say(socket, 0n, new TextEncoder().encode(`state of ${index}`));
      await socket.send(bytes(Math.floor(random() * 600), random), this.#server);
      await this.#say(socket, 1n, Uint8Array.of(0x80, 0xff, 0xc3, 0x28));
      await this.#say(socket, 2n, bytes(40, random));
      await this.#say(socket, -2n, bytes(40, random));
    }
  }

  /** From nothing to the longest datagram, as rubbish and as a state, from members and strangers. */
  async sendEverySize(random: () => number): Promise<void> {
    const sizes = [0, 1, 2, 7, 8, 9, 15, 16, 17, 1_472, 1_473, 9_000, 40_000, 65_506, 65_507];
    for (const socket of [this.#stranger, ...this.#sockets.slice(0, 10)]) {
      for (const [turn, size] of sizes.entries()) {
        await socket.send(bytes(size, random), this.#server);
        if (size < 8) continue;
        await this.#say(socket, BigInt(10 + turn), new Uint8Array(size - 8).fill(0x78));
      }
    }
  }

  [Symbol.dispose](): void {
    for (const socket of [this.#stranger, ...this.#sockets]) socket.close();
  }

  async #say(socket: Deno.DatagramConn, number: bigint, state: Uint8Array): Promise<void> {
    const datagram = new Uint8Array(8 + state.length);
    new DataView(datagram.buffer).setBigInt64(0, number, true);
    datagram.set(state, 8);
    await socket.send(datagram, this.#server);
  }
}

function openSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}

function bytes(length: number, random: () => number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(256 * random()));
}

/** Ends a player that has done its part. */
async function leave(player: Player): Promise<Player> {
  await player[Symbol.asyncDispose]();
  return player;
}
