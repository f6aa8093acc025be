/* replay: feeds saved inputs to a fuzz target, so that ordinary builds run the corpus as a test.
 * Arguments are files, or folders whose files are taken (not those of folders inside). */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        perror(path);
        exit(1);
    }
    size_t n = (size_t)st.st_size;
    uint8_t *data = malloc(n ? n : 1); /* exactly its size: a sanitizer sees a read past the end */
    if (!data || fread(data, 1, n, f) != n) {
        perror(path);
        exit(1);
    }
    fclose(f);
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 1;
}

static size_t replay_folder(const char *path)
{
    size_t n = 0;
    DIR *dir = opendir(path);
    if (!dir) {
        perror(path);
        exit(1);
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char file[PATH_MAX];
        struct stat st;
        int length = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (length > 0 && (size_t)length < sizeof file && stat(file, &st) == 0 &&
            S_ISREG(st.st_mode))
            n += replay_file(file);
    }
    closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            n += replay_folder(argv[i]);
        else
            n += replay_file(argv[i]);
    }
    printf("replayed %zu inputs\n", n);
    return n ? 0 : 1;
}
