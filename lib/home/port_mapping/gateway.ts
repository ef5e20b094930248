/** What a router is for a port mapper, whichever protocol it speaks. */

/** One port that is to be reached from outside. */
export interface PortRequest {
  /** What it is a port of. */
  transport: "UDP" | "TCP";
  /** This machine's, and the router's where it can be had. From 1 to 65535. */
  port: number;
}

/** The protocol by which a router was told. */
export type MappingMethod = "UPnP" | "NAT-PMP";

/** Which router. */
export interface RouterName {
  /** What it calls itself, on one line; empty when it does not say. */
  name: string;
  /** Its IP address in the own network. */
  address: string;
}

/** A port that a router leads to this machine. */
export interface Mapping extends PortRequest {
  /** The router's. */
  externalPort: number;
  /** This machine's address there. */
  localIp: string | undefined;
  /** For so long, unless it is renewed; 0: until it is removed. */
  leaseSeconds: number;
}

/**
 * A router, found. Every call ends within a few seconds, or with its signal.
 *
 * All of them throw {@link RefusedError} when the router answers no, and anything else when it does not
 * answer: it may be gone.
 */
export interface Gateway {
  /** What it speaks. */
  readonly method: MappingMethod;
  /** Which one it is. */
  readonly router: RouterName;
  /** Undefined: the router has none, or does not tell it. */
  externalIp(signal: AbortSignal): Promise<string | undefined>;
  /** Makes or renews a mapping. */
  map(request: PortRequest, leaseSeconds: number, signal: AbortSignal): Promise<Mapping>;
  /** Whether a mapping is still there; true where the router cannot be asked. Called after `externalIp`. */
  stillHas(mapping: Mapping, signal: AbortSignal): Promise<boolean>;
  /** Removes this machine's mapping, if it is there. */
  unmap(request: PortRequest, externalPort: number, signal: AbortSignal): Promise<void>;
}

/** A router answered, and the answer is no. The message goes on after "The router does not ...: ". */
export class RefusedError extends Error {
  /** The name of the class. */
  override readonly name = "RefusedError";
  /** The router's code, as its protocol has it. */
  readonly code: number;

  /** Takes the reason as half a sentence, and the router's code. */
  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}
