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

async function startShareStop([command, ...args]: readonly string[]): Promise<void> {
  const child = new Deno.Command(command!, {
    args: [...args, "0", "--json"],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "";
  while (!printed.includes("\n")) {
    const { value, done } = await output.read();
    if (done) failed(`${command} ended at once`);
    printed += value;
  }
  await shareState(JSON.parse(printed.split("\n")[0]!).port);
  const toldAt = performance.now();
  child.kill("SIGINT");
  while (!(await output.read()).done);
  const { code } = await child.status;
  const stopMs = performance.now() - toldAt;
  // Windows has no signals between processes: there, this ended it by force.
  if (Deno.build.os === "windows") return;
  if (code !== 0) failed(`exit status ${code} on SIGINT`);
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
