/**
 * Follows the events of a streamed answer and decides whether it is whole: `message_start`, then content blocks
 * that are each opened, filled and closed, at least one `message_delta`, and `message_stop` last. Events of other
 * names may stand anywhere. An answer whose events come in another order has lost some of them and is not whole,
 * whatever it ends with.
 *
 * Source: https://platform.claude.com/docs/en/build-with-claude/streaming ("Event types").
 */
export class AnswerCourse {
  /** A piece of content has passed. */
  hasContent = false;
  #state: "before" | "open" | "stopped" | "broken" = "before";
  #openBlocks = 0;
  #hasDelta = false;

  /** Every event has come, and the last one was `message_stop`. */
  get isWhole(): boolean {
    return this.#state === "stopped";
  }

  /** Takes the name of the next event. What follows the end of an answer changes nothing. */
  pass(event: string): void {
    if (event === "content_block_delta") {
      this.hasContent = true;
      if (this.#openBlocks === 0) this.#break();
    } else if (event === "message_start") this.#start();
    else if (event === "content_block_start") this.#open();
    else if (event === "content_block_stop") this.#close();
    else if (event === "message_delta") this.#hasDelta = true;
    else if (event === "message_stop") this.#stop();
    else if (event === "error") this.#break();
  }

  #start(): void {
    if (this.#state === "before") this.#state = "open";
    else this.#break();
  }

  #open(): void {
    if (this.#state === "open") this.#openBlocks++;
    else this.#break();
  }

  #close(): void {
    if (this.#openBlocks > 0) this.#openBlocks--;
    else this.#break();
  }

  #stop(): void {
    if (this.#state === "open" && this.#openBlocks === 0 && this.#hasDelta) this.#state = "stopped";
    else this.#break();
  }

  #break(): void {
    if (this.#state !== "stopped") this.#state = "broken";
  }
}
