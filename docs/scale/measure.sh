#!/bin/sh
# Measures on a PostgreSQL of its own what docs/scale.md reckons with: makes a cluster in a temporary directory, fills it
# with a million users, tokens and ended tokens, runs what nodes do, prints the figures and removes the cluster.
#   SECONDS_EACH  seconds of each run (15)      ROWS  rows of each table (1000000)     PGBIN  PostgreSQL's programs
#   ONLY          a part of the names of the runs that are wanted
# As root the cluster belongs to the user postgres.
set -eu
cd "$(dirname "$0")/../.."
ulimit -n 4096
: "${PGBIN:=/usr/lib/postgresql/15/bin}" "${SECONDS_EACH:=15}" "${ROWS:=1000000}" "${ONLY:=}"
dir=$(mktemp -d)
as=
if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$dir"
    chmod 755 "$dir"
    as='runuser -u postgres --'
fi
export PGHOST="$dir" PGUSER=postgres PGDATABASE=postgres
trap '$as "$PGBIN/pg_ctl" -D "$dir/db" -m immediate -s stop || true; rm -rf "$dir"' EXIT

$as "$PGBIN/initdb" -D "$dir/db" -U postgres -A trust --locale=C.UTF-8 >/dev/null
cat >>"$dir/db/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
max_connections = 1300
shared_buffers = 1GB
max_wal_size = 8GB
CONF
$as "$PGBIN/pg_ctl" -D "$dir/db" -l "$dir/log" -w -s start
postmaster=$(head -1 "$dir/db/postmaster.pid")

sql() { "$PGBIN/psql" -qAtX -v ON_ERROR_STOP=1 "$@"; }

# cpu is the processor time in seconds that PostgreSQL has used so far.
cpu() {
    cat /proc/[0-9]*/stat 2>/dev/null | sed 's/([^)]*)/x/' | awk -v p="$postmaster" -v hz="$(getconf CLK_TCK)" '
        $1 == p { s += $14 + $15 + $16 + $17 } $4 == p { s += $14 + $15 } END { printf "%.2f\n", s / hz }'
}

# run NAME CLIENTS FILE [OPTIONS]: transactions a second, PostgreSQL's processor time and log for each.
run() {
    name=$1 clients=$2 file=$3
    shift 3
    case $name in *"$ONLY"*) ;; *) return 0 ;; esac
    sql -c checkpoint
    before=$(cpu) wal=$(sql -c 'SELECT pg_current_wal_insert_lsn()')
    "$PGBIN/pgbench" -n -M prepared -c "$clients" -j 1 -T "$SECONDS_EACH" -D at="$(date +%s)" -D rows="$ROWS" \
        -f "$dir/$file.pgbench" "$@" >"$dir/out" 2>&1 || cat "$dir/out"
    bytes=$(sql -c "SELECT pg_current_wal_insert_lsn() - '$wal'")
    awk -v name="$name" -v c="$clients" -v a="$before" -v b="$(cpu)" -v bytes="$bytes" '
        /actually processed/ { n = $NF; sub(/\/.*/, "", n) }
        /latency average/ { l = $4 }
        /^tps/ { t = $3 }
        END { printf "%-34s %4d clients  %8.1f/s  %8.2f ms  %7.1f us of a core  %6.0f bytes of log\n",
            name, c, t, l, (b - a) / n * 1e6, bytes / n }' "$dir/out"
}

go build -o "$dir/fanout" ./docs/scale/fanout
echo "== machine"
echo "$(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(sql -c 'SHOW server_version')"

