"""A frame as a profiler of each language writes it, and the commit that changed its function.

Every function of `sources` that holds a mark was changed by a commit of that name, one after the
other; so whichever commit is named tells which lines were looked at.
"""

from __future__ import annotations

import pytest
from made_repository import Repository, seven_languages

from gameday.drivers.git import GitHistory
from gameday.errors import FrameUnclear

PY, MAIN = "web/shop/cart.py", "go/cmd/shop/main.go"
CART, BASKET = "go/internal/cart/cart.go", "go/internal/basket/cart.go"
JAVA = "java/src/main/java/com/example/Shop.java"
KT = "kotlin/src/main/kotlin/com/example/orders/Orders.kt"
TS, TSX, RS = "ts/src/checkout.ts", "ts/src/View.tsx", "rust/shop/src/cart.rs"
CS = "csharp/Shop.Api/Cart.cs"
GO_PATH = "github.com/acme/shop/internal"


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return seven_languages(tmp_path_factory.mktemp("seven") / "shop")


async def blamed(repository: Repository, function: str, file: str = "", line: int = 0) -> str:
    found = await GitHistory().blame(
        repository=str(repository.folder),
        revision="HEAD",
        file=file,
        line=line,
        function=function,
    )
    return repository.words(found.commit)


WITH_LINES = [
    (PY, "total", "py-total"),
    (PY, "shop.cart.total", "py-total"),
    (PY, "Cart.add", "py-cart-add"),
    (PY, "add", "py-basket-add"),
    (PY, "Cart.size", "py-size"),
    (PY, "Cart.price", "py-decorator"),
    (PY, "outer.<locals>.inner", "py-inner"),
    (PY, "keyed.<locals>.<lambda>", "py-lambda"),
    (PY, "<lambda>", "py-lambda"),
    (PY, "checkout.<locals>.<listcomp>", "py-checkout"),
    (PY, "checkout", "py-checkout"),
    (PY, "<module>", "py-module"),
    (PY, "", "py-total"),
    (MAIN, "main.(*Handler).ServeHTTP", "go-handler"),
    (MAIN, "main.Other.ServeHTTP", "go-other"),
    (MAIN, "main.main.func1", "go-closure"),
    (MAIN, "main.main.gowrap1", "go-closure"),
    (MAIN, "main.main", "go-main"),
    (CART, f"{GO_PATH}/cart.Total", "go-total"),
    (CART, f"{GO_PATH}/cart.(*Stack[...]).Push", "go-push"),
    (CART, f"{GO_PATH}/cart.(*Stack[go.shape.int]).Push", "go-push"),
    (CART, f"{GO_PATH}/cart.Map[go.shape.int,go.shape.struct {{ a/b.T }}]", "go-map"),
    (JAVA, "com.example.Shop.checkout", "java-checkout-int"),
    (JAVA, "com/example/Shop.checkout", "java-checkout-list"),
    (JAVA, "com.example.Shop.lambda$checkout$0", "java-lambda"),
    (JAVA, "com.example.Shop$1.run", "java-run"),
    (JAVA, "com.example.Shop$Inner.price", "java-inner-price"),
    (JAVA, "com.example.Shop$Other.price", "java-other-price"),
    (JAVA, "com.example.Shop.<init>", "java-new"),
    (JAVA, "com.example.Shop.<clinit>", "java-static"),
    (KT, "com.example.orders.OrdersKt.checkout", "kt-top"),
    (KT, "com.example.orders.Orders.price", "kt-price"),
    (KT, "com.example.orders.Returns.price", "kt-returns-price"),
    (KT, "com.example.orders.Orders.getSize", "kt-getter"),
    (KT, "com.example.orders.Orders$load$2.invokeSuspend", "kt-lambda"),
    (KT, "com.example.orders.Orders.load$lambda$0", "kt-lambda"),
    (KT, "com.example.orders.Orders$Companion.of", "kt-of"),
    (KT, "com.example.orders.OrdersKt.shouted", "kt-extension"),
    (TS, "total", "ts-total"),
    (TS, "Cart.add", "ts-decorator"),
    (TS, "Basket.add", "ts-basket-add"),
    (TS, "handle", "ts-handle"),
    (TS, "async Cart.handle", "ts-handle"),
    (TS, "new Cart", "ts-new"),
    (TS, "Cart", "ts-new"),
    (TS, "quote", "ts-arrow"),
    (TS, "(anonymous)", "ts-anonymous"),
    (TS, "Object.<anonymous>", "ts-anonymous"),
    (TS, "over", "ts-over"),
    (TSX, "View", "tsx-view"),
    (RS, "shop::cart::Cart<T>::total", "rs-inherent"),
    (RS, "shop::cart::Cart::add", "rs-attribute"),
    (RS, "<shop::cart::Cart<T> as shop::cart::Priced>::total", "rs-trait"),
    (RS, "shop::cart::Priced::twice", "rs-default"),
    (RS, "<shop::cart::Cart<u8> as shop::cart::Priced>::total::{{closure}}", "rs-closure"),
    (RS, "shop::cart::detail::round::h0123456789abcdef", "rs-module"),
    (CS, "Shop.Api!Cart`1.Add", "cs-attribute"),
    (CS, "Shop.Api!Shop.Api.Cart<T>.Add", "cs-add-string"),
    (CS, "Shop.Api.Basket!Add", "cs-basket-add"),
    (CS, "Shop.Api!Cart`1.get_Total", "cs-property"),
    (CS, "Shop.Api!Cart`1..ctor", "cs-new"),
    (CS, "Shop.Api.Cart`1+<CheckoutAsync>d__7.MoveNext", "cs-async"),
    (CS, "Shop.Api.Cart`1.<CheckoutAsync>g__Inner|7_0", "cs-local"),
    (CS, "Shop.Api!Cart`1+<>c.<CheckoutAsync>b__7_1", "cs-lambda"),
]


