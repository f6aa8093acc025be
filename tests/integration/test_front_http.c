/* HTTP, the upgrade to WebSocket, and the bounds of the listener, over real sockets. */
#include "front_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void refused(const char *path, int status, const char *error)
{
    char body[256];
    int fd = ws_connect(front.port);
    ws_upgrade(fd, path, &got);
    snprintf(body, sizeof body, "{\"error\":\"%s\"}", error);
    ck_assert_msg(got.status == status, "%s: %d", path, got.status);
    ck_assert_str_eq(got.body, body);
    ck_assert_ptr_nonnull(strstr(got.head, "application/json"));
    close(fd);
}

static void refused_token(const char *secret, const char *claims, const char *error)
{
    char path[2048], *token = front_token(secret, claims);
    snprintf(path, sizeof path, "/socket/websocket?vsn=1.0.0&apikey=%s", token);
    refused(path, 401, error);
    free(token);
}

START_TEST(test_front_upgrade_without_right_is_refused)
{
    front_open();
    refused("/realtime/v1/websocket", 401, "API key is missing");
    refused("/realtime/v1/websocket?apikey=", 401, "API key is missing");
    refused("/realtime/v1/websocket?apikey=nonsense", 401, "The token provided is not a valid JWT");
    refused_token(FRONT_SECRET, "{\"role\":\"anon\",\"exp\":1000}", "Token has expired");
    refused_token(FRONT_SECRET, "{\"role\":\"anon\"}",
                  "Fields `role` and `exp` are required in JWT");
    refused_token("another secret, also of 32 bytes", "{\"role\":\"anon\",\"exp\":9000000000}",
                  "Failed to validate JWT signature");
    refused_token(FRONT_SECRET, "{\"role\":\"root\",\"exp\":9000000000}",
                  "role is not allowed here");
    refused("/other/websocket?apikey=anonkey", 404, "not found");
    refused("/realtime/v1/websocket?apikey=anonkey&vsn=3.0.0", 400,
            "vsn is not supported; use 1.0.0 or 2.0.0");
}
END_TEST

