#!/bin/sh
# Postgres and Redis for the tests.
#
#   services.sh start    start what is not given and not up yet
#   services.sh env      print "export …" lines for: eval "$(scripts/services.sh env)"
#   services.sh status   say what there is; fails when something is missing
#   services.sh stop     stop what start started, and remove its data
#
# For each service: a URL already in PETREL_TEST_POSTGRES or PETREL_TEST_REDIS is
# used as it is; else Docker Compose, when an engine answers; else the programs of
# this machine, which are installed by apt-get (as root or with sudo) when absent.
# All is private to this checkout: own ports on 127.0.0.1, own passwords, own data
# in .services/. PETREL_SERVICES_FSYNC=off makes Postgres faster and is wrong for
# tests that cut the power. PETREL_SERVICES_COMPOSE=never keeps away from Docker.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
state=$(dirname "$here")/.services
compose_file=$here/services.compose.yml
fsync=${PETREL_SERVICES_FSYNC:-on}

say() { printf 'services: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
saved() { [ -f "$state/$1" ] && cat "$state/$1"; }
save() { (umask 077 && printf '%s\n' "$2" >"$state/$1.new" && mv "$state/$1.new" "$state/$1"); }
random_hex() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
random_port() { echo $((20000 + $(od -An -N2 -tu2 /dev/urandom) % 29000)); }

# lock keeps two starts or stops of one checkout apart; a lock of a dead process is taken over.
lock() {
	mkdir -p "$state"
	chmod 711 "$state"
	[ -f "$state/.petrel-services" ] || : >"$state/.petrel-services"
	tries=0
	until mkdir "$state/lock" 2>/dev/null; do
		holder=$(cat "$state/lock/pid" 2>/dev/null || echo)
		if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
			rm -rf "$state/lock"
			continue
		fi
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || fail "another services.sh (pid ${holder:-unknown}) holds $state/lock for two minutes"
		sleep 0.2
	done
	echo $$ >"$state/lock/pid"
	trap 'rm -rf "$state/lock"' EXIT
	trap 'exit 130' INT TERM
}

# alive says whether the process of a pid is the one we started: its arguments name our folder.
alive() {
	[ -n "$1" ] && kill -0 "$1" 2>/dev/null && ps -o args= -p "$1" 2>/dev/null | grep -qF "$2"
}

# ---- Docker Compose

engine_answers() {
	[ "${PETREL_SERVICES_COMPOSE:-auto}" != never ] && have docker &&
		shortly docker compose version >/dev/null 2>&1 && shortly docker info >/dev/null 2>&1
}

# shortly gives up after 10 s where the system can do that.
shortly() {
	if have timeout; then timeout 10 "$@"; else "$@"; fi
}

compose() { PETREL_SERVICES_PASSWORD=$(saved compose.password) PETREL_SERVICES_FSYNC=$fsync docker compose -f "$compose_file" "$@"; }

compose_start() { # service port url-before url-after
	saved compose.password >/dev/null || save compose.password "$(random_hex)"
	compose up -d --wait "$1" >&2 || return 1
	address=$(compose port "$1" "$2") || return 1
	save "$1.how" compose
	save "$1.url" "$3$(saved compose.password)@$address$4"
}

# ---- packages of the machine

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_install() {
	have apt-get || return 1
	if [ "$(id -u)" != 0 ] && ! { have sudo && sudo -n true 2>/dev/null; }; then
		return 1
	fi
	say "installing $* by apt-get"
	# No package may start a server of its own: we start ours. A policy that
	# somebody else put there stays.
	policy=/usr/sbin/policy-rc.d
	ours=no
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
		ours=yes
	fi
	as_root mkdir -p /etc/postgresql-common
	if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
	fi
	ok=0
	{ as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		-o Dpkg::Options::=--force-confold "$@"; } >&2 || ok=1
	[ "$ours" = no ] || as_root rm -f "$policy"
	return $ok
}

# ---- Postgres

postgres_bin() {
	for folder in "${PETREL_POSTGRES_BIN:-}" $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -n -r) \
		/opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin /opt/homebrew/opt/postgresql/bin /usr/local/opt/postgresql/bin \
		/usr/pgsql-*/bin /usr/local/pgsql/bin "$(dirname "$(command -v initdb 2>/dev/null || echo /)")"; do
		[ -x "$folder/postgres" ] && [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] || continue
		major=$("$folder/postgres" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
		[ "${major:-0}" -ge 15 ] && echo "$folder" && return 0
	done
	return 1
}

# Postgres refuses to run as root, so root lends it a user without rights.
postgres_user() {
	for user in postgres nobody; do
		id "$user" >/dev/null 2>&1 && echo "$user" && return 0
	done
	return 1
}

as_postgres() {
	if [ "$(id -u)" = 0 ]; then
		# From the root folder, because the user may not look into the current one.
		(cd / && exec setpriv --reuid="$pg_user" --regid="$(id -g "$pg_user")" --clear-groups -- "$@")
	else
		"$@"
	fi
}

postgres_up() {
	pid=$(head -n 1 "$(saved postgres.data 2>/dev/null || echo /nowhere)/postmaster.pid" 2>/dev/null || echo)
	alive "$pid" "$(saved postgres.data)"
}

postgres_local() {
	if ! bin=$(postgres_bin); then
		apt_install postgresql || fail "no Postgres 15 or newer here. Install it (Debian: apt-get install postgresql; macOS: brew install postgresql@17), or set PETREL_TEST_POSTGRES"
		bin=$(postgres_bin) || fail "the installed Postgres is older than 15; set PETREL_TEST_POSTGRES"
	fi
	pg_user=$(id -un)
	data=$state/postgres
	if [ "$(id -u)" = 0 ]; then
		pg_user=$(postgres_user) || fail "Postgres does not run as root and there is no user postgres or nobody"
		# A checkout in a folder only root may enter keeps its data elsewhere.
		as_postgres test -x "$state" || data=${TMPDIR:-/tmp}/petrel-services-$(printf '%s' "$state" | cksum | cut -d' ' -f1)/postgres
	fi
	rm -rf "$data"
	mkdir -p "$data"
	chmod 711 "$(dirname "$data")"
	chmod 700 "$data"
	password=$(random_hex)
	save postgres.password "$password"
	if [ "$(id -u)" = 0 ]; then
		chown "$pg_user" "$data"
		chown "$pg_user" "$state/postgres.password"
		cp "$state/postgres.password" "$(dirname "$data")/postgres.pw" && chown "$pg_user" "$(dirname "$data")/postgres.pw"
		chmod 600 "$(dirname "$data")/postgres.pw"
	else
		(umask 077 && cp "$state/postgres.password" "$(dirname "$data")/postgres.pw")
	fi
	save postgres.data "$data"
	if ! as_postgres "$bin/initdb" -D "$data" -U petrel --encoding=UTF8 --locale=C --auth=scram-sha-256 --pwfile="$(dirname "$data")/postgres.pw" --no-sync >"$state/postgres.initdb.log" 2>&1; then
		rm -f "$(dirname "$data")/postgres.pw"
		cat "$state/postgres.initdb.log" >&2
		fail "initdb failed"
	fi
	rm -f "$(dirname "$data")/postgres.pw"
	tries=0
	while :; do
		port=$(random_port)
		if as_postgres "$bin/pg_ctl" start -w -s -t 60 -D "$data" -l "$data/server.log" \
			-o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=$fsync -c max_connections=300 -c max_wal_size=1GB -c shared_buffers=128MB" >&2; then
			break
		fi
		tries=$((tries + 1))
		if [ "$tries" -ge 5 ] || ! grep -q 'Address already in use' "$data/server.log"; then
			tail -n 20 "$data/server.log" >&2 || :
			fail "Postgres did not start"
		fi
	done
	save postgres.how local
	save postgres.url "postgres://petrel:$password@127.0.0.1:$port/postgres?sslmode=disable"
}

postgres_start() {
	if [ -n "${PETREL_TEST_POSTGRES:-}" ]; then return 0; fi
	case $(saved postgres.how || echo) in
	local) postgres_up && return 0 ;;
	compose) engine_answers && compose_start postgres 5432 postgres://petrel: '/petrel?sslmode=disable' && return 0 ;;
	esac
	if engine_answers && compose_start postgres 5432 postgres://petrel: '/petrel?sslmode=disable'; then return 0; fi
	postgres_local
}

