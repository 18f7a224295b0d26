import { describeGateway } from "./describe-gateway.ts";

describeGateway("the embedded database", async () => ({}));
