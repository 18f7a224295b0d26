import { Fault } from "#kernel/fault.ts";
import { readMessages } from "#protocols/anthropic/read-messages.ts";
import { Link, type Port } from "./link.ts";
import type { ParseThreadApi } from "./messages.ts";
import type { ParseJob, ParseResult } from "./parse-messages.ts";

/** What runs in a parse thread: bodies in, facts out, over one port to each HTTP thread. */
export function runParseThread(port: Port): void {
  const api: ParseThreadApi = {
    start: () => undefined,
    connect: (client) => {
      client.onmessage = ({ data }) => answer(client, data as ParseJob);
    },
  };
  new Link(port).serve(api);
}

function answer(client: MessagePort, job: ParseJob): void {
  const result = parse(job);
  client.postMessage(result, result.ok ? [result.body.buffer as ArrayBuffer] : []);
}

function parse({ id, body, seed }: ParseJob): ParseResult {
  try {
    return { id, ok: true, body, facts: readMessages(body, seed) };
  } catch (thrown) {
    const { code, publicMessage } = Fault.from(thrown);
    return { id, ok: false, code, publicMessage };
  }
}
