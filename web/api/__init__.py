"""REST API v1: one module per noun; each view reads the input, asks one use case, shows the answer."""

from web.api import (
    alone,
    audit,
    backups,
    buckets,
    bulletins,
    database,
    documents,
    dr_reports,
    drills,
    exemptions,
    facilities,
    failovers,
    gate,
    health,
    migration,
    migration_rules,
    migration_snapshots,
    notices,
    operations,
    people,
    plans,
    points,
    quota,
    requests,
    resources,
    restores,
    sign_in,
    sites,
    stages,
    systems,
    targets,
    tokens,
    topology,
    traffic,
    waves,
    witness,
)

BLUEPRINTS = tuple(
    noun.blueprint
    for noun in (
        people, sign_in, tokens, topology, systems, sites, requests, resources,
        operations, quota, notices, audit, health, bulletins, documents,
        migration, migration_rules, migration_snapshots,
        stages, exemptions, targets, waves, facilities, gate,
        backups, buckets, points, restores, database, dr_reports, traffic, plans, drills, failovers, witness,
        alone,
    )
)  # fmt: skip
