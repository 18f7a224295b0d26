import { LAYOUT_AS_LUA } from "./keys.ts";
import accountFor from "./scripts/account-for.lua" with { type: "text" };
import adopt from "./scripts/adopt.lua" with { type: "text" };
import beat from "./scripts/beat.lua" with { type: "text" };
import bind from "./scripts/bind.lua" with { type: "text" };
import boundTo from "./scripts/bound-to.lua" with { type: "text" };
import bury from "./scripts/bury.lua" with { type: "text" };
import busyness from "./scripts/busyness.lua" with { type: "text" };
import claim from "./scripts/claim.lua" with { type: "text" };
import dropBindings from "./scripts/drop-bindings.lua" with { type: "text" };
import endProbe from "./scripts/end-probe.lua" with { type: "text" };
import enter from "./scripts/enter.lua" with { type: "text" };
import forgetNews from "./scripts/forget-news.lua" with { type: "text" };
import grow from "./scripts/grow.lua" with { type: "text" };
import join from "./scripts/join.lua" with { type: "text" };
import lead from "./scripts/lead.lua" with { type: "text" };
import leave from "./scripts/leave.lua" with { type: "text" };
import leaveOffice from "./scripts/leave-office.lua" with { type: "text" };
import purseStatus from "./scripts/purse-status.lua" with { type: "text" };
import readNews from "./scripts/read-news.lua" with { type: "text" };
import restate from "./scripts/restate.lua" with { type: "text" };
import rules from "./scripts/rules.lua" with { type: "text" };
import say from "./scripts/say.lua" with { type: "text" };
import setAside from "./scripts/set-aside.lua" with { type: "text" };
import setLimit from "./scripts/set-limit.lua" with { type: "text" };
import settled from "./scripts/settled.lua" with { type: "text" };
import takeOffice from "./scripts/take-office.lua" with { type: "text" };
import tellNews from "./scripts/tell-news.lua" with { type: "text" };
import unbind from "./scripts/unbind.lua" with { type: "text" };
import whereabouts from "./scripts/whereabouts.lua" with { type: "text" };

const BODIES = {
  accountFor,
  adopt,
  beat,
  bind,
  boundTo,
  bury,
  busyness,
  claim,
  dropBindings,
  endProbe,
  enter,
  forgetNews,
  grow,
  join,
  lead,
  leave,
  leaveOffice,
  purseStatus,
  readNews,
  restate,
  say,
  setAside,
  setLimit,
  settled,
  takeOffice,
  tellNews,
  unbind,
  whereabouts,
} as const;

/** What Redis is asked to do in one step. Each is described at the head of its file. */
export type ScriptName = keyof typeof BODIES;

/** The scripts, whole, as Redis gets them. */
export const SCRIPTS: readonly (readonly [ScriptName, string])[] = Object.entries(BODIES).map(
  ([name, body]) => [name as ScriptName, `${LAYOUT_AS_LUA}\n${rules}\n${body}`],
);
