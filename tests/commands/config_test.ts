/** Config files as a user meets them: what is said of right ones, and of wrong ones. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { configSchema, readConfig } from "../../lib/commands/config_file.ts";
import { HOSTING_OPTIONS } from "../../lib/commands/hosting/options.ts";
import type { Options } from "../../lib/commands/options.ts";
import { optionsOf } from "../../lib/commands/hosting/options.ts";
import { SERVICES } from "../../lib/commands/services.ts";
import { DENO_RUN, output, ROOT } from "../interop/programs.ts";
import { withFolder } from "../support/folder.ts";

const READ_ALL = [...DENO_RUN.slice(0, -1), "--allow-read", "main.ts"];

/** What is said of a file with this in it. */
function problemsOf(content: unknown): string[] {
  const read = readConfig(typeof content === "string" ? content : JSON.stringify(content));
  return read.ok ? [] : read.problems;
}

/** With one sync service, which is like this. */
const sync = (options: Record<string, unknown>): unknown => ({
  services: [{ service: "sync", ...options }],
});

const LIST = 'services must be a list like [{"service": "sync", "port": 55555}]';
const OBJECT = 'it must be an object like {"services": [{"service": "sync"}]}';
const NAMES = "sync, rendezvous, arena, echo, messages, world";

/** Each file, and all that is wrong with it. */
const WRONG: [content: unknown, problems: string[]][] = [
  [[], [OBJECT]],
  ["null", [OBJECT]],
  ['"sync"', [OBJECT]],
  ["\uFEFF5", [OBJECT]],
  [{}, [LIST]],
  [{ services: [] }, [LIST]],
  [{ services: {} }, [LIST]],
  [{ services: "sync" }, [LIST]],
  [{ service: "sync" }, ["service is not known: did you mean services?", LIST]],
  [{ services: ["sync"] }, [
    'services[0] must be an object like {"service": "sync", "port": 55555}',
  ]],
  [
    { services: [null, []] },
    [0, 1].map((index) =>
      `services[${index}] must be an object like {"service": "sync", "port": 55555}`
    ),
  ],
  [{ services: [{}] }, [`services[0].service must be one of ${NAMES}, not nothing`]],
  [{ services: [{ service: 5 }] }, [`services[0].service must be one of ${NAMES}, not 5`]],
  [{ services: [{ service: "snyc" }] }, [
    `services[0].service must be one of ${NAMES}, not "snyc": did you mean sync?`,
  ]],
  [{ services: [{ service: "constructor" }] }, [
    `services[0].service must be one of ${NAMES}, not "constructor"`,
  ]],
  [{ services: [{ service: "sync" }], loglevel: "info" }, [
    "loglevel is not known: did you mean logLevel?",
  ]],
  [{ services: [{ service: "sync" }], qqqqqqqq: 1 }, ["qqqqqqqq is not known"]],
  [{ services: [{ service: "sync" }], maxClients: 5 }, ["maxClients is not known"]],
  [{ services: [{ service: "sync" }], $shema: "" }, ["$shema is not known: did you mean $schema?"]],
  ['{"services": [{"service": "sync"}], "__proto__": {}}', ["__proto__ is not known"]],
  [{ services: [{ service: "sync" }], logLevel: "loud", json: "yes", upnp: 1, bans: "" }, [
    "upnp must be true or false, not 1",
    'bans must be a text, not ""',
    'logLevel must be one of debug, info, warning, error, not "loud"',
    'json must be true or false, not "yes"',
  ]],
  [{ services: [{ service: "sync" }], dashboard: "localhost:1", dashboardToken: "short" }, [
    'dashboard is a local IP address and a port like 127.0.0.1:55580, not "localhost:1"',
    "dashboardToken is 16 to 256 letters, digits, - and _: nobody may guess it",
  ]],
  [{ services: [{ service: "sync" }], dashboard: 55580 }, [
    'dashboard is true, false or like "127.0.0.1:55580", not 55580',
  ]],
  [sync({ port: 65_536 }), ["services[0].port must be a whole number from 0 to 65535, not 65536"]],
  [sync({ port: -1 }), ["services[0].port must be a whole number from 0 to 65535, not -1"]],
  [sync({ port: 1.5 }), ["services[0].port must be a whole number from 0 to 65535, not 1.5"]],
  [sync({ port: "55555" }), [
    'services[0].port must be a whole number from 0 to 65535, not "55555"',
  ]],
  [sync({ port: null }), ["services[0].port must be a whole number from 0 to 65535, not null"]],
  // Found by the fuzzer: a key that breaks its line.
  [sync({ "q\nq\r": 1 }), ["services[0].q\\x0aq\\x0d is not known"]],
  [sync({ maxclients: 1 }), ["services[0].maxclients is not known: did you mean maxClients?"]],
  [sync({ "max-clients": 1 }), ["services[0].max-clients is not known: did you mean maxClients?"]],
  [sync({ prot: 1 }), ["services[0].prot is not known: did you mean port?"]],
  [sync({ tickRate: 30 }), ["services[0].tickRate is not known"]],
  [sync({ $schema: "" }), ["services[0].$schema is not known"]],
  [sync({ maxClients: 0 }), [
    "services[0].maxClients must be a whole number from 1 to 100000, not 0",
  ]],
  [sync({ maxClients: "5" }), [
    'services[0].maxClients must be a whole number from 1 to 100000, not "5"',
  ]],
  [sync({ timeout: "10 s" }), [
    'services[0].timeout must be a number from 0.1 to 86400, not "10 s"',
  ]],
  [sync({ host: 127 }), ["services[0].host must be a text, not 127"]],
  [sync({ simulate: "lag=1ms,lag=2ms" }), ["lag is in services[0].simulate twice"]],
  [sync({ host: "nope" }), [
    'services[0].host is an IP address of this computer, not "nope"',
  ]],
  [{ services: [{ servce: "sync" }] }, [
    "services[0].servce is not known: did you mean service?",
    "services[0].service must be one of sync, rendezvous, arena, echo, messages, world, not nothing",
  ]],
  [{ services: [{ service: "sync" }], dashboardReadonly: true }, [
    "dashboardReadonly is of use only with dashboard",
  ]],
  [{ services: [{ service: "messages" }], dashboard: "127.0.0.1:8080" }, [
    "services[0].port: TCP port 8080 is that of dashboard already",
  ]],
  [{ services: [{ service: "sync", host: "127.0.0.1" }, { service: "sync" }] }, [
    "services[1].port: UDP port 55555 is that of services[0] already",
  ]],
  [{ services: [{ service: "sync", record: "a" }, { service: "echo", record: "a" }] }, [
    "services[1].record: the file a is that of services[0] already",
  ]],
  [sync({ simulate: "loss=5" }), [
    "loss of services[0].simulate is from 0% to 100%, like loss=5%",
  ]],
  [sync({ simulate: "los=5%" }), [
    "services[0].simulate knows loss, lag, jitter, duplicate, seed, " +
    'but no "los": did you mean loss?',
  ]],
  [{ services: [{ service: "messages", resume: "a" }] }, ["services[0].resume is not known"]],
  [
    { services: [{ service: "sync" }, { service: "messages", port: 55_555 }, { service: "sync" }] },
    [
      "services[2].port: UDP port 55555 is that of services[0] already",
    ],
  ],
  [{
    services: [
      { service: "snyc", port: "x", qqqqqqqq: 1 },
      { service: "echo", port: 99_999, maxClients: 0, qqqqqqqq: 1 },
      { service: "arena" },
      { service: "arena" },
    ],
    qqqqqqqq: 1,
    json: 1,
  }, [
    "qqqqqqqq is not known",
    "json must be true or false, not 1",
    `services[0].service must be one of ${NAMES}, not "snyc": did you mean sync?`,
    "services[1].port must be a whole number from 0 to 65535, not 99999",
    "services[1].qqqqqqqq is not known",
    "services[1].maxClients must be a whole number from 1 to 100000, not 0",
    "services[3].port: UDP port 9999 is that of services[2] already",
  ]],
];

