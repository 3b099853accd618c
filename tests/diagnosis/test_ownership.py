"""Whose a frame is, as profilers of seven languages write it."""

from __future__ import annotations

import pytest

from gameday.diagnosis.ownership import is_own, is_talking
from gameday.model.signals import Frame

OWN = [
    ("total", "/app/shop/cart.py"),
    ("main.(*Handler).ServeHTTP", "/go/src/app/main.go"),
    ("main.main", "/src/cmd/shop/main.go"),
    ("github.com/acme/shop/internal/cart.Total", "github.com/acme/shop/internal/cart/cart.go"),
    ("github.com/acme/shop/internal/cart.Total", ""),
    ("com/example/Shop.checkout", ""),
    ("com.example.Shop.checkout", "Shop.java"),
    ("com.example.orders.OrdersKt.checkout", "Orders.kt"),
    ("checkout", "/app/dist/checkout.js"),
    ("shop::cart::Cart<T>::total", "src/cart.rs"),
    ("<shop::cart::Cart as shop::Priced>::total", ""),
    ("Shop.Api!Shop.Api.Cart.Total", ""),
    ("Shop.Api!Cart.Total", "/src/Shop.Api/Cart.cs"),
]
LIBRARY = [
    ("Thread.run", "/usr/lib/python3.11/threading.py"),
    ("get", "/venv/lib/python3.12/site-packages/httpx/_api.py"),
    ("net/http.(*conn).serve", "/usr/local/go/src/net/http/server.go"),
    ("net/http.(*conn).serve", "net/http/server.go"),
    ("net/http.(*conn).serve", ""),
    ("runtime.mallocgc", "runtime/malloc.go"),
    ("github.com/lib/pq.(*conn).Query", "/go/pkg/mod/github.com/lib/pq@v1.10.9/conn.go"),
    ("github.com/lib/pq.(*conn).Query", "/src/vendor/github.com/lib/pq/conn.go"),
    ("java/lang/Thread.run", ""),
    ("java.util.HashMap.get", "HashMap.java"),
    ("org.springframework.web.servlet.DispatcherServlet.doDispatch", ""),
    ("kotlinx.coroutines.DispatchedTask.run", "DispatchedTask.kt"),
    ("next", "/app/node_modules/express/lib/router/index.js"),
    ("processTicksAndRejections", "node:internal/process/task_queues"),
    ("<core::iter::Map<I,F> as core::iter::Iterator>::next", ""),
    ("core::ops::function::FnOnce::call_once", "/rustc/90b35a62/library/core/src/ops/function.rs"),
    ("serde_json::de::from_str", "/build/.cargo/registry/src/index/serde_json-1.0/src/de.rs"),
    ("System.Threading!Thread.StartCallback", ""),
    ("Microsoft.AspNetCore.Hosting!Host.Run", ""),
    ("[unknown]", ""),
    ("__libc_read", ""),
]


@pytest.mark.parametrize(("function", "file"), OWN)
def test_what_is_known_of_no_library_is_the_services_own(function: str, file: str) -> None:
    assert is_own(Frame(function, file, 1), marker=None)


@pytest.mark.parametrize(("function", "file"), LIBRARY)
def test_run_times_and_libraries_are_not(function: str, file: str) -> None:
    assert not is_own(Frame(function, file, 1), marker=None)


@pytest.mark.parametrize(
    ("function", "file", "own"),
    [
        ("com/example/Shop.checkout", "", True),
        ("com.example.Shop.checkout", "Shop.java", True),
        ("com.examples.Shop.checkout", "", False),
        ("org.acme.Shop.checkout", "", False),
        ("checkout", "/srv/com.example/app.js", True),
    ],
)
def test_where_a_document_names_packages_they_alone_tell(
    function: str, file: str, own: bool
) -> None:
    assert own is is_own(Frame(function, file, 1), marker=None, packages=["com.example"])


@pytest.mark.parametrize(
    ("function", "file", "talks"),
    [
        ("getresponse", "/usr/lib/python3.11/http/client.py", True),
        ("socket", "/app/shop/socket.py", False),
        ("sun/nio/ch/SocketChannelImpl.read", "", True),
        ("org.postgresql.core.v3.QueryExecutorImpl.execute", "QueryExecutorImpl.java", True),
        ("net.(*conn).Read", "net/net.go", True),
        ("database/sql.(*DB).Query", "/usr/local/go/src/database/sql/sql.go", True),
        ("java.util.HashMap.get", "HashMap.java", False),
        ("Npgsql.NpgsqlCommand.ExecuteReader", "", True),
        ("query", "/app/node_modules/pg/lib/client.js", True),
        ("main.main", "/src/main.go", False),
    ],
)
def test_who_waits_for_somebody_else_is_told_by_the_library(
    function: str, file: str, talks: bool
) -> None:
    assert talks is is_talking(Frame(function, file, 1))
