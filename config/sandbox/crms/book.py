"""Who is in an account, in order of id and in order of change. Only those who were touched are kept in memory."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import replace

from config.sandbox.crms import times
from config.sandbox.crms.people import generated_update
from config.sandbox.crms.person import Person

Place = tuple[int, int]


class Book:
    """Positions from 0 upward, one per person for ever; an id of the CRM grows with its position.

    `make` invents the person at a position. `step` is the resolution of the CRM's clock in milliseconds. `version`
    grows with every change.
    """

    def __init__(self, make: Callable[[int], Person], module_of: Callable[[int], str], *, step: int) -> None:
        """Empty."""
        self._make, self._module_of, self._step = make, module_of, step
        self._kept: dict[int, Person] = {}
        self._live: dict[str, set[int]] = {}
        self._by_id: dict[str, list[int]] = {}
        self._by_change: dict[str, list[int]] = {}
        self._batches: list[Place] = []
        self._last = 0
        self.size = self.version = 0

    def tick(self) -> int:
        """Now by the clock of the CRM, later than ever before where that clock is fine enough."""
        now = times.now_ms()
        self._last = max(now - now % self._step, self._last + (self._step == 1))
        return self._last

    def add_generated(self, count: int, *, at: int | None = None) -> range:
        """Add invented people, changed `at` a moment or, the first ones, long ago."""
        start = self.size
        if at is not None:
            self._batches.append((start, at))
        self.size += count
        for position in range(start, self.size):
            self._live.setdefault(self._module_of(position), set()).add(position)
        self._forget_order()
        return range(start, self.size)

    def add(self, person: Person) -> Person:
        """Add somebody in particular, at the next position."""
        stored = replace(person, position=self.size, created=self.tick(), deleted=None)
        stored.updated = stored.created
        self.size += 1
        self._kept[stored.position] = stored
        self.revive(stored)
        return stored

    def person(self, position: int) -> Person:
        """The person there, live or gone. Whoever was not changed is made anew each time."""
        kept = self._kept.get(position)
        if kept:
            return kept
        person = self._make(position)
        if (added := self._added_at(position)) is not None:
            person.created = person.updated = added
        return person

    def kept(self, position: int) -> Person | None:
        """The person if it was ever touched; nobody else is deleted, merged or converted."""
        return self._kept.get(position)

    def module(self, position: int) -> str:
        """Contact or lead."""
        kept = self._kept.get(position)
        return kept.module if kept else self._module_of(position)

    def for_change(self, position: int) -> Person:
        """The same, kept from now on. Say `touch` after changing it."""
        return self._kept.setdefault(position, self.person(position))

    def unlist(self, person: Person) -> None:
        """Neither in the lists nor deleted."""
        self._live[person.module].discard(person.position)
        self._forget_order()

    def touch(self, person: Person) -> None:
        """It was changed just now."""
        person.updated = self.tick()
        self._forget_order()

    def remove(self, person: Person, *, touch: bool) -> None:
        """Gone from the lists, still there to be asked for."""
        person.deleted = self.tick()
        if touch:
            person.updated = person.deleted
        self.unlist(person)

    def revive(self, person: Person) -> None:
        """In the lists, again or for the first time."""
        person.deleted = None
        self._live.setdefault(person.module, set()).add(person.position)
        self._forget_order()

    def updated(self, position: int) -> int:
        """When it was last changed, without making the person."""
        kept = self._kept.get(position)
        if kept:
            return kept.updated
        added = self._added_at(position)
        return generated_update(position) if added is None else added

    def place(self, position: int) -> Place:
        """Where it stands in order of change."""
        return self.updated(position), position

    def count(self) -> int:
        """How many are live, in all modules."""
        return sum(map(len, self._live.values()))

    def by_id(self, module: str) -> list[int]:
        """The live ones, oldest id first."""
        if module not in self._by_id:
            self._by_id[module] = sorted(self._live.get(module, ()))
        return self._by_id[module]

    def by_change(self, module: str, *, since: int | None = None) -> list[int]:
        """The live ones, longest unchanged first, all or those changed at `since` or later."""
        if module not in self._by_change:
            self._by_change[module] = sorted(self._live.get(module, ()), key=self.place)
        order = self._by_change[module]
        return order if since is None else order[bisect_left(order, since, key=self.updated) :]

    def listing(
        self, module: str, *, by_change: bool, since: int | None, descends: bool, behind: Place | None
    ) -> list[int]:
        """The live ones in one of both orders, behind a place of it, whatever became of who stood there."""
        order = self.by_change(module, since=since) if by_change else self.by_id(module)
        if since is not None and not by_change:
            order = [position for position in order if self.updated(position) >= since]
        if behind is not None:
            moment = behind[0]
            key = self.place if by_change else lambda position: (moment, position)
            cut = bisect_left(order, behind, key=key) if descends else bisect_right(order, behind, key=key)
            order = order[:cut] if descends else order[cut:]
        return order[::-1] if descends else order

    def gone(self, module: str) -> list[Person]:
        """The deleted and merged ones, in the order they went."""
        gone = [person for person in self._kept.values() if person.deleted is not None and person.module == module]
        return sorted(gone, key=lambda person: (person.deleted or 0, person.position))

    def _added_at(self, position: int) -> int | None:
        """When the batch of a generated person was added; None for the first ones."""
        at = bisect_right(self._batches, position, key=lambda batch: batch[0])
        return self._batches[at - 1][1] if at else None

    def _forget_order(self) -> None:
        """Something moved."""
        self.version += 1
        self._by_id.clear()
        self._by_change.clear()
