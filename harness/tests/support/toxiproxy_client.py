"""Drives a Toxiproxy server with toxiproxy-python, which knows nothing of Firedrill: toxiproxy_client.py PORT UPSTREAM_PORT"""

import contextlib
import socket
import sys
import warnings

# Requests would like a package that guesses encodings.
warnings.simplefilter("ignore")
from toxiproxy.server import Toxiproxy  # noqa: E402


def is_open(listen):
    host, port = listen.rsplit(":", 1)
    with contextlib.closing(socket.socket()) as client:
        return client.connect_ex((host, int(port))) == 0


def ping(listen):
    host, port = listen.rsplit(":", 1)
    with contextlib.closing(socket.create_connection((host, int(port)), timeout=30)) as client:
        client.sendall(b"PING\r\n")
        return client.recv(64)


port, upstream = int(sys.argv[1]), "127.0.0.1:" + sys.argv[2]
server = Toxiproxy()
server.update_api_consumer("127.0.0.1", port)
assert server.running()
assert b'"2.12.0' in server.version(), server.version()

made = server.populate([{"name": "made", "upstream": upstream, "listen": "localhost:0"}])
assert [proxy.name for proxy in made] == ["made"] and made[0].enabled and made[0].upstream == upstream
assert sorted(server.proxies()) == ["made", "theirs"]
made = server.get_proxy("made")
assert ping(made.listen) == b"+PONG\r\n"

with made.down():
    assert not server.get_proxy("made").enabled and not is_open(made.listen)
assert server.get_proxy("made").enabled and ping(made.listen) == b"+PONG\r\n"

wanted = {
    "latency_downstream": ("latency", "downstream", 1.0, {"latency": 100, "jitter": 10}),
    "bandwidth_upstream": ("bandwidth", "upstream", 0.5, {"rate": 32}),
    "slow_close_downstream": ("slow_close", "downstream", 1.0, {"delay": 20}),
    "timeout_upstream": ("timeout", "upstream", 0.0, {"timeout": 0}),
    "slicer_downstream": ("slicer", "downstream", 0.75, {"average_size": 2048, "size_variation": 128, "delay": 5}),
    "limit_data_upstream": ("limit_data", "upstream", 1.0, {"bytes": 1000000}),
    "reset_peer_upstream": ("reset_peer", "upstream", 0.0, {"timeout": 5}),
}
for kind, stream, toxicity, attributes in wanted.values():
    made.add_toxic(type=kind, stream=stream, toxicity=toxicity, attributes=attributes)
shown = {name: (t.type, t.stream, t.toxicity, t.attributes) for name, t in made.toxics().items()}
assert shown == wanted, shown
for name in wanted:
    assert made.destroy_toxic(name)
assert made.toxics() == {} and ping(made.listen) == b"+PONG\r\n"

made.add_toxic(type="timeout", attributes={"timeout": 0})
made.disable()
assert server.reset()
made = server.get_proxy("made")
assert made.enabled and made.toxics() == {} and ping(made.listen) == b"+PONG\r\n"

assert server.destroy(made)
assert sorted(server.proxies()) == ["theirs"] and not is_open(made.listen)
