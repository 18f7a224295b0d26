/** Thread entry: one of the threads that accept requests. */
import { runHttpThread } from "../src/http-thread.ts";

declare const self: Worker;

runHttpThread(self);
