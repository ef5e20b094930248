/** Longer than any UDP payload, so that nothing arrives cut. */
export const RECEIVE_BUFFER_BYTES = 65_536;
