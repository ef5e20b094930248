/** What the world's engines cost without sockets. */
import { seededRandom } from "../lib/parts/random.ts";
import type { Outbox, Peer } from "../lib/protocols/engine.ts";
import { createWorldClient } from "../lib/protocols/world/client.ts";
import { KNOCK } from "../lib/protocols/world/messages.ts";
import { createWorldServer, type WorldServerEvent } from "../lib/protocols/world/server.ts";
import {
  decodePacket,
  encodeAck,
  encodeMessage,
  looksLikeAck,
} from "../lib/protocols/world/wire.ts";
import { World } from "../lib/protocols/world/world.ts";

const CLIENTS = 100;
const BODIES = 200;

/** An outbox whose datagrams are acked, or kept for a mirror. */
class Answering implements Outbox<WorldServerEvent> {
  readonly backlog = 0;
  readonly unsent = 0;
  readonly sent: [to: Peer, datagram: Uint8Array][] = [];
  broadcast(): void {}
  emit(): void {}
  send(to: Peer, datagram: Uint8Array): void {
    this.sent.push([to, datagram]);
  }
}

function peer(number: number): Peer {
  const ip = `10.0.0.${number}`;
  return { ip, port: 5_000, address: `${ip}:5000`, network: ip };
}

const random = seededRandom(1);
const world = new World({ decimals: 3 });
for (let body = 0; body < BODIES; body++) world.spawn();
const server = createWorldServer({
  world,
  tickRateHz: 30,
  bytesPerSecond: 1e9,
  unixMs: () => 0,
  random,
  step(world, _seconds, time): void {
    for (let id = time % 3; id < BODIES; id += 3) {
      world.update(id, { position: [100 * random(), 100 * random(), 100 * random()] });
    }
  },
});
const out = new Answering();
let now = 0;
for (let client = 0; client < CLIENTS; client++) {
  server.receive(encodeMessage(0, KNOCK), peer(client), now, out);
}

function ackAll(): void {
  for (const [to, datagram] of out.sent.splice(0)) {
    const [high, low] = datagram as unknown as [number, number];
    if (!looksLikeAck(datagram)) server.receive(encodeAck(256 * high + low), to, now, out);
  }
}

/** One tick, with all its slices, and the ACKs of what was sent. */
function tick(): void {
  const end = now + 1_000 / 30;
  while (server.nextDeadline() <= end) {
    now = Math.max(now, server.nextDeadline());
    server.advance(now, out);
    ackAll();
  }
  now = end;
}
for (let ticks = 0; ticks < 60; ticks++) tick();

const diffs: Uint8Array[] = [];
const mirror = createWorldClient({ random });
const server1 = peer(200);
const ignore = (): void => {};
const nobody: Outbox<never> = {
  ...{ backlog: 0, unsent: 0 },
  ...{ send: ignore, broadcast: ignore, emit: ignore },
};
mirror.connect([server1], 0, nobody);
{
  const first = peer(0);
  const known = out.send.bind(out);
  out.send = (to, datagram): void => {
    if (to.address === first.address) diffs.push(datagram);
    known(to, datagram);
  };
  for (let ticks = 0; ticks < 30; ticks++) tick();
  out.send = known;
}

const payload = new Uint8Array(1_100);
const message = encodeMessage(7, payload);
const ack = encodeAck(7);

Deno.bench("encode a datagram of 1,121 bytes", () => {
  encodeMessage(7, payload);
});
Deno.bench("read an ACK", () => {
  decodePacket(ack);
});
Deno.bench("refuse a datagram without JSON", () => {
  decodePacket(message);
});
Deno.bench(
  `tell ${CLIENTS} clients what changed of ${BODIES} bodies at one tick, and read ACKs`,
  tick,
);
let next = 0;
Deno.bench("mirror one datagram of some 25 changed bodies", () => {
  mirror.receive(diffs[next++ % diffs.length]!, server1, next, nobody);
});