postgres_stop() {
	data=$(saved postgres.data || echo)
	if [ -n "$data" ] && postgres_up; then
		kill -INT "$pid" # fast shutdown
		wait_gone "$pid" || { say "Postgres (pid $pid) does not stop; killing it" && kill -QUIT "$pid" && wait_gone "$pid"; } || :
	fi
	case $data in
	*/.services/postgres | */petrel-services-*/postgres) rm -rf "$data" ;;
	esac
	rm -f "$state/postgres.url" "$state/postgres.how" "$state/postgres.data" "$state/postgres.password" "$state/postgres.initdb.log"
}

# ---- Redis

redis_up() {
	pid=$(cat "$state/redis/redis.pid" 2>/dev/null || echo)
	alive "$pid" "127.0.0.1:$(saved redis.port || echo none)" && [ "$(redis_cli "$(saved redis.port)" ping 2>/dev/null)" = PONG ]
}

redis_cli() { # port command…
	REDISCLI_AUTH=$(saved redis.password) redis-cli -h 127.0.0.1 -p "$@"
}

redis_fits() {
	have redis-server && have redis-cli && [ "$(redis-server --version | sed 's/.* v=\([0-9]*\).*/\1/')" -ge 7 ]
}

redis_local() {
	if ! redis_fits; then
		apt_install redis-server || fail "no Redis 7 or newer here. Install it (Debian: apt-get install redis-server; macOS: brew install redis), or set PETREL_TEST_REDIS"
		redis_fits || fail "the installed Redis is older than 7; set PETREL_TEST_REDIS"
	fi
	rm -rf "$state/redis"
	(umask 077 && mkdir -p "$state/redis")
	save redis.password "$(random_hex)"
	tries=0
	while :; do
		port=$(random_port)
		save redis.port "$port"
		# The password goes by a file, so that no list of processes shows it.
		(umask 077 && cat >"$state/redis/redis.conf" <<-CONF
			port $port
			bind 127.0.0.1
			requirepass $(saved redis.password)
			dir "$state/redis"
			pidfile "$state/redis/redis.pid"
			logfile "$state/redis/redis.log"
			daemonize yes
			appendonly yes
			save ""
		CONF
		)
		redis-server "$state/redis/redis.conf" >&2 || :
		wait=0
		while [ "$wait" -lt 50 ]; do
			redis_up && break 2
			grep -q 'Address already in use' "$state/redis/redis.log" 2>/dev/null && break
			wait=$((wait + 1))
			sleep 0.1
		done
		tries=$((tries + 1))
		if [ "$tries" -ge 5 ]; then
			tail -n 20 "$state/redis/redis.log" >&2 || :
			fail "Redis did not start"
		fi
		rm -f "$state/redis/redis.log"
	done
	save redis.how local
	save redis.url "redis://:$(saved redis.password)@127.0.0.1:$port/0"
}

