/* The front of the daemon, driven over real sockets: hostile input, fan-out, slow readers,
 * shutdown. Handshakes and HTTP: test_front_http.c. */
#include "front_fixture.h"

static struct ws_frame frame; /* last read */

/* ---- messages ---- */

START_TEST(test_front_both_serializers_answer)
{
    front_open();
    int fd = ws_open(front.port, "/socket/websocket?apikey=anonkey");
    ck_assert(ws_send_text(fd, "{\"topic\":\"phoenix\",\"event\":\"heartbeat\",\"payload\":{},"
                               "\"ref\":\"1\"}"));
    ck_assert(ws_read_frame(fd, &frame));
    ck_assert_ptr_nonnull(strstr(frame.p, "\"event\":\"phx_reply\""));
    close(fd);
    fd = ws_open(front.port, FRONT_URL);
    front_beat(fd);
    close(fd);
}
END_TEST

START_TEST(test_front_long_token_fits_the_query)
{
    char *claims = malloc(9000), *path = malloc(16000);
    snprintf(claims, 9000, "{\"role\":\"anon\",\"exp\":9000000000,\"pad\":\"%08000d\"}", 0);
    char *token = front_token(FRONT_SECRET, claims);
    ck_assert_uint_gt(strlen(token), 10000);
    snprintf(path, 16000, "/realtime/v1/websocket?vsn=2.0.0&log_level=info&apikey=%s", token);
    front_open();
    int fd = ws_open(front.port, path);
    front_beat(fd);
    close(fd);
    free(claims);
    free(path);
    free(token);
}
END_TEST

START_TEST(test_front_fragments_make_one_message)
{
    static const char text[] = "[null,\"hb\",\"phoenix\",\"heartbeat\",{\"pad\":\"\xe2\x82\xac\"}]";
    front_open();
    int fd = ws_open(front.port, FRONT_URL);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        bool is_last = i == sizeof text - 2;
        ck_assert(ws_send_frame(fd, (is_last ? 0x80 : 0) | (i == 0 ? 1 : 0), text + i, 1));
        if (i == 20)
            ck_assert(ws_send_frame(fd, 0x89, "in between", 10));
    }
    ck_assert(ws_read_frame(fd, &frame));
    ck_assert_uint_eq(frame.first, 0x8a);
    ck_assert_str_eq(frame.p, "in between");
    ck_assert(front_hear(fd, "\"hb\"", &frame));
    close(fd);
}
END_TEST

START_TEST(test_front_large_message_within_the_bound_is_taken)
{
    front_open();
    int fd = ws_open(front.port, FRONT_URL);
    size_t n = 2900000;
    char *text = malloc(n + 100);
    int at = sprintf(text, "[null,\"hb\",\"phoenix\",\"heartbeat\",{\"pad\":\"");
    memset(text + at, 'x', n);
    strcpy(text + at + n, "\"}]");
    ck_assert(ws_send_text(fd, text));
    ck_assert(front_hear(fd, "\"hb\"", &frame));
    free(text);
    close(fd);
}
END_TEST

START_TEST(test_front_message_past_the_bound_closes_1009)
{
    front_open();
    size_t n = 10 << 20;
    char *big = calloc(1, n);
    int fd = ws_open(front.port, FRONT_URL);
    (void)ws_send_frame(fd, 0x81, big, n); /* may be cut before its end */
    ck_assert_uint_eq(ws_read_close(fd), 1009);
    close(fd);
    fd = ws_open(front.port, FRONT_URL);
    for (int i = 0; i < 4 && ws_send_frame(fd, i == 0 ? 1 : 0, big, 1 << 20); i++)
        continue;
    ck_assert_uint_eq(ws_read_close(fd), 1009);
    close(fd);
    free(big);
}
END_TEST

