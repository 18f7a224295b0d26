import type { Broadcast, Topic } from "#coordination/broadcast.ts";
import { WORD } from "./keys.ts";
import type { RedisLink } from "./link.ts";

/** What nodes tell each other, over the channel that all members listen to. */
export class RedisBroadcast implements Broadcast {
  onHeard: ((topic: Topic, text: string) => void) | undefined;
  readonly #node: string;
  #link: RedisLink | undefined;

  constructor(node: string) {
    this.#node = node;
  }

  attach(link: RedisLink): void {
    this.#link = link;
  }

  tell(topic: Topic, text: string): void {
    this.#link?.tell("say", `${WORD}${this.#node} ${topic} ${text}`);
  }

  /** Takes in what was said to all members; false when it was nothing of this kind. */
  heard(message: string): boolean {
    if (!message.startsWith(WORD)) return false;
    const [, node, topic, text] = /^(\S+) (\S+) (.*)$/s.exec(message.slice(WORD.length)) ?? [];
    const isTopic = topic === "change" || topic === "booked";
    if (node !== this.#node && isTopic && text !== undefined) this.onHeard?.(topic, text);
    return true;
  }
}
