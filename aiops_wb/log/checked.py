"""Nothing is appended to a trail that does not hold.

All of it is hashed anew seldom: a sum of DuckDB's own hashes over every row tells in a tenth of the
time whether a row is other than when the chain was last followed, and only what came since is
followed. Who can forge that sum can make the chain anew as well, and is seen by an anchor.
"""

from .base import Writing
from .chain import VERIFY, ChainReads, misfit
from .errors import BrokenTrail

__all__ = ["CheckedChain"]

_EVERY = 256
"Rows after which the sum over all rows is taken again; those since are hashed at each opening."
_LAST = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"
_CONTENT = "SELECT coalesce(sum(hash(audit)::HUGEINT), 0) FROM audit WHERE seq <= $rows"
_SUMMED = """
SELECT rows, head, content FROM audit_checked WHERE content IS NOT NULL
ORDER BY rows DESC LIMIT 1"""
_SINCE = VERIFY.replace("FROM audit)", "FROM audit WHERE seq >= $rows)")
_GO_ON = (
    "Nothing was changed, and nothing is until somebody has looked: 'aiops-wb audit verify' says "
    "what differs, 'aiops-wb audit accept --why ...' goes on from what stands."
)


class CheckedChain(ChainReads, Writing):
    "What is asked of the chain before something is appended to it."

    _good = None  # number and hash of the last row of a trail that was found to hold
    _summed = 0  # up to which row the sum over all rows is known
    _doubt = ""  # what speaks against the trail from outside

    def doubt(self, problem: str) -> None:
        "Append nothing more: something outside the catalog speaks against the trail."
        self._doubt = problem

    def trail_problem(self, last: tuple[int, str] | None = None) -> str:
        """Why nothing may be appended to the trail (its last row, where that is known), in words;
        empty where it may. Nobody else writes: asked again, only what was appended since is
        looked at."""
        last = last or next(iter(self._rows(_LAST)), (0, ""))
        if not self._doubt and last != self._good:
            found = self.length_findings() or self._broken()
            if found:
                return "; ".join(found)
            self._good = last
        return self._doubt

    def _broken(self):
        "What the chain says against the trail, of rows since its sum was taken where that holds."
        for rows, head, content in self._rows(_SUMMED):
            known = self.audit_hashes([rows]).get(rows) == head
            if known and self._value(_CONTENT, {"rows": rows}) == content:
                self._summed = rows
                since = f"SELECT min(seq) FROM ({_SINCE}) WHERE seq > $rows"
                broken = self._value(since, {"rows": rows})
                return [] if broken is None else [misfit(broken)]
        return self.chain_findings()

    def require_whole_trail(self, last: tuple[int, str] | None = None) -> None:
        "BrokenTrail where nothing may be appended, for whoever is about to do more than that."
        if problem := self.trail_problem(last):
            raise BrokenTrail(f"the audit trail is broken: {problem}. {_GO_ON}")

    def _appended(self, seq, head, summed=False):
        "Remember what the trail is from now on, in the transaction of the row."
        content = None
        if summed or seq - self._summed >= _EVERY:
            content, self._summed = self._value(_CONTENT, {"rows": seq}), seq
        told = {"rows": seq, "head": head, "content": content}
        self._write("INSERT INTO audit_checked VALUES ($rows, $head, $content)", told)
        self._good = seq, head
