/* What the exported functions share. */
#ifndef GREENAGENT_ABI_H
#define GREENAGENT_ABI_H

#include <string.h>

#include "libsim.h"

/* The device or MIG instance behind a handle. */
struct target {
	struct device *device;
	struct instance *instance; /* NULL for a device */
	int index;                 /* of the device */
};

/* Finds what the handle stands for; any other address is invalid. */
nvmlReturn_t resolve(nvmlDevice_t handle, struct target *to);

/* The handle of a device or instance: its address. */
static inline nvmlDevice_t handle_of(void *what) { return (nvmlDevice_t){.handle = what}; }

/*
 * Begins a call: resolves the handle, lets a fault strike, and says when the call
 * is answered. *garbage holds NO_GARBAGE unless a fault replaces the reading.
 */
nvmlReturn_t begin(nvmlDevice_t handle, enum call call, struct target *to, int64_t *t, uint64_t *garbage);

/* The same for calls that a MIG instance's handle does not answer. */
nvmlReturn_t begin_device(nvmlDevice_t handle, enum call call, struct target *to, int64_t *t, uint64_t *garbage);

nvmlReturn_t copy_text(char *to, unsigned size, const char *text);

#define NO_GARBAGE UINT64_MAX

/* Arguments every implementation needs, and the checks that come first. */
#define BEGIN(how, call, pointer)                                         \
	struct target on;                                                 \
	int64_t t;                                                        \
	uint64_t garbage;                                                 \
	nvmlReturn_t begun = how(device, call, &on, &t, &garbage);        \
	if (begun != NVML_SUCCESS)                                        \
		return begun;                                             \
	if ((pointer) == NULL)                                            \
		return NVML_ERROR_INVALID_ARGUMENT

#endif
