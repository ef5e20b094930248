import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../lib/protocols/engine.ts";
import { Attachment } from "../../lib/protocols/attachment.ts";
import { peerAt, Recorder } from "../support/recorder.ts";

const JOIN = Uint8Array.of(1);
const HEARTBEAT = Uint8Array.of(2);
const WORD = Uint8Array.of(3);
const NAMES = ["", "join", "heartbeat", "word"];
const HEARTBEAT_MS = 10_000;
const SILENCE_MS = 30_000;

const [V4, V6, STRANGER] = [
  ...["192.0.2.1:9999", "[2001:db8::1]:9999", "198.51.100.9:9999"].map(peerAt),
] as [Peer, Peer, Peer];

/** A client that holds on to its server, and its time. */
class Holder {
  readonly attachment: Attachment;
  readonly out = new Recorder<never>();
  /** When the server was found lost. */
  readonly lostAt: number[] = [];

  constructor({ silenceMs = SILENCE_MS } = {}) {
    const times = { heartbeatMs: HEARTBEAT_MS, silenceMs };
    this.attachment = new Attachment({ join: JOIN, heartbeat: HEARTBEAT, ...times });
  }

  begin(...servers: Peer[]): void {
    this.attachment.begin(servers, this.out.now, this.out);
  }

  /** The server's welcome arrives. */
  welcome(from: Peer): void {
    this.attachment.heard(this.out.now);
    this.attachment.attach(from, this.out.now);
  }

  say(): void {
    this.attachment.say(WORD, this.out.now, this.out);
  }

  wait(ms: number): void {
    const end = this.out.now + ms;
    const { attachment, out } = this;
    for (let at = attachment.nextDeadline(); at <= end; at = attachment.nextDeadline()) {
      out.now = Math.max(at, out.now);
      if (attachment.advance(out.now, out)) this.lostAt.push(out.now);
      assert(attachment.nextDeadline() > out.now);
    }
    out.now = end;
  }

  takeSaid(): string[] {
    return this.out.takeSent().map(({ at, to, bytes }) => {
      const receiver = to === V4 ? "v4" : to === V6 ? "v6" : to.address;
      return `${at} ${NAMES[bytes[0]!]} ${receiver}`;
    });
  }
}

/** One that was let in at once. */
function attached(options: { silenceMs?: number } = {}): Holder {
  const holder = new Holder(options);
  holder.begin(V4, V6);
  holder.welcome(V4);
  holder.takeSaid();
  return holder;
}

Deno.test("Attachment does nothing before it begins", () => {
  const { attachment, out } = new Holder();
  assertEquals(attachment.nextDeadline(), Infinity);
  assert(!attachment.advance(1e9, out));
  attachment.say(WORD, 1e9, out);
  assertEquals([out.sent, attachment.server, attachment.heardAt], [[], undefined, -Infinity]);
  assert(!attachment.isServer(V4) && !attachment.remembers(V4));
});

Deno.test("Attachment asks one address after the other, and all again every second", () => {
  const holder = new Holder();
  holder.out.now = 5;
  holder.begin(V4, V6);
  holder.wait(2_999);
  const at = (time: number): string[] => [`${time} join v4`, `${time} join v6`];
  assertEquals(holder.takeSaid(), ["5 join v4", "255 join v6", ...[1_255, 2_255].flatMap(at)]);
  assertEquals(holder.attachment.nextDeadline(), 3_255);
});

Deno.test("Attachment says nothing else before the server answered", () => {
  const holder = new Holder();
  holder.begin(V4);
  holder.takeSaid();
  holder.say();
  assertEquals([holder.takeSaid(), holder.attachment.nextDeadline()], [[], 1_000]);
});

Deno.test("Attachment stays with the address that lets it in first", () => {
  const holder = new Holder();
  holder.begin(V4, V6);
  const { attachment } = holder;
  assertEquals([V4, V6, STRANGER].map((peer) => attachment.isServer(peer)), [true, true, false]);
  holder.welcome(V6);
  attachment.attach(V4, 0);
  assertEquals(attachment.server, V6);
  assertEquals([V4, V6, STRANGER].map((peer) => attachment.isServer(peer)), [false, true, false]);
  assertEquals([V4, V6, STRANGER].map((peer) => attachment.remembers(peer)), [true, true, false]);
  holder.takeSaid();
  holder.say();
  assertEquals(holder.takeSaid(), ["0 word v6"]);
});

Deno.test("Attachment says that it is there when it said nothing else for so long", () => {
  const holder = attached({ silenceMs: Infinity });
  holder.wait(9_999);
  holder.say();
  holder.wait(20_000);
  assertEquals(holder.takeSaid(), ["9999 word v4", "19999 heartbeat v4", "29999 heartbeat v4"]);
});

Deno.test("Attachment counts from the answer when it has to say that it is there", () => {
  const holder = new Holder();
  holder.begin(V4);
  holder.wait(700);
  holder.welcome(V4);
  holder.takeSaid();
  assertEquals(holder.attachment.nextDeadline(), 10_700);
  holder.attachment.attach(V4, 5_000);
  assertEquals(holder.attachment.nextDeadline(), 10_700, "another answer puts nothing off");
});

Deno.test("Attachment loses a server that it does not hear, and begins to ask as at first", () => {
  const holder = attached();
  holder.wait(1_000);
  holder.attachment.heard(1_000);
  assertEquals(holder.attachment.heardAt, 1_000);
  holder.wait(SILENCE_MS - 1);
  holder.takeSaid();
  assertEquals([holder.lostAt, holder.attachment.nextDeadline()], [[], 31_000]);
  holder.wait(1_001);
  assertEquals([holder.lostAt, holder.attachment.server], [[31_000], undefined]);
  assertEquals(holder.takeSaid(), [
    "31000 join v4",
    "31250 join v6",
  ]);
  holder.welcome(V6);
  assertEquals(holder.attachment.server, V6);
  holder.wait(SILENCE_MS);
  assertEquals(holder.lostAt, [31_000, 62_000]);
});

Deno.test("Attachment finds a server lost however late it is told the time", () => {
  const holder = attached();
  const { attachment, out } = holder;
  assert(attachment.advance(1e9, out));
  assert(!attachment.advance(1e9, out), "once");
  assertEquals(out.takeSent().map(({ bytes }) => bytes), [JOIN]);
  assertEquals(attachment.nextDeadline(), 1e9 + 250);
});

Deno.test("Attachment never loses a server that may be silent", () => {
  const holder = attached({ silenceMs: Infinity });
  holder.wait(3_600_000);
  assertEquals([holder.lostAt, holder.attachment.server], [[], V4]);
  assertEquals(holder.takeSaid().length, 360);
});

Deno.test("Attachment.advance() may be called early", () => {
  const holder = attached();
  for (let now = 0; now < HEARTBEAT_MS; now += 100) {
    assert(!holder.attachment.advance(now, holder.out));
  }
  assertEquals(holder.takeSaid(), []);
});

Deno.test("Attachment.begin() lets the server of before go", () => {
  const holder = attached();
  holder.wait(500);
  holder.begin(STRANGER);
  assertEquals(holder.takeSaid(), ["500 join 198.51.100.9:9999"]);
  const { attachment } = holder;
  assertEquals([V4, V6, STRANGER].map((peer) => attachment.isServer(peer)), [false, false, true]);
  assertEquals([attachment.server, attachment.remembers(V4)], [undefined, false]);
  holder.welcome(STRANGER);
  assertEquals(attachment.server, STRANGER);
});
