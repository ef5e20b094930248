/** What the page's buttons do: POST requests with a small JSON object. */
import type { Controls } from "../controls.ts";
import { type JsonObject, parseJsonObject } from "../../parts/json.ts";

/** How an action ended: a status, and what is wrong when it failed. */
export interface ActionResult {
  status: number;
  error?: string;
}

/** Nothing that is asked for is longer. */
export const BODY_BYTES_MAX = 4_096;
/** The body is an object of texts. */
const BODY_DEPTH_MAX = 1;
const BODY_WAIT_MS = 2_000;

const DONE: ActionResult = { status: 200 };

/** Each action by its name: what must be in its body, and what it does. */
const ACTIONS: Record<string, (body: JsonObject, controls: Controls) => ActionResult> = {
  kick(body, controls): ActionResult {
    const [service, address] = [textOf(body, "service"), textOf(body, "address")];
    if (service === undefined || address === undefined) {
      return { status: 400, error: 'kick needs {"service": "...", "address": "..."}' };
    }
    if (controls.kick(service, address)) return DONE;
    return { status: 404, error: `${address} is not there any more` };
  },
  ban(body, controls): ActionResult {
    const network = textOf(body, "network");
    if (network === undefined) return { status: 400, error: 'ban needs {"network": "..."}' };
    const error = controls.ban(network);
    return error === undefined ? DONE : { status: 400, error };
  },
  unban(body, controls): ActionResult {
    const network = textOf(body, "network");
    if (network === undefined) return { status: 400, error: 'unban needs {"network": "..."}' };
    if (controls.unban(network)) return DONE;
    return { status: 404, error: `${network} is not banned` };
  },
};

/** Whether there is such an action. */
export function isAction(name: string): boolean {
  return Object.hasOwn(ACTIONS, name);
}

/** Reads what is asked for and does it. */
export async function act(
  name: string,
  request: Request,
  controls: Controls,
): Promise<ActionResult> {
  const bytes = await bodyOf(request);
  if (typeof bytes === "string") return { status: bytes === LATE ? 408 : 413, error: bytes };
  const body = parseJsonObject(bytes, BODY_DEPTH_MAX);
  if (!body) return { status: 400, error: "the body must be a JSON object of texts" };
  return ACTIONS[name]!(body, controls);
}

const LONG = `the body must not be longer than ${BODY_BYTES_MAX} bytes`;
const LATE = "the body did not come in time";

/** The bytes, or why they are not read to their end. */
async function bodyOf({ body }: Request): Promise<Uint8Array | string> {
  if (!body) return new Uint8Array();
  const bytes = new Uint8Array(BODY_BYTES_MAX);
  let length = 0;
  const reader = body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {}); // Its connection may be gone.
  }, BODY_WAIT_MS);
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      if (length + read.value.length > BODY_BYTES_MAX) {
        await reader.cancel();
        return LONG;
      }
      bytes.set(read.value, length);
      length += read.value.length;
    }
    return isLate ? LATE : bytes.subarray(0, length);
  } catch {
    return LATE; // It ended before its end.
  } finally {
    clearTimeout(timer);
  }
}

function textOf(body: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}
