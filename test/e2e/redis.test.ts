import { afterAll } from "bun:test";
import { freshPostgresDatabase, type TestServer } from "#support/servers.ts";
import { describeGateway } from "./describe-gateway.ts";

let database: TestServer | undefined;

describeGateway("PostgreSQL and Redis", async () => {
  database = await freshPostgresDatabase();
  return {
    DATABASE_URL: database.url,
    REDIS_URL: process.env["TEST_REDIS_URL"] ?? "",
    REDIS_NAMESPACE: `e2e-${process.pid}`,
  };
});

afterAll(async () => await database?.close());
