/** A dashboard on a free port, and requests as a browser would not make them. */
import {
  type Dashboard,
  type DashboardOptions,
  openDashboard,
} from "../../../lib/home/dashboard/dashboard.ts";

/** What the tests' dashboards ask for. */
export const TOKEN = "a-token-for-tests";

/** What was asked of the controls. */
export type Asked = string[];

/** Opens one for as long as `run` takes. */
export async function withDashboard(
  run: (dashboard: Dashboard, asked: Asked) => void | Promise<void>,
  options: Partial<DashboardOptions> = {},
): Promise<void> {
  const asked: Asked = [];
  const dashboard = openDashboard({
    hostname: "127.0.0.1",
    port: 0,
    token: TOKEN,
    isReadonly: false,
    logTail: () => [],
    controls: {
      kick: (service, address) =>
        asked.push(`kick ${service} ${address}`) > 0 && address !== "gone",
      ban: (text) => asked.push(`ban ${text}`) > 0 && text === "me" ? "not you" : undefined,
      unban: (text) => asked.push(`unban ${text}`) > 0 && text !== "unknown",
    },
    ...options,
  });
  try {
    await run(dashboard, asked);
  } finally {
    await dashboard.close();
  }
}

/** The address of a page without the token. */
export function urlOf({ port }: Dashboard, path: string): string {
  return `http://127.0.0.1:${port}${path}`;
}

/** A status and a whole body. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

/** Asks, with the token unless `headers` say something else. */
export async function ask(
  dashboard: Dashboard,
  path: string,
  init: RequestInit = {},
): Promise<Answer> {
  const headers = { authorization: `Bearer ${TOKEN}`, ...init.headers };
  const response = await fetch(urlOf(dashboard, path), { ...init, headers });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Sends bytes as they are; the connection is the caller's to close. */
export async function sendRaw({ port }: Dashboard, request: string): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(request));
  return connection;
}

/** The status that answers a request for the page with these headers, the token among them. */
export async function statusWith(dashboard: Dashboard, headers: string): Promise<number> {
  const request = `GET /?token=${TOKEN} HTTP/1.1\r\nConnection: close\r\n${headers}\r\n`;
  using connection = await sendRaw(dashboard, request);
  const text = await new Response(connection.readable).text();
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}
