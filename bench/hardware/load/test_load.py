import unittest

import schedule


class Play(unittest.TestCase):
    def play(self, busy, delay=0.0):
        now, done = [100.0], []

        def burn(seconds, percent):
            done.append((round(now[0] - 100, 3), round(seconds, 3), percent))
            now[0] += seconds + delay

        def sleep(seconds):
            now[0] += seconds

        return schedule.play(busy, 100.0, burn, lambda: now[0], sleep), done

    def test_plays_on_time(self):
        total, done = self.play([[0.01, 0.02, 100], [0.03, 0.04, 50]])
        self.assertEqual(done, [(0.01, 0.01, 100), (0.03, 0.01, 50)])
        self.assertAlmostEqual(total, 0.02)

    def test_cuts_long_ones(self):
        total, done = self.play([[0, 1, 100]])
        self.assertEqual(len(done), 20)
        self.assertAlmostEqual(total, 1)

    def test_delays_do_not_add_up(self):
        total, done = self.play([[0, 1, 100]], delay=0.004)
        self.assertLess(total, 1.01)
        self.assertLessEqual(done[-1][0], 1)

    def test_slices_fill_the_interval(self):
        parts = schedule.slices(2.0, 2.13)
        self.assertEqual((parts[0][0], round(parts[-1][1], 9), len(parts)), (2.0, 2.13, 3))


if __name__ == "__main__":
    unittest.main()
