// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/build/internal.h"

#include <sched.h>
#include <string.h>

static int read_number(int root_fd, const char *path, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = fd_read_file_in(root_fd, path, 256, &text, NULL, NULL);

	return r < 0 ? r : parse_u64n(text, strcspn(text, "\n"), ret);
}

static unsigned int whole_cpus(uint64_t quota, uint64_t period)
{
	if (period == 0 || quota == 0)
		return 0;
	return (unsigned int)((quota + period - 1) / period);
}

/* "200000 100000", or "max 100000"; 0: no limit here. */
static unsigned int limit_v2(int root_fd, const char *dir)
{
	_cleanup_str_ struct str path = { 0 };
	_cleanup_free_ char *text = NULL;
	uint64_t quota;
	uint64_t period;
	size_t len;

	str_addf(&path, "%s/cpu.max", dir);
	if (fd_read_file_in(root_fd, str_get(&path), 256, &text, NULL, NULL) < 0)
		return 0;
	len = strcspn(text, " \n");
	if (parse_u64n(text, len, &quota) < 0 || text[len] != ' ' ||
	    parse_u64n(text + len + 1, strcspn(text + len + 1, "\n"), &period) < 0)
		return 0;
	return whole_cpus(quota, period);
}

static unsigned int limit_v1(int root_fd, const char *dir)
{
	_cleanup_str_ struct str quota_path = { 0 };
	_cleanup_str_ struct str period_path = { 0 };
	uint64_t quota;
	uint64_t period;

	str_addf(&quota_path, "%s/cpu.cfs_quota_us", dir);
	str_addf(&period_path, "%s/cpu.cfs_period_us", dir);
	/* -1, which is no number here, is no limit */
	if (read_number(root_fd, str_get(&quota_path), &quota) < 0 ||
	    read_number(root_fd, str_get(&period_path), &period) < 0)
		return 0;
	return whole_cpus(quota, period);
}

/* The least limit of the group @path below @base and the groups it is in; 0 none. */
static unsigned int limit_below(int root_fd, const char *base, const char *path,
				unsigned int (*limit)(int root_fd, const char *dir))
{
	_cleanup_str_ struct str dir = { 0 };
	unsigned int least = 0;
	size_t base_len = strlen(base);

	str_addf(&dir, "%s%s", base, path);
	while (str_ok(&dir) && dir.len >= base_len) {
		unsigned int n = limit(root_fd, str_get(&dir));
		char *slash;

		if (n > 0 && (least == 0 || n < least))
			least = n;
		slash = strrchr(dir.p, '/');
		if (slash == NULL || dir.len == base_len)
			break;
		dir.len = (size_t)(slash - dir.p);
		*slash = '\0';
	}
	return least;
}

/* One line of /proc/self/cgroup: "ID:CONTROLLERS:PATH", no controllers in version 2. */
static unsigned int limit_of_line(int root_fd, char *line)
{
	char *controllers = strchr(line, ':');
	char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
	unsigned int n;

	if (path == NULL || strstr(path, "/..") != NULL)
		return 0;
	*path++ = '\0';
	controllers++;
	if (*controllers == '\0') {
		n = limit_below(root_fd, "sys/fs/cgroup", path, limit_v2);
		return n > 0 ? n
			     : limit_below(root_fd, "sys/fs/cgroup/unified", path,
					   limit_v2);
	}
	for (char *name = controllers; name != NULL; name = strchr(name, ',')) {
		name += *name == ',';
		if (strcspn(name, ",") == 3 && strncmp(name, "cpu", 3) == 0)
			return limit_below(root_fd, "sys/fs/cgroup/cpu", path, limit_v1);
	}
	return 0;
}

unsigned int cpu_count_in(int root_fd, unsigned int affinity)
{
	_cleanup_free_ char *text = NULL;
	unsigned int least = affinity;

	if (fd_read_file_in(root_fd, "proc/self/cgroup", 65536, &text, NULL, NULL) == 0) {
		for (char *line = text; *line != '\0';) {
			char *next = line + strcspn(line, "\n");
			unsigned int n;

			if (*next != '\0')
				*next++ = '\0';
			n = limit_of_line(root_fd, line);
			if (n > 0 && n < least)
				least = n;
			line = next;
		}
	}
	return least > 0 ? least : 1;
}

unsigned int build_cpu_count(void)
{
	_cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cpu_set_t set;
	int n = 1;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	else if (errno == EINVAL) /* more CPUs than the set has room for */
		n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	return cpu_count_in(root_fd, n > 0 ? (unsigned int)n : 1);
}
