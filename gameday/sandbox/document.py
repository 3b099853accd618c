"""The sandbox as a system's document, which says of it what a document can say of any system.

Written beside its state when it starts, and read from there. It holds no secret and refers to
none: a server of the sandbox proves itself before it is told a token, so the token is found by the
address (`gameday.http.keys`) and not by the document. What a sandbox can do and no document can
say (forget its history, do what its responder asks for and undo it as a whole, tell its processes
apart) is `gameday.drivers.sandbox`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from gameday import private
from gameday.diagnosis.conventions import DEFAULT
from gameday.diagnosis.queries import REGION
from gameday.sandbox.state import SandboxState
from gameday.sandbox.supervisor.layout import SERVICES
from gameday.sandbox.supervisor.monitoring import PAGES

__all__ = ["document_of", "path_of", "write"]

FILE_NAME = "sandbox.yaml"

HEAD = """\
# What gameday knows of the sandbox that is up, as of any system (docs/systems.md).
# `gameday sandbox up` writes it, `gameday sandbox down` takes it away.
"""


def path_of(found: SandboxState) -> Path:
    """Return where the document of a sandbox is."""
    return Path(found.folder) / FILE_NAME


def write(found: SandboxState) -> Path:
    """Write the document of a sandbox whole, and return its path."""
    path = path_of(found)
    draft = path.with_suffix(".draft")
    text = yaml.safe_dump(document_of(found), sort_keys=False, width=100, allow_unicode=True)
    private.write_text(draft, HEAD + text)
    draft.replace(path)
    return path


def document_of(found: SandboxState) -> dict[str, Any]:
    """Return what a document says of a sandbox."""
    return {
        "apiVersion": "gameday/v1",
        "kind": "System",
        "metadata": {"name": "sandbox", "title": "The shop that comes along, on this machine"},
        "spec": {
            "disposable": True,
            "timeScale": found.time_scale,
            "regions": {"label": REGION, "names": list(found.regions)},
            "metrics": {"prometheus": {"url": found.prometheus_url}},
            "alerts": {"rules": "gameday"},
            "pages": {"alertmanager": {"url": found.alertmanager_url}, "receiver": PAGES},
            "red": {
                "rate": DEFAULT.rate,
                "errors": DEFAULT.errors,
                "duration": DEFAULT.duration,
            },
            "traces": {"jaeger": {"url": found.store_url}},
            "profiles": {"pyroscope": {"url": found.store_url}},
            "deploys": [{"grafana": {"url": found.store_url}}],
            "code": [{"service": name, "repository": found.repository} for name in SERVICES],
            "toxiproxy": {"url": found.proxy_url},
        },
    }
