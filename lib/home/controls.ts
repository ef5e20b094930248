/** What the person who runs the services may do about those who are in. */
export interface Controls {
  /** Sends one away from a service, and does not hear its address for a while. False: it is not in. */
  kick(service: string, address: string): boolean;
  /**
   * Lets an address or a network in no more, and sends away who is in from there.
   *
   * @returns What is wrong with it, as a sentence; undefined when it is banned.
   */
  ban(text: string): string | undefined;
  /** Lets it in again. False: it was not banned. */
  unban(text: string): boolean;
}
