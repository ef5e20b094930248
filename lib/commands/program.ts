/** Which program this is. */
import config from "../../deno.json" with { type: "json" };

/** The version of netsync. */
export const VERSION: string = config.version;

/** How this program is called on this machine. */
export const PROGRAM: string = Deno.build.standalone ? "netsync" : "deno run --allow-net main.ts";
