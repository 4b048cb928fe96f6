// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/build/internal.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "core/base/digest.h"

/* A mapped file; every access is checked against its size, as it may be anything. */
struct image {
	const unsigned char *p;
	size_t len;
};

static const void *image_at(const struct image *image, uint64_t offset, uint64_t len)
{
	if (offset > image->len || len > image->len - offset)
		return NULL;
	return image->p + offset;
}

static const ElfW(Ehdr) * elf_header(const struct image *image)
{
	const ElfW(Ehdr) *head = image_at(image, 0, sizeof(*head));

	if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
	    head->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
	    head->e_phentsize != sizeof(ElfW(Phdr)))
		return NULL;
	return head;
}

/* The @nth segment of @type. */
static const ElfW(Phdr) *
	find_segment(const struct image *image, unsigned int type, size_t nth)
{
	const ElfW(Ehdr) *head = elf_header(image);
	const ElfW(Phdr) * segments;

	if (head == NULL)
		return NULL;
	segments = image_at(image, head->e_phoff,
			    (uint64_t)head->e_phnum * sizeof(*segments));
	for (size_t i = 0; segments != NULL && i < head->e_phnum; i++)
		if (segments[i].p_type == type && nth-- == 0)
			return &segments[i];
	return NULL;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* The GNU build id among the notes of one segment. */
static bool add_note(const struct image *image, const ElfW(Phdr) * segment,
		     struct str *out)
{
	const unsigned char *notes =
		image_at(image, segment->p_offset, segment->p_filesz);
	size_t left = segment->p_filesz;

	while (notes != NULL && left >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;
		size_t size;

		memcpy(&note, notes, sizeof(note));
		size = sizeof(note) + align4(note.n_namesz) + align4(note.n_descsz);
		if (size > left || note.n_descsz > left)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    note.n_descsz > 0 && memcmp(notes + sizeof(note), "GNU", 4) == 0) {
			for (size_t i = 0; i < note.n_descsz; i++)
				str_addf(out, "%02x", notes[sizeof(note) + 4 + i]);
			return true;
		}
		notes += size;
		left -= size;
	}
	return false;
}

static bool add_build_id(const struct image *image, struct str *out)
{
	const ElfW(Phdr) * segment;

	for (size_t i = 0; (segment = find_segment(image, PT_NOTE, i)) != NULL; i++)
		if (add_note(image, segment, out))
			return true;
	return false;
}

static void add_content(const struct image *image, struct str *out)
{
	char hex[DIGEST_HEX_SIZE];

	str_add(out, digest_hex(image->p, image->len, hex) == 0 ? hex : "unreadable");
}

/* Where in the file what will be at @address is. */
static uint64_t file_offset(const struct image *image, uint64_t address)
{
	const ElfW(Phdr) * segment;

	for (size_t i = 0; (segment = find_segment(image, PT_LOAD, i)) != NULL; i++)
		if (address >= segment->p_vaddr &&
		    address - segment->p_vaddr < segment->p_filesz)
			return address - segment->p_vaddr + segment->p_offset;
	return UINT64_MAX;
}

/* Names of the libraries it needs. */
static void list_needed(const struct image *image, struct strv *out)
{
	const ElfW(Phdr) *segment = find_segment(image, PT_DYNAMIC, 0);
	const ElfW(Dyn) * entries;
	uint64_t strings = UINT64_MAX;
	size_t n;

	if (segment == NULL)
		return;
	n = segment->p_filesz / sizeof(*entries);
	entries = image_at(image, segment->p_offset, n * sizeof(*entries));
	for (size_t i = 0; entries != NULL && i < n; i++)
		if (entries[i].d_tag == DT_STRTAB)
			strings = file_offset(image, entries[i].d_un.d_ptr);
	for (size_t i = 0; strings < image->len && entries != NULL && i < n; i++) {
		uint64_t at = strings + entries[i].d_un.d_val;

		if (entries[i].d_tag == DT_NEEDED && at < image->len)
			strv_addn(out, (const char *)image->p + at,
				  strnlen((const char *)image->p + at, image->len - at));
	}
}

/* Beside the program, or where this machine keeps libraries. */
static bool find_library(const char *program, const char *name, struct str *ret_path)
{
	static const char *const dirs[] = { "/lib", "/usr/lib", "/lib64", "/usr/lib64",
					    "/usr/local/lib" };
	const char *slash = strrchr(program, '/');
	struct utsname kernel;

	str_clear(ret_path);
	str_addf(ret_path, "%.*s/%s", slash != NULL ? (int)(slash - program) : 0, program,
		 name);
	if (access(str_get(ret_path), R_OK) == 0)
		return true;
	uname(&kernel);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(dirs); i++) {
		str_clear(ret_path);
		if (i % 2 == 0)
			str_addf(ret_path, "%s/%s-linux-gnu/%s", dirs[i / 2],
				 kernel.machine, name);
		else
			str_addf(ret_path, "%s/%s", dirs[i / 2], name);
		if (access(str_get(ret_path), R_OK) == 0)
			return true;
	}
	return false;
}

static void describe(const struct image *image, const char *path, struct strv *seen,
		     struct str *out)
{
	_cleanup_strv_ struct strv needed = { 0 };
	_cleanup_str_ struct str library = { 0 };

	str_addf(out, "%s %zu ", path, image->len);
	if (!add_build_id(image, out))
		add_content(image, out);
	str_addc(out, '\n');
	list_needed(image, &needed);
	for (size_t i = 0; i < needed.n; i++) {
		if (find_library(path, needed.v[i], &library))
			elf_identify(str_get(&library), seen, out);
		else
			str_addf(out, "%s none\n", needed.v[i]);
	}
}

void elf_identify(const char *path, struct strv *seen, struct str *out)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct image image = { 0 };
	struct stat st;
	void *map;

	if (strv_has(seen, path) || seen->n > 200)
		return;
	strv_add(seen, path);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
		str_addf(out, "%s none\n", path);
		return;
	}
	image.len = (size_t)st.st_size;
	map = mmap(NULL, image.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED) {
		str_addf(out, "%s unreadable\n", path);
		return;
	}
	image.p = map;
	describe(&image, path, seen, out);
	munmap(map, image.len);
}
