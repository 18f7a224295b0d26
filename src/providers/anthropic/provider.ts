import { MessageMeter } from "#protocols/anthropic/message-meter.ts";
import { readUsage } from "#protocols/anthropic/usage.ts";
import type { Provider } from "#providers/provider.ts";
import { readFault } from "./faults.ts";
import { MODELS } from "./models.ts";
import { relayHeaders } from "./reply.ts";
import { buildRequest, DEFAULT_BASE_URL } from "./request.ts";

/** Anthropic's own API, and every server that speaks it. */
export const anthropic: Provider = {
  platform: "anthropic",
  dialects: ["anthropic"],
  defaultBaseUrl: DEFAULT_BASE_URL,
  models: MODELS,
  buildRequest,
  relayHeaders,
  readFault,
  readUsage,
  openMeter: () => new MessageMeter(),
};
