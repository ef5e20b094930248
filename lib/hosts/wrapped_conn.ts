type Received = [Uint8Array<ArrayBuffer>, Deno.Addr];

/** A UDP socket in front of another one: everything goes straight through, unless a subclass says otherwise. */
export class WrappedConn implements Deno.DatagramConn {
  /** The one behind. */
  protected readonly inner: Deno.DatagramConn;

  /** Owns the socket from then on. */
  constructor(inner: Deno.DatagramConn) {
    this.inner = inner;
  }

  get addr(): Deno.Addr {
    return this.inner.addr;
  }

  receive(buffer?: Uint8Array): Promise<Received> {
    return this.inner.receive(buffer);
  }

  send(bytes: Uint8Array, to: Deno.Addr): Promise<number> {
    return this.inner.send(bytes, to);
  }

  close(): void {
    this.inner.close();
  }

  joinMulticastV4(address: string, network: string): Promise<Deno.MulticastV4Membership> {
    return this.inner.joinMulticastV4(address, network);
  }

  joinMulticastV6(address: string, network: number): Promise<Deno.MulticastV6Membership> {
    return this.inner.joinMulticastV6(address, network);
  }

  /** Ends when the socket is closed, as that of the system does. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<Received> {
    const { BadResource, Interrupted } = Deno.errors;
    try {
      for (;;) yield await this.receive();
    } catch (error) {
      if (!(error instanceof BadResource || error instanceof Interrupted)) throw error;
    }
  }
}
