import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import type { Reply } from "../../../lib/protocols/rendezvous/message.ts";
import { createPlayer } from "../../../lib/protocols/rendezvous/peer.ts";
import type { PlayerOptions } from "../../../lib/protocols/rendezvous/player.ts";
import {
  isAuthentic,
  NAME_CHARACTERS_MAX,
  SERVER_NAME,
} from "../../../lib/protocols/rendezvous/wire.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import {
  endpointOf,
  FOREIGN,
  globalOf,
  HOST,
  hostOf,
  joinerOf,
  KEY,
  letterOf,
  localOf,
  type Origin,
  playerInShort,
  Seat,
  SECOND,
  SERVER,
} from "./seat.ts";

const DIALECTS = [1, 2] as const;
const REGISTER = `register ${localOf(HOST)} 60`;
const JOIN = `join ${HOST} ${localOf("ada")}`;
const SOMEWHERE = endpointOf("203.0.113.200:4000");
const RESPONSE = { kind: "inquiryResponse", usedGlobal: true } as const;

/** A response, and an introduction: what somebody else may say in the server's name. */
const REGISTERED: Reply = { kind: "registered" };
const INTRODUCTION: Reply = {
  kind: "introduction",
  peer: HOST,
  globalAddress: endpointOf(globalOf(HOST)),
  localAddress: endpointOf(localOf(HOST)),
};

/** Time passes, and the server answers every request after 20 ms. */
function waitServed(seat: Seat, ms: number): string[] {
  const said: string[] = [];
  for (const end = seat.play.now + ms;;) {
    const due = seat.player.nextDeadline();
    if (due + 20 > end) break;
    seat.play.waitUntil(due);
    const now = seat.takeSaid();
    said.push(...now);
    seat.play.wait(20);
    if (now.some((line) => line.includes(" refresh "))) seat.hearServer({ kind: "refreshed" });
    else seat.hearServer(REGISTERED);
  }
  return said;
}

// ---- a host and the server

