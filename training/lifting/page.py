"""Write the measured tables of docs/lifting.md from results/*.json.

cd training
python -m lifting.page
"""

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "lifting.md"
BEGIN, END = "<!-- lifting -->", "<!-- end of lifting -->"


def table(head: list[str], rows: list[list[Any]]) -> str:
    """Markdown; numbers to one place."""
    lines = [f"| {' | '.join(head)} |", f"|---|---|{'--:|' * (len(head) - 2)}"]
    for row in rows:
        cells = [f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def held_out(report: dict[str, Any]) -> str:
    """Subjects that nothing was trained on."""
    rows = [
        [row["what"], row["network"], row["mpjpe_mm"], row["pa_mpjpe_mm"]]
        for row in report["held out"]
    ]
    return table(["held-out subjects", "network", "MPJPE, mm", "PA-MPJPE, mm"], rows)


def clip(rows: list[dict[str, Any]]) -> str:
    """One man, four cameras."""
    head = [
        "camera",
        "network",
        "MPJPE, mm",
        "PA-MPJPE, mm",
        "swapped",
        "motion",
        "limbs vary, %",
        "most",
    ]
    cells = [
        [
            row["camera"],
            row["what"],
            row["mpjpe_mm"],
            row["pa_mpjpe_mm"],
            row["swapped_frames"],
            f"{row['motion']:.2f}",
            *(100 * row[name] if name in row else "" for name in ("limbs_vary", "most")),
        ]
        for row in rows
    ]
    return table(head, cells)


def within(report: dict[str, Any]) -> str:
    """How often errors are within the uncertainty."""
    parts = [row["parts"] for row in report["within"]["single"]]
    rows = [
        [kind, "of the joints, %", *(100 * row["within"] for row in found)]
        for kind, found in report["within"].items()
    ]
    return table(["within so many times it", "", *map(str, parts)], rows)


def written(page: str) -> str:
    """The page with its tables as the results are."""
    report = json.loads((RESULTS / "lifting.json").read_text())
    parts = [
        held_out(report),
        clip(json.loads((RESULTS / "clip.json").read_text())),
        within(report),
    ]
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n\n".join(parts)
    return f"{before}{BEGIN}\n{body}\n{END}{after}"


def main() -> int:
    """Write the page."""
    PAGE.write_text(written(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
