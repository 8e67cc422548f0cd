"""Forward proxies on threads, for tests: one that takes HTTP CONNECT, one that speaks SOCKS5."""

import base64
import socket
import threading


class Proxy:
    """Accepts on a free port and remembers where each caller wanted to go, and as whom."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.targets, self.users = [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        target = self.negotiate(client)
        if target is None:
            client.close()
            return
        self.targets.append(target)
        upstream = socket.create_connection(target)
        threading.Thread(target=pump, args=(client, upstream), daemon=True).start()
        pump(upstream, client)

    def stop(self):
        self.listener.close()


class HttpProxy(Proxy):
    def negotiate(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        lines = head.decode().split("\r\n")
        credentials = [
            line.split("Basic ")[1] for line in lines if line.lower().startswith("proxy-authorization:")
        ]
        self.users += [base64.b64decode(text).decode() for text in credentials]
        method, address, _ = lines[0].split(" ")
        if method != "CONNECT":
            client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return None
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, _, port = address.rpartition(":")
        return host, int(port)


class SocksProxy(Proxy):
    def negotiate(self, client):
        read = client.makefile("rb").read
        _, count = read(2)
        offered = read(count)
        # User and password (2) where offered, else no authentication (0).
        method = 2 if 2 in offered else 0
        client.sendall(bytes([5, method]))
        if method == 2:
            _, length = read(2)
            user = read(length)
            password = read(read(1)[0])
            self.users.append(f"{user.decode()}:{password.decode()}")
            client.sendall(b"\x01\x00")
        _, _, _, kind = read(4)
        host = socket.inet_ntoa(read(4)) if kind == 1 else read(read(1)[0]).decode()
        port = int.from_bytes(read(2), "big")
        client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        return host, port


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
