"""A process that plays thousands of pods: one port, every address of 127.0.0.0/8, answers made beforehand.

    python -m benchmarks.servers [--certificate FILE]

The path chooses the answer: `/20`, `/90`, `/400` are vLLM pages of so many thousand bytes, `/20/close` closes behind
it, `/20/chunked` comes in chunks, `/20/late` comes 50 ms late and `/20/never` not at all. Prints its port.
"""

import argparse
import heapq
import itertools
import select
import socket
import ssl
import sys
import time
from collections.abc import Sequence

from benchmarks import pages

_VERSIONS = 16
_LATE = 0.05


def answers() -> dict[bytes, list[bytes]]:
    """Path → the versions of its answer, which are given in turn."""
    made: dict[bytes, list[bytes]] = {}
    head = (
        "HTTP/1.1 200 OK\r\nDate: Mon, 05 Jan 2026 10:00:00 GMT\r\nServer: uvicorn\r\n"
        "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
    )
    for size in (20, 90, 400):
        bodies = [pages.vllm(size * 1000, seed) for seed in range(_VERSIONS)]
        sized = [f"{head}Content-Length: {len(body)}\r\n".encode() for body in bodies]
        path = f"/{size}".encode()
        made[path] = [start + b"\r\n" + body for start, body in zip(sized, bodies, strict=True)]
        made[path + b"/late"] = made[path + b"/never"] = made[path]
        made[path + b"/close"] = [
            start + b"Connection: close\r\n\r\n" + body for start, body in zip(sized, bodies, strict=True)
        ]
        made[path + b"/chunked"] = [
            f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
            for body in bodies
        ]
    return made


class Pods:
    """One listening socket and everybody who has connected to it."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._answers = answers()
        self._listener = socket.create_server(("", 0), backlog=4096)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._peers: dict[int, socket.socket] = {}
        self._unsent: dict[int, memoryview] = {}
        self._closing: set[int] = set()
        self._late: list[tuple[float, int, int, bytes]] = []
        self._numbers = itertools.count()

    @property
    def port(self) -> int:
        number: int = self._listener.getsockname()[1]
        return number

    def serve(self) -> None:
        """Serve until standard input ends."""
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        while True:
            wait = max(0.0, self._late[0][0] - time.monotonic()) if self._late else -1
            for fd, _ in self._epoll.poll(wait):
                if fd == self._listener.fileno():
                    self._accept()
                elif fd == sys.stdin.fileno():
                    return
                elif fd in self._peers:
                    self._turn(fd)
            while self._late and self._late[0][0] <= time.monotonic():
                _, _, fd, path = heapq.heappop(self._late)
                if fd in self._peers:
                    self._answer(fd, path)

    def _accept(self) -> None:
        for _ in range(64):
            try:
                peer, _ = self._listener.accept()
            except BlockingIOError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.setblocking(False)
            if self._context is not None:
                peer = self._context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
            self._peers[peer.fileno()] = peer
            self._epoll.register(peer.fileno(), select.EPOLLIN)

    def _turn(self, fd: int) -> None:
        try:
            if fd in self._unsent:
                self._send(fd, self._unsent.pop(fd))
                return
            request = self._peers[fd].recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            request = b""
        if not request:
            self._close(fd)
            return
        path = request.split(b" ", 2)[1]
        if path.endswith(b"/late"):
            heapq.heappush(self._late, (time.monotonic() + _LATE, next(self._numbers), fd, path))
        elif not path.endswith(b"/never"):
            self._answer(fd, path)

    def _answer(self, fd: int, path: bytes) -> None:
        versions = self._answers[path]
        if path.endswith(b"/close"):
            self._closing.add(fd)
        self._send(fd, memoryview(versions[next(self._numbers) % _VERSIONS]))

    def _send(self, fd: int, data: memoryview) -> None:
        peer = self._peers[fd]
        try:
            while data:
                data = data[peer.send(data) :]
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._unsent[fd] = data
            self._epoll.modify(fd, select.EPOLLIN | select.EPOLLOUT)
            return
        except OSError:
            self._close(fd)
            return
        self._epoll.modify(fd, select.EPOLLIN)
        if fd in self._closing:
            self._close(fd)

    def _close(self, fd: int) -> None:
        self._closing.discard(fd)
        self._unsent.pop(fd, None)
        self._peers.pop(fd).close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve, and print the port when ready."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--certificate", help="PEM file with certificate and key; without it plain HTTP")
    options = parser.parse_args(arguments)
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
    pods = Pods(context)
    print(pods.port, flush=True)
    pods.serve()


if __name__ == "__main__":
    main()