for (const dialect of DIALECTS) {
  Deno.test(`createPlayer() registers a host at once and each second, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect }, false);
    assertEquals(seat.takeSaid(), [`0 ${REGISTER} > ${SERVER}`]);
    seat.play.wait(4_999);
    const later = [1, 2, 3, 4].map((second) => `${second}000 ${REGISTER} > ${SERVER}`);
    assertEquals(seat.takeSaid(), later);
    assertEquals(seat.takeEvents(), []);
    seat.play.wait(1);
    assertEquals(seat.takeAll(), { said: [], events: ["ended server"] });
    assertEquals([seat.player.ended, seat.player.nextDeadline()], [true, Infinity]);
  });

  Deno.test(`createPlayer() asks the server's addresses in turn until one answers, in dialect ${dialect}`, () => {
    const seat = new Seat({ dialect, refreshMs: 5_000 });
    seat.connect(SERVER, SECOND);
    seat.play.wait(2_000);
    const to = seat.takeSaidNow().map((line) => line.split(" > ")[1]);
    assertEquals(to, [SERVER, SECOND, SERVER]);
    seat.hearServer(REGISTERED, { from: SECOND });
    assertEquals(seat.takeEvents(), [`registered ${SECOND}`]);
    seat.play.wait(4_999);
    assertEquals(seat.takeSaid(), []);
    seat.play.wait(3_000);
    const addresses = seat.takeSaidNow().map((line) => line.split(" > ")[1]);
    assertEquals(addresses, [SECOND, SECOND, SECOND]);
  });

  Deno.test(`createPlayer() is registered once however often that is confirmed, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect }, false);
    seat.hearServer(REGISTERED);
    seat.hearServer(REGISTERED);
    seat.hearServer(REGISTERED);
    assertEquals(seat.takeEvents(), [`registered ${SERVER}`]);
    seat.takeSaid();
    waitServed(seat, 60_000);
    assertEquals(seat.takeEvents(), []);
  });

  Deno.test(`createPlayer() keeps its players when the server is silent, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect, checkMs: 1_000_000 });
    seat.meet("ada");
    seat.play.waitUntil(15_000 + 4_999);
    const again = dialect === 1 ? REGISTER : "refresh 60";
    assertEquals(seat.takeSaid(), [
      `15000 ${again} > ${SERVER}`,
      `16000 ${again} > ${SERVER}`,
      `17000 ${REGISTER} > ${SERVER}`,
      `18000 ${REGISTER} > ${SERVER}`,
      `19000 ${REGISTER} > ${SERVER}`,
    ]);
    assertEquals(seat.takeEvents(), []);
    seat.play.wait(1);
    assertEquals(seat.takeEvents(), ["serverLost"]);
    assertEquals([...seat.player.players.keys()], ["ada"]);
    seat.play.waitUntil(34_999);
    assertEquals(seat.takeSaid(), []);
    seat.play.wait(1);
    assertEquals(seat.takeSaid(), [`35000 ${again} > ${SERVER}`]);
    seat.hearServer(dialect === 1 ? REGISTERED : { kind: "refreshed" });
    seat.play.wait(14_999);
    assertEquals(seat.takeAll(), { said: [], events: [] });
    assert(!seat.player.ended);
  });

  Deno.test(`createPlayer() waits alone for a server that falls silent, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect });
    seat.play.waitUntil(20_000);
    assertEquals(seat.takeEvents(), ["serverLost"]);
    seat.play.waitUntil(40_000);
    assertEquals(seat.takeEvents(), ["serverLost"]);
    assertEquals(seat.takeSaid().length, 10);
  });

  Deno.test(`createPlayer() keeps its players though its name was never confirmed, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect, checkMs: 1_000_000 }, false);
    seat.meet("ada");
    seat.play.wait(5_000);
    assertEquals(seat.takeEvents(), ["serverLost"]);
    assertEquals([...seat.player.players.keys()], ["ada"]);
  });

  Deno.test(`createPlayer() ends with an error of the server when it is alone, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect }, false);
    seat.hearServer({ kind: "error", message: "server already exists" });
    assertEquals(seat.takeEvents(), ["serverError server already exists", "ended refused"]);
    assert(seat.player.ended);
  });

  Deno.test(`createPlayer() asks again when the name it had is in its own way, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect });
    seat.play.waitUntil(15_000);
    seat.takeAll();
    seat.hearServer({ kind: "error", message: "server already exists" });
    assertEquals(seat.takeEvents(), ["serverError server already exists"]);
    seat.play.wait(14_999);
    assertEquals(seat.takeSaid(), []);
    seat.play.wait(1);
    assertEquals(seat.takeSaid().length, 1);
    assert(!seat.player.ended);
  });

  Deno.test(`createPlayer() tells an error of the server and goes on with its players, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect, checkMs: 1_000_000 });
    seat.meet("ada");
    seat.play.waitUntil(16_500);
    seat.takeSaid();
    seat.hearServer({ kind: "error", message: "server already exists" });
    assertEquals(seat.takeEvents(), ["serverError server already exists"]);
    seat.play.waitUntil(16_500 + 14_999);
    assertEquals(seat.takeSaid(), [], "it asks no more for a while");
    seat.play.wait(2_001);
    const again = dialect === 1 ? REGISTER : "refresh 60";
    assertEquals(
      seat.takeSaid(),
      [31_500, 32_500, 33_500].map((at, attempt) => {
        return `${at} ${attempt < 2 ? again : REGISTER} > ${SERVER}`;
      }),
    );
    assertEquals([...seat.player.players.keys()], ["ada"]);
  });

  Deno.test(`createPlayer() says how long a registration is good for, in dialect ${dialect}`, () => {
    const seat = new Seat({ dialect, validSeconds: 7, refreshMs: 3_000 });
    seat.connect(SERVER);
    seat.hearServer(REGISTERED);
    seat.play.waitUntil(3_000);
    const register = `register ${localOf(HOST)} 7`;
    const again = dialect === 1 ? register : "refresh 7";
    assertEquals(seat.takeSaid(), [`0 ${register} > ${SERVER}`, `3000 ${again} > ${SERVER}`]);
  });

  const others: [string, Origin, string][] = [
    ["from another address", { from: FOREIGN }, `refused ${FOREIGN} stranger`],
    ["from another port", { from: "192.0.2.1:5161" }, "refused 192.0.2.1:5161 stranger"],
    ["to another name", { recipient: "bob" }, `refused ${SERVER} stranger`],
    ["in another dialect", { dialect: dialect === 1 ? 2 : 1 }, `refused ${SERVER} stranger`],
  ];
  if (dialect === 2) others.push(["hashed otherwise", { password: "x" }, `refused ${SERVER} hash`]);
  for (const [how, origin, refused] of others) {
    Deno.test(`createPlayer() takes nothing for the server's that came ${how}, in dialect ${dialect}`, () => {
      const replies: Reply[] = [REGISTERED, { kind: "error", message: "x" }, INTRODUCTION];
      for (const seat of [hostOf({ dialect }, false), joinerOf({ dialect }, false)]) {
        const [asked] = seat.takeSaidNow();
        for (const reply of replies) seat.hearServer(reply, origin);
        assertEquals(seat.takeEvents(), [refused, refused, refused]);
        assertEquals([seat.takeSaid(), seat.packets], [[], []]);
        seat.play.wait(1_000);
        assertEquals(seat.takeSaidNow(), [asked]);
      }
    });
  }
}

