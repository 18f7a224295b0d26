import type { AccountFigures, VitalsNews } from "#coordination/vitals-news.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Clock } from "#kernel/clock.ts";
import { FIGURES, NEWS } from "./keys.ts";
import type { Argument, RedisLink } from "./link.ts";
import type { NodeVitals } from "./node.ts";

/** What is left of rate limits changes with every answer; it is told together this often, in milliseconds. */
const HEADROOM_MS = 500;

/** What the exchange of figures works with. */
export interface NewsParts {
  readonly vitals: NodeVitals;
  readonly member: string;
  readonly clock: Pick<Clock, "now">;
  /** Told how many nodes and members there are, when that is known. */
  readonly noteCounts: (nodes: number, members: number) => void;
}

/**
 * What nodes tell each other of accounts. What changes is told at once; rests and circuits are kept for those that were
 * not listening; what is left of rate limits is told a little later, together; how accounts are used is told by whoever
 * leads. This node's shared memory holds all of it, so that nobody waits to read it.
 */
export class NewsExchange {
  readonly #parts: NewsParts;
  readonly #headroom = new Map<AccountId, VitalsNews>();
  #link: RedisLink | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(parts: NewsParts) {
    this.#parts = parts;
    parts.vitals.onNews = (news) => this.#tell(news);
    parts.vitals.onProbeEnd = (account) => void this.#link?.tell("endProbe", parts.member, account);
  }

  attach(link: RedisLink): void {
    this.#link = link;
    this.#timer = setInterval(() => this.#tellHeadroom(), HEADROOM_MS);
  }

  detach(): void {
    clearInterval(this.#timer);
    this.#parts.vitals.onNews = undefined;
    this.#parts.vitals.onProbeEnd = undefined;
  }

  /** Takes over what was kept while this thread was not listening. */
  async catchUp(link: RedisLink): Promise<void> {
    const answer = (await link.askReturning("readNews")) as [number, number, readonly string[]];
    const [nodes, members, kept] = answer;
    if (nodes > 0) this.#parts.noteCounts(nodes, members);
    const over: string[] = [];
    for (let place = 0; place < kept.length; place += 2) {
      const news = JSON.parse(kept[place + 1] ?? "null") as VitalsNews;
      if (isOver(news, this.#parts.clock.now())) over.push(kept[place] ?? "");
      else this.#parts.vitals.apply(news);
    }
    if (over.length > 0) link.tell("forgetNews", ...over);
  }

  /** Takes in what was said to all members; false when it was about something else. */
  heard(message: string): boolean {
    if (message.startsWith(NEWS)) {
      for (const news of JSON.parse(message.slice(NEWS.length)) as readonly VitalsNews[]) {
        this.#parts.vitals.apply(news);
      }
      return true;
    }
    if (!message.startsWith(FIGURES)) return false;
    const [counts = "", ...accounts] = message.slice(FIGURES.length).split(" ");
    const [nodes = 0, members = 0] = counts.split(",").map(Number);
    if (nodes > 0) this.#parts.noteCounts(nodes, members);
    const nowMs = this.#parts.clock.now();
    for (const text of accounts) if (text !== "") this.#parts.vitals.noteFigures(figuresOf(text), nowMs);
    return true;
  }

  #tell(news: VitalsNews): void {
    if (news.kind === "headroom") {
      this.#headroom.set(news.account, news);
      return;
    }
    this.#link?.tell("tellNews", `${NEWS}${JSON.stringify([news])}`, ...keptAs(news));
  }

  #tellHeadroom(): void {
    if (this.#headroom.size === 0) return;
    const news = [...this.#headroom.values()];
    this.#headroom.clear();
    this.#link?.tell("tellNews", `${NEWS}${JSON.stringify(news)}`);
  }
}

/** By which names, and as what, news are kept. */
function keptAs(news: VitalsNews): readonly Argument[] {
  const text = JSON.stringify(news);
  switch (news.kind) {
    case "cooled":
      return [`rest:${news.account}`, text];
    case "circuit":
      return [`circuit:${news.account}`, news.openUntilMs === 0 ? "" : text];
    case "recovered":
      return [`rest:${news.account}`, "", `circuit:${news.account}`, ""];
    default:
      return [];
  }
}

/** A circuit stays half-open for as long as nobody has probed, so it is not over when its time is. */
function isOver(news: VitalsNews, nowMs: number): boolean {
  return "untilMs" in news && news.untilMs <= nowMs;
}

function figuresOf(text: string): AccountFigures {
  const [account = 0, inFlight = 0, waiting = 0, lastUsedMs = 0, requests = 0] = text.split(",").map(Number);
  return { account: account as AccountId, inFlight, waiting, lastUsedMs, requests };
}
