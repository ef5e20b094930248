import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Key, KeyName } from "../../../lib/home/console/keys.ts";
import {
  type Deed,
  type Facts,
  FIRST,
  press,
  selectedOf,
  type State,
  told,
} from "../../../lib/home/console/state.ts";
import { pictureOf } from "../../../lib/home/console/view.ts";
import { factsOf, logLine, member, reportOf, service } from "./made_up.ts";

const SIZE = { columns: 79, rows: 24 };

/** Somebody at a console: each key is followed by a drawing, as in a terminal. */
class Person {
  state: State = FIRST;
  facts: Facts;
  readonly deeds: Deed[] = [];

  constructor(facts: Facts) {
    this.facts = facts;
    this.look();
  }

  look(): string {
    const { lines, state } = pictureOf(this.state, this.facts, SIZE);
    this.state = state;
    return lines.map((line) => line.map(({ text }) => text).join("")).join("\n");
  }

  /** Presses keys by name, or characters one by one. */
  press(...keys: (KeyName | { text: string } | { paste: string })[]): this {
    for (const key of keys) {
      if (typeof key === "string") this.#one({ kind: "named", name: key });
      else if ("paste" in key) this.#one({ kind: "paste", text: key.paste });
      else for (const text of key.text) this.#one({ kind: "character", text });
    }
    return this;
  }

  get selected(): string | undefined {
    return selectedOf(this.state, this.facts)?.name;
  }

  #one(key: Key): void {
    const { state, deeds } = press(this.state, this.facts, key);
    this.state = state;
    this.deeds.push(...deeds);
    this.look();
  }
}

const text = (text: string): { text: string } => ({ text });
const members = (count: number) => Array.from({ length: count }, (_, id) => member(id));
const personWith = (count: number, more: Partial<Facts> = {}): Person =>
  new Person(factsOf([service("sync", members(count)), service("arena", [])], more));

Deno.test("press() kicks the selected member after y, and nobody after n, Esc or another key", () => {
  const deed: Deed = { kind: "kick", service: "sync", address: "192.0.2.1:50001" };
  const person = personWith(3).press("down", text("k"));
  assertMatch(person.look(), /\nkick player 1 at 192\.0\.2\.1:50001\? y\/n$/);
  assertEquals(person.press(text("n")).deeds, []);
  assertEquals(person.press(text("k"), "escape", text("y")).deeds, []);
  person.press(text("k"), text("x"), "enter", "down", { paste: "y" });
  assertEquals([person.deeds, person.selected], [[], "player 1"]);
  assertMatch(person.look(), /\? y\/n$/);
  assertEquals(person.press(text("y")).deeds, [deed]);
  assertEquals(person.press(text("y")).deeds, [deed]);
});

Deno.test("press() bans the address of the selected member after y", () => {
  const person = personWith(3).press("end", text("b"));
  assertMatch(person.look(), /\nban 192\.0\.2\.2, the address of player 2\? y\/n$/);
  assertEquals(person.press(text("Y")).deeds, [{ kind: "ban", text: "192.0.2.2" }]);
});

Deno.test("press() says it beforehand when a ban shuts out this computer, and told() says it after", () => {
  for (const ip of ["127.0.0.1", "127.3.2.1", "::1"]) {
    const person = new Person(factsOf([service("sync", [member(0, { ip })])])).press(text("b"));
    assertStringIncludes(
      person.look(),
      `\nban ${ip}, the address of player 0 and of this computer? y/n`,
    );
    const [deed] = person.press(text("y")).deeds;
    person.state = told(person.state, person.facts, deed!, undefined);
    assertStringIncludes(person.look(), `\nbanned ${ip}: that is this computer\n`);
  }
});

Deno.test("press() says that nobody is in instead of asking whom to kick", () => {
  const person = personWith(0).press(text("k"));
  assertMatch(person.look(), /\nnobody is in\n/);
  assertEquals(person.press(text("y")).deeds, []);
});

