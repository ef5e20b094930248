/** Every example a newcomer reads is run, and the README shows it as it is. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DENO_RUN, output, Program } from "./interop/programs.ts";
import { until } from "./support/wait.ts";

const root = new URL("../", import.meta.url);
const read = (path: string): string => Deno.readTextFileSync(new URL(path, root));

const shown = ["join.py", "join.ts", "embed.ts", "meet.ts", "coins.ts"]
  .concat(["hello_server.ts", "hello_client.ts", "balls.ts", "balls_watcher.ts", "world.py"]);
for (const example of shown) {
  Deno.test(`README.md shows examples/${example} as it is`, () => {
    assertStringIncludes(read("README.md"), read(`examples/${example}`).trimEnd());
  });
}

Deno.test("README.md shows netsync.example.json, and what netsync sync --help says, as they are", async () => {
  assertStringIncludes(read("README.md"), read("netsync.example.json").trimEnd());
  const { out } = await output(DENO_RUN, ["sync", "--help"]);
  assertStringIncludes(read("README.md"), `$ netsync sync --help\n${out.join("\n")}\n`);
});

/** Runs a Deno program until `use` is done with the first line it prints. */
async function withProgram(
  args: string[],
  use: (firstLine: string) => Promise<void>,
): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net", ...args],
    cwd: root,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const printing = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let printed = "";
    while (!printed.includes("\n")) {
      const { value, done } = await printing.read();
      assert(!done, "the program ended too soon");
      printed += value;
    }
    await use(printed.split("\n")[0]!);
  } finally {
    child.kill("SIGTERM");
    while (!(await printing.read()).done);
    await child.status;
  }
}

/** Runs a program to its end and gives what it printed. */
async function outputOf(command: string, args: string[]): Promise<string> {
  const { stdout, success } = await new Deno.Command(command, {
    args,
    cwd: root,
    stderr: "inherit",
  }).output();
  assert(success, `${command} failed`);
  return new TextDecoder().decode(stdout);
}

Deno.test("examples/join.py and examples/join.ts see each other on the server", async () => {
  await withProgram(["main.ts", "0", "--json"], async (line) => {
    const port = String(JSON.parse(line).port);
    await Deno.mkdir(new URL("coverage/", root), { recursive: true });
    const script = new URL(`coverage/join_${port}.ts`, root);
    // Their own server's port, and two seconds instead of five.
    const adapt = (source: string): string => source.replace("50", "20").replace("55555", port);
    await Deno.writeTextFile(script, adapt(read("examples/join.ts")));
    const python = Deno.build.os === "windows" ? "python" : "python3";
    try {
      const [fromPython, fromDeno] = await Promise.all([
        outputOf(python, ["-c", adapt(read("examples/join.py"))]),
        outputOf(Deno.execPath(), ["run", "--allow-net", script.href]),
      ]);
      assertStringIncludes(fromPython, `'{"x": 19}'`);
      assertStringIncludes(fromPython, `{"x":`);
      assertStringIncludes(fromDeno, `{"x": `); // Python's own spelling.
    } finally {
      await Deno.remove(script);
    }
  });
});

Deno.test("examples/meet.ts meets itself by a rendezvous server", async () => {
  await withProgram(["main.ts", "rendezvous", "0", "--json"], async (line) => {
    const server = `127.0.0.1:${JSON.parse(line).port}`;
    const run = [Deno.execPath(), "run", "--allow-net", "examples/meet.ts", server];
    await using castle = new Program(run, ["castle"]);
    await until("ada to find the host", async () => {
      const { code, out } = await output(run, ["ada", "castle"]);
      return code === 0 && out.includes("castle has it");
    });
    await castle.next("her message", (line) => line === "ada says { x: 17, y: 4 }" || undefined);
  });
});

Deno.test("examples/embed.ts is a server", async () => {
  await withProgram(["examples/embed.ts", "0"], async (line) => {
    const port = Number(/:(\d+)$/.exec(line)?.[1]);
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const asking = setInterval(() => {
      socket.send(new Uint8Array(8).fill(255), { transport: "udp", hostname: "127.0.0.1", port });
    }, 50);
    const [reply] = await socket.receive();
    clearInterval(asking);
    socket.close();
    assert(reply.length === 16);
  });
});

Deno.test("examples/coins.ts is a game that examples/coins_player.ts plays", async () => {
  await withProgram(["examples/coins.ts", "0"], async (line) => {
    const [, port] = /:(\d+)$/.exec(line)!;
    const run = [Deno.execPath(), "run", "--allow-net", "examples/coins_player.ts"];
    await using ada = new Program(run, [`127.0.0.1:${port}`]);
    await using bob = new Program(run, [`127.0.0.1:${port}`]);
    /** The board as it was printed last: nothing before it counts. */
    const board = (player: Program): string[] => player.lines.slice(-9, -1);
    await until(
      "both to be on the board",
      () => [ada, bob].every((player) => board(player).join("").includes("@")),
    );
    // Every field is passed, wherever the coin lies, and wherever it lies next.
    const acrossAndBack = "a".repeat(24) + "w".repeat(8) +
      `${"d".repeat(24)}s${"a".repeat(24)}s`.repeat(4);
    const news = (player: Program): string => player.lines.at(-1) ?? "";
    await until("ada to have a coin", async () => {
      await ada.say(acrossAndBack);
      await new Promise((resolve) => setTimeout(resolve, 50));
      return news(ada).startsWith("you have ");
    });
    await until("bob to hear of it", () => /^player \d+ has \d+/.test(news(bob)));
    await ada.say("q");
    assertEquals(await ada.end(), 0);
  });
});

Deno.test("examples/hello_server.ts answers examples/hello_client.ts", async () => {
  const run = [Deno.execPath(), "run", "--allow-net"];
  await using server = new Program([...run, "examples/hello_server.ts"], ["0"]);
  const port = await server.next(
    "that it listens",
    (line) => /^waiting for messages on localhost:(\d+)$/.exec(line)?.[1],
  );
  for (let turn = 0; turn < 2; turn++) {
    const from = server.lines.length;
    assertEquals(await output([...run, "examples/hello_client.ts"], [port]), {
      code: 0,
      out: ["Server handshake received: Hello from the server!"],
      err: [],
    });
    await server.next(
      "her message",
      (line) => /^Message received from .*:\d+: Hello server!$/.exec(line)?.input,
      { from },
    );
  }
  assertEquals(server.errorLines, []);
});

Deno.test("examples/balls.ts is seen by examples/balls_watcher.ts and by examples/world.py", async () => {
  const run = [Deno.execPath(), "run", "--allow-net"];
  await withProgram(["examples/balls.ts", "0"], async (line) => {
    const [, port] = /:(\d+)$/.exec(line)!;
    await using watcher = new Program([...run, "examples/balls_watcher.ts"], [`localhost:${port}`]);
    const python = Deno.build.os === "windows" ? "python" : "python3";
    const printed = outputOf(python, ["-c", read("examples/world.py").replace("25005", port!)]);
    for (
      const wanted of [/^ball 0 is there, (red|green|blue)$/, /^ball \d+ has bounced 1 times$/]
    ) {
      await watcher.next(String(wanted), (line) => wanted.exec(line)?.[0]);
    }
    await watcher.next("a place", (line) => /^draw ball \d+ at -?[\d.]+ -?[\d.]+$/.exec(line)?.[0]);
    for (let body = 0; body < 5; body++) {
      assertMatch(await printed, new RegExp(`^tick \\d+ body ${body} at \\[`, "m"));
    }
  });
});
