/**
 * What a stranger gets sent to addresses that are not its own. Every message of every service over UDP, to
 * a server that knows the address in every way it can, until nothing more is sent; all bytes are added up.
 *
 * The tables of SECURITY.md are what is measured here: see `table.ts` for the command that writes them.
 */
import { assert, assertEquals } from "@std/assert";
import { accountOf, breachesOf } from "./attack.ts";
import { accountOfCrowd, CROWD, CROWD_ATTACKS } from "./crowd.ts";
import { type Account, onTheWire } from "./ledger.ts";
import { ATTACKS, FILE, type Row, tablesIn, tablesOf } from "./table.ts";

const rows: Row[] = [];
const crowdRows: Row[] = [];

for (const attack of ATTACKS) {
  Deno.test(`a stranger's ${attack.service}: ${attack.message}`, () => {
    const account = accountOf(attack);
    rows.push({ ...attack, account });
    assert(account.sent.datagrams > 0, "nothing was forged");
    assertEquals([...breachesOf(attack.promise, account)], []);
  });
}

for (const attack of CROWD_ATTACKS) {
  Deno.test(`ten thousand strangers' ${attack.service}: ${attack.message}`, () => {
    const account = accountOfCrowd(attack);
    crowdRows.push({ ...attack, account });
    assertEquals(account.sent.datagrams, CROWD * attack.words.length);
    const bytes = onTheWire(account.toForged);
    assert(bytes <= attack.wireBytesMax, `${bytes} bytes of at most ${attack.wireBytesMax}`);
    // They would show it if nothing were counted.
    assert(bytes > 10_000, `${bytes} bytes`);
  });
}

Deno.test("SECURITY.md says of amplification what is measured", () => {
  const isWhole = rows.length === ATTACKS.length && crowdRows.length === CROWD_ATTACKS.length;
  if (!isWhole) return; // Only some tests were asked for.
  const written = tablesIn(Deno.readTextFileSync(FILE));
  assert(written !== undefined, `${FILE} has no place for the tables`);
  assertEquals(
    linesOf(written),
    linesOf(tablesOf(rows, crowdRows)),
    "deno run --allow-read=SECURITY.md --allow-write=SECURITY.md tests/security/table.ts",
  );
});

Deno.test("breachesOf() names each promise that is not kept, and none that is", () => {
  const load = (datagrams: number, bytes: number): Account["sent"] => ({ datagrams, bytes });
  const account: Account = {
    ...{ sent: load(1, 10), toForged: load(3, 30), toOneForged: load(2, 20) },
    toOthers: load(1, 5),
  };
  const exact = {
    timesMax: 3,
    wireTimesMax: 3,
    wireBytesMax: 76,
    datagramsMax: 2,
    othersTimesMax: 0.5,
  };
  assertEquals([...breachesOf(exact, account)], []);
  for (const [name, most] of Object.entries(exact)) {
    assertEquals([...breachesOf({ [name]: 0.99 * most }, account)].length, 1, name);
  }
});

/** Without what only lines up the columns. */
function linesOf(tables: string): string[] {
  return tables.split("\n").map((line) => line.replaceAll(/-{2,}/g, "--").replaceAll(/ +/g, " "));
}
