/**
 * Says what its process can still do, in a line of JSON on the error output, at each SIGUSR2. To be loaded
 * before a program: `deno run --preload`.
 */

/** Something harmless that takes each permission. */
const DEEDS: Record<string, () => unknown> = {
  env: () => Deno.env.get("HOME"),
  net: () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  read: () => Deno.readTextFileSync(new URL("../../deno.json", import.meta.url)),
  run: () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  sys: () => Deno.networkInterfaces(),
  // A file that is a folder: who may write is told so.
  write: () => Deno.writeTextFileSync(new URL("../../", import.meta.url), ""),
};

function can(deed: () => unknown): boolean {
  try {
    deed();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotCapable);
  }
}

Deno.addSignalListener("SIGUSR2", () => {
  const able = Object.entries(DEEDS).filter(([, deed]) => can(deed)).map(([name]) => name);
  console.error(JSON.stringify({ can: able }));
});
