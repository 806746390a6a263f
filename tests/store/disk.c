/* A disk that misbehaves on purpose: put between a program and libc by LD_PRELOAD.
 *
 * DISK_ROOT: only calls about what lies below this folder are looked at.
 * DISK_LOG:  where given, every such call that changed something is appended to this file:
 *            "OP PATH OFFSET LENGTH OTHER\n", and behind it the bytes that were written.
 *
 * What is written to the file DISK_ROOT/control says what goes wrong, counted from then on:
 *   "eio FROM COUNT"     calls FROM, FROM + 1, … fail: so many of them
 *   "enospc FROM COUNT"  those of them fail that need room
 *   "short FROM COUNT"   those of them that write, write half; the next one finds no room
 *   "eioread FROM COUNT" reads fail, and nothing but reads is counted
 *   "none 0 0"           nothing fails; and DISK_ROOT/count tells how many calls there were since the last time
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_FD = 1024, MAX_PATH = 512 };
enum kind { NONE, EIO_ALL, NO_ROOM, SHORT, EIO_READ };
enum verdict { PASS, FAIL, HALF };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char paths[MAX_FD][MAX_PATH];
static enum kind kind;
static long from, count, calls;
static int halved;

static const char *root(void) { return getenv("DISK_ROOT"); }

/* Paths may be null. */
static int is_ours(const char *path) {
    const char *below = root();
    return below && path && strncmp(path, below, strlen(below)) == 0 && strlen(path) < MAX_PATH;
}

static const char *path_of(int fd) { return fd >= 0 && fd < MAX_FD && paths[fd][0] ? paths[fd] : NULL; }

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }
#define NEXT(type, name, ...) ((type (*)(__VA_ARGS__))next(#name))

/* Appends a call to the log. */
static void tell(const char *op, const char *path, long offset, long length, const char *other, const void *bytes) {
    static int log = -1;
    const char *file = getenv("DISK_LOG");
    char head[2 * MAX_PATH + 64];
    if (!file) return;
    if (log < 0) log = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int size = snprintf(head, sizeof head, "%s\t%s\t%ld\t%ld\t%s\n", op, path, offset, bytes ? length : 0, other);
    struct iovec parts[2] = {{head, size}, {(void *)bytes, bytes ? length : 0}};
    if (syscall(SYS_writev, log, parts, 2) != size + (bytes ? length : 0)) abort();
}

/* Counts a call, and says what becomes of it. The lock is held. */
static enum verdict judge(int is_read, int needs_room, int writes) {
    if (is_read != (kind == EIO_READ)) return PASS;
    long call = calls++;
    int is_due = call >= from && call < from + count;
    if (kind == SHORT && halved && needs_room) {
        halved = 0;
        errno = ENOSPC;
        return FAIL;
    }
    if (!is_due) return PASS;
    if (kind == SHORT && writes) {
        halved = 1;
        return HALF;
    }
    if (kind == NO_ROOM && needs_room) {
        errno = ENOSPC;
        return FAIL;
    }
    if (kind == EIO_ALL || kind == EIO_READ) {
        errno = EIO;
        return FAIL;
    }
    return PASS;
}

static void control(const char *text) {
    char name[16] = "", file[MAX_PATH + 16], out[32];
    long first = 0, many = 0;
    sscanf(text, "%15s %ld %ld", name, &first, &many);
    int size = snprintf(out, sizeof out, "%ld", calls);
    snprintf(file, sizeof file, "%s/count", root());
    int fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (syscall(SYS_write, fd, out, size) != size) abort();
    syscall(SYS_close, fd);
    kind = !strcmp(name, "eio") ? EIO_ALL : !strcmp(name, "enospc") ? NO_ROOM : !strcmp(name, "short") ? SHORT
         : !strcmp(name, "eioread") ? EIO_READ : NONE;
    from = first;
    count = many;
    calls = halved = 0;
}

static int is_control(const char *path) {
    const char *name = strrchr(path, '/');
    return name && (!strcmp(name, "/control") || !strcmp(name, "/count"));
}

