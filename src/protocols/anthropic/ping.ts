/** The event that keeps a stream of the Messages API alive while it has nothing to say. */
export const PING_EVENT: Uint8Array = new TextEncoder().encode('event: ping\ndata: {"type": "ping"}\n\n');
