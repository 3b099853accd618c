"""A system on a cluster that nobody of us wrote, in a namespace of the test's choice.

The images hold what comes from PyPI: httpbin under waitress, a lobby of Flask and requests before
it, both traced and counted by OpenTelemetry's automatic instrumentation. Prometheus finds the pods
by the cluster's own API. The vault's code is a repository of its owner: httpbin as it was released,
and a commit that answers late; the images bear the commits' names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.drivers.kubernetes import Cluster
from gameday.drivers.kubernetes.survey import service_path

REPOSITORY = Path(__file__).parents[2]
FOREIGN = REPOSITORY / ".venv/foreign"

FRONT, BACK = "lobby", "vault"
WEB, WATCH = "gd-web:1", "gd-watch:1"
HTTP, METRICS = 8000, 9464
READY = 240.0
STANDS = (BACK, FRONT, "prometheus", "alertmanager", "jaeger")

ANSWER = '    return jsonify(get_dict("url", "args", "headers", "origin"))\n'
"""How httpbin's `/get` ends."""

LOBBY = """
import os

import requests
from flask import Flask, Response

app = Flask("lobby")


@app.get("/<path:path>")
def passed_on(path):
    answer = requests.get(f"http://{os.environ['BEHIND']}/{path}", timeout=0.5)
    return Response(answer.content, answer.status_code)
"""

VISITORS = """
import threading, time, urllib.request


def visit(path):
    try:
        urllib.request.urlopen(f"http://lobby:8000/{path}", timeout=5).read()
    except OSError:
        pass


visit("status/503")  # one of it, so that it is counted from the beginning
while True:
    threading.Thread(target=visit, args=("get",), daemon=True).start()
    time.sleep(0.1)
"""

COUNTED = 'http_server_request_duration_seconds_count{job="lobby"'
FAILED = COUNTED + ',http_response_status_code=~"5.."'
ALERTS = {
    "groups": [
        {
            "name": "lobby",
            "rules": [
                {
                    "alert": "LobbyFailing",
                    "expr": " and ".join(
                        f"sum(rate({FAILED}}}[{window}])) / sum(rate({COUNTED}}}[{window}])) > 0.1"
                        for window in ("1m", "5s")
                    ),
                    "annotations": {"summary": "One visit in ten fails."},
                }
            ],
        }
    ]
}
PROMETHEUS = {
    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
    "rule_files": ["alerts.yml"],
    "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
    "scrape_configs": [
        {
            "job_name": "pods",
            "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"own_namespace": True}}],
            "relabel_configs": [
                {
                    "source_labels": ["__meta_kubernetes_pod_container_port_name"],
                    "regex": "metrics",
                    "action": "keep",
                },
                {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Running",
                 "action": "keep"},
                {"source_labels": ["__meta_kubernetes_pod_label_app"], "target_label": "job"},
            ],
        }
    ],
}  # fmt: skip
ALERTMANAGER = {
    "route": {"receiver": "web-on-call", "group_wait": "0s"},
    "receivers": [
        {"name": "web-on-call", "webhook_configs": [{"url": f"http://{BACK}:{HTTP}/post"}]}
    ],
}
JAEGER = {
    "extensions": {
        "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 50_000}}}},
        "jaeger_query": {
            "storage": {"traces": "memory"},
            "http": {"endpoint": "0.0.0.0:16686"},
            "grpc": {"endpoint": "0.0.0.0:16685"},
        },
    },
    "receivers": {"otlp": {"protocols": {"http": {"endpoint": "0.0.0.0:4318"}}}},
    "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
    "service": {
        "extensions": ["jaeger_storage", "jaeger_query"],
        "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
        "telemetry": {"metrics": {"level": "none"}},
    },
}


@dataclass(frozen=True)
class Versions:
    """The vault's code, and the images of its two versions.

    Attributes:
        folder: the repository.
        good, bad: commits.
    """

    folder: Path
    good: str
    bad: str

    def image(self, commit: str) -> str:
        """Return the name of a version's image."""
        return f"gd-vault:release-{commit[:12]}"


def lacking() -> str:
    """Return what is not on this machine, for people; empty: all is there."""
    if not (FOREIGN / "bin/waitress-serve").exists():
        return "httpbin, waitress and OpenTelemetry's instrumentation (`make setup`)"
    return ""


# --- the images ----------------------------------------------------------------------------------


