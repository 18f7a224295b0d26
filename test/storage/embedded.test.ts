import { freshEmbeddedDatabase } from "#support/servers.ts";
import { describeBooking } from "./describe-booking.ts";
import { describeStorage } from "./describe-storage.ts";

describeStorage("the embedded database", freshEmbeddedDatabase);
describeBooking("the embedded database", freshEmbeddedDatabase);
