"""Makes examples/guangxi-systems.xlsx: the register of a region of real size, every row of it an example.

    python -m examples.make_guangxi_systems

The same file comes out each time, to the byte. What stems from the seed documents and what is invented is
said in guangxi_applications.py, on the page 填写说明 of the file and, row by row, in its column 备注.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from examples import guangxi_applications as tables
from examples.guangxi_systems import make
from tenants.register.fields import FIELDS, LEVELS, STAGES, FieldKind, Record
from tenants.register.reading import HELP_SHEET
from tenants.register.workbook import SHEET, Workbook, shown, write_headings
from tenants.topology import load

HERE = Path(__file__).parent
TARGET = HERE / "guangxi-systems.xlsx"
MADE_ON = datetime(2026, 11, 20)  # said by the file of itself; a clock would change it every time
NOTES = """\
本表为示例，不反映任何地方、任何单位的真实情况；编号一律以“示例”开头，责任人只写岗位。
All of this is an example and says nothing of any real office; numbers begin with 示例, people are posts.
{blank}
一、出自种子材料《广西电子政务外网建设与应用情况》的数据 / Figures of the seed paper
国家纵向应用 {national} 项、自治区应用 {regional} 项：级别为国家级、省级的在用非涉密系统正好是这些。
备注写明“名称见种子材料”的 {named} 项，名称出自材料；其余名称为示例。
区直单位 126 个，每个至少有一行；设区市 14 个；县(市、区)当时 113 个，现为 111 个，每个至少有四行。
20 多个区直单位托管设备：本表 {colocated} 个，公安厅、商务厅、档案馆、民语委出自材料，其余为示例。
人大常委会办公厅、检察院、旅发委、信访局、工商局、统计局、扶贫办、出入境管理局、测绘局签有迁移协议：对应的系统都有协议，日期为示例。
11 个市已建成横向网络，百色、防城港、崇左在其外：这三市进度最慢；平桂等 9 个县区已建成：这些县区进度较快。
{blank}
二、材料中不是信息系统、因此不在本表的数据 / Figures of the paper that are no systems
下属单位接入 806 个；互联网出口用户单位 95 个，出口带宽 2 Gbps；数字证书 10800 张；
申请存储备份容量 2500 GB；2014 年全网畅通率 99.25%。
{blank}
三、示例数据 / Invented
阶段、日期、文号、备案号、灾备等级、部署方式、IPv6、统一认证、信创、责任岗位，以及市、县系统的全部内容。
涉密系统只计数：不写名称和内容；{undecided} 个没有定密审查文号，按口径仍计入应上云数。
有意保留的缺项：未定密审查、无备案号、测评逾期、协议多年未迁、旧环境未下线、不宜上云已过期、新建系统未上云。
不宜上云 {exempt} 行：期限未到的，导入后是“申请”，由另一人批准后才生效；期限已过的须上云。
{blank}
四、合计 / Totals
{totals}"""


def write(records: Sequence[Record]) -> bytes:
    """The workbook: the sheet of the register as an export writes it, and a page that says what it is."""
    made = Workbook()
    made.book.set_properties({"title": "广西政务信息系统登记表(示例)", "created": MADE_ON})
    sheet = made.add_sheet(SHEET)
    write_headings(made, sheet)
    for row, record in enumerate(records, 1):
        for column, field in enumerate(FIELDS):
            value = record.get(field.name)
            if isinstance(value, date):
                sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), made.day)
            elif field.kind is FieldKind.INTEGER and isinstance(value, int):
                sheet.write_number(row, column, value)
            elif value is not None:
                sheet.write_string(row, column, shown(field, value), made.text)
    page = made.add_sheet(HELP_SHEET)
    page.set_column(0, 0, 120)
    for row, line in enumerate(notes(records)):
        page.write_string(row, 0, line)
    return made.content()


def notes(records: Sequence[Record]) -> list[str]:
    """What is from the seed documents and what is invented, a line each, with the totals of these records."""
    levels = Counter(LEVELS[str(one["level"])] for one in records)
    stages = Counter(STAGES[str(one["stage"])] for one in records)  # type: ignore[index]
    totals = [
        f"共 {len(records)} 行。按级别：" + "，".join(f"{name} {n}" for name, n in levels.items()),
        "按迁移阶段：" + "，".join(f"{name} {stages[name]}" for name in STAGES.values()),
    ]
    text = NOTES.format(
        blank="",
        national=tables.NATIONAL_COUNT,
        regional=tables.REGIONAL_COUNT,
        named=len(tables.FROM_THE_PAPER),
        colocated=tables.LEAST_COLOCATED,
        undecided=sum(bool(one["is_classified"]) and not one.get("decision_document") for one in records),
        exempt=len(tables.EXEMPT_UNTIL),
        totals="\n".join(totals),
    )
    return text.splitlines()


def main() -> None:
    """Write the file anew and say what is in it."""
    records = make(load.read(HERE / "guangxi.yaml"))
    TARGET.write_bytes(write(records))
    print("\n".join(notes(records)[-2:]))


if __name__ == "__main__":
    main()
