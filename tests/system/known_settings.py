"""Every setting name that tools and test suites of Redis 7.0, Redis 8 and Valkey 8 know, with its default.

One per line: `name` alone where a test server has a value of its own, `name=default` elsewhere. Tarn accepts all of them.
"""


def _table(text):
    """[(name, default or None)]"""
    rows = []
    for line in text.strip().splitlines():
        name, equals, default = line.partition("=")
        rows.append((name, default if equals else None))
    return rows


# May change at run time.
AT_RUN_TIME = _table("""
acl-pubsub-default=resetchannels
acllog-max-len=128
active-defrag-cycle-max=25
active-defrag-cycle-min=1
active-defrag-ignore-bytes=104857600
active-defrag-max-scan-fields=1000
active-defrag-threshold-lower=10
active-defrag-threshold-upper=100
active-expire-effort=1
activedefrag=no
activerehashing=yes
aof-disable-auto-gc=no
aof-load-truncated=yes
aof-rewrite-incremental-fsync=yes
aof-timestamp-enabled=no
aof-use-rdb-preamble=yes
appendfsync=everysec
appendonly=no
auto-aof-rewrite-min-size=67108864
auto-aof-rewrite-percentage=100
bind
bind-source-addr=
busy-reply-threshold=5000
client-output-buffer-limit=normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60
client-query-buffer-limit=1073741824
cluster-allow-pubsubshard-when-down=yes
cluster-allow-reads-when-down=no
cluster-allow-replica-migration=yes
cluster-announce-bus-port=0
cluster-announce-hostname=
cluster-announce-ip=
cluster-announce-port=0
cluster-announce-tls-port=0
cluster-link-sendbuf-limit=0
cluster-migration-barrier=1
cluster-node-timeout=15000
cluster-preferred-endpoint-type=ip
cluster-replica-no-failover=no
cluster-replica-validity-factor=10
cluster-require-full-coverage=yes
cluster-slave-no-failover=no
cluster-slave-validity-factor=10
crash-log-enabled=yes
crash-memcheck-enabled=yes
dynamic-hz=yes
hash-max-listpack-entries=512
hash-max-listpack-value=64
hash-max-ziplist-entries=512
hash-max-ziplist-value=64
hll-sparse-max-bytes=3000
hz=10
ignore-warnings=
jemalloc-bg-thread=yes
latency-monitor-threshold=0
latency-tracking=yes
latency-tracking-info-percentiles=50 99 99.9
lazyfree-lazy-eviction=no
lazyfree-lazy-expire=no
lazyfree-lazy-server-del=no
lazyfree-lazy-user-del=no
lazyfree-lazy-user-flush=no
lfu-decay-time=1
lfu-log-factor=10
list-compress-depth=0
list-max-listpack-size=-2
list-max-ziplist-size=-2
loglevel=notice
lua-time-limit=5000
masterauth=
masteruser=
maxclients
maxmemory=0
maxmemory-clients=0
maxmemory-eviction-tenacity=10
maxmemory-policy=noeviction
maxmemory-samples=5
min-replicas-max-lag=10
min-replicas-to-write=0
min-slaves-max-lag=10
min-slaves-to-write=0
no-appendfsync-on-rewrite=no
notify-keyspace-events=
oom-score-adj=no
oom-score-adj-values=0 200 800
port
proc-title-template={title} {listen-addr} {server-mode}
propagation-error-behavior=ignore
protected-mode=yes
proto-max-bulk-len=536870912
rdb-del-sync-files=no
rdb-save-incremental-fsync=yes
rdbcompression=yes
repl-backlog-size=1048576
repl-backlog-ttl=3600
repl-disable-tcp-nodelay=no
repl-diskless-load=disabled
repl-diskless-sync=yes
repl-diskless-sync-delay=5
repl-diskless-sync-max-replicas=0
repl-ping-replica-period=10
repl-ping-slave-period=10
repl-timeout=60
replica-announce-ip=
replica-announce-port=0
replica-announced=yes
replica-ignore-disk-write-errors=no
replica-ignore-maxmemory=yes
replica-lazy-flush=no
replica-priority=100
replica-read-only=yes
replica-serve-stale-data=yes
requirepass=
sanitize-dump-payload=no
save
set-max-intset-entries=512
shutdown-on-sigint=default
shutdown-on-sigterm=default
shutdown-timeout=10
slave-announce-ip=
slave-announce-port=0
slave-ignore-maxmemory=yes
slave-lazy-flush=no
slave-priority=100
slave-read-only=yes
slave-serve-stale-data=yes
slowlog-log-slower-than=10000
slowlog-max-len=128
stop-writes-on-bgsave-error=yes
stream-node-max-bytes=4096
stream-node-max-entries=100
tcp-keepalive=300
timeout=0
tls-auth-clients=yes
tls-ca-cert-dir=
tls-ca-cert-file=
tls-cert-file=
tls-ciphers=
tls-ciphersuites=
tls-client-cert-file=
tls-client-key-file=
tls-client-key-file-pass=
tls-cluster=no
tls-dh-params-file=
tls-key-file=
tls-key-file-pass=
tls-port=0
tls-prefer-server-ciphers=no
tls-protocols=
tls-replication=no
tls-session-cache-size=20480
tls-session-cache-timeout=300
tls-session-caching=yes
tracking-table-max-keys=1000000
zset-max-listpack-entries=128
zset-max-listpack-value=64
zset-max-ziplist-entries=128
zset-max-ziplist-value=64
""")

# Read at start only: CONFIG SET says that they are immutable.
AT_START = _table("""
aclfile=
always-show-logo=no
aof_rewrite_cpulist=
appenddirname=appendonlydir
appendfilename=appendonly.aof
bgsave_cpulist=
bio_cpulist=
cluster-config-file=nodes.conf
cluster-enabled=no
cluster-port=0
daemonize
databases=16
disable-thp=yes
enable-debug-command
enable-module-command=no
enable-protected-configs=no
io-threads=1
io-threads-do-reads=no
logfile
pidfile
rdbchecksum=yes
replicaof=
server_cpulist=
set-proc-title=yes
slaveof=
socket-mark-id=0
supervised=no
syslog-enabled=no
syslog-facility=local0
syslog-ident=redis
tcp-backlog=511
unixsocket
unixsocketperm
""")

# Protected: CONFIG SET refuses them unless enable-protected-configs says otherwise.
PROTECTED = _table("""
dbfilename=dump.rdb
dir
""")

# Not in Redis 7.0; from Redis 8 or Valkey 8.
NEWER = _table("""
aof-rewrite-cpulist=
availability-zone=
bgsave-cpulist=
bio-cpulist=
cluster-announce-client-ipv4=
cluster-announce-client-ipv6=
cluster-announce-human-nodename=
cluster-blacklist-ttl=60
cluster-compatibility-sample-ratio=0
cluster-slot-stats-enabled=no
dual-channel-replication-enabled=no
events-per-io-thread=2
extended-redis-compatibility=no
hide-user-data-from-log=no
locale-collate=
log-format=legacy
log-timestamp-format=legacy
max-new-connections-per-cycle=10
max-new-tls-connections-per-cycle=1
prefetch-batch-max-size=16
primaryauth=
primaryuser=
replica-full-sync-buffer-limit=0
server-cpulist=
set-max-listpack-entries=128
set-max-listpack-value=64
unixsocketgroup=
vset-force-single-threaded-execution=no
""")
