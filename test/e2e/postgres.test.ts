import { afterAll } from "bun:test";
import { freshPostgresDatabase, type TestServer } from "#support/servers.ts";
import { describeGateway } from "./describe-gateway.ts";

let database: TestServer | undefined;

describeGateway("PostgreSQL", async () => {
  database = await freshPostgresDatabase();
  return { DATABASE_URL: database.url };
});

afterAll(async () => await database?.close());
