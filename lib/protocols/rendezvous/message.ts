/** What hosts, players and the rendezvous server say to each other, whatever dialect they say it in. */

/** The dialect of the documentation, or the later one with hashes and passwords. */
export type Dialect = 1 | 2;

/** A UDP address. */
export interface Endpoint {
  /** An IP address as its sender spelt it. */
  readonly ip: string;
  /** From 1 to 65535. */
  readonly port: number;
}

/** A player as the host tells the others about it. */
export interface PeerInfo {
  readonly globalAddress: Endpoint;
  readonly localAddress: Endpoint;
  /** Which of the two the host itself uses. */
  readonly usesGlobal: boolean;
}

/** One entry of the list of hosts. */
export interface ServerInfo {
  readonly name: string;
  readonly passwordRequired: boolean;
}

/** From a host or a player to the server. */
export type Request =
  | {
    readonly kind: "register";
    readonly local: Endpoint;
    readonly validSeconds: number;
    /** Dialect 2: the session key. */
    readonly password?: string;
    /** Dialect 2: whether players need the game's password. */
    readonly passwordRequired?: boolean;
  }
  | { readonly kind: "refresh"; readonly validSeconds: number }
  | {
    readonly kind: "join";
    readonly local: Endpoint;
    readonly host: string;
    readonly password?: string;
  }
  | { readonly kind: "list"; readonly password: string; readonly padding?: string };

/** From the server. */
export type Reply =
  | { readonly kind: "registered" }
  | { readonly kind: "refreshed" }
  | {
    readonly kind: "introduction";
    readonly peer: string;
    readonly globalAddress: Endpoint;
    readonly localAddress: Endpoint;
  }
  | { readonly kind: "servers"; readonly servers: readonly ServerInfo[] }
  | { readonly kind: "error"; readonly message: string };

/** To the server that a host ends; between players that one leaves. Dialect 2. */
export interface Drop {
  readonly kind: "drop";
  /** Who is to be dropped: the sender. */
  readonly name: string;
}

/** A reliable message; the response repeats all of it. */
export interface ReliableBody {
  readonly id: number;
  readonly message: unknown;
  /** Ours alone: another one when the sender was started anew and counts from 0 again. */
  readonly session?: number;
}

/** From one player to another, the host among them. */
export type PeerMessage =
  | { readonly kind: "inquiry"; readonly usedGlobal: boolean }
  | { readonly kind: "inquiryResponse"; readonly usedGlobal: boolean }
  | { readonly kind: "check" }
  | { readonly kind: "checkResponse" }
  | { readonly kind: "unreliable"; readonly message: unknown }
  | ({ readonly kind: "reliable" } & ReliableBody)
  | ({ readonly kind: "reliableResponse" } & ReliableBody)
  | {
    readonly kind: "peerList";
    readonly action: "add" | "remove";
    readonly peers: ReadonlyMap<string, PeerInfo>;
    /** Ours alone: comes back in the response. Originals leave it out. */
    readonly id?: number;
  }
  | { readonly kind: "peerListResponse"; readonly id?: number };

/** Anything one datagram can say. */
export type Message = Request | Reply | PeerMessage | Drop;

/** What a message is called. */
export type MessageKind = Message["kind"];

const REQUESTS: ReadonlySet<MessageKind> = new Set(["register", "refresh", "join", "list"]);
const REPLIES: ReadonlySet<MessageKind> = new Set(
  ["registered", "refreshed", "introduction", "servers", "error"],
);

/** Whether it is from a host or a player to the server. */
export function isRequest(message: Message): message is Request | Drop {
  return REQUESTS.has(message.kind) || message.kind === "drop";
}

/** Whether it is from the server. */
export function isReply(message: Message): message is Reply {
  return REPLIES.has(message.kind);
}

/** Whether it is from one player to another. */
export function isPeerMessage(message: Message): message is PeerMessage | Drop {
  return !REQUESTS.has(message.kind) && !REPLIES.has(message.kind);
}
