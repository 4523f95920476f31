"""Which scene is for training, validation and testing. Pure: names in, names out.

Scenes of one place, and near-duplicates, share a split. A group's place is a pure function of its name, so that
further scenes move none; what was published is frozen in `splits.lock` and stays where it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Shares:
    """How much of the unit interval validation and testing get; training gets what is left, and must get some."""

    val: float = 0.1
    test: float = 0.2

    def __post_init__(self) -> None:
        """ValueError where nothing is left to train on."""
        if self.val < 0 or self.test < 0 or self.val + self.test >= 1:
            raise ValueError(
                f"[export] val_share {self.val:g} and test_share {self.test:g}: both at least 0 and together below 1, "
                "so that something is left to train on"
            )

    @property
    def thousandths(self) -> tuple[int, int, int]:
        """Of training, validation and testing."""
        val, test = round(1000 * self.val), round(1000 * self.test)
        return 1000 - val - test, val, test


@dataclass(frozen=True)
class Member:
    """A scene that wants a place."""

    scene: str  # the catalog's name
    name: str  # the published name
    group: str


@dataclass(frozen=True)
class Place:
    """A scene's place in the release, as it is frozen."""

    scene: str
    name: str
    group: str  # the catalog's or the hand-made one
    joined: str  # the group with its near-duplicates
    split: str
    number: int  # of the SICE layout


@dataclass(frozen=True)
class Placement:
    """Places of the scenes of this release, by published name; scenes that would bridge two splits."""

    places: tuple[Place, ...]
    bridges: Mapping[str, str]  # catalog's name -> sentence


def unit_interval(salt: str, group: str) -> float:
    """Where a group falls in [0, 1): the first 8 bytes of the SHA-256 of salt and name."""
    digest = hashlib.sha256(f"{salt}\0{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_of(position: float, shares: Shares) -> str:
    """Training from 0 on, then validation, then testing up to 1."""
    train, val, _ = shares.thousandths
    return "train" if position < train / 1000 else "val" if position < (train + val) / 1000 else "test"


def exact_counts(groups: int, shares: Shares) -> tuple[int, ...]:
    """These shares of so many groups in whole numbers, by the largest remainder: 589 -> 412, 59, 118."""
    whole = [groups * share // 1000 for share in shares.thousandths]
    remainders = [groups * share % 1000 for share in shares.thousandths]
    for k in sorted(range(len(SPLITS)), key=lambda k: (-remainders[k], k))[: groups - sum(whole)]:
        whole[k] += 1
    return tuple(whole)


def place_scenes(
    members: Sequence[Member],
    links: Iterable[tuple[str, str]],
    frozen: Sequence[Place],
    *,
    salt: str,
    shares: Shares,
    exact: bool,
) -> Placement:
    """Places for all members. `links`: pairs of scenes that must not be told apart by a split."""
    union = _Union(members, links, frozen)
    labels = {member.scene: union.label(member.scene) for member in members if member.scene in union.root}
    known = {union.label(place.scene): union.split(place.scene) for place in frozen}
    fresh = sorted({label for label in labels.values() if not known.get(label)})
    in_use = {label: known[label] for label in set(labels.values()) if known.get(label)}
    splits = known | (_exact(fresh, in_use, salt, shares) if exact else _by_hash(fresh, salt, shares))
    numbers = {place.scene: place.number for place in frozen}
    following = max(numbers.values(), default=0) + 1
    places = []
    for member in sorted(members, key=lambda member: member.name.encode()):
        if member.scene in labels:
            if member.scene not in numbers:
                numbers[member.scene], following = following, following + 1
            label = labels[member.scene]
            places.append(
                Place(
                    member.scene, member.name, member.group, label, str(splits[label]), numbers[member.scene]
                )
            )
    return Placement(tuple(places), union.bridges)


def _by_hash(fresh: Sequence[str], salt: str, shares: Shares) -> dict[str, str]:
    return {label: split_of(unit_interval(salt, label), shares) for label in fresh}


def _exact(fresh: Sequence[str], in_use: Mapping[str, str], salt: str, shares: Shares) -> dict[str, str]:
    """Fill up to exactly the shares of all groups, as far as the frozen ones allow, in the order of their hash."""
    targets = exact_counts(len(fresh) + len(in_use), shares)
    taken = [sum(split == name for split in in_use.values()) for name in SPLITS]
    quotas = [max(0, target - count) for target, count in zip(targets, taken, strict=True)]
    while sum(quotas) > len(fresh):
        quotas[quotas.index(max(quotas))] -= 1
    names = [name for name, quota in zip(SPLITS, quotas, strict=True) for _ in range(quota)]
    ordered = sorted(fresh, key=lambda label: (unit_interval(salt, label), label))
    return dict(zip(ordered, names, strict=True))


class _Union:
    """Scenes joined one after the other, the frozen ones first; one that would join two splits stays out."""

    def __init__(
        self, members: Sequence[Member], links: Iterable[tuple[str, str]], frozen: Sequence[Place]
    ) -> None:
        self.root: dict[str, str] = {}
        self.bridges: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._splits: dict[str, str] = {}
        self._near: dict[str, set[str]] = {}
        self._first_of_group: dict[str, str] = {}
        for one, other in links:
            self._near.setdefault(one, set()).add(other)
            self._near.setdefault(other, set()).add(one)
        self._names = {place.scene: place.name for place in frozen}
        self._names |= {member.scene: member.name for member in members}
        now = {member.scene: member for member in members}
        for place in sorted(frozen, key=lambda place: place.number):
            groups = {place.group, place.joined}
            groups |= {now[place.scene].group} if place.scene in now else set()
            self._add(place.scene, groups, place.joined, place.split)
        for member in sorted(members, key=lambda member: member.name.encode()):
            if member.scene not in self.root and member.scene not in self.bridges:
                self._add(member.scene, {member.group}, member.group, "")

    def label(self, scene: str) -> str:
        """The joined group of a scene that was not left out."""
        return self._labels[self._find(scene)] if scene in self.root else ""

    def split(self, scene: str) -> str:
        """The frozen split of a scene's joined group, "" if it has none yet."""
        return self._splits[self._find(scene)] if scene in self.root else ""

    def _add(self, scene: str, groups: set[str], label: str, split: str) -> None:
        neighbors = {self._first_of_group[group] for group in groups if group in self._first_of_group}
        neighbors |= {other for other in self._near.get(scene, ()) if other in self.root}
        splits = {self.split(other) for other in neighbors} | {split}
        splits.discard("")
        if len(splits) > 1:
            named = ", ".join(f"{self._names[other]} ({self.split(other)})" for other in sorted(neighbors))
            self.bridges[scene] = (
                f"shows the same view as scenes that are frozen in different splits: {named}"
            )
            return
        self.root[scene] = scene
        self._labels[scene], self._splits[scene] = label, split
        for other in sorted(neighbors):
            self._join(scene, other)
        for group in groups:
            self._first_of_group.setdefault(group, scene)

    def _join(self, one: str, other: str) -> None:
        first, second = self._find(one), self._find(other)
        if first == second:
            return
        keep, drop = sorted((first, second), key=lambda root: (not self._splits[root], self._labels[root]))
        self.root[drop] = keep
        self._splits[keep] = self._splits[keep] or self._splits[drop]

    def _find(self, scene: str) -> str:
        while self.root[scene] != scene:
            self.root[scene] = self.root[self.root[scene]]
            scene = self.root[scene]
        return scene
