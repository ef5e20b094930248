import { assert, assertEquals, assertThrows } from "@std/assert";
import type { PeerInfo } from "../../../lib/protocols/rendezvous/message.ts";
import {
  DATAGRAM_BYTES_MAX,
  DEPTH_MAX,
  isAuthentic,
} from "../../../lib/protocols/rendezvous/wire.ts";
import type { Sent } from "../../support/recorder.ts";
import {
  endpointOf,
  FOREIGN,
  globalOf,
  HOST,
  hostOf,
  joinerOf,
  letterOf,
  localOf,
  playerInShort,
  Seat,
  SERVER,
  SESSION,
} from "./seat.ts";

const DIALECTS = [1, 2] as const;
const RESPONSE = { kind: "inquiryResponse", usedGlobal: true } as const;
const CHECKED = { kind: "checkResponse" } as const;
const AT_CASTLE = [`inquiry global > ${globalOf(HOST)}`, `inquiry local > ${localOf(HOST)}`];

/** A joiner of dialect 1 that was just introduced, and asks nobody else. */
function introduced({ global = globalOf(HOST), local = localOf(HOST) } = {}): Seat {
  const seat = joinerOf({}, false);
  seat.takeSaid();
  seat.introduce(HOST, { global, local });
  seat.takeEvents();
  return seat;
}

function pathOf(seat: Seat, name = HOST): string {
  return playerInShort(seat.player.players.get(name)!);
}

// ---- finding a way

for (const dialect of DIALECTS) {
  Deno.test(`createPlayer() inquires at both addresses every 500 ms, ten times, in dialect ${dialect}`, () => {
    const seat = joinerOf({ dialect }, false);
    seat.takeSaid();
    seat.introduce(HOST);
    seat.takeEvents();
    seat.play.wait(4_999);
    const expected = Array.from({ length: 10 }, (_, count) => {
      return AT_CASTLE.map((line) => `${count * 500} ${line}`);
    });
    assertEquals(seat.takeSaid(), expected.flat());
    assertEquals(seat.takeEvents(), []);
    seat.play.wait(1);
    assertEquals(seat.takeAll(), { said: [], events: [`lost ${HOST} inquiry`, "ended inquiry"] });
  });
}

Deno.test("createPlayer() goes on as host when a player never answers", () => {
  const seat = hostOf();
  seat.introduce("ada");
  seat.play.wait(5_000);
  assertEquals(seat.takeEvents().at(-1), "lost ada inquiry");
  assert(!seat.player.ended);
});

Deno.test("createPlayer() takes the address that answers first", () => {
  for (const [from, path] of [[globalOf(HOST), "global"], [localOf(HOST), "local"]] as const) {
    const seat = introduced();
    seat.takeSaid();
    seat.play.wait(30);
    // What the response says of the address does not count, but where it came from.
    seat.hear(HOST, { kind: "inquiryResponse", usedGlobal: path === "local" }, { from });
    assertEquals(seat.takeEvents(), [`confirmed ${HOST} ${path} ${from} 30`]);
    for (const later of [globalOf(HOST), localOf(HOST)]) {
      seat.play.wait(10);
      seat.hear(HOST, RESPONSE, { from: later });
    }
    seat.play.wait(10_000);
    assertEquals(seat.takeAll(), { said: [], events: [] });
    assertEquals(pathOf(seat), `${HOST} ${path} ${from} 30`);
  }
});

Deno.test("createPlayer() checks at once when it cannot know which inquiry was answered", () => {
  const seat = introduced();
  seat.play.wait(510);
  seat.takeSaid();
  seat.hear(HOST, RESPONSE);
  assertEquals(seat.takeAll(), {
    said: [`check > ${globalOf(HOST)}`],
    events: [`confirmed ${HOST} global ${globalOf(HOST)} ?`],
  });
  seat.play.wait(40);
  seat.hear(HOST, CHECKED);
  assertEquals(seat.takeEvents(), [`roundTrip ${HOST} global ${globalOf(HOST)} 40`]);
  seat.play.wait(14_999);
  assertEquals(seat.takeSaid(), []);
  seat.play.wait(1);
  assertEquals(seat.takeSaidNow(), [`check > ${globalOf(HOST)}`]);
});

Deno.test("createPlayer() answers an inquiry to where it came from, as it came", () => {
  for (const from of [globalOf(HOST), localOf(HOST)]) {
    for (const usedGlobal of [true, false]) {
      const seat = introduced();
      seat.takeSaid();
      seat.hear(HOST, { kind: "inquiry", usedGlobal }, { from });
      const answer = `inquiryResponse ${usedGlobal ? "global" : "local"} > ${from}`;
      assertEquals(seat.takeSaidNow(), [answer]);
      seat.hear(HOST, RESPONSE);
      seat.play.wait(200);
      seat.takeSaid();
      seat.hear(HOST, { kind: "inquiry", usedGlobal }, { from });
      assertEquals(seat.takeSaidNow(), [answer], "also when it has a way");
    }
  }
});

Deno.test("createPlayer() inquires where an inquiry came from, at most every 100 ms", () => {
  const seat = introduced();
  seat.takeSaid();
  const inquire = (): string[] => {
    seat.hear(HOST, { kind: "inquiry", usedGlobal: true });
    return seat.takeSaidNow().slice(1);
  };
  seat.play.wait(60);
  assertEquals(inquire(), []);
  assertEquals(inquire(), []);
  seat.play.wait(39);
  assertEquals(seat.takeSaid(), []);
  seat.play.wait(1);
  assertEquals(seat.takeSaid(), [`100 ${AT_CASTLE[0]}`], "as soon as 100 ms are over, once");
  seat.play.wait(100);
  assertEquals(inquire(), [AT_CASTLE[0]!], "they are over already");
  seat.play.wait(300);
  assertEquals(seat.takeSaid(), AT_CASTLE.map((line) => `500 ${line}`), "and as ever");
  assertEquals(inquire(), []);
  seat.hear(HOST, RESPONSE);
  seat.takeSaid();
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid().filter((line) => line.includes("inquiry")), [], "it is found");
});

