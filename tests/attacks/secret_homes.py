# verdict: ok ; what: looks through the homes of people for keys and histories
import glob

NAMES = (
    ".ssh/*", ".bash_history", ".python_history", ".bashrc", ".profile", ".netrc", ".gitconfig",
    ".git-credentials", ".aws/credentials", ".docker/config.json", ".config/gcloud/*",
    ".kube/config", ".cache/huggingface/token", ".npmrc", ".pypirc",
)  # fmt: skip
for home in ("/root", "/home/*", "/Users/*", "/var/lib/postgresql"):
    for name in NAMES:
        for path in glob.glob(f"{home}/{name}"):
            try:
                with open(path, "rb") as file:
                    if file.read(1):
                        print(f"ESCAPED: {path} can be read")
            except OSError:
                continue
print("contained")