Deno.test("createPlayer() registers again every refreshMs, in dialect 1", () => {
  const seat = hostOf({ refreshMs: 4_000 });
  assertEquals(waitServed(seat, 12_100), [
    `4000 ${REGISTER} > ${SERVER}`,
    `8020 ${REGISTER} > ${SERVER}`,
    `12040 ${REGISTER} > ${SERVER}`,
  ]);
});

Deno.test("createPlayer() refreshes every refreshMs, in dialect 2", () => {
  const seat = hostOf({ dialect: 2, refreshMs: 4_000 });
  assertEquals(waitServed(seat, 12_100), [
    `4000 refresh 60 > ${SERVER}`,
    `8020 refresh 60 > ${SERVER}`,
    `12040 refresh 60 > ${SERVER}`,
  ]);
  // The server forgot the name: it says nothing to a refresh, but takes a registration.
  seat.play.waitUntil(18_100);
  assertEquals(seat.takeSaid(), [
    `16060 refresh 60 > ${SERVER}`,
    `17060 refresh 60 > ${SERVER}`,
    `18060 ${REGISTER} > ${SERVER}`,
  ]);
  seat.hearServer(REGISTERED);
  assertEquals(seat.takeEvents(), []);
  assertEquals(waitServed(seat, 4_100), [`22100 refresh 60 > ${SERVER}`]);
});

Deno.test("createPlayer() begins with a session key of its own, in dialect 2", () => {
  const keys = [1, 2].map((seed) => {
    const seat = hostOf({ dialect: 2, random: seededRandom(seed) }, false);
    const letter = letterOf(seat.takeSent()[0]!.bytes);
    assert(letter.message.kind === "register");
    assertEquals([letter.sender, letter.recipient], [HOST, SERVER_NAME]);
    const { password } = letter.message;
    assert(password !== undefined && isAuthentic(letter, password));
    return password;
  });
  for (const key of keys) assertMatch(key, /^[A-Za-z0-9]{10}$/);
  assertNotEquals(keys[0], keys[1]);
});

Deno.test("createPlayer() proves by its session key who it is, in dialect 2", () => {
  const host = hostOf({ dialect: 2 });
  host.play.wait(15_000);
  host.leaveServer();
  const joiner = joinerOf({ dialect: 2 }, false);
  const letters = [...host.takeSent(), ...joiner.takeSent()].map(({ bytes }) => letterOf(bytes));
  assertEquals(letters.map(({ message }) => message.kind), ["refresh", "drop", "join"]);
  assertEquals(letters.map(({ fields }) => fields.password), [undefined, undefined, KEY]);
  for (const letter of letters) assert(isAuthentic(letter, KEY), letter.message.kind);
});