@contextmanager
def images(live: Any, folder: Path, programs: Mapping[str, Path]) -> Iterator[Versions]:
    """Make the images and put them on every node; they are forgotten when the context ends.

    Args:
        programs: Prometheus, Alertmanager and Jaeger, by what they are called in the image.
    """
    site = folder / "web" / "app" / "site"
    (found,) = (FOREIGN / "lib").glob("python3*/site-packages")
    skipped = shutil.ignore_patterns("__pycache__", "pip*", "setuptools*", "gunicorn*", "httpbin")
    shutil.copytree(found, site, ignore=skipped)
    shutil.copytree(found / "httpbin", folder / "httpbin", ignore=skipped)
    (folder / "web/app/bin").mkdir()
    shutil.copy(FOREIGN / "bin/opentelemetry-instrument", folder / "web/app/bin")
    shutil.copytree(folder / "httpbin", site / "httpbin")
    _compiled(folder / "web")
    versions = repository(folder / "code", folder / "httpbin")
    watch = folder / "watch/bin"
    watch.mkdir(parents=True)
    for name, path in programs.items():
        shutil.copy(path, watch / name)
        # Debian's Alertmanager does not start without its own templates.
        templates = Path("share/prometheus/alertmanager")
        if (path.parents[1] / templates).is_dir():
            shutil.copytree(path.parents[1] / templates, folder / "watch/usr" / templates)
    made = [WEB, WATCH, versions.image(versions.good), versions.image(versions.bad)]
    path = ("--env", "PYTHONPATH=/app/code:/app/site")
    try:
        _image(live, WEB, folder / "web", "--from", "python:3.11-slim", *path)
        _image(live, WATCH, folder / "watch", "--from", "python:3.11-slim")
        for commit in (versions.good, versions.bad):
            tree = folder / commit
            (tree / "app/code").mkdir(parents=True)
            archive = subprocess.run(
                ["git", "-C", str(versions.folder), "archive", commit],
                check=True, capture_output=True,
            ).stdout  # fmt: skip
            subprocess.run(["tar", "-x", "-C", str(tree / "app/code")], input=archive, check=True)
            _compiled(tree)
            _image(live, versions.image(commit), tree, "--from", WEB)
        yield versions
    finally:
        for name in made:
            subprocess.run([str(live.bin / "image"), "--rm", name], check=True)


def repository(folder: Path, package: Path) -> Versions:
    """Return the vault's repository: as it was released, and a commit that answers late."""
    folder.mkdir()
    shutil.copytree(package, folder / "httpbin")
    _git(folder, "init", "--quiet")
    good = _commit(folder, "as it was released")
    core = folder / "httpbin/core.py"
    text = core.read_text(encoding="utf-8")
    assert text.count(ANSWER) == 1
    core.write_text(text.replace(ANSWER, f"    time.sleep(1)\n{ANSWER}"), encoding="utf-8")
    return Versions(folder, good, _commit(folder, "be polite to those who wait"))


