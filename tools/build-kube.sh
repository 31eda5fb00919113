#!/bin/sh
# Build the kube-apiserver and etcd that the tests use as real Kubernetes, and the kubectl that applies our manifests to
# it, once per machine; print their folder.
#
# Debian packages none of them in a release that fits the others, so all are built from their Go modules. That takes
# minutes the first time and needs Go. No cluster comes of it: an API server with its store is all that a client of
# custom resources can tell apart from one.
# A folder with all three in KUBEBUILDER_ASSETS, as other tools use it, is taken as it is.
# Called twice it does nothing; called twice at once it builds twice and the later rename wins, both being whole.
set -eu

kubernetes=1.35.4
etcd=3.6.6
cache="${XDG_CACHE_HOME:-$HOME/.cache}/wavefleet/kube/$kubernetes"

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    for program in kube-apiserver etcd kubectl; do
        if [ ! -x "$KUBEBUILDER_ASSETS/$program" ]; then
            echo "build-kube: found no $program in KUBEBUILDER_ASSETS ($KUBEBUILDER_ASSETS), expected it and its" \
                "fellows there; unset the variable to have them built" >&2
            exit 1
        fi
    done
    echo "$KUBEBUILDER_ASSETS"
    exit 0
fi
if [ -x "$cache/kube-apiserver" ] && [ -x "$cache/etcd" ] && [ -x "$cache/kubectl" ]; then
    echo "$cache"
    exit 0
fi
if ! command -v go >/dev/null 2>&1; then
    echo "build-kube: found no 'go' on PATH, expected Go 1.25 or newer; install it and run this again" >&2
    exit 1
fi

mkdir -p "$cache"
building=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$building"' EXIT
trap 'exit 1' HUP INT TERM

mkdir "$building/etcd-module" "$building/apiserver-module"

cd "$building/etcd-module"
cat >main.go <<'GO'
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
GO
go mod init wavefleet/etcd
go get "go.etcd.io/etcd/server/v3@v$etcd"
go mod tidy
CGO_ENABLED=0 go build -ldflags '-s -w' -o "$building/etcd" .

# The API server's own modules, and kubectl's, live in one repository and are released together; it names them by paths
# inside of that, which another module has to replace by their released versions.
cd "$building/apiserver-module"
cat >tools.go <<'GO'
//go:build tools

package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
GO
go mod init wavefleet/kube-apiserver
go mod download "k8s.io/kubernetes@v$kubernetes"
staged=$(go env GOMODCACHE)/k8s.io/kubernetes@v$kubernetes/go.mod
version_of_parts="v0.${kubernetes#1.}"
sed -n 's#^[[:space:]]*\(k8s\.io/[a-z0-9-]*\) => \./staging/.*#\1#p' "$staged" | while read -r part; do
    go mod edit -replace "$part=$part@$version_of_parts"
done
go mod edit -require "k8s.io/kubernetes@v$kubernetes"
go mod tidy
for program in kube-apiserver kubectl; do
    CGO_ENABLED=0 go build -ldflags '-s -w' -o "$building/$program" "k8s.io/kubernetes/cmd/$program"
done

# Whoever finds the last finds the others beside it.
mv "$building/etcd" "$cache/etcd"
mv "$building/kubectl" "$cache/kubectl"
mv "$building/kube-apiserver" "$cache/kube-apiserver"
echo "$cache"
