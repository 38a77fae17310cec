// What Visual Studio Code's registries view does, with the libraries that it uses and in its order, on a custom cloud. Its
// argument is JSON: "provider" is "azure" or "generic". Prints "open ADDRESS" for a browser, then what came of it as JSON.
// Source, of August 2026: microsoft/vscode, extensions/microsoft-authentication/src/node; microsoft/vscode-azuretools,
// auth/src; microsoft/vscode-containers, extensions/vscode-containers/src/tree/registries,
// .../src/commands/registries/azure/tasks and packages/vscode-docker-registries/src; a task is run as by the version
// before, microsoft/vscode-docker, src/commands/registries/azure/tasks. The functions here have the names that they
// have there.
"use strict";

const { execFileSync } = require("node:child_process");
const { mkdtempSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { PublicClientApplication } = require("@azure/msal-node");
const { createSubscription } = require("@azure/arm-resources-subscriptions/api");
const { list: listSubscriptions } = require("@azure/arm-resources-subscriptions/api/subscriptions");
const { list: listTenants } = require("@azure/arm-resources-subscriptions/api/tenants");
const { ContainerRegistryManagementClient } = require("vscode-arm-containerregistry");

const { provider, endpoint, login, repository, username, secret } = JSON.parse(process.argv[2]);
const CLIENT_ID = "aebc6443-996d-45c2-90f0-388ff96faa56";
const NULL_GUID = "00000000-0000-0000-0000-000000000000";
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const MANIFESTS = [
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "*/*",
].join(",");
const CONFIGS = [
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
  "*/*",
].join(",");

async function all(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

async function httpRequest(url, request, throwOnFailure = true) {
  const response = await fetch(url, request.body ? { ...request, duplex: "half" } : request);
  if (throwOnFailure && !response.ok) throw new Error(`${request.method} ${url}: ${response.status}`);
  return response;
}

// --- clients/RegistryV2 ---

async function registryV2Request(authentication, method, url, scope, headers = {}, throwOnFailure = true) {
  const once = async (throws) => {
    const { type, accessToken } = await authentication.getSession(scope);
    const request = { method, headers: { accept: "application/json", Authorization: `${type} ${accessToken}`, ...headers } };
    const response = await httpRequest(url, request, throws);
    // It looks for a body by the headers of the answer.
    const has = parseInt(response.headers.get("content-length") ?? "0") || response.headers.get("transfer-encoding");
    return { response, body: response.ok && has ? await response.json() : undefined };
  };
  if (authentication.fallback && !authentication.didFallback) {
    const first = await once(false);
    if (first.response.ok) return first;
    authentication.fallback(first.response.headers.get("www-authenticate"));
  }
  return once(throwOnFailure);
}

async function paged(authentication, path, member, scope) {
  const found = [];
  for (let next = `${login}${path}`; next; ) {
    const { response, body } = await registryV2Request(authentication, "GET", next, scope);
    found.push(...(body[member] ?? []));
    const link = response.headers.get("link")?.match(/<(.*)>; rel="next"/i)?.[1];
    next = link && new URL(link, login).toString();
  }
  return found;
}

const getRepositories = (authentication) => paged(authentication, "/v2/_catalog", "repositories", "registry:catalog:*");

const getTags = (authentication) =>
  paged(authentication, `/v2/${repository}/tags/list`, "tags", `repository:${repository}:pull`);

function getManifestResponse(authentication, reference) {
  const url = `${login}/v2/${repository}/manifests/${reference}`;
  return registryV2Request(authentication, "GET", url, `repository:${repository}:pull`, { accept: MANIFESTS });
}

// The configuration that the date of a tag is taken from.
async function getTagCreatedDate(authentication, tag) {
  let { body: manifest } = await getManifestResponse(authentication, tag);
  if (manifest.manifests) manifest = (await getManifestResponse(authentication, manifest.manifests[0].digest)).body;
  const url = `${login}/v2/${repository}/blobs/${manifest.config.digest}`;
  const scope = `repository:${repository}:pull`;
  return (await registryV2Request(authentication, "GET", url, scope, { accept: CONFIGS })).body;
}

async function deleteTag(authentication, tag) {
  const { response } = await getManifestResponse(authentication, tag);
  const url = `${login}/v2/${repository}/manifests/${response.headers.get("docker-content-digest")}`;
  return (await registryV2Request(authentication, "DELETE", url, `repository:${repository}:delete`)).response.status;
}

async function look(authentication) {
  const repositories = await getRepositories(authentication);
  const tags = await getTags(authentication);
  const configs = {};
  for (const tag of tags) configs[tag] = await getTagCreatedDate(authentication, tag);
  return { repositories, tags, configs };
}

// --- auth/BasicOAuthProvider ---

class BasicOAuthProvider {
  constructor() {
    this.basic = Buffer.from(`${username}:${secret}`).toString("base64");
  }

  async getSession(scope) {
    if (!this.endpoint) return { type: "Basic", accessToken: this.basic };
    const scopes = [...this.defaultScopes, scope].join(" ");
    const headers = { Authorization: `Basic ${this.basic}`, grant_type: "password", service: this.service, scope: scopes };
    const query = new URLSearchParams({ service: this.service, scope: scopes });
    const response = await httpRequest(`${this.endpoint}?${query}`, { method: "GET", headers });
    return { type: "Bearer", accessToken: (await response.json()).token };
  }

  fallback(challenge) {
    const match = /Bearer\s+realm="([^"]+)",\s*service="([^"]+)",\s*scope="([^"]+)"/i.exec(challenge);
    if (!match) throw new Error(`Unable to parse WWW-Authenticate header: "${challenge}"`);
    [this.endpoint, this.service, this.defaultScopes] = [match[1], match[2], match[3].split(" ")];
    this.didFallback = true;
  }
}

