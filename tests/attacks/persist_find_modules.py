# verdict: ok ; what: looks for what persist_leave_modules left
import builtins
import importlib.util
import json
import os
import subprocess
import sys

NAME = "left_by_another_run"
for where in (builtins, json):
    if hasattr(where, NAME):
        print(f"ESCAPED: {where.__name__} was changed by another run")
if NAME in sys.modules or importlib.util.find_spec(NAME) is not None:
    print("ESCAPED: a module of another run can be imported")
if type(print).__name__ != "builtin_function_or_method" or os.listdir is len:
    print("ESCAPED: a function is not what it was")
sys.stdout.flush()
CODE = (
    f"import builtins\nif hasattr(builtins, {NAME!r}): print('ESCAPED: every interpreter changed')"
)
subprocess.run([sys.executable or "/usr/bin/python3", "-c", CODE], check=True)
print("contained")
