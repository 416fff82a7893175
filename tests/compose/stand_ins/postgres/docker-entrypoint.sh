#!/bin/sh
# Makes the database at the first start, as the real image does, then becomes the server.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?Database is uninitialized and superuser password is not specified.}"
    user=${POSTGRES_USER:-postgres}
    passwords=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" >"$passwords"
    initdb --pgdata="$PGDATA" --username="$user" --pwfile="$passwords" --auth-host=scram-sha-256 --auth-local=trust
    rm "$passwords"
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    database=${POSTGRES_DB:-$user}
    if [ "$database" != postgres ]; then
        # Heard on its socket alone until it is complete.
        pg_ctl --pgdata="$PGDATA" --wait --silent --options="-c listen_addresses=''" start
        createdb --username="$user" --maintenance-db=postgres "$database"
        pg_ctl --pgdata="$PGDATA" --wait --silent --mode=fast stop
    fi
fi
exec "$@" -c listen_addresses='*'