/* bytes after the handshake, close code (0: cut, any is fine) */
static const struct {
    const char *bytes;
    size_t n;
    unsigned code;
} hostile[] = {
    {"\x81\x83\0\0\0\0\xff\xfe\xfd", 9, 1007},                       /* not UTF-8 */
    {"\x81\x82\0\0\0\0\xe2\x82", 8, 1007},                           /* UTF-8 cut short */
    {"\x83\x80\0\0\0\0", 6, 1002},                                   /* reserved opcode */
    {"\xc1\x80\0\0\0\0", 6, 1002},                                   /* RSV1 without extension */
    {"\x80\x80\0\0\0\0", 6, 1002},                                   /* continuation of nothing */
    {"\x09\x80\0\0\0\0", 6, 1002},                                   /* fragmented ping */
    {"\x89\xfe\x00\x80\0\0\0\0", 8, 0},                              /* ping of 128 bytes */
    {"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, 0},     /* length of 2^64 - 1 */
    {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x", 15, 1009}, /* length of 2^63 - 1 */
    {"\x88\x82\0\0\0\0\x03\xe8", 8, 1000},                           /* a proper close */
    {"\x88\x80\0\0\0\0", 6, 1005},                                   /* without code */
};

START_TEST(test_front_hostile_frame_ends_its_connection_alone)
{
    front_open();
    int witness = ws_open(front.port, FRONT_URL), fd = ws_open(front.port, FRONT_URL);
    ws_write(fd, hostile[_i].bytes, hostile[_i].n);
    unsigned code = ws_read_close(fd);
    if (hostile[_i].code)
        ck_assert_uint_eq(code, hostile[_i].code);
    front_beat(witness);
    close(fd);
    close(witness);
}
END_TEST

START_TEST(test_front_malformed_messages_do_not_end_the_connection)
{
    front_open();
    int fd = ws_open(front.port, FRONT_URL);
    static const char *const texts[] = {"", "x", "{}", "[]", "[1,2,3,4,5,6]", "nonsense{{{"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert(ws_send_text(fd, texts[i]));
    ck_assert(ws_send_frame(fd, 0x82, "\x03\xff\xff\xff", 4));
    front_beat(fd);
    close(fd);
}
END_TEST

START_TEST(test_front_half_a_frame_holds_nobody_up)
{
    front_open();
    int half = ws_open(front.port, FRONT_URL), silent = ws_connect(front.port);
    ws_write(half, "\x81\xfe\x10\x00\1\2\3\4[null,", 14);
    ws_write_text(silent, "GET /healthz HT");
    int fd = ws_open(front.port, FRONT_URL);
    front_beat(fd);
    close(fd);
    close(half);
    close(silent);
}
END_TEST

START_TEST(test_front_garbage_is_dropped)
{
    front_open();
    srandom(7);
    for (int round = 0; round < 50; round++) {
        char noise[512];
        int fd = ws_connect(front.port);
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (char)random();
        if (round % 2)
            memcpy(noise, "GET /", 5);
        ws_write(fd, noise, sizeof noise);
        close(fd);
        fd = ws_open(front.port, FRONT_URL);
        ws_write(fd, noise, sizeof noise);
        close(fd);
    }
    int fd = ws_open(front.port, FRONT_URL);
    front_beat(fd);
    close(fd);
}
END_TEST

START_TEST(test_front_frame_glued_to_the_handshake_is_read)
{
    front_open();
    int fd = ws_connect(front.port);
    char request[1024];
    int n = snprintf(request, sizeof request, "GET " FRONT_URL " HTTP/1.1\r\n" WS_UPGRADE "\r\n");
    memcpy(request + n, "\x89\x82\0\0\0\0hi", 8);
    ws_write(fd, request, (size_t)n + 8);
    ws_read_answer(fd, false, &got);
    ck_assert_int_eq(got.status, 101);
    ck_assert(ws_read_frame(fd, &frame));
    ck_assert_str_eq(frame.p, "hi");
    close(fd);
}
END_TEST

/* ---- channels and changes ---- */

static void join_many(int fd, int n)
{
    char topic[32], ref[16];
    for (int i = 0; i < n; i++) {
        snprintf(topic, sizeof topic, "t%d", i);
        snprintf(ref, sizeof ref, "r%d", i);
        front_join(fd, topic, ref, FRONT_FOLLOW);
    }
}

static void hear_replies(int fd, int n)
{
    for (int ok = 0; ok < n;) {
        ck_assert(ws_read_frame(fd, &frame));
        if (strstr(frame.p, "phx_reply")) {
            ck_assert_ptr_nonnull(strstr(frame.p, "\"status\":\"ok\""));
            ok++;
        }
    }
}

START_TEST(test_front_a_thousand_joins_are_answered)
{
    front_open("--max-channels=1000");
    int fd = ws_open(front.port, FRONT_URL);
    join_many(fd, 1000);
    hear_replies(fd, 1000);
    ck_assert_uint_eq(atomic_load(&front.subscribes), 1000);
    close(fd);
}
END_TEST

START_TEST(test_front_full_hub_pauses_reading_and_loses_nothing)
{
    front_open_with(4, (const char *const[]){"--workers=1", "--max-channels=200", NULL});
    atomic_store(&front.is_deaf, true);
    int fd = ws_open(front.port, FRONT_URL);
    join_many(fd, 200);
    usleep(200000);
    ck_assert_uint_lt(front_stats().messages_in, 100);
    atomic_store(&front.is_deaf, false);
    gw_loop_wake(&front.hub);
    hear_replies(fd, 200);
    ck_assert_uint_eq(atomic_load(&front.subscribes), 200);
    close(fd);
}
END_TEST

static void follow(int fd)
{
    front_join(fd, "todos", "1", FRONT_FOLLOW);
    ck_assert(front_hear(fd, "Subscribed to PostgreSQL", &frame));
}

START_TEST(test_front_every_follower_hears_every_commit_in_order)
{
    enum { CLIENTS = 200, COMMITS = 50 };
    int fds[CLIENTS];
    char id[16], want[32];
    front_open();
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = ws_open(front.port, FRONT_URL);
        follow(fds[i]);
    }
    for (int k = 0; k < COMMITS; k++) {
        snprintf(id, sizeof id, "row%03d", k);
        front_insert(id, "t");
    }
    for (int i = 0; i < CLIENTS; i++) {
        for (int k = 0; k < COMMITS; k++) {
            ck_assert(ws_read_frame(fds[i], &frame));
            snprintf(want, sizeof want, "\"row%03d\"", k);
            ck_assert_msg(strstr(frame.p, want) != NULL, "client %d: %s", i, frame.p);
        }
        close(fds[i]);
    }
}
END_TEST

START_TEST(test_front_slow_reader_resyncs_and_holds_nobody_up)
{
    enum { COMMITS = 2000 };
    char title[4001], id[16];
    memset(title, 'x', sizeof title - 1);
    title[4000] = '\0';
    front_open("--outbox-bytes=256k", "--workers=1");
    int slow = ws_connect_with_buffer(front.port, 4096), fast = ws_open(front.port, FRONT_URL);
    ws_upgrade(slow, FRONT_URL, &got);
    ck_assert_int_eq(got.status, 101);
    follow(slow);
    follow(fast);
    for (int k = 0; k < COMMITS; k++) {
        snprintf(id, sizeof id, "row%04d", k);
        front_insert(id, title);
        ck_assert(front_hear(fast, id, &frame));
    }
    ck_assert_uint_ge(front_stats().slow_sessions, 1);
    int heard = 0;
    bool is_told = false;
    while (!is_told && ws_read_frame(slow, &frame)) {
        snprintf(id, sizeof id, "row%04d", heard);
        if (strstr(frame.p, "phx_error"))
            is_told = true;
        else if (strstr(frame.p, id))
            heard++;
        else
            ck_assert_msg(false, "after %d: %.200s", heard, frame.p);
    }
    ck_assert(is_told);
    ck_assert_int_lt(heard, COMMITS);
    front_beat(slow);
    close(slow);
    close(fast);
}
END_TEST

START_TEST(test_front_client_that_never_reads_is_closed)
{
    front_open("--workers=1", "--outbox-bytes=64k");
    int deaf = ws_connect_with_buffer(front.port, 4096), fd = ws_open(front.port, FRONT_URL);
    ws_upgrade(deaf, FRONT_URL, &got);
    ck_assert_int_eq(got.status, 101);
    struct timeval soon = {.tv_usec = 200000};
    setsockopt(deaf, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
    static const char beat[] = "[null,\"1\",\"phoenix\",\"heartbeat\",{}]";
    for (int i = 0; i < 40000 && ws_send_text(deaf, beat); i++)
        continue;
    front_beat(fd);
    for (int i = 0; i < 100 && front_stats().sessions > 1; i++)
        usleep(100000);
    ck_assert_uint_eq(front_stats().sessions, 1);
    front_beat(fd);
    close(deaf);
    close(fd);
}
END_TEST

START_TEST(test_front_clients_that_vanish_are_unsubscribed)
{
    front_open();
    for (int i = 0; i < 100; i++) {
        int fd = ws_open(front.port, FRONT_URL);
        struct linger now = {.l_onoff = 1};
        follow(fd);
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
    }
    for (int i = 0; i < 100 && atomic_load(&front.unsubscribes) < 100; i++)
        usleep(50000);
    ck_assert_uint_eq(atomic_load(&front.unsubscribes), 100);
    unsigned load = 1;
    for (int i = 0; i < 100 && load > 0; i++) {
        usleep(50000);
        load = gw_worker_load(front.workers[0]) + gw_worker_load(front.workers[1]);
    }
    ck_assert_uint_eq(load, 0);
}
END_TEST

/* ---- shutdown ---- */

START_TEST(test_front_stop_says_farewell_and_closes_1012)
{
    enum { CLIENTS = 50 };
    int fds[CLIENTS];
    front_open();
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = ws_open(front.port, FRONT_URL);
        follow(fds[i]);
    }
    int64_t begin = gw_clock_mono_ms();
    front_stop(500); /* nobody answers the close: the whole of it is waited for */
    ck_assert_int_lt(gw_clock_mono_ms() - begin, 5000);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert(ws_read_frame(fds[i], &frame));
        ck_assert_ptr_nonnull(strstr(frame.p, "Server requested disconnect"));
        ck_assert_uint_eq(ws_read_close(fds[i]), 1012);
        close(fds[i]);
    }
}
END_TEST

static void *answer_close(void *fd)
{
    unsigned code = ws_read_close(*(int *)fd);
    ws_send_frame(*(int *)fd, 0x88, "\x03\xf4", 2);
    return code == 1012 ? fd : NULL;
}

START_TEST(test_front_stop_ends_when_all_have_left)
{
    pthread_t thread;
    void *result;
    front_open();
    int fd = ws_open(front.port, FRONT_URL);
    front_beat(fd);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_close, &fd), 0);
    int64_t begin = gw_clock_mono_ms();
    front_stop(8000);
    ck_assert_int_lt(gw_clock_mono_ms() - begin, 4000);
    pthread_join(thread, &result);
    ck_assert_ptr_eq(result, &fd);
    close(fd);
}
END_TEST

