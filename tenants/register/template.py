"""The sheet that offices fill in: headings, drop-down lists, and a page that explains every column."""

from collections import Counter
from collections.abc import Sequence

from xlsxwriter.worksheet import Worksheet

from cloudctl.clock import local_day
from cloudctl.core import Core
from tenants import documents
from tenants.register.exporting import Sheet
from tenants.register.fields import FIELDS, Field, FieldKind
from tenants.register.offices import Offices, read_offices
from tenants.register.reading import HELP_SHEET
from tenants.register.sheet import MOST_ROWS
from tenants.register.workbook import SHEET, Workbook, heading, write_headings

_LISTS = "选项"
_LAST = MOST_ROWS  # the last row of the sheet that is looked at, counted from 0
_WORDS = {
    FieldKind.TEXT: "文字",
    FieldKind.CHOICE: "从下拉列表中选择",
    FieldKind.FLAG: "是 或 否",
    FieldKind.DATE: "日期，如 2026-11-01",
    FieldKind.INTEGER: "整数",
    FieldKind.CODE: "小写字母、数字、“.”“_”“-”，最长 63 个字符",
    FieldKind.DEPARTMENT: "单位名称或单位编码",
    FieldKind.DIVISION: "行政区划代码（GB/T 2260）",
    FieldKind.SYSTEM: "另一系统的系统编码",
}
_NOTES = {
    "code": "系统的唯一标识，登记后不变；再次导入时按编码更新，不会重复登记。",
    "name": "涉密系统不填。",
    "division": "不填则取单位所在行政区划。",
    "level": "不填则取行政区划的级别。",
    "life_state": "单元格留空表示不改变；新系统为“在用”。",
    "is_classified": "涉密系统只填单位、区划、级别、状态和定密信息，其余各列必须为空，不得填写任何内容。",
    "decision_document": "涉密系统无定密审查文号的，仍计入应迁移系统。",
    "basic_library": "六大基础信息资源库自动认定为关键数据、关键应用。",
    "dr_tier": "0 无；1 本地备份；2 异地备份；3 异地应用级；4 双活。"
    "关键数据、等保三级不低于 2，关键应用为 4；不填则按规定取最低等级。",
    "merged_into": "并入后只在所并入的系统中统计。",
    "stage": "单元格留空表示不改变。填“不宜上云”为提出申请，须由另一人批准后生效。",
    "notes": "不得填写涉密内容。",
}
_HOW = (
    "填写说明",
    "1. 每行一个系统；标 * 的列必填；从第 2 行开始填写，不合并单元格，不使用公式，数据放在一张工作表中。",
    "2. 导入前先预览。有问题的行在返回的工作簿中标红，最后一列写明问题；改正后重新导入，无须删除该列。",
    "3. 表中没有的列不改变原有内容；有列而单元格留空，表示清空该项（系统状态、迁移阶段除外）。",
    "4. 编码、文号等列已设为文本格式，请勿改为数字或日期格式。",
)


def template(core: Core) -> Sheet:
    """The empty sheet with the departments and divisions of now in its lists."""
    with core.store.read() as uow:
        offices = read_offices(uow)
    day = local_day(core.clock.now()).isoformat()
    return Sheet(f"政务信息系统登记表（模板）_{day}.xlsx", documents.XLSX, make_template(offices))


def make_template(offices: Offices) -> bytes:
    """The workbook: a sheet to fill in, a page of help, and the long lists on a hidden sheet."""
    made = Workbook()
    sheet, page, lists = made.add_sheet(SHEET), made.add_sheet(HELP_SHEET), made.add_sheet(_LISTS)
    write_headings(made, sheet)
    long_lists = {"department": _departments(offices), "division": _divisions(offices)}
    for position, (name, words) in enumerate(long_lists.items()):
        lists.write_column(0, position, words)
        column = chr(ord("A") + position)
        source = f"='{_LISTS}'!${column}$1:${column}${max(1, len(words))}"
        _offer(sheet, name, {"validate": "list", "source": source, "error_type": "warning"})
    for field in FIELDS:
        if field.choices:
            _offer(sheet, field.name, {"validate": "list", "source": list(field.choices.values())})
        elif field.kind is FieldKind.INTEGER:
            bounds = {"criteria": "between", "minimum": field.least, "maximum": field.most}
            _offer(sheet, field.name, {"validate": "integer", **bounds})
    lists.hide()
    _explain(made, page)
    sheet.activate()
    return made.content()


def _offer(sheet: Worksheet, name: str, rule: dict[str, object]) -> None:
    column = next(index for index, field in enumerate(FIELDS) if field.name == name)
    field = FIELDS[column]
    words = {
        "input_title": field.title,
        "input_message": (_NOTES.get(name) or _WORDS[field.kind])[:255],
        "error_title": field.title,
        "error_message": f"请按要求填写：{_WORDS[field.kind]}",
    }
    sheet.data_validation(1, column, _LAST, column, {**words, **rule})


def _explain(made: Workbook, page: Worksheet) -> None:
    for row, line in enumerate(_HOW):
        page.write_string(row, 0, line)
    top = len(_HOW) + 1
    for column, (words, width) in enumerate((("列", 26), ("怎样填写", 44), ("可选内容", 60), ("说明", 80))):
        page.write_string(top, column, words, made.heading)
        page.set_column(column, column, width)
    for row, field in enumerate(FIELDS, top + 1):
        for column, words in enumerate(
            (heading(field), _how(field), "、".join(field.choices.values()), _NOTES.get(field.name, ""))
        ):
            page.write_string(row, column, words)


def _how(field: Field) -> str:
    if field.kind is FieldKind.INTEGER:
        return f"{field.least} 至 {field.most} 的整数"
    if field.kind is FieldKind.TEXT:
        return f"文字，最长 {field.most} 个字符"
    return _WORDS[field.kind]


def _departments(offices: Offices) -> Sequence[str]:
    """Names where one has it alone, else code and name: what people choose can always be read back."""
    current = [one for one in offices.departments.values() if not one.is_retired]
    names = Counter(one.name for one in current)
    return [one.name if names[one.name] == 1 else f"{one.id} {one.name}" for one in current]


def _divisions(offices: Offices) -> Sequence[str]:
    current = [one for one in offices.divisions.values() if not one.is_retired]
    return [f"{one.code} {one.name}" for one in sorted(current, key=lambda one: one.code)]
