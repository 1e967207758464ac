/* The mirror of scenario's device.go and sensor.go, to the bit. */
#include "libsim.h"

#define BILLION 1000000000ull

int64_t tick_at(int64_t t, int64_t tick, int64_t phase)
{
	if (tick <= 0)
		return t;
	int64_t since = (t - phase) % tick;
	if (since < 0)
		since += tick;
	return t - since;
}

int resident(const struct load *l, int64_t t) { return l->from <= t && t < l->to; }

int64_t draw(const struct load *l, int64_t t) { return resident(l, t) ? curve_at(&l->power, t - l->from) : 0; }

static wide load_area(const struct load *l, int64_t t)
{
	if (t > l->to)
		t = l->to;
	return t <= l->from ? 0 : curve_area(&l->power, t - l->from);
}

static int64_t floor_area(int64_t power, int64_t t)
{
	if (t < 0)
		return -floor_area(power, -t);
	return (int64_t)(uint64_t)((wide)(uint64_t)power * (uint64_t)t / BILLION);
}

static int64_t occupied(const struct device *d, int64_t t)
{
	int64_t sum = 0, covered = INT64_MIN;
	for (int i = 0; i < d->load_count; i++) {
		const struct load *l = &d->loads[i];
		int64_t start = l->from > covered ? l->from : covered;
		int64_t end = l->to < t ? l->to : t;
		if (end > start) {
			sum += end - start;
			covered = end;
		}
	}
	return sum;
}

static int64_t energy_between(const struct device *d, int64_t from, int64_t to)
{
	int64_t e = floor_area(d->idle, to) - floor_area(d->idle, from);
	e += floor_area(d->context, occupied(d, to)) - floor_area(d->context, occupied(d, from));
	for (int i = 0; i < d->load_count; i++)
		e += (int64_t)(uint64_t)(load_area(&d->loads[i], to) / BILLION) -
		     (int64_t)(uint64_t)(load_area(&d->loads[i], from) / BILLION);
	return e;
}

int64_t mean_power(const struct device *d, int64_t from, int64_t to)
{
	wide sum = (wide)(uint64_t)d->idle * (uint64_t)(to - from);
	sum += (wide)(uint64_t)d->context * (uint64_t)(occupied(d, to) - occupied(d, from));
	for (int i = 0; i < d->load_count; i++)
		sum += load_area(&d->loads[i], to) - load_area(&d->loads[i], from);
	return (int64_t)(uint64_t)(sum / (uint64_t)(to - from));
}

/* value·parts/1e6, rounded toward zero. */
static int64_t parts_per_million(int64_t value, int64_t parts)
{
	return (int64_t)((__int128)value * parts / 1000000);
}

uint64_t counter_millijoules(const struct device *d, int64_t t)
{
	t = tick_at(t, d->sensor.counter_tick, d->sensor.counter_phase);
	int64_t start = -NODE->uptime;
	for (int i = 0; i < d->reset_count; i++)
		if (d->resets[i] <= t)
			start = d->resets[i];
	if (t <= start)
		return 0;
	int64_t e = energy_between(d, start, t);
	e += parts_per_million(e, d->sensor.gain);
	e += (int64_t)((__int128)d->sensor.offset * (t - start) / (int64_t)BILLION);
	for (int i = 0; i < d->leap_count; i++)
		if (start < d->leaps[i].at && d->leaps[i].at <= t)
			e += d->leaps[i].by;
	return e < 0 ? 0 : (uint64_t)e / 1000;
}

static int64_t lagged(const struct device *d, int64_t t)
{
	const uint64_t decay = 3790323485ull; /* 2^32 · e^(-1/8) */
	const int steps = 80;
	int64_t h = d->sensor.lag / 8 > 1 ? d->sensor.lag / 8 : 1;
	uint64_t weight = (1ull << 32) - decay, left = 1ull << 32;
	wide sum = 0;
	for (int k = 0; k < steps; k++) {
		if (k == steps - 1)
			weight = left;
		sum += (wide)(uint64_t)mean_power(d, t - (k + 1) * h, t - k * h) * weight;
		left -= weight;
		weight = weight * decay >> 32;
	}
	return (int64_t)(uint64_t)(sum >> 32);
}

static int64_t shown(const struct device *d, int64_t t, int64_t window)
{
	int64_t p = d->sensor.lag > 0 ? lagged(d, t) : mean_power(d, t - (window > 1 ? window : 1), t);
	p += parts_per_million(p, d->sensor.gain) + d->sensor.offset;
	p += 500;
	return p < 0 ? 0 : p / 1000;
}

int64_t instant_milliwatts(const struct device *d, int64_t t)
{
	return shown(d, tick_at(t, d->sensor.instant_tick, d->sensor.instant_phase), d->sensor.instant_window);
}

int64_t average_milliwatts(const struct device *d, int64_t t)
{
	return shown(d, tick_at(t, d->sensor.average_tick, d->sensor.average_phase), d->sensor.average_window);
}

int64_t in_scope(const struct device *d, int64_t milliwatts, int scope)
{
	if (scope == SCOPE_MODULE)
		return milliwatts + d->module / 1000;
	return scope == SCOPE_MEMORY ? milliwatts / 5 : milliwatts;
}