for (const [content, problems] of WRONG) {
  const shown = typeof content === "string" ? content : JSON.stringify(content);
  Deno.test(`readConfig() tells all that is wrong with ${shown}`, () => {
    assertEquals(problemsOf(content), problems);
  });
}

Deno.test("readConfig() says where a file stops being JSON, in one line", () => {
  for (
    const text of ["", "{", '{"services": [{"service": "sync"},\n\n]}', "{ services: [] }", "// x"]
  ) {
    const [problem, ...others] = problemsOf(text);
    assertEquals(others, []);
    assertMatch(problem!, /^it is not JSON: .+$/);
  }
});

Deno.test("readConfig() takes what is right, with what the options say of what is left out", () => {
  const text = `\uFEFF{"$schema": "x", "services": [{"service": "sync", "port": 0, "maxClients": 5},
    {"service": "messages"}, {"service": "sync", "port": 0}], "dashboard": true}`;
  const read = readConfig(text);
  assert(read.ok);
  const { plans, values } = read.config;
  assertEquals(plans.map(({ kind, port }) => [kind.name, port]), [
    ["sync", 0],
    ["messages", 8_080],
    ["sync", 0],
  ]);
  assertEquals(plans.map(({ values }) => values.maxClients), [
    5,
    plans[1]!.values.maxClients,
    1_024,
  ]);
  assertEquals([plans[0]!.values.timeout, plans[0]!.values.host], [10, undefined]);
  assertEquals(values.dashboard, { hostname: "127.0.0.1", port: 55_580 });
  assertEquals([values.json, values.logLevel, values.bans], [false, "info", undefined]);
});

