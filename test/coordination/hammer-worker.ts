/** A thread that works on the memory of a test. */
interface HammerWorker {
  readonly worker: Worker;
  /** Settles when it says that its work is done; rejects when it fails. */
  readonly done: Promise<void>;
  /** Settles when the thread is gone. */
  readonly closed: Promise<void>;
}

/** Starts a thread from its file, with what it needs. */
export function startHammer(file: URL, init: object): HammerWorker {
  const worker = new Worker(file);
  const done = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  worker.addEventListener("message", () => done.resolve());
  worker.addEventListener("error", ({ message }) => done.reject(new Error(message)));
  worker.addEventListener("close", () => closed.resolve());
  worker.postMessage(init);
  return { worker, done: done.promise, closed: closed.promise };
}
