import {
  closeSync,
  constants,
  fdatasync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const LINE_FEED = 0x0a;
const NAME = /^(\d{1,5})-(\d{1,16})-(\d{1,9})\.journal$/;
/** Appended to the name of a file in which damaged bytes were found; such a file is kept. */
const DAMAGED_SUFFIX = ".damaged";
/** Only this user reads and writes it, every write goes to its end, and it must not exist. */
const CREATE = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL;

/** How open files are changed. */
export interface Disk {
  /** Writes bytes at a file's end and returns how many of them; throws as the file system does. */
  readonly write: (descriptor: number, bytes: Uint8Array) => number;
  /** Cuts a file off behind so many bytes; throws as the file system does. */
  readonly truncate: (descriptor: number, size: number) => void;
}

/** The operating system's own. */
export const systemDisk: Disk = { write: writeSync, truncate: ftruncateSync };

/** Who began a segment, and when, as its file's name says. */
export interface SegmentName {
  readonly thread: number;
  /** In milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
  readonly number: number;
}

/** Reads a file's name; undefined when it is no segment's. */
export function readSegmentName(file: string): SegmentName | undefined {
  const [, thread, startedAtMs, number] = NAME.exec(file) ?? [];
  const name = { thread: Number(thread), startedAtMs: Number(startedAtMs), number: Number(number) };
  return fileOf(name) === file ? name : undefined;
}

function fileOf({ thread, startedAtMs, number }: SegmentName): string {
  return `${thread}-${startedAtMs}-${number}.journal`;
}

/** The order in which segments were begun. */
export function bySegmentAge(a: SegmentName, b: SegmentName): number {
  return a.startedAtMs - b.startedAtMs || a.thread - b.thread || a.number - b.number;
}

/**
 * One append-only file of the journal. Its place in the journal is counted in bytes, from the first byte its
 * owner ever wrote or took over.
 */
export class Segment {
  readonly name: SegmentName;
  readonly file: string;
  readonly #dir: string;
  readonly #disk: Disk;
  #descriptor: number | undefined;
  #from: number;
  #size = 0;
  #isSpoilt = false;
  #isDamaged = false;
  #isSynced = true;

  private constructor(dir: string, name: SegmentName, options: { from: number; disk: Disk }) {
    this.name = name;
    this.file = fileOf(name);
    this.#dir = dir;
    this.#from = options.from;
    this.#disk = options.disk;
  }

  /**
   * Makes a new, empty file.
   *
   * @throws Error `EEXIST` when there is one of that name, or another of the file system.
   */
  static create(dir: string, name: SegmentName, from: number, disk: Disk): Segment {
    const segment = new Segment(dir, name, { from, disk });
    segment.#descriptor = openSync(segment.path, CREATE, 0o600);
    return segment;
  }

  /** Takes over what another writer has left; nothing is appended to it any more. */
  static adopt(dir: string, name: SegmentName, from: number): { segment: Segment; lines: number } {
    const segment = new Segment(dir, name, { from, disk: systemDisk });
    const bytes = readFileSync(segment.path);
    segment.#size = bytes.length;
    return { segment, lines: countLines(bytes) };
  }

  get path(): string {
    return join(this.#dir, this.file);
  }

  /** Its place in the journal: where its first byte stands, and where the next one will. */
  get from(): number {
    return this.#from;
  }

  get to(): number {
    return this.#from + this.#size;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether more may be appended. */
  get isOpen(): boolean {
    return this.#descriptor !== undefined && !this.#isSpoilt;
  }

  /**
   * Appends all of the bytes. When it fails, the file is as it was before, or at least nothing is appended to
   * it any more, so that an unfinished frame is only ever the last.
   *
   * @throws Error of the file system, such as `ENOSPC` or `EIO`.
   */
  append(bytes: Uint8Array): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) throw new Error(`${this.file} is closed`);
    try {
      for (let written = 0; written < bytes.length; ) {
        const count = this.#disk.write(descriptor, written === 0 ? bytes : bytes.subarray(written));
        if (count <= 0) throw new Error(`nothing could be written to ${this.file}`);
        written += count;
      }
    } catch (thrown) {
      this.#takeBack(descriptor);
      throw thrown;
    }
    this.#size += bytes.length;
    this.#isSynced = false;
  }

  #takeBack(descriptor: number): void {
    try {
      this.#disk.truncate(descriptor, this.#size);
    } catch {
      this.#isSpoilt = true;
    }
  }

  /**
   * Everything that was appended.
   *
   * @throws Error of the file system.
   */
  load(): Buffer {
    return readFileSync(this.path).subarray(0, this.#size);
  }

  /** What is in it is damaged: instead of being removed, the file is kept. */
  markDamaged(): void {
    this.#isDamaged = true;
  }

  /** Empties it for being written anew; false when that cannot be. What follows stands where it ended. */
  reset(): boolean {
    if (this.#descriptor === undefined || this.#isSpoilt || this.#isDamaged) return false;
    try {
      this.#disk.truncate(this.#descriptor, 0);
    } catch {
      return false;
    }
    this.#from = this.to;
    this.#size = 0;
    return true;
  }

  /** Has the disk take what the operating system was given; `onFailure` hears when it does not. */
  sync(onFailure: (error: Error) => void): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined || this.#isSynced) return;
    this.#isSynced = true;
    fdatasync(descriptor, (error) => {
      if (error === null || this.#descriptor !== descriptor) return;
      this.#isSynced = false;
      onFailure(error);
    });
  }

  /** Nothing is appended any more. With `onFailure`, the disk takes it all first, in the background. */
  close(onFailure?: (error: Error) => void): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    this.#descriptor = undefined;
    if (onFailure === undefined) {
      closeSync(descriptor);
      return;
    }
    fdatasync(descriptor, (error) => {
      closeSync(descriptor);
      if (error !== null) onFailure(error);
    });
  }

  /**
   * Removes the file, or puts it aside when there are damaged bytes in it.
   *
   * @throws Error of the file system.
   */
  remove(): void {
    this.close();
    if (this.#isDamaged) renameSync(this.path, `${this.path}${DAMAGED_SUFFIX}`);
    else rmSync(this.path, { force: true });
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) lines++;
  return lines;
}
