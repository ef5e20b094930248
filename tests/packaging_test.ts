/** What is shipped beside the program: that systems understand it, and that it names what there is. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { metricsText } from "../lib/home/metrics.ts";
import { logFilePaths } from "../lib/observe/log_file.ts";
import { readConfig } from "../lib/commands/config_file.ts";
import { PYTHON } from "./interop/programs.ts";
import { withFolder } from "./support/folder.ts";

const ROOT = new URL("../", import.meta.url);
const textOf = (path: string): Promise<string> => Deno.readTextFile(new URL(path, ROOT));

Deno.test("tools/compile.ts gives the executable no more than SECURITY.md says", async () => {
  const [, list] = /PERMISSIONS = \[([^\]]*)\]/.exec(await textOf("tools/compile.ts")) ?? [];
  assertEquals([...list!.matchAll(/"(.*)"/g)].map(([, flag]) => flag), [
    ...["--allow-net", "--allow-sys=networkInterfaces", "--allow-read", "--allow-write"],
    "--no-prompt",
  ]);
});

Deno.test("workflows take dependencies as they are locked, and ask what is known of them", async () => {
  for (const name of ["check", "release", "audit"]) {
    const text = await textOf(`.github/workflows/${name}.yml`);
    assertMatch(text, /^permissions:\n {2}contents: read\n\n/m);
    assertMatch(text, /deno install --frozen\n/);
    assertMatch(text, /deno task audit( --strict)?\n/);
    assertEquals(/deno install(?! --frozen)/.test(text), false);
  }
});

/** Whether a program can be run; what its output says does not matter. */
async function isThere(program: string, ...args: string[]): Promise<boolean> {
  const command = new Deno.Command(program, { args, stdout: "null", stderr: "null" });
  const result = await command.output().catch(() => undefined);
  if (!result?.success) console.log(`skipped: ${program} is not there, so it checks nothing`);
  return result?.success ?? false;
}

const hasSystemd = Deno.build.os === "linux" && await isThere("systemd-analyze", "--version");

Deno.test({
  name: "packaging/netsync.service is a unit that systemd takes without a word",
  ignore: !hasSystemd,
}, async () => {
  // It asks for the program too, which is nowhere on this computer.
  await withFolder(async (folder) => {
    const unit = (await textOf("packaging/netsync.service"))
      .replaceAll("/usr/local/bin/netsync", "/bin/sh");
    await Deno.writeTextFile(`${folder}/netsync.service`, unit);
    const { success, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["verify", "--man=no", `${folder}/netsync.service`],
    }).output();
    // What it says about other units of this computer is none of ours.
    const lines = new TextDecoder().decode(stderr).split("\n");
    assertEquals(lines.filter((line) => line.includes("netsync")), []);
    assert(success);
  });
});

Deno.test({
  name: "packaging/netsync.plist is a property list that starts the service",
  ignore: !await isThere(PYTHON, "-c", "import plistlib"),
}, async () => {
  const { success, stdout } = await new Deno.Command(PYTHON, {
    args: [
      "-c",
      "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))",
      "packaging/netsync.plist",
    ],
    cwd: ROOT,
  }).output();
  assert(success);
  const plist = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(plist.ProgramArguments.slice(0, 3), ["/usr/local/bin/netsync", "serve", "--config"]);
  assertEquals(plist.KeepAlive, { SuccessfulExit: false });
});

Deno.test("Dockerfile has the Deno that the README names, and copies what there is", async () => {
  const dockerfile = await textOf("Dockerfile");
  const [, version] = /^FROM denoland\/deno:(.+)$/m.exec(dockerfile) ?? [];
  assert((await textOf("README.md")).includes(`npx -y deno@${version} run`));
  const ignored = (await textOf(".dockerignore")).split("\n");
  for (const [, words] of dockerfile.matchAll(/^COPY (.+) \S+$/gm)) {
    for (const path of words!.split(" ")) {
      await Deno.stat(new URL(path, ROOT));
      assert(ignored.includes(`!${path}`), `${path} is left out by .dockerignore`);
    }
  }
  assertMatch(dockerfile, /^USER deno$/m);
});

Deno.test("docs/running.md shows a config file that netsync takes", async () => {
  const [, config] = /```json\n([^`]*)```/.exec(await textOf("docs/running.md")) ?? [];
  const read = readConfig(config!);
  assertEquals(read.ok ? [] : read.problems, []);
});

Deno.test("docs/running.md names metrics that there are", async () => {
  const page = await textOf("docs/running.md");
  const source = await textOf("lib/home/metrics.ts");
  const fixed = metricsText([], {
    ...{ version: "", deno: "", os: "", arch: "", startedAt: 0, memoryBytes: 0 },
  });
  const named = new Set([...page.matchAll(/netsync_(\w+)/g)].map(([, name]) => name!));
  assert(named.size > 8);
  for (const name of named) {
    const stem = name.replace(/_(total|bucket)$/, "");
    const isThere = fixed.includes(`netsync_${stem}`) || source.includes(`"${stem}"`) ||
      source.includes(`"netsync_${name.replace(/_bucket$/, "")}"`);
    assert(isThere, name);
  }
});

Deno.test("docs/running.md tells how many logs are kept", async () => {
  const last = logFilePaths("netsync.log").at(-1)!.replace("netsync.log", "");
  assert((await textOf("docs/running.md")).includes(`and so on to \`${last}\``));
});

Deno.test("docs/running.md links to files that there are", async () => {
  const page = await textOf("docs/running.md");
  const links = [...page.matchAll(/\]\(([^)#]+)\)/g)].map(([, path]) => path!);
  assert(links.length >= 3);
  for (const path of links) await Deno.stat(new URL(`docs/${path}`, ROOT));
  const slugs = [...page.matchAll(/^## (.+)$/gm)].map(([, title]) =>
    title!.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-")
  );
  for (const [, slug] of page.matchAll(/\]\(#([^)]+)\)/g)) assert(slugs.includes(slug!), slug);
});
