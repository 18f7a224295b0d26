import { writeSync } from "node:fs";
import type { Config } from "#config/config.ts";
import { type FlushableLog, type LogLevel, openLog } from "#kernel/log.ts";

/** A log that writes to standard output. A reader that does not keep up costs lines, never requests. */
export function openProcessLog(level: LogLevel, format: "pretty" | "json"): FlushableLog {
  return openLog({
    level,
    format,
    write: (lines) => {
      try {
        writeSync(1, lines);
      } catch {
        // Standard output is full or closed: there is nowhere left to say so.
      }
    },
  });
}

/** `auto` means for people on a terminal and for machines elsewhere. */
export function logFormatOf({ logFormat }: Config): "pretty" | "json" {
  if (logFormat !== "auto") return logFormat;
  return process.stdout.isTTY ? "pretty" : "json";
}
