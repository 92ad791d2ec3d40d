// Reads documents as programs for Node read them. The argument names the reader: node, dotenv,
// dotenvx or dotenvx-1. Input and output are those of main.go.
const { readFileSync } = require("node:fs");
const { parseEnv } = require("node:util");

const readers = {
  node: () => parseEnv,
  dotenv: () => require("dotenv").parse,
  "dotenv-fast": () => (document) => require("dotenv").parse(document, { fast: true }),
  // An empty processEnv: the values of the document win.
  dotenvx: () => (document) => require("@dotenvx/dotenvx").parse(document, { processEnv: {} }),
  "dotenvx-1": () => (document) => require("dotenvx-1").parse(document, { processEnv: {} }),
};

const read = readers[process.argv[2]]();
const results = JSON.parse(readFileSync(0, "utf8")).map((document) => {
  try {
    return read(document);
  } catch {
    return null;
  }
});
process.stdout.write(JSON.stringify(results));
