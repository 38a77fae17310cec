// Every operation of the unchanged @azure/arm-containerregistry, also of what is to come. Prints as JSON what it has, what
// was tried and what came of it; tests/e2e/sdk/test_management_programs.py says what that must be.
"use strict";

const { ContainerRegistryManagementClient } = require("@azure/arm-containerregistry");
const { ClientSecretCredential } = require("@azure/identity");

const { ENDPOINT, TENANT, CLIENT_ID, CLIENT_SECRET, SUBSCRIPTION, SOURCE, SOURCE_IMAGE } = process.env;
const GROUP = "entrepot";
const NAME = "sdkinjavascript";
const TYPE = "Microsoft.ContainerRegistry/registries";

const credential = new ClientSecretCredential(TENANT, CLIENT_ID, CLIENT_SECRET, {
  authorityHost: ENDPOINT,
  disableInstanceDiscovery: true,
});
const client = new ContainerRegistryManagementClient(credential, SUBSCRIPTION, {
  endpoint: ENDPOINT,
  credentials: { scopes: [`${ENDPOINT}/.default`] },
  retryOptions: { maxRetries: 0 },
});

const tried = new Set();
const has = [];

// The groups of operations, which note what of them is called. What begins with "begin" is the same once more, as it was
// called in versions before.
function noting(group, operations) {
  for (const operation of Object.keys(operations)) {
    if (!operation.startsWith("begin")) has.push(`${group}.${operation}`);
  }
  return new Proxy(operations, {
    get(target, operation) {
      tried.add(`${group}.${operation}`);
      return target[operation];
    },
  });
}

const groups = Object.keys(client).filter((name) => !name.startsWith("_") && name !== "pipeline");
const arm = Object.fromEntries(groups.map((group) => [group, noting(group, client[group])]));

