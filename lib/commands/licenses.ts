/** `netsync --licenses`: the notices that the licenses of its parts ask for. */
import text from "./licenses.txt" with { type: "text" };

/** All of them: `deno task audit --write` makes it of the packages. */
export const LICENSES: string = text.trimEnd();
