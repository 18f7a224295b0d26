/** What happens to the service when something that it stands on fails. */
export interface Degradation {
  readonly of: "Redis" | "PostgreSQL";
  readonly fault: "down" | "frozen" | "slow by 200 ms" | "reset" | "emptied" | "failed over";
  /** How long it takes until the gateway goes by it. */
  readonly noticed: string;
  readonly works: string;
  readonly tightens: string;
  readonly refused: string;
  readonly afterwards: string;
}

const SHARE =
  "limits of users, accounts, requests per minute and conversations: this node's share, the limit divided by the nodes known last, at least 1, with what it holds already counted in it";
const NO_MONEY =
  "a request whose purse Redis has not told this thread of; else a hold of more than this node's share of what was left";
const RESTATED =
  "every thread states all that it holds and answers for; when all have, or after 5 s without a word, limits are shared again and those who wait go back to the shared line, in order";
const ADMIN = "changes through the admin API, and its lists";

/** Everything that the gateway stands on besides its upstreams, and each way in which it can fail. */
export const DEGRADATIONS: readonly Degradation[] = [
  {
    of: "Redis",
    fault: "down",
    noticed: "at once",
    works: "requests; conversations stay with the accounts that this node knows them to have",
    tightens: SHARE,
    refused: `${NO_MONEY}; the start of a node`,
    afterwards: RESTATED,
  },
  {
    of: "Redis",
    fault: "frozen",
    noticed: "1 s: those who have asked wait so long, whoever comes later does not wait",
    works: "as when it is down",
    tightens: SHARE,
    refused: NO_MONEY,
    afterwards: `${RESTATED}; what Redis had been sent before it froze is put right by that`,
  },
  {
    of: "Redis",
    fault: "slow by 200 ms",
    noticed: "not at all: below a second it is waited for",
    works: "everything; a request takes 400 ms longer",
    tightens: "nothing",
    refused: "nothing",
    afterwards: "nothing has to be done",
  },
  {
    of: "Redis",
    fault: "reset",
    noticed: "at once",
    works: "as when it is down, for the 0.1 to 0.3 s until the connection is there again",
    tightens: SHARE,
    refused: NO_MONEY,
    afterwards: RESTATED,
  },
  {
    of: "Redis",
    fault: "emptied",
    noticed: "with the next command of any thread, which tells all others; else within 2 s",
    works: "requests; conversations, requests of the minute and active conversations are counted anew",
    tightens: "as when it is down, for the 0.1 s until all threads have spoken",
    refused: "nothing; a purse that Redis has not told this thread of is asked about when all have spoken",
    afterwards: RESTATED,
  },
  {
    of: "Redis",
    fault: "failed over",
    noticed: "at once, or after 1 s when the old primary only falls silent",
    works: "as when it is down, until the sentinels or the cluster name the new primary",
    tightens: SHARE,
    refused: NO_MONEY,
    afterwards: `${RESTATED}, whatever the new primary had not received`,
  },
  {
    of: "PostgreSQL",
    fault: "down",
    noticed: "at once",
    works: "requests, by what is known in memory; what they cost goes to the journal on disk",
    tightens: "nothing; balances count what is not booked",
    refused: `${ADMIN}; requests (503) once \`JOURNAL_BYTES_MAX\` is used up; the start of a node or a thread`,
    afterwards: "the journal is booked, each record once",
  },
  {
    of: "PostgreSQL",
    fault: "frozen",
    noticed: "5 s for those who ask it; requests do not",
    works: "as when it is down",
    tightens: "nothing",
    refused: ADMIN,
    afterwards: "the journal is booked, each record once",
  },
  {
    of: "PostgreSQL",
    fault: "slow by 200 ms",
    noticed: "not at all",
    works: "everything; the admin API is slower and books are behind by a little more",
    tightens: "nothing",
    refused: "nothing",
    afterwards: "nothing has to be done",
  },
  {
    of: "PostgreSQL",
    fault: "reset",
    noticed: "at once",
    works: "as when it is down, until the next statement connects",
    tightens: "nothing",
    refused: "admin calls that were under way",
    afterwards: "what was being booked is booked again, which changes nothing where it was",
  },
  {
    of: "PostgreSQL",
    fault: "emptied",
    noticed: "not at all",
    works: "requests, by what is known in memory, until nodes are started anew",
    tightens: "nothing",
    refused: "records of rows that are gone: they are kept aside in the data folder",
    afterwards: "an operator restores a backup",
  },
  {
    of: "PostgreSQL",
    fault: "failed over",
    noticed: "at once, or after 5 s",
    works: "as when it is down",
    tightens: "nothing",
    refused: ADMIN,
    afterwards:
      "the journal is booked, each record once; changes that the new primary lacks are an operator's to repeat",
  },
];
