import { assert, assertEquals, assertMatch } from "@std/assert";
import { painted } from "../../../lib/home/console/lines.ts";
import { type Facts, FIRST, press, type State } from "../../../lib/home/console/state.ts";
import { pictureOf } from "../../../lib/home/console/view.ts";
import { widthOf } from "../../../lib/home/console/width.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { factsOf, logLine, member, reportOf, service } from "./made_up.ts";

function draw(state: State, facts: Facts, columns: number, rows: number): string[] {
  return pictureOf(state, facts, { columns, rows }).lines
    .map((line) => painted(line, columns, false).trimEnd());
}

Deno.test("pictureOf() shows the most important of everything in a small terminal", () => {
  const roster = [member(0), member(1, { roundTripMs: 12.34 }), member(2), member(3)];
  const facts = factsOf([service("sync", roster), service("arena", [])]);
  assertEquals(draw(FIRST, facts, 59, 12), [
    "netsync 1.2.3   up 2 h 05 min   58.1 MB   4 members",
    "listening on      [::]:55555                      a: 4 more",
    "[sync 4]  arena 0",
    "sync on UDP 55555   4 members   in 20.0/s 1.23 kB/s",
    "out 60.0/s 98.8 kB/s   late p50 0.10 p99 1.25 max 12.5 ms",
    "refused: stranger 12   short 3                     1-3 of 4",
    "  name     address          heard trip ms  in/s  kB/s out/s",
    "> player 0 192.0.2.0:50000    now       -  20.0  1.23  60.0",
    "  player 1 192.0.2.1:50001    now    12.3  20.0  1.23  60.0",
    "  player 2 192.0.2.2:50002    now       -  20.0  1.23  60.0",
    "12:00:03 sync: line 3",
    "? help   q quit   k kick   b ban   l log   u bans",
  ]);
});

Deno.test("pictureOf() shows all in a large terminal, and the log at the bottom", () => {
  const roster = [
    member(0, { heardMs: undefined, stateBytes: 12_345 }),
    member(1, { heardMs: 61_000, name: "漢字", address: "[2001:db8::1]:5", roundTripMs: 0 }),
    member(2, { heardMs: 2_400, name: "red\x1b[31m", stateBytes: undefined }),
  ];
  const report = reportOf([service("sync", roster, { refused: {} })], {
    bans: ["192.0.2.7"],
    memoryBytes: undefined,
    uptimeMs: 59_999,
  });
  assertEquals(draw(FIRST, factsOf([], { report }), 119, 22), [
    "netsync 1.2.3   up 59 s   3 members   1 banned",
    "listening on      [::]:55555",
    "on this computer  localhost:55555",
    "on your network   192.168.1.5:55555",
    "from outside      203.0.113.9:55555, the router forwards UDP port 55555",
    "dashboard         http://127.0.0.1:8000/",
    "",
    "sync (Original) on UDP 55555   3 members   in 20.0/s 1.23 kB/s   out 60.0/s 98.8 kB/s",
    "late p50 0.10 p99 1.25 max 12.5 ms",
    "snapshot 2899 bytes   rounds 20/s",
    "  name        address          heard trip ms  in/s  kB/s out/s  kB/s   state",
    "> player 0    192.0.2.0:50000      -       -  20.0  1.23  60.0  98.8 12.3 kB",
    "  漢字        [2001:db8::1]:5  1 min       0  20.0  1.23  60.0  98.8    86 B",
    "  red\\x1b[31m 192.0.2.2:50002    2 s       -  20.0  1.23  60.0  98.8       -",
    "",
    "",
    "",
    "",
    "12:00:01 sync: line 1",
    "12:00:02 sync: WARNING beware",
    "12:00:03 sync: line 3",
    "? help   q quit   k kick   b ban   l log   u bans   i ban an address   a all rows   arrows select   Tab service",
  ]);
});

Deno.test("pictureOf() wraps the rows that do not fit where there is room, and else says which key shows them", () => {
  const facts = factsOf([service("sync", [member(0)])], {
    rows: [
      ["listening on", "[::]:55555 and 0.0.0.0:55555"],
      ["firewall", "sudo ufw allow 55555/udp, if ufw is on, which it is on some computers"],
      ["", "sudo firewall-cmd --permanent --add-port=55555/udp && sudo firewall-cmd --reload"],
    ],
    log: [],
  });
  assertEquals(draw(FIRST, facts, 59, 24).slice(1, 8), [
    "listening on  [::]:55555 and 0.0.0.0:55555",
    "firewall      sudo ufw allow 55555/udp, if ufw is on, which",
    "              it is on some computers",
    "              sudo firewall-cmd --permanent",
    "              --add-port=55555/udp && sudo firewall-cmd",
    "              --reload",
    "",
  ]);
  // One line is left: enough for the first of the two that do not fit.
  const table = { rows: facts.rows, log: [] };
  const crowded = factsOf([service("sync", [0, 1, 2, 3, 4, 5].map((id) => member(id)))], table);
  // With one more there is enough for the second alone, but not for both.
  for (const rows of [19, 20]) {
    assertEquals(draw(FIRST, crowded, 59, rows).slice(1, 6), [
      "listening on  [::]:55555 and 0.0.0.0:55555",
      "firewall      sudo ufw allow 55555/udp, if ufw is on, which",
      "              it is on some computers",
      "              sudo firewall-cmd --permanent --…  a: in full",
      "",
    ]);
  }
  assertEquals(draw(FIRST, crowded, 59, 18).slice(1, 5), [
    "listening on  [::]:55555 and 0.0.0.0:55555",
    "firewall      sudo ufw allow 55555/udp, if ufw is on, whic…",
    "              sudo firewall-cmd --permanent --…  a: in full",
    "",
  ]);
  // Wide enough for all: nothing is said.
  assert(!draw(FIRST, crowded, 119, 18).join("\n").includes("in full"));
});

