/** Thread entry: one of the threads that read large request bodies. */
import { runParseThread } from "#threads/parse-thread.ts";

declare const self: Worker;

runParseThread(self);
