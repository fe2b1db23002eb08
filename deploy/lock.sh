#!/bin/sh
# Resolve pyproject.toml into the files under locks/, one for each environment that setup.sh makes.
#
#   sh deploy/lock.sh [arguments of `uv pip compile`, such as --upgrade]
set -eu

cd -- "$(dirname -- "$0")/.."
PYTHON=${CODELOOP_PYTHON:-python3}
. deploy/package_sources.sh

# compile ENGINE OUTPUT EXTRAS...: one lock file, for every Python >= 3.11.
compile() {
    engine=$1
    output=$2
    shift 2
    find_sources "$engine" none
    SOURCES="$SOURCES --excludes locks/excluded.txt"
    [ "$engine" = gpu ] || SOURCES="$SOURCES --excludes locks/excluded-cpu.txt"
    # shellcheck disable=SC2086 # a list of arguments
    uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
        --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
        $SOURCES $OPTIONS "$@" --output-file "$output"
    printf '%s: %s packages\n' "$output" "$(grep -c == "$output")"
}

# on_linux LOCK: its lines as constraints for Linux alone. Elsewhere no engine runs, and two of
# vLLM's own requirements contradict each other.
on_linux() {
    awk -F ' ; ' '{ rule = NF > 1 ? "(" $2 ") and " : ""; print $1 " ; " rule "sys_platform == \"linux\"" }' "$1"
}

OPTIONS="$*"
constraints=$(mktemp)
trap 'rm -f "$constraints"' EXIT
for engine in cpu gpu; do
    compile $engine locks/$engine-dev.txt --extra $engine --extra default-model --extra evaluate --extra train --extra cluster --extra dev
    # Constrained by the larger one, so that both environments hold the same versions.
    on_linux locks/$engine-dev.txt >"$constraints"
    compile $engine locks/$engine.txt --extra $engine --extra default-model --extra evaluate --extra train \
        --constraint "$constraints"
done
