"""The systems of guangxi-systems.xlsx: whose, how far, and everything a row says of them.

Nothing of a classified system is written but that there is one. People are posts, never names.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from examples import guangxi_applications as tables
from examples.guangxi_progress import commissioned, day, old_host, part, pick, shown, spread
from tenants.migration.stages import ORDER, Stage
from tenants.register.fields import Record, Value
from tenants.topology.document import DepartmentEntry, Topology

REGION = "450000"
PORTAL = "gx-gov-office-portal"
INVENTED = "示例数据"
FROM_THE_PAPER = "名称见种子材料《广西电子政务外网建设与应用情况》，其余为示例数据"
VERTICAL_UNITS = ("gx-health", "gx-ethnic", "gx-market", "gx-disabled", "gx-letters")
ZONES = {
    "网站": "internet",
    "政务服务": "internet",
    "国家纵向": "dedicated",
    "应急": "dedicated",
    "卫生健康": "dedicated",
}
NETWORKS = {"internet": "internet", "dedicated": "dedicated", "public": "external"}
LOCAL = {"province": (), "city": tables.CITY, "county": tables.COUNTY}
ON_CLOUD = (Stage.TRIAL, Stage.ACCEPTED, Stage.DONE)
REGIONAL_ZONES = "public=6 dedicated=2 internet=2"
POSTS = {
    "厅": "分管副厅长",
    "局": "分管副局长",
    "办公室": "分管副主任",
    "委员会": "分管副主任",
    "中心": "分管副主任",
}
ELSEWHERE = "own_room=60 dedicated_network=12 other_cloud=9 industry_cloud=7"
ELSEWHERE_LOCALLY = f"{ELSEWHERE} colocation=12"  # of the region's departments the paper counts them


@dataclass(frozen=True)
class System:
    """What is known of a system before its stage and dates."""

    code: str
    name: str
    department: DepartmentEntry
    level: str
    category: str = "业务应用"
    mlps_level: int = 2
    zone: str = "public"
    is_key_application: bool = False
    has_key_data: bool = False

    @property
    def division(self) -> str:
        """The code of its department's division."""
        return self.department.division


def make(topology: Topology) -> list[Record]:
    """Every row, in the order of the sheet: region, cities, counties; those that count first."""
    running = [*_regional(topology), *_local(topology)]
    stages = _stages(running)
    colocated = _colocated(running, stages)
    rows = [_row(system, stages[system.code], system.code in colocated) for system in running]
    rows += [*_merged(topology, stages), *_retired(topology), *_begun(topology), *_classified(topology)]
    rank = {"national": 0, "province": 1, "city": 2, "county": 3}
    return sorted(rows, key=lambda row: (str(row["division"]), rank[str(row["level"])]))


# -- which systems there are


def _regional(topology: Topology) -> Iterator[System]:
    departments = {one.code: one for one in topology.departments}
    for one in topology.systems:
        if one.code.startswith("gx-"):
            category = one.category or "业务应用"
            level = "national" if category == "国家纵向" else "province"
            zone = ZONES.get(category, pick(one.code, "zone", REGIONAL_ZONES))
            zone = tables.ZONE_IN_THE_STORY.get(one.code, zone)
            flags = (one.key_application, one.key_data)
            if one.code in tables.BASIC_LIBRARIES:
                flags = (True, True)  # by rule: the six basic libraries are both
            owner = departments[one.department]
            yield System(one.code, one.name, owner, level, category, one.mlps_level, zone, *flags)
    for table, level in ((tables.NATIONAL, "national"), (tables.REGIONAL, "province")):
        for code, name in tables.named(table):
            category = "国家纵向" if level == "national" else "业务应用"
            zone = ZONES.get(category, pick(code, "zone", REGIONAL_ZONES))
            mlps_level = int(pick(code, "mlps", "2=5 3=4"))
            yield System(code, name, _owner(code, topology), level, category, mlps_level, zone)


def _local(topology: Topology) -> Iterator[System]:
    names = {division.code: division.name for division in topology.divisions}
    known = {one.code: one.name for one in topology.systems}
    for department in topology.departments:
        level = _level(department)
        bureau = department.code.rsplit("-", 1)[1]
        for owner, suffix, title, mlps_level, category, zone in LOCAL[level]:
            if owner == bureau:
                code = f"{department.code}-{suffix}"
                name = known.get(code, f"{names[department.division]}{title}" if level == "city" else title)
                flags = (suffix == "emergency", suffix == "exchange")
                yield System(code, name, department, level, category, mlps_level, zone, *flags)


# -- how far they are


