# verdict: ok ; what: reads files that only the host's root may read
for path in (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/sudoers", "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ed25519_key", "/etc/ssl/private/ssl-cert-snakeoil.key",
    "/var/lib/docker/engine-id", "/var/log/auth.log", "/proc/1/environ", "/proc/1/auxv",
    "/run/secrets/kubernetes.io/serviceaccount/token",
):  # fmt: skip
    try:
        with open(path, "rb") as file:
            content = file.read(64)
    except OSError:
        continue
    if content:
        print(f"ESCAPED: {path} has {len(content)} bytes or more")
print("contained")
