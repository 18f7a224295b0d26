import { DEGRADATIONS } from "./degradation.ts";

const HEAD = `# What happens when something fails

Redis and PostgreSQL are needed to know, not to serve. This page says for each way in which they can fail what goes on, what tightens and what is refused. \`/health/ready\` stays green while the node can serve and names under \`limitations\` what it does without; \`sluice_redis_threads_down\` and \`sluice_redis_losses\` count it. This page is printed from \`src/domain/degradation.ts\` by \`bun run docs:settings\`.

How far a limit can be exceeded: from the moment of the fault each node has at most what it held then, or its share if that is more. So \`n\` nodes with a limit of \`l\` have at most \`l + (n - 1) × max(1, ⌊l ÷ n⌋)\` at once, and that only if one of them held everything; once what was in flight then has ended, at most \`l\`, or \`n\` where there are more nodes than slots. One fault on top of the other changes nothing about it, and when Redis is back and all have spoken, \`l\` holds exactly; nothing that living nodes do not hold stays behind, and what dead nodes held is free within 15 s. Two cases are outside of it: a node that alone cannot reach Redis uses its share on top of what the others are given once they take it for dead, after 10 s; and a node that starts into an emptied Redis before any other has noticed may be given what others hold.

Money never loosens: while Redis cannot be asked, a thread sets aside only of purses that Redis has told it of, and no more than what was left then, less what this node has set aside since, divided by the number of nodes. A purse without a bound is not asked for. A single node without Redis has all of this in its own memory and loses nothing of it while it runs.

| of | fault | noticed | works | tightens | refused | afterwards |
|---|---|---|---|---|---|---|
`;

/** The page of the documentation that says what happens when something fails. */
export function renderDegradation(): string {
  const rows = DEGRADATIONS.map(
    ({ of, fault, noticed, works, tightens, refused, afterwards }) =>
      `| ${[of, fault, noticed, works, tightens, refused, afterwards].join(" | ")} |`,
  );
  return `${HEAD}${rows.join("\n")}\n`;
}
