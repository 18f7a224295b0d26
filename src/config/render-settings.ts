import { SETTINGS } from "./config.ts";

const HEAD = `# Settings

Every environment variable, read once at start. A bad value stops the start with one message that names every problem. This page is printed by \`bun run docs:settings\`.

| variable | default | meaning |
|---|---|---|
`;

/** The page of the documentation that lists every environment variable. */
export function renderSettings(): string {
  const rows = Object.values(SETTINGS).map(
    ({ variable, fallback, why }) => `| \`${variable}\` | ${shown(fallback)} | ${why} |`,
  );
  return `${HEAD}${rows.join("\n")}\n`;
}

function shown(fallback: string): string {
  return /^[\w./:-]+$/.test(fallback) && !["unset", "generated", "empty"].includes(fallback)
    ? `\`${fallback}\``
    : fallback;
}
