/* Power and energy. */
#include "abi.h"

static nvmlReturn_t counter(const struct target *on, int64_t t, uint64_t garbage, unsigned long long *millijoules)
{
	if (!on->device->sensor.counter)
		return NVML_ERROR_NOT_SUPPORTED;
	*millijoules = garbage != NO_GARBAGE ? garbage : counter_millijoules(on->device, t);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *energy)
{
	BEGIN(begin_device, CALL_COUNTER, energy);
	return counter(&on, t, garbage, energy);
}

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *power)
{
	BEGIN(begin_device, CALL_POWER, power);
	const struct sensor *s = &on.device->sensor;
	if (s->fields != 0 && (s->fields & SCOPE_GPU) == 0)
		return NVML_ERROR_NOT_SUPPORTED;
	if (garbage != NO_GARBAGE)
		*power = (unsigned)garbage;
	else if (s->average_window > 0)
		*power = (unsigned)average_milliwatts(on.device, t);
	else
		*power = (unsigned)instant_milliwatts(on.device, t);
	return NVML_SUCCESS;
}

static nvmlReturn_t power_field(nvmlDevice_t device, nvmlFieldValue_t *v)
{
	BEGIN(begin_device, CALL_POWER, v);
	const struct sensor *s = &on.device->sensor;
	int average = v->fieldId == NVML_FI_DEV_POWER_AVERAGE;
	if (v->scopeId > 2 || (s->fields >> v->scopeId & 1) == 0 || (average && s->average_window == 0))
		return NVML_ERROR_NOT_SUPPORTED;
	int64_t milliwatts = average ? average_milliwatts(on.device, t) : instant_milliwatts(on.device, t);
	v->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
	v->value.uiVal = (unsigned)(garbage != NO_GARBAGE ? (int64_t)garbage : in_scope(on.device, milliwatts, 1 << v->scopeId));
	return NVML_SUCCESS;
}

static nvmlReturn_t counter_field(nvmlDevice_t device, nvmlFieldValue_t *v)
{
	BEGIN(begin_device, CALL_COUNTER, v);
	v->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
	return counter(&on, t, garbage, &v->value.ullVal);
}

static nvmlReturn_t field(nvmlDevice_t device, nvmlFieldValue_t *v)
{
	switch (v->fieldId) {
	case NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION:
		return counter_field(device, v);
	case NVML_FI_DEV_POWER_AVERAGE:
	case NVML_FI_DEV_POWER_INSTANT:
		return power_field(device, v);
	case NVML_FI_DEV_PERF_POLICY_POWER: /* no simulated board reaches its cap */
		v->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
		v->value.ullVal = 0;
		return NVML_SUCCESS;
	default:
		return NVML_ERROR_NOT_SUPPORTED;
	}
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
	BEGIN(begin, CALL_FIELDS, values);
	if (count <= 0)
		return NVML_ERROR_INVALID_ARGUMENT;
	for (int i = 0; i < count; i++) {
		values[i].timestamp = (long long)stamp(SINCE_EPOCH, t);
		values[i].latencyUsec = 0;
		values[i].nvmlReturn = field(device, &values[i]);
	}
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, nvmlSamplingType_t type, unsigned long long since,
				  nvmlValueType_t *value_type, unsigned int *count, nvmlSample_t *samples)
{
	BEGIN(begin_device, CALL_SAMPLES, count);
	const struct sensor *s = &on.device->sensor;
	if (type != NVML_TOTAL_POWER_SAMPLES || s->ring_tick == 0)
		return NVML_ERROR_NOT_SUPPORTED;
	if (value_type == NULL || (samples != NULL && *count == 0))
		return NVML_ERROR_INVALID_ARGUMENT;
	*value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
	if (samples == NULL) {
		*count = (unsigned)s->ring_length;
		return NVML_SUCCESS;
	}
	unsigned n = 0;
	int64_t newest = tick_at(t, s->ring_tick, 0);
	for (int64_t i = s->ring_length - 1; i >= 0 && n < *count; i--) {
		int64_t at = newest - i * s->ring_tick;
		if (stamp((int)s->clock, at) <= since)
			continue;
		samples[n].timeStamp = stamp((int)s->clock, at);
		samples[n].sampleValue.uiVal = (unsigned)(garbage != NO_GARBAGE ? (int64_t)garbage : instant_milliwatts(on.device, at));
		n++;
	}
	*count = n;
	return n > 0 ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}