Deno.test("press() asks before it quits only when somebody is in", () => {
  assertEquals(personWith(0).press(text("q")).deeds, [{ kind: "quit" }]);
  const person = personWith(2).press(text("q"));
  assertEquals(person.deeds, []);
  assertMatch(person.look(), /\nquit, though 2 are in\? y\/n$/);
  assertEquals(person.press(text("y")).deeds, [{ kind: "quit" }]);
  assertEquals(personWith(2).press("interrupt").deeds, [{ kind: "quit" }]);
  assertEquals(personWith(2).press(text("ki"), "interrupt").deeds, [{ kind: "quit" }]);
  assertEquals(personWith(2).press(text("i"), "interrupt").deeds, [{ kind: "quit" }]);
});

Deno.test("press() asks before it quits how it is now, while others come and go", () => {
  const person = personWith(3).press(text("q"));
  for (const [count, question] of [[1, "one is in"], [2, "2 are in"]] as const) {
    person.facts = factsOf([service("sync", members(count))]);
    assertStringIncludes(person.look(), `\nquit, though ${question}? y/n`);
  }
  person.facts = factsOf([service("sync", [])]);
  assertStringIncludes(person.look(), "\nquit? y/n");
  assertEquals(person.press(text("y")).deeds, [{ kind: "quit" }]);
});

Deno.test("press() does nothing with what is pasted outside of a line", () => {
  const person = personWith(2);
  const before = person.look();
  person.press({ paste: "ky\nby\nqy\n" });
  person.press({ paste: "k" }, { paste: "l" });
  assertEquals([person.deeds, person.look()], [[], before]);
});

