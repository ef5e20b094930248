/** The dashboard as its server: who gets what. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { openDashboard } from "../../../lib/home/dashboard/dashboard.ts";
import { until, within } from "../../support/wait.ts";
import { ask, sendRaw, statusWith, TOKEN, urlOf, withDashboard } from "./open.ts";

const OPTIONS = {
  hostname: "127.0.0.1",
  port: 0,
  token: TOKEN,
  isReadonly: false,
  logTail: () => [],
  controls: { kick: () => true, ban: () => undefined, unban: () => true },
};
/** Everything that is to be seen, but the files of the page. */
const PATHS = ["/", "/events", "/metrics", "/health", "/actions/kick", "/nothing"];
const NO_TOKEN = { authorization: "" };
const metrics = (): string => "up 1\n";

Deno.test("openDashboard() throws when its port is taken, and when its token could be guessed", async () => {
  await withDashboard(({ port }) => {
    assertThrows(() => openDashboard({ ...OPTIONS, port }), Deno.errors.AddrInUse);
  });
  assertThrows(() => openDashboard({ ...OPTIONS, token: "short" }), RangeError, "16 characters");
});

Deno.test("Dashboard.url opens the page, whatever the address", async () => {
  for (const [hostname, host] of [["127.0.0.1", "127.0.0.1"], ["0.0.0.0", "localhost"]]) {
    await withDashboard(async ({ url, port }) => {
      assertEquals(url, `http://${host}:${port}/?token=${TOKEN}`);
      const response = await fetch(url);
      assertEquals(response.status, 200);
      assertStringIncludes(await response.text(), "<!DOCTYPE html>");
    }, { hostname });
  }
});

Deno.test("Dashboard.url has any token in it", async () => {
  await withDashboard(async ({ url }) => {
    const response = await fetch(url);
    assertEquals(response.status, 200);
    await response.body?.cancel();
  }, { token: "of?odd&characters=+/#%20" });
});

Deno.test("Dashboard shows nothing without its token", async () => {
  await withDashboard(async (dashboard) => {
    for (const path of PATHS.filter((path) => path !== "/health")) {
      for (const query of ["", "?token=", "?token=another-token-here", `?token=${TOKEN}x`]) {
        for (const method of ["GET", "HEAD", "POST"]) {
          const answer = await ask(dashboard, path + query, { method, headers: NO_TOKEN });
          assertEquals(answer.status, 401, `${method} ${path}${query}`);
          assertMatch(answer.headers.get("content-type")!, /^text\/plain/);
          if (method === "GET") assertStringIncludes(answer.text, "address that netsync printed");
        }
      }
    }
    const wrong = { headers: { authorization: "Bearer another-token-here" } };
    assertEquals((await ask(dashboard, `/?token=${TOKEN}`, wrong)).status, 401);
  }, { metrics });
});

Deno.test("Dashboard takes its token from the address or from the header", async () => {
  await withDashboard(async (dashboard) => {
    for (const path of ["/", "/metrics", "/health"]) {
      const byQuery = await ask(dashboard, `${path}?token=${TOKEN}`, { headers: NO_TOKEN });
      assertEquals([byQuery.status, (await ask(dashboard, path)).status], [200, 200], path);
    }
  }, { metrics });
});

Deno.test("Dashboard answers only to its own names", async () => {
  await withDashboard(async (dashboard) => {
    const hosts = { "localhost": 200, "127.0.0.1:1": 200, "[::1]": 200, "box.lan:5": 200 };
    for (const [host, status] of Object.entries({ ...hosts, "evil.example": 421, "": 421 })) {
      assertEquals(await statusWith(dashboard, `Host: ${host}\r\n`), status, host);
    }
    assert(await statusWith(dashboard, "") >= 400, "no Host at all");
    const health = "GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    using connection = await sendRaw(dashboard, health);
    assertStringIncludes(await new Response(connection.readable).text(), "421");
  }, { hostnames: ["box.lan"] });
});

