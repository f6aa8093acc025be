# Shared by the scripts here and by tests/clients/run.mjs: a private Postgres, a gateway, free ports.
# Source it; it defines functions and starts nothing. Callers set -euo pipefail.
#
# Postgres refuses to run as root, so everything of its own goes through rc_as_db_user: the account
# "postgres" when we are root, ourselves otherwise. The server listens on a Unix socket alone, in a
# folder that only that account (and root) can enter; that is why its logins need no password.

RC_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
RC_CLIENTS=$RC_ROOT/tests/clients

rc_say() { printf '%s\n' "$@"; } # a line each
rc_die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# rc_need COMMAND…: all of these must be on the path.
rc_need() {
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null || rc_die "$command is missing: run scripts/deps"
    done
}

rc_free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1",
                 () => { console.log(s.address().port); s.close(); });'
}

# rc_port_is_free PORT
rc_port_is_free() {
    node -e 'const s = require("net").createServer();
             s.once("error", () => process.exit(1));
             s.listen(+process.argv[1], "127.0.0.1", () => s.close());' "$1"
}

rc_secret() { node -e 'console.log(require("crypto").randomBytes(32).toString("hex"))'; }

# rc_wait_until SECONDS COMMAND…: poll until the command succeeds. Output of the command is dropped.
rc_wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

rc_is_running() { kill -0 "$1" 2>/dev/null; }

# rc_stop_pid PID [SECONDS]: SIGTERM, then SIGKILL if it is still there. For processes we started.
rc_stop_pid() {
    local pid=$1 patience=${2:-10}
    rc_is_running "$pid" || return 0
    kill -TERM "$pid" 2>/dev/null || true
    rc_wait_until "$patience" rc_is_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

# A process that has ended but was not waited for yet (a zombie) is gone, too.
rc_is_gone() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || true
    [[ -z $state || $state == Z ]]
}

# rc_stop_stale PIDFILE TEXT: end what an earlier run left, if the process is still the one that was
# started: its command line must contain TEXT.
rc_stop_stale() {
    local file=$1 text=$2 pid
    [[ -s $file ]] || return 0
    pid=$(<"$file")
    if [[ $pid =~ ^[0-9]+$ ]] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$text"; then
        rc_stop_pid "$pid"
    fi
    rm -f "$file"
}

# --- Postgres -------------------------------------------------------------------------------------

rc_as_db_user() {
    if ((EUID == 0)); then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

# The newest installed server that has logical replication with column lists (15).
rc_pg_bin() {
    local bin
    bin=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null |
        sort -t/ -k5,5n | tail -n 1)
    [[ -n $bin ]] || bin=$(command -v initdb || true)
    [[ -n $bin ]] || rc_die "no PostgreSQL server found: run scripts/deps"
    dirname "$bin"
}

# rc_db_user_can_enter FOLDER: is every folder above it open to the account of Postgres?
rc_db_user_can_enter() {
    local folder=$1
    while [[ $folder != / ]]; do
        rc_as_db_user test -x "$folder" || return 1
        folder=$(dirname "$folder")
    done
}

