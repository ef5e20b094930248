/** A router that speaks UPnP IGD v1 or v2. */
import { canonicalIp } from "../../parts/ip.ts";
import {
  type Gateway,
  type Mapping,
  type PortRequest,
  RefusedError,
  type RouterName,
} from "./gateway.ts";
import { ask, HttpError } from "./http.ts";
import {
  encodeAction,
  type IgdArguments,
  type IgdService,
  parseActionAnswer,
  parseDescription,
} from "./igd.ts";
import { plainText } from "./plain_text.ts";
import { explainRefusal, IGD_ERRORS } from "./refusals.ts";
import { withTimeLimit } from "../within.ts";

/** Descriptions have 5 to 20 kB. */
const DESCRIPTION_BYTES_MAX = 131_072;
/** Answers to actions have less than 1 kB. */
const ANSWER_BYTES_MAX = 16_384;
/** How long one question to the router may take. */
const ANSWER_WITHIN_MS = 3_000;

/** Who has an external port. */
interface Holder {
  ip: string;
  port: number;
  description: string;
}

/** A router, and the service in it that maps ports. */
export class UpnpGateway implements Gateway {
  readonly method = "UPnP";
  readonly router: RouterName;
  readonly #service: IgdService;
  readonly #description: string;
  #localIp: string;

  private constructor(
    router: RouterName,
    service: IgdService,
    localIp: string,
    description: string,
  ) {
    this.router = router;
    this.#service = service;
    this.#localIp = localIp;
    this.#description = description;
  }

  /**
   * Reads a router's description.
   *
   * @param description What the router is to write beside a mapping, for people.
   * @returns undefined when nothing in it can map ports.
   * @throws {Error} It does not answer, or nonsense.
   */
  static async open(
    location: URL,
    description: string,
    signal: AbortSignal,
  ): Promise<UpnpGateway | undefined> {
    const request = { method: "GET", url: location, bytesMax: DESCRIPTION_BYTES_MAX } as const;
    const { status, body, localIp } = await withTimeLimit(
      ANSWER_WITHIN_MS,
      signal,
      (signal) => ask(request, signal),
    );
    if (status !== 200) throw new HttpError(`answers with status ${status}`);
    const { name, services } = parseDescription(body, location);
    const router = { name, address: location.hostname };
    const gateways = services.map((service) =>
      new UpnpGateway(router, service, localIp, description)
    );
    // A router may have a second way out that is not connected; that one knows no external address.
    for (const gateway of gateways.length > 1 ? gateways : []) {
      if (await gateway.externalIp(signal).catch(() => undefined)) return gateway;
    }
    return gateways[0];
  }

  async externalIp(signal: AbortSignal): Promise<string | undefined> {
    try {
      const values = await this.#call("GetExternalIPAddress", [], signal);
      const ip = canonicalIp(values.get("NewExternalIPAddress") ?? "");
      return ip === undefined || ip === "0.0.0.0" || ip.includes(":") ? undefined : ip;
    } catch (error) {
      if (error instanceof RefusedError) return undefined;
      throw error;
    }
  }

  async map(request: PortRequest, leaseSeconds: number, signal: AbortSignal): Promise<Mapping> {
    try {
      return await this.#add(request, leaseSeconds, signal);
    } catch (error) {
      const code = error instanceof RefusedError ? error.code : undefined;
      const { onlyPermanent, invalidArgs, conflict } = IGD_ERRORS;
      // IGD v1 knows no code for "only permanent": some routers call the argument invalid.
      if (leaseSeconds > 0 && (code === onlyPermanent || code === invalidArgs)) {
        return await this.#add(request, 0, signal);
      }
      if (code !== conflict) throw error;
      return await this.#settleConflict(request, leaseSeconds, signal);
    }
  }

  async stillHas(mapping: Mapping, signal: AbortSignal): Promise<boolean> {
    const holder = await this.#holderOf(mapping.transport, mapping.externalPort, signal);
    if (holder === "unknown") return true;
    return holder !== undefined && this.#isOurs(holder, mapping);
  }

