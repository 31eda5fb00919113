#!/bin/sh
# Build the Gitea that the tests use as a real forge, once per machine, into a cache folder; print the program's path.
#
# Gitea is not packaged by Debian, so it is built from its Go module. That takes minutes the first time and needs Go and
# a C compiler (for SQLite). Nothing is copied into this repository: Gitea reads its templates from Go's module cache,
# and the file `static-root` beside the program says where that is.
# Called twice it does nothing; called twice at once it builds twice and the later rename wins, both being whole.
set -eu

release=1.26.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/wavefleet/gitea/$release"

if [ -x "$cache/gitea" ] && [ -s "$cache/static-root" ] && [ -d "$(cat "$cache/static-root")/templates" ]; then
    echo "$cache/gitea"
    exit 0
fi
for program in go cc; do
    if ! command -v "$program" >/dev/null 2>&1; then
        echo "build-gitea: found no '$program' on PATH, expected Go and a C compiler; install them and run this again" >&2
        exit 1
    fi
done

mkdir -p "$cache"
building=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$building"' EXIT
trap 'exit 1' HUP INT TERM

# Downloading by name works outside any module; the folder is where Go keeps what it unpacked.
cd "$building"
go mod download "code.gitea.io/gitea@v$release"
source="$(go env GOMODCACHE)/code.gitea.io/gitea@v$release"
cd "$source"
CGO_ENABLED=1 go build -tags 'sqlite sqlite_unlock_notify' -ldflags "-s -w -X main.Version=$release" \
    -o "$building/gitea" .
printf '%s\n' "$source" >"$building/static-root"

# The program comes last: whoever finds it also finds the note beside it.
mv "$building/static-root" "$cache/static-root"
mv "$building/gitea" "$cache/gitea"
echo "$cache/gitea"
