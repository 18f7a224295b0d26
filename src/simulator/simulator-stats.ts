import type { Traffic } from "./attempt-log.ts";
import type { Usage } from "./usage.ts";

/** What the simulator has seen as a whole. */
export interface SimulatorStats extends Traffic {
  /** Connections open now, those of the control API included. */
  readonly openSockets: number;
  /** Traffic by the credential presented; `""` for none. */
  readonly byKey: Readonly<Record<string, Traffic>>;
  /** The simulator's own bill: tokens of all ended attempts by model. */
  readonly bill: Readonly<Record<string, Usage>>;
}