START_TEST(test_front_stop_under_load_is_clean)
{
    enum { CLIENTS = 60 };
    int fds[CLIENTS];
    front_open();
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = i % 3 == 2 ? ws_connect(front.port) : ws_open(front.port, FRONT_URL);
        if (i % 3 == 0)
            front_join(fds[i], "todos", "1", FRONT_FOLLOW);
    }
    for (int k = 0; k < 200; k++)
        front_insert("id", "title");
    front_stop(0);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
}
END_TEST

START_TEST(test_front_worker_that_never_started_is_freed)
{
    struct gw_err err = {0};
    front_open();
    struct gw_worker *w = gw_worker_new(&(struct gw_worker_config){.index = 9,
                                                                   .settings = &front.settings,
                                                                   .verifier = front.verifier,
                                                                   .history = front.history},
                                        &err);
    ck_assert_ptr_nonnull(w);
    gw_worker_free(w);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof(table)[0])

static void add_messages(TCase *t)
{
    tcase_add_test(t, test_front_both_serializers_answer);
    tcase_add_test(t, test_front_long_token_fits_the_query);
    tcase_add_test(t, test_front_fragments_make_one_message);
    tcase_add_test(t, test_front_large_message_within_the_bound_is_taken);
    tcase_add_test(t, test_front_message_past_the_bound_closes_1009);
    tcase_add_loop_test(t, test_front_hostile_frame_ends_its_connection_alone, 0, COUNT(hostile));
    tcase_add_test(t, test_front_malformed_messages_do_not_end_the_connection);
    tcase_add_test(t, test_front_half_a_frame_holds_nobody_up);
    tcase_add_test(t, test_front_garbage_is_dropped);
    tcase_add_test(t, test_front_frame_glued_to_the_handshake_is_read);
}

static void add_channels(TCase *t)
{
    tcase_add_test(t, test_front_a_thousand_joins_are_answered);
    tcase_add_test(t, test_front_full_hub_pauses_reading_and_loses_nothing);
    tcase_add_test(t, test_front_every_follower_hears_every_commit_in_order);
    tcase_add_test(t, test_front_slow_reader_resyncs_and_holds_nobody_up);
    tcase_add_test(t, test_front_client_that_never_reads_is_closed);
    tcase_add_test(t, test_front_clients_that_vanish_are_unsubscribed);
}

static void add_shutdown(TCase *t)
{
    tcase_add_test(t, test_front_stop_says_farewell_and_closes_1012);
    tcase_add_test(t, test_front_stop_ends_when_all_have_left);
    tcase_add_test(t, test_front_stop_under_load_is_clean);
    tcase_add_test(t, test_front_worker_that_never_started_is_freed);
}

int main(void)
{
    static const struct front_part parts[] = {
        {"messages", add_messages}, {"channels", add_channels}, {"shutdown", add_shutdown}};
    return front_run(parts, sizeof parts / sizeof parts[0]);
}
