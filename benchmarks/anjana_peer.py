"""ANJANA on a register that `anonymisation.py` has written: times its call alone and writes what it gives.

ANJANA pins its dependencies exactly, so this runs in an environment of its own:

    uv run --isolated --no-project --with anjana python benchmarks/anjana_peer.py \
        --data register.csv --hierarchies hierarchies.json --output anjana.csv --k 5 --suppression 5 [--l 3 | --t 0.2]

The last line printed is JSON: ``version``, ``seconds`` and ``rows`` of the output.
"""

import argparse
import importlib.metadata
import json
import time
from pathlib import Path

import pandas as pd
from anjana.anonymity import k_anonymity, l_diversity, t_closeness


def hierarchy(path: str) -> dict[int, list[str]]:
    """Read a hierarchy as ANJANA takes it: for each level the labels of all values, level 0 the values themselves."""
    table = pd.read_csv(path, sep=";", header=None, dtype=str, keep_default_na=False)
    return {level: table[level].to_numpy() for level in table.columns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hierarchies", type=Path, required=True, help="JSON: path of each quasi-identifier's table")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sensitive", default="diagnosis")
    parser.add_argument("--k", type=int, required=True)
    parser.add_argument("--l", type=int)
    parser.add_argument("--t", type=float)
    parser.add_argument("--suppression", type=float, default=0.0, help="per cent")
    options = parser.parse_args()
    data = pd.read_csv(options.data, dtype=str, keep_default_na=False)
    hierarchies = {column: hierarchy(path) for column, path in json.loads(options.hierarchies.read_text()).items()}
    quasi_identifiers = list(hierarchies)
    started = time.perf_counter()
    if options.l:
        output = l_diversity(
            data, [], quasi_identifiers, options.sensitive, options.k, options.l, options.suppression, hierarchies
        )
    elif options.t:
        output = t_closeness(
            data, [], quasi_identifiers, options.sensitive, options.k, options.t, options.suppression, hierarchies
        )
    else:
        output = k_anonymity(data, [], quasi_identifiers, options.k, options.suppression, hierarchies)
    seconds = time.perf_counter() - started
    output.to_csv(options.output, index=False)
    report = {"version": importlib.metadata.version("anjana"), "seconds": seconds, "rows": len(output)}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
