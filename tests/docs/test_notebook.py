"""The notebook page runs as written, block after block, and the reference names every public name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import lingome as lg

ROOT = Path(__file__).parent.parent.parent
NOTEBOOK = ROOT / "docs" / "tutorials" / "notebook.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_every_block_runs_in_order_on_data_that_the_package_fetches(tmp_path: Path, data_dir: Path):
    blocks = BLOCK.findall(NOTEBOOK.read_text(encoding="utf-8"))
    assert len(blocks) == 8
    assert not any("LINGOME_DATA" in block for block in blocks)
    script = tmp_path / "page.py"
    script.write_text("\n".join([*blocks, "assert len(written) == 5 and len(written[0]) == 200", "print(fit.answer)"]))
    env = {**os.environ, "LINGOME_DATA": str(data_dir), "LINGOME_OFFLINE": "1"}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("The model chosen on validation")
    assert (tmp_path / "runs" / "mine" / "report.html").is_file()


def test_every_public_name_is_in_the_reference():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    summaries = re.findall(r"^   lingome\.(\S+)$", page, re.MULTILINE)
    described = re.findall(r"^\.\. auto(?:function|class|exception):: lingome\.(\S+)$", page, re.MULTILINE)
    named = [name.rsplit(".", 1)[-1] for name in summaries]
    assert sorted(named) == sorted(lg.__all__)
    assert {name.rsplit(".", 1)[-1] for name in described} >= set(lg.__all__)
