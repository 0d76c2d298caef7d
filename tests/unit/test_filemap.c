/* Files: what is mapped, read and refused, beneath a folder and by path; the guard. ctest-labels: cross */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <born/model.h>
#include <errno.h>
#include <fcntl.h>
#if !defined(__wasi__)
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#endif
#include <sys/stat.h>
#include <unistd.h>

#include "base/filemap.h"
#include "base/sigbus.h"
#include "harness.h"

#define FOLDER_BYTES 1100

static char folder[FOLDER_BYTES];

static const char *in_folder(const char *name)
{
    static char path[FOLDER_BYTES + 100];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static bool write_file(const char *name, size_t bytes)
{
    FILE *f = fopen(in_folder(name), "wb");
    if (f == NULL) return false;
    for (size_t i = 0; i < bytes; i++) fputc((int)(i * 7 % 251), f);
    return fclose(f) == 0;
}

static bool bytes_match(const born_filemap *m, size_t bytes)
{
    if (m->bytes != bytes) return false;
    for (size_t i = 0; i < bytes; i++) {
        if (m->data[i] != i * 7 % 251) return false;
    }
    return true;
}

/* A folder of this build's own, so that the tests of several builds may run at once. Names are reused. */
static bool make_folder(void)
{
    const char *base = getenv("BORN_BUILD");
    (void)snprintf(folder, sizeof folder, "%.1000s/born_filemap_test", base != NULL ? base : "/tmp");
    return mkdir(folder, 0700) == 0 || errno == EEXIST;
}

static born_status open_in(const char *path, born_error *err)
{
    int fd;
    born_filemap *m = NULL;
    born_status s = born__folder_open(in_folder("model.onnx"), &fd, err);
    if (s != BORN_OK) return s;
    s = born__filemap_open_in(fd, path, strlen(path), 0, 0, &m, err);
    CHECK((s == BORN_OK) == (m != NULL));
    born__filemap_close(&m);
    born__folder_close(&fd);
    CHECK_INT(fd, -1);
    return s;
}

TEST(filemap_maps_and_copies)
{
    born_error err;
    REQUIRE(make_folder());
    static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 100000 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        REQUIRE(write_file("plain.bin", sizes[i]));
        for (unsigned flags = 0; flags <= BORN_FILE_COPY; flags++) {
            born_filemap *m;
            REQUIRE_OK(born__filemap_open(in_folder("plain.bin"), flags, 0, &m, &err), &err);
            CHECK(bytes_match(m, sizes[i]));
            CHECK(flags == 0 || !m->mapped);
            born__filemap_drop(m, 0, m->bytes);
            born__filemap_drop(m, 1, SIZE_MAX);
            born__filemap_drop(m, m->bytes / 2, m->bytes - m->bytes / 2);
            CHECK(bytes_match(m, sizes[i]));
            CHECK(!born__filemap_lost(m));
            born__filemap_close(&m);
            CHECK(m == NULL);
            born__filemap_close(&m);
        }
    }
    born_filemap *m;
    CHECK_STATUS(born__filemap_open(in_folder("plain.bin"), BORN_FILE_COPY, 99999, &m, &err), BORN_NOMEM);
    CHECK(m == NULL);
}

TEST(filemap_refuses_what_is_not_a_plain_file)
{
    born_error err;
    born_filemap *m;
    REQUIRE(make_folder());
    REQUIRE(write_file("plain.bin", 10));
    CHECK_STATUS(born__filemap_open("", 0, 0, &m, &err), BORN_INVALID);
    CHECK_STATUS(born__filemap_open(NULL, 0, 0, &m, &err), BORN_INVALID);
    CHECK_STATUS(born__filemap_open(in_folder("missing"), 0, 0, &m, &err), BORN_IO);
    CHECK(strstr(err.text, "no such file") != NULL);
    CHECK(born__filemap_open(folder, 0, 0, &m, &err) != BORN_OK);
    (void)unlink(in_folder("link"));
    REQUIRE(symlink("plain.bin", in_folder("link")) == 0);
    CHECK_STATUS(born__filemap_open(in_folder("link"), 0, 0, &m, &err), BORN_INVALID);
    FILE *f = fopen(in_folder("link"), "rb");
    bool follows = f != NULL;           /* WASI of node 18 does not */
    if (f != NULL) fclose(f);
    CHECK_STATUS(born__filemap_open(in_folder("link"), BORN_FILE_FOLLOW, 0, &m, &err), follows ? BORN_OK : BORN_IO);
    born__filemap_close(&m);
#if !defined(__wasi__)
    CHECK(follows);
    (void)unlink(in_folder("fifo"));
    REQUIRE(mkfifo(in_folder("fifo"), 0600) == 0);
    CHECK_STATUS(born__filemap_open(in_folder("fifo"), 0, 0, &m, &err), BORN_INVALID);     /* and does not wait */
    CHECK_STATUS(open_in("fifo", &err), BORN_INVALID);
    CHECK_STATUS(born__filemap_open("/dev/zero", 0, 0, &m, &err), BORN_INVALID);
#endif
    CHECK(m == NULL);
}