base=$(($(date +%s) - 40000)) # when the first token was issued
for file in models/migrations/*.sql; do
    sql -f "$file"
done
sql <<SQL
ALTER TABLE users ADD COLUMN checksum BIGINT NOT NULL DEFAULT 0;
INSERT INTO sequences VALUES ('endings checksum', 0);
INSERT INTO keys (id, created_at, sealed) VALUES (1, 0, '');
INSERT INTO users SELECT i, 'somebody.' || i || '@example.com', 'somebody.' || i || '@example.com', 100, 'name' || i, 1,
    1, '\$argon2id\$v=19\$m=19456,t=2,p=1\$' || left(md5(i::text), 22) || '\$' || left(md5(i::text) || md5('x' || i), 43),
    1, 0, $base, $base, $base, 'name' || i, i::bigint * 7919 FROM generate_series(1, $ROWS) i;
-- In the order of time, the users in no order, fifty a second.
INSERT INTO tokens (uid, issued_at, serial, expires_at, ends_at, kind, client_type, scope, label, login_at, key_id, used_at,
    user_agent, address) SELECT i::bigint * 7919 % $ROWS + 1, $base + i / 50, 0, $((base + 7200)) + i / 50, $((base + 7200)) + i / 50,
    1, 100, 1, '', $base + i / 50, 1, 0, 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) '
    || 'Chrome/142.0.0.0 Safari/537.36', '203.0.113.' || i % 250 FROM generate_series(1, $ROWS) i;
INSERT INTO endings (seq, uid, token_order, earlier_too, expires_at, ends_at, ended_at, reason)
    SELECT i, i::bigint * 7919 % $ROWS + 1, ($base + i / 50)::bigint * 4096, 0, $((base + 7200)) + i / 50, 0, $((base + 100)) + i / 50,
    'logout' FROM generate_series(1, $ROWS) i;
UPDATE sequences SET value = $ROWS WHERE name = 'ending';
CREATE SEQUENCE free START 10000000; -- instead of each lane's own numbers
CREATE TABLE lanes (lane INT PRIMARY KEY, ending BIGINT, checksum BIGINT) WITH (fillfactor = 10);
INSERT INTO lanes SELECT lane, 0, 0 FROM generate_series(1, 16) lane;
INSERT INTO sequences SELECT name || ' ' || lane, 0 FROM sequences, generate_series(1, 16) lane
    WHERE name IN ('ending', 'endings checksum');
VACUUM ANALYZE;
SQL
echo "== bytes a row, indexes included (table, indexes)"
for table in users tokens endings; do
    sql -F ' ' -c "SELECT '$table', pg_total_relation_size('$table') / $ROWS,
        '(' || pg_table_size('$table') / $ROWS || ',', pg_indexes_size('$table') / $ROWS || ')'"
done

user_columns='id, account, client_type, nickname, role, state, created_at, updated_at, last_login_at, account_key,
 secret_hash, epoch, ended_through, checksum'
user_columns=$(echo $user_columns)
cat >"$dir/login.pgbench" <<SQL
\\set uid random(1, :rows)
SELECT $user_columns FROM users WHERE account_key = 'somebody.' || :uid || '@example.com';
SELECT subject, failed_at, clears_at FROM attempts WHERE subject = convert_to('somebody.' || :uid || '@example.com', 'UTF8');
BEGIN;
UPDATE users SET last_login_at = :at WHERE id = :uid RETURNING $user_columns;
SELECT COALESCE(MAX(serial), -1) + 1 AS serial FROM tokens WHERE uid = :uid AND issued_at = :at \\gset
INSERT INTO tokens (uid, issued_at, serial, expires_at, ends_at, kind, client_type, scope, label, login_at, key_id, used_at, user_agent, address) SELECT :uid, :at, :serial, :at + 7200, :at + 7200, 1, 100, 1, '', :at, id, 0, 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36', '203.0.113.77' FROM keys WHERE id = 1;
COMMIT;
SQL
# ending WAIT LANE NOTIFY writes the transaction that ends a token, with a wait after each statement: the way there and
# back.
ending() {
    cat <<SQL
\\set i random(1, :rows)
\\set lane random(1, 16)
BEGIN;$1
UPDATE tokens SET ends_at = 0 WHERE uid = :i::bigint * 7919 % :rows + 1 AND issued_at = $base + :i / 50 AND serial = 0 AND ends_at > 0 RETURNING expires_at;$1
UPDATE sequences SET value = value + 1 WHERE name = 'ending'$2 RETURNING value AS seq \\gset$1
INSERT INTO endings (seq, uid, token_order, earlier_too, expires_at, ends_at, ended_at, reason) VALUES (nextval('free'), :i, :at::bigint * 4096, 0, :at + 7200, 0, :at, 'logout');$1
UPDATE sequences SET value = (value | :seq::bigint) - (value & :seq::bigint) WHERE name = 'endings checksum'$2;$1
$3$1
COMMIT;$1
SQL
}
tell="SELECT pg_notify('latchkey', '');"
away='
\sleep 500 us'
lane=" || ' ' || :lane::text"
ending '' '' "$tell" >"$dir/end.pgbench"
ending "$away" '' "$tell" >"$dir/far.pgbench"
ending "$away" "$lane" "$tell" >"$dir/lanes.pgbench"
ending "$away" "$lane" '' >"$dir/quiet.pgbench"
# The same with number and checksum in one row of each of 16 lanes, one statement under the lock, no NOTIFY; and
# ten tokens each in one lane.
cat >"$dir/one.pgbench" <<SQL
\\set i random(1, :rows)
\\set lane random(1, 16)
BEGIN;$away
UPDATE tokens SET ends_at = 0 WHERE uid = :i::bigint * 7919 % :rows + 1 AND issued_at = $base + :i / 50 AND serial = 0 AND ends_at > 0 RETURNING expires_at;$away
WITH n AS (UPDATE lanes SET ending = ending + 1, checksum = checksum # :i WHERE lane = :lane RETURNING ending) INSERT INTO endings (seq, uid, token_order, earlier_too, expires_at, ends_at, ended_at, reason) SELECT nextval('free'), :i, :at::bigint * 4096, 0, :at + 7200, 0, :at, 'logout' FROM n;$away
COMMIT;$away
SQL
{
    printf '\\set i%s random(1, :rows)\n' 1 2 3 4 5 6 7 8 9 10
    echo 'BEGIN;'
    for i in 1 2 3 4 5 6 7 8 9 10; do
        echo "UPDATE tokens SET ends_at = 0 WHERE uid = :i$i::bigint * 7919 % :rows + 1 AND issued_at = $base + :i$i / 50 AND serial = 0 AND ends_at > 0 RETURNING expires_at;"
    done
    cat <<SQL
WITH n AS (UPDATE lanes SET ending = ending + 10, checksum = checksum # :i1 WHERE lane = 1 RETURNING ending) INSERT INTO endings (seq, uid, token_order, earlier_too, expires_at, ends_at, ended_at, reason) SELECT nextval('free'), :i1, :at::bigint * 4096, 0, :at + 7200, 0, :at, 'logout' FROM n, generate_series(1, 10);
SELECT pg_notify('latchkey', '');
COMMIT;
SQL
} >"$dir/ten.pgbench"
cat >"$dir/poll.pgbench" <<SQL
SELECT (SELECT value FROM sequences WHERE name = 'ending'), (SELECT value FROM sequences WHERE name = 'endings checksum'), (SELECT value FROM sequences WHERE name = 'ring');
SQL
cat >"$dir/heads.pgbench" <<SQL
SELECT name, value FROM sequences WHERE name LIKE 'ending %' OR name = 'ring';
SQL
cat >"$dir/user.pgbench" <<SQL
\\set uid random(1, :rows)
SELECT $user_columns FROM users WHERE id = :uid;
SQL
cat >"$dir/read.pgbench" <<SQL
\\set after :rows - 2
SELECT seq, uid, token_order, earlier_too, expires_at, ends_at FROM endings WHERE seq > :after AND seq <= :rows;
SQL
cat >"$dir/used.pgbench" <<SQL
UPDATE tokens SET used_at = :at FROM (SELECT (random() * (:rows - 1))::bigint + 1 AS i FROM generate_series(1, 1000)) r WHERE uid = i * 7919 % :rows + 1 AND issued_at = $base + i / 50 AND serial = 0 AND used_at < :at + 1;
SQL
cat >"$dir/purge.pgbench" <<SQL
DELETE FROM tokens WHERE (uid, issued_at, serial) IN (SELECT uid, issued_at, serial FROM tokens WHERE expires_at < $((base + 20000)) LIMIT 1000);
SQL

echo "== transactions"
for clients in 1 8 32; do run 'login without the hash' $clients login; done
for clients in 1 8 32; do run 'end of a token' $clients end; done
for clients in 1 8 32; do run 'end of a token, so far: 0.5 ms' $clients far; done
run 'so far, in 16 lanes' 32 lanes
run 'so far, in lanes without NOTIFY' 32 quiet
run 'so far, in lanes of one row' 32 one
run 'ten ends in one transaction' 8 ten
run '1,000 last uses in one statement' 2 used
run 'poll' 8 poll
run 'poll of 16 lanes' 8 heads
run 'read of two ended tokens' 8 read
run 'read of a user' 8 user
if [ -z "$ONLY" ]; then
    "$dir/fanout" -socket "$dir" -postmaster "$postmaster" -connections 1000 -every 500ms -for "${SECONDS_EACH}s" \
        -poll "$(cat "$dir/poll.pgbench")"
    echo "== one idle connection: KiB of its own"
    "$PGBIN/pgbench" -n -M prepared -c 50 -j 1 -T 8 -R 500 -D at=1 -D rows="$ROWS" -f "$dir/login.pgbench" >/dev/null 2>&1 &
    sleep 6
    for pid in $(sql -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'"); do
        awk '/^Pss_Anon/ { a = $2 } /^Pss:/ { p = $2 } END { print a, p }' "/proc/$pid/smaps_rollup"
    done | awk '{ a += $1; p += $2 } END { printf "%.0f private, %.0f with its share of the common memory\n", a / NR, p / NR }'
    wait $!
    echo "== NOTIFY to nodes that listen"
    for pair in 1:20ms 10:20ms 100:20ms 1000:200ms 1000:20ms; do
        "$dir/fanout" -socket "$dir" -postmaster "$postmaster" -connections "${pair%:*}" -every "${pair#*:}" \
            -for "${SECONDS_EACH}s"
    done
fi
echo "== purge"
run 'batch of 1,000 tokens' 1 purge -T 3
echo "== partitions"
cat >"$dir/id.pgbench" <<SQL
\\set i random(1, :rows)
SELECT expires_at, ends_at FROM tokens WHERE uid = :i::bigint * 7919 % :rows + 1 AND issued_at = $base + :i / 50 AND serial = 0;
SQL
cat >"$dir/whole.pgbench" <<SQL
\\set i random(1, :rows)
SELECT expires_at, ends_at FROM tokens WHERE uid = :i::bigint * 7919 % :rows + 1 AND issued_at = $base + :i / 50 AND serial = 0 AND kind = 1 AND expires_at = $((base + 7200)) + :i / 50;
SQL
run 'token by id, no partitions' 4 id
at=$(date +%s%N)
sql -f docs/scale/partitions.sql >/dev/null
sql -c "SELECT tokens_prepare('login', 1, $(date +%s), $(date +%s) + 86400)" >/dev/null
echo "$(sql -c 'SELECT count(*) FROM tokens') tokens copied in $((($(date +%s%N) - at) / 1000000)) ms into" \
    "$(sql -c "SELECT count(*) FROM pg_partition_tree('tokens') WHERE isleaf") tables"
run 'token by id, partitions' 4 id
run 'by id, kind and expiry, partitions' 4 whole
run 'login without the hash, partitions' 8 login
run 'end of a token, partitions' 8 end
oldest=$(sql -c "SELECT min(relid::text) FROM pg_partition_tree('tokens_login') WHERE isleaf")
rows=$(sql -c "SELECT count(*) FROM $oldest")
at=$(date +%s%N)
sql -c "ALTER TABLE tokens_login DETACH PARTITION $oldest CONCURRENTLY" -c "DROP TABLE $oldest"
echo "$oldest with $rows tokens detached and dropped in $((($(date +%s%N) - at) / 1000000)) ms"
# By the time of issue, which the primary key holds already, 190 days of them.
sql <<SQL
CREATE TABLE issued (LIKE tokens INCLUDING DEFAULTS, PRIMARY KEY (uid, issued_at, serial)) PARTITION BY RANGE (issued_at);
DO 'BEGIN FOR d IN $((base / 86400 - 170))..$((base / 86400 + 20)) LOOP EXECUTE format(''CREATE TABLE issued_%s PARTITION OF issued FOR VALUES FROM (%s) TO (%s)'',
    d, d * 86400, (d + 1) * 86400); END LOOP; END';
INSERT INTO issued (uid, issued_at, serial, expires_at, client_type, scope, user_agent, address) SELECT
    i::bigint * 7919 % $ROWS + 1, $base + i / 50, 0, $((base + 7200)) + i / 50, 100, 1, '', '' FROM generate_series(1, $ROWS) i;
ANALYZE issued;
SQL
sed 's/FROM tokens/FROM issued/' "$dir/id.pgbench" >"$dir/issued.pgbench"
run 'token by id, 190 partitions by issue' 4 issued
PGOPTIONS='-c plan_cache_mode=force_generic_plan' run 'token by id, 190 partitions, one plan' 4 issued
PGOPTIONS='-c plan_cache_mode=force_generic_plan' run 'by id, kind, partitions, one plan' 4 whole
