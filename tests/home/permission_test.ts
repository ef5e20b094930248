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
    console.log(JSON.stringify([${calls.map((call) => `missingPermission([${call}])`)}]));
  `));
  await input.close();
  const { stdout } = await child.output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("missingPermission() says what to type, with the folder where several files are used", async () => {
  const answers = await asked([], [
    `{ option: "--record", use: "append", paths: ["a.jsonl"] }`,
    `{ option: "--log-file", use: "rotate", paths: ["netsync.log", "netsync.log.1"] }`,
    `{ option: "--log-file", use: "rotate", paths: ["logs/netsync.log", "logs/netsync.log.1"] }`,
    `{ option: "--bans", use: "replace", paths: ["/var/my bans/b.txt", "/var/my bans/b.txt.new"] }`,
    `{ option: "--bans", use: "replace", paths: ["/b.txt", "/b.txt.new"] }`,
    `{ option: "--replay", use: "read", paths: ["my/a,b.jsonl"] }`,
    `{ option: "--replay", use: "read", paths: ["a,b/c.jsonl"] }`,
    String.raw`{ option: "--bans", use: "replace", paths: ["C:\\b.txt", "C:\\b.txt.new"] }`,
    String
      .raw`{ option: "--bans", use: "replace", paths: ["C:\\net\\b.txt", "C:\\net\\b.txt.new"] }`,
  ]);
  assertEquals(answers, [
    `--record needs to write a.jsonl: add --allow-write=a.jsonl after deno run`,
    `--log-file needs to read and write in this folder: add --allow-read=. --allow-write=. after deno run`,
    `--log-file needs to read and write in logs: add --allow-read=logs --allow-write=logs after deno run`,
    `--bans needs to read and write in /var/my bans: add --allow-read="/var/my bans" ` +
    `--allow-write="/var/my bans" after deno run`,
    `--bans needs to read and write in /: add --allow-read=/ --allow-write=/ after deno run`,
    `--replay needs to read in my: add --allow-read=my after deno run`,
    `--replay needs to read in a,b: add --allow-read after deno run`,
    String
      .raw`--bans needs to read and write in C:\: add --allow-read=C:\ --allow-write=C:\ after deno run`,
    String
      .raw`--bans needs to read and write in C:\net: add --allow-read=C:\net --allow-write=C:\net after deno run`,
  ]);
});

Deno.test("missingPermission() tells all that the options need, allowed or not", async () => {
  const needs = [
    `{ option: "--log-file", use: "rotate", paths: ["a/x.log", "a/x.log.1"] }`,
    `{ option: "--resume", use: "replace", paths: ["b/y", "b/y.new"] }`,
    `{ option: "--record", use: "append", paths: ["z"] }`,
  ];
  const [answer] = await asked(["--allow-read=a", "--allow-write=a"], [needs.join(", ")]);
  assertEquals(
    answer,
    "--resume needs to read and write in b: " +
      "add --allow-read=a,b --allow-write=a,b,z after deno run",
  );
});

Deno.test("missingPermission() is content with what it told to type, and with no less", async () => {
  const calls = [
    `{ option: "--record", use: "append", paths: ["logs/b.jsonl"] }`,
    `{ option: "--log-file", use: "rotate", paths: ["logs/a.log", "logs/a.log.1"] }`,
    `{ option: "--replay", use: "read", paths: ["logs/a.jsonl"] }`,
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
