"""Runs every test, and tells how many have passed in a line that `cargo xtask test` reads."""

import sys
import unittest
from pathlib import Path


class Counted(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


suite = unittest.defaultTestLoader.discover(Path(__file__).parent, pattern="*_test.py")
runner = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Counted)
result = runner.run(suite)
# A class or a module that could not be set up is an error too.
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
print(f"unittest: {result.passed} passed, {failed} failed")
sys.exit(failed > 0 or result.passed == 0)
