#!/usr/bin/env bash
# Installs packages where that needs nobody's attention: `tools/apt_install.sh PACKAGE...`
# A package NAME:ARCHITECTURE makes the architecture known first.
set -euo pipefail

say() { printf 'apt_install: %s\n' "$*" >&2; }

(($#)) || { echo "usage: ${0##*/} PACKAGE..." >&2; exit 2; }
command -v apt-get >/dev/null || { say "no apt-get here"; exit 1; }
as_root=()
if [[ $(id -u) -ne 0 ]]; then
    # -n: never stop a build to ask for a password.
    if ! sudo -n true 2>/dev/null; then
        say "not root, and sudo would ask for a password"
        exit 1
    fi
    as_root=(sudo -n)
fi
# ${a[@]+...}: bash 3.2 calls an empty array unbound.
root() { ${as_root[@]+"${as_root[@]}"} "$@" >&2; }

say "installing $*"
install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@")
for package in "$@"; do
    architecture=${package#*:}
    if [[ $architecture != "$package" ]] && ! dpkg --print-foreign-architectures | grep -qx "$architecture"; then
        root dpkg --add-architecture "$architecture"
    fi
done
# The package list of a fresh machine is empty or old, so a first failure is worth one update.
root "${install[@]}" || { root apt-get update -qq && root "${install[@]}"; }
