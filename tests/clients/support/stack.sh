#!/usr/bin/env bash
# Start what the suites run against, say where it is, and end it when standard input closes.
#
# usage: stack.sh BINARY WORKERS FOLDER     prints NAME=value lines, then "ready"
#
# Reading until the end of input instead of waiting for a signal means that nothing is left behind even if
# the runner is killed. Exit 1 if the gateway ended by itself, ended badly, or reported a sanitizer error.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib.sh"

BINARY=$1 WORKERS=$2 FOLDER=$3
PLACE= RC_GATEWAY_PID= RC_HELPER_PID=

clean_up() {
    local status=$?
    trap - EXIT INT TERM
    set +e
    [[ -z $RC_HELPER_PID ]] || rc_stop_pid "$RC_HELPER_PID"
    [[ -z $RC_GATEWAY_PID ]] || rc_stop_pid "$RC_GATEWAY_PID"
    if [[ -n $PLACE ]]; then
        rc_pg_stop "$PLACE"
        rm -rf "$PLACE"
    fi
    exit "$status"
}

end_gateway() {
    local status=0
    rc_is_gone "$RC_GATEWAY_PID" && rc_die "the gateway ended during the tests; its log is $FOLDER/gateway.log"
    kill -TERM "$RC_GATEWAY_PID"
    rc_wait_until 30 rc_is_gone "$RC_GATEWAY_PID" || rc_die "the gateway did not end on SIGTERM"
    wait "$RC_GATEWAY_PID" || status=$?
    RC_GATEWAY_PID=
    ((status == 0)) || rc_die "the gateway ended with $status; its log is $FOLDER/gateway.log"
    if grep -qE 'ERROR: (Address|Thread|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$FOLDER/gateway.log"; then
        grep -nE -A 20 'Sanitizer|runtime error:' "$FOLDER/gateway.log" >&2
        rc_die "a sanitizer reported an error"
    fi
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rc_need node psql createdb sqitch
mkdir -p "$FOLDER"
PLACE=$(rc_pg_place "$(mktemp -d "${TMPDIR:-/tmp}/rowcast-pg.XXXXXX")")
rc_pg_start "$PLACE" </dev/null
rc_load_tripsage tripsage </dev/null

helper_port=$(rc_free_port)
rc_demo_www "$FOLDER/www" "http://127.0.0.1:$helper_port"
ROWCAST_DATABASE_URL=$(rc_pg_url "$PLACE" postgres tripsage)
ROWCAST_QUERY_URL=$(rc_pg_url "$PLACE" rowcast_authenticator tripsage)
ROWCAST_JWT_SECRET=$(rc_secret)
ROWCAST_LISTEN=127.0.0.1:$(rc_free_port)
ROWCAST_ADMIN_LISTEN=127.0.0.1:$(rc_free_port)
export ROWCAST_DATABASE_URL ROWCAST_QUERY_URL ROWCAST_JWT_SECRET ROWCAST_LISTEN ROWCAST_ADMIN_LISTEN \
    ROWCAST_WWW="$FOLDER/www" ROWCAST_WORKERS="$WORKERS" ROWCAST_DRAIN_SECONDS=1
"$BINARY" setup >"$FOLDER/setup.log" 2>&1 </dev/null || { cat "$FOLDER/setup.log" >&2 && rc_die "rowcast setup failed"; }
rc_gateway_start "$BINARY" "$FOLDER/gateway.log" </dev/null
BOT=0 rc_helper_start "$PLACE" "$helper_port" "$FOLDER/helper.log" </dev/null

rc_say "GATEWAY_URL=http://$ROWCAST_LISTEN" "DATABASE_URL=$ROWCAST_DATABASE_URL" \
    "JWT_SECRET=$ROWCAST_JWT_SECRET" "DEMO_URL=http://$ROWCAST_LISTEN/demo/" ready
cat >/dev/null # until the runner is done with us
end_gateway
