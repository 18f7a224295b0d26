import { describe } from "bun:test";
import { freshPostgresDatabase } from "#support/servers.ts";
import { describeAccountSpend } from "./describe-account-spend.ts";
import { describeBooking } from "./describe-booking.ts";
import { describeKeyStatistics } from "./describe-key-statistics.ts";
import { describeMoney } from "./describe-money.ts";
import { describeScheduling } from "./describe-scheduling.ts";
import { describeStorage } from "./describe-storage.ts";
import { describeUsageBooks } from "./describe-usage-books.ts";
import { describeWindows } from "./describe-windows.ts";

// Without a server there is nothing to test against; `bun run check` always brings one.
describe.skipIf(process.env["TEST_DATABASE_URL"] === undefined)("with a server", () => {
  describeStorage("PostgreSQL", freshPostgresDatabase);
  describeBooking("PostgreSQL", freshPostgresDatabase);
  describeUsageBooks("PostgreSQL", freshPostgresDatabase);
  describeScheduling("PostgreSQL", freshPostgresDatabase);
  describeAccountSpend("PostgreSQL", freshPostgresDatabase);
  describeWindows("PostgreSQL", freshPostgresDatabase);
  describeMoney("PostgreSQL", freshPostgresDatabase);
  describeKeyStatistics("PostgreSQL", freshPostgresDatabase);
});
