import { LAYOUT_AS_LUA } from "./keys.ts";
import beat from "./scripts/beat.lua" with { type: "text" };
import bind from "./scripts/bind.lua" with { type: "text" };
import boundTo from "./scripts/bound-to.lua" with { type: "text" };
import bury from "./scripts/bury.lua" with { type: "text" };
import busyness from "./scripts/busyness.lua" with { type: "text" };
import dropBindings from "./scripts/drop-bindings.lua" with { type: "text" };
import enter from "./scripts/enter.lua" with { type: "text" };
import join from "./scripts/join.lua" with { type: "text" };
import leave from "./scripts/leave.lua" with { type: "text" };
import rules from "./scripts/rules.lua" with { type: "text" };
import setLimit from "./scripts/set-limit.lua" with { type: "text" };
import unbind from "./scripts/unbind.lua" with { type: "text" };
import whereabouts from "./scripts/whereabouts.lua" with { type: "text" };

const BODIES = {
  beat,
  bind,
  boundTo,
  bury,
  busyness,
  dropBindings,
  enter,
  join,
  leave,
  setLimit,
  unbind,
  whereabouts,
} as const;

/** What Redis is asked to do in one step. Each is described at the head of its file. */
export type ScriptName = keyof typeof BODIES;

/** The scripts, whole, as Redis gets them. */
export const SCRIPTS: readonly (readonly [ScriptName, string])[] = Object.entries(BODIES).map(
  ([name, body]) => [name as ScriptName, `${LAYOUT_AS_LUA}\n${rules}\n${body}`],
);
