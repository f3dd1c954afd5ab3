"""The flows of disaster recovery, wired: drills, moves and the way back, the shares of people."""

from typing import TYPE_CHECKING

from cloudctl.bootstrap.drivers import open_application, open_dns, open_replication, open_witness
from cloudctl.bootstrap.keys import keyring_of
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.operations import Flow
from cloudctl.ports import Clouds, Stores
from cloudctl.read_only import observed_replication

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dr.failover.protocols import DataWay, Steering, Voting
    from dr.plans.document import Way


def make_shift(core: Core) -> Flow:
    """Moves people between sites, step by step."""
    from dr.traffic.flow import ShiftPeople
    from provisioning.drivers.http_outside import HttpOutside

    return ShiftPeople(open_dns(core.settings, core.store), HttpOutside(), core.settings)


def make_drill(core: Core, clouds: Clouds, stores: Stores) -> Flow:
    """Rehearses a plan at the recovery site."""
    from dr.drills.cloning import FromPoints
    from dr.drills.ends import Ending
    from dr.drills.flow import Rehearse
    from dr.plans.document import Way
    from dr.reports.finishing import Finishing
    from provisioning.lanes import Lanes

    settings, keyring, lanes = core.settings, keyring_of(core.settings), Lanes()
    points = FromPoints(clouds, stores, keyring, settings, lanes)
    ending = Ending(Finishing(settings, keyring.signer, core.audit))
    return Rehearse(clouds, {Way.POINTS: points}, settings, lanes, ending)


def make_failover(core: Core, clouds: Clouds, stores: Stores) -> Flow:
    """Moves a system to its other site, with a report at the end."""
    from dr.failover.answering import AskedFromHere
    from dr.failover.flow import Move
    from dr.failover.off import ServersOff
    from dr.reports.finishing import Finishing, ReportedMove

    settings = core.settings
    ways, steering = _ways(core, clouds, stores), _steering(core)
    moving = Move(
        settings, _voting(settings), ways, AskedFromHere(), steering, [ServersOff(clouds)], audit=core.audit
    )
    signer = keyring_of(settings).signer
    return ReportedMove(moving, Finishing(settings, signer, core.audit, open_application))


def make_failback(core: Core, clouds: Clouds, stores: Stores) -> Flow:
    """Makes the site ready from which a system came."""
    from dr.failover.back_flow import MakeReady

    return MakeReady(clouds, core.settings, _voting(core.settings), _ways(core, clouds, stores))


def _voting(settings: Settings) -> "Voting":
    """The witness; where there is none, one that answers nobody."""
    from dr.failover.no_witness import NoWitness

    return open_witness(settings) if settings.witness_file.exists() else NoWitness()


def _ways(core: Core, clouds: Clouds, stores: Stores) -> "Mapping[Way, DataWay]":
    """How the data of a part gets to the other site, by the word of its plan."""
    from dr.failover.points_way import PointsWay
    from dr.failover.protocols import WithoutData
    from dr.plans.document import Way

    points = PointsWay(clouds, stores, keyring_of(core.settings), core.settings)
    ways: dict[Way, DataWay] = {Way.POINTS: points, Way.NONE: WithoutData()}
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
