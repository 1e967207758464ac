/* Processes, and what they use. */
#include <stdlib.h>

#include "abi.h"

static nvmlReturn_t processes(nvmlDevice_t device, unsigned kind, unsigned int *count, nvmlProcessInfo_t *infos)
{
	BEGIN(begin, CALL_PROCESSES, count);
	unsigned n = 0, room = *count;
	if (on.device->private && on.device->instance_count > 0 && on.instance == NULL)
		return NVML_ERROR_NO_PERMISSION;
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
