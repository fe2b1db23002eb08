# verdict: ok ; what: raises its hard limits, and changes those of process 1
import resource

for name in dir(resource):
    if not name.startswith("RLIMIT_"):
        continue
    kind = getattr(resource, name)
    try:
        hard = resource.getrlimit(kind)[1]
    except (OSError, ValueError):
        continue
    for higher in (hard + 1, resource.RLIM_INFINITY):
        if hard == resource.RLIM_INFINITY:
            continue
        try:
            resource.setrlimit(kind, (higher, higher))
            print(f"ESCAPED: {name} is {higher} instead of {hard}")
        except (OSError, ValueError):
            continue
try:
    resource.prlimit(1, resource.RLIMIT_NOFILE, (16, 16))
    print("ESCAPED: process 1 has other limits")
except OSError:
    print("contained")
