/** Takes what it is handed and does nothing with it. */
declare const self: Worker;

self.onmessage = () => undefined;
