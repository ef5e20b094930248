/** Those who watch the dashboard: they come and go, some without reading what they are sent. */
import { TOKEN } from "./server.ts";
import type { Stage } from "./stage.ts";

const VIEWERS_MAX = 4;
const utf8 = new TextEncoder();

/** Some pages, open for a while each. */
export class DashboardViewers {
  readonly #stage: Stage;
  /** The connections of those who watch, the oldest first. */
  readonly #viewers = new Set<Deno.TcpConn>();
  #opening: Promise<void> = Promise.resolve();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  beat(): void {
    const { random } = this.#stage;
    if (random() > 0.1) return;
    const [oldest] = this.#viewers;
    if (oldest && (this.#viewers.size >= VIEWERS_MAX || random() < 0.4)) this.#close(oldest);
    else this.#opening = this.#opening.then(() => this.#open(random() < 0.7));
  }

  /** Nobody watches. */
  async calmDown(): Promise<void> {
    await this.#opening;
    for (const viewer of this.#viewers) this.#close(viewer);
  }

  async #open(isReading: boolean): Promise<void> {
    const { book, ports: { dashboard: port } } = this.#stage;
    try {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      this.#viewers.add(conn);
      const lines = [
        "GET /events HTTP/1.1",
        `Host: 127.0.0.1:${port}`,
        `Authorization: Bearer ${TOKEN}`,
      ];
      await conn.write(utf8.encode(`${lines.join("\r\n")}\r\n\r\n`));
      book.fault(
        isReading ? "a viewer of the dashboard comes" : "a viewer that reads nothing comes",
      );
      if (isReading) void this.#readAll(conn);
    } catch {
      // The server is not there.
    }
  }

  async #readAll(conn: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      while (await conn.read(buffer) !== null);
    } catch {
      // It left.
    }
    this.#close(conn);
  }

  #close(viewer: Deno.TcpConn): void {
    if (this.#viewers.delete(viewer)) viewer.close();
  }
}
