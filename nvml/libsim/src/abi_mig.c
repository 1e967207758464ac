/* MIG, and what its instances do. */
#include <math.h>
#include <stdlib.h>

#include "abi.h"

/* Whether the board can be partitioned: data-centre boards from Ampere on. */
static int has_mig(const struct device *d)
{
	return d->instance_count > 0 || d->architecture == NVML_DEVICE_ARCH_AMPERE || d->architecture == NVML_DEVICE_ARCH_HOPPER;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
	BEGIN(begin_device, CALL_ANY, current);
	if (pending == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (!has_mig(on.device))
		return NVML_ERROR_NOT_SUPPORTED;
	*current = *pending = on.device->instance_count > 0 ? NVML_DEVICE_MIG_ENABLE : NVML_DEVICE_MIG_DISABLE;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
	BEGIN(begin_device, CALL_ANY, count);
	*count = has_mig(on.device) ? SLICES : 0;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *mig)
{
	BEGIN(begin_device, CALL_ANY, mig);
	if (!has_mig(on.device))
		return NVML_ERROR_NOT_SUPPORTED;
	if (index >= SLICES)
		return NVML_ERROR_INVALID_ARGUMENT;
	for (int i = 0; i < on.device->instance_count; i++)
		if (exists(&on.device->instances[i], t) && index-- == 0) {
			*mig = handle_of(&on.device->instances[i]);
			return NVML_SUCCESS;
		}
	return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is)
{
	BEGIN(begin, CALL_ANY, is);
	*is = on.instance != NULL;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t device, nvmlDevice_t *parent)
{
	BEGIN(begin, CALL_ANY, parent);
	if (on.instance == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	*parent = handle_of(on.device);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id)
{
	BEGIN(begin, CALL_ANY, id);
	if (on.instance == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	*id = on.instance->gpu_instance;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id)
{
	BEGIN(begin, CALL_ANY, id);
	if (on.instance == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	*id = on.instance->compute_instance;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)
{
	BEGIN(begin, CALL_ANY, attributes);
	if (on.instance == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	*attributes = (nvmlDeviceAttributes_t){.multiprocessorCount = on.instance->slices * 16,
		.gpuInstanceSliceCount = on.instance->gpu_slices, .computeInstanceSliceCount = on.instance->slices,
		.memorySizeMB = on.instance->memory >> 20};
	return NVML_SUCCESS;
}

/* GPM: counters of one GPU instance at one moment. */
struct nvmlGpmSample_st {
	int taken, device;
	unsigned gpu_instance;
	int64_t t;
};

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *support)
{
	BEGIN(begin, CALL_ACTIVITY, support);
	if (support->version != NVML_GPM_SUPPORT_VERSION)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	support->isSupportedDevice = (unsigned)has_gpm(on.device);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *sample)
{
	if (sample == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	sample->handle = calloc(1, sizeof *sample->handle);
	if (sample->handle == NULL)
		return NVML_ERROR_MEMORY;
	__atomic_fetch_add(&NODE->samples, 1, __ATOMIC_SEQ_CST);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t sample)
{
	if (sample.handle == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	free(sample.handle);
	__atomic_fetch_sub(&NODE->samples, 1, __ATOMIC_SEQ_CST);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int gpu_instance, nvmlGpmSample_t sample)
{
	BEGIN(begin_device, CALL_ACTIVITY, sample.handle);
	if (!has_gpm(on.device))
		return NVML_ERROR_NOT_SUPPORTED;
	if (gpu_slices(on.device, gpu_instance, t) == 0)
		return NVML_ERROR_INVALID_ARGUMENT;
	*sample.handle = (struct nvmlGpmSample_st){.taken = 1, .device = on.index, .gpu_instance = gpu_instance, .t = t};
	return NVML_SUCCESS;
}

/* A metric between two moments with no update in between has no value. */
nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *get)
{
	if (!NODE->initialized)
		return NVML_ERROR_UNINITIALIZED;
	if (get == NULL || get->sample1.handle == NULL || get->sample2.handle == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (get->version != NVML_GPM_METRICS_GET_VERSION)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	const struct nvmlGpmSample_st *a = get->sample1.handle, *b = get->sample2.handle;
	if (!a->taken || !b->taken || a->device != b->device || a->gpu_instance != b->gpu_instance)
		return NVML_ERROR_INVALID_ARGUMENT;
	for (unsigned i = 0; i < get->numMetrics; i++) {
		nvmlGpmMetric_t *m = &get->metrics[i];
		int64_t millionths = sm_activity(&NODE->devices[a->device], a->gpu_instance, a->t, b->t);
		m->value = millionths < 0 ? NAN : (double)millionths / 10000;
		m->nvmlReturn = m->metricId == NVML_GPM_METRIC_SM_UTIL ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
	}
	return NVML_SUCCESS;
}
