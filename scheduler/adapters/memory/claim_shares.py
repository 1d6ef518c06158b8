"""How many jobs of each priority a claim plan takes from queues of known lengths."""

from collections import Counter
from collections.abc import Mapping

from scheduler.domain.priority import ClaimPlan, Priority


def claim_shares(plan: ClaimPlan, lengths: Mapping[Priority, int]) -> Mapping[Priority, int]:
    """Walk the plan's quotas in order until its limit is reached or nothing is left."""
    shares: Counter[Priority] = Counter()
    for priority, quota in plan.quotas:
        shares[priority] += min(quota, plan.limit - shares.total(), lengths[priority] - shares[priority])
    return shares
