"""The process that has imported everything, and forks one child a document. It never sees a document nor a password.

`python -m shared.pdf.zygote FD LIMITS`; the parent's requests come over FD, each with two descriptors: the child's
channel, over which the document comes later, and a leash. The leash is the parent's hold on the child: once the parent
closes its end, the child is killed; when the child has ended, its status is sent back. Only the zygote kills and reaps,
so no process id is ever used after its process has gone. When the parent ends, so do all.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress

from shared.pdf import child, wire
from shared.pdf.confine import address_space, confine_zygote
from shared.pdf.limits import Limits
from shared.pdf.rehearsal import rehearse

_LOOK_UP_MS = 5000
"""A parent that forked may leave a twin behind that holds the other end of our socket: look whether it still lives."""


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    limits = Limits(**json.loads(sys.argv[2]))
    parent = os.getppid()
    rehearse()
    shared_bytes = address_space()  # while /proc can be read
    filtered = confine_zygote()
    os.dup2(0, 2)  # until here a failure to start is told on stderr; from here documents speak
    gc.freeze()  # children share these pages as long as the collector leaves them alone
    wire.send(control, {"filtered": filtered})
    _Zygote(control, limits, parent=parent, shared_bytes=shared_bytes).serve()


class _Zygote:
    def __init__(self, control: socket.socket, limits: Limits, *, parent: int, shared_bytes: int) -> None:
        self._control = control
        self._limits = limits
        self._parent = parent
        self._shared_bytes = shared_bytes
        self._children: dict[int, socket.socket] = {}
        self._alarm, bell = socket.socketpair()
        bell.setblocking(False)
        self._bell = bell
        self._poll = select.poll()

    def serve(self) -> None:
        """Fork, kill and reap until the parent closes the socket or ends."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._alarm, select.POLLIN)
        with suppress(EOFError, OSError):
            while os.getppid() == self._parent:
                ready = [fd for fd, _ in self._poll.poll(_LOOK_UP_MS)]
                for fd in sorted(ready, key=self._is_request):
                    self._attend(fd)
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)

    def _is_request(self, fd: int) -> bool:
        """Requests come last: they open descriptors, which may have the number of one that was closed just before."""
        return fd == self._control.fileno()

    def _attend(self, fd: int) -> None:
        if self._is_request(fd):
            _, (channel, leash) = wire.receive(self._control, max_fds=2)
            self._fork(channel, socket.socket(fileno=leash))
        elif fd == self._alarm.fileno():
            self._alarm.recv(4096)
            self._reap()
        else:
            self._kill(fd)

    def _fork(self, channel: int, leash: socket.socket) -> None:
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # too many processes, or too little memory
            self._tell(leash, error.errno or 1)
        else:
            if pid == 0:
                child.run(channel, self._limits, zygote=zygote, shared_bytes=self._shared_bytes)
            self._children[pid] = leash
            self._poll.register(leash, select.POLLIN)
        os.close(channel)

    def _kill(self, fd: int) -> None:
        for pid, leash in self._children.items():
            if leash.fileno() == fd:
                self._poll.unregister(leash)
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._tell(self._children.pop(pid), os.waitstatus_to_exitcode(status))

    def _tell(self, leash: socket.socket, status: int) -> None:
        with suppress(KeyError):  # not registered: never was, or the parent has let go and this was a kill
            self._poll.unregister(leash)
        with leash, suppress(OSError):
            leash.sendall(wire.STATUS.pack(status))


if __name__ == "__main__":
    main()
