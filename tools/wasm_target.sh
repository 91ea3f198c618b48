#!/usr/bin/env bash
# cargo for wasm32-unknown-unknown, wherever the target can be had: `tools/wasm_target.sh build --release -p NAME`
#
# INDICATOR_CACHE_WASM_TOOLCHAIN chooses where the standard library for the target comes from:
#   rustup   the rustc on PATH, after `rustup target add` where its copy is missing
#   debian   Debian's rustc-web packages, for machines that reach package registries but not rustup's server
#   auto     the first of the two that works (default)
# `tools/wasm_target.sh --which` prints the choice, installing what it needs. Output goes to target/wasm.
set -euo pipefail

readonly target=wasm32-unknown-unknown
readonly debian_packages=(rustc-web cargo-web rust-web-src lld-19)
readonly debian_rustc=/usr/bin/rustc debian_cargo=/usr/bin/cargo

(($#)) || { echo "usage: ${0##*/} --which | CARGO-COMMAND [ARGUMENT...]" >&2; exit 2; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
wanted=${INDICATOR_CACHE_WASM_TOOLCHAIN:-auto}

say() { printf 'wasm_target: %s\n' "$*" >&2; }

# --- the rustc on PATH ---

path_rustc_has_target() {
    local libdir
    libdir=$("${RUSTC:-rustc}" --print target-libdir --target "$target" 2>/dev/null) || return 1
    compgen -G "$libdir/libcore-*.rlib" >/dev/null
}

rustup_works() {
    path_rustc_has_target && return
    command -v rustup >/dev/null || return 1
    say "adding $target with rustup"
    RUST_BACKTRACE=0 rustup target add "$target" >&2 && path_rustc_has_target
}

# --- Debian's packages, which ship the library's sources but no build of it for wasm ---

debian_linker() {
    local name
    for name in wasm-ld-19 wasm-ld; do
        if command -v "$name"; then return; fi
    done
    return 1
}

debian_is_installed() {
    # Any /usr/bin/rustc would pass for the first test; only rust-web-src brings the vendored dependencies.
    [[ -x $debian_rustc && -x $debian_cargo ]] && debian_linker >/dev/null &&
        [[ -d $(debian_library)/vendor ]]
}

debian_library() { echo "$("$debian_rustc" --print sysroot)/lib/rustlib/src/rust/library"; }

install_debian() {
    command -v apt-get >/dev/null || { say "no apt-get here"; return 1; }
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        # -n: never stop a build to ask for a password.
        if ! sudo -n true 2>/dev/null; then
            say "not root, and sudo would ask for a password"
            return 1
        fi
        as_root=(sudo -n)
    fi
    say "installing ${debian_packages[*]}"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends
        "${debian_packages[@]}")
    # The package list of a fresh machine is empty or old, so a first failure is worth one update.
    # ${a[@]+...}: bash 3.2 calls an empty array unbound.
    ${as_root[@]+"${as_root[@]}"} "${install[@]}" >&2 || {
        ${as_root[@]+"${as_root[@]}"} apt-get update -qq >&2 &&
            ${as_root[@]+"${as_root[@]}"} "${install[@]}" >&2
    }
}

debian_works() { debian_is_installed || { install_debian && debian_is_installed; }; }

# Builds the library once into a sysroot of our own, so that /usr stays as the packages left it.
build_debian_sysroot() {
    local sysroot=$1 work library
    library=$(debian_library)
    mkdir -p "$root/target"
    work=$(mktemp -d "$root/target/wasm-sysroot.XXXXXX")
    # shellcheck disable=SC2064  # $work is local: expand it now
    trap "rm -rf '$work'" EXIT
    mkdir -p "$work/crate/src" "$work/sysroot/lib/rustlib/$target/lib"
    # [workspace]: the repository's own must not adopt this crate.
    printf '%s\n' '[package]' 'name = "sysroot"' 'version = "0.0.0"' 'edition = "2021"' '[workspace]' \
        >"$work/crate/Cargo.toml"
    : >"$work/crate/src/lib.rs"
    say "building the standard library for $target (once, about half a minute)"
    # embed-bitcode: cargo turns it off outside LTO builds, and then our fat LTO could not read the library.
    (
        cd "$work/crate"
        RUSTC=$debian_rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$work/build \
            CARGO_ENCODED_RUSTFLAGS=$'-Cembed-bitcode=yes\x1f'"--remap-path-prefix=$work=/sysroot" \
            "$debian_cargo" build --quiet --offline --release --target "$target" \
            -Zbuild-std=core,alloc,std,panic_abort \
            --config 'source.crates-io.replace-with="vendored"' \
            --config "source.vendored.directory=\"$library/vendor\"" >&2
    )
    rm -f "$work/build/$target/release/deps/"libsysroot-*
    cp "$work/build/$target/release/deps/"*.rlib "$work/sysroot/lib/rustlib/$target/lib/"
    mkdir -p "$(dirname "$sysroot")"
    # Of two concurrent builds the first one in wins; both are the same.
    mv -T "$work/sysroot" "$sysroot" 2>/dev/null || [[ -d $sysroot ]]
    rm -rf "$work"
    trap - EXIT
}

# --- the choice ---

choose() {
    case $wanted in
        rustup) rustup_works && toolchain=rustup ;;
        debian) debian_works && toolchain=debian ;;
        auto)
            # Whatever is complete already comes before anything that must be downloaded.
            if ! path_rustc_has_target && debian_is_installed; then
                toolchain=debian
            elif rustup_works; then
                toolchain=rustup
            else
                debian_works && toolchain=debian
            fi
            ;;
        *)
            say "INDICATOR_CACHE_WASM_TOOLCHAIN is '$wanted'; it can be rustup, debian or auto"
            exit 2
            ;;
    esac
}

