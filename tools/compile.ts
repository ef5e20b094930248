/**
 * Makes netsync one executable file in dist/, for this system or for another.
 *
 *     deno task compile [--target TRIPLE]
 *
 * `deno compile` puts the program behind a runtime (denort) that it downloads. Where that is out of reach
 * set DENORT_BIN to a denort of the very same Deno version and system.
 */

/**
 * What the program may need, and nothing more. The second shows which addresses to give to friends; files are
 * read and written where an option names them. What its options do not need it gives back as soon as they are
 * read (lib/home/privileges.ts), and it never asks for more: a server has nobody who could answer.
 */
const PERMISSIONS = [
  "--allow-net",
  "--allow-sys=networkInterfaces",
  "--allow-read",
  "--allow-write",
  "--no-prompt",
];

const [flag, target = Deno.build.target, ...rest] = Deno.args;
if ((flag !== undefined && flag !== "--target") || rest.length > 0) {
  console.error("usage: deno task compile [--target TRIPLE]");
  Deno.exit(2);
}
const suffix = target.includes("windows") ? ".exe" : "";
const name = target === Deno.build.target ? "netsync" : `netsync-${target}`;
const output = `dist/${name}${suffix}`;
const { success } = await new Deno.Command(Deno.execPath(), {
  args: ["compile", "--frozen", "--output", output, "--target", target]
    .concat(PERMISSIONS, ["main.ts"]),
  stdout: "inherit",
  stderr: "inherit",
}).output();
if (!success) {
  const { deno } = Deno.version;
  console.error(
    `${output} was not made. If the runtime could not be downloaded: set DENORT_BIN to the path of ` +
      `denort ${deno} for ${target}, or run netsync without compiling: deno run --allow-net main.ts`,
  );
  Deno.exit(1);
}
console.log(`made ${output}`);
