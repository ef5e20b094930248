/** Which program this is. */
import config from "../../deno.json" with { type: "json" };

/** The version of netsync. */
export const VERSION: string = config.version;

/** How this program is called on this machine: elsewhere than in its folder, `main.ts` is another file. */
export const PROGRAM: string = isInItsFolder() ? "deno run --allow-net main.ts" : "netsync";

function isInItsFolder(): boolean {
  if (Deno.build.standalone) return false;
  try {
    const separator = Deno.build.os === "windows" ? "\\" : "/";
    return import.meta.dirname === [Deno.cwd(), "lib", "commands"].join(separator);
  } catch {
    return false; // The folder is gone.
  }
}
