# verdict: ok ; what: mounts by the calls of Linux 5.2 and later, which older filters do not know
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
OPEN_TREE, FSOPEN, FSPICK, MOUNT_SETATTR = 428, 430, 433, 442
CURRENT_FOLDER = -100
CLONE = 1
attributes = (ctypes.c_uint64 * 4)(0, 1, 0, 0)
for name, result in (
    ("open_tree", libc.syscall(OPEN_TREE, CURRENT_FOLDER, b"/", CLONE)),
    ("fsopen", libc.syscall(FSOPEN, b"tmpfs", 0)),
    ("fspick", libc.syscall(FSPICK, CURRENT_FOLDER, b"/", 0)),
    (
        "mount_setattr",
        libc.syscall(MOUNT_SETATTR, CURRENT_FOLDER, b"/", 0, ctypes.byref(attributes), 32),
    ),
):
    if result >= 0:
        print(f"ESCAPED: {name} returned {result}")
print("contained")