choose || {
    say "no way to build for $target (asked for: $wanted). Either one of these would do:"
    say "  rustup target add $target"
    say "  apt-get install --no-install-recommends ${debian_packages[*]}    (Debian 12)"
    exit 1
}

# Not inside choose(): bash ignores `set -e` in whatever runs on the left of ||.
cargo=cargo
toolchain_flags=()
if [[ $toolchain == debian ]]; then
    sysroot=$root/target/wasm-sysroot/$("$debian_rustc" --version | cut -d' ' -f2)
    if [[ ! -d $sysroot ]]; then build_debian_sysroot "$sysroot"; fi
    cargo=$debian_cargo
    toolchain_flags=("--sysroot=$sysroot")
    export RUSTC=$debian_rustc
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(debian_linker)
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER
fi

if [[ ${1-} == --which ]]; then
    echo "$toolchain"
    exit
fi

# Dependencies must be unpacked before their folder, whose name depends on the machine, can be remapped.
manifest=$root/Cargo.toml
"$cargo" fetch --quiet --target "$target" --manifest-path "$manifest"

# The same bytes from every folder: panic messages carry source paths. The stack is small because kernels keep
# their state on the heap, and an instance should be cheap to have many of. Strength reduction turns constant distances
# from one address, which an instruction has room for, into addresses of their own, each to be added up before it is used.
flags=(
    ${toolchain_flags[@]+"${toolchain_flags[@]}"}
    -Ctarget-feature=+simd128
    -Cllvm-args=-disable-lsr
    -Clink-arg=-zstack-size=131072
    "--remap-path-prefix=$root=/indicator-cache"
)
for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    flags+=("--remap-path-prefix=${folder%/}=/crates")
done
# The encoded form is the one that survives spaces in paths, and the one that wins over RUSTFLAGS and configuration.
CARGO_ENCODED_RUSTFLAGS=$(printf '%s\037' "${flags[@]}")
export CARGO_ENCODED_RUSTFLAGS=${CARGO_ENCODED_RUSTFLAGS%$'\037'}
export CARGO_TARGET_DIR=$root/target/wasm

command=$1
shift
exec "$cargo" "$command" --manifest-path "$manifest" --target "$target" "$@"