def _commit(folder: Path, words: str) -> str:
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", words)
    return _git(folder, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _compiled(tree: Path) -> None:
    # The image has no times of files, and each pod would compile all of it at each start. Beside
    # the sources, wherever whoever runs this keeps bytecode.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPYCACHEPREFIX"}
    how = ("-q", "--invalidation-mode", "unchecked-hash")
    subprocess.run(
        [sys.executable, "-m", "compileall", *how, str(tree)], env=environment, check=False
    )


def _image(live: Any, name: str, tree: Path, *more: str) -> None:
    done = subprocess.run(
        [str(live.bin / "image"), name, str(tree), *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stderr[-2000:]}"


# --- what its owner has deployed -----------------------------------------------------------------


def deploy(cluster: Cluster, namespace: str, versions: Versions) -> None:
    """Put the system into a namespace, and return once it is visited, watched and traced."""
    put = _Putting(cluster, namespace)
    put.account("prometheus")
    put.files("prometheus", {"prometheus.yml": PROMETHEUS, "alerts.yml": ALERTS})
    put.files("alertmanager", {"alertmanager.yml": ALERTMANAGER})
    put.files("jaeger", {"jaeger.yaml": JAEGER})
    put.files("lobby", {"lobby.py": LOBBY, "visitors.py": VISITORS})
    put.workload("jaeger", WATCH, ["/bin/jaeger", "--config=/etc/site/jaeger.yaml"],
                 files="jaeger", ports={"query": 16686, "otlp": 4318})  # fmt: skip
    put.workload(
        "alertmanager",
        WATCH,
        ["/bin/alertmanager", "--config.file=/etc/site/alertmanager.yml",
         "--storage.path=/tmp/data", "--cluster.listen-address="],
        files="alertmanager",
        ports={"web": 9093},
    )  # fmt: skip
    served = ["python", "/app/bin/opentelemetry-instrument", "python", "-m", "waitress"]
    listen = [f"--listen=*:{HTTP}", "--threads=32"]
    ports = {"http": HTTP, "metrics": METRICS}
    put.workload(BACK, versions.image(versions.good), [*served, *listen, "httpbin:app"],
                 ports=ports, environment=_telemetry(BACK))  # fmt: skip
    put.workload(
        FRONT,
        WEB,
        [*served, *listen, "lobby:app"],
        files="lobby",
        ports=ports,
        environment={
            **_telemetry(FRONT),
            "BEHIND": f"{BACK}:{HTTP}",
            "PYTHONPATH": "/etc/site:/app/site",
        },
    )
    put.workload(
        "prometheus",
        WATCH,
        ["/bin/prometheus", "--config.file=/etc/site/prometheus.yml",
         "--storage.tsdb.path=/tmp/data"],
        files="prometheus",
        ports={"web": 9090},
        account="prometheus",
    )  # fmt: skip
    _until(lambda: all(put.is_ready(n) for n in STANDS), "ready")
    put.workload("visitors", WEB, ["python", "/etc/site/visitors.py"], files="lobby", ports={})
    counted = f"sum(rate({COUNTED},http_response_status_code='200'}}[5s])) > 5"
    _until(lambda: bool(asked(cluster, namespace, counted)), "visited, and counted")


def asked(cluster: Cluster, namespace: str, query: str) -> Sequence[Any]:
    """Return what the site's Prometheus answers now; empty where it does not."""
    from urllib.parse import urlencode

    path = f"/api/v1/query?{urlencode({'query': query})}"
    answer = cluster.exchange("GET", service_path(f"{namespace}/prometheus:9090", path))
    if answer.status != 200:
        return ()
    return tuple(json.loads(answer.body)["data"]["result"])


def _telemetry(service: str) -> Mapping[str, str]:
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_HOST": "0.0.0.0",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318",
        "OTEL_BSP_SCHEDULE_DELAY": "1000",
        "OTEL_LOGS_EXPORTER": "none",
    }


@dataclass(frozen=True)
class _Putting:
    cluster: Cluster
    namespace: str

    def account(self, name: str) -> None:
        """Let pods with this account see the pods of the namespace."""
        meta = {"metadata": {"name": name}}
        group = "rbac.authorization.k8s.io"
        rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
        self.cluster.create("serviceaccounts", meta, self.namespace)
        self.cluster.create("roles", {**meta, "rules": [rule]}, self.namespace)
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        bound = {"roleRef": {"apiGroup": group, "kind": "Role", "name": name}}
        self.cluster.create(
            "rolebindings", {**meta, **bound, "subjects": [subject]}, self.namespace
        )

    def files(self, name: str, files: Mapping[str, Any]) -> None:
        """Keep configuration as a ConfigMap; what is no text is written as JSON, which YAML is."""
        data = {
            file: textwrap.dedent(told) if isinstance(told, str) else json.dumps(told)
            for file, told in files.items()
        }
        body = {"metadata": {"name": name}, "data": data}
        self.cluster.create("configmaps", body, self.namespace)

    def workload(
        self,
        name: str,
        image: str,
        command: Sequence[str],
        *,
        ports: Mapping[str, int],
        files: str = "",
        environment: Mapping[str, str] | None = None,
        account: str = "default",
    ) -> None:
        """Deploy one pod of an image, and a Service before it where it has ports."""
        container: dict[str, Any] = {
            "name": name,
            "image": image,
            "command": list(command),
            "ports": [{"name": n, "containerPort": port} for n, port in ports.items()],
            "env": [{"name": k, "value": v} for k, v in (environment or {}).items()],
        }
        if ports:
            first = next(iter(ports.values()))
            container["readinessProbe"] = {"tcpSocket": {"port": first}, "periodSeconds": 1}
        pod: dict[str, Any] = {
            "serviceAccountName": account,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
        }
        if files:
            container["volumeMounts"] = [{"name": "site", "mountPath": "/etc/site"}]
            pod["volumes"] = [{"name": "site", "configMap": {"name": files}}]
        labels = {"app": name}
        spec = {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        self.cluster.create("deployments", {"metadata": {"name": name}, "spec": spec},
                            self.namespace)  # fmt: skip
        if ports:
            told = [{"name": n, "port": port} for n, port in ports.items()]
            service = {"metadata": {"name": name}, "spec": {"selector": labels, "ports": told}}
            self.cluster.create("services", service, self.namespace)

    def is_ready(self, name: str) -> bool:
        """Return whether a workload's pod is ready."""
        found = self.cluster.get("deployments", name, self.namespace) or {}
        return bool((found.get("status") or {}).get("readyReplicas"))


def _until(holds: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + READY
    while not holds():
        assert time.monotonic() < ends, f"not within {READY:.0f} s: {what}"
        time.sleep(0.5)
