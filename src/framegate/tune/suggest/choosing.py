"""Finds the thresholds that come nearest to a goal, among outcomes that were listed."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from framegate.model import Unit
from framegate.tune.ladder import Span
from framegate.tune.suggest.listing import Gap, Listing
from framegate.tune.suggest.plain import plain_threshold
from framegate.tune.suggest.tried import Tried


class Goal(Protocol):
    """What is wanted of an outcome."""

    @property
    def good_enough(self) -> float:
        """How far a miss may be so that none is looked for that is nearer."""

    def miss(self, tried: Tried) -> float:
        """Return by how much an outcome misses what is wanted: 0 not at all; below 0 it has too little."""

    def may_hide(self, gap: Gap, least: float) -> bool:
        """Return whether the best outcome is probably in a gap: it is listed before the others.

        Args:
            gap: between two rungs.
            least: the least miss of all rungs.
        """


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring outcomes that miss by the same, with nothing unknown between them."""

    outcomes: Sequence[Tried]

    @property
    def span(self) -> Span:
        """From the least to the largest of their thresholds."""
        return Span(self.outcomes[0].span.least, self.outcomes[-1].span.below)

    def at(self, threshold: float) -> Tried:
        """Return the outcome of one of its thresholds."""
        return next(each for each in self.outcomes if threshold < each.span.below)


@dataclass(frozen=True, slots=True)
class Choice:
    """The best that was found."""

    tried: Tried
    threshold: float
    """A plain number that decides as ``tried`` does."""

    miss: float
    pieces: Sequence[Piece]
    """All that miss as little, the least thresholds first."""

    piece: Piece
    """The one that was chosen."""

    is_nearest: bool
    """Whether no threshold at all comes nearer: otherwise not all outcomes were listed."""

    listed: Sequence[Tried]
    """All that was tried, the least thresholds first."""

    def unless(self, in_force: float) -> "Choice":
        """Return the choice of the threshold in force, if it misses as little."""
        for piece in self.pieces:
            if piece.span.least <= in_force < piece.span.below:
                return replace(self, tried=piece.at(in_force), threshold=in_force, piece=piece)
        return self

    def highest(self, unit: Unit) -> "Choice":
        """Return the choice of the highest thresholds that miss as little, instead of the widest range."""
        piece = self.pieces[-1]
        tried = piece.outcomes[-1]
        return replace(self, tried=tried, threshold=plain_threshold(tried.span, unit), piece=piece)


def choose(listing: Listing, goal: Goal, unit: Unit, most: int) -> Choice:
    """Return an outcome that misses a goal by the least; of several, one of the widest range of thresholds.

    Args:
        listing: with the ladder, which reaches from the lowest to the highest threshold.
        goal: what is wanted.
        unit: of the thresholds.
        most: how many thresholds may be tried.
    """
    rungs_miss = _least_miss(listing.known, goal)
    listing.fill([gap for gap in listing.gaps() if goal.may_hide(gap, rungs_miss)], most)
    while _least_miss(listing.known, goal) > goal.good_enough and listing.judged < most:
        gaps = [*listing.gaps()]
        if not gaps:
            break
        nearest = min(gaps, key=lambda gap: _least_miss((gap.left, gap.right), goal))
        listing.fill([nearest], most)
    least = _least_miss(listing.known, goal)
    pieces = [*_pieces(listing.known, goal, least)]
    piece = max(pieces, key=lambda each: _width(each.span, unit))
    threshold = plain_threshold(piece.span, unit)
    tried = piece.at(threshold)
    is_nearest = least <= goal.good_enough or next(listing.gaps(), None) is None
    return Choice(tried, threshold, goal.miss(tried), pieces, piece, is_nearest, listing.known)


def _least_miss(outcomes: Iterable[Tried], goal: Goal) -> float:
    return min(abs(goal.miss(each)) for each in outcomes)


def _pieces(known: Sequence[Tried], goal: Goal, least: float) -> Iterator[Piece]:
    piece: list[Tried] = []
    for each in known:
        miss = goal.miss(each)
        is_next = piece and piece[-1].span.below >= each.span.least and goal.miss(piece[-1]) == miss
        if piece and not is_next:
            yield Piece(piece)
            piece = []
        if abs(miss) == least:
            piece = [*piece, each]
    if piece:
        yield Piece(piece)


def _width(span: Span, unit: Unit) -> float:
    """Return how many times larger the largest threshold of a span is than the least, as a logarithm.

    Thresholds below the ladder's first rung are of no use to anybody: they make no span wider.
    """
    floor, top = (0.01, 100.0) if unit == "%" else (1.0, 1000.0)
    return math.log(max(min(span.below, top), floor) / min(max(span.least, floor), top))
