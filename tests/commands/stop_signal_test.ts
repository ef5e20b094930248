/** What ends a command, in a terminal of its own. */
import { assertEquals } from "@std/assert";
import { Program, PYTHON } from "../interop/programs.ts";
import { withFolder } from "../support/folder.ts";

const IN_TERMINAL = [PYTHON, "tests/commands/in_terminal.py", "10", "60"];
const options = { ignore: Deno.build.os === "windows" }; // Python makes no terminals there.

/** Says its process id, and each thing that it hears. */
const LISTENER = `
  import { stopSignal } from "./lib/commands/stop_signal.ts";
  const { received } = stopSignal();
  for (const name of ["SIGHUP", "SIGTERM"]) Deno.addSignalListener(name, () => console.log(name));
  received.then(() => console.log("stops"));
  console.log("pid " + Deno.pid);
  setTimeout(() => Deno.exit(7), 20_000); // Nothing stays behind of a test that fails.
`;

/** The listener above in a terminal, where a shell starts it with these redirections. */
async function listen(redirections: string): Promise<{ program: Program; pid: number }> {
  const shell = ["sh", "-c", `exec "$0" eval "$1" ${redirections}`, Deno.execPath(), LISTENER];
  const program = new Program([...IN_TERMINAL, ...shell]);
  const pid = await program.next("its id", (line) => /pid (\d+)$/.exec(line)?.[1]);
  return { program, pid: Number(pid) };
}

Deno.test(
  "stopSignal() takes the end of a terminal for a first signal, and never for a second one",
  options,
  async () => {
    const { program, pid } = await listen("");
    await using _program = program;
    const hears = async (name: Deno.Signal, times: number): Promise<void> => {
      Deno.kill(pid, name);
      let heard = 0;
      await program.next(name, (line) => line === name && ++heard === times || undefined);
    };
    await hears("SIGHUP", 1);
    await program.next("that it stops", (line) => line === "stops" || undefined);
    await hears("SIGHUP", 2);
    await hears("SIGTERM", 1);
    Deno.kill(pid, "SIGTERM");
    assertEquals(await program.end(), 130);
  },
);

Deno.test(
  "stopSignal() hears the end of a terminal wherever the output goes, and of no terminal nothing",
  options,
  async () => {
    await withFolder(async (folder) => {
      const heard = ["SIGHUP", "stops", "SIGTERM"];
      const cases: [redirections: string, heard: string[]][] = [
        [`2>${folder}/err`, heard],
        ["</dev/null | cat", heard],
        ["2>&1 | cat", heard],
        ["2>&1 </dev/null | cat", ["SIGHUP", "SIGTERM", "stops"]],
      ];
      for (const [redirections, heard] of cases) {
        const { program, pid } = await listen(redirections);
        await using _program = program;
        for (const name of ["SIGHUP", "SIGTERM"] as const) {
          Deno.kill(pid, name);
          await program.next(name, (line) => line === name || undefined);
        }
        await program.next("that it stops", (line) => line === "stops" || undefined);
        assertEquals(program.lines.slice(-3), heard, redirections);
        Deno.kill(pid, "SIGKILL");
        await program.end();
      }
    });
  },
);
