import type { Platform } from "#domain/platform.ts";
import { anthropic } from "./anthropic/provider.ts";
import type { Provider } from "./provider.ts";

const PROVIDERS: ReadonlyMap<Platform, Provider> = new Map([[anthropic.platform, anthropic]]);

/** The provider for a platform; undefined for platforms that can be configured but not yet served. */
export function providerFor(platform: Platform): Provider | undefined {
  return PROVIDERS.get(platform);
}
