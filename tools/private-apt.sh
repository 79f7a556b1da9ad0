# Source this file. It downloads and unpacks Debian packages of any suite into a folder, without root
# and without touching the system.
#   private_apt DIR SUITE...            afterwards `apt-get` sees only those suites; they are kept in DIR
#   private_unpack DEST SUITE PACKAGE[/SUITE]...
#       unpacks the packages and the libraries they need (from SUITE where it has them) into DEST/root;
#       DEST/bin gets a starter for each of their programs, which runs it with its own C library. DEST may be
#       moved. It appears when it is complete, or not at all; if it is there already, nothing is done.
# The mirror is whatever this machine's own apt sources already use.

private_apt() {
    local dir=$1; shift
    local tool uri suite kind
    for tool in apt-get dpkg-deb; do
        command -v "$tool" > /dev/null || { echo "private_apt: $tool is missing: this works on Debian only" >&2; return 1; }
    done
    uri=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
        awk '/^(URIs:|deb )/ {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; exit}}') || true
    [ -n "$uri" ] || { echo "private_apt: no Debian mirror is configured on this machine" >&2; return 1; }
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/parts"
    : > "$dir/status"
    : > "$dir/sources.list"
    for suite in "$@"; do
        for kind in deb deb-src; do
            echo "$kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" >> "$dir/sources.list"
        done
    done
    cat > "$dir/apt.conf" <<CONF
Dir::State "$dir"; Dir::State::lists "$dir/lists"; Dir::State::status "$dir/status";
Dir::Cache "$dir/cache"; Dir::Etc::sourcelist "$dir/sources.list"; Dir::Etc::sourceparts "$dir/parts";
Dir::Etc::preferencesparts "$dir/parts"; Dir::Etc::preferences "/dev/null";
Acquire::Languages "none"; Acquire::Retries "3"; APT::Sandbox::User "";
CONF
    export APT_CONFIG=$dir/apt.conf
    apt-get -qq update
}

# In parentheses: its trap, folder and APT_CONFIG are its own.
private_unpack() (
    set -euo pipefail
    dest=$(realpath -m "$1"); main=$2; shift 2
    [ ! -d "$dest/bin" ] || exit 0
    mkdir -p "$(dirname "$dest")"
    work=$(mktemp -d "$dest.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    suites=$main
    for package in "$@"; do
        case $package in
            */*) case " $suites " in *" ${package#*/} "*) ;; *) suites="$suites ${package#*/}" ;; esac ;;
        esac
    done
    # shellcheck disable=SC2086 # a list of suites
    private_apt "$work/apt" $suites
    # With an empty dpkg status apt finds every dependency, the C library included.
    apt-get -qq -y -t "$main" --no-install-recommends --download-only install "$@" > "$work/apt/log" ||
        { cat "$work/apt/log" >&2; exit 1; }
    mkdir -p "$work/done/root" "$work/done/bin"
    for deb in "$work"/apt/cache/archives/lib*.deb; do
        dpkg-deb -x "$deb" "$work/done/root"
    done
    cd "$work/done/root"
    loader=$(find . -path './*lib*' -name 'ld-linux*.so.*' -print -quit)
    library=$(dirname "$(find . -path './*lib*' -name libc.so.6 -print -quit)")
    for package in "$@"; do
        deb=$(ls "$work/apt/cache/archives/${package%%/*}"_*.deb)
        dpkg-deb -x "$deb" "$work/done/root"
        for program in $(dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -n 's|^\./usr/bin/\([^/]\{1,\}\)$|\1|p'); do
            cat > "$work/done/bin/$program" <<START
#!/bin/sh
root=\$(dirname "\$(readlink -f "\$0")")/../root
exec "\$root/$loader" --library-path "\$root/$library" --argv0 "$program" "\$root/usr/bin/$program" "\$@"
START
            chmod +x "$work/done/bin/$program"
        done
    done
    # mktemp makes folders for the owner alone; another process may have been faster.
    chmod 755 "$work/done"
    [ -d "$dest/bin" ] || mv -T "$work/done" "$dest"
)
