/** A real browser, and what it complained about. */
import { assertEquals } from "@std/assert";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { Program, type ProgramOptions } from "./program.ts";

/** Where Debian has it, and others. */
const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Which one to use; undefined when there is none. */
export const BROWSER_PATH = PATHS.find((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

let browser: Browser | undefined;

/** The one browser of a file's tests. */
async function openBrowser(): Promise<Browser> {
  browser ??= await chromium.launch({ executablePath: BROWSER_PATH, args: ["--no-sandbox"] });
  return browser;
}

/** A page that shows a dashboard, and its program. */
export interface Opened {
  page: Page;
  program: Program;
}

/** What a test begins with. */
export interface SetUp {
  program?: ProgramOptions;
  context?: BrowserContextOptions;
  /** What the browser complains about in this test: it must, and about nothing else. */
  complaint?: RegExp;
}

/**
 * One test with a page that is open and connected. It fails also when anything was asked of another place,
 * or the browser complained: of an error, a warning, a violation of the policy.
 *
 * Without a browser it is skipped, and its name says so.
 */
export function browserTest(
  name: string,
  setUp: SetUp,
  run: (opened: Opened) => Promise<void>,
): void {
  Deno.test({
    name: BROWSER_PATH ? name : `${name} (skipped: there is no chromium)`,
    ignore: !BROWSER_PATH,
    // The browser stays open for the next one.
    ...{ sanitizeOps: false, sanitizeResources: false },
    fn: () => withPage(setUp, run),
  });
}

Deno.test.afterAll(async () => {
  await browser?.close();
});

async function withPage(setUp: SetUp, run: (opened: Opened) => Promise<void>): Promise<void> {
  await using program = await Program.start(setUp.program);
  const context = await (await openBrowser()).newContext(setUp.context);
  try {
    const page = await context.newPage();
    const { complaints, elsewhere } = watch(page, program.origin);
    await page.goto(program.url);
    await page.locator("#connection", { hasText: /^Connected$/ }).waitFor();
    await run({ page, program });
    const [expected, others] = split(complaints, setUp.complaint ?? /^$/);
    assertEquals({ others, elsewhere }, { others: [], elsewhere: [] });
    assertEquals(expected.length > 0, setUp.complaint !== undefined, "the expected complaint");
  } finally {
    await context.close();
  }
}

/** Notes what the browser complains about, and what it asks of others. */
function watch(page: Page, origin: string): { complaints: string[]; elsewhere: string[] } {
  const complaints: string[] = [];
  const elsewhere: string[] = [];
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => {}); // The page may be gone.
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`)) elsewhere.push(request.url());
  });
  return { complaints, elsewhere };
}

function split(texts: string[], pattern: RegExp): [fitting: string[], others: string[]] {
  return [
    texts.filter((text) => pattern.test(text)),
    texts.filter((text) => !pattern.test(text)),
  ];
}
