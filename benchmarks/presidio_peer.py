"""Presidio on sentences that `detection.py` has written: times its analysis alone and writes what it finds.

Its dependencies have upper limits that ours have not, so this runs in an environment of its own:

    uv run --isolated --no-project --with presidio-analyzer==2.2.362 python benchmarks/presidio_peer.py \
        --texts texts.json --output found.json

`texts.json` holds a list of texts for each language. Without names: its language models are blank ones. `found.json`
gets ``version``, ``seconds`` for each language, and for each text a list of ``[entity, start, end, score]``.
"""

import argparse
import importlib.metadata
import json
import tempfile
import time
from pathlib import Path

import spacy
from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpEngineProvider


def analyser(language: str, folder: Path) -> AnalyzerEngine:
    """Make an engine with all recognisers that Presidio has for a language by default."""
    model = folder / language
    spacy.blank(language).to_disk(model)
    models = [{"lang_code": language, "model_name": str(model)}]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    registry = RecognizerRegistry(supported_languages=[language])
    registry.load_predefined_recognizers(languages=[language], nlp_engine=engine)
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[language])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    seconds, found = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for language, texts in json.loads(options.texts.read_text()).items():
            batches = BatchAnalyzerEngine(analyser(language, Path(folder)))
            list(batches.analyze_iterator(texts[:10], language))  # warm up
            started = time.process_time()
            results = list(batches.analyze_iterator(texts, language))
            seconds[language] = time.process_time() - started
            found[language] = [[(hit.entity_type, hit.start, hit.end, hit.score) for hit in hits] for hits in results]
    report = {"version": importlib.metadata.version("presidio-analyzer"), "seconds": seconds, "found": found}
    options.output.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
