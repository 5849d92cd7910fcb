"""A shop without packages: python3 shop.py PORT. Its sessions are lists in Redis, to which RPUSH adds in one step.

KEEP=memory keeps them in this process instead, as an application does whose session store was never configured.
UPDATE=whole reads a session and writes it back whole, as most session middleware does.
RENEW=keeps leaves a session under the id that it had before the login; RENEW=copies gives it another one as well.
EVERYWHERE=here ends only the session that asks.
PREFIX goes before the names of its keys.
POOL=4 gives it four connections to Redis for all of its threads.
PID names a file for the process id of a second process, as servers with workers have one.
"""

import http.server
import json
import os
import queue
import re
import secrets
import select
import socket
import sys
import threading
import time
import types

MEMORY, LOCAL = {}, threading.local()

# Connections that all threads share; without them, each thread has one of its own.
POOL = queue.SimpleQueue()
POOLED = int(os.environ.get("POOL", 0))
for _ in range(POOLED):
    POOL.put(types.SimpleNamespace())


def redis(*words):
    """One command, one reply: an integer, a text, a list of texts, or None."""
    if not POOLED:
        return ask(LOCAL, words)
    line = POOL.get()
    try:
        return ask(line, words)
    finally:
        POOL.put(line)


def ask(line, words):
    # A thread may have slept through an outage: what can be read while no reply is due is the end of its connection.
    if hasattr(line, "file") and select.select([line.file], [], [], 0)[0]:
        del line.file
    if not hasattr(line, "file"):
        host, port = os.environ["REDIS"].split(":")
        line.file = socket.create_connection((host, int(port)), timeout=2).makefile("rwb", buffering=0)
    parts = [str(word).encode() for word in words]
    try:
        line.file.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return reply(line.file)
    except Exception:
        del line.file
        raise


def reply(file):
    line = file.readline()
    if not line:
        raise OSError("Redis is gone")
    kind, rest = line[:1], line[1:-2]
    if kind == b"*":
        return [reply(file) for _ in range(int(rest))]
    if kind == b"$":
        return None if rest == b"-1" else exactly(file, int(rest) + 2)[:-2].decode()
    if kind == b"-":
        raise OSError(rest.decode())
    return int(rest) if kind == b":" else rest.decode()


def exactly(file, length):
    """So many bytes: one read may return fewer."""
    found = b""
    while len(found) < length:
        more = file.read(length - len(found))
        if not more:
            raise OSError("Redis is gone")
        found += more
    return found


WHOLE = os.environ.get("UPDATE") == "whole"


# What its keys begin with.
KEY = os.environ.get("PREFIX", "")


def make(session, user):
    if os.environ.get("KEEP") == "memory":
        MEMORY[session] = [user]
    elif WHOLE:
        redis("SET", KEY + session, json.dumps([user]))
    else:
        redis("RPUSH", KEY + session, user)


def add(session, item):
    """Whether there was a session to add to."""
    if os.environ.get("KEEP") == "memory":
        MEMORY.get(session, []).append(item)
        return session in MEMORY
    if WHOLE:
        held = items(session)
        if held:
            # An application works on a session for a while. Other requests must meet that, however fast the machine is.
            time.sleep(0.02)
            redis("SET", KEY + session, json.dumps(held + [item]))
        return bool(held)
    return redis("RPUSHX", KEY + session, item) > 0


def items(session):
    if os.environ.get("KEEP") == "memory":
        return MEMORY.get(session, [])
    if WHOLE:
        return json.loads(redis("GET", KEY + session) or "[]")
    return redis("LRANGE", KEY + session, 0, -1)


def drop(session):
    if os.environ.get("KEEP") == "memory":
        MEMORY.pop(session, None)
    else:
        redis("DEL", KEY + session)


# Gives a session another id. Its user's sessions are in a set.
MOVE = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end redis.call('RENAME', KEYS[1], KEYS[2]) \
redis.call('SADD', KEYS[3], KEYS[2]) return 1"
COPY = MOVE.replace("RENAME", "COPY")
END = "for _, session in ipairs(redis.call('SMEMBERS', KEYS[1])) do redis.call('DEL', session) end \
return redis.call('DEL', KEYS[1])"


def of(account):
    return f"{KEY}account:{account}"


def renew(session):
    """The new id; None without a session."""
    held, to = items(session), secrets.token_hex(16)
    if not held or os.environ.get("RENEW") == "keeps":
        return session if held else None
    script = COPY if os.environ.get("RENEW") == "copies" else MOVE
    return to if redis("EVAL", script, 3, KEY + session, KEY + to, of(account(held))) else None


def account(held):
    return held[0].split("/")[-1]


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer in one piece: with headers and body apart, each waits for the other's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def answer(self, status, body, cookie=None, to=None):
        text = json.dumps(body).encode()
        self.send_response(status)
        if cookie:
            self.send_header("Set-Cookie", f"shop={cookie}; Path=/; HttpOnly")
        if to:
            self.send_header("Location", to)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def session(self):
        pairs = [pair.split("=") for pair in self.headers.get("Cookie", "").split("; ") if "=" in pair]
        return dict(pairs).get("shop")

    def do_GET(self):
        try:
            self.get()
        except OSError:
            self.answer(503, {"error": "no Redis"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        try:
            self.post(body)
        except OSError:
            self.answer(503, {"error": "no Redis"})

    def get(self):
        held = items(self.session()) if self.session() else []
        if not held:
            return self.answer(401, {"error": "log in first"})
        self.answer(200, {"user": held[0].split("/")[0], "items": held[1:], "count": len(held) - 1})

    def post(self, body):
        if self.path == "/login":
            session, who = secrets.token_hex(16), json.loads(body)
            if "account" in who:
                redis("SADD", of(who["account"]), KEY + session)
            make(session, f"{who['user']}/{who.get('account', '')}")
            return self.answer(200, {}, cookie=session)
        if self.path == "/logout":
            drop(self.session())
            return self.answer(200, {})
        if self.path == "/renew":
            session = renew(self.session())
            return self.answer(200, {}, cookie=session) if session else self.answer(401, {"error": "log in first"})
        if self.path == "/logout-everywhere":
            held = items(self.session())
            if held and os.environ.get("EVERYWHERE") == "here":
                drop(self.session())
            elif held:
                redis("EVAL", END, 1, of(account(held)))
            return self.answer(200 if held else 401, {})
        uploaded = self.path == "/upload"
        item = re.search(r"\r\n\r\n(\d+)\r\n", body)[1] if uploaded else json.loads(body)["item"]
        if not add(self.session(), item):
            return self.answer(401, {"error": "log in first"})
        if uploaded:
            return self.answer(303, {}, to="/cart")
        self.answer(201, {"note": "added"})

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if "PID" in os.environ and (worker := os.fork()) == 0:
    with open(os.environ["PID"], "w") as file:
        file.write(str(os.getpid()))
    threading.Event().wait()
Server(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