# rc_pg_place WANTED: prints the folder to use for Postgres: WANTED, or a new one under the
# temporary folder if the account of Postgres could not reach WANTED or its socket name would be too
# long (107 bytes are the system's limit).
rc_pg_place() {
    local wanted=$1 place=$1
    mkdir -p "$wanted"
    chmod 755 "$wanted"
    if ! rc_db_user_can_enter "$wanted" || ((${#wanted} > 80)); then
        place=$(mktemp -d "${TMPDIR:-/tmp}/rowcast-pg.XXXXXX")
        printf '%s\n' "note: Postgres cannot work in $wanted; using $place" >&2
    fi
    ((EUID != 0)) || chown postgres: "$place"
    chmod 700 "$place"
    printf '%s\n' "$place"
}

# rc_pg_start PLACE: a fresh cluster in PLACE/data, socket in PLACE, log in PLACE/log; then
# rc_pg_env names it for psql, sqitch and libpq.
rc_pg_start() {
    local place=$1 bin
    bin=$(rc_pg_bin)
    rc_as_db_user "$bin/initdb" -D "$place/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
        --no-sync >"/dev/null"
    rc_as_db_user tee -a "$place/data/postgresql.conf" >/dev/null <<EOF
listen_addresses = ''
unix_socket_directories = '$place'
port = 5432
wal_level = logical
max_wal_senders = 20
max_replication_slots = 20
max_connections = 200
fsync = off
timezone = 'UTC'
log_timezone = 'UTC'
EOF
    if ! rc_as_db_user "$bin/pg_ctl" -D "$place/data" -l "$place/log" -w -t 60 start >/dev/null; then
        rc_as_db_user tail -n 20 "$place/log" >&2 || true
        rc_die "Postgres did not start"
    fi
    rc_pg_env "$place"
}

# A data folder without a live postmaster is simply left to be deleted.
rc_pg_stop() {
    local place=$1
    rc_as_db_user test -f "$place/data/postmaster.pid" || return 0
    rc_as_db_user "$(rc_pg_bin)/pg_ctl" -D "$place/data" -m immediate -w -t 30 stop >/dev/null 2>&1 || true
}

rc_pg_env() {
    export PGHOST=$1 PGPORT=5432 PGUSER=postgres
    unset PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS
}

# rc_pg_url PLACE ROLE DATABASE: what ROWCAST_DATABASE_URL and ROWCAST_QUERY_URL take.
rc_pg_url() { printf 'postgresql://%s@/%s?host=%s&port=5432\n' "$2" "$3" "$1"; }

# rc_load_tripsage DATABASE: create it, deploy the schema, verify it, load the example data.
rc_load_tripsage() {
    local database=$1
    createdb "$database"
    (
        cd "$RC_ROOT/db/tripsage"
        export SQITCH_FULLNAME=Rowcast SQITCH_EMAIL=rowcast@example.org
        sqitch --quiet deploy "db:pg:$database"
    ) || rc_die "the tripsage schema could not be deployed"
    psql -X -q -1 -v ON_ERROR_STOP=1 -f "$RC_ROOT/db/seed/tripsage_seed.sql" "$database"
}

# --- the gateway ----------------------------------------------------------------------------------

# rc_gateway_start BINARY LOG: with the ROWCAST_ variables of the environment; the process is in
# RC_GATEWAY_PID. Ready means /readyz says so: a round trip through the log has been seen.
rc_gateway_start() {
    local binary=$1 log=$2
    "$binary" serve >"$log" 2>&1 9>&- &
    RC_GATEWAY_PID=$!
    if ! rc_wait_until 30 rc_gateway_is_ready_or_gone; then
        tail -n 20 "$log" >&2
        rc_die "the gateway was not ready within 30 s; its log is $log"
    fi
    if rc_is_gone "$RC_GATEWAY_PID"; then
        tail -n 20 "$log" >&2
        rc_die "the gateway ended; its log is $log"
    fi
}

rc_gateway_is_ready_or_gone() {
    rc_is_gone "$RC_GATEWAY_PID" || rc_http_ok "http://$ROWCAST_LISTEN/readyz"
}

rc_http_ok() {
    node -e 'fetch(process.argv[1], { signal: AbortSignal.timeout(2000) })
                 .then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))' "$1"
}

# rc_npm_install: what tests/clients/package-lock.json pins, unless it is there already.
rc_npm_install() {
    local stamp=$RC_CLIENTS/node_modules/.package-lock.json
    [[ -e $stamp && ! $RC_CLIENTS/package-lock.json -nt $stamp ]] && return 0
    (cd "$RC_CLIENTS" && npm ci --no-audit --no-fund --loglevel=error)
    touch "$stamp"
}

# rc_demo_www FOLDER HELPER_URL: what the gateway serves at /demo/: the page, the unmodified client, and
# where the helper is.
rc_demo_www() {
    local folder=$1 helper_url=$2
    mkdir -p "$folder"
    cp "$RC_ROOT"/gateway/www/demo/* "$folder/"
    cp "$RC_CLIENTS/node_modules/@supabase/supabase-js/dist/umd/supabase.js" "$folder/"
    printf 'window.ROWCAST_DEMO = { helperUrl: "%s" };\n' "$helper_url" >"$folder/config.js"
}

# rc_helper_start PLACE PORT LOG: the demo's helper, with ROWCAST_LISTEN and ROWCAST_JWT_SECRET of the
# environment; BOT=0 keeps it still. The process is in RC_HELPER_PID.
rc_helper_start() {
    local place=$1 port=$2 log=$3
    DATABASE_URL=$(rc_pg_url "$place" rowcast_authenticator tripsage) HELPER_PORT=$port \
        JWT_SECRET=$ROWCAST_JWT_SECRET GATEWAY_URL="http://$ROWCAST_LISTEN" \
        node "$RC_ROOT/db/demo/demo_server.mjs" >"$log" 2>&1 9>&- &
    RC_HELPER_PID=$!
    rc_wait_until 20 rc_helper_is_ready_or_gone "$port" || rc_die "the helper did not start; its log is $log"
    if rc_is_gone "$RC_HELPER_PID"; then
        tail -n 20 "$log" >&2
        rc_die "the helper ended; its log is $log"
    fi
}

rc_helper_is_ready_or_gone() { rc_is_gone "$RC_HELPER_PID" || rc_http_ok "http://127.0.0.1:$1/clock"; }
