import { MessageMeter } from "#protocols/anthropic/message-meter.ts";
import { renameModelOfEvents, renameModelOfMessage } from "#protocols/anthropic/reply-model.ts";
import { readUsage } from "#protocols/anthropic/usage.ts";
import type { Provider } from "#providers/provider.ts";
import { readFault, readStreamError } from "./faults.ts";
import { MODELS } from "./models.ts";
import { readLimits } from "./rate-limits.ts";
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
  renameModel: renameModelOfMessage,
  renameModelInEvents: renameModelOfEvents,
  readFault,
  readStreamError,
  readLimits,
  readUsage,
  openMeter: () => new MessageMeter(),
};
