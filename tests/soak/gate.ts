/** The TCP way between players and a server: it can stand still, be torn, and leave one side hanging. */

const CHUNK_BYTES = 16_384;

/** A port on this computer that leads to another one. */
export class Gate implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #target: Deno.ConnectOptions;
  readonly #pairs = new Set<Pair>();
  readonly #held = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;

  constructor(port: number) {
    this.#target = { hostname: "127.0.0.1", port };
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** How many connections the server has that nobody is at the other end of. */
  get held(): number {
    return this.#held.size;
  }

  /** Nothing moves for a while, in both directions; nothing is lost. */
  stall(ms: number): void {
    for (const pair of this.#pairs) pair.stall(ms);
  }

  /** Everything moves again. */
  flow(): void {
    for (const pair of this.#pairs) pair.flow();
  }

  /** Ends all connections at both ends. */
  tear(): void {
    for (const pair of this.#pairs) pair.end();
  }

  /** The players' ends are gone; the server has a connection that says nothing and ends never. */
  forsake(): void {
    for (const { near, far } of this.#pairs) {
      this.#held.add(far);
      close(near);
    }
  }

  /** Lets go of those. */
  release(): void {
    for (const conn of this.#held) close(conn);
    this.#held.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.release();
    this.tear();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    try {
      for await (const near of this.#listener) void this.#lead(near);
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #lead(near: Deno.TcpConn): Promise<void> {
    let far: Deno.TcpConn;
    try {
      far = await Deno.connect({ ...this.#target, transport: "tcp" });
    } catch {
      return close(near); // The server is not there.
    }
    const pair = new Pair(near, far);
    this.#pairs.add(pair);
    await pair.pumped;
    this.#pairs.delete(pair);
    close(near);
    if (!this.#held.has(far)) close(far);
  }
}

class Pair {
  readonly near: Deno.TcpConn;
  readonly far: Deno.TcpConn;
  /** Settles when nothing moves any more. */
  readonly pumped: Promise<unknown>;
  #flowing: PromiseWithResolvers<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(near: Deno.TcpConn, far: Deno.TcpConn) {
    this.near = near;
    this.far = far;
    // When one way has ended, so does the other: the services here know no half-closed connections.
    this.pumped = Promise.race([this.#pump(near, far), this.#pump(far, near)]);
  }

  stall(ms: number): void {
    this.#flowing ??= Promise.withResolvers();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flow(), ms);
  }

  flow(): void {
    clearTimeout(this.#timer);
    this.#flowing?.resolve();
    this.#flowing = undefined;
  }

  end(): void {
    this.flow();
    close(this.near);
    close(this.far);
  }

  async #pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(CHUNK_BYTES);
    try {
      for (let count; (count = await from.read(buffer)) !== null;) {
        await this.#flowing?.promise;
        for (let at = 0; at < count;) at += await to.write(buffer.subarray(at, count));
      }
    } catch {
      // One of them was closed.
    }
  }
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It was closed before.
  }
}
