/** Those who do not belong: rubbish on every port, in between. */
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { encodeIdRequest, encodeState } from "../../lib/protocols/sync/wire.ts";
import { pick } from "./pick.ts";
import type { Stage } from "./stage.ts";

const UDP = ["sync", "rendezvous", "arena", "echo", "world"] as const;
/** No player is at this address: what it spoils, it spoils for itself. */
const HOSTNAME = Deno.build.os === "linux" ? "127.0.0.99" : "127.0.0.1";
const RUBBISH_BYTES_MAX = 1_500;
const utf8 = new TextEncoder();

/** What begins like something sensible. */
const SENSIBLE: readonly Uint8Array[] = [
  encodeIdRequest(),
  encodeState(1n, utf8.encode("a stranger")),
  jsonFormat().encode({ kind: "event", name: "message", payload: "a stranger" }),
  jsonFormat().encode({ kind: "join" }),
  utf8.encode('{"type":"register_host","name":"stranger","valid-for":60}'),
  Uint8Array.of(0x82, 0xa1, 0x74, 0x01, 0xa1, 0x70, 0xc0),
];

/** Sends to all ports of a server what nobody asked for. */
export class Strangers {
  readonly #stage: Stage;
  readonly #conn = Deno.listenDatagram({ transport: "udp", hostname: HOSTNAME, port: 0 });
  readonly #hanging = new Set<Deno.TcpConn>();
  #sending: Promise<unknown> = Promise.resolve();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Some rubbish to one of the ports. */
  beat(): void {
    const { random, book, ports } = this.#stage;
    const port = ports[pick(random, UDP)!];
    const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
    for (let left = 1 + Math.floor(5 * random()); left > 0; left--) {
      book.fault("a stranger's datagram");
      const bytes = this.#rubbish();
      this.#sending = this.#sending.then(() => this.#conn.send(bytes, to)).catch(() => {});
    }
    if (random() < 0.05) void this.#hang();
  }

  /** All that hangs is let go. */
  calmDown(): void {
    for (const conn of this.#hanging) conn.close();
    this.#hanging.clear();
  }

  async end(): Promise<void> {
    this.calmDown();
    await this.#sending;
    this.#conn.close();
  }

  /** Of something sensible a part, or with other bytes in it; or anything at all. */
  #rubbish(): Uint8Array {
    const { random } = this.#stage;
    const bytes = random() < 0.5
      ? pick(random, SENSIBLE)!.slice()
      : new Uint8Array(Math.floor(random() * RUBBISH_BYTES_MAX)).map(() => 256 * random());
    for (let changes = Math.floor(3 * random()); changes > 0 && bytes.length > 0; changes--) {
      bytes[Math.floor(random() * bytes.length)] = 256 * random();
    }
    return random() < 0.2 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
  }

  /** Connects to messages, or the dashboard, says half a sentence, and then nothing. */
  async #hang(): Promise<void> {
    const { random, book, ports } = this.#stage;
    const isDashboard = random() < 0.5;
    try {
      const port = isDashboard ? ports.dashboard : ports.messages;
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      if (this.#stage.isCalm) return conn.close();
      this.#hanging.add(conn);
      await conn.write(utf8.encode(isDashboard ? "GET / HTTP/1.1\r\nhost: loc" : "$half:a sent"));
      book.fault("a TCP connection hangs in the middle of a sentence");
    } catch {
      // The server is not there.
    }
  }
}
