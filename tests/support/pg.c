#include "pg.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TIMEOUT_MS 60000
#define STOP_TIMEOUT_MS 60000

struct gw_test_pg {
    char dir[64];
    char data[80], log[80];
    pid_t pid; /* 0: not running */
    char urls[8][160];
    unsigned next_url;
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static const char *binary(const char *name, char *out, size_t cap)
{
    const char *dir = getenv("ROWCAST_TEST_PG_BIN");
    snprintf(out, cap, "%s/%s", dir && *dir ? dir : "/usr/lib/postgresql/15/bin", name);
    return out;
}

/* Postgres refuses to run as root. */
static void become_postgres(void)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (!user)
        return;
    if (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid))
        _exit(126);
}

static pid_t spawn(const struct gw_test_pg *pg, char *const argv[])
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    become_postgres();
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* after setuid, which clears it */
    if (getppid() != parent || chdir(pg->dir) != 0)
        _exit(125);
    int log = open(pg->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log >= 0) {
        dup2(log, 1);
        dup2(log, 2);
    }
    execv(argv[0], argv);
    _exit(127);
}

static void show_log(const struct gw_test_pg *pg)
{
    char line[512];
    FILE *f = fopen(pg->log, "r");
    while (f && fgets(line, sizeof line, f))
        fputs(line, stderr);
    if (f)
        fclose(f);
}

static void make_cluster(struct gw_test_pg *pg)
{
    char initdb[256];
    int status = 0;
    char *argv[] = {(char *)binary("initdb", initdb, sizeof initdb),
                    "-D",
                    pg->data,
                    "-U",
                    "postgres",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                    "--locale=C",
                    "--no-sync",
                    NULL};
    pid_t pid = spawn(pg, argv);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        show_log(pg);
        die("initdb failed: %s", initdb);
    }
}

struct gw_test_pg *gw_test_pg_new(void)
{
    struct gw_test_pg *pg = calloc(1, sizeof *pg);
    const char *tmp = getenv("TMPDIR");
    if (!pg)
        abort();
    snprintf(pg->dir, sizeof pg->dir, "%s/rcpg-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    if (!mkdtemp(pg->dir))
        die("mkdtemp %s: %s", pg->dir, strerror(errno));
    snprintf(pg->data, sizeof pg->data, "%s/data", pg->dir);
    snprintf(pg->log, sizeof pg->log, "%s/log", pg->dir);
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (user && chown(pg->dir, user->pw_uid, user->pw_gid) != 0)
        die("chown %s: %s", pg->dir, strerror(errno));
    make_cluster(pg);
    gw_test_pg_start(pg);
    return pg;
}

void gw_test_pg_start(struct gw_test_pg *pg)
{
    char postgres[256], sockets[160];
    snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", pg->dir);
    char *argv[] = {(char *)binary("postgres", postgres, sizeof postgres),
                    "-D",
                    pg->data,
                    "-c",
                    sockets,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "fsync=off",
                    "-c",
                    "max_wal_senders=12",
                    "-c",
                    "max_replication_slots=12",
                    "-c",
                    "max_connections=60",
                    "-c",
                    "shared_buffers=16MB",
                    "-c",
                    "wal_sender_timeout=60s",
                    NULL};
    /* In the file, not a flag: a test may change it with ALTER SYSTEM. */
    char conf[120];
    snprintf(conf, sizeof conf, "%s/postgresql.conf", pg->data);
    FILE *f = fopen(conf, "a");
    if (!f)
        die("%s: %s", conf, strerror(errno));
    fputs("wal_level = logical\n", f);
    fclose(f);
    pg->pid = spawn(pg, argv);
    if (pg->pid < 0)
        die("fork: %s", strerror(errno));
    for (int waited = 0; PQping(gw_test_pg_url(pg, NULL)) != PQPING_OK; waited += 20) {
        if (waitpid(pg->pid, NULL, WNOHANG) != 0 || waited > START_TIMEOUT_MS) {
            show_log(pg);
            die("Postgres did not start");
        }
        pause_ms(20);
    }
}

void gw_test_pg_signal(struct gw_test_pg *pg, enum gw_test_pg_stop how)
{
    if (pg->pid)
        kill(pg->pid, how == GW_TEST_PG_FAST ? SIGINT : SIGQUIT);
}

bool gw_test_pg_wait_stopped(struct gw_test_pg *pg, int timeout_ms)
{
    for (int waited = 0; pg->pid; waited += 10) {
        if (waitpid(pg->pid, NULL, WNOHANG) == pg->pid)
            pg->pid = 0;
        else if (waited >= timeout_ms)
            return false;
        else
            pause_ms(10);
    }
    return true;
}

void gw_test_pg_stop(struct gw_test_pg *pg, enum gw_test_pg_stop how)
{
    gw_test_pg_signal(pg, how);
    if (!gw_test_pg_wait_stopped(pg, STOP_TIMEOUT_MS))
        die("Postgres does not stop");
}

void gw_test_pg_restart(struct gw_test_pg *pg, enum gw_test_pg_stop how)
{
    gw_test_pg_stop(pg, how);
    gw_test_pg_start(pg);
}

static void remove_folder(const struct gw_test_pg *pg)
{
    char *argv[] = {"/bin/rm", "-rf", (char *)pg->dir, NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

void gw_test_pg_free(struct gw_test_pg *pg)
{
    if (!pg)
        return;
    gw_test_pg_stop(pg, GW_TEST_PG_IMMEDIATE);
    remove_folder(pg);
    free(pg);
}

const char *gw_test_pg_url(struct gw_test_pg *pg, const char *role)
{
    char *url = pg->urls[pg->next_url++ % 8];
    snprintf(url, sizeof pg->urls[0], "host=%s port=5432 dbname=postgres user=%s", pg->dir,
             role ? role : "postgres");
    return url;
}

static PGresult *run(PGconn *conn, const char *sql)
{
    PGresult *r = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die("%s\nwhile running: %s", PQerrorMessage(conn), sql);
    return r;
}

static void ignore_notice(void *ctx, const PGresult *r)
{
    (void)ctx;
    (void)r;
}

static PGconn *connect_or_die(struct gw_test_pg *pg)
{
    PGconn *conn = PQconnectdb(gw_test_pg_url(pg, NULL));
    if (PQstatus(conn) != CONNECTION_OK)
        die("%s", PQerrorMessage(conn));
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    return conn;
}

void gw_test_pg_exec(struct gw_test_pg *pg, const char *sql)
{
    PGconn *conn = connect_or_die(pg);
    PQclear(run(conn, sql));
    PQfinish(conn);
}

const char *gw_test_pg_value(struct gw_test_pg *pg, const char *sql, char *out, size_t cap)
{
    PGconn *conn = connect_or_die(pg);
    PGresult *r = run(conn, sql);
    snprintf(out, cap, "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(conn);
    return out;
}
