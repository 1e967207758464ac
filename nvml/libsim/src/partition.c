/* The mirror of scenario/partition.go, to the bit. */
#include "libsim.h"

#define GPM_TICK 100000000ll

int exists(const struct instance *in, int64_t t) { return in->from <= t && t < in->to; }

unsigned gpu_slices(const struct device *d, unsigned gpu_instance, int64_t t)
{
	for (int i = 0; i < d->instance_count; i++)
		if (d->instances[i].gpu_instance == gpu_instance && exists(&d->instances[i], t))
			return d->instances[i].gpu_slices;
	return 0;
}

int has_gpm(const struct device *d)
{
	return d->architecture == NVML_DEVICE_ARCH_HOPPER || d->architecture == NVML_DEVICE_ARCH_BLACKWELL;
}

static int64_t busy(const struct load *l, int64_t t)
{
	if (t > l->to)
		t = l->to;
	return t <= l->from ? 0 : curve_above(&l->power, t - l->from);
}

int64_t sm_activity(const struct device *d, unsigned gpu_instance, int64_t from, int64_t to)
{
	from = tick_at(from, GPM_TICK, 0);
	to = tick_at(to, GPM_TICK, 0);
	int64_t slices = gpu_slices(d, gpu_instance, to), sum = 0;
	if (from >= to || slices == 0)
		return -1;
	for (int i = 0; i < d->load_count; i++) {
		const struct load *l = &d->loads[i];
		const struct instance *in = l->instance >= 0 ? &d->instances[l->instance] : NULL;
		if (in != NULL && in->gpu_instance == gpu_instance && exists(in, to))
			sum += (busy(l, to) - busy(l, from)) * l->sm * in->slices;
	}
	int64_t whole = (to - from) * slices;
	int64_t millionths = sum / whole * 10000 + sum % whole * 10000 / whole;
	return millionths < 1000000 ? millionths : 1000000;
}
