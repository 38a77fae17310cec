"""What keeps a server from starting is told in one line that names the setting, with an exit code and no traceback."""

import socket
import sqlite3
from pathlib import Path

from tests.faults.serve.seen import Refused, refusal_of
from tests.services import Registry, entrepot, reserved_port


def told_in_one_line(refused: Refused, line: str) -> bool:
    return (refused.exit_code, refused.said.splitlines()) == (1, [f"entrepot serve: {line}"])


def test_a_second_server_on_the_same_folder_is_refused_and_leaves_the_first_alone(server: Registry) -> None:
    with reserved_port() as port:
        refused = refusal_of(server.data_dir, port)
    holder = f"another server (process {server.process.pid}) uses {server.data_dir}; stop it first"
    assert told_in_one_line(refused, f"--data-dir: {holder}")
    assert (server.data_dir / "run" / "serving.pem").exists()


def test_a_second_server_on_the_same_port_is_refused(server: Registry, tmp_path: Path) -> None:
    port = int(server.login_server.rpartition(":")[2])
    refused = refusal_of(tmp_path / "another", port)
    assert told_in_one_line(refused, f"--port: 127.0.0.1:{port} is in use by another program")


def test_the_port_of_any_other_program_is_refused(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = refusal_of(data_dir, port)
    assert told_in_one_line(refused, f"--port: 127.0.0.1:{port} is in use by another program")


def test_an_address_that_this_machine_does_not_have_is_refused(data_dir: Path) -> None:
    refused = refusal_of(data_dir, 5000, "--host", "192.0.2.1")
    assert told_in_one_line(refused, "--host: 192.0.2.1:5000 is not an address of this machine")


def test_a_port_that_only_root_may_use_is_refused(data_dir: Path) -> None:
    powerless = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"]
    refused = refusal_of(data_dir, 1, prefix=powerless)
    assert told_in_one_line(refused, "--port: 127.0.0.1:1 is a port that only root may use")


def test_a_metrics_port_that_is_in_use_is_refused(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, reserved_port() as port:
        taken = other.getsockname()[1]
        refused = refusal_of(data_dir, port, "--metrics-port", str(taken))
    assert told_in_one_line(refused, f"--metrics-port: cannot listen on 127.0.0.1:{taken}: Address already in use")


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    refused = refusal_of(Path("/proc/entrepot"), 5000)
    assert told_in_one_line(refused, "--data-dir: cannot use the folder /proc/entrepot: No such file or directory")


def test_a_folder_that_takes_no_more_bytes_is_refused(data_dir: Path) -> None:
    with reserved_port() as port:
        refused = refusal_of(data_dir, port, prefix=["prlimit", "--fsize=64"])
    assert refused.exit_code == 1
    assert "entrepot serve: --data-dir: " in refused.said
    assert "Traceback" not in refused.said


def test_a_certificate_without_its_key_is_refused(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "server.crt").write_text("")
    (tmp_path / "server.key").write_text("")
    files = ["--tls-cert", str(tmp_path / "server.crt"), "--tls-key", str(tmp_path / "server.key")]
    with reserved_port() as port:
        refused = refusal_of(data_dir, port, *files)
    assert told_in_one_line(refused, f"--tls-cert: {tmp_path / 'server.crt'} holds no PEM certificate")


def test_a_blob_url_that_makes_no_sense_is_refused(data_dir: Path) -> None:
    with reserved_port() as port:
        refused = refusal_of(data_dir, port, "--blob-url", "s3://bucket?colour=blue")
    assert refused.exit_code == 1
    (line,) = refused.said.splitlines()
    assert line.startswith("entrepot serve: --blob-url: a s3: URL takes endpoint and region")


def test_a_provider_whose_secret_cannot_be_read_is_refused(data_dir: Path, tmp_path: Path) -> None:
    secret = tmp_path / "oidc"
    with reserved_port() as port:
        provider = ("--oidc-issuer", "https://sso.example", "--oidc-client-id", "entrepot")
        refused = refusal_of(data_dir, port, *provider, "--oidc-client-secret-file", str(secret))
    assert refused.exit_code == 1
    expected = f"entrepot serve: --oidc-client-secret-file: {secret} cannot be read: No such file or directory"
    assert refused.said.splitlines() == [expected]


def test_a_catalog_of_a_newer_program_is_refused(data_dir: Path) -> None:
    with entrepot(data_dir):
        pass
    with sqlite3.connect(data_dir / "catalog.sqlite") as catalog:
        catalog.execute("UPDATE alembic_version SET version_num = 'of-the-future'")
    with reserved_port() as port:
        refused = refusal_of(data_dir, port)
    assert refused.exit_code == 1
    (line,) = refused.said.splitlines()
    assert line.startswith("entrepot serve: --data-dir: ")