Deno.test("createPlayer() tells the server whether there is a password, and never which", () => {
  for (const password of [undefined, "secret"]) {
    const seat = hostOf({ dialect: 2, password }, false);
    const { bytes } = seat.takeSent()[0]!;
    const { fields } = letterOf(bytes);
    assertEquals([fields["password-required"], fields.password], [password !== undefined, KEY]);
    assert(!new TextDecoder().decode(bytes).includes("secret"));
  }
});

Deno.test("createPlayer() knows what is none of a player's business", () => {
  const seat = hostOf({ dialect: 2 });
  seat.hearServer({ kind: "servers", servers: [] });
  assertEquals(seat.takeAll(), { said: [], events: [] });
  seat.hearFields({ type: "registering-server", sender: "x" }, SERVER); // Another one's request.
  seat.hearFields({ __type: "nonsense" }, FOREIGN);
  seat.play.receive(new Uint8Array(9_000), seat.at(FOREIGN));
  assertEquals(seat.takeEvents(), [
    `refused ${SERVER} fields`,
    `refused ${FOREIGN} type`,
    `refused ${FOREIGN} oversize`,
  ]);
  const joiner = joinerOf({}, false);
  joiner.hearServer(REGISTERED); // It is no host.
  assertEquals(joiner.takeEvents(), []);
});

// ---- a joiner and the server

for (const dialect of DIALECTS) {
  Deno.test(`createPlayer() asks for its host until it is introduced, in dialect ${dialect}`, () => {
    const seat = joinerOf({ dialect }, false);
    seat.play.wait(1_500);
    assertEquals(seat.takeSaid(), [`0 ${JOIN} > ${SERVER}`, `1000 ${JOIN} > ${SERVER}`]);
    seat.introduce(HOST);
    assertEquals(seat.takeEvents(), [`introduced ${HOST} ${globalOf(HOST)} ${localOf(HOST)}`]);
    seat.play.wait(2_000);
    assert(seat.takeSaid().every((line) => line.includes("inquiry")), "it asks no more");
  });

  Deno.test(`createPlayer() ends when no server answers a joiner, in dialect ${dialect}`, () => {
    const seat = new Seat({ name: "ada", host: HOST, dialect });
    seat.connect(SERVER, SECOND);
    seat.play.wait(4_999);
    const expected = [0, 1, 2, 3, 4].map((second) => {
      return `${second * 1_000} ${JOIN} > ${second % 2 === 0 ? SERVER : SECOND}`;
    });
    assertEquals(seat.takeAll().said.length, expected.length);
    seat.play.wait(1);
    assertEquals(seat.takeEvents(), ["ended server"]);
  });

  Deno.test(`createPlayer() wants no introduction of anybody else, in dialect ${dialect}`, () => {
    const seat = joinerOf({ dialect }, false);
    seat.introduce("bob");
    seat.introduce("ada");
    seat.play.wait(1_000);
    const said = [JOIN, JOIN].map((line) => `${line} > ${SERVER}`);
    assertEquals(seat.takeAll(), { said, events: [] });
  });

  Deno.test(`createPlayer() ends when its host is not there, in dialect ${dialect}`, () => {
    const seat = joinerOf({ dialect }, false);
    seat.hearServer({ kind: "error", message: `${HOST} not found` });
    assertEquals(seat.takeEvents(), [`serverError ${HOST} not found`, "ended refused"]);
    assertEquals(seat.player.nextDeadline(), Infinity);
  });

  Deno.test(`createPlayer() minds no error once it was introduced, in dialect ${dialect}`, () => {
    const seat = joinerOf({ dialect }, false);
    seat.introduce(HOST);
    seat.takeAll();
    seat.hearServer({ kind: "error", message: `${HOST} not found` });
    assertEquals(seat.takeAll(), { said: [], events: [] });
    seat.meet(HOST);
    seat.hearServer({ kind: "error", message: `${HOST} not found` });
    assertEquals(seat.takeAll(), { said: [], events: [] });
    assert(!seat.player.ended);
  });

  Deno.test(`createPlayer() goes on asking when the host's address is none, in dialect ${dialect}`, () => {
    for (const known of [false, true]) {
      const seat = joinerOf({ dialect }, false);
      if (known) seat.introduce(HOST);
      seat.takeAll();
      seat.introduce(HOST, { global: "0.0.0.0:4000" });
      assertEquals(seat.takeEvents(), [`refused ${SERVER} address`]);
      seat.play.wait(5_000);
      assertEquals(seat.takeEvents().at(-1), known ? "ended inquiry" : "ended server");
    }
  });

  Deno.test(`createPlayer() ignores a second introduction of a host who is here, in dialect ${dialect}`, () => {
    for (const global of [globalOf(HOST), "203.0.113.77:4000"]) {
      const seat = joinerOf({ dialect });
      seat.introduce(HOST, { global });
      seat.play.wait(3_000);
      seat.introduce(HOST, { global });
      assertEquals(seat.takeAll(), { said: [], events: [] });
    }
  });

  Deno.test(`createPlayer() listens to the second introduction of a host who is not here yet, in dialect ${dialect}`, () => {
    const seat = joinerOf({ dialect }, false);
    seat.introduce(HOST);
    seat.takeAll();
    seat.introduce(HOST);
    assertEquals(seat.takeAll(), { said: [], events: [] }, "the same");
    seat.introduce(HOST, { global: "203.0.113.77:4000" });
    assertEquals(seat.takeAll(), {
      said: ["inquiry global > 203.0.113.77:4000", `inquiry local > ${localOf(HOST)}`],
      events: [`introduced ${HOST} 203.0.113.77:4000 ${localOf(HOST)}`],
    });
    seat.hear(HOST, RESPONSE);
    assertEquals(seat.takeEvents(), [`refused ${globalOf(HOST)} stranger`]);
    seat.play.wait(500);
    assertEquals(seat.takeSaidNow(), [
      "inquiry global > 203.0.113.77:4000",
      `inquiry local > ${localOf(HOST)}`,
    ], "the first address is forgotten");
  });
}

