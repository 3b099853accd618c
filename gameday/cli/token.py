"""``gameday token``: who may come in to the service."""

from __future__ import annotations

import typer

from gameday.cli.output import print_json, print_table, say
from gameday.errors import UsageError

app = typer.Typer(help="Tokens that open the service, by role.", no_args_is_help=True)

JSON = typer.Option(False, "--json", help="Print it as JSON.")


@app.command("create")
def create(
    role: str = typer.Option(..., "--role", help="webhook, observer, responder or facilitator."),
    name: str = typer.Option(
        "", "--name", help="Who uses it; stands on record beside what it did."
    ),
    json: bool = JSON,
) -> None:
    """Print a new token, once; only its hash is kept."""
    from gameday.drivers.clock import SystemClock
    from gameday.house.run.opening import open_store
    from gameday.incidents.access import new_token
    from gameday.ports import AuditEntry, Role

    roles = [str(r) for r in Role]
    if role not in roles:
        raise UsageError(f"there is no role {role!r}; the roles are {', '.join(roles)}")
    now = SystemClock().now()
    secret, token = new_token(Role(role), name or role, now=now)
    with open_store() as store:
        store.add_token(token)
        store.commit((), audit=[AuditEntry(now, "command line", "token.created", token.id)])
    if json:
        print_json({"id": token.id, "role": role, "name": token.name, "token": secret})
        return
    say(f"token {token.id} of role {role}; it is shown this once:")
    print(secret)


@app.command("list")
def list_(json: bool = JSON) -> None:
    """List tokens; never what they are."""
    from gameday.house.run.opening import open_store

    with open_store() as store:
        tokens = store.tokens()
    if json:
        print_json(
            [
                {
                    "id": t.id,
                    "role": str(t.role),
                    "name": t.name,
                    "created_at": t.created_at.isoformat(),
                    "revoked_at": t.revoked_at.isoformat() if t.revoked_at else None,
                }
                for t in tokens
            ]
        )
        return
    print_table(
        ("id", "role", "name", "created (UTC)", "revoked (UTC)"),
        [
            (
                t.id,
                t.role,
                t.name,
                f"{t.created_at:%Y-%m-%d %H:%M}",
                f"{t.revoked_at:%Y-%m-%d %H:%M}" if t.revoked_at else None,
            )
            for t in tokens
        ],
        empty="there is no token; `gameday token create --role responder`",
    )


@app.command("revoke")
def revoke(
    id: str = typer.Argument(help="As `gameday token list` shows it."), json: bool = JSON
) -> None:
    """Let a token open nothing any more; a running service knows within a second."""
    from gameday.drivers.clock import SystemClock
    from gameday.house.run.opening import open_store
    from gameday.ports import AuditEntry

    now = SystemClock().now()
    with open_store() as store:
        store.revoke_token(id, at=now)
        store.commit((), audit=[AuditEntry(now, "command line", "token.revoked", id)])
    if json:
        print_json({"id": id, "revoked_at": now.isoformat()})
        return
    say(f"token {id} opens nothing any more")
