import { freshEmbeddedDatabase } from "#support/servers.ts";
import { describeAccountSpend } from "./describe-account-spend.ts";
import { describeBooking } from "./describe-booking.ts";
import { describeKeyStatistics } from "./describe-key-statistics.ts";
import { describeMoney } from "./describe-money.ts";
import { describeScheduling } from "./describe-scheduling.ts";
import { describeStorage } from "./describe-storage.ts";
import { describeUsageBooks } from "./describe-usage-books.ts";
import { describeWindows } from "./describe-windows.ts";

describeStorage("the embedded database", freshEmbeddedDatabase);
describeBooking("the embedded database", freshEmbeddedDatabase);
describeUsageBooks("the embedded database", freshEmbeddedDatabase);
describeScheduling("the embedded database", freshEmbeddedDatabase);
describeAccountSpend("the embedded database", freshEmbeddedDatabase);
describeWindows("the embedded database", freshEmbeddedDatabase);
describeMoney("the embedded database", freshEmbeddedDatabase);
describeKeyStatistics("the embedded database", freshEmbeddedDatabase);
