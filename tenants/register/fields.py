"""The fields of the register as data: what template, import, export, forms and checks are made from. Pure.

A record is a mapping from field name to value: text, int, bool, `date` or None. `column` fields have a
column of their own in `information_system`, the others lie in its `details`. A classified system holds
no content: fields with `is_content` stay empty for it.
Source of the fields: the seed documents as read in the policy page (levels, zones, classification,
MLPS, six basic libraries, DR tiers, hosting, IPv6, single sign-on, 信创, responsible people).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cloudctl.lifecycle import MigrationStage

CLASSIFIED_NAME = "涉密系统"  # all that is kept of the name of a classified one


class FieldKind(StrEnum):
    """How a value is read and written."""

    TEXT = "text"
    CHOICE = "choice"
    FLAG = "flag"
    DATE = "date"
    INTEGER = "integer"
    CODE = "code"  # a stable id: text, never a number
    DEPARTMENT = "department"  # code or name of one
    DIVISION = "division"  # GB/T 2260 code, as text
    SYSTEM = "system"  # code of another system


@dataclass(frozen=True)
class Field:
    """One column of the sheet and one key of the record."""

    name: str
    title: str  # the Chinese heading, as offices write it
    kind: FieldKind = FieldKind.TEXT
    choices: Mapping[str, str] = field(default_factory=dict)  # stored value -> Chinese
    column: str | None = None  # attribute of InformationSystem; None: kept in `details`
    is_required: bool = False
    is_content: bool = True  # must be empty for a classified system
    also: tuple[str, ...] = ()  # other headings people write
    least: int = 0
    most: int = 200  # characters of a text, or the largest integer
    default: object = None


def _choice(name: str, title: str, column: str | None, words: str, **more: object) -> Field:
    choices = dict(pair.split("=", 1) for pair in words.split(" "))
    return Field(name, title, FieldKind.CHOICE, choices, column, **more)  # type: ignore[arg-type]


def _date(name: str, title: str, column: str | None = None, **more: object) -> Field:
    return Field(name, title, FieldKind.DATE, {}, column, **more)  # type: ignore[arg-type]


def _flag(name: str, title: str, column: str | None = None, **more: object) -> Field:
    return Field(name, title, FieldKind.FLAG, {"yes": "是", "no": "否"}, column, default=False, **more)  # type: ignore[arg-type]


LEVELS = {"national": "国家级", "province": "省级", "city": "市级", "county": "县级"}
LIFE_STATES = {
    "planned": "规划",
    "building": "在建",
    "in_use": "在用",
    "suspended": "停用",
    "retired": "已下线",
    "merged": "已并入",
}
HOSTING = {
    "own_room": "自建机房",
    "colocation": "托管",
    "dedicated_network": "业务专网",
    "other_cloud": "其他云",
    "industry_cloud": "行业云",
    "gov_cloud": "政务云",
}
STAGES = {
    MigrationStage.REGISTERED: "已登记",
    MigrationStage.CLASSIFIED: "已定密审查",
    MigrationStage.ASSESSED: "已评估",
    MigrationStage.PLANNED: "已制定方案",
    MigrationStage.AGREED: "已签协议",
    MigrationStage.MIGRATING: "迁移中",
    MigrationStage.TRIAL: "试运行",
    MigrationStage.ACCEPTED: "已验收",
    MigrationStage.DONE: "已完成",
    MigrationStage.EXEMPT: "不宜上云",
    MigrationStage.RETIRED: "已下线",
    MigrationStage.MERGED: "已并入",
}
# The six basic libraries (六大基础信息资源库): key data and key application by rule.
LIBRARIES = {
    "population": "人口",
    "legal_entity": "法人单位",
    "credit": "公共信用",
    "economy": "宏观经济",
    "geography": "空间地理",
    "certificates": "电子证照",
}

FIELDS: tuple[Field, ...] = (
    Field("code", "系统编码", FieldKind.CODE, column="id", is_required=True, is_content=False, most=63),
    Field("name", "系统名称", column="name", also=("信息系统名称", "名称")),
    Field(
        "department", "单位", FieldKind.DEPARTMENT, column="department_id", is_required=True,
        is_content=False, also=("单位编码", "所属单位", "使用单位"),
    ),
    Field(
        "division", "行政区划代码", FieldKind.DIVISION, column="division_code", is_content=False,
        also=("行政区划",),
    ),
    _choice("level", "级别", "level", " ".join(f"{k}={v}" for k, v in LEVELS.items()), is_content=False),
    Field("category", "业务类别", column="category", also=("类别",)),
    _choice("zone", "网络区域", "zone", "public=公用网络区 dedicated=专用网络区 internet=互联网接入区"),
    _choice(
        "life_state", "系统状态", "life_state", " ".join(f"{k}={v}" for k, v in LIFE_STATES.items()),
        is_content=False, default="in_use", also=("生命周期状态", "状态"),
    ),
    _flag("is_classified", "是否涉密", "is_classified", is_content=False, also=("涉密",)),
    Field("decision_document", "定密审查文号", is_content=False, also=("定密文号",)),
    _date("decision_on", "定密审查日期", is_content=False),
    Field("decision_reviewer", "定密审查人", is_content=False),
    _choice(
        "network", "原网络", None, "internal=内网(非涉密) external=外网 internet=互联网 dedicated=业务专网"
    ),
    Field("mlps_level", "等保级别", FieldKind.INTEGER, column="mlps_level", least=1, most=5, default=2),
    Field("mlps_filing", "等保备案号", also=("备案号",)),
    _date("mlps_next_on", "下次测评日期"),
    _flag("is_key_application", "关键应用", "is_key_application"),
    _flag("has_key_data", "关键数据", "has_key_data"),
    _choice("basic_library", "基础库", "basic_library", " ".join(f"{k}={v}" for k, v in LIBRARIES.items())),
    Field("dr_tier", "灾备等级", FieldKind.INTEGER, column="dr_tier", most=4),
    _choice(
        "hosting", "部署方式", "hosting", " ".join(f"{k}={v}" for k, v in HOSTING.items()), default="own_room"
    ),
    _choice(
        "ipv6_state", "IPv6", "ipv6_state", "none=未改造 partly=部分支持 dual=双栈 only=单栈", default="none"
    ),
    _choice("sso_state", "统一认证", None, "none=未接入 planned=计划接入 joined=已接入", default="none"),
    _flag("is_domestic", "信创"),
    Field("leader", "分管领导", most=50),
    Field("unit", "责任单位"),
    Field("person", "责任人", most=50),
    Field("catalogue_id", "资源目录编号"),
    _date("commissioned_on", "投入使用日期", "commissioned_on"),
    _flag("is_centrally_built", "国家部委统建", "is_centrally_built", also=("部委统建",)),
    Field("merged_into", "并入系统", FieldKind.SYSTEM, column="merged_into_id", is_content=False, most=63),
    Field("split_from", "拆分自", FieldKind.SYSTEM, column="split_from_id", is_content=False, most=63),
    _choice(
        "stage", "迁移阶段", "stage", " ".join(f"{k}={v}" for k, v in STAGES.items()),
        is_content=False, default="registered",
    ),
    _date("assessed_on", "评估日期"),
    Field("plan_document", "迁移方案文号"),
    _date("planned_on", "计划完成日期"),
    _choice("agreement", "迁移协议", "agreement", "full=全部 partial=部分"),
    Field("agreement_document", "协议编号"),
    _date("agreed_on", "协议日期"),
    _date("migrating_from", "开始迁移日期"),
    _date("trial_from", "试运行开始日期"),
    _date("accepted_on", "验收日期"),
    Field("report_document", "迁云工作确认报告编号", also=("确认报告编号",)),
    _date("done_on", "完成日期"),
    Field("exempt_clause", "不宜上云依据"),
    Field("exempt_document", "不宜上云批文"),
    _date("exempt_until", "不宜上云有效期至", "exempt_until"),
    _date("old_host_off_on", "旧环境下线日期", "old_host_off_on"),
    Field("old_host_document", "旧环境下线凭证"),
    Field("notes", "备注", most=1000),
)  # fmt: skip

BY_NAME: Mapping[str, Field] = {one.name: one for one in FIELDS}
Value = object
Record = Mapping[str, Value]
