/* Processes, what they use, and MIG. */
#include <stdlib.h>

#include "abi.h"

static nvmlReturn_t processes(nvmlDevice_t device, unsigned kind, unsigned int *count, nvmlProcessInfo_t *infos)
{
	BEGIN(begin, CALL_PROCESSES, count);
	unsigned n = 0, room = *count;
	for (int i = 0; i < on.device->load_count; i++) {
		const struct load *l = &on.device->loads[i];
		const struct instance *in = l->instance >= 0 ? &on.device->instances[l->instance] : NULL;
		if (!resident(l, t) || (l->kinds & kind) == 0 || (on.instance && on.instance != in))
			continue;
		if (n < room && infos != NULL)
			infos[n] = (nvmlProcessInfo_t){.pid = l->pid, .usedGpuMemory = l->memory,
				.gpuInstanceId = in ? in->gpu_instance : 0xFFFFFFFF,
				.computeInstanceId = in ? in->compute_instance : 0xFFFFFFFF};
		n++;
	}
	*count = n;
	return n <= room && (n == 0 || infos != NULL) ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

/* The first version of the list knows neither instances nor so large an entry. */
static nvmlReturn_t processes_v1(nvmlDevice_t device, unsigned kind, unsigned int *count, nvmlProcessInfo_v1_t *infos)
{
	if (count == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	nvmlProcessInfo_t *full = infos != NULL ? calloc(*count + 1, sizeof *full) : NULL;
	nvmlReturn_t ret = processes(device, kind, count, full);
	if (ret == NVML_SUCCESS && full != NULL)
		for (unsigned i = 0; i < *count; i++)
			infos[i] = (nvmlProcessInfo_v1_t){.pid = full[i].pid, .usedGpuMemory = full[i].usedGpuMemory};
	free(full);
	return ret;
}

#define LIST(name, kind)                                                                                  \
	nvmlReturn_t name(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_v1_t *infos)          \
	{                                                                                                 \
		return processes_v1(device, kind, count, infos);                                          \
	}                                                                                                 \
	nvmlReturn_t name##_v2(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_v2_t *infos)     \
	{                                                                                                 \
		return processes(device, kind, count, infos);                                             \
	}                                                                                                 \
	nvmlReturn_t name##_v3(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos)        \
	{                                                                                                 \
		return processes(device, kind, count, infos);                                             \
	}

LIST(nvmlDeviceGetComputeRunningProcesses, KIND_COMPUTE)
LIST(nvmlDeviceGetGraphicsRunningProcesses, KIND_GRAPHICS)
LIST(nvmlDeviceGetMPSComputeRunningProcesses, KIND_MPS)

static int by_pid(const void *a, const void *b)
{
	unsigned p = ((const nvmlProcessUtilizationSample_t *)a)->pid, q = ((const nvmlProcessUtilizationSample_t *)b)->pid;
	return p < q ? -1 : p > q;
}

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *utilization,
					     unsigned int *count, unsigned long long since)
{
	BEGIN(begin_device, CALL_UTILIZATION, count);
	if (on.device->instance_count > 0)
		return NVML_ERROR_NOT_SUPPORTED;
	nvmlProcessUtilizationSample_t shares[72];
	int clock = (int)on.device->sensor.clock;
	int64_t newest = tag_before(t);
	unsigned n = 0, slots = 0;
	for (int64_t tag = newest; tag > newest - 72 && stamp(clock, tag_time(tag)) > since; tag--) {
		slots++;
		unsigned pid = tagged(on.device, tag), i = 0;
		if (pid == 0)
			continue;
		while (i < n && shares[i].pid != pid)
			i++;
		if (i == n)
			shares[n++] = (nvmlProcessUtilizationSample_t){.pid = pid, .timeStamp = stamp(clock, tag_time(newest))};
		shares[i].smUtil++;
	}
	if (n == 0)
		return NVML_ERROR_NOT_FOUND;
	unsigned room = *count;
	*count = n;
	if (utilization == NULL || room < n)
		return NVML_ERROR_INSUFFICIENT_SIZE;
	for (unsigned i = 0; i < n; i++) {
		shares[i].smUtil = (shares[i].smUtil * 200 / slots + 1) / 2;
		shares[i].memUtil = shares[i].smUtil / 2;
	}
	qsort(shares, n, sizeof *shares, by_pid);
	memcpy(utilization, shares, n * sizeof *shares);
	return NVML_SUCCESS;
}

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
	*count = has_mig(on.device) ? 7 : 0;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *mig)
{
	BEGIN(begin_device, CALL_ANY, mig);
	if (!has_mig(on.device))
		return NVML_ERROR_NOT_SUPPORTED;
	if (index >= 7)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (index >= (unsigned)on.device->instance_count)
		return NVML_ERROR_NOT_FOUND;
	*mig = handle_of(&on.device->instances[index]);
	return NVML_SUCCESS;
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
		.gpuInstanceSliceCount = on.instance->slices, .computeInstanceSliceCount = on.instance->slices,
		.memorySizeMB = on.instance->memory >> 20};
	return NVML_SUCCESS;
}
