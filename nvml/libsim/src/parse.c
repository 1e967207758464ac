/* Reads the file that libsim.go writes; see format.go for its lines. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libsim.h"

struct node libsim_node_1 = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *file_name;
static int line_number;

static int fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "libsim: %s:%d: ", file_name, line_number);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return -1;
}

/* Appends a zeroed element to an array that doubles at powers of two. */
static void *append(void *array, int *count, size_t size)
{
	char *grown = array;
	if ((*count & (*count - 1)) == 0)
		grown = realloc(array, (size_t)(*count ? 2 * *count : 1) * size);
	if (grown == NULL)
		abort();
	memset(grown + (size_t)*count * size, 0, size);
	++*count;
	return grown;
}

#define APPEND(array, count) ((array) = append((array), &(count), sizeof *(array)), &(array)[(count) - 1])

/* The rest of the line holds exactly that many integers. */
static int integers(char *text, int want, int64_t *values)
{
	for (int i = 0; i < want; i++) {
		char *end;
		values[i] = strtoll(text, &end, 10);
		if (end == text)
			return fail("%d numbers, want %d", i, want);
		text = end;
	}
	text += strspn(text, " ");
	return *text == 0 ? 0 : fail("%s after %d numbers", text, want);
}

static int word(char *to, size_t size, const char *text)
{
	if (strlen(text) >= size)
		return fail("%s is too long", text);
	strcpy(to, text);
	return 0;
}

static int map_control(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail("cannot open %s", path);
	void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		return fail("cannot map %s", path);
	NODE->control = page;
	return 0;
}

static int parse_device_line(const char *key, char *rest)
{
	if (NODE->device_count == 0)
		return fail("%s before any device", key);
	struct device *d = &NODE->devices[NODE->device_count - 1];
	int64_t v[16];
	if (strcmp(key, "name") == 0)
		return word(d->name, sizeof d->name, rest);
	if (strcmp(key, "serial") == 0)
		return word(d->serial, sizeof d->serial, rest);
	if (strcmp(key, "bus") == 0)
		return word(d->bus_id, sizeof d->bus_id, rest);
	if (strcmp(key, "board") == 0) {
		if (integers(rest, 7, v) != 0)
			return -1;
		d->architecture = (int)v[0];
		d->idle = v[1], d->context = v[2], d->module = v[3];
		d->max_limit = v[4], d->limit = v[5], d->memory = (uint64_t)v[6];
		return 0;
	}
	if (strcmp(key, "sensor") == 0) {
		_Static_assert(sizeof d->sensor == 16 * sizeof *v, "a sensor is its 16 numbers");
		return integers(rest, 16, (int64_t *)&d->sensor);
	}
	if (strcmp(key, "reset") == 0)
		return integers(rest, 1, APPEND(d->resets, d->reset_count));
	if (strcmp(key, "added") == 0)
		return integers(rest, 1, &d->added);
	if (strcmp(key, "leap") == 0) {
		if (integers(rest, 2, v) != 0)
			return -1;
		*APPEND(d->leaps, d->leap_count) = (struct leap){v[0], v[1]};
		return 0;
	}
	if (strcmp(key, "private") == 0)
		return integers(rest, 1, &d->private);
	if (strcmp(key, "instance") == 0) {
		if (d->instance_count == MAX_INSTANCES)
			return fail("more than %d instances", MAX_INSTANCES);
		struct instance *in = &d->instances[d->instance_count++];
		char *numbers = strchr(rest, ' ');
		if (numbers == NULL)
			return fail("instance without numbers");
		*numbers++ = 0;
		if (word(in->uuid, sizeof in->uuid, rest) != 0 || integers(numbers, 7, v) != 0)
			return -1;
		in->gpu_instance = (unsigned)v[0], in->compute_instance = (unsigned)v[1];
		in->slices = (unsigned)v[2], in->gpu_slices = (unsigned)v[3], in->memory = (uint64_t)v[4];
		in->from = v[5], in->to = v[6];
		in->parent = d;
		return 0;
	}
	if (strcmp(key, "load") == 0) {
		struct load *l = APPEND(d->loads, d->load_count);
		if (integers(rest, 10, v) != 0)
			return -1;
		l->pid = (unsigned)v[0], l->from = v[1], l->to = v[2], l->sm = v[3], l->kinds = (unsigned)v[4];
		l->memory = (uint64_t)v[5], l->instance = (int)v[6];
		l->power.repeat = (int)v[7], l->power.phase = v[8], l->rest = v[9];
		if (l->instance >= d->instance_count)
			return fail("no instance %d", l->instance);
		return 0;
	}
	if (strcmp(key, "segment") == 0) {
		if (d->load_count == 0)
			return fail("segment before any load");
		if (integers(rest, 3, v) != 0)
			return -1;
		if (v[0] <= 0 || v[1] < 0 || v[2] < 0)
			return fail("bad segment");
		struct curve *c = &d->loads[d->load_count - 1].power;
		*APPEND(c->segments, c->count) = (struct segment){v[0], v[1], v[2]};
		c->pass += v[0];
		return 0;
	}
	return fail("unknown line %s", key);
}

