/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over its corpus without libFuzzer, so that every input that once mattered is a
 * plain test with any compiler. Arguments are files and folders (searched through, hidden names
 * left out). Each input is a heap block of exactly its size: a sanitizer sees one byte too many. A
 * missing or empty folder is an error, or a corpus that was moved would pass for ever.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each returns how many inputs were run, or -1 when it has said what is wrong. */
static long run_path(const char *path);

static long complain(const char *what, const char *path)
{
	fprintf(stderr, "run_corpus: cannot %s \"%s\": %s\n", what, path, strerror(errno));
	return -1;
}

static uint8_t *read_whole(FILE *file, size_t size)
{
	uint8_t *data = malloc(size);

	if (data && size && fread(data, 1, size, file) != size) {
		free(data);
		return NULL;
	}
	return data;
}

static long run_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;

	if (!file)
		return complain("open", path);
	data = read_whole(file, size);
	fclose(file);
	if (!data)
		return complain("read", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static long run_entry(const char *folder, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return complain("open", name);
	}
	return run_path(path);
}

static long run_folder(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_visible, alphasort);
	long total = 0;

	if (count < 0)
		return complain("list", path);
	for (int i = 0; i < count; i++) {
		long ran = total < 0 ? -1 : run_entry(path, entries[i]->d_name);

		total = ran < 0 ? -1 : total + ran;
		free(entries[i]);
	}
	free(entries);
	if (total == 0) {
		fprintf(stderr, "run_corpus: no input in \"%s\"\n", path);
		return -1;
	}
	return total;
}

static long run_path(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return complain("find", path);
	return S_ISDIR(st.st_mode) ? run_folder(path) : run_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	long total = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE-OR-FOLDER...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		long ran = run_path(argv[i]);

		if (ran < 0)
			return 1;
		total += ran;
	}
	printf("%ld inputs\n", total);
	return 0;
}
