import pytest
from obstore.store import AzureStore, GCSStore, S3Store

from entrepot.content.object_store import ObjectStore
from entrepot.content.stores import RETRIES, BlobUrl, open_store


@pytest.mark.parametrize(
    ("url", "parsed"),
    (
        ("file:///var/lib/entrepot", BlobUrl("file", "/var/lib/entrepot", None, {})),
        ("file:/var/lib/entrepot", BlobUrl("file", "/var/lib/entrepot", None, {})),
        ("file://localhost/a%20b", BlobUrl("file", "/a b", None, {})),
        ("s3://bucket", BlobUrl("s3", "bucket", None, {})),
        ("s3://my.bucket/", BlobUrl("s3", "my.bucket", None, {})),
        ("s3://bucket/a/b.c/?region=eu-west-1", BlobUrl("s3", "bucket", "a/b.c", {"region": "eu-west-1"})),
        ("s3://bucket?endpoint=http://[::1]:8333", BlobUrl("s3", "bucket", None, {"endpoint": "http://[::1]:8333"})),
        (
            "az://container/team?account=acc&endpoint=https://acc.blob.example.com",
            BlobUrl("az", "container", "team", {"account": "acc", "endpoint": "https://acc.blob.example.com"}),
        ),
        ("gs://bucket/prefix", BlobUrl("gs", "bucket", "prefix", {})),
    ),
)
def test_a_blob_url_is_taken_apart(url: str, parsed: BlobUrl):
    assert BlobUrl.parse(url) == parsed


@pytest.mark.parametrize(
    "url",
    (
        "",
        "/var/lib/entrepot",
        "http://bucket",
        "S3//bucket",
        "memory:///",
        "s3:",
        "s3://",
        "s3:///prefix",
        "s3://user:password@bucket",
        "s3://bucket:9000/prefix",
        "s3://bu cket",
        "s3://[bucket",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/./b",
        "s3://bucket/a%2fb",
        "s3://bucket?region",
        "s3://bucket?region=",
        "s3://bucket?region=a&region=b",
        "s3://bucket?access_key=abc",
        "s3://bucket#fragment",
        "s3://bucket?endpoint=127.0.0.1:8333",
        "s3://bucket?endpoint=ftp://127.0.0.1",
        "s3://bucket?endpoint=http://user:password@127.0.0.1",
        "az://container?region=eu",
        "gs://bucket?account=a",
        "file:relative/path",
        "file://host/path",
        "file:///path?region=eu",
        "file:///a%00b",
    ),
)
def test_a_blob_url_that_cannot_work_is_refused_with_the_setting_and_what_is_allowed(url: str):
    with pytest.raises(ValueError, match=r"^ENTREPOT_BLOB_URL: ") as refused:
        open_store(url)
    for allowed in ("file:///", "s3://", "az://", "gs://"):
        assert allowed in str(refused.value)
    assert "password" not in str(refused.value)


def test_an_s3_url_opens_a_bucket_with_bounded_retries():
    bucket = bucket_of("s3://bucket/prefix?region=eu-west-1")
    assert isinstance(bucket, S3Store)
    assert bucket.config == {"bucket": "bucket", "region": "eu-west-1"}
    assert bucket.prefix == "prefix"
    assert bucket.retry_config == RETRIES
    assert bucket.client_options == {"allow_http": "false", "connect_timeout": "5s", "timeout": "1m"}


def test_an_azure_url_opens_a_container_of_its_account():
    bucket = bucket_of("az://container/prefix?account=acc")
    assert isinstance(bucket, AzureStore)
    assert bucket.config == {"container_name": "container", "account_name": "acc"}
    assert bucket.prefix == "prefix"


def test_a_google_url_opens_a_bucket():
    bucket = bucket_of("gs://bucket/prefix")
    assert isinstance(bucket, GCSStore)
    assert bucket.config == {"bucket": "bucket"}
    assert bucket.prefix == "prefix"


@pytest.mark.parametrize("url", ("s3://bucket", "az://container?account=acc", "gs://bucket"))
@pytest.mark.parametrize(
    ("endpoint", "plain"), (("http://127.0.0.1:1", True), ("https://127.0.0.1:1", False), (None, False))
)
def test_plain_http_is_spoken_only_to_an_endpoint_that_says_so(url: str, endpoint: str | None, plain: bool):
    joint = "&" if "?" in url else "?"
    bucket = bucket_of(url if endpoint is None else f"{url}{joint}endpoint={endpoint}")
    assert bucket.client_options is not None
    assert bucket.client_options.get("allow_http") == str(plain).lower()


def test_an_azure_url_without_an_account_anywhere_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ValueError, match="ENTREPOT_BLOB_URL: an account"):
        open_store("az://container")


def test_a_malformed_key_in_the_environment_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "?not?base64?")
    with pytest.raises(ValueError, match="ENTREPOT_BLOB_URL: an account") as refused:
        open_store("az://container?account=acc")
    assert "base64?" not in str(refused.value)


def bucket_of(url: str) -> S3Store | AzureStore | GCSStore:
    store = open_store(url)
    assert isinstance(store, ObjectStore)
    bucket = store._bucket
    assert isinstance(bucket, S3Store | AzureStore | GCSStore)
    return bucket