static int parse_line(char *line)
{
	char *rest = strchr(line, ' ');
	if (rest == NULL)
		return fail("%s without a value", line);
	*rest++ = 0;
	int64_t v[7];
	if (strcmp(line, "driver") == 0)
		return word(NODE->driver, sizeof NODE->driver, rest);
	if (strcmp(line, "control") == 0)
		return map_control(rest);
	if (strcmp(line, "clock") == 0) {
		if (integers(rest, 4, v) != 0)
			return -1;
		NODE->virtual_clock = (int)v[0], NODE->origin = v[1], NODE->uptime = v[2], NODE->epoch = v[3];
		return 0;
	}
	if (strcmp(line, "device") == 0) {
		if (NODE->device_count == MAX_DEVICES)
			return fail("more than %d devices", MAX_DEVICES);
		NODE->devices[NODE->device_count].added = INT64_MIN;
		return word(NODE->devices[NODE->device_count++].uuid, TEXT, rest);
	}
	if (strcmp(line, "reload") == 0) {
		char *length = strchr(rest, ' ');
		char *driver = length != NULL ? strchr(length + 1, ' ') : NULL;
		if (driver == NULL)
			return fail("reload without a version");
		*driver++ = 0;
		struct reload *r = APPEND(NODE->reloads, NODE->reload_count);
		if (integers(rest, 2, v) != 0)
			return -1;
		r->at = v[0], r->length = v[1];
		return word(r->driver, sizeof r->driver, driver);
	}
	if (strcmp(line, "fault") == 0) {
		if (integers(rest, 7, v) != 0)
			return -1;
		if (v[0] < -1 || v[1] < 0 || v[1] >= CALLS || v[2] < 0 || v[2] >= FAULT_KINDS)
			return fail("bad fault");
		*APPEND(NODE->faults, NODE->fault_count) = (struct fault){.device = (int)v[0], .call = (enum call)v[1],
			.kind = (enum fault_kind)v[2], .at = v[3], .length = v[4], .times = v[5], .value = (uint64_t)v[6]};
		return 0;
	}
	return parse_device_line(line, rest);
}

void node_free(void)
{
	for (int i = 0; i < NODE->device_count; i++) {
		struct device *d = &NODE->devices[i];
		for (int j = 0; j < d->load_count; j++)
			free(d->loads[j].power.segments);
		free(d->loads);
		free(d->resets);
		free(d->leaps);
	}
	free(NODE->faults);
	free(NODE->reloads);
	NODE->faults = NULL;
	NODE->reloads = NULL;
	NODE->fault_count = NODE->reload_count = NODE->device_count = 0;
	memset(NODE->devices, 0, sizeof NODE->devices);
	NODE->control = NULL; /* stays mapped: a hanging call may still look at it */
}

int node_load(const char *path)
{
	file_name = path;
	line_number = 0;
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return fail("cannot open");
	char *line = NULL;
	size_t size = 0;
	int err = 0, ended = 0;
	node_free();
	for (ssize_t n; err == 0 && !ended && (n = getline(&line, &size, f)) > 0;) {
		line_number++;
		if (line[n - 1] != '\n')
			err = fail("cut off");
		line[n - 1] = 0;
		if (line_number == 1 ? strcmp(line, "greenagent-libsim 1") != 0 : 0)
			err = fail("not a scenario of this version");
		else if (strcmp(line, "end") == 0)
			ended = 1;
		else if (line_number > 1 && err == 0)
			err = parse_line(line);
	}
	free(line);
	fclose(f);
	if (err == 0 && !ended)
		err = fail("cut off");
	if (err == 0 && NODE->control == NULL)
		err = fail("no control file");
	if (err != 0)
		node_free();
	return err;
}
