#!/usr/bin/env bash
# cargo for aarch64-unknown-linux-gnu, on an emulated processor elsewhere: `tools/aarch64.sh test -p NAME`
#
# INDICATOR_CACHE_AARCH64_TOOLCHAIN chooses where the standard library for the target comes from:
#   rustup   the rustc on PATH, after `rustup target add` where its copy is missing
#   debian   Debian's rustc-web packages, for machines that reach package registries but not rustup's server
#   auto     the first of the two that works (default)
# Linker and emulator are Debian's and Ubuntu's packages, installed where they are missing.
# `tools/aarch64.sh --which` prints the choice. Output goes to target/aarch64.
set -euo pipefail

readonly target=aarch64-unknown-linux-gnu
readonly linker=aarch64-linux-gnu-gcc emulator=qemu-aarch64 libraries=/usr/aarch64-linux-gnu
readonly cross_packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
readonly debian_packages=(rustc-web cargo-web libstd-rust-web-dev:arm64)
readonly debian_rustc=/usr/bin/rustc debian_cargo=/usr/bin/cargo

(($#)) || { echo "usage: ${0##*/} --which | CARGO-COMMAND [ARGUMENT...]" >&2; exit 2; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
wanted=${INDICATOR_CACHE_AARCH64_TOOLCHAIN:-auto}

say() { printf 'aarch64: %s\n' "$*" >&2; }

apt_install() { bash "$root/tools/apt_install.sh" "$@"; }

if [[ $(uname -s) != Linux ]]; then
    say "needs Linux: the emulator runs Linux programs"
    exit 1
fi

# --- the compiler ---

has_target() {
    local libdir
    libdir=$("$1" --print target-libdir --target "$target" 2>/dev/null) || return 1
    compgen -G "$libdir/libcore-*.rlib" >/dev/null
}

rustup_works() {
    has_target "${RUSTC:-rustc}" && return
    command -v rustup >/dev/null || return 1
    say "adding $target with rustup"
    RUST_BACKTRACE=0 rustup target add "$target" >&2 && has_target "${RUSTC:-rustc}"
}

debian_is_installed() { [[ -x $debian_cargo ]] && has_target "$debian_rustc"; }

debian_works() {
    debian_is_installed || { apt_install "${debian_packages[@]}" && debian_is_installed; }
}

choose() {
    case $wanted in
        rustup) rustup_works && toolchain=rustup ;;
        debian) debian_works && toolchain=debian ;;
        auto)
            # Whatever is complete already comes before anything that must be downloaded.
            if ! has_target "${RUSTC:-rustc}" && debian_is_installed; then
                toolchain=debian
            elif rustup_works; then
                toolchain=rustup
            else
                debian_works && toolchain=debian
            fi
            ;;
        *)
            say "INDICATOR_CACHE_AARCH64_TOOLCHAIN is '$wanted'; it can be rustup, debian or auto"
            exit 2
            ;;
    esac
}

choose || {
    say "no way to build for $target (asked for: $wanted). Either one of these would do:"
    say "  rustup target add $target"
    say "  dpkg --add-architecture arm64 && apt-get update &&"
    say "    apt-get install --no-install-recommends ${debian_packages[*]}    (Debian 12)"
    exit 1
}

# Not inside choose(): bash ignores `set -e` in whatever runs on the left of ||.
cargo=cargo
if [[ $toolchain == debian ]]; then
    cargo=$debian_cargo
    export RUSTC=$debian_rustc
fi

if [[ $1 == --which ]]; then
    echo "$toolchain"
    exit
fi

# --- linker and emulator, unless this is the real thing ---

cross_is_installed() {
    command -v "$linker" >/dev/null && command -v "$emulator" >/dev/null && [[ -e $libraries/lib/libc.so.6 ]]
}

if [[ $(uname -m) != aarch64 ]]; then
    cross_is_installed || { apt_install "${cross_packages[@]}" && cross_is_installed; } || {
        say "needs $linker, $emulator and $libraries, for example by"
        say "  apt-get install --no-install-recommends ${cross_packages[*]}    (Debian, Ubuntu)"
        exit 1
    }
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$linker
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$emulator -L $libraries"
fi

export CARGO_TARGET_DIR=$root/target/aarch64
command=$1
shift
exec "$cargo" "$command" --manifest-path "$root/Cargo.toml" --target "$target" "$@"
