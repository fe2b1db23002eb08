# Where packages come from: sourced by setup.sh and lock.sh.
#
# uv does not read pip's settings, and a house with a mirror or a wheel folder has told pip about it.
# So pip's find-links, indexes and certificate are handed on to uv, unless uv has settings of its own.
# Expects PYTHON, an interpreter; sets SOURCES, arguments for `uv pip`.

PYTORCH_CPU_PAGE=https://download.pytorch.org/whl/cpu/torch/

# pip_setting NAME: the value of pip's environment variable, else of its configuration files.
pip_setting() {
    variable=PIP_$(printf '%s' "$1" | tr 'a-z-' 'A-Z_')
    eval "value=\${$variable:-}"
    [ -n "$value" ] || value=$("$PYTHON" -m pip config get "global.$1" 2>/dev/null) || value=
    printf '%s' "$value" | tr '\n,' '  '
}

# has_cpu_torch VERSION PLACE...: is there a wheel of that torch for PYTHON in one of the places?
# A place that is no local folder counts: only its owner knows what it holds.
has_cpu_torch() {
    version=$1
    shift
    tag=$("$PYTHON" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
    for place; do
        folder=${place#file://}
        case $folder in
        *://*) return 0 ;;
        esac
        # shellcheck disable=SC2086 # the version may be a pattern
        for wheel in "$folder"/torch-$version-"$tag"-*.whl; do
            [ -e "$wheel" ] && return 0
        done
    done
    return 1
}

# find_sources ENGINE LOCK: set SOURCES for an environment with the engine `cpu` or `gpu`.
# LOCK: the file that pins torch; where there is none yet, any torch of the wanted kind will do.
find_sources() {
    SOURCES=
    links=$(pip_setting find-links)
    # Not for a GPU: a folder with the CPU's torch would win over the index, being "2.13.0 and more".
    if [ "$1" = cpu ]; then
        for link in $links; do SOURCES="$SOURCES --find-links $link"; done
        version=$(sed -n 's/^torch==\([^ ]*+cpu\).*/\1/p' "$2" 2>/dev/null || true)
        # shellcheck disable=SC2086 # a list of places
        has_cpu_torch "${version:-*+cpu}" $links || SOURCES="$SOURCES --find-links $PYTORCH_CPU_PAGE"
    fi
    if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        index=$(pip_setting index-url)
        [ -z "$index" ] || SOURCES="$SOURCES --default-index ${index%% *}"
    fi
    if [ -z "${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-}" ]; then
        extra=$(pip_setting extra-index-url)
        for index in $extra; do SOURCES="$SOURCES --index $index"; done
        # pip looks at all indexes and takes the best; uv does so only when told to.
        [ -z "$extra" ] || SOURCES="$SOURCES --index-strategy unsafe-best-match"
    fi
    # The system's certificates, where a house adds its own authority; uv's older name for it too.
    UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}
    UV_NATIVE_TLS=${UV_NATIVE_TLS:-true}
    export UV_SYSTEM_CERTS UV_NATIVE_TLS
    certificate=$(pip_setting cert)
    if [ -n "$certificate" ] && [ -z "${SSL_CERT_FILE:-}" ]; then
        SSL_CERT_FILE=$certificate
        export SSL_CERT_FILE
    fi
}
