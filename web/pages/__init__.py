"""The plain portal: server-rendered pages that work without a script; each view asks one use case."""

from web.pages import (
    account,
    ask,
    audit,
    backups,
    bulletins,
    database,
    exemptions,
    facilities,
    gate,
    home,
    migration,
    migration_months,
    quota,
    register,
    request_list,
    request_page,
    resources,
    restores,
    session,
    stages,
    targets,
    waves,
)

BLUEPRINTS = tuple(
    noun.blueprint
    for noun in (
        session, account, home, ask, request_list, request_page, register, resources, quota, bulletins,
        audit, migration, migration_months,
        stages, targets, exemptions, waves, facilities, gate, backups, database, restores,
    )
)  # fmt: skip
