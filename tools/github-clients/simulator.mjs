// Starts a simulator of GitHub on a free port of the loopback interface and prints the port. Ends
// when standard input ends.
import { simulation } from "@simulacrum/github-api-simulator";

const { port } = await simulation().listen(0, "127.0.0.1");
console.log(port);
process.stdin.resume().on("end", () => process.exit(0));
