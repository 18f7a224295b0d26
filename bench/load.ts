import type { Scenario } from "./scenarios.ts";

/** Sends a scenario's requests over a fixed number of connections and reads every answer to its end. */
export async function drive(
  url: string,
  { body, requests }: Pick<Scenario, "body" | "requests">,
  { key, connections }: { readonly key: string; readonly connections: number },
): Promise<void> {
  let left = requests;
  const headers = { "content-type": "application/json", "x-api-key": key, "anthropic-version": "2023-06-01" };
  const one = async (): Promise<void> => {
    while (left > 0) {
      left--;
      const answer = await fetch(`${url}/v1/messages`, { method: "POST", headers, body });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
}