TEST(filemap_beneath_a_folder)
{
    born_error err;
    REQUIRE(make_folder());
    REQUIRE(write_file("weights.bin", 100));
    REQUIRE(mkdir(in_folder("sub"), 0700) == 0 || errno == EEXIST);
    REQUIRE(write_file("sub/weights.bin", 100));
    CHECK_OK(open_in("weights.bin", &err), &err);
    CHECK_OK(open_in("./weights.bin", &err), &err);
    CHECK_OK(open_in("sub/weights.bin", &err), &err);
    CHECK_OK(open_in("sub//./weights.bin", &err), &err);
    CHECK_STATUS(open_in("", &err), BORN_INVALID);
    CHECK_STATUS(open_in("/etc/passwd", &err), BORN_INVALID);
    CHECK_STATUS(open_in("../born_filemap_test/weights.bin", &err), BORN_INVALID);
    CHECK_STATUS(open_in("sub/../weights.bin", &err), BORN_INVALID);
    CHECK_STATUS(open_in("sub/..", &err), BORN_INVALID);
    CHECK_STATUS(open_in("..", &err), BORN_INVALID);
    CHECK(open_in("sub", &err) != BORN_OK);
    CHECK(open_in("sub/", &err) != BORN_OK);
    CHECK(open_in(".", &err) != BORN_OK);
    CHECK_STATUS(open_in("absent/weights.bin", &err), BORN_IO);
    CHECK(open_in("weights.bin/x", &err) != BORN_OK);
    CHECK(open_in("..hidden", &err) == BORN_IO);            /* a legal name that does not exist */

    (void)unlink(in_folder("link"));
    (void)unlink(in_folder("out"));
    REQUIRE(symlink("weights.bin", in_folder("link")) == 0);
    REQUIRE(symlink("sub", in_folder("out")) == 0);
    CHECK_STATUS(open_in("link", &err), BORN_INVALID);
    CHECK(open_in("out/weights.bin", &err) != BORN_OK);
    (void)unlink(in_folder("hard"));
    char other[FOLDER_BYTES + 100];
    (void)snprintf(other, sizeof other, "%s/hard", folder);
    REQUIRE(link(in_folder("weights.bin"), other) == 0);
    CHECK_STATUS(open_in("weights.bin", &err), BORN_INVALID);
    CHECK_STATUS(open_in("hard", &err), BORN_INVALID);
    CHECK(unlink(other) == 0);
    CHECK_OK(open_in("weights.bin", &err), &err);
}

TEST(filemap_relative_paths_are_bounded)
{
    born_error err;
    born_filemap *m;
    int fd;
    REQUIRE(make_folder());
    REQUIRE_OK(born__folder_open(in_folder("x"), &fd, &err), &err);
    CHECK_STATUS(born__filemap_open_in(fd, "a\0b", 3, 0, 0, &m, &err), BORN_INVALID);
    char path[4000];
    memset(path, 'a', sizeof path);
    CHECK_STATUS(born__filemap_open_in(fd, path, sizeof path, 0, 0, &m, &err), BORN_INVALID);
    for (size_t i = 0; i < sizeof path; i++) path[i] = i % 2 == 0 ? 'a' : '/';
    CHECK_STATUS(born__filemap_open_in(fd, path, 1000, 0, 0, &m, &err), BORN_INVALID);
    born__folder_close(&fd);
    CHECK(born__folder_open("/nowhere/at/all/model.onnx", &fd, &err) == BORN_IO);
    REQUIRE_OK(born__folder_open("model.onnx", &fd, &err), &err);
    born__folder_close(&fd);
    REQUIRE_OK(born__folder_open("/model.onnx", &fd, &err), &err);
    born__folder_close(&fd);
}

