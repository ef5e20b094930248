/** A router on loopback that says what a test wants: to SSDP, HTTP and NAT-PMP. */
import { PortMapper, type PortMapperOptions } from "../../../lib/home/port_mapping/port_mapper.ts";
import type { PortRequest } from "../../../lib/home/port_mapping/gateway.ts";
import type { Verdict } from "../../../lib/home/port_mapping/verdict.ts";
import { textOf } from "../../../lib/home/port_mapping/xml.ts";
import { until } from "../../support/wait.ts";

const HOST = "127.0.0.1";
const SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1";

/** What it answers differently from an honest router. */
export interface FakeRouterOptions {
  /** Where it says to be described. */
  location?: string;
  /** What it answers to a request; undefined for what an honest router does. */
  http?: (request: Request, action: string) => Response | Promise<Response> | undefined;
  /** What it answers in NAT-PMP. Default: nothing. */
  natPmp?: (question: Uint8Array) => Uint8Array | undefined;
  /** Whether it answers to SSDP. Default true. */
  upnp?: boolean;
}

/** A call as it came. */
export interface Call {
  action: string;
  body: string;
}

/** An honest router, but for what its options say. */
export class FakeRouter implements AsyncDisposable {
  /** Its address on the other side. */
  externalIp = "8.8.4.4";
  /** Actions that it refuses, by their error code. */
  readonly faults = new Map<string, number>();
  /** Its mappings by `UDP 5555`: `192.168.1.7:5555`. */
  readonly mappings = new Map<string, string>();
  /** All that was asked. */
  readonly calls: Call[] = [];
  readonly #options: FakeRouterOptions;
  readonly #ssdp = udp();
  readonly #natPmp = udp();
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[];

  constructor(options: FakeRouterOptions = {}) {
    this.#options = options;
    const quiet = { hostname: HOST, port: 0, signal: this.#stop.signal, onListen: (): void => {} };
    this.#http = Deno.serve(quiet, (request) => this.#answer(request));
    this.#loops = [this.#answerSearches(), this.#answerNatPmp()];
  }

  /** Where its web server listens. */
  get port(): number {
    return this.#http.addr.port;
  }

  /** Where it is described. */
  get location(): string {
    return this.#options.location ?? `http://${HOST}:${this.port}/root.xml`;
  }

  /** A port mapper that finds nothing but this router. */
  mapper(
    requests: readonly PortRequest[] = [{ transport: "UDP", port: 5_555 }],
    options: Partial<PortMapperOptions> = {},
  ): TestMapper {
    return new TestMapper(requests, {
      ssdp: { hostname: HOST, port: (this.#ssdp.addr as Deno.NetAddr).port },
      natPmpRouters: [HOST],
      natPmpPort: (this.#natPmp.addr as Deno.NetAddr).port,
      isRouter: (ip) => ip === HOST,
      ownIps: [],
      lookMs: 50,
      retryMs: 50,
      ...options,
    });
  }

  /** How often an action was called. */
  count(action: string): number {
    return this.calls.filter((call) => call.action === action).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#ssdp.close();
    this.#natPmp.close();
    await Promise.all([this.#http.finished, ...this.#loops]);
  }

  async #answerSearches(): Promise<void> {
    for await (const [question, from] of this.#ssdp) {
      const target = /^ST: (.*)\r$/m.exec(new TextDecoder().decode(question))?.[1];
      if (this.#options.upnp === false || target === undefined) continue;
      const answer = ["HTTP/1.1 200 OK", `ST: ${target}`, `LOCATION: ${this.location}`, "", ""];
      await this.#ssdp.send(new TextEncoder().encode(answer.join("\r\n")), from);
    }
  }

  async #answerNatPmp(): Promise<void> {
    for await (const [question, from] of this.#natPmp) {
      const answer = this.#options.natPmp?.(question);
      if (answer) await this.#natPmp.send(answer, from);
    }
  }

  async #answer(request: Request): Promise<Response> {
    const action = /#(\w+)"/.exec(request.headers.get("soapaction") ?? "")?.[1] ?? "";
    const body = await request.text();
    this.calls.push({ action, body });
    return await this.#options.http?.(request, action) ??
      (action === "" ? new Response(describe("/control")) : this.#act(action, body));
  }

  #act(action: string, body: string): Response {
    const key = `${textOf(body, "NewProtocol")} ${textOf(body, "NewExternalPort")}`;
    const client = `${textOf(body, "NewInternalClient")}:${textOf(body, "NewInternalPort")}`;
    const held = this.mappings.get(key);
    const code = this.faults.get(action);
    if (code !== undefined) return fault(code);
    if (action === "GetExternalIPAddress") {
      return answerTo(action, { NewExternalIPAddress: this.externalIp });
    }
    if (action === "AddPortMapping") {
      if (held !== undefined && held !== client) return fault(718);
      this.mappings.set(key, client);
      return answerTo(action);
    }
    if (held === undefined) return fault(714);
    if (action === "DeletePortMapping") {
      this.mappings.delete(key);
      return answerTo(action);
    }
    const [NewInternalClient = "", NewInternalPort = ""] = held.split(":");
    const NewPortMappingDescription = "some\u001b[31mthing";
    return answerTo(action, { NewInternalClient, NewInternalPort, NewPortMappingDescription });
  }
}

/** A port mapper, and what it told. */
export class TestMapper implements AsyncDisposable {
  /** All that it told so far. */
  readonly verdicts: Verdict[] = [];
  readonly #mapper: PortMapper;

  constructor(requests: readonly PortRequest[], options: Partial<PortMapperOptions>) {
    this.#mapper = new PortMapper(requests, {
      ...options,
      onVerdict: (verdict) => {
        this.verdicts.push(verdict);
        options.onVerdict?.(verdict);
      },
    });
  }

  /** The verdict number `index`, when it is there. */
  async verdict(index = 0): Promise<Verdict> {
    await until(`verdict ${index}`, () => this.verdicts.length > index);
    return this.verdicts[index]!;
  }

  /** Closes it. */
  close(): Promise<void> {
    return this.#mapper.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A description with one service. */
export function describe(controlUrl: string, more = ""): string {
  return `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0">${more}
  <device>
    <deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
    <friendlyName>Fake &amp; Co</friendlyName>
    <serviceList><service>
      <serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>
      <controlURL>/wrong</controlURL>
    </service></serviceList>
    <deviceList><device><serviceList><service>
      <serviceType>${SERVICE}</serviceType>
      <controlURL>${controlUrl}</controlURL>
    </service></serviceList></device></deviceList>
  </device>
</root>`;
}

/** A SOAP answer. */
export function answerTo(action: string, values: Record<string, string> = {}): Response {
  const inner = Object.entries(values).map(([name, value]) => `<${name}>${value}</${name}>`);
  return new Response(
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>' +
      `<u:${action}Response xmlns:u="${SERVICE}">${inner.join("")}</u:${action}Response>` +
      "</s:Body></s:Envelope>",
  );
}

/** A SOAP fault. */
export function fault(code: number, text = "no"): Response {
  const xml = '<s:Envelope xmlns:s="x"><s:Body><s:Fault><faultcode>s:Client</faultcode>' +
    "<faultstring>UPnPError</faultstring><detail>" +
    `<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>${code}</errorCode>` +
    `<errorDescription>${text}</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>`;
  return new Response(xml, { status: 500 });
}

function udp(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
}
