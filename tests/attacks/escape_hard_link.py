# verdict: ok ; what: takes hard links of root's files, by name and by descriptor
import os

num_links = 0
for path in ("/etc/shadow", "/etc/passwd", "/usr/bin/env", "/usr/bin/su", "/etc/hosts"):
    sources = [path]
    try:
        sources.append(f"/proc/self/fd/{os.open(path, os.O_PATH)}")
    except OSError:
        pass
    for source in sources:
        num_links += 1
        try:
            os.link(source, f"link{num_links}", follow_symlinks=True)
            print(f"ESCAPED: a second name of {path}")
        except OSError:
            continue
print("contained")
