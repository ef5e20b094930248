/**
 * The tables of SECURITY.md about amplification. To write what is true now:
 *
 *     deno run --allow-read=SECURITY.md --allow-write=SECURITY.md tests/security/table.ts
 */
import { ARENA_ATTACKS } from "./arena_attacks.ts";
import { accountOf, type Attack } from "./attack.ts";
import { accountOfCrowd, CROWD_ATTACKS } from "./crowd.ts";
import { ECHO_ATTACKS } from "./echo_attacks.ts";
import { type Account, type Load, onTheWire, ratio } from "./ledger.ts";
import { RENDEZVOUS_ATTACKS } from "./rendezvous_attacks.ts";
import { SYNC_ATTACKS } from "./sync_attacks.ts";
import { WORLD_ATTACKS } from "./world_attacks.ts";

/** Where they stand. */
export const FILE = "SECURITY.md";
const [BEGIN, END] = ["<!-- amplification tables -->", "<!-- /amplification tables -->"];

/** Every attack there is. */
export const ATTACKS: readonly Attack[] = [
  ...SYNC_ATTACKS,
  ...RENDEZVOUS_ATTACKS,
  ...ARENA_ATTACKS,
  ...ECHO_ATTACKS,
  ...WORLD_ATTACKS,
];

/** A row of either table. */
export interface Row {
  readonly service: string;
  readonly message: string;
  readonly bound: string;
  readonly account: Account;
}

/** Both tables as Markdown. */
export function tablesOf(rows: readonly Row[], crowdRows: readonly Row[]): string {
  const columns = ["service", "message", "sent by the stranger", "sent to the address"];
  const more = ["ratio", "with headers", "to others", "what bounds it"];
  const crowdColumns = ["service", "each says", "sent in all", "sent to them in all"];
  return [
    tableOf([...columns, ...more], rows),
    "",
    "Ten thousand addresses of as many networks, forged within one second:",
    "",
    tableOf([...crowdColumns, ...more], crowdRows),
  ].join("\n");
}

/** The tables as they stand in the file; undefined when there are none. */
export function tablesIn(text: string): string | undefined {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  return begin < 0 || end < begin ? undefined : text.slice(begin + BEGIN.length, end).trim();
}

function tableOf(columns: readonly string[], rows: readonly Row[]): string {
  const lines = rows.map((row) => cellsOf(row));
  const widths = columns.map((name, at) =>
    Math.max(...[name, ...lines.map((cells) => cells[at]!)].map(({ length }) => length))
  );
  const written = [columns, widths.map((width) => "-".repeat(width)), ...lines].map((cells) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(" | ")} |`
  );
  return written.join("\n");
}

function cellsOf({ service, message, bound, account }: Row): string[] {
  const { sent, toForged, toOthers } = account;
  return [
    service,
    message,
    inWords(sent),
    inWords(toForged),
    rounded(ratio(toForged.bytes, sent.bytes)),
    rounded(ratio(onTheWire(toForged), onTheWire(sent))),
    inWords(toOthers),
    bound,
  ];
}

/** `1,234 in 5` for as many bytes in so many datagrams. */
function inWords({ datagrams, bytes }: Load): string {
  if (datagrams === 0 && bytes === 0) return "-";
  if (datagrams === 1) return grouped(bytes);
  return datagrams === 0 ? `${grouped(bytes)} more` : `${grouped(bytes)} in ${grouped(datagrams)}`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

function rounded(times: number): string {
  return times < 100 ? times.toFixed(1) : grouped(Math.round(times));
}

/** What is true now. */
export function measure(): string {
  return tablesOf(
    ATTACKS.map((attack) => ({ ...attack, account: accountOf(attack) })),
    CROWD_ATTACKS.map((attack) => ({ ...attack, account: accountOfCrowd(attack) })),
  );
}

if (import.meta.main) {
  const text = Deno.readTextFileSync(FILE);
  if (tablesIn(text) === undefined) {
    console.error(`${FILE} has no place for them: it needs ${BEGIN} and ${END}`);
    Deno.exit(1);
  }
  const [before, rest] = text.split(BEGIN) as [string, string];
  const after = rest.slice(rest.indexOf(END));
  Deno.writeTextFileSync(FILE, `${before}${BEGIN}\n\n${measure()}\n\n${after}`);
}