def _stages(running: Iterable[System]) -> dict[str, Stage]:
    groups: dict[tuple[str, int, str], list[str]] = {}
    for system in running:
        city = f"{system.division[:4]}00"
        groups.setdefault((city, *_pace(system)), []).append(system.code)
    stages: dict[str, Stage] = {}
    for (_city, percent, rest), codes in groups.items():
        shares = {"ahead": tables.REST_AHEAD, "middle": tables.REST_MIDDLE, "behind": tables.REST_BEHIND}[
            rest
        ]
        stages |= spread(codes, percent, shares)
    for code in tables.AGREED_BY_NAME:
        if ORDER.index(stages[code]) < ORDER.index(Stage.AGREED):
            stages[code] = Stage.AGREED
    stages |= dict.fromkeys(tables.COLOCATED_BY_NAME, Stage.AGREED)
    stages |= dict.fromkeys(tables.EXEMPTION_ASKED, Stage.ASSESSED)
    stages |= dict.fromkeys(tables.EXEMPT_UNTIL, Stage.EXEMPT)
    return stages | dict.fromkeys(tables.ACCEPTED, Stage.ACCEPTED)


def _pace(system: System) -> tuple[int, str]:
    """Percent on the cloud, and where the rest stands, of the group that the system is in."""
    own, counties = tables.PACE_PERCENT[f"{system.division[:4]}00"]
    percent = {"national": 40, "province": own, "city": own, "county": counties}[system.level]
    if system.division in tables.COUNTIES_DONE:
        percent = max(percent, 90)
    if system.division in tables.COUNTIES_STARTED:
        percent = max(percent, 50)
    return percent, "ahead" if percent >= 75 else "middle" if percent > 40 else "behind"


def _colocated(running: Iterable[System], stages: Mapping[str, Stage]) -> set[str]:
    """One system each of more than twenty departments of the region: those of the paper, and more."""
    by_department: dict[str, str] = {}
    named_first = sorted(
        running, key=lambda one: (one.code not in tables.COLOCATED_BY_NAME, part(one.code, "room"))
    )
    for system in named_first:
        if system.division == REGION and stages[system.code] in ORDER[:6]:
            by_department.setdefault(system.department.code, system.code)
    return set(list(by_department.values())[: tables.LEAST_COLOCATED])


# -- rows


def _row(system: System, stage: Stage, is_colocated: bool = False) -> Record:
    code = system.code
    evidence = shown(code, Stage.ASSESSED if stage == Stage.EXEMPT else stage,
                     is_in_the_paper=code in tables.AGREED_BY_NAME)  # fmt: skip
    is_on_cloud = stage in ON_CLOUD
    row: dict[str, Value] = {
        "code": code, "name": system.name, "department": system.department.code, "division": system.division,
        "level": system.level, "category": system.category, "zone": system.zone, "life_state": "in_use",
        "is_classified": False, "network": NETWORKS[system.zone], "mlps_level": system.mlps_level,
        "is_key_application": system.is_key_application, "has_key_data": system.has_key_data,
        "basic_library": tables.BASIC_LIBRARIES.get(code), "dr_tier": _dr_tier(system),
        "hosting": _hosting(system, is_on_cloud, is_colocated),
        "ipv6_state": pick(code, "v6", "dual=8 partly=2 none=1" if is_on_cloud else "none=6 partly=3 dual=1"),
        "sso_state": pick(code, "sso", "joined=8 planned=2" if is_on_cloud else "none=5 planned=3 joined=2"),
        "is_domestic": part(code, "domestic") < (0.7 if is_on_cloud else 0.3),
        "commissioned_on": commissioned(code, evidence), "stage": stage.value, **evidence,
        **old_host(code, evidence, is_known=code in tables.ACCEPTED), **_filing(system), **_people(system),
        "split_from": tables.SPLIT_FROM.get(code), "notes": _notes(system),
    }  # fmt: skip
    if (
        system.level == "national"
        and not is_on_cloud
        and code not in tables.AGREED_BY_NAME
        and not is_colocated
    ):
        row |= {"is_centrally_built": True, "hosting": "dedicated_network"}
    if stage == Stage.EXEMPT or code in tables.EXEMPTION_ASKED:
        row["exempt_clause"] = "示例：依托专用设备运行，法规明确不宜迁移"
    if stage == Stage.EXEMPT:
        until = date.fromisoformat(tables.EXEMPT_UNTIL[code])
        row |= {
            "exempt_document": f"示例免迁〔2025〕{1 + round(part(code, 'exempt') * 60):03d}号",
            "exempt_until": until,
        }
    return row


def _hosting(system: System, is_on_cloud: bool, is_colocated: bool) -> str:
    if is_on_cloud:
        return "gov_cloud"
    if is_colocated:
        return "colocation"
    return pick(system.code, "hosting", ELSEWHERE if system.division == REGION else ELSEWHERE_LOCALLY)


def _dr_tier(system: System) -> int | None:
    """T4 for key applications, T2 for key data and MLPS 3; of one in ten nobody has said what it wants."""
    if part(system.code, "tier") < 0.1 and not system.has_key_data:
        return None
    return 4 if system.is_key_application else 2 if system.has_key_data or system.mlps_level >= 3 else 1


