import { assertEquals } from "@std/assert";
import { ROOT } from "../interop/programs.ts";

/** What a program without these permissions says about its files; null: nothing is missing. */
async function asked(flags: string[], calls: string[]): Promise<(string | null)[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-check", ...flags, "-"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(`
    import { missingPermission } from "./lib/home/permission.ts";
    console.log(JSON.stringify([${calls.map((call) => `missingPermission(${call})`)}]));
  `));
  await input.close();
  const { stdout } = await child.output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("missingPermission() says what to type, with the folder where several files are used", async () => {
  const start = "start it with deno run --allow-net";
  const answers = await asked([], [
    `"--record", "append", ["a.jsonl"]`,
    `"--log-file", "rotate", ["netsync.log", "netsync.log.1"]`,
    `"--log-file", "rotate", ["logs/netsync.log", "logs/netsync.log.1"]`,
    `"--bans", "replace", ["/var/my bans/b.txt", "/var/my bans/b.txt.new"]`,
    `"--bans", "replace", ["/b.txt", "/b.txt.new"]`,
    `"--replay", "read", ["my/a,b.jsonl"]`,
    `"--replay", "read", ["a,b/c.jsonl"]`,
    String.raw`"--bans", "replace", ["C:\\b.txt", "C:\\b.txt.new"]`,
    String.raw`"--bans", "replace", ["C:\\net\\b.txt", "C:\\net\\b.txt.new"]`,
  ]);
  assertEquals(answers, [
    `--record needs to write a.jsonl: ${start} --allow-write=a.jsonl main.ts`,
    `--log-file needs to read and write in this folder: ${start} --allow-read=. --allow-write=. main.ts`,
    `--log-file needs to read and write in logs: ${start} --allow-read=logs --allow-write=logs main.ts`,
    `--bans needs to read and write in /var/my bans: ${start} --allow-read="/var/my bans" ` +
    `--allow-write="/var/my bans" main.ts`,
    `--bans needs to read and write in /: ${start} --allow-read=/ --allow-write=/ main.ts`,
    `--replay needs to read in my: ${start} --allow-read=my main.ts`,
    `--replay needs to read in a,b: ${start} --allow-read main.ts`,
    String
      .raw`--bans needs to read and write in C:\: ${start} --allow-read=C:\ --allow-write=C:\ main.ts`,
    String
      .raw`--bans needs to read and write in C:\net: ${start} --allow-read=C:\net --allow-write=C:\net main.ts`,
  ]);
});

Deno.test("missingPermission() is content with what it told to type, and with no less", async () => {
  const calls = [
    `"--record", "append", ["logs/b.jsonl"]`,
    `"--log-file", "rotate", ["logs/a.log", "logs/a.log.1"]`,
    `"--replay", "read", ["logs/a.jsonl"]`,
  ];
  const isMissing = async (...flags: string[]): Promise<boolean[]> =>
    (await asked(flags, calls)).map((answer) => answer !== null);
  assertEquals(await isMissing("--allow-write=logs/b.jsonl"), [false, true, true]);
  assertEquals(await isMissing("--allow-read=logs", "--allow-write=logs"), [false, false, false]);
  assertEquals(await isMissing("--allow-read=logs"), [true, true, false]);
  assertEquals(await isMissing("--allow-write=logs"), [false, true, true]);
  const one = "logs/a.log";
  assertEquals(await isMissing(`--allow-read=${one}`, `--allow-write=${one}`), [true, true, true]);
});
