#!/bin/sh
# Make the environment that codeloop runs in, or leave at once when it is already there.
#
#   sh deploy/setup.sh serve    what `codeloop serve` needs
#   sh deploy/setup.sh test     the same, and what the checks and tests need
#
# CODELOOP_VENV    where the environment goes; default .venv beside this checkout
# CODELOOP_PYTHON  the interpreter to build it on; default the first Python >= 3.11 on PATH
# CODELOOP_ENGINE  cpu or gpu; default gpu where nvidia-smi works, else cpu
set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
VENV=${CODELOOP_VENV:-$ROOT/.venv}
STAMP=$VENV/codeloop-setup
MODE=${1:-serve}
CPU_KIB=$((4 * 1024 * 1024))
GPU_KIB=$((14 * 1024 * 1024))

say() { printf '==> %s\n' "$*" >&2; }
fail() {
    printf 'codeloop setup: %s\n' "$*" >&2
    exit 1
}

engine() {
    if [ -n "${CODELOOP_ENGINE:-}" ]; then
        echo "$CODELOOP_ENGINE"
    elif command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; then
        echo gpu
    else
        echo cpu
    fi
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null
}

find_python() {
    for candidate in ${CODELOOP_PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python from 3.11 to 3.14 among ${CODELOOP_PYTHON:-python3, python3.11 … python3.14}:" \
        "install one (on Debian 12 or later: apt-get install python3), or name one in CODELOOP_PYTHON"
}

# debian_package NAME PURPOSE: install a system package, or say who must.
debian_package() {
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        say "Installing the system package $1 ($2)"
        if { apt-get update && apt-get install -y --no-install-recommends "$1"; } >"$LOG" 2>&1; then
            return
        fi
        tail -n 5 "$LOG" >&2
        fail "apt-get could not install $1, which is needed for $2: see the lines above"
    fi
    fail "the system package $1 is missing, and it is needed for $2: install it as root" \
        "(on Debian and Ubuntu: apt-get install $1), then run this again"
}

need_disk() {
    parent=$VENV
    while [ ! -d "$parent" ]; do parent=$(dirname -- "$parent"); done
    [ -w "$parent" ] || fail "$parent is not writable: set CODELOOP_VENV to a folder that is"
    free=$(df -Pk "$parent" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$1" ] || fail "$parent has $((free / 1024)) MiB free, and the environment needs" \
        "$(($1 / 1024)) MiB: free some, or set CODELOOP_VENV to a folder on a larger disk"
}

# make_venv: an empty environment, and UV, the command that fills it.
make_venv() {
    mkdir -p "$VENV"
    # What is there is emptied, so it had better be an environment.
    [ -f "$VENV/pyvenv.cfg" ] || [ -z "$(ls -A "$VENV")" ] ||
        fail "$VENV holds something other than a Python environment: set CODELOOP_VENV to a new folder"
    if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
        UV=uv
        uv venv --quiet --clear --python "$PYTHON" "$VENV"
        return
    fi
    "$PYTHON" -c 'import ensurepip' 2>/dev/null ||
        debian_package "python$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv" \
            "making a Python environment"
    "$PYTHON" -m venv --clear "$VENV"
    say "Fetching uv"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --target "$VENV/uv" uv ||
        network_hint "uv"
    UV=$VENV/uv/bin/uv
}

network_hint() {
    fail "could not install $1: see the message above. Without a network, give pip a folder of" \
        "wheels (on a connected machine: pip download -r $LOCK -d wheels; here:" \
        "PIP_FIND_LINKS=wheels PIP_NO_INDEX=1). Behind a proxy, set HTTPS_PROXY. With a mirror," \
        "pip's own settings (index-url, cert) are used"
}

main() {
    ENGINE=$(engine)
    case $MODE-$ENGINE in
    serve-cpu | serve-gpu) LOCK=$ROOT/locks/$ENGINE.txt ;;
    test-cpu | test-gpu) LOCK=$ROOT/locks/$ENGINE-dev.txt ;;
    *) fail "mode $MODE with engine $ENGINE: the mode is serve or test, the engine cpu or gpu" ;;
    esac

    # The environment for tests can serve too, so going from one to the other costs nothing.
    key="$ROOT $ENGINE $(cat "$ROOT"/locks/*.txt "$ROOT/pyproject.toml" | sha256sum | cut -c 1-64)"
    if [ -x "$VENV/bin/codeloop" ] && [ -f "$STAMP" ]; then
        done_for=$(cat "$STAMP")
        [ "$done_for" != "$key $MODE" ] && [ "$done_for" != "$key test" ] || exit 0
    fi

    PYTHON=$(find_python)
    if [ "$ENGINE" = gpu ]; then need_disk $GPU_KIB; else need_disk $CPU_KIB; fi
    say "Making the environment for $MODE ($ENGINE engine) in $VENV; the first time takes minutes"
    LOG=$(mktemp)
    trap 'rm -f "$LOG"' EXIT
    make_venv
    if [ "$ENGINE" = cpu ]; then
        "$PYTHON" -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null ||
            debian_package libnuma1 "the CPU engine"
    fi

    . "$ROOT/deploy/package_sources.sh"
    find_sources "$ENGINE" "$LOCK"
    [ -z "${PIP_NO_INDEX:-}" ] || SOURCES="$SOURCES --no-index"
    say "Installing $(grep -c == "$LOCK") packages"
    # shellcheck disable=SC2086 # a list of arguments
    "$UV" pip sync --python "$VENV/bin/python" $SOURCES "$LOCK" || network_hint "the packages"
    # shellcheck disable=SC2086
    "$UV" pip install --quiet --python "$VENV/bin/python" $SOURCES --no-deps --editable "$ROOT" ||
        network_hint codeloop
    printf '%s\n' "$key $MODE" >"$STAMP"
    say "Ready: $VENV/bin/codeloop"
}

main
