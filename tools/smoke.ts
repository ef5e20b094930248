/**
 * Whether a sync server does its job: answers a handshake, shares a state, stops cleanly.
 *
 *     deno run --allow-net tools/smoke.ts PORT                     one that runs on this machine
 *     deno run --allow-net --allow-run tools/smoke.ts COMMAND...   starts `COMMAND... 0 --json`
 *
 * Exit status 0 when all of it holds, otherwise 1 and a line that says what did not.
 */
import { SyncClient } from "../lib/clients/sync.ts";

/** A server may still be on its way: npm may be downloading its runtime. */
const PATIENCE_MS = 90_000;
const STOP_MS = 1_000;

async function shareState(port: number): Promise<void> {
  await using client = await SyncClient.connect(`127.0.0.1:${port}`, { timeoutMs: PATIENCE_MS });
  const { promise, resolve } = Promise.withResolvers<void>();
  client.on("joined", ({ id, state }) => {
    if (id === client.id && state === "smoke") resolve();
  });
  client.send("smoke");
  const timer = setTimeout(() => failed("a state was not shared within 5 s"), 5_000);
  await promise;
  clearTimeout(timer);
}

/**
 * Windows knows no signal to another process, but Ctrl+Break in the console of a process group. Deno can
 * make no such group, Python can: it starts the server in one, and presses the keys once its own input
 * ends.
 */
const WINDOWS_LAUNCHER = `
import signal, subprocess, sys
server = subprocess.Popen(sys.argv[1:], creationflags=subprocess.CREATE_NEW_PROCESS_GROUP)
sys.stdin.read()
server.send_signal(signal.CTRL_BREAK_EVENT)
sys.exit(server.wait())
`;
const LAUNCHER = Deno.build.os === "windows" ? ["python", "-c", WINDOWS_LAUNCHER] : [];

async function startShareStop(server: readonly string[]): Promise<void> {
  const [command, ...args] = [...LAUNCHER, ...server, "0", "--json"];
  const child = new Deno.Command(command!, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  // A server that fails here does not stay behind.
  addEventListener("unload", () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended, as it should.
    }
  });
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "";
  while (!printed.includes("\n")) {
    const { value, done } = await output.read();
    if (done) failed(`${server.join(" ")} ended at once`);
    printed += value;
  }
  await shareState(JSON.parse(printed.split("\n")[0]!).port);
  const toldAt = performance.now();
  if (Deno.build.os !== "windows") child.kill("SIGINT");
  await child.stdin.close();
  while (!(await output.read()).done);
  const { code } = await child.status;
  const stopMs = performance.now() - toldAt;
  if (code !== 0) failed(`exit status ${code} when told to stop`);
  if (stopMs > STOP_MS) failed(`took ${stopMs.toFixed(0)} ms to stop`);
}

function failed(why: string): never {
  console.error(`smoke: ${why}`);
  Deno.exit(1);
}

const [first = ""] = Deno.args;
try {
  if (/^\d+$/.test(first)) await shareState(Number(first));
  else await startShareStop(Deno.args);
} catch (error) {
  failed(error instanceof Error ? error.message : String(error));
}
console.log("smoke: all well");