Deno.test("createPlayer() is introduced to itself and does nothing", () => {
  const seat = hostOf();
  seat.introduce(HOST);
  assertEquals(seat.takeAll(), { said: [], events: [] });
});

// ---- started anew, or somebody else of that name

for (const dialect of DIALECTS) {
  Deno.test(`createPlayer() confirms a player anew who was started anew, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect });
    seat.meet("ada");
    seat.play.wait(1_999);
    seat.introduce("ada");
    assertEquals(seat.takeAll(), { said: [], events: [] }, "the server says it twice");
    seat.play.wait(1);
    seat.introduce("ada");
    assertEquals(seat.takeAll(), {
      said: [`inquiry global > ${globalOf("ada")}`, `inquiry local > ${localOf("ada")}`],
      events: ["lost ada restarted", `introduced ada ${globalOf("ada")} ${localOf("ada")}`],
    });
    assertEquals(seat.player.players.size, 0);
    seat.play.wait(25);
    seat.hear("ada", RESPONSE);
    assertEquals(seat.takeEvents(), [`confirmed ada global ${globalOf("ada")} 25`]);
  });

  Deno.test(`createPlayer() keeps a player when another one has its name, in dialect ${dialect}`, () => {
    for (const other of [{ global: globalOf("bob") }, { local: localOf("bob") }]) {
      const seat = hostOf({ dialect });
      seat.meet("ada");
      seat.play.wait(5_000);
      seat.introduce("ada", other);
      seat.introduce("ada", other);
      const check = `check > ${globalOf("ada")}`;
      assertEquals(seat.takeAll(), { said: [check], events: [] }, "it is asked once");
      seat.hear("ada", { kind: "checkResponse" });
      assertEquals(seat.takeEvents(), [`roundTrip ada global ${globalOf("ada")} 0`]);
      seat.play.wait(5_000);
      assertEquals(seat.takeAll(), { said: [], events: [] });
      seat.introduce("ada", other);
      assertEquals(seat.takeSaidNow(), [check], "and again when that was answered");
      seat.play.wait(5_000);
      assertEquals(seat.takeEvents(), ["lost ada check"]);
      seat.introduce("ada", other);
      assertMatch(seat.takeEvents()[0]!, /^introduced ada/);
    }
  });
}

// ---- who is told what

Deno.test("createPlayer() shows everybody who is confirmed, and nobody else", () => {
  const seat = hostOf();
  seat.meet("ada");
  seat.introduce("bob");
  const players = [...seat.player.players.values()].map(playerInShort);
  assertEquals(players, [`ada global ${globalOf("ada")} 10`]);
  assertEquals([...seat.player.players.keys()], ["ada"]);
});

Deno.test("createPlayer() tells of every datagram that means something, and of every other why not", () => {
  const seat = hostOf();
  seat.meet("ada");
  seat.packets.splice(0);
  seat.hear("ada", { kind: "check" });
  seat.hearServer(REGISTERED);
  const seen = seat.packets.map(({ from, fields }) => [from, fields.type, fields.sender]);
  assertEquals(seen, [
    [seat.at(globalOf("ada")), "peer-check", "ada"],
    [seat.at(SERVER), "confirming-registration", undefined],
  ]);
  seat.takeAll();
  const strangers: [string, Origin][] = [
    ["bob", {}],
    ["ada", { from: FOREIGN }],
    ["ada", { recipient: "bob" }],
    ["ada", { dialect: 2 }],
    ["ada", { from: SERVER }],
  ];
  for (const [name, origin] of strangers) {
    seat.hear(name, { kind: "check" }, origin);
    const from = origin.from ?? globalOf(name);
    assertEquals(seat.takeAll(), { said: [], events: [`refused ${from} stranger`] });
  }
  assertEquals(seat.packets.length, 2);
});

Deno.test("createPlayer() takes nothing from a player without a name, in dialect 2", () => {
  const seat = joinerOf({ dialect: 2 });
  seat.hear(HOST, { kind: "check" }, { sender: null });
  assertEquals(seat.takeAll(), { said: [], events: [`refused ${globalOf(HOST)} stranger`] });
});

Deno.test("createPlayer() has no room for more than playersMax", () => {
  const seat = hostOf({ playersMax: 2 });
  for (const name of ["ada", "bob", "cleo"]) seat.introduce(name);
  assertEquals(seat.takeEvents().slice(2), [`refused ${SERVER} full`]);
  seat.drop("ada");
  seat.introduce("cleo");
  assertEquals(seat.takeEvents().length, 2);
  const games = hostOf();
  for (let count = 0; count < 64; count++) games.introduce(`x${count}`);
  games.introduce("y");
  const events = games.takeEvents();
  assertEquals([events.length, events.at(-1)], [65, `refused ${SERVER} full`]);
});

Deno.test("createPlayer() remembers the server and where players may be, until it ends", () => {
  const seat = new Seat();
  seat.connect(SERVER, SECOND);
  seat.introduce("ada");
  const all = [SERVER, SECOND, globalOf("ada"), localOf("ada"), FOREIGN];
  const remembered = (): boolean[] => all.map((address) => seat.player.remembers(seat.at(address)));
  assertEquals(remembered(), [true, true, true, true, false]);
  seat.drop("ada");
  assertEquals(remembered(), [true, true, false, false, false]);
  seat.introduce("ada");
  seat.leaveServer();
  assertEquals(remembered(), [false, false, true, true, false]);
  seat.leave();
  assertEquals(remembered(), [false, false, false, false, false]);
});

// ---- the end

for (const dialect of DIALECTS) {
  Deno.test(`createPlayer() has nothing more to do when it ended, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect });
    for (const name of ["ada", "bob"]) seat.meet(name);
    seat.introduce("cleo");
    seat.sendReliable("ada", "x");
    seat.takeAll();
    seat.leave();
    assertEquals(seat.takeEvents(), ["ended left"]);
    assertEquals(
      seat.takeSaidNow(),
      dialect === 1 ? [] : [
        `drop ${HOST} > ${globalOf("ada")}`,
        `drop ${HOST} > ${globalOf("bob")}`,
        `drop ${HOST} > ${SERVER}`,
      ],
    );
    assertEquals([seat.player.ended, seat.player.players.size], [true, 0]);
    assertEquals(seat.player.nextDeadline(), Infinity);
    seat.leave();
    seat.leaveServer();
    seat.drop("ada");
    seat.connect(SERVER);
    seat.hear("ada", { kind: "check" });
    seat.hearServer(INTRODUCTION);
    seat.play.wait(60_000);
    assertEquals(seat.takeAll(), { said: [], events: [] });
    assertThrows(() => seat.send("ada", "x"), RangeError);
  });

  Deno.test(`createPlayer() has a joiner leave, in dialect ${dialect}`, () => {
    const seat = joinerOf({ dialect });
    seat.leave();
    const said = dialect === 1 ? [] : [`drop ada > ${globalOf(HOST)}`];
    assertEquals(seat.takeAll(), { said, events: ["ended left"] });
  });

  Deno.test(`createPlayer() leaves the server without leaving the players, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect, checkMs: 1_000_000 });
    seat.meet("ada");
    seat.leaveServer();
    seat.leaveServer();
    const said = dialect === 1 ? [] : [`drop ${HOST} > ${SERVER}`];
    assertEquals(seat.takeAll(), { said, events: [] });
    seat.introduce("bob");
    assertEquals(seat.takeEvents(), [`refused ${SERVER} stranger`]);
    seat.play.wait(60_000);
    assertEquals(seat.takeAll(), { said: [], events: [] });
    seat.send("ada", "still here");
    assertEquals(seat.takeSaidNow(), [`unreliable "still here" > ${globalOf("ada")}`]);
  });

  Deno.test(`createPlayer() drops a player, in dialect ${dialect}`, () => {
    const seat = hostOf({ dialect });
    seat.meet("ada");
    seat.introduce("bob");
    seat.takeAll();
    for (const name of ["ada", "bob", "ada", "nobody"]) seat.drop(name);
    // Bob was never confirmed: nobody knows where he is.
    const said = dialect === 1 ? [] : [`drop ${HOST} > ${globalOf("ada")}`];
    assertEquals(seat.takeAll(), { said, events: ["lost ada dropped", "lost bob dropped"] });
    assert(!seat.player.ended);
  });

  Deno.test(`createPlayer() ends a joiner that drops its host, in dialect ${dialect}`, () => {
    const seat = joinerOf({ dialect });
    seat.drop(HOST);
    assertEquals(seat.takeEvents(), [`lost ${HOST} dropped`, "ended left"]);
  });

  Deno.test(`createPlayer() ends a joiner whose host is gone, in dialect ${dialect}`, () => {
    const seat = joinerOf({ dialect });
    seat.play.waitUntil(15_010 + 4_999);
    assertEquals(seat.takeEvents(), []);
    seat.play.wait(1);
    assertEquals(seat.takeEvents(), [`lost ${HOST} check`, "ended host-lost"]);
    assertEquals(seat.player.nextDeadline(), Infinity);
  });
}

Deno.test("createPlayer() ends when there is no server to ask", () => {
  const seat = new Seat();
  seat.connect();
  seat.play.wait(5_000);
  assertEquals(seat.takeAll(), { said: [], events: ["ended server"] });
});

Deno.test("createPlayer() leaves before anybody answered", () => {
  for (const dialect of DIALECTS) {
    const seat = hostOf({ dialect }, false);
    seat.takeSaid();
    seat.leave();
    assertEquals(seat.takeAll(), { said: [], events: ["ended left"] });
    assertEquals(seat.player.nextDeadline(), Infinity);
  }
});

// Whoever is told something may call the engine before the telling returns.
Deno.test("createPlayer() may be left at any event, and ends once", () => {
  const stories: [string, (seat: Seat) => void][] = [
    ["registered", (seat): void => seat.hearServer(REGISTERED)],
    ["packet", (seat): void => seat.hearServer(REGISTERED)],
    ["serverError", (seat): void => seat.hearServer({ kind: "error", message: "x" })],
    ["serverLost", (seat): void => (seat.hearServer(REGISTERED), seat.play.wait(20_000))],
    ["introduced", (seat): void => seat.introduce("ada")],
    ["confirmed", (seat): void => seat.meetNow("ada")],
    ["roundTrip", (seat): void => {
      seat.meetNow("ada");
      seat.sendReliable("ada", "x");
      seat.hear("ada", { kind: "reliableResponse", id: 0, message: "x" });
    }],
    ["lost", (seat): void => {
      seat.meetNow("ada");
      seat.play.wait(2_000);
      seat.introduce("ada");
    }],
  ];
  for (const dialect of DIALECTS) {
    for (const [kind, tell] of stories) {
      const seat = new Seat({ dialect });
      const kinds: string[] = [];
      seat.play.out.emit = (event): void => {
        kinds.push(event.kind);
        if (event.kind === kind) seat.leave();
      };
      seat.connect(SERVER);
      tell(seat);
      seat.takeSaid();
      assertEquals(seat.player.nextDeadline(), Infinity, kind);
      assertEquals(kinds.filter((kind) => kind === "ended").length, 1, kind);
      seat.play.wait(30_000);
      assertEquals(seat.takeSaid(), [], kind);
    }
  }
});

Deno.test("createPlayer() may drop a player when it is told of it", () => {
  for (const kind of ["introduced", "confirmed", "message"]) {
    const seat = hostOf({ dialect: 2 });
    seat.meet("bob");
    const kinds: string[] = [];
    seat.play.out.emit = (event): void => {
      if (event.kind !== "packet") kinds.push(event.kind);
      if (event.kind === kind) seat.drop("ada");
    };
    seat.introduce("ada");
    seat.play.wait(600); // The second inquiry: nobody knows which one is answered.
    seat.hear("ada", RESPONSE);
    seat.hear("ada", { kind: "unreliable", message: 1 });
    assertEquals(kinds.filter((kind) => kind === "lost"), ["lost"]);
    seat.takeAll();
    seat.play.wait(10_000);
    assert(!seat.takeSaidNow().some((line) => line.endsWith(globalOf("ada"))), "nothing is left");
  }
});

Deno.test("createPlayer() ends once when it is left because the host is lost", () => {
  const seat = joinerOf();
  const kinds: string[] = [];
  seat.play.out.emit = (event): void => {
    kinds.push(event.kind);
    if (event.kind === "lost") seat.leave();
  };
  seat.play.wait(60_000);
  assertEquals(kinds, ["lost", "ended"]);
});

Deno.test("createPlayer() tells what happened in order, whatever is done meanwhile", () => {
  const seat = hostOf();
  seat.meet("ada");
  const kinds: string[] = [];
  seat.play.out.emit = (event): void => {
    kinds.push(event.kind);
    if (event.kind === "roundTrip") {
      seat.drop("ada");
      kinds.push("dropped");
    }
    if (event.kind === "receipt") throw new Error("a listener's mistake");
  };
  seat.sendReliable("ada", "x");
  const answer = (): void => seat.hear("ada", { kind: "reliableResponse", id: 0, message: "x" });
  assertThrows(answer, Error, "a listener's mistake");
  seat.hearServer({ kind: "error", message: "x" });
  const first = ["packet", "roundTrip", "dropped", "receipt"];
  assertEquals(kinds, [...first, "lost", "packet", "serverError"]);
});

// ---- names

const BAD_NAMES = [
  "",
  SERVER_NAME,
  "a\nb",
  "\ud800",
  "x".repeat(NAME_CHARACTERS_MAX + 1),
];

Deno.test("createPlayer() refuses what is no name", () => {
  const options: Omit<PlayerOptions, "name"> = {
    local: SOMEWHERE,
    random: () => 0,
    peerAt: () => {
      throw new Error("nobody is asked for");
    },
  };
  for (const name of BAD_NAMES) {
    for (const names of [{ name }, { name: "ada", host: name }]) {
      assertThrows(() => createPlayer({ ...options, ...names }), RangeError, "is no name");
    }
  }
  const same = { name: "ada", host: "ada" };
  assertThrows(() => createPlayer({ ...options, ...same }), RangeError, "choose another name");
  createPlayer({ ...options, name: "é".repeat(NAME_CHARACTERS_MAX), host: "castle" });
});