redis_start() {
	if [ -n "${PETREL_TEST_REDIS:-}" ]; then return 0; fi
	case $(saved redis.how || echo) in
	local) redis_up && return 0 ;;
	compose) engine_answers && compose_start redis 6379 redis://: /0 && return 0 ;;
	esac
	if engine_answers && compose_start redis 6379 redis://: /0; then return 0; fi
	redis_local
}

redis_stop() {
	pid=$(cat "$state/redis/redis.pid" 2>/dev/null || echo)
	if alive "$pid" "127.0.0.1:$(saved redis.port || echo none)"; then
		kill -TERM "$pid"
		wait_gone "$pid" || { kill -KILL "$pid" && wait_gone "$pid"; } || :
	fi
	rm -rf "$state/redis"
	rm -f "$state/redis.url" "$state/redis.how" "$state/redis.port" "$state/redis.password"
}

wait_gone() {
	wait=0
	while kill -0 "$1" 2>/dev/null; do
		wait=$((wait + 1))
		[ "$wait" -lt 150 ] || return 1
		sleep 0.1
	done
}

# ---- commands

url() { # service
	case $1 in
	postgres) [ -n "${PETREL_TEST_POSTGRES:-}" ] && echo "$PETREL_TEST_POSTGRES" && return ;;
	redis) [ -n "${PETREL_TEST_REDIS:-}" ] && echo "$PETREL_TEST_REDIS" && return ;;
	esac
	saved "$1.url"
}

quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

case ${1:-} in
start)
	lock
	postgres_start
	redis_start
	say "postgres and redis are up"
	;;
env)
	for service in postgres redis; do
		found=$(url $service) || fail "$service is not up: run scripts/services.sh start"
		echo "export PETREL_TEST_$(echo $service | tr a-z A-Z)=$(quoted "$found")"
	done
	;;
status)
	missing=0
	for service in postgres redis; do
		if found=$(url $service); then
			how=given
			[ "$found" != "$(saved $service.url || echo)" ] || how=$(saved $service.how)
			up=
			case $service-$how in
			postgres-local) postgres_up || up=" (not running)" ;;
			redis-local) redis_up || up=" (not running)" ;;
			esac
			[ -z "$up" ] || missing=1
			echo "$service: $how, $(printf '%s' "$found" | sed 's#://\([^:@/]*\):[^@]*@#://\1:…@#')$up"
		else
			echo "$service: not up"
			missing=1
		fi
	done
	exit $missing
	;;
stop)
	[ -d "$state" ] && [ -f "$state/.petrel-services" ] || exit 0
	lock
	if [ "$(saved postgres.how || echo)" = compose ] || [ "$(saved redis.how || echo)" = compose ]; then
		compose down --volumes >&2 || say "docker compose down failed; the containers of project petrel-services may be left"
		rm -f "$state/compose.password"
	fi
	postgres_stop
	redis_stop
	say "stopped"
	;;
*)
	sed -n '2,17s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
