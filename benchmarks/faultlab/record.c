/* Records what a process writes to files below a folder, and when it syncs them, for building crash images.
 *
 *     cc -shared -fPIC -O2 -o record.so record.c -ldl -lpthread
 *     RECORD_LOG=log RECORD_FOLDER=/folder/ LD_PRELOAD=./record.so program
 *
 * One entry per operation: kind (1 byte), length of the path (uint16), path, offset (uint64), length (uint32), data.
 *     W data at offset   N truncated to offset   T emptied at opening   C opened, made if absent
 *     F synced           U unlinked              R renamed to data      A written to standard output: an acknowledgement
 * The order of entries is the order of the operations: all of them happen under one lock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES 4096
#define REAL(type, name) \
    static __typeof__(type) real; \
    if (!real) real = (__typeof__(type))dlsym(RTLD_NEXT, name)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -2; /* -2: not looked yet, -1: nothing is recorded */
static char folder[512];
static char *names[FILES];

static void look(void) {
    if (log_fd != -2) return;
    const char *log = getenv("RECORD_LOG"), *below = getenv("RECORD_FOLDER");
    log_fd = -1;
    if (!log || !below) return;
    strncpy(folder, below, sizeof folder - 1);
    log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
}

static int watched(const char *path) { return log_fd >= 0 && path && !strncmp(path, folder, strlen(folder)); }

static const char *name_of(int fd) { return log_fd >= 0 && fd >= 0 && fd < FILES ? names[fd] : NULL; }

static void note(char kind, const char *path, uint64_t offset, const void *data, uint32_t length) {
    uint16_t named = strlen(path);
    size_t size = 15 + named + (data ? length : 0);
    char *entry = malloc(size), *at = entry;
    *at++ = kind;
    memcpy(at, &named, 2), at += 2;
    memcpy(at, path, named), at += named;
    memcpy(at, &offset, 8), at += 8;
    memcpy(at, &length, 4), at += 4;
    if (data) memcpy(at, data, length);
    syscall(SYS_write, log_fd, entry, size);
    free(entry);
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, int mode) {
    look();
    pthread_mutex_lock(&lock);
    int fd = real(path, flags, mode);
    if (fd >= 0 && fd < FILES && watched(path)) {
        names[fd] = strdup(path);
        if (flags & O_TRUNC) note('T', path, 0, NULL, 0);
        else if (flags & O_CREAT) note('C', path, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int (*)(const char *, int, ...), #name); \
        va_list rest; \
        va_start(rest, flags); \
        int mode = va_arg(rest, int); \
        va_end(rest); \
        return opened(real, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    REAL(int (*)(int), "close");
    if (name_of(fd)) names[fd] = NULL;
    return real(fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t (*)(int, const void *, size_t), "write");
    look();
    const char *path = name_of(fd);
    if (!path && !(fd == 1 && log_fd >= 0)) return real(fd, data, size);
    pthread_mutex_lock(&lock);
    off_t offset = path ? lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR) : 0;
    ssize_t written = real(fd, data, size);
    if (written > 0) note(path ? 'W' : 'A', path ? path : "", offset, data, written);
    pthread_mutex_unlock(&lock);
    return written;
}

static ssize_t written_at(ssize_t (*real)(int, const void *, size_t, off_t), int fd, const void *data, size_t size,
                          off_t offset) {
    const char *path = name_of(fd);
    if (!path) return real(fd, data, size, offset);
    pthread_mutex_lock(&lock);
    ssize_t written = real(fd, data, size, offset);
    if (written > 0) note('W', path, offset, data, written);
    pthread_mutex_unlock(&lock);
    return written;
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t size, off_t offset) { \
        REAL(ssize_t (*)(int, const void *, size_t, off_t), #name); \
        return written_at(real, fd, data, size, offset); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define SYNC(name) \
    int name(int fd) { \
        REAL(int (*)(int), #name); \
        int result = real(fd); \
        if (name_of(fd)) { \
            pthread_mutex_lock(&lock); \
            note('F', name_of(fd), 0, NULL, 0); \
            pthread_mutex_unlock(&lock); \
        } \
        return result; \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name) \
    int name(int fd, off_t size) { \
        REAL(int (*)(int, off_t), #name); \
        if (!name_of(fd)) return real(fd, size); \
        pthread_mutex_lock(&lock); \
        int result = real(fd, size); \
        if (!result) note('N', name_of(fd), size, NULL, 0); \
        pthread_mutex_unlock(&lock); \
        return result; \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define REMOVE(name) \
    int name(const char *path) { \
        REAL(int (*)(const char *), #name); \
        look(); \
        pthread_mutex_lock(&lock); \
        int result = real(path); \
        if (!result && watched(path)) note('U', path, 0, NULL, 0); \
        pthread_mutex_unlock(&lock); \
        return result; \
    }
REMOVE(unlink)
REMOVE(remove)

int rename(const char *from, const char *to) {
    REAL(int (*)(const char *, const char *), "rename");
    look();
    pthread_mutex_lock(&lock);
    int result = real(from, to);
    if (!result && watched(from)) note('R', from, 0, to, strlen(to));
    pthread_mutex_unlock(&lock);
    return result;
}
