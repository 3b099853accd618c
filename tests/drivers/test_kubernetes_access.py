"""Which cluster is meant, and what of it may be touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.drivers.kubernetes import Fences, connect
from gameday.drivers.kubernetes.fences import FenceError
from gameday.drivers.kubernetes.marks import checked
from gameday.drivers.kubernetes.selectors import matches, parsed
from gameday.errors import PermanentDriverError, UsageError
from gameday.settings import Settings
from gameday.testing.gate import kubeconfig, serving
from gameday.testing.kubernetes import SimulatedApi

SIM = {"GAMEDAY_KUBE_CONTEXTS": "sim", "GAMEDAY_KUBE_NAMESPACES": "shop,gd-*"}


def test_a_context_is_opened_by_name_and_by_being_current(tmp_path: Path) -> None:
    api = SimulatedApi(namespace="shop")
    api.node("a")
    with serving(api) as url:
        path = kubeconfig(tmp_path, url)
        for context in ("sim", None):
            with connect(context, kubeconfig=path, environment=SIM) as cluster:
                assert "sim" == cluster.context
                assert ["a"] == [n["metadata"]["name"] for n in cluster.list("nodes")]


def test_several_files_are_read_as_kubectl_reads_them(tmp_path: Path) -> None:
    one = kubeconfig(tmp_path, "http://127.0.0.1:1")
    two = kubeconfig(tmp_path, "http://127.0.0.1:2", context="other")

    both = connect("other", kubeconfig=f"{one}:{two}", environment={"GAMEDAY_KUBE_CONTEXTS": "o*"})

    assert "http://127.0.0.1:2" == both.server


def test_a_context_the_settings_do_not_allow_is_refused(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")

    for context in ("sim", None):
        with pytest.raises(FenceError, match="GAMEDAY_KUBE_CONTEXTS"):
            connect(context, kubeconfig=path, environment={})
    # Taking something back must not depend on settings.
    assert "sim" == connect("sim", kubeconfig=path, environment={}, is_fenced=False).context


def test_a_wrong_context_is_answered_with_the_right_ones(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")

    with pytest.raises(PermanentDriverError, match=r"no context 'sum' \(did you mean 'sim'"):
        connect("sum", kubeconfig=path, environment=SIM)


def test_a_missing_or_broken_kubeconfig_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("clusters: [")

    with pytest.raises(PermanentDriverError, match="there is no kubeconfig at"):
        connect("sim", kubeconfig=str(tmp_path / "none"), environment=SIM)
    with pytest.raises(PermanentDriverError, match="broken"):
        connect("sim", kubeconfig=str(broken), environment=SIM)


def test_protected_namespaces_are_refused_whatever_the_settings_say() -> None:
    fences = Fences(("*",), ("*",), own="gameday")

    assert fences.allows_namespace("shop")
    for namespace in ("kube-system", "kube-public", "kube-node-lease", "gameday"):
        assert not fences.allows_namespace(namespace)
        with pytest.raises(FenceError, match="protected"):
            fences.check_namespaces([namespace])


def test_other_namespaces_are_refused_by_name() -> None:
    with pytest.raises(FenceError, match=r"'billing' \(allowed: shop, gd-\*\)"):
        Fences.of(Settings.from_environment(SIM).kube).check_namespaces(["shop", "gd-1", "billing"])


def test_by_default_only_our_own_kind_cluster_is_allowed() -> None:
    settings = Settings.from_environment({"HOME": "/"})

    assert (("kind-gameday",), ("shop",)) == (settings.kube_contexts, settings.kube_namespaces)
    assert () == Settings.from_environment({"GAMEDAY_KUBE_CONTEXTS": " , "}).kube_contexts


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("app=shop", {"app": "shop"}, {"app": "db"}),
        ("app==shop,tier!=db", {"app": "shop"}, {"app": "shop", "tier": "db"}),
        ("region in (a, b),app", {"region": "b", "app": "x"}, {"region": "c", "app": "x"}),
        ("region notin (a)", {"region": "b"}, {"region": "a"}),
        ("!canary", {}, {"canary": "yes"}),
        ("topology.kubernetes.io/zone=a-1", {"topology.kubernetes.io/zone": "a-1"}, {}),
    ],
)
def test_a_selector_means_what_kubectl_means(
    text: str, yes: dict[str, str], no: dict[str, str]
) -> None:
    assert matches(parsed(text), yes)
    assert not matches(parsed(text), no)


@pytest.mark.parametrize("text", ["app=shop db", "=x", "a in b", "in (a", ","])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no label selector"):
        parsed(text)


@pytest.mark.parametrize("mark", ["", "Upper", "a b", "-a", "x" * 60, "a/b"])
def test_a_mark_that_could_not_name_an_object_is_refused(mark: str) -> None:
    with pytest.raises(UsageError, match="no mark"):
        checked(mark)
