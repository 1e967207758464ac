/* What a device is, and what changes slowly. */
#include <stdio.h>

#include "abi.h"

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length)
{
	BEGIN(begin, CALL_ANY, uuid);
	return copy_text(uuid, length, on.instance ? on.instance->uuid : on.device->uuid);
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length)
{
	BEGIN(begin, CALL_ANY, name);
	return copy_text(name, length, on.device->name);
}

nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *serial, unsigned int length)
{
	BEGIN(begin, CALL_ANY, serial);
	return on.device->serial[0] ? copy_text(serial, length, on.device->serial) : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
	BEGIN(begin_device, CALL_ANY, index);
	*index = (unsigned)on.index;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor)
{
	return nvmlDeviceGetIndex(device, minor);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
	BEGIN(begin_device, CALL_ANY, pci);
	memset(pci, 0, sizeof *pci);
	sscanf(on.device->bus_id, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
	pci->pciDeviceId = 0x233010DE;
	snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, NVML_DEVICE_PCI_BUS_ID_LEGACY_FMT,
		 pci->domain & 0xffff, pci->bus & 0xff, pci->device & 0xff);
	return copy_text(pci->busId, sizeof pci->busId, on.device->bus_id);
}

nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, nvmlDeviceArchitecture_t *architecture)
{
	BEGIN(begin, CALL_ANY, architecture);
	*architecture = on.device->architecture < 0 ? NVML_DEVICE_ARCH_UNKNOWN : (unsigned)on.device->architecture;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBrand(nvmlDevice_t device, nvmlBrandType_t *brand)
{
	BEGIN(begin, CALL_ANY, brand);
	*brand = NVML_BRAND_NVIDIA;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, nvmlEnableState_t *mode)
{
	BEGIN(begin_device, CALL_STATUS, mode);
	*mode = NVML_FEATURE_ENABLED;
	return NVML_SUCCESS;
}

static uint64_t memory_used(const struct target *on, int64_t t)
{
	uint64_t used = 0;
	for (int i = 0; i < on->device->load_count; i++) {
		const struct load *l = &on->device->loads[i];
		if (resident(l, t) && (!on->instance || (l->instance >= 0 && on->instance == &on->device->instances[l->instance])))
			used += l->memory;
	}
	return used;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
	BEGIN(begin, CALL_STATUS, memory);
	memory->total = on.instance ? on.instance->memory : on.device->memory;
	memory->used = memory_used(&on, t);
	memory->free = memory->total > memory->used ? memory->total - memory->used : 0;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
	BEGIN(begin, CALL_STATUS, memory);
	if (memory->version != nvmlMemory_v2)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	memory->total = on.instance ? on.instance->memory : on.device->memory;
	memory->reserved = 0;
	memory->used = memory_used(&on, t);
	memory->free = memory->total > memory->used ? memory->total - memory->used : 0;
	return NVML_SUCCESS;
}

static nvmlReturn_t milliwatts(int64_t microwatts, unsigned *to)
{
	*to = (unsigned)(microwatts / 1000);
	return microwatts > 0 ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned int *limit)
{
	BEGIN(begin_device, CALL_STATUS, limit);
	return milliwatts(on.device->limit, limit);
}

nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned int *limit)
{
	return nvmlDeviceGetEnforcedPowerLimit(device, limit);
}

nvmlReturn_t nvmlDeviceGetPowerManagementDefaultLimit(nvmlDevice_t device, unsigned int *limit)
{
	BEGIN(begin_device, CALL_STATUS, limit);
	return milliwatts(on.device->max_limit, limit);
}

nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *low, unsigned int *high)
{
	BEGIN(begin_device, CALL_STATUS, high);
	if (low == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	*low = (unsigned)(on.device->max_limit / 4000);
	return milliwatts(on.device->max_limit, high);
}

static int occupied_now(const struct device *d, int64_t t)
{
	for (int i = 0; i < d->load_count; i++)
		if (resident(&d->loads[i], t))
			return 1;
	return 0;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *celsius)
{
	BEGIN(begin_device, CALL_STATUS, celsius);
	if (sensor != NVML_TEMPERATURE_GPU)
		return NVML_ERROR_INVALID_ARGUMENT;
	*celsius = 30;
	if (on.device->max_limit > 0)
		*celsius += (unsigned)(50 * mean_power(on.device, t - 1000000000, t) / on.device->max_limit);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature)
{
	if (temperature == NULL)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (temperature->version != nvmlTemperature_v1)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	return nvmlDeviceGetTemperature(device, temperature->sensorType, (unsigned *)&temperature->temperature);
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *megahertz)
{
	BEGIN(begin_device, CALL_STATUS, megahertz);
	int up = occupied_now(on.device, t);
	*megahertz = type == NVML_CLOCK_MEM ? (up ? 2619 : 405) : (up ? 1755 : 345);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPerformanceState(nvmlDevice_t device, nvmlPstates_t *state)
{
	BEGIN(begin_device, CALL_STATUS, state);
	*state = occupied_now(on.device, t) ? NVML_PSTATE_0 : NVML_PSTATE_8;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates)
{
	BEGIN(begin_device, CALL_STATUS, rates);
	if (on.device->instance_count > 0)
		return NVML_ERROR_NOT_SUPPORTED;
	unsigned busy = 0;
	int64_t newest = tag_before(t);
	for (int64_t n = newest; n > newest - 7; n--)
		busy += tagged(on.device, n) != 0;
	rates->gpu = busy * 100 / 7;
	rates->memory = rates->gpu / 2;
	return NVML_SUCCESS;
}
