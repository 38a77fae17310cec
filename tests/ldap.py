"""A directory: Debian's slapd as an ordinary process in a folder of its own, over LDAP (with StartTLS) and LDAPS."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap3
from tests.services import reserved_port, running, wait_until

SLAPD = "/usr/sbin/slapd"
BASE = "dc=example,dc=org"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
READER = f"cn=reader,{BASE}"
READER_PASSWORD = "reads the directory"
ROOT = f"cn=root,{BASE}"
ROOT_PASSWORD = "changes-the-directory"

# Only the reader may look around; everybody may bind, and see himself.
CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {certificates}/ca.crt
TLSCertificateFile {certificates}/server.crt
TLSCertificateKeyFile {certificates}/server.key
sizelimit size.soft=500 size.hard=500 size.prtotal=unlimited
database mdb
suffix {base}
rootdn {root}
rootpw {root_password}
directory {folder}/data
index objectClass,uid,member,uniqueMember,memberUid eq
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact={reader} read by self read by * none
"""


@dataclass(frozen=True)
class Directory:
    """A running slapd."""

    port: int
    tls_port: int
    process: "subprocess.Popen[bytes]"

    def add_person(self, uid: str, password: str, *groups: str) -> str:
        """Into groups that there are; its DN."""
        dn = f"uid={uid},{PEOPLE}"
        named = {"uid": uid, "cn": uid.title(), "sn": uid, "mail": f"{uid}@example.org"}
        with self._changing() as connection:
            connection.add(dn, "inetOrgPerson", {**named, "userPassword": password})
        for name in groups:
            self.put_in(name, dn)
        return dn

    def put_in(self, group_name: str, dn: str) -> None:
        with self._changing() as connection:
            connection.modify(f"cn={group_name},{GROUPS}", {"member": [(ldap3.MODIFY_ADD, [dn])]})

    def take_out(self, group_name: str, dn: str) -> None:
        with self._changing() as connection:
            connection.modify(f"cn={group_name},{GROUPS}", {"member": [(ldap3.MODIFY_DELETE, [dn])]})

    def remove(self, dn: str) -> None:
        with self._changing() as connection:
            connection.delete(dn)

    def set_password(self, dn: str, password: str) -> None:
        with self._changing() as connection:
            connection.modify(dn, {"userPassword": [(ldap3.MODIFY_REPLACE, [password])]})

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        """As root."""
        server = ldap3.Server("127.0.0.1", self.port, get_info=ldap3.NONE)
        with ldap3.Connection(server, ROOT, ROOT_PASSWORD, raise_exceptions=True) as connection:
            yield connection


@contextmanager
def directory(folder: Path, certificates: Path, ldif: str) -> Iterator[Directory]:
    """Runs while the block lasts. ``certificates`` has ca.crt, server.crt and server.key."""
    (folder / "data").mkdir(parents=True)
    config = folder / "slapd.conf"
    config.write_text(_config(folder, certificates))
    content = folder / "content.ldif"
    content.write_text(ldif)
    # slapadd is slapd by another name.
    subprocess.run([SLAPD, "-T", "add", "-f", config, "-l", content], check=True, capture_output=True, timeout=60)
    with reserved_port() as port, reserved_port() as tls_port, (folder / "log").open("wb") as log:
        urls = f"ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}"
        with running([SLAPD, "-f", config, "-h", urls, "-d", "0"], log) as process:
            wait_until(lambda: all(map(_listens, (port, tls_port))), "slapd listens", 20)
            yield Directory(port, tls_port, process)


def _config(folder: Path, certificates: Path) -> str:
    return CONFIG.format(
        folder=folder, certificates=certificates, base=BASE, reader=READER, root=ROOT, root_password=ROOT_PASSWORD
    )


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def entry(dn: str, *classes: str, **attributes: str | list[str]) -> str:
    """One entry of LDIF, for values that need no encoding."""
    lines = [f"dn: {dn}", *(f"objectClass: {name}" for name in classes)]
    for name, values in attributes.items():
        lines += [f"{name}: {value}" for value in ([values] if isinstance(values, str) else values)]
    return "\n".join(lines) + "\n\n"


def person(uid: str, password: str, **attributes: str | list[str]) -> str:
    return entry(
        f"uid={uid},{PEOPLE}", "inetOrgPerson", uid=uid, cn=uid.title(), sn=uid, userPassword=password, **attributes
    )


def group(name: str, *members: str, **attributes: str | list[str]) -> str:
    return entry(f"cn={name},{GROUPS}", "groupOfNames", cn=name, member=list(members), **attributes)


def tree() -> str:
    """The folders, and the account that may read."""
    return (
        entry(BASE, "dcObject", "organization", dc="example", o="Example")
        + entry(PEOPLE, "organizationalUnit", ou="people")
        + entry(GROUPS, "organizationalUnit", ou="groups")
        + entry(READER, "organizationalRole", "simpleSecurityObject", cn="reader", userPassword=READER_PASSWORD)
    )
