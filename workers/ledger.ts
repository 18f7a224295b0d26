/** Thread entry: the one that books what requests used. */
import { runLedgerThread } from "../src/ledger-thread.ts";

declare const self: Worker;

runLedgerThread(self);
