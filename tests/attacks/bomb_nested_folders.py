# verdict: ok ; what: nests folders deeper than any path or recursion of a cleaner goes ; limits: num_files=8000
import os

depth = 0
try:
    while depth < 5000:
        os.mkdir("folder")
        os.chdir("folder")
        depth += 1
except OSError:
    pass
print("contained")