#if !defined(__wasi__)
static sigjmp_buf after_fault;
static char *volatile told;

static void note_address(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    told = info->si_addr;
    siglongjmp(after_fault, 1);
}

/* Whether the address that comes with SIGBUS is that of the fault. qemu-user 7 adds an offset for 32-bit programs. */
static bool fault_addresses_are_true(void)
{
    struct sigaction action = { .sa_sigaction = note_address, .sa_flags = SA_SIGINFO }, old;
    int fd = open(in_folder("probe.bin"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, 1 << 20) != 0) return false;
    char *map = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED || ftruncate(fd, 0) != 0 || sigaction(SIGBUS, &action, &old) != 0) return false;
    const volatile char *p = map + (1 << 19);
    if (sigsetjmp(after_fault, 1) == 0) (void)*p;
    sigaction(SIGBUS, &old, NULL);
    munmap(map, 1 << 20);
    close(fd);
    return told == (const char *)p;
}

static bool reader_ends_by_sigbus(const born_filemap *m)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        unsigned sum = 0;
        for (size_t i = 0; i < m->bytes; i++) sum += m->data[i];
        _exit(sum != 0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}
#else
static bool fault_addresses_are_true(void) { return true; }
static bool reader_ends_by_sigbus(const born_filemap *m) { return m == NULL; }
#endif

TEST(filemap_guard_turns_a_truncated_file_into_zeros)
{
    born_error err;
    born_filemap *m, *other;
    REQUIRE(make_folder());
    REQUIRE(write_file("shrinks.bin", 200000));
    REQUIRE(write_file("stays.bin", 200000));
    REQUIRE_OK(born_guard_install(&err), &err);
    REQUIRE_OK(born_guard_install(&err), &err);
    REQUIRE_OK(born__filemap_open(in_folder("shrinks.bin"), 0, 0, &m, &err), &err);
    REQUIRE_OK(born__filemap_open(in_folder("stays.bin"), 0, 0, &other, &err), &err);
    if (!m->mapped) {
        born__filemap_close(&m);
        born__filemap_close(&other);
        SKIP("files are read here, not mapped");
    }
    REQUIRE(truncate(in_folder("shrinks.bin"), 5000) == 0);
    if (!fault_addresses_are_true()) {          /* then it ends by the signal, as it would without a guard */
        CHECK(reader_ends_by_sigbus(m));
        born__filemap_close(&m);
        born__filemap_close(&other);
        SKIP("this system tells wrong addresses with SIGBUS");
    }
    unsigned sum = 0;
    for (size_t i = 0; i < m->bytes; i++) sum += m->data[i];
    CHECK(sum > 0);
    CHECK_INT(m->data[150000], 0);
    CHECK(born__filemap_lost(m));
    CHECK(bytes_match(other, 200000));
    CHECK(!born__filemap_lost(other));
    born__filemap_close(&m);
    born__filemap_close(&other);
}

TEST(filemap_guard_table_is_bounded)
{
    static int slot[2000];
    int got = 0;
    for (int i = 0; i < 2000; i++) {
        slot[i] = born__guard_add(slot, sizeof slot);
        got += slot[i] >= 0;
    }
    CHECK(got > 500 && got < 2000);
    born_error err;
    born_filemap *m;
    REQUIRE(make_folder());
    REQUIRE(write_file("plain.bin", 5000));
    CHECK_OK(born__filemap_open(in_folder("plain.bin"), 0, 0, &m, &err), &err);
    CHECK(!m->mapped && bytes_match(m, 5000));      /* no unguarded maps */
    born__filemap_close(&m);
    for (int i = 0; i < 2000; i++) born__guard_remove(slot[i]);
    CHECK(!born__guard_lost(-1));
}

TEST_MAIN
