# SPDX-License-Identifier: MIT
"""A partner that is told what to send, byte by byte: for answers that break in ways the sandbox has
no fault for, and for many at once. What a request gets is decided by a function of its product and
token; how it is sent stands in SHAPES.

It knows nothing of backchannel's code and shares none of the sandbox's.
"""
import asyncio
import collections
import socket
import struct
import threading

# What the daemon can know of an answer that is sent in such a shape: status and words, status only,
# or not even that.
WHOLE, STATUS, NOTHING = "whole", "status", "nothing"


class Reply:
    """One answer as it would be sent if nothing went wrong."""

    def __init__(self, status, body="", headers=()):
        lines = [f"HTTP/1.1 {status} Any Reason", "Content-Type: application/json",
                 f"Content-Length: {len(body.encode())}", *headers]
        self.head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.body = body.encode()
        if not self.body:  # a body that is cut was promised
            self.cut_head = self.head.replace(b"Length: 0", b"Length: 2")
        else:
            self.cut_head = self.head


class Wire:
    """One connection while an answer is sent on it. Each method is a shape: what goes wrong."""

    def __init__(self, writer, timeout):
        self.writer, self.timeout = writer, timeout

    async def _send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def _trickle(self, data, step, wait):
        for at in range(0, len(data), step):
            await self._send(data[at:at + step])
            await asyncio.sleep(wait)

    def _reset(self):
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                        struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def plain(self, reply):
        await self._send(reply.head + reply.body)
        return True  # and the connection is kept

    async def slowly(self, reply):
        data = reply.head + reply.body
        await self._trickle(data, max(1, len(data) // 15), 0.02)
        return True

    async def reset_after(self, reply):
        del reply
        self._reset()

    async def closed_after(self, reply):
        del reply

    async def half_head(self, reply):
        await self._send(reply.head[:len(reply.head) // 2])

    async def half_answer(self, reply):
        await self._send(reply.cut_head + reply.body[:len(reply.body) // 2])

    async def half_answer_reset(self, reply):
        await self._send(reply.cut_head + reply.body[:len(reply.body) // 2])
        await asyncio.sleep(0.05)  # a reset overtakes what was not read yet
        self._reset()

    async def last_byte_missing(self, reply):
        await self._send(reply.cut_head + reply.body[:-1])

    async def garbage(self, reply):
        del reply
        await self._send(bytes(range(256)) * 4)

    async def body_for_ever(self, reply):
        await self._send(reply.cut_head)
        await self._trickle(reply.body[:-1][:6], 1, self.timeout / 4)
        await asyncio.sleep(self.timeout)

    async def head_for_ever(self, reply):
        await self._trickle(reply.head[:6], 1, self.timeout / 4)

    async def late(self, reply):
        await asyncio.sleep(self.timeout + 0.5)
        await self._send(reply.head + reply.body)


SHAPES = {
    "plain": (Wire.plain, WHOLE),
    "slow trickle": (Wire.slowly, WHOLE),
    "last byte missing": (Wire.last_byte_missing, WHOLE),  # its words are all there
    "half answer": (Wire.half_answer, STATUS),
    "half answer, then reset": (Wire.half_answer_reset, STATUS),
    "body trickles past the timeout": (Wire.body_for_ever, STATUS),
    "half head": (Wire.half_head, NOTHING),
    "head trickles past the timeout": (Wire.head_for_ever, NOTHING),
    "reset after the request": (Wire.reset_after, NOTHING),
    "closed without an answer": (Wire.closed_after, NOTHING),
    "garbage": (Wire.garbage, NOTHING),
    "answer after the timeout": (Wire.late, NOTHING),
}


class ScriptedPartner:
    """script(product, token, n): (Reply, shape) for the nth request, from 1, of that token at that
    product. timeout: the daemon's delivery.timeout, in seconds. resets: while it is set, each
    connection is reset before anything is read from it."""

    def __init__(self, script, timeout):
        self.script, self.timeout = script, timeout
        self.seen = collections.Counter()  # (product, token): requests
        self.errors = []
        self.resets = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run)
        self.up = threading.Event()
        self.port = None

    @property
    def sovendus(self):
        return f"http://127.0.0.1:{self.port}/ext"

    async def _request(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ", 2)[1].decode()
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        return target.split("/")[2:4]

    async def _serve(self, reader, writer):
        wire = Wire(writer, self.timeout)
        try:
            while True:
                if self.resets:
                    await wire.reset_after(None)
                    return
                product, token = await self._request(reader)
                self.seen[product, token] += 1
                reply, shape = self.script(product, token, self.seen[product, token])
                if not await SHAPES[shape][0](wire, reply):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the daemon left
        finally:
            writer.close()

    async def _main(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        self.over = asyncio.Event()
        self.up.set()
        await self.over.wait()
        server.close()

    def _run(self):
        self.loop.set_exception_handler(lambda _, what: self.errors.append(what))
        self.loop.run_until_complete(self._main())
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left))
        self.loop.close()

    def __enter__(self):
        self.thread.start()
        assert self.up.wait(10), "the scripted partner did not start"
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join()
