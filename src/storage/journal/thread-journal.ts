import { readdirSync } from "node:fs";
import type { Clock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import { framesOf, type Scan, scanFrames } from "./frame.ts";
import {
  bySegmentAge,
  type Disk,
  readSegmentName,
  Segment,
  type SegmentName,
  systemDisk,
} from "./segment.ts";

/**
 * A segment that has reached this size is followed by another, in bytes. Whole segments are removed, so this is
 * also how much of what is booked already may be booked again after a process was killed.
 */
const SEGMENT_BYTES_MAX = 1_048_576;
/** Segments that fit into the journal's bound at least, so that a small bound is not one half-booked segment. */
const SEGMENTS_MIN = 8;
/** The share of the bound from which on its nearness is said loudly. */
const NEARLY_FULL = 0.9;
/** How often the disk is made to take what was written, where that is wanted, in milliseconds. */
const SYNC_MS = 1_000;
/** Lines that are looked at in one step. */
const PEEK_LINES = 256;
const REASON_LENGTH_MAX = 200;

type Fill = "roomy" | "nearly_full" | "full";

/** What a thread's journal is opened with. */
export interface ThreadJournalOptions {
  /** A folder that no other process writes to. */
  readonly dir: string;
  readonly thread: number;
  /** Whose segments are taken over: those of threads that are gone. */
  readonly adopts: (thread: number) => boolean;
  /** From how many bytes of segments on it counts as full. */
  readonly bytesMax: number;
  /** Whether the disk is made to take what was written, once a second. */
  readonly isSynced: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** In place of the operating system's own. */
  readonly disk?: Disk;
}

/** Lines that were read back. */
export interface JournalRead {
  readonly lines: readonly string[];
  /** When the first of them was recorded, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** The place behind the last of them. */
  readonly end: number;
}

/**
 * What one thread has recorded and is not known to be booked, in files that only this thread writes. A line
 * that was appended has been taken by the operating system: the death of the thread or of the whole process
 * loses nothing. The power of the machine may take the last second with it, or what its disk had not written
 * where syncing is off.
 *
 * Lines are read back in order, from a place that {@link next} and {@link skip} move on; places count bytes.
 * Segments that threads before this one have left come first, so that replaying is nothing but reading. A line
 * that is damaged is skipped and said loudly, and its file is kept aside as `*.damaged`.
 */
export class ThreadJournal {
  readonly #options: ThreadJournalOptions;
  readonly #segmentBytesMax: number;
  readonly #syncTimer: ReturnType<typeof setInterval> | undefined;
  readonly #segments: Segment[] = [];
  #bytes = 0;
  #unread = 0;
  #unreadSinceMs = 0;
  #cursor = 0;
  #end = 0;
  #number = 0;
  #loaded: { readonly segment: Segment; readonly bytes: Buffer } | undefined;
  #fill: Fill = "roomy";

  /** @throws Error of the file system when the folder or what is in it cannot be read. */
  constructor(options: ThreadJournalOptions) {
    this.#options = options;
    this.#segmentBytesMax = Math.min(SEGMENT_BYTES_MAX, Math.ceil(options.bytesMax / SEGMENTS_MIN));
    for (const name of segmentsIn(options.dir)) {
      this.#number = Math.max(this.#number, name.number + 1);
      if (options.adopts(name.thread)) this.#adopt(name);
    }
    if (options.isSynced) this.#syncTimer = setInterval(() => this.#sync(), SYNC_MS);
    this.#watchBytes();
  }

  /** How large the files are together, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#fill === "full";
  }

  /** The place behind the last line. */
  get end(): number {
    return this.#end;
  }

  /** How many lines there are to be read; a damaged file may make it an estimate. */
  get unread(): number {
    return this.#unread;
  }

  /** Since when there are lines to be read, in milliseconds since the Unix epoch. */
  get unreadSinceMs(): number {
    return this.#unreadSinceMs;
  }

  /**
   * Appends lines, all or none. They are safe from the death of this process when this returns. A full journal takes
   * lines too: they are those of requests that are under way.
   *
   * @throws Error of the file system; the journal is as it was before.
   * @throws RangeError when a line is none.
   */
  append(...lines: readonly string[]): void {
    const atMs = this.#options.clock.now();
    this.#write(framesOf(lines, atMs));
    if (this.#unread === 0) this.#unreadSinceMs = atMs;
    this.#unread += lines.length;
  }

  /**
   * Tries whether lines can be appended.
   *
   * @throws Error of the file system when they cannot.
   */
  probe(): void {
    this.#write(framesOf([""], this.#options.clock.now()));
  }

  #write(frames: Uint8Array): void {
    this.#openSegment().append(frames);
    this.#end += frames.length;
    this.#bytes += frames.length;
    this.#watchBytes();
  }

  /** Everything there is has been taken care of without being read. */
  skip(): void {
    this.#cursor = this.#end;
    this.#unread = 0;
  }

  /**
   * Reads at most this many lines on; undefined when there are none.
   *
   * @throws Error of the file system; the same lines are tried again the next time.
   */
  next(linesMax: number): JournalRead | undefined {
    while (this.#cursor < this.#end) {
      const segment = this.#segments.find(({ from, to }) => from <= this.#cursor && this.#cursor < to);
      if (segment === undefined) break;
      const scan = this.#scan(segment, linesMax);
      this.#cursor = scan === undefined ? segment.to : segment.from + scan.end;
      if (scan === undefined || scan.lines.length === 0) continue;
      this.#unread = this.#cursor < this.#end ? Math.max(0, this.#unread - scan.lines.length) : 0;
      return { lines: scan.lines, sinceMs: scan.firstAtMs ?? 0, end: this.#cursor };
    }
    this.skip();
    return undefined;
  }

  /** Undefined when somebody has removed the file. */
  #scan(segment: Segment, linesMax: number): Scan | undefined {
    const bytes = this.#load(segment);
    if (bytes === undefined) return undefined;
    const from = this.#cursor - segment.from;
    const scan = scanFrames(bytes, from, linesMax);
    const { log } = this.#options;
    if (scan.damagedBytes > 0) {
      segment.markDamaged();
      const fields = { file: segment.path, from, to: scan.end, bytes: scan.damagedBytes };
      log.error("journal.damaged", fields);
    }
    if (scan.tornBytes > 0) log.warn("journal.tail_cut", { file: segment.path, bytes: scan.tornBytes });
    return scan;
  }

  #load(segment: Segment): Buffer | undefined {
    const { size } = segment;
    if (this.#loaded?.segment === segment && this.#loaded.bytes.length === size) return this.#loaded.bytes;
    try {
      const bytes = segment.load();
      this.#loaded = { segment, bytes };
      return bytes;
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT")) throw thrown;
      this.#options.log.error("journal.file_missing", { file: segment.path, bytes: size });
      return undefined;
    }
  }

  /**
   * All lines that are there to be read, which stay so.
   *
   * @throws Error of the file system.
   */
  *peek(): Generator<string> {
    const [cursor, unread] = [this.#cursor, this.#unread];
    try {
      for (let read = this.next(PEEK_LINES); read !== undefined; read = this.next(PEEK_LINES))
        yield* read.lines;
    } finally {
      this.#cursor = cursor;
      this.#unread = unread;
    }
  }

  /** Everything before this place is booked and need not be kept. */
  release(place: number): void {
    while (this.#segments[0] !== undefined && this.#segments[0].to <= place) {
      const [segment] = this.#segments;
      const { size } = segment;
      if (!(segment.isOpen && segment.reset())) {
        this.#segments.shift();
        this.#remove(segment);
      }
      this.#loaded = undefined;
      this.#bytes -= size;
      if (segment.isOpen) break;
    }
    this.#watchBytes();
  }

  /** A file that cannot be removed is booked once more at the next start, which changes nothing. */
  #remove(segment: Segment): void {
    try {
      segment.remove();
    } catch (thrown) {
      this.#options.log.error("journal.not_removed", { file: segment.path, reason: reasonOf(thrown) });
    }
  }

  /** Leaves what is not booked to whoever comes next; nothing is appended any more. */
  close(): void {
    clearInterval(this.#syncTimer);
    for (const segment of this.#segments.splice(0)) {
      if (segment.size === 0) this.#remove(segment);
      else this.#closeSegment(segment);
    }
  }

  #adopt(name: SegmentName): void {
    const { segment, lines } = Segment.adopt(this.#options.dir, name, this.#end);
    if (segment.size === 0) {
      this.#remove(segment);
      return;
    }
    if (this.#segments.push(segment) === 1) this.#unreadSinceMs = name.startedAtMs;
    this.#unread += lines;
    this.#bytes += segment.size;
    this.#end = segment.to;
  }

  #openSegment(): Segment {
    const last = this.#segments.at(-1);
    if (last?.isOpen && last.size < this.#segmentBytesMax) return last;
    const { dir, thread, clock, disk = systemDisk } = this.#options;
    const name = { thread, startedAtMs: clock.now(), number: this.#number++ };
    const segment = Segment.create(dir, name, this.#end, disk);
    if (last !== undefined) this.#closeSegment(last);
    this.#segments.push(segment);
    return segment;
  }

  #closeSegment(segment: Segment): void {
    segment.close(this.#options.isSynced ? this.#onUnsynced : undefined);
  }

  #sync(): void {
    this.#segments.at(-1)?.sync(this.#onUnsynced);
  }

  readonly #onUnsynced = (error: Error): void => {
    this.#options.log.error("journal.not_synced", { reason: reasonOf(error) });
  };

  /** Says once when the bound comes near, when it is reached, and when it is far again. */
  #watchBytes(): void {
    const { bytesMax, log } = this.#options;
    const fill = fillOf(this.#bytes, bytesMax);
    if (fill === this.#fill) return;
    this.#fill = fill;
    const fields = { bytes: this.#bytes, bound: bytesMax };
    if (fill === "roomy") log.info("journal.has_room", fields);
    else log.error(`journal.${fill}`, fields);
  }
}

function fillOf(bytes: number, bytesMax: number): Fill {
  if (bytes >= bytesMax) return "full";
  return bytes >= bytesMax * NEARLY_FULL ? "nearly_full" : "roomy";
}

/** Those of all threads, in the order in which they were begun. */
function segmentsIn(dir: string): readonly SegmentName[] {
  return readdirSync(dir)
    .map(readSegmentName)
    .filter((name) => name !== undefined)
    .sort(bySegmentAge);
}

function reasonOf(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, REASON_LENGTH_MAX);
}
