import type { Plan } from "#simulator/plan.ts";
import { judge, type Verdict } from "#support/event-stream.ts";
import { eventually, type Tenant, type TestGateway } from "#support/gateway.ts";
import { messageBody } from "../../simulator/raw-client.ts";

/** How one client's stream came to its end: as its events say, or with a connection that broke or was refused. */
export type StreamEnd = Verdict | "broken" | "refused";

/** One client's answer. */
export interface SeenStream {
  readonly requestId: string;
  readonly end: StreamEnd;
}

/** Streams that have begun, and what becomes of them. */
export interface OpenStreams {
  /** Settles when every one of them has ended. */
  readonly all: Promise<readonly SeenStream[]>;
}

/** Opens streams, each on a connection of its own, and returns when every one of them has sent its first bytes. */
export async function openStreams(
  { url }: Pick<TestGateway, "url">,
  { key }: Tenant,
  plans: readonly Plan[],
): Promise<OpenStreams> {
  let begun = 0;
  const one = async (plan: Plan): Promise<SeenStream> => {
    let requestId = "";
    try {
      const answer = await fetch(`${url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": key },
        body: messageBody(plan),
        keepalive: false,
      });
      requestId = answer.headers.get("x-sluice-request-id") ?? "";
      if (!answer.ok) {
        begun++;
        return { requestId, end: "refused" };
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of answer.body ?? []) {
        if (chunks.push(chunk) === 1) begun++;
      }
      return { requestId, end: judge(Buffer.concat(chunks).toString()) };
    } catch {
      return { requestId, end: "broken" };
    }
  };
  const all = Promise.all(plans.map(one));
  await eventually(
    () => begun,
    (count) => count === plans.length,
    20_000,
  );
  return { all };
}

/** How many of them ended in each way. */
export function countEnds(streams: readonly SeenStream[]): Partial<Record<StreamEnd, number>> {
  const counts: Partial<Record<StreamEnd, number>> = {};
  for (const { end } of streams) counts[end] = (counts[end] ?? 0) + 1;
  return counts;
}
