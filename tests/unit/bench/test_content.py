import hashlib
import json

from bench.curl import Download, parse
from bench.images import Stream, digest_of, make_image
from bench.rows.pushes import plan_line


def test_a_stream_has_its_size_and_its_digest():
    stream = Stream(2_500_000)
    content = b"".join(stream)

    assert len(content) == 2_500_000
    assert stream.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_two_streams_differ():
    assert Stream(10).digest != Stream(10).digest


def test_an_image_names_its_blobs():
    image = make_image((10, 20))
    manifest = json.loads(image.manifest)

    named = [manifest["config"], *manifest["layers"]]
    assert [part["digest"] for part in named] == [digest_of(blob) for blob in image.blobs]


def test_a_line_of_a_push_plan_holds_the_digests_of_what_the_script_sends():
    suffix, config, *layers = plan_line([b'{"a":"', b"x", b"y", b"z"], "7-1").split()

    assert config == digest_of(b'{"a":"7-1"}')
    assert layers == [digest_of(letter + suffix.encode()) for letter in (b"x", b"y", b"z")]


def test_what_curl_tells_about_a_transfer_is_read_from_its_json():
    assert parse('{"http_code":200,"size_download":500,"time_total":1.25}') == Download(200, 500, 1.25)
