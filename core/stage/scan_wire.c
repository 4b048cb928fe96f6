// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the child in the view tells its parent: a number, the code, then texts, each with its
 * length in front.
 */
#include "core/stage/scan.h"

#include <stdlib.h>
#include <string.h>

void scan_answer_fini(struct scan_answer *answer)
{
	free(answer->config);
	answer->config = NULL;
}

bool scan_is_suffix(const char *text)
{
	static const char *const suffixes[] = { "", ".gz", ".xz", ".zst" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (strcmp(text, suffixes[i]) == 0)
			return true;
	return false;
}

static void add_text(struct str *out, const char *text, size_t len)
{
	str_addf(out, "%zu:", len);
	str_addn(out, text, len);
}

int scan_write(const struct scan_answer *answer, int code, const struct kg_err *failure,
	       struct str *out)
{
	const char *texts[] = { code < 0 ? kg_err_text(failure, code) : "",
				answer->suffix, answer->found.stat_hex,
				answer->found.identity };

	str_addf(out, "%d:", -code);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		add_text(out, texts[i], strlen(texts[i]));
	add_text(out, answer->config != NULL ? answer->config : "", answer->config_len);
	return str_ok(out) ? 0 : -ENOMEM;
}

struct cursor {
	const char *p;
	const char *end;
};

static int read_number(struct cursor *c, uint64_t *ret_value)
{
	const char *colon = memchr(c->p, ':', (size_t)(c->end - c->p));
	const char *start = c->p;

	if (colon == NULL)
		return -KGE_FORMAT;
	c->p = colon + 1;
	return parse_u64n(start, (size_t)(colon - start), ret_value) < 0 ? -KGE_FORMAT
									 : 0;
}

static int read_text(struct cursor *c, const char **ret_text, size_t *ret_len)
{
	uint64_t len;
	int r = read_number(c, &len);

	if (r < 0 || len > (size_t)(c->end - c->p))
		return -KGE_FORMAT;
	*ret_text = c->p;
	*ret_len = (size_t)len;
	c->p += len;
	return 0;
}

static int read_into(struct cursor *c, char *ret_buffer, size_t size)
{
	const char *text;
	size_t len;
	int r = read_text(c, &text, &len);

	if (r < 0 || len >= size || memchr(text, '\0', len) != NULL)
		return -KGE_FORMAT;
	memcpy(ret_buffer, text, len);
	ret_buffer[len] = '\0';
	return 0;
}

static bool is_hex(const char *text)
{
	return strspn(text, "0123456789abcdef") == DIGEST_HEX_SIZE - 1 &&
	       strlen(text) == DIGEST_HEX_SIZE - 1;
}

static int read_answer(struct cursor *c, struct scan_answer *answer)
{
	const char *config;

	if (read_into(c, answer->suffix, sizeof(answer->suffix)) < 0 ||
	    read_into(c, answer->found.stat_hex, DIGEST_HEX_SIZE) < 0 ||
	    read_into(c, answer->found.identity, DIGEST_HEX_SIZE) < 0 ||
	    read_text(c, &config, &answer->config_len) < 0)
		return -KGE_FORMAT;
	if (c->p != c->end ||
	    !(scan_is_suffix(answer->suffix) ||
	      strcmp(answer->suffix, SCAN_NO_SUFFIX) == 0) ||
	    !is_hex(answer->found.stat_hex) || !is_hex(answer->found.identity))
		return -KGE_FORMAT;
	answer->config = strndup(config, answer->config_len);
	return answer->config != NULL ? 0 : -ENOMEM;
}

int scan_read(const char *text, size_t len, struct scan_answer *ret_answer,
	      struct kg_err *err)
{
	struct cursor c = { .p = text, .end = text + len };
	struct scan_answer answer = { 0 };
	struct kg_err failure = { 0 };
	uint64_t code = 0;
	int r = read_number(&c, &code);

	if (r == 0)
		r = read_into(&c, failure.text, sizeof(failure.text));
	if (r == 0 && code > 0 && code < 4096)
		return kg_fail(err, -(int)code, "%s", failure.text);
	if (r == 0)
		r = code == 0 ? read_answer(&c, &answer) : -KGE_FORMAT;
	if (r < 0)
		return kg_fail_errno(err, r, "answer about kernel headers");
	*ret_answer = answer;
	return 0;
}
