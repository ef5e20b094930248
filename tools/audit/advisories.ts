/** What the registry's service knows of vulnerabilities: `deno audit` asks it. */

/** What came of asking. */
export type Advice =
  | { kind: "none known" }
  | { kind: "vulnerable"; report: string }
  /** Nobody could be asked, or the answer was no answer: nothing is known. */
  | { kind: "not asked"; why: string };

/** How `deno audit` ended. */
export interface AuditEnd {
  code: number;
  stdout: string;
  stderr: string;
}

/** What its end means. Only what it says in so many words is taken for good news. */
export function adviceOf({ code, stdout, stderr }: AuditEnd): Advice {
  if (code === 0 && /^No known vulnerabilities found$/m.test(stdout)) return { kind: "none known" };
  const report = stdout.trim();
  if (report !== "" && code !== 0) return { kind: "vulnerable", report };
  const [first = "it said nothing"] = (stderr.trim() || report).split("\n").filter(Boolean);
  return { kind: "not asked", why: first.replace(/^error: /, "") };
}

/** How long an answer is waited for. */
const PATIENCE_MS = 120_000;

/**
 * Asks about everything that the lock in a folder holds.
 *
 * @param registry Another one than npm's.
 */
export async function askFor(folder: URL, registry?: string): Promise<Advice> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["audit"],
    cwd: folder,
    env: { NO_COLOR: "1", ...registry && { NPM_CONFIG_REGISTRY: registry } },
    stdin: "null",
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).output();
  const utf8 = new TextDecoder();
  return adviceOf({ code, stdout: utf8.decode(stdout), stderr: utf8.decode(stderr) });
}
