/* Time, stamps and faults. */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libsim.h"

int64_t now(void)
{
	if (NODE->virtual_clock)
		return __atomic_load_n(&NODE->control->now, __ATOMIC_SEQ_CST) - NODE->origin;
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec - NODE->origin;
}

uint64_t stamp(int domain, int64_t t)
{
	return (uint64_t)((domain == SINCE_EPOCH ? NODE->epoch + t : NODE->uptime + t) / 1000);
}

static int strikes(const struct fault *f, int device, enum call call, int64_t t)
{
	if (t < f->at || (f->length != 0 && t - f->at >= f->length))
		return 0;
	if (call == CALL_INIT || f->call == CALL_INIT)
		return call == f->call;
	return (f->call == CALL_ANY || f->call == call) && (f->device == -1 || f->device == device);
}

int driver_loaded(int64_t t)
{
	for (int i = 0; i < NODE->reload_count; i++)
		if (t >= NODE->reloads[i].at && t - NODE->reloads[i].at < NODE->reloads[i].length)
			return 0;
	return 1;
}

const char *driver_at(int64_t t)
{
	const char *version = NODE->driver;
	for (int i = 0; i < NODE->reload_count; i++) {
		const struct reload *r = &NODE->reloads[i];
		if (t >= r->at && t - r->at >= r->length && r->driver[0])
			version = r->driver;
	}
	return version;
}

/*
 * What the kernel driver's absence does to a call: while it is gone nothing works;
 * afterwards only who is of its version, and was initialized since.
 */
static nvmlReturn_t without_driver(enum call call, int64_t t)
{
	if (!driver_loaded(t))
		return NVML_ERROR_DRIVER_NOT_LOADED;
	if (strcmp(driver_at(t), NODE->library) != 0)
		return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
	for (int i = 0; i < NODE->reload_count && call != CALL_INIT; i++)
		if (NODE->born < NODE->reloads[i].at && NODE->reloads[i].at <= t)
			return NVML_ERROR_DRIVER_NOT_LOADED;
	return NVML_SUCCESS;
}

/* Copies out the first fault that meets the call; 0 if there is none. */
static int next_fault(int device, enum call call, int64_t t, struct fault *met)
{
	int found = 0;
	pthread_mutex_lock(&NODE->lock);
	for (int i = 0; i < NODE->fault_count && !found; i++) {
		struct fault *f = &NODE->faults[i];
		if (strikes(f, device, call, t) && (f->times == 0 || f->hits < f->times)) {
			f->hits++;
			*met = *f;
			found = 1;
		}
	}
	pthread_mutex_unlock(&NODE->lock);
	return found;
}

/*
 * Lets the first fault that meets the call take effect; garbage is what it shows in
 * place of the reading, and otherwise left alone. A hanging call waits here until
 * the fault is over or the test releases it, and then succeeds. *t is the time at
 * which the call is answered.
 */
nvmlReturn_t strike(int device, enum call call, int64_t *t, uint64_t *garbage)
{
	static const nvmlReturn_t failures[] = {
		[LOST] = NVML_ERROR_GPU_IS_LOST, [RESET_REQUIRED] = NVML_ERROR_RESET_REQUIRED,
		[TRANSIENT] = NVML_ERROR_UNKNOWN, [UNSUPPORTED] = NVML_ERROR_NOT_SUPPORTED,
		[NO_PERMISSION] = NVML_ERROR_NO_PERMISSION, [NO_DRIVER] = NVML_ERROR_DRIVER_NOT_LOADED,
		[VERSION_MISMATCH] = NVML_ERROR_LIB_RM_VERSION_MISMATCH, [GROWING] = NVML_ERROR_INSUFFICIENT_SIZE,
	};
	struct fault f;
	*t = now();
	if (device >= 0)
		__atomic_fetch_add(&NODE->control->calls[device], 1, __ATOMIC_SEQ_CST);
	nvmlReturn_t gone = without_driver(call, *t);
	if (gone != NVML_SUCCESS)
		return gone;
	if (!next_fault(device, call, *t, &f))
		return NVML_SUCCESS;
	if (f.kind == GARBAGE) {
		*garbage = f.value;
		return NVML_SUCCESS;
	}
	if (f.kind != HANG)
		return failures[f.kind];
	/* The library may be shut down and opened again meanwhile. */
	const struct control *control = NODE->control;
	while (strikes(&f, device, call, *t) && __atomic_load_n(&control->release, __ATOMIC_SEQ_CST) == 0) {
		usleep(1000);
		*t = now();
	}
	return NODE->initialized || call == CALL_INIT ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}