Deno.test("createPlayer() tries only addresses that a player may have", () => {
  const local = localOf("ada"); // Its own.
  const cases: [string, string[]][] = [
    [localOf(HOST), [localOf(HOST)]],
    [local, []],
    ["::ffff:10.0.0.97:4000", []], // The own one in another spelling.
    ["10.0.0.97:4001", ["10.0.0.97:4001"]],
    ["::ffff:10.0.0.1:4000", [localOf(HOST)]],
    ["0.0.0.0:4000", []],
    [":::4000", []],
    [globalOf(HOST), []],
  ];
  for (const [local, also] of cases) {
    const seat = introduced({ local });
    const path = local === globalOf(HOST) ? "local" : "global";
    const said = [`inquiry ${path} > ${globalOf(HOST)}`];
    assertEquals(seat.takeSaidNow(), [...said, ...also.map((to) => `inquiry local > ${to}`)]);
  }
  const seat = introduced({ local: "0.0.0.0:4000" });
  seat.play.wait(500);
  assertEquals(seat.takeSaidNow().length, 2);
});

Deno.test("createPlayer() never sends where no single host can be", () => {
  for (const ip of ["224.0.0.1", "239.1.2.3", "255.255.255.255", "0.0.0.0", "ff02::1", "::"]) {
    for (const dialect of DIALECTS) {
      const far = hostOf({ dialect });
      far.introduce("ada", { global: `${ip}:4000` });
      assertEquals(far.takeAll(), { said: [], events: [`refused ${SERVER} address`] });
      const near = hostOf({ dialect });
      near.introduce("ada", { local: `${ip}:4000` });
      const to = near.takeSent().map(({ to }) => to.address);
      assert(to.every((address) => address === globalOf("ada")), `${to}`);
    }
  }
});

Deno.test("createPlayer() finds a player whose router has another port for everybody", () => {
  const seat = introduced();
  const [other, third] = [globalOf(HOST, 61_000), globalOf(HOST, 61_001)];
  seat.takeSaid();
  seat.hear(HOST, { kind: "check" }, { from: other });
  assertEquals(seat.takeAll(), { said: [], events: [`refused ${other} stranger`] });
  seat.hear(HOST, { kind: "inquiry", usedGlobal: true }, { from: other });
  const answers = [`inquiryResponse global > ${other}`, `inquiry global > ${other}`];
  assertEquals(seat.takeAll(), { said: answers, events: [] });
  assert(seat.player.remembers(seat.at(other)));
  seat.play.wait(500);
  assertEquals(seat.takeSaidNow(), [...AT_CASTLE, `inquiry global > ${other}`]);
  // One such address at a time: a liar behind the same router gets no more than that.
  seat.hear(HOST, { kind: "inquiry", usedGlobal: true }, { from: third });
  assert(!seat.player.remembers(seat.at(other)));
  seat.takeAll();
  seat.hear(HOST, RESPONSE, { from: other });
  assertEquals(seat.takeEvents(), [`refused ${other} stranger`]);
  seat.play.wait(25);
  seat.hear(HOST, RESPONSE, { from: third });
  assertEquals(seat.takeEvents(), [`confirmed ${HOST} global ${third} 25`]);
  seat.send(HOST, "x");
  assertEquals(seat.takeSaidNow(), [`unreliable "x" > ${third}`]);
});

Deno.test("createPlayer() takes no inquiry from another IP address, or when it has a way", () => {
  const seat = introduced();
  const inquiry = { kind: "inquiry", usedGlobal: true } as const;
  seat.takeSaid();
  for (const from of [FOREIGN, "10.0.0.1:4001", SERVER]) {
    seat.hear(HOST, inquiry, { from });
    assertEquals(seat.takeAll(), { said: [], events: [`refused ${from} stranger`] });
  }
  seat.hear(HOST, RESPONSE);
  seat.takeAll();
  const other = globalOf(HOST, 61_000);
  seat.hear(HOST, inquiry, { from: other });
  assertEquals(seat.takeAll(), { said: [], events: [`refused ${other} stranger`] });
});

Deno.test("createPlayer() hears who is not confirmed, and answers", () => {
  const seat = hostOf();
  seat.introduce("ada");
  seat.takeAll();
  seat.hear("ada", { kind: "check" });
  seat.hear("ada", { kind: "unreliable", message: 1 });
  seat.hear("ada", { kind: "reliable", id: 0, message: 2 });
  seat.hear("ada", CHECKED);
  seat.hear("ada", { kind: "reliableResponse", id: 0, message: 1 });
  assertEquals(seat.takeAll(), {
    said: [`checkResponse > ${globalOf("ada")}`, `reliableResponse 0 2 > ${globalOf("ada")}`],
    events: ["unreliable ada 1", "reliable ada 2"],
  });
  assertThrows(() => seat.send("ada", 1), RangeError, 'no player called "ada" is connected');
  assertThrows(() => seat.sendReliable("ada", 1), RangeError, "no player");
});

// ---- keeping it

