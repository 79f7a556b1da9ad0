"""Things that go wrong at random moments, several kinds at once; the same seed gives the same chances."""

import random
import threading


class Faults:
    """What goes wrong, each kind in a thread of its own with its own chance; `done` counts."""

    def __init__(self, seed):
        self._seed = seed
        self.ended = threading.Event()
        self.done = {}
        self.errors = []
        self._threads = []

    def repeat(self, name, seconds, work):
        """`work(chance)`, about every so many seconds."""
        chance = random.Random(f"{self._seed} {name}")
        self.done[name] = 0

        def run():
            try:
                while not self.ended.wait(chance.uniform(0.2, 1.8) * seconds):
                    work(chance)
                    self.done[name] += 1
            except BaseException as error:
                self.errors.append((name, error))

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def end(self):
        """Each ends where what it did is whole again."""
        self.ended.set()
        for thread in self._threads:
            thread.join()