Deno.test("pictureOf() shows the first rows and the log before there is a report", () => {
  const facts = factsOf([], { report: undefined, hasKeys: false });
  assertEquals(draw(FIRST, facts, 79, 8), [
    "netsync 1.2.3   starts",
    "listening on      [::]:55555",
    "on this computer  localhost:55555",
    "on your network   192.168.1.5:55555",
    "from outside      203.0.113.9:55555, the router forwards UDP port 55555",
    "dashboard         http://127.0.0.1:8000/",
    "",
    "no keys here   Ctrl+C stops",
  ]);
});

const NASTY = [
  ...["漢字漢字漢字漢字漢字", "e\u0301".repeat(30), "\x1b]0;t\x07\r\n\u202e", "😀👩‍👩‍👧", ""],
  ...["x".repeat(300), "한국어 ไทย", "\u0301".repeat(99), "\ud800", "a b c d e f g"],
];

/** Everything that may come from anybody, at its worst. */
function nastyFacts(random: () => number): Facts {
  const text = (): string =>
    Array.from({ length: 3 }, () => NASTY[Math.floor(random() * NASTY.length)]).join(" ");
  const number = (): number => random() < 0.1 ? 0 : 10 ** (9 * random() - 2);
  const rates = { inHz: number(), inBytesHz: number(), outHz: number(), outBytesHz: number() };
  const roster = Array.from({ length: Math.floor(40 * random()) }, (_, id) =>
    member(id, {
      ...{ name: text(), rates, roundTripMs: number(), stateBytes: number(), heardMs: number() },
      address: random() < 0.3 ? `${text()}${id}` : `[2001:db8:1234:5678:9abc::${id}]:65535`,
    }));
  const services = Array.from(
    { length: Math.floor(7 * random()) },
    (_, at) =>
      service(`${at} ${text()}`, roster, {
        ...{ title: text(), rates, refused: { [text()]: 7, b: 9 } },
        figures: [[text(), text()], ["b", "1"]],
      }),
  );
  return factsOf(services, {
    rows: Array.from({ length: Math.floor(20 * random()) }, () => [text(), text()]),
    log: Array.from(
      { length: Math.floor(60 * random()) },
      (_, at) => logLine(at, { message: text(), service: text(), level: "error" }),
    ),
    report: reportOf(services, { bans: [text(), "192.0.2.7"] }),
  });
}

const KEYS = "laui?kb";

Deno.test("pictureOf() fills the terminal and no more, whatever anybody is called", () => {
  forEachSeed(200, (seed) => {
    const random = seededRandom(seed);
    const facts = nastyFacts(random);
    const columns = 1 + Math.floor(300 * random() ** 2);
    const rows = 1 + Math.floor(100 * random() ** 2);
    const letter = KEYS[Math.floor(random() * KEYS.length)]!;
    const { state } = press(FIRST, facts, { kind: "character", text: letter });
    const lines = pictureOf(state, facts, { columns, rows }).lines;
    assertEquals(lines.length, rows);
    for (const line of lines) {
      const plain = painted(line, columns, false);
      assert(widthOf(plain) <= columns, `${widthOf(plain)} columns of ${columns}: ${plain}`);
      assert(!/[\p{Cc}\p{Cf}\p{Cs}]/u.test(plain), JSON.stringify(plain));
      assertEquals(painted(line, columns, true).replaceAll(SGR, ""), plain);
    }
  });
});

// deno-lint-ignore no-control-regex -- colours begin with it
const SGR = /\x1b\[[\d;]+m/g;

Deno.test("pictureOf() keeps the open tab in sight, and marks it in any terminal", () => {
  const services = Array.from({ length: 6 }, (_, at) => service(`service:${10_000 + at}`, []));
  const facts = factsOf(services);
  for (const { service } of services) {
    const lines = draw({ ...FIRST, service }, facts, 59, 12);
    assertMatch(lines.join("\n"), new RegExp(`\\[${service} 0\\]`));
  }
});

Deno.test("pictureOf() draws a thousand members in little time", () => {
  const roster = Array.from({ length: 1_000 }, (_, id) => member(id, { name: `Zoë ${id}` }));
  const facts = factsOf([service("sync", roster, { members: 1_234 })]);
  const times = Array.from({ length: 20 }, () => {
    const start = performance.now();
    assertEquals(draw(FIRST, facts, 299, 100).length, 100);
    return performance.now() - start;
  });
  assertMatch(draw(FIRST, facts, 299, 100).join("\n"), / {3}1234 members, 1000 listed {3}/);
  // A tenth of what would be felt; it takes about 2 ms.
  assert(Math.min(...times) < 20, `${Math.min(...times)} ms`);
});