Deno.test("readConfig() takes one port for UDP and for TCP, and for two local addresses", () => {
  const both = [{ service: "sync", port: 5_000 }, { service: "messages", port: 5_000 }];
  assertEquals(problemsOf({ services: both }), []);
  const apart = ["127.0.0.1", "::1"].map((host) => ({ service: "sync", host }));
  assertEquals(problemsOf({ services: apart }), []);
});

Deno.test("readConfig() refuses one file in which two services would keep who is in", () => {
  const services = [{ service: "sync", port: 0 }, { service: "arena", port: 0 }]
    .map((service) => ({ ...service, resume: "kept.json" }));
  const [problem, ...others] = problemsOf({ services });
  assertEquals(others, []);
  assert(problem?.startsWith("services[1].resume"), problem);
});

/** A value that an option takes, by what its schema says. */
function rightFor(
  key: string,
  schema: Readonly<Record<string, unknown>>,
  service: string,
): unknown {
  const texts: Record<string, unknown> = {
    host: "127.0.0.1",
    simulate: "loss=5%",
    dashboardToken: "a".repeat(22),
    dashboard: "127.0.0.1:0",
  };
  if (key in texts) return texts[key];
  if (Array.isArray(schema.enum)) return schema.enum.at(-1);
  switch (schema.type) {
    case "boolean":
      return true;
    case "integer":
    case "number":
      return schema.maximum;
    case "string":
      return `${service}.${key}`; // A file, which no other service has.
    default:
      throw new Error(`no value is known for ${key}: ${JSON.stringify(schema)}`);
  }
}

function allOf(options: Options, service: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([key, { schema }]) => [key, rightFor(key, schema, service)]),
  );
}

Deno.test("readConfig() takes every option of every service, and every other option", () => {
  const services = [...SERVICES.values()].map((kind) => ({
    ...{ service: kind.name, port: 0 },
    ...allOf(optionsOf(kind), kind.name),
  }));
  const config = { services, ...allOf(HOSTING_OPTIONS, "netsync") };
  assertEquals(problemsOf(config), []);
  assertEquals(violations(config, configSchema()), []);
});

