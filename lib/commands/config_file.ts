/**
 * `netsync.json`: several services in one process. Its keys are the options of the command line, as in
 * `maxClients` for `--max-clients`; those of a service stand with it, the others at the top.
 */
import { HOSTING_OPTIONS, type HostingValues, optionsOf, problemOf } from "./hosting/options.ts";
import type { Plan } from "./hosting/house.ts";
import type { ServiceKind } from "./hosting/service_kind.ts";
import { printable } from "../observe/printable.ts";
import { type Options, suggestionFor, UsageError } from "./options.ts";
import { SERVICES } from "./services.ts";

/** What a config file asks for. */
export interface Config {
  plans: Plan[];
  values: HostingValues;
}

/** What is wrong with a config file, problem by problem: where, and what would be right. */
export type ReadConfig = { ok: true; config: Config } | { ok: false; problems: string[] };

/** What a service is in a config file besides its options. */
const PORT_SCHEMA = { type: "integer", minimum: 0, maximum: 65_535 } as const;

/** More in one process serve nobody. */
const SERVICES_MAX = 64;
/** For the editor in which the file is written. */
const SCHEMA_KEY = "$schema";
/** Of a key that is not known, so much is told. */
const KEY_CHARACTERS_MAX = 60;

/** Reads a config file. Says all that is wrong with it, not only the first. */
export function readConfig(text: string): ReadConfig {
  const problems: string[] = [];
  const top = parse(text, problems);
  if (!top) return { ok: false, problems };
  const { services, ...others } = top;
  const values = readOptions(HOSTING_OPTIONS, others, "", [SCHEMA_KEY, "services"], problems);
  const plans = readServices(services, values as HostingValues, problems);
  const problem = problemOf(values as HostingValues, (key) => key);
  if (problem !== undefined) problems.push(problem);
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, config: { plans, values: values as HostingValues } };
}

function parse(text: string, problems: string[]): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    problems.push(`it is not JSON: ${(error as Error).message.replace(/\s+/g, " ")}`);
    return undefined;
  }
  if (isObject(value)) return value;
  problems.push(`it must be an object like {"services": [{"service": "sync"}]}`);
  return undefined;
}

function readServices(
  services: unknown,
  { dashboard, bans, logFile }: HostingValues,
  problems: string[],
): Plan[] {
  if (!Array.isArray(services) || services.length === 0) {
    problems.push('services must be a list like [{"service": "sync", "port": 55555}]');
    return [];
  }
  if (services.length > SERVICES_MAX) {
    problems.push(`services may be ${SERVICES_MAX} at most, not ${services.length}`);
    return [];
  }
  const plans: Plan[] = [];
  const claims: Claim[] = [];
  if (dashboard) claims.push(claimOf("TCP", dashboard.port, dashboard.hostname, "dashboard"));
  if (bans !== undefined) claims.push(claimOfFile(bans, "bans", "bans"));
  if (logFile !== undefined) claims.push(claimOfFile(logFile, "logFile", "logFile"));
  for (const [index, service] of services.entries()) {
    const path = `services[${index}]`;
    const plan = readService(service, path, problems);
    if (!plan) continue;
    plans.push(plan);
    const { kind: { transport }, port, values } = plan;
    const mine = [claimOf(transport, port, values.host as string | undefined, path)];
    for (const key of ["resume", "record"]) {
      const file = values[key];
      // In a folder each makes a file of its own.
      if (typeof file === "string" && !/[/\\]$/.test(file)) mine.push(claimOfFile(file, path, key));
    }
    for (const claim of mine) {
      const before = claims.find((other) => isSame(claim, other));
      if (before) {
        problems.push(`${path}.${claim.key}: ${claim.what} is that of ${before.path} already`);
      }
    }
    claims.push(...mine);
  }
  return plans;
}

/** What only one can have. */
interface Claim {
  what: string;
  /** Where; undefined for everywhere. */
  hostname?: string;
  path: string;
  key: string;
}