def _filing(system: System) -> dict[str, Value]:
    if part(system.code, "filing") < 0.22:  # not filed, or nobody knows the number
        return {}
    number = f"示例{system.division}-{1 + round(part(system.code, 'number') * 99_998):05d}"
    month = 1 + round(part(system.code, "month") * 11)
    year = int(pick(system.code, "next", "2026=3 2027=6"))
    return {"mlps_filing": number, "mlps_next_on": date(year, month, 15)}


def _people(system: System) -> dict[str, Value]:
    """Posts; of one in twelve nobody is named. A number in the catalogue of resources has six in ten."""
    record: dict[str, Value] = {}
    if part(system.code, "catalogue") < 0.6:
        record["catalogue_id"] = f"示例{system.division}{1 + round(part(system.code, 'entry') * 9998):04d}"
    if part(system.code, "people") >= 1 / 12:
        is_local = system.level in ("city", "county")
        units = "信息中心=3 办公室=2 科技信息科=2" if is_local else "信息中心=4 办公室=2 科技信息处=2"
        unit = pick(system.code, "unit", units)
        post = next((post for end, post in POSTS.items() if system.department.name.endswith(end)), "分管副职")
        record |= {"leader": post, "unit": unit, "person": f"{unit}负责人"}
    return record


def _notes(system: System) -> str:
    if system.code not in tables.FROM_THE_PAPER:
        return INVENTED
    if system.department.code in VERTICAL_UNITS and system.category != "国家纵向":
        return f"{FROM_THE_PAPER}；材料载明卫计、民委、物价、残联、信访等部门累计接入下属单位 806 个"
    return FROM_THE_PAPER


# -- systems that do not count: gone, not there yet, or classified


def _merged(topology: Topology, stages: Mapping[str, Stage]) -> Iterator[Record]:
    """Sites merged into the portal of their government; where that has not moved yet, they still run."""
    departments = {one.code: one for one in topology.departments}
    sites = [(f"{code}-site", f"{departments[code].name}网站", code, PORTAL) for code in tables.MERGED_SITES]
    sites.append(("gx-bigdata-portal", "自治区人民政府门户网站", "gx-bigdata", PORTAL))  # as lab.yaml has it
    for code, department in departments.items():
        bureau = code.rsplit("-", 1)[1]
        if _level(department) == "county" and bureau in ("edu", "health") and part(code, "site") < 0.3:
            portal = f"{code.removesuffix(bureau)}office-portal"
            sites.append((f"{code}-site", f"{department.name}网站", code, portal))
    for code, name, owner, portal in sites:
        department = departments[owner]
        system = System(code, name, department, _level(department), "网站", zone="internet")
        if stages[portal] in ON_CLOUD:
            yield _ended(system, Stage.MERGED, merged_into=portal, hosting="gov_cloud")
        else:
            yield _row(system, Stage.REGISTERED)


def _retired(topology: Topology) -> Iterator[Record]:
    for one in topology.departments:
        if one.code in tables.RETIRED:
            system = System(f"{one.code}-oldoa", "旧版办公自动化系统", one, _level(one), "协同办公")
            yield _ended(
                system, Stage.RETIRED, old_host_off_on=day(one.code, "off", "2023-03-01", "2025-10-31")
            )


def _ended(system: System, stage: Stage, **more: Value) -> Record:
    since = day(system.code, "commissioned", "2008-01-01", "2014-12-31")
    ended = {"stage": stage.value, "life_state": stage.value, "commissioned_on": since, **more}
    return {**_row(system, Stage.REGISTERED), **ended}


def _begun(topology: Topology) -> Iterator[Record]:
    for code, name in tables.named(tables.BEGUN):
        system = System(code, name, _owner(code, topology), "province")
        life = pick(code, "life", "planned=1 building=1")
        yield {**_row(system, Stage.REGISTERED), "life_state": life, "commissioned_on": None}


def _classified(topology: Topology) -> Iterator[Record]:
    """Counted and nothing more: whose, how many, and the decision."""
    departments = {one.code: one for one in topology.departments}
    owners = [*tables.CLASSIFIED]
    for code, department in departments.items():
        if code.endswith("-office") and (_level(department) == "city" or part(code, "classified") < 1 / 8):
            owners += [code] if department.division != REGION else []
    numbers: Counter[str] = Counter()
    for code in owners:
        numbers[code] += 1
        stage = Stage.REGISTERED if code in tables.WITHOUT_DECISION else Stage.CLASSIFIED
        yield {
            "code": f"{code}-c{numbers[code]}", "department": code, "division": departments[code].division,
            "level": _level(departments[code]), "life_state": "in_use", "is_classified": True,
            "stage": stage.value, **shown(f"{code}-c{numbers[code]}", stage),
        }  # fmt: skip


def _level(department: DepartmentEntry) -> str:
    if department.division == REGION:
        return "province"
    return "city" if department.division.endswith("00") else "county"


def _owner(code: str, topology: Topology) -> DepartmentEntry:
    """The department whose code the system's begins with, the longest of them."""
    owners = [one for one in topology.departments if code.startswith(f"{one.code}-")]
    return max(owners, key=lambda one: len(one.code))
