/** The dashboard: a web page that shows what goes on in a process of services, and its server. */
import type { LogLine } from "../../observe/log.ts";
import type { Report } from "../../observe/report.ts";
import type { Controls } from "../controls.ts";
import { act, type ActionResult, isAction } from "./actions.ts";
import { ASSETS, pageIn } from "./assets.ts";
import {
  bearerOf,
  isHostAllowed,
  isSameToken,
  newToken,
  TOKEN_LENGTH_MIN,
  tokenOf,
} from "./guard.ts";
import { pause } from "../within.ts";
import { Viewers, VIEWERS_MAX } from "./viewers.ts";

/** Whether all is well, and whatever else there is to say of it. */
export interface Health {
  ok: boolean;
  [detail: string]: unknown;
}

/** What a dashboard is made of. */
export interface DashboardOptions {
  /** Where to listen: an IP address, or `localhost`. */
  hostname: string;
  /** 0 takes a free one. */
  port: number;
  /** What everybody must know who is to see anything: 16 characters or more, see {@link newToken}. */
  token: string;
  /** Nobody can be sent away or banned from the page. */
  isReadonly: boolean;
  /** Names by which a browser may ask for the page, besides `localhost` and any IP address. */
  hostnames?: readonly string[];
  /** The last lines of the log, the oldest first: a page that is opened begins with them. */
  logTail: () => readonly LogLine[];
  controls: Controls;
  /** The text of `/metrics`, in the format of Prometheus. Without it there is no such page. */
  metrics?: () => string | Promise<string>;
  /** Told in words when the page cannot be had for a while. Default: nobody is. */
  onProblem?: (problem: string) => void;
  /** Called when it can be had again. */
  onMended?: () => void;
  /** For `/health`. Without it all is well as long as there is an answer. */
  health?: () => Health;
}

/** A dashboard that is open. */
export interface Dashboard {
  /** The address to open in a browser; it contains the token. */
  readonly url: string;
  readonly port: number;
  /** How many pages are being told. */
  readonly viewers: number;
  /** Tells all pages, and keeps it for those that are opened later. To be called once a second. */
  publish(report: Report): void;
  /** Tells all pages with the next report. What {@link DashboardOptions.logTail} says is not touched. */
  log(line: LogLine): void;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

/** Everything comes from here, as files of their own, and nothing may be put around the page. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; " +
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** After the system gave no more connections. */
const LISTEN_AGAIN_MS = 1_000;

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";
const EVENTS = "text/event-stream";
const METRICS = "text/plain; version=0.0.4; charset=utf-8";

const NO_HOST = "This name is not one of the dashboard's. Open the address that netsync printed.";
const NO_TOKEN = "The dashboard needs its token: open the address that netsync printed.";
const NO_BEARER = 'Actions need the token in the header "Authorization: Bearer TOKEN".';
const READONLY = "this dashboard only shows: netsync was started so";
const FULL = `${VIEWERS_MAX} pages are open already, which is the limit: close one of them.`;
const NO_PAGE = "There is no such page.";

/**
 * Opens a dashboard.
 *
 * @throws {RangeError} The token is too short.
 * @throws {Deno.errors.AddrInUse} Another program has the port.
 * @throws {Error} The address cannot be had for another reason.
 */
export function openDashboard(options: DashboardOptions): Dashboard {
  if (options.token.length < TOKEN_LENGTH_MIN) {
    throw new RangeError(`the token must have ${TOKEN_LENGTH_MIN} characters or more`);
  }
  return new DashboardServer(options);
}

class DashboardServer implements Dashboard {
  readonly url: string;
  readonly port: number;
  readonly #options: DashboardOptions;
  readonly #viewers = new Viewers();
  /** Nobody knows where the files are who has not seen the page: they need no token of their own. */
  readonly #assets = `assets/${newToken()}`;
  readonly #stopping = new AbortController();
  #server: Deno.HttpServer<Deno.NetAddr>;
  /** Ends when nothing is served any more. */
  readonly #serving: Promise<void>;

  constructor(options: DashboardOptions) {
    this.#options = options;
    const { hostname, port } = options;
    this.#server = this.#listen(port);
    this.port = this.#server.addr.port;
    this.#serving = this.#serveOn();
    this.url = `http://${hostInUrl(hostname)}:${this.port}/?token=${
      encodeURIComponent(options.token)
    }`;
  }

  get viewers(): number {
    return this.#viewers.count;
  }

  publish(report: Report): void {
    this.#viewers.publish(report);
  }

  log(line: LogLine): void {
    this.#viewers.log(line);
  }

