"""nginx with the same bytes as static files: what TLS and HTTP cost when nothing is looked up and nobody is asked."""

from pathlib import Path
from typing import Final

from bench.contenders.lab import Lab, first_line, program, wait_until_ready
from bench.images import MANIFEST
from bench.model import NGINX, Running
from bench.processes import Command, free_port
from bench.registry import StaticFiles

# As root, workers would become another account that cannot read the files; elsewhere "user" only warns.
# Kept connections end after 1,000 requests by default, and each end would cost a TLS handshake.
CONFIG: Final = """
daemon off; master_process on; worker_processes 2; pid {folder}/pid; error_log {folder}/errors error;
user root;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 600;
  open_file_cache max=1000 inactive=600s; open_file_cache_valid 600s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  types {{ }} default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{port} ssl; root {folder}/files;
    ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
    location ~ /manifests/ {{ default_type {manifest}; }}
    location = /ready {{ return 200; }}
  }}
}}
"""


class Nginx:
    """It checks no token, so it is a ceiling and no rival."""

    name = NGINX

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def version(self) -> str:
        return first_line(self._program(), "-v").removeprefix("nginx version: ")

    def start(self, folder: Path) -> Running:
        port, files = free_port(), self._lab.certificates
        config = folder / "nginx.conf"
        text = CONFIG.format(
            folder=folder,
            port=port,
            certificate=files.certificate,
            key=files.key,
            manifest=MANIFEST,
        )
        config.write_text(text)
        (folder / "files").mkdir()
        words = [str(self._program()), "-c", str(config), "-e", f"{folder}/errors"]
        owned = self._lab.start(Command(words), folder)
        url = f"https://127.0.0.1:{port}"
        seconds = wait_until_ready(owned, url, "/ready")
        return Running(NGINX, url, (owned,), seconds, _no_token, StaticFiles(folder / "files"), folder)

    def _program(self) -> Path:
        return program("nginx", folders=(Path("/usr/sbin"),))


def _no_token(*_scopes: str) -> None:
    """It never asks for one."""
