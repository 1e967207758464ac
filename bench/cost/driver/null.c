/*
 * An NVML that answers at once: what is left of greenagent's cost beside it is
 * greenagent's own. Its boards are like H100: a counter and power that move every
 * 100 ms, each board at its own moment, while the power alternates.
 *
 * COST_GPUS is how many there are, COST_PIDS who is on each: "12 34 0 56" is two
 * processes on the first and one on the second. Built against nvml.h.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nvml.h"

enum { MOST = 64, RESIDENTS = 32 };

struct nvmlDevice_st { unsigned index, count; unsigned pids[RESIDENTS]; };

static struct nvmlDevice_st boards[MOST];
static unsigned count;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The tick that the board shows, and its power then: 300 W, and 500 W every other second. */
static uint64_t tick(const struct nvmlDevice_st *board) { return (now() - board->index * 13100000u) / 100000000u; }
static unsigned milliwatts(uint64_t n) { return n / 10 % 2 ? 500000 : 300000; }
static uint64_t millijoules(uint64_t n)
{
	uint64_t seconds = n / 10, rest = n % 10;
	return seconds / 2 * 800000 + (seconds % 2 ? 300000 + rest * 50000 : rest * 30000);
}

nvmlReturn_t nvmlInit_v2(void)
{
	const char *gpus = getenv("COST_GPUS"), *pids = getenv("COST_PIDS");
	count = gpus ? (unsigned)atoi(gpus) : 0;
	if (count > MOST)
		return NVML_ERROR_UNKNOWN;
	memset(boards, 0, sizeof boards);
	for (unsigned i = 0; i < count; i++)
		boards[i].index = i;
	unsigned on = 0;
	for (char *end; pids && *pids && on < count; pids = end) {
		unsigned pid = (unsigned)strtoul(pids, &end, 10);
		if (end == pids)
			break;
		if (pid == 0)
			on++;
		else if (boards[on].count < RESIDENTS)
			boards[on].pids[boards[on].count++] = pid;
	}
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlShutdown(void) { return NVML_SUCCESS; }
const char *nvmlErrorString(nvmlReturn_t r) { return r == NVML_SUCCESS ? "success" : "refused"; }
nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length)
{
	snprintf(version, length, "570.124.06");
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *n) { *n = count; return NVML_SUCCESS; }
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device)
{
	if (index >= count)
		return NVML_ERROR_INVALID_ARGUMENT;
	device->handle = &boards[index];
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length)
{
	const struct nvmlDevice_st *board = device.handle;
	snprintf(uuid, length, "GPU-%08x", board->index);
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length)
{
	(void)device;
	snprintf(name, length, "No H100");
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, nvmlDeviceArchitecture_t *a)
{
	(void)device;
	*a = NVML_DEVICE_ARCH_HOPPER;
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned *least, unsigned *most)
{
	(void)device;
	*least = 200000;
	*most = 700000;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int n, nvmlFieldValue_t *values)
{
	const struct nvmlDevice_st *board = device.handle;
	uint64_t t = tick(board);
	for (nvmlFieldValue_t *v = values; v < values + n; v++) {
		v->nvmlReturn = NVML_SUCCESS;
		switch (v->fieldId) {
		case NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION:
			v->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
			v->value.ullVal = millijoules(t);
			break;
		case NVML_FI_DEV_POWER_INSTANT:
		case NVML_FI_DEV_POWER_AVERAGE:
			v->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
			v->value.uiVal = milliwatts(t - 1);
			break;
		default:
			v->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
		}
	}
	return NVML_SUCCESS;
}
/* The older calls, for the comparison. */
nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *power)
{
	const struct nvmlDevice_st *board = device.handle;
	*power = milliwatts(tick(board) - 1);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *n, nvmlProcessInfo_t *list)
{
	const struct nvmlDevice_st *board = device.handle;
	if (*n < board->count) {
		*n = board->count;
		return NVML_ERROR_INSUFFICIENT_SIZE;
	}
	*n = board->count;
	for (unsigned i = 0; i < board->count; i++)
		list[i] = (nvmlProcessInfo_t){.pid = board->pids[i], .usedGpuMemory = 1u << 30, .gpuInstanceId = ~0u, .computeInstanceId = ~0u};
	return NVML_SUCCESS;
}
/* Nobody draws. */
nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *n, nvmlProcessInfo_t *list)
{
	(void)device;
	(void)list;
	*n = 0;
	return NVML_SUCCESS;
}
/* Tags come 7.2 times a second; each process is as busy as the next. */
nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *list, unsigned *n, unsigned long long since)
{
	const struct nvmlDevice_st *board = device.handle;
	uint64_t stamp = now() / 138888889u * 138889u;
	if (board->count == 0 || stamp <= since)
		return NVML_ERROR_NOT_FOUND;
	if (*n < board->count) {
		*n = board->count;
		return NVML_ERROR_INSUFFICIENT_SIZE;
	}
	*n = board->count;
	for (unsigned i = 0; i < board->count; i++)
		list[i] = (nvmlProcessUtilizationSample_t){.pid = board->pids[i], .timeStamp = stamp, .smUtil = 100 / board->count};
	return NVML_SUCCESS;
}
