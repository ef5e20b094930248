/**
 * Clients of a world for `bench/world_capacity.ts`: some mirror it and measure, the others only ack.
 *
 *     deno run --allow-net bench/world_crowd.ts PORT CLIENTS SECONDS ORIGINALS
 *
 * ORIGINALS of them understand snapshots only. It begins to measure when it is told to by a line.
 */
import { UdpHost } from "../lib/hosts/udp.ts";
import { openTowards } from "../lib/clients/reach.ts";
import { Histogram } from "../lib/parts/histogram.ts";
import type { Engine, Outbox, Peer } from "../lib/protocols/engine.ts";
import { createWorldClient } from "../lib/protocols/world/client.ts";
import { KNOCK } from "../lib/protocols/world/messages.ts";
import { decodePacket, encodeAck, encodeMessage } from "../lib/protocols/world/wire.ts";
import { ageMs } from "./world_stamp.ts";

const [port, count, seconds, originals] = Deno.args.map(Number) as [number, number, number, number];
/** So many mirror everything; what JSON costs them is not the server's. */
const PROBES = 8;
const SNAPS_ONLY = new TextEncoder().encode('{"type":"knock"}');
const latencyMs = new Histogram();
let updates = 0;
let isMeasuring = false;

/** Acks whatever comes, and never reads it. */
class Acker implements Engine<never> {
  readonly #knock: Uint8Array;
  #server: Peer | undefined;
  #knockAt = Infinity;

  constructor(knock: Uint8Array) {
    this.#knock = encodeMessage(0, knock);
  }

  connect(server: Peer): void {
    this.#server = server;
    this.#knockAt = 0;
  }

  receive(datagram: Uint8Array, from: Peer, _now: number, out: Outbox<never>): void {
    const packet = decodePacket(datagram.subarray(0, datagram.length));
    if (packet.kind !== "message") return;
    this.#knockAt = Infinity;
    out.send(from, encodeAck(packet.sequence));
  }

  advance(now: number, out: Outbox<never>): void {
    if (now < this.#knockAt) return;
    out.send(this.#server!, this.#knock);
    this.#knockAt = now + 1_000;
  }

  nextDeadline(): number {
    return this.#knockAt;
  }

  remembers(): boolean {
    return true;
  }
}

async function mirror(): Promise<void> {
  const engine = createWorldClient({ random: Math.random });
  const host = new UdpHost(engine, await openTowards(["127.0.0.1"]), {
    onEvent(event): void {
      if (event.kind !== "changed" || !isMeasuring) return;
      updates++;
      latencyMs.record(ageMs(event.traits.position[0]));
    },
  });
  host.act((now, out) => engine.connect([host.peerAt("127.0.0.1", port)], now, out));
}

async function ack(knock: Uint8Array): Promise<void> {
  const engine = new Acker(knock);
  const host = new UdpHost(engine, await openTowards(["127.0.0.1"]));
  host.act(() => engine.connect(host.peerAt("127.0.0.1", port)));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const probes = Math.min(PROBES, count - originals);
for (let client = 0; client < count; client++) {
  if (client < probes) await mirror();
  else await ack(client >= count - originals ? SNAPS_ONLY : KNOCK);
  await pause(10); // The server lets one network knock no faster than it can answer.
}
console.log(JSON.stringify({ event: "knocked" }));
await Deno.stdin.read(new Uint8Array(16)); // When all have everything.
isMeasuring = true;
await pause(1_000 * seconds);
console.log(JSON.stringify({
  event: "summary",
  updatesHzEach: updates / seconds / Math.max(1, probes),
  latencyMsP50: latencyMs.percentile(0.5),
  latencyMsP99: latencyMs.percentile(0.99),
}));
Deno.exit(0);
