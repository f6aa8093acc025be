#!/usr/bin/env bash
# A private Postgres with the schemas of all seeds, and a gateway that follows it. Prints NAME=value lines,
# then "ready"; ends everything when standard input closes, so nothing is left behind even if the test is killed.
#
# usage: stack.sh BINARY FOLDER SCHEMA.sql
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib.sh"

BINARY=$1 FOLDER=$2 SCHEMA=$3
PLACE= RC_GATEWAY_PID=

clean_up() {
    local status=$?
    trap - EXIT INT TERM
    set +e
    [[ -z $RC_GATEWAY_PID ]] || rc_stop_pid "$RC_GATEWAY_PID"
    if [[ -n $PLACE ]]; then
        rc_pg_stop "$PLACE"
        rm -rf "$PLACE"
    fi
    exit "$status"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rc_need node psql createdb
PLACE=$(rc_pg_place "$(mktemp -d "${TMPDIR:-/tmp}/rowcast-pg.XXXXXX")")
rc_pg_start "$PLACE" </dev/null
createdb oracle </dev/null
psql -X -q -v ON_ERROR_STOP=1 -f "$SCHEMA" oracle </dev/null >"$FOLDER/schema.log" 2>&1 ||
    { cat "$FOLDER/schema.log" >&2 && rc_die "the schema could not be made"; }

ROWCAST_DATABASE_URL=$(rc_pg_url "$PLACE" postgres oracle)
ROWCAST_QUERY_URL=$(rc_pg_url "$PLACE" rowcast_authenticator oracle)
ROWCAST_JWT_SECRET=$(rc_secret)
ROWCAST_LISTEN=127.0.0.1:$(rc_free_port)
ROWCAST_ADMIN_LISTEN=127.0.0.1:$(rc_free_port)
export ROWCAST_DATABASE_URL ROWCAST_QUERY_URL ROWCAST_JWT_SECRET ROWCAST_LISTEN ROWCAST_ADMIN_LISTEN \
    ROWCAST_WORKERS=2 ROWCAST_DRAIN_SECONDS=1
"$BINARY" setup >"$FOLDER/setup.log" 2>&1 </dev/null || { cat "$FOLDER/setup.log" >&2 && rc_die "rowcast setup failed"; }
rc_gateway_start "$BINARY" "$FOLDER/gateway.log" </dev/null

rc_say "SOCKET_URL=ws://$ROWCAST_LISTEN/realtime/v1/websocket" "DATABASE_URL=$ROWCAST_DATABASE_URL" \
    "JWT_SECRET=$ROWCAST_JWT_SECRET" ready
cat >/dev/null # until the test is done with us
rc_is_gone "$RC_GATEWAY_PID" && rc_die "the gateway ended during the test; its log is $FOLDER/gateway.log"
rc_stop_pid "$RC_GATEWAY_PID" 30
RC_GATEWAY_PID=
if grep -qE 'ERROR: (Address|Thread|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$FOLDER/gateway.log"; then
    grep -nE -A 20 'Sanitizer|runtime error:' "$FOLDER/gateway.log" >&2
    rc_die "a sanitizer reported an error"
fi
