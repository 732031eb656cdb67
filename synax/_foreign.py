"""Another project owns the name `synax` on the package index: told apart before anything breaks."""

from importlib import metadata
from pathlib import Path

OWN, FOREIGN = "synax-sky", "synax"


def refuse_foreign(package: Path | None = None) -> None:
    """Refuse to run from a folder that the other project's files were installed into.

    Both projects unpack into one folder `synax`, and the later one overwrites files of the
    earlier.

    **Arguments:**

    - `package`: folder of the package; default: this one.

    **Raises** `ImportError` that says what to do.
    """
    package = Path(__file__).parent if package is None else package
    try:
        other = metadata.distribution(FOREIGN)
    except metadata.PackageNotFoundError:
        return
    place = Path(str(other.locate_file("synax")))
    if place.exists() and place.samefile(package):
        raise ImportError(
            f"'{package}' holds files of two projects: '{FOREIGN}' {other.version} of the package "
            f"index is not this one; run `pip uninstall {FOREIGN} {OWN}` and install {OWN} again"
        )
