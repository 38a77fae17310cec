"""What exists: repositories, manifests, tags, referrers, blobs, uploads, usage. One function commits a push."""
