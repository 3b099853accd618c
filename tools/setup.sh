#!/bin/sh
# All the set-up there is: a virtual environment with the package and its tools, Prometheus,
# Alertmanager and git; Chromium, which only the tests of the console's pages need; HAProxy and
# httpbin, which are the stranger's system that one test drills. Run again, it finds everything
# there and does nothing.
#
# Asks nothing, starts no service and leaves none enabled, and never touches a Prometheus or an
# Alertmanager that was installed before.
set -eu

cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}
# Keeps a command's words to itself unless it fails.
quietly() {
    words=$(mktemp)
    if "$@" </dev/null >"$words" 2>&1; then
        rm -f "$words"
    else
        cat "$words" >&2
        rm -f "$words"
        return 1
    fi
}
have() { command -v "$1" >/dev/null 2>&1; }

# Debian keeps servers out of an ordinary user's path.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export PATH

# --- what is missing --------------------------------------------------------------------------

find_python() {
    for name in python3.13 python3.12 python3.11 python3 python; do
        if have "$name" &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

venv_works() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The packages come from one place only; which names stand for what differs between the two.
missing_programs() {
    have git || echo git
    have prometheus || echo prometheus
    have prometheus-alertmanager || have alertmanager || echo alertmanager
}

# --- how to install ---------------------------------------------------------------------------

as_root=
become_root() {
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif have sudo && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    elif have sudo && [ -t 0 ]; then
        as_root=sudo
    else
        die "these packages are missing: $*; install them as root, or run this as a user with sudo."
    fi
}

POLICY=/usr/sbin/policy-rc.d
SAVED=/usr/sbin/policy-rc.d.before-gameday
policy_is_ours=

restore_policy() {
    [ -n "$policy_is_ours" ] || return 0
    policy_is_ours=
    if [ -e "$SAVED" ]; then
        $as_root mv -f "$SAVED" "$POLICY"
    else
        $as_root rm -f "$POLICY"
    fi
}

# Debian starts a service as soon as its package is unpacked, unless this script says no. Ours says
# no to these services only, asks the machine's own script about all others, and goes away again.
forbid_services() {
    trap restore_policy EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if [ -e "$POLICY" ]; then
        $as_root mv -f "$POLICY" "$SAVED"
    fi
    policy_is_ours=yes
    draft=$(mktemp)
    cat >"$draft" <<POLICY_END
#!/bin/sh
for word in "\$@"; do
    case "\$word" in
        prometheus | prometheus.service | prometheus-alertmanager | prometheus-alertmanager.service | \
            haproxy | haproxy.service)
            exit 101 ;;
    esac
done
[ -x "$SAVED" ] || exit 0
exec "$SAVED" "\$@"
POLICY_END
    $as_root install -m 755 "$draft" "$POLICY"
    rm -f "$draft"
}

disable_service() {
    if have systemctl; then
        $as_root systemctl disable --quiet "$1.service" >/dev/null 2>&1 || true
    elif have update-rc.d; then
        $as_root update-rc.d "$1" disable >/dev/null 2>&1 || true
    fi
}

apt_updated=
apt_update() {
    [ -z "$apt_updated" ] || return 0
    say "reading the package lists"
    quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update ||
        die "apt-get could not read the package lists; its own words stand above."
    apt_updated=yes
}

apt_install() {
    become_root "$@"
    apt_update
    say "installing $*"
    quietly $as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
        apt-get -qq -y --no-install-recommends install "$@" ||
        die "apt-get could not install $*; its own words stand above."
}

apt_has() { [ -n "$(apt-cache --quiet madison "$1" 2>/dev/null)" ]; }

install_programs() {
    if have apt-get; then
        packages=$(echo "$*" | sed 's/\balertmanager\b/prometheus-alertmanager/')
        become_root "$packages"
        forbid_services
        # shellcheck disable=SC2086  # a list of words
        apt_install $packages
        # Only units that came with this very installation: these packages were not there before.
        for package in $packages; do
            case "$package" in prometheus*) disable_service "$package" ;; esac
        done
        restore_policy
    elif have brew; then
        say "installing $*"
        brew install --quiet "$@" </dev/null >&2 || die "brew could not install $*."
    else
        die "these programs are missing: $*; there is neither apt-get nor brew here, so install them by hand and run this again."
    fi
}

install_python() {
    if have apt-get; then
        become_root python3
        apt_update
        for version in 3.13 3.12 3.11; do
            if apt_has "python$version" && apt_has "python$version-venv"; then
                apt_install "python$version" "python$version-venv"
                return 0
            fi
        done
        die "gameday needs Python 3.11 or newer, and this system's packages have none."
    elif have brew; then
        say "installing python"
        brew install --quiet python@3.13 </dev/null >&2 || die "brew could not install python@3.13."
    else
        die "gameday needs Python 3.11 or newer; there is neither apt-get nor brew here to install it."
    fi
}

