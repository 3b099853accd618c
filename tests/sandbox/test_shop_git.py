"""The git repository of the shop's source, on machines that speak little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
COMMITS = """\
import sys
from pathlib import Path
from gameday.sandbox.shop.git import git
folder = Path(sys.argv[1])
author = ("M\\u00e1ria", "m@example.org")
git(folder, "init", "--quiet")
git(folder, "commit", "--quiet", "--allow-empty", "-m", "caf\\u00e9", author=author)
print(ascii(git(folder, "log", "--format=%an: %s")))
"""


def test_an_authors_name_is_kept_where_the_locale_knows_only_ascii(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMITS, str(tmp_path)],
        env={**os.environ, **ASCII},
        capture_output=True,
        encoding="ascii",
    )

    assert "" == done.stderr
    assert ascii("Mária: café") == done.stdout.strip()