Deno.test("press() edits the address that is banned, and shows what is wrong with it", () => {
  const person = personWith(1).press(text("i"), text("192.0.2.kb"), "backspace", "backspace");
  assertMatch(person.look(), /\nban address or network: 192\.0\.2\._ {3}Enter: ban {3}Esc: back$/);
  person.press("enter");
  assertEquals(person.deeds, [{ kind: "ban", text: "192.0.2." }]);
  const deed = person.deeds.pop()!;
  person.state = told(person.state, person.facts, deed, '"192.0.2." is no address\x1b[2J');
  assertMatch(person.look(), /\n"192\.0\.2\." is no address\\x1b\[2J\nban address.*: 192\.0\.2\._/);
  person.press(text("7"));
  assert(!person.look().includes("is no address"));
  person.press("enter");
  assertEquals(person.deeds, [{ kind: "ban", text: "192.0.2.7" }]);
  person.state = told(person.state, person.facts, deed, undefined);
  assertMatch(person.look(), /\nbanned 192\.0\.2\.\n\? help/);
});

Deno.test("press() takes the first line of a paste into the address, and no more than fits", () => {
  const person = personWith(1).press(text("i"), { paste: "\n 2001:db8::/32\r\nq\ny" });
  assertMatch(person.look(), /: 2001:db8::\/32_/);
  person.press("clear-line", { paste: "9".repeat(500) });
  assertEquals(person.state.typing?.text, "9".repeat(64));
  assert(person.look().endsWith("99_   Enter: ban   Esc: back"));
  person.press("escape", "enter", text("y"));
  assertEquals(person.deeds, []);
  assertEquals(personWith(1).press(text("i"), text(" "), "enter").deeds, []);
});

Deno.test("press() lets a banned one in again after y", () => {
  const report = reportOf([service("sync", [])], { bans: ["192.0.2.7", "2001:db8::/64"] });
  const person = personWith(0, { report }).press(text("u"), "down");
  assertMatch(person.look(), /\n {2}192\.0\.2\.7\n> 2001:db8::\/64\n/);
  person.press(text("x"));
  assertMatch(person.look(), /\nlet 2001:db8::\/64 in again\? y\/n$/);
  assertEquals(person.press(text("y")).deeds, [{ kind: "unban", text: "2001:db8::/64" }]);
  person.press(text("k"), "escape");
  assertEquals([person.state.page, person.deeds.length], ["main", 1]);
});

Deno.test("The selection stays with its member when others come and go, and else with the place", () => {
  const person = personWith(5).press("down", "down");
  assertEquals(person.selected, "player 2");
  const meet = (ids: number[]): string | undefined => {
    person.facts = factsOf([service("sync", ids.map((id) => member(id)))]);
    person.look();
    return person.selected;
  };
  assertEquals(meet([2, 3, 4]), "player 2");
  assertEquals(meet([7, 8, 9, 2]), "player 2");
  assertEquals(meet([7, 8, 9]), "player 9");
  assertEquals(meet([]), undefined);
  assertEquals(meet([4, 5]), "player 4");
});

Deno.test("press() goes through the services, each with a selection of its own", () => {
  const services = ["a", "b", "c"].map((name) => service(name, members(3)));
  const person = new Person(factsOf(services)).press("down", "tab", "end");
  assertMatch(person.look(), /\n a 3 {2}\[b 3\] {2}c 3 \n/);
  assertEquals(person.selected, "player 2");
  assertEquals(person.press("back-tab").selected, "player 1");
  assertEquals(person.press("left").look().includes("[c 3]"), true);
  assertEquals(person.press("right", "right").selected, "player 2");
  // The service is gone: another one takes its place.
  person.facts = factsOf([services[2]!]);
  assertEquals(person.press("down").selected, "player 1");
});

Deno.test("press() goes through a thousand members by pages, and shows where that is", () => {
  const person = personWith(1_000);
  const rows = person.state.pageRows;
  assert(rows > 3 && rows < 20, `${rows} rows`);
  assertEquals(person.press("page-down").selected, `player ${rows}`);
  assertEquals(person.press("page-up", "up").selected, "player 0");
  assertEquals(person.press("end").selected, "player 999");
  assertMatch(person.look(), new RegExp(`${1_001 - rows}-1000 of 1000`));
  assertEquals(person.press("down", "home").selected, "player 0");
});

Deno.test("press() scrolls the log back, and stays there when lines come", () => {
  const log = Array.from({ length: 100 }, (_, number) => logLine(number));
  const person = personWith(0, { log }).press(text("l"));
  const last = (): string => /(line \d+)\n[^\n]+$/.exec(person.look().trimEnd())![1]!;
  assertEquals(last(), "line 99");
  person.press("up", "up");
  assertEquals(last(), "line 97");
  assertMatch(person.look(), /\nlog: the last 100 lines, 2 newer ones below\n/);
  person.facts = { ...person.facts, log: [...log.slice(10), logLine(100)], logDropped: 10 };
  assertEquals(last(), "line 97");
  person.press("home");
  assertMatch(person.look(), /below\n12:00:10 sync: line 10\n/);
  // The lines shown are not kept any more: the first ones that are take their place.
  person.facts = { ...person.facts, log: log.slice(50), logDropped: 50 };
  assertMatch(person.look(), /below\n12:00:50 sync: line 50\n/);
  assertEquals((person.press("end"), last()), "line 99");
  person.facts = { ...person.facts, log: [...log.slice(51), logLine(100)], logDropped: 51 };
  assertEquals(last(), "line 100");
  person.press("page-up", "page-down");
  assertEquals(last(), "line 100");
  assertEquals(person.press(text("l")).state.page, "main");
});

Deno.test("press() shows all rows and the help, and comes back from anywhere", () => {
  const rows = Array.from({ length: 60 }, (_, index): [string, string] => [`row ${index}`, "x"]);
  const person = personWith(1, { rows }).press(text("a"), "end");
  assertMatch(person.look(), /\nrow 59 {2}x\na back/);
  assertMatch(person.press("up").look(), /\nrow 58 {2}x\na back/);
  assertMatch(person.press("home").look(), /\nrow 0 {3}x\n/);
  assertMatch(person.press(text("?")).look(), /\nCtrl\+C +quit at once\n/);
  assertMatch(person.press(text("?")).look(), /\n> player 0/);
  for (const letter of "laui?") {
    assertMatch(person.press(text(letter), "escape").look(), /\n> player 0/);
  }
});

Deno.test("told() says what came of a deed, for a while", () => {
  const person = personWith(1);
  const deed: Deed = { kind: "kick", service: "sync", address: "192.0.2.0:50000" };
  person.state = told(person.state, person.facts, deed, false);
  assertMatch(person.look(), /\n192\.0\.2\.0:50000 is not in\n\? help/);
  person.facts = { ...person.facts, now: 60_000 };
  assert(!person.look().includes("is not in"));
  person.state = told(person.state, person.facts, { kind: "ban", text: "::1" }, "not ::1");
  assertMatch(person.look(), /\nnot ::1\n\? help/);
  assert(!person.press("down").look().includes("not ::1"));
});
