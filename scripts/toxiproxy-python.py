"""What the users of Toxiproxy's Python client do, step by step; a step that is not as with Toxiproxy's own server ends it."""

import socket
import sys
import threading
import time

from toxiproxy import Toxiproxy
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists


def echo_server():
    """A server that answers what it is sent; gives its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            client, _ = server.accept()
            threading.Thread(target=answer, args=(client,), daemon=True).start()

    def answer(client):
        while data := client.recv(65536):
            client.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


def ask(listen):
    """Sends five bytes through the proxy; gives the answer and how long it took."""
    host, port = listen.rsplit(":", 1)
    begun = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(b"hello")
        return client.recv(5), time.monotonic() - begun


def refused(kind, action):
    """Whether an action fails with this of the client's exceptions."""
    try:
        action()
    except kind:
        return True
    return False


def check(what, holds):
    print(("ok    " if holds else "WRONG ") + what)
    if not holds:
        sys.exit(1)


APIConsumer.port = int(sys.argv[1])
server = Toxiproxy()
begun = time.monotonic()
while not server.running() and time.monotonic() < begun + 10:
    time.sleep(0.02)
check("the server runs and tells its version", server.running() and server.version())

upstream = "127.0.0.1:%d" % echo_server()
proxy = server.create(name="echo", upstream=upstream)
proxy = server.get_proxy("echo")
check("a proxy is made and listed", proxy.enabled and proxy.upstream == upstream)
check("it forwards", ask(proxy.listen)[0] == b"hello")
check("a name is taken once", refused(ProxyExists, lambda: server.create(name="echo", upstream=upstream)))

_, plain = ask(proxy.listen)
proxy.add_toxic(type="latency", attributes={"latency": 300, "jitter": 0})
check("a toxic has its default name and stream", proxy.get_toxic("latency_downstream").stream == "downstream")
check("latency is felt", ask(proxy.listen)[1] >= plain + 0.29)
check("a toxic of no type is refused", refused(InvalidToxic, lambda: proxy.add_toxic(type="nothing")))
check("what is not there is not found", refused(NotFound, lambda: proxy.destroy_toxic("nothing")))
proxy.destroy_toxic("latency_downstream")
check("a toxic is taken off", not proxy.toxics() and ask(proxy.listen)[0] == b"hello")

with proxy.down():
    check("a proxy that is down refuses", refused(OSError, lambda: ask(proxy.listen)))
check("and takes connections again", ask(proxy.listen)[0] == b"hello")

for kind, attributes in {
    "bandwidth": {"rate": 100},
    "slow_close": {"delay": 100},
    "timeout": {"timeout": 100},
    "reset_peer": {"timeout": 100},
    "slicer": {"average_size": 10, "size_variation": 5, "delay": 10},
    "limit_data": {"bytes": 1000},
}.items():
    proxy.add_toxic(type=kind, stream="upstream", toxicity=0.5, attributes=attributes)
check("every kind of toxic is known", len(proxy.toxics()) == 6)
proxy.disable()
server.reset()
proxy = server.get_proxy("echo")
check("reset takes toxics off and enables", proxy.enabled and not proxy.toxics())
check("populate makes several", len(server.populate([
    {"name": "one", "upstream": upstream, "listen": "127.0.0.1:0"},
    {"name": "two", "upstream": upstream, "listen": "127.0.0.1:0"},
])) == 2)
server.destroy_all()
check("all are destroyed", server.proxies() == {})
