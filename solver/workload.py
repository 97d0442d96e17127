"""A workload class: a model, its lengths, its promises and its reuse, in SI units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Workload:
    """One class of requests and how many of them there are.

    Attributes
    ----------
    id, model_id : str
        Class id and the catalog id of the model that serves it.
    isl, osl : float
        Mean input and output tokens of a request.
    isl_cv, osl_cv : float
        Coefficients of variation of the lengths.
    reuse_frac_max : float
        Share of input tokens that an infinite prefix cache would hold.
    reuse_curve : str or None
        Catalog id of the retention curve; None when nothing can be reused.
    arrival_cv : float
        Coefficient of variation of interarrival times.
    ttft_s, tpot_s : float or None
        Promises; None means that none is given (offline work).
    percentile : float
        Share of requests that must keep the TTFT promise.
    promise_on : str
        Which requests the TTFT promise binds: ``all``, ``hit``, or ``per_1k_new_tokens``, where `ttft_s` is for
        each thousand new tokens of the mean prompt.
    percentile_over : str
        ``waits``: the percentile is of waits, for a prompt of mean length. ``lengths``: of requests, some of which
        are long.
    longest_isl : float
        Longest prompt that the model takes.
    weight_precisions : tuple of str
        Precisions of weights that the class accepts.
    kv_precision : str
        Precision of the KV cache, the same in prefill and decode so that they can pair.
    kv_read_frac : float
        Share of the KV cache read in each decode step.
    value_per_token : float
        Weight of the class's tokens in value-weighted reports.
    draft_acceptance : float
        Chance that a drafted token is accepted if the one before it was; 0 where the study drafts none.
    system_tokens : float
        Tokens at the start of every prompt that all requests share: tools and system prompt. Each attention-data
        group keeps them once; they are neither prefilled, parked nor handed over with a request.
    price_usd_per_token, unmet_usd_per_request : float or None
        What a token earns, and what a request that is not served costs; None where the study gives no price.
    requests_per_s : float
        Demand; in a mix only the proportions between classes count.
    """

    id: str
    name: str
    model_id: str
    isl: float
    osl: float
    isl_cv: float
    osl_cv: float
    reuse_frac_max: float
    reuse_curve: str | None
    arrival_cv: float
    ttft_s: float | None
    tpot_s: float | None
    percentile: float
    weight_precisions: tuple[str, ...]
    kv_precision: str
    kv_read_frac: float
    value_per_token: float
    requests_per_s: float
    price_usd_per_token: float | None = None
    unmet_usd_per_request: float | None = None
    system_tokens: float = 0.0
    promise_on: str = "all"
    draft_acceptance: float = 0.0
    percentile_over: str = "waits"
    longest_isl: float = math.inf

    def ttft_promise_s(self, cached: float) -> float | None:
        """TTFT promised to a request of which some prompt tokens are cached; None where nothing is promised."""
        if self.ttft_s is None or (self.promise_on == "hit" and cached <= self.system_tokens):
            return None
        return self.ttft_s * (self.isl - cached) / 1e3 if self.promise_on == "per_1k_new_tokens" else self.ttft_s

    @property
    def _halved(self) -> bool:
        """True where half of the requests that may be late are late by their length, the other half by their wait."""
        return self.percentile_over == "lengths" and self.isl_cv > 0

    @property
    def wait_percentile(self) -> float:
        """Share of the waits that must leave room for the first token.

        By the union bound a request is late with no more than the probability that its wait is above its quantile
        plus that its prompt is: each gets half of ``1 - percentile``.
        """
        return (1.0 + self.percentile) / 2.0 if self._halved else self.percentile

    @property
    def asked_isl(self) -> float:
        """Prompt tokens of the request whose TTFT is promised: the mean, or that quantile of a log-normal length."""
        if not self._halved:
            return self.isl
        variance = math.log1p(self.isl_cv**2)
        z = NormalDist().inv_cdf(self.wait_percentile)
        return min(max(self.isl, self.isl * math.exp(math.sqrt(variance) * z - variance / 2.0)), self.longest_isl)

    def asked_cached(self, cached: float) -> float:
        """Cached tokens of that request, where the mean one has so many: the same share, or what all requests share."""
        return cached if cached <= self.system_tokens else max(cached * self.asked_isl / self.isl, self.system_tokens)

    @property
    def asked_load_share(self) -> float:
        """As `load_share`, of that request."""
        return (self.asked_cached(self.cached_on_hit) - self.system_tokens) / (self.asked_isl - self.system_tokens)

    @property
    def tightest_ttft_s(self) -> float | None:
        """The shortest TTFT that any request of the class is promised."""
        return self.ttft_promise_s(self.cached_on_hit)

    @property
    def wait_scv(self) -> float:
        """Variation that enters the wait: ``ca2 + cs2 - 1`` of arrivals and lengths (Allen and Cunneen)."""
        return self.arrival_cv**2 + self.isl_cv**2 - 1.0

    @property
    def context(self) -> float:
        """Tokens of context a decode step sees, weighted by residency.

        A request with output `o` stays `o` steps and its context grows by one token a step, so the mean over
        steps is E[isl osl + osl^2 / 2] / E[osl] = isl + osl (1 + cv^2) / 2 for independent lengths.
        """
        return self.isl + self.osl * (1.0 + self.osl_cv**2) / 2.0

    @property
    def cached_on_hit(self) -> float:
        """Prompt tokens found in caches when a request hits, those that all requests share among them."""
        return max(self.isl * self.reuse_frac_max, self.system_tokens)

    @property
    def load_share(self) -> float:
        """Share of the prompt's KV without shared tokens that a hit loads from where it is parked."""
        return (self.cached_on_hit - self.system_tokens) / (self.isl - self.system_tokens)

    @property
    def output_tokens(self) -> float:
        """Output tokens a request."""
        return self.osl

    @property
    def all_tokens(self) -> float:
        """Output plus new input tokens a request (cached and shared input is not counted)."""
        return self.osl + self.isl - self.cached_on_hit
