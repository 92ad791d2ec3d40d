// Reads an environment, lists its project, and reads an environment that does not exist, with
// node-vault. Prints the data, the keys of the list and the last status as JSON.
const vault = require("node-vault")({ endpoint: process.env.VAULT_ADDR, token: process.env.VAULT_TOKEN });

(async () => {
  const { data } = await vault.read(process.argv[2]);
  const { data: listed } = await vault.list(process.argv[3]);
  const status = await vault.read(process.argv[4]).then(() => 200, (err) => err.response && err.response.statusCode);
  process.stdout.write(JSON.stringify({ data, keys: listed.keys, status }));
})().catch((err) => {
  console.error(err.message);
  process.exit(1);
});
