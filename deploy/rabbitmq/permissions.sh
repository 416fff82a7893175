#!/bin/sh
# Users at RabbitMQ with exactly the permissions that the VPN worker needs; docs/how-to/permissions.md says why each of them.
# Safe to repeat. Passwords come from files, never from the command line, where everybody on the machine could read them.

set -eu

usage() {
    cat <<'END'
Usage: permissions.sh [options]

Sets permissions for the users that are named; each role may be given more than once.

  --topology USER     declares exchanges and queues (`vpn-worker topology apply`)
  --worker USER       takes requests, publishes outcomes (`vpn-worker run`)
  --publisher USER    publishes requests
  --reader USER       reads events, from queues of its own whose names begin with "USER."
  --client USER       both: publishes requests and reads events
  --operator USER     looks at dead letters and sends them again, watches events (`vpn-worker dead`, `watch`, `resolve`)
  --monitor USER      looks through the management API (VPN_WORKER_MANAGEMENT_URL), and may do nothing else

  --prefix PREFIX     first part of every name; default vpn, as VPN_WORKER_PREFIX
  --vhost VHOST       default /
  --replies           the worker may publish to any queue by its name, which answering a request's reply_to needs;
                      off by default
  --create            create users that do not exist; needs one of the next two
  --passwords DIR     the file DIR/USER holds the password of a user to create
  --no-passwords      users to create have none: they log in with a certificate (SASL EXTERNAL)
  --dry-run           show the commands, and change nothing

RABBITMQCTL names the program, with words before it if need be: RABBITMQCTL="docker exec -i rabbitmq rabbitmqctl"
END
}

fail() {
    printf 'permissions.sh: %s\n' "$1" >&2
    exit 2
}

users='' prefix=vpn vhost=/ replies='' create='' passwords='' no_passwords='' dry_run=''
while [ $# -gt 0 ]; do
    case $1 in
        --topology | --worker | --publisher | --reader | --client | --operator | --monitor)
            [ $# -ge 2 ] || fail "$1 needs the name of a user"
            case $2 in
                '' | -* | *[!A-Za-z0-9._-]*) fail "a user's name has the characters A-Z a-z 0-9 . _ - alone: $2" ;;
            esac
            case " $users" in *":$2 "*) fail "$2 has two roles; make a user for each" ;; esac
            users="$users${1#--}:$2 "
            shift
            ;;
        --prefix | --vhost | --passwords)
            if [ $# -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value"; fi
            case $1 in --prefix) prefix=$2 ;; --vhost) vhost=$2 ;; --passwords) passwords=$2 ;; esac
            shift
            ;;
        --replies) replies=yes ;;
        --create) create=yes ;;
        --no-passwords) no_passwords=yes ;;
        --dry-run) dry_run=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail "there is no option $1; --help lists them" ;;
    esac
    shift
done
[ -n "$users" ] || fail "no user is named; --help lists the roles"
case $prefix in *[!a-z0-9._-]*) fail "the prefix has the characters a-z 0-9 . _ - alone" ;; esac
if [ -n "$create" ] && [ -z "$passwords$no_passwords" ]; then fail "--create needs --passwords DIR or --no-passwords"; fi

escaped() {
    printf '%s' "$1" | sed 's/\./\\./g'
}

# What is set depends on these alone: the names of docs/why/architecture.md, as regular expressions.
p=$(escaped "$prefix")
rungs='retry\.(5s|30s|2m|10m|1h)'
ctl=${RABBITMQCTL:-rabbitmqctl}

run() {
    if [ -n "$dry_run" ]; then
        printf '%s' "$ctl"
        printf " '%s'" "$@"
        printf '\n'
    else
        # shellcheck disable=SC2086  # it may be several words
        $ctl --quiet "$@" </dev/null
    fi
}

known=''
if [ -n "$create" ] && [ -z "$dry_run" ]; then
    # shellcheck disable=SC2086
    known=$($ctl --quiet list_users | cut -f 1)
fi

create_user() {
    if printf '%s\n' "$known" | grep -qxF -e "$1"; then
        printf '%s: there already, its password is left alone\n' "$1"
    elif [ -n "$no_passwords" ]; then
        run add_user "$1" ''
        printf '%s: created without a password\n' "$1"
    elif [ -n "$dry_run" ]; then
        printf '%s add_user %s <%s\n' "$ctl" "$1" "$passwords/$1"
    else
        [ -s "$passwords/$1" ] || fail "the file $passwords/$1 has no password"
        # With one more word, such as --quiet, the rabbitmqctl of 4.0 does not read its input, and waits for ever.
        # shellcheck disable=SC2086
        printf '%s\n' "$(cat "$passwords/$1")" | $ctl add_user "$1" >/dev/null
        printf '%s: created\n' "$1"
    fi
}

grant() { # user configure write read
    run set_permissions --vhost "$vhost" "$1" "$2" "$3" "$4"
    [ -n "$dry_run" ] || printf '%s (%s): configure %s  write %s  read %s\n' "$1" "$role" "$2" "$3" "$4"
}

for one in $users; do
    role=${one%%:*} user=${one#*:}
    [ -z "$create" ] || create_user "$user"
    # Queues of its own, and those that RabbitMQ names for `vpn-worker watch`.
    own="amq\\.gen-.*|$(escaped "$user")\\..*"
    case $role in
        topology)
            # A queue is bound by who may write it and read the exchange; one with a dead-letter exchange is declared by
            # who may read the queue and write that exchange; an alternate exchange is likewise.
            all="requests|requests\\.create|events|unrouted|retry|$rungs|dead"
            grant "$user" "^$p\\.($all)\$" "^$p\\.(requests|requests\\.create|unrouted|$rungs|dead)\$" "^$p\\.($all)\$"
            ;;
        worker)
            write="$p\\.(events|retry|dead)"
            [ -z "$replies" ] || write="($write|amq\\.default)"
            grant "$user" '^$' "^$write\$" "^$p\\.requests\\.create\$"
            ;;
        publisher) grant "$user" '^$' "^$p\\.requests\$" '^$' ;;
        reader) grant "$user" "^($own)\$" "^($own)\$" "^($own|$p\\.events)\$" ;;
        client) grant "$user" "^($own)\$" "^($own|$p\\.requests)\$" "^($own|$p\\.events)\$" ;;
        operator)
            queue='amq\.gen-.*'
            grant "$user" "^$queue\$" "^($queue|$p\\.(requests|events))\$" "^($queue|$p\\.(dead|events|unrouted))\$"
            ;;
        monitor)
            grant "$user" '^$' '^$' '^$'
            run set_user_tags "$user" management
            ;;
    esac
done
