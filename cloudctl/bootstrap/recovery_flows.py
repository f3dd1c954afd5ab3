"""The flows of disaster recovery, wired: drills, moves and the way back, the shares of people."""

from typing import TYPE_CHECKING

from cloudctl.bootstrap.drivers import (
    open_application,
    open_dns,
    open_replication,
    open_witness,
    witness_papers,
)
from cloudctl.bootstrap.keys import keyring_of
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.operations import Flow
from cloudctl.ports import Clouds, Plays, Stores
from cloudctl.read_only import observed_replication

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dr.agents.bringing import Bringing
    from dr.failover.protocols import DataWay, Fence, Steering, Voting
    from dr.plans.document import Way
    from dr.ways.databases import Databases


def make_shift(core: Core) -> Flow:
    """Moves people between sites, step by step."""
    from dr.traffic.flow import ShiftPeople
    from provisioning.drivers.http_outside import HttpOutside

    return ShiftPeople(open_dns(core.settings, core.store), HttpOutside(), core.settings)


def make_drill(core: Core, clouds: Clouds, stores: Stores) -> Flow:
    """Rehearses a plan at the recovery site."""
    from dr.drills.cloning import Cloning, FromPoints
    from dr.drills.ends import Ending
    from dr.drills.flow import Rehearse
    from dr.plans.document import Way
    from dr.reports.finishing import Finishing
    from provisioning.lanes import Lanes

    settings, keyring, lanes = core.settings, keyring_of(core.settings), Lanes()
    points = FromPoints(clouds, stores, keyring, settings, lanes)
    ending = Ending(Finishing(settings, keyring.signer, core.audit))
    clonings: dict[Way, Cloning] = {Way.POINTS: points}
    replication = open_replication(settings, core.clock)
    if replication is not None:
        from dr.drills.from_replicas import FromReplicas

        observed = observed_replication(replication, core.store)
        clonings[Way.REPLICATION] = FromReplicas(clouds, observed, settings)
    return Rehearse(clouds, clonings, settings, lanes, ending)


def make_agents(core: Core, plays: Plays) -> Flow:
    """Brings agents to the servers of a plan."""
    from dr.agents.flow import InstallAgents

    return InstallAgents(_bringing(core.settings, plays))


def make_failover(core: Core, clouds: Clouds, stores: Stores, plays: Plays) -> Flow:
    """Moves a system to its other site, with a report at the end."""
    from dr.failover.answering import AskedFromHere
    from dr.failover.flow import Move
    from dr.reports.finishing import Finishing, ReportedMove
    from dr.ways.application import ApplicationWay
    from dr.ways.database_fence import DatabasesDemoted

    settings, voting = core.settings, _voting(core.settings)
    ways, steering = _ways(core, clouds, stores, plays), _steering(core)
    databases = DatabasesDemoted(ApplicationWay(databases_of(settings, plays)), voting)
    rungs = [databases, *_rungs(core, clouds, voting)]
    moving = Move(
        settings, voting, ways, AskedFromHere(), steering, rungs, audit=core.audit,
        bringing=_bringing(settings, plays),
    )  # fmt: skip
    signer = keyring_of(settings).signer
    return ReportedMove(moving, Finishing(settings, signer, core.audit, open_application))


def make_databases(core: Core, plays: Plays) -> Flow:
    """Makes the databases of a plan follow each other."""
    from dr.ways.database_flow import SetUpDatabases

    settings = core.settings
    return SetUpDatabases(
        databases_of(settings, plays), _voting(settings) if settings.witness_file.exists() else None
    )


def databases_of(settings: Settings, plays: Plays) -> "Databases":
    """The plays on servers of databases, with the passwords of this installation."""
    from dr.ways.databases import Databases

    return Databases(plays, settings.secrets)


def make_failback(core: Core, clouds: Clouds, stores: Stores, plays: Plays) -> Flow:
    """Makes the site ready from which a system came."""
    from dr.failover.back_flow import MakeReady

    return MakeReady(clouds, core.settings, _voting(core.settings), _ways(core, clouds, stores, plays))


def _rungs(core: Core, clouds: Clouds, voting: "Voting") -> "list[Fence]":
    """What reads back that the old site's writers stand still, or makes them: storage, compute, network."""
    from dr.failover.cutting import NetworkFence, StopServers, StorageFence

    replication = open_replication(core.settings, core.clock)
    rungs: list[Fence] = [StopServers(clouds, voting), NetworkFence(clouds, voting)]
    if replication is not None:
        rungs.insert(0, StorageFence(observed_replication(replication, core.store), voting))
    return rungs


def _bringing(settings: Settings, plays: Plays) -> "Bringing":
    """The play of the agent, with the papers of this installation's witness."""
    from dr.agents.bringing import Bringing

    return Bringing(plays, lambda: witness_papers(settings))


def _voting(settings: Settings) -> "Voting":
    """The witness; where there is none, one that answers nobody."""
    from dr.failover.no_witness import NoWitness

    return open_witness(settings) if settings.witness_file.exists() else NoWitness()


def _ways(core: Core, clouds: Clouds, stores: Stores, plays: Plays) -> "Mapping[Way, DataWay]":
    """How the data of a part gets to the other site, by the word of its plan."""
    from dr.failover.points_way import PointsWay
    from dr.failover.protocols import WithoutData
    from dr.plans.document import Way
    from dr.ways.application import ApplicationWay

    points = PointsWay(clouds, stores, keyring_of(core.settings), core.settings)
    application = ApplicationWay(databases_of(core.settings, plays))
    ways: dict[Way, DataWay] = {
        Way.POINTS: points, Way.NONE: WithoutData(), Way.APPLICATION: application,
    }  # fmt: skip
    replication = open_replication(core.settings, core.clock)
    if replication is not None:
        from dr.ways.moving import ReplicationWay

        ways[Way.REPLICATION] = ReplicationWay(
            clouds, observed_replication(replication, core.store), core.settings
        )
    return ways


def _steering(core: Core) -> "Steering | None":
    """The name service that brings people to a site; None where dns.yaml names none."""
    from dr.traffic.moving import SteeringByName

    if not core.settings.dns_file.exists():
        return None
    return SteeringByName(open_dns(core.settings, core.store), core.settings)