@pytest.mark.parametrize(("file", "function", "mark"), WITH_LINES)
async def test_a_frame_with_its_line_is_blamed_on_the_change_of_its_function(
    seven: Repository, file: str, function: str, mark: str
) -> None:
    line = seven.line_of(file, f"mark-{mark} ")

    assert f"mark-{mark}" == await blamed(seven, function, file, line)


WITHOUT_LINES = [
    (PY, "total", "py-total"),
    (PY, "Cart.add", "py-cart-add"),
    (PY, "keyed.<locals>.<lambda>", "py-lambda"),
    (MAIN, "main.(*Handler).ServeHTTP", "go-handler"),
    (MAIN, "main.Other.ServeHTTP", "go-other"),
    (MAIN, "main.main.func1", "go-closure"),
    (CART, f"{GO_PATH}/cart.Total", "go-total"),
    (BASKET, f"{GO_PATH}/basket.Total", "go-basket-total"),
    (JAVA, "com.example.Shop$Inner.price", "java-inner-price"),
    (JAVA, "com.example.Shop.checkout(int)", "java-checkout-int"),
    (JAVA, "com/example/Shop.checkout(Ljava/lang/String;Ljava/util/List;)I", "java-checkout-list"),
    (KT, "com.example.orders.OrdersKt.checkout", "kt-top"),
    (KT, "com.example.orders.Orders.price", "kt-price"),
    (KT, "com.example.orders.Orders.getSize", "kt-getter"),
    (KT, "com.example.orders.Orders$load$2.invokeSuspend", "kt-lambda"),
    (KT, "com.example.orders.Orders$Companion.of", "kt-of"),
    (TS, "Basket.add", "ts-basket-add"),
    (TS, "quote", "ts-arrow"),
    (RS, "shop::cart::Cart::total", "rs-inherent"),
    (RS, "<shop::cart::Cart<T> as shop::cart::Priced>::total", "rs-trait"),
    (RS, "shop::cart::detail::round", "rs-module"),
    (CS, "Shop.Api!Shop.Api.Basket.Add", "cs-basket-add"),
    (CS, "Shop.Api!Cart`1.Add(string line)", "cs-add-string"),
    (CS, "Shop.Api!Cart`1.Add(int32)", "cs-attribute"),
]


@pytest.mark.parametrize(("file", "function", "mark"), WITHOUT_LINES)
async def test_a_frame_without_a_line_is_found_by_a_name_that_fits_one_function(
    seven: Repository, file: str, function: str, mark: str
) -> None:
    assert f"mark-{mark}" == await blamed(seven, function, file)


WITHOUT_FILES = {
    **{f: m for _, f, m in WITHOUT_LINES if "." in f or "::" in f},
    "web.shop.cart.outer": "py-inner",
    "total (cart.py:10)": "py-total",
    "shop/cart.py:10 - total": "py-total",
    "./src/checkout.ts:total:4": "ts-total",
}


# Without a module the names of these stand for more than one function of the repository.
for unclear in ("Cart.add", "Basket.add"):
    del WITHOUT_FILES[unclear]


@pytest.mark.parametrize(("function", "mark"), WITHOUT_FILES.items())
async def test_a_frame_without_a_file_is_found_in_the_repository(
    seven: Repository, function: str, mark: str
) -> None:
    assert f"mark-{mark}" == await blamed(seven, function)


@pytest.mark.parametrize(
    ("function", "file", "line", "said"),
    [
        ("add", PY, 0, r"add may be 2 functions of .*cart\.py.*Cart\.add in lines"),
        ("com.example.Shop.checkout", JAVA, 0, r"checkout may be 2 functions.*no line"),
        ("Shop.Api!Cart`1.Add", CS, 0, r"Add may be 2 functions"),
        ("add", "", 0, r"'add' may lie in 3 files .*checkout\.ts, web/shop/cart\.py"),
        ("Cart.add", "", 0, r"'Cart\.add' may lie in \d files"),
        ("ServeHTTP", MAIN, 0, r"ServeHTTP may be 2 functions"),
        ("net/http.(*conn).serve", "", 0, r"no such function: it may be a library's"),
        ("net/http.(*conn).serve", MAIN, 9, r"says http.conn.serve at line 9"),
        ("Total", "cart.go", 0, r"'cart\.go' may be 2 files .*basket/cart\.go"),
        ("total", PY, 14, r"says total at line 14 .*there is Cart\.add: another version ran"),
        ("missing", PY, 0, r"has no function missing"),
        ("(anonymous)", "", 0, r"no such function"),
        ("com.example.Shop$$Lambda$14.apply", "", 0, r"no such function|holds \d functions"),
    ],
)
async def test_what_may_be_several_functions_is_said_and_not_guessed(
    seven: Repository, function: str, file: str, line: int, said: str
) -> None:
    with pytest.raises(FrameUnclear, match=said):
        await blamed(seven, function, file, line)
