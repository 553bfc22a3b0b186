"""Every privacy model with any of its parameters, for a sensitive attribute ``s`` of the values 0 to 3."""

from hypothesis import strategies as st

from dataframe_level_anonymisation import (
    AlphaKAnonymity,
    AverageRisk,
    BetaLikeness,
    DeltaDisclosurePrivacy,
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    KMap,
    PrivacyModel,
    RecursiveCLDiversity,
    SampleUniqueness,
    TCloseness,
)

TREE = {"mapping": {"0": ["a"], "1": ["a"], "2": ["b"], "3": ["c"]}}

shares = st.sampled_from([0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 0.75, 1.0])
MODELS: dict[str, st.SearchStrategy[PrivacyModel]] = {
    "k-anonymity": st.builds(KAnonymity, st.integers(1, 8)),
    "k-map": st.builds(KMap, st.integers(1, 9)),
    "(α, k)-anonymity": st.builds(AlphaKAnonymity, shares, st.integers(1, 4), st.just("s")),
    "distinct l": st.builds(DistinctLDiversity, st.integers(1, 4), st.just("s")),
    "entropy l": st.builds(EntropyLDiversity, st.sampled_from([1, 1.2, 1.5, 2, 2.5, 3, 3.9]), st.just("s")),
    "recursive (c, l)": st.builds(
        RecursiveCLDiversity, st.sampled_from([0.4, 0.7, 1, 1.5, 3]), st.integers(1, 4), st.just("s")
    ),
    "t equal": st.builds(TCloseness, shares, st.just("s")),
    "t ordered": st.builds(TCloseness, shares, st.just("s"), st.just("ordered")),
    "t hierarchical": st.builds(TCloseness, shares, st.just("s"), st.just("hierarchical"), st.just(TREE)),
    "β basic": st.builds(BetaLikeness, st.sampled_from([0.2, 0.5, 1, 2, 4]), st.just("s"), st.just(False)),
    "β enhanced": st.builds(BetaLikeness, st.sampled_from([0.2, 0.5, 1, 2, 4]), st.just("s"), st.just(True)),
    "δ": st.builds(DeltaDisclosurePrivacy, st.sampled_from([0.3, 0.6, 1, 1.5, 3]), st.just("s")),
    "average risk": st.builds(AverageRisk, shares),
    "uniqueness": st.builds(SampleUniqueness, st.sampled_from([0.0, 0.05, 0.1, 0.3])),
}
