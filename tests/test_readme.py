"""The README's Python and commands run as they stand."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _readme_blocks(language):
    text = (ROOT / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_readme_python_runs(tmp_path, run_alone):
    blocks = _readme_blocks("python")
    assert blocks
    (tmp_path / "readme.py").write_text("\n".join(blocks))
    run_alone(sys.executable, "readme.py", cwd=tmp_path)


def test_readme_commands_run(tmp_path, run_alone):
    """Every `augan` line of the README's shell blocks, in order, on the table that it makes."""
    lines = [line for block in _readme_blocks("sh") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith(("augan ", "python -c"))]
    assert any(line.startswith("augan fit") for line in commands)
    environment_bin = Path(sys.executable).parent
    for line in commands:
        run_alone("bash", "-ec", f'export PATH="{environment_bin}:$PATH"; {line}', cwd=tmp_path)
    assert (tmp_path / "scores.csv").exists()
