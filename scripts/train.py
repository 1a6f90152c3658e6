#!/usr/bin/env python3
"""Shows a server that counts its own steps (gcc -fprofile-generate) what servers do all day: train.py SERVER

The release is compiled with those counts (-fprofile-use): what runs often is laid out for it, what never runs stays out of its
way. So what is played here is a mix of everything that users do, on small values and large ones, and no benchmark's rows.
The counts are written when the server ends.
"""
import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SEED = 20261122
PIPELINE = 32
TIMES = 6000  # of a line, unless it says "40x"

# {k} a key's number, {m} a member's, {n} a number, {t} a text of 1 to 90 bytes. ";" joins commands to one.
LINES = """
SET user:{k} {t}
GET user:{k}
SET token:{k} {t} EX 100
SET lock:{k} {t} NX PX {n}
SETEX page:{k} 60 {t}
MSET a:{k} {t} b:{k} {t} c:{k} {t} d:{k} {t} e:{k} {t}
MGET a:{k} b:{k} c:{k} d:{k} e:{k}
GETEX page:{k} EX 60
INCR count:{k}
INCRBY count:{k} {n}
DECR hits
INCRBYFLOAT sum:{k} 0.25
APPEND log:{k} {t}
STRLEN user:{k}
GETRANGE user:{k} 0 9
SETRANGE log:{k} 3 {t}
SETBIT days:{k} {n} 1
GETBIT days:{k} {n}
200x BITCOUNT days:{k}
EXISTS user:{k}
EXPIRE user:{k} 100
TTL token:{k}
PERSIST user:{k}
TYPE page:{k}
DEL token:{k}
UNLINK b:{k}
PING
ECHO {t}
LPUSH queue {t}
RPUSH queue {t}
RPUSH inbox:{k} {t}
LPUSH inbox:{k} {t}
LLEN queue
LINDEX queue 5
LRANGE queue 0 9
LRANGE inbox:{k} 0 -1
400x LRANGE queue 0 99
LSET inbox:{k} 0 {t}
LPOP queue
RPOP queue
LMOVE queue done LEFT RIGHT
LTRIM inbox:{k} 0 20
LREM inbox:{k} 1 {t}
HSET profile:{k} name {t} mail {t} age {n}
HGET profile:{k} mail
HMGET profile:{k} name mail nothing
HGETALL profile:{k}
HINCRBY profile:{k} age 1
HEXISTS profile:{k} name
HDEL profile:{k} mail
HSET index field:{m} {t}
HGET index field:{m}
HINCRBY sums field:{m} {n}
HDEL index field:{m}
HLEN index
20x HGETALL index
HEXPIRE profile:{k} 100 FIELDS 1 name
20x HSCAN index 0 COUNT 100
SADD tags:{k} tag:{m} {n}
SADD online member:{m}
SADD away member:{m}
SADD ids:{k} {n}
SISMEMBER online member:{m}
SMEMBERS tags:{k}
SREM online member:{m}
SCARD online
SPOP away
SRANDMEMBER online 3
10x SINTER online away
10x SUNIONSTORE everybody online away
10x SDIFF online away
20x SSCAN online 0 COUNT 100
ZADD scores {n} player:{m}
ZADD best:{k} {n} player:{m}
ZINCRBY scores {n} player:{m}
ZSCORE scores player:{m}
ZRANK scores player:{m}
ZREVRANK scores player:{m}
ZREVRANGE scores 0 9 WITHSCORES
ZRANGE best:{k} 0 -1 WITHSCORES
ZRANGEBYSCORE scores {n} +inf LIMIT 0 10
ZCOUNT scores {n} +inf
ZREM scores player:{m}
ZREMRANGEBYRANK best:{k} 0 -20
ZPOPMIN best:{k}
10x ZUNIONSTORE all 2 scores rates WEIGHTS 1 2
ZADD rates {n} player:{m}
10x ZINTERSTORE both 2 scores rates
20x ZSCAN scores 0 COUNT 100
XADD events MAXLEN ~ 5000 * user {m} text {t}
XADD stream:{k} * a {t} b {n}
500x XRANGE events - + COUNT 20
500x XREAD COUNT 50 STREAMS events 0
40x XGROUP CREATE events group{n} 0
1x XGROUP CREATE events workers 0
XREADGROUP GROUP workers one COUNT 1 STREAMS events >
40x XPENDING events workers - + 100
PFADD visitors:{k} member:{m}
PFADD visitors member:{m}
500x PFCOUNT visitors
200x PFCOUNT visitors:1 visitors:2 visitors:3
GEOADD places 1{n1}.{n} 4{n1}.{n} place:{m}
400x GEOSEARCH places FROMLONLAT 15 45 BYRADIUS 20 km ASC COUNT 50
GEODIST places place:{m} place:{m}
MULTI ; INCR count:{k} ; SET user:{k} {t} ; GET user:{k} ; LPUSH inbox:{k} {t} ; EXEC
WATCH user:{k} ; MULTI ; SET user:{k} {t} ; EXEC
EVAL return{redis.call('get',KEYS[1]),ARGV[1]} 1 user:{k} {t}
1x SCRIPT LOAD return{redis.call('GET',KEYS[1])}
EVALSHA f7950e9369d4d16094de818752fe91c8b1d9436c 1 user:{k}
1000x EVAL local_n=0_for_i=1,10_do_n=n+tonumber(redis.call('hincrby',KEYS[1],'f'..i,ARGV[1]))end_return_n 1 profile:{k} 1
PUBLISH news {t}
PUBLISH nobody {t}
SET short:{k} {t} PX 1
30x SCAN 0 COUNT 100
20x OBJECT ENCODING user:{k}
20x DUMP profile:{k}
20x INFO
20x CLIENT LIST
50x SORT inbox:{k} ALPHA LIMIT 0 10
50x COPY profile:{k} copy:{k} REPLACE
GET missing:{k}
GET queue
NOSUCHCOMMAND {k}
"""


