"""What is shown where an address is asked, and whom to believe; secrets found, never kept.

A system's document names where a secret is. It is read here, when a request is about to be made,
and stands in no message, no undo and no fact.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gameday.errors import PermanentDriverError
from gameday.http.masking import remember

if TYPE_CHECKING:
    import ssl  # what is imported here delays every fault

    from gameday.model.access import Access, SecretRef

__all__ = [
    "NO_CREDENTIALS",
    "Credentials",
    "credentials_of",
    "learn",
    "learned",
    "secret_of",
    "shown_at",
    "told_headers",
]

LONGEST_SECRET = 64 * 1024
"""Bytes of a file that is read as a secret; a token of a cluster has a thousand."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How one address is asked.

    Attributes:
        headers: sent with every request; may hold secrets, and are not shown.
        ca: file of the authorities that are believed; empty: the machine's own.
        cert: file of the client's certificate; empty: none.
        key: file of its key; empty: it stands beside the certificate.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: str = ""
    cert: str = ""
    key: str = ""

    def verify(self, url: str) -> bool | ssl.SSLContext:
        """Return whom to believe, as httpx takes it.

        Raises:
            PermanentDriverError: a file cannot be read, or holds no certificate.
        """
        if not url.startswith("https:"):
            return False  # certificates take 30 ms to load; without https nothing is verified
        if not self.ca and not self.cert:
            return True
        import ssl

        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(repr(f) for f in (self.ca, self.cert, self.key) if f)
            raise PermanentDriverError(
                f"the certificates for {url} cannot be used ({type(error).__name__}): see that"
                f" {files} can be read and hold PEM"
            ) from error
        return context


NO_CREDENTIALS = Credentials()
"""Nothing is shown, and believed is whom the machine believes."""


_learned: dict[str, Credentials] = {}
"""Base URL → how it is asked. Of this process alone."""


def learn(told: Mapping[str, Credentials]) -> None:
    """Know how these addresses are asked, by base URL, while the process lives.

    For what acts far from where a document was read: a fault, its recovery.
    """
    _learned.update({url.rstrip("/"): credentials for url, credentials in told.items()})
    # A process that was told them has not read them itself, and covers them all the same.
    remember(*(c.headers.get("Authorization", "").partition(" ")[2] for c in told.values()))


def learned() -> Mapping[str, Credentials]:
    """Return how addresses are asked, as far as this process knows: for a child in its place."""
    return dict(_learned)


def shown_at(url: str) -> Credentials:
    """Return how this address is asked; plainly, where nobody said."""
    return _learned.get(url.rstrip("/"), NO_CREDENTIALS)


def credentials_of(access: Access, folder: Path | None = None) -> Credentials:
    """Return how a document says that an address is asked, with every secret found.

    Args:
        folder: where the paths of files begin; None: in the working directory.

    Raises:
        PermanentDriverError: a secret is not where it is said to be.
    """
    headers = told_headers(access.headers, folder)
    if access.bearer_token is not None:
        headers["Authorization"] = f"Bearer {secret_of(access.bearer_token, folder)}"
    if access.basic is not None:
        pair = f"{access.basic.username}:{secret_of(access.basic.password, folder)}"
        shown = base64.b64encode(pair.encode()).decode()
        remember(shown)
        headers["Authorization"] = f"Basic {shown}"
    files = (access.ca, access.cert, access.key)
    return Credentials(headers, *(str((folder or Path()) / file) if file else "" for file in files))


def told_headers(
    headers: Mapping[str, str | SecretRef], folder: Path | None = None
) -> dict[str, str]:
    """Return headers with every secret found; files by their path from the folder, or from here.

    Raises:
        PermanentDriverError: a secret is not where it is said to be.
    """
    return {
        name: value if isinstance(value, str) else secret_of(value, folder)
        for name, value in headers.items()
    }


def secret_of(ref: SecretRef, folder: Path | None = None) -> str:
    """Return a secret from where it is; blanks around it, such as a file's last line end, are not.

    Args:
        folder: where a file's path begins; None: in the working directory.

    Raises:
        PermanentDriverError: it is not there, or nothing can be sent that holds it.
    """
    if ref.env is not None:
        where, found = f"the variable {ref.env} of the environment", os.environ.get(ref.env, "")
    else:
        where = f"the file {ref.file!r}"
        try:
            with (folder or Path()).joinpath(ref.file or "").open("rb") as file:
                found = file.read(LONGEST_SECRET).decode()
        except (OSError, ValueError) as error:
            raise PermanentDriverError(
                f"a secret is looked for in {where}, which cannot be read ({type(error).__name__}):"
                " put it there, or write where it is"
            ) from error
    found = found.strip()
    if not found:
        raise PermanentDriverError(
            f"a secret is looked for in {where}, which is not set or empty: set it where gameday"
            " runs"
        )
    if not found.isprintable():
        raise PermanentDriverError(f"what {where} holds is several lines or no text: no secret")
    remember(found)
    return found
