/* A libcuda whose kernels sleep. Each call is a line in $CUDA_TEST_LOG. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t pending; /* ns of the kernels launched */

static int note(const char *format, ...)
{
	const char *path = getenv("CUDA_TEST_LOG"), *fails = getenv("CUDA_TEST_FAILS");
	char line[512];
	va_list list;
	va_start(list, format);
	vsnprintf(line, sizeof line, format, list);
	va_end(list);
	FILE *f = path ? fopen(path, "a") : NULL;
	if (f) {
		fprintf(f, "%s\n", line);
		fclose(f);
	}
	return fails && strncmp(line, fails, strlen(fails)) == 0 ? 2 : 0;
}

int cuInit(unsigned flags) { return note("cuInit %u", flags); }
int cuDeviceGet(int *device, int ordinal) { *device = 7; return note("cuDeviceGet %d", ordinal); }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = 100; return note("cuDeviceGetAttribute %d %d", attribute, device); }
int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) { return note("cuDevicePrimaryCtxSetFlags %d %u", device, flags); }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)0x123456789a; return note("cuDevicePrimaryCtxRetain %d", device); }
int cuDevicePrimaryCtxRelease_v2(int device) { return note("cuDevicePrimaryCtxRelease %d", device); }
int cuCtxSetCurrent(void *context) { return note("cuCtxSetCurrent %p", context); }
int cuModuleLoadData(void **module, const void *image)
{
	*module = (void *)0x223456789a;
	return note("cuModuleLoadData %d", strstr(image, ".visible .entry burn(") != NULL);
}
int cuModuleGetFunction(void **function, void *module, const char *name)
{
	*function = (void *)0x323456789a;
	return note("cuModuleGetFunction %p %s", module, name);
}
int cuMemAlloc_v2(uint64_t *address, size_t size) { *address = 0x7f0000000000; return note("cuMemAlloc %zu", size); }
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *stream, void **arguments, void **extra)
{
	pending += *(uint64_t *)arguments[0];
	return note("cuLaunchKernel %p %ux%ux%u %ux%ux%u %u %p %llx %p", function, gx, gy, gz, bx, by, bz, shared, stream,
		    (unsigned long long)*(uint64_t *)arguments[1], extra);
}
int cuCtxSynchronize(void)
{
	struct timespec t = {(time_t)(pending / 1000000000), (long)(pending % 1000000000)};
	pending = 0;
	nanosleep(&t, NULL);
	return note("cuCtxSynchronize");
}
