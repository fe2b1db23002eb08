# verdict: ok ; what: looks for what persist_leave_files left
import os

NAME = "left-by-another-run"
for root in ("/tmp", "/var", "/dev", "/run", "/home", "/root", "/opt", "/srv", os.getcwd()):
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            if NAME in name:
                print(f"ESCAPED: {folder}/{name} is still there")
for folder in ("/", "/etc", "/usr", "/usr/local/lib", "/usr/lib"):
    if os.path.lexists(f"{folder}/{NAME}"):
        print(f"ESCAPED: {folder}/{NAME} is still there")
print("contained")
