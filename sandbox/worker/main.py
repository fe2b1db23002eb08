"""Bottom of every Python program's stack: the zygote leaves by the same way as its program enters."""

import json
import sys

sys.path[0] = sys.argv[1]

from sandbox.worker.zygote import live  # noqa: E402

code, names, finish = live(json.loads(sys.argv[2]))
del live, json
try:
    exec(code, names)  # noqa: S102
except BaseException as error:  # noqa: BLE001
    finish(error)
finish(None)
