/** What a process of services takes, and what each service. */
import { isIpLiteral } from "../../hosts/address.ts";
import { LOG_LEVELS } from "../../observe/log.ts";
import {
  choiceOption,
  flagOption,
  type Option,
  type Options,
  textOption,
  UsageError,
  type Values,
} from "../options.ts";
import { NETWORK_OPTIONS } from "../network.ts";
import type { ServiceKind } from "./service_kind.ts";

/** Where the dashboard listens. */
export interface ListenAddress {
  hostname: string;
  /** 0 lets the system choose one. */
  port: number;
}

const DASHBOARD_ADDRESS = "127.0.0.1:55580";

function readListenAddress(text: string, name: string): ListenAddress {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const hostname = bracketed ?? plain;
  if (hostname !== undefined && Number(port) <= 65_535 && isIpLiteral(hostname)) {
    return { hostname, port: Number(port) };
  }
  throw new UsageError(
    `${name} is a local IP address and a port like ${DASHBOARD_ADDRESS}, not "${text}"`,
  );
}

const dashboardOption: Option<ListenAddress | undefined> = {
  placeholder: "ADDRESS:PORT",
  help: `show all of it in a browser, which must know the token that is printed; also /metrics\n` +
    `and /health (${DASHBOARD_ADDRESS})`,
  fallback: undefined,
  bare: { text: DASHBOARD_ADDRESS, looksLikeValue: /:\d+$/ },
  read: readListenAddress,
  take(value, name): ListenAddress | undefined {
    if (typeof value === "string") return readListenAddress(value, name);
    if (value === true) return readListenAddress(DASHBOARD_ADDRESS, name);
    if (value === false) return undefined;
    const shown = JSON.stringify(value);
    throw new UsageError(`${name} is true, false or like "${DASHBOARD_ADDRESS}", not ${shown}`);
  },
  schema: { type: ["boolean", "string"] },
};

/** 128 random bits in base64 are 22 characters. */
const TOKEN = /^[\w-]{16,256}$/;

function readToken(text: string, name: string): string {
  if (TOKEN.test(text)) return text;
  throw new UsageError(`${name} is 16 to 256 letters, digits, - and _: nobody may guess it`);
}

/** What a process of one service or several takes. */
export const HOSTING_OPTIONS = {
  upnp: flagOption("ask the router to let players in, by UPnP or NAT-PMP"),
  dashboard: dashboardOption,
  dashboardReadonly: flagOption("nobody is sent away from there"),
  dashboardToken: textOption({
    placeholder: "TOKEN",
    help: "the token, for scrapers and bookmarks (another one at each start)",
    read: readToken,
  }),
  bans: textOption({
    placeholder: "FILE",
    help: "addresses and networks that are not let in, one a line; bans are kept there",
  }),
  logLevel: choiceOption({
    choices: LOG_LEVELS,
    fallback: "info",
    help: "which lines to print (info)",
  }),
  logFile: textOption({
    placeholder: "FILE",
    help: "write them there too; at 10 MB a new one is begun, and four old ones are kept",
  }),
  json: flagOption("print one JSON object a line"),
  plain: flagOption("print lines in a terminal too, instead of the live view"),
};

/** The values of {@link HOSTING_OPTIONS}. */
export type HostingValues = Values<typeof HOSTING_OPTIONS>;

/**
 * What is wrong with them together: some mean nothing without another one.
 *
 * @param nameOf How one is called where it stands.
 */
export function problemOf(
  { dashboard, dashboardReadonly, dashboardToken }: HostingValues,
  nameOf: (key: string) => string,
): string | undefined {
  if (dashboard) return undefined;
  const needs = `is of use only with ${nameOf("dashboard")}`;
  if (dashboardReadonly) return `${nameOf("dashboardReadonly")} ${needs}`;
  if (dashboardToken !== undefined) return `${nameOf("dashboardToken")} ${needs}`;
  return undefined;
}

const LISTEN_OPTIONS = {
  host: textOption({
    placeholder: "ADDRESS",
    help: "listen on one local IP address (all)",
    read(text: string, name: string): string {
      if (isIpLiteral(text) || text === "localhost") return text;
      throw new UsageError(`${name} is an IP address of this computer, not "${text}"`);
    },
  }),
};

const RESUME_OPTIONS = {
  resume: textOption({
    placeholder: "FILE",
    help: "go on after a stop or a crash as if nothing had been: who is in is kept there",
  }),
};

/** What one service takes: on the command line, and in a config file. */
export function optionsOf(kind: ServiceKind): Options {
  return {
    ...LISTEN_OPTIONS,
    ...kind.options,
    ...(kind.isResumable ? RESUME_OPTIONS : {}),
    ...(kind.transport === "UDP" ? NETWORK_OPTIONS : {}),
  };
}
