"""A published folder held to its manifest, to the model it is to replace, and to its parent's tokenizer.

Reads every byte; neither torch nor vllm. What the weights themselves must be is `weight_folder`'s and
`adapter_folder`'s, which an engine asks once more before it loads.
"""

from pathlib import Path

from server.adapter_folder import verify_adapter
from server.errors import ModelError, VersionError, VersionRefused
from server.model_folder import check_folder
from server.model_manifest import NAME as MANIFEST
from server.safetensors_header import read_header
from server.tokenizer_file import NAME as TOKENIZER
from server.version_manifest import VersionManifest, read_version_manifest
from server.version_record import Version
from server.weight_folder import VerifiedFolder, verify_weights

RUNS_CODE = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".py", ".so"})
"""Endings of files that are, or may hold, programs: pickle runs code when it is loaded."""

LARGEST_RANK = 512
"""Past any adapter that engines load; what a running engine takes is asked again when it loads."""


def check_listing(folder: Path) -> VersionManifest:
    """The manifest, and that the folder has its files and no others, each of its size.

    Raises VersionRefused. No file but the manifest is read.
    """
    manifest = read_version_manifest(folder)
    found = {path.name: path for path in folder.iterdir() if path.name != MANIFEST}
    for name, path in found.items():
        if name not in manifest.files:
            raise VersionRefused(
                f"{path} is not in the manifest: it was added later and may change what the model"
                " answers; publish the folder again without it"
            )
        if path.is_symlink() or not path.is_file() or path.suffix.lower() in RUNS_CODE:
            raise VersionRefused(
                f"{path} is a link, a folder or a program: a version is one folder of plain files,"
                " with weights as safetensors; publish it without"
            )
    for name, fact in manifest.files.items():
        if name not in found:
            raise VersionRefused(f"{folder / name} is missing: publish the folder again")
        num_bytes = found[name].stat().st_size
        if num_bytes != fact.num_bytes:
            raise VersionRefused(
                f"{folder / name} has {num_bytes} bytes: its manifest says {fact.num_bytes}; it was"
                " cut short or changed, publish it again"
            )
    return manifest


def check_version(folder: Path, *, base: Version, parent: Version | None) -> VerifiedFolder:
    """All of it: listing, tensors, numbers, hashes, tokenizer.

    base: the model that an engine starts from. parent: what training went on from, if the catalog
    knows it. Raises VersionRefused for what is wrong with the folder, and VersionError where the base
    or the disk keeps it from being known.
    """
    manifest = check_listing(folder)
    if not base.folder.is_dir():
        raise VersionError(
            f"{base.folder}, the base model {base.name}, is not there: nothing can be compared with it;"
            " restore the folder or mount its disk"
        )
    try:
        _check_tensors(folder, manifest)
        if manifest.kind == "adapter":
            verified = verify_adapter(folder, base.folder, most_rank=LARGEST_RANK)
        else:
            check_folder(folder)
            verified = verify_weights(folder, base.folder)
    except ModelError as error:
        raise VersionRefused(f"{folder} does not verify: {error}") from error
    except OSError as error:
        raise VersionError(
            f"{folder} cannot be read: {error}; look after the disk and try again"
        ) from error
    _check_tokenizer(folder, manifest, parent or base)
    return verified


def _check_tensors(folder: Path, manifest: VersionManifest) -> None:
    """The headers say of every tensor what the manifest says."""
    found = {
        name: (tensor.dtype, tensor.shape, file)
        for file in sorted(manifest.files)
        if file.endswith(".safetensors")
        for name, tensor in read_header(folder / file).items()
    }
    promised = {
        name: (place.dtype, place.shape, place.file) for name, place in manifest.tensors.items()
    }
    for name in sorted(found.keys() | promised.keys()):
        if found.get(name) != promised.get(name):
            raise VersionRefused(
                f"{folder}: the tensor {name} is {found.get(name, 'missing')}, but the manifest has"
                f" {promised.get(name, 'none')}; publish the folder again"
            )


def _check_tokenizer(folder: Path, manifest: VersionManifest, parent: Version) -> None:
    """An adapter may leave its tokenizer out; what is there is the parent's to the byte."""
    fact = manifest.files.get(TOKENIZER)
    digests = [manifest.tokenizer_sha256, fact.sha256 if fact else None]
    is_left_out = manifest.kind == "adapter" and fact is None
    for digest in digests:
        if digest != parent.tokenizer_digest and not (is_left_out and digest is None):
            raise VersionRefused(
                f"{folder} has the tokenizer {str(digest)[:12]}, but {parent.name} has"
                f" {str(parent.tokenizer_digest)[:12]}: its ids would mean something else to the"
                " weights; publish with the parent's tokenizer.json as it is"
            )