  async unmap(request: PortRequest, externalPort: number, signal: AbortSignal): Promise<void> {
    const holder = await this.#holderOf(request.transport, externalPort, signal);
    // UPnP lets everybody remove everything: what became another machine's stays.
    if (holder === undefined || (holder !== "unknown" && !this.#isOurs(holder, request))) return;
    try {
      await this.#delete(request.transport, externalPort, signal);
    } catch (error) {
      if (!(error instanceof RefusedError) || error.code !== IGD_ERRORS.noSuchEntry) throw error;
    }
  }

  async #add(request: PortRequest, leaseSeconds: number, signal: AbortSignal): Promise<Mapping> {
    const { transport, port } = request;
    const localIp = this.#localIp;
    await this.#call("AddPortMapping", [
      ["NewRemoteHost", ""],
      ["NewExternalPort", port],
      ["NewProtocol", transport],
      ["NewInternalPort", port],
      ["NewInternalClient", localIp],
      ["NewEnabled", 1],
      ["NewPortMappingDescription", this.#description],
      ["NewLeaseDuration", leaseSeconds],
    ], signal);
    return { transport, port, externalPort: port, localIp, leaseSeconds };
  }

  /** Some routers refuse to renew what they have, and want it removed first. */
  async #settleConflict(
    request: PortRequest,
    leaseSeconds: number,
    signal: AbortSignal,
  ): Promise<Mapping> {
    const holder = await this.#holderOf(request.transport, request.port, signal);
    const { conflict } = IGD_ERRORS;
    if (holder === undefined || holder === "unknown") {
      throw new RefusedError(explainRefusal("UPnP", conflict, ""), conflict);
    }
    if (!this.#isOurs(holder, request)) {
      const what = holder.description ? ` ("${holder.description}")` : "";
      const whose = holder.ip === this.#localIp
        ? `port ${holder.port} of this machine`
        : `another machine, ${holder.ip}`;
      throw new RefusedError(`it leads this port to ${whose} already${what}`, conflict);
    }
    await this.#delete(request.transport, request.port, signal);
    return await this.#add(request, leaseSeconds, signal);
  }

  #isOurs(holder: Holder, { port }: PortRequest): boolean {
    return holder.ip === this.#localIp && holder.port === port;
  }

  /** Undefined: nobody. "unknown": this router does not tell. */
  async #holderOf(
    transport: "UDP" | "TCP",
    externalPort: number,
    signal: AbortSignal,
  ): Promise<Holder | undefined | "unknown"> {
    try {
      const values = await this.#call("GetSpecificPortMappingEntry", [
        ["NewRemoteHost", ""],
        ["NewExternalPort", externalPort],
        ["NewProtocol", transport],
      ], signal);
      const ip = canonicalIp(values.get("NewInternalClient") ?? "");
      if (ip === undefined) return "unknown";
      const description = plainText(values.get("NewPortMappingDescription") ?? "");
      return { ip, port: Number(values.get("NewInternalPort")), description };
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      return error.code === IGD_ERRORS.noSuchEntry ? undefined : "unknown";
    }
  }

  async #delete(
    transport: "UDP" | "TCP",
    externalPort: number,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#call("DeletePortMapping", [
      ["NewRemoteHost", ""],
      ["NewExternalPort", externalPort],
      ["NewProtocol", transport],
    ], signal);
  }

  async #call(
    action: string,
    args: IgdArguments,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const { type, control } = this.#service;
    const request = {
      method: "POST",
      url: control,
      headers: {
        "Content-Type": 'text/xml; charset="utf-8"',
        "SOAPAction": `"${type}#${action}"`,
      },
      body: encodeAction(type, action, args),
      bytesMax: ANSWER_BYTES_MAX,
    } as const;
    const { status, body, localIp } = await withTimeLimit(
      ANSWER_WITHIN_MS,
      signal,
      (signal) => ask(request, signal),
    );
    this.#localIp = localIp; // It may have changed since, and mappings lead to the newest.
    const answer = parseActionAnswer(status, body, action);
    if (!answer) throw new HttpError(`answers ${action} with something else, status ${status}`);
    if (!answer.ok) {
      throw new RefusedError(explainRefusal("UPnP", answer.code, answer.text), answer.code);
    }
    return answer.values;
  }
}
