import { readFileSync } from "node:fs";
import { createSecureServer, type ServerHttp2Stream } from "node:http2";
import { parseArgs } from "node:util";

/** An upstream that speaks HTTP/2 and answers every request alike, once its body has come. Prints its URL. */
const { values } = parseArgs({
  options: {
    cert: { type: "string", default: "" },
    key: { type: "string", default: "" },
    bytes: { type: "string", default: "600" },
  },
});
const answer = Buffer.from(JSON.stringify({ usage: {}, text: "x".repeat(Number(values.bytes)) }));
const server = createSecureServer({ cert: readFileSync(values.cert), key: readFileSync(values.key) });
server.on("stream", (stream: ServerHttp2Stream) => {
  stream.resume();
  stream.on("end", () => {
    stream.respond({ ":status": 200, "content-type": "application/json" });
    stream.end(answer);
  });
  stream.on("error", () => undefined);
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  process.stdout.write(`${JSON.stringify({ url: `https://127.0.0.1:${port}` })}\n`);
});