/* request, status (0: cut), part of head or body */
static const struct {
    const char *request;
    int status;
    const char *part;
} upgrades[] = {
    {"GET /socket/websocket?apikey=anonkey HTTP/1.1\r\n" WS_UPGRADE "\r\n", 101,
     "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
    {"GET /realtime/v1/websocket HTTP/1.1\r\nX-Api-Key: anonkey\r\n" WS_UPGRADE "\r\n", 101, ""},
    {"GET /realtime/v1/websocket?apikey=wrong HTTP/1.1\r\nX-Api-Key: anonkey\r\n" WS_UPGRADE "\r\n",
     101, ""},
    {"GET /socket/websocket?apikey=anonkey HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
     "Sec-WebSocket-Version: 8\r\n\r\n",
     426, "sec-websocket-version: 13"},
    {"GET /socket/websocket?apikey=anonkey HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     426, "{\"error\":"},
    {"GET /socket/websocket?apikey=anonkey HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
     "Connection: Upgrade\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n",
     400, "Sec-WebSocket-Key"},
    {"POST /socket/websocket?apikey=anonkey HTTP/1.1\r\n" WS_UPGRADE "\r\n", 400, "GET"},
    {"GET /socket/websocket?apikey=anonkey HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n"
     "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
     0, ""},
    {"GET /socket/websocket?apikey=anonkey HTTP/1.1\r\nHost: h\r\n\r\n", 426, "upgrade: websocket"},
};

START_TEST(test_front_upgrade_request_is_checked)
{
    front_open();
    ws_request(front.port, upgrades[_i].request, &got);
    ck_assert_msg(got.status == upgrades[_i].status, "%d: %s%s", got.status, got.head, got.body);
    ck_assert_msg(strstr(got.head, upgrades[_i].part) || strstr(got.body, upgrades[_i].part),
                  "%s%s", got.head, got.body);
}
END_TEST

static const struct {
    bool is_admin;
    const char *request;
    int status;
    const char *part;
} requests[] = {
    {false, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 200, "ok"},
    {true, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 200, "ok"},
    {false, "HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 200, "content-length: 3"},
    {false, "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n", 200, "ready"},
    {true, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", 200, "rowcast_up 1"},
    {true, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", 200, "text/plain; version=0.0.4"},
    {false, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", 404, "{\"error\":\"not found\"}"},
    {false, "GET /metrics HTTP/1.1\r\nHost: rowcast\r\n\r\n", 404, ""},
    {false, "GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n", 404, ""},
    {true, "GET /metrics HTTP/1.1\r\nHost: rowcast\r\n\r\n", 200, "rowcast_up 1"},
    {true, "GET /socket/websocket?apikey=anonkey HTTP/1.1\r\n" WS_UPGRADE "\r\n", 404, ""},
    {true, "GET /demo/ HTTP/1.1\r\nHost: h\r\n\r\n", 404, ""},
    {false, "GET /demo/ HTTP/1.1\r\nHost: h\r\n\r\n", 404, ""}, /* www is not set */
    {false, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 404, ""},
    {false, "GET /healthz/x HTTP/1.1\r\nHost: h\r\n\r\n", 404, ""},
    {false, "GET /nothing?x=1 HTTP/1.1\r\nHost: h\r\n\r\n", 404, "access-control-allow-origin: *"},
    {false, "OPTIONS /api/broadcast HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\n\r\n", 204,
     "access-control-allow-methods"},
    {false, "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 405, "allow: GET"},
    {false, "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 405, ""},
    {false, "PUT /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 405, ""},
    {false, "DELETE /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 405, ""},
    {false,
     "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 411,
     ""},
    {false, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nabc", 413, ""},
    {false, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999999\r\n\r\nabc",
     413, ""},
};

START_TEST(test_front_http_request_is_answered)
{
    front_open();
    ws_request(requests[_i].is_admin ? front.admin_port : front.port, requests[_i].request, &got);
    ck_assert_msg(got.status == requests[_i].status, "%s -> %d: %s%s", requests[_i].request,
                  got.status, got.head, got.body);
    ck_assert_msg(strstr(got.head, requests[_i].part) || strstr(got.body, requests[_i].part),
                  "%s%s", got.head, got.body);
}
END_TEST

START_TEST(test_front_readyz_tells_why_not)
{
    front_open();
    atomic_store(&front.is_ready, false);
    ws_request(front.port, "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n", &got);
    ck_assert_int_eq(got.status, 503);
    ck_assert_str_eq(got.body, "not ready: no catalog yet\n");
}
END_TEST

START_TEST(test_front_requests_on_one_connection_are_all_answered)
{
    front_open();
    int fd = ws_connect(front.port);
    ws_write_text(fd,
                  "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /nope HTTP/1.1\r\nHost: h\r\n\r\n");
    ws_read_answer(fd, false, &got);
    ck_assert_int_eq(got.status, 200);
    ws_read_answer(fd, false, &got);
    ck_assert_int_eq(got.status, 404);
    ws_upgrade(fd, FRONT_URL, &got);
    ck_assert_int_eq(got.status, 101);
    front_beat(fd);
    close(fd);
}
END_TEST

static char www[64];
#define ANY (-1)

static void www_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", www, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static const struct {
    const char *path;
    int status;
    const char *part;
} files[] = {
    {"/demo", 301, ""},
    {"/demo/", 200, "<p>index</p>"},
    {"/demo/index.html", 200, "text/html"},
    {"/demo/a.js", 200, "text/javascript"},
    {"/demo/a.css", 200, "text/css"},
    {"/demo/a.svg", 200, "image/svg+xml"},
    {"/demo/a.json", 200, "application/json"},
    {"/demo/a.png", 200, "image/png"},
    {"/demo/nothing.js", 404, ""},
    {"/demo/../secret.txt", 0, ""},
    {"/demo/%2e%2e/secret.txt", 0, ""},
    {"/demo/..%2fsecret.txt", 0, ""},
    {"/demo/sub/../../secret.txt", 0, ""},
    {"/demo//etc/passwd", 404, ""},
    {"/demo/%00", ANY, ""},
};

START_TEST(test_front_demo_files_stay_in_their_folder)
{
    char outside[128], flag[128], request[256];
    strcpy(www, "/tmp/rowcast-www-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(www));
    snprintf(outside, sizeof outside, "%s/secret.txt", www);
    www_file("secret.txt", "hidden\n");
    strcat(www, "/www");
    mkdir(www, 0755);
    www_file("index.html", "<p>index</p>\n");
    for (const char **p = (const char *[]){"a.js", "a.css", "a.svg", "a.json", "a.png", NULL}; *p;
         p++)
        www_file(*p, "{}\n");
    snprintf(flag, sizeof flag, "--www=%s", www);
    front_open(flag);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
             files[_i].path);
    ws_request(front.port, request, &got);
    ck_assert_ptr_null(strstr(got.body, "hidden"));
    ck_assert_ptr_null(strstr(got.body, "root:"));
    if (files[_i].status > 0)
        ck_assert_msg(got.status == files[_i].status, "%s: %d", files[_i].path, got.status);
    else if (files[_i].status == 0)
        ck_assert_int_ne(got.status, 200);
    ck_assert_msg(strstr(got.head, files[_i].part) || strstr(got.body, files[_i].part), "%s%s",
                  got.head, got.body);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", files[_i].path);
    ws_request(front.admin_port, request, &got);
    ck_assert_int_ne(got.status, 200);
    char command[128];
    snprintf(command, sizeof command, "rm -r %.*s", (int)strlen("/tmp/rowcast-www-XXXXXX"), www);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* ---- bounds of the listener ---- */

START_TEST(test_front_connections_past_the_bound_are_cut)
{
    int fds[5];
    front_open("--max-connections=5");
    for (int i = 0; i < 5; i++)
        fds[i] = ws_open(front.port, FRONT_URL);
    int over = ws_connect(front.port);
    ck_assert(ws_is_cut(over));
    ws_request(front.admin_port, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", &got);
    ck_assert_int_eq(got.status, 200);
    struct gw_listener_stats stats;
    gw_listener_stats(front.listener, &stats);
    ck_assert_uint_eq(stats.refused_full, 1);
    for (int i = 0; i < 5; i++) {
        front_beat(fds[i]);
        close(fds[i]);
    }
    close(over);
}
END_TEST

/* Another process, so that its ends of the connections take none of our descriptors. */
static pid_t connect_from_elsewhere(int n, int until_fd, const struct rlimit *limit)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char end;
    alarm(30); /* it must not outlive a test that failed */
    setrlimit(RLIMIT_NOFILE, limit);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(front.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < n; i++)
        (void)connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to);
    (void)!read(until_fd, &end, 1);
    _exit(0);
}

START_TEST(test_front_out_of_descriptors_refuses_and_recovers)
{
    int until[2];
    struct rlimit before, tight;
    struct gw_listener_stats stats = {0};
    front_open();
    ck_assert_int_eq(pipe(until), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest_free = dup(0);
    close(lowest_free);
    tight = before;
    tight.rlim_cur = (rlim_t)lowest_free + 10;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    pid_t pid = connect_from_elsewhere(40, until[0], &before);
    for (int i = 0; i < 100 && stats.accepted + stats.refused_no_fds < 40; i++) {
        usleep(50000);
        gw_listener_stats(front.listener, &stats);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_uint_ge(stats.accepted, 5);
    ck_assert_uint_eq(stats.accepted + stats.refused_no_fds, 40);
    int fd = ws_open(front.port, FRONT_URL);
    front_beat(fd);
    close(fd);
    close(until[0]);
    close(until[1]);
}
END_TEST

START_TEST(test_front_descriptor_limit_follows_max_connections)
{
    struct rlimit before, now;
    struct gw_err err = {0};
    unsigned max = 100;
    front_open();
    getrlimit(RLIMIT_NOFILE, &before);
    ck_assert_int_eq(gw_listener_limit_fds(&max, &err), GW_OK);
    getrlimit(RLIMIT_NOFILE, &now);
    ck_assert_uint_eq(max, 100);
    ck_assert_uint_eq(now.rlim_cur, 300);
    ck_assert_uint_eq(now.rlim_max, before.rlim_max);
    max = 4000000000u;
    gw_log_set_level(GW_LOG_ERROR);
    enum gw_code code = gw_listener_limit_fds(&max, &err);
    ck_assert(code == GW_OK ? max < 4000000000u : before.rlim_max == RLIM_INFINITY);
    setrlimit(RLIMIT_NOFILE, &before);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof(table)[0])

static void add_http(TCase *t)
{
    tcase_add_test(t, test_front_upgrade_without_right_is_refused);
    tcase_add_loop_test(t, test_front_upgrade_request_is_checked, 0, COUNT(upgrades));
    tcase_add_loop_test(t, test_front_http_request_is_answered, 0, COUNT(requests));
    tcase_add_test(t, test_front_readyz_tells_why_not);
    tcase_add_test(t, test_front_requests_on_one_connection_are_all_answered);
    tcase_add_loop_test(t, test_front_demo_files_stay_in_their_folder, 0, COUNT(files));
}

static void add_listener(TCase *t)
{
    tcase_add_test(t, test_front_connections_past_the_bound_are_cut);
    tcase_add_test(t, test_front_out_of_descriptors_refuses_and_recovers);
    tcase_add_test(t, test_front_descriptor_limit_follows_max_connections);
}

int main(void)
{
    static const struct front_part parts[] = {{"http", add_http}, {"listener", add_listener}};
    return front_run(parts, sizeof parts / sizeof parts[0]);
}