function claimOf(
  transport: string,
  port: number,
  hostname: string | undefined,
  path: string,
): Claim {
  // A free port is nobody else's.
  const what = port === 0 ? `${transport} port of ${path}` : `${transport} port ${port}`;
  return { what, hostname: ANYWHERE.has(hostname) ? undefined : hostname, path, key: "port" };
}

function claimOfFile(file: string, path: string, key: string): Claim {
  return { what: `the file ${file}`, path, key };
}

const ANYWHERE: ReadonlySet<string | undefined> = new Set(["::", "0.0.0.0"]);

function isSame(one: Claim, other: Claim): boolean {
  if (one.what !== other.what) return false;
  const [a, b] = [one.hostname, other.hostname];
  return a === undefined || b === undefined || a === b;
}

function readService(value: unknown, path: string, problems: string[]): Plan | undefined {
  if (!isObject(value)) {
    problems.push(`${path} must be an object like {"service": "sync", "port": 55555}`);
    return undefined;
  }
  const { service, port, ...others } = value;
  const kind = typeof service === "string" ? SERVICES.get(service) : undefined;
  if (!kind) {
    const names = [...SERVICES.keys()];
    for (const key of service === undefined ? Object.keys(others) : []) {
      const meant = suggestionFor(key, ["service"]);
      if (meant !== "") {
        problems.push(`${path}.${printable(key, KEY_CHARACTERS_MAX)} is not known${meant}`);
      }
    }
    const near = typeof service === "string" ? suggestionFor(service, names) : "";
    const shown = JSON.stringify(service) ?? "nothing";
    problems.push(`${path}.service must be one of ${names.join(", ")}, not ${shown}${near}`);
    return undefined;
  }
  if (port !== undefined && !isPort(port)) {
    const shown = JSON.stringify(port);
    problems.push(`${path}.port must be a whole number from 0 to 65535, not ${shown}`);
  }
  const values = readOptions(optionsOf(kind), others, `${path}.`, ["service", "port"], problems);
  // In place of a wrong one a free one: it is nobody else's.
  return { kind, port: isPort(port) ? port : port === undefined ? kind.defaultPort : 0, values };
}

/** Reads options by their keys; those that are left out have their fallback. */
function readOptions(
  options: Options,
  given: Record<string, unknown>,
  path: string,
  otherKeys: readonly string[],
  problems: string[],
): Record<string, unknown> {
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(options, key) || key === SCHEMA_KEY && path === "") continue;
    const near = suggestionFor(key, [...Object.keys(options), ...otherKeys]);
    problems.push(`${path}${printable(key, KEY_CHARACTERS_MAX)} is not known${near}`);
  }
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(options)) {
    values[key] = option.fallback;
    if (!Object.hasOwn(given, key)) continue;
    try {
      values[key] = option.take(given[key], `${path}${key}`);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push(error.message);
    }
  }
  return values;
}

/** What a config file may be, as JSON Schema (draft 2020-12), for editors. */
export function configSchema(): object {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "netsync.json",
    description: "Several services of netsync in one process: netsync serve --config netsync.json",
    type: "object",
    required: ["services"],
    additionalProperties: false,
    properties: {
      [SCHEMA_KEY]: { type: "string" },
      services: {
        type: "array",
        minItems: 1,
        maxItems: SERVICES_MAX,
        items: { oneOf: [...SERVICES.values()].map(serviceSchema) },
      },
      ...propertiesOf(HOSTING_OPTIONS),
    },
  };
}

function serviceSchema(kind: ServiceKind): object {
  return {
    title: kind.title,
    description: kind.about.replaceAll("\n", " "),
    type: "object",
    required: ["service"],
    additionalProperties: false,
    properties: {
      service: { const: kind.name },
      port: {
        ...PORT_SCHEMA,
        default: kind.defaultPort,
        description: `${kind.transport} port to listen on; 0 takes a free one`,
      },
      ...propertiesOf(optionsOf(kind)),
    },
  };
}

function propertiesOf(options: Options): Record<string, object> {
  return Object.fromEntries(
    Object.entries(options).map(([key, { schema, help }]) => [
      key,
      { ...schema, description: help.replaceAll("\n", " ") },
    ]),
  );
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