  close(): Promise<void> {
    this.#stopping.abort();
    return this.#serving;
  }

  #listen(port: number): Deno.HttpServer<Deno.NetAddr> {
    return Deno.serve({
      hostname: this.#options.hostname,
      port,
      signal: this.#stopping.signal,
      onListen: (): void => {}, // Whoever opened it says so.
      onError: (): Response => text(500, "netsync made a mistake with this page."),
    }, (request) => this.#answer(request));
  }

  /** Listens again after the system gave no more connections, which ends a server, but no game. */
  async #serveOn(): Promise<void> {
    const { signal } = this.#stopping;
    let isListening = true;
    for (;;) {
      try {
        if (isListening) await this.#server.finished;
      } catch (error) {
        this.#options.onProblem?.(`the dashboard is closed for a moment: ${error}`);
      }
      await pause(LISTEN_AGAIN_MS, signal);
      if (signal.aborted) return;
      try {
        this.#server = this.#listen(this.port);
        isListening = true;
        this.#options.onMended?.();
      } catch {
        isListening = false; // Not yet.
      }
    }
  }

  async #answer(request: Request): Promise<Response> {
    const { hostnames = [], token } = this.#options;
    if (!isHostAllowed(request.headers.get("host"), hostnames)) return text(421, NO_HOST);
    const url = new URL(request.url);
    const file = this.#file(url.pathname);
    if (file) return isReading(request) ? file : onlyBy("GET, HEAD");
    const given = tokenOf(request, url);
    if (given === undefined && url.pathname === "/health") return this.#health(request, false);
    if (!isSameToken(given, token)) return text(401, NO_TOKEN, { "www-authenticate": "Bearer" });
    const [, action] = /^\/actions\/(\w+)$/.exec(url.pathname) ?? [];
    if (action !== undefined && isAction(action)) return await this.#act(action, request);
    return await this.#page(url.pathname, request);
  }

  #file(path: string): Response | undefined {
    if (!path.startsWith(`/${this.#assets}/`)) return undefined;
    const asset = ASSETS.get(path.slice(this.#assets.length + 2));
    return asset && answer(200, asset.type, asset.text);
  }

  async #page(path: string, request: Request): Promise<Response> {
    const { metrics } = this.#options;
    const isThere = ["/", "/events", "/health"].includes(path) || (path === "/metrics" && metrics);
    if (!isThere) return text(404, NO_PAGE);
    if (!isReading(request)) return onlyBy("GET, HEAD");
    if (path === "/events") return this.#events();
    if (path === "/health") return this.#health(request, true);
    if (path === "/metrics") return answer(200, METRICS, await metrics!());
    return answer(200, "text/html; charset=utf-8", pageIn(this.#assets));
  }

  #events(): Response {
    if (this.#viewers.isFull) return text(503, FULL);
    const { isReadonly, logTail } = this.#options;
    return answer(200, EVENTS, this.#viewers.open({ isReadonly, log: logTail() }));
  }

  #health(request: Request, isDetailed: boolean): Response {
    if (!isReading(request)) return onlyBy("GET, HEAD");
    const health = this.#options.health?.() ?? { ok: true };
    const status = health.ok ? 200 : 503;
    if (isDetailed) return answer(status, JSON_TYPE, JSON.stringify(health));
    return text(status, health.ok ? "ok" : "not ok");
  }

  async #act(action: string, request: Request): Promise<Response> {
    const { controls, isReadonly, token } = this.#options;
    if (request.method !== "POST") return onlyBy("POST");
    // A token in the address could be that of a link or a form that somebody else made.
    if (!isSameToken(bearerOf(request), token)) return result({ status: 401, error: NO_BEARER });
    if (isReadonly) return result({ status: 403, error: READONLY });
    return result(await act(action, request, controls));
  }
}

function hostInUrl(hostname: string): string {
  // Every address of the machine is no address to open.
  if (hostname === "0.0.0.0" || hostname === "::") return "localhost";
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

function isReading({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

function answer(status: number, type: string, body: BodyInit, more?: HeadersInit): Response {
  return new Response(body, { status, headers: { ...HEADERS, "content-type": type, ...more } });
}

function text(status: number, sentence: string, more?: Record<string, string>): Response {
  return answer(status, TEXT, `${sentence}\n`, more);
}

function onlyBy(methods: string): Response {
  return text(405, `Only by ${methods}.`, { allow: methods });
}

function result({ status, error }: ActionResult): Response {
  return answer(status, JSON_TYPE, JSON.stringify(error === undefined ? { ok: true } : { error }));
}