Deno.test("configSchema() refuses what readConfig() refuses of types, ranges and names", () => {
  const refused = WRONG.map(([content]) => content)
    .filter((content) => typeof content === "object" || content === "null")
    .map((content) => content === "null" ? null : content)
    // What a schema does not tell: how texts are made, what is there twice, and what goes together.
    .filter((content) =>
      !/already|localhost|loss?=|twice|nope|only with/.test(
        JSON.stringify([content, problemsOf(content)]),
      )
    );
  assert(refused.length > 25);
  for (const content of refused) {
    assert(violations(content, configSchema()).length > 0, JSON.stringify(content));
  }
});

Deno.test("netsync.schema.json is what netsync config schema prints", async () => {
  const { code, out, err } = await output(DENO_RUN, ["config", "schema"]);
  assertEquals([code, err], [0, []]);
  const kept = await Deno.readTextFile(new URL("netsync.schema.json", ROOT));
  assertEquals(JSON.parse(out.join("\n")), JSON.parse(kept));
});

Deno.test("netsync.example.json is right, by its schema too", async () => {
  const { code, out, err } = await output(READ_ALL, ["config", "check", "netsync.example.json"]);
  assertEquals([code, err], [0, []]);
  assertEquals(out[0], "netsync.example.json is right. It runs:");
  assert(out.includes("  sync (SimpleNetSync) on UDP port 55555"), out.join("\n"));
  assert(out.includes("  the dashboard at 127.0.0.1:55580"), out.join("\n"));
  const example = JSON.parse(await Deno.readTextFile(new URL("netsync.example.json", ROOT)));
  assertEquals(violations(example, configSchema()), []);
});

