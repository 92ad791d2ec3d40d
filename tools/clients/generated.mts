// Reads an environment with the client that is generated from the OpenAPI document, and prints its
// names and values as JSON. The test compiles this file beside the client.
import * as stashbase from "./client.mjs";

declare const process: { env: Record<string, string>; stdout: { write(text: string): void } };

stashbase.defaults.baseUrl = process.env.VAULT_ADDR + "/v1";
stashbase.defaults.headers = { "X-Vault-Token": process.env.VAULT_TOKEN };

// Parameters are in the order of their names. As in all of Vault's document, the schema of a response
// describes the field data of the body.
const response: unknown = await stashbase.stashbaseLoadEnvironment("development", "api", "clients");
const body = (response as { data: { data: Record<string, string> } }).data;
process.stdout.write(JSON.stringify(body.data));
