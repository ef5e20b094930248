/**
 * Makes the reference of the library, as pages for a browser, in dist/api: open dist/api/index.html.
 *
 *     deno task docs
 *
 * It is made of the docstrings of what lib/mod.ts exports, which `deno doc --lint` holds to be there.
 */
const ROOT = new URL("../", import.meta.url);
const OUTPUT = new URL("dist/api/", ROOT);

// Pages of what is not exported any more would stay.
await Deno.remove(OUTPUT, { recursive: true }).catch((error) => {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
});
await Deno.mkdir(new URL("dist/", ROOT), { recursive: true });
const { success, stderr } = await new Deno.Command(Deno.execPath(), {
  args: ["doc", "--html", "--name=netsync", "--output=dist/api", "lib/mod.ts"],
  cwd: ROOT,
  stderr: "piped",
}).output();
if (!success) {
  await Deno.stderr.write(stderr);
  console.error("docs: the pages were not made");
  Deno.exit(1);
}
const index = await Deno.readTextFile(new URL("index.html", OUTPUT));
const symbols = [...Deno.readDirSync(new URL("~/", OUTPUT))]
  .filter(({ name }) => /^\w+\.html$/.test(name));
if (!index.includes("netsync as a library") || symbols.length === 0) {
  console.error("docs: the pages do not show the library");
  Deno.exit(1);
}
console.log(`made dist/api/index.html: ${symbols.length} symbols`);
