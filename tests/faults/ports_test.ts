/** A port that another program has: what is said of it, whoever has it, in whichever address family. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { cannotOpen, whoHas } from "../../lib/commands/hosting/open_failure.ts";
import { DENO_RUN, output, ServerProgram } from "../interop/programs.ts";
import { withFolder } from "../support/folder.ts";

/** Runs netsync, which is to end at once. Returns the one line that it says. */
async function complaintOf(...words: string[]): Promise<string> {
  const flags = ["--allow-read", "--allow-write"];
  const command = [...DENO_RUN.slice(0, -1), ...flags, "main.ts"];
  const { code, out, err } = await output(command, words);
  assertEquals([code, out, err.length], [1, [], 1], err.join("\n"));
  return err[0]!;
}

/** Takes a port as another program does, in one address family or both; closes it afterwards. */
async function whileTaken(
  transport: "UDP" | "TCP",
  hostname: string,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const socket = transport === "UDP"
    ? Deno.listenDatagram({ transport: "udp", hostname, port: 0 })
    : Deno.listen({ hostname, port: 0 });
  try {
    await body((socket.addr as Deno.NetAddr).port);
  } finally {
    socket.close();
  }
}

/** What a user can do: end the other one, take the next port, see who it is. */
function assertTellsWhatToDo(line: string, transport: "UDP" | "TCP", port: number): void {
  const next = port < 65_535 ? port + 1 : port - 1;
  const start =
    `${transport} port ${port} is in use, perhaps by another netsync: stop that, or choose ` +
    `another port, for example ${next}; who has it: ${whoHas(transport, port)}`;
  assert(line.endsWith(start), line);
}

for (const transport of ["UDP", "TCP"] as const) {
  const service = transport === "UDP" ? "sync" : "messages";
  for (const hostname of ["0.0.0.0", "::1", "::"]) {
    Deno.test(`netsync ${service} says who may have its ${transport} port on ${hostname}`, async () => {
      await whileTaken(transport, hostname, async (port) => {
        // Where another program has one address of a port, all addresses cannot be had.
        const line = await complaintOf(service, `${port}`);
        assertTellsWhatToDo(line, transport, port);
      });
    });
  }
}

Deno.test("netsync says the same of a port that another netsync has, which is not disturbed", async () => {
  await using server = await ServerProgram.start([...DENO_RUN, "arena"]);
  const line = await complaintOf("arena", `${server.port}`);
  assertTellsWhatToDo(line, "UDP", server.port);
  assertEquals(server.errorLines, []);
});

Deno.test("netsync --dashboard says who may have its port", async () => {
  await whileTaken("TCP", "127.0.0.1", async (port) => {
    const line = await complaintOf("0", "--dashboard", `127.0.0.1:${port}`);
    assertMatch(line, /^netsync: --dashboard: /);
    assertTellsWhatToDo(line, "TCP", port);
  });
});

Deno.test("netsync serve names the service whose port is in use", async () => {
  await withFolder(async (folder) => {
    await whileTaken("UDP", "::", async (port) => {
      const path = `${folder}/netsync.json`;
      const services = [{ service: "sync", port: 0 }, { service: "world", port }];
      await Deno.writeTextFile(path, JSON.stringify({ services }));
      const line = await complaintOf("serve", "--config", path);
      assertMatch(line, /^netsync: world: /);
      assertTellsWhatToDo(line, "UDP", port);
    });
  });
});

Deno.test("whoHas() is a command of each system", () => {
  assertEquals(whoHas("UDP", 5_000, "linux"), "sudo ss -Hlpun sport = :5000");
  assertEquals(whoHas("TCP", 5_000, "linux"), "sudo ss -Hlptn sport = :5000");
  assertEquals(whoHas("TCP", 5_000, "darwin"), "sudo lsof -nP -i TCP:5000");
  assertEquals(whoHas("UDP", 5_000, "windows"), "netstat -ano | findstr :5000");
});

Deno.test("cannotOpen() does not call a lack of files a wrong address", () => {
  const error = new Error("Too many open files (os error 24)");
  for (const hostname of [undefined, "127.0.0.1"]) {
    assertMatch(cannotOpen(error, "UDP", 5_000, hostname), /cannot be opened: Too many open files/);
  }
});
