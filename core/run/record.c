// SPDX-License-Identifier: GPL-2.0-or-later
/* txn/ID/jobs: what the gate decided, written before its verdict, read by arrive and settle. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/base/yaml.h"
#include "core/run/run.h"

#define RECORDS_MAX_BYTES (4u << 20)

static const char *const outcome_text[] = {
	[KG_OUTCOME_NONE] = "none",	    [KG_OUTCOME_BUILT] = "built",
	[KG_OUTCOME_HIT] = "hit",	    [KG_OUTCOME_SKIPPED] = "skipped",
	[KG_OUTCOME_EXCLUDED] = "excluded", [KG_OUTCOME_FAILED] = "failed",
};

static void write_record(struct yaml_writer *w, const struct kg_job *job)
{
	yaml_write_flow_map(w);
	yaml_write_pair(w, "name", job->source->name);
	yaml_write_pair(w, "version", job->source->version);
	yaml_write_pair(w, "path", job->source->path);
	yaml_write_pair(w, "release", job->release);
	yaml_write_pair(w, "arch", job->arch);
	yaml_write_pair(w, "outcome", outcome_text[job->outcome]);
	yaml_write_pair(w, "required", job->is_required ? "yes" : "no");
	yaml_write_pair(w, "placed", job->is_placed ? "yes" : "no");
	yaml_write_map_end(w);
}

int run_records_write(struct run *run, struct kg_err *err)
{
	struct yaml_writer w;
	int r = yaml_write_begin(&w);

	if (r < 0)
		return kg_fail_errno(err, r, "cannot write the jobs of the transaction");
	yaml_write_map(&w);
	yaml_write_pair(&w, "kmodgate-jobs", "1");
	yaml_write_key(&w, "jobs");
	yaml_write_list(&w);
	for (size_t i = 0; i < run->n_jobs; i++)
		write_record(&w, &run->jobs[i]);
	yaml_write_list_end(&w);
	yaml_write_map_end(&w);
	r = yaml_write_end(&w);
	if (r == 0)
		r = fd_replace_at(run->txn->dir_fd, "jobs", str_get(&w.out), w.out.len,
				  0644, err);
	yaml_write_fini(&w);
	return r < 0 ? kg_fail_errno(err, r, "cannot write the jobs of the transaction")
		     : 0;
}

static int parse_outcome(const char *text, enum kg_outcome *ret_outcome)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcome_text); i++)
		if (strcmp(outcome_text[i], text) == 0) {
			*ret_outcome = (enum kg_outcome)i;
			return 0;
		}
	return -KGE_FORMAT;
}

static bool record_is_sound(const struct run_record *rec)
{
	return name_is_word(rec->name) && name_is_word(rec->version) &&
	       name_is_word(rec->release) && name_is_word(rec->arch) &&
	       name_is_path(rec->path);
}

static int parse_record(const struct yaml_node *node, struct run_record *rec,
			struct kg_err *err)
{
	static const char *const known[] = { "name",	 "version", "path",
					     "release",	 "arch",    "outcome",
					     "required", "placed",  NULL };
	struct {
		const char *key;
		const char **to;
	} fields[] = {
		{ "name", &rec->name }, { "version", &rec->version },
		{ "path", &rec->path }, { "release", &rec->release },
		{ "arch", &rec->arch },
	};
	const char *outcome;
	const char *required;
	const char *placed;
	int r = yaml_expect_map(node, "job", known, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++)
		r = yaml_get_text(node, fields[i].key, fields[i].to, err);
	if (r == 0)
		r = yaml_get_text(node, "outcome", &outcome, err);
	if (r == 0)
		r = yaml_get_text(node, "required", &required, err);
	if (r == 0)
		r = yaml_get_text(node, "placed", &placed, err);
	if (r < 0)
		return r;
	if (parse_outcome(outcome, &rec->outcome) < 0 || !record_is_sound(rec))
		return kg_fail(err, -KGE_FORMAT, "line %u: not a job", node->line);
	rec->is_required = strcmp(required, "yes") == 0;
	rec->is_placed = strcmp(placed, "yes") == 0;
	return 0;
}

static int parse_records(const char *text, size_t len, struct run_records *records,
			 struct kg_err *err)
{
	static const char *const known[] = { "kmodgate-jobs", "jobs", NULL };
	struct yaml_node *root = NULL;
	const struct yaml_node *jobs;
	int r = yaml_parse(text, len, &records->arena, &root, err);

	if (r == 0)
		r = yaml_expect_map(root, "document", known, err);
	if (r < 0)
		return r;
	jobs = yaml_find(root, "jobs");
	if (jobs == NULL)
		return kg_fail(err, -KGE_FORMAT, "no jobs");
	r = yaml_expect_list(jobs, "jobs", err);
	if (r < 0)
		return r;
	records->v = arena_array(&records->arena, jobs->n + 1, sizeof(*records->v));
	if (records->v == NULL)
		return kg_fail_errno(err, -ENOMEM, "cannot read the jobs");
	for (size_t i = 0; i < jobs->n; i++) {
		r = parse_record(jobs->items[i], &records->v[i], err);
		if (r < 0)
			return r;
		records->n++;
	}
	return 0;
}

int run_records_read(const struct txn *txn, struct run_records *ret_records,
		     struct kg_err *err)
{
	struct run_records records = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd =
		openat(txn->dir_fd, "jobs", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t len = 0;
	int r;

	*ret_records = records;
	if (fd < 0)
		return errno == ENOENT ? 0
				       : kg_fail_errno(err, -errno, "cannot read jobs");
	r = fd_read_all(fd, RECORDS_MAX_BYTES, &text, &len);
	if (r == 0)
		r = parse_records(text, len, &records, err);
	if (r < 0) {
		arena_fini(&records.arena);
		return kg_fail_errno(err, r, "transaction %s: cannot read its jobs",
				     txn->plan.id);
	}
	*ret_records = records;
	return 0;
}

void run_records_fini(struct run_records *records)
{
	arena_fini(&records->arena);
	*records = (struct run_records){ 0 };
}