Deno.test("netsync config check ends with status 2 and all that is wrong, and so does serve", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/wrong.json`;
    await Deno.writeTextFile(path, '{"services": [{"service": "snyc"}], "jsn": true}');
    const lines = [
      `netsync: ${path}:`,
      "  jsn is not known: did you mean json?",
      `  services[0].service must be one of ${NAMES}, not "snyc": did you mean sync?`,
    ];
    for (const words of [["config", "check", path], ["serve", "--config", path]]) {
      const { code, out, err } = await output(READ_ALL, words);
      assertEquals([code, out, err], [2, [], lines]);
    }
    await Deno.writeTextFile(path, "[]");
    const { code, err } = await output(READ_ALL, ["config", "check", path]);
    assertEquals([code, err], [2, [`netsync: ${path}: ${OBJECT}`]]);
  });
});

Deno.test("netsync config check ends with status 1 and one line for a file that cannot be read", async () => {
  await withFolder(async (folder) => {
    const huge = `${folder}/huge.json`;
    await Deno.writeTextFile(huge, " ".repeat(2 ** 20 + 1));
    const says: [string, RegExp][] = [
      [folder, /: it is no file$/],
      [huge, /: it is too long to be a config file$/],
      [`${folder}/missing.json`, /missing\.json: .*no such file/],
    ];
    for (const [path, right] of says) {
      for (const words of [["config", "check", path], ["serve", "--config", path]]) {
        const { code, out, err } = await output(READ_ALL, words);
        assertEquals([code, out, err.length], [1, [], 1], words.join(" "));
        assertMatch(err[0]!, right);
        assertStringIncludes(err[0]!, path);
      }
    }
  });
});

Deno.test("netsync config check says which flag is missing, and is content with it", async () => {
  const words = ["config", "check", "netsync.example.json"];
  const { code, err } = await output(DENO_RUN, words);
  assertEquals([code, err], [1, [
    "netsync: netsync config check needs to read netsync.example.json: " +
    "add --allow-read=netsync.example.json after deno run",
  ]]);
  const allowed = [...DENO_RUN.slice(0, -1), "--allow-read=netsync.example.json", "main.ts"];
  assertEquals((await output(allowed, words)).code, 0);
});

Deno.test("netsync config and netsync serve say what they need, with status 2", async () => {
  const says: Record<string, RegExp> = {
    "config": /what of it\? For example: netsync config check netsync\.json/,
    "config check": /what of it\? For example: netsync config check netsync\.json/,
    "config chek x": /what of it\?/,
    "config schema x": /what of it\?/,
    "config check a b": /"b" is one word too many/,
    "serve": /which config file\? For example: netsync serve --config netsync\.json/,
    "serve --config": /--config needs a value: --config FILE/,
    "serve netsync.json": /"netsync\.json" is one word too many/,
    "serve --confg x": /unknown option --confg: did you mean --config\?/,
  };
  await Promise.all(
    Object.entries(says).map(async ([words, right]) => {
      const { code, out, err } = await output(DENO_RUN, words.split(" "));
      assertEquals([code, out, err.length], [2, [], 1], words);
      assertMatch(err[0]!, right);
    }),
  );
  for (const command of ["config", "serve"]) {
    const { code, out } = await output(DENO_RUN, [command, "--help"]);
    assertEquals(code, 0);
    assertMatch(out[0]!, new RegExp(`^usage: netsync ${command} `));
  }
});

type Schema = Record<string, unknown>;

/** What of a value a schema does not allow; for the keywords that {@link configSchema} uses, and no others. */
function violations(value: unknown, schema: object, path = "$"): string[] {
  const found: string[] = [];
  const say = (what: string): void => void found.push(`${path}: ${what}`);
  for (const [keyword, right] of Object.entries(schema)) {
    const check = KEYWORDS[keyword];
    if (!check) throw new Error(`the schema uses ${keyword}, which this test does not know`);
    check(value, right, { say, path, schema: schema as Schema, found });
  }
  return found;
}

type Check = (
  value: unknown,
  right: unknown,
  at: { say: (what: string) => void; path: string; schema: Schema; found: string[] },
) => void;

const isObject = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const KEYWORDS: Record<string, Check> = {
  $schema: () => {},
  title: () => {},
  description: () => {},
  default(_, right, { schema: { default: _default, ...rest }, say }): void {
    if (violations(right, rest).length > 0) say("the default is not allowed");
  },
  type(value, right, { say }): void {
    const isOfType = [right].flat().some((type) =>
      type === "integer"
        ? Number.isInteger(value)
        : type === "array"
        ? Array.isArray(value)
        : type === "object"
        ? isObject(value)
        : [type].includes(typeof value)
    );
    if (!isOfType) say(`not ${right}`);
  },
  const: (value, right, { say }) => value === right || say("another constant"),
  enum: (value, right, { say }) => (right as unknown[]).includes(value) || say("none of them"),
  minimum: (value, right, { say }) =>
    typeof value === "number" && value < (right as number) && say("less"),
  maximum: (value, right, { say }) =>
    typeof value === "number" && value > (right as number) && say("more"),
  minLength: (value, right, { say }) =>
    typeof value === "string" && value.length < (right as number) && say("shorter"),
  minItems: (value, right, { say }) =>
    Array.isArray(value) && value.length < (right as number) && say("too few"),
  maxItems: (value, right, { say }) =>
    Array.isArray(value) && value.length > (right as number) && say("too many"),
  pattern: (value, right, { say }) =>
    typeof value === "string" && !new RegExp(right as string, "u").test(value) && say("otherwise"),
  required(value, right, { say }): void {
    for (const key of right as string[]) {
      if (isObject(value) && !Object.hasOwn(value, key)) say(`without ${key}`);
    }
  },
  properties(value, right, { found, path }): void {
    for (const [key, schema] of Object.entries(right as Record<string, Schema>)) {
      if (!isObject(value) || !Object.hasOwn(value, key)) continue;
      found.push(...violations(value[key], schema, `${path}.${key}`));
    }
  },
  additionalProperties(value, right, { say, schema }): void {
    assertEquals(right, false);
    const known = Object.keys(schema.properties as Schema);
    for (const key of Object.keys(isObject(value) ? value : {})) {
      if (!known.includes(key)) say(`${key} is not known`);
    }
  },
  items(value, right, { found, path }): void {
    if (!Array.isArray(value)) return;
    value.forEach((each, index) =>
      found.push(...violations(each, right as Schema, `${path}[${index}]`))
    );
  },
  oneOf(value, right, { say }): void {
    const count =
      (right as Schema[]).filter((schema) => violations(value, schema).length === 0).length;
    if (count !== 1) say(`as ${count} of them allow`);
  },
};
