import { embeddedThread } from "#storage/engines/embedded-thread.ts";

declare const self: Worker;

const receive = embeddedThread((message) => self.postMessage(message));
self.onmessage = ({ data }) => receive(data);
