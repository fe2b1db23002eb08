"""The outer wall, built once: a file system of its own that holds what programs may read."""

import os

from sandbox.worker import kernel

DEVICES = ("null", "zero", "full", "random", "urandom")
WORK = "/tmp/work"
_SHARED = b"/tmp"  # of the wall's own root
_FEW = 100
_WORK_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_COPIED = ("/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types")
"""Copied, because every mount makes every program's own name space dearer."""

_PASSWD = b"root:x:0:0::/:/usr/sbin/nologin\nprogram:x:1000:1000::/tmp/work:/bin/sh\n"
_GROUP = b"root:x:0:\nprogram:x:1000:\n"
_HOSTS = b"127.0.0.1 localhost sandbox\n::1 localhost\n"


class Wall:
    """Built in two steps, because what may be read belongs to a user that is given up in between."""

    def __init__(self, folders: "list[str]") -> None:
        """folders: what programs may read besides the system's own, at the same place inside."""
        kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        found = [f"/{name}" for name in _SYSTEM_LINKS if os.path.isdir(f"/{name}")]
        self._links = {path: os.readlink(path) for path in found if os.path.islink(path)}
        system = ["/usr", *(path for path in found if path not in self._links)]
        etc = [f"/etc/{name}" for name in ("alternatives", *_java_folders())]
        shown = [path for path in (*system, *etc, *folders) if os.path.exists(path)]
        # By descriptor: whoever mounts may not be allowed to walk to them.
        self._sources = {path: os.open(path, os.O_PATH) for path in shown}
        self._copies = {path: _content(path) for path in _COPIED}
        self._devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in DEVICES}

    def build(self) -> bool:
        """Enter the new root. Returns whether it has a /proc of its own."""
        # Whoever started us may keep new files to himself; these are for another user.
        os.umask(0o022)
        # A folder that exists everywhere is the mount point; nobody outside sees what is on it.
        root = "/tmp"
        flags = kernel.MS_NOSUID | kernel.MS_NODEV
        kernel.mount("tmpfs", root, "tmpfs", flags, "size=4m,nr_inodes=2000,mode=755")
        for path, descriptor in self._sources.items():
            self._show(
                descriptor, root + path, is_folder=os.path.isdir(f"/proc/self/fd/{descriptor}")
            )
        for path, target in self._links.items():
            os.symlink(target, root + path)
        self._make_dev(root + "/dev")
        for folder in ("/tmp", "/proc", "/etc"):
            os.makedirs(root + folder, exist_ok=True)
        small = {"/etc/passwd": _PASSWD, "/etc/group": _GROUP, "/etc/hosts": _HOSTS}
        for path, content in (self._copies | small).items():
            with open(root + path, "wb") as file:
                file.write(content)
        has_proc = self._mount_proc(root + "/proc")
        for descriptor in (*self._sources.values(), *self._devices.values()):
            os.close(descriptor)
        os.chdir(root)
        kernel.pivot_root_here()
        kernel.mount("", "/", "", kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | flags)
        return has_proc

    def _show(self, descriptor: int, target: str, *, is_folder: bool) -> None:
        os.makedirs(target if is_folder else os.path.dirname(target), exist_ok=True)
        if not is_folder:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
        kernel.bind_read_only(f"/proc/self/fd/{descriptor}", target)

    def _make_dev(self, dev: str) -> None:
        os.mkdir(dev)
        kernel.mount(
            "tmpfs", dev, "tmpfs", kernel.MS_NOSUID | kernel.MS_NOEXEC, "size=64k,mode=755"
        )
        for name, descriptor in self._devices.items():
            os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
            kernel.mount(f"/proc/self/fd/{descriptor}", f"{dev}/{name}", "", kernel.MS_BIND)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.symlink(f"/proc/self/fd/{number}", f"{dev}/{name}")
        os.symlink("/proc/self/fd", f"{dev}/fd")
        # Shared memory is files of the work folder: counted, and gone with it.
        os.symlink("/tmp", f"{dev}/shm")
        flags = kernel.MS_REMOUNT | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NOEXEC
        kernel.mount("", dev, "", flags)

    def _mount_proc(self, proc: str) -> bool:
        flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC | kernel.MS_RDONLY
        try:
            kernel.mount("proc", proc, "proc", flags)
        except PermissionError:  # inside a container whose own /proc is masked
            return False
        return True


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _java_folders() -> "list[str]":
    """Debian keeps a Java's settings outside of /usr."""
    return [name for name in os.listdir("/etc") if name.startswith("java")]


class WorkFolder:
    """/tmp: a file system in memory that every program finds empty.

    It is emptied where that is quick, and else replaced by a new one. (One of its own for each
    program would need a mount name space each, and making those takes turns on the whole machine.)
    """

    def __init__(self, size_bytes: int, num_files: int) -> None:
        # One inode is the root's and one the work folder's.
        options = f"size={size_bytes},nr_inodes={num_files + 2},mode=1777"
        self._options = options.encode()
        self._is_mounted = False

    def renew(self) -> None:
        """Put a new, empty file system in the place of what was there."""
        if self._is_mounted:
            kernel.unmount(_SHARED)
        kernel.mount_encoded(b"tmpfs", _SHARED, b"tmpfs", _WORK_FLAGS, self._options)
        self._is_mounted = True

    def clear(self) -> None:
        """Leave nothing of the program that has ended. No process is left that could interfere."""
        if not _remove_few(_SHARED):
            self.renew()

    def close(self) -> None:
        """Take it away, for one of another size."""
        kernel.unmount(_SHARED)


def _remove_few(folder: bytes) -> bool:
    """Remove a few plain files and the work folder. Returns False where there is more than that."""
    with os.scandir(folder) as found:
        entries = [entry for entry, _ in zip(found, range(_FEW + 1))]  # noqa: B905
    if len(entries) > _FEW:
        return False
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
        elif folder == _SHARED and entry.name == b"work" and _remove_few(entry.path):
            os.rmdir(entry.path)
        else:
            return False
    return True
