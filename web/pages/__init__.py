"""The plain portal: server-rendered pages that work without a script; each view asks one use case."""

from web.pages import (
    account,
    alone,
    ask,
    audit,
    backups,
    bulletins,
    database,
    drills,
    exemptions,
    facilities,
    failovers,
    gate,
    home,
    migration,
    migration_months,
    plans,
    quota,
    register,
    reports,
    request_list,
    request_page,
    resources,
    restores,
    session,
    stages,
    targets,
    traffic,
    waves,
)

BLUEPRINTS = tuple(
    noun.blueprint
    for noun in (
        session, account, home, ask, request_list, request_page, register, resources, quota, bulletins,
        audit, migration, migration_months,
        stages, targets, exemptions, waves, facilities, gate, backups, database, restores,
        traffic, reports, plans, drills, failovers, alone,
    )
)  # fmt: skip