Deno.test("Dashboard sends every answer with the headers that keep others out", async () => {
  await withDashboard(async (dashboard) => {
    const answers = await Promise.all([
      ...["/", "/metrics", "/health", "/nothing"].map((path) => ask(dashboard, path)),
      ask(dashboard, "/", { headers: NO_TOKEN }),
      ask(dashboard, "/health", { headers: NO_TOKEN }),
      ask(dashboard, "/", { method: "PUT" }),
      ask(dashboard, "/events", { method: "HEAD" }),
      ask(dashboard, "/actions/kick", { method: "POST" }),
    ]);
    for (const { headers, status } of answers) {
      const policy = headers.get("content-security-policy") ?? "";
      assertMatch(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
      assert(!/unsafe|\*|http|data:|nonce/.test(policy), policy);
      for (const part of ["connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
        assertStringIncludes(policy, part);
      }
      const rest = [
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
        "cache-control",
      ];
      const values = rest.map((name) => headers.get(name));
      assertEquals(values, ["nosniff", "DENY", "no-referrer", "no-store"], String(status));
      assertEquals(headers.get("access-control-allow-origin"), null);
    }
  }, { metrics });
});

Deno.test("Dashboard's page has all its files, from nowhere else and without the token", async () => {
  await withDashboard(async (dashboard) => {
    const { text } = await ask(dashboard, "/");
    assert(!text.includes(TOKEN));
    assert(!/<script>|<style|\bon\w+=|javascript:|https?:|style="/.test(text));
    const files = [...text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => path!);
    const seen = new Set<string>();
    while (files.length > 0) {
      const path = files.pop()!;
      if (seen.has(path)) continue;
      seen.add(path);
      const file = await ask(dashboard, `/${path}`, { headers: NO_TOKEN });
      assertEquals(file.status, 200, path);
      const type = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
      const expected = type[path.split(".").at(-1) as keyof typeof type];
      assertStringIncludes(file.headers.get("content-type")!, expected);
      const folder = path.slice(0, path.lastIndexOf("/"));
      for (const [, name] of file.text.matchAll(/^import .* from "\.\/(\w+\.js)";$/gm)) {
        files.push(`${folder}/${name}`);
      }
    }
    assert(seen.size >= 15, [...seen].join());
    // Whoever has not seen the page does not know where they are.
    for (const path of ["/assets/main.js", "/assets/x/main.js", "/main.js"]) {
      assertEquals((await ask(dashboard, path, { headers: NO_TOKEN })).status, 401, path);
    }
    const unknown = [...seen][0]!.replace(/[^/]+$/, "constructor");
    assertEquals((await ask(dashboard, `/${unknown}`)).status, 404);
  });
});

Deno.test("Dashboard knows no other paths and methods", async () => {
  await withDashboard(async (dashboard, asked) => {
    for (
      const path of ["/nothing", "/metrics", "/index.html", "//", "/events/", "/actions/toString"]
    ) {
      assertEquals((await ask(dashboard, path)).status, 404, path);
    }
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      for (const path of ["/", "/events", "/health"]) {
        const { status, headers } = await ask(dashboard, path, { method });
        assertEquals([status, headers.get("allow")], [405, "GET, HEAD"], `${method} ${path}`);
      }
    }
    for (const method of ["GET", "HEAD", "PUT"]) {
      const { status, headers } = await ask(dashboard, "/actions/kick", { method });
      assertEquals([status, headers.get("allow")], [405, "POST"], method);
    }
    assertEquals(asked, []);
  });
});

Deno.test("Dashboard's /health tells strangers only whether all is well", async () => {
  for (const [ok, status, word] of [[true, 200, "ok\n"], [false, 503, "not ok\n"]] as const) {
    await withDashboard(async (dashboard) => {
      const short = await ask(dashboard, "/health", { headers: NO_TOKEN });
      assertEquals([short.status, short.text], [status, word]);
      const full = await ask(dashboard, "/health");
      assertEquals([full.status, JSON.parse(full.text)], [status, { ok, lateMs: 3 }]);
      const wrong = await ask(dashboard, "/health?token=another-token-here", { headers: NO_TOKEN });
      assertEquals(wrong.status, 401);
    }, { health: () => ({ ok, lateMs: 3 }) });
  }
});

Deno.test("Dashboard's /metrics is what scrapers expect; a failure in it is an answer too", async () => {
  await withDashboard(async (dashboard) => {
    const { text, headers } = await ask(dashboard, "/metrics");
    assertEquals(text, "up 1\n");
    assertEquals(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  }, { metrics: () => Promise.resolve(metrics()) });
  await withDashboard(async (dashboard) => {
    const { status, text, headers } = await ask(dashboard, "/metrics");
    assertEquals([status, text.includes("secret")], [500, false]);
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals((await ask(dashboard, "/")).status, 200);
  }, { metrics: () => Promise.reject(new Error("secret")) });
});

const act = (body: unknown, headers: HeadersInit = {}): RequestInit => ({
  method: "POST",
  headers,
  body: typeof body === "string" ? body : JSON.stringify(body),
});

Deno.test("Dashboard does what is asked, and says what is wrong with it", async () => {
  await withDashboard(async (dashboard, asked) => {
    const cases: [action: string, body: unknown, status: number, text: string][] = [
      ["kick", { service: "sync", address: "192.0.2.7:5" }, 200, '{"ok":true}'],
      ["ban", { network: "192.0.2.0/24" }, 200, '{"ok":true}'],
      ["unban", { network: "192.0.2.0/24" }, 200, '{"ok":true}'],
      ["kick", { service: "sync", address: "gone" }, 404, '{"error":"gone is not there any more"}'],
      ["ban", { network: "me" }, 400, '{"error":"not you"}'],
      ["unban", { network: "unknown" }, 404, '{"error":"unknown is not banned"}'],
    ];
    for (const [action, body, status, text] of cases) {
      const answer = await ask(dashboard, `/actions/${action}`, act(body));
      assertEquals([answer.status, answer.text], [status, text]);
    }
    const did = ["kick sync 192.0.2.7:5", "ban 192.0.2.0/24", "unban 192.0.2.0/24"];
    assertEquals(asked, [...did, "kick sync gone", "ban me", "unban unknown"]);
  });
});

Deno.test("Dashboard does nothing for a body that is not what it should be", async () => {
  await withDashboard(async (dashboard, asked) => {
    const bodies = ["", "{", "null", "[]", '"x"', "{}", '{"network":5}', '{"network":{"a":"b"}}']
      .concat(['{"network":""}', '{"__proto__":{"network":"x"}}', '{"network":["x"]}', "\xff"]);
    for (const action of ["kick", "ban", "unban"]) {
      for (const body of bodies) {
        const { status, text } = await ask(dashboard, `/actions/${action}`, act(body));
        assertEquals(status, 400, `${action} ${body}`);
        assertEquals(typeof JSON.parse(text).error, "string");
      }
    }
    const long = act({ network: "x".repeat(5_000) });
    assertEquals((await ask(dashboard, "/actions/ban", long)).status, 413);
    assertEquals(asked, []);
  });
});

Deno.test("Dashboard does not wait for a body that never comes, nor keep all of one", async () => {
  await withDashboard(async (dashboard, asked) => {
    const head =
      `POST /actions/ban HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n`;
    const endless = await sendRaw(dashboard, `${head}Content-Length: 999999999\r\n\r\n{`);
    await endless.write(new Uint8Array(8_000).fill(32));
    const bytes = new Uint8Array(100);
    const read = await within("an answer", endless.read(bytes));
    assertMatch(new TextDecoder().decode(bytes.subarray(0, read!)), /^HTTP\/1\.1 413/);
    endless.close();
    const silent = await sendRaw(dashboard, `${head}Content-Length: 20\r\n\r\n{`);
    const late = await within("an answer", silent.read(bytes));
    assertMatch(new TextDecoder().decode(bytes.subarray(0, late!)), /^HTTP\/1\.1 408/);
    silent.close();
    assertEquals(asked, []);
  });
});

Deno.test("Dashboard acts only for a token in the header: a link or a form has none", async () => {
  await withDashboard(async (dashboard, asked) => {
    const path = `/actions/ban?token=${TOKEN}`;
    const answer = await ask(dashboard, path, act({ network: "192.0.2.7" }, NO_TOKEN));
    assertEquals(answer.status, 401);
    assertStringIncludes(answer.text, "Authorization");
    assertEquals(asked, []);
  });
});

Deno.test("Dashboard does nothing when it only shows", async () => {
  await withDashboard(async (dashboard, asked) => {
    for (const action of ["kick", "ban", "unban"]) {
      const body = { service: "sync", address: "192.0.2.7:5", network: "192.0.2.7" };
      assertEquals((await ask(dashboard, `/actions/${action}`, act(body))).status, 403);
    }
    assertEquals(asked, []);
  }, { isReadonly: true });
});

Deno.test("Dashboard.close() ends at once: idle connections, half a request, an answer under way", async () => {
  const asked = Promise.withResolvers<void>();
  const never = Promise.withResolvers<string>();
  const dashboard = openDashboard({
    ...OPTIONS,
    metrics: () => {
      asked.resolve();
      return never.promise;
    },
  });
  const connections = await Promise.all([
    sendRaw(dashboard, ""),
    sendRaw(dashboard, "GET / HTTP/1.1\r\nHo"),
    sendRaw(dashboard, `GET /metrics?token=${TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
    sendRaw(dashboard, `GET /events?token=${TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
  ]);
  await asked.promise;
  await until("a viewer", () => dashboard.viewers === 1);
  await within("the end", dashboard.close(), 2_000);
  await until("nobody", () => dashboard.viewers === 0);
  await within("the end of connections", Promise.all(connections.map(readToEnd)), 2_000);
  const next = openDashboard({ ...OPTIONS, port: dashboard.port });
  await next.close();
  await assertUnreachable(urlOf(dashboard, "/"));
  never.resolve("");
});

async function readToEnd(connection: Deno.TcpConn): Promise<void> {
  await new Response(connection.readable).text().catch(() => {}); // A reset is an end too.
}

async function assertUnreachable(url: string): Promise<void> {
  const response = await fetch(url).catch(() => undefined);
  assertEquals(response, undefined);
}
