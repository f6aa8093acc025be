#include "bench_db.h"

#include "catalog_once.h"
#include "loop.h"
#include "pg.h"

#include "gw/pgoutput.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLOT "bench"
#define PUBLICATION "supabase_realtime"
#define READ_WAIT_MS 60000
#define STATE_BYTES_MAX ((size_t)4 << 30)

struct bench_db {
    struct gw_test_pg *pg;
    PGconn *conn;
    char source_dir[256];
    char *database_url, *query_url;
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

/* ---- statements ---- */

PGresult *bench_db_query(struct bench_db *db, const char *sql)
{
    PGresult *r = PQexec(db->conn, sql);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die("%s\nwhile running: %.200s", PQerrorMessage(db->conn), sql);
    return r;
}

void bench_db_exec(struct bench_db *db, const char *format, ...)
{
    char sql[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    PQclear(bench_db_query(db, sql));
}

uint64_t bench_db_cpu_ns(const struct bench_db *db)
{
    char path[64];
    unsigned long long ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", PQbackendPID(db->conn));
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    if (fscanf(f, "%llu", &ns) != 1)
        ns = 0;
    fclose(f);
    return ns;
}

void bench_db_copy(struct bench_db *db, const char *table, struct gw_span rows)
{
    char sql[120];
    snprintf(sql, sizeof sql, "COPY %s FROM STDIN", table);
    PGresult *r = PQexec(db->conn, sql);
    if (PQresultStatus(r) != PGRES_COPY_IN || PQputCopyData(db->conn, rows.p, (int)rows.n) != 1 ||
        PQputCopyEnd(db->conn, NULL) != 1)
        die("%s", PQerrorMessage(db->conn));
    PQclear(r);
    while ((r = PQgetResult(db->conn))) {
        if (PQresultStatus(r) != PGRES_COMMAND_OK)
            die("%s", PQerrorMessage(db->conn));
        PQclear(r);
    }
}

static void exec_file(struct bench_db *db, const char *name)
{
    char path[512];
    struct gw_buf text;
    char piece[4096];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", db->source_dir, name);
    FILE *f = fopen(path, "r");
    if (!f)
        die("%s cannot be read", path);
    gw_buf_init(&text, 0);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        gw_buf_add(&text, piece, n);
    fclose(f);
    PQclear(bench_db_query(db, gw_buf_cstr(&text)));
    gw_buf_fini(&text);
}

/* ---- making it ---- */

/* The changes that sqitch would deploy, in its order. */
static void deploy(struct bench_db *db)
{
    char path[512], line[512], name[100], script[200];
    snprintf(path, sizeof path, "%s/db/tripsage/sqitch.plan", db->source_dir);
    FILE *plan = fopen(path, "r");
    if (!plan)
        die("%s cannot be read", path);
    while (fgets(line, sizeof line, plan)) {
        if (line[0] == '%' || sscanf(line, "%99s", name) != 1)
            continue;
        snprintf(script, sizeof script, "db/tripsage/deploy/%s.sql", name);
        exec_file(db, script);
    }
    fclose(plan);
}

static void ignore_notice(void *ctx, const PGresult *r)
{
    (void)ctx;
    (void)r;
}

struct bench_db *bench_db_new(const char *source_dir, const struct bench_size *size)
{
    struct bench_db *db = gw_alloc(sizeof *db);
    snprintf(db->source_dir, sizeof db->source_dir, "%s", source_dir);
    db->pg = gw_test_pg_new();
    db->database_url = strdup(gw_test_pg_url(db->pg, NULL));
    db->query_url = strdup(gw_test_pg_url(db->pg, "rowcast_authenticator"));
    db->conn = PQconnectdb(db->database_url);
    if (PQstatus(db->conn) != CONNECTION_OK)
        die("%s", PQerrorMessage(db->conn));
    PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
    deploy(db);
    exec_file(db, "loadtest/dataset.sql");
    exec_file(db, "loadtest/walrus.sql");
    bench_db_exec(db, "INSERT INTO load.size VALUES ('users', %llu), ('trips', %llu)",
                  (unsigned long long)size->users, (unsigned long long)size->trips);
    bench_db_exec(db, "CALL load.fill(%llu, %llu)", (unsigned long long)size->users,
                  (unsigned long long)size->trips);
    bench_db_exec(db, "VACUUM ANALYZE");
    return db;
}

void bench_db_free(struct bench_db *db)
{
    PQfinish(db->conn);
    gw_test_pg_free(db->pg);
    free(db->database_url);
    free(db->query_url);
    free(db);
}

/* ---- what the gateway loads ---- */

struct gw_catalog *bench_db_catalog(struct bench_db *db)
{
    struct gw_settings s = {
        .database_url = db->database_url,
        .query_url = db->query_url,
        .roles = {(char[]){"anon"}, (char[]){"authenticated"}, (char[]){"service_role"}},
        .n_roles = 3,
        .claim_settings = (char[]){""},
        .publication = (char[]){PUBLICATION},
        .access_publication = (char[]){""},
        .ask_timeout_ms = 1000};
    struct gw_catalog *catalog = NULL;
    struct gw_err err = {0};
    if (gw_catalog_once(&s, &catalog, &err) != GW_OK)
        die("catalog: %s", err.text);
    return catalog;
}

static void drop_request(void *request)
{
    gw_db_request_free(request);
}

static struct gw_db_request *read_request(const struct gw_catalog *catalog)
{
    struct gw_db_request *r = gw_db_request_new(GW_DB_READ, 1);
    const struct gw_rules *rules = catalog->rules;
    r->n_reads = rules->n_tables;
    r->reads = gw_arena_alloc(&r->arena, (rules->n_tables + 1u) * sizeof *r->reads);
    for (uint32_t i = 0; i < rules->n_tables; i++)
        r->reads[i] = (struct gw_db_read){
            .def = &rules->tables[i], .is_whole = true, .max_bytes = STATE_BYTES_MAX};
    return r;
}

/* A link that has not connected yet says E_DATABASE_DOWN: ask again. */
static struct gw_db_request *ask_until_read(struct gw_mailbox *requests, struct gw_mailbox *replies,
                                            const struct gw_catalog *catalog)
{
    int64_t until = gw_clock_mono_ms() + READ_WAIT_MS;
    struct gw_db_request *r = NULL;
    if (gw_mailbox_push(requests, read_request(catalog), 0) != GW_OK)
        return NULL;
    while (gw_clock_mono_ms() < until) {
        nanosleep(&(struct timespec){0, 2000000}, NULL);
        if (!(r = gw_mailbox_pop(replies)))
            continue;
        if (r->code == GW_OK)
            return r;
        gw_db_request_free(r);
        if (gw_mailbox_push(requests, read_request(catalog), 0) != GW_OK)
            return NULL;
    }
    return NULL;
}

struct gw_db_request *bench_db_read_state(struct bench_db *db, const struct gw_catalog *catalog)
{
    static const char *const roles[] = {"anon", "authenticated", "service_role"};
    const struct gw_db_config config = {.database_url = db->database_url,
                                        .query_url = db->query_url,
                                        .publication = PUBLICATION,
                                        .access_publication = "",
                                        .roles = roles,
                                        .n_roles = 3,
                                        .claim_settings = "",
                                        .pool = 1,
                                        .statement_timeout_ms = READ_WAIT_MS};
    struct gw_err err = {0};
    struct gw_db_link *link = gw_db_link_new(&config);
    struct gw_mailbox *replies = gw_mailbox_new(4, 0, NULL, NULL);
    struct gw_mailbox *requests = gw_mailbox_new(4, 0, gw_loop_wake, gw_db_link_loop(link));
    if (gw_db_link_start(link, replies, requests, &err) != GW_OK)
        die("db link: %s", err.text);
    struct gw_db_request *r = ask_until_read(requests, replies, catalog);
    gw_db_link_stop(link);
    gw_db_link_free(link);
    gw_mailbox_free(replies, drop_request);
    gw_mailbox_free(requests, drop_request);
    if (!r)
        die("the access state could not be read");
    for (uint32_t i = 0; i < r->n_reads; i++)
        if (r->reads[i].code != GW_OK)
            die("access state: %s", r->reads[i].why);
    return r;
}

/* ---- recording ---- */

void bench_db_mark(struct bench_db *db)
{
    bench_db_exec(db,
                  "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                  "WHERE slot_name = '%s'",
                  SLOT);
    bench_db_exec(db, "SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", SLOT);
}

static void log_add(struct bench_log *log, struct gw_span message)
{
    log->starts[log->n++] = log->bytes.n;
    gw_buf_add_byte(&log->bytes, 'w');
    gw_buf_add_u64(&log->bytes, 1); /* start, end and clock are not looked at */
    gw_buf_add_u64(&log->bytes, 1);
    gw_buf_add_u64(&log->bytes, 0);
    gw_buf_add_span(&log->bytes, message);
    log->n_transactions += message.p[0] == 'C';
    log->n_rows += message.p[0] == 'I' || message.p[0] == 'U' || message.p[0] == 'D';
}

void bench_db_record(struct bench_db *db, struct bench_log *out)
{
    PGresult *r = PQexecParams(db->conn,
                               "SELECT data FROM pg_logical_slot_get_binary_changes('" SLOT
                               "', NULL, NULL, 'proto_version', '1', 'publication_names', "
                               "'" PUBLICATION "')",
                               0, NULL, NULL, NULL, NULL, 1);
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        die("%s", PQerrorMessage(db->conn));
    int n = PQntuples(r);
    *out = (struct bench_log){.starts = gw_alloc(((size_t)n + 1) * sizeof *out->starts)};
    gw_buf_init(&out->bytes, 0);
    for (int i = 0; i < n; i++)
        log_add(out, (struct gw_span){PQgetvalue(r, i, 0), (size_t)PQgetlength(r, i, 0)});
    out->starts[out->n] = out->bytes.n;
    PQclear(r);
    bench_db_exec(db, "SELECT pg_drop_replication_slot('%s')", SLOT);
}

struct gw_span bench_log_message(const struct bench_log *log, uint32_t i)
{
    return (struct gw_span){log->bytes.p + log->starts[i], log->starts[i + 1] - log->starts[i]};
}

void bench_log_fini(struct bench_log *log)
{
    gw_buf_fini(&log->bytes);
    free(log->starts);
}