async function generic() {
  const byPassword = new BasicOAuthProvider();
  const seen = await look(byPassword);
  seen.fellBack = byPassword.didFallback === true;
  // As for a registry that takes no passwords but for tokens.
  const byToken = new BasicOAuthProvider();
  byToken.fallback((await fetch(`${login}/v2/_catalog`)).headers.get("www-authenticate"));
  seen.byToken = await look(byToken);
  seen.deleted = await deleteTag(byToken, "v2");
  seen.left = await getTags(byPassword);
  return seen;
}

// --- Azure ---

class ACROAuthProvider {
  constructor(subscription) {
    this.subscription = subscription;
  }

  async getSession(scope) {
    const body = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: await this.getRefreshToken(),
      service: new URL(login).host,
      scope,
    });
    const response = await httpRequest(`${login}/oauth2/token`, { method: "POST", headers: FORM, body });
    const accessToken = (await response.json()).access_token;
    const { sub, jti } = JSON.parse(Buffer.from(accessToken.split(".")[1], "base64").toString("utf8"));
    if (!sub || !jti) throw new Error("the token names neither account nor session");
    return { type: "Bearer", accessToken };
  }

  async getRefreshToken() {
    const { token } = await this.subscription.credential.getToken([]);
    if (!this.refreshToken) {
      const service = new URL(login).host;
      const tenant = this.subscription.tenantId;
      const body = new URLSearchParams({ grant_type: "access_token", access_token: token, service, tenant });
      const response = await httpRequest(`${login}/oauth2/exchange`, { method: "POST", headers: FORM, body });
      this.refreshToken = (await response.json()).refresh_token;
    }
    return this.refreshToken;
  }
}

// The settings "microsoft-sovereign-cloud.customEnvironment" and "microsoft-authentication.instanceDiscovery": false.
async function signIn() {
  const scopes = [`${endpoint}/.default`];
  const known = { clientId: CLIENT_ID, knownAuthorities: [new URL(endpoint).host] };
  const application = new PublicClientApplication({ auth: known });
  const signedIn = await application.acquireTokenInteractive({
    authority: new URL("organizations", endpoint).toString(),
    scopes,
    prompt: "select_account",
    openBrowser: async (url) => console.log(`open ${url}`),
  });
  // It ignores what scopes a client asks for.
  return (tenant) => ({
    async getToken() {
      const authority = new URL(tenant ?? "organizations", endpoint).toString();
      const silent = { scopes, account: signedIn.account, authority };
      const result = await application.acquireTokenSilent(silent);
      return { token: result.accessToken, expiresOnTimestamp: result.expiresOn.getTime() };
    },
  });
}

async function azure() {
  const credentialOf = await signIn();
  const at = { endpoint: `${endpoint}/` };
  const subscriptions = [];
  for (const tenant of await all(listTenants(createSubscription(credentialOf(), at)))) {
    const credential = credentialOf(tenant.tenantId);
    for (const each of await all(listSubscriptions(createSubscription(credential, at)))) {
      subscriptions.push({ ...each, tenantId: each.tenantId || tenant.tenantId, credential });
    }
  }
  const [subscription] = subscriptions;
  const client = () =>
    new ContainerRegistryManagementClient(subscription.credential, subscription.subscriptionId, { endpoint });
  const found = await all(client().registries.list());

  const authentication = new ACROAuthProvider(subscription);
  const seen = {
    subscriptions: subscriptions.map((each) => each.displayName),
    registries: found.map((each) => [each.name, `https://${each.loginServer}` === login]),
    ...(await look(authentication)),
    login: { username: NULL_GUID, secret: await authentication.getRefreshToken() },
  };
  const untag = `${login}/v2/_acr/${repository}/tags/v1`;
  const scope = `repository:${repository}:delete`;
  seen.untagged = (await registryV2Request(authentication, "DELETE", untag, scope)).response.status;
  seen.deleted = await deleteTag(authentication, "v2");
  seen.left = await getTags(authentication);
  const whole = `${login}/v2/_acr/${repository}/repository`;
  seen.gone = (await registryV2Request(authentication, "DELETE", whole, scope)).response.status;
  seen.repositoriesLeft = await getRepositories(authentication);
  return { ...seen, ...(await createAndDelete(client)), ...(await buildAndRun(client)) };
}

