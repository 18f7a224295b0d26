import { systemClock } from "./clock.ts";

/** How severe a line is. */
const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line says besides its event: plain values only, never credentials or bodies. */
type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Writes lines that say what happened. Events are named `room.what_happened`. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

interface LogOptions {
  readonly level: LogLevel;
  readonly format: "pretty" | "json";
  /** Takes whole lines, line end included. */
  readonly write: (lines: string) => void;
}

/** Lines are gathered for this long, in milliseconds, so that a busy thread writes many at once. */
const FLUSH_MS = 20;
/** Lines that are gathered at most before they are written at once. */
const GATHERED_MAX = 256;

/** A log and the means to write out what it has gathered, to be called before the thread ends. */
export interface FlushableLog extends Log {
  flush(): void;
}

/** Opens a log. Lines of warnings and errors are written at once, others within 20 ms. */
export function openLog({ level, format, write }: LogOptions): FlushableLog {
  const least = LOG_LEVELS.indexOf(level);
  const render = format === "json" ? renderJson : renderPretty;
  let gathered: string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (gathered.length === 0) return;
    const lines = gathered.join("");
    gathered = [];
    write(lines);
  };
  const line = (at: LogLevel, event: string, fields: LogFields): void => {
    if (LOG_LEVELS.indexOf(at) < least) return;
    gathered.push(render(at, event, fields));
    if (at === "warn" || at === "error" || gathered.length >= GATHERED_MAX) flush();
    else timer ??= setTimeout(flush, FLUSH_MS);
  };
  return {
    debug: (event, fields = {}) => line("debug", event, fields),
    info: (event, fields = {}) => line("info", event, fields),
    warn: (event, fields = {}) => line("warn", event, fields),
    error: (event, fields = {}) => line("error", event, fields),
    flush,
  };
}

function renderJson(level: LogLevel, event: string, fields: LogFields): string {
  const rest = JSON.stringify(fields).slice(1);
  return `{"time":"${timestamp()}","level":"${level}","event":"${event}"${rest === "}" ? "" : ","}${rest}\n`;
}

function renderPretty(level: LogLevel, event: string, fields: LogFields): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? JSON.stringify(value) : value}`);
  return `${timestamp().slice(11, 23)} ${level.padEnd(5)} ${event}${pairs.join("")}\n`;
}

let shownMs = 0;
let shown = "";

/** Requests that go on together end within one millisecond. */
function timestamp(): string {
  const nowMs = systemClock.now();
  if (nowMs === shownMs) return shown;
  shownMs = nowMs;
  shown = new Date(nowMs).toISOString();
  return shown;
}
