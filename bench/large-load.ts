/**
 * Both ends of the large bodies, in a process of their own so that what they cost is not the measuring
 * process's: an upstream that takes them in unread, and one connection that sends them one after the other.
 * Prints the upstream's URL; `GATEWAY_URL KEY` on standard input starts the sending, a second line ends it.
 */
const LARGE_BYTES = 2_000_000;

const answer = JSON.stringify({ type: "message", content: [], usage: { input_tokens: 1, output_tokens: 1 } });
const upstream = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  fetch: async (request) => {
    await request.bytes();
    return new Response(answer, { headers: { "content-type": "application/json" } });
  },
});
const content = 'He said "yes", then\nleft. '.repeat(LARGE_BYTES / 30);
const body = new TextEncoder().encode(
  JSON.stringify({ model: "claude-sonnet-4-6", max_tokens: 1, messages: [{ role: "user", content }] }),
);

process.stdout.write(`${JSON.stringify({ url: upstream.url.origin })}\n`);
let isSending = false;
for await (const line of console) {
  const [url, key] = line.split(" ");
  if (isSending || url === undefined || key === undefined) process.exit(0);
  isSending = true;
  void sendForEver(url, key);
}

async function sendForEver(url: string, key: string): Promise<void> {
  for (;;) {
    const reply = await fetch(`${url}/v1/messages`, { method: "POST", headers: { "x-api-key": key }, body });
    if (!reply.ok) throw new Error(`${reply.status}: ${await reply.text()}`);
    await reply.text();
  }
}
