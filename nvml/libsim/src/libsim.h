/* A described node behind NVML's binary interface; see libsim.go. */
#ifndef GREENAGENT_LIBSIM_H
#define GREENAGENT_LIBSIM_H

#include <pthread.h>
#include <stdint.h>

#include "nvml.h"

typedef unsigned __int128 wide;

enum { MAX_DEVICES = 64, MAX_INSTANCES = 32, SLICES = 7, TEXT = 96 };

/* The numbers of scenario.FaultKind and scenario.Call. */
enum fault_kind { LOST, RESET_REQUIRED, HANG, TRANSIENT, UNSUPPORTED, NO_PERMISSION, NO_DRIVER, VERSION_MISMATCH, GROWING, GARBAGE, FAULT_KINDS };
enum call { CALL_ANY, CALL_INIT, CALL_COUNTER, CALL_POWER, CALL_FIELDS, CALL_SAMPLES, CALL_UTILIZATION, CALL_PROCESSES, CALL_STATUS, CALL_ACTIVITY, CALLS };
enum { KIND_COMPUTE = 1, KIND_GRAPHICS = 2, KIND_MPS = 4 };
enum { SCOPE_GPU = 1, SCOPE_MODULE = 2, SCOPE_MEMORY = 4 };
enum domain { SINCE_BOOT, SINCE_EPOCH };

/* Times are ns since the origin, levels µW, as in package scenario. */
struct segment { int64_t length, from, to; };

struct curve {
	struct segment *segments;
	int count, repeat;
	int64_t phase, pass;
};

struct load {
	unsigned pid, kinds;
	int64_t from, to, sm, rest;
	uint64_t memory;
	int instance; /* index, -1 outside MIG */
	struct curve power;
};

struct instance {
	char uuid[TEXT];
	unsigned gpu_instance, compute_instance, slices, gpu_slices;
	uint64_t memory;
	int64_t from, to;
	struct device *parent;
};

struct leap { int64_t at, by; };

struct sensor {
	int64_t counter, counter_tick, counter_phase;
	int64_t instant_tick, instant_phase, instant_window;
	int64_t average_tick, average_phase, average_window;
	int64_t lag, gain, offset, ring_tick, ring_length, clock, fields;
};

struct device {
	char uuid[TEXT], name[TEXT], serial[TEXT], bus_id[32];
	int architecture;
	int64_t idle, context, module, max_limit, limit;
	uint64_t memory;
	struct sensor sensor;
	struct load *loads;
	int load_count;
	int64_t private; /* processes are listed by instance only */
	struct instance instances[MAX_INSTANCES];
	int instance_count;
	int64_t *resets;
	int reset_count;
	struct leap *leaps;
	int leap_count;
	int64_t added; /* INT64_MIN: always there */
};

struct fault {
	int device;
	enum call call;
	enum fault_kind kind;
	int64_t at, length, times; /* length 0: without end; times 0: without limit */
	uint64_t value;
	int64_t hits;
};

/* What the test shares with the library while it runs. */
struct control {
	int64_t now;     /* the virtual clock, ns */
	int64_t release; /* not 0: no call hangs any longer */
	int64_t calls[MAX_DEVICES]; /* that reached a device, by its index */
};

/* The kernel driver gone for a while, then another of that version. */
struct reload {
	int64_t at, length;
	char driver[TEXT]; /* empty: the version before */
};

struct node {
	int initialized;
	int64_t born;          /* when it was initialized */
	char driver[TEXT];     /* the kernel driver's at the origin */
	char library[TEXT];    /* this library's own: that of the driver when it was loaded */
	struct reload *reloads;
	int reload_count;
	int64_t origin, uptime, epoch; /* instant, ns, Unix ns at the origin */
	int virtual_clock;
	struct control *control;
	struct device devices[MAX_DEVICES];
	int device_count;
	struct fault *faults;
	int fault_count;
	int samples;          /* of GPM, not freed */
	pthread_mutex_t lock; /* over initialized and hits */
};

/*
 * The one node of the process. Several variants of this library (with symbols left
 * out) may be loaded after one another, and calls once bound go on to the first;
 * being a global symbol, the first one's node serves them all.
 */
extern struct node libsim_node_1;
#define NODE (&libsim_node_1)

/* parse.c: returns 0, or -1 after saying why on stderr. */
int node_load(const char *path);
void node_free(void);

/* curve.c */
wide curve_area(const struct curve *c, int64_t t);
int64_t curve_at(const struct curve *c, int64_t t);
int64_t curve_above(const struct curve *c, int64_t t);

/* device.c: the mirror of scenario's reading methods. */
int64_t tick_at(int64_t t, int64_t tick, int64_t phase);
int resident(const struct load *l, int64_t t);
int64_t draw(const struct load *l, int64_t t);
int64_t mean_power(const struct device *d, int64_t from, int64_t to);
uint64_t counter_millijoules(const struct device *d, int64_t t);
int64_t instant_milliwatts(const struct device *d, int64_t t);
int64_t average_milliwatts(const struct device *d, int64_t t);
int64_t in_scope(const struct device *d, int64_t milliwatts, int scope);

/* partition.c */
int exists(const struct instance *in, int64_t t);
unsigned gpu_slices(const struct device *d, unsigned gpu_instance, int64_t t);
int has_gpm(const struct device *d);
int64_t sm_activity(const struct device *d, unsigned gpu_instance, int64_t from, int64_t to); /* -1: not known */

/* utilization.c */
int64_t tag_time(int64_t n);
int64_t tag_before(int64_t t);
unsigned tagged(const struct device *d, int64_t n);

/* clock.c */
int64_t now(void);
int driver_loaded(int64_t t);
const char *driver_at(int64_t t);
uint64_t stamp(int domain, int64_t t);
nvmlReturn_t strike(int device, enum call call, int64_t *t, uint64_t *garbage);

#endif
