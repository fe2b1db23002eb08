# verdict: ok ; what: changes builtins and modules, in memory and where interpreters look for them
import builtins
import json
import os
import sys
import types

NAME = "left_by_another_run"
setattr(builtins, NAME, True)
setattr(json, NAME, True)
sys.modules[NAME] = types.ModuleType(NAME)
builtins.print, keep = (lambda *_: keep("changed")), builtins.print
json.loads = os.listdir = len
version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
folders = [
    folder for folder in sys.path if os.path.realpath(folder) != os.path.realpath(os.getcwd())
]
folders += [f"/usr/lib/{version}", "/usr/lib/python3/dist-packages", f"/usr/local/lib/{version}"]
for folder in folders:
    for name in ("sitecustomize.py", f"{NAME}.py", f"{NAME}.pth", f"__pycache__/{NAME}.pyc"):
        try:
            with open(f"{folder}/{name}", "x") as file:
                file.write(f"import builtins; builtins.{NAME} = True\n")
            keep(f"ESCAPED: {folder}/{name} was written")
        except OSError:
            continue
user = os.path.expanduser(f"~/.local/lib/{version}/site-packages")
os.makedirs(user, exist_ok=True)
with open(f"{user}/usercustomize.py", "w") as file:
    file.write(f"import builtins; builtins.{NAME} = True\n")
keep("contained")