async function all(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

async function names(pages) {
  return (await all(pages)).map((each) => each.name);
}

async function problem(call) {
  try {
    await call();
    return "none";
  } catch (error) {
    return error.code;
  }
}

async function registries() {
  const location = "eastus";
  const body = { location, sku: { name: "Premium" }, adminUserEnabled: true };
  const made = await arm.registries.create(GROUP, NAME, body);
  const free = async (name) => (await arm.registries.checkNameAvailability({ name, type: TYPE })).nameAvailable;
  const changed = await arm.registries.update(GROUP, NAME, { tags: { team: "a" } });
  return {
    made: [made.name, made.sku.name, made.provisioningState],
    free: [await free(NAME), await free("free4javascript")],
    tags: [changed.tags, (await arm.registries.get(GROUP, NAME)).tags],
    listed: [
      (await names(arm.registries.list())).includes(NAME),
      (await names(arm.registries.listByResourceGroup(GROUP))).includes(NAME),
    ],
    described: (await names(arm.operations.list())).includes(`${TYPE}/read`),
  };
}

async function usage(name) {
  const { value } = await arm.registries.listUsages(GROUP, NAME);
  return value.find((each) => each.name === name).currentValue;
}

async function admin() {
  const before = await arm.registries.listCredentials(GROUP, NAME);
  const after = await arm.registries.regenerateCredential(GROUP, NAME, { name: "password2" });
  const same = [0, 1].map((at) => before.passwords[at].value === after.passwords[at].value);
  return { users: [before.username === NAME, after.username === NAME], same };
}

async function replications() {
  const made = await arm.replications.create(GROUP, NAME, "westus", { location: "westus" });
  const changed = await arm.replications.update(GROUP, NAME, "westus", { tags: { a: "b" } });
  const seen = {
    status: made.status.displayStatus,
    tags: [changed.tags, (await arm.replications.get(GROUP, NAME, "westus")).tags],
    listed: await names(arm.replications.list(GROUP, NAME)),
  };
  await arm.replications.delete(GROUP, NAME, "westus");
  return { ...seen, left: await names(arm.replications.list(GROUP, NAME)) };
}

async function webhooks() {
  const hook = [GROUP, NAME, "sdkhook"];
  const properties = { serviceUri: "https://hooks.example/a", actions: ["push"], customHeaders: { "X-Team": "a" } };
  const made = await arm.webhooks.create(...hook, { location: "eastus", ...properties });
  const changed = await arm.webhooks.update(...hook, { scope: "app:*" });
  const pinged = (await arm.webhooks.ping(...hook)).id;
  const seen = {
    actions: made.actions,
    scopes: [changed.scope, (await arm.webhooks.get(...hook)).scope],
    uri: (await arm.webhooks.getCallbackConfig(...hook)).serviceUri,
    events: (await all(arm.webhooks.listEvents(...hook))).map((event) => event.id === pinged),
    listed: await names(arm.webhooks.list(GROUP, NAME)),
    used: await usage("Webhooks"),
  };
  await arm.webhooks.delete(...hook);
  return { ...seen, left: await names(arm.webhooks.list(GROUP, NAME)) };
}

async function tokens() {
  const actions = ["repositories/app/content/read"];
  const map = await arm.scopeMaps.create(GROUP, NAME, "sdkmap", { actions });
  const wider = { actions: [...actions, "repositories/app/metadata/read"] };
  await arm.scopeMaps.update(GROUP, NAME, "sdkmap", wider);
  const token = await arm.tokens.create(GROUP, NAME, "sdktoken", { scopeMapId: map.id });
  const wanted = { tokenId: token.id, name: "password1" };
  const given = await arm.registries.generateCredentials(GROUP, NAME, wanted);
  const changed = await arm.tokens.update(GROUP, NAME, "sdktoken", { status: "disabled" });
  const seen = {
    actions: (await arm.scopeMaps.get(GROUP, NAME, "sdkmap")).actions,
    listedMap: (await names(arm.scopeMaps.list(GROUP, NAME))).includes("sdkmap"),
    given: [given.username, given.passwords[0].value.length > 0],
    status: [changed.status, (await arm.tokens.get(GROUP, NAME, "sdktoken")).status],
    listed: await names(arm.tokens.list(GROUP, NAME)),
  };
  await arm.tokens.delete(GROUP, NAME, "sdktoken");
  await arm.scopeMaps.delete(GROUP, NAME, "sdkmap");
  return { ...seen, left: await names(arm.tokens.list(GROUP, NAME)) };
}

async function caching() {
  const [set, rule] = [[GROUP, NAME, "sdkset"], [GROUP, NAME, "sdkrule"]];
  const vault = "https://keys.vault.azure.net/secrets";
  const credential = (user) => ({
    name: "Credential1",
    usernameSecretIdentifier: `${vault}/${user}`,
    passwordSecretIdentifier: `${vault}/password`,
  });
  const kept = { loginServer: "docker.io", authCredentials: [credential("user")] };
  const made = await arm.credentialSets.create(...set, { identity: { type: "SystemAssigned" }, ...kept });
  const changed = await arm.credentialSets.update(...set, { authCredentials: [credential("other")] });
  const wanted = { sourceRepository: "docker.io/alpine", targetRepository: "base/alpine" };
  const source = (await arm.cacheRules.create(...rule, wanted)).sourceRepository;
  const named = await arm.cacheRules.update(...rule, { credentialSetResourceId: made.id });
  const seen = {
    source,
    health: made.authCredentials[0].credentialHealth.errorCode,
    user: changed.authCredentials[0].usernameSecretIdentifier,
    server: (await arm.credentialSets.get(...set)).loginServer,
    named: [named, await arm.cacheRules.get(...rule)].map((each) => each.credentialSetResourceId === made.id),
    listed: [await names(arm.credentialSets.list(GROUP, NAME)), await names(arm.cacheRules.list(GROUP, NAME))],
  };
  await arm.cacheRules.delete(...rule);
  await arm.credentialSets.delete(...set);
  const left = [await names(arm.credentialSets.list(GROUP, NAME)), await names(arm.cacheRules.list(GROUP, NAME))];
  return { ...seen, left };
}

async function importing() {
  const source = { resourceId: SOURCE, sourceImage: SOURCE_IMAGE };
  await arm.registries.importImage(GROUP, NAME, { source, targetTags: ["app:v1"] });
  return (await usage("Size")) > 0;
}

// Features that are not there: there is none of it, and whatever writes is refused.
async function absent() {
  const one = [GROUP, NAME, "one"];
  const writes = {
    "connectedRegistries.create": () => arm.connectedRegistries.create(...one, {}),
    "connectedRegistries.update": () => arm.connectedRegistries.update(...one, {}),
    "connectedRegistries.delete": () => arm.connectedRegistries.delete(...one),
    "connectedRegistries.deactivate": () => arm.connectedRegistries.deactivate(...one),
    "privateEndpointConnections.createOrUpdate": () => arm.privateEndpointConnections.createOrUpdate(...one, {}),
    "privateEndpointConnections.delete": () => arm.privateEndpointConnections.delete(...one),
  };
  const reads = {
    "connectedRegistries.get": () => arm.connectedRegistries.get(...one),
    "privateEndpointConnections.get": () => arm.privateEndpointConnections.get(...one),
    "registries.getPrivateLinkResource": () => arm.registries.getPrivateLinkResource(...one),
  };
  const lists = {
    "connectedRegistries.list": arm.connectedRegistries.list(GROUP, NAME),
    "privateEndpointConnections.list": arm.privateEndpointConnections.list(GROUP, NAME),
    "registries.listPrivateLinkResources": arm.registries.listPrivateLinkResources(GROUP, NAME),
  };
  const seen = { writes: {}, reads: {}, lists: {} };
  for (const [name, call] of Object.entries(writes)) seen.writes[name] = await problem(call);
  for (const [name, call] of Object.entries(reads)) seen.reads[name] = await problem(call);
  for (const [name, pages] of Object.entries(lists)) seen.lists[name] = await names(pages);
  return seen;
}

async function main() {
  const seen = {
    registries: await registries(),
    admin: await admin(),
    replications: await replications(),
    webhooks: await webhooks(),
    tokens: await tokens(),
    cached: await caching(),
    imported: await importing(),
    absent: await absent(),
  };
  await arm.registries.delete(GROUP, NAME);
  seen.gone = await problem(() => arm.registries.get(GROUP, NAME));
  return { has: has.sort(), tried: [...tried].sort(), seen };
}

main().then(
  (report) => process.stdout.write(JSON.stringify(report)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
