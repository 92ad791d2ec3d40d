// Makes a key pair, prints its public key, and opens the sealed boxes that arrive on standard input,
// one in each line. Prints each opened value as base64, or "closed" for a box that does not open.
import { createInterface } from "node:readline";

import sodium from "libsodium-wrappers";

await sodium.ready;
const base64 = sodium.base64_variants.ORIGINAL;
const { publicKey, privateKey } = sodium.crypto_box_keypair();
console.log(sodium.to_base64(publicKey, base64));
for await (const line of createInterface({ input: process.stdin })) {
  const box = sodium.from_base64(line, base64);
  let opened;
  try {
    opened = sodium.to_base64(sodium.crypto_box_seal_open(box, publicKey, privateKey), base64);
  } catch {
    opened = "closed";
  }
  console.log(opened);
}
