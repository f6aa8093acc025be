#include "settings.h"

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct gw_settings settings;
static struct gw_err err;

static enum gw_code load(int argc, const char **argv)
{
    gw_settings_fini(&settings);
    err = (struct gw_err){0};
    return gw_settings_load(&settings, argc, (char **)argv, &err);
}

#define LOAD(...)                                                                                  \
    load(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static void clean_environment(void)
{
    extern char **environ;
    char name[128];
    for (char **e = environ; *e;) {
        if (strncmp(*e, "ROWCAST_", 8) != 0) {
            e++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
        unsetenv(name);
        e = environ;
    }
}

static void fini(void)
{
    gw_settings_fini(&settings);
}

static const char *write_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/rowcast-settings-%d.ini", (int)getpid());
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    return path;
}

START_TEST(test_settings_nothing_set_takes_the_defaults)
{
    cpu_set_t cores;
    sched_getaffinity(0, sizeof cores, &cores);
    ck_assert_int_eq(load(0, NULL), GW_OK);
    ck_assert_str_eq(settings.database_url, "postgresql:///postgres");
    ck_assert_str_eq(settings.query_url, settings.database_url);
    ck_assert_str_eq(settings.replication_url, settings.database_url);
    ck_assert_str_eq(settings.listen_host, "127.0.0.1");
    ck_assert_uint_eq(settings.listen_port, 4000);
    ck_assert_uint_eq(settings.admin_port, 4001);
    ck_assert_ptr_null(settings.jwt_secret);
    ck_assert_ptr_null(settings.api_keys);
    ck_assert_ptr_null(settings.default_role);
    ck_assert_ptr_null(settings.www);
    ck_assert_str_eq(settings.claim_settings, "");
    ck_assert_str_eq(settings.access_publication, "");
    ck_assert_str_eq(settings.publication, "supabase_realtime");
    ck_assert_str_eq(settings.slot, "rowcast");
    ck_assert_uint_eq(settings.n_roles, 3);
    ck_assert_str_eq(settings.roles[2], "service_role");
    ck_assert_uint_eq(settings.workers, CPU_COUNT(&cores));
    ck_assert_int_eq(settings.log, GW_LOG_INFO);
    ck_assert_uint_eq(settings.max_txn_bytes, 64u << 20);
    ck_assert_uint_eq(settings.max_message_bytes, 3000500);
    ck_assert_uint_eq(settings.outbox_bytes, 8u << 20);
    ck_assert_uint_eq(settings.max_connections, 10000);
    ck_assert_int_eq(settings.ask_budget_ms, 2000);
    ck_assert_int_eq(settings.drain_seconds, 5);
}
END_TEST

START_TEST(test_settings_flag_wins_over_environment_over_file)
{
    const char *path = write_file("# comment\nslot = from_file\npublication = from_file\n"
                                  "max_channels = 7\n");
    setenv("ROWCAST_SLOT", "from_env", 1);
    setenv("ROWCAST_PUBLICATION", "from_env", 1);
    ck_assert_int_eq(LOAD("--slot", "from_flag", "--config", path), GW_OK);
    ck_assert_str_eq(settings.slot, "from_flag");
    ck_assert_str_eq(settings.publication, "from_env");
    ck_assert_uint_eq(settings.max_channels, 7);
    ck_assert_int_eq(LOAD("--slot=with_equals"), GW_OK);
    ck_assert_str_eq(settings.slot, "with_equals");
    unlink(path);
}
END_TEST

START_TEST(test_settings_overridden_value_is_not_parsed)
{
    setenv("ROWCAST_LISTEN", "nonsense", 1);
    ck_assert_int_eq(LOAD("--listen", "[::1]:80"), GW_OK);
    ck_assert_str_eq(settings.listen_host, "::1");
    ck_assert_uint_eq(settings.listen_port, 80);
}
END_TEST

START_TEST(test_settings_empty_value_means_unset)
{
    setenv("ROWCAST_WWW", "", 1);
    setenv("ROWCAST_JWKS", "", 1);
    setenv("ROWCAST_SLOT", "", 1);
    ck_assert_int_eq(LOAD("--jwt-secret="), GW_OK);
    ck_assert_ptr_null(settings.www);
    ck_assert_ptr_null(settings.jwt_secret);
    ck_assert_str_eq(settings.slot, "rowcast");
}
END_TEST

static const struct {
    const char *flag, *value;
    size_t bytes;
} byte_cases[] = {{"--outbox-bytes", "65536", 65536},  {"--outbox-bytes", "64k", 65536},
                  {"--outbox-bytes", "64 KiB", 65536}, {"--outbox-bytes", "64kB", 65536},
                  {"--outbox-bytes", "2M", 2u << 20},  {"--outbox-bytes", "1GiB", 1u << 30}};

START_TEST(test_settings_bytes_with_suffix_are_powers_of_1024)
{
    ck_assert_int_eq(LOAD(byte_cases[_i].flag, byte_cases[_i].value), GW_OK);
    ck_assert_uint_eq(settings.outbox_bytes, byte_cases[_i].bytes);
}
END_TEST

START_TEST(test_settings_times_with_units_are_converted)
{
    ck_assert_int_eq(LOAD("--ask-timeout-ms", "2s", "--idle-seconds", "2min"), GW_OK);
    ck_assert_int_eq(settings.ask_timeout_ms, 2000);
    ck_assert_int_eq(settings.idle_seconds, 120);
}
END_TEST

/* name, value, what the text must say */
static const char *const bad[][3] = {
    {"--listen", "4000", "address:port"},
    {"--listen", "host:", "address:port"},
    {"--listen", ":4000", "address:port"},
    {"--listen", "::1:4000", "address:port"},
    {"--listen", "host:70000", "address:port"},
    {"--outbox-bytes", "12 parsecs", "bytes"},
    {"--outbox-bytes", "-1", "bytes"},
    {"--outbox-bytes", "1", "from 16384"},
    {"--outbox-bytes", "99999999999G", "bytes"},
    {"--outbox-bytes", "99999999999999999999", "bytes"},
    {"--max-connections", "0", "from 1 to"},
    {"--max-connections", "10k", "whole number"},
    {"--max-connections", "1.5", "whole number"},
    {"--ask-timeout-ms", "soon", "milliseconds"},
    {"--log", "loud", "error, warn, info or debug"},
    {"--slot", "Has-Dash", "a-z"},
    {"--roles", "a,,b", "role names"},
    {"--roles", "a,a", "role names"},
    {"--default-role", "postgres", "roles"},
    {"--api-keys", "only_key", "key=role"},
    {"--api-keys", "k=postgres", "roles"},
    {"--claim-settings", "x", "setting=claim"},
    {"--feed", "redis", "not"},
    {"--feed", "redis", "available in this version"},
    {"--jwks", "https://example.org/jwks", "not available in this version; unset it"},
    {"--redis-url", "redis://h", "not available in this version; unset it"},
    {"--jwt-issuer", "x", "not available in this version; unset it"},
    {"--jwt-audience", "x", "not available in this version; unset it"},
    {"--jwt-secret", "short", "32 to 4096 bytes, not 5"},
};

START_TEST(test_settings_bad_value_names_setting_and_remedy)
{
    ck_assert_int_eq(LOAD(bad[_i][0], bad[_i][1]), GW_E_SETTING);
    ck_assert_msg(strstr(err.text, bad[_i][2]) != NULL, "text: %s", err.text);
    char name[40];
    snprintf(name, sizeof name, "%s", bad[_i][0] + 2);
    for (char *p = name; *p; p++)
        *p = *p == '-' ? '_' : *p;
    ck_assert_msg(strstr(err.text, name) != NULL, "text: %s", err.text);
    ck_assert_ptr_null(settings.database_url);
}
END_TEST

START_TEST(test_settings_bad_value_of_file_names_its_line)
{
    const char *path = write_file("slot = ok\n\nmax_channels = many\n");
    ck_assert_int_eq(LOAD("--config", path), GW_E_SETTING);
    ck_assert_msg(strstr(err.text, ".ini:3") != NULL, "text: %s", err.text);
    ck_assert_msg(strstr(err.text, "\"many\"") != NULL, "text: %s", err.text);
    unlink(path);
}
END_TEST

/* file, what the text must say */
static const char *const bad_files[][2] = {
    {"slot = a\nslto = b\n", ".ini:2"}, {"slto = b\n", "\"slto\" = \"b\""},
    {"[main]\nslot = a\n", "sections"}, {"slot = a\nslot = b\n", "twice"},
    {"slot = a\nnonsense\n", ".ini:2"}, {"jwt_secrets = hunter2hunter2\n", "hidden"},
};

START_TEST(test_settings_bad_file_is_refused)
{
    const char *path = write_file(bad_files[_i][0]);
    ck_assert_int_eq(LOAD("--config", path), GW_E_SETTING);
    ck_assert_msg(strstr(err.text, bad_files[_i][1]) != NULL, "text: %s", err.text);
    ck_assert_ptr_null(strstr(err.text, "hunter2"));
    unlink(path);
}
END_TEST

START_TEST(test_settings_file_missing_is_refused)
{
    ck_assert_int_eq(LOAD("--config=/nonexistent/x.ini"), GW_E_SETTING);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/x.ini"));
}
END_TEST

START_TEST(test_settings_long_and_odd_file_values_are_whole)
{
    char text[4096], secret[1001];
    memset(secret, 's', sizeof secret - 1);
    secret[1000] = '\0';
    snprintf(text, sizeof text, "jwt_secret = %s\ndatabase_url = host=a password='x ;y#z'\n",
             secret);
    const char *path = write_file(text);
    ck_assert_int_eq(LOAD("--config", path), GW_OK);
    ck_assert_str_eq(settings.jwt_secret, secret);
    ck_assert_str_eq(settings.database_url, "host=a password='x ;y#z'");
    unlink(path);
}
END_TEST

START_TEST(test_settings_unknown_flag_suggests_the_closest)
{
    ck_assert_int_eq(LOAD("--max-conections", "5"), GW_E_SETTING);
    ck_assert_ptr_nonnull(strstr(err.text, "max-conections"));
    ck_assert_ptr_nonnull(strstr(err.hint, "max_connections"));
    ck_assert_int_eq(LOAD("--entirely-different-thing", "5"), GW_E_SETTING);
    ck_assert_ptr_null(strstr(err.hint, "did you mean"));
}
END_TEST

START_TEST(test_settings_unknown_variable_is_refused)
{
    setenv("ROWCAST_MAX_CHANELS", "5", 1);
    ck_assert_int_eq(load(0, NULL), GW_E_SETTING);
    ck_assert_ptr_nonnull(strstr(err.text, "ROWCAST_MAX_CHANELS"));
    ck_assert_ptr_nonnull(strstr(err.hint, "max_channels"));
}
END_TEST

START_TEST(test_settings_argument_without_flag_is_refused)
{
    ck_assert_int_eq(LOAD("serve"), GW_E_SETTING);
    ck_assert_int_eq(LOAD("--slot"), GW_E_SETTING);
    ck_assert_ptr_nonnull(strstr(err.text, "needs a value"));
    ck_assert_int_eq(LOAD("--"), GW_E_SETTING);
    ck_assert_int_eq(LOAD("-s"), GW_E_SETTING);
}
END_TEST

START_TEST(test_settings_secret_is_never_in_an_error)
{
    ck_assert_int_eq(LOAD("--jwt-secret", "hunter2"), GW_E_SETTING);
    ck_assert_ptr_null(strstr(err.text, "hunter2"));
    ck_assert_int_eq(LOAD("--api-keys", "hunter2"), GW_E_SETTING);
    ck_assert_ptr_null(strstr(err.text, "hunter2"));
    ck_assert_int_eq(LOAD("--jwtsecret", "hunter2"), GW_E_SETTING);
    ck_assert_ptr_null(strstr(err.text, "hunter2"));
    ck_assert_int_eq(LOAD("--redis-url", "redis://:hunter2@h"), GW_E_SETTING);
    ck_assert_ptr_null(strstr(err.text, "hunter2"));
}
END_TEST

START_TEST(test_settings_serve_needs_a_key)
{
    ck_assert_int_eq(load(0, NULL), GW_OK);
    ck_assert_int_eq(gw_settings_check_serve(&settings, &err), GW_E_SETTING);
    ck_assert_ptr_nonnull(strstr(err.hint, "ROWCAST_JWT_SECRET"));
    ck_assert_int_eq(LOAD("--api-keys", "sb_publishable_x==anon, k2=service_role"), GW_OK);
    ck_assert_int_eq(gw_settings_check_serve(&settings, &err), GW_OK);
    ck_assert_int_eq(LOAD("--jwt-secret", "0123456789abcdef0123456789abcdef"), GW_OK);
    ck_assert_int_eq(gw_settings_check_serve(&settings, &err), GW_OK);
    ck_assert_int_eq(
        LOAD("--jwt-secret", "0123456789abcdef0123456789abcdef", "--www", "/nonexistent"), GW_OK);
    ck_assert_int_eq(gw_settings_check_serve(&settings, &err), GW_E_SETTING);
}
END_TEST

START_TEST(test_settings_texts_come_from_the_table)
{
    struct gw_buf out;
    gw_buf_init(&out, 0);
    gw_settings_help(&out);
    ck_assert_ptr_nonnull(strstr(gw_buf_cstr(&out), "--max-message-bytes"));
    ck_assert_ptr_null(strstr(gw_buf_cstr(&out), "jwks"));
    gw_buf_reset(&out);
    gw_settings_markdown(&out);
    ck_assert_ptr_nonnull(
        strstr(gw_buf_cstr(&out), "| ROWCAST_WORKERS | number | number of cores |"));
    gw_buf_fini(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("settings");
    TCase *t = tcase_create("settings");
    tcase_add_checked_fixture(t, clean_environment, fini);
    tcase_add_test(t, test_settings_nothing_set_takes_the_defaults);
    tcase_add_test(t, test_settings_flag_wins_over_environment_over_file);
    tcase_add_test(t, test_settings_overridden_value_is_not_parsed);
    tcase_add_test(t, test_settings_empty_value_means_unset);
    tcase_add_loop_test(t, test_settings_bytes_with_suffix_are_powers_of_1024, 0,
                        sizeof byte_cases / sizeof byte_cases[0]);
    tcase_add_test(t, test_settings_times_with_units_are_converted);
    tcase_add_loop_test(t, test_settings_bad_value_names_setting_and_remedy, 0,
                        sizeof bad / sizeof bad[0]);
    tcase_add_test(t, test_settings_bad_value_of_file_names_its_line);
    tcase_add_loop_test(t, test_settings_bad_file_is_refused, 0,
                        sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(t, test_settings_file_missing_is_refused);
    tcase_add_test(t, test_settings_long_and_odd_file_values_are_whole);
    tcase_add_test(t, test_settings_unknown_flag_suggests_the_closest);
    tcase_add_test(t, test_settings_unknown_variable_is_refused);
    tcase_add_test(t, test_settings_argument_without_flag_is_refused);
    tcase_add_test(t, test_settings_secret_is_never_in_an_error);
    tcase_add_test(t, test_settings_serve_needs_a_key);
    tcase_add_test(t, test_settings_texts_come_from_the_table);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
