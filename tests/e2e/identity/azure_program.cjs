// Signs in with @azure/identity, unchanged, and prints the token that it got. Its argument is JSON: the credential's
// class, its arguments, and the authority.
"use strict";

const identity = require("@azure/identity");

async function main() {
  const wanted = JSON.parse(process.argv[2]);
  const options = { authorityHost: wanted.authority, disableInstanceDiscovery: true };
  const credential = new identity[wanted.credential](...wanted.arguments, options);
  const { token } = await credential.getToken("https://management.azure.com/.default");
  console.log(JSON.stringify(token));
}

main().catch((error) => {
  console.error(String(error.message));
  process.exitCode = 1;
});