for (const dialect of DIALECTS) {
  Deno.test(`createPlayer() checks every checkMs and loses who does not answer five, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect, checkMs: 6_000, refreshMs: 1_000_000 });
    seat.meet("ada"); // At 10 ms.
    const check = `check > ${globalOf("ada")}`;
    seat.play.waitUntil(6_010);
    assertEquals(seat.takeSaid(), [`6010 ${check}`]);
    seat.play.wait(30);
    seat.hear("ada", CHECKED);
    assertEquals(seat.takeEvents(), [`roundTrip ada global ${globalOf("ada")} 30`]);
    seat.play.wait(1_000);
    seat.hear("ada", CHECKED); // Nobody asked.
    seat.play.waitUntil(12_040 + 2_500);
    assertEquals(seat.takeSaid(), [`12040 ${check}`, `13040 ${check}`, `14040 ${check}`]);
    // Three are on their way: whose answer is it?
    seat.hear("ada", CHECKED);
    seat.hear("ada", CHECKED);
    assertEquals(seat.takeEvents(), []);
    assertEquals(pathOf(seat, "ada"), `ada global ${globalOf("ada")} 30`);
    seat.play.wait(6_000 + 4_999);
    assertEquals(
      seat.takeSaid(),
      [0, 1, 2, 3, 4].map((second) => {
        return `${14_540 + 6_000 + 1_000 * second} ${check}`;
      }),
    );
    assertEquals(seat.takeEvents(), []);
    seat.play.wait(1);
    assertEquals(seat.takeAll(), { said: [], events: ["lost ada check"] });
    assertEquals(seat.player.players.size, 0);
  });
}

Deno.test("createPlayer() answers to where the question came from", () => {
  const seat = hostOf();
  seat.meet("ada");
  for (const from of [globalOf("ada"), localOf("ada")]) {
    seat.hear("ada", { kind: "check" }, { from });
    assertEquals(seat.takeSaidNow(), [`checkResponse > ${from}`]);
    seat.hear("ada", { kind: "reliable", id: 0, message: 1 }, { from });
    assertEquals(seat.takeSaidNow(), [`reliableResponse 0 1 > ${from}`]);
  }
  assertEquals(seat.takeEvents(), ["reliable ada 1"]);
});

Deno.test("createPlayer() asks and tells a player where it answered first", () => {
  const seat = hostOf({ refreshMs: 1e9 });
  seat.introduce("ada");
  seat.hear("ada", RESPONSE, { from: localOf("ada") });
  seat.takeSaid();
  seat.play.wait(15_000);
  seat.send("ada", 1);
  seat.sendReliable("ada", 2);
  assertEquals(
    seat.takeSaidNow(),
    ["check", "unreliable 1", "reliable 0 2"].map((said) => {
      return `${said} > ${localOf("ada")}`;
    }),
  );
});

// ---- messages

const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1.5e-7,
  "",
  'é "日本" \u0000\u2028 😀',
  [],
  {},
  [[null, { "": [false] }]],
  JSON.parse('{"__proto__": 1, "type": "peer-check", "sender": "x", "constructor": null}'),
];

for (const dialect of DIALECTS) {
  Deno.test(`createPlayer() sends any JSON value, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect });
    seat.meet("ada");
    for (const value of VALUES) {
      seat.send("ada", value);
      const id = seat.sendReliable("ada", value);
      const letters = seat.takeSent().map(({ bytes }) => letterOf(bytes).message);
      assertEquals(letters, [
        { kind: "unreliable", message: value },
        { kind: "reliable", id, message: value, session: SESSION },
      ]);
      seat.hear("ada", { kind: "unreliable", message: value });
      seat.hear("ada", { kind: "reliable", id, message: value });
      const text = JSON.stringify(value);
      assertEquals(seat.takeEvents(), [`unreliable ada ${text}`, `reliable ada ${text}`]);
      const { bytes } = seat.takeSent()[0]!;
      const answer = { kind: "reliableResponse", id, message: value, session: undefined } as const;
      assertEquals(letterOf(bytes).message, answer, "an original's number comes back alone");
    }
  });

  Deno.test(`createPlayer() sends a message until it is answered for, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect });
    seat.meet("ada");
    assertEquals([seat.sendReliable("ada", "a"), seat.sendReliable("ada", "b")], [0, 1]);
    seat.takeSaid();
    seat.play.wait(70);
    seat.hear("ada", { kind: "reliableResponse", id: 1, message: "?", session: SESSION });
    assertEquals(seat.takeEvents(), [
      `roundTrip ada global ${globalOf("ada")} 70`,
      'receipt ada 1 "b"',
    ]);
    seat.hear("ada", { kind: "reliableResponse", id: 1, message: "b", session: SESSION });
    seat.hear("ada", { kind: "reliableResponse", id: 2, message: "b", session: SESSION });
    assertEquals(seat.takeEvents(), []);
    seat.play.waitUntil(210);
    assertEquals(seat.takeSaid(), [`210 reliable 0 "a" > ${globalOf("ada")}`]);
    // From an original, and after two attempts.
    seat.hear("ada", { kind: "reliableResponse", id: 0, message: "a" });
    assertEquals(seat.takeEvents(), ['receipt ada 0 "a"']);
    assertEquals(pathOf(seat, "ada"), `ada global ${globalOf("ada")} 70`);
    seat.play.wait(10_000);
    assertEquals(seat.takeSaid(), []);
  });
}

/** When a message is sent, from the first time on, and given up. */
function attemptsAt(roundTripMs: number | undefined): { sent: number[]; givenUp: number } {
  const seat = hostOf({ checkMs: 1_000_000, refreshMs: 1_000_000 });
  seat.introduce("ada");
  seat.play.wait(roundTripMs ?? 600);
  seat.hear("ada", RESPONSE);
  const start = seat.play.now;
  seat.takeAll();
  seat.sendReliable("ada", "x");
  const sent: number[] = [];
  for (let tenth = 0; tenth < 300; tenth++) {
    seat.play.wait(100);
    const again = seat.takeSent().filter(({ bytes }) =>
      letterOf(bytes).message.kind === "reliable"
    );
    sent.push(...again.map(({ at }) => at - start));
    // Whose round trip is not known is checked at once; it is there, but its answers come too late.
    if (sent.length === 3 && roundTripMs === undefined) seat.hear("ada", CHECKED);
    if (seat.takeEvents().includes('undelivered ada 0 "x"')) {
      seat.hear("ada", { kind: "reliableResponse", id: 0, message: "x" });
      assertEquals(seat.takeEvents(), [], "the answer comes too late");
      return { sent, givenUp: seat.play.now - start };
    }
  }
  throw new Error("it was never given up");
}

Deno.test("createPlayer() sends a message ever more slowly, and gives up after ten attempts", () => {
  const cases: [number | undefined, number[]][] = [
    [20, [200, 400, 800, 1_600, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000]],
    [100, [200, 400, 800, 1_600, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000]],
    [150, [300, 600, 1_200, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000]],
    [450, [900, 1_800, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000]],
    [undefined, [500, 1_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000]],
  ];
  for (const [roundTripMs, pauses] of cases) {
    const times = pauses.map((_, count) => pauses.slice(0, count).reduce((a, b) => a + b, 0));
    const { sent, givenUp } = attemptsAt(roundTripMs);
    assertEquals(sent, times, `${roundTripMs} ms`);
    assertEquals(givenUp, times.at(-1)! + 2_000);
  }
});

Deno.test("createPlayer() answers a message each time and tells it once", () => {
  const seat = hostOf();
  seat.meet("ada");
  const hear = (id: number, session?: number): string[] => {
    seat.hear("ada", { kind: "reliable", id, message: "x", session });
    assertEquals(seat.takeSaidNow(), [`reliableResponse ${id} "x" > ${globalOf("ada")}`]);
    return seat.takeEvents();
  };
  const told = ['reliable ada "x"'];
  assertEquals([hear(0), hear(0), hear(2), hear(1), hear(2), hear(1)], [
    told,
    [],
    told,
    told,
    [],
    [],
  ]);
  // Another start of the program counts anew; so does one without a number.
  assertEquals([hear(0, 7), hear(0, 7), hear(0, 8), hear(0)], [told, [], told, []]);
  // Far below the highest is as good as seen.
  assertEquals([hear(5_000), hear(3_000), hear(3_976), hear(3_977)], [told, [], [], told]);
});

Deno.test("createPlayer() repeats the session of what it answers", () => {
  const seat = hostOf();
  seat.meet("ada");
  seat.hear("ada", { kind: "reliable", id: 4, message: [1], session: 99 });
  const { message } = letterOf(seat.takeSent()[0]!.bytes);
  assertEquals(message, { kind: "reliableResponse", id: 4, message: [1], session: 99 });
});

Deno.test("createPlayer() takes the answer to another session's message for none", () => {
  const seat = hostOf();
  seat.meet("ada");
  seat.sendReliable("ada", "x");
  seat.hear("ada", { kind: "reliableResponse", id: 0, message: "x", session: SESSION + 1 });
  assertEquals(seat.takeEvents(), []);
  seat.hear("ada", { kind: "reliableResponse", id: 0, message: "x", session: SESSION });
  assertEquals(seat.takeEvents().at(-1), 'receipt ada 0 "x"');
});

Deno.test("createPlayer() remembers numbers when a player is lost and found", () => {
  const seat = hostOf();
  seat.meet("ada");
  seat.sendReliable("ada", "first");
  seat.hear("ada", { kind: "reliable", id: 0, message: "x", session: 7 });
  seat.hear("ada", { kind: "reliable", id: 0, message: "x" });
  seat.drop("ada");
  seat.takeAll();
  seat.play.wait(10_000);
  assertEquals(seat.takeSaid(), [], "what was on its way is not sent any more");
  seat.meet("ada");
  assertEquals(seat.sendReliable("ada", "second"), 1);
  seat.hear("ada", { kind: "reliable", id: 0, message: "x", session: 7 });
  assertEquals(seat.takeEvents(), []);
  seat.hear("ada", { kind: "reliable", id: 0, message: "x" });
  assertEquals(seat.takeEvents(), ['reliable ada "x"'], "originals begin at 0 with every link");
});

Deno.test("createPlayer() remembers the numbers of 256 players, and of those who are here", () => {
  const seat = hostOf({ checkMs: 1e9, refreshMs: 1e9 });
  seat.meet("ada");
  seat.meet("bob");
  for (const name of ["ada", "bob"]) seat.sendReliable(name, "x");
  seat.drop("bob");
  for (let count = 0; count < 254; count++) {
    seat.introduce(`x${count}`);
    seat.drop(`x${count}`);
  }
  seat.meet("bob");
  assertEquals(seat.sendReliable("bob", "x"), 1, "just not forgotten");
  seat.drop("bob");
  for (let count = 0; count < 200; count++) {
    seat.introduce(`z${count}`);
    seat.drop(`z${count}`);
  }
  seat.meet("bob");
  assertEquals(seat.sendReliable("bob", "x"), 2, "bob was here after most others");
  seat.drop("bob");
  for (let count = 0; count < 255; count++) {
    seat.introduce(`y${count}`);
    seat.drop(`y${count}`);
  }
  seat.meet("bob");
  assertEquals(seat.sendReliable("bob", "x"), 0, "forgotten");
  seat.drop("ada");
  seat.meet("ada");
  assertEquals(seat.sendReliable("ada", "x"), 1, "here all the time");
});

Deno.test("createPlayer() remembers the numbers of more than 256 players who are all here", () => {
  const seat = hostOf({ playersMax: 300, checkMs: 1e9, refreshMs: 1e9 });
  for (let count = 0; count < 256; count++) seat.introduce(`x${count}`);
  seat.meet("ada");
  seat.sendReliable("ada", "x");
  seat.drop("ada");
  seat.meet("ada");
  assertEquals(seat.sendReliable("ada", "x"), 1);
});

// ---- limits

Deno.test("createPlayer() has 256 messages to a player on their way at most", () => {
  const seat = hostOf();
  for (const name of ["ada", "bob"]) seat.meet(name);
  for (let id = 0; id < 256; id++) assertEquals(seat.sendReliable("ada", id), id);
  seat.takeSaid();
  assertThrows(() => seat.sendReliable("ada", "x"), RangeError, "too many messages");
  assertEquals(seat.takeSaid(), []);
  seat.sendReliable("bob", "x");
  seat.hear("ada", { kind: "reliableResponse", id: 17, message: 17 });
  assertEquals(seat.sendReliable("ada", "x"), 256);
  assertThrows(() => seat.sendReliable("ada", "x"), RangeError, "too many messages");
});

/** So many arrays in one another. */
function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

for (const dialect of DIALECTS) {
  Deno.test(`createPlayer() sends nothing that could not be read, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect });
    seat.meet("ada");
    const circle: unknown[] = [];
    circle.push(circle);
    const cases: [unknown, string][] = [
      [undefined, "it is no JSON value"],
      [(): void => {}, "it is no JSON value"],
      [Symbol("x"), "it is no JSON value"],
      [1n, "it is no JSON value"],
      [{ deep: [2n] }, "it is no JSON value"],
      [circle, "it is no JSON value"],
      [nested(DEPTH_MAX), "it is nested too deep"],
      ["x".repeat(DATAGRAM_BYTES_MAX), "it is too long"],
      ["é".repeat(DATAGRAM_BYTES_MAX / 2), "it is too long"],
    ];
    for (const [value, reason] of cases) {
      for (const method of ["send", "sendReliable"] as const) {
        assertThrows(() => seat[method]("ada", value), RangeError, reason);
        assertThrows(() => seat[method]("bob", value), RangeError, 'no player called "bob"');
      }
    }
    assertEquals(seat.takeAll(), { said: [], events: [] });
    assertEquals(seat.sendReliable("ada", nested(DEPTH_MAX - 1)), 0, "no number was used up");
    seat.send("ada", nested(DEPTH_MAX - 1));
  });

  Deno.test(`createPlayer() sends only what can be answered for in a datagram, in dialect ${dialect}`, () => {
    const [host, ada] = [hostOf({ dialect }), joinerOf({ dialect }, false)];
    host.meet("ada");
    // Where ada sees the host the address is as long as can be.
    const from = "2001:db8:1111:2222:3333:4444:5555:6666:65535";
    ada.introduce(HOST, { global: from });
    ada.takeAll();
    const longest = (method: "send" | "sendReliable"): number => {
      for (let length = DATAGRAM_BYTES_MAX;; length--) {
        try {
          host[method]("ada", "x".repeat(length));
          return length;
        } catch (error) {
          assert(error instanceof RangeError);
        }
      }
    };
    longest("send");
    assertEquals(host.takeSent()[0]!.bytes.length, DATAGRAM_BYTES_MAX);
    const length = longest("sendReliable");
    // As long as can be, and there and back again.
    assert(length > DATAGRAM_BYTES_MAX - 600, `${length}`);
    const message = host.takeSent()[0]!.bytes;
    ada.play.receive(message, ada.at(from));
    assertEquals(ada.takeEvents().length, 1);
    const answer = ada.takeSent()[0]!.bytes;
    assert(answer.length <= DATAGRAM_BYTES_MAX && answer.length > message.length);
    host.play.receive(answer, host.at(globalOf("ada")));
    assertEquals(host.takeEvents().at(-1)?.slice(0, 13), "receipt ada 0");
  });

  Deno.test(`createPlayer() sends a message as it was when it was sent, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect });
    seat.meet("ada");
    const value = { at: new Date(0), not: undefined, count: 1 };
    seat.sendReliable("ada", value);
    seat.send("ada", value.at);
    const letter = letterOf(seat.takeSent()[1]!.bytes);
    assertEquals(letter.fields.message, value.at.toJSON());
    assert(isAuthentic(letter, HOST));
    value.count = 2;
    seat.play.wait(200);
    const as = 'reliable 0 {"at":"1970-01-01T00:00:00.000Z","count":1}';
    assertEquals(seat.takeSaidNow(), [`${as} > ${globalOf("ada")}`]);
    seat.hear("ada", { kind: "reliableResponse", id: 0, message: 0 });
    assertEquals(seat.takeEvents().at(-1), as.replace("reliable 0", "receipt ada 0"));
  });
}

// ---- dialect 2: passwords and lists

Deno.test("createPlayer() hears who has the same password, in dialect 2", () => {
  const cases: [string | undefined, string, boolean][] = [
    [undefined, HOST, true],
    [undefined, "ada", false],
    ["secret", "secret", true],
    ["secret", HOST, false],
    ["secret", "Secret", false],
  ];
  for (const [password, used, isHeard] of cases) {
    for (const [one, other] of [[hostOf, "ada"], [joinerOf, HOST]] as const) {
      const seat = one({ dialect: 2, password });
      if (one === hostOf) seat.meet(other);
      seat.hear(other, { kind: "check" }, { password: used });
      assertEquals(seat.takeAll(), {
        said: isHeard ? [`checkResponse > ${globalOf(other)}`] : [],
        events: isHeard ? [] : [`refused ${globalOf(other)} hash`],
      });
      seat.send(other, "x");
      const { fields } = letterOf(seat.takeSent()[0]!.bytes);
      seat.hearFields({ ...fields, message: "y" }, globalOf(other));
      assertEquals(seat.takeEvents(), [`refused ${globalOf(other)} stranger`], "our own, changed");
    }
  }
});

Deno.test("createPlayer() opens no way for an inquiry with a wrong hash", () => {
  const seat = joinerOf({ dialect: 2 }, false);
  seat.introduce(HOST);
  seat.takeAll();
  const from = globalOf(HOST, 61_000);
  seat.hear(HOST, { kind: "inquiry", usedGlobal: true }, { from, password: "x" });
  assertEquals(seat.takeAll(), { said: [], events: [`refused ${from} hash`] });
  assert(!seat.player.remembers(seat.at(from)));
});

function infoOf(name: string, usesGlobal = true): PeerInfo {
  return {
    globalAddress: endpointOf(globalOf(name)),
    localAddress: endpointOf(localOf(name)),
    usesGlobal,
  };
}

function listOf(...names: string[]): Map<string, PeerInfo> {
  return new Map(names.map((name) => [name, infoOf(name)]));
}

/** Time passes, and the others answer checks and lists at once, as netsync does or as originals. */
function waitAnswered(
  seat: Seat,
  ms: number,
  { numbers = true, names = ["ada", "bob"] } = {},
): string[] {
  const said: string[] = [];
  const answer = ({ at, to, bytes }: Sent): void => {
    const { message } = letterOf(bytes);
    const name = names.find((name) => globalOf(name) === to.address);
    if (message.kind === "peerList") {
      said.push(`${at} ${name} ${message.action} ${[...message.peers.keys()]}`);
      const id = numbers ? message.id : undefined;
      if (name) seat.hear(name, { kind: "peerListResponse", id });
    } else if (message.kind === "check" && name) seat.hear(name, CHECKED);
  };
  for (const end = seat.play.now + ms;;) {
    for (let sent; (sent = seat.takeSent()).length > 0;) sent.forEach(answer);
    if (seat.player.nextDeadline() > end) {
      seat.play.waitUntil(end);
      break;
    }
    seat.play.waitUntil(seat.player.nextDeadline());
  }
  return said;
}

Deno.test("createPlayer() tells newcomers of the others and the others of newcomers, in dialect 2", () => {
  const seat = hostOf({ dialect: 2 });
  seat.meetNow("ada");
  assertEquals(seat.takeSaidNow().filter((line) => line.includes("add")), [], "nobody is there");
  seat.introduce("cleo"); // Never confirmed.
  seat.takeAll();
  seat.introduce("bob");
  seat.hear("bob", { kind: "inquiryResponse", usedGlobal: false }, { from: localOf("bob") });
  const lists = seat.takeSent().map(({ bytes, to }) => ({ to, message: letterOf(bytes).message }))
    .filter(({ message }) => message.kind === "peerList");
  assertEquals(lists, [
    {
      to: seat.at(localOf("bob")),
      message: { kind: "peerList", action: "add", peers: listOf("ada"), id: 0 },
    },
    {
      to: seat.at(globalOf("ada")),
      message: {
        kind: "peerList",
        action: "add",
        peers: new Map([["bob", infoOf("bob", false)]]),
        id: 1,
      },
    },
  ]);
});

Deno.test("createPlayer() tells nobody of anybody, in dialect 1 or as joiner", () => {
  const host = hostOf();
  for (const name of ["ada", "bob"]) host.meetNow(name);
  const joiner = joinerOf({ dialect: 2 });
  joiner.hear(HOST, { kind: "peerList", action: "add", peers: listOf("bob", "cleo") });
  for (const name of ["bob", "cleo"]) joiner.hear(name, RESPONSE);
  assertEquals(joiner.player.players.size, 3);
  joiner.drop("bob");
  for (const { bytes } of [...host.takeSent(), ...joiner.takeSent()]) {
    assert(letterOf(bytes).message.kind !== "peerList");
  }
});

Deno.test("createPlayer() sends a list each second until it is answered, five times, in dialect 2", () => {
  const seat = hostOf({ dialect: 2, checkMs: 1e9, refreshMs: 1e9 });
  for (const name of ["ada", "bob", "cleo"]) seat.meetNow(name); // At 10, 20 and 30 ms.
  seat.play.wait(10_000);
  const lists = seat.takeSaid().filter((line) => line.endsWith(globalOf("ada")));
  const said = (at: number, list: string): string => `${at} add ${list} > ${globalOf("ada")}`;
  assertEquals(lists.filter((line) => line.includes("add")), [
    ...[20, 1_020, 2_020, 3_020, 4_020].map((at) => said(at, "1 bob")),
    ...[5_020, 6_020, 7_020, 8_020, 9_020].map((at) => said(at, "3 cleo")),
  ]);
  seat.play.wait(10_000);
  assertEquals(seat.takeSaid(), []);
});

Deno.test("createPlayer() goes on with the next list when one is answered, in dialect 2", () => {
  for (const id of [1, undefined]) {
    const seat = hostOf({ dialect: 2, checkMs: 1e9, refreshMs: 1e9 });
    for (const name of ["ada", "bob", "cleo"]) seat.meetNow(name);
    seat.takeSaid();
    seat.hear("ada", { kind: "peerListResponse", id: 3 });
    assertEquals(seat.takeSaidNow(), [], "it was not sent yet");
    seat.hear("ada", { kind: "peerListResponse", id });
    assertEquals(seat.takeSaidNow(), [`add 3 cleo > ${globalOf("ada")}`]);
    seat.hear("ada", { kind: "peerListResponse", id: 1 });
    assertEquals(seat.takeSaidNow(), [], "the old answer again");
    seat.hear("ada", { kind: "peerListResponse", id: id && 3 });
    seat.hear("ada", { kind: "peerListResponse", id: id && 3 });
    seat.play.wait(20_000);
    const later = seat.takeSaidNow().filter((line) => line.endsWith(globalOf("ada")));
    assertEquals(later, []);
  }
});

Deno.test("createPlayer() tells of eight players at a time, in dialect 2", () => {
  const names = Array.from("bcdefghijklmnopqr"); // Seventeen.
  const seat = hostOf({ dialect: 2, checkMs: 1e9, refreshMs: 1e9 });
  for (const name of names) seat.meet(name);
  seat.meetNow("ada");
  const said = waitAnswered(seat, 0, { names: ["ada"] }).filter((line) => line.includes(" ada "));
  assertEquals(said.map((line) => line.split(" ")[3]), ["b,c,d,e,f,g,h,i", "j,k,l,m,n,o,p,q", "r"]);
});

Deno.test("createPlayer() repeats the list of the others with each check that netsync answers", () => {
  for (const numbers of [true, false]) {
    const seat = hostOf({ dialect: 2, refreshMs: 1e9 });
    for (const name of ["ada", "bob"]) seat.meetNow(name);
    assertEquals(waitAnswered(seat, 100, { numbers }).length, 2);
    const said = waitAnswered(seat, 15_000, { numbers });
    const lists = ["15010 ada add bob", "15020 bob add ada"];
    assertEquals(said, numbers ? lists : []);
  }
});

Deno.test("createPlayer() repeats no list while another one is unanswered", () => {
  const seat = hostOf({ dialect: 2, checkMs: 2_000, refreshMs: 1e9 });
  for (const name of ["ada", "bob"]) seat.meetNow(name);
  seat.hear("ada", { kind: "peerListResponse", id: 1 });
  seat.meetNow("cleo");
  for (let count = 0; count < 40; count++) {
    seat.play.wait(100);
    seat.hear("ada", CHECKED);
  }
  const lists = seat.takeSaidNow().filter((line) => line.includes(`> ${globalOf("ada")}`));
  const kinds = new Set(lists.filter((line) => line.startsWith("add")));
  assertEquals([...kinds], [`add 1 bob > ${globalOf("ada")}`, `add 3 cleo > ${globalOf("ada")}`]);
  seat.hear("ada", { kind: "peerListResponse", id: 3 });
  assertEquals(seat.takeSaidNow(), [], "none waits");
});

Deno.test("createPlayer() keeps the latest lists for a player who answers none", () => {
  const seat = hostOf({ dialect: 2, checkMs: 1e9, refreshMs: 1e9 });
  seat.meet("ada");
  for (let count = 0; count < 400; count++) {
    seat.meet("bob");
    seat.drop("bob");
  }
  seat.takeAll();
  seat.hear("ada", { kind: "peerListResponse", id: 1 }); // The one that is on its way.
  const sent = seat.takeSaidNow();
  const to = ` bob > ${globalOf("ada")}`;
  assertEquals(sent, [`remove 818${to}`]);
  for (let count = 0; count < 1_000; count++) {
    seat.hear("ada", { kind: "peerListResponse" });
    sent.push(...seat.takeSaidNow());
  }
  assertEquals([sent.length, sent.at(-1)], [255, `remove 1199${to}`]);
});

Deno.test("createPlayer() tells the others who is gone, in dialect 2", () => {
  const goings: [string, (seat: Seat) => void][] = [
    ["left", (seat): void => seat.hear("bob", { kind: "drop", name: "bob" })],
    ["dropped", (seat): void => seat.drop("bob")],
    ["restarted", (seat): void => (seat.play.wait(2_000), seat.introduce("bob"))],
  ];
  for (const [reason, go] of goings) {
    const seat = hostOf({ dialect: 2 });
    for (const name of ["ada", "bob"]) seat.meetNow(name);
    seat.introduce("cleo");
    waitAnswered(seat, 0);
    seat.takeAll();
    go(seat);
    assertEquals(seat.takeEvents()[0], `lost bob ${reason}`);
    const said = waitAnswered(seat, 10).filter((line) => line.includes("remove"));
    assertEquals(said.map((line) => line.slice(line.indexOf(" ") + 1)), ["ada remove bob"]);
    seat.drop("cleo");
    assertEquals(seat.takeSaidNow(), [], "nobody was told of her");
  }
});

Deno.test("createPlayer() lets a player drop nobody else", () => {
  const seat = hostOf({ dialect: 2 });
  for (const name of ["ada", "bob"]) seat.meet(name);
  for (const name of ["bob", HOST]) seat.hear("ada", { kind: "drop", name });
  seat.hear("ada", { kind: "drop", name: "ada" }, { from: FOREIGN });
  seat.hear("ada", { kind: "drop", name: "ada" }, { password: "x" });
  seat.hearServer({ kind: "drop", name: "ada" });
  assertEquals(seat.player.players.size, 2);
  assertEquals(seat.takeEvents(), [
    `refused ${FOREIGN} stranger`,
    `refused ${globalOf("ada")} hash`,
    `refused ${SERVER} stranger`,
  ]);
  seat.hear("ada", { kind: "drop", name: "ada" });
  assertEquals(seat.takeEvents(), ["lost ada left"]);
});

Deno.test("createPlayer() ends when its host says goodbye", () => {
  const seat = joinerOf({ dialect: 2 });
  seat.hear(HOST, { kind: "drop", name: HOST });
  assertEquals(seat.takeEvents(), [`lost ${HOST} left`, "ended host-left"]);
  assertEquals(seat.player.nextDeadline(), Infinity);
});

Deno.test("createPlayer() follows the lists of its host, in dialect 2", () => {
  const seat = joinerOf({ dialect: 2 });
  const peers = listOf("bob", "cleo", "ada", HOST);
  seat.hear(HOST, { kind: "peerList", action: "add", peers, id: 5 });
  const both = (name: string): string[] => [
    `inquiry global > ${globalOf(name)}`,
    `inquiry local > ${localOf(name)}`,
  ];
  const { said, events } = seat.takeAll();
  assertEquals(said, [`listResponse 5 > ${globalOf(HOST)}`, ...both("bob"), ...both("cleo")]);
  const known = ["bob", "cleo"].map((name) =>
    `introduced ${name} ${globalOf(name)} ${localOf(name)}`
  );
  assertEquals(events, known);
  seat.hear(HOST, { kind: "peerList", action: "add", peers });
  const again = { said: [`listResponse undefined > ${globalOf(HOST)}`], events: [] };
  assertEquals(seat.takeAll(), again, "an original's, and nothing new");
  seat.hear("bob", RESPONSE);
  seat.takeAll();
  seat.hear(HOST, {
    kind: "peerList",
    action: "remove",
    peers: listOf("bob", HOST, "ada", "dora"),
  });
  assertEquals(seat.takeEvents(), ["lost bob removed"]);
  assertEquals([...seat.player.players.keys()], [HOST]);
  seat.hear(HOST, { kind: "peerList", action: "remove", peers: listOf("cleo") });
  assertEquals(seat.takeEvents(), ["lost cleo removed"]);
});

Deno.test("createPlayer() takes nobody back whom it dropped, while the host lists them", () => {
  const seat = joinerOf({ dialect: 2, checkMs: 1e9 });
  const list = (action: "add" | "remove"): void =>
    seat.hear(HOST, { kind: "peerList", action, peers: listOf("bob") });
  list("add");
  seat.hear("bob", RESPONSE);
  seat.drop("bob");
  assertEquals(seat.takeEvents().at(-1), "lost bob dropped");
  list("add");
  assertEquals(seat.takeEvents(), []);
  list("remove");
  list("add");
  assertEquals(seat.takeEvents(), [`introduced bob ${globalOf("bob")} ${localOf("bob")}`]);
});

Deno.test("createPlayer() keeps who is heard though checks go unanswered, and asks each second", () => {
  const seat = hostOf({ checkMs: 5_000, refreshMs: 1e9 });
  seat.meet("ada");
  seat.takeAll();
  for (let seconds = 0; seconds < 60; seconds += 4) {
    seat.play.wait(4_000);
    seat.hear("ada", { kind: "check" });
  }
  assertEquals(seat.takeEvents(), []);
  const checks = seat.takeSaid().filter((line) => / check >/.test(line));
  assertEquals(checks.length, 56, "from the fifth second to the sixtieth");
  seat.play.wait(9_999);
  assertEquals(seat.takeEvents(), []);
  seat.play.wait(1_001);
  assertEquals(seat.takeEvents(), ["lost ada check"]);
});

Deno.test("createPlayer() goes on when a player of the list never answers", () => {
  const seat = joinerOf({ dialect: 2, checkMs: 1e9 });
  seat.hear(HOST, { kind: "peerList", action: "add", peers: listOf("bob") });
  seat.play.wait(5_000);
  assertEquals(seat.takeEvents().at(-1), "lost bob inquiry");
  assert(!seat.player.ended);
});

Deno.test("createPlayer() takes a list from nobody but its host", () => {
  const list = { kind: "peerList", action: "add", peers: listOf("dora") } as const;
  const joiner = joinerOf({ dialect: 2 });
  joiner.hear(HOST, { kind: "peerList", action: "add", peers: listOf("bob") });
  joiner.hear("bob", RESPONSE);
  joiner.takeAll();
  joiner.hear("bob", list);
  joiner.hear(HOST, list, { password: "x" });
  joiner.hear(HOST, list, { from: FOREIGN });
  assertEquals(joiner.takeAll(), {
    said: [],
    events: [
      `refused ${globalOf("bob")} stranger`,
      `refused ${globalOf(HOST)} hash`,
      `refused ${FOREIGN} stranger`,
    ],
  });
  const host = hostOf({ dialect: 2 });
  host.meet("ada");
  host.hear("ada", list);
  assertEquals(host.takeAll(), { said: [], events: [`refused ${globalOf("ada")} stranger`] });
});

Deno.test("createPlayer() has no room for more of a list than playersMax", () => {
  const seat = joinerOf({ dialect: 2, playersMax: 2 });
  seat.hear(HOST, { kind: "peerList", action: "add", peers: listOf("bob", "cleo", "dora") });
  assertEquals(seat.takeEvents().slice(1), [
    `refused ${globalOf(HOST)} full`,
    `refused ${globalOf(HOST)} full`,
  ]);
});

Deno.test("createPlayer() passes over who is nowhere in a list", () => {
  const seat = joinerOf({ dialect: 2 });
  const nowhere = { ...infoOf("bob"), globalAddress: { ip: "0.0.0.0", port: 4_000 } };
  const peers = new Map([["bob", nowhere], ["cleo", infoOf("cleo")]]);
  seat.hear(HOST, { kind: "peerList", action: "add", peers });
  assertEquals(seat.takeEvents(), [
    `refused ${globalOf(HOST)} address`,
    `introduced cleo ${globalOf("cleo")} ${localOf("cleo")}`,
  ]);
});

Deno.test("createPlayer() says goodbye to everybody it met, in dialect 2", () => {
  const seat = joinerOf({ dialect: 2 });
  seat.hear(HOST, { kind: "peerList", action: "add", peers: listOf("bob", "cleo") });
  seat.hear("bob", RESPONSE, { from: localOf("bob") });
  seat.takeAll();
  seat.leave();
  const said = [`drop ada > ${globalOf(HOST)}`, `drop ada > ${localOf("bob")}`];
  assertEquals(seat.takeAll(), { said, events: ["ended left"] });
});
