/* The mirror of scenario/utilization.go, to the bit. */
#include "libsim.h"

#define WINDOW 10000000000ll
#define TAGS 72

int64_t tag_time(int64_t n)
{
	int64_t round = n / TAGS, k = n % TAGS;
	if (k < 0) {
		round--;
		k += TAGS;
	}
	return round * WINDOW + k * WINDOW / TAGS;
}

int64_t tag_before(int64_t t)
{
	int64_t round = t / WINDOW, rest = t % WINDOW;
	if (rest < 0) {
		round--;
		rest += WINDOW;
	}
	return round * TAGS + ((rest + 1) * TAGS + WINDOW - 1) / WINDOW - 1;
}

unsigned tagged(const struct device *d, int64_t n)
{
	int64_t t = tag_time(n);
	uint64_t total = 0;
	for (int i = 0; i < d->load_count; i++)
		if (draw(&d->loads[i], t) > d->loads[i].rest)
			total += (uint64_t)d->loads[i].sm;
	if (total < 100)
		total = 100;
	int64_t at = (int64_t)((uint64_t)((uint32_t)n * 2654435769u) * total >> 32);
	for (int i = 0; i < d->load_count; i++)
		if (draw(&d->loads[i], t) > d->loads[i].rest && (at -= d->loads[i].sm) < 0)
			return d->loads[i].pid;
	return 0;
}
