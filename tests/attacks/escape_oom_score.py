# verdict: ok ; what: makes the kernel take another process than itself when memory is short


def score(process):
    try:
        with open(f"/proc/{process}/oom_score_adj") as file:
            return int(file.read())
    except OSError:
        return 0


least = min(0, score(1))
for value in (-1000, -500, -1, least - 1):
    for process in ("self", "1"):
        try:
            with open(f"/proc/{process}/oom_score_adj", "w") as file:
                file.write(str(value))
        except OSError:
            continue
if score("self") < least:
    print(f"ESCAPED: it is preferred by {score('self')}")
print("contained")