// --- commands/registries/azure/tasks ---

const RESOURCE_GROUP = "entrepot";
const PLATFORM = { os: "Linux" };
// As @azure/storage-blob sends them.
const STORAGE = { "x-ms-version": "2025-07-05" };

async function uploadSourceCode(client) {
  const folder = mkdtempSync(path.join(tmpdir(), "workspace"));
  writeFileSync(path.join(folder, "Dockerfile"), "FROM scratch\n");
  writeFileSync(path.join(folder, "acb.yaml"), "steps:\n- cmd: $Registry/app:v1\n");
  const body = execFileSync("tar", ["-c", "-C", folder, "."]);
  const { uploadUrl, relativePath } = await client.registries.getBuildSourceUploadUrl(RESOURCE_GROUP, "local");
  const headers = { ...STORAGE, "x-ms-blob-type": "BlockBlob", "content-type": "application/octet-stream" };
  await httpRequest(uploadUrl, { method: "PUT", headers, body });
  return relativePath;
}

async function scheduleRunRequest(client, runRequest) {
  const sourceLocation = await uploadSourceCode(client);
  const whole = { ...runRequest, sourceLocation, platform: PLATFORM };
  return client.registries.beginScheduleRunAndWait(RESOURCE_GROUP, "local", whole);
}

// It looks thirty times, each second.
async function streamLogs(client, run) {
  const { logLink } = await client.runs.getLogSasUrl(RESOURCE_GROUP, "local", run.runId);
  for (let checks = 0; checks < 30; checks++) {
    const { ok, headers } = await httpRequest(logLink, { method: "HEAD", headers: STORAGE }, false);
    if (ok && headers.get("x-ms-meta-complete")) {
      const request = { method: "GET", headers: { ...STORAGE, "x-ms-range": "bytes=0-" } };
      return (await httpRequest(logLink, request)).text();
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error("Not found");
}

async function runAzureTask(client) {
  const tasks = await client.tasks.beginCreateAndWait(RESOURCE_GROUP, "local", "vscodetask", {
    location: "eastus",
    platform: PLATFORM,
    step: { type: "Docker", dockerFilePath: "Dockerfile", contextPath: "https://git.example/team/app.git" },
  });
  const listed = (await all(client.tasks.list(RESOURCE_GROUP, "local"))).map((each) => each.name);
  const request = { type: "TaskRunRequest", taskId: tasks.id };
  return { listed, run: await client.registries.beginScheduleRunAndWait(RESOURCE_GROUP, "local", request) };
}

async function buildAndRun(newClient) {
  const client = newClient();
  const image = { imageNames: ["fromcode:{{.Run.ID}}"], isPushEnabled: true, dockerFilePath: "Dockerfile" };
  const built = await scheduleRunRequest(client, { type: "DockerBuildRequest", ...image });
  const ran = await scheduleRunRequest(client, { type: "FileTaskRunRequest", taskFilePath: "acb.yaml" });
  const { listed, run } = await runAzureTask(client);
  const scheduled = [built, ran, run].map((each) => each.runId);
  const shown = {};
  for (const each of await all(client.runs.list(RESOURCE_GROUP, "local"))) {
    const { runType, task, platform } = await client.runs.get(RESOURCE_GROUP, "local", each.runId);
    shown[each.runId] = [runType, task ?? null, platform.os];
  }
  return { scheduled, tasks: listed, runs: shown, log: await streamLogs(client, built) };
}

// commands/registries/azure and tree/registries/Azure/createWizard
async function createAndDelete(client) {
  const name = "fromvisualstudiocode";
  const type = "Microsoft.ContainerRegistry/registries";
  const { message } = await client().registries.checkNameAvailability({ name, type });
  const made = await client().registries.beginCreateAndWait("entrepot", name, {
    sku: { name: "Basic" },
    location: "eastus",
  });
  const taken = await client().registries.checkNameAvailability({ name, type });
  await client().registries.beginDeleteAndWait("entrepot", name);
  const left = (await all(client().registries.list())).map((each) => each.name);
  return { complaint: message ?? null, made: [made.name, made.sku.tier], taken: taken.message, registriesLeft: left };
}

({ azure, generic })[provider]().then(
  // The browser may hold its connection to the address that it was sent to, which the program would wait for.
  (seen) => process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit()),
  (error) => {
    process.stderr.write(`${error.stack}\n`, () => process.exit(1));
  },
);
