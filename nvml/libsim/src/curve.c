/* The mirror of scenario/curve.go, to the bit. */
#include "libsim.h"

/* The area h·x²/(2·d), rounded down, for x ≤ d. */
static wide triangle(uint64_t h, uint64_t x, uint64_t d)
{
	wide hx = (wide)h * x;
	uint64_t q = (uint64_t)(hx / (2 * d));
	uint64_t r = (uint64_t)(hx - (wide)q * (2 * d));
	return (wide)q * x + (wide)r * x / (2 * d);
}

static wide segment_area(const struct segment *s, int64_t x)
{
	wide base = (wide)(uint64_t)s->from * (uint64_t)x;
	if (s->to >= s->from)
		return base + triangle((uint64_t)(s->to - s->from), (uint64_t)x, (uint64_t)s->length);
	return base - triangle((uint64_t)(s->from - s->to), (uint64_t)x, (uint64_t)s->length);
}

static wide raw_area(const struct curve *c, int64_t t)
{
	wide sum = 0;
	if (c->pass == 0)
		return 0;
	if (c->repeat) {
		wide whole = 0;
		for (int i = 0; i < c->count; i++)
			whole += segment_area(&c->segments[i], c->segments[i].length);
		sum = whole * (uint64_t)(t / c->pass);
		t %= c->pass;
	}
	for (int i = 0; i < c->count && t > 0; i++) {
		const struct segment *s = &c->segments[i];
		sum += segment_area(s, t < s->length ? t : s->length);
		t -= s->length;
	}
	return sum;
}

wide curve_area(const struct curve *c, int64_t t)
{
	if (t <= 0)
		return 0;
	return raw_area(c, t + c->phase) - raw_area(c, c->phase);
}

static int64_t raw_above(const struct curve *c, int64_t t)
{
	int64_t sum = 0;
	if (c->pass == 0)
		return 0;
	if (c->repeat) {
		int64_t whole = 0;
		for (int i = 0; i < c->count; i++)
			if (c->segments[i].from > 0 || c->segments[i].to > 0)
				whole += c->segments[i].length;
		sum = whole * (t / c->pass);
		t %= c->pass;
	}
	for (int i = 0; i < c->count && t > 0; i++) {
		const struct segment *s = &c->segments[i];
		if (s->from > 0 || s->to > 0)
			sum += t < s->length ? t : s->length;
		t -= s->length;
	}
	return sum;
}

int64_t curve_above(const struct curve *c, int64_t t)
{
	return t <= 0 ? 0 : raw_above(c, t + c->phase) - raw_above(c, c->phase);
}

int64_t curve_at(const struct curve *c, int64_t t)
{
	if (t < 0 || c->pass == 0)
		return 0;
	t += c->phase;
	if (c->repeat)
		t %= c->pass;
	for (int i = 0; i < c->count; i++) {
		const struct segment *s = &c->segments[i];
		if (t < s->length) {
			if (s->to >= s->from)
				return s->from + (int64_t)((wide)(uint64_t)(s->to - s->from) * (uint64_t)t / (uint64_t)s->length);
			return s->from - (int64_t)((wide)(uint64_t)(s->from - s->to) * (uint64_t)t / (uint64_t)s->length);
		}
		t -= s->length;
	}
	return 0;
}
