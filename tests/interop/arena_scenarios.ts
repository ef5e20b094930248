/** Arenas as they are played: netsync's command line on one side, Python clients on the other. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { arenaVectors } from "../support/vectors.ts";
import { within } from "../support/wait.ts";
import { ArenaPlayer, EchoPlayer } from "./arena_programs.ts";
import { type Command, ServerProgram } from "./programs.ts";

const WALLS = { x: 19_000, y: 9_000 };

/** What the page does not allow, as the players noticed. */
function assertNoComplaints(...players: readonly ArenaPlayer[]): void {
  for (const player of players) {
    assertEquals(player.events("violation"), []);
    assertEquals(player.events("died"), []);
    assertEquals(player.errorLines, []);
  }
}

/** A socket of somebody who sends bare datagrams. */
class Stranger implements Disposable {
  readonly #conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #server: Deno.NetAddr;

  constructor(serverPort: number) {
    this.#server = { transport: "udp", hostname: "127.0.0.1", port: serverPort };
  }

  async send(datagram: Uint8Array): Promise<void> {
    await this.#conn.send(datagram, this.#server);
  }

  async answer(): Promise<Uint8Array> {
    const [datagram] = await within("an answer", this.#conn.receive());
    return datagram;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

function vector(name: string): Uint8Array {
  return arenaVectors.find((vector) => vector.name === name)!.bytes;
}

/** Registers the tests for one way to start netsync. */
export function testArena(name: string, command: Command): void {
  const start = (words: readonly string[] = []): Promise<ServerProgram> =>
    ServerProgram.start([...command, "arena"], { words });

  Deno.test(`${name} arena welcomes both clients, and shows everybody to whoever comes`, async () => {
    await using server = await start();
    await using ada = await ArenaPlayer.join(server.port);
    await using bob = await ArenaPlayer.join(server.port, { client: "fake" });
    await using eve = await ArenaPlayer.join(server.port);
    assertEquals([ada.number, bob.number, eve.number], [1, 2, 3]);
    // Nobody has moved yet.
    for (const player of [ada, bob, eve]) {
      for (const number of [1, 2, 3]) await player.sees("is told of", number);
      const world = await player.event("world");
      assertEquals([world.width, world.height], [20, 10]);
    }
    const joined = await server.event("joined", (facts) => facts.number === 3 ? facts : undefined);
    assertEquals(joined.players, 3);
    assertMatch(String(joined.address), /^127\.0\.0\.1:\d+$/);
    assertNoComplaints(ada, bob, eve);
  });

  Deno.test(`${name} arena moves players at ten units a second, and stops them at the walls`, async () => {
    await using server = await start();
    await using ada = await ArenaPlayer.join(server.port);
    await using bob = await ArenaPlayer.join(server.port);
    await ada.do({ do: "raw", hex: hexOf(vector("input_fast")) }); // [1000, 0.5]
    const end = await bob.sees("stops at a wall", ada.number, ({ x }) => x === WALLS.x);
    await ada.steer(-1, 1);
    await bob.sees("goes back", ada.number, ({ x, y }) => x < end.x && y === WALLS.y);
    await ada.steer(0, 0);
    // A second is 60 lists; nobody can have moved more than a sixth of a unit between two of them.
    const path = bob.events("players").flatMap(({ players }) =>
      (players as { number: number; x: number }[]).filter(({ number }) => number === ada.number)
    );
    const steps = path.slice(1).map(({ x }, index) => Math.abs(x - path[index]!.x));
    assert(steps.every((step) => step <= 3 * 167), `steps of ${Math.max(...steps)}`);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} arena tells who left, and lets them in again as somebody new`, async () => {
    await using server = await start(["--timeout", "3"]);
    await using ada = await ArenaPlayer.join(server.port, { client: "fake", speed: 0.2 });
    await using bob = await ArenaPlayer.join(server.port);
    await bob.do({ do: "pause" });
    const left = await ada.event("left");
    assertEquals([left.number, left.needs_ack], [bob.number, 1]);
    await server.event("left", (facts) => facts.number === bob.number || undefined);
    await bob.do({ do: "resume" });
    await bob.steer(1, 0);
    const from = ada.lines.length;
    await ada.sees("comes back", 3, undefined, from);
    await ada.do({ do: "where" });
    const { players } = await ada.event<{ players: { number: number }[] }>("where");
    assertEquals(players.map(({ number }) => number).sort(), [1, 3]);
    assertNoComplaints(ada);
  });

  Deno.test(`${name} arena lets players fire, which ended the original`, async () => {
    await using server = await start();
    await using ada = await ArenaPlayer.join(server.port);
    await using bob = await ArenaPlayer.join(server.port);
    await ada.steer(0, 1);
    await ada.steer(0, 0);
    await ada.do({ do: "fire" });
    const bullets = (facts: Record<string, unknown>) => facts.bullets as { rotation: number }[];
    const first = await bob.event("bullets");
    assertEquals(bullets(first).map(({ rotation }) => rotation), [1_570]);
    await bob.event("bullets", (facts) => bullets(facts).length === 0 || undefined);
    await bob.steer(1, 0);
    await ada.sees("still moves", bob.number);
    assertNoComplaints(ada, bob);
  });

  Deno.test(`${name} arena sends one that never acks a welcome, three times, and no more`, async () => {
    await using server = await start();
    await using mute = ArenaPlayer.start(server.port, { words: ["--mute-acks"] });
    using judge = new Stranger(server.port);
    await judge.send(vector("join_python"));
    const welcome = [...await judge.answer()];
    for (let copy = 0; copy < 2; copy++) assertEquals([...await judge.answer()], welcome);
    // Until its time is over, 10 s after it came, nothing more comes; an input ends the waiting.
    await judge.send(vector("input_down"));
    const next = await judge.answer();
    assertEquals([...next.subarray(0, 2)], [0x94, 30]);
    await mute.event("welcome");
    assertEquals(mute.events("world"), []);
    await mute.steer(1, 0);
    await mute.event("world");
    await mute.sees("moves all the same", 1);
    assertNoComplaints(mute);
  });

  Deno.test(`${name} arena makes no player for rubbish, and goes on after the worst of it`, async () => {
    await using server = await start(["--log-level", "debug"]);
    using stranger = new Stranger(server.port);
    const rubbish = arenaVectors.filter(({ name }) => /^(stray|list|bare|id_|unknown)/.test(name));
    assert(rubbish.length >= 9);
    for (const { bytes } of rubbish) await stranger.send(bytes);
    await stranger.send(new Uint8Array(40).map((_, at) => at % 5 === 0 ? 0xdd : 0xff));
    await stranger.send(new Uint8Array(12_000).fill(0x91));
    for (const name of ["input_truncated", "input_int", "ack_not_list", "ack_0"]) {
      await stranger.send(vector(name));
    }
    await using ada = await ArenaPlayer.join(server.port);
    assertEquals(ada.number, 1);
    await server.event("joined"); // Its log may come after its answer.
    assertEquals(server.events("joined").length, 1);
    assert(server.events("refused").length >= 4);
    assertNoComplaints(ada);
  });

  Deno.test(`${name} arena says what goes through it`, async () => {
    await using server = await start(["--statistics", "0.5"]);
    await using ada = await ArenaPlayer.join(server.port, { client: "fake", speed: 0.1 });
    const figures = await server.event<Record<string, number>>(
      "statistics",
      (facts) => Number(facts.inHz) > 2 && Number(facts.ticksHz) > 30 ? facts as never : undefined,
    );
    assertEquals([figures.clients, figures.resends], [1, 0]);
    assert(figures.outBytesHzEach! > 1_000 && figures.outHz! > 20, JSON.stringify(figures));
    assertMatch(String(figures.message), /^1 players: in .* kB\/s; each in .* ticks\/s, p99 /);
    assertNoComplaints(ada);
  });
}

/** Registers the tests for one way to start netsync. */
export function testEcho(name: string, command: Command): void {
  Deno.test(`${name} echo repeats to everybody what one says, encoded once more`, async () => {
    await using server = await ServerProgram.start([...command, "echo"]);
    await using ada = await EchoPlayer.start(server.port, ["--wait", "0.2"]);
    await ada.hears(textOf("echo_reply"));
    await using bob = await EchoPlayer.start(server.port, ["--silent"]);
    await bob.do({ do: "raw", text: textOf("echo_object") });
    for (const client of [ada, bob]) await client.hears(textOf("echo_object_reply"));
    await bob.do({ do: "say", payload: 'é "quoted"\n' });
    // As Python writes it: twice JSON, in ASCII.
    const twice = JSON.stringify(JSON.stringify('"\\u00e9 \\"quoted\\"\\n"'));
    for (const client of [ada, bob]) await client.hears(`{"t": "message", "p": ${twice}}\n`);
    await server.event("joined", ({ number }) => number === 2 || undefined);
    const joined = server.events("joined");
    assertEquals(joined.map(({ number }) => number), [1, 2]);
  });

  Deno.test(`${name} echo knows nobody who only sends rubbish, and forgets the silent`, async () => {
    await using server = await ServerProgram.start([...command, "echo"], {
      words: ["--timeout", "0.5"],
    });
    using stranger = new Stranger(server.port);
    for (const name of ["echo_no_p", "echo_other_event", "echo_junk"]) {
      await stranger.send(vector(name));
    }
    await stranger.send(new TextEncoder().encode('{"t": "connected", "p": 1}'));
    await using ada = await EchoPlayer.start(server.port, ["--silent"]);
    await ada.do({ do: "say", payload: 1 });
    await ada.hears('{"t": "message", "p": "\\"1\\""}\n');
    await server.event("left", (facts) => facts.number === 1 || undefined);
    assertEquals(server.events("joined").length, 1);
    assertEquals(ada.errorLines, []);
  });
}

function textOf(name: string): string {
  return new TextDecoder().decode(vector(name));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