static int open_as(const char *name, const char *path, int flags, mode_t mode) {
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))next(name);
    if (!is_ours(path)) return real(path, flags, mode);
    pthread_mutex_lock(&lock);
    int makes = (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
    int fd = -1;
    if (is_control(path) || judge(0, makes, 0) == PASS) fd = real(path, flags, mode);
    if (fd >= 0 && fd < MAX_FD) {
        strcpy(paths[fd], path);
        if (!is_control(path) && (makes || (flags & O_TRUNC))) tell(makes ? "make" : "cut", path, 0, 0, "", NULL);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name)                                   \
    int name(const char *path, int flags, ...) {     \
        va_list more;                                \
        va_start(more, flags);                       \
        mode_t mode = (flags & O_CREAT) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                \
        return open_as(#name, path, flags, mode);    \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (path_of(fd)) paths[fd][0] = 0;
    return NEXT(int, close, int)(fd);
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off_t offset, int is_placed) {
    const char *path = path_of(fd);
    pthread_mutex_lock(&lock);
    if (is_control(path)) {
        char text[64] = "";
        memcpy(text, bytes, length < 63 ? length : 63);
        control(text);
        pthread_mutex_unlock(&lock);
        return length;
    }
    enum verdict verdict = judge(0, 1, length > 1);
    ssize_t written = -1;
    if (verdict != FAIL) {
        struct stat stat;
        if (!is_placed && fstat(fd, &stat) == 0)
            offset = (fcntl(fd, F_GETFL) & O_APPEND) ? stat.st_size : lseek(fd, 0, SEEK_CUR);
        if (verdict == HALF) length /= 2;
        written = is_placed ? NEXT(ssize_t, pwrite64, int, const void *, size_t, off_t)(fd, bytes, length, offset)
                            : NEXT(ssize_t, write, int, const void *, size_t)(fd, bytes, length);
        if (written > 0) tell("write", path, offset, written, "", bytes);
    }
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
    if (path_of(fd)) return write_at(fd, bytes, length, offset, 1);
    return NEXT(ssize_t, pwrite64, int, const void *, size_t, off_t)(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (path_of(fd)) return write_at(fd, bytes, length, 0, 0);
    return NEXT(ssize_t, write, int, const void *, size_t)(fd, bytes, length);
}

/* Whether a call about a path may go on. */
static int goes_on(const char *path, int is_read, int needs_room) {
    if (!is_ours(path) || is_control(path)) return 1;
    return judge(is_read, needs_room, 0) == PASS;
}

#define CALL(expression, path, is_read, needs_room, told)                  \
    pthread_mutex_lock(&lock);                                             \
    long result = goes_on(path, is_read, needs_room) ? (expression) : -1;  \
    if (result >= 0 && is_ours(path) && !is_control(path)) { told; } \
    pthread_mutex_unlock(&lock);                                           \
    return result

ssize_t pread64(int fd, void *bytes, size_t length, off_t offset) {
    CALL(NEXT(ssize_t, pread64, int, void *, size_t, off_t)(fd, bytes, length, offset), path_of(fd), 1, 0, );
}
ssize_t read(int fd, void *bytes, size_t length) {
    if (!path_of(fd)) return NEXT(ssize_t, read, int, void *, size_t)(fd, bytes, length);
    CALL(NEXT(ssize_t, read, int, void *, size_t)(fd, bytes, length), path_of(fd), 1, 0, );
}
int fsync(int fd) {
    CALL(NEXT(int, fsync, int)(fd), path_of(fd), 0, 1, tell("sync", path_of(fd), 0, 0, "", NULL));
}
int fdatasync(int fd) {
    CALL(NEXT(int, fdatasync, int)(fd), path_of(fd), 0, 1, tell("sync", path_of(fd), 0, 0, "", NULL));
}
int ftruncate64(int fd, off_t length) {
    CALL(NEXT(int, ftruncate64, int, off_t)(fd, length), path_of(fd), 0, 1,
         tell("cut", path_of(fd), length, 0, "", NULL));
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
int rename(const char *one, const char *other) {
    CALL(NEXT(int, rename, const char *, const char *)(one, other), one, 0, 0, tell("rename", one, 0, 0, other, NULL));
}
int unlink(const char *path) {
    CALL(NEXT(int, unlink, const char *)(path), path, 0, 0, tell("unlink", path, 0, 0, "", NULL));
}
int mkdir(const char *path, mode_t mode) {
    CALL(NEXT(int, mkdir, const char *, mode_t)(path, mode), path, 0, 1, tell("mkdir", path, 0, 0, "", NULL));
}
