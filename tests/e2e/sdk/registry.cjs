// What a program does with the unchanged @azure/container-registry: reads without signing in, or changes as its owner.
// Prints what it saw as JSON; tests/e2e/sdk/test_javascript.py says what that must be.
"use strict";

const { ContainerRegistryClient, ContainerRegistryContentClient } = require("@azure/container-registry");
const { ClientSecretCredential } = require("@azure/identity");

const { ENDPOINT, REPOSITORY, TENANT, CLIENT_ID, CLIENT_SECRET } = process.env;

const credential = CLIENT_ID
  ? new ClientSecretCredential(TENANT, CLIENT_ID, CLIENT_SECRET, {
      authorityHost: ENDPOINT,
      disableInstanceDiscovery: true,
    })
  : undefined;
const options = { retryOptions: { maxRetries: 0 } };
const client = new ContainerRegistryClient(ENDPOINT, ...(credential ? [credential, options] : [options]));
const content = new ContainerRegistryContentClient(ENDPOINT, REPOSITORY, credential, options);
const repository = client.getRepository(REPOSITORY);

async function all(iterator) {
  const found = [];
  for await (const page of iterator.byPage({ maxPageSize: 1 })) found.push(...page);
  return found;
}

async function status(call) {
  try {
    await call();
    return "done";
  } catch (error) {
    return error.statusCode;
  }
}

async function push(tag) {
  const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", tag }));
  const layer = Buffer.from("a layer");
  const uploaded = [await content.uploadBlob(config), await content.uploadBlob(layer)];
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: uploaded[0].digest, size: config.length },
    layers: [
      { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: uploaded[1].digest, size: layer.length },
    ],
  };
  return (await content.setManifest(manifest, { tag })).digest;
}

const commands = {
  async push() {
    const digests = {};
    for (const tag of ["v1", "v3", "v2"]) digests[tag] = await push(tag);
    return digests;
  },

  async look() {
    const latest = client.getArtifact(REPOSITORY, "v2");
    const byTime = { order: "LastUpdatedOnDescending" };
    const manifest = await latest.getManifestProperties();
    return {
      repositories: await all(client.listRepositoryNames()),
      properties: await repository.getProperties(),
      tags: (await all(latest.listTagProperties(byTime))).map((tag) => tag.name),
      manifests: (await all(repository.listManifestProperties(byTime))).map((row) => row.digest),
      manifest,
      tag: await latest.getTagProperties("v2"),
      pulled: (await content.getManifest("v2")).digest,
      refused: await status(() => repository.updateProperties({ canWrite: false })),
    };
  },

  async change() {
    const latest = client.getArtifact(REPOSITORY, "v2");
    const locked = await latest.updateTagProperties("v2", { canWrite: false, canDelete: false });
    const refused = [await status(() => push("v2")), await status(() => latest.deleteTag("v2"))];
    refused.push(await status(() => client.deleteRepository(REPOSITORY)));
    const unlocked = await latest.updateTagProperties("v2", { canWrite: true, canDelete: true });
    const manifest = await latest.updateManifestProperties({ canList: false });
    const hidden = await repository.updateProperties({ canList: false });
    const listed = await all(client.listRepositoryNames());
    await latest.deleteTag("v2");
    await client.getArtifact(REPOSITORY, "v1").delete();
    const left = (await repository.getProperties()).manifestCount;
    await repository.delete();
    const gone = await status(() => repository.getProperties());
    return { locked, refused, unlocked, manifest, hidden, listed, left, gone };
  },
};

commands[process.argv[2]]().then(
  (seen) => process.stdout.write(JSON.stringify(seen)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