# --- the work ---------------------------------------------------------------------------------

did=

missing=$(missing_programs | tr '\n' ' ')
if [ -n "$missing" ]; then
    did=yes
    # shellcheck disable=SC2086  # a list of words
    install_programs $missing
    still=$(missing_programs | tr '\n' ' ')
    [ -z "$still" ] || die "installed, and yet not found on the path: $still"
fi

# Without a browser its tests are skipped, so nothing here may fail because of it. Where Chromium is
# a snap (Ubuntu) or an application (macOS), it is left to whoever wants those tests.
if ! have chromium && have apt-get; then
    if [ -n "$missing" ] || [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; then
        become_root chromium
        [ -n "$(apt-cache --quiet madison chromium 2>/dev/null)" ] || apt_update
        if apt_has chromium; then
            did=yes
            say "installing chromium (for the tests of the console)"
            quietly $as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
                apt-get -qq -y --no-install-recommends install chromium ||
                say "chromium could not be installed; the tests in a browser will be skipped"
        fi
    fi
fi

if ! have haproxy && have apt-get; then
    if [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; then
        become_root haproxy
        [ -n "$(apt-cache --quiet madison haproxy 2>/dev/null)" ] || apt_update
        if apt_has haproxy; then
            did=yes
            say "installing haproxy (for the drill on a stranger's system)"
            forbid_services
            if quietly $as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
                apt-get -qq -y --no-install-recommends install haproxy; then
                disable_service haproxy
            else
                say "haproxy could not be installed; the drill on a stranger's system will be skipped"
            fi
            restore_policy
        fi
    fi
fi

wanted=$(cat pyproject.toml constraints.txt | cksum)
stamp=.venv/gameday-setup
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] &&
    .venv/bin/python -c 'import gameday' 2>/dev/null; then
    :
else
    did=yes
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        python=$(find_python) || {
            install_python
            python=$(find_python) || die "installed Python, and yet found none on the path."
        }
        if ! venv_works "$python"; then
            have apt-get || die "$python cannot make virtual environments (the module ensurepip is missing)."
            version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            apt_install "python$version-venv"
        fi
        say "making a virtual environment with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    say "installing the package and its tools into .venv (a minute or two the first time)"
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
        .venv/bin/python -m pip install --quiet --editable '.[dev]' --constraint constraints.txt >&2 ||
        die "pip could not install the package; its own words stand above."
    printf '%s\n' "$wanted" >"$stamp"
fi

# An environment of its own: httpbin wants a greenlet that our tools do not bear.
foreign=.venv/foreign
into_foreign() {
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
        quietly "$foreign/bin/python" -m pip install --quiet "$@"
}
if [ ! -x "$foreign/bin/gunicorn" ]; then
    did=yes
    say "installing httpbin and gunicorn into $foreign (for drills on a stranger's system)"
    .venv/bin/python -m venv "$foreign" &&
        into_foreign 'httpbin==0.10.4' 'gunicorn>=23,<28' || {
        rm -rf "$foreign"
        say "httpbin could not be installed; the drills on a stranger's system will be skipped"
    }
fi
# All of one release: each asks for the others of its own, and an index may have half of the next.
if [ -x "$foreign/bin/gunicorn" ] && [ ! -x "$foreign/bin/opentelemetry-instrument" ]; then
    did=yes
    say "installing OpenTelemetry into $foreign (for the one whose requests are traced)"
    into_foreign 'WSGIProxy2==0.5.1' 'requests>=2.32,<3' \
        'opentelemetry-distro==0.66b1' 'opentelemetry-sdk==1.45.1' \
        'opentelemetry-exporter-otlp-proto-http==1.45.1' \
        'opentelemetry-instrumentation-flask==0.66b1' \
        'opentelemetry-instrumentation-requests==0.66b1' ||
        say "OpenTelemetry could not be installed; the drill on a traced system will be skipped"
fi
# One process, so that what it counts is asked of it: waitress has threads alone.
if [ -x "$foreign/bin/opentelemetry-instrument" ] && [ ! -x "$foreign/bin/waitress-serve" ]; then
    did=yes
    say "installing waitress and OpenTelemetry's metrics into $foreign (for the one on a cluster)"
    into_foreign 'waitress==3.0.2' 'opentelemetry-exporter-prometheus==0.66b1' ||
        say "waitress could not be installed; the drill on a stranger's cluster will be skipped"
fi

if [ -n "$did" ]; then
    say "ready"
else
    say "everything is there already"
fi
