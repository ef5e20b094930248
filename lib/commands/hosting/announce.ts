/** The first lines of a process of services: what runs, and how it is reached. */
import { formatHostPort } from "../../hosts/address.ts";
import { localAddresses } from "../../hosts/local_addresses.ts";
import { firewallLine, firewallSigns } from "../../home/firewall.ts";
import type { Hosted } from "../../home/hosted.ts";
import { printLine } from "../../observe/output.ts";
import { VERSION } from "../program.ts";
import type { Opened } from "./service_kind.ts";

/** What something is about, and what it is. */
export type Row = [what: string, text: string];

/** `netsync 0.1.0 runs sync (SimpleNetSync) on UDP port 55555`. */
export function headlineOf(services: readonly Hosted[]): string {
  const [only, ...others] = services;
  if (others.length > 0) return `netsync ${VERSION} runs ${services.length} services`;
  return `netsync ${VERSION} runs ${only!.title} on ${only!.transport} port ${only!.port}`;
}

/** How services are reached, and what to do with them. */
export function rowsOf(opened: readonly Opened[]): Row[] {
  const services = opened.map(({ hosted }) => hosted);
  const open = services.filter(isOpenToAll);
  return [
    ...services.map((service): Row =>
      services.length === 1 ? ["listening on", listensOn(service)] : [
        service.name,
        `${service.title} on ${service.transport} port ${service.port}: ${listensOn(service)}`,
      ]
    ),
    ...(open.length > 0 ? reachedAt(open) : []),
    ...services.flatMap((service): Row[] => {
      const line = firewallLine(firewallSigns(service));
      return line === undefined ? [] : [["firewall", line]];
    }),
    ...opened.flatMap(({ hosted, rows }) => rows(nearestOf(hosted))),
  ];
}

function reachedAt(services: readonly Hosted[]): Row[] {
  const ports = services.map(({ port }) => port);
  const near = localAddresses();
  const nearText = near === undefined || near.length === 0
    ? `this computer's address, port ${ports.join(", ")}${near ? "" : TO_NAME_IT}`
    : near.flatMap((address) => ports.map((port) => formatHostPort(address, port))).join("  ");
  const forwarded = services.map(({ transport, port }) => `${transport} port ${port}`).join(", ");
  return [
    ["on this computer", ports.map((port) => `localhost:${port}`).join("  ")],
    ["on your network", nearText],
    [
      FROM_OUTSIDE,
      `your public address, once your router forwards ${forwarded} to this computer`,
    ],
  ];
}

/** Deno tells it only to whom it was told to. */
const TO_NAME_IT = "; with --allow-sys=networkInterfaces it is named here";

/** What the row about the public address is called. */
export const FROM_OUTSIDE = "from outside";

/** Whether others than this computer can reach it. */
export function isOpenToAll({ addresses }: Hosted): boolean {
  return addresses.some((address) => /^(\[::\]|0\.0\.0\.0):/.test(address));
}

function listensOn({ addresses }: Hosted): string {
  return addresses.join(" and ");
}

/** Its address on this computer. */
function nearestOf(service: Hosted): string {
  return isOpenToAll(service) ? `localhost:${service.port}` : service.addresses[0]!;
}

/** Rows that may change while people look at them. */
export class Rows {
  /** Told of every change. */
  onChange: () => void = () => {};
  readonly #rows: Row[];

  constructor(rows: readonly Row[]) {
    this.#rows = [...rows];
  }

  /** In the order in which they are shown. */
  get all(): readonly Row[] {
    return this.#rows;
  }

  /** Says something in place of the row about this, or as a new one. */
  set(what: string, text: string): void {
    const row = this.#rows.find(([about]) => about === what);
    if (row) row[1] = text;
    else this.#rows.push([what, text]);
    this.onChange();
  }
}

/** Prints them. */
export function printFirstLines(headline: string, rows: readonly Row[]): void {
  const width = Math.max(...rows.map(([left]) => left.length));
  printLine(headline);
  for (const [left, right] of rows) printLine(`  ${left.padEnd(width)}  ${right}`);
}

/** The same for programs: one JSON object for each service. */
export function printListening({ name, port, addresses }: Hosted): void {
  printFacts({ service: name, event: "listening", version: VERSION, port, addresses });
}

/** And one with the address of the dashboard. */
export function printDashboard(url: string): void {
  printFacts({ service: "netsync", event: "dashboard", url });
}

function printFacts(facts: object): void {
  printLine(JSON.stringify({ time: new Date().toISOString(), level: "info", ...facts }));
}