class Connection:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(path)
        self.turn = 0

    def play(self, requests, count):
        """Sends them `count` at a time and reads what comes until the answer to a question of our own is there."""
        for first in range(0, len(requests), count):
            self.turn += 1
            mark = b"mark%09d" % self.turn
            self.sock.sendall(b"".join(requests[first:first + count]) + encode(b"ECHO", mark))
            got = b""
            while not got.endswith(mark + b"\r\n"):
                piece = self.sock.recv(1 << 18)
                if not piece:
                    raise SystemExit("train.py: the server closed the connection")
                got = got[-64:] + piece

    def listen(self):
        with contextlib.suppress(OSError):
            while self.sock.recv(1 << 18):
                pass


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Line:
    def __init__(self, text):
        times = re.match(r"(\d+)x ", text)
        self.times = int(times.group(1)) if times else TIMES
        self.commands = [part.split() for part in text[times.end() if times else 0:].split(" ; ")]

    def request(self):
        values = {"{k}": str(random.randrange(3000)), "{m}": str(random.randrange(20000)), "{n}": str(random.randrange(1, 50000)),
                  "{n1}": str(random.randrange(10)), "{t}": "x" * random.randrange(1, 90)}

        def word(text):
            if text.startswith(("return{", "local_")):
                return text.replace("_", " ").encode()
            return re.sub(r"\{[kmnt]1?\}", lambda found: values[found.group()], text).encode()
        return b"".join(encode(*map(word, words)) for words in self.commands)


def hand_over(path, rounds):
    """One waits, another one pushes."""
    waiter, pusher = Connection(path), Connection(path)
    thread = threading.Thread(target=lambda: waiter.play([encode(b"BLPOP", b"handed", b"5")] * rounds, 1))
    thread.start()
    for _ in range(rounds):
        pusher.play([encode(b"LPUSH", b"handed", b"x")], 1)
    thread.join()


def train(path):
    lines = [Line(text) for text in LINES.strip().splitlines()]
    subscriber = Connection(path)
    subscriber.sock.sendall(encode(b"SUBSCRIBE", b"news"))
    threading.Thread(target=subscriber.listen, daemon=True).start()
    first, second = Connection(path), Connection(path)
    second.play([encode(b"HELLO", b"3")], 1)
    for line in lines:
        requests = [line.request() for _ in range(line.times)]
        first.play(requests, PIPELINE)
        second.play(requests[:line.times // 4], PIPELINE)
    mixed = [random.choice(lines) for _ in range(40000)]
    requests = [line.request() for line in mixed if line.times == TIMES]
    first.play(requests, PIPELINE)
    second.play(requests[:5000], 1)
    hand_over(path, 1000)


def connect(path, server):
    while server.poll() is None:
        try:
            return Connection(path)
        except OSError:
            time.sleep(0.02)
    raise SystemExit("train.py: the server did not start")


def main():
    random.seed(SEED)
    folder = tempfile.mkdtemp(prefix="tarn-train-")
    program = Path(sys.argv[1]).resolve()
    os.chdir(folder)  # a socket's path has room for a hundred bytes
    path, log = "socket", Path("log")
    server = subprocess.Popen([program, "--port", "0", "--unixsocket", path, "--threads", "2", "--save", "", "--logfile", log])
    try:
        last = connect(path, server)
        train(path)
        last.sock.sendall(encode(b"SHUTDOWN", b"NOSAVE"))
        if server.wait(60) != 0:
            raise SystemExit(f"train.py: the server ended with {server.returncode}")
    except BaseException:
        if log.exists():
            sys.stderr.write(log.read_text())
        raise
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
