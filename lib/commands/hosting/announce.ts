/** The first lines of a process of services: what runs, and how it is reached. */
import { formatHostPort } from "../../hosts/address.ts";
import { firewallLines } from "../../home/firewall.ts";
import type { Hosted } from "../../home/hosted.ts";
import { printLine } from "../../observe/output.ts";
import { VERSION } from "../program.ts";
import { lookAround, type Outlook } from "./outlook.ts";
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
export function rowsOf(opened: readonly Opened[], outlook: Outlook = lookAround()): Row[] {
  const services = opened.map(({ hosted }) => hosted);
  const isAlone = services.length === 1;
  const open = services.filter(isOpenToOthers);
  return [
    ...services.map((service): Row =>
      isAlone
        ? ["listening on", listensOn(service)]
        : [service.name, `${service.title} on ${service.transport} ${listensOn(service)}`]
    ),
    ...(open.length > 0 ? reachedAt(services, open, outlook.near) : []),
    ...firewallLines({ ...outlook.firewall, ports: open })
      .map((line, index): Row => [index === 0 ? "firewall" : "", line]),
    ...opened.flatMap(({ hosted, rows }) =>
      rows(nearestOf(hosted))
        .map(([what, text]): Row => [isAlone ? what : `${hosted.name}: ${what}`, text])
    ),
  ];
}

function reachedAt(
  services: readonly Hosted[],
  open: readonly Hosted[],
  near: Outlook["near"],
): Row[] {
  const isAlone = services.length === 1;
  // One that listens at one address alone is reached there, which the row before this one says.
  const here = isAlone ? services.filter(isEverywhere) : services;
  const rows: Row[] = [
    ["on your network", nearText(open, near, isAlone)],
    [FROM_OUTSIDE, farText(open)],
  ];
  if (here.length === 0) return rows;
  const texts = here.map((service) => named(service, nearestOf(service), isAlone));
  return [["on this computer", texts.join("  ")], ...rows];
}

/** At which addresses others of the same network find services. */
function nearText(open: readonly Hosted[], near: Outlook["near"], isAlone: boolean): string {
  const known = open.filter((service) => !isEverywhere(service) || near?.length);
  const ways = known.map((service) => ({ service, addresses: nearAddresses(service, near ?? []) }));
  const [only] = ways;
  if (isAlone && only) return only.addresses.join("  ");
  const texts = ways.map(({ service, addresses }) => named(service, addresses[0]!, false));
  if (known.length === open.length) {
    const others = open.every(isEverywhere) ? near!.slice(1).map(inBrackets) : [];
    return [...texts, ...(others.length > 0 ? [`or at ${others.join(", ")}`] : [])].join("  ");
  }
  const port = isAlone ? `, port ${open[0]!.port}` : " in place of localhost";
  return [...texts, `this computer's address${port}${near ? "" : TO_NAME_IT}`].join("  ");
}

function nearAddresses(service: Hosted, near: readonly string[]): readonly string[] {
  return isEverywhere(service)
    ? near.map((address) => formatHostPort(address, service.port))
    : service.addresses;
}

/** Deno tells it only to whom it was told to. */
const TO_NAME_IT = "; with --allow-sys=networkInterfaces it is named here";

/** What the row about the public address is called. */
export const FROM_OUTSIDE = "from outside";

function farText(open: readonly Hosted[]): string {
  const forwarded = open.filter(isForwardable);
  if (forwarded.length === 0) return `there too, if your router lets ${portsText(open)} through`;
  return `your public address, once your router forwards ${portsText(forwarded)} ` +
    "to this computer (--upnp asks it to)";
}

/** `UDP ports 55555, 9999 and TCP port 8080`. */
function portsText(services: readonly Hosted[]): string {
  return ["UDP", "TCP"].flatMap((transport) => {
    const ports = services.filter((service) => service.transport === transport)
      .map(({ port }) => port);
    return ports.length === 0
      ? []
      : [`${transport} port${ports.length === 1 ? "" : "s"} ${ports.join(", ")}`];
  }).join(" and ");
}

function inBrackets(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function named({ name }: Hosted, address: string, isAlone: boolean): string {
  return isAlone ? address : `${name} ${address}`;
}

/** Whether others than this computer can reach it. */
export function isOpenToOthers({ addresses }: Hosted): boolean {
  return addresses.some((address) => !/^(127\.|\[::1\]:|localhost:)/.test(address));
}

/** Whether a router could lead others to it: what routers forward is IPv4. */
export function isForwardable(service: Hosted): boolean {
  return isOpenToOthers(service) &&
    (isEverywhere(service) || service.addresses.some((address) => !address.startsWith("[")));
}

/** Whether it listens at all addresses of this computer. */
function isEverywhere({ addresses }: Hosted): boolean {
  return addresses.some((address) => /^(\[::\]|0\.0\.0\.0):/.test(address));
}

function listensOn({ addresses }: Hosted): string {
  return addresses.join(" and ");
}

/** Its address on this computer. */
function nearestOf(service: Hosted): string {
  return isEverywhere(service) ? `localhost:${service.port}` : service.addresses[0]!;
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
