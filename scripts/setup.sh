# Read by the other scripts: what they need of the system, of Python and of the test clients, and how it gets there.
# Plain POSIX sh. Nothing here starts a service. Everything is skipped in milliseconds once it is in place.
#
# In: $0 is a file in scripts/. Out: $root (the repository), $cache (clients for the tests), $venv.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cache=${ENTREPOT_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/entrepot}
venv=$root/.venv

PATH=$PATH:/usr/sbin:/sbin # servers live there, and not every user's PATH has it

say() { printf 'entrepot: %s\n' "$*" >&2; }

stop() {
	say "$@"
	exit 1
}

# --- packages of the system ---------------------------------------------------------------------------------------

# Lines of requirements/apt-*.txt: a command (or a path) that must be there, then the package that brings it;
# where releases differ, several packages, and the first that apt knows is taken.
lacking() { # lacking LIST: prints the lines whose command is not there
	while read -r command packages; do
		case $command in
		'' | '#'*) continue ;;
		/*) [ -e "$command" ] && continue ;;
		*) command -v "$command" >/dev/null && continue ;;
		esac
		printf '%s %s\n' "$command" "$packages"
	done <"$1"
}

first_known() { # first_known PACKAGE...: the first that apt could install, else the first
	for candidate in "$@"; do
		# A package that other packages only mention has no candidate.
		case $(LC_ALL=C apt-cache policy "$candidate" 2>/dev/null) in
		*'Candidate: (none)'* | '') ;;
		*)
			printf '%s\n' "$candidate"
			return
			;;
		esac
	done
	printf '%s\n' "$1"
}

refresh_package_lists() {
	[ -z "${refreshed:-}" ] || return 0
	refreshed=yes
	# A third party's broken source must not stop us; a package that is really missing will.
	LC_ALL=C apt-get update -qq -o DPkg::Lock::Timeout=300 >&2 || say "apt-get update had failures; going on"
}

# Packages start their services when they are installed (nginx, PostgreSQL, docker, a registry on port 5000); the tests
# start their own. This is Debian's own switch for it, and it stays as it was if it is already there.
without_services() { # without_services COMMAND...
	policy=/usr/sbin/policy-rc.d
	if [ -e "$policy" ]; then
		"$@"
		return
	fi
	trap 'rm -f "$policy"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	status=0
	"$@" || status=$?
	rm -f "$policy"
	trap - EXIT INT TERM
	return "$status"
}

apt_install() { # apt_install PACKAGE...
	if [ "$(id -u)" -ne 0 ]; then
		stop "packages are missing; run:  sudo apt-get install --no-install-recommends $*"
	fi
	say "installing $*"
	log=$(mktemp)
	installed=0
	without_services env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" \
		</dev/null >"$log" 2>&1 || installed=$?
	[ "$installed" -eq 0 ] || cat "$log" >&2
	rm -f "$log"
	return "$installed"
}

need_packages() { # need_packages LIST...: the commands of these lists are there afterwards
	missing=$(for list in "$@"; do lacking "$list"; done)
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || stop "this system has no apt-get; these commands are missing: $(
		printf '%s\n' "$missing" | cut -d' ' -f1 | tr '\n' ' '
	)"
	[ "$(id -u)" -ne 0 ] || refresh_package_lists
	packages=$(printf '%s\n' "$missing" | while read -r _ candidates; do
		# shellcheck disable=SC2086  # a list of names
		first_known $candidates
	done | sort -u)
	# shellcheck disable=SC2086  # a list of names
	apt_install $packages || stop "apt-get could not install them (on Ubuntu: is the component 'universe' enabled?)"
	missing=$(for list in "$@"; do lacking "$list"; done | cut -d' ' -f1)
	[ -z "$missing" ] || stop "installed, but still not found: $missing"
}

# --- Python -------------------------------------------------------------------------------------------------------

usable_python() { # usable_python COMMAND: 3.11 or newer, and able to make an environment with pip
	"$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

new_enough_python() { # new_enough_python COMMAND
	"$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() { # sets $python
	for python in python3 python3.14 python3.13 python3.12 python3.11; do
		if usable_python "$python"; then return; fi
	done
	[ "$(id -u)" -ne 0 ] || refresh_package_lists
	if ! command -v python3 >/dev/null || new_enough_python python3; then
		apt_install python3 python3-venv ca-certificates
		python=python3
		if usable_python "$python"; then return; fi
	fi
	# An older release whose archive has a second, newer Python (Ubuntu 22.04).
	python=$(first_known python3.14 python3.13 python3.12 python3.11)
	apt_install "$python" "$python-venv" ca-certificates || true
	usable_python "$python" || stop "Python 3.11 or newer is needed, and this system's packages have none"
}

digest_of() { # digest_of FILE...
	cat "$@" | sha256sum | cut -d' ' -f1
}

described_venv() { # what the environment hangs on beside the lock files: its folder and its Python
	"$venv/bin/python" -c 'import sys; print(sys.prefix, *sys.version_info[:2])' 2>/dev/null
}

noted() { # noted NAME VALUE: was this noted in the environment?
	[ -e "$venv/.noted-$1" ] && [ "$(cat "$venv/.noted-$1")" = "$2" ]
}

note() { # note NAME VALUE
	printf '%s\n' "$2" >"$venv/.noted-$1"
}

sound_venv() { # finished, in its place, and of the Python that it was made with (an upgrade of the system changes it)
	[ ! -e "$venv/.unfinished" ] && noted place "$(described_venv)" && noted runtime "$1"
}

new_venv() {
	find_python
	say "making .venv with $("$python" --version)"
	rm -rf "$venv"
	mkdir -p "$venv"
	: >"$venv/.unfinished"
	"$python" -m venv "$venv"
}

pip_install() { # pip_install ARGUMENT...
	: >"$venv/.unfinished" # stays when this is interrupted, and the next call starts afresh
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps "$@" >&2
}

# Makes .venv hold the locked packages and this package itself, editable. "dev" is a superset of "runtime" with the
# same versions, so it is added beneath a running server without harm.
need_venv() { # need_venv runtime|dev
	exec 9<"$root" # two scripts at once: the second waits, then finds everything done
	flock 9
	runtime=$(digest_of "$root/requirements/runtime.txt")
	sound_venv "$runtime" || {
		new_venv
		pip_install --only-binary :all: --require-hashes -r "$root/requirements/runtime.txt"
		note runtime "$runtime"
		note place "$(described_venv)"
		rm "$venv/.unfinished"
	}
	if [ "$1" = dev ]; then
		dev=$(digest_of "$root/requirements/dev.txt")
		noted dev "$dev" || {
			say "adding the tools for tests to .venv"
			pip_install --only-binary :all: --require-hashes -r "$root/requirements/dev.txt"
			note dev "$dev"
			rm "$venv/.unfinished"
		}
	fi
	package=$(sed '/^\[tool\.ruff\]/,$d' "$root/pyproject.toml" | sha256sum | cut -d' ' -f1)
	{ noted package "$package" && [ -x "$venv/bin/entrepot" ]; } || {
		pip_install --no-build-isolation -e "$root"
		note package "$package"
		rm "$venv/.unfinished"
	}
	exec 9<&-
}
