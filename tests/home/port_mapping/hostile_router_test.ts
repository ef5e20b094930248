/** Whoever answers to a search may be anybody: nothing that it says costs much, or leads elsewhere. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { explainVerdict } from "../../../lib/home/port_mapping/verdict.ts";
import { until } from "../../support/wait.ts";
import { answerTo, describe, FakeRouter, type FakeRouterOptions } from "./fake_router.ts";

/** All of them are through with it by then. */
const SEARCH_MS = 600;

/** Another machine, who must not hear of any of this. */
class Bystander implements AsyncDisposable {
  visits = 0;
  readonly #stop = new AbortController();
  readonly #http = Deno.serve({
    hostname: "127.0.0.2",
    port: 0,
    signal: this.#stop.signal,
    onListen: (): void => {},
  }, () => {
    this.visits++;
    return new Response(describe("/control"));
  });

  get url(): string {
    return `http://127.0.0.2:${this.#http.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#http.finished;
  }
}

/** A body that goes on until nobody takes it; `taken` tells its bytes. */
function endless(taken: (bytes: number) => void, chunk = new Uint8Array(65_536)): ReadableStream {
  return new ReadableStream({
    pull(controller): void {
      taken(chunk.length);
      controller.enqueue(chunk);
    },
  });
}

/** What a mapper makes of such a router. */
async function verdictOf(options: FakeRouterOptions): Promise<string> {
  await using router = new FakeRouter(options);
  await using mapper = router.mapper(undefined, { searchMs: SEARCH_MS });
  const startedAt = performance.now();
  const { kind } = await mapper.verdict();
  const tookMs = performance.now() - startedAt;
  assert(tookMs < SEARCH_MS + 10_000, `took ${tookMs} ms`);
  assertEquals(router.mappings.size, 0);
  return kind;
}

/** A router whose description is something else. */
function describedBy(response: () => Response | Promise<Response>): FakeRouterOptions {
  return { http: (_, action) => action === "" ? response() : undefined };
}

Deno.test("PortMapper finds no router in what describes itself badly", async () => {
  await using bystander = new Bystander();
  const cases: Record<string, FakeRouterOptions> = {
    "nothing": describedBy(() => new Response("")),
    "no answer": describedBy(() => new Promise<never>(() => {})),
    "not found": describedBy(() => new Response(describe("/control"), { status: 404 })),
    "no XML": describedBy(() => new Response("\u0000<<<>>>&#0;</service></".repeat(1_000))),
    "no end of tags": describedBy(() => new Response("<service>".repeat(10_000))),
    "no end of comments": describedBy(() => new Response("<!-- ".repeat(20_000))),
    "no such service": describedBy(() =>
      new Response("<service><controlURL>/</controlURL></service>")
    ),
    "control elsewhere": describedBy(() => new Response(describe(`${bystander.url}/control`))),
    "control by HTTPS": describedBy(() => new Response(describe("https://127.0.0.1/control"))),
    "base elsewhere": describedBy(() =>
      new Response(describe("/control", `<URLBase>${bystander.url}/</URLBase>`))
    ),
    "a password": describedBy(() => new Response(describe("http://a:b@127.0.0.1/control"))),
    "redirected": describedBy(() => Response.redirect(`${bystander.url}/root.xml`)),
    "described elsewhere": { location: `${bystander.url}/root.xml` },
    "described by HTTPS": { location: "https://127.0.0.1:1/root.xml" },
    "described by a name": { location: "http://localhost:1/root.xml" },
    "described by a file": { location: "file:///etc/passwd" },
    "described nowhere": { location: "http://127.0.0.1:1/root.xml" },
  };
  const verdicts = await Promise.all(
    Object.entries(cases).map(async ([name, options]) => [name, await verdictOf(options)]),
  );
  assertEquals(verdicts, Object.keys(cases).map((name) => [name, "no-router"]));
  assertEquals(bystander.visits, 0);
});

Deno.test("PortMapper takes no more of a long description than it may have", async () => {
  let taken = 0;
  const add = (bytes: number): void => {
    taken += bytes;
  };
  const headers = { "Content-Length": "104857600" };
  const cases = {
    "endless": describedBy(() => new Response(endless(add))),
    "endless comment": describedBy(() =>
      new Response(endless(add, new Uint8Array(65_536).fill(60)))
    ),
    "100 MB": describedBy(() => new Response(endless(add), { headers })),
  };
  for (const [name, options] of Object.entries(cases)) {
    assertEquals(await verdictOf(options), "no-router", name);
  }
  // What the system's buffers took on the way counts too.
  assert(taken < 40_000_000, `${taken} bytes`);
});

Deno.test("PortMapper gives up a description that drips", async () => {
  const drip = (): Response => {
    let timer: ReturnType<typeof setInterval> | undefined;
    const stop = (): void => clearInterval(timer);
    const body = new ReadableStream({
      start: (controller): void => {
        timer = setInterval(() => controller.enqueue(new Uint8Array([32])), 5);
      },
      cancel: stop,
    });
    return new Response(body);
  };
  assertEquals(await verdictOf(describedBy(drip)), "no-router");
});

Deno.test("PortMapper survives answers to its calls that are none, and asks again", async () => {
  const answers: Record<string, () => Response | Promise<Response>> = {
    "nothing": () => new Response(""),
    "a page": () => new Response("<html><body>Please log in</body></html>"),
    "a broken fault": () => new Response("<s:Fault><detail>", { status: 500 }),
    "too much": () => new Response(endless(() => {})),
    "another answer": () => answerTo("GetStatusInfo"),
    "an answer that failed": () =>
      new Response("<AddPortMappingResponse></AddPortMappingResponse>", { status: 500 }),
    "redirected": () => Response.redirect("http://127.0.0.2:1/"),
  };
  await Promise.all(
    Object.entries(answers).map(async ([name, answer]) => {
      let isBad = true;
      await using router = new FakeRouter({
        http: (_, action) => action === "AddPortMapping" && isBad ? answer() : undefined,
      });
      await using mapper = router.mapper();
      const verdict = await mapper.verdict();
      assertEquals(verdict.kind, "refused", name);
      assertMatch(explainVerdict(verdict), /breaks off/, name);
      isBad = false;
      assertEquals((await mapper.verdict(1)).kind, "mapped", name);
    }),
  );
});

Deno.test("PortMapper shows nothing of a router that would steer a terminal", async () => {
  const name = "\u001b]0;owned\u0007\u202eevil\n" + "x".repeat(10_000);
  await using router = new FakeRouter(
    describedBy(() => new Response(describe("/control").replace("Fake &amp; Co", name))),
  );
  router.faults.set("AddPortMapping", 501);
  await using mapper = router.mapper();
  const verdict = await mapper.verdict();
  const text = explainVerdict(verdict) + JSON.stringify(verdict);
  assertMatch(text, /owned/);
  // deno-lint-ignore no-control-regex -- these are what must not be there
  assert(!/[\u0000-\u001f\u007f-\u009f\u202e]/.test(text), JSON.stringify(text));
  assert(text.length < 1_000);
});

Deno.test("PortMapper looks at no more than a few that say they are a router", async () => {
  const visits = new Set<string>();
  let searches = 0;
  await using router = new FakeRouter({
    get location(): string {
      return `http://127.0.0.1:${port}/${searches++}.xml`;
    },
    http: (request) => {
      visits.add(request.url);
      return new Response("");
    },
  });
  const port = router.port;
  await using mapper = router.mapper(undefined, { searchMs: SEARCH_MS, retryMs: 100_000 });
  await mapper.verdict();
  assert(searches > 8);
  await until("the visits", () => visits.size === 8);
});
