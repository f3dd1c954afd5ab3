from tests.web.test_api_fuzz import *
from tests.web.test_api_fuzz import _call
def test_mine(schema, headers):
    n=0
    how=settings(EVERYDAY, max_examples=40)
    for found in schema.get_all_operations():
        op=found.ok()
        if not op.path.startswith("/api/v1/migration") or "reports" in op.path: continue
        n+=1
        how(given(op.as_strategy(generation_mode=GenerationMode.POSITIVE))(_call(headers)))()
        with suppress(Unsatisfiable):
            how(given(op.as_strategy(generation_mode=GenerationMode.NEGATIVE))(_call(headers)))()
    assert n==16
