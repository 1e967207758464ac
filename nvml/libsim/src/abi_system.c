/* Initialization, versions, and finding devices. */
#include <stdio.h>
#include <stdlib.h>

#include "abi.h"

/*
 * Reads a scenario the first time only: initialized anew, the library is the same,
 * what has struck stays counted, and a pipe is empty.
 */
static int load_once(const char *path)
{
	static char loaded[4096];
	if (strcmp(path, loaded) == 0)
		return 0;
	loaded[0] = 0;
	if (strlen(path) >= sizeof loaded || node_load(path) != 0)
		return -1;
	strcpy(loaded, path);
	strcpy(NODE->library, driver_at(now()));
	return 0;
}

nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
	(void)flags;
	pthread_mutex_lock(&NODE->lock);
	if (NODE->initialized > 0) {
		NODE->initialized++;
		pthread_mutex_unlock(&NODE->lock);
		return NVML_SUCCESS;
	}
	const char *path = getenv("GREENAGENT_LIBSIM_SCENARIO");
	if (path == NULL)
		fputs("libsim: GREENAGENT_LIBSIM_SCENARIO is not set\n", stderr);
	int loaded = path != NULL && load_once(path) == 0;
	pthread_mutex_unlock(&NODE->lock);
	if (!loaded)
		return NVML_ERROR_UNKNOWN;

	int64_t t;
	uint64_t garbage;
	nvmlReturn_t ret = strike(-1, CALL_INIT, &t, &garbage);
	if (ret == NVML_SUCCESS) {
		pthread_mutex_lock(&NODE->lock);
		NODE->initialized++;
		NODE->born = t;
		pthread_mutex_unlock(&NODE->lock);
	}
	return ret;
}

nvmlReturn_t nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
nvmlReturn_t nvmlInit(void) { return nvmlInitWithFlags(0); }

nvmlReturn_t nvmlShutdown(void)
{
	nvmlReturn_t ret = NVML_ERROR_UNINITIALIZED;
	pthread_mutex_lock(&NODE->lock);
	if (NODE->initialized > 0) {
		NODE->initialized--;
		ret = NVML_SUCCESS;
		if (NODE->initialized == 0 && NODE->samples != 0)
			fprintf(stderr, "libsim: %d GPM samples are not freed\n", NODE->samples);
	}
	pthread_mutex_unlock(&NODE->lock);
	return ret;
}

const char *nvmlErrorString(nvmlReturn_t result)
{
	switch (result) {
	case NVML_SUCCESS: return "Success";
	case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
	case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
	case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
	case NVML_ERROR_NO_PERMISSION: return "Insufficient Permissions";
	case NVML_ERROR_NOT_FOUND: return "Not Found";
	case NVML_ERROR_INSUFFICIENT_SIZE: return "Insufficient Size";
	case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
	case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
	case NVML_ERROR_RESET_REQUIRED: return "GPU requires reset";
	case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "Driver/library version mismatch";
	default: return "Unknown Error";
	}
}

/* Begins a call that concerns no device. */
static nvmlReturn_t begin_system(void)
{
	int64_t t;
	uint64_t garbage;
	return NODE->initialized ? strike(-1, CALL_ANY, &t, &garbage) : NVML_ERROR_UNINITIALIZED;
}

nvmlReturn_t copy_text(char *to, unsigned size, const char *text)
{
	if (to == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (strlen(text) >= size)
		return NVML_ERROR_INSUFFICIENT_SIZE;
	strcpy(to, text);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
	nvmlReturn_t ret = begin_system();
	return ret == NVML_SUCCESS ? copy_text(version, length, NODE->library) : ret;
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length)
{
	char text[TEXT + 8] = "12.";
	nvmlReturn_t ret = begin_system();
	return ret == NVML_SUCCESS ? copy_text(version, length, strcat(text, NODE->library)) : ret;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
	nvmlReturn_t ret = begin_system();
	if (ret == NVML_SUCCESS && version == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (ret == NVML_SUCCESS)
		*version = 12080;
	return ret;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) { return nvmlSystemGetCudaDriverVersion(version); }

/* Devices plugged in since the initialization are not seen. */
static int seen(int index) { return NODE->devices[index].added <= NODE->born; }

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
	nvmlReturn_t ret = begin_system();
	if (ret == NVML_SUCCESS && count == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (ret == NVML_SUCCESS) {
		*count = 0;
		for (int i = 0; i < NODE->device_count; i++)
			*count += (unsigned)seen(i);
	}
	return ret;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int *count) { return nvmlDeviceGetCount_v2(count); }

static nvmlReturn_t device_handle(int index, nvmlDevice_t *handle)
{
	int64_t t;
	uint64_t garbage;
	nvmlReturn_t ret = strike(index, CALL_ANY, &t, &garbage);
	if (ret == NVML_SUCCESS)
		*handle = handle_of(&NODE->devices[index]);
	return ret;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *handle)
{
	if (!NODE->initialized)
		return NVML_ERROR_UNINITIALIZED;
	if (handle == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	for (int i = 0; i < NODE->device_count; i++)
		if (seen(i) && index-- == 0)
			return device_handle(i, handle);
	return NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *handle)
{
	return nvmlDeviceGetHandleByIndex_v2(index, handle);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *handle)
{
	if (!NODE->initialized)
		return NVML_ERROR_UNINITIALIZED;
	if (uuid == NULL || handle == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	for (int i = 0; i < NODE->device_count; i++) {
		struct device *d = &NODE->devices[i];
		if (!seen(i))
			continue;
		if (strcmp(uuid, d->uuid) == 0)
			return device_handle(i, handle);
		for (int j = 0; j < d->instance_count; j++)
			if (strcmp(uuid, d->instances[j].uuid) == 0 && exists(&d->instances[j], now())) {
				*handle = handle_of(&d->instances[j]);
				return NVML_SUCCESS;
			}
	}
	return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *handle)
{
	if (!NODE->initialized)
		return NVML_ERROR_UNINITIALIZED;
	if (bus_id == NULL || handle == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	for (int i = 0; i < NODE->device_count; i++)
		if (seen(i) && strcmp(bus_id, NODE->devices[i].bus_id) == 0)
			return device_handle(i, handle);
	return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t resolve(nvmlDevice_t handle, struct target *to)
{
	const void *at = handle.handle;
	for (int i = 0; i < NODE->device_count; i++) {
		struct device *d = &NODE->devices[i];
		*to = (struct target){.device = d, .index = i};
		if (at == d)
			return NVML_SUCCESS;
		for (int j = 0; j < d->instance_count; j++)
			if (at == &d->instances[j] && exists(&d->instances[j], now())) {
				to->instance = &d->instances[j];
				return NVML_SUCCESS;
			}
	}
	return NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t begin(nvmlDevice_t handle, enum call call, struct target *to, int64_t *t, uint64_t *garbage)
{
	if (!NODE->initialized)
		return NVML_ERROR_UNINITIALIZED;
	nvmlReturn_t ret = resolve(handle, to);
	*garbage = NO_GARBAGE;
	return ret == NVML_SUCCESS ? strike(to->index, call, t, garbage) : ret;
}

nvmlReturn_t begin_device(nvmlDevice_t handle, enum call call, struct target *to, int64_t *t, uint64_t *garbage)
{
	nvmlReturn_t ret = begin(handle, call, to, t, garbage);
	return ret == NVML_SUCCESS && to->instance != NULL ? NVML_ERROR_NOT_SUPPORTED : ret;
}
