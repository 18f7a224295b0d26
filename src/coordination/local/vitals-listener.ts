import type { VitalsNews } from "#coordination/vitals-news.ts";
import type { AccountId } from "#domain/ids.ts";

/** Who is told of what this thread changes. */
export interface VitalsListener {
  onNews: ((news: VitalsNews) => void) | undefined;
  onProbeEnd: ((account: AccountId) => void) | undefined;
}
