"""Makes examples/guangxi-lab.yaml: the whole region on the two clouds of the lab.

    python -m examples.make_guangxi_lab

Divisions and departments are those of guangxi.yaml, all else is lab.yaml, so that the story and the lab run
on it as they are. Nanning has a cloud of its own; a city without the means uses the province's.
"""

import re
from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE / "guangxi-lab.yaml"
NANNING = "450100"
SERVED_BY = {"450000": "province", NANNING: "city-1, province"}
HEADER = """\
# 由 examples/make_guangxi_lab.py 从 guangxi.yaml 和 lab.yaml 生成，请改那两份，不要改这份。
# Made by examples/make_guangxi_lab.py from guangxi.yaml and lab.yaml: change those, not this one.
#
# 广西全区的行政区划和单位，放在实验环境的两朵云上：南宁市用市级云，没有条件自建的市用自治区云。
# All divisions and departments of Guangxi on the two clouds of the lab: Nanning on the city's, and every city
# without the means for one on the province's. The systems of the register come with:
#
#   cloudctl topology apply examples/guangxi-lab.yaml
#   cloudctl system import examples/guangxi-systems.xlsx

version: 1
"""


def make(guangxi: str, lab: str) -> str:
    """The text of the file, from the texts of the other two; every section of theirs keeps its comments."""
    region, sections = _sections(guangxi), _sections(lab)
    taken = {"divisions": _served_by_the_lab(region["divisions"]), "departments": region["departments"]}
    for name, text in taken.items():
        lead = sections[name][: sections[name].index(f"\n{name}:\n") + 1]  # its comment there
        sections[name] = f"{lead}{text[text.index(f'{name}:') :]}"
    return HEADER + "".join(sections[name] for name in sections if name != "version")


def _sections(text: str) -> dict[str, str]:
    """Top-level keys in their order; comments and blank lines go with the key below them."""
    found: dict[str, list[str]] = {}
    waiting: list[str] = []
    for line in text.splitlines(keepends=True):
        if key := re.match(r"([a-z]+):", line):
            found[name := key[1]] = [*waiting, line]
            waiting = []
        elif line.startswith(" ") and found:
            found[name] += [*waiting, line]
            waiting = []
        else:
            waiting.append(line)
    return {key: "".join(lines) for key, lines in found.items()}


def _served_by_the_lab(divisions: str) -> str:
    """The same divisions; a county has no site of its own here and follows its city."""
    return "".join(_served(line) for line in divisions.splitlines(keepends=True))


def _served(line: str) -> str:
    entry = re.match(r'  - \{code: "(\d{6})", name: ([^,}]+)', line)
    if entry is None:
        return line
    code, name = entry.groups()
    served_by = f", served_by: [{SERVED_BY.get(code, 'province')}]" if code.endswith("00") else ""
    return f'  - {{code: "{code}", name: {name}{served_by}}}\n'


def main() -> None:
    """Write the file anew."""
    texts = [(HERE / name).read_text(encoding="utf-8") for name in ("guangxi.yaml", "lab.yaml")]
    TARGET.write_text(make(*texts), encoding="utf-8")


if __name__ == "__main__":
    main()
